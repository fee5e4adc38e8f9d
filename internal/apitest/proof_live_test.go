package apitest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// outside is the world around a live server: a gateway for SMS, a mail server and a back end's webhook, each real and on loopback.
type outside struct {
	mu       sync.Mutex
	sms      []object
	mails    []string
	news     []news
	failures int // of the gateway, before it takes a message
	gateway  *httptest.Server
	hooks    *httptest.Server
	mail     net.Listener
}

// news is one delivery as a back end gets it.
type news struct {
	path   string
	header http.Header
	body   []byte
}

func newOutside(t *testing.T) *outside {
	o := &outside{}
	o.gateway = httptest.NewServer(http.HandlerFunc(o.takeSMS))
	o.hooks = httptest.NewServer(http.HandlerFunc(o.takeNews))
	var err error
	if o.mail, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(mailbox{o})
	server.Domain = "mail.example"
	go func() { _ = server.Serve(o.mail) }()
	t.Cleanup(func() { o.gateway.Close(); o.hooks.Close(); server.Close() })
	return o
}

func (o *outside) takeSMS(w http.ResponseWriter, r *http.Request) {
	var body object
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.Header.Get("X-Secret") != "s3cret" {
		http.Error(w, "what?", http.StatusBadRequest)
		return
	}
	o.sms = append(o.sms, body)
	if o.failures > 0 {
		o.failures--
		w.WriteHeader(http.StatusBadGateway)
	}
}

func (o *outside) takeNews(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.news = append(o.news, news{r.URL.Path, r.Header, body})
	w.WriteHeader(http.StatusNoContent)
}

// mailbox is the mail server's back end and its one session.
type mailbox struct{ o *outside }

func (m mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return m, nil }
func (m mailbox) Mail(string, *smtp.MailOptions) error        { return nil }
func (m mailbox) Rcpt(string, *smtp.RcptOptions) error        { return nil }
func (m mailbox) Reset()                                      {}
func (m mailbox) Logout() error                               { return nil }
func (m mailbox) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	m.o.mu.Lock()
	defer m.o.mu.Unlock()
	m.o.mails = append(m.o.mails, strings.ReplaceAll(string(text), "=\r\n", ""))
	return err
}

// config is what a server needs to reach all three.
func (o *outside) config() string {
	_, port, _ := net.SplitHostPort(o.mail.Addr().String())
	return fmt.Sprintf(`messages:
  from: Countersign <no-reply@auth.example>
  smtp: {host: 127.0.0.1, port: %s, tls: none}
  sms:
    http:
      url: %s
      headers: {X-Secret: "{{.Secret}}"}
      body: '{"to":"{{.To}}","text":"{{.Text}}","id":"{{.ID}}"}'
      secret: s3cret
webhooks: {allow: [127.0.0.1]}
`, port, o.gateway.URL)
}

// until waits for what workers do beside the requests.
func until[T any](t *testing.T, o *outside, what string, look func() (T, bool)) T {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		o.mu.Lock()
		got, ok := look()
		o.mu.Unlock()
		if ok {
			return got
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", what)
		}
	}
}

var sixDigits = regexp.MustCompile(`\b[0-9]{6}\b`)

// TestLiveServer takes a user through step-up and recovery on a server of production: codes are random and come by a real gateway and a real
// mail server, and the back end is told by webhook, signed. A gateway that fails twice gets the same code again.
func TestLiveServer(t *testing.T) {
	o := newOutside(t)
	seed := proofSeed("app_url: 'https://app.example'") + person(1).entry(fmt.Sprintf("value: %q", rightWord), ", authenticators: [{kind: sms}]")
	seed = strings.Replace(seed, "    clients:", fmt.Sprintf("    webhook: {url: %q}\n    clients:", o.hooks.URL+"/hooks"), 1)
	n := dial(t, Start(t, Options{Config: o.config(), Seed: writeSeed(t, seed)}), 4)

	o.failures = 2
	token := n.login(t, ways[0], person(1).email(), rightWord).field("token")
	if a := n.multi(t, "POST", "/stepup/challenges/otp/SMS", token, nil); a.status != http.StatusNoContent {
		t.Fatalf("step up: %v", a)
	}
	tries := until(t, o, "the third try of the gateway", func() ([]object, bool) { return o.sms, len(o.sms) >= 3 })
	code := sixDigits.FindString(fmt.Sprint(tries[0]["text"]))
	for _, m := range tries {
		if m["to"] != person(1).phone() || m["id"] != tries[0]["id"] || sixDigits.FindString(fmt.Sprint(m["text"])) != code || code == "" {
			t.Errorf("a try differs from the first, or has no code: %v, %v", m, tries[0])
		}
	}
	if a := n.multi(t, "POST", "/stepup/challenges/otp/SMS/verify", token, object{"verificationCode": code}); a.status != http.StatusNoContent {
		t.Fatalf("verify %s: %v", code, a)
	}

	if a := n.multi(t, "POST", "/passwords/lost_password/start", "", object{"email": person(1).email()}); a.status != http.StatusNoContent {
		t.Fatalf("lost password: %v", a)
	}
	link := regexp.MustCompile(`https://app\.example/set-password/([0-9]{6})/`)
	nonce := until(t, o, "the e-mail", func() (string, bool) {
		for _, m := range o.mails {
			if found := link.FindStringSubmatch(m); found != nil {
				return found[1], true
			}
		}
		return "", false
	})
	resume := object{"nonce": nonce, "email": person(1).email(), "newPassword": object{"value": "N3w-Pa55word!"}}
	if a := n.multi(t, "POST", "/passwords/lost_password/resume", "", resume); a.status != http.StatusOK {
		t.Fatalf("resume: %v", a)
	}
	o.checkNews(t, "/hooks/login/watch", "/hooks/stepup/watch")
	if log := n.Log(); strings.Contains(log, code) || strings.Contains(log, nonce) || strings.Contains(log, person(1).phone()) {
		t.Error("a code or a number is in the log")
	}
}

// checkNews waits for a delivery at each path and verifies its signatures (contract/multi §4.1).
func (o *outside) checkNews(t *testing.T, paths ...string) {
	t.Helper()
	sign := func(text string) string {
		mac := hmac.New(sha256.New, []byte(proofKey))
		mac.Write([]byte(text))
		return base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	for _, path := range paths {
		got := until(t, o, path, func() (news, bool) {
			for _, n := range o.news {
				if n.path == path {
					return n, true
				}
			}
			return news{}, false
		})
		at, ref := got.header.Get("published-timestamp"), got.header.Get("call-ref")
		if got.header.Get("signature") != sign(at) || got.header.Get("signature-v2") != sign(ref+string(got.body)+at) || ref == "" {
			t.Errorf("%s: the signatures do not verify: %v %s", path, got.header, got.body)
		}
		if !strings.Contains(string(got.body), `"status":"VERIFIED"`) || !strings.Contains(string(got.body), person(1).id()) {
			t.Errorf("%s: got %s", path, got.body)
		}
	}
}
