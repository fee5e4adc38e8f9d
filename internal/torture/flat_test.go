package main

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// made is a figure of n values.
func made(n int, value func(i int) float64) figure {
	f := figure{name: "resident", unit: "MiB", allowed: 8}
	for i := range n {
		f.values = append(f.values, value(i))
	}
	return f
}

// TestLeakIsSeen: what goes on growing is found, also slowly and under noise; what fills up once, or is a moment's, is none (C-34).
func TestLeakIsSeen(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	noise := func(width float64) float64 { return (rnd.Float64() - 0.5) * width }
	for name, c := range map[string]struct {
		figure
		leaks bool
	}{
		"flat":                         {made(40, func(int) float64 { return 60 }), false},
		"noisy but flat":               {made(400, func(int) float64 { return 60 + noise(30) }), false},
		"a leak":                       {made(40, func(i int) float64 { return 60 + float64(i) }), true},
		"a slow leak under noise":      {made(1000, func(i int) float64 { return 60 + float64(i)/20 + noise(30) }), true},
		"a leak below what is allowed": {made(1000, func(i int) float64 { return 60 + float64(i)/100 + noise(10) }), false},
		"a cache that fills up":        {made(100, func(i int) float64 { return 20 + min(float64(i)*4, 80) }), false},
		"one step in the middle":       {made(100, func(i int) float64 { return 60 + 40*float64(i/50) }), true},
		"one step at the beginning":    {made(100, func(i int) float64 { return 20 + 40*float64(min(i/20, 1)) }), false},
		"peaks":                        {made(100, func(i int) float64 { return 60 + 500*float64((i%10)/9) }), false},
		"a saw that rises":             {made(100, func(i int) float64 { return float64(i%10)*5 + float64(i) }), true},
		"handles, one in each of four rounds": {figure{name: "handles", allowed: 16, values: made(120, func(i int) float64 {
			return 25 + float64(i/4)
		}).values}, false},
		"handles, one in each round": {figure{name: "handles", allowed: 16, values: made(120, func(i int) float64 {
			return 25 + float64(i)
		}).values}, true},
		"less and less": {made(100, func(i int) float64 { return 200 - float64(i) }), false},
	} {
		if got := c.grown(); (got != "") != c.leaks {
			t.Errorf("%s: got %q, want a leak: %t; %s", name, got, c.leaks, c.course())
		}
	}
}

// TestSeriesAreOfOneLife: the figures of a process begin anew with it, and too few are not judged.
func TestSeriesAreOfOneLife(t *testing.T) {
	t.Parallel()
	var s series
	for i := range 60 {
		s.addOfServer(1, "resident", "MiB", 0, float64(100+i))
		s.add("rows", "rows", 0, 7)
	}
	if grown := s.judge(leastSamples); len(grown) != 1 || !strings.HasPrefix(grown[0], "resident: 122 MiB in the second quarter, 152 in the last; ") {
		t.Errorf("got %q", grown)
	}
	for range leastSamples - 1 {
		s.addOfServer(2, "resident", "MiB", 0, 50)
	}
	if all := s.all(leastSamples); len(all) != 1 || all[0].name != "rows" {
		t.Errorf("got %v before there is enough of the second life", all)
	}
	s.addOfServer(2, "resident", "MiB", 0, 50)
	if all, grown := s.all(leastSamples), s.judge(leastSamples); len(all) != 2 || len(grown) != 0 {
		t.Errorf("got %v, %q", all, grown)
	}
}
