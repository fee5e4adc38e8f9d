package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// herds has a crowd of users log in anew whose sessions have all ended at once, and who come back when they are told to.
type herds struct {
	*bench
	size   int
	herded []herded
}

// herded is how a herd fared on one database.
type herded struct {
	place    string
	capacity float64         // logins a second in a closed loop of tokenConns connections, before and after
	in       []time.Duration // when each user was logged in
	came     []int           // how often each asked
	wrong    error
}

const (
	noticed   = time.Second // within which all have asked for the first time
	herdLimit = 10 * time.Minute
)

func (p plan) herds(ctx context.Context, size int) (_ *herds, err error) {
	b, err := p.begin(ctx, usualWait)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	h := &herds{bench: b, size: size}
	databases, err := b.databases("herded")
	if err != nil {
		return nil, err
	}
	for _, d := range databases {
		if err := h.gather(d); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// gather measures on one database.
func (h *herds) gather(d database) (err error) {
	if err := grow(d.dsn, h.size); err != nil {
		return err
	}
	server, err := h.start(h.program, "serve", "--config", d.config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	before, err := h.calm(server)
	if err != nil {
		return err
	}
	one := h.stampede(server.address)
	one.place = d.name
	after, err := h.calm(server)
	if err != nil {
		return err
	}
	one.capacity = (before + after) / 2
	h.herded = append(h.herded, one)
	h.note("%s: %d users in after %v, %.0f a second of %.0f", d.name, len(one.in), one.took().Round(time.Millisecond), one.rate(), one.capacity)
	return h.ctx.Err()
}

func (h *herds) calm(server *server) (rate float64, err error) {
	idle := func() (spent, error) { return spent{}, nil }
	l, err := drive(server.address, tokenConns, h.window, idle, loginMulti(spread{h.plan.users, tokenConns}))
	return l.rate, errors.Join(append(l.errors, err)...)
}

// stampede lets the herd go, and returns when all are in.
func (h *herds) stampede(address string) herded {
	ctx, cancel := context.WithTimeout(h.ctx, herdLimit)
	defer cancel()
	one := herded{came: make([]int, h.size)}
	begin := time.Now()
	var mu sync.Mutex
	var all sync.WaitGroup
	for n := range h.size {
		all.Go(func() {
			err := pause(ctx, noticed*time.Duration(n)/time.Duration(h.size))
			for in := false; err == nil && !in; {
				one.came[n]++
				var wait time.Duration
				if in, wait, err = enter(address, loginOf(fmt.Sprintf("grown%d@example.com", 100_000_000+n))); err == nil && !in {
					err = pause(ctx, wait)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			one.wrong = cmp.Or(one.wrong, err)
			if err == nil {
				one.in = append(one.in, time.Since(begin))
			}
		})
	}
	all.Wait()
	slices.Sort(one.in)
	return one
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enter asks once, over a connection of its own, and returns whether that was a login, or else when to come back.
func enter(address string, ask []byte) (in bool, after time.Duration, err error) {
	c, err := dial(address)
	if err != nil {
		return false, 0, err
	}
	defer c.close()
	status, body, err := c.do(ask)
	switch {
	case err != nil:
		return false, 0, err
	case status == http.StatusOK:
		return true, 0, nil
	case status == http.StatusServiceUnavailable && c.retryAfter > 0:
		return false, time.Duration(c.retryAfter) * time.Second, nil
	}
	return false, 0, fmt.Errorf("status %d, to retry after %d s: %s", status, c.retryAfter, body)
}

// took is how long it was until the last user was in, and rate how many that makes a second.
func (h herded) took() time.Duration { return quantile(h.in, 1) }

func (h herded) rate() float64 { return float64(len(h.in)) / max(h.took(), time.Millisecond).Seconds() }

func (h *herds) table() table {
	t := table{title: fmt.Sprintf("%d users whose sessions ended at once, and who come back when told to", h.size), words: 1, head: []string{
		"database", "calm logins/s", "logins/s until all were in", "÷ calm", "until 19 of 20 were", "÷ calm", "all in after s",
		"requests a user", "most", "errors",
	}}
	for _, r := range h.herded {
		wrong := "0"
		if r.wrong != nil {
			wrong = r.wrong.Error()
		}
		asked := 0
		for _, n := range r.came {
			asked += n
		}
		most := 0.95 * float64(len(r.in)) / max(quantile(r.in, 0.95), time.Millisecond).Seconds()
		t.add(r.place, rate(r.capacity), rate(r.rate()), fmt.Sprintf("%.2f", r.rate()/r.capacity), rate(most), fmt.Sprintf("%.2f", most/r.capacity),
			fmt.Sprintf("%.1f", r.took().Seconds()), fmt.Sprintf("%.2f", float64(asked)/float64(h.size)), fmt.Sprint(slices.Max(r.came)), wrong)
	}
	return t
}
