package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/outbox"
)

// The tests of this file stand on a real store. The domain's clock is theirs to move, and the worker's look every second is the bubble's.

func ada() auth.IdentityRef { return auth.IdentityRef{Type: auth.Consumer, ID: "1001"} }

// env is a domain whose tenant Demo has a webhook.
func env(t *testing.T) *authtest.Env {
	t.Helper()
	return authtest.New(t, func(s *auth.Setup) { s.Tenants[0].Tenant.Webhook.URL = "https://receiver.test/hooks" })
}

// tell makes n pieces of news.
func tell(t *testing.T, e *authtest.Env, n int) {
	t.Helper()
	for i := range n {
		var err error
		if i%2 == 0 {
			err = e.SuspendIdentity(t.Context(), authtest.Demo, ada(), "TEMPORARY")
		} else {
			err = e.ResumeIdentity(t.Context(), authtest.Demo, ada())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// record keeps what a carrier was given.
type record struct {
	mu      sync.Mutex
	ids     []auth.ParcelID
	running map[auth.ParcelID]bool
	twice   []auth.ParcelID // carried by two at once
}

// deliver waits a second, so that tries overlap where they can, and then does what next says.
func (r *record) deliver(next func() error) deliver {
	return func(_ context.Context, d auth.Delivery) error {
		r.mu.Lock()
		if r.running == nil {
			r.running = map[auth.ParcelID]bool{}
		}
		if r.running[d.ID] {
			r.twice = append(r.twice, d.ID)
		}
		r.ids, r.running[d.ID] = append(r.ids, d.ID), true
		r.mu.Unlock()
		time.Sleep(time.Second)
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.running, d.ID)
		return next()
	}
}

func (r *record) seen() []auth.ParcelID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ids)
}

func arrives() error { return nil }

func statuses(t *testing.T, e *authtest.Env) string {
	t.Helper()
	all, err := e.Deliveries(t.Context(), authtest.Demo, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[auth.ParcelStatus]int{}
	for _, d := range all {
		counts[d.Status]++
	}
	return fmt.Sprint(counts)
}

// TestCrashBetweenCarryingAndSettling (C-10): the parcel is left alone for as long as its lease, and then carried again under the same id.
func TestCrashBetweenCarryingAndSettling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := env(t)
		tell(t, e, 1)
		claimed, err := e.ClaimParcels(t.Context(), auth.Queue{Tenant: authtest.Demo, Kind: auth.ParcelWebhook}, 10)
		if err != nil || len(claimed) != 1 {
			t.Fatalf("got %d claimed and %v, want 1", len(claimed), err)
		}
		// Here the first worker carries it, and ends.
		var r record
		stop := start(t, nil, outbox.Config{Service: e.Another(t, nil), Webhooks: r.deliver(arrives), Messages: carry(nil)})
		e.Clock.Advance(time.Minute - time.Microsecond)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := r.seen(); len(got) != 0 {
			t.Errorf("got %v carried during the lease, want none", got)
		}
		e.Clock.Advance(time.Microsecond)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got, want := r.seen(), []auth.ParcelID{claimed[0].ID}; !slices.Equal(got, want) {
			t.Errorf("got %v carried after the lease, want %v", got, want)
		}
		stop()
		if got, want := statuses(t, e), "map[delivered:1]"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		// The first worker comes back to life and settles what is settled.
		if err := e.SettleParcel(t.Context(), claimed[0], errors.New("late")); err != nil {
			t.Error(err)
		}
		if got, want := statuses(t, e), "map[delivered:1]"; got != want {
			t.Errorf("after a late outcome: got %s, want %s", got, want)
		}
	})
}

