// Package sandbox serves /sandbox/…: what a test needs and production must not have.
//
// It owns the settable clock. It is mounted by the sandbox command alone; nothing else imports it.
package sandbox

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"countersign/internal/httpx"
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

// maxBody is the longest body that a sandbox call takes, in bytes.
const maxBody = 4096

type clockRequest struct {
	Advance string `json:"advance"`
	Set     string `json:"set"`
}

type clockReply struct {
	Now time.Time `json:"now"`
}

// Mount adds the sandbox's routes.
func Mount(m *httpx.Mux, clock *Clock) {
	m.Prefix("/sandbox", httpx.Problem)
	m.Handle("GET", "/sandbox/clock", func(w *httpx.Response, _ *http.Request) error {
		return w.JSON(http.StatusOK, clockReply{clock.Now().UTC()})
	})
	m.Handle("POST", "/sandbox/clock", func(w *httpx.Response, r *http.Request) error {
		if err := moveClock(clock, r); err != nil {
			return w.JSON(http.StatusBadRequest, problem{"Bad Request", http.StatusBadRequest, err.Error()})
		}
		return w.JSON(http.StatusOK, clockReply{clock.Now().UTC()})
	})
}

type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// moveClock reads {"advance":"30m"} or {"set":"2027-01-01T00:00:00Z"}.
func moveClock(clock *Clock, r *http.Request) error {
	body, err := httpx.ReadBody(r, maxBody)
	if err != nil {
		return err
	}
	var in clockRequest
	if err := httpx.DecodeJSON(body, &in); err != nil {
		return err
	}
	switch {
	case (in.Advance == "") == (in.Set == ""):
		return errors.New(`give either "advance", a duration such as "30m", or "set", a time such as "2027-01-01T00:00:00Z"`)
	case in.Advance != "":
		d, err := time.ParseDuration(in.Advance)
		if err != nil {
			return fmt.Errorf("advance %q is not a duration such as 30m or 1h30m", in.Advance)
		}
		clock.Advance(d)
	default:
		t, err := time.Parse(time.RFC3339, in.Set)
		if err != nil {
			return fmt.Errorf("set %q is not a time such as 2027-01-01T00:00:00Z", in.Set)
		}
		clock.Set(t)
	}
	return nil
}
