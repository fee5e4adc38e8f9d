package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"countersign/internal/notify"
	"countersign/internal/seal"
)

// TestMessagesAreAsConfigured: every setting arrives, and the environment goes before the file.
func TestMessagesAreAsConfigured(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, secret := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "secret")
	err := os.WriteFile(file, []byte(strings.NewReplacer("FCM", secret, "APNS", secret).Replace(`
messages:
  from: no-reply@example.com
  smtp: {host: h, port: 1, tls: implicit, username: u, password: file, timeout: 1s}
  sms:
    http: {url: "https://a", method: PUT, headers: {X: y}, body: b, body_as: form, username: u, secret: file, success: [201], timeout: 2s}
    twilio: {account: a, key: k, secret: file, from: f, service: s, url: "https://b", timeout: 3s}
  push:
    http: {url: "https://c", secret: file}
    web: {key: file, contact: "mailto:a@b.example", hosts: [h], timeout: 4s}
    fcm: {account_file: FCM, url: "https://d", timeout: 5s}
    apns: {key_file: APNS, key_id: k, team: t, topic: b, url: "https://e", timeout: 6s}
    signed: {url: "https://f", secret: file, timeout: 7s}
`)), 0o600)
	if err = errors.Join(err, os.WriteFile(secret, []byte("file"), 0o600)); err != nil {
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
	if w, f, a, s := c.Web, c.FCM, c.APNs, c.Signed; c.Push.URL != "https://c" || w.Contact != "mailto:a@b.example" || w.Hosts[0] != "h" ||
		w.Limit != 4*time.Second || f.URL != "https://d" || f.Limit != 5*time.Second || a.KeyID != "k" || a.Team != "t" || a.Topic != "b" ||
		a.URL != "https://e" || a.Limit != 6*time.Second || s.URL != "https://f" || s.Limit != 7*time.Second {
		t.Errorf("got %+v, %+v, %+v, %+v, %+v", c.Push, w, f, a, s)
	}
	for want, c := range map[string]notify.Config{
		"file": c, "environment": read(envSMTPPassword+"=environment", envSMSSecret+"=environment", envPushSecret+"=environment",
			envWebPushKey+"=environment", envFCMAccount+"=environment", envAPNsKey+"=environment"),
	} {
		for _, got := range []seal.Secret{
			c.SMTP.Password, c.SMS.Secret, c.Twilio.Secret, c.Push.Secret, c.Web.Key, c.FCM.Account, c.APNs.Key, c.Signed.Secret,
		} {
			got := got.Reveal()
			if got != want {
				t.Errorf("got the secret %q, want that of the %s", got, want)
			}
		}
	}
}
