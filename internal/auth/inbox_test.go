package auth_test

import (
	"fmt"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// TestSandboxKeepsWhatItsInboxShows: nobody carries a sandbox's messages, so they go when no look into the inbox reaches them (C-34).
func TestSandboxKeepsWhatItsInboxShows(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	const messages, shown = 1450, 1000
	parcels := make([]auth.Parcel, messages)
	for i := range parcels {
		parcels[i] = auth.Parcel{
			Tenant: authtest.Demo, ID: auth.ParcelID(fmt.Sprintf("p%05d", i)), Kind: auth.ParcelSMS, Status: auth.ParcelPending,
			CreatedAt: e.Clock.Now().Add(-time.Duration(i) * 2 * time.Minute), Sealed: []byte("sealed"),
		}
	}
	parcels[messages-1].Kind = auth.ParcelWebhook // the oldest, which somebody will carry
	if err := e.Store.Write(t.Context(), func(w auth.Writes) error { return w.AddParcels(parcels...) }); err != nil {
		t.Fatal(err)
	}
	for more, n := true, 0; more; n++ {
		var err error
		if more, err = e.Sweep(t.Context()); err != nil || n > messages {
			t.Fatal(n, err)
		}
	}
	left, err := e.Parcels(t.Context(), auth.ParcelFilter{}, 2*messages)
	if err != nil || len(left) != shown+1 {
		t.Fatalf("got %d left of %d, %v; want %d and what is carried", len(left), messages, err, shown)
	}
	for i, p := range left[:shown] {
		if p.ID != parcels[i].ID {
			t.Fatalf("the %dth is %s, want %s", i, p.ID, parcels[i].ID)
		}
	}
	if last := left[shown]; last.Kind != auth.ParcelWebhook || last.Status != auth.ParcelPending {
		t.Errorf("got %+v, want the webhook's", last)
	}
}
