package auth_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// walker takes random steps through recovery and keeps its own books of what each mailbox holds (B-48).
type walker struct {
	*testing.T
	e      *authtest.Env
	right  map[string]string // password by name
	latest map[string]string // code that was mailed last, by name; empty when it was used or voided
	sentAt map[string]time.Time
	wrong  map[string]int
	random *rand.Rand

	made, recovered int // passwords
}

func pick[T any](w *walker, from []T) T { return from[w.random.IntN(len(from))] }

var walkers = []string{"ada", "charles"}

func (w *walker) start() {
	name := pick(w, walkers)
	now := w.e.Clock.Now()
	start(w.T, w.e, name)
	for _, m := range inbox(w.T, w.e, name+"@example.com") {
		if m.Template == auth.TemplateRecovery && m.At.Equal(now) {
			w.latest[name], w.sentAt[name] = m.Code, now
		}
	}
}

// resume gives back the latest code, another's, an empty box's or a made-up one.
func (w *walker) resume() {
	name, of := pick(w, walkers), pick(w, []string{"ada", "charles", "nobody"})
	code := w.latest[of]
	if code == "" {
		code = pick(w, []string{wrongCode, sentCode, "999999"})
	}
	w.made++
	password := fmt.Sprintf("N3w-Pa55word-%d", w.made)
	_, err := resume(w.T, w.e, name, code, password)
	proved := code == w.latest[name] && w.e.Clock.Now().Before(w.sentAt[name].Add(auth.RecoveryFor))
	switch {
	case err == nil && !proved:
		w.Fatalf("the password of %s was changed without the code from their mailbox", name)
	case err == nil:
		w.right[name], w.latest[name], w.wrong[name] = password, "", 0
		w.recovered++
	case codeOf(err) != auth.CodeRecoveryInvalid:
		w.Fatalf("got %v", err)
	case proved && w.wrong[name] == 0:
		w.Fatalf("the code of %s was refused: %v", name, err)
	default:
		w.wrong[name]++
	}
	w.login(name)
}

// login is with the password that the books say.
func (w *walker) login(name string) auth.Login {
	l, err := w.e.LoginPassword(w.Context(), w.e.Key(), byEmail(name, w.right[name]))
	if err != nil {
		w.Fatalf("login of %s: %v", name, err)
	}
	return l
}

func (w *walker) change() {
	name := pick(w, walkers)
	l := w.login(name)
	token := l.Token
	if l.Kind == auth.TokenAuth {
		a, err := w.e.AccessToken(w.Context(), w.e.Key(), token, engines)
		if err != nil {
			w.Fatal(err)
		}
		token = a.Token
	}
	w.made++
	password := fmt.Sprintf("N3w-Pa55word-%d", w.made)
	if _, err := update(w.T, w.e, token, w.right[name], password); err != nil {
		w.Fatalf("update of %s: %v", name, err)
	}
	w.right[name], w.latest[name] = password, ""
}

// TestNoPasswordChangesWithoutProof walks at random and looks after each proof that its user gets in with the password that the books say.
func TestNoPasswordChangesWithoutProof(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := &walker{
		T: t, e: authtest.New(t, func(s *auth.Setup) { s.Tenants[0].Tenant.Mode = auth.ModeLive }), random: rand.New(rand.NewPCG(seed, 0)),
		right: map[string]string{}, latest: map[string]string{}, sentAt: map[string]time.Time{}, wrong: map[string]int{},
	}
	for _, name := range walkers {
		w.right[name] = authtest.Password
	}
	wait := func() {
		w.e.Clock.Advance(pick(w, []time.Duration{time.Second, 15 * time.Second, auth.RecoveryFor, time.Hour}))
	}
	for range 400 {
		pick(w, []func(){w.start, w.start, w.resume, w.resume, w.change, wait})()
		w.e.Clock.Advance(time.Second) // no two messages at once
	}
	if w.recovered == 0 {
		t.Error("nothing was recovered in all the walk")
	}
}
