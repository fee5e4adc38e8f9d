package auth_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/jose"
	"countersign/internal/passhash"
	"countersign/internal/seal"
	"countersign/internal/store"
)

// cost is what a call asked of the store.
type cost struct {
	Statements int
	Writes     int // write transactions begun
	Updates    int // serialisable transactions begun
	Unsynced   int // of the writes, those that do not wait for the disk
}

// meter counts what a store is asked.
type meter struct {
	mu    sync.Mutex
	cost  cost
	trail []string // statements of the latest call
}

// options has a store report to the meter.
func (m *meter) options() store.Options {
	return store.Options{
		Migrate: true,
		OnStatement: func(text string) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.cost.Statements++
			m.trail = append(m.trail, text)
		},
		OnTx: func(kind string) {
			m.mu.Lock()
			defer m.mu.Unlock()
			switch kind {
			case "update":
				m.cost.Updates++
			case "write unsynced":
				m.cost.Writes++
				m.cost.Unsynced++
			default:
				m.cost.Writes++
			}
		},
	}
}

// of returns what f costs.
func (m *meter) of(f func()) cost {
	m.mu.Lock()
	m.cost, m.trail = cost{}, nil
	m.mu.Unlock()
	f()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cost
}

// metered makes a domain in the starting state over the database that dsn names, with a clock of the caller's.
func metered(t *testing.T, dsn string, now func() time.Time) (*authtest.Env, *meter) {
	t.Helper()
	m := &meter{}
	db, err := store.Open(t.Context(), dsn, m.options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	ring, err := seal.NewRing([]byte("a key of tests, 32 bytes of it.."))
	if err != nil {
		t.Fatal(err)
	}
	e := &authtest.Env{Store: db, Hasher: authtest.NewHasher(t, 1), Ring: ring}
	e.Service = e.Another(t, func(c *auth.Config) { c.Now = now })
	if _, err := e.Apply(t.Context(), authtest.Setup()); err != nil {
		t.Fatal(err)
	}
	if err := e.EnsureKeys(t.Context(), jose.ES256); err != nil {
		t.Fatal(err)
	}
	return e, m
}

func sqliteFile(t *testing.T) string { return filepath.Join(t.TempDir(), "auth.db") }

func TestStatementsByCall(t *testing.T) { countStatements(t, sqliteFile(t)) }

// logins authenticates users as the dialects do, the caller's own credential included.
type logins struct {
	*testing.T
	*authtest.Env
	client string // access token of the client
}

// multi logs in on /multi, expects a code, and returns the token.
func (l logins) multi(name, password string, want auth.Code) string {
	l.Helper()
	actor, err := l.AuthenticateKey(l.Context(), "test key of demo", auth.Via{})
	if err != nil {
		l.Error(err)
	}
	login, err := l.LoginPassword(l.Context(), actor, byEmail(name, password))
	wantCode(l.T, err, want)
	return login.Token
}

// cis does the same on /cis.
func (l logins) cis(name, password string, want auth.Code) auth.TokenSet {
	l.Helper()
	actor, err := l.AuthenticateClientToken(l.Context(), l.client, auth.Via{})
	if err != nil {
		l.Error(err)
	}
	set, err := l.AuthenticatePassword(l.Context(), actor, auth.BackendLogin{PasswordLogin: byEmail(name, password)})
	wantCode(l.T, err, want)
	return set
}

// countStatements pins what each call of a busy server asks of the database. A password login stays within six statements and two
// write transactions; when a number here grows, that is a decision, not an accident.
func countStatements(t *testing.T, dsn string) {
	now := authtest.Start()
	e, m := metered(t, dsn, func() time.Time { return now })
	ctx := t.Context()
	client, err := e.ClientToken(ctx, e.App(), "")
	if err != nil {
		t.Fatal(err)
	}
	l := logins{t, e, client.AccessToken}
	for _, name := range []string{"ada", "charles"} {
		l.multi(name, authtest.Password, none)
	}
	check := func(name string, want cost, call func()) {
		t.Helper()
		if got := m.of(call); got != want {
			t.Errorf("%s costs %+v, want %+v", name, got, want)
		}
	}
	var token string
	var set auth.TokenSet
	identities := func(token string, want auth.Code) {
		_, err := e.Identities(ctx, e.Key(), token)
		wantCode(t, err, want)
	}
	check("login on multi", cost{6, 2, 0, 1}, func() { token = l.multi("charles", authtest.Password, none) })
	check("login on cis", cost{6, 2, 0, 1}, func() { set = l.cis("charles", authtest.Password, none) })
	check("token check", cost{1, 0, 0, 0}, func() { identities(token, none) })
	now = now.Add(2 * time.Second)
	check("token check that moves the idle end", cost{2, 1, 0, 0}, func() { identities(token, none) })
	check("invented token", cost{}, func() { identities("invented", auth.CodeInvalidToken) })
	check("access token", cost{4, 1, 0, 0}, func() {
		_, err := e.AccessToken(ctx, e.Key(), token, auth.IdentityRef{Type: auth.Corporate, ID: "2001"})
		wantCode(t, err, none)
	})
	check("session authentication", cost{4, 1, 0, 0}, func() {
		_, err := e.AuthenticateSession(ctx, e.App(), set.Session, auth.BackendGrant{})
		wantCode(t, err, none)
	})
	check("refresh", cost{4, 1, 0, 0}, func() {
		_, err := e.Refresh(ctx, e.App(), set.RefreshToken)
		wantCode(t, err, none)
	})
	check("introspection of an access token", cost{1, 0, 0, 0}, func() { sees(t, e.Service, e.App(), set.AccessToken) })
	check("introspection of a refresh token", cost{1, 0, 0, 0}, func() { sees(t, e.Service, e.App(), set.RefreshToken) })
	check("UserInfo", cost{1, 0, 0, 0}, func() {
		_, _, err := e.UserInfo(ctx, set.AccessToken, auth.Via{})
		wantCode(t, err, none)
	})
	check("logout on multi", cost{3, 1, 0, 0}, func() { wantCode(t, e.Logout(ctx, e.Key(), token), none) })
	check("logout on cis", cost{3, 1, 0, 0}, func() { wantCode(t, e.LogoutSession(ctx, e.App(), set.Session), none) })
	revokes(t, e.Service, e.App(), client.AccessToken)
	if client, err = e.ClientToken(ctx, e.App(), ""); err != nil {
		t.Fatal(err)
	}
	l.client = client.AccessToken
	check("login on cis while a client's own token is revoked", cost{7, 2, 0, 1}, func() { l.cis("charles", authtest.Password, none) })
	now = now.Add(2 * time.Hour)
	if client, err = e.ClientToken(ctx, e.App(), ""); err != nil {
		t.Fatal(err)
	}
	l.client = client.AccessToken
	check("login on cis when that one has expired", cost{6, 2, 0, 1}, func() { l.cis("charles", authtest.Password, none) })
	check("malformed identifier", cost{}, func() { l.multi("@", "wrong", auth.CodeIdentifierInvalid) })
	for name, code := range map[string]auth.Code{"ada": auth.CodeWrongPassword, "none": auth.CodeUnknownUser} {
		check("wrong password on multi of "+name, cost{4, 2, 0, 1}, func() { l.multi(name, "wrong", code) })
		check("wrong password on cis of "+name, cost{4, 2, 0, 1}, func() { l.cis(name, "wrong", code) })
		for range 3 {
			l.multi(name, "wrong", code)
		}
		check("locked on multi: "+name, cost{2, 1, 0, 0}, func() { l.multi(name, authtest.Password, auth.CodeLocked) })
		check("locked on cis: "+name, cost{2, 1, 0, 0}, func() { l.cis(name, authtest.Password, auth.CodeLocked) })
	}
}

func TestAlteredTokenCostsNoStatement(t *testing.T) { // A-033 B-28
	e, m := metered(t, sqliteFile(t), authtest.Start)
	ctx := t.Context()
	in := byEmail("ada", authtest.Password)
	login, err := e.LoginPassword(ctx, e.Key(), in)
	if err != nil {
		t.Fatal(err)
	}
	set, err := e.AuthenticatePassword(ctx, e.App(), auth.BackendLogin{PasswordLogin: in})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []struct {
		name, token string
		use         func(token string) error
		want        auth.Code
	}{
		{"bearer", login.Token, func(s string) error { _, err := e.Identities(ctx, e.Key(), s); return err }, auth.CodeInvalidToken},
		{"refresh", set.RefreshToken, func(s string) error { _, err := e.Refresh(ctx, e.App(), s); return err }, auth.CodeInvalidRefresh},
	} {
		altered := alterations(t, kind.token)
		got := m.of(func() {
			for _, token := range altered {
				if err := kind.use(token); !errors.Is(err, kind.want) {
					t.Errorf("%s token %q: %v, want %v", kind.name, token, err, kind.want)
				}
			}
		})
		if got != (cost{}) {
			t.Errorf("%d altered %s tokens cost %+v, want nothing", len(altered), kind.name, got)
		}
		if err := kind.use(kind.token); err != nil {
			t.Errorf("the %s token itself: %v", kind.name, err)
		}
	}
	if err := func() error { _, err := e.Refresh(ctx, e.App(), login.Token); return err }(); !errors.Is(err, auth.CodeInvalidRefresh) {
		t.Errorf("bearer token as refresh token: %v", err)
	}
	if _, err := e.Identities(ctx, e.Key(), set.RefreshToken); !errors.Is(err, auth.CodeInvalidToken) {
		t.Errorf("refresh token as bearer token: %v", err)
	}
}

// alterations are every flip of one bit of a token's bytes and of its text, every prefix, and what could be held for another spelling.
func alterations(t *testing.T, token string) []string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for bit := range len(raw) * 8 {
		raw[bit/8] ^= 1 << (bit % 8)
		all = append(all, base64.RawURLEncoding.EncodeToString(raw))
		raw[bit/8] ^= 1 << (bit % 8)
	}
	text := []byte(token)
	for bit := range len(text) * 8 {
		text[bit/8] ^= 1 << (bit % 8)
		all = append(all, string(text))
		text[bit/8] ^= 1 << (bit % 8)
	}
	for n := range token {
		all = append(all, token[:n])
	}
	return append(all, token+"A", token+"=", token+"==", token+" ", " "+token, token+"\n", token+"\x00", token+token)
}

