package auth_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// limited is a domain whose tenants have these limits.
func limited(t *testing.T, key, user int) *authtest.Env {
	t.Helper()
	return authtest.New(t, authtest.Settings(func(s *auth.Settings) {
		s.KeyLimits, s.UserLimits = []auth.Limit{perMinute(key)}, []auth.Limit{perMinute(user)}
	}))
}

func TestRequestsOfOneKeyAreLimited(t *testing.T) {
	t.Parallel()
	e := limited(t, 2, 100)
	ask := func(key string) error {
		_, err := e.AuthenticateKey(t.Context(), key, auth.Via{Address: customer})
		return err
	}
	for range 2 {
		wantCode(t, ask("test key of demo"), none)
	}
	err := ask("test key of demo")
	wantCode(t, err, auth.CodeThrottled)
	wantRetry(t, err, 30*time.Second)
	wantCode(t, ask("test key of rival"), none)
	if got, want := e.Throttled(), (auth.Throttled{Caller: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	e.Clock.Advance(30 * time.Second)
	wantCode(t, ask("test key of demo"), none)
	wantCode(t, ask("test key of demo"), auth.CodeThrottled)
}

func TestRequestsOfOneClientAreLimited(t *testing.T) {
	t.Parallel()
	e := limited(t, 3, 100)
	token, err := e.ClientToken(t.Context(), e.App(), "")
	wantCode(t, err, none)
	bySecret := func(id auth.ClientID) error {
		_, err := e.AuthenticateClient(t.Context(), credentials(id, "test secret of "+string(id)), auth.Via{Address: customer})
		return err
	}
	byToken := func() error {
		_, err := e.AuthenticateClientToken(t.Context(), token.AccessToken, auth.Via{Address: customer})
		return err
	}
	wantCode(t, bySecret("app"), none)
	wantCode(t, byToken(), none)
	wantCode(t, byToken(), none)
	wantCode(t, byToken(), auth.CodeThrottled)
	wantCode(t, bySecret("app"), auth.CodeThrottled)
	wantCode(t, bySecret("admin"), none)
	wantCode(t, func() error { _, err := e.AuthenticateKey(t.Context(), "test key of demo", auth.Via{}); return err }(), none)
}

func TestRequestsOfOneUserAreLimited(t *testing.T) {
	t.Parallel()
	e := limited(t, 100, 2)
	ctx := t.Context()
	ada, charles := login(t, e, "ada"), login(t, e, "charles")
	again := login(t, e, "ada") // a login is not a request with a token
	set := authenticate(t, e, "ada")
	use := func(token string) error { _, err := e.Identities(ctx, e.Key(), token); return err }
	wantCode(t, use(ada.Token), none)
	wantCode(t, use(again.Token), none)
	wantCode(t, use(ada.Token), auth.CodeThrottled)
	_, err := e.AuthenticateSession(ctx, e.App(), set.Session, auth.BackendGrant{})
	wantCode(t, err, auth.CodeThrottled)
	_, err = e.Refresh(ctx, e.App(), set.RefreshToken)
	wantCode(t, err, auth.CodeThrottled)
	wantCode(t, use(charles.Token), none)
	if got, want := e.Throttled(), (auth.Throttled{User: 3}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}

	wantCode(t, e.Logout(ctx, e.Key(), ada.Token), none) // never held up
	wantCode(t, e.LogoutSession(ctx, e.App(), set.Session), none)
	wantCode(t, use(ada.Token), auth.CodeInvalidToken)
	e.Clock.Advance(time.Minute)
	wantCode(t, use(again.Token), none)
}

func TestThrottledRequestIsNoActivity(t *testing.T) {
	t.Parallel()
	e := limited(t, 100, 1)
	l := login(t, e, "ada")
	use := func() error { _, err := e.Identities(t.Context(), e.Key(), l.Token); return err }
	e.Clock.Advance(59 * time.Second)
	wantCode(t, use(), none)
	for range 5 {
		e.Clock.Advance(10 * time.Second)
		wantCode(t, use(), auth.CodeThrottled)
	}
	e.Clock.Advance(5*time.Minute - 50*time.Second)
	wantCode(t, use(), auth.CodeInvalidToken)
}

func TestLimitsOfATenantMayBeLifted(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, authtest.Settings(func(s *auth.Settings) {
		s.RateLimits, s.KeyLimits, s.UserLimits = false, []auth.Limit{perMinute(1)}, []auth.Limit{perMinute(1)}
	}))
	s := e.Another(t, func(c *auth.Config) { c.Limits = []auth.Limit{perMinute(1)} })
	l := login(t, e, "ada")
	for range 3 {
		by, err := s.AuthenticateKey(t.Context(), "test key of demo", auth.Via{Address: customer})
		wantCode(t, err, none)
		_, err = s.Identities(t.Context(), by, l.Token)
		wantCode(t, err, none)
		_, err = s.AuthenticateClient(t.Context(), credentials("app", "wrong"), auth.Via{Address: customer})
		wantCode(t, err, auth.CodeUnknownClient)
	}
}

func TestResetForgetsEveryLimit(t *testing.T) {
	t.Parallel()
	e := limited(t, 1, 100)
	ask := func() error { _, err := e.AuthenticateKey(t.Context(), "test key of demo", auth.Via{}); return err }
	wantCode(t, ask(), none)
	wantCode(t, ask(), auth.CodeThrottled)
	e.Forget()
	wantCode(t, ask(), none)
}

func TestCallerWithoutAnAddressIsNotLimitedByIt(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	s := e.Another(t, func(c *auth.Config) { c.Limits = []auth.Limit{perMinute(1)} })
	for range 3 {
		_, err := s.AuthenticateClient(t.Context(), credentials("app", "wrong"), auth.Via{Address: netip.Addr{}})
		wantCode(t, err, auth.CodeUnknownClient)
	}
}

// racedStore is at a row that others change: the first writes find it changed since it was read.
type racedStore struct {
	auth.Store
	races int
}

func (s *racedStore) Write(ctx context.Context, fn func(auth.Writes) error) error {
	if s.races > 0 {
		s.races--
		return auth.ErrRaced
	}
	return s.Store.Write(ctx, fn)
}

// TestRequestThatIsRacedCountsOnce: a refresh that others outrun reads again, which is no request more of the user.
func TestRequestThatIsRacedCountsOnce(t *testing.T) {
	t.Parallel()
	e := limited(t, 100, 2)
	token := authenticate(t, e, "ada").RefreshToken
	s := e.Another(t, func(c *auth.Config) { c.Store = &racedStore{Store: e.Store, races: 3} })
	set, err := s.Refresh(t.Context(), e.App(), token)
	if err != nil {
		t.Fatal(err)
	}
	if set, err = s.Refresh(t.Context(), e.App(), set.RefreshToken); err != nil {
		t.Errorf("the second: %v", err)
	}
	_, err = s.Refresh(t.Context(), e.App(), set.RefreshToken)
	wantCode(t, err, auth.CodeThrottled)
}
