package auth

import (
	"context"
	"slices"
	"sync"
	"time"
)

// bells wake those who wait for requests of one user's devices in this process. A bell that is missed, or rung on another node, costs
// bellEvery: what counts is in the store.
type bells struct {
	mu      sync.Mutex
	waiting map[userKey][]chan struct{}
	marked  []userKey // by transactions that may not be committed yet
}

// bellEvery is how often a waiting device looks by itself.
const bellEvery = 2 * time.Second

// mark notes that there may be something for a user once the present transaction is committed.
func (b *bells) mark(t TenantID, id UserID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.marked = append(b.marked, userKey{t, id})
}

// ring wakes those who wait for a marked user. It is called after a commit, of whichever transaction.
func (b *bells) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range b.marked {
		for _, c := range b.waiting[k] {
			select {
			case c <- struct{}{}:
			default: // it has been rung already
			}
		}
	}
	b.marked = b.marked[:0]
}

// listen returns a bell and what takes it down.
func (b *bells) listen(t TenantID, id UserID) (<-chan struct{}, func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k, c := userKey{t, id}, make(chan struct{}, 1)
	if b.waiting == nil {
		b.waiting = map[userKey][]chan struct{}{}
	}
	b.waiting[k] = append(b.waiting[k], c)
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.waiting[k] = slices.DeleteFunc(b.waiting[k], func(o chan struct{}) bool { return o == c })
		if len(b.waiting[k]) == 0 {
			delete(b.waiting, k)
		}
	}
}

// AwaitRequests is DeviceRequests for a device that knows some already: it returns as soon as there are others than those, or fewer, and
// after wait in any case. It ends with the context, without an error.
func (s *Service) AwaitRequests(ctx context.Context, d Device, known []ChallengeID, wait time.Duration) ([]DeviceRequest, error) {
	bell, down := s.bells.listen(d.Tenant, d.User)
	defer down()
	end := time.NewTimer(wait)
	defer end.Stop()
	look := time.NewTicker(bellEvery)
	defer look.Stop()
	for {
		all, err := s.DeviceRequests(ctx, d)
		if err != nil || !sameRequests(all, known) {
			return all, err
		}
		select {
		case <-bell:
		case <-look.C:
		case <-end.C:
			return all, nil
		case <-ctx.Done():
			return all, nil
		}
	}
}

func sameRequests(all []DeviceRequest, known []ChallengeID) bool {
	if len(all) != len(known) {
		return false
	}
	for _, r := range all {
		if !slices.Contains(known, r.ID) {
			return false
		}
	}
	return true
}
