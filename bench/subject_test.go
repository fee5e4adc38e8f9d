package main

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// small measures next to nothing.
func small(postgres bool) plan {
	return plan{users: 4, rounds: 1, window: 100 * time.Millisecond, postgres: postgres, progress: io.Discard}
}

func TestOverload(t *testing.T) {
	o, err := small(false).overloads(t.Context(), []float64{0.5, 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(o.curves) != 1 || len(o.curves[0].points) != 2 || o.curves[0].capacity <= 0 {
		t.Fatalf("got %+v", o.curves)
	}
	for _, pt := range o.curves[0].points {
		if pt.wrong != nil || len(pt.check) == 0 {
			t.Errorf("at %g times the capacity: %d checks, error %v", pt.share, len(pt.check), pt.wrong)
		}
	}
	if got := len(o.table().rows); got != 2 {
		t.Errorf("%d rows, want 2", got)
	}
	picture := xml.NewDecoder(strings.NewReader(o.picture()))
	lines := 0
	for {
		token, err := picture.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the picture is not XML: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "polyline" {
			lines++
		}
	}
	if lines != 2 {
		t.Errorf("%d lines in the picture, want 2", lines)
	}
}

func TestHerdOnSQLite(t *testing.T) { testHerd(t, false) }

func testHerd(t *testing.T, postgres bool) {
	t.Helper()
	const users = 200
	h, err := small(postgres).herds(t.Context(), users)
	if err != nil {
		t.Fatal(err)
	}
	databases := 1
	if postgres {
		databases = 2
	}
	if len(h.table().rows) != databases {
		t.Errorf("%d rows, want %d", len(h.table().rows), databases)
	}
	for _, r := range h.herded {
		if r.wrong != nil || len(r.in) != users || slices.Min(r.came) == 0 || r.capacity <= 0 {
			t.Errorf("%s: %d users are in, error %v", r.place, len(r.in), r.wrong)
		}
	}
}

func TestGrowthOnSQLite(t *testing.T) { testGrowth(t, false) }

func testGrowth(t *testing.T, postgres bool) {
	t.Helper()
	p := small(postgres)
	p.users = 10
	g, err := p.growths(t.Context(), []int{20, 50})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range failuresOf(g.runs) {
		t.Error(f)
	}
	databases := 1
	if postgres {
		databases = 2
	}
	if got, want := len(g.table().rows), len(g.runs)/2; got != want || len(g.places) != 2*databases {
		t.Errorf("%d rows, want %d; %d servers", got, want, len(g.places))
	}
}

func TestSweepOnSQLite(t *testing.T) { testSweep(t, false) }

func testSweep(t *testing.T, postgres bool) {
	t.Helper()
	s, err := small(postgres).sweeps(t.Context(), 3000)
	if err != nil {
		t.Fatal(err)
	}
	databases := 1
	if postgres {
		databases = 2
	}
	if len(s.failures()) > 0 || len(s.table().rows) != 2*databases {
		t.Errorf("%d rows, failures %q", len(s.table().rows), s.failures())
	}
	for _, r := range s.rows {
		// Right answers in and outside of the window, which is too short for a promise of its own.
		if r.quiet.right == 0 || r.beside.right == 0 || r.pace <= 0 {
			t.Errorf("%s on %s: %d and %d right answers, %g rows/s", r.request, r.database, r.quiet.right, r.beside.right, r.pace)
		}
	}
}

func TestTiming(t *testing.T) {
	tm, err := small(false).timings(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(tm.table().rows), len(tm.routes)*(len(kinds())-1); got != want {
		t.Errorf("%d rows, want %d", got, want)
	}
	for _, r := range tm.routes {
		for _, k := range kinds() {
			if len(r.taken[k]) != 10 {
				t.Errorf("%s, %s: %d samples", r.name, k, len(r.taken[k]))
			}
		}
	}
}

func TestWelch(t *testing.T) {
	x, y := []float64{3, 4, 5, 6}, []float64{1, 2, 3, 4}
	if got := welch(x, y); got < 2.190 || got > 2.191 { // (4.5 - 2.5) / √(2 · 5/3 ÷ 4)
		t.Errorf("got %v", got)
	}
	for _, c := range []struct {
		x, y []float64
		want float64
	}{{x, y, 14 / 16.0}, {[]float64{2}, []float64{1}, 1}, {[]float64{1}, []float64{2}, 0}} {
		if got := auc(c.x, c.y); got != c.want {
			t.Errorf("AUC of %v and %v: got %v, want %v", c.x, c.y, got, c.want)
		}
	}
}

func TestBadOrders(t *testing.T) {
	for _, args := range [][]string{{"speed"}, {"-seconds", "0"}, {"-rounds", "0"}, {"-samples", "1", "timing"}, {"-users", "10", "growth"}} {
		if _, err := read(args, io.Discard); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}
