package httpx_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"countersign/internal/httpx"
)

// FuzzClientAddress: whatever stands in X-Forwarded-For, the client is an address; it is the peer unless the peer is a proxy, and else it stands
// in the header (A-024, B-62).
func FuzzClientAddress(f *testing.F) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, header := range []string{
		"", ",", "198.51.100.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "[2001:db8::1]:4711", "::ffff:198.51.100.1", "fe80::1%eth0", "unknown", "_hidden, 1.1.1.1",
		"1.1.1.1:99999", "01.1.1.1", "1.1.1.1\x00", "10.0.0.1,,10.0.0.2", "\u0661.1.1.1",
	} {
		f.Add(true, header, "1.1.1.1")
		f.Add(false, header, "")
	}
	var got netip.Addr
	m := &httpx.Mux{}
	m.Handle("GET", "/", func(w *httpx.Response, _ *http.Request) error { got = w.Client; w.Empty(204); return nil })
	h := m.Handler(httpx.Config{TrustedProxies: proxies})
	f.Fuzz(func(t *testing.T, proxied bool, last, first string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "192.0.2.1:5"
		if proxied {
			r.RemoteAddr = "10.0.0.1:5"
		}
		peer := netip.MustParseAddrPort(r.RemoteAddr).Addr()
		r.Header["X-Forwarded-For"] = []string{first, last}
		h.ServeHTTP(httptest.NewRecorder(), r)
		if !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Fatalf("%q: got %v", r.Header, got)
		}
		if !proxied && got != peer {
			t.Errorf("%q: got %v of a peer that nobody trusts", r.Header, got)
		}
		if got == peer {
			return
		}
		for _, entry := range strings.Split(first+","+last, ",") {
			entry = strings.Trim(entry, " \t")
			a, err := netip.ParseAddr(entry)
			if p, errP := netip.ParseAddrPort(entry); err != nil && errP == nil {
				a, err = p.Addr(), nil
			}
			if err == nil && a.Unmap().WithZone("") == got {
				return
			}
		}
		t.Errorf("%q: got %v, which does not stand there", r.Header, got)
	})
}
