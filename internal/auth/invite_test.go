package auth_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

// invited is a domain in which Mary acts for Charles's corporate and has no password yet, and Grace acts for it with one.
func invited(t *testing.T, change ...func(*auth.Setup)) *authtest.Env {
	t.Helper()
	return authtest.New(t, append(change, func(s *auth.Setup) {
		for i := range s.Tenants[0].Users {
			switch u := &s.Tenants[0].Users[i]; u.ID {
			case authtest.NoPass:
				u.UserOf, u.EmailVerified = []auth.IdentityRef{engines}, false
			case authtest.Nobody:
				u.UserOf = []auth.IdentityRef{engines}
			}
		}
	})...)
}

// access logs a user in and gets a token that acts for Charles's corporate.
func access(t *testing.T, e *authtest.Env, name string) string {
	t.Helper()
	a, err := e.AccessToken(t.Context(), e.Key(), login(t, e, name).Token, engines)
	if err != nil {
		t.Fatal(err)
	}
	return a.Token
}

func invite(t *testing.T, e *authtest.Env) {
	t.Helper()
	if err := e.Invite(t.Context(), e.Key(), access(t, e, "charles"), authtest.NoPass); err != nil {
		t.Fatal(err)
	}
}

func proof(code string) auth.InviteProof {
	return auth.InviteProof{User: authtest.NoPass, Code: code, Password: seal.NewSecret(newPass)}
}

func TestInvite(t *testing.T) {
	t.Parallel()
	e := invited(t)
	invite(t, e)
	got := inbox(t, e, "mary@example.com")
	want := "https://auth.example/invite/consume?user_id=1005&nonce=123456"
	if len(got) != 1 || got[0].Link != want || got[0].Template != auth.TemplateInvite {
		t.Fatalf("got %+v, want one with %s", got, want)
	}
	if err := e.ValidateInvite(t.Context(), e.Key(), proof(sentCode)); err != nil {
		t.Errorf("validate: %v", err)
	}
	e.Clock.Advance(auth.InviteFor - time.Microsecond)
	l, err := e.ConsumeInvite(t.Context(), e.Key(), proof(sentCode))
	if err != nil {
		t.Fatal(err)
	}
	if l.Kind != auth.TokenAccess || l.Membership.Identity.Ref != engines || l.Membership.Credential != auth.Member {
		t.Errorf("got %+v", l)
	}
	if _, err := e.LoginPassword(t.Context(), e.Key(), byEmail("mary", newPass)); err != nil {
		t.Errorf("login with the new password: %v", err)
	}
	if a, err := e.User(t.Context(), e.App(), authtest.NoPass); err != nil || a.User.EmailVerifiedAt.IsZero() {
		t.Errorf("the address that the invite came to is not verified (%v)", err)
	}
	wantCode(t, e.ValidateInvite(t.Context(), e.Key(), proof(sentCode)), auth.CodeInviteInvalid)
	_, err = e.ConsumeInvite(t.Context(), e.Key(), proof(sentCode))
	wantCode(t, err, auth.CodeInviteInvalid)
	wantCode(t, e.Invite(t.Context(), e.Key(), access(t, e, "charles"), authtest.NoPass), auth.CodeInviteConsumed)
}

