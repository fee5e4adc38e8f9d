package auth_test

import (
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

// TestDeletedMeanwhile deletes a user after each call of the store in turn that something makes which is done for them. It then does it or says
// why not, and never that the fault is ours.
func TestDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	next := auth.NewPassword{Value: seal.NewSecret("N3w-Pa55word!")}
	for name, c := range map[string]struct {
		user  auth.UserID // empty: one who has not logged in yet
		do    func(s *auth.Service, e *authtest.Env, id auth.UserID) error
		early auth.Code // when they are deleted right after they were read
	}{
		"login": {"", func(s *auth.Service, e *authtest.Env, _ auth.UserID) error {
			_, err := s.LoginPassword(t.Context(), e.Key(), byEmail("eve", "Pa55word!"))
			return err
		}, auth.CodeWrongPassword},
		"login of a member": {authtest.Ada, func(s *auth.Service, e *authtest.Env, _ auth.UserID) error {
			_, err := s.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password))
			return err
		}, none}, // with a token that is good for nothing
		"access token": {authtest.Charles, func(s *auth.Service, e *authtest.Env, _ auth.UserID) error {
			l, err := s.LoginPassword(t.Context(), e.Key(), byEmail("charles", authtest.Password))
			if err == nil {
				_, err = s.AccessToken(t.Context(), e.Key(), l.Token, auth.IdentityRef{Type: auth.Corporate, ID: "2001"})
			}
			return err
		}, auth.CodeInvalidToken},
		"new password": {authtest.Ada, func(s *auth.Service, e *authtest.Env, id auth.UserID) error {
			return s.ReplacePassword(t.Context(), e.App(), id, next)
		}, auth.CodeUserNotFound},
		"first password": {authtest.NoPass, func(s *auth.Service, e *authtest.Env, id auth.UserID) error {
			return s.AddPassword(t.Context(), e.App(), id, next)
		}, auth.CodeUserNotFound},
		"username": {authtest.NoPass, func(s *auth.Service, e *authtest.Env, id auth.UserID) error {
			named := next
			named.Username = "maria"
			return s.AddPassword(t.Context(), e.App(), id, named)
		}, auth.CodeUserNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n, calls := 1, 1; n <= calls; n++ {
				e, id := authtest.New(t), c.user
				if id == "" {
					a, err := e.CreateUser(t.Context(), e.App(), auth.NewUser{Email: "eve@example.com", Password: &auth.NewPassword{Value: seal.NewSecret("Pa55word!")}})
					if err != nil {
						t.Fatal(err)
					}
					id = a.User.ID
				}
				armed := false
				s := e.Another(t, func(c *auth.Config) {
					c.Store = &faultyStore{Store: e.Store, After: func() {
						if !armed {
							return
						}
						if calls++; calls == n {
							if err := e.DeleteUser(t.Context(), e.Admin(), id); err != nil {
								t.Errorf("delete the user: %v", err)
							}
						}
					}}
				})
				armed, calls = true, 0
				err := c.do(s, e, id)
				if err != nil && codeOf(err) == auth.CodeInternal || n == 1 && codeOf(err) != c.early {
					t.Errorf("deleted after call %d: got %v", n, err)
				}
			}
		})
	}
}
