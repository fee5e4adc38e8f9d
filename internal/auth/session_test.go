package auth_test

import (
	"slices"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

func TestAlive(t *testing.T) {
	t.Parallel()
	const µs = time.Microsecond
	live := auth.LiveSession{
		Session: auth.Session{Epoch: 3, SeenAt: noon, IdleLimit: 5 * time.Minute, EndsAt: noon.Add(time.Hour)},
		User:    auth.User{Epoch: 3, Status: auth.UserActive},
	}
	for _, tt := range []struct {
		name   string
		change func(*auth.LiveSession)
		at     time.Time
		want   bool
	}{
		{"just seen", nil, noon, true},
		{"before the idle limit", nil, noon.Add(5*time.Minute - µs), true},
		{"at the idle limit", nil, noon.Add(5 * time.Minute), false},
		{"before the absolute limit", func(l *auth.LiveSession) { l.Session.SeenAt = noon.Add(59 * time.Minute) }, noon.Add(time.Hour - µs), true},
		{"at the absolute limit", func(l *auth.LiveSession) { l.Session.SeenAt = noon.Add(59 * time.Minute) }, noon.Add(time.Hour), false},
		{"with the clock turned back", nil, noon.Add(-time.Hour), true},
		{"ended", func(l *auth.LiveSession) { l.Session.EndedAt = noon.Add(-µs) }, noon, false},
		{"ended, as a clock ahead of ours has it", func(l *auth.LiveSession) { l.Session.EndedAt = noon.Add(µs) }, noon, false},
		{"of an epoch before", func(l *auth.LiveSession) { l.User.Epoch = 4 }, noon, false},
		{"of an epoch to come", func(l *auth.LiveSession) { l.User.Epoch = 2 }, noon, false},
		{"suspended", func(l *auth.LiveSession) { l.User.Status = auth.UserSuspended }, noon, false},
		{"pending", func(l *auth.LiveSession) { l.User.Status = auth.UserPending }, noon, true},
		{"locked is no end", func(l *auth.LiveSession) { l.LockedUntil = noon.Add(time.Hour) }, noon, true},
	} {
		l := live
		if tt.change != nil {
			tt.change(&l)
		}
		if got := l.Alive(tt.at); got != tt.want {
			t.Errorf("%s: got %t, want %t", tt.name, got, tt.want)
		}
	}
	if (auth.LiveSession{}).Alive(noon) {
		t.Error("the zero session is alive")
	}
}

func TestAMR(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ methods, want []string }{
		{nil, nil},
		{[]string{"pwd"}, []string{"pwd"}},
		{[]string{"pwd", "pwd"}, []string{"pwd"}},
		{[]string{"pwd", "otp", "pwd"}, []string{"pwd", "otp", "mfa"}},
	} {
		var s auth.Session
		for _, m := range tt.methods {
			s.Methods = append(s.Methods, auth.Method(m))
		}
		if got := s.AMR(); !slices.Equal(got, tt.want) {
			t.Errorf("%v: got %v, want %v", tt.methods, got, tt.want)
		}
	}
}

func TestLoginPassword(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	for _, tt := range []struct {
		name, password string
		want           auth.Code
	}{
		{"ada", authtest.Password, none},
		{"ADA", authtest.Password, none},
		{"ada", "pa55word!", auth.CodeWrongPassword},
		{"ada", authtest.Password + " ", auth.CodeWrongPassword},
		{"ada", "", auth.CodeWrongPassword},
		{"stranger", authtest.Password, auth.CodeUnknownUser},
		{"mary", authtest.Password, auth.CodeNoPassword},
		{"annie", authtest.Password, auth.CodeSuspended},
		{"annie", "wrong", auth.CodeWrongPassword},
		{"grace", authtest.Password, auth.CodePasswordExpired},
		{"alan", authtest.Password, auth.CodePasswordTemp},
		{"a b", authtest.Password, auth.CodeIdentifierInvalid},
	} {
		l, err := e.LoginPassword(t.Context(), e.Key(), byEmail(tt.name, tt.password))
		if got := codeOf(err); got != tt.want {
			t.Errorf("%s with %q: got %v, want %v", tt.name, tt.password, got, tt.want)
		}
		if (err == nil) != (l.Token != "") {
			t.Errorf("%s with %q: the token is %q", tt.name, tt.password, l.Token)
		}
	}
}

