package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"countersign/internal/auth"
)

type resealCommand struct {
	Config string        `required:"" placeholder:"FILE" help:"Configuration file."`
	Wait   time.Duration `default:"10s" help:"How long what is under way may take, before it is looked at again."`
}

// resealTries bounds how often something sealed under a former key is found again; more are the work of a server that has no other.
const resealTries = 6

// Run seals again until nothing is left that needs a former master key.
func (c resealCommand) Run(w *world) error {
	config, err := soundConfig(c.Config, w.env)
	if err != nil {
		return err
	}
	return config.withService(w, func(ctx context.Context, s *auth.Service) error {
		total := 0
		for range resealTries {
			n, err := s.Reseal(ctx)
			if total += n; err != nil {
				return fmt.Errorf("%d values were sealed again: %w", total, err)
			}
			if n == 0 {
				fmt.Fprintf(w.stdout, "sealed %d values again; after a minute nothing needs former_master_keys any more\n", total)
				return nil
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(c.Wait):
			}
		}
		return errors.New("a server still seals under a former master key: start all of them with the present one, and run it again")
	})
}
