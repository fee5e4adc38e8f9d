package auth_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
	"countersign/internal/webauthn/webauthntest"
)

// setMethods changes what the application of the client "app" says of how its users prove themselves.
func setMethods(t *testing.T, e *authtest.Env, change func(*auth.Methods)) {
	t.Helper()
	_, err := e.ChangeAppMethods(t.Context(), e.Admin(), e.Client(e.App()).AppID, func(m *auth.Methods) error { change(m); return nil })
	if err != nil {
		t.Fatal(err)
	}
}

// TestMethodsOfAnApplication: who may change them, that they are that application's and a copy, and that the change is an event.
func TestMethodsOfAnApplication(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	app := e.Client(e.App()).AppID
	none := func(*auth.Methods) error { return nil }
	_, err := e.ChangeAppMethods(t.Context(), e.App(), app, none)
	refusedWith(t, "by a client that does not administer", err, auth.CodeClientRefused)
	_, err = e.AppMethods(t.Context(), e.App(), app)
	refusedWith(t, "read by one", err, auth.CodeClientRefused)
	_, err = e.ChangeAppMethods(t.Context(), e.Admin(), "nobody", none)
	refusedWith(t, "of no application", err, auth.CodeAppNotFound)
	_, err = e.ChangeAppMethods(t.Context(), e.Admin(), app, func(m *auth.Methods) error {
		m.TOTP = &auth.TOTPMethod{Lock: auth.LockPolicy{Tiers: []auth.LockTier{{Failures: 2}, {Failures: 2}}}}
		return nil
	})
	refusedWith(t, "tiers that do not ascend", err, auth.CodeValueInvalid)

	setMethods(t, e, func(m *auth.Methods) { m.Link = &auth.LinkMethod{For: time.Minute} })
	read := func() auth.Methods {
		m, err := e.AppMethods(t.Context(), e.Admin(), app)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	read().Link.For = time.Hour
	if m := read(); m.Link == nil || m.Link.For != time.Minute || m.TOTP != nil {
		t.Errorf("got %+v, want the link alone, as it was set", m)
	}
	events := rawEvents(t, e)
	if last := events[len(events)-1]; last.Kind != auth.EventAppChanged || last.Note != app {
		t.Errorf("got %+v, want the change of %s", last, app)
	}
}

// TestPasswordEndsByTheMillisecond: the end of a password is counted from when it was set, by the policy at the time of the login.
func TestPasswordEndsByTheMillisecond(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what      string
		temporary bool
		life      time.Duration
		before    auth.Code
	}{{"a password", false, 24 * time.Hour, 0}, {"a temporary one", true, 2 * time.Hour, auth.CodePasswordTemp}} {
		e := authtest.New(t)
		setMethods(t, e, func(m *auth.Methods) {
			p := auth.DefaultPasswordMethod()
			p.ExpiresAfter, p.TemporaryFor = 24*time.Hour, 2*time.Hour
			m.Password = &p
		})
		err := e.ReplacePassword(t.Context(), e.App(), authtest.Ada, auth.NewPassword{Value: seal.NewSecret("N3w-Pa55word!"), Temporary: tt.temporary})
		if err != nil {
			t.Fatal(err)
		}
		logIn := func() error {
			_, err := e.AuthenticatePassword(t.Context(), e.App(), auth.BackendLogin{PasswordLogin: auth.PasswordLogin{
				Kind: auth.ByUserID, Identifier: string(authtest.Ada), Password: seal.NewSecret("N3w-Pa55word!"),
			}})
			return err
		}
		e.Clock.Advance(tt.life - time.Millisecond)
		if err := logIn(); tt.before == 0 && err != nil || tt.before != 0 && codeOf(err) != tt.before {
			t.Errorf("%s, a millisecond before its end: got %v", tt.what, err)
		}
		e.Clock.Advance(time.Millisecond)
		err = logIn()
		refusedWith(t, tt.what+" at its end", err, auth.CodePasswordExpired)
		var no *auth.Error
		if errors.As(err, &no); (no.Token == "") != tt.temporary {
			t.Errorf("%s at its end: got the token %q", tt.what, no.Token)
		}
	}
}