// TestWhoMayInvite: the root user, and two of the roles; nobody learns of users of others.
func TestWhoMayInvite(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		roles []auth.Role
		user  auth.UserID
		want  auth.Code
	}{
		{"charles", nil, authtest.NoPass, none},
		{"charles", nil, authtest.Ada, auth.CodeUserNotFound},
		{"charles", nil, "9", auth.CodeUserNotFound},
		{"charles", nil, authtest.Charles, auth.CodeNotPermitted},
		{"nobody", nil, authtest.Nobody, auth.CodeNotPermitted},
		{"nobody", []auth.Role{auth.RoleAdmin}, authtest.Charles, auth.CodeNotPermitted},
		{"nobody", nil, authtest.NoPass, auth.CodeNotPermitted},
		{"nobody", nil, "9", auth.CodeNotPermitted},
		{"nobody", []auth.Role{auth.RoleCardAssignee, auth.RoleCardsManagement, auth.RoleFundsManagement}, authtest.NoPass, auth.CodeNotPermitted},
		{"nobody", []auth.Role{auth.RoleAccessManagement}, authtest.NoPass, none},
		{"nobody", []auth.Role{auth.RoleAdmin}, authtest.NoPass, none},
		{"nobody", []auth.Role{auth.RoleAdmin}, authtest.Ada, auth.CodeUserNotFound},
	} {
		e := invited(t)
		if len(tt.roles) > 0 {
			m := auth.Membership{Tenant: authtest.Demo, User: authtest.Nobody, Identity: auth.Identity{Ref: engines}, Roles: tt.roles}
			if err := e.Store.Write(t.Context(), func(w auth.Writes) error { return w.PutMembership(m) }); err != nil {
				t.Fatal(err)
			}
		}
		if got := codeOf(e.Invite(t.Context(), e.Key(), access(t, e, tt.name), tt.user)); got != tt.want {
			t.Errorf("%s with %v for %s: got %v, want %v", tt.name, tt.roles, tt.user, got, tt.want)
		}
	}
	e := invited(t)
	wantCode(t, e.Invite(t.Context(), e.Key(), login(t, e, "charles").Token, authtest.NoPass), auth.CodeWrongTokenKind)
	if err := e.Suspend(t.Context(), authtest.Demo, authtest.NoPass); err != nil {
		t.Fatal(err)
	}
	wantCode(t, e.Invite(t.Context(), e.Key(), access(t, e, "charles"), authtest.NoPass), auth.CodeNotPermitted)
}

func TestInvitesEnd(t *testing.T) { // A-080 B-47
	t.Parallel()
	for name, do := range map[string]func(*testing.T, *authtest.Env){
		"never sent":   nil,
		"at its time":  func(_ *testing.T, e *authtest.Env) { e.Clock.Advance(auth.InviteFor) },
		"suspended":    func(t *testing.T, e *authtest.Env) { _ = e.Suspend(t.Context(), authtest.Demo, authtest.NoPass) },
		"has password": func(t *testing.T, e *authtest.Env) { _ = second(create(t, e, authtest.NoPass, "0ther-Pa55word!")) },
		"three wrong": func(t *testing.T, e *authtest.Env) {
			for range 2 {
				wantCode(t, e.ValidateInvite(t.Context(), e.Key(), proof(wrongCode)), auth.CodeInviteInvalid)
			}
			wantCode(t, second(e.ConsumeInvite(t.Context(), e.Key(), proof(wrongCode))), auth.CodeInviteInvalid)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := invited(t)
			if do != nil {
				invite(t, e)
				do(t, e)
			}
			wantCode(t, e.ValidateInvite(t.Context(), e.Key(), proof(sentCode)), auth.CodeInviteInvalid)
			wantCode(t, second(e.ConsumeInvite(t.Context(), e.Key(), proof(sentCode))), auth.CodeInviteInvalid)
		})
	}
	e := invited(t)
	stranger := proof(sentCode)
	stranger.User = "9"
	wantCode(t, e.ValidateInvite(t.Context(), e.Key(), stranger), auth.CodeInviteInvalid)
}

