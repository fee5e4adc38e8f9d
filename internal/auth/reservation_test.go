package auth_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

// mortalStore is of a database that may go down. It notes what it would take with it.
type mortalStore struct {
	auth.Store
	mu       sync.Mutex
	unsynced int    // commits that no later one has kept yet
	all      int    // that were not synced
	after    func() // called after each of them
}

func (s *mortalStore) kept(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.unsynced = 0
	}
	return err
}

func (s *mortalStore) Update(ctx context.Context, fn func(auth.Tx) error) error {
	return s.kept(s.Store.Update(ctx, fn))
}

func (s *mortalStore) Write(ctx context.Context, fn func(auth.Writes) error) error {
	return s.kept(s.Store.Write(ctx, fn))
}

func (s *mortalStore) WriteUnsynced(ctx context.Context, fn func(auth.Writes) error) error {
	err := s.Store.WriteUnsynced(ctx, fn)
	s.mu.Lock()
	s.unsynced++
	s.all++
	s.mu.Unlock()
	if s.after != nil {
		s.after()
	}
	return err
}

// onMortal is a service on a mortal store, beside that of e.
func onMortal(t *testing.T, e *authtest.Env, under auth.Store) (*auth.Service, *mortalStore) {
	t.Helper()
	m := &mortalStore{Store: under}
	return e.Another(t, func(c *auth.Config) { c.Store = m }), m
}

// proving is one of the places where a secret is proved that is counted before it is hashed: by what function, and by a call of what.
type proving struct {
	name string
	call func(t *testing.T, e *authtest.Env, s *auth.Service, password string) error
}

// places are all of them; TestEveryPlaceThatReserves knows.
func places() map[string]proving {
	key, app := auth.Actor{Tenant: authtest.Demo, Key: "backend"}, auth.Actor{Tenant: authtest.Demo, Client: "app"}
	return map[string]proving{
		"LoginPassword": {"a login on /multi", func(t *testing.T, _ *authtest.Env, s *auth.Service, password string) error {
			_, err := s.LoginPassword(t.Context(), key, byEmail("ada", password))
			return err
		}},
		"authenticatePassword": {"a login on /cis", func(t *testing.T, _ *authtest.Env, s *auth.Service, password string) error {
			_, err := s.AuthenticatePassword(t.Context(), app, backend("ada", password))
			return err
		}},
		"LoginFront": {"a login on a client's page", func(t *testing.T, _ *authtest.Env, s *auth.Service, password string) error {
			in := frontLogin(func(in *auth.FrontLogin) { in.Password = seal.NewSecret(password) })
			_, err := s.LoginFront(t.Context(), auth.Via{}, in)
			return err
		}},
		"logIn": {"a login on our page", func(t *testing.T, e *authtest.Env, s *auth.Service, password string) error {
			at, err := e.Authorize(t.Context(), asking([]string{"openid"}), new(tab).cookies(), auth.Via{})
			if err != nil {
				t.Fatal(err)
			}
			in := auth.PageAnswer{Form: at.Form, Identifier: "ada", Password: seal.NewSecret(password)}
			out, err := s.Answer(t.Context(), in, new(tab).cookies(), auth.Via{})
			if err != nil || out.Refused == nil {
				return err
			}
			return out.Refused
		}},
		"ProveOldPassword": {"an old password", func(t *testing.T, _ *authtest.Env, s *auth.Service, password string) error {
			_, err := s.ProveOldPassword(t.Context(), auth.Via{}, "app", byUsername("ada", password), "")
			return err
		}},
		"proveOld": {"a change of password, to one that is refused", func(t *testing.T, e *authtest.Env, s *auth.Service, password string) error {
			b := login(t, e, "ada").Token
			_, err := s.UpdatePassword(t.Context(), key, b, seal.NewSecret(password), seal.NewSecret(authtest.Password))
			return err
		}},
		"provePIN": {"a PIN", func(t *testing.T, e *authtest.Env, s *auth.Service, password string) error {
			p, _ := pinnedPhone(t, e)
			r, _ := begun(t, e, p)
			return p.give(t, s, r.ID, p.typed(t, r, map[bool]string{true: rightPIN, false: "000000"}[password == authtest.Password]))
		}},
	}
}

func withPlaces(s *auth.Setup) {
	withFront(s)
	withFactors(s)
	authtest.Settings(pins)(s)
}

// TestEveryPlaceThatReserves is in places: nothing else asks for an attempt, and nothing but its reservation is written unsynced.
func TestEveryPlaceThatReserves(t *testing.T) {
	t.Parallel()
	var callers, writers []string
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					switch s.Sel.Name {
					case "provePassword", "prove":
						callers = append(callers, f.Name.Name)
					case "WriteUnsynced":
						writers = append(writers, f.Name.Name)
					}
				}
				return true
			})
		}
	}
	want := []string{"provePassword"} // which calls prove
	for name := range places() {
		want = append(want, name)
	}
	slices.Sort(callers)
	slices.Sort(want)
	if !slices.Equal(callers, want) {
		t.Errorf("attempts are made by %q, and places has %q", callers, want)
	}
	if !slices.Equal(writers, []string{"putReservation"}) {
		t.Errorf("unsynced is what %q writes, want the reservation alone", writers)
	}
}

