package archtest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var requirement = regexp.MustCompile(`^\t([^ ]+) v[^ ]+( // indirect)?$`)

// decisions is the text of all pages of docs/decisions.
func decisions(t *testing.T) string {
	t.Helper()
	pages, err := filepath.Glob(filepath.Join(root(t), "docs", "decisions", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, p := range pages {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// TestEveryClientLibraryIsExplained holds the packages of internal/apitest/clients to the same, and pins them: an exact version each, and a
// lock that names no host.
func TestEveryClientLibraryIsExplained(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(root(t), "internal", "apitest", "clients", "testdata")
	text, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	var wanted struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	if err := json.Unmarshal(text, &wanted); err != nil || len(wanted.Dependencies) == 0 {
		t.Fatalf("got %v: %v", wanted, err)
	}
	exact, pages := regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+$`), decisions(t)
	for name, version := range wanted.Dependencies {
		if !strings.Contains(pages, "`"+name+"`") {
			t.Errorf("%s has no line in docs/decisions", name)
		}
		if !exact.MatchString(version) {
			t.Errorf("%s: got version %s, want an exact one", name, version)
		}
	}
	lock, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil || bytes.Contains(lock, []byte(`"resolved"`)) || !bytes.Contains(lock, []byte(`"integrity"`)) {
		t.Errorf("package-lock.json: want hashes and no hosts (npm install --omit-lockfile-registry-resolved): %v", err)
	}
}

// TestEveryDependencyIsExplained: a direct dependency has a line in docs/decisions that says why it and not another.
func TestEveryDependencyIsExplained(t *testing.T) {
	t.Parallel()
	base := root(t)
	mod, err := os.ReadFile(filepath.Join(base, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	pages := decisions(t)
	direct := 0
	for line := range strings.Lines(string(mod)) {
		m := requirement.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil || m[2] != "" {
			continue
		}
		direct++
		if !strings.Contains(pages, "`"+m[1]+"`") {
			t.Errorf("%s has no line in docs/decisions", m[1])
		}
	}
	if direct == 0 {
		t.Error("no direct dependency was found in go.mod")
	}
}

// secrets are the shapes of credentials that open something somewhere. Ours for tests look like none of them.
func secrets() map[string]*regexp.Regexp {
	list := map[string]*regexp.Regexp{}
	for name, pattern := range map[string]string{
		"private key":          `-----BEGIN [A-Z ]*PRIVATE KEY` + `-----`,
		"live key":             `\b(sk|pk|rk)_live_[0-9A-Za-z]{10}`,
		"webhook secret":       `\bwhsec_[0-9A-Za-z+/=]{24}`,
		"AWS key":              `\b(AKIA|ASIA)[0-9A-Z]{16}\b`,
		"GitHub token":         `\b(gh[pousr]_[0-9A-Za-z]{30}|github_pat_[0-9A-Za-z_]{30})`,
		"GitLab token":         `\bglpat-[0-9A-Za-z_-]{20}`,
		"Slack token":          `\bxox[abposr]-[0-9A-Za-z-]{10}`,
		"Google key":           `\bAIza[0-9A-Za-z_-]{35}`,
		"npm token":            `\bnpm_[0-9A-Za-z]{36}`,
		"password in a URL":    `(?i)\b[a-z][a-z0-9+.-]*://[^\s/:@"'<>` + "`" + `…]+:[^\s/@"'<>` + "`" + `…]{6,}@[a-z0-9]`,
		"SendGrid or Twilio":   `\b(SG\.[0-9A-Za-z_-]{20}\.|SK[0-9a-f]{32}\b)`,
		"age or SSH secret":    `AGE-SECRET-KEY` + `-1|openssh-key-v1`,
		"JSON of a private EC": `"d"\s*:\s*"[A-Za-z0-9_-]{43}"`,
	} {
		list[name] = regexp.MustCompile(pattern)
	}
	return list
}

// harmless are places where such a shape is meant, each with the reason.
func harmless() map[string]string {
	return map[string]string{
		"internal/jose/fuzz_test.go":   "the example key of RFC 8037, appendix A.1, which has to be refused",
		"internal/store/store_test.go": "the address of no database, whose password no error may repeat",
	}
}

func TestNoSecretsInTheTree(t *testing.T) {
	t.Parallel()
	patterns, excused := secrets(), harmless()
	scanned := 0
	walk(t, func(name string, read func() []byte) {
		if excused[name] != "" || name == "internal/archtest/content_test.go" {
			return
		}
		scanned++
		data := read()
		if bytes.IndexByte(data, 0) >= 0 {
			return // no text
		}
		for what, pattern := range patterns {
			if at := pattern.FindIndex(data); at != nil {
				t.Errorf("%s: looks like a %s, at byte %d", name, what, at[0])
			}
		}
	})
	if scanned < 100 {
		t.Errorf("scanned %d files, want the tree", scanned)
	}
}

// TestSecretsAreRecognised proves that the patterns can fail.
func TestSecretsAreRecognised(t *testing.T) {
	t.Parallel()
	patterns := secrets()
	for what, text := range map[string]string{
		"private key":          "-----BEGIN EC PRIVATE KEY-----",
		"live key":             "sk_live_0123456789abcdef",
		"webhook secret":       "whsec_" + strings.Repeat("Ab1", 10),
		"AWS key":              "AKIA" + strings.Repeat("A1", 8),
		"GitHub token":         "ghp_" + strings.Repeat("Ab1", 12),
		"GitLab token":         "glpat-" + strings.Repeat("Ab1", 8),
		"Slack token":          "xoxb-0123456789",
		"Google key":           "AIza" + strings.Repeat("A", 35),
		"npm token":            "npm_" + strings.Repeat("A", 36),
		"password in a URL":    "postgres://user:correct-horse@db.example/x",
		"SendGrid or Twilio":   "SK" + strings.Repeat("0a", 16),
		"age or SSH secret":    "AGE-SECRET-KEY-1",
		"JSON of a private EC": `"d": "` + strings.Repeat("A", 43) + `"`,
	} {
		if !patterns[what].MatchString(text) {
			t.Errorf("%s: not recognised in %s", what, text)
		}
		delete(patterns, what)
	}
	for what := range patterns {
		t.Errorf("%s: never tried", what)
	}
	for _, text := range []string{"sk_demo", "http://127.0.0.1:9/complete", "https://user@example.com", "postgres://…"} {
		for what, pattern := range secrets() {
			if pattern.MatchString(text) {
				t.Errorf("%s: taken for a %s", text, what)
			}
		}
	}
}
