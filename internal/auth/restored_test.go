package auth_test

import (
	"database/sql"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

// TestRestoredVoidsWhatWasOpen is C-27, and C-17 where a server notices by itself: no session, token, refresh family or code of before is good,
// and locks hold.
func TestRestoredVoidsWhatWasOpen(t *testing.T) {
	t.Parallel()
	for kind, void := range map[string]func(*authtest.Env) (int, error){
		"restored": func(e *authtest.Env) (int, error) { return e.Restored(t.Context()) },
		"rewound":  func(e *authtest.Env) (int, error) { return e.Rewound(t.Context(), "how it was seen") },
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			testVoids(t, kind, void)
		})
	}
}

func testVoids(t *testing.T, kind string, void func(*authtest.Env) (int, error)) {
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
	n, err := void(e)
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
	if got := count(events(t, e), kind); got != 1 {
		t.Errorf("got %d events of the tenant, want 1", got)
	}
	login(t, e, "ada")
}

// TestAnOlderDirectoryIsReread: what a database that is behind says counts, though its revision is below that of before.
func TestAnOlderDirectoryIsReread(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	before := len(e.APIKeys(authtest.Demo))
	if _, err := e.CreateAPIKey(t.Context(), authtest.Demo, "lost"); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", e.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{"DELETE FROM api_keys WHERE id = 'lost'", "UPDATE directory SET revision = revision - 1"} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Reload(t.Context()); err != nil || len(e.APIKeys(authtest.Demo)) != before+1 {
		t.Errorf("reloaded: %d keys, %v", len(e.APIKeys(authtest.Demo)), err)
	}
	if err := e.Reread(t.Context()); err != nil || len(e.APIKeys(authtest.Demo)) != before {
		t.Errorf("reread: %d keys, %v; want %d", len(e.APIKeys(authtest.Demo)), err, before)
	}
}
