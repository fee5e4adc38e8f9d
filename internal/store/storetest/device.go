package storetest

import (
	"slices"
	"testing"
	"time"

	"countersign/internal/auth"
)

// testDevices lists a user's devices that are not revoked, keeps what a revoked one answered, and voids a ticket for a newer one.
func testDevices(t *testing.T, s auth.Store) {
	w := added(t, s, live("demo"))
	second := newWorld("other").device
	second.Tenant, second.BoundAt, second.Status = "demo", at(3), auth.DeviceActive
	newer := auth.Ticket{Hash: digest("newer"), Tenant: "demo", User: "17", Session: "ses-1", CreatedAt: at(7), ExpiresAt: at(8)}
	elsewhere := auth.Ticket{Hash: digest("elsewhere"), Tenant: "demo", User: "18", Session: "ses-2", CreatedAt: at(7), ExpiresAt: at(8)}
	write(t, s, func(tx auth.Writes) error {
		return steps(
			func() error { return tx.AddDevice(second) },
			func() error { return tx.AddTicket(elsewhere) },
			func() error { return tx.AddTicket(newer) },
		)
	})
	ids := func() (all []auth.DeviceID) {
		for _, d := range read(t, s, func(r auth.Reads) ([]auth.Device, error) { return r.Devices("demo", "17") }) {
			all = append(all, d.ID)
		}
		return all
	}
	if got, want := ids(), []auth.DeviceID{second.ID, w.device.ID}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v: the first bound first", got, want)
	}
	for hash, want := range map[auth.TokenHash]time.Time{w.ticket.Hash: at(7), newer.Hash: {}, elsewhere.Hash: {}} {
		if got := read(t, s, func(r auth.Reads) (auth.Ticket, error) { return r.Ticket(hash) }).UsedAt; !got.Equal(want) {
			t.Errorf("%x: got used at %v, want %v", hash[:3], got, want)
		}
	}
	second.Status, second.Version, second.Passkey.Counter = auth.DeviceRevoked, 2, 7
	if !move(t, s, func(tx auth.Writes) (bool, error) { return tx.PutDevice(second, 1) }) {
		t.Error("the device was not replaced")
	}
	if got := read(t, s, func(r auth.Reads) (auth.Device, error) { return r.Device(second.ID) }).Passkey; got.Counter != 7 || got.ID != second.Passkey.ID {
		t.Errorf("got passkey %+v, want its counter moved on and nothing else", got)
	}
	if got, want := ids(), []auth.DeviceID{w.device.ID}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	pins, stays := auth.DeviceSubject(w.device.ID), auth.DeviceSubject("other")
	for _, subject := range []auth.Subject{pins, stays} {
		move(t, s, func(tx auth.Writes) (bool, error) {
			return tx.PutAttempts("demo", subject, auth.AttemptPIN, auth.Attempts{Version: 1, Failures: 2}, 0)
		})
	}
	write(t, s, func(tx auth.Writes) error { return tx.DeleteUser("demo", "17", at(9)) })
	if got := ids(); got != nil {
		t.Errorf("of nobody: got %v", got)
	}
	for subject, want := range map[auth.Subject]int{pins: 0, stays: 2} {
		if got := read(t, s, func(r auth.Reads) (auth.Attempts, error) { return r.Attempts("demo", subject, auth.AttemptPIN) }).Failures; got != want {
			t.Errorf("%s: got %d wrong PINs, want %d", subject, got, want)
		}
	}
	if got := read(t, s, func(r auth.Reads) (auth.Approval, error) { return r.Approval("demo", "900") }); got != w.approval {
		t.Errorf("got %+v, want that the evidence stays", got)
	}
}