// TestRefusedInviteLeavesTheCode: what is refused for another reason than the code.
func TestRefusedInviteLeavesTheCode(t *testing.T) {
	t.Parallel()
	e := invited(t)
	invite(t, e)
	for _, tt := range []struct {
		password string
		phone    *auth.PhoneNumber
		want     auth.Code
	}{
		{"Sh0rt!", nil, auth.CodePasswordTooShort},
		{"simplepassword", nil, auth.CodePasswordTooSimple},
		{newPass, &auth.PhoneNumber{Country: "+356", Number: "1"}, auth.CodePhoneMalformed},
		{newPass, &auth.PhoneNumber{Country: "+999", Number: "99222222"}, auth.CodePhoneMalformed},
	} {
		in := proof(sentCode)
		in.Password, in.Phone = seal.NewSecret(tt.password), tt.phone
		if got := codeOf(second(e.ConsumeInvite(t.Context(), e.Key(), in))); got != tt.want {
			t.Errorf("%s %v: got %v, want %v", tt.password, tt.phone, got, tt.want)
		}
	}
	in := proof(sentCode)
	in.Phone = &auth.PhoneNumber{Country: "+356", Number: "99222222"}
	if _, err := e.ConsumeInvite(t.Context(), e.Key(), in); err != nil {
		t.Fatal(err)
	}
	if a, err := e.User(t.Context(), e.App(), authtest.NoPass); err != nil || a.User.Phone != "+35699222222" || !a.User.PhoneVerifiedAt.IsZero() {
		t.Errorf("got the number %q, verified %v (%v)", a.User.Phone, a.User.PhoneVerifiedAt, err)
	}
}

