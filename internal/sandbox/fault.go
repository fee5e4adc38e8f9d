package sandbox

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"countersign/internal/httpx"
)

// A fault answers chosen requests in the place of their route, a chosen number of times. A team tests with it what nothing else in a
// sandbox brings about: refusals that hang on the embedder's programme, faults of the server, slow answers.
type fault struct {
	faultBody
	id       int
	left     int
	segments []string // of its path; one in braces stands for any
	wait     time.Duration
	header   http.Header
	answer   []byte
}

// faultBody is a fault on the wire.
type faultBody struct {
	Method    string            `json:"method"`
	Path      string            `json:"path"`
	Status    int               `json:"status,omitzero"`
	ErrorCode string            `json:"errorCode,omitempty"`
	Message   string            `json:"message,omitempty"`
	Body      jsontext.Value    `json:"body,omitzero"`
	Headers   map[string]string `json:"headers,omitempty"`
	Delay     string            `json:"delay,omitempty"`
	Times     int               `json:"times"`
}

type faultReply struct {
	ID int `json:"id"`
	faultBody
	Left int `json:"left"`
}

// faults are those that are not used up, oldest first.
type faults struct {
	mu   sync.Mutex
	last int
	list []*fault
}

// maxFaults bounds the list, since nothing else does.
const maxFaults = 100

// maxDelay is less than what the server allows an answer in all.
const maxDelay = 25 * time.Second

func (fs *faults) add(f *fault) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if len(fs.list) >= maxFaults {
		return badRequest("there are %d faults waiting already; DELETE /sandbox/faults clears them", maxFaults)
	}
	fs.last++
	f.id, f.left = fs.last, f.Times
	fs.list = append(fs.list, f)
	return nil
}

func (fs *faults) clear() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.list = nil
}

func (fs *faults) replies() []faultReply {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	all := make([]faultReply, len(fs.list))
	for i, f := range fs.list {
		all[i] = f.reply()
	}
	return all
}

func (f *fault) reply() faultReply { return faultReply{f.id, f.faultBody, f.left} }

// take uses the oldest fault of a request once; nil if there is none.
func (fs *faults) take(method string, segments []string) *fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	i := slices.IndexFunc(fs.list, func(f *fault) bool { return f.fits(method, segments) })
	if i < 0 {
		return nil
	}
	f := fs.list[i]
	if f.left--; f.left == 0 {
		fs.list = slices.Delete(fs.list, i, i+1)
	}
	return f
}

func (f *fault) fits(method string, segments []string) bool {
	if method != f.Method && (method != http.MethodHead || f.Method != http.MethodGet) || len(segments) != len(f.segments) {
		return false
	}
	for i, s := range f.segments {
		if s != segments[i] && !isParam(s) {
			return false
		}
	}
	return true
}

func isParam(segment string) bool {
	return strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}")
}

func segmentsOf(path string) []string {
	return strings.FieldsFunc(path, func(c rune) bool { return c == '/' })
}

// requestSegments are the decoded segments of a request's path; an escaped slash does not separate.
func requestSegments(r *http.Request) []string {
	segments := segmentsOf(r.URL.EscapedPath())
	for i, s := range segments {
		segments[i], _ = url.PathUnescape(s) // net/http has decoded it before
	}
	return segments
}

// answer is asked before every route. A fault without a status only makes the caller wait for the route's own answer.
func (fs *faults) answer(w *httpx.Response, r *http.Request) error {
	f := fs.take(r.Method, requestSegments(r))
	if f == nil {
		return nil
	}
	h := w.Header()
	h.Set("countersign-fault", strconv.Itoa(f.id))
	if f.wait > 0 {
		wait := time.NewTimer(f.wait)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
	if f.Status == 0 {
		return nil
	}
	w.Code = "fault_asked_for"
	for name, values := range f.header {
		h[name] = values
	}
	if len(f.answer) == 0 {
		w.Empty(f.Status)
		return nil
	}
	h.Set("Content-Length", strconv.Itoa(len(f.answer)))
	w.WriteHeader(f.Status)
	_, err := w.Write(f.answer)
	return err
}

func (a *API) listFaults(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, a.faults.replies())
}

func (a *API) addFault(c *call) error {
	in := faultBody{Times: 1}
	if err := c.decode(&in); err != nil {
		return err
	}
	f, err := newFault(in)
	if err == nil {
		err = a.faults.add(f)
	}
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusCreated, faultReply{f.id, in, in.Times})
}

func (a *API) clearFaults(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	a.faults.clear()
	c.w.Empty(http.StatusNoContent)
	return nil
}

// newFault checks what the document cannot, and prepares the answer.
func newFault(in faultBody) (*fault, error) {
	f := &fault{faultBody: in, segments: segmentsOf(in.Path), header: http.Header{}}
	if len(f.segments) == 0 || f.segments[0] == "sandbox" || isParam(f.segments[0]) {
		return nil, badRequest("path must name an endpoint such as /multi/stepup/challenges/otp/{channel}, none below /sandbox")
	}
	if in.Status == 0 && in.Delay == "" {
		return nil, badRequest("give a status to answer with, or a delay, or both")
	}
	if (in.Status == http.StatusNoContent || in.Status == http.StatusNotModified) && in.Body != nil {
		return nil, badRequest("an answer with %d has no body", in.Status)
	}
	if in.Status == 0 && (in.ErrorCode != "" || in.Message != "" || in.Body != nil || len(in.Headers) > 0) {
		return nil, badRequest("without a status the endpoint answers itself, late: errorCode, message, body and headers need a status")
	}
	if in.Delay != "" {
		d, err := time.ParseDuration(in.Delay)
		if err != nil || d <= 0 || d > maxDelay {
			return nil, badRequest("delay must be a duration such as 1500ms or 10s, at most %s", maxDelay)
		}
		f.wait = d
	}
	if in.Status != 0 {
		if err := f.prepare(); err != nil {
			return nil, err
		}
	}
	for name, value := range in.Headers {
		if !isHeaderName(name) {
			return nil, badRequest("a header's name is made of letters, digits and hyphens")
		}
		switch name = http.CanonicalHeaderKey(name); name {
		case "Content-Length", "Transfer-Encoding", "Connection":
			return nil, badRequest("the header %s is the server's own", name)
		}
		f.header.Set(name, value)
	}
	return f, nil
}

func isHeaderName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-'
	})
}
