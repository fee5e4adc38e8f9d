package httpx

import (
	"net/http"
	"net/http/httptest"
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
