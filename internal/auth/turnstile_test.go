package auth_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"countersign/internal/auth"
)

func TestTurnstileLetsOneInAtATime(t *testing.T) {
	t.Parallel()
	ts := auth.NewTurnstile()
	var wg sync.WaitGroup
	inside, most, total := 0, 0, 0
	for range 50 {
		wg.Go(func() {
			p, err := auth.TurnstileEnter(ts, t.Context(), "key")
			if err != nil {
				t.Error(err)
				return
			}
			inside++ // the race detector and the counts would show a second one
			most = max(most, inside)
			total++
			inside--
			auth.TurnstileLeave(ts, "key", p)
		})
	}
	wg.Wait()
	if most != 1 || total != 50 {
		t.Errorf("got %d at once and %d in all, want 1 and 50", most, total)
	}
	if got := auth.TurnstileLen(ts); got != 0 {
		t.Errorf("got %d keys remembered, want none", got)
	}
}

func TestTurnstileGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	ts := auth.NewTurnstile()
	p, err := auth.TurnstileEnter(ts, t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := auth.TurnstileEnter(ts, gone, "key"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	if _, err := auth.TurnstileEnter(ts, t.Context(), "another"); err != nil {
		t.Errorf("another key: %v", err)
	}
	auth.TurnstileLeave(ts, "key", p)
	if _, err := auth.TurnstileEnter(ts, t.Context(), "key"); err != nil {
		t.Errorf("after the first left: %v", err)
	}
}

func TestTurnstileWakesWhoWaits(t *testing.T) {
	t.Parallel()
	ts := auth.NewTurnstile()
	p, err := auth.TurnstileEnter(ts, t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	auth.TurnstileSettled(ts, "nobody's")
	auth.TurnstileSettled(ts, "key")
	auth.TurnstileSettled(ts, "key") // one signal is enough, and a second does not block
	if err := auth.PassageWait(p, t.Context(), time.Hour); err != nil {
		t.Errorf("after a settlement: %v", err)
	}
	if err := auth.PassageWait(p, t.Context(), time.Microsecond); err != nil {
		t.Errorf("after its time: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := auth.PassageWait(p, gone, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}
