// Package clients uses the server as our users do: with the client libraries of other languages and a real browser.
//
// It owns the tests in JavaScript below testdata, which are Node's own (node:test), and starts a server on SQLite for each file of them.
// It does not test what a script of apitest could: what is here needs a browser, or somebody else's code.
package clients_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"countersign/internal/apitest"
)

// TestClients runs each file of tests against a server of its own.
func TestClients(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.test.js")
	if err != nil || len(files) == 0 {
		t.Fatalf("found no tests: %v", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".test.js"), func(t *testing.T) {
			t.Parallel()
			s := start(t)
			out, err := s.node(t, nil, "--test-reporter=spec", filepath.Base(path))
			if err != nil {
				t.Fatalf("%v\n%s\nthe server logged:\n%s", err, out, lastLines(s.Log(), 40))
			}
			if why := incomplete(out); why != "" {
				t.Errorf("%s\n%s", why, out)
			}
			t.Logf("\n%s", out)
		})
	}
}

var tally = regexp.MustCompile(`(?m)^. (tests|pass|skipped|todo|cancelled) ([0-9]+)$`)

// incomplete says why an output without failures is no success: there were no tests, or some did not run.
func incomplete(out string) string {
	counts := map[string]string{}
	for _, m := range tally.FindAllStringSubmatch(out, -1) {
		counts[m[1]] = m[2]
	}
	switch {
	case counts["tests"] == "" || counts["tests"] == "0":
		return "no test ran"
	case counts["pass"] != counts["tests"] || counts["skipped"] != "0" || counts["todo"] != "0":
		return "not every test ran"
	}
	return ""
}

func TestIncompleteRunsAreNoSuccess(t *testing.T) {
	t.Parallel()
	for out, want := range map[string]string{
		"": "no test ran",
		"ℹ tests 0\nℹ pass 0\nℹ skipped 0\nℹ todo 0\n": "no test ran",
		"ℹ tests 2\nℹ pass 1\nℹ skipped 1\nℹ todo 0\n": "not every test ran",
		"ℹ tests 2\nℹ pass 2\nℹ skipped 0\nℹ todo 1\n": "not every test ran",
		"ℹ tests 2\nℹ pass 2\nℹ skipped 0\nℹ todo 0\n": "",
	} {
		if got := incomplete(out); got != want {
			t.Errorf("%q: got %q, want %q", out, got, want)
		}
	}
}

// site is a server with an application of a tenant beside it.
type site struct {
	*apitest.Server
	app string // base URL of the application, whose /cb is registered as a redirect URI
	key string // of the client that proves itself by one, private
}

// start starts the server of testdata/seed.yaml.
func start(t *testing.T) *site {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, `<!DOCTYPE html><html lang="en"><link rel="icon" href="data:,"><title>App</title><h1>Back at the app</h1>`)
	}))
	t.Cleanup(app.Close)
	seed, err := os.ReadFile("testdata/seed.yaml")
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	path := filepath.Join(t.TempDir(), "seed.yaml")
	text := strings.NewReplacer("http://APP", app.URL, "JWKS", `{"keys":[`+key.Public+`]}`).Replace(string(seed))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return &site{apitest.Start(t, apitest.Options{Seed: path}), app.URL, key.Private}
}

// clientKey is a key of ES256 in the form of a JWK.
type clientKey struct{ Public, Private string }

func newKey(t *testing.T) clientKey {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := jose.JSONWebKey{Key: secret, KeyID: "1", Use: "sig", Algorithm: "ES256"}
	private, err := key.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.Public().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return clientKey{string(public), string(private)}
}

// node runs a script of testdata, which finds its surroundings in the environment, and returns what it printed.
func (s *site) node(t *testing.T, stdin io.Reader, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(t, "node"), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // so that it ends its browser
	cmd.WaitDelay = 10 * time.Second
	cmd.Dir = "testdata"
	cmd.Stdin = stdin
	// Pictures of the pages, for people to look at: go test -artifacts keeps them and says where.
	cmd.Env = append(os.Environ(), "SHOTS="+t.ArtifactDir(),
		"COUNTERSIGN_URL="+s.URL, "APP_URL="+s.app, "CLIENT_KEY="+s.key, "CHROMIUM="+program(t, "chromium", "chromium-browser", "google-chrome"))
	if _, err := os.Stat("testdata/node_modules/.installed"); err != nil {
		t.Fatal("the client libraries are not installed; scripts/setup installs them")
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = errors.Join(fmt.Errorf("node %s: %w", strings.Join(args, " "), err), ctx.Err())
	}
	return string(out), err
}

// program finds what a test cannot do without, by one of its names.
func program(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed; scripts/setup installs it", names[0])
	return ""
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(len(lines)-n, 0):], "\n")
}
