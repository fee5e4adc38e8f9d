package auth_test

import (
	"slices"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/jose"
)

// TestSandboxTicket binds a device like any other ticket, in the sandbox and nowhere else.
func TestSandboxTicket(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	sandbox := e.Another(t, func(c *auth.Config) { c.Sandbox = true })
	if err := e.EnsureKeys(t.Context(), jose.ES256); err != nil {
		t.Fatal(err)
	}
	owners := func() map[auth.UserID]int {
		all, err := sandbox.DeviceOwners(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n := map[auth.UserID]int{}
		for _, o := range all {
			if o.Tenant == authtest.Demo {
				n[o.ID] = o.Devices
			}
		}
		return n
	}
	if _, there := owners()[authtest.Suspended]; there {
		t.Error("a suspended user may bind a device")
	}
	issued, err := sandbox.SandboxTicket(t.Context(), authtest.Demo, authtest.Ada)
	if err != nil {
		t.Fatal(err)
	}
	p := newPhone(t, e, jose.EdDSA)
	if err := p.bind(t, issued.Text); err != nil {
		t.Fatal(err)
	}
	if got := owners()[authtest.Ada]; got != 1 {
		t.Errorf("got %d devices, want 1", got)
	}
	for _, want := range []string{"login pwd", "ticket_issued"} {
		if !slices.ContainsFunc(events(t, e), func(s string) bool { return len(s) >= len(want) && s[:len(want)] == want }) {
			t.Errorf("no event %s in %q", want, events(t, e))
		}
	}
	for name, id := range map[string]auth.UserID{"suspended": authtest.Suspended, "nobody": "1"} {
		if _, err := sandbox.SandboxTicket(t.Context(), authtest.Demo, id); codeOf(err) != auth.CodeNotFound {
			t.Errorf("%s: got %v", name, err)
		}
	}
	_, err = sandbox.SandboxTicket(t.Context(), "none", authtest.Ada)
	wantCode(t, err, auth.CodeNotFound)
	live := e.Another(t, func(c *auth.Config) { c.Sandbox = false })
	_, err = live.SandboxTicket(t.Context(), authtest.Demo, authtest.Ada)
	wantCode(t, err, auth.CodeNotFound)
	_, err = live.DeviceOwners(t.Context())
	wantCode(t, err, auth.CodeNotFound)
}
