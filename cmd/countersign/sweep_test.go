package main

import (
	"testing"
	"time"
)

// TestSweepRests: sweeping takes a tenth of the time, and as much as half of it when it does not come to an end.
func TestSweepRests(t *testing.T) {
	t.Parallel()
	for since, want := range map[time.Duration]time.Duration{
		0: 45 * time.Millisecond, 59 * time.Second: 45 * time.Millisecond, time.Minute: 40 * time.Millisecond,
		7 * time.Minute: 10 * time.Millisecond, 8 * time.Minute: 5 * time.Millisecond, time.Hour: 5 * time.Millisecond,
	} {
		if got := sweepRest(5*time.Millisecond, since); got != want {
			t.Errorf("after %v: rests %v, want %v", since, got, want)
		}
	}
}
