package auth_test

import (
	"strings"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// TestOneSpellingOfAToken is A-033: whatever is changed about a token, it is no token any more, and the store is not asked.
func TestOneSpellingOfAToken(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	token, _ := e.NewToken(auth.PurposeBearer)
	if !e.OpenToken(auth.PurposeBearer, token) {
		t.Fatal("the token itself is refused")
	}
	spellings := map[string]string{
		"empty": "", "truncated": token[:len(token)-1], "longer": token + "A", "padded": token + "=", "with a space": token + " ",
		"with a line feed": "\n" + token[1:], "in other letters": strings.ToUpper(token), "twice": token + token,
		"in the standard alphabet": strings.NewReplacer("-", "+", "_", "/").Replace(token[:60]) + "+/+/",
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range token {
		at := strings.IndexByte(alphabet, token[i])
		for bit := range 6 {
			flipped := token[:i] + string(alphabet[at^1<<bit]) + token[i+1:]
			spellings[flipped] = flipped
		}
	}
	for name, text := range spellings {
		if e.OpenToken(auth.PurposeBearer, text) {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestPurposesAreApart(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	bearer, _ := e.NewToken(auth.PurposeBearer)
	refresh, _ := e.NewToken(auth.PurposeRefresh)
	if e.OpenToken(auth.PurposeRefresh, bearer) || e.OpenToken(auth.PurposeBearer, refresh) {
		t.Error("a token of one purpose is taken for another's")
	}
	_, err := e.Refresh(t.Context(), e.App(), login(t, e, "ada").Token)
	wantCode(t, err, auth.CodeInvalidRefresh)
	_, err = e.Identities(t.Context(), e.Key(), authenticate(t, e, "ada").RefreshToken)
	wantCode(t, err, auth.CodeInvalidToken)
	other := authtest.New(t, func(*auth.Setup) {}) // with a root secret of its own
	if other.OpenToken(auth.PurposeBearer, bearer) {
		t.Error("a token of one server is taken by another")
	}
}

func TestTokensAreNotStored(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	token, hash := e.NewToken(auth.PurposeBearer)
	if strings.Contains(token, string(hash[:])) || len(token) < 43 {
		t.Errorf("got %q", token)
	}
	seen := map[string]bool{}
	for range 1000 {
		token, _ := e.NewToken(auth.PurposeBearer)
		if seen[token] {
			t.Fatal("a token came twice")
		}
		seen[token] = true
	}
}

// TestWhichCallTakesWhichToken is A-049 over the calls of /multi.
func TestWhichCallTakesWhichToken(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	tokens := func() map[auth.TokenKind]string {
		_, err := e.LoginPassword(t.Context(), e.Key(), byEmail("alan", authtest.Password))
		return map[auth.TokenKind]string{
			auth.TokenAuth: login(t, e, "charles").Token, auth.TokenAccess: login(t, e, "ada").Token,
			auth.TokenTemporary: tokenOf(t, err),
		}
	}
	ref := map[auth.TokenKind]auth.IdentityRef{auth.TokenAuth: {Type: auth.Corporate, ID: "2001"}}
	for name, call := range map[string]func(kind auth.TokenKind, token string) error{
		"identities": func(_ auth.TokenKind, token string) error {
			_, err := e.Identities(t.Context(), e.Key(), token)
			return err
		},
		"access token": func(kind auth.TokenKind, token string) error {
			_, err := e.AccessToken(t.Context(), e.Key(), token, ref[kind])
			return err
		},
		"logout": func(_ auth.TokenKind, token string) error { return e.Logout(t.Context(), e.Key(), token) },
	} {
		for kind, token := range tokens() {
			want := none
			if kind == auth.TokenTemporary {
				want = auth.CodeWrongTokenKind
				if name == "logout" { // the contract has no other word there
					want = auth.CodeInvalidToken
				}
			}
			if got := codeOf(call(kind, token)); got != want {
				t.Errorf("%s with a token of kind %s: got %v, want %v", name, kind, got, want)
			}
		}
	}
}

func TestAccessToken(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	ada, charles, nobody := login(t, e, "ada").Token, login(t, e, "charles").Token, login(t, e, "nobody").Token
	for _, tt := range []struct {
		name, token, ref string
		want             auth.Code
	}{
		{"the only one, unnamed", ada, "", none},
		{"the only one", ada, "CONSUMER:1001", none},
		{"one of two", charles, "CORPORATE:2002", none},
		{"two, unnamed", charles, "", auth.CodeIdentityRequired},
		{"none, unnamed", nobody, "", auth.CodeIdentityRequired},
		{"another's", charles, "CONSUMER:1001", auth.CodeForeignIdentity},
		{"nobody's", charles, "CONSUMER:9", auth.CodeForeignIdentity},
		{"of the other type", charles, "CONSUMER:2001", auth.CodeForeignIdentity},
	} {
		ref, _ := auth.ParseIdentityRef(tt.ref)
		a, err := e.AccessToken(t.Context(), e.Key(), tt.token, ref)
		if got := codeOf(err); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
		if err != nil {
			continue
		}
		b, err := e.Authenticate(t.Context(), e.Key(), a.Token, auth.TokenAccess)
		if err != nil || b.Token.Identity != a.Membership.Identity.Ref || a.SteppedUp {
			t.Errorf("%s: got a token for %v (%v)", tt.name, b.Token.Identity, err)
		}
	}
}

// TestTheLastIdentityComesFirst is product.md's "identity in the login answer": the one last used, else the first.
func TestTheLastIdentityComesFirst(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	second := auth.IdentityRef{Type: auth.Corporate, ID: "2002"}
	if _, err := e.AccessToken(t.Context(), e.Key(), login(t, e, "charles").Token, second); err != nil {
		t.Fatal(err)
	}
	if got := login(t, e, "charles").Membership.Identity.Ref; got != second {
		t.Errorf("got %v, want %v", got, second)
	}
}

// TestAllTokensDieWithTheSession is.
func TestAllTokensDieWithTheSession(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	ref := auth.IdentityRef{Type: auth.Corporate, ID: "2001"}
	first := login(t, e, "charles").Token
	a, err := e.AccessToken(t.Context(), e.Key(), first, ref)
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.AccessToken(t.Context(), e.Key(), a.Token, ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Logout(t.Context(), e.Key(), a.Token); err != nil {
		t.Fatal(err)
	}
	for i, token := range []string{first, a.Token, b.Token} {
		_, err := e.Identities(t.Context(), e.Key(), token)
		if got := codeOf(err); got != auth.CodeInvalidToken {
			t.Errorf("token %d: got %v, want it dead", i, got)
		}
	}
	wantCode(t, e.Logout(t.Context(), e.Key(), first), auth.CodeInvalidToken)
}

// TestLockedUserGetsNoAccessToken is A-017: the session goes on, nothing new comes of it, and it can be ended.
func TestLockedUserGetsNoAccessToken(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	token := login(t, e, "ada").Token
	lock(t, e, "ada")
	_, err := e.AccessToken(t.Context(), e.Key(), token, auth.IdentityRef{})
	wantCode(t, err, auth.CodeLocked)
	wantRetry(t, err, 30*time.Minute)
	if err := e.Logout(t.Context(), e.Key(), token); err != nil {
		t.Errorf("logout: %v", err)
	}
}

// TestTenantsAreApart: what belongs to one tenant does not exist for the other.
func TestTenantsAreApart(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	rivalKey, rivalApp := auth.Actor{Tenant: authtest.Rival, Key: "backend"}, auth.Actor{Tenant: authtest.Rival, Client: "rival-app"}
	token, set := login(t, e, "ada").Token, authenticate(t, e, "ada")
	_, err := e.Identities(t.Context(), rivalKey, token)
	wantCode(t, err, auth.CodeInvalidToken)
	wantCode(t, e.Logout(t.Context(), rivalKey, token), auth.CodeInvalidToken)
	_, err = e.Refresh(t.Context(), rivalApp, set.RefreshToken)
	wantCode(t, err, auth.CodeInvalidRefresh)
	_, err = e.AuthenticateSession(t.Context(), rivalApp, set.Session, auth.BackendGrant{})
	wantCode(t, err, auth.CodeSessionNotFound)
	wantCode(t, e.LogoutSession(t.Context(), rivalApp, set.Session), auth.CodeSessionNotFound)
	_, err = e.LoginPassword(t.Context(), rivalKey, byEmail("charles", authtest.Password))
	wantCode(t, err, auth.CodeUnknownUser)
	_, err = e.User(t.Context(), rivalApp, authtest.Charles)
	wantCode(t, err, auth.CodeUserNotFound)
	lock(t, e, "ada")
	if _, err := e.LoginPassword(t.Context(), rivalKey, byEmail("ada", authtest.Password)); err != nil {
		t.Errorf("a lock crossed: %v", err)
	}
	var leaked []auth.Event
	if err := e.Store.View(t.Context(), func(r auth.Reads) (err error) {
		leaked, err = r.Events(authtest.Rival, "", 1000)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, ev := range leaked {
		if ev.Session == set.Session {
			t.Errorf("an event of the rival names a session of the other tenant: %+v", ev)
		}
	}
}

func TestAuthenticateKey(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	for key, want := range map[string]auth.Code{
		"test key of demo": none, "": auth.CodeUnknownKey, "test key of dem": auth.CodeUnknownKey, "TEST KEY OF DEMO": auth.CodeUnknownKey,
		"backend": auth.CodeUnknownKey,
	} {
		by, err := e.AuthenticateKey(t.Context(), key, auth.Via{Request: "r1"})
		if got := codeOf(err); got != want {
			t.Errorf("%q: got %v, want %v", key, got, want)
		}
		if err == nil && (by.Tenant != authtest.Demo || by.Key != "backend" || by.Request != "r1" || by.String() != "key:backend") {
			t.Errorf("%q: got %+v", key, by)
		}
		if err != nil && (by.Tenant != "" || by.Key != "") {
			t.Errorf("%q: a refused caller is %+v", key, by)
		}
	}
}
