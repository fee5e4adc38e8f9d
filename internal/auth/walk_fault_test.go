package auth_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// TestWalkFindsFaults plants faults that servers really had, each behind the service as it is, and expects the walk to notice.
func TestWalkFindsFaults(t *testing.T) {
	t.Parallel()
	for name, f := range faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for history := f.from; history < f.from+300; history++ {
				w := newWalk(t, f.plant, history)
				if w.run(stepSeeds(history, stepsOfHistory)); w.broken != "" {
					t.Logf("found by history %d, step %d: %s: %s", history, len(w.trace), w.trace[len(w.trace)-1], w.broken)
					return
				}
			}
			t.Error("no walk found it")
		})
	}
}

// fault is a fault and the history to begin the search with: one that has found it, while the steps are what they are.
type fault struct {
	from  uint64
	plant func(*authtest.Env) service
}

func faults() map[string]fault {
	return map[string]fault{
		"a wrong code steps up":                   {0, func(e *authtest.Env) service { return wrongCodeStepsUp{e} }},
		"a code is good for another session":      {11, func(e *authtest.Env) service { return &anySession{Env: e, codes: map[string]bool{}} }},
		"a wrong code is not counted":             {3, func(e *authtest.Env) service { return uncounted{e} }},          // B-16
		"a password login clears wrong codes":     {51, func(e *authtest.Env) service { return clearedByLogin{e} }},    // B-17
		"a step-up goes on to another identity":   {5, func(e *authtest.Env) service { return inheritedStepUp{e} }},
		"a step-up outlives the loss of a device": {5, func(e *authtest.Env) service { return unweakened{e} }},
		"a logout ends nothing":                   {5, func(e *authtest.Env) service { return noLogout{e} }},
		"a login is given out twice":              {0, func(e *authtest.Env) service { return &twice{Env: e} }},
		"any device answers":                      {21, func(e *authtest.Env) service { return anyDevice{e} }},
		"a lock ends nothing that is under way":   {0, func(e *authtest.Env) service { return &lockedAnswers{e} }},     // B-05, B-18
		"another tenant's key is as good":         {0, func(e *authtest.Env) service { return anyTenant{e} }},
		"a password alone binds a second factor":  {8, func(e *authtest.Env) service { return boundByPassword{e} }},    // A-078, B-20
		"the password of a locked user is taken":  {9, func(e *authtest.Env) service { return &unlocked{Env: e} }},
		"a binding is proved by no code":          {3, func(e *authtest.Env) service { return unprovedBinding{e} }},
		"a change of password is not a login":     {16, func(e *authtest.Env) service { return unsettledUpdate{e} }},
		"a recovery needs no code":                {0, func(e *authtest.Env) service { return recoveredByAnyCode{e} }}, // B-48
		"an address is verified by no code":       {0, func(e *authtest.Env) service { return unprovedAddress{e} }},
		"a void challenge confirms":               {20, func(e *authtest.Env) service { return voidConfirms{e} }},
		"a deactivated member stays active":       {5, func(e *authtest.Env) service { return stillActive{e} }},
		"a device raises what it was not asked":   {0, func(e *authtest.Env) service { return raisesEverything{e} }},
	}
}

// raise steps a token up as no rule does.
func raise(ctx context.Context, e *authtest.Env, token string) error {
	return e.Store.Write(ctx, func(w auth.Writes) error {
		_, err := w.StepUpToken(hashOf(token), e.Clock.Now())
		return err
	})
}

// forget clears the failures of a user.
func forget(ctx context.Context, e *authtest.Env, by auth.Actor, id auth.UserID, f auth.AttemptFactor) error {
	return e.Store.Update(ctx, func(tx auth.Tx) error {
		a, err := tx.Attempts(by.Tenant, auth.SubjectOf(id), f)
		if err != nil || a.Version == 0 {
			return err
		}
		_, err = tx.PutAttempts(by.Tenant, auth.SubjectOf(id), f, auth.Attempts{Version: a.Version + 1}, a.Version)
		return err
	})
}

