package auth

import (
	"context"
	"errors"
	"slices"
	"time"
)

// AuthenticateUserToken lets the bearer of a user's access token in: the user and the client that it was issued for (contract/cis §0.2,
// UserAccessToken). It is good as long as its session, and one for an organization as long as the user acts for that, unless it is revoked
// before. A client's own token, or one made for another audience, is refused.
//
// Errors: CodeInvalidToken, CodeProofInvalid, CodeMaintenance, CodeThrottled.
func (s *Service) AuthenticateUserToken(ctx context.Context, token string, via Via) (Actor, LiveSession, error) {
	by, t, err := s.userToken(ctx, token, DefaultAudience, via)
	if err != nil {
		return by, LiveSession{}, err
	}
	if t.session == "" {
		return by, LiveSession{}, refuse(CodeInvalidToken)
	}
	now := s.now()
	live, err := s.liveToken(ctx, by, t, now)
	if err == nil && !live.bearable(now) {
		err = refuse(CodeInvalidToken)
	}
	if err == nil {
		err = s.possessed(ctx, by, t, token)
	}
	if err != nil {
		return by, LiveSession{}, err
	}
	return by, live, s.chargeUser(by.Tenant, live.User.ID, now)
}

// userToken reads an access token where users' are wanted, and lets the client that it was issued for in.
//
// Errors: CodeInvalidToken, CodeMaintenance.
func (s *Service) userToken(ctx context.Context, token, audience string, via Via) (Actor, accessToken, error) {
	by := Actor{Via: via}
	var t accessToken
	err := s.lookup(ctx, func(d *directory) (err error) {
		if t, err = s.readAccess(d, token, audience); err != nil {
			return err
		}
		by.Tenant, by.Client = t.client.Tenant, t.client.ID
		return d.open(by.Tenant)
	})
	return by, t, err
}

// multifactor reports whether a session rests on two different methods, or on one that is two factors in itself: a passkey whose
// authenticator has verified its user (RFC 8176 §2, mfa).
func (l LiveSession) multifactor() bool {
	return slices.Contains(l.Session.amr(), string(MethodMFA)) || slices.Contains(l.Session.Methods, MethodPasskeyVerified)
}

// mayRefactor says why the bearer of a session may not add, replace or take away a way for its user to prove. A user who has one already
// must have used a second factor in the session, or a password alone would do (A-078, B-20). owns is whether the user has one that is
// not looked for here.
//
// Verdicts: CodeInvalidToken, CodeLocked, CodeStepUpRequired.
func (s *Service) mayRefactor(r Reads, live LiveSession, account Account, owns bool) (*Error, error) {
	now := s.now()
	if no, err := s.outlived(r, live, now); err != nil || no != nil {
		return no, err
	}
	if account.Attempts.locked(now) {
		return &Error{Code: CodeLocked, RetryAfter: account.Attempts.LockedUntil.Sub(now)}, nil
	}
	bound, err := r.Authenticators(account.User.Tenant, account.User.ID)
	if err != nil {
		return nil, err
	}
	strong, err := s.stronger(r, account.User)
	if err != nil {
		return nil, err
	}
	owns = owns || strong || slices.ContainsFunc(bound, func(a Authenticator) bool { return a.usable(account.User) })
	if owns && !live.multifactor() {
		return refuse(CodeStepUpRequired), nil
	}
	return nil, nil
}

// outlived says that the session of a bearer who was let in has ended meanwhile: a change of password that throws a stranger out leaves
// nothing that they are just about to bind. Verdict: CodeInvalidToken.
func (s *Service) outlived(r Reads, live LiveSession, now time.Time) (*Error, error) {
	present, err := r.Session(live.Session.Tenant, live.Session.ID)
	if errors.Is(err, ErrNotFound) || err == nil && !present.bearable(now) {
		return refuse(CodeInvalidToken), nil
	}
	return nil, err
}
