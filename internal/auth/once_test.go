package auth_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

// steppers is a domain in which ada and charles can step up by code and by device.
func steppers(t *testing.T, change ...func(*auth.Settings)) *authtest.Env {
	t.Helper()
	return authtest.New(t, func(s *auth.Setup) {
		for _, f := range change {
			f(&s.Tenants[0].Tenant.Settings)
		}
		s.Tenants[0].APIKeys = append(s.Tenants[0].APIKeys, auth.APIKeySetup{Name: "batch", Key: "another key of demo"})
		for _, tenant := range s.Tenants {
			for i := range tenant.Users {
				if u := &tenant.Users[i]; u.ID == authtest.Ada || u.ID == authtest.Charles {
					u.Phone = "+3569911" + string(u.ID)
					u.Authenticators = []auth.AuthenticatorSetup{
						{Kind: auth.AuthenticatorSMS}, {Kind: auth.AuthenticatorDevice, Channel: auth.ChannelBiometric, Simulated: true},
					}
				}
			}
		}
	})
}

// once makes an actor's call one that takes effect once, of this name and payload. Its answer is what it came to, in words.
func once(by auth.Actor, operation, ref, payload string) auth.Actor {
	by.Once = &auth.Once{
		Operation: operation, Ref: ref, Digest: sha256.Sum256([]byte(payload)),
		Encode: func(result any, refusal *auth.Error) (int, []byte) {
			if refusal != nil {
				return 409, []byte(refusal.Code.String())
			}
			done, _ := result.(auth.Asked)
			return 200, []byte("done: " + string(done.ID))
		},
	}
	return by
}

// answerOf is what a call is answered: by itself, or as it was before.
func answerOf(asked auth.Asked, err error) string {
	var refusal *auth.Error
	switch {
	case err == nil:
		return "done: " + string(asked.ID)
	case errors.As(err, &refusal) && refusal.Replay != nil:
		return string(refusal.Replay.Body)
	}
	return auth.CodeOf(err).String()
}

