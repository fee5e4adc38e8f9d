package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"countersign/internal/seal"
)

// Twilio sends SMS over Twilio's Messages API (https://www.twilio.com/docs/messaging/api/message-resource).
type Twilio struct {
	Account string        // SID of the account: AC and 32 hex digits
	Key     string        // SID of an API key; empty: the account itself
	Secret  seal.Secret   // of the key, or the auth token of the account
	From    string        // number in E.164, or alphanumeric sender; or
	Service string        // SID of a Messaging Service: MG and 32 hex digits
	URL     string        // of the API, for a region; https://api.twilio.com if empty
	Limit   time.Duration // of one exchange; zero: 10 s
}

const twilioURL = "https://api.twilio.com"

type twilio struct {
	*client
	config Twilio
}

func newTwilio(t Twilio, c Config) *twilio {
	if t.URL == "" {
		t.URL = twilioURL
	}
	return &twilio{client: newClient("sms", t.Limit, c), config: t}
}

func (t *twilio) carry(ctx context.Context, l letter) error {
	if !isNumber(l.message.To) {
		return permanent("%s: the receiver's number is not in the form of E.164", t.what)
	}
	form := url.Values{"To": {l.message.To}, "Body": {l.text}}
	if t.config.Service != "" {
		form.Set("MessagingServiceSid", t.config.Service)
	} else {
		form.Set("From", t.config.From)
	}
	target := strings.TrimSuffix(t.config.URL, "/") + "/2010-04-01/Accounts/" + t.config.Account + "/Messages.json"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		return permanent("%s: the URL cannot be made", t.what)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", "Countersign")
	user := t.config.Key
	if user == "" {
		user = t.config.Account
	}
	req.SetBasicAuth(user, t.config.Secret.Reveal())
	a, err := t.exchange(ctx, req)
	if err != nil {
		return err
	}
	if a.status/100 == 2 {
		return nil
	}
	return t.judge(a)
}

// judge reads Twilio's own code beside the status (https://www.twilio.com/docs/api/errors), which tells more.
func (t *twilio) judge(a answer) error {
	e := t.refusal(a)
	var said struct {
		Code int `json:"code"`
	}
	if json.Unmarshal(a.body, &said) != nil || said.Code == 0 {
		return e // the status must do
	}
	e.text = fmt.Sprintf("%s: Twilio answered %d, code %d", t.what, a.status, said.Code)
	switch said.Code {
	case 21211, 21214, 21217, // no valid number
		21408,                      // no permission for its region
		21610,                      // it has unsubscribed
		21612, 21614, 21635, 30006, // no way to it: not mobile, a landline
		21602, 21617: // text is empty or too long
		e.permanent, e.after = true, 0
	case 14107, 20429, 21611, 30001, 30022, 63038, // too many at the moment
		20003, 20005, 30002: // our credentials or our account, which somebody can mend
		e.permanent, e.after = false, retryAfter(a.header.Get("Retry-After"), t.now())
	}
	return e
}

func (t Twilio) problems(add func(setting, format string, args ...any)) {
	sid := func(setting, value, kind string) {
		if !regexp.MustCompile(`^` + kind + `[0-9a-fA-F]{32}$`).MatchString(value) {
			add("sms.twilio."+setting, "want %s and 32 hex digits", kind)
		}
	}
	sid("account", t.Account, "AC")
	if t.Key != "" {
		sid("key", t.Key, "SK")
	}
	if t.Secret.IsZero() {
		add("sms.twilio.secret", "missing; the auth token, or the secret of the key")
	}
	switch {
	case (t.From == "") == (t.Service == ""):
		add("sms.twilio", "want from or service")
	case t.Service != "":
		sid("service", t.Service, "MG")
	case !isNumber(t.From) && !isSenderName(t.From):
		add("sms.twilio.from", "want a number in E.164, or an alphanumeric sender of at most 11 characters")
	}
	limitProblem("sms.twilio.timeout", t.Limit, add)
	if t.URL != "" {
		if reason := problemOf(t.URL); reason != "" {
			add("sms.twilio.url", "%s", reason)
		} else if strings.Contains(t.URL, "?") {
			add("sms.twilio.url", "has a query")
		}
	}
}

func isSenderName(s string) bool {
	return regexp.MustCompile(`^[A-Za-z0-9 ]{1,11}$`).MatchString(s)
}
