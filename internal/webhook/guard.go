package webhook

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Resolver finds the addresses of a name; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// dialTime bounds the attempt at one of the addresses of a name.
const dialTime = 5 * time.Second

// guard opens connections to receivers and to nothing else (security A-125, B-54). It resolves a name itself, judges every address that
// it has, and connects to one of these: there is no second resolution that could answer otherwise.
type guard struct {
	resolver Resolver
	allow    []netip.Prefix // of our own networks, that may be called
	reserved []netip.Prefix
	plain    bool // for connections without TLS, which stay within allow
}

func newGuard(r Resolver, allow []netip.Prefix) guard {
	g := guard{resolver: r, reserved: reserved()}
	for _, p := range allow {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		g.allow = append(g.allow, p.Masked())
	}
	return g
}

// reserved are the networks of IPv4, and those within the global unicast of IPv6, that are not of the public internet or lead back into
// private ones: the registries of RFC 6890, and the addresses at which clouds answer their machines.
func reserved() []netip.Prefix {
	var list []netip.Prefix
	for _, text := range []string{
		"0.0.0.0/8",              // this network, and with it the unspecified address
		"10.0.0.0/8",             // private
		"100.64.0.0/10",          // shared by carriers (RFC 6598); a cloud's metadata
		"127.0.0.0/8",            // loopback
		"168.63.129.16/32",       // a cloud's metadata
		"169.254.0.0/16",         // link-local, and most clouds' metadata
		"172.16.0.0/12",          // private
		"192.0.0.0/24",           // assignments of the IETF; a cloud's metadata
		"192.0.2.0/24",           // documentation
		"192.31.196.0/24",        // AS112
		"192.52.193.0/24",        // AMT relays
		"192.88.99.0/24",         // 6to4 relays
		"192.168.0.0/16",         // private
		"192.175.48.0/24",        // AS112
		"198.18.0.0/15",          // benchmarking
		"198.51.100.0/24",        // documentation
		"203.0.113.0/24",         // documentation
		"224.0.0.0/4",            // multicast
		"240.0.0.0/4",            // reserved, and with it broadcast
		"2001::/23",              // assignments of the IETF: Teredo, benchmarking, ORCHID
		"2001:db8::/32",          // documentation
		"2002::/16",              // 6to4: carries an address of IPv4
		"2620:4f:8000::/48",      // AS112
		"3ffe::/16", "3fff::/20", // the former 6bone; documentation
	} {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// public reports whether an address is of the public internet. Of IPv6 only 2000::/3 is, so that loopback, mapped and compatible
// addresses, NAT64, unique local, link-local, site-local and multicast ones need no line.
func (g guard) public(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" || a.Is6() && !netip.MustParsePrefix("2000::/3").Contains(a) {
		return false
	}
	return !within(g.reserved, a)
}

func within(networks []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
}

// permits reports whether an address may be called: a public one over TLS, and one of our own networks if it is allowed.
func (g guard) permits(a netip.Addr) bool {
	a = a.Unmap()
	if g.public(a) {
		return !g.plain
	}
	return within(g.allow, a)
}

// refuse returns nil for an address that may be called, and otherwise why not.
func (g guard) refuse(a netip.Addr, why error) error {
	switch {
	case g.permits(a):
		return nil
	case g.plain && g.public(a.Unmap()):
		return errPlain
	}
	return why
}

// DialContext connects to a host and port. One address that may not be called spoils the whole name, so that a mixture of public and
// private ones is no way around.
func (g guard) DialContext(ctx context.Context, network, hostPort string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	addresses, err := g.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: dialTime, ControlContext: g.control}
	for _, a := range addresses {
		var conn net.Conn
		if conn, err = d.DialContext(ctx, network, net.JoinHostPort(a.String(), port)); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// resolve finds the addresses of a host, all of which may be called.
func (g guard) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, g.refuse(a, errLiteral)
	}
	if numeric(host) {
		return nil, errLiteral
	}
	addresses, err := g.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	if len(addresses) == 0 {
		return nil, errNowhere
	}
	for i, a := range addresses {
		if err := g.refuse(a, errName); err != nil {
			return nil, err
		}
		addresses[i] = a.Unmap()
	}
	return addresses, nil
}

// control looks once more at the address that a socket is about to connect to.
func (g guard) control(_ context.Context, _, hostPort string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(hostPort)
	if err != nil {
		return err
	}
	return g.refuse(a.Addr(), errLiteral)
}

// numeric reports whether a host would be an address to some and a name to others: 127.1, 0177.0.0.1, 0x7f000001, 2130706433 and 127.0.0.1
// with a dot behind it. Only the one spelling of an address is taken (WHATWG URL, "ends in a number").
func numeric(host string) bool {
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	last := strings.ToLower(labels[len(labels)-1])
	digits := func(s, of string) bool { return strings.Trim(s, of) == "" }
	hex, prefixed := strings.CutPrefix(last, "0x")
	return digits(last, "0123456789") || prefixed && digits(hex, "0123456789abcdef")
}

// Refusals of the guard. They say the same of an address whatever listens there.
var (
	errLiteral = errors.New("the URL's address may not be called")
	errName    = errors.New("the name has an address that may not be called")
	errPlain   = errors.New("a public address is called by https only")
	errNowhere = errors.New("the name has no address")
)
