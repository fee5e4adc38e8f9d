package webhook_test

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"testing"

	"countersign/internal/webhook"
)

// names is a resolver that knows these names.
type names map[string][]string

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	texts, ok := n[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	var list []netip.Addr
	for _, text := range texts {
		list = append(list, netip.MustParseAddr(text))
	}
	return list, nil
}

// TestAddresses (A-125, B-54).
func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255", "127.0.0.1", "127.255.255.254",
		"168.63.129.16", "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1",
		"192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
		"240.0.0.1", "255.255.255.255",
		"::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::ffff:0:127.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:2::1",
		"2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3ffe::1", "3fff::1", "5f00::1", "fc00::1",
		"fd00:ec2::254", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "ff02::1", "4000::1", "2a00:1450::1%eth0",
	} {
		a := netip.MustParseAddr(text)
		if webhook.Permits(a, false) {
			t.Errorf("%s may be called", text)
		}
		if webhook.Permits(a, true) {
			t.Errorf("%s may be called without TLS", text)
		}
		if own := netip.PrefixFrom(a.WithZone(""), a.BitLen()); a.Zone() == "" && !webhook.Permits(a, true, own) {
			t.Errorf("%s may not be called although it is allowed", text)
		}
	}
	for _, text := range []string{
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "172.15.255.255",
		"172.32.0.0", "192.167.255.255", "198.17.255.255", "198.20.0.0", "223.255.255.255", "::ffff:8.8.8.8",
		"2001:200::1", "2001:4860:4860::8888", "2606:4700::1111", "2a00:1450:4001::200e",
	} {
		a := netip.MustParseAddr(text)
		if !webhook.Permits(a, false) {
			t.Errorf("%s may not be called", text)
		}
		if webhook.Permits(a, true) || webhook.Permits(a, true, netip.PrefixFrom(a, a.BitLen())) {
			t.Errorf("%s, which is public, may be called without TLS", text)
		}
	}
	if webhook.Permits(netip.Addr{}, false) {
		t.Error("no address may be called")
	}
	mapped := netip.MustParsePrefix("::ffff:10.0.0.0/104")
	if !webhook.Permits(netip.MustParseAddr("10.1.2.3"), true, mapped) || webhook.Permits(netip.MustParseAddr("11.1.2.3"), true, mapped) {
		t.Error("a mapped network is not that of IPv4")
	}
}

// TestNoSpellingLeadsInside (B-54): no connection arrives at a receiver on loopback, however its address is written or hidden, and what is
// said is the same of a port that listens and one that does not.
func TestNoSpellingLeadsInside(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan struct{}, 100)
	server := &http.Server{ConnState: func(net.Conn, http.ConnState) { arrived <- struct{}{} }}
	go server.Serve(ln)
	defer server.Close()
	_, open, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	resolver := names{
		"localhost": {"127.0.0.1", "::1"}, "localhost.": {"127.0.0.1"}, "inside.test": {"127.0.0.1"}, "mapped.test": {"::ffff:127.0.0.1"},
		"mixed.test": {"8.8.8.8", "127.0.0.1"}, "mixed6.test": {"2606:4700::1111", "::1"}, "nat64.test": {"64:ff9b::7f00:1"},
		"metadata.google.internal": {"169.254.169.254"}, "empty.test": {},
	}
	const literal, name = "the URL's address may not be called", "the name has an address that may not be called"
	for host, want := range map[string]string{
		"127.0.0.1": literal, "127.1": literal, "127.0.1": literal, "2130706433": literal, "0x7f000001": literal, "0X7F.0.0.1": literal,
		"0177.0.0.1": literal, "017700000001": literal, "127.0.0.01": literal, "127.0.0.1.": literal, "0": literal, "0.0.0.0": literal,
		"[::1]": literal, "[::]": literal, "[::ffff:127.0.0.1]": literal, "[::ffff:7f00:1]": literal, "[::127.0.0.1]": literal,
		"[2002:7f00:1::]": literal, "[64:ff9b::7f00:1]": literal, "[64:ff9b::a9fe:a9fe]": literal, "[64:ff9b:1::7f00:1]": literal,
		"[2001:0:7f00:1::]": literal, "[fec0::1]": literal, "[fe80::1%25lo]": literal, "169.254.169.254": literal,
		"localhost": name, "localhost.": name, "LOCALHOST": "the name was not found", "inside.test": name, "mapped.test": name,
		"mixed.test": name, "mixed6.test": name, "nat64.test": name, "metadata.google.internal": name,
		"empty.test": "the name has no address", "gone.test": "the name was not found", "127.0.0.1.nip.test": "the name was not found",
	} {
		w := carrier(t, func(c *webhook.Config) { c.Allow, c.Resolver = nil, resolver })
		for _, scheme := range []string{"http", "https"} {
			for _, port := range []string{open, "1"} {
				want := want
				if scheme == "http" && (host == "mixed.test" || host == "mixed6.test") {
					want = "a public address is called by https only"
				}
				err := w.Deliver(t.Context(), delivery(scheme+"://"+host+":"+port, login()))
				if err == nil || err.Error() != want {
					t.Errorf("%s://%s:%s: got %v, want %s", scheme, host, port, err, want)
				}
			}
		}
	}
	if n := len(arrived); n != 0 {
		t.Errorf("got %d connections, want 0", n)
	}
}

// turncoat answers with a public address first and with an inner one from then on.
type turncoat struct{ asked int }

func (r *turncoat) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	if r.asked++; r.asked == 1 {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	return []netip.Addr{netip.MustParseAddr("169.254.169.254")}, nil
}

// TestNameIsResolvedOnce (B-54): what was judged is what is called, and each new connection is judged anew.
func TestNameIsResolvedOnce(t *testing.T) {
	t.Parallel()
	r := receive(t, false, status(http.StatusNoContent))
	_, port, err := net.SplitHostPort(r.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	resolver := &turncoat{}
	w := carrier(t, func(c *webhook.Config) { c.Resolver = resolver })
	if err := w.Deliver(t.Context(), delivery("http://rebind.test:"+port, login())); err != nil {
		t.Error(err)
	}
	if resolver.asked != 1 {
		t.Errorf("the name was resolved %d times, want once", resolver.asked)
	}
	w.Close()
	if err := w.Deliver(t.Context(), delivery("http://rebind.test:"+port, login())); err == nil {
		t.Error("the name's new address was called")
	}
}

// TestNextAddressIsTried: of several that may be called, one that is dead is passed over.
func TestNextAddressIsTried(t *testing.T) {
	t.Parallel()
	r := receive(t, false, status(http.StatusNoContent))
	_, port, err := net.SplitHostPort(r.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w := carrier(t, func(c *webhook.Config) { c.Resolver = names{"two.test": {"127.0.0.77", "127.0.0.1"}} })
	if err := w.Deliver(t.Context(), delivery("http://two.test:"+port, login())); err != nil {
		t.Error(err)
	}
}
