package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"countersign/internal/auth"
	"countersign/internal/seal"
	"countersign/internal/seed"
)

// configured is what every command on the configuration needs.
type configured struct {
	Config string `required:"" placeholder:"FILE" help:"Configuration file."`
}

// do opens the store for one piece of work and gives its refusals words.
func (c configured) do(w *world, what string, work func(context.Context, *auth.Service) error) error {
	config, err := soundConfig(c.Config, w.env)
	if err != nil {
		return err
	}
	err = config.withService(w, work)
	switch {
	case errors.Is(err, auth.ErrExists):
		return fmt.Errorf("%s exists already", what)
	case errors.Is(err, auth.ErrNotFound):
		return fmt.Errorf("there is no %s", what)
	}
	return err
}

var slug = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

type tenantCommand struct {
	List        tenantList        `cmd:"" help:"List the tenants."`
	Create      tenantCreate      `cmd:"" help:"Add a live tenant with the default settings."`
	Maintenance tenantMaintenance `cmd:"" help:"Answer every call of a tenant with 503, or stop doing so."`
	Settings    tenantSettings    `cmd:"" help:"Change settings of a tenant by a file."`
	Webhook     tenantWebhook     `cmd:"" help:"Say where a tenant's news go."`
}

type tenantList struct{ configured }

// Run lists.
func (c tenantList) Run(w *world) error {
	return c.do(w, "tenant", func(_ context.Context, s *auth.Service) error {
		for _, t := range s.Tenants() {
			fmt.Fprintf(w.stdout, "%s  %s  %s\n", t.ID, t.Mode, t.Name)
		}
		return nil
	})
}

type tenantCreate struct {
	configured
	Tenant string `arg:"" help:"Id: lower-case letters, digits and hyphens."`
	Name   string `help:"Name for people; by default the id."`
}

// Run adds a tenant.
func (c tenantCreate) Run(w *world) error {
	if !slug.MatchString(c.Tenant) {
		return fmt.Errorf("tenant id %q: want lower-case letters, digits and hyphens, at most 63", c.Tenant)
	}
	return c.do(w, "tenant "+c.Tenant, func(ctx context.Context, s *auth.Service) error {
		t := auth.Tenant{ID: auth.TenantID(c.Tenant), Name: firstOf(c.Name, c.Tenant), Mode: auth.ModeLive, Settings: auth.DefaultSettings()}
		if err := s.CreateTenant(ctx, t); err != nil {
			return err
		}
		return say(w.stdout, "tenant %s is ready; next: countersign key create", c.Tenant)
	})
}

type tenantMaintenance struct {
	configured
	Tenant string `arg:"" help:"Tenant id."`
	Switch string `arg:"" enum:"on,off" help:"${enum}"`
}

// Run switches maintenance mode; running servers see it with their next request.
func (c tenantMaintenance) Run(w *world) error {
	return c.do(w, "tenant "+c.Tenant, func(ctx context.Context, s *auth.Service) error {
		if err := s.SetMaintenance(ctx, auth.TenantID(c.Tenant), c.Switch == "on"); err != nil {
			return err
		}
		return say(w.stdout, "maintenance of tenant %s is %s", c.Tenant, c.Switch)
	})
}

type tenantSettings struct {
	configured
	Tenant string `arg:"" help:"Tenant id."`
	File   string `arg:"" help:"YAML, as below settings in a seed file. What it does not name stays as it is."`
}

// Run changes settings; running servers see them with their next request.
func (c tenantSettings) Run(w *world) error {
	data, err := os.ReadFile(c.File)
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	return c.do(w, "tenant "+c.Tenant, func(ctx context.Context, s *auth.Service) error {
		err := s.ChangeSettings(ctx, auth.TenantID(c.Tenant), func(over auth.Settings) (auth.Settings, error) {
			return seed.ParseSettings(c.File, data, over)
		})
		if err != nil {
			return err
		}
		return say(w.stdout, "settings of tenant %s are changed", c.Tenant)
	})
}

