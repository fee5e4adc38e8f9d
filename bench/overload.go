package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// overload drives logins at a share of what the server can do and at multiples of it, at moments that do not depend on its answers, and
// asks for token checks all along.
type overload struct {
	*bench
	shares []float64 // of the capacity
	curves []*curve
}

// curve is what one server did.
type curve struct {
	place    string
	capacity float64 // logins a second in a closed loop of tokenConns connections
	points   []point
}

// point is what came of one rate.
type point struct {
	share, offered               float64 // of the capacity, and a second
	accepted, refused            float64 // a second
	acceptedIn, refusedIn, check []time.Duration
	late                         int // arrivals that found no connection free
	wrong                        error
	peak                         int64 // bytes
}

const (
	openConns = 512 // of the logins; a client that finds none free is not sent
	checkRate = 100 // token checks a second
)

// overloads measures the curve on each database.
func (p plan) overloads(ctx context.Context, shares []float64) (_ *overload, err error) {
	b, err := p.begin(ctx, usualWait)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	o := &overload{bench: b, shares: shares}
	databases, err := b.databases("overload")
	if err != nil {
		return nil, err
	}
	for _, d := range databases {
		server, err := o.start(o.program, "serve", "--config", d.config)
		if err != nil {
			return nil, err
		}
		c, err := o.curve(d.name, server)
		if err = errors.Join(err, server.stop()); err != nil {
			return nil, err
		}
		o.curves = append(o.curves, c)
	}
	return o, nil
}

func (o *overload) curve(name string, server *server) (*curve, error) {
	idle := func() (spent, error) { return spent{}, nil }
	l, err := drive(server.address, tokenConns, o.window, idle, loginMulti(spread{o.plan.users, tokenConns}))
	if err := errors.Join(append(l.errors, err)...); err != nil {
		return nil, err
	}
	c := &curve{place: name, capacity: l.rate}
	o.note("%s: %.0f logins a second", name, l.rate)
	for _, share := range o.shares {
		if err := o.ctx.Err(); err != nil {
			return nil, err
		}
		pt, err := o.point(server, share, share*l.rate)
		if err != nil {
			return nil, err
		}
		o.note("%s at %g times that: %.0f accepted, %.0f refused a second", name, share, pt.accepted, pt.refused)
		c.points = append(c.points, pt)
	}
	return c, nil
}

func (o *overload) point(server *server, share, offered float64) (point, error) {
	pt := point{share: share, offered: offered}
	_ = forgetPeak(server.pid()) // without it the peak is that since the start, which is no less
	bearer, err := func() (string, error) {
		c, err := dial(server.address)
		if err != nil {
			return "", err
		}
		defer c.close()
		return multiToken(c, 0)
	}()
	if err != nil {
		return pt, err
	}
	ask := request("GET", "/multi/identities", "", "api-key: "+apiKey, bearer)
	var logins, checks arrivals
	var errLogins, errChecks error
	var both sync.WaitGroup
	both.Go(func() {
		logins, errLogins = openLoop(server.address, openConns, offered, o.window, func(n int) []byte { return multiLogin(1 + n%(o.plan.users-1)) })
	})
	both.Go(func() {
		checks, errChecks = openLoop(server.address, 2*tokenConns, checkRate, o.window, func(int) []byte { return ask })
	})
	both.Wait()
	if err := errors.Join(errLogins, errChecks); err != nil {
		return pt, err
	}
	pt.late = logins.late
	for _, a := range logins.answers {
		switch a.status {
		case http.StatusOK:
			pt.acceptedIn = append(pt.acceptedIn, a.took)
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			pt.refusedIn = append(pt.refusedIn, a.took)
		default:
			pt.wrong = cmp.Or(pt.wrong, a.err, fmt.Errorf("status %d", a.status))
		}
	}
	for _, a := range checks.answers {
		pt.check = append(pt.check, a.took)
		if a.status != http.StatusOK {
			pt.wrong = cmp.Or(pt.wrong, a.err, fmt.Errorf("check: status %d", a.status))
		}
	}
	for _, took := range [][]time.Duration{pt.acceptedIn, pt.refusedIn, pt.check} {
		slices.Sort(took)
	}
	pt.accepted, pt.refused = float64(len(pt.acceptedIn))/o.window.Seconds(), float64(len(pt.refusedIn))/o.window.Seconds()
	m, err := memoryOf(server.pid())
	if err != nil && !errors.Is(err, errUnmeasured) {
		return pt, err
	}
	pt.peak = m.peak
	return pt, nil
}

// arrivals is what came of an open loop.
type arrivals struct {
	answers []reply
	late    int // arrivals for which no connection was free
}

type reply struct {
	status int
	took   time.Duration // from the moment it was due, so that waiting for the load generator counts as well
	err    error
}

