package auth_test

import (
	"errors"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

// bindNumber binds the user's present number, as their app would.
func bindNumber(t *testing.T, e *authtest.Env, token string) {
	t.Helper()
	err := errors.Join(
		e.BindPhone(t.Context(), e.Key(), token, auth.ChannelSMS), e.VerifyBindPhone(t.Context(), e.Key(), token, auth.ChannelSMS, code),
	)
	if err != nil {
		t.Fatal(err)
	}
}

// TestNumberCoolsOff is B-68 and A-060: where a verified number was replaced by a back end, by who manages the user or, if the tenant says so, by
// the user's own stepped-up session, the new one can be bound, and for a day nobody steps up by it, nor logs in, nor recovers a password.
func TestNumberCoolsOff(t *testing.T) {
	t.Parallel()
	const fresh = "+35699000033"
	byUser := func(t *testing.T, e *authtest.Env) error {
		_, err := e.ChangeMember(t.Context(), e.Key(), raised(t, e, "agnes"), agnes, auth.PersonFields{Phone: phone("+356", "99000033")})
		return err
	}
	byClient := func(t *testing.T, e *authtest.Env) error {
		_, err := e.ChangeUser(t.Context(), e.Admin(), agnes, auth.UserFields{Phone: text(fresh)})
		return err
	}
	byManager := func(t *testing.T, e *authtest.Env) error {
		_, err := e.ChangeMember(t.Context(), e.Key(), raised(t, e, "adam"), agnes, auth.PersonFields{Phone: phone("+356", "99000033")})
		return err
	}
	for name, change := range map[string]func(*testing.T, *authtest.Env) error{
		"by the user": byUser, "by a manager": byManager, "by a client": byClient,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := office(t, authtest.Settings(func(s *auth.Settings) { s.SMS.CoolOwn = name == "by the user" }))
			wantCode(t, change(t, e), none)
			e.Clock.Advance(time.Hour)
			token := tokenFor(t, e, "agnes")
			bindNumber(t, e, token)
			if steppedUp(t, e, token) {
				t.Error("binding the new number has stepped up")
			}
			e.Clock.Advance(time.Minute)
			before := len(sms(t, e, fresh))
			err := e.StepUp(t.Context(), e.Key(), token, auth.ChannelSMS)
			wantCode(t, err, auth.CodeChallengeLimit)
			wantRetry(t, err, 23*time.Hour-time.Minute)
			byEmail := auth.CodeRequest{Kind: auth.ByEmail, Identifier: "agnes@example.com", Channel: auth.ChannelSMS}
			sendCode(t, e, byEmail) // and nobody is told that it was not
			_, err = e.AuthenticateCode(t.Context(), e.App(), auth.CodeLogin{Kind: auth.ByEmail, Identifier: "agnes@example.com", Code: code})
			wantCode(t, err, auth.CodeWrongOTP)
			startReset(t, e, auth.ResetRequest{Channel: auth.ChannelSMS, Kind: auth.ByPhone, Identifier: fresh})
			_, err = e.ProveReset(t.Context(), e.App(), auth.ResetProof{Channel: auth.ChannelSMS, Kind: auth.ByPhone, Identifier: fresh, Code: code})
			wantCode(t, err, auth.CodeRecoveryInvalid)
			if got := len(sms(t, e, fresh)); got != before {
				t.Errorf("%d SMS went to the new number", got-before)
			}
			e.Clock.Advance(23*time.Hour - time.Minute)
			token = raised(t, e, "agnes")
			if !steppedUp(t, e, token) {
				t.Error("the cool-off does not end")
			}
			sendCode(t, e, byEmail)
			if got := len(sms(t, e, fresh)); got != before+2 {
				t.Errorf("afterwards %d SMS went to the new number, want 2", got-before)
			}
		})
	}
}

// TestWhatIsNoChangeOfNumber: a first number, and one in the place of one that was never proved, step up at once; so does any where the tenant
// has no cool-off.
func TestWhatIsNoChangeOfNumber(t *testing.T) {
	t.Parallel()
	unproved := func(s *auth.Setup) {
		for i := range s.Tenants[0].Users {
			if u := &s.Tenants[0].Users[i]; u.ID == rosa {
				u.Phone = "+35699000044"
			}
		}
	}
	for name, tt := range map[string]struct {
		user   auth.UserID
		name   string
		change []func(*auth.Setup)
	}{
		"first":       {mel, "mel", nil},
		"unproved":    {rosa, "rosa", []func(*auth.Setup){unproved}},
		"no cool-off": {agnes, "agnes", []func(*auth.Setup){authtest.Settings(func(s *auth.Settings) { s.SMS.CoolOff = 0 })}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := office(t, tt.change...)
			if _, err := e.ChangeUser(t.Context(), e.Admin(), tt.user, auth.UserFields{Phone: text("+35699000033")}); err != nil {
				t.Fatal(err)
			}
			token := tokenFor(t, e, tt.name)
			bindNumber(t, e, token)
			if !steppedUp(t, e, token) {
				t.Error("binding the number has not stepped up")
			}
		})
	}
}