// TestWorkersShareNoParcel (C-10): three of them empty one queue, and each parcel goes out once.
func TestWorkersShareNoParcel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := env(t)
		tell(t, e, 40)
		var r record
		var stops []func()
		for range 3 {
			c := outbox.Config{Service: e.Another(t, nil), Webhooks: r.deliver(arrives), Messages: carry(nil), PerQueue: 3}
			stops = append(stops, start(t, nil, c))
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		for _, stop := range stops {
			stop()
		}
		got := r.seen()
		slices.Sort(got)
		if n := len(slices.Compact(slices.Clone(got))); n != 40 || len(got) != 40 || len(r.twice) > 0 {
			t.Errorf("got %d tries of %d parcels, %v of them by two at once, want 40 of 40", len(got), n, r.twice)
		}
		if got, want := statuses(t, e), "map[delivered:40]"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// TestReceiverThatNeverAnswersWell (A-123, contract/multi §4.1): six tries in four and a half hours under one id, then a dead letter, which
// an operator replays.
func TestReceiverThatNeverAnswersWell(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := env(t)
		tell(t, e, 1)
		var r record
		outcome := errors.New("answered 500")
		fails := r.deliver(func() error { return outcome })
		stop := start(t, nil, outbox.Config{Service: e.Service, Webhooks: fails, Messages: carry(nil)})
		look := func(after time.Duration, want int) {
			t.Helper()
			e.Clock.Advance(after)
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if got := len(r.seen()); got != want {
				t.Errorf("got %d tries, want %d", got, want)
			}
		}
		look(0, 1)
		for i, wait := range []time.Duration{10 * time.Second, time.Minute, 6 * time.Minute, 36 * time.Minute, 216 * time.Minute} {
			look(wait-time.Second, i+1)
			look(time.Second, i+2)
		}
		look(30*24*time.Hour, 6)
		failed, err := e.Deliveries(t.Context(), authtest.Demo, auth.ParcelFailed, 10)
		if err != nil || len(failed) != 1 {
			t.Fatalf("got %d failed and %v, want 1", len(failed), err)
		}
		if d := failed[0]; d.Result != "answered 500" || d.News == nil || d.News.Kind != auth.NewsIdentityDeactivated || d.News.Email != "" {
			t.Errorf("got %+v, want the result and the kind of news, and nobody's address", d)
		}
		outcome = nil
		if err := e.ReplayParcel(t.Context(), authtest.Demo, failed[0].ID); err != nil {
			t.Fatal(err)
		}
		look(0, 7)
		stop()
		if got, want := statuses(t, e), "map[delivered:1]"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		ids := r.seen()
		if len(slices.Compact(ids)) != 1 {
			t.Errorf("got ids %v, want one", ids)
		}
		if err := e.ReplayParcel(t.Context(), authtest.Demo, failed[0].ID); !errors.Is(err, auth.CodeNotFound) {
			t.Errorf("replay of what was delivered: got %v, want CodeNotFound", err)
		}
	})
}

// later is an outcome of a receiver that asks for time.
type later time.Duration

func (later) Error() string               { return "answered 503" }
func (l later) RetryAfter() time.Duration { return time.Duration(l) }

// TestRetryAfterLengthensTheWait and never shortens it.
func TestRetryAfterLengthensTheWait(t *testing.T) {
	t.Parallel()
	for asked, want := range map[time.Duration]time.Duration{0: 10 * time.Second, time.Second: 10 * time.Second, time.Hour: time.Hour} {
		e := env(t)
		tell(t, e, 1)
		claimed, err := e.ClaimParcels(t.Context(), auth.Queue{Tenant: authtest.Demo, Kind: auth.ParcelWebhook}, 1)
		if err != nil || len(claimed) != 1 {
			t.Fatalf("got %d claimed and %v, want 1", len(claimed), err)
		}
		if err := e.SettleParcel(t.Context(), claimed[0], later(asked)); err != nil {
			t.Fatal(err)
		}
		all, err := e.Deliveries(t.Context(), authtest.Demo, auth.ParcelPending, 1)
		if err != nil || len(all) != 1 {
			t.Fatalf("got %d pending and %v, want 1", len(all), err)
		}
		if got := all[0].DueAt.Sub(e.Clock.Now()); got != want {
			t.Errorf("asked for %s: got %s, want %s", asked, got, want)
		}
	}
}
