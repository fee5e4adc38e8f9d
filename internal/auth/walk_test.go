package auth_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// The walk drives every flow of /multi in every order (B-19, B-48). A history is a random sequence of steps, each one call of the domain:
// right or wrong, in time or late, of one's own or somebody else's. A model beside it knows what each person, session, token and challenge
// may do at that moment. No call may succeed that the model does not allow, and after each step the store may hold no proof, no step-up
// and no change that the model has not seen the reason for.
//
// The model is in walk_model_test.go, the steps are in walk_step_test.go and the files beside it. Faults that the walk must find are in
// walk_fault_test.go.

// The environment may ask for more histories, or for those of a failure again.
const (
	walkHistories = "COUNTERSIGN_WALK"      // how many
	walkSeed      = "COUNTERSIGN_WALK_SEED" // of the first one
)

// stepsOfHistory is long enough for a lock and its end, a binding, and what follows from them.
const stepsOfHistory = 100

// TestWalk: no sequence of calls leads to anything without its proof (B-19, B-48; B-05, B-16, B-17, B-20, B-22, A-041, A-047, A-055, A-061,
//
func TestWalk(t *testing.T) {
	t.Parallel()
	histories, first := number(t, walkHistories, 25), uint64(number(t, walkSeed, int(rand.Uint32())))
	reached := map[string]int{}
	for history := first; history < first+uint64(histories) && !t.Failed(); history++ {
		t.Run(strconv.FormatUint(history, 10), func(t *testing.T) {
			w := newWalk(t, nil, history)
			if w.run(stepSeeds(history, stepsOfHistory)); w.broken != "" {
				t.Errorf("%s\n\nTo see it again: %s=1 %s=%d go test ./internal/auth -run 'TestWalk$'", shortest(t, nil, history, w),
					walkHistories, walkSeed, history)
			}
			for name, n := range w.reached {
				reached[name] += n
			}
		})
	}
	t.Logf("%d steps; successes: %v", histories*stepsOfHistory, reached)
	for _, m := range moves() {
		if reached[m.name] == 0 && histories >= 200 {
			t.Errorf("nobody got as far as %q in %d histories: they prove nothing of it", m.name, histories)
		}
	}
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// stepSeeds are the steps of a history. Each decides by a seed of its own, so that one can be left out and the others stay what they are.
func stepSeeds(history uint64, n int) []uint64 {
	rnd := rand.New(rand.NewPCG(history, 0))
	seeds := make([]uint64, n)
	for i := range seeds {
		seeds[i] = rnd.Uint64()
	}
	return seeds
}

// shortest leaves out of a history what its failure does not need, and tells what remains.
func shortest(t *testing.T, change func(*authtest.Env) service, history uint64, failed *walk) string {
	t.Helper()
	steps := stepSeeds(history, stepsOfHistory)[:len(failed.trace)]
	for size := len(steps) / 2; size > 0; {
		cut := false
		for at := 0; at+size <= len(steps); {
			fewer := slices.Delete(slices.Clone(steps), at, at+size)
			w := newWalk(t, change, history)
			if w.run(fewer); w.broken != "" {
				steps, failed, cut = fewer[:len(w.trace)], w, true
			} else {
				at += size
			}
		}
		if !cut || size > len(steps)/2 {
			size /= 2
		}
	}
	return strings.Join(failed.trace, "\n") + "\n" + failed.broken
}

// walk is one history as it goes on.
type walk struct {
	ctx      context.Context
	e        *authtest.Env
	s        service
	rnd      *rand.Rand // of the present step
	people   []*person
	clumsy   int // 0 to 2; see knowsWord
	hero     int // among people
	tokens   []*held
	asked    []*asked
	links    []*link
	frozen   map[place]bool // identities that an operator has suspended
	touched  *held          // by the call that comes next
	stranger bool           // makes that call
	inbox    int            // messages seen
	trace    []string
	reached  map[string]int // successes by the name of the step
	broken   string         // what must not be; empty: nothing yet
}

// newWalk begins a history. change puts something else in the place of the service, to see that the walk notices.
func newWalk(t *testing.T, change func(*authtest.Env) service, history uint64) *walk {
	t.Helper()
	e := authtest.New(t, walkSetup)
	w := &walk{
		ctx: t.Context(), e: e, s: e.Service, rnd: rand.New(rand.NewPCG(history, 1)), people: walkers(), clumsy: int(history % 3),
		hero: int(history / 3 % 6), frozen: map[place]bool{}, reached: map[string]int{},
	}
	if change != nil {
		w.s = change(e)
	}
	w.look("the beginning", func(r auth.Reads) error {
		for _, p := range w.people {
			a, err := r.AccountByUser(p.tenant, p.id)
			if err != nil {
				return err
			}
			p.hash = a.Password.Hash
		}
		return nil
	})
	return w
}

// trial is one call: what the model allows of it, and what follows.
type trial struct {
	what   string
	may    bool             // it may succeed
	must   bool             // and has to
	counts bool             // a refusal of it is a failure that counts
	call   func() auth.Code // none: it succeeded
	then   func()           // what a success changes in the model
	no     func(auth.Code)  // what a refusal changes
}

// move is a kind of step. It returns nil when there is nothing to try yet.
type move struct {
	name   string
	weight int
	next   func(*walk) *trial
}

func (w *walk) run(steps []uint64) {
	all, total := moves(), 0
	for _, m := range all {
		total += m.weight
	}
	for _, seed := range steps {
		w.rnd = rand.New(rand.NewPCG(seed, 0))
		w.e.Clock.Advance(time.Millisecond) // what happens at one moment is in no order
		var chosen move
		var t *trial
		dull := func() bool { return !t.may && !t.counts && !w.stranger } // most of what fails teaches little
		for redraws := 0; t == nil || dull() && redraws < 4 && w.chance(75); redraws++ {
			n := w.rnd.IntN(total)
			i := slices.IndexFunc(all, func(m move) bool { n -= m.weight; return n < 0 })
			w.touched, w.stranger = nil, false
			if next := all[i].next(w); next != nil {
				chosen, t = all[i], next
			}
		}
		if w.step(chosen.name, t); w.broken != "" {
			return
		}
	}
	w.check(100)
}

func (w *walk) step(name string, t *trial) {
	if w.touched != nil {
		w.touched.session.seen = w.now()
	}
	code := t.call()
	outcome := "done"
	if code != none {
		outcome = code.String()
	}
	w.trace = append(w.trace, fmt.Sprintf("%3d. %s %s: %s: %s", len(w.trace)+1, w.now().Format("15:04:05.000"), name, t.what, outcome))
	switch {
	case code == auth.CodeInternal:
		w.breaks("a fault of the server")
	case code == none && !t.may:
		w.breaks("it succeeded, and must not")
	case code != none && t.must:
		w.breaks("it was refused, and must succeed")
	case code == none:
		w.reached[name]++
		if t.then != nil {
			t.then()
		}
	case t.no != nil:
		t.no(code)
	}
	if w.broken == "" {
		w.check(25)
	}
}

func (w *walk) breaks(format string, args ...any) {
	if w.broken == "" {
		w.broken = fmt.Sprintf(format, args...)
	}
}

// code reads the outcome of a call.
func (w *walk) code(err error) auth.Code {
	if c := codeOf(err); c != auth.CodeInternal {
		return c
	}
	w.trace = append(w.trace, fmt.Sprintf("fault: %v", err))
	return auth.CodeInternal
}

func (w *walk) now() time.Time { return w.e.Clock.Now() }

func (w *walk) look(what string, fn func(auth.Reads) error) {
	if err := w.e.Store.View(w.ctx, fn); err != nil {
		w.breaks("%s cannot be read: %v", what, err)
	}
}

// Chance.

func (w *walk) chance(percent int) bool { return w.rnd.IntN(100) < percent }

func pick[T any](w *walk, all []T) (one T, ok bool) {
	if len(all) == 0 {
		return one, false
	}
	return all[w.rnd.IntN(len(all))], true
}

// anybody is the one whom the history is about, more often than not.
func (w *walk) anybody() *person {
	if w.chance(80) {
		return w.people[w.hero]
	}
	return w.people[w.rnd.IntN(len(w.people))]
}

// anyToken is a live token more often than not; the latest ones first.
func (w *walk) anyToken() *held {
	live := slices.DeleteFunc(slices.Clone(w.tokens), func(k *held) bool { return k.dead(w.now()) })
	if k, ok := pick(w, live[max(0, len(live)-6):]); ok && w.chance(85) {
		return k
	}
	k, _ := pick(w, w.tokens[max(0, len(w.tokens)-20):])
	return k
}

// strongToken is one that is stepped up, more often than not.
func (w *walk) strongToken() *held {
	strong := slices.DeleteFunc(slices.Clone(w.tokens), func(k *held) bool { return k.dead(w.now()) || !k.up() || k.kind != auth.TokenAccess })
	if k, ok := pick(w, strong); ok && w.chance(75) {
		return k
	}
	return w.anyToken()
}

// tokenFor is a token of a session in which a code for a purpose is expected, more often than not.
func (w *walk) tokenFor(p auth.Purpose) *held {
	waiting := slices.DeleteFunc(slices.Clone(w.tokens), func(k *held) bool {
		return k.dead(w.now()) || !w.takes(w.latest(k.session.user, p, k.session))
	})
	if k, ok := pick(w, waiting); ok && w.chance(75) {
		return k
	}
	return w.anyToken()
}

// caller is the API key of the person's tenant, and sometimes another tenant's, for whom nothing of the person exists.
func (w *walk) caller(p *person) (by auth.Actor, own bool) {
	tenant := p.tenant
	if w.chance(4) {
		tenant = authtest.Rival
		if p.tenant == authtest.Rival {
			tenant = authtest.Demo
		}
	}
	w.stranger = tenant != p.tenant
	return auth.Actor{Tenant: tenant, Key: "backend"}, !w.stranger
}