// TestAppsOfOtherKinds: an app is made and judged by what it was registered with, whatever the application says afterwards.
func TestAppsOfOtherKinds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind auth.TOTPAlgorithm
		as   otp.Algorithm
	}{{auth.TOTPSHA1, otp.AlgorithmSHA1}, {auth.TOTPSHA256, otp.AlgorithmSHA256}, {auth.TOTPSHA512, otp.AlgorithmSHA512}} {
		e := authtest.New(t)
		setMethods(t, e, func(m *auth.Methods) {
			p := auth.DefaultTOTPMethod()
			p.Algorithm, p.Digits, p.Period, p.Window, p.Issuer = tt.kind, 8, time.Minute, 2, "Bank"
			m.TOTP = &p
		})
		key := newApp(t, e, "ada")
		for _, want := range []string{"otpauth://totp/Bank:", "digits=8", "period=60", "algorithm=" + strings.ToUpper(string(tt.kind)), "issuer=Bank"} {
			if !strings.Contains(key.URI, want) {
				t.Errorf("%s: got %s, want %s in it", tt.kind, key.URI, want)
			}
		}
		code := func(after time.Duration) string {
			text, err := totp.GenerateCodeCustom(key.Secret, e.Clock.Now().Add(after), totp.ValidateOpts{Period: 60, Digits: 8, Algorithm: tt.as})
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		logIn := func(text string) error {
			_, err := e.AuthenticateTOTP(t.Context(), e.App(), byCode("ada", text))
			return err
		}
		refusedWith(t, "three steps off", logIn(code(-3*time.Minute)), auth.CodeWrongOTP)
		if err := logIn(code(-2 * time.Minute)); err != nil {
			t.Errorf("%s: two steps off: got %v", tt.kind, err)
		}
		setMethods(t, e, func(m *auth.Methods) { m.TOTP = nil })
		refusedWith(t, "two steps off where one is", logIn(code(2*time.Minute)), auth.CodeWrongOTP)
		if err := logIn(code(time.Minute)); err != nil {
			t.Errorf("%s: under other rules: got %v", tt.kind, err)
		}
		setMethods(t, e, func(m *auth.Methods) { m.TOTP = &auth.TOTPMethod{Off: true} })
		e.Clock.Advance(time.Hour)
		refusedWith(t, "switched off", logIn(code(0)), auth.CodeChannelUnsupported)
		_, err := e.AuthenticateTOTP(t.Context(), e.App(), byCode("stranger", code(0)))
		refusedWith(t, "switched off, for nobody", err, auth.CodeChannelUnsupported)
		_, err = e.StartTransaction(t.Context(), e.App(), auth.ByUsername, "ada", auth.Proposal{})
		refusedWith(t, "a transaction where it is switched off", err, auth.CodeChannelUnsupported)
	}
}

