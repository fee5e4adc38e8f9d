package auth_test

import (
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

// contract/cis §1.2: a password may come with a username.
func TestAddPasswordWithUsername(t *testing.T) {
	t.Parallel()
	for username, want := range map[string]auth.Code{
		"mary": none, "Ada@example.com": auth.CodeIdentifierInvalid, "two words": auth.CodeIdentifierInvalid, "taken": auth.CodeUserExists,
	} {
		e := authtest.New(t)
		if _, err := e.CreateUser(t.Context(), e.App(), auth.NewUser{Username: "taken"}); err != nil {
			t.Fatal(err)
		}
		set := auth.NewPassword{Value: seal.NewSecret("N3w-Pa55word!"), Username: username}
		err := e.AddPassword(t.Context(), e.App(), authtest.NoPass, set)
		wantCode(t, err, want)
		in := auth.BackendLogin{PasswordLogin: auth.PasswordLogin{Kind: auth.ByUsername, Identifier: "mary", Password: set.Value}}
		if _, err := e.AuthenticatePassword(t.Context(), e.App(), in); (err == nil) != (want == none) {
			t.Errorf("%s: login: %v", username, err)
		}
	}
}