// openLoop sends requests at random moments (a Poisson process of the given rate), whatever becomes of those before.
func openLoop(address string, conns int, perSecond float64, window time.Duration, ask func(n int) []byte) (arrivals, error) {
	type job struct {
		n   int
		due time.Time
	}
	jobs := make(chan job) // without room: who is not taken at once finds no connection free
	var mu sync.Mutex
	var all arrivals
	var wait sync.WaitGroup
	for range conns {
		c, err := dial(address)
		if err != nil {
			close(jobs)
			return all, err
		}
		wait.Go(func() {
			defer c.close()
			for j := range jobs {
				status, _, err := c.do(ask(j.n))
				mu.Lock()
				all.answers = append(all.answers, reply{status, time.Since(j.due), err})
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	due, n := time.Now(), 0
	for end := due.Add(window); ; n++ {
		due = due.Add(time.Duration(rand.ExpFloat64() / perSecond * float64(time.Second)))
		if due.After(end) {
			break
		}
		time.Sleep(time.Until(due))
		select {
		case jobs <- job{n, due}:
		default:
			all.late++
		}
	}
	close(jobs)
	wait.Wait()
	return all, nil
}

func (o *overload) table() table {
	t := table{title: "Logins that do not wait for one another", words: 1, head: []string{
		"database", "× capacity", "offered/s", "accepted/s", "p50 ms", "p99 ms", "refused/s", "p50 ms", "p99 ms", "token check p99 ms",
		"peak MiB", "not sent", "errors",
	}}
	for _, c := range o.curves {
		for _, pt := range c.points {
			wrong := "0"
			if pt.wrong != nil {
				wrong = pt.wrong.Error()
			}
			t.add(c.place, fmt.Sprintf("%g", pt.share), rate(pt.offered), rate(pt.accepted), ms(quantile(pt.acceptedIn, 0.5)),
				ms(quantile(pt.acceptedIn, 0.99)), rate(pt.refused), ms(quantile(pt.refusedIn, 0.5)), ms(quantile(pt.refusedIn, 0.99)),
				ms(quantile(pt.check, 0.99)), mib(pt.peak), fmt.Sprint(pt.late), wrong)
		}
	}
	return t
}

// picture draws what was accepted and how long it took over what was offered, as an SVG of its own colours for light and dark.
func (o *overload) picture() string {
	const width, height, left, bottom, gap = 640, 250, 60, 40, 60
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" font-family="sans-serif" font-size="12">
<title>Logins accepted, and how long they took, over logins offered</title>
<style>
:root { color-scheme: light dark }
text { fill: #333 } .axis { stroke: #888; fill: none } .line { fill: none; stroke-width: 2 }
.c0 { stroke: #0b62a4 } .c1 { stroke: #b3480b } .t0 { fill: #0b62a4 } .t1 { fill: #b3480b }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .c0 { stroke: #6db3f2 } .c1 { stroke: #f2a06d } .t0 { fill: #6db3f2 } .t1 { fill: #f2a06d } }
</style>
`, width, 2*height+gap)
	most := slices.Max(o.shares)
	x := func(share float64) float64 { return left + share/most*(width-left-120) }
	panel := func(top int, title string, max float64, value func(*curve, point) float64) {
		y := func(v float64) float64 { return float64(top+height-bottom) - min(v/max, 1)*(height-bottom-30) }
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\">%s</text>\n", left, top+16, title)
		fmt.Fprintf(&b, "<path class=\"axis\" d=\"M%d %dV%dH%d\"/>\n", left, top+30, top+height-bottom, width-120)
		for _, share := range o.shares {
			if share >= 1 {
				fmt.Fprintf(&b, "<text x=\"%.0f\" y=\"%d\" text-anchor=\"middle\">%g×</text>\n", x(share), top+height-bottom+16, share)
			}
		}
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%.0f\" text-anchor=\"end\">%g</text><text x=\"%d\" y=\"%.0f\" text-anchor=\"end\">0</text>\n",
			left-6, y(max)+4, max, left-6, y(0)+4)
		for i, c := range o.curves {
			var line []string
			for _, pt := range c.points {
				line = append(line, fmt.Sprintf("%.1f,%.1f", x(pt.share), y(value(c, pt))))
			}
			last := c.points[len(c.points)-1]
			fmt.Fprintf(&b, "<polyline class=\"line c%d\" points=\"%s\"/>\n<text class=\"t%d\" x=\"%.0f\" y=\"%.0f\">%s</text>\n",
				i, strings.Join(line, " "), i, x(most)+8, y(value(c, last))+4+float64(14*i), c.place)
		}
	}
	panel(0, "accepted, as a share of the capacity", 1.2, func(c *curve, pt point) float64 { return pt.accepted / c.capacity })
	panel(height+gap, "99 of 100 accepted logins within, ms", 1000, func(_ *curve, pt point) float64 {
		return float64(quantile(pt.acceptedIn, 0.99).Milliseconds())
	})
	return b.String() + "</svg>\n"
}
