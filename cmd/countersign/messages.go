package main

import (
	"crypto/x509"
	"errors"
	"fmt"
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
	// Push is what takes pushes: http those to users, web, fcm and apns those to devices that are bound here, each by its own service, and
	// signed those to devices for whose service there is nothing else. Default: none are sent.
	Push struct {
		HTTP   *MessagesHTTP   `yaml:"http"`
		Web    *MessagesWeb    `yaml:"web"`
		FCM    *MessagesFCM    `yaml:"fcm"`
		APNs   *MessagesAPNs   `yaml:"apns"`
		Signed *MessagesSigned `yaml:"signed"`
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
	// Timeout bounds the sending of one e-mail, at most 30s as all of these. Default: 30s.
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

// MessagesWeb wakes browsers by their own push services (RFC 8030, 8291, 8292).
type MessagesWeb struct {
	// Key is our private key; countersign push-key makes one. COUNTERSIGN_WEB_PUSH_KEY goes before the file. Needed.
	Key string `yaml:"key"`
	// Contact is mailto:ADDRESS or an https URL, for those who run push services. Needed.
	Contact string `yaml:"contact"`
	// Hosts are the push services that are called; *.example.com is one label more. Default: those of Chromium, Firefox, Safari and Edge.
	Hosts []string `yaml:"hosts"`
	// Timeout bounds one request. Default: 10s.
	Timeout time.Duration `yaml:"timeout"`
}

// MessagesFCM wakes apps by Firebase Cloud Messaging.
type MessagesFCM struct {
	// AccountFile is the JSON file of a service account's key; COUNTERSIGN_FCM_ACCOUNT, the JSON itself, goes before it. Needed.
	AccountFile string `yaml:"account_file"`
	account     string
	// URL is another than Google's, for tests. Default: https://fcm.googleapis.com.
	URL string `yaml:"url"`
	// Timeout bounds one request. Default: 10s.
	Timeout time.Duration `yaml:"timeout"`
}

// MessagesAPNs wakes apps by Apple's service.
type MessagesAPNs struct {
	// KeyFile is the .p8 file of a key for token authentication; COUNTERSIGN_APNS_KEY, what the file holds, goes before it. Needed.
	KeyFile string `yaml:"key_file"`
	key     string
	// KeyID and Team are ten letters and digits each, Topic is the app's bundle id. Needed.
	KeyID string `yaml:"key_id"`
	Team  string `yaml:"team"`
	Topic string `yaml:"topic"`
	// URL is https://api.sandbox.push.apple.com for apps under development. Default: https://api.push.apple.com.
	URL string `yaml:"url"`
	// Timeout bounds one request. Default: 10s.
	Timeout time.Duration `yaml:"timeout"`
}

// MessagesSigned tells your own sender of pushes, in requests that are signed as Standard Webhooks are.
type MessagesSigned struct {
	// URL is where it is. Plain http is for loopback alone. Needed.
	URL string `yaml:"url"`
	// Secret is whsec_ and 24 to 64 bytes in base64. COUNTERSIGN_PUSH_SECRET goes before the file. Needed.
	Secret string `yaml:"secret"`
	// Timeout bounds one request. Default: 10s.
	Timeout time.Duration `yaml:"timeout"`
}

// Names of the environment, for the secrets of messages.
const (
	envSMTPPassword = "COUNTERSIGN_SMTP_PASSWORD"
	envSMSSecret    = "COUNTERSIGN_SMS_SECRET"
	envPushSecret   = "COUNTERSIGN_PUSH_SECRET"
	envWebPushKey   = "COUNTERSIGN_WEB_PUSH_KEY"
	envFCMAccount   = "COUNTERSIGN_FCM_ACCOUNT"
	envAPNsKey      = "COUNTERSIGN_APNS_KEY"
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
	if v := lookup(env, envPushSecret); v != "" {
		if m.Push.HTTP != nil {
			m.Push.HTTP.Secret = v
		}
		if m.Push.Signed != nil {
			m.Push.Signed.Secret = v
		}
	}
	if v := lookup(env, envWebPushKey); v != "" && m.Push.Web != nil {
		m.Push.Web.Key = v
	}
	if m.Push.FCM != nil {
		m.Push.FCM.account = lookup(env, envFCMAccount)
	}
	if m.Push.APNs != nil {
		m.Push.APNs.key = lookup(env, envAPNsKey)
	}
}

// notifyPush adds the senders to devices.
func (m Messages) notifyPush(c *notify.Config) (all []problem) {
	secret := func(setting, file, given string) seal.Secret {
		if given != "" || file == "" {
			return seal.NewSecret(given)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			all = append(all, problem{setting, err.Error()})
		}
		return seal.NewSecret(string(data))
	}
	if w := m.Push.Web; w != nil {
		c.Web = &notify.WebPush{Key: seal.NewSecret(w.Key), Contact: w.Contact, Hosts: w.Hosts, Limit: w.Timeout}
	}
	if f := m.Push.FCM; f != nil {
		c.FCM = &notify.FCM{Account: secret("messages.push.fcm.account_file", f.AccountFile, f.account), URL: f.URL, Limit: f.Timeout}
	}
	if a := m.Push.APNs; a != nil {
		key := secret("messages.push.apns.key_file", a.KeyFile, a.key)
		c.APNs = &notify.APNs{Key: key, KeyID: a.KeyID, Team: a.Team, Topic: a.Topic, URL: a.URL, Limit: a.Timeout}
	}
	if s := m.Push.Signed; s != nil {
		c.Signed = &notify.Signed{URL: s.URL, Secret: seal.NewSecret(s.Secret), Limit: s.Timeout}
	}
	return all
}

// notify returns the configuration of the senders, and what keeps it from being made.
func (m Messages) notify() (notify.Config, []problem) {
	var all []problem
	c := notify.Config{From: m.From, SMS: m.SMS.HTTP.notify(), Push: m.Push.HTTP.notify()}
	all = append(all, m.notifyPush(&c)...)
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

type pushKeyCommand struct{}

// Run prints a new pair. Nothing is kept: the private half is for the configuration, and the public half follows from it.
func (pushKeyCommand) Run(w *world) error {
	private, err := notify.NewWebPushKey()
	if err != nil {
		return err
	}
	public, err := notify.WebPushPublic(private)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.stdout, "private  %s\npublic   %s\n\nmessages.push.web.key, or %s, takes the private half. Whoever has it can speak for you at\n"+
		"push services; a new one silences every browser that has subscribed.\n", private.Reveal(), public, envWebPushKey)
	return err
}
