package authenticator_test

import (
	"encoding/json"
	"fmt"
	"image/png"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"countersign/internal/authenticator"
	"countersign/internal/httpx"
)

func handler(t *testing.T) http.Handler {
	t.Helper()
	app, err := authenticator.New()
	if err != nil {
		t.Fatal(err)
	}
	mux := &httpx.Mux{}
	app.Mount(mux)
	return mux.Handler(httpx.Config{})
}

func get(h http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// files are those of the app, by their path.
func files(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"app/*", "app/locale/*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range found {
			if filepath.Ext(name) != "" {
				all = append(all, name)
			}
		}
	}
	if len(all) < 20 {
		t.Fatalf("found %v", all)
	}
	return all
}

// TestEveryFileIsServed under the policy of the app, with its own type, and again only when it has changed.
func TestEveryFileIsServed(t *testing.T) {
	t.Parallel()
	h := handler(t)
	for _, name := range files(t) {
		path := "/authenticator/" + strings.TrimPrefix(name, "app/")
		if name == "app/index.html" {
			path = "/authenticator"
		}
		w := get(h, path)
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		same := w.Body.String() == string(body)
		if name == "app/sw.js" {
			same = strings.HasSuffix(w.Body.String(), string(body))
		}
		if w.Code != http.StatusOK || !same {
			t.Errorf("%s: got %d and %d bytes, want %d", path, w.Code, w.Body.Len(), len(body))
		}
		csp := w.Header().Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: no %s in the policy %q", path, want, csp)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") || strings.Contains(csp, "*") {
			t.Errorf("%s: the policy lets others in: %s", path, csp)
		}
		if got := w.Header().Get("Cache-Control"); got != "no-cache" {
			t.Errorf("%s: Cache-Control is %q", path, got)
		}
		again := get(h, path, "If-None-Match", w.Header().Get("ETag"))
		if again.Code != http.StatusNotModified || again.Body.Len() > 0 {
			t.Errorf("%s, not changed: got %d with %d bytes", path, again.Code, again.Body.Len())
		}
	}
	for _, path := range []string{"/authenticator/nothing.js", "/authenticator/index.html", "/authenticator/locale", "/authenticator/../go.mod"} {
		if w := get(h, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: got %d", path, w.Code)
		}
	}
	if w := get(h, "/authenticator/?x=1"); w.Code != http.StatusPermanentRedirect || w.Header().Get("Location") != "../authenticator" {
		t.Errorf("with a slash at the end: got %d to %q", w.Code, w.Header().Get("Location"))
	}
}

// TestWorkerKeepsWholeApp: the service worker is told of every file, and so takes nothing from the network.
func TestWorkerKeepsWholeApp(t *testing.T) {
	t.Parallel()
	w := get(handler(t), "/authenticator/sw.js")
	if got := w.Header().Get("Service-Worker-Allowed"); got != "../authenticator" {
		t.Errorf("got scope %q", got)
	}
	line, _, _ := strings.Cut(w.Body.String(), "\n")
	var shell struct {
		Version string
		Files   []string
	}
	if err := json.Unmarshal([]byte(strings.TrimSuffix(strings.TrimPrefix(line, "const shell = "), ";")), &shell); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	var want []string
	for _, name := range files(t) {
		if name = strings.TrimPrefix(name, "app/"); name != "index.html" && name != "sw.js" {
			want = append(want, name)
		}
	}
	slices.Sort(want)
	if !slices.Equal(shell.Files, want) || len(shell.Version) < 12 {
		t.Errorf("got version %q of %v, want %v", shell.Version, shell.Files, want)
	}
}

