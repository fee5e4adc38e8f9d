package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// told makes a history of calls with their answers, one after the other.
func told(pairs ...any) *history {
	h := newHistory(someone(0), served())
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for i := 0; i < len(pairs); i += 2 {
		a := answer{class: pairs[i+1].(class), token: "token", refresh: "refresh"}
		at = at.Add(time.Second)
		h.observe([]call{pairs[i].(call)}, []answer{a}, at, at, slack)
	}
	return h
}

// TestCheckerSeesLies tells it what no server may answer.
func TestCheckerSeesLies(t *testing.T) {
	t.Parallel()
	in, wrong := call{kind: login}, call{kind: login, word: -1}
	both, next := call{kind: backendLogin}, call{kind: refresh}
	for name, h := range map[string]*history{
		"a failure forgotten":            told(wrong, no, wrong, no, wrong, no, wrong, no, wrong, no, wrong, no),
		"a lock too early":               told(wrong, no, wrong, no, wrong, no, wrong, no, wrong, locked),
		"a right password during a lock": told(wrong, no, wrong, no, wrong, no, wrong, no, wrong, no, in, ok),
		"a wrong password":               told(wrong, ok),
		"a logout undone":                told(in, ok, call{kind: logout}, ok, call{kind: look}, ok),
		"a session lost":                 told(in, ok, call{kind: look}, dead),
		"a new password undone":          told(in, ok, call{kind: change, next: 1, fresh: 1}, ok, in, ok),
		"a session of before":            told(in, ok, call{kind: change, next: 1, fresh: 1}, ok, call{kind: look}, ok),
		"half a change": told(in, ok, call{kind: change, next: 1, fresh: 1}, lost, call{kind: look}, ok,
			call{kind: login, word: 1}, ok),
		"a code that nobody sent":         told(in, ok, call{kind: askCode}, ok, call{kind: verify, code: "000000"}, ok),
		"a refresh token twice":           told(both, ok, next, ok, call{kind: refresh, token: 1}, ok, next, ok),
		"a family lost to a lost answer":  told(both, ok, next, lost, next, dead),
		"a lost guess that counts double": told(wrong, no, wrong, no, wrong, no, wrong, lost, wrong, locked),
	} {
		if h.broken == "" {
			t.Errorf("%s: not seen; worlds %+v", name, h.worlds)
		}
	}
}

// TestCheckerBelievesWhatMayBe tells it both ways in which a call that broke off can have gone.
func TestCheckerBelievesWhatMayBe(t *testing.T) {
	t.Parallel()
	in, wrong := call{kind: login}, call{kind: login, word: -1}
	changed := call{kind: change, next: 1, fresh: 1}
	both, next := call{kind: backendLogin}, call{kind: refresh}
	for name, h := range map[string]*history{
		"a change that took effect":         told(in, ok, changed, lost, call{kind: look}, dead, call{kind: login, word: 1, fresh: 2}, ok),
		"a change that did not":             told(in, ok, changed, lost, call{kind: look}, ok, call{kind: login, fresh: 2}, ok),
		"a logout that took effect":         told(in, ok, call{kind: logout}, lost, call{kind: look}, dead),
		"a logout that did not":             told(in, ok, call{kind: logout}, lost, call{kind: look}, ok),
		"a guess that counts":               told(wrong, no, wrong, no, wrong, no, wrong, lost, wrong, no, wrong, locked),
		"a guess that never came":           told(wrong, no, wrong, no, wrong, no, wrong, lost, wrong, no, wrong, no, wrong, locked),
		"the same successor for two":        told(both, ok, next, ok, next, ok),
		"a family that lost an answer":      told(both, ok, next, lost, next, ok),
		"a copied token that ends a family": told(both, ok, next, ok, call{kind: refresh, token: 1}, ok, next, dead),
	} {
		if h.broken != "" {
			t.Errorf("%s: %s", name, h.report())
		}
	}
}

// TestForkIsSeen: an exchange that leads to two different successors is one family too many.
func TestForkIsSeen(t *testing.T) {
	t.Parallel()
	h := told(call{kind: backendLogin}, ok, call{kind: refresh}, ok)
	at := time.Date(2026, 11, 21, 12, 0, 3, 0, time.UTC)
	if h.observe([]call{{kind: refresh}}, []answer{{class: ok, refresh: "another"}}, at, at, slack); !strings.Contains(h.broken, "forked") {
		t.Errorf("got %q", h.broken)
	}
}

func TestEveryWayIsGone(t *testing.T) {
	t.Parallel()
	ways := map[[2]bool]int{}
	every(func(t *tape) {
		first := t.choose()
		ways[[2]bool{first, first && t.choose()}]++
	})
	if len(ways) != 3 || ways[[2]bool{false, false}] != 1 || ways[[2]bool{true, false}] != 1 || ways[[2]bool{true, true}] != 1 {
		t.Errorf("got %v", ways)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	all := experiments()
	path := filepath.Join(t.TempDir(), "page.md")
	kept := all[1].head() + "C-00 | 1 | 2 | 3 | 0 |\n"
	old := "before\n" + tableBegins + all[0].head() + "old |\n" + kept + tableEnds + "after\n"
	if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	rows := []row{
		{experiment: all[0], result: result{runs: 8, operations: 100, open: 3, note: "all is well"}},
		{experiment: all[2], missing: "needs root"},
	}
	if err := (table{rows: rows}).writeInto(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"before\n" + tableBegins, "| 8 | 100 | 3 | 0 (all is well) |", kept, "| not run: needs root |", tableEnds + "after\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "old |") {
		t.Errorf("the old line is still there:\n%s", text)
	}
	broken := row{experiment: all[0], result: result{broken: "user 1: lost"}}.text()
	if !strings.Contains(broken, "**some") {
		t.Errorf("got %s", broken)
	}
}

// TestPageHasEveryExperiment: the table of docs/reliability.md is of the present experiments, and shows that nothing was lost.
func TestPageHasEveryExperiment(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range experiments() {
		found := false
		for line := range strings.Lines(string(page)) {
			if strings.HasPrefix(line, "| "+x.fault+" | "+x.on+" |") {
				found = true
				if strings.Contains(line, "**some") || strings.Contains(line, "not run") {
					t.Errorf("%s", line)
				}
			}
		}
		if !found {
			t.Errorf("docs/reliability.md has no row of %s", x.name)
		}
	}
}

// TestFailureSaysHowToSeeItAgain: from the seed of the part that failed, and not of the first of many.
func TestFailureSaysHowToSeeItAgain(t *testing.T) {
	t.Parallel()
	var x experiment
	x.name, x.run = "long-x", func(*env, context.Context) (result, error) {
		return result{seed: 19, broken: "something was lost"}, nil
	}
	e := &env{seed: 7, long: true, lasts: time.Hour}
	_, err := e.runAll(t.Context(), []experiment{x}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "something was lost") ||
		!strings.HasSuffix(err.Error(), "-only long-x -seed 19 -long -for 1h0m0s") {
		t.Errorf("got %v", err)
	}
	if again := (&env{seed: 7}).again(experiment{name: "skew"}, 0); again != " -seed 7" {
		t.Errorf("got %q", again)
	}
}

// TestRunHasNoHours: the long runs are part of a long run of all, and are had by name.
func TestRunHasNoHours(t *testing.T) {
	t.Parallel()
	has := func(names string, long bool) bool {
		chosen, err := choose(names, long)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(chosen, func(x experiment) bool { return x.name == "long-sqlite" })
	}
	if has("", false) || !has("", true) || !has("skew,long-sqlite", false) {
		t.Error("a long run is part of the wrong one")
	}
}
