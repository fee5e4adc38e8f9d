package webhook

import "net/netip"

// Permits is the guard's judgement of one address.
func Permits(a netip.Addr, plain bool, allow ...netip.Prefix) bool {
	g := newGuard(nil, allow)
	g.plain = plain
	return g.permits(a)
}