// TestKindOfTheFirstToken is contract/multi §3.1: ACCESS for the only identity, AUTH to choose among several.
func TestKindOfTheFirstToken(t *testing.T) {
	t.Parallel()
	auto := authtest.New(t)
	always := authtest.New(t, authtest.Settings(func(s *auth.Settings) { s.LoginToken = auth.LoginTokenAuth }))
	for _, tt := range []struct {
		e        *authtest.Env
		name     string
		kind     auth.TokenKind
		identity string
	}{
		{auto, "ada", auth.TokenAccess, "CONSUMER:1001"},
		{auto, "charles", auth.TokenAuth, "CORPORATE:2001"},
		{auto, "nobody", auth.TokenAuth, ":"},
		{always, "ada", auth.TokenAuth, "CONSUMER:1001"},
	} {
		l := login(t, tt.e, tt.name)
		if l.Kind != tt.kind || l.Membership.Identity.Ref.String() != tt.identity {
			t.Errorf("%s: got %s for %s, want %s for %s", tt.name, l.Kind, l.Membership.Identity.Ref, tt.kind, tt.identity)
		}
		b, err := tt.e.Authenticate(t.Context(), tt.e.Key(), l.Token, tt.kind)
		if err != nil || b.User.ID != l.User {
			t.Errorf("%s: the token is %v's (%v)", tt.name, b.User.ID, err)
		}
	}
}

func TestEveryLoginHasASessionOfItsOwn(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	first, second := login(t, e, "ada"), login(t, e, "ada")
	if first.Token == second.Token {
		t.Error("two logins gave one token")
	}
	if err := e.Logout(t.Context(), e.Key(), first.Token); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Identities(t.Context(), e.Key(), second.Token); err != nil {
		t.Errorf("the other session ended too: %v", err)
	}
}

func TestIdentities(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	for name, want := range map[string][]string{
		"ada": {"CONSUMER:1001 ROOT Ada Lovelace"}, "nobody": nil,
		"charles": {"CORPORATE:2001 ROOT Analytical Engines Ltd", "CORPORATE:2002 USER Difference Engines Ltd"},
	} {
		ms, err := e.Identities(t.Context(), e.Key(), login(t, e, name).Token)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, m := range ms {
			got = append(got, m.Identity.Ref.String()+" "+string(m.Credential)+" "+m.Identity.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// TestIdleLimit is A-035: five minutes after the last activity, to the microsecond, but for what went unwritten.
func TestIdleLimit(t *testing.T) { // A-037 B-31
	t.Parallel()
	e := authtest.New(t)
	use := func(token string) auth.Code {
		_, err := e.Identities(t.Context(), e.Key(), token)
		return codeOf(err)
	}
	early, late := login(t, e, "ada").Token, login(t, e, "charles").Token
	e.Clock.Advance(5*time.Minute - time.Microsecond)
	if got := use(early); got != none {
		t.Errorf("a moment before: got %v", got)
	}
	e.Clock.Advance(time.Microsecond)
	if got := use(late); got != auth.CodeInvalidToken {
		t.Errorf("five minutes after the login: got %v", got)
	}
	for range 3 {
		e.Clock.Advance(5*time.Minute - 2*time.Second)
		if got := use(early); got != none {
			t.Errorf("with activity: got %v", got)
		}
	}
	e.Clock.Advance(5 * time.Minute)
	if got := use(early); got != auth.CodeInvalidToken {
		t.Errorf("five minutes after the last activity: got %v", got)
	}
}

// TestActivityIsWritten: a second after what was last written, activity counts again.
func TestActivityIsWritten(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	token := login(t, e, "ada").Token
	for _, step := range []time.Duration{time.Second, 5*time.Minute - time.Microsecond} {
		e.Clock.Advance(step)
		if _, err := e.Identities(t.Context(), e.Key(), token); err != nil {
			t.Fatalf("after %v more: %v", step, err)
		}
	}
}

// TestUnwrittenActivityEndsASessionEarly: what is spared of writes may shorten a session, and never prolong it.
func TestUnwrittenActivityEndsASessionEarly(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	token := login(t, e, "ada").Token
	e.Clock.Advance(time.Second - time.Microsecond)
	if _, err := e.Identities(t.Context(), e.Key(), token); err != nil {
		t.Fatal(err)
	}
	e.Clock.Advance(5*time.Minute - time.Second + time.Microsecond)
	_, err := e.Identities(t.Context(), e.Key(), token)
	wantCode(t, err, auth.CodeInvalidToken)
}

// TestAbsoluteLimit is A-036.
func TestAbsoluteLimit(t *testing.T) { // A-037 B-30 B-31
	t.Parallel()
	e := authtest.New(t, authtest.Settings(func(s *auth.Settings) { s.Session.AbsoluteLimit = 12 * time.Minute }))
	token := login(t, e, "ada").Token
	for range 3 {
		e.Clock.Advance(4*time.Minute - time.Microsecond)
		if _, err := e.Identities(t.Context(), e.Key(), token); err != nil {
			t.Fatal(err)
		}
	}
	e.Clock.Advance(3 * time.Microsecond)
	_, err := e.Identities(t.Context(), e.Key(), token)
	wantCode(t, err, auth.CodeInvalidToken)
}
