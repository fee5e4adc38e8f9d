package main

import (
	"errors"
	"os"
	"slices"
	"time"
)

// limit is something that no server could exceed, measured again and again between the runs that it limits.
type limit struct {
	name    string
	window  time.Duration
	measure func(window time.Duration) (pace, error)
	rates   []float64
	paces   []pace
}

// pace is how fast something went, and the processor time that all of it took.
type pace struct {
	rate  float64 // a second
	count int
	spent time.Duration
}

func (l *limit) again() (float64, error) {
	p, err := l.measure(l.window)
	l.rates, l.paces = append(l.rates, p.rate), append(l.paces, p)
	return p.rate, err
}

// each is the processor time of one; 0 if it is not known.
func (l *limit) each() time.Duration {
	var sum pace
	for _, p := range l.paces {
		sum.count, sum.spent = sum.count+p.count, sum.spent+p.spent
	}
	return sum.spent / time.Duration(max(sum.count, 1))
}

// run is one kind of load on one server, and what came of it in each round.
type run struct {
	name   string
	place  *place
	conns  int
	work   func(spread) work
	rates  []float64
	ratios []float64 // of each rate to the limit around it
	took   []time.Duration
	right  int
	errors []error
	spent  spent // by all parties over all windows
}

// place is a server with its database.
type place struct {
	database
	server  *server
	parties func() (spent, error)
	idle    memory
	peak    int64 // under the most connections
	after   memory
	settled memory
}

// errUnmeasured leaves a gap in the report.
var errUnmeasured = errors.New("measured on Linux only")

// spent is processor time, by who spent it.
type spent struct{ server, database, load time.Duration }

func (s spent) minus(t spent) spent {
	return spent{s.server - t.server, s.database - t.database, s.load - t.load}
}

func (s spent) total() time.Duration { return s.server + s.database + s.load }

func (s spent) plus(t spent) spent {
	return spent{s.server + t.server, s.database + t.database, s.load + t.load}
}

// spending returns a function that reads what a server, the database behind it and this process have spent so far.
func spending(server *server, postmaster int) func() (spent, error) {
	return func() (s spent, err error) {
		if s.server, err = cpu(server.pid()); err != nil {
			return s, err
		}
		if s.load, err = cpu(os.Getpid()); err != nil || postmaster == 0 {
			return s, err
		}
		pids, err := family(postmaster)
		if err == nil {
			s.database, err = cpu(pids...)
		}
		return s, err
	}
}

// mostConns is the number of connections whose peak of memory is reported.
const mostConns = 64

// once drives the load for one window.
func (r *run) once(window time.Duration, users int) error {
	if r.conns == mostConns {
		_ = forgetPeak(r.place.server.pid()) // without it the peak is that since the start, which is no less
	}
	l, err := drive(r.place.server.address, r.conns, window, r.place.parties, r.work(spread{users, r.conns}))
	if err != nil {
		return err
	}
	r.rates = append(r.rates, l.rate)
	r.took = append(r.took, l.took...)
	r.right += l.right
	r.errors = append(r.errors, l.errors...)
	r.spent = r.spent.plus(l.spent)
	if r.conns == mostConns {
		m, err := memoryOf(r.place.server.pid())
		if err != nil && !errors.Is(err, errUnmeasured) {
			return err
		}
		r.place.peak = max(r.place.peak, m.peak)
	}
	return nil
}

// interleave measures the limit, a run, the limit, a run and so on, and relates each run to the mean of the limits before and after
// it: other work on the machine comes and goes, and slows neighbours alike. Every other round goes
// backwards.
func interleave(l *limit, runs []*run, rounds int, window time.Duration, users int, note func(*run) error) error {
	before, err := l.again()
	if err != nil {
		return err
	}
	for round := range rounds {
		for i := range runs {
			r := runs[i]
			if round%2 == 1 {
				r = runs[len(runs)-1-i]
			}
			if err := r.once(window, users); err != nil {
				return err
			}
			after, err := l.again()
			if err != nil {
				return err
			}
			r.ratios = append(r.ratios, r.rates[len(r.rates)-1]/((before+after)/2))
			before = after
			if err := note(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func median[T float64 | time.Duration](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
