package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"countersign/internal/auth"
	"countersign/internal/jose"
	"countersign/internal/passhash"
	"countersign/internal/seed"
	"countersign/internal/store"
)

type migrateCommand struct {
	Config string `required:"" placeholder:"FILE" help:"Configuration file."`
}

// Run brings the schema up, and says from where to where.
func (c migrateCommand) Run(w *world) error {
	config, err := readConfig(c.Config, w.env)
	if err != nil {
		return err
	}
	var refused error
	config.databaseProblems(func(setting, format string, args ...any) {
		refused = fmt.Errorf("%s: %s", setting, fmt.Sprintf(format, args...))
	})
	if refused != nil {
		return refused
	}
	from, to, err := store.Migrate(w.ctx, config.Database, store.Options{})
	if err != nil {
		return err
	}
	if from == to {
		fmt.Fprintf(w.stdout, "schema is at version %d; nothing to do\n", to)
		return nil
	}
	fmt.Fprintf(w.stdout, "schema moved from version %d to %d\n", from, to)
	return nil
}

type checkCommand struct {
	Config string `required:"" placeholder:"FILE" help:"Configuration file."`
}

// Run checks what can be checked without serving; each finding has its setting and its reason.
func (c checkCommand) Run(w *world) error {
	config, err := readConfig(c.Config, w.env)
	if err != nil {
		return err
	}
	problems := config.problems()
	if config.Seed != "" {
		if data, err := os.ReadFile(config.Seed); err != nil {
			problems = append(problems, problem{"seed", err.Error()})
		} else if _, err := seed.Parse(config.Seed, data); err != nil {
			problems = append(problems, problem{"seed", err.Error()})
		}
	}
	if len(problems) == 0 {
		err := config.withStore(w, func(ctx context.Context, db *store.Store, s *auth.Service) error {
			for _, about := range warnings(s.Tenants()) {
				fmt.Fprintln(w.stdout, about)
			}
			about, err := db.Caution(ctx)
			if about != "" {
				fmt.Fprintln(w.stdout, "warning: database: "+about)
			}
			return err
		})
		if err != nil {
			problems = append(problems, problem{"database", err.Error()})
		}
	}
	for _, p := range problems {
		fmt.Fprintln(w.stdout, p)
	}
	if len(problems) > 0 {
		return fmt.Errorf("%d finding(s)", len(problems))
	}
	fmt.Fprintln(w.stdout, "configuration and database are sound")
	return nil
}

// withService is withStore for what needs no more than the domain.
func (c Config) withService(w *world, do func(context.Context, *auth.Service) error) error {
	return c.withStore(w, func(ctx context.Context, _ *store.Store, s *auth.Service) error { return do(ctx, s) })
}

// withStore opens the configured store for a command, beside a running server or without one.
func (c Config) withStore(w *world, do func(context.Context, *store.Store, *auth.Service) error) error {
	s, err := c.settings(w)
	if err != nil {
		return err
	}
	s.beside = true
	hasher, err := passhash.New(s.hash)
	if err != nil {
		return fmt.Errorf("hash: %w", err)
	}
	defer hasher.Close()
	db, service, err := openService(w.ctx, s, hasher)
	if err != nil {
		return err
	}
	return errors.Join(do(w.ctx, db, service), db.Close())
}

type signingKeyCommand struct {
	List   signingKeyList   `cmd:"" help:"List the published keys."`
	Rotate signingKeyRotate `cmd:"" help:"Make a new key; it is published at once and signs ten minutes later."`
}

type signingKeyList struct {
	Config string `required:"" placeholder:"FILE" help:"Configuration file."`
}

// Run lists the keys that are published.
func (c signingKeyList) Run(w *world) error {
	config, err := soundConfig(c.Config, w.env)
	if err != nil {
		return err
	}
	return config.withService(w, func(_ context.Context, s *auth.Service) error {
		for _, k := range s.SigningKeys() {
			retire := "in force"
			if !k.RetireAt.IsZero() {
				retire = "withdrawn at " + k.RetireAt.Format(time.RFC3339)
			}
			fmt.Fprintf(w.stdout, "%s  %s  signs from %s  %s\n", k.ID, k.Alg, k.ActiveAt.Format(time.RFC3339), retire)
		}
		return nil
	})
}

type signingKeyRotate struct {
	Config string `required:"" placeholder:"FILE" help:"Configuration file."`
	Alg    string `default:"ES256" enum:"ES256,RS256" help:"Algorithm of the new key: ${enum}."`
}

// Run makes the next key.
func (c signingKeyRotate) Run(w *world) error {
	config, err := soundConfig(c.Config, w.env)
	if err != nil {
		return err
	}
	return config.withService(w, func(ctx context.Context, s *auth.Service) error {
		k, err := s.RotateSigningKey(ctx, jose.Alg(c.Alg))
		if err != nil {
			return err
		}
		fmt.Fprintf(w.stdout, "key %s is published now and signs from %s\n", k.ID, k.ActiveAt.Format(time.RFC3339))
		return nil
	})
}

type userCommand struct {
	Unlock  userUnlock  `cmd:"" help:"Lift a lock and forget the failures."`
	Suspend userSuspend `cmd:"" help:"End a user's sessions and let them in no more."`
	Resume  userResume  `cmd:"" help:"Let a suspended user in again."`
}

// userArgs name a user.
type userArgs struct {
	Config string `required:"" placeholder:"FILE" help:"Configuration file."`
	Tenant string `arg:"" help:"Tenant id."`
	User   string `arg:"" help:"User id."`
}

type (
	userUnlock  struct{ userArgs }
	userSuspend struct{ userArgs }
	userResume  struct{ userArgs }
)

// Run lifts a lock.
func (c userUnlock) Run(w *world) error { return c.run(w, "unlocked", (*auth.Service).Unlock) }

// Run suspends.
func (c userSuspend) Run(w *world) error { return c.run(w, "suspended", (*auth.Service).Suspend) }

// Run resumes.
func (c userResume) Run(w *world) error { return c.run(w, "resumed", (*auth.Service).Resume) }

func (c userArgs) run(w *world, done string, do func(*auth.Service, context.Context, auth.TenantID, auth.UserID) error) error {
	config, err := soundConfig(c.Config, w.env)
	if err != nil {
		return err
	}
	return config.withService(w, func(ctx context.Context, s *auth.Service) error {
		if err := do(s, ctx, auth.TenantID(c.Tenant), auth.UserID(c.User)); err != nil {
			if errors.Is(err, auth.CodeUserNotFound) {
				return fmt.Errorf("tenant %s has no user %s", c.Tenant, c.User)
			}
			return err
		}
		fmt.Fprintf(w.stdout, "user %s is %s\n", c.User, done)
		return nil
	})
}
