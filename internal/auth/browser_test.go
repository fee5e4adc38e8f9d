package auth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

// verifier is that of the challenges in these tests (RFC 7636, Appendix B).
const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

// tab is a browser, which keeps what it is given.
type tab struct {
	session string
	asked   []auth.AuthorizationStep // what its user was asked for, since the last authorization began
}

func (b *tab) cookies() auth.Browser {
	return auth.Browser{Form: "a form's cookie", Session: func(auth.TenantID) string { return b.session }}
}

func asking(scopes []string, prompts ...string) auth.AuthorizationRequest {
	sum := sha256.Sum256([]byte(verifier))
	return auth.AuthorizationRequest{
		Client: "app", RedirectURI: frontCallback, ResponseType: "code", Scopes: scopes, Prompts: prompts, Nonce: "n-1",
		Challenge: base64.RawURLEncoding.EncodeToString(sum[:]), ChallengeMethod: "S256",
	}
}

// authorize takes Ada through the login page, as far as it asks for what she can give, and returns her client's code.
func (b *tab) authorize(t *testing.T, e *authtest.Env, in auth.AuthorizationRequest) string {
	t.Helper()
	b.asked = nil
	at, err := e.Authorize(t.Context(), in, b.cookies(), auth.Via{})
	for range 4 {
		if err != nil || at.Refused != nil {
			t.Fatalf("at %s: %v, %v", at.Step, err, at.Refused)
		}
		if at.Session != "" {
			b.session = at.Session
		}
		answer := auth.PageAnswer{Form: at.Form}
		switch at.Step {
		case auth.StepDone:
			return at.Code
		case auth.StepPassword:
			answer.Identifier, answer.Password = "ada", seal.NewSecret(authtest.Password)
		}
		b.asked = append(b.asked, at.Step)
		at, err = e.Answer(t.Context(), answer, b.cookies(), auth.Via{})
	}
	t.Fatalf("the page asked for %v and did not end", b.asked)
	return ""
}

// browserCode is the code of a new browser.
func browserCode(t *testing.T, e *authtest.Env, scopes []string, prompts ...string) string {
	t.Helper()
	return new(tab).authorize(t, e, asking(scopes, prompts...))
}

func base64Of(raw []byte) string { return base64.StdEncoding.EncodeToString(raw) }
