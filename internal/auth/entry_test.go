package auth_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

const frontCallback = "https://app.example/cb"

func withFront(s *auth.Setup) {
	c := s.Tenants[0].Clients
	c[0].RedirectURIs, c[1].RedirectURIs = []string{frontCallback}, []string{frontCallback}
	c[1].Auth, c[1].Secret = auth.ClientAuthNone, ""
}

func frontLogin(change ...func(*auth.FrontLogin)) auth.FrontLogin {
	in := auth.FrontLogin{
		PasswordLogin: auth.PasswordLogin{Kind: auth.ByUsername, Identifier: "ada", Password: seal.NewSecret(authtest.Password)},
		FrontGrant:    auth.FrontGrant{RedirectURI: frontCallback, State: "s"}, Client: "app",
	}
	for _, f := range change {
		f(&in)
	}
	return in
}

func noCookies() auth.Browser {
	return auth.Browser{Form: "f", Session: func(auth.TenantID) string { return "" }}
}

// TestEntryOnce: of a crowd that brings one entry, one browser gets a session and one client a code.
func TestEntryOnce(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFront)
	entry, err := e.LoginFront(t.Context(), auth.Via{}, frontLogin())
	if err != nil {
		t.Fatal(err)
	}
	var in, out atomic.Int32
	var crowd sync.WaitGroup
	for range 8 {
		crowd.Go(func() {
			got, err := e.Enter(t.Context(), entry, noCookies(), auth.Via{})
			switch {
			case err == nil && got.Code != "" && got.Session != "":
				in.Add(1)
			case auth.CodeOf(err) == auth.CodeLoginRequired && got.RedirectURI == frontCallback && got.Code+got.Session == "":
				out.Add(1)
			default:
				t.Errorf("got %+v: %v", got, err)
			}
		})
	}
	crowd.Wait()
	if in.Load() != 1 || out.Load() != 7 {
		t.Errorf("%d entered and %d did not, want 1 and 7", in.Load(), out.Load())
	}
	if sessions, err := e.FrontSessions(t.Context(), e.App(), authtest.Ada); err != nil || len(sessions) != 1 {
		t.Errorf("got %v: %v, want one session", sessions, err)
	}
}

// TestEntryDies: what ends a user's sessions, a lock and a minute end an entry too; it stays its client's.
func TestEntryDies(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*authtest.Env) error{
		"a minute":     func(e *authtest.Env) error { e.Clock.Advance(auth.EntryFor); return nil },
		"a suspension": func(e *authtest.Env) error { return e.Suspend(t.Context(), authtest.Demo, authtest.Ada) },
		"a deletion":   func(e *authtest.Env) error { return e.DeleteUser(t.Context(), e.Admin(), authtest.Ada) },
		"a new password": func(e *authtest.Env) error {
			return e.ReplacePassword(t.Context(), e.App(), authtest.Ada, auth.NewPassword{Value: seal.NewSecret("N3w-Pa55word!")})
		},
		"a lock": func(e *authtest.Env) error {
			for range 5 {
				_, err := e.LoginFront(t.Context(), auth.Via{}, frontLogin(func(in *auth.FrontLogin) { in.Password = seal.NewSecret("wrong") }))
				wantCode(t, err, auth.CodeWrongPassword)
			}
			return nil
		},
	} {
		e := authtest.New(t, withFront)
		entry, err := e.LoginFront(t.Context(), auth.Via{}, frontLogin())
		if err != nil {
			t.Fatal(err)
		}
		foreign := entry
		foreign.Client = "other"
		wantCode(t, second(e.Enter(t.Context(), foreign, noCookies(), auth.Via{})), auth.CodeFormInvalid)
		if err := end(e); err != nil {
			t.Fatal(err)
		}
		got, err := e.Enter(t.Context(), entry, noCookies(), auth.Via{})
		if auth.CodeOf(err) != auth.CodeLoginRequired || got.Session+got.Code != "" {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

// TestFrontLoginRefusals: nothing is asked of the password where the client may not have a code; a client without a secret binds it by PKCE
//
func TestFrontLoginRefusals(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFront)
	challenge := "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	for _, tt := range []struct {
		change func(*auth.FrontLogin)
		want   auth.Code
	}{
		{func(in *auth.FrontLogin) { in.RedirectURI += "/" }, auth.CodeRedirectInvalid},
		{func(in *auth.FrontLogin) { in.Client = "stranger" }, auth.CodeRedirectInvalid},
		{func(in *auth.FrontLogin) { in.Client = "admin" }, auth.CodeRedirectInvalid},
		{func(in *auth.FrontLogin) { in.Client = "other" }, auth.CodeRequestInvalid},
		{func(in *auth.FrontLogin) { in.Client, in.Challenge = "other", challenge }, auth.CodeRequestInvalid},
		{func(in *auth.FrontLogin) { in.Challenge, in.ChallengeMethod = "short", "S256" }, auth.CodeRequestInvalid},
		{func(in *auth.FrontLogin) { in.Resource = "https://else.example" }, auth.CodeInvalidTarget},
		{func(in *auth.FrontLogin) { in.OrgID = "2001" }, auth.CodeNotMember},
		{func(in *auth.FrontLogin) { in.Identifier = "grace" }, auth.CodePasswordExpired},
		{func(in *auth.FrontLogin) { in.Identifier = "annie" }, auth.CodeSuspended},
		{func(in *auth.FrontLogin) { in.Identifier = "annie" }, auth.CodeSuspended},
	} {
		_, err := e.LoginFront(t.Context(), auth.Via{}, frontLogin(tt.change))
		wantCode(t, err, tt.want)
	}
	entry, err := e.LoginFront(t.Context(), auth.Via{}, frontLogin(func(in *auth.FrontLogin) {
		in.Client, in.Challenge, in.ChallengeMethod = "other", challenge, "S256"
	}))
	if err != nil {
		t.Fatal(err)
	}
	got, err := e.Enter(t.Context(), entry, noCookies(), auth.Via{})
	if err != nil {
		t.Fatal(err)
	}
	by := auth.Actor{Tenant: authtest.Demo, Client: "other"}
	for verifier, want := range map[string]auth.Code{"": auth.CodeInvalidCode, "e00000000000000000000000000000000000000000000": auth.CodeInvalidCode} {
		_, err := e.Redeem(t.Context(), by, auth.Redemption{Code: got.Code, RedirectURI: frontCallback, Verifier: verifier})
		wantCode(t, err, want)
	}
	if _, err := e.Redeem(t.Context(), by, auth.Redemption{
		Code: got.Code, RedirectURI: frontCallback, Verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
	}); err != nil {
		t.Error(err)
	}
}