// TestPasskeysOfAnApplication: the site, whose passkeys are taken, and that there are none.
func TestPasskeysOfAnApplication(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	setMethods(t, e, func(m *auth.Methods) {
		p := auth.DefaultPasskeyMethod()
		p.Site, p.Origins = "bank.example", []string{"https://login.bank.example"}
		p.Lock.Tiers = []auth.LockTier{{Failures: 1, For: time.Minute}}
		m.Passkey = &p
	})
	b, err := e.BeginPasskey(t.Context(), auth.Via{}, auth.CeremonyRequest{Client: "app", Username: "ada"})
	if err != nil || b.Site != "bank.example" {
		t.Fatalf("got %q, %v, want the site of the application", b.Site, err)
	}
	a := webauthntest.New("https://login.bank.example")
	result := made(t, e, a, e.App(), "new")
	if _, err := e.BindPasskeyFor(t.Context(), e.App(), auth.PasskeyBinding{Result: result, ExternalID: "ext-1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := usePasskey(t.Context(), e, e.App(), asserted(t, e, a, e.App(), "", nil)); err != nil {
		t.Fatal(err)
	}
	forged := asserted(t, e, a, e.App(), "", func(answer *webauthntest.Answer) { answer.Origin = "https://other.example" })
	_, err = usePasskey(t.Context(), e, e.App(), forged)
	refusedWith(t, "a forged one", err, auth.CodePasskeyInvalid)
	_, err = usePasskey(t.Context(), e, e.App(), asserted(t, e, a, e.App(), "", nil))
	refusedWith(t, "after one failure", err, auth.CodeLocked)
	e.Clock.Advance(time.Minute)
	if _, err := usePasskey(t.Context(), e, e.App(), asserted(t, e, a, e.App(), "", nil)); err != nil {
		t.Errorf("after the lock: %v", err)
	}
	begun := asserted(t, e, a, e.App(), "", nil)
	setMethods(t, e, func(m *auth.Methods) { m.Passkey = &auth.PasskeyMethod{Off: true} })
	_, err = usePasskey(t.Context(), e, e.App(), begun)
	refusedWith(t, "switched off", err, auth.CodeChannelUnsupported)
	_, err = e.BeginAssertion(t.Context(), auth.Via{}, auth.CeremonyRequest{Client: "app"})
	refusedWith(t, "begun where it is switched off", err, auth.CodeChannelUnsupported)
}

// TestMethodsHoldForTheNextRequestElsewhere: what one node changes, another one obeys in the next call, whatever call that is (C-28).
func TestMethodsHoldForTheNextRequestElsewhere(t *testing.T) {
	t.Parallel()
	off := func(m *auth.Methods) {
		*m = auth.Methods{
			Password: &auth.PasswordMethod{Off: true}, SMS: &auth.CodeMethod{Off: true}, Email: &auth.CodeMethod{Off: true},
			Link: &auth.LinkMethod{Off: true}, TOTP: &auth.TOTPMethod{Off: true}, Passkey: &auth.PasskeyMethod{Off: true},
		}
	}
	code := func(c auth.Channel) func(*auth.Service, *authtest.Env) error {
		return func(s *auth.Service, e *authtest.Env) error {
			_, err := s.SendLoginCode(t.Context(), e.App(), auth.CodeRequest{Kind: auth.ByUsername, Identifier: "ada", Channel: c})
			return err
		}
	}
	for name, call := range map[string]func(*auth.Service, *authtest.Env) error{
		"a login": func(s *auth.Service, e *authtest.Env) error {
			_, err := s.AuthenticatePassword(t.Context(), e.App(), auth.BackendLogin{PasswordLogin: byUsername("ada", authtest.Password)})
			return err
		},
		"a check": func(s *auth.Service, e *authtest.Env) error {
			return s.ValidatePasswordOf(t.Context(), e.App(), seal.NewSecret("N3w-Pa55word!"), auth.User{})
		},
		"a new user": func(s *auth.Service, e *authtest.Env) error {
			_, err := s.CreateUser(t.Context(), e.App(), auth.NewUser{
				Username: "new", Password: &auth.NewPassword{Value: seal.NewSecret("N3w-Pa55word!")},
			})
			return err
		},
		"a new password": func(s *auth.Service, e *authtest.Env) error {
			return s.ReplacePassword(t.Context(), e.App(), authtest.Ada, auth.NewPassword{Value: seal.NewSecret("N3w-Pa55word!")})
		},
		"a reset": func(s *auth.Service, e *authtest.Env) error {
			return s.StartReset(t.Context(), e.App(), auth.ResetRequest{Channel: auth.ChannelEmail, Kind: auth.ByEmail, Identifier: adaAddress})
		},
		"the old password": func(s *auth.Service, _ *authtest.Env) error {
			_, err := s.ProveOldPassword(t.Context(), auth.Via{}, "app", byUsername("ada", authtest.Password), "")
			return err
		},
		"a code by SMS": code(auth.ChannelSMS), "a code by e-mail": code(auth.ChannelEmail),
		"a link": func(s *auth.Service, e *authtest.Env) error {
			_, err := s.SendLoginLink(t.Context(), e.App(), auth.LinkRequest{
				Kind: auth.ByUsername, Identifier: "ada", RedirectURI: e.Client(e.App()).RedirectURIs[0], Channel: auth.ChannelEmail,
			})
			return err
		},
		"a code of an app": func(s *auth.Service, e *authtest.Env) error {
			_, err := s.AuthenticateTOTP(t.Context(), e.App(), byCode("ada", "000000"))
			return err
		},
		"a passkey": func(s *auth.Service, _ *authtest.Env) error {
			_, err := s.BeginAssertion(t.Context(), auth.Via{}, auth.CeremonyRequest{Client: "app"})
			return err
		},
	} {
		e := authtest.New(t, withRedirect)
		there := e.Another(t, nil)
		setMethods(t, e, off)
		if got := codeOf(call(there, e)); got != auth.CodeChannelUnsupported && got != auth.CodeNoPasswordPolicy {
			t.Errorf("%s on another node: got %v, want it to be switched off", name, got)
		}
		setMethods(t, e, func(m *auth.Methods) { *m = auth.Methods{} })
		if got := codeOf(call(there, e)); got == auth.CodeChannelUnsupported || got == auth.CodeNoPasswordPolicy {
			t.Errorf("%s on another node: got %v, want it to be switched on again", name, got)
		}
	}
}
