package auth_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/passhash"
)

// TestOverloadCostsNothing: with every slot taken and the queue full a login is refused before it reads or counts anything, so alike for
// every account, and is told when to come back (C-19, C-21).
func TestOverloadCostsNothing(t *testing.T) {
	t.Parallel()
	e, m := metered(t, sqliteFile(t), time.Now)
	h, err := passhash.New(passhash.Config{ // a hash takes far longer than what it is to be longer than
		Params: passhash.Params{Memory: 64 << 10, Time: 16, Threads: 1}, Slots: 1, Queue: 1, TestOnlyInsecure: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := e.Another(t, func(c *auth.Config) { c.Hasher, c.Now = h, time.Now })
	ctx, cancel := context.WithCancel(t.Context())
	var crowd sync.WaitGroup
	defer func() { cancel(); h.Close(); crowd.Wait() }()
	for range 3 {
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
			for h.Stats().Running+h.Stats().Waiting < 2 {
				runtime.Gosched()
			}
			var err error
			got := m.of(func() { _, err = s.LoginPassword(t.Context(), e.Key(), byEmail(name, authtest.Password)) })
			if code = codeOf(err); code != auth.CodeOverloaded {
				continue
			}
			wantRetry(t, err, time.Second)
			if got != (cost{}) {
				t.Errorf("%s: an overloaded server had work with it: %+v", name, got)
			}
		}
	}
}
