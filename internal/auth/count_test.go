package auth_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

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
}

// meter counts what a store is asked.
type meter struct {
	mu   sync.Mutex
	cost cost
}

// options has a store report to the meter.
func (m *meter) options() store.Options {
	return store.Options{
		Migrate: true,
		OnStatement: func(string) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.cost.Statements++
		},
		OnTx: func(kind string) {
			m.mu.Lock()
			defer m.mu.Unlock()
			if kind == "update" {
				m.cost.Updates++
			} else {
				m.cost.Writes++
			}
		},
	}
}

// of returns what f costs.
func (m *meter) of(f func()) cost {
	m.mu.Lock()
	m.cost = cost{}
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

// countStatements pins what each call of a busy server asks of the database. A password login stays within six statements and two
// write transactions; when a number here grows, that is a decision, not an accident.
func countStatements(t *testing.T, dsn string) {
	now := authtest.Start()
	e, m := metered(t, dsn, func() time.Time { return now })
	ctx := t.Context()
	by := func(identifier, password string) auth.PasswordLogin {
		return auth.PasswordLogin{Kind: auth.ByEmail, Identifier: identifier, Password: seal.NewSecret(password)}
	}
	multi := func(in auth.PasswordLogin) (token string, err error) {
		actor, err := e.AuthenticateKey(ctx, "test key of demo", auth.Via{})
		if err != nil {
			return "", err
		}
		login, err := e.LoginPassword(ctx, actor, in)
		return login.Token, err
	}
	client, err := e.ClientToken(ctx, e.App(), "")
	if err != nil {
		t.Fatal(err)
	}
	cis := func(in auth.PasswordLogin) (auth.TokenSet, error) {
		actor, err := e.AuthenticateClientToken(ctx, client.AccessToken, auth.Via{})
		if err != nil {
			return auth.TokenSet{}, err
		}
		return e.AuthenticatePassword(ctx, actor, auth.BackendLogin{PasswordLogin: in})
	}
	ada, charles := by("ada@example.com", authtest.Password), by("charles@example.com", authtest.Password)
	for _, in := range []auth.PasswordLogin{ada, charles} { // who logs in for the first time costs no more, but let that be another test's
		if _, err := multi(in); err != nil {
			t.Fatal(err)
		}
	}
	var token string
	var set auth.TokenSet
	is := func(want auth.Code, err error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	for _, c := range []struct {
		name string
		call func()
		want cost
	}{
		{"login on multi", func() { var err error; token, err = multi(charles); ok(err) }, cost{6, 2, 0}},
		{"login on cis", func() { var err error; set, err = cis(charles); ok(err) }, cost{6, 2, 0}},
		{"token check", func() { _, err := e.Identities(ctx, e.Key(), token); ok(err) }, cost{1, 0, 0}},
		{"token check that moves the idle end", func() {
			now = now.Add(2 * time.Second)
			_, err := e.Identities(ctx, e.Key(), token)
			ok(err)
		}, cost{2, 1, 0}},
		{"access token", func() {
			_, err := e.AccessToken(ctx, e.Key(), token, auth.IdentityRef{Type: auth.Corporate, ID: "2001"})
			ok(err)
		}, cost{4, 1, 0}},
		{"session authentication", func() { _, err := e.AuthenticateSession(ctx, e.App(), set.Session, auth.BackendGrant{}); ok(err) }, cost{4, 1, 0}},
		{"refresh", func() { _, err := e.Refresh(ctx, e.App(), set.RefreshToken); ok(err) }, cost{4, 1, 0}},
		{"logout on multi", func() { ok(e.Logout(ctx, e.Key(), token)) }, cost{3, 1, 0}},
		{"logout on cis", func() { ok(e.LogoutSession(ctx, e.App(), set.Session)) }, cost{3, 1, 0}},
		{"wrong password", func() { _, err := multi(by("ada@example.com", "wrong")); is(auth.CodeWrongPassword, err) }, cost{4, 2, 0}},
		{"nobody", func() { _, err := multi(by("none@example.com", "wrong")); is(auth.CodeUnknownUser, err) }, cost{4, 2, 0}},
		{"wrong password on cis", func() { _, err := cis(by("ada@example.com", "wrong")); is(auth.CodeWrongPassword, err) }, cost{4, 2, 0}},
		{"nobody on cis", func() { _, err := cis(by("none@example.com", "wrong")); is(auth.CodeUnknownUser, err) }, cost{4, 2, 0}},
		{"invented token", func() { _, err := e.Identities(ctx, e.Key(), "invented"); is(auth.CodeInvalidToken, err) }, cost{0, 0, 0}},
		{"malformed identifier", func() { _, err := multi(by("ada@", "wrong")); is(auth.CodeIdentifierInvalid, err) }, cost{0, 0, 0}},
	} {
		if got := m.of(c.call); got != c.want {
			t.Errorf("%s costs %+v, want %+v", c.name, got, c.want)
		}
	}
	for _, email := range []string{"ada@example.com", "none@example.com"} {
		for range 3 {
			_, err := multi(by(email, "wrong"))
			if code := auth.CodeOf(err); code != auth.CodeWrongPassword && code != auth.CodeUnknownUser {
				t.Error(err)
			}
		}
		got := m.of(func() { _, err := multi(by(email, authtest.Password)); is(auth.CodeLocked, err) })
		if want := (cost{2, 1, 0}); got != want {
			t.Errorf("%s while locked costs %+v, want %+v", email, got, want)
		}
	}
}

func TestAlteredTokenCostsNoStatement(t *testing.T) { // A-033 B-28
	e, m := metered(t, sqliteFile(t), authtest.Start)
	ctx := t.Context()
	in := auth.PasswordLogin{Kind: auth.ByEmail, Identifier: "ada@example.com", Password: seal.NewSecret(authtest.Password)}
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

func TestFailuresOutliveAFlood(t *testing.T) { failThroughFlood(t, sqliteFile(t), 5000) }

// failThroughFlood fails four times at a user, floods the counters with names that nobody has, sweeps and starts anew: the fifth
// failure still locks (A-022, B-09, C-01).
func failThroughFlood(t *testing.T, dsn string, flood int) {
	ctx := t.Context()
	fail := func(e *authtest.Env, email string, want auth.Code) {
		in := auth.PasswordLogin{Kind: auth.ByEmail, Identifier: email, Password: seal.NewSecret("wrong")}
		if _, err := e.LoginPassword(ctx, e.Key(), in); !errors.Is(err, want) {
			t.Errorf("wrong password of %s: %v, want %v", email, err, want)
		}
	}
	t.Run("before", func(t *testing.T) {
		e, _ := metered(t, dsn, authtest.Start)
		for range 4 {
			fail(e, "ada@example.com", auth.CodeWrongPassword)
		}
		var wg sync.WaitGroup
		for worker := range 8 {
			wg.Go(func() {
				for i := range flood / 8 {
					fail(e, fmt.Sprintf("none%d.%d@example.com", worker, i), auth.CodeUnknownUser)
				}
			})
		}
		wg.Wait()
		if err := e.Sweep(ctx); err != nil {
			t.Error(err)
		}
	})
	e, _ := metered(t, dsn, authtest.Start)
	fail(e, "ada@example.com", auth.CodeWrongPassword)
	fail(e, "ada@example.com", auth.CodeLocked)
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
	work := func(p process, email, password string, want auth.Code) uint64 {
		t.Helper()
		in := auth.PasswordLogin{Kind: auth.ByEmail, Identifier: email, Password: seal.NewSecret(password)}
		before := p.hasher.Stats()
		if _, err := p.LoginPassword(ctx, e.Key(), in); auth.CodeOf(err) != want {
			t.Errorf("%s at %s: %v, want %v", email, p.name, err, want)
		}
		after := p.hasher.Stats()
		return after.Verified + after.Decoys - before.Verified - before.Decoys
	}
	processes := []process{{"the present process", e.Service, e.Hasher}, {"the next one", next, raised}}
	in := auth.PasswordLogin{Kind: auth.ByEmail, Identifier: "ada@example.com", Password: seal.NewSecret(authtest.Password)}
	if _, err := next.LoginPassword(ctx, e.Key(), in); err != nil { // makes the first hash of the new shape
		t.Fatal(err)
	}
	for _, p := range processes {
		for _, c := range []struct {
			email, password string
			want            auth.Code
		}{
			{"ada@example.com", "wrong", auth.CodeWrongPassword},
			{"charles@example.com", "wrong", auth.CodeWrongPassword},
			{"mary@example.com", "wrong", auth.CodeNoPassword},
			{"annie@example.com", "wrong", auth.CodeWrongPassword},
			{"annie@example.com", authtest.Password, auth.CodeSuspended},
			{"grace@example.com", "wrong", auth.CodeWrongPassword},
			{"none@example.com", "wrong", auth.CodeUnknownUser},
		} {
			if got := work(p, c.email, c.password, c.want); got != 2 {
				t.Errorf("%v of %s costs %d hashes at %s, want one of each shape", c.want, c.email, got, p.name)
			}
		}
	}
}
