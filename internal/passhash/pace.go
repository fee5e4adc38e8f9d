package passhash

import (
	"cmp"
	"math"
	"time"
)

// A pace is how long something takes on average that happens again and again.
//
// Averages are over time and not over so many times: what holds all up for a
// moment is one of hundreds, and counts for as long as it took. What is older
// than the window counts less and less, but never for less than is needed to
// say anything, so that after a rest the first to come do not decide alone.
type pace struct {
	window time.Duration
	times  float64       // that it happened
	span   float64       // seconds that it took
	at     time.Time     // when it happened last
	quick  time.Duration // the least that it took, as long as nothing else can be said
}

// fewest is how often something has to have happened before anything is said.
const fewest = 16

// least is how long it has to have taken in all, and the most that counts of
// one time: a longer one is a standstill, and says nothing of the next.
func (p *pace) least() time.Duration { return p.window * 2 / 5 }

// add notes that it has happened once more.
func (p *pace) add(now time.Time, took time.Duration) {
	if p.times == 0 || took < p.quick {
		p.quick = took
	}
	if p.times > 0 {
		kept := math.Exp(-now.Sub(p.at).Seconds() / p.window.Seconds())
		kept = min(1, max(kept, fewest/p.times, p.least().Seconds()/p.span))
		p.times, p.span = p.times*kept, p.span*kept
	}
	p.times, p.span, p.at = p.times+1, p.span+min(took, p.least()).Seconds(), now
}

// guess is each, or, as long as it cannot be said, the least so far: what holds
// up the first to come does not shorten anything.
func (p *pace) guess() time.Duration { return cmp.Or(p.each(), p.quick) }

// each is how long it takes; zero: that cannot be said yet.
func (p *pace) each() time.Duration {
	if p.times < fewest || p.span < p.least().Seconds() {
		return 0
	}
	return time.Duration(p.span / p.times * float64(time.Second))
}
