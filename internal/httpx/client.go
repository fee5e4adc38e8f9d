package httpx

import (
	"net/http"
	"net/netip"
	"strings"
)

// proxies are the networks whose word about a client's address is taken.
type proxies []netip.Prefix

func newProxies(prefixes []netip.Prefix) proxies {
	p := make(proxies, 0, len(prefixes))
	for _, n := range prefixes {
		if n.Addr().Is4In6() && n.Bits() >= 96 {
			n = netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-96)
		}
		p = append(p, n.Masked())
	}
	return p
}

func (p proxies) trust(a netip.Addr) bool {
	for _, n := range p {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// client returns the address that a request came from.
//
// Each proxy appends the address it was called from to X-Forwarded-For, so the
// header is read from its right-hand end, for as long as the hop that must
// have written an entry is trusted: the right-most address that is not a
// proxy's is the client. What stands to the left of it is the client's own
// claim and is not looked at. When an entry that does count is not an address,
// the header is not believed at all and the peer is the client.
func (p proxies) client(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	peer := bare(ap.Addr())
	if !p.trust(peer) {
		return peer
	}
	client := peer
	lines := r.Header.Values("X-Forwarded-For")
	for i := len(lines) - 1; i >= 0; i-- {
		rest, more := lines[i], true
		for more {
			var hop string
			hop, rest, more = lastHop(rest)
			a, ok := parseHop(hop)
			if !ok {
				return peer
			}
			client = a
			if !p.trust(a) {
				return client
			}
		}
	}
	return client
}

func lastHop(list string) (hop, rest string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return list, "", false
	}
	return list[i+1:], list[:i], true
}

// parseHop parses an address, which some proxies write with a port.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.Trim(s, " \t")
	if a, err := netip.ParseAddr(s); err == nil {
		return bare(a), true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return bare(ap.Addr()), true
	}
	return netip.Addr{}, false
}

// bare returns the one form of an address that counters and logs can share.
func bare(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
