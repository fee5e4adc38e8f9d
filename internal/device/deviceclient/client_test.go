package deviceclient_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"countersign/internal/device/deviceclient"
	"countersign/internal/jose"
)

// device makes a device at a server whose configuration says the time now, and whose other answers are the handler's.
func device(t *testing.T, now *atomic.Int64, handle http.HandlerFunc) *deviceclient.Client {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /device/v1/configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":"https://auth.example","now":%d,"algorithms":["ES256"]}`, now.Load())
	})
	mux.HandleFunc("/", handle)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	key, err := jose.Generate(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	return deviceclient.New(server.URL, key)
}

// madeAt is when the token of a call was made.
func madeAt(t *testing.T, r *http.Request) int64 {
	t.Helper()
	parts := strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), ".")
	if len(parts) != 3 {
		t.Fatalf("got %q, want a token", r.Header.Get("Authorization"))
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ Iat int64 }
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	return claims.Iat
}

func TestServersClockIsFollowed(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	now.Store(1_000_000)
	calls := 0
	d := device(t, &now, func(w http.ResponseWriter, r *http.Request) {
		calls++
		if at := madeAt(t, r); at < now.Load() {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"code":"invalid_token"}`)
			return
		}
		fmt.Fprint(w, `{"status":"active"}`)
	})
	for _, jump := range []int64{0, 3600} {
		now.Add(jump)
		if got, err := d.Device(t.Context()); err != nil || got.Status != "active" {
			t.Errorf("after a jump of %d s: got %v, %v", jump, got, err)
		}
	}
	if calls != 3 {
		t.Errorf("got %d calls, want 3: one was refused and made again", calls)
	}
}

// TestLastingRefusalEnds: a token that is refused by the server's own clock is not made for ever.
func TestLastingRefusalEnds(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	calls := 0
	d := device(t, &now, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"title":"Unauthorized","status":401,"code":"invalid_token","detail":"no"}`)
	})
	_, err := d.Device(t.Context())
	var no *deviceclient.Error
	if !errors.As(err, &no) || no.Status != http.StatusUnauthorized || no.Error() != "invalid_token: no" || calls != 2 {
		t.Errorf("got %v after %d calls, want invalid_token after 2", err, calls)
	}
}

// TestStrangeAnswersAreRefusals: a proxy's page, and a redirect, which would take the token elsewhere.
func TestStrangeAnswersAreRefusals(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{http.StatusBadGateway: "http_502", http.StatusFound: "http_302"} {
		var now atomic.Int64
		var calls atomic.Int32
		d := device(t, &now, func(w http.ResponseWriter, _ *http.Request) {
			calls.Add(1)
			w.Header().Set("Location", "/device/v1/other")
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
			fmt.Fprint(w, "<h1>sorry</h1>")
		})
		_, err := d.Device(t.Context())
		var no *deviceclient.Error
		if !errors.As(err, &no) || no.Code != want || no.RetryAfter != 7*time.Second || calls.Load() != 1 {
			t.Errorf("%d: got %v after %d calls, want %s after one", status, err, calls.Load(), want)
		}
	}
}

// TestWatchOpensAStreamThatEnded, and tells what it hears on each.
func TestWatchOpensAStreamThatEnded(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	streams := 0
	d := device(t, &now, func(w http.ResponseWriter, _ *http.Request) {
		if streams++; streams > 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"code":"maintenance"}`)
			return
		}
		fmt.Fprintf(w, ": still here\n\nevent: requests\ndata: {\"now\":1,\"requests\":[{\"challenge\":\"%d\"}]}\n\n", streams)
	})
	var heard []string
	err := d.Watch(t.Context(), func(all []deviceclient.Request) error {
		heard = append(heard, all[0].Challenge)
		return nil
	})
	var no *deviceclient.Error
	if !errors.As(err, &no) || no.Code != "maintenance" || strings.Join(heard, ",") != "1,2" {
		t.Errorf("heard %v, ended with %v; want 1 and 2, and maintenance", heard, err)
	}
}

func TestParseLink(t *testing.T) {
	t.Parallel()
	for link, want := range map[string][2]string{
		"https://auth.example/authenticator#abc":    {"https://auth.example", "abc"},
		"http://127.0.0.1:8080/authenticator#abc":   {"http://127.0.0.1:8080", "abc"},
		"https://auth.example/at/authenticator/#ab": {"https://auth.example/at", "ab"},
		"https://auth.example/authenticator":        {},
		"javascript:alert(1)#abc":                   {},
		"abc":                                       {},
		"https://auth.example/authenticator#%zz":    {},
	} {
		server, ticket, err := deviceclient.ParseLink(link)
		if server != want[0] || ticket != want[1] || (err == nil) != (want[0] != "") {
			t.Errorf("%s: got %q, %q, %v; want %q", link, server, ticket, err, want)
		}
	}
}
