package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// figure is one number that a long run looks at again and again, and which must not grow.
//
// It is flat if the median of the last quarter is at most a tenth, and what is allowed besides, above that of the second. The first quarter is
// for what fills up once: caches, pools, the rows that wait to be swept. A leak goes on, and the medians leave out what is a moment's.
type figure struct {
	name    string
	unit    string
	allowed float64 // beside the tenth, in the unit
	values  []float64
}

// leastSamples is how many values it takes to judge: four a quarter.
const leastSamples = 16

// quarters are the medians of the second quarter and of the last.
func (f figure) quarters() (second, last float64) {
	q := len(f.values) / 4
	return median(f.values[q : 2*q]), median(f.values[len(f.values)-q:])
}

// grown says how a figure is not flat; empty: it is.
func (f figure) grown() string {
	second, last := f.quarters()
	if last <= second*1.1+f.allowed {
		return ""
	}
	return fmt.Sprintf("%s: %.4g %s in the second quarter, %.4g in the last; %s", f.name, second, f.unit, last, f.course())
}

// course is how the values went, in a few of them.
func (f figure) course() string {
	const most = 16
	var all []string
	for i := range min(most, len(f.values)) {
		all = append(all, fmt.Sprintf("%.4g", f.values[i*len(f.values)/min(most, len(f.values))]))
	}
	return strings.Join(all, " ")
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// series are the figures of a run, by name.
type series struct {
	whole map[string]*figure // of the run
	life  map[string]*figure // of the present life of the first server
	lives int                // which one that is
}

// add adds a value to a figure of the whole run.
func (s *series) add(name, unit string, allowed, value float64) {
	add(&s.whole, name, unit, allowed, value)
}

// addOfServer adds one of the first server, whose process is the n-th.
func (s *series) addOfServer(n int, name, unit string, allowed, value float64) {
	if n != s.lives {
		s.life, s.lives = nil, n
	}
	add(&s.life, name, unit, allowed, value)
}

func add(to *map[string]*figure, name, unit string, allowed, value float64) {
	if *to == nil {
		*to = map[string]*figure{}
	}
	f := (*to)[name]
	if f == nil {
		f = &figure{name: name, unit: unit, allowed: allowed}
		(*to)[name] = f
	}
	f.values = append(f.values, value)
}

// all are the figures of which there are enough values, in the order of their names.
func (s *series) all(least int) (all []figure) {
	for _, from := range []map[string]*figure{s.life, s.whole} {
		for _, name := range slices.Sorted(maps.Keys(from)) {
			if len(from[name].values) >= max(least, 4) {
				all = append(all, *from[name])
			}
		}
	}
	return all
}

// judge says which figures have grown.
func (s *series) judge(least int) (grown []string) {
	for _, f := range s.all(least) {
		if g := f.grown(); g != "" {
			grown = append(grown, g)
		}
	}
	return grown
}
