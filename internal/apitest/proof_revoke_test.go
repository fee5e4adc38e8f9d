package apitest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// grants is what a person holds after logging in through both contracts.
type grants struct{ token, session, refresh string }

// grantsOf logs a person in through both contracts.
func (n *node) grantsOf(t testing.TB, p person, password string) grants {
	t.Helper()
	m := n.login(t, ways[0], p.email(), password)
	c := n.login(t, ways[1], p.email(), password)
	g := grants{m.field("token"), c.field("session_id"), c.field("refresh_token")}
	if g.token == "" || g.session == "" || g.refresh == "" {
		t.Fatalf("log in: %v, %v", m, c)
	}
	return g
}

// grantRefresh redeems a refresh token at the token endpoint.
func (n *node) grantRefresh(t testing.TB, token string) answer {
	form := url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {proofClient}, "client_secret": {proofSecret},
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", n.URL+"/oidc/token", strings.NewReader(form.Encode()))
	if err != nil {
		return answer{err: err}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return n.do(r)
}

// use uses every grant and returns the statuses by what was tried. What succeeds on the way replaces nothing that is used later, except
// the refresh token, which is therefore tried last.
func (n *node) use(t testing.TB, g grants) map[string]int {
	identity := object{"identity": object{"type": "CONSUMER", "id": "1"}}
	return map[string]int{
		"identities":   n.multi(t, "GET", "/identities", g.token, nil).status,
		"access token": n.multi(t, "POST", "/access_token", g.token, identity).status,
		"session":      n.cis(t, "/auth/session/authenticate", object{"session_id": g.session}).status,
		"refresh":      n.cis(t, "/auth/token/refresh", object{"refresh_token": g.refresh}).status,
	}
}

// dead is what use returns when the grants are worth nothing, and alive when they are good.
func dead() map[string]int {
	return map[string]int{"identities": 401, "access token": 401, "session": 400, "refresh": 401}
}

func alive() map[string]int {
	return map[string]int{"identities": 200, "access token": 200, "session": 200, "refresh": 200}
}

func same(got, want map[string]int) bool { return fmt.Sprint(got) == fmt.Sprint(want) }

func TestGrantsBeforeTheLockAreWorthNothingDuringIt(t *testing.T) { // A-017 B-05
	proveGrantsObeyLock(t, serveOne(t, people(t, 1, "rate_limits: false")))
}

// proveGrantsObeyLock opens sessions, locks their user through the first node, and tries to mint from the sessions at the last.
func proveGrantsObeyLock(t *testing.T, nodes []*node) {
	const victim = person(1)
	near, far := nodes[0], nodes[len(nodes)-1]
	g := near.grantsOf(t, victim, rightWord)
	other := near.grantsOf(t, victim, rightWord)
	if got := far.use(t, other); !same(got, alive()) {
		t.Errorf("grants before the lock: %v", got)
	}
	for i := range 5 {
		w := ways[i%len(ways)]
		if got := w.verdict(near.login(t, w, w.identifier(victim), wrongWord)); got != refused {
			t.Errorf("wrong password %d: %s", i+1, got)
		}
	}
	for _, w := range ways {
		if got := w.verdict(far.login(t, w, w.identifier(victim), rightWord)); got != held {
			t.Errorf("right password by %v: %s, want %s", w, got, held)
		}
	}
	change := object{"oldPassword": object{"value": rightWord}, "newPassword": object{"value": "An0ther-Word!"}}
	identity := object{"identity": object{"type": "CONSUMER", "id": "1"}}
	for _, c := range []struct {
		what string
		a    answer
		want int
	}{
		{"access token", far.multi(t, "POST", "/access_token", g.token, identity), 423},
		{"password change", far.multi(t, "POST", "/passwords/update", g.token, change), 423},
		{"session", far.cis(t, "/auth/session/authenticate", object{"session_id": g.session}), 403},
		{"join of the session", far.cis(t, "/auth/password/authenticate", object{
			"username": victim.username(), "password": rightWord, "session_id": g.session,
		}), 403},
		{"refresh", far.cis(t, "/auth/token/refresh", object{"refresh_token": g.refresh}), 403},
		{"refresh grant", far.grantRefresh(t, g.refresh), 400},
	} {
		minted := c.a.field("token") + c.a.field("access_token") + c.a.field("id_token") + c.a.field("refresh_token")
		name := c.a.field("ts_error_code")
		if c.a.status != c.want || minted != "" || c.want == 403 && name != "auth_locked" {
			t.Errorf("%s during the lock: %v, want %d", c.what, c.a, c.want)
		}
	}
	if a := far.multi(t, "POST", "/logout", g.token, nil); a.status != http.StatusNoContent {
		t.Errorf("logout during the lock: %v", a)
	}
	if a := far.cis(t, "/auth/session/logout", object{"session_id": g.session}); a.status != http.StatusNoContent {
		t.Errorf("logout of the session during the lock: %v", a)
	}
}

func TestLogoutIsSeenByTheNextRequest(t *testing.T) { // A-039 B-34 C-28
	proveLogout(t, serveOne(t, people(t, 4, "")))
}

// proveLogout logs in at the first node, uses the session at the last so that it could be remembered there, logs out at the first, and
// asks the last at once, 200 times.
func proveLogout(t *testing.T, nodes []*node) {
	const workers, loops = 4, 50
	near, far := nodes[0], nodes[len(nodes)-1]
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			p := person(worker + 1)
			for i := range loops {
				if i%5 == 4 {
					logoutSession(t, near, far, p)
				} else {
					logoutToken(t, near, far, p)
				}
			}
		})
	}
	wg.Wait()
}

