package apitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/internal/device/deviceclient"
)

// The tenant of the proofs: one API key, one client of each kind, and a user for each proof, so that no proof spoils another.
const (
	proofKey    = "sk_proof"
	proofClient = "proof-client"
	proofAdmin  = "proof-admin"
	proofSecret = "proof-secret"
	rightWord   = "Pa55word!"
	wrongWord   = "Pa55word?"
)

// person is a user of the proofs, by number: each has all kinds of identifiers.
type person int

func (p person) id() string       { return fmt.Sprint(5000 + int(p)) }
func (p person) email() string    { return fmt.Sprintf("person%d@example.com", p) }
func (p person) username() string { return fmt.Sprintf("person%d", p) }
func (p person) phone() string    { return fmt.Sprintf("+356991%05d", p) }

// proofSeed is the head of a seed file; settings is YAML, users follow.
func proofSeed(settings string) string {
	return fmt.Sprintf(`tenants:
  - id: proof
    mode: live
    settings: {%s}
    api_keys: [{name: backend, key: %s}]
    clients:
      - {id: %s, secret: %s, kind: application}
      - {id: %s, secret: %s, kind: management}
    identities:
      - {type: CONSUMER, id: "1", name: One}
      - {type: CORPORATE, id: "2", name: Two}
    users:
`, settings, proofKey, proofClient, proofSecret, proofAdmin, proofSecret)
}

// entry is the person's entry in a seed file, with the password as YAML, which may be empty, and whatever more is wanted.
func (p person) entry(password, more string) string {
	if password != "" {
		password = ", password: {" + password + "}"
	}
	return fmt.Sprintf("      - {id: %q, email: %q, username: %q, phone: %q, root_of: [%q]%s%s}\n",
		p.id(), p.email(), p.username(), p.phone(), "CONSUMER:1", password, more)
}

// people writes a seed file with n persons, numbered from 1, and returns its path.
func people(t testing.TB, n int, settings string) string {
	t.Helper()
	seed := proofSeed(settings)
	for p := range person(n) {
		seed += (p + 1).entry(fmt.Sprintf("value: %q", rightWord), "")
	}
	return writeSeed(t, seed)
}

func writeSeed(t testing.TB, seed string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "seed.yaml")
	if err := os.WriteFile(path, []byte(seed), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// node is a server as its clients see it.
type node struct {
	*Server
	http   *http.Client
	client string // access token of the application client
	device func() deviceclient.Configuration
}

// dial returns a node that opens no more than n connections to the server.
func dial(t testing.TB, s *Server, n int) *node {
	t.Helper()
	transport := &http.Transport{MaxIdleConns: n, MaxIdleConnsPerHost: n, MaxConnsPerHost: n}
	t.Cleanup(transport.CloseIdleConnections)
	t.Cleanup(func() {
		if t.Failed() {
			logFaults(t, s)
		}
	})
	d := &node{Server: s, http: &http.Client{Transport: transport, Timeout: time.Minute}}
	d.client, d.device = d.clientToken(t, proofClient), d.tells(t)
	return d
}

// logFaults shows what a server has logged of its own faults, of which a proof that fails may be the sign.
func logFaults(t testing.TB, s *Server) {
	faults := 0
	for line := range strings.Lines(s.Log()) {
		if strings.Contains(line, `"status":5`) || strings.Contains(line, `"level":"ERROR"`) || !strings.HasPrefix(line, "{") {
			if faults++; faults <= 5 {
				t.Logf("the server: %s", line)
			}
		}
	}
}

// clientToken gets an access token of a client's own.
func (n *node) clientToken(t testing.TB, id string) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {proofSecret}}
	r, err := http.NewRequestWithContext(t.Context(), "POST", n.URL+"/oidc/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a := n.do(r)
	if a.status != http.StatusOK {
		t.Fatalf("token of %s: %v", id, a)
	}
	return a.field("access_token")
}

// answer is what came back; err is set when nothing did.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error
}

func (a answer) String() string { return fmt.Sprintf("%d %s %v", a.status, a.body, a.err) }

// field is a text at the top of a JSON body; empty when there is none.
func (a answer) field(name string) string {
	var all map[string]any
	if json.Unmarshal(a.body, &all) != nil {
		return ""
	}
	s, _ := all[name].(string)
	return s
}

func (n *node) do(r *http.Request) answer {
	reply, err := n.http.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	return answer{reply.StatusCode, reply.Header, body, err}
}

