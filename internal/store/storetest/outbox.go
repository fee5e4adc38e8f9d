package storetest

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"countersign/internal/auth"
)

// smsOf names the queue that most of these tests look at.
func smsOf(t auth.TenantID) auth.Queue { return auth.Queue{Tenant: t, Kind: auth.ParcelSMS} }

func claim(t *testing.T, s auth.Store, q auth.Queue, now, until time.Time, n int) (claimed []auth.Parcel) {
	t.Helper()
	write(t, s, func(tx auth.Writes) (err error) { claimed, err = tx.ClaimParcels(q, now, until, n); return err })
	return claimed
}

func parcelIDs(ps []auth.Parcel) (ids []auth.ParcelID) {
	for _, p := range ps {
		ids = append(ids, p.ID)
	}
	return ids
}

// testOutbox follows a parcel through its tries.
func testOutbox(t *testing.T, s auth.Store) {
	want := auth.Parcel{
		Tenant: "demo", ID: "1", Kind: auth.ParcelSMS, Status: auth.ParcelPending, Sealed: []byte("s"), CreatedAt: at(1),
		ExpiresAt: at(2), DueAt: at(2),
	}
	write(t, s, func(tx auth.Writes) error { return tx.AddParcels(want) })
	check := func(name string, got []auth.Parcel, want ...auth.Parcel) {
		t.Helper()
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	settle := func(p auth.Parcel) bool {
		return move(t, s, func(tx auth.Writes) (bool, error) { return tx.SettleParcel(p) })
	}
	check("not due", claim(t, s, smsOf("demo"), at(2).Add(-time.Microsecond), at(3), 9))
	check("of another kind", claim(t, s, auth.Queue{Tenant: "demo", Kind: auth.ParcelEmail}, at(2), at(3), 9))
	check("of another tenant", claim(t, s, smsOf("other"), at(2), at(3), 9))
	want.Tries, want.LeasedUntil = 1, at(4)
	check("due, though expired", claim(t, s, smsOf("demo"), at(3), at(4), 9), want)
	check("leased", claim(t, s, smsOf("demo"), at(4).Add(-time.Microsecond), at(9), 9))
	late := want
	want.Tries, want.LeasedUntil = 2, at(6)
	check("the lease has ended", claim(t, s, smsOf("demo"), at(4), at(6), 9), want)
	late.Status = auth.ParcelDelivered
	if settle(late) {
		t.Error("the first try was settled after the second had begun")
	}
	want.DueAt, want.LeasedUntil, want.Result = at(5), time.Time{}, "no answer"
	if !settle(want) {
		t.Error("the second try was not put back")
	}
	want.Tries, want.LeasedUntil = 3, at(6)
	check("put back", claim(t, s, smsOf("demo"), at(5), at(6), 9), want)
	want.Status, want.Sealed, want.LeasedUntil, want.SettledAt, want.Result = auth.ParcelDelivered, nil, time.Time{}, at(5), "sent"
	if !settle(want) {
		t.Error("the third try was not settled")
	}
	check("settled", claim(t, s, smsOf("demo"), at(20), at(21), 9))
	check("listed", read(t, s, func(r auth.Reads) ([]auth.Parcel, error) { return r.Parcels(auth.ParcelFilter{}, 9) }), want)
	want.Status, want.SettledAt, want.DueAt, want.ExpiresAt, want.Sealed = auth.ParcelPending, time.Time{}, at(22), time.Time{}, []byte("t")
	if !settle(want) {
		t.Error("it was not sent again")
	}
	want.Tries, want.LeasedUntil = 4, at(23)
	check("again", claim(t, s, smsOf("demo"), at(22), at(23), 9), want)
}

// testOutboxOrder claims the longest due first, and knows where there is something to claim.
func testOutboxOrder(t *testing.T, s auth.Store) {
	for i, day := range []int{5, 3, 4, 1, 2, 9} {
		write(t, s, func(tx auth.Writes) error {
			p := auth.Parcel{ID: auth.ParcelID(strconv.Itoa(i)), Status: auth.ParcelPending, DueAt: at(day)}
			p.Tenant, p.Kind = "demo", auth.ParcelSMS
			push := p
			push.Tenant, push.Kind = "also", auth.ParcelPush
			return tx.AddParcels(p, push)
		})
	}
	queues := func(day int, want ...auth.Queue) {
		t.Helper()
		if got := read(t, s, func(r auth.Reads) ([]auth.Queue, error) { return r.Queues(at(day)) }); !cmp.Equal(got, want) {
			t.Errorf("queues on day %d: got %v, want %v", day, got, want)
		}
	}
	pushes := auth.Queue{Tenant: "also", Kind: auth.ParcelPush}
	queues(1, pushes, smsOf("demo"))
	for _, want := range [][]auth.ParcelID{{"3", "4", "1"}, {"2", "0"}, nil} {
		if got := parcelIDs(claim(t, s, smsOf("demo"), at(6), at(8), 3)); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	queues(6, pushes)
	queues(8, pushes, smsOf("demo"))
	if got := claim(t, s, smsOf("demo"), at(20), at(21), 0); len(got) != 0 {
		t.Errorf("at most none: got %d", len(got))
	}
}

// testClaimOnce has many workers empty one queue, and none of them gets what another one has.
func testClaimOnce(t *testing.T, s auth.Store) {
	const parcels = 100
	write(t, s, func(tx auth.Writes) error {
		var all []auth.Parcel
		for i := range parcels {
			all = append(all, auth.Parcel{
				Tenant: "demo", ID: auth.ParcelID(strconv.Itoa(i)), Kind: auth.ParcelSMS, Status: auth.ParcelPending, DueAt: at(1),
			})
		}
		return tx.AddParcels(all...)
	})
	var mu sync.Mutex
	claims := make(map[auth.ParcelID]int)
	claimed := func() int { mu.Lock(); defer mu.Unlock(); return len(claims) }
	race(func(i int) {
		for claimed() < parcels {
			var got []auth.Parcel
			try := func(tx auth.Writes) (err error) {
				got, err = tx.ClaimParcels(smsOf("demo"), at(2), at(3), 3)
				return err
			}
			err := s.Write(t.Context(), try)
			if err != nil {
				t.Errorf("worker %d: %v", i, err)
				return
			}
			mu.Lock()
			for _, p := range got {
				claims[p.ID]++
			}
			mu.Unlock()
		}
	})
	for id, n := range claims {
		if n != 1 {
			t.Errorf("parcel %s was claimed %d times", id, n)
		}
	}
	for _, p := range read(t, s, func(r auth.Reads) ([]auth.Parcel, error) { return r.Parcels(auth.ParcelFilter{}, parcels) }) {
		if p.Tries != 1 {
			t.Errorf("parcel %s was tried %d times", p.ID, p.Tries)
		}
	}
}

// testCountMessages counts messages to people, and not news for a webhook.
func testCountMessages(t *testing.T, s auth.Store) {
	write(t, s, func(tx auth.Writes) error {
		var all []auth.Parcel
		for i, k := range []auth.ParcelKind{auth.ParcelSMS, auth.ParcelEmail, auth.ParcelPush, auth.ParcelWebhook} {
			all = append(all, auth.Parcel{Tenant: "demo", ID: auth.ParcelID(k), Kind: k, User: "17", CreatedAt: at(i + 1)},
				auth.Parcel{Tenant: "demo", ID: "18" + auth.ParcelID(k), Kind: k, User: "18", CreatedAt: at(i + 1)})
		}
		return tx.AddParcels(all...)
	})
	for day, want := range map[int]auth.Tally{
		1: {Count: 3, Oldest: at(1)}, 2: {Count: 2, Oldest: at(2)}, 3: {Count: 1, Oldest: at(3)}, 4: {},
	} {
		got := read(t, s, func(r auth.Reads) (auth.Tally, error) { return r.CountMessages("demo", "17", at(day)) })
		if got.Count != want.Count || !got.Oldest.Equal(want.Oldest) {
			t.Errorf("since day %d: got %v, want %v", day, got, want)
		}
	}
}

// testParcels lists parcels by each filter.
func testParcels(t *testing.T, s auth.Store) {
	write(t, s, func(tx auth.Writes) error {
		return tx.AddParcels(
			auth.Parcel{Tenant: "a", ID: "1", Kind: auth.ParcelSMS, Status: auth.ParcelPending, CreatedAt: at(1)},
			auth.Parcel{Tenant: "a", ID: "2", Kind: auth.ParcelEmail, Status: auth.ParcelFailed, CreatedAt: at(3)},
			auth.Parcel{Tenant: "a", ID: "3", Kind: auth.ParcelWebhook, Status: auth.ParcelFailed, CreatedAt: at(2)},
			auth.Parcel{Tenant: "b", ID: "1", Kind: auth.ParcelSMS, Status: auth.ParcelPending, CreatedAt: at(4)},
		)
	})
	for _, c := range []struct {
		filter auth.ParcelFilter
		n      int
		want   string
	}{
		{auth.ParcelFilter{}, 9, "[b1 a2 a3 a1]"},
		{auth.ParcelFilter{}, 2, "[b1 a2]"},
		{auth.ParcelFilter{Tenant: "a"}, 9, "[a2 a3 a1]"},
		{auth.ParcelFilter{ID: "1"}, 9, "[b1 a1]"},
		{auth.ParcelFilter{Tenant: "a", ID: "1"}, 9, "[a1]"},
		{auth.ParcelFilter{Status: auth.ParcelFailed}, 9, "[a2 a3]"},
		{auth.ParcelFilter{Kinds: []auth.ParcelKind{auth.ParcelSMS, auth.ParcelWebhook}}, 9, "[b1 a3 a1]"},
		{auth.ParcelFilter{Tenant: "a", Kinds: []auth.ParcelKind{auth.ParcelSMS, auth.ParcelWebhook}, Status: auth.ParcelFailed}, 9, "[a3]"},
		{auth.ParcelFilter{Tenant: "none"}, 9, "[]"},
	} {
		var got []string
		for _, p := range read(t, s, func(r auth.Reads) ([]auth.Parcel, error) { return r.Parcels(c.filter, c.n) }) {
			got = append(got, string(p.Tenant)+string(p.ID))
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%+v, at most %d: got %v, want %s", c.filter, c.n, got, c.want)
		}
	}
}
