package auth_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

// TestOneCounterForAllNames is A-016: the counter belongs to the person, over both contracts and all identifiers.
func TestOneCounterForAllNames(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	wrong := seal.NewSecret("wrong")
	for i, in := range []auth.PasswordLogin{
		{Kind: auth.ByEmail, Identifier: "ada@example.com", Password: wrong},
		{Kind: auth.ByEmail, Identifier: "ADA@EXAMPLE.com", Password: wrong},
		{Kind: auth.ByUsername, Identifier: "ada", Password: wrong},
		{Kind: auth.ByPhone, Identifier: "+35699111111", Password: wrong},
		{Kind: auth.ByUserID, Identifier: "1001", Password: wrong},
	} {
		var err error
		if i%2 == 0 {
			_, err = e.AuthenticatePassword(t.Context(), e.App(), auth.BackendLogin{PasswordLogin: in})
		} else {
			_, err = e.LoginPassword(t.Context(), e.Key(), in)
		}
		wantCode(t, err, auth.CodeWrongPassword)
	}
	_, err := e.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password))
	wantCode(t, err, auth.CodeLocked)
	_, err = e.AuthenticatePassword(t.Context(), e.App(), backend("ada", authtest.Password))
	wantCode(t, err, auth.CodeLocked)
}

// TestALock is: right and wrong are refused alike, tries move nothing, it ends by the clock, and a fresh run begins.
func TestALock(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	for _, name := range []string{"ada", "stranger", "mary", "annie"} {
		begin := e.Clock.Now()
		try := func(password string) error {
			_, err := e.LoginPassword(t.Context(), e.Key(), byEmail(name, password))
			return err
		}
		refused := func(err error) bool {
			return err != nil && codeOf(err) != auth.CodeLocked && codeOf(err) != auth.CodeBusy
		}
		for i := range 5 {
			if err := try("wrong"); !refused(err) {
				t.Fatalf("%s: try %d: got %v", name, i, err)
			}
		}
		for _, after := range []time.Duration{0, time.Minute, 30*time.Minute - time.Microsecond} {
			e.Clock.Advance(begin.Add(after).Sub(e.Clock.Now()))
			for _, password := range []string{"wrong", authtest.Password} {
				err := try(password)
				if codeOf(err) != auth.CodeLocked {
					t.Errorf("%s after %v: got %v", name, after, err)
				}
				wantRetry(t, err, 30*time.Minute-after)
			}
		}
		e.Clock.Advance(time.Microsecond)
		for i := range 4 {
			if err := try("wrong"); !refused(err) {
				t.Errorf("%s: try %d of a fresh run: got %v", name, i, err)
			}
		}
		if name != "ada" {
			continue
		}
		if err := try(authtest.Password); err != nil {
			t.Errorf("the right password after four failures: %v", err)
		}
		if got := attempts(t, e, authtest.Ada).Failures; got != 0 {
			t.Errorf("got %d failures after a success, want none", got)
		}
	}
}

// TestGuessesInParallel is A-015: of many parallel wrong passwords, over two services on one store, five are verified.
func TestGuessesInParallel(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	services := []*auth.Service{e.Service, e.Another(t, nil)}
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[auth.Code]int{}
	start := make(chan struct{})
	before := e.Hasher.Stats().Verified
	for i := range 60 {
		wg.Go(func() {
			<-start
			_, err := services[i%2].LoginPassword(t.Context(), e.Key(), byEmail("ada", "wrong"))
			mu.Lock()
			defer mu.Unlock()
			got[codeOf(err)]++
		})
	}
	close(start)
	wg.Wait()
	if got[auth.CodeWrongPassword] != 5 || got[auth.CodeLocked]+got[auth.CodeBusy] != 55 {
		t.Errorf("got %v, want 5 wrong and the rest locked or busy", got)
	}
	if n := e.Hasher.Stats().Verified - before; n != 5 {
		t.Errorf("got %d passwords verified, want 5", n)
	}
	if a := attempts(t, e, authtest.Ada); a.Failures != 5 || a.Pending != 0 || !a.LockedUntil.Equal(authtest.Start().Add(30*time.Minute)) {
		t.Errorf("got %+v", a)
	}
	if n := count(events(t, e), "locked"); n != 1 {
		t.Errorf("got %d events of the lock, want 1", n)
	}
}

