package auth_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

// sealedEverywhere has a value of every kind sealed, and returns the app of a user who has no other factor.
func sealedEverywhere(t *testing.T) (*authtest.Env, auth.TOTPKey) {
	t.Helper()
	e := steppers(t)
	app := newApp(t, e, "nobody")
	p := newPhone(t, e, "ES256")
	ticket, _ := ticketOf(t, e, "ada")
	binding := p.proof(t, ticket, "Ada's phone")
	binding.Push = auth.PushAddress{Service: auth.PushApp, Token: "where Ada's phone is"}
	if _, err := e.BindKey(t.Context(), binding, auth.Via{}); err != nil {
		t.Fatal(err)
	}
	by := once(e.Key(), "op", "ref", "payload")
	if _, err := e.StepUpDevice(t.Context(), by, login(t, e, "charles").Token, auth.ChannelBiometric); err != nil {
		t.Fatal(err)
	}
	if _, err := e.CreateAppKey(t.Context(), e.Admin(), "app", "key", ""); err != nil {
		t.Fatal(err)
	}
	return e, app
}

func sealedValues(t *testing.T, e *authtest.Env) (all []auth.SealedValue) {
	t.Helper()
	for _, kind := range auth.SealedKinds() {
		var values []auth.SealedValue
		err := e.Store.View(t.Context(), func(r auth.Reads) (err error) { values, err = r.SealedValues(kind, nil, 100); return err })
		if err != nil || len(values) == 0 {
			t.Fatalf("%s: got %d values, %v", kind, len(values), err)
		}
		all = append(all, values...)
	}
	return all
}

func keyring(t *testing.T, keys ...string) *seal.Ring {
	t.Helper()
	raw := make([][]byte, len(keys))
	for i, k := range keys {
		raw[i] = []byte(k)
	}
	r, err := seal.NewRing(raw[0], raw[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const (
	formerKey  = "a key of tests, 32 bytes of it.." // authtest's
	presentKey = "the next key of tests, 32 bytes."
)

// TestFormerKeyIsNotNeeded is A-147: after Reseal everything opens under the present master key alone, and was not altered.
func TestFormerKeyIsNotNeeded(t *testing.T) {
	t.Parallel()
	e, app := sealedEverywhere(t)
	under := func(keys ...string) func(*auth.Config) {
		return func(c *auth.Config) { c.Ring = keyring(t, keys...) }
	}
	old, next := keyring(t, formerKey), keyring(t, presentKey)
	stale := 1 // the root
	for _, v := range sealedValues(t, e) {
		if len(v.Sealed) > 0 {
			stale++
		}
	}
	rotating := e.Another(t, under(presentKey, formerKey))
	if n, err := rotating.Reseal(t.Context()); n != stale || err != nil {
		t.Errorf("sealed %d again, %v, want %d", n, err, stale)
	}
	if n, err := rotating.Reseal(t.Context()); n != 0 || err != nil {
		t.Errorf("and once more %d, %v, want 0", n, err)
	}
	var said []auth.Event
	err := e.Store.View(t.Context(), func(r auth.Reads) (err error) { said, err = r.Events("", "", 100); return err })
	said = slices.DeleteFunc(said, func(e auth.Event) bool { return e.Kind != auth.EventKeyRotated || e.Reason != "master_key" })
	if err != nil || len(said) != 1 || said[0].Note != fmt.Sprintf("%d values are sealed again", stale) {
		t.Errorf("got %+v, %v, want one event", said, err)
	}
	for _, v := range sealedValues(t, e) {
		if len(v.Sealed) > 0 && (next.Stale(v.Sealed) || !old.Stale(v.Sealed)) {
			t.Errorf("%s %v is under the former key", v.Kind, v.Row)
		}
	}
	later := e.Another(t, under(presentKey))
	if n, err := later.Reseal(t.Context()); n != 0 || err != nil {
		t.Errorf("without the former key: %d, %v", n, err)
	}
	if _, err := later.AuthenticateTOTP(t.Context(), e.App(), byCode("nobody", shown(t, e, app, 0))); err != nil {
		t.Errorf("a code of the app: %v", err)
	}
	if err := e.Reload(t.Context()); err == nil {
		t.Error("a server that has the former key alone opens the keys that sign")
	}
}

// TestWhatNoKeyOpensIsSaid: it stays as it is, and the rest is sealed again.
func TestWhatNoKeyOpensIsSaid(t *testing.T) {
	t.Parallel()
	e, _ := sealedEverywhere(t)
	lost := sealedValues(t, e)[0]
	foreign, err := keyring(t, "a key of somebody else, 32 bytes").Seal("elsewhere", []byte("something"))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range sealedValues(t, e) {
		if v.Kind == auth.SealedTOTP {
			lost = v
		}
	}
	if err := e.Store.Write(t.Context(), func(w auth.Writes) error { return w.Reseal(lost, foreign) }); err != nil {
		t.Fatal(err)
	}
	s := e.Another(t, func(c *auth.Config) { c.Ring = keyring(t, presentKey, formerKey) })
	n, err := s.Reseal(t.Context())
	if n == 0 || err == nil || !strings.Contains(err.Error(), "1 values") || !strings.Contains(err.Error(), "totps/demo/"+string(authtest.Nobody)) {
		t.Errorf("sealed %d again, %v", n, err)
	}
	if n, err = s.Reseal(t.Context()); n != 0 || err == nil {
		t.Errorf("and once more %d, %v, want 0 and the same error", n, err)
	}
}
