package auth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/webauthn"
	"countersign/internal/webauthn/webauthntest"
)

// creation is what a browser gets of the options of a registration.
func creation(t *testing.T, b auth.Begun) []byte {
	t.Helper()
	return optionsOf(t, map[string]any{
		"rp": map[string]any{"id": b.Site}, "user": map[string]any{"id": webauthn.EncodeID(b.Handle)},
		"challenge": webauthn.EncodeID(b.Challenge), "pubKeyCredParams": []map[string]any{{"alg": -7}, {"alg": -8}},
	})
}

// request is what a browser gets of the options of an authentication.
func request(t *testing.T, b auth.Begun) []byte {
	t.Helper()
	allow := []map[string]any{}
	for _, h := range b.Hints {
		allow = append(allow, map[string]any{"id": h.ID})
	}
	return optionsOf(t, map[string]any{"rpId": b.Site, "challenge": webauthn.EncodeID(b.Challenge), "allowCredentials": allow})
}

func optionsOf(t *testing.T, members map[string]any) []byte {
	t.Helper()
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// made is the result of a registration that a client began.
func made(t *testing.T, e *authtest.Env, a *webauthntest.Authenticator, by auth.Actor, name string) string {
	t.Helper()
	b, err := e.BeginPasskey(t.Context(), auth.Via{}, auth.CeremonyRequest{Client: by.Client, Username: name})
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.Create(creation(t, b), nil)
	if err != nil {
		t.Fatal(err)
	}
	return got.Encode(string(b.ID))
}

// asserted is the result of an authentication that a client began; for anybody, when there is no name.
func asserted(t *testing.T, e *authtest.Env, a *webauthntest.Authenticator, by auth.Actor, name string, lie func(*webauthntest.Answer)) string {
	t.Helper()
	b, err := e.BeginAssertion(t.Context(), auth.Via{}, auth.CeremonyRequest{Client: by.Client, Username: name})
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.Get(request(t, b), lie)
	if err != nil {
		t.Fatal(err)
	}
	return got.Encode(string(b.ID))
}

// withPasskey gives a user of Demo a passkey in an authenticator of their own.
func withPasskey(t *testing.T, e *authtest.Env, name string) (*webauthntest.Authenticator, auth.BoundPasskey) {
	t.Helper()
	a := webauthntest.New("http://localhost")
	by, live := comesIn(t, e, authenticate(t, e, name))
	p, err := e.BindPasskey(t.Context(), by, live, made(t, e, a, by, name))
	if err != nil {
		t.Fatal(err)
	}
	return a, p
}

func usePasskey(ctx context.Context, e *authtest.Env, by auth.Actor, result string) (auth.TokenSet, error) {
	return e.AuthenticatePasskey(ctx, by, auth.PasskeyLogin{Result: result})
}

// TestPasskeyResultIsUsedOnce is B-15 and A-068: fifty parallel uses of one ceremony, of either kind, and one success.
func TestPasskeyResultIsUsedOnce(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	a, _ := withPasskey(t, e, "ada")
	result := asserted(t, e, a, e.App(), "ada", nil)
	if got := winners(50, func() error { _, err := usePasskey(t.Context(), e, e.App(), result); return err }); got != 1 {
		t.Errorf("authentication: got %d successes, want 1", got)
	}
	bound := made(t, e, webauthntest.New("http://localhost"), e.App(), "new")
	got := winners(50, func() error {
		_, err := e.BindPasskeyFor(t.Context(), e.App(), auth.PasskeyBinding{Result: bound, ExternalID: "crm-1"})
		return err
	})
	if got != 1 {
		t.Errorf("registration: got %d successes, want 1", got)
	}
	for name, want := range map[string]int{"login webauthn verified": 1, "user_created": 1, "bound": 2} {
		if n := count(events(t, e), name); n != want {
			t.Errorf("got %d events %q, want %d", n, name, want)
		}
	}
}

// TestPasskeyHoldsForItsOwn: another client, another tenant, another purpose, another's name, another time.
func TestPasskeyHoldsForItsOwn(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	a, _ := withPasskey(t, e, "ada")
	other, rival := auth.Actor{Tenant: authtest.Demo, Client: "other"}, auth.Actor{Tenant: authtest.Rival, Client: "rival-app"}
	charles, _ := withPasskey(t, e, "charles")
	late := asserted(t, e, a, e.App(), "ada", nil)
	e.Clock.Advance(auth.CeremonyFor)
	for name, c := range map[string]struct {
		by     auth.Actor
		result string
	}{
		"another client":  {other, asserted(t, e, a, e.App(), "ada", nil)},
		"another tenant":  {rival, asserted(t, e, a, e.App(), "ada", nil)},
		"a registration":  {e.App(), made(t, e, webauthntest.New("http://localhost"), e.App(), "ada")},
		"another's begin": {e.App(), asserted(t, e, a, other, "ada", nil)},
		"too late":        {e.App(), late},
		"no such ceremony": {e.App(), func() string {
			got, err := a.Get([]byte(`{"rpId":"localhost","challenge":"AA"}`), nil)
			if err != nil {
				t.Fatal(err)
			}
			return got.Encode("none")
		}()},
		"not among the named": {e.App(), func() string { // charles answers where ada was asked
			b, err := e.BeginAssertion(t.Context(), auth.Via{}, auth.CeremonyRequest{Client: "app", Username: "ada"})
			if err != nil {
				t.Fatal(err)
			}
			b.Hints = nil
			got, err := charles.Get(request(t, b), nil)
			if err != nil {
				t.Fatal(err)
			}
			return got.Encode(string(b.ID))
		}()},
	} {
		_, err := usePasskey(t.Context(), e, c.by, c.result)
		if codeOf(err) != auth.CodePasskeyInvalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
	set, err := usePasskey(t.Context(), e, e.App(), asserted(t, e, charles, e.App(), "", nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, live := comesIn(t, e, set); live.User.ID != authtest.Charles {
		t.Errorf("got %s, want the user of the passkey", live.User.ID)
	}
}

// TestPasskeyHandle: without a name the authenticator says whose passkey it is, and must say the truth (WebAuthn §7.2, step 6).
func TestPasskeyHandle(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	a, p := withPasskey(t, e, "ada")
	if bytes.Contains(p.Handle, []byte(p.User)) || len(p.Handle) != 32 {
		t.Errorf("the handle tells of the user: %x", p.Handle)
	}
	for name, c := range map[string]struct {
		who  string
		lie  func(*webauthntest.Answer)
		want auth.Code
	}{
		"none, without a name":    {"", func(a *webauthntest.Answer) { a.Handle = nil }, auth.CodePasskeyInvalid},
		"another's":               {"", func(a *webauthntest.Answer) { a.Handle = []byte("another") }, auth.CodePasskeyInvalid},
		"another's, with a name":  {"ada", func(a *webauthntest.Answer) { a.Handle = []byte("another") }, auth.CodePasskeyInvalid},
		"none, with a name":       {"ada", func(a *webauthntest.Answer) { a.Handle = nil }, auth.CodeInternal},
		"their own, without name": {"", nil, auth.CodeInternal},
	} {
		if _, err := usePasskey(t.Context(), e, e.App(), asserted(t, e, a, e.App(), c.who, c.lie)); err != nil && codeOf(err) != c.want ||
			err == nil && c.want != auth.CodeInternal {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// TestPasskeyCounter is the clone warning: a counter that has not moved on locks the passkey at once, and is an event.
func TestPasskeyCounter(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	a, p := withPasskey(t, e, "ada")
	to := func(n uint32) func(*webauthntest.Answer) { return func(a *webauthntest.Answer) { a.Counter = n } }
	use := func(lie func(*webauthntest.Answer)) error {
		_, err := usePasskey(t.Context(), e, e.App(), asserted(t, e, a, e.App(), "ada", lie))
		return err
	}
	if err := use(to(1000)); err != nil {
		t.Fatal(err)
	}
	wantCode(t, use(to(1000)), auth.CodePasskeyInvalid)
	wantCode(t, use(to(2000)), auth.CodeLocked)
	for name, want := range map[string]int{"copied": 1, "locked": 0, "locked webauthn": 1, "login_refused passkey_invalid": 1, "login_refused locked": 1} {
		if got := count(events(t, e), name); got != want {
			t.Errorf("got %d events %q, want %d", got, name, want)
		}
	}
	if _, err := e.AuthenticatePassword(t.Context(), e.App(), backend("ada", authtest.Password)); err != nil {
		t.Errorf("the password is locked with it: %v", err)
	}
	e.Clock.Advance(auth.DefaultSettings().Lockout.For)
	wantCode(t, use(to(0)), auth.CodePasskeyInvalid) // one that stops to count
	if err := e.UnlockAuthenticator(t.Context(), e.App(), authtest.Ada, p.ID); err != nil {
		t.Fatal(err)
	}
	if err := use(to(1 << 31)); err != nil {
		t.Errorf("unlocked, and moved on: %v", err)
	}
}

// TestPasskeyFailuresLockOne is A-015 for passkeys: five in a row lock one, of those that nobody has too, and no other authenticator.
func TestPasskeyFailuresLockOne(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	a, p := withPasskey(t, e, "ada")
	stranger := webauthntest.New("http://localhost")
	made(t, e, stranger, e.App(), "stranger") // never bound
	second := webauthntest.New("http://localhost")
	set, err := usePasskey(t.Context(), e, e.App(), asserted(t, e, a, e.App(), "ada", nil))
	if err != nil {
		t.Fatal(err)
	}
	by, live := comesIn(t, e, set)
	if _, err := e.BindPasskey(t.Context(), by, live, made(t, e, second, by, "ada")); err != nil {
		t.Fatal(err)
	}
	evil := func(a *webauthntest.Answer) { a.Origin = "https://evil.example" }
	for name, c := range map[string]struct {
		key *webauthntest.Authenticator
		who string
	}{"ada's": {a, ""}, "nobody's": {stranger, ""}} {
		for i := range 5 {
			if _, err := usePasskey(t.Context(), e, e.App(), asserted(t, e, c.key, e.App(), c.who, evil)); codeOf(err) != auth.CodePasskeyInvalid {
				t.Errorf("%s, failure %d: got %v", name, i+1, err)
			}
		}
		_, err := usePasskey(t.Context(), e, e.App(), asserted(t, e, c.key, e.App(), c.who, nil))
		wantCode(t, err, auth.CodeLocked)
		wantRetry(t, err, auth.DefaultSettings().Lockout.For)
	}
	if _, err := usePasskey(t.Context(), e, e.App(), asserted(t, e, second, e.App(), "", nil)); err != nil {
		t.Errorf("the other passkey is locked with it: %v", err)
	}
	// A deleted passkey takes its failures along.
	if err := e.DropPasskey(t.Context(), e.App(), authtest.Ada, p.ID); err != nil {
		t.Fatal(err)
	}
	_, err = usePasskey(t.Context(), e, e.App(), asserted(t, e, a, e.App(), "", nil))
	wantCode(t, err, auth.CodePasskeyInvalid)
}

// TestSuspendedUsersPasskey: refused like any other, also what was begun before.
func TestSuspendedUsersPasskey(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	a, _ := withPasskey(t, e, "ada")
	result := asserted(t, e, a, e.App(), "ada", nil)
	if err := e.Suspend(t.Context(), authtest.Demo, authtest.Ada); err != nil {
		t.Fatal(err)
	}
	_, err := usePasskey(t.Context(), e, e.App(), result)
	wantCode(t, err, auth.CodePasskeyInvalid)
	if err := e.Resume(t.Context(), authtest.Demo, authtest.Ada); err != nil {
		t.Fatal(err)
	}
	lock(t, e, "ada") // the password's lock is everybody's
	_, err = usePasskey(t.Context(), e, e.App(), asserted(t, e, a, e.App(), "ada", nil))
	wantCode(t, err, auth.CodeLocked)
}

// TestPasskeyChangesNeedASecondFactor is A-078 and B-20: a password alone neither adds, renames nor deletes one when there is one, nor an
// app; a verified passkey does.
func TestPasskeyChangesNeedASecondFactor(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	a, p := withPasskey(t, e, "ada")
	by, live := comesIn(t, e, authenticate(t, e, "ada"))
	result := made(t, e, webauthntest.New("http://localhost"), by, "ada")
	_, err := e.BindPasskey(t.Context(), by, live, result)
	wantCode(t, err, auth.CodeStepUpRequired)
	wantCode(t, e.RenameOwnPasskey(t.Context(), by, live, p.ID, "x"), auth.CodeStepUpRequired)
	wantCode(t, e.DropOwnPasskey(t.Context(), by, live, p.ID), auth.CodeStepUpRequired)
	_, err = e.RegisterTOTP(t.Context(), by, live, "", false)
	wantCode(t, err, auth.CodeStepUpRequired)

	set, err := usePasskey(t.Context(), e, e.App(), asserted(t, e, a, e.App(), "ada", nil))
	if err != nil {
		t.Fatal(err)
	}
	by, live = comesIn(t, e, set)
	if _, err := e.BindPasskey(t.Context(), by, live, result); err != nil { // the ceremony was not used up
		t.Error(err)
	}
	if err := e.RenameOwnPasskey(t.Context(), by, live, p.ID, "Laptop"); err != nil {
		t.Error(err)
	}
	if err := e.DropOwnPasskey(t.Context(), by, live, p.ID); err != nil {
		t.Error(err)
	}
	newApp(t, e, "charles")
	by, live = comesIn(t, e, authenticate(t, e, "charles"))
	_, err = e.BindPasskey(t.Context(), by, live, made(t, e, webauthntest.New("http://localhost"), by, "charles"))
	wantCode(t, err, auth.CodeStepUpRequired)
	for name, want := range map[string]int{"renamed": 1, "invalidated": 1, "bound": 3, "binding_refused step_up_required": 5} {
		if got := count(events(t, e), name); got != want {
			t.Errorf("got %d events %q, want %d", got, name, want)
		}
	}
}

// TestNamesWithoutPasskeysTellNothing: the answers of names that have none, or belong to nobody, have the same form and stay the same.
func TestNamesWithoutPasskeysTellNothing(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	begin := func(client auth.ClientID, name string) auth.Begun {
		b, err := e.BeginAssertion(t.Context(), auth.Via{}, auth.CeremonyRequest{Client: client, Username: name})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	seen := make(map[string]string)
	for _, name := range []string{"charles", "charles@example.com", "nobody@example.com", "stranger", "+35699999999", "Ada Lovelace", "annie"} {
		first, again := begin("app", name), begin("app", name)
		if len(first.Hints) == 0 || first.Hints[0].ID != again.Hints[0].ID || len(first.Hints) != len(again.Hints) {
			t.Errorf("%s: got %v and then %v", name, first.Hints, again.Hints)
		}
		if bytes.Equal(first.Challenge, again.Challenge) || first.ID == again.ID || len(first.Challenge) != 32 {
			t.Errorf("%s: got one challenge twice", name)
		}
		if who := seen[first.Hints[0].ID]; who != "" {
			t.Errorf("%s and %s have the same one", name, who)
		}
		seen[first.Hints[0].ID] = name
		if rival := begin("rival-app", name); rival.Hints[0].ID == first.Hints[0].ID {
			t.Errorf("%s has the same one in another tenant", name)
		}
	}
	// The handle of a registration says nothing either.
	for _, name := range []string{"charles", "stranger"} {
		var handles [2][]byte
		for i := range handles {
			b, err := e.BeginPasskey(t.Context(), auth.Via{}, auth.CeremonyRequest{Client: "app", Username: name})
			if err != nil || len(b.Hints) > 0 {
				t.Fatalf("got %v, %v", b.Hints, err)
			}
			handles[i] = b.Handle
		}
		if !bytes.Equal(handles[0], handles[1]) {
			t.Errorf("%s: the handle changes", name)
		}
	}
}

// TestOthersNamesAreNotTaken is B-07: neither a name that is another's identifier, nor one that stands beside the user's own.
func TestOthersNamesAreNotTaken(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	by, live := comesIn(t, e, authenticate(t, e, "charles"))
	for _, name := range []string{"ada", "ADA@example.com", "+35699111111"} {
		_, err := e.BindPasskey(t.Context(), by, live, made(t, e, webauthntest.New("http://localhost"), by, name))
		if codeOf(err) != auth.CodePasskeyForeign {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// Made while nobody had the name, it stands aside when somebody has.
	early := webauthntest.New("http://localhost")
	if _, err := e.BindPasskey(t.Context(), by, live, made(t, e, early, by, "newcomer")); err != nil {
		t.Fatal(err)
	}
	b, err := e.BeginAssertion(t.Context(), auth.Via{}, auth.CeremonyRequest{Client: "app", Username: "newcomer"})
	if err != nil || !early.Has(b.Hints[0].ID) {
		t.Fatalf("got %v, %v: want the passkey that was made with the name", b.Hints, err)
	}
	if _, err := e.CreateUser(t.Context(), e.App(), auth.NewUser{Username: "newcomer"}); err != nil {
		t.Fatal(err)
	}
	b, err = e.BeginAssertion(t.Context(), auth.Via{}, auth.CeremonyRequest{Client: "app", Username: "newcomer"})
	if err != nil || early.Has(b.Hints[0].ID) {
		t.Errorf("got %v, %v: want none of another's", b.Hints, err)
	}
}

// TestPasskeyPolicy: models and synced passkeys that a tenant does not take, and how many a user may have.
func TestPasskeyPolicy(t *testing.T) {
	t.Parallel()
	const model = "00000000-0000-0000-0000-000000000001"
	synced := func(a *webauthntest.Authenticator) { a.Flags |= webauthntest.BackupEligible }
	for name, c := range map[string]struct {
		policy auth.PasskeyPolicy
		make   func(*webauthntest.Authenticator)
		want   auth.Code
	}{
		"synced":                {auth.PasskeyPolicy{Synced: true}, synced, auth.CodeInternal},
		"synced, not taken":     {auth.PasskeyPolicy{}, synced, auth.CodePasskeyInvalid},
		"blocked model":         {auth.PasskeyPolicy{BlockedModels: []string{model}}, func(a *webauthntest.Authenticator) { a.AAGUID[15] = 1 }, auth.CodePasskeyInvalid},
		"model that is taken":   {auth.PasskeyPolicy{Models: []string{model}}, func(a *webauthntest.Authenticator) { a.AAGUID[15] = 1 }, auth.CodeInternal},
		"model that is not":     {auth.PasskeyPolicy{Models: []string{model}}, nil, auth.CodePasskeyInvalid},
		"not verified":          {auth.PasskeyPolicy{Verification: auth.VerificationRequired}, func(a *webauthntest.Authenticator) { a.Flags = webauthntest.Present }, auth.CodePasskeyInvalid},
		"not verified, as well": {auth.PasskeyPolicy{Verification: auth.VerificationPreferred}, func(a *webauthntest.Authenticator) { a.Flags = webauthntest.Present }, auth.CodeInternal},
	} {
		e := authtest.New(t, authtest.Settings(func(s *auth.Settings) { s.Passkey = c.policy }))
		a := webauthntest.New("http://localhost")
		if c.make != nil {
			c.make(a)
		}
		by, live := comesIn(t, e, authenticate(t, e, "ada"))
		if _, err := e.BindPasskey(t.Context(), by, live, made(t, e, a, by, "ada")); codeOf(err) != c.want && (err != nil || c.want != auth.CodeInternal) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	e := authtest.New(t)
	for i := range 21 {
		_, err := e.BindPasskeyFor(t.Context(), e.App(), auth.PasskeyBinding{
			Result: made(t, e, webauthntest.New("http://localhost"), e.App(), "key"+strconv.Itoa(i)), ExternalID: "crm",
		})
		if want := i < 20; (err == nil) != want || !want && codeOf(err) != auth.CodePasskeyLimit {
			t.Errorf("passkey %d: got %v", i+1, err)
		}
	}
}

// TestDeletedUsersPasskey: nothing of it is left, and its key may be somebody's again.
func TestDeletedUsersPasskey(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	a, _ := withPasskey(t, e, "ada")
	result := asserted(t, e, a, e.App(), "ada", nil)
	if err := e.DeleteUser(t.Context(), e.Admin(), authtest.Ada); err != nil {
		t.Fatal(err)
	}
	_, err := usePasskey(t.Context(), e, e.App(), result)
	wantCode(t, err, auth.CodePasskeyInvalid)
}

// TestCeremoniesAreSwept: a day after they ended.
func TestCeremoniesAreSwept(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	b, err := e.BeginAssertion(t.Context(), auth.Via{}, auth.CeremonyRequest{Client: "app"})
	if err != nil {
		t.Fatal(err)
	}
	there := func() bool {
		e.Clock.Advance(13 * time.Hour)
		if _, err := e.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		return e.Store.View(t.Context(), func(r auth.Reads) error { _, err := r.Ceremony(authtest.Demo, b.ID); return err }) == nil
	}
	if !there() || there() {
		t.Error("want the ceremony to go a day after its end, and no sooner")
	}
}

// TestPasskeyFaults fails each store call of an authentication in turn: no tokens without the event, and no second use.
func TestPasskeyFaults(t *testing.T) {
	t.Parallel()
	for _, when := range []when{notAtAll, rolledBack, committed} {
		for n := 1; n < 9; n++ {
			e := authtest.New(t)
			a, _ := withPasskey(t, e, "ada")
			result := asserted(t, e, a, e.App(), "ada", nil)
			store := &faultyStore{Store: e.Store}
			s := e.Another(t, func(c *auth.Config) { c.Store = store })
			store.Arm(n, when)
			_, err := s.AuthenticatePasskey(t.Context(), e.App(), auth.PasskeyLogin{Result: result})
			entered := count(events(t, e), "login webauthn verified")
			if err == nil && entered != 1 || err != nil && when != committed && entered != 0 {
				t.Errorf("call %d (%d): got %v and %d logins", n, when, err, entered)
			}
			if _, again := usePasskey(t.Context(), e, e.App(), result); (again == nil) != (entered == 0) {
				t.Errorf("call %d (%d): %d logins, and again: %v", n, when, entered, again)
			}
		}
	}
}
