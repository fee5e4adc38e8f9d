package main

import (
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"countersign/internal/passhash"
)

// TestMain lets the test binary be the empty server, as the program itself can.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == emptyHandler {
		fail(serveEmpty(os.Stdout))
	}
	os.Exit(m.Run())
}

// miniature measures everything once, for no time at all.
func miniature(t *testing.T, postgres bool) *results {
	t.Helper()
	r, err := plan{
		users: 4, rounds: 1, window: 30 * time.Millisecond, conns: []int{1, 4}, launches: 1, postgres: postgres, progress: io.Discard,
	}.carryOut(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func checkResults(t *testing.T, r *results, databases int) {
	t.Helper()
	if got, want := len(r.logins), 4*databases; got != want {
		t.Errorf("logins: got %d kinds, want %d", got, want)
	}
	if got, want := len(r.tokens), 4*databases; got != want {
		t.Errorf("tokens: got %d kinds, want %d", got, want)
	}
	if got, want := len(r.starts), databases+1; got != want {
		t.Errorf("starts: got %d kinds, want %d", got, want)
	}
	for _, f := range r.failures() {
		t.Error(f)
	}
	for _, run := range append(r.logins, r.tokens...) {
		if len(run.rates) != 1 || len(run.ratios) != 1 {
			t.Errorf("%s on %s: got %d rates and %d ratios, want 1 and 1", run.name, run.place.name, len(run.rates), len(run.ratios))
		}
		if run.right < run.conns { // the window is too short for a promise of its own
			t.Errorf("%s on %s: got %d right answers on %d connections", run.name, run.place.name, run.right, run.conns)
		}
	}
	if got, want := len(r.kernels), len(passhash.Kernels()); got != want || got == 0 {
		t.Errorf("got %d kernels, want %d", got, want)
	}
	for _, s := range r.starts {
		if len(s.spent) != 1 || s.spent[0] <= 0 && runtime.GOOS == "linux" || s.spent[0] > time.Minute {
			t.Errorf("%s: got processor times %v", s.name, s.spent)
		}
	}
	for _, l := range append([]*limit{r.hash, r.common}, r.commits...) {
		if len(l.rates) == 0 || median(l.rates) <= 0 {
			t.Errorf("%s: got rates %v, want above zero", l.name, l.rates)
		}
	}
}

func TestEverythingIsMeasuredOnSQLite(t *testing.T) {
	r := miniature(t, false)
	checkResults(t, r, 1)
	var out report
	out.add(r.tables(), r.failures())
	for name, text := range map[string]string{"text": out.text(heading(r.kernel)), "Markdown": out.markdown(heading(r.kernel))} {
		for _, want := range []string{r.kernel, "/multi/login_with_password", "client_credentials", "sandbox", "serve, SQLite"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", name, want, text)
			}
		}
	}
}

func TestWrongAnswerIsAnError(t *testing.T) {
	s, err := newSite(1, false, patientWait)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bare, err := s.start(program, emptyHandler)
	if err != nil {
		t.Fatal(err)
	}
	defer bare.kill()
	missing := func(c *client, _ int) (func() error, error) {
		return func() error { return one(c.want(404, request("GET", "/", ""))) }, nil
	}
	l, err := drive(bare.address, 2, time.Millisecond, func() (spent, error) { return spent{}, nil }, missing)
	if err != nil {
		t.Fatal(err)
	}
	if len(l.errors) == 0 || l.right != 0 {
		t.Errorf("got %d errors and %d right answers, want errors alone", len(l.errors), l.right)
	}
}

func TestQuantile(t *testing.T) {
	var sorted []time.Duration
	for n := range 100 {
		sorted = append(sorted, time.Duration(n+1))
	}
	for _, c := range []struct {
		q    float64
		want time.Duration
	}{{0, 1}, {0.5, 51}, {0.95, 96}, {0.99, 100}, {1, 100}} {
		if got := quantile(sorted, c.q); got != c.want {
			t.Errorf("quantile %v: got %d, want %d", c.q, got, c.want)
		}
	}
	if got := quantile(nil, 0.5); got != 0 {
		t.Errorf("of nothing: got %d, want 0", got)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{4, 1, 3}, 3}, {[]float64{4, 1, 2, 3}, 2.5}} {
		if got := median(c.values); got != c.want {
			t.Errorf("median of %v: got %v, want %v", c.values, got, c.want)
		}
	}
}
