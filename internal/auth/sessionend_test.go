package auth_test

import (
	"context"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

// TestSessionThatEndedBindsNothing: a bearer who was let in a moment before their session ended changes nothing that outlives it. A stranger
// whom a change of password throws out would else come back by what they bound.
func TestSessionThatEndedBindsNothing(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(context.Context, *authtest.Env, auth.LiveSession) error{
		"a new password": func(ctx context.Context, e *authtest.Env, _ auth.LiveSession) error {
			return e.ReplacePassword(ctx, e.App(), authtest.Ada, auth.NewPassword{Value: seal.NewSecret(newPass)})
		},
		"a logout": func(ctx context.Context, e *authtest.Env, live auth.LiveSession) error {
			return e.LogoutSession(ctx, e.App(), live.Session.ID)
		},
		"a suspension": func(ctx context.Context, e *authtest.Env, _ auth.LiveSession) error {
			return e.Suspend(ctx, authtest.Demo, authtest.Ada)
		},
	} {
		for what, bind := range ownChanges() {
			t.Run(what+" after "+name, func(t *testing.T) {
				t.Parallel()
				e := authtest.New(t, func(s *auth.Setup) { s.Tenants[0].Users[0].EmailVerified = false })
				live := adaOn(t, e)
				if err := end(t.Context(), e, live); err != nil {
					t.Fatal(err)
				}
				wantCode(t, bind(t, e, live), auth.CodeInvalidToken)
			})
		}
	}
}

// ownChanges are the changes that users of /cis make themselves.
func ownChanges() map[string]func(*testing.T, *authtest.Env, auth.LiveSession) error {
	return map[string]func(*testing.T, *authtest.Env, auth.LiveSession) error{
		"an app": func(t *testing.T, e *authtest.Env, live auth.LiveSession) error {
			return second(e.RegisterTOTP(t.Context(), e.App(), live, "", false))
		},
		"no app": func(t *testing.T, e *authtest.Env, live auth.LiveSession) error {
			return e.RevokeTOTP(t.Context(), e.App(), live)
		},
		"a key": func(t *testing.T, e *authtest.Env, live auth.LiveSession) error {
			in := auth.KeyRegistration{ID: "phone", Public: spki(t, &ecSigner(t).PublicKey), Type: auth.KeyEC}
			return e.RegisterKey(t.Context(), e.App(), live, in)
		},
		"a password": func(t *testing.T, e *authtest.Env, live auth.LiveSession) error {
			return e.AddOwnPassword(t.Context(), e.App(), live, seal.NewSecret(newPass), "")
		},
		"no passkey": func(t *testing.T, e *authtest.Env, live auth.LiveSession) error {
			return e.DropOwnPasskey(t.Context(), e.App(), live, "any")
		},
		"an address": func(t *testing.T, e *authtest.Env, live auth.LiveSession) error {
			return e.SendContactCode(t.Context(), e.App(), live, auth.ByEmail, "ada@example.com")
		},
		"a proved address": func(t *testing.T, e *authtest.Env, live auth.LiveSession) error {
			return e.ProveContact(t.Context(), e.App(), live, auth.ContactProof{Kind: auth.ByEmail, Value: "ada@example.com", Code: sentCode})
		},
	}
}
