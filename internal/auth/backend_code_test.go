package auth_test

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

func codeBy(channel auth.Channel, name string) auth.CodeRequest {
	return auth.CodeRequest{Kind: auth.ByUsername, Identifier: name, Channel: channel}
}

func sendCode(t *testing.T, e *authtest.Env, in auth.CodeRequest) auth.SentCode {
	t.Helper()
	sent, err := e.SendLoginCode(t.Context(), e.App(), in)
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

func useCode(t *testing.T, e *authtest.Env, name, code string) (auth.TokenSet, error) {
	t.Helper()
	return e.AuthenticateCode(t.Context(), e.App(), auth.CodeLogin{Kind: auth.ByUsername, Identifier: name, Code: code})
}

// withAppLink gives the client "app" an address for links.
func withAppLink(s *auth.Setup) {
	for i := range s.Tenants[0].Clients {
		s.Tenants[0].Clients[i].RedirectURIs = []string{"https://app.example/in?from=mail"}
	}
}

// TestLoginCode is contract/cis §1.9: each channel has its method, and the user's own address is verified by it.
func TestLoginCode(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		channel auth.Channel
		to      string // where the code is found
		other   string // asked for in place of the user's own
		amr     string
		proved  string // claim that has become true
	}{
		{auth.ChannelSMS, "+35699111111", "", "sms", "phone_number_verified"},
		{auth.ChannelSMS, "+35699222222", "+35699222222", "sms", ""},
		{auth.ChannelEmail, "ada@example.com", "", "eotp", "email_verified"},
		{auth.ChannelEmail, "other@example.com", "other@example.com", "eotp", ""},
		{auth.ChannelDirect, "", "", "otp", ""},
	} {
		t.Run(string(tt.channel)+tt.amr+tt.proved, func(t *testing.T) {
			t.Parallel()
			e := authtest.New(t, func(s *auth.Setup) { s.Tenants[0].Users[0].EmailVerified = false })
			in := codeBy(tt.channel, "ada")
			in.To = tt.other
			sent := sendCode(t, e, in)
			code := sent.Code
			if tt.channel != auth.ChannelDirect {
				items := inbox(t, e, tt.to)
				if len(items) != 1 || sent != (auth.SentCode{}) {
					t.Fatalf("got %v and messages %v", sent, items)
				}
				code = items[0].Code
			}
			set, err := e.AuthenticateCode(t.Context(), e.App(), auth.CodeLogin{
				Kind: auth.ByEmail, Identifier: "ada@example.com", Code: code,
				BackendGrant: auth.BackendGrant{Claims: auth.Named("email_verified", "phone_number_verified")},
			})
			if err != nil {
				t.Fatal(err)
			}
			claims := claimsOf(t, set.IDToken)
			if got, want := claims["amr"], []any{tt.amr}; !reflect.DeepEqual(got, want) {
				t.Errorf("amr: got %v, want %v", got, want)
			}
			for _, claim := range []string{"email_verified", "phone_number_verified"} {
				if got, want := claims[claim], claim == tt.proved; got != want {
					t.Errorf("%s: got %v, want %v", claim, got, want)
				}
			}
			_, err = useCode(t, e, "ada", code)
			wantCode(t, err, auth.CodeWrongOTP) // once
		})
	}
}

// TestLoginCodeIsASecondFactor is contract/cis §2.6 and §5.2.
func TestLoginCodeIsASecondFactor(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	first := authenticate(t, e, "ada")
	sendCode(t, e, codeBy(auth.ChannelSMS, "ada"))
	in := auth.CodeLogin{Kind: auth.ByUsername, Identifier: "ada", Code: "123456", Session: first.Session}
	set, err := e.AuthenticateCode(t.Context(), e.App(), in)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := claimsOf(t, set.IDToken)["amr"], []any{"pwd", "sms", "mfa"}; !reflect.DeepEqual(got, want) || set.Session != first.Session {
		t.Errorf("got %v in %s, want %v", got, set.Session, want)
	}
}

