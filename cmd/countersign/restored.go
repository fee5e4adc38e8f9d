package main

import (
	"context"
	"fmt"

	"countersign/internal/auth"
	"countersign/internal/store"
)

type restoredCommand struct {
	Config string `required:"" placeholder:"FILE" help:"Configuration file."`
}

// Run ends what a restored database brings back from before: it does not know who has logged out since.
func (c restoredCommand) Run(w *world) error {
	config, err := soundConfig(c.Config, w.env)
	if err != nil {
		return err
	}
	config.MaxConnections = max(config.MaxConnections, voidConns)
	return config.withStore(w, func(ctx context.Context, db *store.Store, s *auth.Service) error {
		n := 0
		err := db.Voiding(ctx, true, func() (err error) { n, err = s.Restored(ctx); return err })
		if err != nil {
			return fmt.Errorf("after %d users: %w; run it again", n, err)
		}
		fmt.Fprintf(w.stdout, "the sessions and codes of %d users are void\n", n)
		return nil
	})
}
