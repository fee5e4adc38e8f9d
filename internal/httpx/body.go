package httpx

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// Invalid is the error of a request that cannot be understood. It never holds
// a value from the request.
type Invalid struct {
	// Status is 400, 408 (the body came too slowly), 413 (it is too large),
	// 415 (it is in a format, charset or encoding that is not taken) or
	// 431 (the header is too large).
	Status int
	// Message is a clause for people: lower case, no full stop.
	Message string
	// Fields are the constraints that do not hold, in the order of the
	// document. Empty if the request could not be read that far.
	Fields []Field
}

// A Field is one constraint that does not hold.
type Field struct {
	In     string   // body, path, query or header
	Name   string   // dotted: address.city, items.0.name; "" is the body as a whole; * hides a name that the request made up
	Code   string   // see the table in walk.go
	Params []string // of the constraint, never of the request
	Detail string   // a clause for dialects without codes: "email is required"
}

func (e *Invalid) Error() string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(e.Status) + ": " + e.Message)
	for _, f := range e.Fields {
		b.WriteString("; " + f.In + " " + f.Name + " " + f.Code)
	}
	return b.String()
}

func invalid(status int, message string) *Invalid {
	return &Invalid{Status: status, Message: message}
}

// ReadBody reads a body of at most limit bytes. It returns [*Invalid] with
// status 413 if there is more, 408 if it did not arrive in time, 415 if it is
// compressed, and 400 if the connection or the chunking broke.
func ReadBody(r *http.Request, limit int64) ([]byte, error) {
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, invalid(http.StatusUnsupportedMediaType, "the body must not be compressed")
	}
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	var body []byte
	var err error
	if r.ContentLength >= 0 {
		body = make([]byte, r.ContentLength)
		_, err = io.ReadFull(r.Body, body)
	} else {
		body, err = io.ReadAll(io.LimitReader(r.Body, limit+1))
	}
	if err != nil {
		return nil, readError(err, limit)
	}
	if int64(len(body)) > limit {
		return nil, tooLarge(limit)
	}
	return body, nil
}

// PeekBody is ReadBody for a body that will be read again.
func PeekBody(r *http.Request, limit int64) ([]byte, error) {
	body, err := ReadBody(r, limit)
	if err == nil && r.Body != nil && r.Body != http.NoBody {
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return body, err
}

func tooLarge(limit int64) *Invalid {
	return invalid(http.StatusRequestEntityTooLarge, "the body is larger than "+strconv.FormatInt(limit, 10)+" bytes")
}

func readError(err error, limit int64) *Invalid {
	var timeout net.Error
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return tooLarge(min(limit, large.Limit))
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return invalid(http.StatusRequestTimeout, "the body did not arrive in time")
	}
	return invalid(http.StatusBadRequest, "the body could not be read")
}

const (
	mediaJSON = "application/json"
	mediaForm = "application/x-www-form-urlencoded"
)

// MediaType returns the type of the body in lower case without parameters, or
// "" if the request does not name one. It returns [*Invalid] with status 415
// if it names several, or a charset other than UTF-8.
func MediaType(r *http.Request) (string, error) {
	lines := r.Header["Content-Type"]
	switch {
	case len(lines) == 0:
		return "", nil
	case len(lines) == 1 && (lines[0] == mediaJSON || lines[0] == mediaForm):
		return lines[0], nil
	case len(lines) > 1:
		return "", invalid(http.StatusUnsupportedMediaType, "there is more than one content type")
	}
	media, params, err := mime.ParseMediaType(lines[0])
	if err != nil {
		return "", invalid(http.StatusUnsupportedMediaType, "the content type is malformed")
	}
	if c, ok := params["charset"]; ok && !strings.EqualFold(c, "utf-8") {
		return "", invalid(http.StatusUnsupportedMediaType, "the charset is not UTF-8")
	}
	return media, nil
}

// Detail lists what is wrong with a request in one sentence.
func (e *Invalid) Detail() string {
	if len(e.Fields) == 0 {
		return e.Message
	}
	parts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		parts[i] = f.Detail
	}
	return strings.Join(parts, "; ")
}
