package main

import (
	"context"
	"time"
)

// sweeps sweeps every minute what no rule looks at any more, soon after the start first. A sweep may take long: nothing else waits for it.
func (a *app) sweeps(ctx context.Context) {
	next := time.After(time.Second) // the first requests come first
	for {
		select {
		case <-ctx.Done():
			return
		case <-next:
		}
		a.tended(ctx, a.sweep(ctx))
		next = time.After(time.Minute)
	}
}

// sweep deletes what there is to be swept, with rests between.
func (a *app) sweep(ctx context.Context) error {
	started := time.Now()
	for {
		begun := time.Now()
		if more, err := a.auth.Sweep(ctx); err != nil || !more {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(sweepRest(time.Since(begun), time.Since(started))):
		}
	}
}

// sweepRest is how long a sweep rests after it has worked for some time: at first nine times as long, so that requests hardly notice; and less with
// every minute in which no end came, since more may end than is swept, but always as long, so that they have half of the machine.
func sweepRest(worked, since time.Duration) time.Duration {
	return worked * max(9-since/time.Minute, 1)
}
