// Package notify brings messages to people: SMS over a gateway that speaks HTTP or over Twilio, e-mail over SMTP, pushes over a gateway.
//
// It has the words of every message, in several languages, and the ways to send them. It decides nothing: what is sent to whom is a
// parcel of the outbox, written in the transaction of its cause, and whether and when it is tried again is the worker's affair. Here one
// try is made, and what became of it is told apart: taken, refused for good, or worth another try.
//
// Every connection that leaves the machine is TLS with a verified certificate. No error, and so no log, holds a receiver, a text or a
// secret.
package notify

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"countersign/internal/auth"
)

// Config says how messages are sent. The names of settings in its problems are those of `messages` in the configuration file.
type Config struct {
	From   string   // sender of e-mails: an address, or "Name <address>". Without a name the tenant's is shown
	SMTP   *SMTP    // nil: no e-mail
	SMS    *HTTP    // nil: Twilio, or no SMS
	Twilio *Twilio  // nil: SMS, or no SMS
	Push   *HTTP    // pushes to users: whoever is behind the gateway knows their devices. nil: none
	Web    *WebPush // pushes to devices, each by its own service. nil: none
	FCM    *FCM
	APNs   *APNs
	Signed *Signed        // pushes to all devices whose service has no sender here. nil: none
	Texts  *Texts         // nil: the built-in words
	Roots  *x509.CertPool // whose certificates are trusted; nil: the system's
	Now    func() time.Time
}

// Problem is a setting that keeps a [Sender] from being made.
type Problem struct {
	Setting string // below messages, as smtp.host
	Reason  string // without any secret
}

// Error implements error.
func (p Problem) Error() string { return "messages." + p.Setting + ": " + p.Reason }

// Problems judges the configuration.
func (c Config) Problems() []Problem {
	var all []Problem
	add := func(setting, format string, args ...any) {
		all = append(all, Problem{setting, fmt.Sprintf(format, args...)})
	}
	if c.SMTP != nil {
		if c.From == "" {
			add("from", "missing; the address that e-mails come from")
		} else if _, err := parseFrom(c.From); err != nil {
			add("from", "%v", err)
		}
		c.SMTP.problems(add)
	}
	if c.SMS != nil && c.Twilio != nil {
		add("sms", "has http and twilio; one of them is allowed")
	}
	if c.SMS != nil {
		c.SMS.problems("sms.http", add)
	}
	if c.Twilio != nil {
		c.Twilio.problems(add)
	}
	if c.Push != nil {
		c.Push.problems("push.http", add)
	}
	if c.Web != nil {
		c.Web.problems(add)
	}
	if c.FCM != nil {
		c.FCM.problems(add)
	}
	if c.APNs != nil {
		c.APNs.problems(add)
	}
	if c.Signed != nil {
		c.Signed.problems(add)
	}
	return all
}

// LongestTry bounds what a setting may allow one try: no more is left to it by those who call Carry.
const LongestTry = 30 * time.Second

// limitProblem judges how long one exchange may take.
func limitProblem(setting string, limit time.Duration, add func(setting, format string, args ...any)) {
	switch {
	case limit < 0:
		add(setting, "is negative")
	case limit > LongestTry:
		add(setting, "is beyond %s, in which every try ends", LongestTry)
	}
}

// carrier makes one try with a message whose words are made.
type carrier interface {
	carry(ctx context.Context, l letter) error
}

// letter is a message that is ready to go.
type letter struct {
	id            auth.ParcelID
	tenant        auth.TenantID
	message       auth.Message
	subject, text string
}

// Sender carries messages. It is safe for use by many goroutines.
type Sender struct {
	texts            *Texts
	sms, email, push carrier // nil: none
	devices          map[auth.PushService]carrier
	others           carrier // of devices whose service is not among them; nil: none
}

// New returns a Sender, or every [Problem] joined.
func New(c Config) (*Sender, error) {
	var problems []error
	for _, p := range c.Problems() {
		problems = append(problems, p)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Sender{texts: c.Texts, devices: map[auth.PushService]carrier{}}
	if s.texts == nil {
		s.texts = builtIn()
	}
	switch {
	case c.SMS != nil:
		s.sms = newGateway("sms", *c.SMS, c)
	case c.Twilio != nil:
		s.sms = newTwilio(*c.Twilio, c)
	}
	if c.SMTP != nil {
		s.email = newMailer(*c.SMTP, c)
	}
	if c.Push != nil {
		s.push = newGateway("push", *c.Push, c)
	}
	if c.Web != nil {
		s.devices[auth.PushWeb] = newWebPusher(*c.Web, c)
	}
	if c.FCM != nil {
		s.devices[auth.PushFCM] = newFCM(*c.FCM, c)
	}
	if c.APNs != nil {
		s.devices[auth.PushAPNs] = newAPNs(*c.APNs, c)
	}
	if c.Signed != nil {
		s.others = newSigned(*c.Signed, c)
	}
	return s, nil
}

// Carries reports whether messages of a kind can be sent at all.
func (s *Sender) Carries(kind auth.ParcelKind) bool {
	c, _ := s.carrierOf(auth.Message{Kind: kind})
	return c != nil || kind == auth.ParcelWake && (len(s.devices) > 0 || s.others != nil)
}

func (s *Sender) carrierOf(m auth.Message) (c carrier, setting string) {
	switch {
	case m.Kind == auth.ParcelSMS:
		return s.sms, "messages.sms"
	case m.Kind == auth.ParcelEmail:
		return s.email, "messages.smtp"
	case m.Kind == auth.ParcelPush:
		return s.push, "messages.push.http"
	case m.Kind == auth.ParcelWake:
		if c := s.devices[m.Push.Service]; c != nil {
			return c, ""
		}
		return s.others, "messages.push for devices of the service " + string(m.Push.Service)
	}
	return nil, ""
}

// Carry makes one try to bring a message to its receiver. id is the same on every try, and goes along, so that a receiver can tell that it
// has the message already. A nil error means that the next hop took it, no more. Every other error is an [*Error]: one that is permanent is
// not worth another try. Text, code and receiver are the same on each try (security A-063).
func (s *Sender) Carry(ctx context.Context, id auth.ParcelID, tenant auth.TenantID, m auth.Message) error {
	c, setting := s.carrierOf(m)
	switch {
	case c == nil && setting == "":
		return permanent("no sender carries messages of kind %q", m.Kind)
	case c == nil:
		return permanent("%s: not configured, so that no such message can be sent", setting)
	case m.Kind != auth.ParcelPush && m.Kind != auth.ParcelWake && isCoded(m.Template) && m.Code == "":
		return permanent("the message %q has no code", m.Template)
	}
	subject, text := s.texts.Text(m)
	if text == "" {
		return permanent("there are no words for the message %q", m.Template)
	}
	return c.carry(ctx, letter{id, tenant, m, subject, text})
}
