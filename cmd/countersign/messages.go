package main

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"countersign/internal/notify"
	"countersign/internal/seal"
)

// Messages is the part of the configuration about messages to people; docs/messages.md has examples.
type Messages struct {
	// From is the sender of e-mails: an address, or "Name <address>". Without a name each tenant's is shown. Needed with smtp.
	From string `yaml:"from"`
	// SMTP is the server that takes e-mails. Default: none are sent.
	SMTP *MessagesSMTP `yaml:"smtp"`
	// SMS is what takes SMS, http or twilio. Default: none are sent.
	SMS struct {
		HTTP   *MessagesHTTP   `yaml:"http"`
		Twilio *MessagesTwilio `yaml:"twilio"`
	} `yaml:"sms"`
	// Push is what takes pushes. Default: none are sent.
	Push struct {
		HTTP *MessagesHTTP `yaml:"http"`
	} `yaml:"push"`
	// Templates is a folder of files LOCALE.yaml and BRAND/LOCALE.yaml, whose words go before the built-in ones. Default: none.
	Templates string `yaml:"templates"`
	// Authorities is a PEM file of the authorities whose certificates are trusted for all of these, instead of the system's. Default: none.
	Authorities string `yaml:"authorities"`
}

// MessagesSMTP is a server that takes e-mails.
type MessagesSMTP struct {
	// Host is its name, which its certificate has to bear. Needed.
	Host string `yaml:"host"`
	// Port is its port. Default: 587, with tls: implicit 465, with tls: none 25.
	Port int `yaml:"port"`
	// TLS is starttls, implicit, or none, which is for a loopback address alone and without a password. Default: starttls.
	TLS string `yaml:"tls"`
	// Username and Password are for AUTH PLAIN or LOGIN. COUNTERSIGN_SMTP_PASSWORD goes before the file. Default: no AUTH.
	Username string `yaml:"username"`
	Password string `yaml:"password"`
	// Timeout bounds the sending of one e-mail. Default: 30s.
	Timeout time.Duration `yaml:"timeout"`
}

// MessagesHTTP is a gateway that takes one message in one request. URL, headers and body may have the placeholders {{.ID}}, {{.Tenant}},
// {{.Template}} and {{.Secret}}, and all but headers {{.To}}, {{.Digits}} (the number without +), {{.Text}}, {{.Subject}} and {{.Challenge}}.
type MessagesHTTP struct {
	// URL is where it is. Plain http is for loopback alone. Needed.
	URL string `yaml:"url"`
	// Method is POST, PUT, PATCH or GET. Default: POST.
	Method  string            `yaml:"method"`
	Headers map[string]string `yaml:"headers"`
	Body    string            `yaml:"body"`
	// BodyAs is json or form: how placeholders are escaped in body, and its Content-Type. Default: json.
	BodyAs string `yaml:"body_as"`
	// Username is for basic authentication, with the secret. Default: none.
	Username string `yaml:"username"`
	// Secret is {{.Secret}}. COUNTERSIGN_SMS_SECRET or COUNTERSIGN_PUSH_SECRET goes before the file.
	Secret string `yaml:"secret"`
	// Success are the statuses that mean that the message was taken. Default: every 2xx.
	Success []int `yaml:"success"`
	// Timeout bounds one request. Default: 10s.
	Timeout time.Duration `yaml:"timeout"`
}

// MessagesTwilio is an account at Twilio.
type MessagesTwilio struct {
	// Account is its SID, AC…. Needed.
	Account string `yaml:"account"`
	// Key is the SID of an API key, SK…, which can be revoked alone. Default: the account's own token is used.
	Key string `yaml:"key"`
	// Secret is that of the key, or the account's token. COUNTERSIGN_SMS_SECRET goes before the file. Needed.
	Secret string `yaml:"secret"`
	// From is a number or an alphanumeric sender; Service the SID of a Messaging Service, MG…. One of them is needed.
	From    string `yaml:"from"`
	Service string `yaml:"service"`
	// URL is that of another region. Default: https://api.twilio.com.
	URL string `yaml:"url"`
	// Timeout bounds one request. Default: 10s.
	Timeout time.Duration `yaml:"timeout"`
}

// Names of the environment, for the secrets of messages.
const (
	envSMTPPassword = "COUNTERSIGN_SMTP_PASSWORD"
	envSMSSecret    = "COUNTERSIGN_SMS_SECRET"
	envPushSecret   = "COUNTERSIGN_PUSH_SECRET"
)

func (m *Messages) readEnvironment(env []string) {
	if v := lookup(env, envSMTPPassword); v != "" && m.SMTP != nil {
		m.SMTP.Password = v
	}
	if v := lookup(env, envSMSSecret); v != "" {
		if m.SMS.HTTP != nil {
			m.SMS.HTTP.Secret = v
		}
		if m.SMS.Twilio != nil {
			m.SMS.Twilio.Secret = v
		}
	}
	if v := lookup(env, envPushSecret); v != "" && m.Push.HTTP != nil {
		m.Push.HTTP.Secret = v
	}
}

// notify returns the configuration of the senders, and what keeps it from being made.
func (m Messages) notify() (notify.Config, []problem) {
	var all []problem
	c := notify.Config{From: m.From, SMS: m.SMS.HTTP.notify(), Push: m.Push.HTTP.notify()}
	if s := m.SMTP; s != nil {
		c.SMTP = &notify.SMTP{
			Host: s.Host, Port: s.Port, TLS: s.TLS, Username: s.Username, Password: seal.NewSecret(s.Password), Limit: s.Timeout,
		}
	}
	if t := m.SMS.Twilio; t != nil {
		c.Twilio = &notify.Twilio{
			Account: t.Account, Key: t.Key, Secret: seal.NewSecret(t.Secret), From: t.From, Service: t.Service, URL: t.URL, Limit: t.Timeout,
		}
	}
	var dir fs.FS
	if m.Templates != "" {
		dir = os.DirFS(m.Templates)
	}
	var err error
	if c.Texts, err = notify.ReadTexts(dir); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			all = append(all, problem{"messages.templates", line})
		}
	}
	if m.Authorities != "" {
		if c.Roots, err = readAuthorities(m.Authorities); err != nil {
			all = append(all, problem{"messages.authorities", err.Error()})
		}
	}
	return c, all
}

func (h *MessagesHTTP) notify() *notify.HTTP {
	if h == nil {
		return nil
	}
	return &notify.HTTP{
		Method: h.Method, URL: h.URL, Headers: h.Headers, Body: h.Body, BodyAs: h.BodyAs, Username: h.Username,
		Secret: seal.NewSecret(h.Secret), Success: h.Success, Limit: h.Timeout,
	}
}

func readAuthorities(path string) (*x509.CertPool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, errors.New("has no certificate in PEM")
	}
	return pool, nil
}

func (m Messages) problems() []problem {
	c, all := m.notify()
	for _, p := range c.Problems() {
		all = append(all, problem{"messages." + p.Setting, p.Reason})
	}
	return all
}
