package main

import (
	"time"

	"countersign/internal/auth"
)

// systemClock is the machine's clock, of which the monotonic part goes on when the other one is set.
func systemClock() *auth.Steady {
	begun := time.Now()
	return auth.NewSteady(time.Now, func() time.Duration { return time.Since(begun) })
}

// watchClock says once when the clock cannot be relied on, and once when it can again. It returns which it is.
func (a *app) watchClock(before bool) (trusted bool) {
	err := a.auth.ClockTrusted()
	switch {
	case err != nil && before:
		a.logger.Error("no call is taken", "error", err.Error())
	case err == nil && !before:
		a.logger.Info("calls are taken again: the clock is right")
	}
	return err == nil
}
