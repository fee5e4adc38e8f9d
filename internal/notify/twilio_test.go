package notify_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"countersign/internal/notify"
	"countersign/internal/seal"
)

func account() string { return "AC" + strings.Repeat("0a", 16) }

func twilioConfig(url string) notify.Config {
	return notify.Config{Twilio: &notify.Twilio{Account: account(), Secret: seal.NewSecret("s3cr3t"), From: "+35699000000", URL: url}}
}

func TestTwilioArrives(t *testing.T) {
	t.Parallel()
	g := &gateway{answer: status(201)}
	plain := twilioConfig(g.serve(t))
	service := twilioConfig(plain.Twilio.URL + "/")
	service.Twilio.From, service.Twilio.Service, service.Twilio.Key = "", "MG"+strings.Repeat("0b", 16), "SK"+strings.Repeat("0C", 16)
	_, text := notify.Text(sms())
	for i, c := range []struct {
		config   notify.Config
		username string
		form     url.Values
	}{
		{plain, account(), url.Values{"To": {"+35699111111"}, "From": {"+35699000000"}, "Body": {text}}},
		{service, service.Twilio.Key, url.Values{"To": {"+35699111111"}, "MessagingServiceSid": {service.Twilio.Service}, "Body": {text}}},
	} {
		if err := sender(t, c.config).Carry(t.Context(), "p", "demo", sms()); err != nil {
			t.Fatal(err)
		}
		got := g.calls[i]
		if got.uri != "/2010-04-01/Accounts/"+account()+"/Messages.json" || got.body != c.form.Encode() ||
			got.header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			t.Errorf("got %s %s, want %s", got.uri, got.body, c.form.Encode())
		}
		if got.username != c.username || got.secret != "s3cr3t" {
			t.Errorf("got %q and %q, want %q", got.username, got.secret, c.username)
		}
	}
}

func TestAnswersOfTwilio(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status    int
		body      string
		permanent bool
		text      string
		wait      time.Duration
	}{
		{400, `{"code":21211,"message":"The 'To' number +35699111111 is not valid","status":400}`, true, "Twilio answered 400, code 21211", 0},
		{400, `{"code":21610}`, true, "code 21610", 0},
		{400, `{"code":21614}`, true, "code 21614", 0},
		{400, `{"code":21408}`, true, "code 21408", 0},
		{400, `{"code":21606}`, true, "code 21606", 0}, // not in our list: the status says it
		{400, `{"code":21611}`, false, "code 21611", 7 * time.Second},
		{429, `{"code":20429}`, false, "code 20429", 7 * time.Second},
		{429, `{"code":21610}`, true, "code 21610", 0},
		{401, `{"code":20003,"message":"Authenticate s3cr3t"}`, false, "Twilio answered 401, code 20003", 7 * time.Second},
		{403, `{"code":20005}`, false, "code 20005", 7 * time.Second},
		{500, `{"code":20500}`, false, "code 20500", 7 * time.Second},
		{503, "<html>+35699111111</html>", false, "the gateway answered 503", 7 * time.Second},
		{400, `{"code":"21211"}`, true, "the gateway answered 400", 0},
		{400, `{"pad":"` + strings.Repeat("x", 70<<10) + `","code":21611}`, true, "the gateway answered 400", 0}, // past what is read
		{302, "", false, "the gateway answered 302", 7 * time.Second},
	} {
		g := &gateway{answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}}
		err := sender(t, twilioConfig(g.serve(t))).Carry(t.Context(), "p", "demo", sms())
		want{c.permanent, c.text}.check(t, err)
		var e *notify.Error
		if errors.As(err, &e) && e.RetryAfter() != c.wait {
			t.Errorf("%s: got %v, want %v", c.text, e.RetryAfter(), c.wait)
		}
		if len(g.calls) != 1 {
			t.Errorf("%s: got %d calls, want 1", c.text, len(g.calls))
		}
	}
	m := sms()
	m.To = "99111111"
	want{true, "not in the form of E.164"}.check(t, sender(t, twilioConfig("")).Carry(t.Context(), "p", "demo", m))
}