// TestHonestLoginsInParallel is A-027: right passwords all succeed, with a few wrong ones among them.
func TestHonestLoginsInParallel(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	services := []*auth.Service{e.Service, e.Another(t, nil)}
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range 49 {
		wg.Go(func() {
			<-start
			password, want := authtest.Password, none
			if i%12 == 5 {
				password, want = "wrong", auth.CodeWrongPassword
			}
			_, err := services[i%2].LoginPassword(t.Context(), e.Key(), byEmail("ada", password))
			if got := codeOf(err); got != want {
				t.Errorf("login %d: got %v, want %v", i, err, want)
			}
		})
	}
	close(start)
	wg.Wait()
	if a := attempts(t, e, authtest.Ada); a.Failures > 4 || a.Pending != 0 || !a.LockedUntil.IsZero() {
		t.Errorf("got %+v, want no lock and nothing in flight", a)
	}
}

// TestACrashCountsAsAFailure is A-022: what a crash left in flight is a failure after two minutes, and not before.
func TestACrashCountsAsAFailure(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	fail(t, e, "ada", 3)
	crashed := e.Another(t, func(c *auth.Config) { c.Store = &faultyStore{Store: e.Store, Writes: true, Fail: []int{2}} })
	_, err := crashed.LoginPassword(t.Context(), e.Key(), byEmail("ada", "wrong"))
	wantCode(t, err, auth.CodeInternal)
	if a := attempts(t, e, authtest.Ada); a.Failures != 3 || a.Pending != 1 {
		t.Fatalf("got %+v, want three failures and one in flight", a)
	}
	e.Clock.Advance(auth.PendingLimit - time.Microsecond) // as another node may see it whose clock is ahead
	if _, err = e.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password)); err != nil {
		t.Fatalf("the fifth attempt beside it: %v", err)
	}
	fail(t, e, "ada", 3)
	if a := attempts(t, e, authtest.Ada); a.Failures != 3 || a.Pending != 1 {
		t.Fatalf("got %+v, want three failures and one in flight", a)
	}
	e.Clock.Advance(auth.PendingLimit)
	fail(t, e, "ada", 1)
	_, err = e.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password))
	wantCode(t, err, auth.CodeLocked)
}

// TestACallerWhoLeavesIsCounted: hanging up after the reservation spares nobody the failure.
func TestACallerWhoLeavesIsCounted(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	for range 5 {
		ctx, leave := context.WithCancel(t.Context())
		s := e.Another(t, func(c *auth.Config) { c.Store = &faultyStore{Store: e.Store, Writes: true, After: leave} })
		_, err := s.LoginPassword(ctx, e.Key(), byEmail("ada", "wrong"))
		if err == nil {
			t.Fatal("a caller who left was let in")
		}
	}
	e.Clock.Advance(time.Minute)
	if a := attempts(t, e, authtest.Ada); a.Failures+a.Pending > 5 {
		t.Errorf("got %+v", a)
	}
	before := e.Hasher.Stats().Verified
	for range 5 {
		_, _ = e.LoginPassword(t.Context(), e.Key(), byEmail("ada", "wrong"))
	}
	verified := int(e.Hasher.Stats().Verified - before)
	if a := attempts(t, e, authtest.Ada); verified > 5 || a.Failures > 5 || !a.Locked(e.Clock.Now()) && a.Failures < 5 {
		t.Errorf("got %d more verified and %+v", verified, a)
	}
}

// TestAHashThatCannotBeMadeIsNoFailure: the reservation is given back, for whatever reason no hash was computed.
func TestAHashThatCannotBeMadeIsNoFailure(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	token := login(t, e, "ada").Token
	fail(t, e, "ada", 2)
	closed := authtest.NewHasher(t, 1)
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	s := e.Another(t, func(c *auth.Config) { c.Hasher = closed })
	_, err := s.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password))
	wantCode(t, err, auth.CodeInternal)
	_, err = s.UpdatePassword(t.Context(), e.Key(), token, seal.NewSecret(authtest.Password), seal.NewSecret("N3w-Pa55word!"))
	wantCode(t, err, auth.CodeInternal)
	if a := attempts(t, e, authtest.Ada); a.Failures != 2 || a.Pending != 0 {
		t.Errorf("got %+v, want the failures of before and nothing in flight", a)
	}
}

