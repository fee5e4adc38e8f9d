package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"countersign/internal/notify"
)

// TestMessagesAreAsConfigured: every setting arrives, and the environment goes before the file.
func TestMessagesAreAsConfigured(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config.yaml")
	err := os.WriteFile(file, []byte(`
messages:
  from: no-reply@example.com
  smtp: {host: h, port: 1, tls: implicit, username: u, password: file, timeout: 1s}
  sms:
    http: {url: "https://a", method: PUT, headers: {X: y}, body: b, body_as: form, username: u, secret: file, success: [201], timeout: 2s}
    twilio: {account: a, key: k, secret: file, from: f, service: s, url: "https://b", timeout: 3s}
  push: {http: {url: "https://c", secret: file}}
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	read := func(env ...string) notify.Config {
		c, err := readConfig(file, env)
		if err != nil {
			t.Fatal(err)
		}
		n, problems := c.Messages.notify()
		if len(problems) > 0 || n.Texts == nil {
			t.Fatalf("got %v, want none, and words", problems)
		}
		return n
	}
	c := read()
	if s := c.SMTP; c.From != "no-reply@example.com" || s.Host != "h" || s.Port != 1 || s.TLS != "implicit" || s.Username != "u" || s.Limit != time.Second {
		t.Errorf("got %q and %+v", c.From, s)
	}
	if h := c.SMS; h.URL != "https://a" || h.Method != "PUT" || h.Headers["X"] != "y" || h.Body != "b" || h.BodyAs != "form" || h.Username != "u" ||
		h.Success[0] != 201 || h.Limit != 2*time.Second {
		t.Errorf("got %+v", h)
	}
	if w := c.Twilio; w.Account != "a" || w.Key != "k" || w.From != "f" || w.Service != "s" || w.URL != "https://b" || w.Limit != 3*time.Second {
		t.Errorf("got %+v", w)
	}
	if c.Push.URL != "https://c" {
		t.Errorf("got %+v", c.Push)
	}
	for want, c := range map[string]notify.Config{
		"file": c, "environment": read(envSMTPPassword+"=environment", envSMSSecret+"=environment", envPushSecret+"=environment"),
	} {
		for _, got := range []string{c.SMTP.Password.Reveal(), c.SMS.Secret.Reveal(), c.Twilio.Secret.Reveal(), c.Push.Secret.Reveal()} {
			if got != want {
				t.Errorf("got the secret %q, want that of the %s", got, want)
			}
		}
	}
}
