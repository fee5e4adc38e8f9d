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
		a.Clock.Advance(d)
	default:
		t, err := time.Parse(time.RFC3339, in.Set)
		if err != nil {
			return badRequest("set is not a time such as 2027-01-01T00:00:00Z")
		}
		a.Clock.Set(t)
	}
	return a.showClock(c)
}

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