// TestEntrySucceedsASession: an entry takes the place of the session that a browser had; of another user's, whose clients are told.
func TestEntrySucceedsASession(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFront)
	cookie := ""
	browser := auth.Browser{Form: "f", Session: func(auth.TenantID) string { return cookie }}
	for i, user := range []string{"ada", "ada", "charles"} {
		e.Clock.Advance(time.Second)
		entry, err := e.LoginFront(t.Context(), auth.Via{}, frontLogin(func(in *auth.FrontLogin) { in.Identifier = user }))
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.Enter(t.Context(), entry, browser, auth.Via{})
		if err != nil {
			t.Fatal(err)
		}
		cookie = got.Session
		ada, err := e.FrontSessions(t.Context(), e.App(), authtest.Ada)
		if want := map[bool]int{true: 1, false: 0}[user == "ada"]; err != nil || len(ada) != want {
			t.Errorf("login %d: Ada has %d sessions, want %d: %v", i+1, len(ada), want, err)
		}
	}
}

// TestFrontLoginOfClientsThatMayNot: the page of somebody else's client has no business with the tenant's passwords, and who has to push its
// requests does not get round it here.
func TestFrontLoginOfClientsThatMayNot(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*auth.ClientSetup){
		"a client of somebody else's":   func(c *auth.ClientSetup) { c.ThirdParty = true },
		"a client that pushes requests": func(c *auth.ClientSetup) { c.RequirePAR = true },
	} {
		e := authtest.New(t, withFront, func(s *auth.Setup) { change(&s.Tenants[0].Clients[0]) })
		refusedWith(t, name, second(e.LoginFront(t.Context(), auth.Via{}, frontLogin())), auth.CodeClientRefused)
	}
}

// TestEntryOfOneFactor: where two factors are wanted, by the login or by the client, a password alone gives a session and no code. What a
// browser has proved before counts for the same user alone, and only if it is two factors.
func TestEntryOfOneFactor(t *testing.T) {
	t.Parallel()
	enter := func(e *authtest.Env, b *tab, user string, mfa bool) (auth.Authorization, error) {
		entry, err := e.LoginFront(t.Context(), auth.Via{}, frontLogin(func(in *auth.FrontLogin) { in.Identifier, in.MFA = user, mfa }))
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.Enter(t.Context(), entry, b.cookies(), auth.Via{})
		if got.Session != "" {
			b.session = got.Session
		}
		return got, err
	}
	unmet := func(what string, got auth.Authorization, err error) {
		if auth.CodeOf(err) != auth.CodeFactorsUnmet || got.Code != "" || got.Session == "" {
			t.Errorf("%s: code %q, session %q, %v", what, got.Code, got.Session, err)
		}
	}
	strict := authtest.New(t, withFront, func(s *auth.Setup) { s.Tenants[0].Clients[0].SecondFactor = true })
	got, err := enter(strict, new(tab), "ada", false)
	unmet("a client that wants two", got, err)

	e := authtest.New(t, withFront, func(s *auth.Setup) {
		s.Tenants[0].Users[0].Authenticators = []auth.AuthenticatorSetup{{Kind: auth.AuthenticatorSMS}}
	})
	b := new(tab)
	got, err = enter(e, b, "ada", true)
	unmet("a login that wants two", got, err)
	got, err = enter(e, b, "ada", true)
	unmet("a browser that has proved one", got, err)

	in := asking([]string{"openid"})
	in.ACRs = []string{auth.ACRMFA}
	at, err := e.Authorize(t.Context(), in, b.cookies(), auth.Via{})
	for _, code := range []string{"", "123456"} {
		if err != nil || at.Step != auth.StepCode {
			t.Fatalf("at %s: %v", at.Step, err)
		}
		at, err = e.Answer(t.Context(), auth.PageAnswer{Form: at.Form, Code: code}, b.cookies(), auth.Via{})
	}
	if err != nil || at.Code == "" {
		t.Fatalf("at %s: %v", at.Step, err)
	}
	if got, err = enter(e, b, "ada", true); err != nil || got.Code == "" || got.Session != "" {
		t.Errorf("a browser that has proved two: got %+v, %v", got, err)
	}
	got, err = enter(e, b, "charles", true)
	unmet("another user's browser", got, err)
}