func bearerOf(ctx context.Context, e *authtest.Env, token string) (b auth.Bearer, err error) {
	err = e.Store.View(ctx, func(r auth.Reads) (err error) { b, err = r.Bearer(hashOf(token)); return err })
	return b, err
}

type wrongCodeStepsUp struct{ *authtest.Env }

func (f wrongCodeStepsUp) VerifyStepUp(ctx context.Context, by auth.Actor, bearer string, c auth.Channel, code string) error {
	err := f.Env.VerifyStepUp(ctx, by, bearer, c, code)
	if auth.CodeOf(err) == auth.CodeWrongOTP {
		_ = raise(ctx, f.Env, bearer)
	}
	return err
}

type anySession struct {
	*authtest.Env
	codes map[string]bool
}

func (f *anySession) StepUp(ctx context.Context, by auth.Actor, bearer string, c auth.Channel) error {
	if err := f.Env.StepUp(ctx, by, bearer, c); err != nil {
		return err
	}
	items, err := f.Inbox(ctx, "", 1)
	f.codes[items[0].Code] = true
	return err
}

func (f *anySession) VerifyStepUp(ctx context.Context, by auth.Actor, bearer string, c auth.Channel, code string) error {
	err := f.Env.VerifyStepUp(ctx, by, bearer, c, code)
	if auth.CodeOf(err) == auth.CodeNoChallenge && f.codes[code] {
		return raise(ctx, f.Env, bearer)
	}
	return err
}

type uncounted struct{ *authtest.Env }

func (f uncounted) VerifyStepUp(ctx context.Context, by auth.Actor, bearer string, c auth.Channel, code string) error {
	err := f.Env.VerifyStepUp(ctx, by, bearer, c, code)
	if auth.CodeOf(err) == auth.CodeWrongOTP {
		b, _ := bearerOf(ctx, f.Env, bearer)
		_ = forget(ctx, f.Env, by, b.User.ID, auth.AttemptOTP)
	}
	return err
}

type clearedByLogin struct{ *authtest.Env }

func (f clearedByLogin) LoginPassword(ctx context.Context, by auth.Actor, in auth.PasswordLogin) (auth.Login, error) {
	l, err := f.Env.LoginPassword(ctx, by, in)
	if err == nil {
		err = forget(ctx, f.Env, by, l.User, auth.AttemptOTP)
	}
	return l, err
}

type inheritedStepUp struct{ *authtest.Env }

func (f inheritedStepUp) AccessToken(ctx context.Context, by auth.Actor, bearer string, ref auth.IdentityRef) (auth.Access, error) {
	b, _ := bearerOf(ctx, f.Env, bearer)
	a, err := f.Env.AccessToken(ctx, by, bearer, ref)
	if err == nil && !b.Token.SteppedUpAt.IsZero() {
		err = raise(ctx, f.Env, a.Token)
	}
	return a, err
}

type unweakened struct{ *authtest.Env }

func (f unweakened) UnbindDevice(ctx context.Context, by auth.Actor, bearer string, c auth.Channel) error {
	if err := f.Env.UnbindDevice(ctx, by, bearer, c); err != nil {
		return err
	}
	b, _ := bearerOf(ctx, f.Env, bearer)
	b.User.WeakenedAt = time.Time{}
	ids, err := auth.IdentifiersOf(b.User)
	if err != nil {
		return err
	}
	return f.Store.Write(ctx, func(w auth.Writes) error { return w.PutUser(b.User, ids) })
}

type noLogout struct{ *authtest.Env }

func (f noLogout) Logout(ctx context.Context, by auth.Actor, bearer string) error {
	_, err := f.Authenticate(ctx, by, bearer, auth.TokenAuth, auth.TokenAccess)
	return err
}

type twice struct {
	*authtest.Env
	given map[auth.ChallengeID]auth.DeviceLoginResult
}

func (f *twice) CollectLogin(ctx context.Context, by auth.Actor, id auth.ChallengeID) (auth.DeviceLoginResult, error) {
	r, err := f.Env.CollectLogin(ctx, by, id)
	if f.given == nil {
		f.given = map[auth.ChallengeID]auth.DeviceLoginResult{}
	}
	if before, ok := f.given[id]; ok {
		return before, nil
	}
	if err == nil && r.Token != "" {
		f.given[id] = r
	}
	return r, err
}