func pushes(t *testing.T, e *authtest.Env, user auth.UserID) int {
	t.Helper()
	var n auth.Tally
	err := e.Store.View(t.Context(), func(r auth.Reads) (err error) {
		n, err = r.CountPushed(authtest.Demo, auth.SubjectOf(user), time.Time{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n.Count
}

func wrongCodes(t *testing.T, e *authtest.Env, user auth.UserID) int {
	t.Helper()
	var a auth.Attempts
	err := e.Store.View(t.Context(), func(r auth.Reads) (err error) {
		a, err = r.Attempts(authtest.Demo, auth.SubjectOf(user), auth.AttemptOTP)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return a.Failures
}

func TestRepeatedCallIsAnsweredAsBefore(t *testing.T) { // contract/multi §1.2, C-08
	t.Parallel()
	e := steppers(t)
	l := login(t, e, "ada")
	call := func(by auth.Actor) string {
		return answerOf(e.StepUpDevice(t.Context(), by, l.Token, auth.ChannelBiometric))
	}
	const operation = "POST /stepup"
	first := call(once(e.Key(), operation, "r1", "payload"))
	if !strings.HasPrefix(first, "done: ") {
		t.Fatalf("the call itself: %s", first)
	}
	batch := e.Key()
	batch.Key = "batch"
	for _, tt := range []struct {
		name string
		by   auth.Actor
		want string
	}{
		{"the same", once(e.Key(), operation, "r1", "payload"), first},
		{"another payload", once(e.Key(), operation, "r1", "another"), auth.CodeOnceConflict.String()},
		{"another ref", once(e.Key(), operation, "r2", "payload"), auth.CodeChallengeFlying.String()}, // what it comes to anew
		{"a ref in another case", once(e.Key(), operation, "R1", "payload"), auth.CodeChallengeFlying.String()},
		{"another operation", once(e.Key(), "POST /stepup/2", "r1", "payload"), auth.CodeChallengeFlying.String()},
		{"another API key", once(batch, operation, "r1", "payload"), auth.CodeChallengeFlying.String()},
		{"no ref", e.Key(), auth.CodeChallengeFlying.String()},
		{"the same again", once(e.Key(), operation, "r1", "payload"), first},
	} {
		if got := call(tt.by); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
	if got := pushes(t, e, authtest.Ada); got != 1 {
		t.Errorf("got %d challenges, want 1", got)
	}
}

func TestTenantsDoNotShareAnswers(t *testing.T) { // contract/multi §1.2
	t.Parallel()
	e := steppers(t)
	rival := auth.Actor{Tenant: authtest.Rival, Key: "backend"}
	theirs, err := e.LoginPassword(t.Context(), rival, byEmail("ada", authtest.Password))
	if err != nil {
		t.Fatal(err)
	}
	ours := login(t, e, "ada")
	first := answerOf(e.StepUpDevice(t.Context(), once(e.Key(), "op", "r", "p"), ours.Token, auth.ChannelBiometric))
	other := answerOf(e.StepUpDevice(t.Context(), once(rival, "op", "r", "p"), theirs.Token, auth.ChannelBiometric))
	if first == other || !strings.HasPrefix(first, "done: ") || !strings.HasPrefix(other, "done: ") {
		t.Errorf("got %s and %s", first, other)
	}
}

func TestRepeatedCallNeedsALiveSession(t *testing.T) {
	t.Parallel()
	e := steppers(t)
	l := login(t, e, "ada")
	call := func() string {
		return answerOf(e.StepUpDevice(t.Context(), once(e.Key(), "op", "r", "p"), l.Token, auth.ChannelBiometric))
	}
	call()
	if err := e.Logout(t.Context(), e.Key(), l.Token); err != nil {
		t.Fatal(err)
	}
	if got, want := call(), auth.CodeInvalidToken.String(); got != want {
		t.Errorf("after logout: got %s, want %s", got, want)
	}
}

// TestRepeatedWrongCodeCountsOnce is A-053 with a retry: each wrong code is one failure, however often its call is repeated, up to the
// one that ends the challenge.
func TestRepeatedWrongCodeCountsOnce(t *testing.T) {
	t.Parallel()
	e := steppers(t)
	l := login(t, e, "ada")
	ctx := t.Context()
	if err := e.StepUp(ctx, e.Key(), l.Token, auth.ChannelSMS); err != nil {
		t.Fatal(err)
	}
	verify := func(ref, code string) string {
		return answerOf(auth.Asked{}, e.VerifyStepUp(ctx, once(e.Key(), "verify", ref, code), l.Token, auth.ChannelSMS, code))
	}
	for i, want := range []auth.Code{auth.CodeWrongOTP, auth.CodeOneTryLeft, auth.CodeChallengeLimit} {
		ref := fmt.Sprint("r", i)
		for try := range 3 {
			if got := verify(ref, "000000"); got != want.String() {
				t.Errorf("wrong code %d, try %d: got %s, want %s", i+1, try+1, got, want)
			}
			if got := wrongCodes(t, e, authtest.Ada); got != i+1 {
				t.Errorf("wrong code %d, try %d: got %d failures", i+1, try+1, got)
			}
		}
	}
	if got, want := verify("r0", "123456"), auth.CodeOnceConflict.String(); got != want {
		t.Errorf("the right code under a used name: got %s, want %s", got, want)
	}
	if got, want := verify("r0", "000000"), auth.CodeWrongOTP.String(); got != want {
		t.Errorf("the first call when all is over: got %s, want %s", got, want)
	}
}

func TestRepeatedProofIsAProofOnce(t *testing.T) {
	t.Parallel()
	e := steppers(t)
	l := login(t, e, "ada")
	ctx := t.Context()
	if err := e.StepUp(ctx, e.Key(), l.Token, auth.ChannelSMS); err != nil {
		t.Fatal(err)
	}
	verify := func(ref string) string {
		return answerOf(auth.Asked{}, e.VerifyStepUp(ctx, once(e.Key(), "verify", ref, "123456"), l.Token, auth.ChannelSMS, "123456"))
	}
	first := verify("r1")
	if got := verify("r1"); got != first || !strings.HasPrefix(got, "done: ") {
		t.Errorf("got %s and then %s", first, got)
	}
	if got, want := verify("r2"), auth.CodeAlreadyVerified.String(); got != want {
		t.Errorf("the code again: got %s, want %s", got, want)
	}
}

func TestRefusalThatCountsNothingMayBeRetried(t *testing.T) {
	t.Parallel()
	e := steppers(t)
	l := login(t, e, "ada")
	start := func(ref string) string {
		return answerOf(auth.Asked{}, e.StepUp(t.Context(), once(e.Key(), "start", ref, ""), l.Token, auth.ChannelSMS))
	}
	start("r1")
	for range 2 {
		if got, want := start("r2"), auth.CodeTooSoon.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	e.Clock.Advance(15 * time.Second)
	if got := start("r2"); !strings.HasPrefix(got, "done: ") {
		t.Errorf("when it is time: %s", got)
	}
	if got, want := start("r3"), auth.CodeTooSoon.String(); got != want {
		t.Errorf("right after it: got %s, want %s", got, want)
	}
}

func TestAnswersAreKeptForTwoDays(t *testing.T) { // contract/multi §1.2: at least a day
	t.Parallel()
	e := steppers(t, func(s *auth.Settings) {
		s.Session = auth.SessionPolicy{IdleLimit: 96 * time.Hour, AbsoluteLimit: 96 * time.Hour}
	})
	l := login(t, e, "ada")
	call := func() string {
		return answerOf(e.StepUpDevice(t.Context(), once(e.Key(), "op", "r", "p"), l.Token, auth.ChannelBiometric))
	}
	first := call()
	for _, d := range []time.Duration{24 * time.Hour, 24*time.Hour - time.Microsecond} {
		e.Clock.Advance(d)
		if _, err := e.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := call(); got != first {
			t.Errorf("%v later: got %s, want %s", d, got, first)
		}
	}
	e.Clock.Advance(time.Microsecond)
	anew := call()
	if anew == first || !strings.HasPrefix(anew, "done: ") {
		t.Errorf("after two days: got %s, want a new challenge", anew)
	}
	if got := call(); got != anew {
		t.Errorf("and again: got %s, want %s", got, anew)
	}
}

func TestParallelCallsOfOneNameTakeEffectOnce(t *testing.T) { // C-08
	t.Parallel()
	e := steppers(t)
	l := login(t, e, "ada")
	answers := make([]string, 30)
	var calls sync.WaitGroup
	for i := range answers {
		calls.Go(func() {
			answers[i] = answerOf(e.StepUpDevice(t.Context(), once(e.Key(), "op", "r", "p"), l.Token, auth.ChannelBiometric))
		})
	}
	calls.Wait()
	for i, got := range answers {
		if got != answers[0] || !strings.HasPrefix(got, "done: ") {
			t.Errorf("call %d: got %s, the first got %s", i, got, answers[0])
		}
	}
	if got := pushes(t, e, authtest.Ada); got != 1 {
		t.Errorf("got %d challenges, want 1", got)
	}
}

// TestLostAnswerIsGivenAgain is C-03 and C-08: whichever call of the store fails, and however far it came, the same call made again
// succeeds and takes effect once.
func TestLostAnswerIsGivenAgain(t *testing.T) {
	t.Parallel()
	for _, mode := range []when{notAtAll, rolledBack, committed} {
		for n := 1; ; n++ {
			e := steppers(t)
			l := login(t, e, "ada")
			faulty := &faultyStore{Store: e.Store, When: mode}
			s := e.Another(t, func(c *auth.Config) { c.Store = faulty })
			faulty.Calls, faulty.Fail = 0, []int{n}
			_, err := s.StepUpDevice(t.Context(), once(e.Key(), "op", "r", "p"), l.Token, auth.ChannelBiometric)
			if faulty.Calls < n {
				if err != nil || n < 3 {
					t.Errorf("without a fault, after %d calls: %v", n-1, err)
				}
				break
			}
			again := answerOf(s.StepUpDevice(t.Context(), once(e.Key(), "op", "r", "p"), l.Token, auth.ChannelBiometric))
			if !strings.HasPrefix(again, "done: ") || pushes(t, e, authtest.Ada) != 1 {
				t.Errorf("call %d of the store failed in mode %d (%v): then %s, %d challenges", n, mode, err, again, pushes(t, e, authtest.Ada))
			}
		}
	}
}

// TestAnswersKeepTheirSecrets looks for an answer and for the payload's own digest in the files of the store: the one may hold a token, the
// other may be of a password.
func TestAnswersKeepTheirSecrets(t *testing.T) { // A-033 A-056
	t.Parallel()
	e := steppers(t)
	l := login(t, e, "ada")
	by := once(e.Key(), "op", "r", "p")
	const secret = "an answer that holds a token"
	by.Once.Encode = func(any, *auth.Error) (int, []byte) { return 200, []byte(secret) }
	if _, err := e.StepUpDevice(t.Context(), by, l.Token, auth.ChannelBiometric); err != nil {
		t.Fatal(err)
	}
	if got := answerOf(e.StepUpDevice(t.Context(), by, l.Token, auth.ChannelBiometric)); got != secret {
		t.Errorf("got %q, want %q", got, secret)
	}
	files, err := filepath.Glob(e.Path + "*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files at %s: %v", e.Path, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for what, hidden := range map[string][]byte{"answer": []byte(secret), "digest": by.Once.Digest[:], "token": []byte(l.Token)} {
			if bytes.Contains(text, hidden) {
				t.Errorf("%s holds the %s", filepath.Base(name), what)
			}
		}
	}
	moved := by
	moved.Key = "batch" // whoever can write to the store cannot give one caller's answer to another
	var a auth.Answer
	if err := e.Store.View(t.Context(), func(r auth.Reads) (err error) {
		a, err = r.Answer(auth.OnceKey{Tenant: authtest.Demo, Key: "backend", Operation: "op", Ref: "r"})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	a.Key = "batch"
	if err := e.Store.Write(t.Context(), func(w auth.Writes) error { return w.AddAnswer(a) }); err != nil {
		t.Fatal(err)
	}
	if _, err := e.StepUpDevice(t.Context(), moved, l.Token, auth.ChannelBiometric); !errors.Is(err, seal.ErrTampered) {
		t.Errorf("an answer that was moved: got %v, want it not to open", err)
	}
}
