package auth_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// TestClockIsNeverSetBack is C-14, over random jumps of the system's clock: time never goes back, follows the system's where that is ahead, and
// else goes on as it passes, less a tenth at most that brings it back to the system's.
func TestClockIsNeverSetBack(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(14, 14))
	for range 200 {
		m := authtest.NewSystem(authtest.Start())
		c := m.Steady()
		shown := c.Now()
		for range 60 {
			var passed time.Duration
			switch r.IntN(5) {
			case 0:
				jumps := []time.Duration{-time.Hour, time.Hour, -time.Second, time.Second, -30 * time.Second, -10 * 365 * 24 * time.Hour, 24 * time.Hour}
				m.Set(jumps[r.IntN(len(jumps))])
			default:
				passed = time.Duration(r.Int64N(int64(10 * time.Minute)))
				m.Pass(passed)
			}
			ahead := shown.Add(passed).Sub(m.Wall())
			now := c.Now()
			least, most := shown.Add(passed-passed/10), shown.Add(passed)
			switch {
			case ahead > auth.ClockTolerance:
				least = most
			case m.Wall().After(least):
				least, most = m.Wall(), m.Wall()
				if now.Sub(shown) < passed-passed/10 {
					t.Fatalf("%s passed, and the clock went on by %s", passed, now.Sub(shown))
				}
			}
			if now.Before(least) || now.After(most) {
				t.Fatalf("shown %s, %s passed, the system shows %s: got %s, want %s to %s", shown, passed, m.Wall(), now, least, most)
			}
			if got := c.Behind(); got != now.Sub(m.Wall()) {
				t.Fatalf("behind: got %s, want %s", got, now.Sub(m.Wall()))
			}
			shown = now
		}
	}
}

func TestClockComesBackToTheSystems(t *testing.T) {
	t.Parallel()
	m := authtest.NewSystem(authtest.Start())
	c := m.Steady()
	c.Now()
	m.Set(-30 * time.Second)
	for range 301 {
		m.Pass(time.Second)
		c.Now()
	}
	if got := c.Behind(); got != 0 {
		t.Errorf("after five minutes still %s behind", got)
	}
}

// onMachine starts a server on a machine, as often as wanted.
func onMachine(t *testing.T, e *authtest.Env, m *authtest.System) *auth.Service {
	return e.Another(t, func(c *auth.Config) { c.Now, c.Steady = nil, m.Steady() })
}

// loggedInOnMachine is a server on a machine of its own, with a token of Ada's.
func loggedInOnMachine(t *testing.T) (e *authtest.Env, m *authtest.System, s *auth.Service, token string) {
	t.Helper()
	e, m = authtest.New(t), authtest.NewSystem(authtest.Start())
	s = onMachine(t, e, m)
	in, err := s.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password))
	if err != nil {
		t.Fatal(err)
	}
	return e, m, s, in.Token
}

// TestClockSetBackProlongsNothing is C-14: a session of five idle minutes and a lock of thirty end in their time, though the clock was set
// back, while the server runs or before it is started anew.
func TestClockSetBackProlongsNothing(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]bool{"running": false, "started anew": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, m, s, token := loggedInOnMachine(t)
			for range 5 {
				_, err := s.LoginPassword(t.Context(), e.Key(), byEmail("charles", "wrong"))
				wantCode(t, err, auth.CodeWrongPassword)
			}
			m.Pass(4*time.Minute + 55*time.Second)
			if err := s.KeepTime(t.Context()); err != nil {
				t.Fatal(err)
			}
			m.Set(-50 * time.Second)
			if restart {
				s = onMachine(t, e, m)
			}
			m.Pass(6 * time.Second) // less a tenth
			_, err := s.Identities(t.Context(), e.Key(), token)
			wantCode(t, err, auth.CodeInvalidToken)
			m.Pass(26 * time.Minute) // the minute is for what the clock gives back
			if _, err := s.LoginPassword(t.Context(), e.Key(), byEmail("charles", authtest.Password)); err != nil {
				t.Errorf("after the lock: %v", err)
			}
		})
	}
}

// TestNoCallIsTakenByAClockThatIsWrong is C-14: beyond the tolerance nothing is issued, also after a restart, until the clock is right or an
// operator has accepted it, which voids what was open.
func TestNoCallIsTakenByAClockThatIsWrong(t *testing.T) {
	t.Parallel()
	e, m, s, token := loggedInOnMachine(t)
	if err := s.KeepTime(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused := func(when string) {
		t.Helper()
		if s.ClockTrusted() == nil {
			t.Errorf("%s: the clock is trusted, %s behind", when, s.ClockBehind())
		}
		_, login := s.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password))
		_, use := s.Identities(t.Context(), e.Key(), token)
		_, let := s.AuthenticateKey(t.Context(), "test key of demo", auth.Via{})
		for _, err := range []error{login, use, let} {
			if !errors.Is(err, auth.CodeMaintenance) {
				t.Errorf("%s: got %v, want %v", when, err, auth.CodeMaintenance)
			}
		}
	}
	m.Set(-auth.ClockTolerance)
	if err := s.ClockTrusted(); err != nil {
		t.Errorf("at the tolerance: %v", err)
	}
	m.Set(-time.Second)
	refused("beyond the tolerance")
	m.Set(time.Second)
	if _, err := s.Identities(t.Context(), e.Key(), token); err != nil {
		t.Errorf("set right: %v", err)
	}
	m.Set(-time.Hour)
	s = onMachine(t, e, m)
	refused("after a restart")
	if _, err := s.Rewound(t.Context(), "a failover"); err != nil {
		t.Fatal(err)
	}
	s = onMachine(t, e, m)
	refused("after a failover, which is no word on the clock")
	if _, err := s.Restored(t.Context()); err != nil {
		t.Fatal(err)
	}
	s = onMachine(t, e, m)
	if err := s.ClockTrusted(); err != nil {
		t.Errorf("accepted: %v", err)
	}
	_, err := s.Identities(t.Context(), e.Key(), token)
	wantCode(t, err, auth.CodeInvalidToken)
	if _, err := s.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password)); err != nil {
		t.Errorf("accepted: %v", err)
	}
}

// TestTimeIsNotedNowAndThen: a note every few seconds, never one of before.
func TestTimeIsNotedNowAndThen(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	m := authtest.NewSystem(authtest.Start())
	s := onMachine(t, e, m)
	writes := 0
	for second := range 60 {
		before := mark(t, e)
		if err := s.KeepTime(t.Context()); err != nil {
			t.Fatal(err)
		}
		after := mark(t, e)
		if after != before {
			writes++
		}
		if after < before {
			t.Errorf("second %d: %q after %q", second, after, before)
		}
		m.Pass(time.Second)
	}
	if writes != 12 {
		t.Errorf("got %d notes in a minute, want 12", writes)
	}
	slow := authtest.NewSystem(authtest.Start())
	before := mark(t, e)
	if err := onMachine(t, e, slow).KeepTime(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := mark(t, e); after < before {
		t.Errorf("a server that is behind put %q in the place of %q", after, before)
	}
}

// mark is the note, empty when there is none.
func mark(t *testing.T, e *authtest.Env) (text string) {
	t.Helper()
	err := e.Store.View(t.Context(), func(r auth.Reads) (err error) { text, err = r.Meta("clock"); return err })
	if err != nil && !errors.Is(err, auth.ErrNotFound) {
		t.Fatal(err)
	}
	return text
}