// TestBusyAccount: while as many as may fail are in flight and do not end, the next waits its time and is told to come again.
func TestBusyAccount(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	row := auth.Attempts{Version: 1, Pending: 5, PendingAt: e.Clock.Now()}
	if err := e.Store.Write(t.Context(), func(w auth.Writes) error {
		_, err := w.PutAttempts(authtest.Demo, auth.SubjectOf(authtest.Ada), auth.AttemptPassword, row, 0)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	s := e.Another(t, func(c *auth.Config) { c.AttemptWait = time.Millisecond })
	_, err := s.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password))
	wantCode(t, err, auth.CodeBusy)
	wantRetry(t, err, time.Second)
	if got := events(t, e); len(got) != 1 || got[0] != "login_refused busy" {
		t.Errorf("got the events %q", got)
	}
}

func TestPasswordsThatAreTooLongCostNoHash(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	token := login(t, e, "ada").Token
	before := e.Hasher.Stats()
	long, right := seal.NewSecret(strings.Repeat("a", auth.MaxPasswordBytes+1)), seal.NewSecret(authtest.Password)
	for name, call := range map[string]func() error{
		"login": func() error {
			_, err := e.LoginPassword(t.Context(), e.Key(), byEmail("ada", long.Reveal()))
			return err
		},
		"authenticate": func() error {
			_, err := e.AuthenticatePassword(t.Context(), e.App(), backend("ada", long.Reveal()))
			return err
		},
		"old":  func() error { _, err := e.UpdatePassword(t.Context(), e.Key(), token, long, right); return err },
		"new":  func() error { _, err := e.UpdatePassword(t.Context(), e.Key(), token, right, long); return err },
		"both": func() error { _, err := e.UpdatePassword(t.Context(), e.Key(), token, long, long); return err },
		"add": func() error {
			return e.AddPassword(t.Context(), e.App(), authtest.NoPass, auth.NewPassword{Value: long, Unchecked: true})
		},
		"replace": func() error {
			return e.ReplacePassword(t.Context(), e.App(), authtest.Ada, auth.NewPassword{Value: long, Unchecked: true})
		},
		"create": func() error {
			_, err := e.CreateUser(t.Context(), e.App(), auth.NewUser{Username: "eve", Password: &auth.NewPassword{Value: long, Unchecked: true}})
			return err
		},
	} {
		if got := codeOf(call()); got != auth.CodeInputTooLong {
			t.Errorf("%s: got %v", name, got)
		}
	}
	if got := e.Hasher.Stats(); got.Verified != before.Verified || got.Hashed != before.Hashed || got.Decoys != before.Decoys {
		t.Errorf("hashes were computed: %+v, before %+v", got, before)
	}
	if a := attempts(t, e, authtest.Ada); a.Failures != 0 || a.Pending != 0 {
		t.Errorf("an attempt was counted: %+v", a)
	}
	if _, err := e.LoginPassword(t.Context(), e.Key(), byEmail("ada", strings.Repeat("a", auth.MaxPasswordBytes))); codeOf(err) != auth.CodeWrongPassword {
		t.Errorf("1,024 bytes: got %v", err)
	}
}

// TestNormalisedPasswords is A-004: composed and decomposed accents are one password; nothing else is folded.
func TestNormalisedPasswords(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	set := auth.NewPassword{Value: seal.NewSecret("caf\u00e9 \ufb01n"), Unchecked: true}
	if err := e.AddPassword(t.Context(), e.App(), authtest.NoPass, set); err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]auth.Code{
		"caf\u00e9 \ufb01n": none, "cafe\u0301 \ufb01n": none, "cafe \ufb01n": auth.CodeWrongPassword, "caf\u00e9 fin": auth.CodeWrongPassword,
	} {
		_, err := e.LoginPassword(t.Context(), e.Key(), byEmail("mary", password))
		if got := codeOf(err); got != want {
			t.Errorf("%+q: got %v, want %v", password, got, want)
		}
	}
}

