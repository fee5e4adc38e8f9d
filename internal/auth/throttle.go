package auth

import (
	"net/netip"
	"sync"
	"time"
)

// maxThrottled bounds the callers remembered in one scope; when it is reached, those whose allowance is whole go first.
const maxThrottled = 100_000

// throttle limits what each of many callers does, in this process alone, by the generic cell rate algorithm: a burst of a limit's whole
// count, and then one in each count-th of its window. It costs no statement.
type throttle[K comparable] struct {
	mu      sync.Mutex
	seen    map[K][]time.Time // by limit: the theoretical arrival time
	refused uint64
}

// charge takes one from the caller's allowance under each limit. It fails with CodeThrottled, and then takes nothing.
func (t *throttle[K]) charge(key K, limits []Limit, now time.Time) error {
	if len(limits) == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	tats := t.seen[key]
	if len(tats) != len(limits) { // new, or the limits were changed
		t.makeRoom(now)
		tats = make([]time.Time, len(limits))
	}
	var over time.Duration
	exceeded := limits[0]
	for i, l := range limits {
		if wait := l.next(tats[i], now).Sub(now) - l.Window; wait > over {
			over, exceeded = wait, l
		}
	}
	if over > 0 {
		t.refused++
		return &Error{Code: CodeThrottled, RetryAfter: over, Limits: append([]Limit{exceeded}, limits...)}
	}
	for i, l := range limits {
		tats[i] = l.next(tats[i], now)
	}
	if t.seen == nil {
		t.seen = make(map[K][]time.Time)
	}
	t.seen[key] = tats
	return nil
}

// step is how far one charge moves the theoretical arrival time.
func (l Limit) step() time.Duration { return l.Window / time.Duration(l.Count) }

// next is the theoretical arrival time after one more charge. One far beyond what any charge leaves is of before a clock was set back,
// and holds nobody up.
func (l Limit) next(tat, now time.Time) time.Time {
	if tat.Sub(now) > 2*l.Window {
		tat = now
	}
	return later(tat, now).Add(l.step())
}

// refund gives a charge back.
func (t *throttle[K]) refund(key K, limits []Limit, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tats := t.seen[key]
	if len(tats) != len(limits) {
		return
	}
	for i, l := range limits {
		tats[i] = tats[i].Add(-l.step())
	}
	if whole(tats, now) {
		delete(t.seen, key)
	}
}

// whole reports whether a caller has their whole allowance.
func whole(tats []time.Time, now time.Time) bool {
	for _, tat := range tats {
		if tat.After(now) {
			return false
		}
	}
	return true
}

// forget gives every caller their whole allowance.
func (t *throttle[K]) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.seen)
}

// count is how many charges were refused since the start.
func (t *throttle[K]) count() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.refused
}

// makeRoom forgets the callers whose allowance is whole again and, when that is not enough, a random tenth, so that a flood of callers
// does not pay for a scan each.
func (t *throttle[K]) makeRoom(now time.Time) {
	if len(t.seen) < maxThrottled {
		return
	}
	for key, tats := range t.seen {
		if whole(tats, now) {
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

// throttles are the scopes that are limited apart, so that a flood in one makes nobody forgotten in another.
type throttles struct {
	addresses throttle[addressKey]
	callers   throttle[callerKey]
	users     throttle[userKey]
	starts    throttle[addressKey] // ceremonies
}

type addressKey struct {
	tenant TenantID
	net    netip.Prefix
}

type callerKey struct {
	tenant TenantID
	key    string
	client ClientID
}

type userKey struct {
	tenant TenantID
	user   UserID
}

func (t *throttles) forget() {
	t.addresses.forget()
	t.callers.forget()
	t.users.forget()
	t.starts.forget()
}

// Throttled is how many calls this process has refused with CodeThrottled under each scope that it counts itself.
type Throttled struct {
	Address, Caller, User uint64
}

// Throttled returns the counts since the start.
func (s *Service) Throttled() Throttled {
	return Throttled{s.throttles.addresses.count() + s.throttles.starts.count(), s.throttles.callers.count(), s.throttles.users.count()}
}

// charge takes one attempt from the address's allowance. Refused attempts alone are limited by address: who proves who they are gives the
// charge back by refund, so that many honest users behind one address are not starved (B-08) and one address cannot spray one password
// over many accounts.
func (s *Service) charge(by Actor) error {
	if !s.limitsAddress(by) {
		return nil
	}
	return s.throttles.addresses.charge(addressKey{by.Tenant, network(by.Address)}, s.limits, s.now())
}

func (s *Service) refund(by Actor) {
	if s.limitsAddress(by) {
		s.throttles.addresses.refund(addressKey{by.Tenant, network(by.Address)}, s.limits, s.now())
	}
}

func (s *Service) limitsAddress(by Actor) bool {
	return by.Address.IsValid() && s.settings(by.Tenant).RateLimits
}

// chargeCaller takes one request from the allowance of an API key or a client. Every request counts, refused or not. Their address is not
// asked for: a back end carries all its users.
func (s *Service) chargeCaller(by Actor) error {
	settings := s.settings(by.Tenant)
	if !settings.RateLimits {
		return nil
	}
	return s.throttles.callers.charge(callerKey{by.Tenant, by.Key, by.Client}, settings.KeyLimits, s.now())
}

// chargeUser takes one request from the allowance of the user whose token it came with. Every request counts, refused or not, but for a
// logout, which is never held up.
func (s *Service) chargeUser(t TenantID, id UserID, now time.Time) error {
	settings := s.settings(t)
	if !settings.RateLimits {
		return nil
	}
	return s.throttles.users.charge(userKey{t, id}, settings.UserLimits, now)
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
