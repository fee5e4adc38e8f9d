package apitest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"countersign/internal/device/deviceclient"
	"countersign/internal/jose"
)

// device plays a device of the script: see the list of commands. What it signs is what our own client signs.
func (s *script) device(_ bool, args []string) error {
	if err := arity(args, 2, 6); err != nil {
		return err
	}
	name, verb, rest := args[0], args[1], append(args[2:], "", "", "", "")
	if verb == "key" || verb == "browser" {
		return s.deviceKey(name, rest[0], verb == "browser")
	}
	key := s.devices[name]
	if key == nil {
		return fmt.Errorf("%s has no key", name)
	}
	var told deviceclient.Configuration
	if err := s.read("/device/v1/configuration", &told); err != nil {
		return err
	}
	variable, token := "", ""
	var err error
	switch verb {
	case "proof":
		variable = "PROOF"
		token, err = told.Proof(key, deviceclient.Binding{Ticket: rest[0], Name: rest[1], PIN: rest[2]})
	case "token":
		variable = "DEVICE"
		token, err = told.Token(key)
	case "answer":
		variable = "ANSWER"
		if len(s.waiting()) == 0 {
			return errors.New("the last answer has no request")
		}
		a := deviceclient.Answer{Decision: deviceclient.Decision(rest[0]), Number: rest[1], Verified: rest[2], PIN: rest[3]}
		if a.PIN != "" {
			a.Salt = deviceclient.NewSalt()
			s.ts.Setenv("SALT", a.Salt)
		}
		token, err = told.Sign(key, s.waiting()[0], a)
	default:
		err = fmt.Errorf("a device has no %q", verb)
	}
	s.ts.Setenv(variable, token)
	passkey := s.browsers[name]
	if err != nil || passkey == nil || verb == "token" {
		return err
	}
	signed, err := passkey.passkeyOf(verb, told.Passkeys, token)
	s.ts.Setenv(map[string]string{"proof": "PASSKEY", "answer": "ASSERTION"}[verb], signed)
	return err
}

func (s *script) deviceKey(name, alg string, browser bool) error {
	if alg == "" {
		alg = string(jose.ES256)
	}
	key, err := jose.Generate(jose.Alg(alg))
	if err != nil {
		return err
	}
	if delete(s.browsers, name); browser {
		s.browsers[name] = &browserKey{}
	}
	s.devices[name] = key
	s.ts.Setenv("KEY", key.Public().String())
	return nil
}

// waiting are the requests in the last answer.
func (s *script) waiting() []deviceclient.Request {
	var list struct {
		Requests []deviceclient.Request `json:"requests"`
	}
	if s.last == nil || json.Unmarshal(s.last.body, &list) != nil {
		return nil
	}
	return list.Requests
}

// read fetches JSON from the script's server.
func (s *script) read(path string, into any) error {
	if err := s.need(); err != nil {
		return err
	}
	got, err := s.wire.client.Get(s.wire.base + path)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(io.LimitReader(got.Body, 1<<20))
	if err == nil {
		err = json.NewDecoder(strings.NewReader(string(text))).Decode(into)
	}
	return err
}

// pair is a server with a device that is bound to Ada, and a session of hers.
type pair struct {
	*sweeper
	*deviceclient.Client
	token string // of /multi
}

// paired binds a device on a sandbox of the demo.
func (s *suite) paired(t *testing.T, alg jose.Alg) *pair { return s.pairedWith(t, alg, nil) }

// pairedWith binds a device that, if it is a browser, has a passkey.
func (s *suite) pairedWith(t *testing.T, alg jose.Alg, passkey deviceclient.Passkey) *pair {
	t.Helper()
	server := Start(t, Options{Data: s.data(t)})
	key, err := jose.Generate(alg)
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{sweeper: &sweeper{t: t, base: server.URL, noted: s.coverage}, Client: deviceclient.New(server.URL, key)}
	p.Passkey = passkey
	p.login()
	p.call("POST", "/multi/stepup/challenges/otp/SMS", "")
	p.call("POST", "/multi/stepup/challenges/otp/SMS/verify", `{"verificationCode":"123456"}`)
	ticket := p.member(p.call("POST", "/device/v1/tickets", ""), "ticket")
	if _, err := p.Bind(t.Context(), deviceclient.Binding{Ticket: ticket, Name: "Phone"}); err != nil {
		t.Fatalf("bind: %v", err)
	}
	return p
}

// login begins another session.
func (p *pair) login() {
	p.t.Helper()
	p.token = p.member(p.call("POST", "/multi/login_with_password", `{"email":"ada@example.com","password":{"value":"Pa55word!"}}`), "token")
}

func (p *pair) call(method, path, body string) *reply {
	p.t.Helper()
	headers := []string{"api-key", "sk_demo", "Content-Type", "application/json", "Authorization", "Bearer " + p.token}
	return p.send(method, path, []byte(body), headers...)
}

// answer has the device answer the first request that waits.
func (p *pair) answer(decision deviceclient.Decision) {
	p.t.Helper()
	all, err := p.Requests(p.t.Context(), 5*time.Second, nil)
	if err != nil || len(all) == 0 {
		p.t.Fatalf("requests: %v, %v", all, err)
	}
	if _, err := p.Answer(p.t.Context(), all[0], deviceclient.Answer{Decision: decision}); err != nil {
		p.t.Fatalf("answer: %v", err)
	}
}

// stream has a device hear of a request as soon as there is one, and of its end, on a connection that it holds open. Scripts wait for whole
// answers.
func (s *suite) stream(t *testing.T) {
	p := s.paired(t, jose.EdDSA)
	ctx, cancel := context.WithCancel(t.Context())
	heard := make(chan []deviceclient.Request)
	ended := make(chan error)
	go func() {
		ended <- p.Watch(ctx, func(all []deviceclient.Request) error { heard <- all; return nil })
	}()
	if first := <-heard; len(first) != 0 {
		t.Errorf("at first: got %v", first)
	}
	p.login()
	challenge := p.member(p.call("POST", "/multi/stepup/challenges/push/BIOMETRIC", ""), "id")
	if next := <-heard; len(next) != 1 || next[0].Challenge != challenge {
		t.Errorf("of %s: got %v", challenge, next)
	}
	p.answer(deviceclient.Deny)
	if last := <-heard; len(last) != 0 {
		t.Errorf("at last: got %v", last)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the stream ended with %v", err)
	}
	s.coverage.note("streamRequests", "200")
}

// member is a text in the object that was answered.
func (w *sweeper) member(r *reply, name string) string {
	w.t.Helper()
	var all map[string]any
	if err := json.Unmarshal(r.body, &all); err != nil {
		w.t.Fatalf("%d %s: %v", r.status, r.body, err)
	}
	text, _ := all[name].(string)
	if text == "" {
		w.t.Fatalf("no %s in %d %s", name, r.status, r.body)
	}
	return text
}