// TestPasswordsAreVerifiedWhole is A-002: the last of two hundred characters counts, and so does what others would trim.
func TestPasswordsAreVerifiedWhole(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("gloxin\u00efa vapour ", 12) + "and a \U0001f981 "
	for name, tt := range map[string]struct {
		typed string
		want  auth.Code
	}{
		"as it is":             {long, none},
		"another end":          {long[:len(long)-1] + "\t", auth.CodeWrongPassword},
		"without the end":      {strings.TrimRight(long, " "), auth.CodeWrongPassword},
		"with one more":        {long + " ", auth.CodeWrongPassword},
		"with NUL at the end":  {long + "\x00", auth.CodeWrongPassword},
		"with NUL in between":  {long[:40] + "\x00" + long[40:], auth.CodeWrongPassword},
		"up to 72 bytes":       {long[:72], auth.CodeWrongPassword},
		"in another case":      {strings.ToUpper(long), auth.CodeWrongPassword},
		"with a space before":  {" " + long, auth.CodeWrongPassword},
		"without the lion":     {strings.ReplaceAll(long, "\U0001f981", ""), auth.CodeWrongPassword},
		"with another diacrit": {strings.Replace(long, "\u00ef", "\u00ed", 1), auth.CodeWrongPassword},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := authtest.New(t)
			if err := e.AddPassword(t.Context(), e.App(), authtest.NoPass, auth.NewPassword{Value: seal.NewSecret(long), Unchecked: true}); err != nil {
				t.Fatal(err)
			}
			_, err := e.LoginPassword(t.Context(), e.Key(), byEmail("mary", tt.typed))
			if got := codeOf(err); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestTheSameWorkForAll is A-029 and B-11 in hashes: an account that does not exist, has no password, or has one hashed with last
// year's parameters, costs what any other does.
func TestTheSameWorkForAll(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	raised := authtest.NewHasher(t, 2)
	s := e.Another(t, func(c *auth.Config) { c.Hasher = raised })
	if _, err := s.LoginPassword(t.Context(), e.Key(), byEmail("charles", authtest.Password)); err != nil { // is hashed anew
		t.Fatal(err)
	}
	if err := s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	work := map[string]uint64{}
	for _, name := range []string{"ada", "charles", "stranger", "mary", "annie"} {
		before := raised.Stats()
		_, err := s.LoginPassword(t.Context(), e.Key(), byEmail(name, "wrong"))
		if err == nil {
			t.Fatalf("%s was let in", name)
		}
		after := raised.Stats()
		work[name] = after.Verified + after.Decoys - before.Verified - before.Decoys
	}
	for name, n := range work {
		if n != 2 { // one of each shape in use
			t.Errorf("%s: got %d hashes, want 2 as for everybody: %v", name, n, work)
		}
	}
}

func TestRehashOnce(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	raised := authtest.NewHasher(t, 2)
	s := e.Another(t, func(c *auth.Config) { c.Hasher = raised })
	for range 2 {
		if _, err := s.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password)); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(events(t, e), "password_rehash"); n != 1 {
		t.Errorf("got %d events, want 1", n)
	}
	a, err := e.User(t.Context(), e.App(), authtest.Ada)
	if err != nil || a.Password.Version != 2 || a.Password.Shape != raised.Shape() || a.User.Epoch != 1 {
		t.Errorf("got %+v (%v)", a.Password.Version, err)
	}
	if _, err := e.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password)); err != nil {
		t.Errorf("a server with the older parameters: %v", err)
	}
}

// stuckStore has more to do than it can: what is written once it is stuck waits until its caller gives up.
type stuckStore struct {
	auth.Store
	stuck bool
}

func (s *stuckStore) Write(ctx context.Context, fn func(auth.Writes) error) error {
	if s.stuck {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.Store.Write(ctx, fn)
}

func (s *stuckStore) WriteUnsynced(ctx context.Context, fn func(auth.Writes) error) error {
	s.stuck = true // after the reservation
	return s.Store.WriteUnsynced(ctx, fn)
}

// TestDatabaseThatIsStuckIsAnOverload is C-19 and C-20: who cannot be let in in time is told to come back, and the attempt stays counted.
func TestDatabaseThatIsStuckIsAnOverload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := authtest.New(t)
		stuck := &stuckStore{Store: e.Store}
		s := e.Another(t, func(c *auth.Config) { c.Store = stuck })
		_, err := s.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password))
		wantCode(t, err, auth.CodeOverloaded)
		if a := attempts(t, e, authtest.Ada); a.Pending != 1 {
			t.Errorf("got %+v, want the attempt pending", a)
		}
	})
}