// call sends a JSON body, none when it is nil, with headers given as name, value, name, value.
func (n *node) call(t testing.TB, method, path string, body any, headers ...string) answer {
	raw, err := json.Marshal(body)
	if err != nil {
		return answer{err: err}
	}
	if body == nil {
		raw = nil
	}
	r, err := http.NewRequestWithContext(t.Context(), method, n.URL+path, bytes.NewReader(raw))
	if err != nil {
		return answer{err: err}
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return n.do(r)
}

// multi calls /multi with a bearer token, which may be empty.
func (n *node) multi(t testing.TB, method, path, token string, body any) answer {
	if token == "" {
		return n.call(t, method, "/multi"+path, body, "api-key", proofKey)
	}
	return n.call(t, method, "/multi"+path, body, "api-key", proofKey, "Authorization", "Bearer "+token)
}

// cis posts to /cis as the application client.
func (n *node) cis(t testing.TB, path string, body any) answer {
	return n.call(t, "POST", "/cis/v1"+path, body, "Authorization", "Bearer "+n.client)
}

// object is a JSON object.
type object map[string]any

// way is one way to name a user: a contract and a kind of identifier.
type way struct{ api, kind string }

// ways are all of them.
var ways = []way{
	{"multi", "email"}, {"cis", "email"}, {"cis", "username"}, {"cis", "phone_number"}, {"cis", "user_id"},
}

// identifier is what the person is called by this way.
func (w way) identifier(p person) string {
	switch w.kind {
	case "email":
		return p.email()
	case "username":
		return p.username()
	case "phone_number":
		return p.phone()
	}
	return p.id()
}

// login tries a password.
func (n *node) login(t testing.TB, w way, identifier, password string, headers ...string) answer {
	if w.api == "multi" {
		return n.call(t, "POST", "/multi/login_with_password", object{"email": identifier, "password": object{"value": password}},
			append(headers, "api-key", proofKey)...)
	}
	body := object{"username": identifier, "username_type": w.kind, "password": password}
	if w.kind == "user_id" {
		body = object{"user_id": identifier, "password": password}
	}
	return n.call(t, "POST", "/cis/v1/auth/password/authenticate", body, append(headers, "Authorization", "Bearer "+n.client)...)
}

// verdict is what an answer to a login means in either contract.
type verdict string

const (
	admitted  verdict = "admitted"
	refused   verdict = "refused"   // wrong, or whatever must look the same
	held      verdict = "locked"    // 423; 403 auth_locked on /cis
	throttled verdict = "throttled" // 429
	malformed verdict = "malformed" // 400
	lost      verdict = "lost"      // no answer
)

// verdict reads an answer to a login by its whole form, so that a right status with a wrong body is none of them.
func (w way) verdict(a answer) verdict {
	name := a.field("ts_error_code")
	switch {
	case a.err != nil:
		return lost
	case a.status == http.StatusOK && (a.field("token") != "" || a.field("access_token") != ""):
		return admitted
	case a.status == http.StatusTooManyRequests && a.header.Get("Retry-After") != "":
		return throttled
	case a.status == http.StatusBadRequest:
		return malformed
	case w.api == "multi" && a.status == http.StatusForbidden && len(a.body) == 0:
		return refused
	case w.api == "multi" && a.status == http.StatusLocked && a.header.Get("Retry-After") != "":
		return held
	case w.api == "cis" && a.status == http.StatusUnauthorized && name == "auth_invalid_credentials":
		return refused
	case w.api == "cis" && a.status == http.StatusForbidden && name == "auth_locked":
		return held
	}
	return verdict(a.String())
}

// tally counts verdicts.
type tally map[verdict]int

// crowd runs n calls that all start at once, each on a connection that is open already.
func crowd(t testing.TB, nodes []*node, n int, call func(i int, on *node) verdict) tally {
	t.Helper()
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	verdicts := make([]verdict, n)
	for i := range n {
		on := nodes[i%len(nodes)]
		ready.Add(1)
		done.Go(func() {
			on.call(t, "GET", "/healthz", nil)
			ready.Done()
			<-start
			verdicts[i] = call(i, on)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	total := make(tally)
	for _, v := range verdicts {
		total[v]++
	}
	return total
}

// only reports verdicts that are not among those allowed.
func (c tally) only(t testing.TB, allowed ...verdict) {
	t.Helper()
	for v := range c {
		if !slices.Contains(allowed, v) {
			t.Errorf("answers %v: want only %v", c, allowed)
			return
		}
	}
}

// hashes is what the nodes have computed so far: hashes of accounts, and hashes for their cost alone.
type hashes struct{ verified, decoys float64 }

func count(t testing.TB, nodes []*node) (h hashes) {
	t.Helper()
	for _, n := range nodes {
		h.verified += n.Metric(t, "countersign_password_verified_total")
		h.decoys += n.Metric(t, "countersign_password_decoys_total")
	}
	return h
}

func (h hashes) since(before hashes) hashes {
	return hashes{h.verified - before.verified, h.decoys - before.decoys}
}

// advance moves the clock of a sandbox and gets the client a token of the new time.
func (n *node) advance(t testing.TB, d time.Duration) {
	t.Helper()
	if a := n.call(t, "POST", "/sandbox/clock", object{"advance": d.String()}); a.status != http.StatusOK {
		t.Fatalf("move the clock: %v", a)
	}
	n.client = n.clientToken(t, proofClient)
}

// await returns when the condition holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick, limit := time.NewTicker(5*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
