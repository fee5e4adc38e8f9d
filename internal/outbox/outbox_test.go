package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"countersign/internal/auth"
	"countersign/internal/outbox"
)

// shelf stands in for the domain where a test is about time, which a real store does not share with a bubble of synctest. Nothing on it is
// ever tried twice.
type shelf struct {
	mu      sync.Mutex
	waiting []auth.Delivery
	settled map[auth.ParcelID]error
	wake    chan struct{}
	fault   error // of every call
	asked   int
	claimed int // the most at once
}

func newShelf(all ...auth.Delivery) *shelf {
	return &shelf{waiting: all, settled: map[auth.ParcelID]error{}, wake: make(chan struct{}, 1)}
}

func (s *shelf) Wake() <-chan struct{} { return s.wake }

func (s *shelf) Queues(context.Context) ([]auth.Queue, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	var all []auth.Queue
	for _, d := range s.waiting {
		if q := (auth.Queue{Tenant: d.Tenant, Kind: d.Kind}); !slices.Contains(all, q) {
			all = append(all, q)
		}
	}
	return all, s.fault
}

func (s *shelf) ClaimParcels(_ context.Context, q auth.Queue, n int) ([]auth.Delivery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var got []auth.Delivery
	s.waiting = slices.DeleteFunc(s.waiting, func(d auth.Delivery) bool {
		ours := d.Tenant == q.Tenant && d.Kind == q.Kind && len(got) < n
		if ours {
			got = append(got, d)
		}
		return ours
	})
	s.claimed = max(s.claimed, len(got))
	return got, s.fault
}

func (s *shelf) SettleParcel(_ context.Context, d auth.Delivery, outcome error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settled[d.ID] = outcome
	return s.fault
}

// add puts parcels on the shelf in silence, as another node does.
func (s *shelf) add(all ...auth.Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, all...)
}

func (s *shelf) put(all ...auth.Delivery) {
	s.add(all...)
	s.wake <- struct{}{}
}

// counts are how many parcels wait, how many are settled, and how many were claimed at once.
func (s *shelf) counts() (waiting, settled, claimed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting), len(s.settled), s.claimed
}

func (s *shelf) outcome(id auth.ParcelID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	err, ok := s.settled[id]
	switch {
	case !ok:
		return "not settled"
	case err == nil:
		return "taken"
	}
	return err.Error()
}

// deliver and carry are carriers made of a function.
type deliver func(context.Context, auth.Delivery) error

func (f deliver) Deliver(ctx context.Context, d auth.Delivery) error { return f(ctx, d) }

type carry func(context.Context, auth.ParcelID, auth.TenantID, auth.Message) error

func (f carry) Carry(ctx context.Context, id auth.ParcelID, t auth.TenantID, m auth.Message) error {
	return f(ctx, id, t, m)
}

// taken takes everything.
func taken(context.Context, auth.Delivery) error { return nil }

func news(t auth.TenantID, id auth.ParcelID) auth.Delivery {
	return auth.Delivery{Parcel: auth.Parcel{Tenant: t, ID: id, Kind: auth.ParcelWebhook, Tries: 1}, News: &auth.News{}}
}

func message(t auth.TenantID, id auth.ParcelID, k auth.ParcelKind) auth.Delivery {
	return auth.Delivery{Parcel: auth.Parcel{Tenant: t, ID: id, Kind: k, Tries: 1}, Message: &auth.Message{Kind: k, To: "x", Code: "424242"}}
}

// start runs an outbox; stop ends it and waits.
func start(t *testing.T, log *strings.Builder, c outbox.Config) (stop func()) {
	t.Helper()
	if log == nil {
		log = &strings.Builder{}
	}
	c.Logger = slog.New(slog.NewTextHandler(log, nil))
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { outbox.New(c).Run(ctx) })
	return func() {
		cancel()
		run.Wait()
	}
}

