package notify_test

import (
	"fmt"
	"io"
	"log"
	"slices"
	"strings"
	"testing"

	"countersign/internal/notify"
	"countersign/internal/seal"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// TestProblems: each thing that is missing or insecure has its setting, and no secret is repeated.
func TestProblems(t *testing.T) {
	t.Parallel()
	secret := seal.NewSecret("s3cr3t")
	smtp := func(change func(*notify.SMTP)) notify.Config {
		s := &notify.SMTP{Host: "mail.example.com", Username: "u", Password: secret}
		change(s)
		return notify.Config{From: "a@example.com", SMTP: s}
	}
	sms := func(change func(*notify.HTTP)) notify.Config {
		h := &notify.HTTP{URL: "https://sms.example.com/send", Body: `{"to":"{{.To}}","text":"{{.Text}}"}`, Secret: secret}
		change(h)
		return notify.Config{SMS: h}
	}
	twilio := func(change func(*notify.Twilio)) notify.Config {
		c := &notify.Twilio{Account: account(), Secret: secret, From: "Demo"}
		change(c)
		return notify.Config{Twilio: c}
	}
	from := func(text string) notify.Config {
		c := smtp(func(*notify.SMTP) {})
		c.From = text
		return c
	}
	header := func(name, value string) notify.Config {
		return sms(func(h *notify.HTTP) { h.Headers = map[string]string{name: value} })
	}
	for _, c := range []struct {
		name   string
		config notify.Config
		want   []string
	}{
		{"nothing", notify.Config{}, nil},
		{"sound SMTP", smtp(func(*notify.SMTP) {}), nil},
		{"sound SMS", sms(func(*notify.HTTP) {}), nil},
		{"sound Twilio", twilio(func(*notify.Twilio) {}), nil},
		{"plain on loopback", sms(func(h *notify.HTTP) { h.URL = "http://[::1]:8080/" }), nil},
		{"plain relay on loopback", smtp(func(s *notify.SMTP) { *s = notify.SMTP{Host: "localhost", TLS: "none"} }), nil},
		{"name and address", from(`"Demo" <a@example.com>`), nil},

		{"no sender", from(""), []string{"from: missing"}},
		{"bad sender", from("Demo"), []string{"from: is no address"}},
		{"sender beyond ASCII", from("é@example.com"), []string{"from: has a local part beyond ASCII"}},
		{"no host", smtp(func(s *notify.SMTP) { s.Host = "" }), []string{"smtp.host: missing"}},
		{"host and port", smtp(func(s *notify.SMTP) { s.Host = "mail.example.com:25" }), []string{"smtp.host: want a name"}},
		{"bad port", smtp(func(s *notify.SMTP) { s.Port = 70000 }), []string{"smtp.port"}},
		{"bad limit", smtp(func(s *notify.SMTP) { s.Limit = -1 }), []string{"smtp.timeout"}},
		{"bad TLS", smtp(func(s *notify.SMTP) { s.TLS = "maybe" }), []string{`smtp.tls: "maybe"`}},
		{"no TLS", smtp(func(s *notify.SMTP) { s.TLS = "none" }), []string{"smtp.tls: none is for a loopback", "smtp.username: is given without TLS"}},
		{"no password", smtp(func(s *notify.SMTP) { s.Password = seal.Secret{} }), []string{"smtp.password"}},
		{"no username", smtp(func(s *notify.SMTP) { s.Username = "" }), []string{"smtp.password"}},

		{"no URL", sms(func(h *notify.HTTP) { h.URL = "" }), []string{"sms.http.url: missing"}},
		{"plain", sms(func(h *notify.HTTP) { h.URL = "http://sms.example.com" }), []string{"sms.http.url: is plain http"}},
		{"no http", sms(func(h *notify.HTTP) { h.URL = "ftp://sms.example.com" }), []string{"sms.http.url: is not an https URL"}},
		{"no scheme", sms(func(h *notify.HTTP) { h.URL = "sms.example.com" }), []string{"sms.http.url: is not an https URL"}},
		{"host by message", sms(func(h *notify.HTTP) { h.URL = "https://{{.To}}.example.com" }), []string{"sms.http.url: is not an https URL, or has"}},
		{"user in URL", sms(func(h *notify.HTTP) { h.URL = "https://u@sms.example.com" }), []string{"sms.http.url: has a user name"}},
		{"unknown placeholder", sms(func(h *notify.HTTP) { h.URL += "?x={{.Phone}}" }), []string{"sms.http.url: Phone cannot be said here"}},
		{"no template", sms(func(h *notify.HTTP) { h.Body += "{{" }), []string{"sms.http.body: "}},
		{"no JSON", sms(func(h *notify.HTTP) { h.Body = "to={{.To}}&text={{.Text}}" }), []string{"sms.http.body: makes no valid JSON"}},
		{"unquoted", sms(func(h *notify.HTTP) { h.Body = `{"to":{{.To}},"text":"{{.Text}}"}` }), []string{"sms.http.body: makes no valid JSON"}},
		{"no receiver", sms(func(h *notify.HTTP) { h.Body = `"{{.Text}}"` }), []string{"sms.http.body: has no {{.To}}"}},
		{"no text", sms(func(h *notify.HTTP) { h.Body = `"{{.To}}"` }), []string{"sms.http.body: has no {{.Text}}"}},
		{"bad method", sms(func(h *notify.HTTP) { h.Method = "DELETE" }), []string{"sms.http.method"}},
		{"GET with body", sms(func(h *notify.HTTP) { h.Method = "GET" }), []string{"sms.http.body: a GET has none"}},
		{"bad form", sms(func(h *notify.HTTP) { h.BodyAs = "xml" }), []string{`sms.http.body_as: "xml"`}},
		{"bad success", sms(func(h *notify.HTTP) { h.Success = []int{302} }), []string{"sms.http.success: 302"}},
		{"negative", sms(func(h *notify.HTTP) { h.Limit = -1 }), []string{"sms.http.timeout"}},
		{"no secret", sms(func(h *notify.HTTP) { h.Username, h.Secret = "u", seal.Secret{} }), []string{"sms.http.secret: missing"}},
		{"bad header", header("A B", "x"), []string{`sms.http.headers: "A B"`}},
		{"reserved header", header("host", "x"), []string{"sms.http.headers: host is set by HTTP"}},
		{"two lines", header("X", "{{.Secret}}\n"), []string{"sms.http.headers: X: has what a header cannot have"}},
		{"text in header", header("X", "{{.Text}}"), []string{"sms.http.headers: X: Text cannot be said here"}},

		{"two ways", notify.Config{SMS: sms(func(*notify.HTTP) {}).SMS, Twilio: twilio(func(*notify.Twilio) {}).Twilio}, []string{"sms: has http and twilio"}},
		{"bad account", twilio(func(c *notify.Twilio) { c.Account = "AC1" }), []string{"sms.twilio.account: want AC"}},
		{"bad key", twilio(func(c *notify.Twilio) { c.Key = account() }), []string{"sms.twilio.key: want SK"}},
		{"no token", twilio(func(c *notify.Twilio) { c.Secret = seal.Secret{} }), []string{"sms.twilio.secret: missing"}},
		{"no from", twilio(func(c *notify.Twilio) { c.From = "" }), []string{"sms.twilio: want from or service"}},
		{"bad from", twilio(func(c *notify.Twilio) { c.From = "much too long a name" }), []string{"sms.twilio.from"}},
		{"bad service", twilio(func(c *notify.Twilio) { c.From, c.Service = "", "MG" }), []string{"sms.twilio.service: want MG"}},
		{"plain Twilio", twilio(func(c *notify.Twilio) { c.URL = "http://api.twilio.com" }), []string{"sms.twilio.url: is plain http"}},
		{"query", twilio(func(c *notify.Twilio) { c.URL = "https://api.twilio.com/?a" }), []string{"sms.twilio.url: has a query"}},
		{"slow Twilio", twilio(func(c *notify.Twilio) { c.Limit = -1 }), []string{"sms.twilio.timeout"}},
		{"bad push", notify.Config{Push: &notify.HTTP{}}, []string{"push.http.url: missing", "push.http.body: has no {{.To}}", "push.http.body: has no {{.Text}}"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range c.config.Problems() {
				got = append(got, p.Setting+": "+p.Reason)
			}
			if !slices.EqualFunc(got, c.want, strings.HasPrefix) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			_, err := notify.New(c.config)
			if (err != nil) != (len(c.want) > 0) || strings.Contains(fmt.Sprint(err), "s3cr3t") {
				t.Errorf("got %v, want it to be refused %t, without a secret", err, len(c.want) > 0)
			}
		})
	}
	if printed := fmt.Sprintf("%+v %#v", *smtp(func(*notify.SMTP) {}).SMTP, *twilio(func(*notify.Twilio) {}).Twilio); strings.Contains(printed, "s3cr3t") {
		t.Errorf("the configuration prints its secret: %s", printed)
	}
}
