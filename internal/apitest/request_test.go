package apitest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/pquerna/otp/totp"
)

type header struct{ name, value string }

// request is what a script wants sent.
type request struct {
	method, path string
	headers      []header
	body         []byte
	typ          string // content type unless the headers have one; empty: none
	bad          bool
	times        int
	until        int // stop at this status; 0: all must be alike
}

// reply is an answer that has been read.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// wire is the connection to one life of the server. It keeps one TCP connection, so that requests are handled one after the other.
type wire struct {
	s      *script
	base   string
	client *http.Client
	docs   map[string]*openapi3.T // by the path they are served at
}

func newWire(s *script) *wire {
	return &wire{s: s, base: s.server.URL, docs: make(map[string]*openapi3.T), client: &http.Client{
		Timeout:       time.Minute,
		Transport:     &http.Transport{MaxConnsPerHost: 1, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (w *wire) close() { w.client.CloseIdleConnections() }

// send sends a request and checks the exchange against the contract.
func (w *wire) send(in request) (*reply, error) {
	out, err := http.NewRequestWithContext(w.s.tb.Context(), in.method, w.base+in.path, bytes.NewReader(in.body))
	if err != nil {
		return nil, err
	}
	if len(in.body) == 0 {
		out.Body, out.ContentLength = nil, 0
	}
	if in.typ != "" {
		out.Header.Set("Content-Type", in.typ)
	}
	for _, h := range in.headers {
		if h.value == "" {
			out.Header.Del(h.name)
			continue
		}
		if out.Header.Set(h.name, h.value); strings.EqualFold(h.name, "Host") {
			out.Host = h.value
		}
	}
	w.s.secrets.sent(out, in.body)
	got, err := w.client.Do(out)
	if err != nil {
		return nil, err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		return nil, err
	}
	r := &reply{got.StatusCode, got.Header, body}
	w.s.ts.Logf("%s %s: %d %s", in.method, in.path, r.status, body)
	w.s.secrets.received(r)
	return r, w.s.checkContract(out, in, r)
}

// settle returns when the log line of the last answer has been read: the server writes it before it takes the next request of the same
// connection.
func (w *wire) settle(server *Server) {
	got, err := w.client.Get(w.base + "/healthz")
	if err != nil {
		w.s.tb.Errorf("the server does not answer: %v", err)
		return
	}
	_, _ = io.Copy(io.Discard, got.Body)
	got.Body.Close()
	deadline := time.Now().Add(time.Minute)
	for !strings.Contains(server.Log(), got.Header.Get("request-ref")) {
		if time.Now().After(deadline) {
			w.s.tb.Errorf("the server does not log its requests")
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func (s *script) with(_ bool, args []string) error {
	if err := arity(args, 2, 2); err != nil {
		return err
	}
	_ = s.without(false, args[:1])
	s.standing = append(s.standing, header{args[0], args[1]})
	return nil
}

func (s *script) without(_ bool, args []string) error {
	if err := arity(args, 1, 1); err != nil {
		return err
	}
	var rest []header
	for _, h := range s.standing {
		if !strings.EqualFold(h.name, args[0]) {
			rest = append(rest, h)
		}
	}
	s.standing = rest
	return nil
}

func (s *script) client(_ bool, args []string) error {
	if err := errors.Join(arity(args, 2, 2), s.need()); err != nil {
		return err
	}
	form := "grant_type=client_credentials&client_id=" + args[0] + "&client_secret=" + args[1]
	var err error
	if s.last, err = s.wire.send(request{method: "POST", path: "/oidc/token", body: []byte(form), typ: formType}); err != nil {
		return err
	}
	if err := s.status(false, []string{"200"}); err != nil {
		return err
	}
	if err := s.save(false, []string{"CLIENT", "access_token"}); err != nil {
		return err
	}
	return s.with(false, []string{"Authorization", "Bearer " + s.ts.Getenv("CLIENT")})
}

func (s *script) login(_ bool, args []string) error {
	if err := arity(args, 2, 2); err != nil {
		return err
	}
	body := fmt.Sprintf(`{"email":%q,"password":{"value":%q}}`, args[0], args[1])
	if err := s.req(false, []string{"POST", "/multi/login_with_password", body}); err != nil {
		return err
	}
	if err := s.status(false, []string{"200"}); err != nil {
		return err
	}
	return s.save(false, []string{"TOKEN", "token"})
}

const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"
)

func (s *script) req(_ bool, args []string) error {
	in, err := s.parseRequest(args)
	if err == nil {
		err = s.need()
	}
	if err != nil {
		return err
	}
	for n := range max(in.times, 1) {
		one := in
		number := []byte(strconv.Itoa(n + 1))
		one.body = bytes.ReplaceAll(in.body, []byte("${N}"), number)
		one.path = strings.ReplaceAll(in.path, "${N}", string(number))
		reply, err := s.press(one)
		if reply == nil && err == nil {
			reply, err = s.wire.send(one)
		}
		if err != nil {
			return err
		}
		s.robot.read(reply)
		s.answered = time.Now()
		if in.until != 0 && reply.status == in.until {
			s.last = reply
			return nil
		}
		if n > 0 && reply.status != s.last.status {
			return fmt.Errorf("answer %d is %d, those before %d", n+1, reply.status, s.last.status)
		}
		s.last = reply
	}
	if in.until != 0 {
		return fmt.Errorf("no answer is %d", in.until)
	}
	return nil
}

func (s *script) parseRequest(args []string) (request, error) {
	in := request{headers: append([]header(nil), s.standing...)}
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		flag := args[0]
		if args = args[1:]; flag == "-bad" {
			in.bad = true
			continue
		}
		if len(args) == 0 {
			return in, fmt.Errorf("%s needs a value", flag)
		}
		switch flag {
		case "-H":
			name, value, _ := strings.Cut(args[0], ":")
			in.headers = append(in.headers, header{name, strings.TrimSpace(value)})
		case "-n", "-until":
			n, err := strconv.Atoi(args[0])
			if err != nil {
				return in, err
			}
			if flag == "-n" {
				in.times = n
			} else {
				in.until = n
			}
		default:
			return in, fmt.Errorf("what is %s?", flag)
		}
		args = args[1:]
	}
	if err := arity(args, 2, 3); err != nil {
		return in, err
	}
	in.method, in.path = args[0], args[1]
	if len(args) == 3 {
		return in, s.readBody(&in, args[2])
	}
	return in, nil
}

func (s *script) readBody(in *request, arg string) error {
	in.typ = jsonType
	if strings.Contains(in.path, "/oidc/") {
		in.typ = formType
	}
	if file, ok := strings.CutPrefix(arg, "@"); ok {
		text, err := s.expand(s.ts.ReadFile(file))
		in.body = []byte(text)
		return err
	}
	in.body = []byte(arg)
	return nil
}

// raw sends bytes that no HTTP client would, and reads one answer.
func (s *script) raw(_ bool, args []string) error {
	if err := errors.Join(arity(args, 1, 1), s.need()); err != nil {
		return err
	}
	text, err := s.expand(s.ts.ReadFile(args[0]))
	if err != nil {
		return err
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.wire.base, "http://"))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	go func() { _, _ = io.WriteString(conn, strings.ReplaceAll(text, "\n", "\r\n")) }()
	got, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if got.Close {
		got.Header.Set("Connection", "close") // ReadResponse has moved it
	}
	s.last = &reply{got.StatusCode, got.Header, body}
	s.ts.Logf("%d %s", got.StatusCode, body)
	s.secrets.received(s.last)
	if err != nil {
		return err
	}
	if strings.HasPrefix(got.Header.Get("Content-Type"), "text/plain") {
		return nil // net/http's own, before any path was known
	}
	out, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(text, "\n", "\r\n") + "\r\n\r\n")))
	if err != nil {
		return nil // so broken that it is below no path
	}
	return s.checkContract(out, request{method: out.Method, path: out.URL.Path, bad: true}, s.last)
}

func (s *script) fill(_ bool, args []string) error {
	if err := arity(args, 3, 3); err != nil {
		return err
	}
	n, err := strconv.Atoi(args[1])
	s.ts.Setenv(args[0], strings.Repeat(args[2], max(n, 0)))
	return err
}

func (s *script) bytes(_ bool, args []string) error {
	if err := arity(args, 2, 2); err != nil {
		return err
	}
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(args[1], `"`, `\"`) + `"`)
	if err != nil {
		return err
	}
	return os.WriteFile(s.ts.MkAbs(args[0]), []byte(text), 0o600)
}

// totp is an app that shows codes by time.
func (s *script) totp(_ bool, args []string) error {
	if err := arity(args, 2, 2); err != nil {
		return err
	}
	code, err := totp.GenerateCode(args[1], time.Now().Add(s.ahead))
	s.ts.Setenv(args[0], code)
	return err
}

// flip changes one character in the middle of a value, where it means six whole bits.
func (s *script) flip(_ bool, args []string) error {
	if err := arity(args, 2, 2); err != nil {
		return err
	}
	text := []byte(s.ts.Getenv(args[1]))
	if len(text) == 0 {
		return fmt.Errorf("nothing is saved as %s", args[1])
	}
	i := len(text) / 2
	if text[i] == 'A' {
		text[i] = 'B'
	} else {
		text[i] = 'A'
	}
	s.ts.Setenv(args[0], string(text))
	return nil
}
