package passhash

import (
	"math"
	"time"
)

// A diary spreads those who were turned away at a door over the time that the
// door needs for them. It takes each for somebody who will come back when told
// to, and gives out no more of a moment than the door can take in: what has
// left by then, and a queue that is within the wait.
//
// The moments are those at which a caller can be told to come back: whole
// seconds after now (RFC 9110, section 10.2.3). So who came in one part of a
// second comes back in the same part of another.
type diary struct {
	part  time.Duration // of a second, which is a number of them
	due   []int         // who comes back, in the part that is now and in those after it
	now   time.Time     // when that one began
	level []float64     // see spare
	extra int           // who was told to come back when there will be no room
}

// Callers are told to come back after no less and no more than this.
const (
	soonest = time.Second
	latest  = time.Minute
)

// newDiary returns the diary of a door at which callers wait for up to wait.
// All of a part may come back at its beginning, so it is a fraction of the wait.
func newDiary(wait time.Duration) *diary {
	parts := int(max(1, math.Ceil(4/max(wait.Seconds(), 0.1))))
	all := parts * int(latest/time.Second+1)
	return &diary{part: time.Second / time.Duration(parts), due: make([]int, all), level: make([]float64, all)}
}

// turn brings the diary to the present.
func (d *diary) turn(now time.Time) {
	gone := now.Sub(d.now) / d.part
	if gone < 0 || int(gone) >= len(d.due) {
		clear(d.due)
		d.now = now
		return
	}
	copy(d.due, d.due[gone:])
	clear(d.due[len(d.due)-int(gone):])
	d.now = d.now.Add(gone * d.part)
}

// book returns when somebody who is turned away may come back: at the first
// moment from after on at which the queue will be no longer than wait, or at any
// if there is none. At the door are present callers now; one leaves every
// interval.
func (d *diary) book(now time.Time, after, interval, wait time.Duration, present int) time.Duration {
	d.turn(now)
	d.fill(float64(d.part)/float64(interval), float64(wait)/float64(interval), float64(present))
	first := min(max((after+time.Second-1).Truncate(time.Second), soonest), latest)
	for at := first; at <= latest; at += time.Second {
		if i := at / d.part; d.level[i] >= 1 {
			d.due[i]++
			return at
		}
	}
	d.extra++
	return first + time.Duration(d.extra)*time.Second%(latest-first+time.Second)
}

// fill sets level to how many more may come in each part, if leave can leave in
// one, and queue be there at its end. Who has not left by then is among those of
// the next part.
func (d *diary) fill(leave, queue, present float64) {
	for i, due := range d.due {
		present = max(0, present) + float64(due) - leave
		d.level[i] = present // below zero: more could have left
	}
	next := math.Inf(1)
	for i := len(d.level) - 1; i >= 0; i-- {
		idle, queued := max(0, -d.level[i]), max(0, d.level[i])
		d.level[i] = idle + min(max(queue, 1)-queued, next)
		next = d.level[i]
	}
}
