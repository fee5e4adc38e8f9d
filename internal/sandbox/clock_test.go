package sandbox_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"countersign/internal/httpx/httpxtest"
	"countersign/internal/sandbox"
)

func TestClock(t *testing.T) {
	t.Parallel()
	var c sandbox.Clock
	apart := func(from time.Time) time.Duration { return c.Now().Sub(from) }
	start := time.Now()
	if got := apart(start); got < 0 || got > time.Minute {
		t.Errorf("at first: %v ahead of the machine", got)
	}
	c.Advance(48 * time.Hour)
	c.Advance(-time.Hour)
	if got := apart(start); got < 47*time.Hour || got > 47*time.Hour+time.Minute {
		t.Errorf("moved by 47 hours: got %v", got)
	}
	to := time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
	c.Set(to)
	if got := apart(to); got < 0 || got > time.Minute {
		t.Errorf("set: got %v, want to run on from %v", c.Now(), to)
	}
}

func TestMoveTheClock(t *testing.T) {
	t.Parallel()
	var c sandbox.Clock
	h := serve(t, sandbox.Config{Clock: &c})
	c.Set(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	for _, tt := range []struct {
		method, body string
		status       int
		day          string // that the clock shows afterwards
	}{
		{"GET", "", 200, "2030-01-01"},
		{"POST", `{"advance":"48h"}`, 200, "2030-01-03"},
		{"POST", `{"advance":"-24h30m"}`, 200, "2030-01-01"},
		{"POST", `{"set":"2027-06-01T12:00:00+02:00"}`, 200, "2027-06-01"},
		{"POST", `{}`, 400, "2027-06-01"},
		{"POST", ``, 400, "2027-06-01"},
		{"POST", `{"advance":"1h","sett":"2027-01-01T00:00:00Z"}`, 400, "2027-06-01"},
		{"POST", `{"advance":"1h","set":"2027-01-01T00:00:00Z"}`, 400, "2027-06-01"},
		{"POST", `{"advance":"tomorrow"}`, 400, "2027-06-01"},
		{"POST", `{"set":"tomorrow"}`, 400, "2027-06-01"},
		{"POST", `{"advance":48}`, 400, "2027-06-01"},
		{"POST", `{"advance":"1h"`, 400, "2027-06-01"},
		{"POST", `{"advance":"` + strings.Repeat("1", 5000) + `h"}`, 400, "2027-06-01"},
		{"POST", `{"set":"9999-01-01T00:00:00Z"}`, 400, "2027-06-01"},
		{"POST", `{"set":"0001-01-01T00:00:00Z"}`, 400, "2027-06-01"},
		{"POST", `{"advance":"2500000h"}`, 400, "2027-06-01"},
		{"POST", `{"advance":"-2500000h"}`, 400, "2027-06-01"},
		{"POST", `{"advance":"876000h"}`, 400, "2027-06-01"}, // and what the clock is ahead already
		{"DELETE", "", 405, "2027-06-01"},
	} {
		r := httpxtest.Call{Method: tt.method, Path: "/sandbox/clock", Body: tt.body}.Do(h)
		if r.Code != tt.status {
			t.Errorf("%s %.60s: got %d %s, want %d", tt.method, tt.body, r.Code, r.Body, tt.status)
		}
		var reply struct {
			Now    time.Time
			Status int
			Detail string
		}
		if err := json.Unmarshal(r.Body.Bytes(), &reply); err != nil {
			t.Errorf("%s %.60s: %v", tt.method, tt.body, err)
		}
		if tt.status == http.StatusOK && reply.Now.Format(time.DateOnly) != tt.day {
			t.Errorf("%s %s: got %v, want %s", tt.method, tt.body, reply.Now, tt.day)
		}
		if tt.status == http.StatusBadRequest && reply.Detail == "" {
			t.Errorf("%s %.60s: no word about what is wrong: %s", tt.method, tt.body, r.Body)
		}
		if got := c.Now().UTC().Format(time.DateOnly); got != tt.day {
			t.Errorf("%s %.60s: the clock shows %s, want %s", tt.method, tt.body, got, tt.day)
		}
	}
}

func TestAnAdvanceKeepsTheClockRunning(t *testing.T) {
	t.Parallel()
	var c sandbox.Clock
	c.Advance(365 * 24 * time.Hour)
	first := c.Now()
	for range 1000 {
		if next := c.Now(); next.Before(first) {
			t.Fatalf("the clock went back from %v to %v", first, next)
		}
	}
}
