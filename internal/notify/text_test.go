package notify_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
	"countersign/internal/notify"
)

var update = flag.Bool("update", false, "write the golden files")

func templates() []auth.Template {
	return []auth.Template{
		auth.TemplateStepUp, auth.TemplateBind, auth.TemplateConfirm, auth.TemplateRecovery, auth.TemplateVerifyEmail, auth.TemplateInvite,
		auth.TemplateLogin, auth.TemplateLoginLink, auth.TemplatePasswordChanged, auth.TemplateEmailChanged, auth.TemplatePhoneChanged,
		auth.TemplateBound, auth.TemplateUnbound,
	}
}

func kinds() []auth.ParcelKind {
	return []auth.ParcelKind{auth.ParcelSMS, auth.ParcelEmail, auth.ParcelPush}
}

// message has everything that a message can have, whatever its template.
func message(kind auth.ParcelKind, template auth.Template) auth.Message {
	return auth.Message{
		Kind: kind, Template: template, To: "+35699111111", Service: "Demo programme", Name: "Ada", Code: "402917",
		Link: "https://app.example.com/set-password/402917/ada@example.com", Challenge: "chal-1", Channel: auth.ChannelBiometric,
		Approve: []string{"EUR 250.00 to Babbage Ltd", "MT84MALT011000012345MTLCAST001S"}, Digest: "9f86d081",
		ExpiresAt: time.Date(2026, 3, 1, 14, 5, 30, 0, time.FixedZone("", 3600)),
	}
}

