package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// result is what an experiment came to.
type result struct {
	runs       int    // times that something broke under somebody
	operations int    // calls
	open       int    // calls that were not answered
	note       string // what else there is to say
	broken     string // what must not be; empty: nothing
	seed       uint64 // of the latest part of many that are alike but for the seed; 0: there is one part
}

// add counts the rounds of a crowd, of which every user's is a run.
func (r *result) add(l *lives, rounds int) {
	made, open := l.calls()
	r.runs += rounds * len(l.users)
	r.operations += made
	r.open += open
	if r.broken == "" {
		r.broken = l.broken()
	}
}

// row is a line of the table.
type row struct {
	experiment
	result
	missing string // why it was not run; empty: it was
	line    string // as it stands in a document, of a run before; empty: the row is of this run
}

// table is the whole.
type table struct{ rows []row }

// missing lists what was not run, with the reason.
func (t table) missing() (all []string) {
	for _, r := range t.rows {
		if r.missing != "" {
			all = append(all, r.name+" ("+r.missing+")")
		}
	}
	return all
}

// text is the table as Markdown.
func (t table) text() string {
	var b strings.Builder
	b.WriteString("| fault | on | matrix | runs | operations | not answered | lost or doubled |\n|---|---|---|--:|--:|--:|--:|\n")
	for _, r := range t.rows {
		b.WriteString(r.text())
	}
	return b.String()
}

// head begins the line of an experiment.
func (x experiment) head() string { return "| " + x.fault + " | " + x.on + " | " }

func (r row) text() string {
	switch {
	case r.line != "":
		return r.line
	case r.missing != "":
		return fmt.Sprintf("%s%s | not run: %s | | | |\n", r.head(), r.ids, r.missing)
	case r.broken != "":
		return fmt.Sprintf("%s%s | %d | %d | %d | **some: see the output** |\n", r.head(), r.ids, r.runs, r.operations, r.open)
	}
	return fmt.Sprintf("%s%s | %d | %d | %d | 0%s |\n", r.head(), r.ids, r.runs, r.operations, r.open, noted(r.note))
}

func noted(note string) string {
	if note == "" {
		return ""
	}
	return " (" + note + ")"
}

// The marks between which a document holds the table.
const (
	tableBegins = "<!-- torture: begin -->\n"
	tableEnds   = "<!-- torture: end -->\n"
)

// writeInto puts the table into a document, in the place of the one that is there, of which the lines of what was not chosen stay.
func (t table) writeInto(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(text), tableBegins)
	old, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		return fmt.Errorf("%s has no marks for the table", path)
	}
	merged := table{}
	for _, x := range experiments() {
		i := slices.IndexFunc(t.rows, func(r row) bool { return r.name == x.name })
		if i >= 0 {
			merged.rows = append(merged.rows, t.rows[i])
			continue
		}
		for line := range strings.Lines(old) {
			if strings.HasPrefix(line, x.head()) {
				merged.rows = append(merged.rows, row{experiment: x, line: line})
			}
		}
	}
	return os.WriteFile(path, []byte(before+tableBegins+merged.text()+tableEnds+after), 0o644)
}
