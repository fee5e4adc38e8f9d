//go:build postgres

package main

import "testing"

func TestEverythingIsMeasuredOnPostgreSQL(t *testing.T) {
	checkResults(t, miniature(t, true), 2)
}

func TestHerdOnPostgreSQL(t *testing.T) { testHerd(t, true) }

func TestGrowthOnPostgreSQL(t *testing.T) { testGrowth(t, true) }

func TestSweepOnPostgreSQL(t *testing.T) { testSweep(t, true) }

func TestScaleout(t *testing.T) {
	s, err := small(true).scaleouts(t.Context(), []int{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(s.table().rows); got != 2 {
		t.Errorf("%d rows, want 2", got)
	}
	for _, pt := range s.points {
		if pt.wrong != nil || pt.count == 0 || pt.commits == 0 || pt.rows == 0 {
			t.Errorf("%d nodes: %d logins in %d transactions that wrote %d rows, error %v", pt.nodes, pt.count, pt.commits, pt.rows, pt.wrong)
		}
	}
}
