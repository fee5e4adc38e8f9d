package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// table is a part of the report; the first cells of its rows are words, the rest figures.
type table struct {
	title string
	head  []string
	words int
	rows  [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (r *results) tables() []table {
	all := []table{r.limits(), r.kernelTable(), loadTable("Logins", "raw hash", r.hash, r.logins)}
	if len(r.tokens) > 0 {
		all = append(all, loadTable("Tokens", "empty handler", r.handler, r.tokens))
	}
	if len(r.starts) > 0 {
		all = append(all, r.startTable())
	}
	return append(all, r.memoryTable())
}

func (r *results) limits() table {
	t := table{title: "Limits of this machine, in the same run", head: []string{"limit", "per s", "least", "most"}, words: 1}
	for _, l := range append([]*limit{r.hash, r.common, r.handler}, r.commits...) {
		if l == nil {
			continue
		}
		t.add(l.name, rate(median(l.rates)), rate(slices.Min(l.rates)), rate(slices.Max(l.rates)))
	}
	return t
}

// loadTable is the table of runs against one limit, whose short name is word.
func loadTable(title, word string, l *limit, runs []*run) table {
	t := table{title: title, words: 2, head: []string{
		"request", "database", "connections", "per s", "÷ " + word, "least", "by CPU", "p50 ms", "p95 ms", "p99 ms",
		"CPU ms each: server", "database", "load", "errors",
	}}
	for _, r := range runs {
		took := slices.Sorted(slices.Values(r.took))
		n := max(len(took), 1)
		each := func(d time.Duration) string {
			if d == 0 {
				return "–"
			}
			return fmt.Sprintf("%.2f", d.Seconds()*1000/float64(n))
		}
		t.add(r.name, r.place.name, fmt.Sprint(r.conns), rate(median(r.rates)), fmt.Sprintf("%.3f", median(r.ratios)),
			fmt.Sprintf("%.3f", slices.Min(r.ratios)), share(l.each(), r.spent.total()/time.Duration(n)), ms(quantile(took, 0.5)), ms(quantile(took, 0.95)), ms(quantile(took, 0.99)),
			each(r.spent.server), each(r.spent.database), each(r.spent.load), fmt.Sprint(len(r.errors)))
	}
	return t
}

func (r *results) startTable() table {
	t := table{title: "From the start of the process to the answer of its first login, ms", words: 1,
		head: []string{"command", "median", "least", "most", "CPU of the process", "starts"}}
	for _, s := range r.starts {
		spent := "–"
		if m := median(s.spent); m > 0 {
			spent = ms(m)
		}
		t.add(s.name, ms(median(s.took)), ms(slices.Min(s.took)), ms(slices.Max(s.took)), spent, fmt.Sprint(len(s.took)))
	}
	return t
}

func (r *results) memoryTable() table {
	t := table{title: "Resident memory of the server, MiB (in brackets: without the pages of the program's file)", words: 1,
		head: []string{"server", "idle after start", fmt.Sprintf("peak at %d connections", mostConns), "after the run", "and after rest"}}
	size := func(m memory) string {
		if m.total == 0 {
			return "–"
		}
		return fmt.Sprintf("%s (%s)", mib(m.total), mib(m.own))
	}
	for _, p := range r.places {
		t.add("serve, "+p.name, size(p.idle), mib(p.peak), size(p.after), size(p.settled))
	}
	return t
}

// report is what a run of the program has to say.
type report struct {
	tables   []table
	failures []string
}

func (r *report) add(tables []table, failures []string) {
	r.tables, r.failures = append(r.tables, tables...), append(r.failures, failures...)
}

// heading says what was measured where, with nothing that names the machine.
func heading(kernel string) string {
	return fmt.Sprintf("%s, %s/%s, %d cores, hash kernel %s", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), kernel)
}

func (r *results) failures() []string { return failuresOf(slices.Concat(r.logins, r.tokens)) }

// failuresOf lists the first of the errors of each run, if there are any.
func failuresOf(runs []*run) []string {
	var all []string
	for _, run := range runs {
		if len(run.errors) > 0 {
			all = append(all, fmt.Sprintf("%s on %s, %d connections: %v", run.name, run.place.name, run.conns, run.errors[0]))
		}
	}
	return all
}

func (r *report) text(heading string) string {
	var b strings.Builder
	fmt.Fprintln(&b, heading)
	for _, t := range r.tables {
		fmt.Fprintf(&b, "\n%s\n", t.title)
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, row := range append([][]string{t.head}, t.rows...) {
			fmt.Fprintln(w, "  "+strings.Join(row, "\t"))
		}
		w.Flush() // into memory
	}
	for _, f := range r.failures {
		fmt.Fprintln(&b, "\nERROR", f)
	}
	return b.String()
}

func (r *report) markdown(heading string) string {
	var b strings.Builder
	fmt.Fprintln(&b, heading)
	for _, t := range r.tables {
		fmt.Fprintf(&b, "\n### %s\n\n| %s |\n|%s%s\n", t.title, strings.Join(t.head, " | "),
			strings.Repeat("---|", t.words), strings.Repeat("--:|", len(t.head)-t.words))
		for _, row := range t.rows {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		}
	}
	for _, f := range r.failures {
		fmt.Fprintln(&b, "\n**Error:**", f)
	}
	return b.String()
}

func rate(perSecond float64) string {
	if perSecond < 1000 {
		return fmt.Sprintf("%.1f", perSecond)
	}
	return fmt.Sprintf("%.0f", perSecond)
}

// share is what part of the processor time of a request is that of the limit.
func share(limit, request time.Duration) string {
	if limit == 0 || request == 0 {
		return "–"
	}
	return fmt.Sprintf("%.3f", limit.Seconds()/request.Seconds())
}

func ms(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.2f", d.Seconds()*1000)
	}
	return fmt.Sprintf("%.0f", d.Seconds()*1000)
}

func mib(bytes int64) string {
	if bytes == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f", float64(bytes)/(1<<20))
}
