package auth_test

import (
	"errors"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

func revokes(t *testing.T, s *auth.Service, by auth.Actor, token string) {
	t.Helper()
	if err := s.Revoke(t.Context(), by, token); err != nil {
		t.Errorf("Revoke: %v", err)
	}
}

// TestOnlyTheClientItselfRevokes is A-105.
func TestOnlyTheClientItselfRevokes(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, serving)
	set := authenticate(t, e, "ada")
	own, err := e.ClientToken(t.Context(), e.App(), "")
	if err != nil {
		t.Fatal(err)
	}
	tokens := []string{set.AccessToken, set.RefreshToken, own.AccessToken}
	before := events(t, e)
	for _, by := range []auth.Actor{otherClient(), e.Admin(), {Tenant: authtest.Rival, Client: "rival-app"}} {
		for _, token := range tokens {
			revokes(t, e.Service, by, token)
		}
	}
	for _, token := range []string{"", "unknown", set.IDToken, login(t, e, "ada").Token} {
		revokes(t, e.Service, e.App(), token)
	}
	for _, token := range tokens {
		if !sees(t, e.Service, e.App(), token).Active {
			t.Error("a token ended")
		}
	}
	if n := count(events(t, e)[len(before):], "token_revoked access"); n != 0 {
		t.Errorf("got %d events of what did not happen", n)
	}
	for _, token := range append(tokens, tokens...) {
		revokes(t, e.Service, e.App(), token)
	}
	for _, kind := range []string{"access", "refresh", "client"} {
		if n := count(events(t, e), "token_revoked "+kind); n != 1 {
			t.Errorf("got %d events of the %s token, want 1", n, kind)
		}
	}
}

// TestAnAccessTokenIsRevokedAlone (RFC 7009 §2.1).
func TestAnAccessTokenIsRevokedAlone(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	set := authenticate(t, e, "ada")
	next := refresh(t, e, set.RefreshToken)
	revokes(t, e.Service, e.App(), set.AccessToken)
	if sees(t, e.Service, e.App(), set.AccessToken).Active {
		t.Error("it is active")
	}
	if !sees(t, e.Service, e.App(), next.AccessToken).Active || !sees(t, e.Service, e.App(), next.RefreshToken).Active {
		t.Error("another token ended with it")
	}
	refresh(t, e, next.RefreshToken)
	comesIn(t, e, next)
}

// TestARevokedFamilyLeavesTheSession: the tokens of another authentication in the session are others.
func TestARevokedFamilyLeavesTheSession(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	set := authenticate(t, e, "ada")
	other, err := e.AuthenticateSession(t.Context(), e.App(), set.Session, auth.BackendGrant{})
	if err != nil {
		t.Fatal(err)
	}
	revokes(t, e.Service, e.App(), set.RefreshToken)
	if sees(t, e.Service, e.App(), set.AccessToken).Active {
		t.Error("an access token of the family is active")
	}
	comesIn(t, e, other)
	refresh(t, e, other.RefreshToken)
}

// TestARevokedClientTokenIsRefusedOnEveryNode, by the first statement of the call that it came with on a node that does not know yet (C-28).
func TestARevokedClientTokenIsRefusedOnEveryNode(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	node := e.Another(t, nil)
	enter := func(s *auth.Service, token string) auth.Code {
		by, err := s.AuthenticateClientToken(t.Context(), token, auth.Via{})
		if err == nil {
			_, err = s.User(t.Context(), by, authtest.Ada)
		}
		return codeOf(err)
	}
	for round := range 3 { // the directory changes in the first one alone
		own, err := e.ClientToken(t.Context(), e.App(), "")
		if err != nil {
			t.Fatal(err)
		}
		other, err := e.ClientToken(t.Context(), e.App(), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []*auth.Service{e.Service, node} {
			if got := enter(s, own.AccessToken); got != none {
				t.Errorf("%d: before: %v", round, got)
			}
		}
		revokes(t, e.Service, e.App(), own.AccessToken)
		for _, s := range []*auth.Service{node, e.Service} {
			if got := enter(s, own.AccessToken); got != auth.CodeInvalidToken {
				t.Errorf("%d: after: %v", round, got)
			}
			if got := enter(s, other.AccessToken); got != none {
				t.Errorf("%d: another token of the client: %v", round, got)
			}
		}
	}
	e.Clock.Advance(2 * time.Hour) // all of them have expired
	if _, err := e.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestEveryFaultOfARevocation is B-29 and RFC 7009 §2.2.1: nobody is told of a revocation that was not written.
func TestEveryFaultOfARevocation(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"access", "refresh", "client"} {
		for mode, name := range map[when]string{notAtAll: "not at all", rolledBack: "rolled back", committed: "committed"} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				reached := true
				for n := 1; reached; n++ {
					e := authtest.New(t)
					set := authenticate(t, e, "ada")
					own, err := e.ClientToken(t.Context(), e.App(), "")
					if err != nil {
						t.Fatal(err)
					}
					token := map[string]string{"access": set.AccessToken, "refresh": set.RefreshToken, "client": own.AccessToken}[kind]
					faulty := &faultyStore{Store: e.Store, When: mode}
					s := e.Another(t, func(c *auth.Config) { c.Store = faulty })
					faulty.Calls, faulty.Fail = 0, []int{n}
					err = s.Revoke(t.Context(), e.App(), token)
					reached = faulty.Calls >= n
					if (err != nil) != reached || err != nil && !errors.Is(err, errFault) {
						t.Errorf("call %d of %d: got %v", n, faulty.Calls, err)
					}
					ended := !sees(t, e.Service, e.App(), token).Active
					if written := count(events(t, e), "token_revoked "+kind) == 1; ended != written || err == nil && !ended {
						t.Errorf("call %d: got %v, ended %t, written %t", n, err, ended, written)
					}
				}
			})
		}
	}
}
