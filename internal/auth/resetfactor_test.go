package auth_test

import (
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// askTwoFactors has a reset ask for two factors.
func askTwoFactors(t *testing.T, e *authtest.Env) {
	t.Helper()
	setMethods(t, e, func(m *auth.Methods) {
		p := auth.DefaultPasswordMethod()
		p.TwoFactors = true
		m.Password = &p
	})
}

// TestFirstFactorIsSpentOnce: of parallel second factors that were begun with one first, one gets a token that is good for a password.
func TestFirstFactorIsSpentOnce(t *testing.T) { // A-079 A-080
	t.Parallel()
	e := authtest.New(t)
	askTwoFactors(t, e)
	startReset(t, e, auth.ResetRequest{Channel: auth.ChannelEmail, Kind: auth.ByEmail, Identifier: adaAddress})
	first := proveReset(t, e, sentCode)
	wantCode(t, reset(t, e, first, "N3w-Pa55word!"), auth.CodeStepUpRequired)
	got := winners(8, func() error {
		token, err := e.ProveOldPassword(t.Context(), auth.Via{}, "app", byUsername("ada", authtest.Password), first)
		if err == nil && token.More {
			t.Error("got a token that asks for more, want one of two factors")
		}
		return err
	})
	if got != 1 {
		t.Errorf("got %d tokens for one first factor, want 1", got)
	}
	wantCode(t, reset(t, e, first, "N3w-Pa55word!"), auth.CodeRecoveryInvalid)
}

// TestBeginningAnewVoidsTheLink that another factor was begun with: neither a password nor another factor comes of it, nor does the code that
// was sent on the strength of it stand for two.
func TestBeginningAnewVoidsTheLink(t *testing.T) {
	t.Parallel()
	bySMS := auth.ResetRequest{Channel: auth.ChannelSMS, Kind: auth.ByPhone, Identifier: adaPhone}
	e := authtest.New(t, withRedirect, func(s *auth.Setup) { s.Tenants[0].Users[0].PhoneVerified = true })
	askTwoFactors(t, e)
	link := handedLink(t, e, "ada")
	e.Clock.Advance(time.Minute)
	further := bySMS
	further.Previous = link
	startReset(t, e, further)
	wantCode(t, reset(t, e, link, newPass), auth.CodeStepUpRequired)

	e.Clock.Advance(time.Minute)
	startReset(t, e, bySMS)
	wantCode(t, reset(t, e, link, newPass), auth.CodeRecoveryInvalid)
	_, err := e.ProveOldPassword(t.Context(), auth.Via{}, "app", byUsername("ada", authtest.Password), link)
	wantCode(t, err, auth.CodeRecoveryInvalid)
	e.Clock.Advance(time.Minute)
	wantCode(t, e.StartReset(t.Context(), e.App(), further), auth.CodeRecoveryInvalid)
	token, err := e.ProveReset(t.Context(), e.App(), auth.ResetProof{
		Channel: auth.ChannelSMS, Kind: auth.ByPhone, Identifier: adaPhone, Code: sentCode,
	})
	if err != nil || !token.More {
		t.Errorf("the new code: %+v, %v; want one factor of two", token, err)
	}
}

// TestSecondFactorByAClockThatIsBehind: the code of a second factor is taken, also when another node, or this one before its clock was set
// back, made the first one later.
func TestSecondFactorByAClockThatIsBehind(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]func(*testing.T, *authtest.Env) string{
		"a link": func(t *testing.T, e *authtest.Env) string { return handedLink(t, e, "ada") },
		"a code": func(t *testing.T, e *authtest.Env) string {
			startReset(t, e, auth.ResetRequest{Channel: auth.ChannelEmail, Kind: auth.ByEmail, Identifier: adaAddress})
			return proveReset(t, e, sentCode)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := authtest.New(t, withRedirect, func(s *auth.Setup) { s.Tenants[0].Users[0].PhoneVerified = true })
			askTwoFactors(t, e)
			previous := first(t, e)
			e.Clock.Advance(-time.Second)
			startReset(t, e, auth.ResetRequest{Channel: auth.ChannelSMS, Kind: auth.ByPhone, Identifier: adaPhone, Previous: previous})
			token, err := e.ProveReset(t.Context(), e.App(), auth.ResetProof{
				Channel: auth.ChannelSMS, Kind: auth.ByPhone, Identifier: adaPhone, Code: sentCode,
			})
			if err != nil || token.More {
				t.Errorf("got %+v, %v; want a token of two factors", token, err)
			}
		})
	}
}
