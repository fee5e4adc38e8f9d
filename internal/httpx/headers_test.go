package httpx

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestCredentials(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"Bearer abc": "abc", "bearer abc": "abc", "BEARER abc": "abc", "Basic abc": "", "Bearer": "", "": "", "Bearerabc": "", "abc Bearer": "",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		if got := Credentials(r, "Bearer"); got != want {
			t.Errorf("Credentials of %q: got %q, want %q", header, got, want)
		}
	}
}

func TestCredentialsThatStandThereTwiceAreNone(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["Authorization"] = []string{"Bearer abc", "Bearer abc"}
	if got := Credentials(r, "Bearer"); got != "" {
		t.Errorf("got %q, want none", got)
	}
}

func TestRetryAfterRoundsUp(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		time.Nanosecond: "1", time.Second: "1", time.Second + time.Nanosecond: "2", 30 * time.Minute: "1800",
	} {
		h := http.Header{}
		RetryAfter(h, d)
		if got := h.Get("Retry-After"); got != want {
			t.Errorf("Retry-After of %v: got %s, want %s", d, got, want)
		}
	}
}

func TestRateLimitNamesTheExceededLimitFirst(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	minute, hour := Limit{10, time.Minute}, Limit{20, time.Hour}
	RateLimit(h, 1500*time.Millisecond, hour, minute, hour)
	if got, want := h.Get("x-ratelimit-limit"), "20, 10;w=60, 20;w=3600"; got != want {
		t.Errorf("x-ratelimit-limit: got %q, want %q", got, want)
	}
	if got, want := h.Get("x-ratelimit-reset"), "2"; got != want {
		t.Errorf("x-ratelimit-reset: got %q, want %q", got, want)
	}
}

// tokens travel in headers only.
func TestCredentialsInTheQueryAreRefused(t *testing.T) {
	t.Parallel()
	var m Mux
	m.Prefix("/", Problem)
	m.Handle("GET", "/x", func(w *Response, _ *http.Request) error { w.Empty(http.StatusNoContent); return nil })
	h := m.Handler(Config{Logger: slog.New(slog.DiscardHandler)})
	for query, want := range map[string]int{
		"": 204, "?limit=3": 204, "?id_token_hint=x": 204, "?tokens=x": 204, "?access_token=x": 400, "?limit=3&token=x": 400,
		"?api-key=x": 400, "?%74oken=x": 400, "?client_secret": 400, "?password=x": 400, "?refresh_token=": 400,
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/x"+query, nil))
		if w.Code != want {
			t.Errorf("%q: got %d, want %d", query, w.Code, want)
		}
		if strings.Contains(w.Body.String(), "=x") {
			t.Errorf("%q: the value is in the answer: %s", query, w.Body)
		}
	}
}
