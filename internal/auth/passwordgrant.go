package auth

import (
	"context"
	"slices"
	"strings"
	"time"
)

// PasswordGrant is RFC 6749 §4.3, for clients from before (contract/cis §1.5): AuthenticatePassword in every respect, from the lock to the
// session, but for what it is answered with. RFC 9700 §2.4 forbids the grant, so a tenant has to turn it on.
//
// Errors: CodeGrantOff; CodeClientRefused for a public client, and for one of somebody else's; those of an attempt (see provePassword); CodePasswordExpired and
// CodePasswordTemp, without a token.
func (s *Service) PasswordGrant(ctx context.Context, by Actor, in PasswordLogin, scopes []string) (TokenSet, error) {
	if err := s.Resync(ctx); err != nil {
		return TokenSet{}, err
	}
	if !s.settings(by.Tenant).PasswordGrant {
		return TokenSet{}, refuse(CodeGrantOff)
	}
	if c, err := s.clientOf(by); err != nil || c.Auth == ClientAuthNone || c.ThirdParty {
		return TokenSet{}, orRefuse(err, CodeClientRefused)
	}
	login := BackendLogin{PasswordLogin: in, BackendGrant: BackendGrant{Scope: grantedScope(scopes)}}
	return s.authenticatePassword(ctx, by, login, func(ctx context.Context, a *attempt, code Code, _ time.Time) error {
		return s.refuseProved(ctx, a, refuse(code))
	})
}

// grantedScope is what is served of what was asked. A refresh token always comes with the grant, as clients of it expect.
func grantedScope(asked []string) string {
	var granted []string
	for _, scope := range AuthorizationScopes() {
		if scope == scopeOffline || slices.Contains(asked, scope) {
			granted = append(granted, scope)
		}
	}
	return strings.Join(granted, " ")
}