func logoutToken(t *testing.T, near, far *node, p person) {
	token := near.login(t, ways[0], p.email(), rightWord).field("token")
	if a := far.multi(t, "GET", "/identities", token, nil); a.status != http.StatusOK {
		t.Errorf("token before the logout: %v", a)
	}
	if a := near.multi(t, "POST", "/logout", token, nil); a.status != http.StatusNoContent {
		t.Errorf("logout: %v", a)
	}
	if a := far.multi(t, "GET", "/identities", token, nil); a.status != http.StatusUnauthorized {
		t.Errorf("token after the logout: %v", a)
	}
}

func logoutSession(t *testing.T, near, far *node, p person) {
	first := near.login(t, ways[1], p.email(), rightWord)
	session, refresh := object{"session_id": first.field("session_id")}, object{"refresh_token": first.field("refresh_token")}
	if a := far.cis(t, "/auth/session/authenticate", session); a.status != http.StatusOK {
		t.Errorf("session before the logout: %v", a)
	}
	if a := near.cis(t, "/auth/session/logout", session); a.status != http.StatusNoContent {
		t.Errorf("logout of the session: %v", a)
	}
	if a := far.cis(t, "/auth/session/authenticate", session); a.status != http.StatusBadRequest {
		t.Errorf("session after the logout: %v", a)
	}
	if a := far.cis(t, "/auth/token/refresh", refresh); a.status != http.StatusUnauthorized {
		t.Errorf("refresh token after the logout: %v", a)
	}
}

func TestLogoutSurvivesKill(t *testing.T) { // B-34 C-01
	seed, data := people(t, 1, ""), t.TempDir()+"/test.db"
	first := life(t, data, seed)
	g := first.grantsOf(t, 1, rightWord)
	first.multi(t, "POST", "/logout", g.token, nil)
	first.cis(t, "/auth/session/logout", object{"session_id": g.session})
	first.Kill()
	if got := life(t, data, seed).use(t, g); !same(got, dead()) {
		t.Errorf("grants after logout and kill: %v, want %v", got, dead())
	}
}

func TestPasswordChangeEndsEverythingElse(t *testing.T) { // A-011 A-012 B-33
	provePasswordChange(t, serveOne(t, people(t, 2, "")))
}

// provePasswordChange changes a password at the first node, once as the user and once as a client, and finds every token, session and
// refresh family of the user dead at the last.
func provePasswordChange(t *testing.T, nodes []*node) {
	near, far := nodes[0], nodes[len(nodes)-1]
	const newWord = "An0ther-Word!"
	for p, change := range map[person]func(g grants) answer{
		1: func(g grants) answer {
			return near.multi(t, "POST", "/passwords/update", g.token,
				object{"oldPassword": object{"value": rightWord}, "newPassword": object{"value": newWord}})
		},
		2: func(grants) answer {
			admin := near.clientToken(t, proofAdmin)
			return near.call(t, "PUT", "/cis/v1/users/"+person(2).id()+"/password", object{"password": newWord, "force_replace": false},
				"Authorization", "Bearer "+admin)
		},
	} {
		mine, others := near.grantsOf(t, p, rightWord), near.grantsOf(t, p, rightWord)
		spare := near.grantsOf(t, p, rightWord)
		if got := far.use(t, spare); !same(got, alive()) {
			t.Errorf("grants of %d before the change: %v", p, got)
		}
		changed := change(mine)
		if changed.status != http.StatusOK {
			t.Fatalf("change of %d: %v", p, changed)
		}
		for _, on := range nodes {
			for _, g := range []grants{mine, others, spare} {
				if got := on.use(t, g); !same(got, dead()) {
					t.Errorf("grants of %d after the change: %v, want %v", p, got, dead())
				}
			}
			for _, w := range ways {
				if got := w.verdict(on.login(t, w, w.identifier(p), rightWord)); got != refused {
					t.Errorf("old password of %d by %v: %s", p, w, got)
				}
				if got := w.verdict(on.login(t, w, w.identifier(p), newWord)); got != admitted {
					t.Errorf("new password of %d by %v: %s", p, w, got)
				}
			}
		}
		if token := changed.field("token"); p == 1 {
			if a := far.multi(t, "GET", "/identities", token, nil); a.status != http.StatusOK {
				t.Errorf("token that the change returned: %v", a)
			}
		}
	}
}