// TestParcelIsCarriedAtOnce: what the domain wakes for does not wait for the next look.
func TestParcelIsCarriedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		var got []string
		stop := start(t, nil, outbox.Config{
			Service: s, Webhooks: deliver(taken),
			Messages: carry(func(_ context.Context, id auth.ParcelID, tenant auth.TenantID, m auth.Message) error {
				got = append(got, fmt.Sprint(id, tenant, m.Kind, m.Code))
				return nil
			}),
		})
		synctest.Wait()
		began := time.Now()
		s.put(message("a", "m", auth.ParcelSMS))
		synctest.Wait()
		s.put(news("a", "n"))
		synctest.Wait()
		if waited := time.Since(began); waited != 0 {
			t.Errorf("waited %s, want no time", waited)
		}
		if want := []string{fmt.Sprint("m", "a", "sms", "424242")}; !slices.Equal(got, want) {
			t.Errorf("got messages %q, want %q", got, want)
		}
		for _, id := range []auth.ParcelID{"m", "n"} {
			if got := s.outcome(id); got != "taken" {
				t.Errorf("%s: got %s, want taken", id, got)
			}
		}
		stop()
	})
}

// TestDeadReceiverDelaysNobody (A-127, C-10): the tries of one tenant hang until they are cut off, and another tenant's news goes out as
// it comes.
func TestDeadReceiverDelaysNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		tarpit := func(ctx context.Context, d auth.Delivery) error {
			if d.Tenant == "tarpit" {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		stop := start(t, nil, outbox.Config{
			Service: s, Webhooks: deliver(tarpit), Messages: carry(nil), PerQueue: 4, Total: 6, CarryFor: 20 * time.Second,
		})
		synctest.Wait()
		for i := range 100 {
			s.add(news("tarpit", auth.ParcelID(fmt.Sprint("t", i))))
		}
		for i := range 100 {
			began, id := time.Now(), auth.ParcelID(fmt.Sprint("a", i))
			s.put(news("a", id))
			synctest.Wait()
			if got := s.outcome(id); got != "taken" || time.Since(began) != 0 {
				t.Fatalf("%s: got %s after %s, want taken at once", id, got, time.Since(began))
			}
		}
		if waiting, _, claimed := s.counts(); waiting != 96 || claimed != 4 {
			t.Errorf("got %d parcels of the dead receiver waiting and %d claimed at once, want 96 and 4", waiting, claimed)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if waiting, _, _ := s.counts(); waiting != 92 {
			t.Errorf("got %d waiting when the first tries were cut off, want 92", waiting)
		}
		if got := s.outcome("t0"); got != context.DeadlineExceeded.Error() {
			t.Errorf("got %s, want a settled failure", got)
		}
		stop()
	})
}

// TestFullQueueIsEmptiedWithoutPause: the end of one try makes room for the next.
func TestFullQueueIsEmptiedWithoutPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		for i := range 1000 {
			s.add(news("a", auth.ParcelID(fmt.Sprint(i))))
		}
		began := time.Now()
		stop := start(t, nil, outbox.Config{Service: s, Webhooks: deliver(taken), Messages: carry(nil)})
		synctest.Wait()
		if _, settled, _ := s.counts(); settled != 1000 || time.Since(began) != 0 {
			t.Errorf("got %d settled after %s, want 1000 at once", settled, time.Since(began))
		}
		stop()
	})
}

// TestTotalIsBounded over all queues, and every queue gets its turn.
func TestTotalIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var all []auth.Delivery
		for i := range 40 {
			all = append(all, news(auth.TenantID(fmt.Sprint(i%10)), auth.ParcelID(fmt.Sprint(i))))
		}
		s := newShelf(all...)
		var mu sync.Mutex
		running, most := 0, 0
		slow := func(context.Context, auth.Delivery) error {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			running--
			mu.Unlock()
			return nil
		}
		stop := start(t, nil, outbox.Config{Service: s, Webhooks: deliver(slow), Messages: carry(nil), PerQueue: 2, Total: 5})
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		if _, settled, _ := s.counts(); most != 5 || settled != 40 {
			t.Errorf("got %d at once and %d settled, want 5 and 40", most, settled)
		}
	})
}

