package auth

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// ClockTolerance is how far the system's clock may be behind what a Steady has shown. Beyond it no call is taken: a token that is dated so
// far ahead is wrong for everybody else, and nobody but an operator knows which of the two times is right (security C-14).
const ClockTolerance = time.Minute

// slew is the share of the time that passes that a Steady gives back while it is ahead of the system's clock, within the tolerance.
const slew = 10

// Steady is a clock that nobody sets back. It shows the system's time, and where that jumps back, as it does when an operator or a time server
// sets it, goes on from what it has shown by the time that passes, as far as that was written down also after a restart: what has ended
// stays so, and nothing lasts longer. It is safe for concurrent use.
type Steady struct {
	wall    func() time.Time
	elapsed func() time.Duration

	mu    sync.Mutex
	shown time.Time
	at    time.Duration // when it was shown, by elapsed
}

// NewSteady makes a clock from the system's, which may jump, and the time that has passed since some moment, which does not.
func NewSteady(wall func() time.Time, elapsed func() time.Duration) *Steady {
	return &Steady{wall: wall, elapsed: elapsed}
}

// Now returns the time, UTC; never one before what it has returned.
func (c *Steady) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.goOn()
	return c.shown
}

// Behind is how far the system's clock is behind; zero when it is not.
func (c *Steady) Behind() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.goOn()
}

func (c *Steady) goOn() (behind time.Duration) {
	wall, at := c.wall().UTC().Round(0), c.elapsed()
	passed := at - c.at
	next := c.shown.Add(passed)
	if ahead := next.Sub(wall); ahead <= ClockTolerance {
		next = later(wall, next.Add(-passed/slew))
	}
	c.shown, c.at = next, at
	return next.Sub(wall)
}

// resume has the clock go on from a time that was shown before, by this process or another.
func (c *Steady) resume(mark time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.goOn()
	c.shown = later(c.shown, mark)
}

// metaClock is the note of the latest time that was shown, as clockMark has it.
const metaClock = "clock"

// markEvery is how far the note may be behind.
const markEvery = 5 * time.Second

// clockMark is a time as text, rounded up. Such texts are in the order of times.
func clockMark(t time.Time) string {
	return fmt.Sprintf("%020d", t.Add(time.Microsecond-1).UnixMicro())
}

// readMark has the clock go on from what was noted.
func (s *Service) readMark(ctx context.Context) error {
	if s.steady == nil {
		return nil
	}
	var text string
	err := s.store.View(ctx, func(r Reads) (err error) { text, err = r.Meta(metaClock); return err })
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the time of before: %w", err)
	}
	mark, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("read the time of before: %w", err)
	}
	s.steady.resume(time.UnixMicro(mark).UTC())
	return nil
}

// KeepTime notes the time, now and then, so that a restart does not lead back before it. Whoever runs a server calls it every second or so.
func (s *Service) KeepTime(ctx context.Context) error {
	now := s.now()
	if s.steady == nil || now.UnixMicro()-s.noted.Load() < markEvery.Microseconds() {
		return nil
	}
	if err := s.store.Write(ctx, func(w Writes) error { return w.RaiseMeta(metaClock, clockMark(now)) }); err != nil {
		return err
	}
	s.noted.Store(now.UnixMicro())
	return nil
}

// ClockBehind is how far the system's clock is behind the service's; zero when it is not, or is one that may be set back.
func (s *Service) ClockBehind() time.Duration {
	if s.steady == nil {
		return 0
	}
	return s.steady.Behind()
}

// ClockTrusted returns an error while the system's clock is so far behind that no call is taken.
func (s *Service) ClockTrusted() error {
	if behind := s.ClockBehind(); behind > ClockTolerance {
		return fmt.Errorf("the system's clock is %s behind the time that was shown before: set it right, or accept it by countersign restored",
			behind.Round(time.Second))
	}
	return nil
}

// acceptClock forgets the times that were shown before: the system's is the right one. What has ended by the times of before must be void.
func (s *Service) acceptClock(ctx context.Context) error {
	if s.steady == nil {
		return nil
	}
	return s.store.Write(ctx, func(w Writes) error { return w.SetMeta(metaClock, clockMark(s.steady.wall())) })
}