type tenantWebhook struct {
	configured
	Tenant string `arg:"" help:"Tenant id."`
	URL    string `arg:"" help:"Base URL, to which the path of each event is added; none: nowhere."`
	Key    string `placeholder:"FILE" help:"File with the API key that signs the news, the tenant's oldest; needed if there is one."`
}

// Run changes the webhook; the next delivery goes there.
func (c tenantWebhook) Run(w *world) error {
	to := c.URL
	if to == "none" {
		to = ""
	} else if err := auth.CheckReceiver(to); err != nil {
		return fmt.Errorf("the URL %w; none is for nowhere", err)
	}
	var key []byte
	if c.Key != "" {
		var err error
		if key, err = os.ReadFile(c.Key); err != nil {
			return fmt.Errorf("read key: %w", err)
		}
	}
	return c.do(w, "tenant "+c.Tenant, func(ctx context.Context, s *auth.Service) error {
		err := s.SetWebhook(ctx, auth.TenantID(c.Tenant), to, seal.NewSecret(strings.TrimSpace(string(key))))
		if auth.CodeOf(err) == auth.CodeUnknownKey {
			return errors.New("news that go elsewhere need --key FILE with the API key that signs them: the tenant's oldest that is not revoked")
		}
		if err != nil {
			return err
		}
		return say(w.stdout, "news of tenant %s go to %s", c.Tenant, firstOf(to, "nobody"))
	})
}

type keyCommand struct {
	List   keyList   `cmd:"" help:"List the API keys of a tenant."`
	Create keyCreate `cmd:"" help:"Make an API key; it is shown once."`
	Revoke keyRevoke `cmd:"" help:"End an API key, at once and for good."`
}

type keyList struct {
	configured
	Tenant string `arg:"" help:"Tenant id."`
}

// Run lists.
func (c keyList) Run(w *world) error {
	return c.do(w, "tenant "+c.Tenant, func(_ context.Context, s *auth.Service) error {
		if !hasTenant(s, c.Tenant) {
			return auth.ErrNotFound
		}
		for _, k := range s.APIKeys(auth.TenantID(c.Tenant)) {
			fmt.Fprintf(w.stdout, "%s  since %s  %s\n", k.ID, k.CreatedAt.Format(time.RFC3339), ended("revoked", k.RevokedAt))
		}
		return nil
	})
}

// hasTenant keeps a list of nothing from being taken for a tenant that has nothing.
func hasTenant(s *auth.Service, id string) bool {
	return slices.ContainsFunc(s.Tenants(), func(t auth.Tenant) bool { return string(t.ID) == id })
}

func ended(word string, at time.Time) string {
	if at.IsZero() {
		return "live"
	}
	return word + " at " + at.Format(time.RFC3339)
}

type keyCreate struct {
	configured
	Tenant string `arg:"" help:"Tenant id."`
	Name   string `arg:"" help:"Name of the key, for you."`
}

// Run makes a key.
func (c keyCreate) Run(w *world) error {
	return c.do(w, "key "+c.Name+" or tenant "+c.Tenant, func(ctx context.Context, s *auth.Service) error {
		key, err := s.CreateAPIKey(ctx, auth.TenantID(c.Tenant), c.Name)
		if err != nil {
			return err
		}
		return say(w.stdout, "%s", key)
	})
}

type keyRevoke struct {
	configured
	Tenant string `arg:"" help:"Tenant id."`
	Name   string `arg:"" help:"Name of the key."`
}

// Run revokes.
func (c keyRevoke) Run(w *world) error {
	return c.do(w, "key "+c.Name+" in tenant "+c.Tenant, func(ctx context.Context, s *auth.Service) error {
		if err := s.RevokeAPIKey(ctx, auth.TenantID(c.Tenant), c.Name); err != nil {
			return err
		}
		return say(w.stdout, "key %s is revoked", c.Name)
	})
}

func say(out io.Writer, format string, args ...any) error {
	_, err := fmt.Fprintf(out, format+"\n", args...)
	return err
}