func TestFailuresOutliveAFlood(t *testing.T) { failThroughFlood(t, sqliteFile(t), 2000) }

// failThroughFlood fails four times at a user, floods the counters with names that nobody has, sweeps and starts anew: the fifth
// failure still locks (A-022, B-09, C-01).
func failThroughFlood(t *testing.T, dsn string, flood int) {
	ctx := t.Context()
	fail := func(e *authtest.Env, name string, want auth.Code) {
		if _, err := e.LoginPassword(ctx, e.Key(), byEmail(name, "wrong")); !errors.Is(err, want) {
			t.Errorf("wrong password of %s: %v, want %v", name, err, want)
		}
	}
	t.Run("before", func(t *testing.T) {
		e, _ := metered(t, dsn, authtest.Start)
		for range 4 {
			fail(e, "ada", auth.CodeWrongPassword)
		}
		var wg sync.WaitGroup
		for worker := range 8 {
			wg.Go(func() {
				for i := range flood / 8 {
					fail(e, fmt.Sprintf("none%d.%d", worker, i), auth.CodeUnknownUser)
				}
			})
		}
		wg.Wait()
		if _, err := e.Sweep(ctx); err != nil {
			t.Error(err)
		}
	})
	e, _ := metered(t, dsn, authtest.Start)
	fail(e, "ada", auth.CodeWrongPassword)
	fail(e, "ada", auth.CodeLocked)
}

