package main

import (
	"context"
	"errors"
	"time"

	"countersign/internal/device/deviceclient"
)

type deviceWatch struct {
	deviceState
	Approve bool          `name:"approve-all" xor:"all" help:"Approve each request; one that wants a number is left alone."`
	Deny    bool          `name:"deny-all" xor:"all" help:"Deny each request."`
	Poll    bool          `help:"Ask again and again instead of listening to a stream."`
	For     time.Duration `placeholder:"DURATION" help:"End after this time; by default when told to stop."`
	Count   int           `help:"End after as many requests; with --for, fewer of them end the command with 3."`
}

// watched is one line of what is printed.
type watched struct {
	Event     string                `json:"event"` // request, approved, denied, refused or gone
	Challenge string                `json:"challenge"`
	Request   *deviceclient.Request `json:"request,omitempty"`
	Code      string                `json:"code,omitempty"` // of a refusal by the server; number_required: it was not asked
}

// watcher follows what waits.
type watcher struct {
	deviceWatch
	world  *world
	client *deviceclient.Client
	known  map[string]bool // printed, and waiting still
	mine   map[string]bool // answered here
	seen   int
}

// errEnough ends a watch that has seen what it was to see.
var errEnough = errors.New("enough")

// Run watches.
func (c deviceWatch) Run(w *world) error {
	return c.with(func(client *deviceclient.Client) error {
		ctx, cancel := context.WithCancel(w.ctx)
		defer cancel()
		if c.For > 0 {
			end := time.AfterFunc(c.For, cancel)
			defer end.Stop()
		}
		watch := client.Watch
		if c.Poll {
			watch = client.Poll
		}
		f := &watcher{deviceWatch: c, world: w, client: client, known: map[string]bool{}, mine: map[string]bool{}}
		err := watch(ctx, func(all []deviceclient.Request) error { return f.see(ctx, all) })
		switch {
		case errors.Is(err, errEnough):
			return nil
		case w.ctx.Err() != nil: // told to stop
			return nil
		case ctx.Err() != nil && c.Count > 0:
			return nothingWaits()
		case ctx.Err() != nil:
			return nil
		}
		return err
	})
}

// see prints what is new and what is gone, and answers.
func (f *watcher) see(ctx context.Context, all []deviceclient.Request) error {
	waiting := map[string]bool{}
	for _, r := range all {
		waiting[r.Challenge] = true
		if f.known[r.Challenge] || f.mine[r.Challenge] {
			continue
		}
		f.known[r.Challenge] = true
		f.seen++
		if err := f.world.tell(watched{Event: "request", Challenge: r.Challenge, Request: &r}); err != nil {
			return err
		}
		if err := f.answer(ctx, r); err != nil {
			return err
		}
		if f.Count > 0 && f.seen >= f.Count {
			return errEnough
		}
	}
	for id := range f.known {
		if waiting[id] {
			continue
		}
		delete(f.known, id)
		if err := f.world.tell(watched{Event: "gone", Challenge: id}); err != nil {
			return err
		}
	}
	return nil
}

// answer says what the command is to say, if anything.
func (f *watcher) answer(ctx context.Context, r deviceclient.Request) error {
	a := deviceclient.Answer{Decision: deviceclient.Approve}
	switch {
	case f.Deny:
		a.Decision = deviceclient.Deny
	case !f.Approve:
		return nil
	case r.Number:
		return f.world.tell(watched{Event: "refused", Challenge: r.Challenge, Code: "number_required"})
	}
	status, err := f.client.Answer(ctx, r, a)
	var no *deviceclient.Error
	if errors.As(err, &no) {
		return f.world.tell(watched{Event: "refused", Challenge: r.Challenge, Code: no.Code})
	}
	if err != nil {
		return err
	}
	delete(f.known, r.Challenge)
	f.mine[r.Challenge] = true
	return f.world.tell(watched{Event: status, Challenge: r.Challenge})
}