// TestAppStaysAtHome: no file of the app names another host, writes markup, or runs text as a program.
func TestAppStaysAtHome(t *testing.T) {
	t.Parallel()
	bad := regexp.MustCompile(`(?i)https?://[a-z0-9]|innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|\bstyle=|\son[a-z]+="`)
	for _, name := range files(t) {
		if filepath.Ext(name) == ".png" {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if found := bad.FindString(strings.ReplaceAll(string(text), "http://www.w3.org/2000/svg", "")); found != "" {
			t.Errorf("%s has %q", name, found)
		}
	}
}

var (
	keyInUse    = regexp.MustCompile(`\bt\('([^']+)'`)
	keyMade     = regexp.MustCompile("(?:\\bt|known)\\(`([^`$]+)\\$\\{")
	otherKey    = regexp.MustCompile(`['"]([a-z]+\.[A-Za-z_.-]+)['"]`)
	placeholder = regexp.MustCompile(`\{\w+\}`)
)

func locale(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]string{}
	if err := json.Unmarshal(text, &words); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return words
}

// TestWords: every text that is used is there in every language, with the same places to fill in, and none is there for nothing.
func TestWords(t *testing.T) {
	t.Parallel()
	english := locale(t, "app/locale/en.json")
	used, made := map[string]bool{}, []string{}
	for _, name := range files(t) {
		if filepath.Ext(name) != ".js" {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range keyInUse.FindAllSubmatch(text, -1) {
			if used[string(m[1])] = true; english[string(m[1])] == "" {
				t.Errorf("%s: no text %s", name, m[1])
			}
		}
		for _, m := range keyMade.FindAllSubmatch(text, -1) {
			made = append(made, string(m[1]))
		}
		for _, m := range otherKey.FindAllSubmatch(text, -1) {
			used[string(m[1])] = true
		}
	}
	for key := range english {
		if !used[key] && !slices.ContainsFunc(made, func(prefix string) bool { return strings.HasPrefix(key, prefix) }) {
			t.Errorf("text %s is not used", key)
		}
	}
	names, err := filepath.Glob("app/locale/*.json")
	if err != nil || len(names) < 3 {
		t.Fatalf("found %v: %v", names, err)
	}
	offered, err := os.ReadFile("app/text.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		words := locale(t, name)
		if !strings.Contains(string(offered), "'"+strings.TrimSuffix(filepath.Base(name), ".json")+"'") {
			t.Errorf("%s is not offered", name)
		}
		if got, want := slices.Sorted(maps.Keys(words)), slices.Sorted(maps.Keys(english)); !slices.Equal(got, want) {
			t.Errorf("%s: got texts %v, want %v", name, got, want)
		}
		for key, text := range words {
			got, want := placeholder.FindAllString(text, -1), placeholder.FindAllString(english[key], -1)
			if slices.Sort(got); text == "" || !slices.Equal(got, want) {
				t.Errorf("%s: %s: got places %v, want %v", name, key, got, want)
			}
		}
	}
}

// TestManifest: the icons are there in the sizes that are said.
func TestManifest(t *testing.T) {
	t.Parallel()
	h := handler(t)
	var manifest struct {
		Icons []struct{ Src, Sizes, Type string }
	}
	if err := json.Unmarshal(get(h, "/authenticator/manifest.webmanifest").Body.Bytes(), &manifest); err != nil || len(manifest.Icons) < 3 {
		t.Fatalf("got %+v, %v", manifest, err)
	}
	for _, icon := range manifest.Icons {
		w := get(h, "/authenticator/"+icon.Src)
		if w.Header().Get("Content-Type") != icon.Type {
			t.Errorf("%s: got type %s", icon.Src, w.Header().Get("Content-Type"))
		}
		if icon.Type != "image/png" {
			continue
		}
		image, err := png.Decode(w.Body)
		if err != nil {
			t.Errorf("%s: %v", icon.Src, err)
			continue
		}
		if size := image.Bounds().Size(); fmt.Sprintf("%dx%d", size.X, size.Y) != icon.Sizes {
			t.Errorf("%s: got %v, want %s", icon.Src, size, icon.Sizes)
		}
	}
}
