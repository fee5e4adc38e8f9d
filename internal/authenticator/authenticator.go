// Package authenticator serves /authenticator: the web app that makes a browser a device.
//
// It owns the app's files, which it has within itself, and the policies that they are served under. The app is static: it speaks /device/v1
// like any other device, and what it keeps, it keeps in the browser. This package knows no user, no key and no rule.
package authenticator

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"countersign/internal/httpx"
)

//go:embed app
var app embed.FS

const (
	page   = "index.html"
	worker = "sw.js"
)

// policy lets nothing in but the app's own files, and no text become markup or a script.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; " +
	"worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; " +
	"trusted-types countersign"

// permissions are what the app may ask its user for: a camera for QR codes, and keys.
const permissions = "camera=(self), publickey-credentials-create=(self), publickey-credentials-get=(self), geolocation=(), microphone=(), " +
	"payment=(), usb=()"

// file is one that is served, as it is.
type file struct {
	media string
	tag   string // ETag
	body  []byte
}

// App is the app, ready to be served.
type App struct {
	files map[string]file // by name below /authenticator
}

// New reads the app and gives its service worker the list of what to keep.
func New() (*App, error) {
	a := &App{files: map[string]file{}}
	root, err := fs.Sub(app, "app")
	if err != nil {
		return nil, err
	}
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		return a.add(name, body)
	})
	if err != nil {
		return nil, fmt.Errorf("read authenticator: %w", err)
	}
	return a, a.listShell()
}

func (a *App) add(name string, body []byte) error {
	media := mediaType(path.Ext(name))
	if media == "" {
		return fmt.Errorf("%s is of no known type", name)
	}
	sum := sha256.Sum256(body)
	a.files[name] = file{media, `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, body}
	return nil
}

// mediaType is that of a file; the system's own table is another on every machine.
func mediaType(ext string) string {
	return map[string]string{
		".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".json": "application/json", ".webmanifest": "application/manifest+json", ".svg": "image/svg+xml", ".png": "image/png",
	}[ext]
}

// listShell writes into the service worker what the app is made of, with a version that changes with any of it: browsers look for a new
// worker, and for nothing else, by its bytes.
func (a *App) listShell() error {
	var names []string
	hash := sha256.New()
	for name := range a.files {
		if name != page && name != worker {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range append([]string{page, worker}, names...) {
		fmt.Fprintf(hash, "%s %s\n", name, a.files[name].tag)
	}
	shell, err := json.Marshal(map[string]any{
		"version": base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:12]), "files": names,
	}, json.Deterministic(true))
	if err != nil {
		return err
	}
	return a.add(worker, slices.Concat([]byte("const shell = "), shell, []byte(";\n"), a.files[worker].body))
}

// Mount adds the app's routes.
func (a *App) Mount(m *httpx.Mux) {
	m.Handle("GET", "/authenticator/{file...}", a.serve)
}

// page serves the app at the one address that its links are relative to.
func (a *App) page(w *httpx.Response, r *http.Request) error {
	if asked, _, _ := strings.Cut(r.RequestURI, "?"); strings.HasSuffix(asked, "/") {
		w.Header().Set("Location", "../authenticator")
		w.Empty(http.StatusPermanentRedirect)
		return nil
	}
	return a.write(w, r, page)
}

func (a *App) serve(w *httpx.Response, r *http.Request) error {
	name := r.PathValue("file")
	if name == "" {
		return a.page(w, r)
	}
	if _, ok := a.files[name]; !ok || name == page {
		return httpx.ErrNotFound
	}
	return a.write(w, r, name)
}

// write answers with a file, or with 304 when the browser has it.
func (a *App) write(w *httpx.Response, r *http.Request, name string) error {
	f, h := a.files[name], w.Header()
	for name, value := range map[string]string{
		"Content-Security-Policy": policy, "Permissions-Policy": permissions, "Referrer-Policy": "no-referrer",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-cache", "ETag": f.tag,
	} {
		h.Set(name, value)
	}
	if name == worker {
		h.Set("Service-Worker-Allowed", "../authenticator") // relative to the worker, which stands below what it serves
	}
	if slices.Contains(strings.Split(r.Header.Get("If-None-Match"), ", "), f.tag) {
		w.Empty(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", f.media)
	h.Set("Content-Length", fmt.Sprint(len(f.body)))
	_, err := w.Write(f.body)
	return err
}