// TestWrongLoginCodesLock is B-16 and B-17: five wrong codes in all, over channels, challenges and a login by password in between.
func TestWrongLoginCodesLock(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ada", "mary", "annie", "stranger"} { // B-12: one without a phone, a suspended one and nobody, too
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := authtest.New(t)
			for i, channel := range []auth.Channel{auth.ChannelSMS, auth.ChannelEmail, auth.ChannelSMS, auth.ChannelEmail} {
				sendCode(t, e, codeBy(channel, name))
				_, err := useCode(t, e, name, "654321")
				if got := codeOf(err); got != auth.CodeWrongOTP {
					t.Fatalf("try %d: got %v, want %v", i, got, auth.CodeWrongOTP)
				}
				e.Clock.Advance(time.Minute)
			}
			if name == "ada" {
				authenticate(t, e, name)
			}
			sendCode(t, e, codeBy(auth.ChannelSMS, name))
			_, err := useCode(t, e, name, "654321")
			wantCode(t, err, auth.CodeLocked)
			wantRetry(t, err, 30*time.Minute)
			_, err = useCode(t, e, name, "123456")
			wantCode(t, err, auth.CodeLocked)
			_, err = e.SendLoginCode(t.Context(), e.App(), codeBy(auth.ChannelEmail, name))
			wantCode(t, err, auth.CodeLocked)
			e.Clock.Advance(30 * time.Minute)
			sendCode(t, e, codeBy(auth.ChannelSMS, name))
			_, err = useCode(t, e, name, "123456")
			if got, want := err == nil, name == "ada"; got != want {
				t.Errorf("after the lock: got %v", err)
			}
		})
	}
}

// TestLoginCodeRefusals: whatever is wrong with a code, the answer is the same (B-12, B-14), and only the client that asked may use it.
func TestLoginCodeRefusals(t *testing.T) {
	t.Parallel()
	rival := auth.Actor{Tenant: authtest.Demo, Client: "other"}
	for name, try := range map[string]func(t *testing.T, e *authtest.Env) error{
		"none was sent": func(t *testing.T, e *authtest.Env) error { _, err := useCode(t, e, "charles", "123456"); return err },
		"with a space":  func(t *testing.T, e *authtest.Env) error { _, err := useCode(t, e, "ada", "123456 "); return err },
		"full width": func(t *testing.T, e *authtest.Env) error {
			_, err := useCode(t, e, "ada", "１２３４５６")
			return err
		},
		"another client": func(t *testing.T, e *authtest.Env) error {
			_, err := e.AuthenticateCode(t.Context(), rival, auth.CodeLogin{Kind: auth.ByUsername, Identifier: "ada", Code: "123456"})
			return err
		},
		"a request's id that nobody gave": func(t *testing.T, e *authtest.Env) error {
			in := auth.CodeLogin{Kind: auth.ByUsername, Identifier: "ada", Code: "123456", Request: "invented"}
			_, err := e.AuthenticateCode(t.Context(), e.App(), in)
			return err
		},
		"no request's id": func(t *testing.T, e *authtest.Env) error {
			in := codeBy(auth.ChannelEmail, "ada")
			in.Bound = true
			sendCode(t, e, in)
			_, err := useCode(t, e, "ada", "123456")
			return err
		},
		"a code of /multi": func(t *testing.T, e *authtest.Env) error {
			if err := e.StartRecovery(t.Context(), e.Key(), "charles@example.com"); err != nil {
				t.Fatal(err)
			}
			_, err := useCode(t, e, "charles", "123456")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := authtest.New(t)
			sendCode(t, e, codeBy(auth.ChannelSMS, "ada"))
			wantCode(t, try(t, e), auth.CodeWrongOTP)
		})
	}
}

