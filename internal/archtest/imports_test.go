package archtest

import (
	"slices"
	"strings"
	"testing"
)

// matches reports whether an import is a pattern, or below one that ends in /... .
func matches(pattern, name string) bool {
	base, tree := strings.CutSuffix(pattern, "/...")
	return name == base || tree && strings.HasPrefix(name, base+"/")
}

func anyMatches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name) })
}

// refusal says why a package must not import another, or is empty.
func (r rule) refusal(name string) string {
	first, _, _ := strings.Cut(name, "/")
	own, ours := strings.CutPrefix(name, module+"/")
	switch {
	case ours && !anyMatches(r.internal, own):
		return "is not among the packages it may import"
	case !ours && strings.Contains(first, ".") && !slices.ContainsFunc(r.modules, func(m string) bool { return matches(m+"/...", name) }):
		return "is not among the modules it may import"
	case anyMatches(r.not, name):
		return "is what it has to do without"
	case name == "testing" && !r.tests:
		return "is for tests"
	}
	return ""
}

func TestMatcher(t *testing.T) {
	t.Parallel()
	r := rule{internal: []string{"internal/a", "internal/b/..."}, modules: []string{"example.org/m"}, not: []string{"os/...", "log"}}
	for name, allowed := range map[string]bool{
		"fmt": true, "crypto/rand": true, "ostrich": true, "log/slog": true, "os": false, "os/exec": false, "log": false, "testing": false,
		"countersign/internal/a": true, "countersign/internal/a/x": false, "countersign/internal/ab": false,
		"countersign/internal/b": true, "countersign/internal/b/x/y": true, "countersign/internal/bc": false, "countersign/cmd/a": false,
		"example.org/m": true, "example.org/m/v2/x": true, "example.org/mm": false, "example.org/n": false, "example.org": false,
	} {
		if got := r.refusal(name) == ""; got != allowed {
			t.Errorf("%s: got allowed %t, want %t", name, got, allowed)
		}
	}
	r.tests = true
	if got := r.refusal("testing"); got != "" {
		t.Errorf("testing in support of tests: %s", got)
	}
}

func byPath() map[string]rule {
	m := map[string]rule{}
	for _, r := range rules() {
		m[r.path] = r
	}
	return m
}

func TestEveryPackageIsOnTheMap(t *testing.T) {
	t.Parallel()
	unseen := byPath()
	for _, f := range goFiles(t) {
		if _, ok := byPath()[f.pkg]; !ok {
			t.Errorf("%s: package %s is not on the map", f.path, f.pkg)
		}
		delete(unseen, f.pkg)
	}
	for name := range unseen {
		t.Errorf("the map has a rule for %s, which is gone", name)
	}
	for _, r := range rules() {
		if r.why == "" {
			t.Errorf("%s: no reason", r.path)
		}
	}
}

func TestImports(t *testing.T) {
	t.Parallel()
	known := byPath()
	for _, f := range goFiles(t) {
		if f.test {
			continue
		}
		r := known[f.pkg]
		for _, name := range f.imports {
			if why := r.refusal(name); why != "" {
				t.Errorf("%s imports %s, which %s (%s)", f.path, name, why, r.why)
			}
			if own, ours := strings.CutPrefix(name, module+"/"); ours && known[own].tests && !r.tests && f.pkg != "bench" {
				t.Errorf("%s imports %s, which is for tests", f.path, name)
			}
		}
	}
}

func TestImportsOfTests(t *testing.T) {
	t.Parallel()
	known, more := byPath(), testsMay()
	for _, f := range goFiles(t) {
		if !f.test {
			continue
		}
		r := known[f.pkg]
		r.internal, r.modules = append(slices.Clone(more.internal), r.path), append(slices.Clone(more.modules), r.modules...)
		r.not, r.tests = nil, true
		for _, name := range f.imports {
			if why := r.refusal(name); why != "" {
				t.Errorf("%s imports %s, which %s", f.path, name, why)
			}
		}
	}
}

// TestDialectsAreApart states the rule that matters most once more, and by itself.
func TestDialectsAreApart(t *testing.T) {
	t.Parallel()
	dialects := []string{"internal/multi", "internal/cis", "internal/oidc", "internal/sandbox"}
	for _, f := range goFiles(t) {
		for _, name := range f.imports {
			own := strings.TrimPrefix(name, module+"/")
			if f.test || !slices.Contains(dialects, own) {
				continue
			}
			if f.pkg != "cmd/countersign" {
				t.Errorf("%s imports the dialect %s", f.path, own)
			}
		}
	}
}
