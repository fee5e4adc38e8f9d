package storetest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
)

// smsCount is one SMS of a tenant in one of its windows, of which it may have a number.
func smsCount(t auth.TenantID, name string, day, allowed int) auth.SMSCount {
	return auth.SMSCount{Tenant: t, Scope: auth.SMSCountry, Name: name, BeganAt: at(day), EndsAt: at(day + 1), Sent: 1, Allowed: allowed}
}

func countSMS(t *testing.T, s auth.Store, counts ...auth.SMSCount) (taken []bool) {
	t.Helper()
	write(t, s, func(tx auth.Writes) (err error) { taken, err = tx.CountSMS(counts...); return err })
	return taken
}

// testSMSCounts counts up to what is allowed, each tenant, name, window and shard apart, and back.
func testSMSCounts(t *testing.T, s auth.Store) {
	mt, ch, other := smsCount("demo", "MT", 1, 2), smsCount("demo", "CH", 1, 3), smsCount("other", "MT", 1, 9)
	tomorrow, shard, server := smsCount("demo", "MT", 2, 9), mt, mt
	shard.Shard, server.Tenant = 1, ""
	if got := countSMS(t, s); len(got) != 0 {
		t.Errorf("nothing: got %v", got)
	}
	for i, want := range [][]bool{{true, true}, {true, true}, {false, true}, {false, false}} {
		if got := countSMS(t, s, mt, ch); !cmp.Equal(got, want) {
			t.Errorf("time %d: got %v, want %v", i, got, want)
		}
	}
	if got := countSMS(t, s, other, tomorrow, server, shard); !cmp.Equal(got, []bool{true, true, true, true}) {
		t.Errorf("others: got %v", got)
	}
	look, proof, back := ch, ch, ch
	look.Sent, look.Allowed = 0, 3
	proof.Sent, proof.Proved, proof.Allowed = 0, 1, 9
	back.Sent, back.Allowed = -1, 9
	for _, step := range []struct {
		count auth.SMSCount
		want  bool
	}{{look, false}, {proof, true}, {back, true}, {look, true}, {look, true}} {
		if got := countSMS(t, s, step.count); got[0] != step.want {
			t.Errorf("%+v: got %v", step.count, got)
		}
	}
	sum := func(c auth.SMSCount, sent, proved int) auth.SMSCount {
		c.Sent, c.Proved, c.Allowed = sent, proved, 0
		return c
	}
	list := func(since time.Time) []auth.SMSCount {
		return read(t, s, func(r auth.Reads) ([]auth.SMSCount, error) { return r.SMSCounts(auth.SMSCountry, since) })
	}
	want := []auth.SMSCount{sum(server, 1, 0), sum(ch, 2, 1), sum(mt, 3, 0), sum(tomorrow, 1, 0), sum(other, 1, 0)}
	if diff := cmp.Diff(want, list(at(2).Add(-time.Microsecond))); diff != "" {
		t.Errorf("sums (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[3:4], list(at(2))); diff != "" {
		t.Errorf("sums of windows that end later (-want +got):\n%s", diff)
	}
	if got := read(t, s, func(r auth.Reads) ([]auth.SMSCount, error) { return r.SMSCounts(auth.SMSTenant, at(1)) }); len(got) != 0 {
		t.Errorf("of another scope: %v", got)
	}
	write(t, s, func(tx auth.Writes) error {
		n, err := tx.Sweep(at(3), 99)
		if n != 5 {
			t.Errorf("swept %d rows, want 5", n)
		}
		return err
	})
	if diff := cmp.Diff(want[3:4], list(at(1))); diff != "" {
		t.Errorf("what was swept too early or not at all (-want +got):\n%s", diff)
	}
}

// testSMSRace has many count at once where a few are allowed.
func testSMSRace(t *testing.T, s auth.Store) {
	for name, try := range tries(s) {
		const allowed = 5
		var taken atomic.Int64
		race(func(i int) {
			var got []bool
			err := try(context.Background(), func(tx auth.Writes) (err error) {
				got, err = tx.CountSMS(smsCount("demo", name, 1, allowed), smsCount("demo", fmt.Sprint(name, i), 1, 1))
				return err
			})
			if err != nil || !got[1] {
				t.Errorf("%s: racer %d: %v, %v", name, i, got, err)
				return
			}
			if got[0] {
				taken.Add(1)
			}
		})
		if taken.Load() != allowed {
			t.Errorf("%s: %d were taken, want %d", name, taken.Load(), allowed)
		}
	}
}