// TestOwnChangeOfNumber: a change by the user's own stepped-up session is the contract's way to a new number, and steps up at once.
func TestOwnChangeOfNumber(t *testing.T) {
	t.Parallel()
	e := office(t)
	if _, err := e.ChangeMember(t.Context(), e.Key(), raised(t, e, "agnes"), agnes, auth.PersonFields{Phone: phone("+356", "99000033")}); err != nil {
		t.Fatal(err)
	}
	e.Clock.Advance(time.Minute)
	token := tokenFor(t, e, "agnes")
	bindNumber(t, e, token)
	if !steppedUp(t, e, token) {
		t.Error("binding the number has not stepped up")
	}
}

// TestRiskHook is A-060: a service that hears of a swapped SIM locks the user's SMS by /cis. From then on no code by SMS proves anything, not
// even one that is under way, until it unlocks them.
func TestRiskHook(t *testing.T) {
	t.Parallel()
	e := office(t)
	token := tokenFor(t, e, "agnes")
	stepUp(t, e, token)
	wantCode(t, e.LockAuthenticator(t.Context(), e.Admin(), agnes, "sms"), none)
	wantCode(t, prove(t, e, token, code), auth.CodeChallengeLimit)
	e.Clock.Advance(time.Minute)
	before := len(sms(t, e, ""))
	wantCode(t, e.StepUp(t.Context(), e.Key(), token, auth.ChannelSMS), auth.CodeChallengeLimit)
	_, err := e.SendLoginCode(t.Context(), e.App(), auth.CodeRequest{Kind: auth.ByEmail, Identifier: "agnes@example.com", Channel: auth.ChannelSMS})
	wantCode(t, err, auth.CodeLocked)
	startReset(t, e, auth.ResetRequest{Channel: auth.ChannelSMS, Kind: auth.ByPhone, Identifier: "+35699000003"})
	if got := len(sms(t, e, "")); got != before {
		t.Errorf("%d SMS were sent", got-before)
	}
	e.Clock.Advance(30 * 24 * time.Hour)
	token = tokenFor(t, e, "agnes")
	wantCode(t, e.StepUp(t.Context(), e.Key(), token, auth.ChannelSMS), auth.CodeChallengeLimit)
	wantCode(t, e.UnlockAuthenticator(t.Context(), e.Admin(), agnes, "sms"), none)
	stepUp(t, e, token)
	wantCode(t, prove(t, e, token, code), none)
}

// TestRecoveryBySMSAlone is B-68: a code by SMS is not enough for a new password of a user who has a stronger factor.
func TestRecoveryBySMSAlone(t *testing.T) {
	t.Parallel()
	verified := func(s *auth.Setup) { s.Tenants[0].Users[0].PhoneVerified = true }
	device := func(s *auth.Setup) {
		s.Tenants[0].Users[0].Authenticators = []auth.AuthenticatorSetup{
			{Kind: auth.AuthenticatorSMS}, {Kind: auth.AuthenticatorDevice, Channel: auth.ChannelBiometric, Simulated: true},
		}
	}
	phoneOnly := func(s *auth.Setup) {
		s.Tenants[0].Users[0].Authenticators = []auth.AuthenticatorSetup{{Kind: auth.AuthenticatorSMS}}
	}
	alone := authtest.Settings(func(s *auth.Settings) { s.SMS.Alone = true })
	for name, tt := range map[string]struct {
		change  func(*auth.Setup)
		app     bool
		trusted bool
		enough  bool
	}{
		"nothing stronger": {phoneOnly, false, false, true},
		"a device":         {device, false, false, false},
		"an app":           {verified, true, false, false},
		"allowed":          {alone, true, false, true},
		"vouched for":      {verified, true, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := authtest.New(t, verified, tt.change)
			if tt.app {
				newApp(t, e, "ada")
			}
			in := auth.ResetRequest{Channel: auth.ChannelSMS, Kind: auth.ByPhone, Identifier: "+35699111111", Trusted: tt.trusted}
			startReset(t, e, in)
			token, err := e.ProveReset(t.Context(), e.App(), auth.ResetProof{
				Channel: in.Channel, Kind: in.Kind, Identifier: in.Identifier, Code: sms(t, e, in.Identifier)[0].Code,
			})
			if err != nil || token.More == tt.enough {
				t.Fatalf("got %+v, %v", token, err)
			}
			if tt.enough {
				wantCode(t, reset(t, e, token.Text, "N3w-Pa55word!"), none)
				return
			}
			wantCode(t, reset(t, e, token.Text, "N3w-Pa55word!"), auth.CodeStepUpRequired)
			e.Clock.Advance(time.Second)
			startReset(t, e, auth.ResetRequest{Channel: auth.ChannelEmail, Kind: auth.ByEmail, Identifier: adaAddress, Previous: token.Text})
			both := proveReset(t, e, inbox(t, e, adaAddress)[0].Code)
			wantCode(t, reset(t, e, both, "N3w-Pa55word!"), none)
			if _, err := e.LoginPassword(t.Context(), e.Key(), auth.PasswordLogin{
				Kind: auth.ByEmail, Identifier: adaAddress, Password: seal.NewSecret("N3w-Pa55word!"),
			}); err != nil {
				t.Error(err)
			}
		})
	}
}
