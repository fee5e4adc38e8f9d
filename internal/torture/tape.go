package main

import "time"

// tape records the choices of one run of a function that may go several ways, so that it can be run again and go each of them.
type tape struct {
	taken []bool
	at    int
}

// choose goes both ways, one after the other.
func (t *tape) choose() bool {
	if t.at == len(t.taken) {
		t.taken = append(t.taken, false)
	}
	t.at++
	return t.taken[t.at-1]
}

// every runs fn once for each way it can go.
func every(fn func(*tape)) {
	t := &tape{}
	for {
		t.at = 0
		fn(t)
		t.taken = t.taken[:t.at]
		for len(t.taken) > 0 && t.taken[len(t.taken)-1] {
			t.taken = t.taken[:len(t.taken)-1]
		}
		if len(t.taken) == 0 {
			return
		}
		t.taken[len(t.taken)-1] = true
	}
}

// moment is when a call takes effect, as far as its client can know.
type moment struct {
	now   time.Time
	slack time.Duration // how far the server's time may be from now
	*tape
	sms, mails []string // the codes that came so far, in their order
	beside     bool     // another call is made at the same time
}

// before reports whether it is earlier than a time. Where that cannot be known, it is both.
func (m moment) before(t time.Time) bool {
	if d := t.Sub(m.now); d > m.slack || d < -m.slack || m.slack == 0 {
		return m.now.Before(t)
	}
	return m.choose()
}

// since reports whether at least d has passed since a time.
func (m moment) since(t time.Time, d time.Duration) bool { return !m.before(t.Add(d)) }
