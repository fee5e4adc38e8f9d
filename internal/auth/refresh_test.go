package auth_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

func refresh(t *testing.T, e *authtest.Env, token string) auth.TokenSet {
	t.Helper()
	set, err := e.Refresh(t.Context(), e.App(), token)
	if err != nil {
		t.Fatalf("refresh: %v", err)
	}
	return set
}

func TestRefreshKeepsWhatWasGranted(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	in := backend("charles", authtest.Password)
	in.BackendGrant = auth.BackendGrant{Resource: authtest.Resource, Claims: auth.Named("email"), OrgID: "2001"}
	set, err := e.AuthenticatePassword(t.Context(), e.App(), in)
	if err != nil {
		t.Fatal(err)
	}
	e.Clock.Advance(time.Hour)
	next := refresh(t, e, set.RefreshToken)
	before, after := claimsOf(t, set.AccessToken), claimsOf(t, next.AccessToken)
	for _, name := range []string{"iss", "sub", "aud", "auth_time", "sid", "org_id", "scope", "amr", "client_id"} {
		if a, b := jsonText(t, before[name]), jsonText(t, after[name]); a != b {
			t.Errorf("%s: got %s, want %s", name, b, a)
		}
	}
	id := claimsOf(t, next.IDToken)
	if before["jti"] == after["jti"] || after["iat"] != float64(e.Clock.Now().Unix()) || id["email"] != "charles@example.com" || id["org_id"] != "2001" {
		t.Errorf("got %v and %v", after, id)
	}
	if next.RefreshToken == set.RefreshToken || next.Session != set.Session {
		t.Errorf("got %+v", next)
	}
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestRefreshNarrows is RFC 6749 §6 and A-095: an answer may be for less than was granted, never for more, and the grant stays what it was.
func TestRefreshNarrows(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	token := authenticate(t, e, "ada").RefreshToken
	for _, tt := range []struct {
		name, asked string
		want        string // empty: refused
	}{
		{"wider", "openid offline_access email", ""},
		{"another", "phone", ""},
		{"narrower", "openid", "openid"},
		{"the other", "offline_access", "offline_access"},
		{"all, in another order and twice", "offline_access openid openid", auth.Scope},
		{"of another case", "OPENID", ""},
		{"none", "", auth.Scope},
	} {
		set, err := e.Refresh(t.Context(), e.App(), token, strings.Fields(tt.asked)...)
		if tt.want == "" {
			if got := codeOf(err); got != auth.CodeInvalidScope {
				t.Errorf("%s: got %v", tt.name, got)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if set.Scope != tt.want || claimsOf(t, set.AccessToken)["scope"] != tt.want || (set.IDToken != "") != strings.Contains(tt.want, "openid") {
			t.Errorf("%s: got scope %q and ID token %q, want %q", tt.name, set.Scope, set.IDToken, tt.want)
		}
		token = set.RefreshToken
	}
	if n := count(events(t, e), "token_refused invalid_scope"); n != 3 {
		t.Errorf("got %d events of a refusal, want 3", n)
	}
}

// TestStolenTokenIsFoundWhateverItAsks: a token that comes back ends its family before anybody looks at its scope.
func TestStolenTokenIsFoundWhateverItAsks(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	first := authenticate(t, e, "ada").RefreshToken
	newest := refresh(t, e, refresh(t, e, first).RefreshToken).RefreshToken
	_, err := e.Refresh(t.Context(), e.App(), first, "admin")
	wantCode(t, err, auth.CodeReusedRefresh)
	_, err = e.Refresh(t.Context(), e.App(), newest)
	wantCode(t, err, auth.CodeInvalidRefresh)
}

// TestReplayWindow is security 0.2-4: for ten seconds, and until the successor is used, the parent returns the same successor.
func TestReplayWindow(t *testing.T) { // B-26
	t.Parallel()
	for _, tt := range []struct {
		name   string
		after  time.Duration
		use    bool // the successor meanwhile
		want   auth.Code
		family auth.Code // what the newest token gets then
	}{
		{"at once", 0, false, none, none},
		{"inside", auth.RefreshReplay - time.Microsecond, false, none, none},
		{"at its end", auth.RefreshReplay, false, auth.CodeReusedRefresh, auth.CodeInvalidRefresh},
		{"after the successor was used", time.Second, true, auth.CodeReusedRefresh, auth.CodeInvalidRefresh},
	} {
		e := authtest.New(t)
		first := authenticate(t, e, "ada").RefreshToken
		second := refresh(t, e, first).RefreshToken
		newest := second
		e.Clock.Advance(tt.after)
		if tt.use {
			newest = refresh(t, e, second).RefreshToken
		}
		again, err := e.Refresh(t.Context(), e.App(), first)
		if got := codeOf(err); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
		if err == nil && again.RefreshToken != second {
			t.Errorf("%s: got another successor", tt.name)
		}
		_, err = e.Refresh(t.Context(), e.App(), newest)
		if got := codeOf(err); got != tt.family {
			t.Errorf("%s: then the newest gets %v, want %v", tt.name, got, tt.family)
		}
		if n := count(events(t, e), "token_revoked reused_refresh"); (n == 1) != (tt.want != none) {
			t.Errorf("%s: got %d events of a revocation", tt.name, n)
		}
	}
}

// TestRestartRevivesNothing is B-24: what was rotated stays so for a server that starts afterwards, and coming back ends its family.
func TestRestartRevivesNothing(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	first := authenticate(t, e, "ada").RefreshToken
	second := refresh(t, e, first).RefreshToken
	third := refresh(t, e, second).RefreshToken
	for range 2 {
		restarted := e.Another(t, nil)
		if _, err := restarted.Refresh(t.Context(), e.App(), first); codeOf(err) != auth.CodeReusedRefresh && codeOf(err) != auth.CodeInvalidRefresh {
			t.Errorf("the first: %v", err)
		}
		_, err := restarted.Refresh(t.Context(), e.App(), third)
		wantCode(t, err, auth.CodeInvalidRefresh)
	}
}

// TestReuseEndsItsFamilyAlone: another login of the same user goes on.
func TestReuseEndsItsFamilyAlone(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	first, other := authenticate(t, e, "ada").RefreshToken, authenticate(t, e, "ada").RefreshToken
	refresh(t, e, refresh(t, e, first).RefreshToken)
	_, err := e.Refresh(t.Context(), e.App(), first)
	wantCode(t, err, auth.CodeReusedRefresh)
	refresh(t, e, other)
}

// TestRefreshAtOnce is C-04: sixteen at once with one token get one successor, and the family is whole.
func TestRefreshAtOnce(t *testing.T) { // B-23
	t.Parallel()
	e := authtest.New(t)
	services := []*auth.Service{e.Service, e.Another(t, nil)}
	first := authenticate(t, e, "ada").RefreshToken
	var wg sync.WaitGroup
	var mu sync.Mutex
	successors := map[string]bool{}
	start := make(chan struct{})
	for i := range 16 {
		wg.Go(func() {
			<-start
			set, err := services[i%2].Refresh(t.Context(), e.App(), first)
			if err != nil {
				t.Errorf("refresh %d: %v", i, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			successors[set.RefreshToken] = true
		})
	}
	close(start)
	wg.Wait()
	if len(successors) != 1 {
		t.Fatalf("got %d successors, want 1", len(successors))
	}
	for next := range successors {
		refresh(t, e, next)
	}
}

// TestReuseAtOnceIsOneEvent is C-09: sixteen at once with a copied token revoke the family once, and one event says so.
func TestReuseAtOnceIsOneEvent(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	first := authenticate(t, e, "ada").RefreshToken
	refresh(t, e, refresh(t, e, first).RefreshToken)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			_, err := e.Refresh(t.Context(), e.App(), first)
			if c := codeOf(err); c != auth.CodeReusedRefresh && c != auth.CodeInvalidRefresh {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if n := count(events(t, e), "token_revoked reused_refresh"); n != 1 {
		t.Errorf("got %d events, want 1", n)
	}
}

// TestWhatEndsARefreshToken is.
func TestWhatEndsARefreshToken(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, e *authtest.Env, set auth.TokenSet)
		by    auth.ClientID
		want  auth.Code
	}{
		"nothing":        {func(*testing.T, *authtest.Env, auth.TokenSet) {}, "app", none},
		"another client": {func(*testing.T, *authtest.Env, auth.TokenSet) {}, "other", auth.CodeInvalidRefresh},
		"its age": {func(_ *testing.T, e *authtest.Env, _ auth.TokenSet) { e.Clock.Advance(14 * 24 * time.Hour) },
			"app", auth.CodeInvalidRefresh},
		"almost its age": {func(_ *testing.T, e *authtest.Env, _ auth.TokenSet) {
			e.Clock.Advance(14*24*time.Hour - time.Microsecond)
		},
			"app", none},
		"logout": {func(t *testing.T, e *authtest.Env, set auth.TokenSet) {
			if err := e.LogoutSession(t.Context(), e.App(), set.Session); err != nil {
				t.Fatal(err)
			}
		}, "app", auth.CodeInvalidRefresh},
		"suspension": {func(t *testing.T, e *authtest.Env, _ auth.TokenSet) {
			if err := e.Suspend(t.Context(), authtest.Demo, authtest.Ada); err != nil {
				t.Fatal(err)
			}
		}, "app", auth.CodeInvalidRefresh},
		"lock": {func(t *testing.T, e *authtest.Env, _ auth.TokenSet) { lock(t, e, "ada") }, "app", auth.CodeLocked},
	} {
		e := authtest.New(t)
		set := authenticate(t, e, "ada")
		tt.spoil(t, e, set)
		_, err := e.Refresh(t.Context(), auth.Actor{Tenant: authtest.Demo, Client: tt.by}, set.RefreshToken)
		if got := codeOf(err); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

// TestAFamilyHasAnEnd: rotation does not prolong the absolute life of a grant.
func TestAFamilyHasAnEnd(t *testing.T) { // B-30
	t.Parallel()
	e := authtest.New(t)
	set := authenticate(t, e, "ada")
	token := set.RefreshToken
	for range 7 {
		e.Clock.Advance(2*24*time.Hour - time.Microsecond)
		token = refresh(t, e, token).RefreshToken
	}
	e.Clock.Advance(7 * time.Microsecond)
	_, err := e.Refresh(t.Context(), e.App(), token)
	wantCode(t, err, auth.CodeInvalidRefresh)
}

// TestRefreshIsNoActivity is contract/cis §2.6 and A-038: the session's idle end stays where it was.
func TestRefreshIsNoActivity(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, authtest.Settings(func(s *auth.Settings) { s.BackendSession.IdleLimit = time.Hour }))
	set := authenticate(t, e, "ada")
	e.Clock.Advance(time.Hour - time.Microsecond)
	token := refresh(t, e, set.RefreshToken).RefreshToken
	e.Clock.Advance(time.Microsecond)
	_, err := e.Refresh(t.Context(), e.App(), token)
	wantCode(t, err, auth.CodeInvalidRefresh)
}

func TestAnEndedCallIsNoRefusal(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	token := authenticate(t, e, "ada").RefreshToken
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Refresh(gone, e.App(), token); codeOf(err) != auth.CodeInternal {
		t.Errorf("got %v, want the context's error", err)
	}
	refresh(t, e, token)
}