func TestLoginCodeWithARequestID(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	in := codeBy(auth.ChannelEmail, "ada")
	in.Bound = true
	sent := sendCode(t, e, in)
	login := auth.CodeLogin{Kind: auth.ByUsername, Identifier: "ada", Code: "123456", Request: sent.Request}
	if _, err := e.AuthenticateCode(t.Context(), e.App(), login); err != nil || sent.Request == "" {
		t.Errorf("got %v and %q", err, sent.Request)
	}
}

func TestLoginCodeExpires(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ada", "stranger"} {
		e := authtest.New(t)
		in := codeBy(auth.ChannelSMS, name)
		in.For = time.Minute
		sendCode(t, e, in)
		e.Clock.Advance(time.Minute)
		_, err := useCode(t, e, name, "123456")
		wantCode(t, err, auth.CodeOTPExpired)
	}
}

// TestLockVoidsLoginCodes is B-18: a code that was sent before the lock is void after it, and none works during it.
func TestLockVoidsLoginCodes(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	in := codeBy(auth.ChannelSMS, "ada")
	in.For = time.Hour
	sendCode(t, e, in)
	lock(t, e, "ada")
	_, err := useCode(t, e, "ada", "123456")
	wantCode(t, err, auth.CodeLocked)
	_, err = e.SendLoginCode(t.Context(), e.App(), codeBy(auth.ChannelSMS, "ada"))
	wantCode(t, err, auth.CodeLocked)
	e.Clock.Advance(30 * time.Minute)
	_, err = useCode(t, e, "ada", "123456")
	wantCode(t, err, auth.CodeWrongOTP)
}

// TestLoginCodeIsUsedOnce is B-15.
func TestLoginCodeIsUsedOnce(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	sendCode(t, e, codeBy(auth.ChannelSMS, "ada"))
	if got := winners(10, func() error { _, err := useCode(t, e, "ada", "123456"); return err }); got != 1 {
		t.Errorf("got %d successes, want 1", got)
	}
}

// winners runs a call several times at once and counts its successes.
func winners(n int, call func() error) int {
	var wg sync.WaitGroup
	start, errs := make(chan struct{}), make([]error, n)
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = call()
		})
	}
	close(start)
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		}
	}
	return won
}

// TestLoginCodesAreBounded is A-058: by time between two, by number, and by the user's messages.
func TestLoginCodesAreBounded(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ada", "stranger"} {
		e := authtest.New(t)
		sendCode(t, e, codeBy(auth.ChannelSMS, name))
		_, err := e.SendLoginCode(t.Context(), e.App(), codeBy(auth.ChannelSMS, name))
		wantCode(t, err, auth.CodeTooSoon)
		for range 2 {
			e.Clock.Advance(15 * time.Second)
			sendCode(t, e, codeBy(auth.ChannelSMS, name))
		}
		e.Clock.Advance(15 * time.Second)
		_, err = e.SendLoginCode(t.Context(), e.App(), codeBy(auth.ChannelSMS, name))
		wantCode(t, err, auth.CodeChallengeLimit)
	}
}