type anyDevice struct{ *authtest.Env }

func (f anyDevice) AnswerOnDevice(ctx context.Context, _ auth.TenantID, _ auth.UserID, id auth.ChallengeID, d auth.Decision) (bool, error) {
	for _, p := range walkers() {
		if answered, err := f.Env.AnswerOnDevice(ctx, p.tenant, p.id, id, d); err == nil {
			return answered, nil
		}
	}
	return false, auth.CodeNotFound
}

// lockedAnswers finds pending what a lock or something else has cancelled.
type lockedAnswers struct{ *authtest.Env }

func (f lockedAnswers) AnswerOnDevice(
	ctx context.Context, t auth.TenantID, id auth.UserID, c auth.ChallengeID, d auth.Decision,
) (bool, error) {
	_ = f.Store.Update(ctx, func(tx auth.Tx) error {
		challenge, err := tx.Challenge(t, c) // somebody else's is not found
		if err == nil && challenge.Status == auth.ChallengeCancelled && f.Clock.Now().Before(challenge.ExpiresAt) {
			challenge.Status, challenge.Version, challenge.EndedAt = auth.ChallengePending, challenge.Version+1, time.Time{}
			_, err = tx.PutChallenge(challenge, challenge.Version-1)
		}
		return err
	})
	return f.Env.AnswerOnDevice(ctx, t, id, c, d)
}

type anyTenant struct{ *authtest.Env }

func (f anyTenant) Identities(ctx context.Context, by auth.Actor, bearer string) ([]auth.Membership, error) {
	if b, err := bearerOf(ctx, f.Env, bearer); err == nil {
		by.Tenant = b.Token.Tenant
	}
	return f.Env.Identities(ctx, by, bearer)
}

// boundByPassword takes a password login for a step-up where something is bound.
type boundByPassword struct{ *authtest.Env }

func (f boundByPassword) BindPhone(ctx context.Context, by auth.Actor, bearer string, c auth.Channel) error {
	if err := f.Env.BindPhone(ctx, by, bearer, c); auth.CodeOf(err) != auth.CodeStepUpRequired {
		return err
	}
	if err := raise(ctx, f.Env, bearer); err != nil {
		return err
	}
	return f.Env.BindPhone(ctx, by, bearer, c)
}

// unlocked forgets the failures of a password whenever the login comes by another request.
type unlocked struct {
	*authtest.Env
	tried int
}

func (f *unlocked) LoginPassword(ctx context.Context, by auth.Actor, in auth.PasswordLogin) (auth.Login, error) {
	if f.tried++; f.tried%4 == 0 {
		for _, p := range walkers() {
			if p.tenant == by.Tenant && p.email == in.Identifier {
				_ = forget(ctx, f.Env, by, p.id, auth.AttemptPassword)
			}
		}
	}
	return f.Env.LoginPassword(ctx, by, in)
}

type unprovedBinding struct{ *authtest.Env }

func (f unprovedBinding) VerifyBindPhone(ctx context.Context, by auth.Actor, bearer string, c auth.Channel, code string) error {
	err := f.Env.VerifyBindPhone(ctx, by, bearer, c, code)
	if auth.CodeOf(err) != auth.CodeWrongOTP {
		return err
	}
	b, _ := bearerOf(ctx, f.Env, bearer)
	return f.Store.Update(ctx, func(tx auth.Tx) error {
		bound, err := tx.Authenticators(by.Tenant, b.User.ID)
		if i := slices.IndexFunc(bound, func(a auth.Authenticator) bool { return a.Channel == c }); err == nil && i >= 0 {
			bound[i].Status = auth.AuthenticatorActive
			err = tx.PutAuthenticator(bound[i])
		}
		return err
	})
}

// unsettledUpdate does not count a wrong old password.
type unsettledUpdate struct{ *authtest.Env }

