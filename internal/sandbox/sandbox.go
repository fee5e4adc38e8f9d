// Package sandbox serves /sandbox/… and /simulate/api/…: what a test needs and production must not have.
//
// It owns the settable clock, the inbox and phone pages, the faults that a test asks for, and the vendor's simulator. It owns no rule:
// what an answer on a phone does is for the domain to say. It is mounted by the sandbox command alone; nothing else imports it.
package sandbox

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"countersign/api"
	"countersign/internal/auth"
	"countersign/internal/httpx"
)

// Config is what the sandbox's own paths are made of.
type Config struct {
	Auth  *auth.Service
	Clock *Clock
	// Render puts a message into the words that its receiver reads. An SMS or a push has no subject.
	Render func(auth.Message) (subject, body string)
}

// API is the sandbox over a domain.
type API struct {
	Config
	sandbox   *httpx.Doc
	simulator *httpx.Doc
	pages     pages
	faults    faults
	origin    *http.CrossOriginProtection
}

// New reads the OpenAPI documents of the sandbox and of the simulator.
func New(c Config) (*API, error) {
	a := &API{Config: c, origin: http.NewCrossOriginProtection()}
	var err error
	if a.sandbox, err = httpx.OpenDoc(api.SandboxRequests()); err != nil {
		return nil, fmt.Errorf("read sandbox.requests.json: %w", err)
	}
	if a.simulator, err = httpx.OpenDoc(api.SimulateRequests()); err != nil {
		return nil, fmt.Errorf("read simulate.requests.json: %w", err)
	}
	if a.pages, err = newPages(); err != nil {
		return nil, err
	}
	return a, nil
}

// Mark says in every answer of a handler that it is a sandbox's, where codes are known to all.
func Mark(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("countersign-mode", "sandbox")
		h.ServeHTTP(w, r)
	})
}

// route is one operation.
type route struct {
	method, path string
	handle       func(*API, *call) error
}

func sandboxRoutes() []route {
	return []route{
		{"GET", "/sandbox/clock", (*API).readClock},
		{"POST", "/sandbox/clock", (*API).moveClock},
		{"GET", "/sandbox/inbox", (*API).inbox},
		{"GET", "/sandbox/phone", (*API).phone},
		{"POST", "/sandbox/phone/{tenant}/{challenge}", (*API).answerOnPhone},
		{"GET", "/sandbox/devices", (*API).devices},
		{"POST", "/sandbox/devices/{tenant}/{user}/ticket", (*API).issueTicket},
		{"POST", "/sandbox/devices/{tenant}/{user}/login", (*API).beginLogin},
		{"POST", "/sandbox/reset", (*API).reset},
		{"GET", "/sandbox/faults", (*API).listFaults},
		{"POST", "/sandbox/faults", (*API).addFault},
		{"DELETE", "/sandbox/faults", (*API).clearFaults},
	}
}

// call is one request on its way to a handler.
type call struct {
	w  *httpx.Response
	r  *http.Request
	op *httpx.Operation
	by auth.Actor // of the simulator
}

// decode checks the request against the document and fills dst, which may be nil.
func (c *call) decode(dst any) error { return c.op.Decode(c.w, c.r, dst) }

// Mount adds the routes, and answers faults in the place of any other.
func (a *API) Mount(m *httpx.Mux) error {
	m.Prefix("/sandbox", writeProblem)
	for _, route := range sandboxRoutes() {
		op, err := a.sandbox.Operation(route.method, route.path)
		if err != nil {
			return err
		}
		m.Handle(route.method, route.path, func(w *httpx.Response, r *http.Request) error {
			// The sandbox asks for no credential, so a web page that is open beside it must not be able to press its buttons.
			if err := a.origin.Check(r); err != nil {
				return &problem{http.StatusForbidden, "the request comes from a web page of another origin"}
			}
			return route.handle(a, &call{w: w, r: r, op: op})
		})
	}
	m.Before(a.faults.answer)
	return a.mountSimulator(m)
}

// problem is a refusal that only the sandbox knows.
type problem struct {
	status int
	detail string
}

func (p *problem) Error() string { return p.detail }

func badRequest(format string, args ...any) error {
	return &problem{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

type problemBody struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// writeProblem answers with an RFC 9457 document whose detail says what to do about it: the caller is a test or its author.
func writeProblem(w *httpx.Response, _ *http.Request, err error) {
	status, detail := statusOf(err)
	if status == http.StatusServiceUnavailable {
		httpx.RetryAfter(w.Header(), auth.RefusalOf(err).RetryAfter)
	}
	w.Code = strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_")
	w.Header().Set("Content-Type", "application/problem+json")
	// The body always encodes, and there is no one left to tell of a connection that broke.
	_ = w.JSON(status, problemBody{http.StatusText(status), status, detail})
}

func statusOf(err error) (status int, detail string) {
	var own *problem
	var invalid *httpx.Invalid
	switch {
	case errors.As(err, &own):
		return own.status, own.detail
	case errors.As(err, &invalid):
		return invalid.Status, invalid.Detail()
	case errors.Is(err, httpx.ErrNotFound):
		return http.StatusNotFound, "what the sandbox serves is in /docs/sandbox.yaml"
	case errors.Is(err, auth.CodeNotFound):
		return http.StatusNotFound, "there is no such thing"
	case errors.Is(err, auth.ErrUnavailable):
		return http.StatusServiceUnavailable, "the database does not answer: ask again"
	}
	return httpx.StatusOf(err), ""
}
