package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// stepsEach is the length of a simulated history.
const stepsEach = 40

// simulation runs histories of the domain, each from its seed.
type simulation struct {
	first     uint64
	histories int
	plant     func(auth.Store) auth.Store // a fault for the simulation to find; nil: none
	naive     bool                        // another: the service believes whatever time the machine shows
}

// simulated is what came of it.
type simulated struct {
	histories, calls, faults int
	reached                  [kinds]int64 // successes
	broken                   *history     // the first that was found
	seed                     uint64       // its
}

// memory is where files cost no disk, if there is such a place: what a simulation needs of a disk is proved elsewhere.
func memory() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}

// run simulates until all histories are done or one is broken.
func (s simulation) run(ctx context.Context) (simulated, error) {
	from, err := image(ctx, memory())
	if err != nil {
		return simulated{}, fmt.Errorf("starting state: %w", err)
	}
	var (
		mu      sync.Mutex
		out     simulated
		errs    error
		next    atomic.Uint64
		workers sync.WaitGroup
	)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for {
				batch := int(next.Add(1)-1) * usersEach
				mu.Lock()
				over := batch >= s.histories || out.broken != nil || errs != nil
				mu.Unlock()
				if over {
					return
				}
				one, err := s.batch(ctx, from, s.first+uint64(batch), min(usersEach, s.histories-batch))
				mu.Lock()
				errs = errors.Join(errs, err)
				out.add(one)
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return out, errs
}

func (s *simulated) add(one simulated) {
	s.histories += one.histories
	s.calls += one.calls
	s.faults += one.faults
	for k, n := range one.reached {
		s.reached[k] += n
	}
	if one.broken != nil && (s.broken == nil || one.seed < s.seed) {
		s.broken, s.seed = one.broken, one.seed
	}
}

// batch runs the histories of one stage, one after the other.
func (s simulation) batch(ctx context.Context, from []byte, first uint64, n int) (out simulated, err error) {
	st, err := openStage(ctx, memory(), from, s.plant)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	if st.naive = s.naive; s.naive {
		if err := st.start(ctx); err != nil {
			return out, err
		}
	}
	for i := range n {
		seed := first + uint64(i)
		h := newHistory(someone(int(seed%usersEach)), contract())
		p := &play{stage: st, history: h, script: newScript(seed, 1, true), out: &out}
		if err := p.run(ctx); err != nil {
			return out, fmt.Errorf("history %d: %w", seed, err)
		}
		out.histories++
		out.calls += h.calls
		if h.broken != "" {
			out.broken, out.seed = h, seed
			return out, nil
		}
	}
	return out, nil
}

// play is one history as it goes on.
type play struct {
	*stage
	*history
	*script
	out *simulated
}

// faultsIn100 is how many of a hundred calls meet a store that may fail.
const faultsIn100 = 12

func (p *play) run(ctx context.Context) error {
	for range stepsEach {
		if err := p.wait(ctx, p.pause(p.history, p.now())); err != nil || p.broken != "" {
			return err
		}
		if p.crowded() { // the call would wait for an attempt that nobody makes any more
			p.machine.Pass(p.limits.reservation * 7 / 6) // which may be a tenth less for the service
		}
		c := p.next(p.history)
		armed := p.chance(faultsIn100)
		if armed {
			p.faulty.Arm(1+p.IntN(6), authtest.Whens()[p.IntN(3)])
		}
		a := p.do(ctx, p.person, c)
		fired := p.faulty.Disarm()
		if fired {
			p.out.faults++
			a.detail += " (the store failed)"
		} else if a.class == lost {
			p.breaks("a fault of the server's own%s", a.detail)
		}
		now := p.now()
		p.observe([]call{c}, []answer{a}, now, now, 0)
		if a.class == ok {
			p.out.reached[c.kind]++
		}
		if err := p.look(ctx, c, a.class, fired); err != nil || p.broken != "" {
			return err
		}
	}
	return p.look(ctx, call{kind: askCode}, ok, true)
}

// wait lets time pass, or has somebody set the machine's clock back, while the service runs or before it is started anew. A service whose clock
// is too far behind serves nobody until it is set right.
func (p *play) wait(ctx context.Context, d time.Duration) error {
	if d >= 0 {
		p.machine.Pass(d)
		return nil
	}
	p.machine.Pass(6 * time.Second) // so that there is something to note
	if err := p.KeepTime(ctx); err != nil {
		return err
	}
	shown := p.now()
	p.machine.Set(d)
	if p.chance(50) {
		if err := p.start(ctx); err != nil {
			return err
		}
	}
	if now := p.now(); now.Before(shown) {
		p.breaks("the clock went back from %s to %s", shown, now)
	}
	behind := p.clock.Behind()
	if behind <= auth.ClockTolerance {
		return nil
	}
	for _, c := range []call{{kind: login, word: p.worlds[0].word}, {kind: look, in: p.pick(p.history, false)}} {
		if c.in < 0 {
			continue
		}
		if a := p.do(ctx, p.person, c); a.class != busy {
			p.breaks("%s: %s%s by a clock that is %s behind", c, a.class, a.detail, behind)
		}
	}
	p.machine.Set(behind)
	return nil
}

// crowded reports whether more attempts may be under way than the user has left.
func (p *play) crowded() bool {
	for _, w := range p.worlds {
		if c := w.password; c.pending > 0 && c.failures+c.pending >= p.limits.failures &&
			p.now().Before(c.pendingAt.Add(p.limits.reservation)) {
			return true
		}
	}
	return false
}

// look compares what can be seen from outside with what the answers so far allow: the messages that a call may have sent, and after a fault
// the events.
func (p *play) look(ctx context.Context, c call, told class, fired bool) error {
	if told != no && (c.kind == askCode || c.kind == askRecovery) {
		if err := p.codes(ctx, p.person); err != nil {
			return err
		}
		p.see(fmt.Sprintf("%d codes came by SMS and %d by e-mail", len(p.sms), len(p.mails)), func(w world) bool {
			return w.sms == len(p.sms) && w.mails == len(p.mails)
		})
	}
	if !fired {
		return nil
	}
	events, _, err := countEvents(ctx, p.store, "")
	if err != nil {
		return err
	}
	done := events[auth.UserID(p.id)]
	p.see(fmt.Sprintf("the events tell of %+v", done), func(w world) bool { return w.done == done })
	return nil
}