func (f unsettledUpdate) UpdatePassword(ctx context.Context, by auth.Actor, bearer string, old, new secret) (auth.PasswordUpdate, error) {
	u, err := f.Env.UpdatePassword(ctx, by, bearer, old, new)
	if auth.CodeOf(err) == auth.CodePasswordIncorrect {
		b, _ := bearerOf(ctx, f.Env, bearer)
		_ = forget(ctx, f.Env, by, b.User.ID, auth.AttemptPassword)
	}
	return u, err
}

// recoveredByAnyCode refuses a wrong code and sets the password all the same.
type recoveredByAnyCode struct{ *authtest.Env }

func (f recoveredByAnyCode) ResumeRecovery(ctx context.Context, by auth.Actor, in auth.Recovery) (auth.Login, error) {
	l, err := f.Env.ResumeRecovery(ctx, by, in)
	if auth.CodeOf(err) != auth.CodeRecoveryInvalid {
		return l, err
	}
	hash, herr := f.Hasher.Hash(ctx, []byte(in.Password.Reveal()))
	if herr != nil {
		return l, herr
	}
	_ = f.Store.Update(ctx, func(tx auth.Tx) error {
		a, err := tx.AccountByIdentifier(by.Tenant, auth.ByEmail, in.Email, "")
		if err != nil || a.Password.Hash == "" {
			return err
		}
		a.Password.Hash = hash
		a.Password.Version++
		_, err = tx.SwapPassword(a.Password, a.Password.Version-1, true, true)
		return err
	})
	return l, err
}

type unprovedAddress struct{ *authtest.Env }

func (f unprovedAddress) VerifyEmail(ctx context.Context, by auth.Actor, kind auth.AddressKind, email, code string) error {
	err := f.Env.VerifyEmail(ctx, by, kind, email, code)
	if auth.CodeOf(err) != auth.CodeWrongOTP {
		return err
	}
	return f.Store.Update(ctx, func(tx auth.Tx) error {
		a, err := tx.AccountByIdentifier(by.Tenant, auth.ByEmail, email, "")
		if err != nil {
			return err
		}
		a.User.EmailVerifiedAt = f.Clock.Now()
		ids, err := auth.IdentifiersOf(a.User)
		if err != nil {
			return err
		}
		return tx.PutUser(a.User, ids)
	})
}

type voidConfirms struct{ *authtest.Env }

func (f voidConfirms) VerifyConfirm(
	ctx context.Context, by auth.Actor, bearer string, c auth.Channel, id auth.ChallengeID, kind, code string,
) error {
	err := f.Env.VerifyConfirm(ctx, by, bearer, c, id, kind, code)
	if auth.CodeOf(err) != auth.CodeNoChallenge {
		return err
	}
	_ = f.Store.Update(ctx, func(tx auth.Tx) error {
		challenge, err := tx.Challenge(by.Tenant, id)
		if err != nil {
			return err
		}
		for _, ref := range challenge.Links {
			l, err := tx.Link(by.Tenant, ref)
			if err != nil {
				return err
			}
			l.Status, l.Challenge, l.Version = auth.LinkConfirmed, id, l.Version+1
			if _, err := tx.PutLink(l, l.Version-1); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

type stillActive struct{ *authtest.Env }

func (f stillActive) DeactivateMember(ctx context.Context, by auth.Actor, bearer string, id auth.UserID) error {
	if err := f.Env.DeactivateMember(ctx, by, bearer, id); err != nil {
		return err
	}
	return f.Store.Write(ctx, func(w auth.Writes) error {
		_, err := w.MoveUserStatus(by.Tenant, id, auth.UserSuspended, auth.UserActive, f.Clock.Now())
		return err
	})
}

// raisesEverything has a device raise every token that it can find in the session's place.
type raisesEverything struct{ *authtest.Env }

func (f raisesEverything) StepUpDevice(ctx context.Context, by auth.Actor, bearer string, c auth.Channel) (auth.Asked, error) {
	id, err := f.Env.StepUpDevice(ctx, by, bearer, c)
	if err == nil {
		_ = raise(ctx, f.Env, bearer) // before anybody has answered
	}
	return id, err
}