// TestLoginCodesAreBoundedHoweverAskedFor: what a caller ties a code to does not make it another's that follows at once and counts anew.
func TestLoginCodesAreBoundedHoweverAskedFor(t *testing.T) {
	t.Parallel()
	for name, vary := range map[string]func(n int, in *auth.CodeRequest){
		"a request of its own": func(_ int, in *auth.CodeRequest) { in.Bound = true },
		"another approval":     func(n int, in *auth.CodeRequest) { in.Approval = auth.Proposal{Text: fmt.Sprintf(`{"sum":"%d"}`, n)} },
		"another address":      func(n int, in *auth.CodeRequest) { in.To = fmt.Sprintf("+3569911222%d", n) },
	} {
		e := authtest.New(t)
		n := 0
		send := func() error {
			in := codeBy(auth.ChannelSMS, "ada")
			vary(n, &in)
			n++
			return second(e.SendLoginCode(t.Context(), e.App(), in))
		}
		for range 3 {
			if err := send(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := codeOf(send()); got != auth.CodeTooSoon {
				t.Errorf("%s, at once: got %v", name, got)
			}
			e.Clock.Advance(15 * time.Second)
		}
		if got := codeOf(send()); got != auth.CodeChallengeLimit {
			t.Errorf("%s, once more: got %v", name, got)
		}
		e.Clock.Advance(5 * time.Minute)
		if err := send(); err != nil {
			t.Errorf("%s, when the latest has run out: %v", name, err)
		}
	}
}

// TestSendLoginCodeRefusals: only who is told of accounts anyway learns whom a code cannot reach (B-13).
func TestSendLoginCodeRefusals(t *testing.T) {
	t.Parallel()
	reveal := func(s *auth.Setup) { s.Tenants[0].Tenant.Settings.RevealAccounts = true }
	noEmail := func(s *auth.Setup) {
		s.Tenants[0].Users[0].Email = ""
		s.Tenants[0].Users[0].EmailVerified = false
	}
	noSMS := func(s *auth.Setup) { s.Tenants[0].Tenant.Settings.Channels = nil }
	custom := codeBy(auth.ChannelSMS, "ada")
	custom.To = "+35600"
	for name, tt := range map[string]struct {
		change   []func(*auth.Setup)
		in       auth.CodeRequest
		want     auth.Code
		messages int
	}{
		"nobody":              {nil, codeBy(auth.ChannelSMS, "stranger"), none, 0},
		"suspended":           {nil, codeBy(auth.ChannelEmail, "annie"), none, 0},
		"no phone":            {nil, codeBy(auth.ChannelSMS, "charles"), none, 0},
		"nobody, direct":      {nil, codeBy(auth.ChannelDirect, "stranger"), auth.CodeUserNotFound, 0},
		"nobody, revealed":    {[]func(*auth.Setup){reveal}, codeBy(auth.ChannelSMS, "stranger"), auth.CodeUserNotFound, 0},
		"suspended, revealed": {[]func(*auth.Setup){reveal}, codeBy(auth.ChannelSMS, "annie"), auth.CodeUserNotFound, 0},
		"no phone, revealed":  {[]func(*auth.Setup){reveal}, codeBy(auth.ChannelSMS, "charles"), auth.CodePhoneMissing, 0},
		"no e-mail, revealed": {[]func(*auth.Setup){reveal, noEmail}, codeBy(auth.ChannelEmail, "ada"), auth.CodeEmailNotFound, 0},
		"no SMS here":         {[]func(*auth.Setup){noSMS}, codeBy(auth.ChannelSMS, "ada"), auth.CodeChannelUnsupported, 0},
		"no number":           {nil, custom, auth.CodeIdentifierInvalid, 0},
		"malformed": {nil, auth.CodeRequest{Kind: auth.ByEmail, Identifier: "ada", Channel: auth.ChannelEmail},
			auth.CodeIdentifierInvalid, 0},
		"ada": {nil, codeBy(auth.ChannelSMS, "ada"), none, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := authtest.New(t, tt.change...)
			_, err := e.SendLoginCode(t.Context(), e.App(), tt.in)
			if got := codeOf(err); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if got := len(inbox(t, e, "")); got != tt.messages {
				t.Errorf("got %d messages, want %d", got, tt.messages)
			}
		})
	}
}