func TestRefusalsCostTheSameWhileTheCostIsRaised(t *testing.T) { // A-029 B-10 B-11
	e := authtest.New(t, authtest.Settings(func(s *auth.Settings) { s.Lockout.Failures = 100 }))
	ctx := t.Context()
	raised := authtest.NewHasher(t, 2)
	next := e.Another(t, func(c *auth.Config) { c.Hasher = raised }) // a process of the next release, beside the present one
	type process struct {
		name string
		*auth.Service
		hasher *passhash.Hasher
	}
	work := func(p process, name, password string, want auth.Code) uint64 {
		t.Helper()
		before := p.hasher.Stats()
		if _, err := p.LoginPassword(ctx, e.Key(), byEmail(name, password)); auth.CodeOf(err) != want {
			t.Errorf("%s at %s: %v, want %v", name, p.name, err, want)
		}
		after := p.hasher.Stats()
		return after.Verified + after.Decoys - before.Verified - before.Decoys
	}
	processes := []process{{"the present process", e.Service, e.Hasher}, {"the next one", next, raised}}
	in := byEmail("ada", authtest.Password)
	if _, err := next.LoginPassword(ctx, e.Key(), in); err != nil { // makes the first hash of the new shape
		t.Fatal(err)
	}
	for _, p := range processes {
		for _, c := range []struct {
			name, password string
			want           auth.Code
		}{
			{"ada", "wrong", auth.CodeWrongPassword},
			{"charles", "wrong", auth.CodeWrongPassword},
			{"mary", "wrong", auth.CodeNoPassword},
			{"annie", "wrong", auth.CodeWrongPassword},
			{"annie", authtest.Password, auth.CodeSuspended},
			{"grace", "wrong", auth.CodeWrongPassword},
			{"none", "wrong", auth.CodeUnknownUser},
		} {
			if got := work(p, c.name, c.password, c.want); got != 2 {
				t.Errorf("%v of %s costs %d hashes at %s, want one of each shape", c.want, c.name, got, p.name)
			}
		}
	}
}

// TestCodesOfNobodyRunTheSameStatements: who has no app, and who is not there, is asked about like one who has.
func TestCodesOfNobodyRunTheSameStatements(t *testing.T) {
	t.Parallel()
	e, m := metered(t, sqliteFile(t), authtest.Start)
	e.Clock = authtest.NewClock(authtest.Start())
	key := newApp(t, e, "ada")
	wrong := noCode(t, e, key)
	var want []string
	for _, name := range []string{"ada", "charles", "nobody"} {
		m.of(func() {
			_, err := e.AuthenticateTOTP(t.Context(), e.App(), byCode(name, wrong))
			wantCode(t, err, auth.CodeWrongOTP)
		})
		got := slices.Clone(m.trail)
		if want == nil {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" || len(got) < 4 {
			t.Errorf("%s, against one who has an app (-want +got):\n%s", name, diff)
		}
	}
}
