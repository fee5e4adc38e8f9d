package sandbox

import (
	"net/http"
	"sync/atomic"
	"time"
)

// Clock is a clock that runs like the machine's and can be moved. It moves time for the whole server: every limit, lock and code obeys.
type Clock struct {
	ahead atomic.Int64 // nanoseconds before the machine's clock
}

// Now returns the sandbox's time.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// Advance moves the clock forward, or back by a negative d.
func (c *Clock) Advance(d time.Duration) { c.ahead.Add(int64(d)) }

// Set moves the clock to t.
func (c *Clock) Set(t time.Time) { c.ahead.Store(int64(time.Until(t))) }

// farthest is how far from the machine's time a caller may move the clock: beyond it, sums of times would overflow before long.
const farthest = 100 * 365 * 24 * time.Hour

// advance is Advance for a caller, and reports whether the clock was moved.
func (c *Clock) advance(d time.Duration) bool {
	for {
		ahead := time.Duration(c.ahead.Load())
		if d > farthest-ahead || d < -farthest-ahead {
			return false
		}
		if c.ahead.CompareAndSwap(int64(ahead), int64(ahead+d)) {
			return true
		}
	}
}

// set is Set for a caller, and reports whether the clock was moved.
func (c *Clock) set(t time.Time) bool {
	if time.Until(t).Abs() > farthest {
		return false
	}
	c.Set(t)
	return true
}

// Reset makes the clock show the machine's time again.
func (c *Clock) Reset() { c.ahead.Store(0) }

type clockRequest struct {
	Advance string `json:"advance"`
	Set     string `json:"set"`
}

type clockReply struct {
	Now time.Time `json:"now"`
}

func (a *API) readClock(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return a.showClock(c)
}

func (a *API) showClock(c *call) error {
	return c.w.JSON(http.StatusOK, clockReply{a.Clock.Now().UTC()})
}

// moveClock reads {"advance":"30m"} or {"set":"2027-01-01T00:00:00Z"}.
func (a *API) moveClock(c *call) error {
	var in clockRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	switch {
	case (in.Advance == "") == (in.Set == ""):
		return badRequest(`give either "advance", a duration such as "30m", or "set", a time such as "2027-01-01T00:00:00Z"`)
	case in.Advance != "":
		d, err := time.ParseDuration(in.Advance)
		if err != nil {
			return badRequest("advance is not a duration such as 30m, 1h30m or -24h")
		}
		if !a.Clock.advance(d) {
			return tooFar()
		}
	default:
		t, err := time.Parse(time.RFC3339, in.Set)
		if err != nil {
			return badRequest("set is not a time such as 2027-01-01T00:00:00Z")
		}
		if !a.Clock.set(t) {
			return tooFar()
		}
	}
	return a.showClock(c)
}

func tooFar() error { return badRequest("the clock stays within a hundred years of the machine's") }

// reset brings everything back to the seed: what is stored, what is throttled, the faults, and the clock, which shows the machine's
// time again. The clock goes first, so that nothing in the starting state is from the future.
func (a *API) reset(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	a.faults.clear()
	a.Clock.Reset()
	if err := a.Auth.Reset(c.r.Context()); err != nil {
		return err
	}
	return a.showClock(c)
}