// TestNobodyIsToldOfWhatIsNotSynced is C-01 and C-11: whatever an attempt ends in, its answer comes after a commit that keeps its reservation, or
// says of a fault of ours. The store fails in each call in turn.
func TestNobodyIsToldOfWhatIsNotSynced(t *testing.T) {
	t.Parallel()
	for _, p := range places() {
		for _, password := range []string{authtest.Password, "wrong"} {
			t.Run(p.name+"/"+password, func(t *testing.T) {
				t.Parallel()
				for n, reached := 0, true; reached; n++ {
					for _, when := range authtest.Whens() {
						e := authtest.New(t, withPlaces)
						faulty := &faultyStore{Store: e.Store, When: when}
						s, m := onMortal(t, e, faulty)
						before := faulty.Calls
						if n > 0 {
							faulty.Fail = []int{before + n}
						}
						err := p.call(t, e, s, password)
						if reached = faulty.Calls >= before+n; m.all > 1 || m.all == 0 && n == 0 {
							t.Fatalf("%d commits were not synced, want one at most, and one without a fault", m.all)
						}
						ours := auth.CodeOf(err) == auth.CodeInternal || auth.CodeOf(err) == auth.CodeOverloaded
						if m.unsynced > 0 && (err == nil || !ours) {
							t.Errorf("call %d failed, %v: told %v of an attempt that the database may forget", n, when, err)
						}
					}
				}
			})
		}
	}
}

// TestAForgottenAttemptIsNotAnswered is A-015 and C-11: a database goes down with a reservation, and the process that made it lives on. Others may
// have been let try in its place, so neither a right nor a wrong password is told of, whatever they did meanwhile.
func TestAForgottenAttemptIsNotAnswered(t *testing.T) {
	t.Parallel()
	meanwhile := map[string]func(t *testing.T, e *authtest.Env){
		"nothing": func(*testing.T, *authtest.Env) {},
		"another is under way": func(t *testing.T, e *authtest.Env) {
			stuck := e.Another(t, func(c *auth.Config) { c.Store = &faultyStore{Store: e.Store, Writes: true, Fail: []int{2}} })
			_, err := stuck.LoginPassword(t.Context(), e.Key(), byEmail("ada", "wrong"))
			wantCode(t, err, auth.CodeInternal)
		},
		"another has failed":    func(t *testing.T, e *authtest.Env) { fail(t, e, "ada", 1) },
		"another has succeeded": func(t *testing.T, e *authtest.Env) { login(t, e, "ada") },
		"four have failed":      func(t *testing.T, e *authtest.Env) { fail(t, e, "ada", 4) },
	}
	for name, others := range meanwhile {
		for _, password := range []string{authtest.Password, "wrong"} {
			t.Run(name+"/"+password, func(t *testing.T) {
				t.Parallel()
				e := authtest.New(t)
				fail(t, e, "ada", 1)
				before := attempts(t, e, authtest.Ada)
				s, m := onMortal(t, e, e.Store)
				var after auth.Attempts
				var told []string
				m.after = func() {
					putBack(t, e, before)
					others(t, e)
					after, told = attempts(t, e, authtest.Ada), events(t, e)
				}
				_, err := s.LoginPassword(t.Context(), e.Key(), byEmail("ada", password))
				wantCode(t, err, auth.CodeOverloaded)
				if got := attempts(t, e, authtest.Ada); got != after {
					t.Errorf("got %+v, want %+v, of which it is no part", got, after)
				}
				if got := events(t, e); !slices.Equal(got, told) {
					t.Errorf("got events %q after %q", got, told)
				}
			})
		}
	}
}

// TestGuessesOverOutages is A-015 and C-11: who has the database go down at each guess is told of none of them, and of no more than five in all.
func TestGuessesOverOutages(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	fail(t, e, "ada", 1)
	s, m := onMortal(t, e, e.Store)
	answered := 1
	for i := range 30 {
		before := attempts(t, e, authtest.Ada)
		m.after = nil
		if i%3 > 0 {
			m.after = func() { putBack(t, e, before) }
		}
		if _, err := s.LoginPassword(t.Context(), e.Key(), byEmail("ada", "wrong")); codeOf(err) == auth.CodeWrongPassword {
			answered++
		}
	}
	if answered != 5 {
		t.Errorf("%d guesses were answered, want 5", answered)
	}
	_, err := e.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password))
	wantCode(t, err, auth.CodeLocked)
}

// TestACrowdIsSynced: who is not alone at an account waits for the disk, and so there is never more than one reservation to lose.
func TestACrowdIsSynced(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	s, m := onMortal(t, e, e.Store)
	node := e.Another(t, func(c *auth.Config) { c.Store = m })
	m.after = func() {
		m.after = nil
		before := m.all
		for range 2 {
			_, err := node.LoginPassword(t.Context(), e.Key(), byEmail("ada", "wrong"))
			wantCode(t, err, auth.CodeWrongPassword)
		}
		if m.all != before {
			t.Errorf("%d attempts beside another were not synced", m.all-before)
		}
	}
	_, err := s.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password))
	wantCode(t, err, none)
	if a := attempts(t, e, authtest.Ada); m.all != 1 || a.Pending != 0 || a.Failures != 0 {
		t.Errorf("%d were not synced; got %+v", m.all, a)
	}
}

// putBack brings a counter back to what it was.
func putBack(t *testing.T, e *authtest.Env, a auth.Attempts) {
	t.Helper()
	now := attempts(t, e, authtest.Ada)
	err := e.Store.Write(t.Context(), func(w auth.Writes) error {
		_, err := w.PutAttempts(authtest.Demo, auth.SubjectOf(authtest.Ada), auth.AttemptPassword, a, now.Version)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
