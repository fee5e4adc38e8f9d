package apitest

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// handset is a device of a script: its key, in the form that the protocol of docs/device.md takes.
type handset struct {
	key jose.JSONWebKey
	alg jose.SignatureAlgorithm
}

func newHandset(alg jose.SignatureAlgorithm) (*handset, error) {
	h := &handset{alg: alg}
	var private any
	var err error
	if alg == jose.EdDSA {
		_, private, err = ed25519.GenerateKey(rand.Reader)
	} else {
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return nil, err
	}
	h.key = jose.JSONWebKey{Key: private}
	public := h.key.Public()
	sum, err := public.Thumbprint(crypto.SHA256)
	h.key.KeyID = base64.RawURLEncoding.EncodeToString(sum)
	return h, err
}

func (h *handset) sign(typ string, claims map[string]any) (string, error) {
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(typ))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: h.alg, Key: h.key}, options)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(text)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// device plays a device of the script: see the list of commands.
func (s *script) device(_ bool, args []string) error {
	if err := arity(args, 2, 5); err != nil {
		return err
	}
	name, verb, rest := args[0], args[1], append(args[2:], "", "", "")
	if verb == "key" {
		return s.deviceKey(name, rest[0])
	}
	h := s.devices[name]
	if h == nil {
		return fmt.Errorf("%s has no key", name)
	}
	var told struct {
		Issuer string `json:"issuer"`
		Now    int64  `json:"now"`
	}
	if err := s.read("/device/v1/configuration", &told); err != nil {
		return err
	}
	claims := map[string]any{"iss": h.key.KeyID, "aud": told.Issuer, "iat": told.Now, "exp": told.Now + 60}
	variable, typ := "", ""
	switch verb {
	case "proof":
		variable, typ = "PROOF", "countersign-bind+jwt"
		claims["ticket"], claims["name"] = rest[0], rest[1]
	case "token":
		variable, typ = "DEVICE", "countersign-call+jwt"
	case "answer":
		variable, typ = "ANSWER", "countersign-answer+jwt"
		if err := s.answerClaims(claims, rest); err != nil {
			return err
		}
	default:
		return fmt.Errorf("a device has no %q", verb)
	}
	token, err := h.sign(typ, claims)
	s.ts.Setenv(variable, token)
	return err
}

func (s *script) deviceKey(name, alg string) error {
	if alg == "" {
		alg = string(jose.ES256)
	}
	h, err := newHandset(jose.SignatureAlgorithm(alg))
	if err != nil {
		return err
	}
	s.devices[name] = h
	public, err := h.key.Public().MarshalJSON()
	s.ts.Setenv("KEY", string(public))
	return err
}

// answerClaims are those of an answer to the first request in the last answer.
func (s *script) answerClaims(claims map[string]any, rest []string) error {
	var list struct {
		Requests []map[string]any `json:"requests"`
	}
	if s.last == nil || json.Unmarshal(s.last.body, &list) != nil || len(list.Requests) == 0 {
		return errors.New("the last answer has no request")
	}
	r := list.Requests[0]
	for claim, member := range map[string]string{
		"sub": "user", "tid": "tenant", "sid": "session", "challenge": "challenge", "nonce": "nonce", "purpose": "purpose", "channel": "channel",
		"digest": "digest", "shown": "shown", "iat": "created_at", "exp": "expires_at",
	} {
		claims[claim] = r[member]
	}
	claims["decision"], claims["number"], claims["uv"] = rest[0], rest[1], "biometric"
	if rest[2] != "" {
		claims["uv"] = rest[2]
	}
	return nil
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
	handset *handset
	token   string // of /multi
	issuer  string
}

// paired binds a device on a sandbox of the demo.
func (s *suite) paired(t *testing.T, alg jose.SignatureAlgorithm) *pair {
	server := Start(t, Options{Data: s.data(t)})
	p := &pair{sweeper: &sweeper{t: t, base: server.URL, noted: s.coverage}}
	var err error
	if p.handset, err = newHandset(alg); err != nil {
		t.Fatal(err)
	}
	p.login()
	p.call("POST", "/multi/stepup/challenges/otp/SMS", "")
	p.call("POST", "/multi/stepup/challenges/otp/SMS/verify", `{"verificationCode":"123456"}`)
	ticket := p.member(p.call("POST", "/device/v1/tickets", ""), "ticket")
	p.issuer = p.member(p.call("GET", "/device/v1/configuration", ""), "issuer")
	key, err := p.handset.key.Public().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	proof := p.signed("countersign-bind+jwt", map[string]any{"ticket": ticket, "name": "Phone"})
	if r := p.call("POST", "/device/v1/devices", fmt.Sprintf(`{"key":%s,"proof":%q}`, key, proof)); r.status != http.StatusCreated {
		t.Fatalf("bind: %d %s", r.status, r.body)
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

// asDevice makes a call of the device's own.
func (p *pair) asDevice(method, path, body string) *reply {
	p.t.Helper()
	bearer := "Bearer " + p.signed("countersign-call+jwt", nil)
	return p.send(method, path, []byte(body), "Content-Type", "application/json", "Authorization", bearer)
}

func (p *pair) signed(typ string, more map[string]any) string {
	p.t.Helper()
	claims := map[string]any{"iss": p.handset.key.KeyID, "aud": p.issuer, "iat": time.Now().Unix(), "exp": time.Now().Unix() + 60}
	maps.Copy(claims, more)
	text, err := p.handset.sign(typ, claims)
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

// answer has the device answer the first request that waits.
func (p *pair) answer(decision string) *reply {
	p.t.Helper()
	claims := map[string]any{}
	list := &script{last: p.asDevice("GET", "/device/v1/requests?wait=5", "")}
	if err := list.answerClaims(claims, []string{decision, "", ""}); err != nil {
		p.t.Fatal(err)
	}
	body := fmt.Sprintf(`{"answer":%q}`, p.signed("countersign-answer+jwt", claims))
	return p.asDevice("POST", "/device/v1/requests/"+claims["challenge"].(string)+"/answer", body)
}

// stream has a device hear of a request as soon as there is one, on a connection that it holds open. Scripts wait for whole answers.
func (s *suite) stream(t *testing.T) {
	p := s.paired(t, jose.EdDSA)
	events := p.listen("/device/v1/requests/events", p.signed("countersign-call+jwt", nil))
	if first := <-events; !strings.Contains(first, `"requests":[]`) {
		t.Errorf("at first: got %q", first)
	}
	p.login()
	challenge := p.member(p.call("POST", "/multi/stepup/challenges/push/BIOMETRIC", ""), "id")
	if next := <-events; !strings.Contains(next, `"challenge":"`+challenge+`"`) {
		t.Errorf("of %s: got %q", challenge, next)
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

// listen opens a stream of server-sent events and passes on the data of each; it ends with the test.
func (w *sweeper) listen(path, bearer string) <-chan string {
	w.t.Helper()
	out, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.base+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	out.Header.Set("Authorization", "Bearer "+bearer)
	got, err := http.DefaultClient.Do(out)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { got.Body.Close() })
	if got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != "text/event-stream" {
		w.t.Fatalf("got %s, %s", got.Status, got.Header.Get("Content-Type"))
	}
	events := make(chan string)
	go func() {
		defer close(events)
		lines := bufio.NewScanner(got.Body)
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				events <- data
			}
		}
	}()
	return events
}
