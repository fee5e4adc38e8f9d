package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"countersign/internal/auth"
	"countersign/internal/launch"
	"countersign/internal/store"
)

// clockBack starts a server whose clock is an hour behind the one that its database has seen. It serves nobody, until an operator accepts the
// clock; then nothing of before is good, and locks hold.
func (e *env) clockBack(ctx context.Context) (out result, err error) {
	r := &restoration{env: e, data: filepath.Join(e.site.dir, "clock.db"), out: &out}
	defer r.stop()
	for _, step := range []func(context.Context) error{
		r.prepare, r.rise, r.open, r.goAhead, r.shut, r.void, r.rise, r.judge,
	} {
		if err := step(ctx); err != nil || out.broken != "" {
			return out, err
		}
	}
	out.note = "nobody was served until `restored`"
	return out, nil
}

// goAhead stops the server, and has its database have seen a time that is still to come.
func (r *restoration) goAhead(ctx context.Context) error {
	err := r.server.Stop()
	r.server = nil
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, r.data, store.Options{Beside: true})
	if err != nil {
		return err
	}
	seen := fmt.Sprintf("%020d", time.Now().Add(time.Hour).UnixMicro())
	return errors.Join(db.Write(ctx, func(w auth.Writes) error { return w.RaiseMeta("clock", seen) }), db.Close())
}

// shut finds a server that serves nobody and says so.
func (r *restoration) shut(ctx context.Context) (err error) {
	if r.server, err = launch.Start(r.site.program, nil, "serve", "--config", r.config); err != nil {
		return err
	}
	defer r.stop()
	n := dial(r.server)
	p := r.users[0]
	for path, a := range map[string]reply{
		"/multi/login_with_password": n.post(ctx, "/multi/login_with_password", object{"email": p.email, "password": object{"value": text(0)}},
			"api-key", apiKey),
		"/oidc/token": n.askToken(ctx, clientID),
		"/healthz":    n.send(ctx, "GET", "/healthz", nil),
	} {
		r.out.operations++
		if a.status != http.StatusServiceUnavailable && r.out.broken == "" {
			r.out.broken = fmt.Sprintf("%s with a clock that was set back: %v", path, a)
		}
	}
	behind, err := metric(ctx, n, "countersign_clock_behind_seconds")
	if err == nil && behind < 3500 && r.out.broken == "" {
		r.out.broken = fmt.Sprintf("the metric says that the clock is %.0f s behind, want an hour", behind)
	}
	return err
}
