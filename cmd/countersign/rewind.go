package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"countersign/internal/passhash"
	"countersign/internal/store"
)

// lookEvery is how often a server looks whether its database is behind what was acknowledged.
const lookEvery = time.Second

// guard looks after the database: while it is behind, no call is taken, and what users have open there is made void, by one of the servers.
func (a *app) guard(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	seen := a.store.Rewinds()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := a.makeWhole(ctx, a.store, a.hasher, a.logger); err != nil && ctx.Err() == nil {
			a.logger.Error("look after the database", "error", err.Error())
		}
		if n := a.store.Rewinds(); n != seen && a.store.Behind() == nil {
			if err := a.auth.Reread(ctx); err != nil {
				a.tended(ctx, err)
				continue
			}
			a.logger.Error("the database lacked what was acknowledged: what users had open there is void, and calls are taken again")
			seen = n
		}
	}
}

// makeWhole looks at a store, and returns when it is not behind, or could not be looked at or helped.
func (s settings) makeWhole(ctx context.Context, db *store.Store, hasher *passhash.Hasher, logger *slog.Logger) error {
	for told := false; ; told = true {
		err := db.Look(ctx)
		if !errors.Is(err, store.ErrBehind) {
			return err
		}
		if !told {
			logger.Error("the database lacks what was acknowledged: no call is taken until what users have open there is void", "error", err.Error())
		}
		if err := s.void(ctx, hasher, logger, err.Error()); err != nil {
			return err
		}
		if err := db.Look(ctx); !errors.Is(err, store.ErrBehind) {
			return err
		}
		select { // another server is at it
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookEvery / 4):
		}
	}
}

// voidConns are as many connections as it takes to void a database while its lock is held.
const voidConns = 4

// void ends what users have open, unless another server does, or has.
func (s settings) void(ctx context.Context, hasher *passhash.Hasher, logger *slog.Logger, why string) (err error) {
	s.beside, s.migrate, s.maxConns = true, false, voidConns
	db, service, err := openService(ctx, s, hasher)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.Voiding(ctx, false, func() error {
		n, err := service.Rewound(ctx, why)
		if err == nil {
			logger.Error("what users had open in the database is void", "users", n, "reason", why)
		}
		return err
	})
}

// caution warns once of what may cost acknowledged changes.
func (a *app) caution(ctx context.Context, before string) string {
	about, err := a.store.Caution(ctx)
	if err != nil {
		return before // others tell of a database that does not answer
	}
	if about != "" && about != before {
		a.logger.Warn(about)
	}
	return about
}