// TestTexts: the words of each message in each language are what somebody has read and found good.
func TestTexts(t *testing.T) {
	t.Parallel()
	for _, locale := range []string{"en", "de", "fr"} {
		t.Run(locale, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			for _, template := range templates() {
				for _, kind := range kinds() {
					m := message(kind, template)
					m.Locale = locale
					subject, body := notify.Text(m)
					b.WriteString("== " + string(template) + " " + string(kind) + "\n")
					if subject != "" {
						b.WriteString("[" + subject + "]\n")
					}
					b.WriteString(strings.TrimSuffix(body, "\n") + "\n")
				}
			}
			golden := filepath.Join("testdata", locale+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// gsm are the characters of the basic alphabet of SMS (3GPP TS 23.038 §6.2.1); of a text with any other, only 70 fit into one.
const gsm = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"

// TestSMSFitsIntoOne, starts with its code, names the service, and for a payment amount and payee, and has no link.
func TestSMSFitsIntoOne(t *testing.T) {
	t.Parallel()
	for _, locale := range []string{"en", "de", "fr"} {
		for _, template := range templates() {
			m := message(auth.ParcelSMS, template)
			m.Locale = locale
			_, text := notify.Text(m)
			if got := len([]rune(text)); got > 160 {
				t.Errorf("%s %s: got %d characters, want at most 160: %s", locale, template, got, text)
			}
			if at := strings.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune(gsm, r) }); at >= 0 {
				t.Errorf("%s %s: %q is not in the alphabet of SMS", locale, template, text[at:])
			}
			if strings.Contains(text, "://") || !strings.Contains(text, m.Service) || strings.Contains(text, m.Name) {
				t.Errorf("%s %s: got %q, want the service and no link", locale, template, text)
			}
			if strings.Contains(text, m.Code) && !strings.HasPrefix(text, m.Code) {
				t.Errorf("%s %s: got %q, want the code first", locale, template, text)
			}
			for _, line := range append(m.Approve, m.Digest) {
				if template == auth.TemplateConfirm && !strings.Contains(text, line) {
					t.Errorf("%s: got %q, want %q in it", locale, text, line)
				}
			}
		}
	}
}

// TestNoticesAndPushesHaveNoSecret: A-014, and what stands on a locked screen.
func TestNoticesAndPushesHaveNoSecret(t *testing.T) {
	t.Parallel()
	for _, template := range templates() {
		for _, kind := range kinds() {
			m := message(kind, template)
			subject, body := notify.Text(m)
			secret := strings.Contains(body, m.Code) || strings.Contains(body, m.Link)
			notice := template == auth.TemplatePasswordChanged || template == auth.TemplateEmailChanged || template == auth.TemplatePhoneChanged ||
				template == auth.TemplateBound || template == auth.TemplateUnbound
			notice = notice || template == auth.TemplateLoginLink && kind == auth.ParcelSMS // an SMS has no link
			if want := kind != auth.ParcelPush && !notice; secret != want {
				t.Errorf("%s %s: got a secret %t, want %t: %s", template, kind, secret, want, body)
			}
			if strings.Contains(subject, m.Code) || strings.Contains(subject, m.Link) {
				t.Errorf("%s %s: a secret is in the subject %q", template, kind, subject)
			}
			for _, line := range m.Approve {
				if kind == auth.ParcelPush && strings.Contains(body, line) {
					t.Errorf("%s: got %q in a push", template, line)
				}
			}
		}
	}
}

func TestLanguageFallsBack(t *testing.T) {
	t.Parallel()
	for locale, want := range map[string]string{
		"": " is your ", "en": " is your ", "xx": " is your ", "de": " ist Ihr ", "de-AT": " ist Ihr ", "fr-CH": " est votre ", "../de": " is your ",
	} {
		m := message(auth.ParcelSMS, auth.TemplateStepUp)
		m.Locale, m.Brand = locale, "nobody"
		if _, got := notify.Text(m); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q in it", locale, got, want)
		}
	}
}

func TestTextsOfAnOperatorGoFirst(t *testing.T) {
	t.Parallel()
	texts, err := notify.ReadTexts(fstest.MapFS{
		"en.yaml":         {Data: []byte("messages: {step_up: {sms: '{{.Code}} for {{.Service}}'}}\nfarewell: 'Yours, {{.Service}}'\n")},
		"it.yaml":         {Data: []byte("messages: {step_up: {sms: '{{.Code}}: codice {{.Service}}'}}\n")},
		"Acme/en.yaml":    {Data: []byte("messages: {step_up: {sms: '{{.Code}} by Acme for {{.Service}}'}}\n")},
		"Acme/fr-CH.yaml": {Data: []byte("messages: {step_up: {sms: '{{.Code}} Acme {{.Service}}'}}\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ locale, brand, want string }{
		{"en", "", "402917 for Demo programme"},
		{"en", "Acme", "402917 by Acme for Demo programme"},
		{"it-IT", "", "402917: codice Demo programme"},
		{"it", "Acme", "402917: codice Demo programme"}, // the language goes before the brand
		{"fr-CH", "Acme", "402917 Acme Demo programme"},
		{"fr", "Acme", "402917 est votre code Demo programme. Ne le donnez à personne."},
		{"", "Acme", "402917 by Acme for Demo programme"},
	} {
		m := message(auth.ParcelSMS, auth.TemplateStepUp)
		m.Locale, m.Brand = c.locale, c.brand
		if _, got := texts.Text(m); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.locale, c.brand, got, c.want)
		}
	}
	if _, got := texts.Text(message(auth.ParcelEmail, auth.TemplatePasswordChanged)); !strings.HasSuffix(got, "\n\nYours, Demo programme\n") {
		t.Errorf("got %q, want the farewell", got)
	}
	if _, got := texts.Text(message(auth.ParcelSMS, auth.TemplateBind)); !strings.Contains(got, "to confirm this phone number") {
		t.Errorf("got %q, want the built-in words of what the file has not", got)
	}
}

func TestBadTextsAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, file, data, want string }{
		{"unknown key", "en.yaml", "mesages: {}\n", "line 1: field mesages"},
		{"unknown message", "en.yaml", "messages: {stepup: {sms: x}}\n", `"stepup" is no message`},
		{"unknown channel", "en.yaml", "channels: {FAX: x}\n", `"FAX" is no channel`},
		{"second document", "en.yaml", "greeting: hi\n---\n", "second document"},
		{"no template", "en.yaml", "greeting: '{{.Name'\n", "greeting: "},
		{"link in an SMS", "en.yaml", "messages: {forgot_password: {sms: '{{.Code}} {{.Service}} {{.Link}}'}}\n", "Link cannot be said here"},
		{"address in an SMS", "en.yaml", "messages: {login: {sms: '{{.Code}} {{.Service}} https://x.example'}}\n", "has a link"},
		{"www in an SMS", "en.yaml", "messages: {bound: {sms: '{{.Service}} WWW.x.example'}}\n", "has a link"},
		{"no service", "en.yaml", "messages: {step_up: {sms: '{{.Code}}'}}\n", "does not say"},
		{"no code", "en.yaml", "messages: {step_up: {email: {body: 'hello'}}}\n", "does not say"},
		{"no payee", "en.yaml", "messages: {confirm: {sms: '{{.Code}} {{.Service}} {{.Digest}}'}}\n", "does not say"},
		{"no digest", "en.yaml", "messages: {confirm: {email: {body: '{{.Code}} {{range .Approve}}{{.}} {{end}}'}}}\n", "does not say"},
		{"code in a notice", "en.yaml", "messages: {bound: {email: {body: '{{.Code}}'}}}\n", "Code cannot be said here"},
		{"code in a subject", "en.yaml", "messages: {step_up: {email: {subject: '{{.Code}}'}}}\n", "Code cannot be said here"},
		{"code in a push", "en.yaml", "messages: {step_up: {push: {body: '{{.Code}}'}}}\n", "Code cannot be said here"},
		{"hidden in a branch", "en.yaml", "messages: {step_up: {push: {body: '{{if not .Service}}{{.Code}}{{end}}'}}}\n", "Code cannot be said here"},
		{"no locale", "english.yaml", "", "is no file of words"},
		{"not YAML", "en.txt", "", "is no file of words"},
		{"no brand", "a_b/en.yaml", "", "is no brand"},
		{"folder in a brand", "Acme/x/en.yaml", "", "is no file of words"},
		{"too large", "en.yaml", strings.Repeat("#", 1<<20+1), "is larger than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := notify.ReadTexts(fstest.MapFS{c.file: {Data: []byte(c.data)}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

// TestNamesCarryNothingAlong: what others have chosen stays on its line and brings no address of the web.
func TestNamesCarryNothingAlong(t *testing.T) { // B-64
	t.Parallel()
	for name, want := range map[string]string{
		"Ada": "Hello Ada,", "Ada\r\nBcc: x@example.com": "Hello,", "J.R.": "Hello J.R.,", "evil.com": "Hello,", "a.evil.com": "Hello,",
		"www.evil.c": "Hello,", "https://evil": "Hello,", "": "Hello,", strings.Repeat("a", 41): "Hello,", "A\u202eda\x00": "Hello Ada,",
	} {
		m := message(auth.ParcelEmail, auth.TemplatePasswordChanged)
		m.Name = name
		_, body := notify.Text(m)
		if got, _, _ := strings.Cut(body, "\n"); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	m := message(auth.ParcelEmail, auth.TemplateStepUp)
	m.Service = "Demo\r\nBcc: x@example.com"
	if got, _ := notify.Text(m); got != "Your Demo Bcc: x@example.com code" {
		t.Errorf("got %q, want one line", got)
	}
	m = message(auth.ParcelSMS, auth.TemplateConfirm)
	m.Approve = []string{"EUR 1.00 to https://evil.example\nEUR 2.00 to Ada"}
	if _, got := notify.Text(m); strings.Contains(got, "://") || !strings.Contains(got, "EUR 1.00 to https evil.example EUR 2.00 to Ada\n") {
		t.Errorf("got %q, want one line without a link", got)
	}
}
