// Package outbox takes parcels from the domain to those who carry them: messages to people, and news to webhooks.
//
// A parcel is carried at least once. It is claimed for a minute, carried, and settled; when the process ends in between, another worker,
// here or on another node, carries it again under the same id once the minute is over (security A-123). When a try is the last one, and
// how long it is until the next, is the domain's to say.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"countersign/internal/auth"
)

// Messenger carries messages to people. Its errors hold no address, text or code. One whose method Permanent() bool returns true is not
// tried again.
type Messenger interface {
	Carry(context.Context, auth.ParcelID, auth.TenantID, auth.Message) error
}

// Deliverer carries news to webhooks, and the ends of sessions to clients; its errors are as a Messenger's.
type Deliverer interface {
	Deliver(context.Context, auth.Delivery) error
}

// Service is where parcels come from; *auth.Service is one.
type Service interface {
	Wake() <-chan struct{}
	Queues(context.Context) ([]auth.Queue, error)
	ClaimParcels(context.Context, auth.Queue, int) ([]auth.Delivery, error)
	SettleParcel(context.Context, auth.Delivery, error) error
}

// Config is what an Outbox is made of.
type Config struct {
	Service  Service
	Messages Messenger
	Webhooks Deliverer
	Logger   *slog.Logger
	// PerQueue bounds the parcels that are carried at once for one queue, so that a slow receiver takes no more than its share of Total
	// (security A-127). Zero: 8 and 512.
	PerQueue, Total int
	// CarryFor bounds one try, StopFor the running ones once the outbox is told to stop. A try ends before its lease does. Zero: 30 s and
	// 10 s.
	CarryFor, StopFor time.Duration
}

// every is how often the outbox looks for parcels that other nodes wrote and for those that are due again.
const every = time.Second

// Outbox is the worker of one process. Any number of them may share a store.
type Outbox struct {
	Config
	freed chan struct{} // a try ended

	mu      sync.Mutex
	running map[auth.Queue]int
	total   int
	turn    int
	tries   sync.WaitGroup
}

// New makes an Outbox, which does nothing until Run.
func New(c Config) *Outbox {
	for _, d := range []struct {
		value    *int
		standard int
	}{{&c.PerQueue, 8}, {&c.Total, 512}} {
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	if c.CarryFor == 0 {
		c.CarryFor = 30 * time.Second
	}
	if c.StopFor == 0 {
		c.StopFor = 10 * time.Second
	}
	return &Outbox{Config: c, freed: make(chan struct{}, 1), running: map[auth.Queue]int{}}
}

// Run carries parcels until ctx ends. Then it claims no more, lets the running tries end for a while, cuts off the others, and returns
// when all have ended. A try that was cut off is not settled: its parcel is carried again once its lease is over.
func (o *Outbox) Run(ctx context.Context) {
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for ctx.Err() == nil {
		wake, freed := o.Service.Wake(), o.freed
		more, err := o.round(ctx, work)
		if err != nil && ctx.Err() == nil {
			o.Logger.Error("take parcels", "error", err.Error())
			wake, more = nil, false // a store that does not answer is asked once a second
		}
		if !more {
			freed = nil
		}
		select {
		case <-ctx.Done():
		case <-wake:
		case <-freed:
		case <-ticker.C:
		}
	}
	timer := time.AfterFunc(o.StopFor, cut)
	defer timer.Stop()
	o.tries.Wait()
}

// round begins as many tries as there is room for, and reports whether more may be due than that. It begins with another queue each time,
// so that none goes short when there is little room.
func (o *Outbox) round(ctx, work context.Context) (more bool, err error) {
	queues, err := o.Service.Queues(ctx)
	if err != nil {
		return false, err
	}
	o.turn++
	for i := range queues {
		q := queues[(i+o.turn)%len(queues)]
		n := o.room(q)
		if n == 0 {
			more = true
			continue
		}
		deliveries, claimErr := o.Service.ClaimParcels(ctx, q, n)
		for _, d := range deliveries {
			o.begin(work, q, d)
		}
		more = more || len(deliveries) == n
		if claimErr != nil {
			err = errors.Join(err, fmt.Errorf("tenant %s, %s: %w", q.Tenant, q.Kind, claimErr))
		}
	}
	return more, err
}

// room is how many more tries of a queue may begin.
func (o *Outbox) room(q auth.Queue) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return max(min(o.PerQueue-o.running[q], o.Total-o.total), 0)
}

// begin carries and settles a parcel in the background.
func (o *Outbox) begin(work context.Context, q auth.Queue, d auth.Delivery) {
	o.count(q, 1)
	o.tries.Go(func() {
		defer o.count(q, -1)
		ctx, cancel := context.WithTimeout(work, o.CarryFor)
		defer cancel()
		err := o.carry(ctx, d)
		if err != nil && work.Err() != nil {
			return // cut off: nobody knows whether it arrived
		}
		if err != nil {
			o.Logger.Warn("a parcel was not taken", "tenant", d.Tenant, "kind", d.Kind, "parcel", d.ID, "try", d.Tries, "error", err.Error())
		}
		if err := o.Service.SettleParcel(work, d, err); err != nil {
			o.Logger.Error("settle a parcel", "tenant", d.Tenant, "kind", d.Kind, "parcel", d.ID, "error", err.Error())
		}
	})
}

func (o *Outbox) count(q auth.Queue, by int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.total += by
	if o.running[q] += by; o.running[q] == 0 {
		delete(o.running, q)
	}
	if by < 0 {
		select {
		case o.freed <- struct{}{}:
		default:
		}
	}
}

// errBroken is the outcome of a carrier that panicked: a parcel that does so must not end the process again and again.
var errBroken = errors.New("the carrier broke")

func (o *Outbox) carry(ctx context.Context, d auth.Delivery) (err error) {
	defer func() {
		if r := recover(); r != nil {
			// The value is left out of the log, since it may have a part of the message in it.
			o.Logger.Error("a carrier panicked", "kind", d.Kind, "parcel", d.ID, "type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
			err = errBroken
		}
	}()
	if d.Kind == auth.ParcelWebhook || d.Kind == auth.ParcelLogout {
		return o.Webhooks.Deliver(ctx, d)
	}
	return o.Messages.Carry(ctx, d.ID, d.Tenant, *d.Message)
}
