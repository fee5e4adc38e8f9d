package auth_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/passhash"
)

// TestOverloadCostsNothing: with no room inside and the queue full a login is refused before it reads or counts anything, so alike for
// every account, and is told when to come back (C-19, C-21).
func TestOverloadCostsNothing(t *testing.T) {
	t.Parallel()
	e, m := metered(t, sqliteFile(t), time.Now)
	h, err := passhash.New(passhash.Config{ // a hash takes far longer than what it is to be longer than
		Params: passhash.Params{Memory: 64 << 10, Time: 16, Threads: 1}, Slots: 1, Beside: 1, Queue: 1, TestOnlyInsecure: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := e.Another(t, func(c *auth.Config) { c.Hasher, c.Now = h, time.Now })
	ctx, cancel := context.WithCancel(t.Context())
	var crowd sync.WaitGroup
	defer func() { cancel(); h.Close(); crowd.Wait() }()
	for range 4 {
		crowd.Go(func() {
			for ctx.Err() == nil {
				if _, err := h.Hash(ctx, []byte("x")); err != nil {
					runtime.Gosched() // full, as it is to be
				}
			}
		})
	}
	for _, name := range []string{"ada", "unknown"} {
		for code := auth.CodeInternal; code != auth.CodeOverloaded; { // whoever comes while one hash ends and the next begins gets in
			for h.Stats().Inside+h.Stats().Queued < 3 {
				runtime.Gosched()
			}
			var err error
			got := m.of(func() { _, err = s.LoginPassword(t.Context(), e.Key(), byEmail(name, authtest.Password)) })
			if code = codeOf(err); code != auth.CodeOverloaded {
				continue
			}
			if after := auth.RefusalOf(err).RetryAfter; after < time.Second || after > time.Minute || after%time.Second != 0 {
				t.Errorf("%s: to retry after %v", name, after)
			}
			if got != (cost{}) {
				t.Errorf("%s: an overloaded server had work with it: %+v", name, got)
			}
		}
	}
}

// TestCrowdOnOneAccountKeepsNobodyOut: who waits for the attempts of others, here of a node that has died, leaves the room inside to the
// users of other accounts (A-027, C-20).
func TestCrowdOnOneAccountKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := authtest.New(t)
		h, err := passhash.New(passhash.Config{
			Params: passhash.Params{Memory: 8, Time: 1, Threads: 1}, Slots: 1, Beside: 1, Wait: time.Hour, TestOnlyInsecure: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		s := e.Another(t, func(c *auth.Config) { c.Hasher, c.AttemptWait = h, 5*time.Second })
		if err := e.Store.Write(t.Context(), func(w auth.Writes) error {
			now := e.Clock.Now()
			row := auth.Attempts{Version: 1, Pending: 5, PendingAt: now}
			_, err := w.PutAttempts(authtest.Demo, auth.SubjectOf(authtest.Ada), auth.AttemptPassword, row, 0)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		var crowd sync.WaitGroup
		for range 5 {
			crowd.Go(func() {
				_, err := s.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password))
				if codeOf(err) != auth.CodeBusy {
					t.Errorf("got %v, want busy", err)
				}
			})
		}
		time.Sleep(time.Second)
		begin := time.Now()
		if _, err := s.LoginPassword(t.Context(), e.Key(), byEmail("charles", authtest.Password)); err != nil || time.Since(begin) != 0 {
			t.Errorf("another account got %v after %v", err, time.Since(begin))
		}
		crowd.Wait()
		if got := h.Stats(); got.Inside != 0 || got.Queued != 0 {
			t.Errorf("got %+v, want nobody left", got)
		}
	})
}