// TestInviteOnce is B-15.
func TestInviteOnce(t *testing.T) {
	t.Parallel()
	e := invited(t, authtest.Settings(func(s *auth.Settings) { s.RateLimits = false }))
	invite(t, e)
	services := []*auth.Service{e.Service, e.Another(t, nil)}
	var wg sync.WaitGroup
	var mu sync.Mutex
	successes := 0
	for i := range 50 {
		wg.Go(func() {
			in := proof(sentCode)
			in.Password = seal.NewSecret(fmt.Sprintf("N3w-Pa55word-%d", i))
			if _, err := services[i%2].ConsumeInvite(t.Context(), e.Key(), in); err == nil {
				mu.Lock()
				defer mu.Unlock()
				successes++
			} else if code := codeOf(err); code != auth.CodeInviteInvalid && code != auth.CodePasswordExists {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if successes != 1 {
		t.Errorf("got %d successes, want 1", successes)
	}
}

// TestInvitesAreFew: three without an hour's pause.
func TestInvitesAreFew(t *testing.T) {
	t.Parallel()
	e := invited(t)
	for i := range 3 {
		invite(t, e)
		wantCode(t, e.Invite(t.Context(), e.Key(), access(t, e, "charles"), authtest.NoPass), auth.CodeThrottled)
		e.Clock.Advance(time.Duration(i+1) * 15 * time.Second)
	}
	err := e.Invite(t.Context(), e.Key(), access(t, e, "charles"), authtest.NoPass)
	wantCode(t, err, auth.CodeThrottled)
	wantRetry(t, err, time.Hour-45*time.Second)
	e.Clock.Advance(time.Hour)
	invite(t, e)
	if err := e.ValidateInvite(t.Context(), e.Key(), proof(sentCode)); err != nil {
		t.Errorf("validate: %v", err)
	}
}

func create(t *testing.T, e *authtest.Env, id auth.UserID, password string) (auth.PasswordUpdate, error) {
	t.Helper()
	return e.CreatePassword(t.Context(), e.Key(), id, seal.NewSecret(password))
}

func TestCreatePassword(t *testing.T) {
	t.Parallel()
	e := invited(t)
	for _, tt := range []struct {
		id       auth.UserID
		password string
		want     auth.Code
	}{
		{"9", newPass, auth.CodeUserNotFound},
		{authtest.Suspended, newPass, auth.CodeNotPermitted},
		{authtest.Temporary, newPass, auth.CodeActsForNobody},
		{authtest.Ada, newPass, auth.CodePasswordExists},
		{authtest.NoPass, "Sh0rt!", auth.CodePasswordTooShort},
		{authtest.NoPass, newPass, none},
		{authtest.NoPass, newPass, auth.CodePasswordExists},
	} {
		p, err := create(t, e, tt.id, tt.password)
		if got := codeOf(err); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.id, got, tt.want)
		}
		if err == nil && (p.Kind != auth.TokenAccess || second(e.Identities(t.Context(), e.Key(), p.Token)) != nil) {
			t.Errorf("got %+v", p)
		}
	}
	e = invited(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[auth.Code]int{}
	for range 16 {
		wg.Go(func() {
			_, err := create(t, e, authtest.NoPass, newPass)
			mu.Lock()
			defer mu.Unlock()
			got[codeOf(err)]++
		})
	}
	wg.Wait()
	if got[none] != 1 || got[auth.CodePasswordExists] != 15 {
		t.Errorf("got %v, want one success and 15 refusals", got)
	}
}

// TestValidatePasswordLeavesNothing: it tells what the policy says, and writes nothing.
func TestValidatePasswordLeavesNothing(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	for password, want := range map[string]auth.Code{newPass: none, "Sh0rt!": auth.CodePasswordTooShort, "password-of-old": auth.CodePasswordTooSimple} {
		if got := codeOf(e.ValidatePassword(t.Context(), e.Key(), seal.NewSecret(password))); got != want {
			t.Errorf("%s: got %v, want %v", password, got, want)
		}
	}
	if list := events(t, e); len(list) > 0 {
		t.Errorf("got the events %q", list)
	}
}

// TestRepeatedInviteProof: a call that is repeated with its idempotency-ref counts a wrong code once, and uses a right one once.
func TestRepeatedInviteProof(t *testing.T) {
	t.Parallel()
	e := invited(t)
	invite(t, e)
	call := func(ref, code string) error {
		by := e.Key()
		by.Once = &auth.Once{Operation: "POST consume", Ref: ref, Digest: [32]byte{1}, Encode: func(_ any, no *auth.Error) (int, []byte) {
			if no != nil {
				return 409, []byte(no.Code.String())
			}
			return 200, []byte("token")
		}}
		return second(e.ConsumeInvite(t.Context(), by, proof(code)))
	}
	wantReplay := func(err error, status int) {
		t.Helper()
		var refusal *auth.Error
		if !errors.As(err, &refusal) || refusal.Code != auth.CodeReplayed || refusal.Replay.Status != status {
			t.Errorf("got %v, want the first answer again, %d", err, status)
		}
	}
	wantCode(t, call("a", wrongCode), auth.CodeInviteInvalid)
	for range 5 {
		wantReplay(call("a", wrongCode), 409)
	}
	wantCode(t, call("b", sentCode), none)
	wantReplay(call("b", sentCode), 200)
}

// TestInviteThatReplacesANumber: who reads the mailbox and gives another number than the user's verified one is told of to both, and codes to
// it prove nothing for a while, as after any such change.
func TestInviteThatReplacesANumber(t *testing.T) {
	t.Parallel()
	const former, given = "+35699111222", "+35699111333"
	e := invited(t, func(s *auth.Setup) {
		for i := range s.Tenants[0].Users {
			if u := &s.Tenants[0].Users[i]; u.ID == authtest.NoPass {
				u.Phone, u.PhoneVerified = former, true
			}
		}
	})
	invite(t, e)
	in := proof(sentCode)
	in.Phone = &auth.PhoneNumber{Country: "+356", Number: "99111333"}
	if _, err := e.ConsumeInvite(t.Context(), e.Key(), in); err != nil {
		t.Fatal(err)
	}
	a, err := e.User(t.Context(), e.App(), authtest.NoPass)
	if now := e.Clock.Now(); err != nil || a.User.Phone != given || !a.User.PhoneVerifiedAt.IsZero() ||
		!a.User.PhoneChangedAt.Equal(now) || a.User.EmailVerifiedAt.IsZero() {
		t.Errorf("got %+v, %v", a.User, err)
	}
	for _, to := range []string{former, "mary@example.com"} {
		if mailed(t, e, to, auth.TemplatePhoneChanged) != 1 {
			t.Errorf("%s was not told", to)
		}
	}
	if got := kinds(t, e, authtest.NoPass); !slices.Contains(got, auth.EventUserChanged) {
		t.Errorf("events: got %v", got)
	}
}