// TestStopWaitsAndThenCutsOff: a try that ends in time is settled, and one that was cut off is left to its lease.
func TestStopWaitsAndThenCutsOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(news("a", "short"), news("a", "long"), news("a", "stubborn"))
		lengths := map[auth.ParcelID]time.Duration{"short": 3 * time.Second, "long": time.Minute, "stubborn": 6 * time.Second}
		stop := start(t, nil, outbox.Config{
			Service: s, Messages: carry(nil), StopFor: 5 * time.Second, CarryFor: time.Hour,
			Webhooks: deliver(func(ctx context.Context, d auth.Delivery) error {
				if d.ID == "stubborn" {
					time.Sleep(lengths[d.ID]) // does not look at ctx, and arrives
					return nil
				}
				select {
				case <-time.After(lengths[d.ID]):
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}),
		})
		synctest.Wait()
		began := time.Now()
		stop()
		if got := time.Since(began); got != 6*time.Second {
			t.Errorf("stopped after %s, want 6s", got)
		}
		for id, want := range map[auth.ParcelID]string{"short": "taken", "long": "not settled", "stubborn": "taken"} {
			if got := s.outcome(id); got != want {
				t.Errorf("%s: got %s, want %s", id, got, want)
			}
		}
		s.add(news("a", "late"))
		synctest.Wait()
		if got := s.outcome("late"); got != "not settled" {
			t.Errorf("a stopped outbox took a parcel: %s", got)
		}
	})
}

// TestFailureIsOneLine, and the code of a message is in none.
func TestFailureIsOneLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		s := newShelf(message("a", "m", auth.ParcelEmail), news("b", "n"), message("a", "p", auth.ParcelPush))
		stop := start(t, &log, outbox.Config{
			Service: s, Webhooks: deliver(func(context.Context, auth.Delivery) error { return errors.New("answered 500") }),
			Messages: carry(func(_ context.Context, id auth.ParcelID, _ auth.TenantID, m auth.Message) error {
				if id == "p" {
					panic("no " + m.Code)
				}
				return errors.New("the mail server is down")
			}),
		})
		synctest.Wait()
		stop()
		for id, want := range map[auth.ParcelID]string{"m": "the mail server is down", "n": "answered 500", "p": "the carrier broke"} {
			if got := s.outcome(id); got != want {
				t.Errorf("%s: got %s, want %s", id, got, want)
			}
			if n := strings.Count(log.String(), want); n != 1 {
				t.Errorf("got %d lines of %q, want 1:\n%s", n, want, &log)
			}
		}
		if strings.Contains(log.String(), "424242") {
			t.Errorf("the log has a code:\n%s", &log)
		}
	})
}

// TestFaultOfTheStoreIsASecond: it is logged, the store is asked again a second later, and everything goes out in the end.
func TestFaultOfTheStoreIsASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		s := newShelf()
		s.fault = errors.New("no store")
		stop := start(t, &log, outbox.Config{Service: s, Webhooks: deliver(taken), Messages: carry(nil)})
		synctest.Wait()
		s.put(news("a", "n"))
		time.Sleep(10*time.Second + time.Millisecond)
		synctest.Wait()
		s.mu.Lock()
		if s.asked != 11 {
			t.Errorf("got %d calls in ten seconds, want 11", s.asked)
		}
		s.fault = nil
		s.mu.Unlock()
		time.Sleep(time.Second)
		synctest.Wait()
		if got := s.outcome("n"); got != "taken" {
			t.Errorf("got %s, want taken", got)
		}
		stop()
		if got := strings.Count(log.String(), "no store"); got != 11 {
			t.Errorf("got %d lines, want 11:\n%s", got, &log)
		}
	})
}
