package httpx_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"countersign/internal/httpx"
)

func TestReadBody(t *testing.T) {
	for _, tt := range []struct {
		name   string
		length int64
		body   io.Reader
		want   int // 0 is accepted
	}{
		{"fits", 10, strings.NewReader("0123456789"), 0},
		{"fits, chunked", -1, strings.NewReader("0123456789"), 0},
		{"announced too large", 11, iotest.ErrReader(errors.New("must not be read")), 413},
		{"too large, chunked", -1, strings.NewReader("0123456789a"), 413},
		{"ends early", 10, strings.NewReader("012"), 400},
		{"breaks", -1, iotest.ErrReader(io.ErrUnexpectedEOF), 400},
		{"times out", -1, iotest.ErrReader(os.ErrDeadlineExceeded), 408},
		{"limited elsewhere", -1, http.MaxBytesReader(nil, io.NopCloser(strings.NewReader("0123456789")), 5), 413},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.Body, r.ContentLength = io.NopCloser(tt.body), tt.length
		body, err := httpx.ReadBody(r, 10)
		switch {
		case err == nil && (tt.want != 0 || string(body) != "0123456789"):
			t.Errorf("%s: got %q, want %d", tt.name, body, tt.want)
		case err != nil && httpx.StatusOf(err) != tt.want:
			t.Errorf("%s: got %v, want %d", tt.name, err, tt.want)
		}
	}
}

func TestCompressedBodyIsRefused(t *testing.T) {
	for encoding, want := range map[string]bool{"gzip": false, "identity": true} {
		r := httptest.NewRequest("POST", "/", strings.NewReader("x"))
		r.Header.Set("Content-Encoding", encoding)
		_, err := httpx.ReadBody(r, 10)
		if (err == nil) != want || err != nil && httpx.StatusOf(err) != 415 {
			t.Errorf("%s: got %v", encoding, err)
		}
	}
}

func TestNoBody(t *testing.T) {
	r := httptest.NewRequest("POST", "/", nil)
	r.Body = nil
	if body, err := httpx.ReadBody(r, 10); len(body) != 0 || err != nil {
		t.Errorf("got %q, %v; want nothing", body, err)
	}
}

func TestMediaType(t *testing.T) {
	r := httptest.NewRequest("POST", "/", nil)
	for header, want := range map[string]string{
		"application/json": "application/json",
		"Application/X-WWW-Form-URLencoded; charset=utf-8": "application/x-www-form-urlencoded",
		"text/html; charset=\"UTF-8\"":                     "text/html",
	} {
		r.Header.Set("Content-Type", header)
		if got, err := httpx.MediaType(r); got != want || err != nil {
			t.Errorf("%s: got %q, %v; want %q", header, got, err, want)
		}
	}
	for _, header := range []string{"", "text/html; charset=latin1", "/", "application/json; charset=utf-8; charset=utf-7"} {
		r.Header.Set("Content-Type", header)
		if got, err := httpx.MediaType(r); httpx.StatusOf(err) != 415 {
			t.Errorf("%q: got %q, %v; want a 415", header, got, err)
		}
	}
}
