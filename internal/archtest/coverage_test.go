package archtest

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/security-coverage.md")

// number is a requirement or a fault of others, as tests cite it.
var number = regexp.MustCompile(`\b(A-\d{3}|B-\d{2})\b`)

// claim is a line of testdata/security.txt.
type claim struct {
	number, text string
	reason       string // why no test cites it; empty: one does
}

func claims(t *testing.T) []claim {
	t.Helper()
	text, err := os.ReadFile("testdata/security.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []claim
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		said, reason, _ := strings.Cut(line, " | ")
		id, what, _ := strings.Cut(said, " ")
		if !number.MatchString(id) || what == "" {
			t.Errorf("what is %q?", line)
		}
		all = append(all, claim{id, what, reason})
	}
	return all
}

// citations are the tests that cite each number: the function that the number stands in or above, or the script.
func citations(t *testing.T) map[string]map[string]bool {
	t.Helper()
	cited := make(map[string]map[string]bool)
	note := func(text, by string) {
		for _, id := range number.FindAllString(text, -1) {
			if cited[id] == nil {
				cited[id] = make(map[string]bool)
			}
			cited[id][by] = true
		}
	}
	for _, f := range goFiles(t) {
		if f.test {
			citedIn(f, note)
		}
	}
	walk(t, func(name string, read func() []byte) {
		for _, ext := range []string{".txtar", ".test.js"} {
			if base, ok := strings.CutSuffix(path.Base(name), ext); ok {
				note(string(read()), base+" "+map[string]string{".txtar": "(script)", ".test.js": "(client)"}[ext])
			}
		}
	})
	return cited
}

// citedIn notes what the lines of a Go test cite, for the tests that they belong to. What stands elsewhere is of the whole file.
func citedIn(f file, note func(text, by string)) {
	lines := bytes.Split(f.source, []byte("\n"))
	owner := make([]string, len(lines)+1)
	for _, d := range f.syntax.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || !strings.HasPrefix(fn.Name.Name, "Test") && !strings.HasPrefix(fn.Name.Name, "Fuzz") {
			continue
		}
		from, to := fn.Pos(), fn.End()
		if fn.Doc != nil {
			from = fn.Doc.Pos()
		}
		for i := f.fset.Position(from).Line; i <= f.fset.Position(to).Line; i++ {
			owner[i] = fn.Name.Name
		}
	}
	for i, line := range lines {
		by := owner[i+1]
		if by == "" {
			by = path.Base(f.path)
		}
		note(string(line), by+" ("+path.Base(f.pkg)+")")
	}
}

// maxShown is how many tests the page names for a number. More would change it with every test.
const maxShown = 3

// weight puts tests before scripts, and what is cited somewhere in a file last.
func weight(by string) int {
	switch {
	case strings.HasPrefix(by, "Test"):
		return 0
	case strings.Contains(by, "_test.go"):
		return 2
	}
	return 1
}

// TestSecurityCoverage holds docs/security-coverage.md to the tests: every number is cited by a test or says why not, and none is both; and
// what the page names does cite it. Run it with -update after a change of either. Another test that cites a number leaves the page as it is.
func TestSecurityCoverage(t *testing.T) {
	t.Parallel()
	name := filepath.Join(root(t), "docs", "security-coverage.md")
	present, err := os.ReadFile(name)
	if err != nil && !*update {
		t.Fatal(err)
	}
	page := coveragePage(t, string(present))
	if *update {
		if err := os.WriteFile(name, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(present) != page {
		t.Error("docs/security-coverage.md is not what the tests cite; run this test with -update")
	}
}

// coveragePage is the page as it has to be. Of the tests that cite a number those stay that the present page names.
func coveragePage(t *testing.T, present string) string {
	cited, named := citations(t), namedTests(present)
	var page strings.Builder
	page.WriteString("# Security coverage\n\nWhat stands against what, and tests that show it. Made by `go test ./internal/archtest -run TestSecurityCoverage -update` from\n" +
		"[the list](../internal/archtest/testdata/security.txt) and the numbers that tests cite, of which three are named; it is not written by hand.\n")
	section := ""
	for _, c := range claims(t) {
		if title := map[string]string{"A": "Requirements", "B": "Faults of others"}[c.number[:1]]; title != section {
			section = title
			fmt.Fprintf(&page, "\n## %s\n\n| Number | What | Shown by |\n|---|---|---|\n", title)
		}
		by := slices.Sorted(maps.Keys(cited[c.number]))
		switch {
		case len(by) == 0 && c.reason == "":
			t.Errorf("%s has neither a test nor a reason: %s", c.number, c.text)
		case len(by) > 0 && c.reason != "":
			t.Errorf("%s has a reason, %q, and the test %s", c.number, c.reason, by[0])
		}
		slices.SortStableFunc(by, func(a, b string) int { return weight(a) - weight(b) })
		still := slices.DeleteFunc(named[c.number], func(test string) bool { return !cited[c.number][test] })
		if len(still) == 0 {
			still = by[:min(len(by), maxShown)]
		}
		shown := "`" + strings.Join(still, "`, `") + "`"
		if len(by) == 0 {
			shown = "— " + c.reason
		}
		fmt.Fprintf(&page, "| %s | %s | %s |\n", c.number, c.text, shown)
	}
	return page.String()
}

var namedTest = regexp.MustCompile("`([^`]+)`")

// namedTests are the tests that a page names for each number.
func namedTests(page string) map[string][]string {
	named := make(map[string][]string)
	for line := range strings.Lines(page) {
		cells := strings.Split(line, " | ")
		if len(cells) != 3 {
			continue
		}
		id := strings.TrimPrefix(cells[0], "| ")
		for _, test := range namedTest.FindAllStringSubmatch(cells[2], -1) {
			named[id] = append(named[id], test[1])
		}
	}
	return named
}
