package auth_test

import (
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// TestFirstFactorIsSpentOnce: of parallel second factors that were begun with one first, one gets a token that is good for a password.
func TestFirstFactorIsSpentOnce(t *testing.T) { // A-079 A-080
	t.Parallel()
	e := authtest.New(t)
	setMethods(t, e, func(m *auth.Methods) {
		p := auth.DefaultPasswordMethod()
		p.TwoFactors = true
		m.Password = &p
	})
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