func sendLink(t *testing.T, e *authtest.Env, name string, channel auth.Channel) auth.SentLink {
	t.Helper()
	sent, err := e.SendLoginLink(t.Context(), e.App(), auth.LinkRequest{
		Kind: auth.ByUsername, Identifier: name, RedirectURI: "https://app.example/in?from=mail", State: "a b", Channel: channel,
	})
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

func codeOfLink(t *testing.T, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("code")
}

// TestLoginLink is contract/cis §1.9 and B-15: a link works once, and its address is the client's own (A-081, B-46).
func TestLoginLink(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withAppLink)
	sendLink(t, e, "ada", auth.ChannelEmail)
	items := inbox(t, e, "ada@example.com")
	if len(items) != 1 || !strings.HasPrefix(items[0].Link, "https://app.example/in?from=mail&code=") || !strings.HasSuffix(items[0].Link, "&state=a+b") {
		t.Fatalf("got %+v", items)
	}
	code := codeOfLink(t, items[0].Link)
	var set auth.TokenSet
	won := winners(5, func() error {
		got, err := e.AuthenticateLink(t.Context(), e.App(), auth.LinkLogin{Code: code})
		if err == nil {
			set = got
		}
		return err
	})
	if won != 1 {
		t.Fatalf("got %d successes, want 1", won)
	}
	if got, want := claimsOf(t, set.IDToken)["amr"], []any{"eml"}; !reflect.DeepEqual(got, want) {
		t.Errorf("amr: got %v, want %v", got, want)
	}
	e.Clock.Advance(time.Minute)
	direct := sendLink(t, e, "ada", auth.ChannelDirect)
	set, err := e.AuthenticateLink(t.Context(), e.App(), auth.LinkLogin{Code: codeOfLink(t, direct.Link), Session: set.Session})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := claimsOf(t, set.IDToken)["amr"], []any{"eml", "otp", "mfa"}; !reflect.DeepEqual(got, want) {
		t.Errorf("amr: got %v, want %v", got, want)
	}
}

func TestLoginLinkRefusals(t *testing.T) {
	t.Parallel()
	rival := auth.Actor{Tenant: authtest.Demo, Client: "other"}
	use := func(t *testing.T, e *authtest.Env, by auth.Actor, in auth.LinkLogin) error {
		_, err := e.AuthenticateLink(t.Context(), by, in)
		return err
	}
	for name, try := range map[string]func(t *testing.T, e *authtest.Env, code string) error{
		"made up": func(t *testing.T, e *authtest.Env, _ string) error {
			return use(t, e, e.App(), auth.LinkLogin{Code: "1.a"})
		},
		"changed": func(t *testing.T, e *authtest.Env, code string) error {
			return use(t, e, e.App(), auth.LinkLogin{Code: code + "a"})
		},
		"another client": func(t *testing.T, e *authtest.Env, code string) error {
			return use(t, e, rival, auth.LinkLogin{Code: code})
		},
		"a request's id": func(t *testing.T, e *authtest.Env, code string) error {
			return use(t, e, e.App(), auth.LinkLogin{Code: code, Request: "invented"})
		},
		"too late": func(t *testing.T, e *authtest.Env, code string) error {
			e.Clock.Advance(auth.LoginLinkFor)
			return use(t, e, e.App(), auth.LinkLogin{Code: code})
		},
		"a newer one": func(t *testing.T, e *authtest.Env, code string) error {
			e.Clock.Advance(time.Minute)
			sendLink(t, e, "ada", auth.ChannelEmail)
			return use(t, e, e.App(), auth.LinkLogin{Code: code})
		},
		"a lock": func(t *testing.T, e *authtest.Env, code string) error {
			lock(t, e, "ada")
			return use(t, e, e.App(), auth.LinkLogin{Code: code})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := authtest.New(t, withAppLink)
			sendLink(t, e, "ada", auth.ChannelEmail)
			wantCode(t, try(t, e, codeOfLink(t, inbox(t, e, "")[0].Link)), auth.CodeNoChallenge)
		})
	}
	e := authtest.New(t, withAppLink)
	for uri, want := range map[string]auth.Code{
		"https://app.example/in": auth.CodeRedirectInvalid, "https://evil.example/": auth.CodeRedirectInvalid,
	} {
		_, err := e.SendLoginLink(t.Context(), e.App(), auth.LinkRequest{
			Kind: auth.ByUsername, Identifier: "ada", RedirectURI: uri, Channel: auth.ChannelEmail,
		})
		wantCode(t, err, want)
	}
	sendLink(t, e, "stranger", auth.ChannelEmail)
	sendLink(t, e, "annie", auth.ChannelEmail)
	if got := inbox(t, e, ""); len(got) != 0 {
		t.Errorf("got messages %v to nobody", got)
	}
}
