package auth_test

import (
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

// TestRestoredVoidsWhatWasOpen is C-27: after a restore no session, token, refresh family or code of before is good, and locks hold.
func TestRestoredVoidsWhatWasOpen(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	if err := e.EnsureKeys(t.Context(), "ES256"); err != nil {
		t.Fatal(err)
	}
	token, set := login(t, e, "ada").Token, authenticate(t, e, "ada")
	if err := e.StartRecovery(t.Context(), e.Key(), "ada@example.com"); err != nil {
		t.Fatal(err)
	}
	items, err := e.Inbox(t.Context(), "ada@example.com", 1)
	if err != nil || len(items) != 1 {
		t.Fatalf("got %v, %v", items, err)
	}
	fail(t, e, "charles", 5)
	n, err := e.Restored(t.Context())
	if err != nil || n < 7 {
		t.Fatalf("got %d users, %v", n, err)
	}
	_, err = e.Identities(t.Context(), e.Key(), token)
	wantCode(t, err, auth.CodeInvalidToken)
	_, err = e.Refresh(t.Context(), e.App(), set.RefreshToken)
	wantCode(t, err, auth.CodeInvalidRefresh)
	_, err = e.ResumeRecovery(t.Context(), e.Key(), auth.Recovery{Email: "ada@example.com", Code: items[0].Code, Password: seal.NewSecret("N3w-Pa55word!")})
	wantCode(t, err, auth.CodeRecoveryInvalid)
	_, err = e.LoginPassword(t.Context(), e.Key(), byEmail("charles", authtest.Password))
	wantCode(t, err, auth.CodeLocked)
	if got := count(events(t, e), "restored"); got != 1 {
		t.Errorf("got %d events of the tenant, want 1", got)
	}
	login(t, e, "ada")
}
