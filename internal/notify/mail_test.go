package notify_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/emersion/go-smtp"

	"countersign/internal/auth"
	"countersign/internal/notify"
)

// opened is an e-mail as its receiver reads it.
type opened struct {
	header mail.Header
	body   string
}

func open(t *testing.T, data string) opened {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(iotest.OneByteReader(m.Body)))
	if err != nil {
		t.Fatal(err)
	}
	return opened{m.Header, strings.ReplaceAll(string(body), "\r\n", "\n")}
}

func TestEmailArrives(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		mode       string
		mechanisms []string
		want       string
	}{
		{"STARTTLS and PLAIN", "starttls", []string{"PLAIN", "LOGIN"}, "PLAIN countersign correct-horse"},
		{"by default", "", []string{"PLAIN"}, "PLAIN countersign correct-horse"},
		{"implicit TLS and LOGIN", "implicit", []string{"LOGIN"}, "LOGIN countersign correct-horse"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			p := &post{mechanisms: c.mechanisms}
			port := p.serve(t, a.server(t, "127.0.0.1"), c.mode == "implicit", false)
			s := sender(t, mailConfig(port, c.mode, a.roots()))
			m := email("ada@example.com")
			if err := s.Carry(t.Context(), "parcel-1", "demo", m); err != nil {
				t.Fatal(err)
			}
			letters := p.letters()
			if len(letters) != 1 || letters[0].from != "no-reply@example.com" || letters[0].to != "ada@example.com" || letters[0].options.UTF8 {
				t.Fatalf("got %+v, want one letter", letters)
			}
			if len(p.passwords) != 1 || p.passwords[0] != c.want {
				t.Errorf("got %q, want %q", p.passwords, c.want)
			}
			got := open(t, letters[0].data)
			subject, body := notify.Text(m)
			if got.body != body {
				t.Errorf("got body %q, want %q", got.body, body)
			}
			for name, want := range map[string]string{
				"Subject": subject, "From": `"Demo programme" <no-reply@example.com>`, "To": "<ada@example.com>",
				"Message-Id": "<parcel-1@example.com>", "Date": "Fri, 15 Jan 2027 08:00:00 +0000", "Auto-Submitted": "auto-generated",
				"Content-Type": "text/plain; charset=utf-8", "Mime-Version": "1.0",
			} {
				if got := got.header.Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
		})
	}
}

// TestEmailWithoutTLS is for a relay on loopback, and gives no password away.
func TestEmailWithoutTLS(t *testing.T) {
	t.Parallel()
	p := &post{}
	c := mailConfig(p.serve(t, nil, false, false), "none", nil)
	c.SMTP.Username, c.SMTP.Password = "", notify.SMTP{}.Password
	if err := sender(t, c).Carry(t.Context(), "p", "demo", email("ada@example.com")); err != nil {
		t.Fatal(err)
	}
	if got := len(p.letters()); got != 1 {
		t.Errorf("got %d letters, want 1", got)
	}
}

// TestDuplicatesCanBeTold: the second delivery of a parcel has the Message-ID of the first, another parcel another one.
func TestDuplicatesCanBeTold(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	p := &post{mechanisms: []string{"PLAIN"}}
	s := sender(t, mailConfig(p.serve(t, a.server(t, "127.0.0.1"), false, false), "", a.roots()))
	for _, id := range []auth.ParcelID{"one", "one", "two", "a b>\r\nX: y", "a b>\r\nX: y"} {
		if err := s.Carry(t.Context(), id, "demo", email("ada@example.com")); err != nil {
			t.Fatal(err)
		}
	}
	var ids []string
	for _, l := range p.letters() {
		ids = append(ids, open(t, l.data).header.Get("Message-Id"))
	}
	if len(ids) != 5 || ids[0] != ids[1] || ids[1] == ids[2] || ids[3] != ids[4] || strings.ContainsAny(ids[3], " \r\n") {
		t.Errorf("got %q, want the same for the same parcel", ids)
	}
}

func TestRefusedEmail(t *testing.T) {
	t.Parallel()
	said := func(code int, enhanced smtp.EnhancedCode) error {
		return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: "no mail for ada@example.com with 402917"}
	}
	for _, c := range []struct {
		name string
		post *post
		want want
	}{
		{"AUTH refused", &post{authErr: said(535, smtp.EnhancedCode{5, 7, 8})}, want{false, "smtp: AUTH: the server answered 535 5.7.8"}},
		{"sender refused", &post{mailErr: said(550, smtp.EnhancedCode{5, 7, 1})}, want{false, "smtp: MAIL: the server answered 550 5.7.1"}},
		{"receiver unknown", &post{rcptErr: said(550, smtp.EnhancedCode{5, 1, 1})}, want{true, "smtp: RCPT: the server answered 550 5.1.1"}},
		{"greylisted", &post{rcptErr: said(451, smtp.EnhancedCode{4, 7, 1})}, want{false, "smtp: RCPT: the server answered 451 4.7.1"}},
		{"mailbox full", &post{dataErr: said(452, smtp.EnhancedCode{4, 2, 2})}, want{false, "smtp: DATA: the server answered 452 4.2.2"}},
		{"content refused", &post{dataErr: said(554, smtp.EnhancedCode{5, 6, 0})}, want{true, "smtp: DATA: the server answered 554 5.6.0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			c.post.mechanisms = []string{"PLAIN"}
			s := sender(t, mailConfig(c.post.serve(t, a.server(t, "127.0.0.1"), false, false), "", a.roots()))
			c.want.check(t, s.Carry(t.Context(), "p", "demo", email("ada@example.com")))
		})
	}
}

// TestNothingIsSaidWithoutTrust: with no TLS, or a certificate that is another's or untrusted, no password and no message goes out.
func TestNothingIsSaidWithoutTrust(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for _, c := range []struct {
		name     string
		secured  *tls.Config
		implicit bool
		want     string
	}{
		{"no STARTTLS", nil, false, "the server offers no STARTTLS"},
		{"another's", a.server(t, "mail.example.org"), false, "the server's certificate is not trusted"},
		{"untrusted", newAuthority(t).server(t, "127.0.0.1"), false, "the server's certificate is not trusted"},
		{"another's, implicit", a.server(t, "mail.example.org"), true, "the server's certificate is not trusted"},
		{"untrusted, implicit", newAuthority(t).server(t, "127.0.0.1"), true, "the server's certificate is not trusted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := &post{mechanisms: []string{"PLAIN"}}
			mode := map[bool]string{true: "implicit", false: "starttls"}[c.implicit]
			s := sender(t, mailConfig(p.serve(t, c.secured, c.implicit, false), mode, a.roots()))
			want{false, c.want}.check(t, s.Carry(t.Context(), "p", "demo", email("ada@example.com")))
			if len(p.letters()) != 0 || len(p.passwords) != 0 {
				t.Errorf("got %v and %q, want nothing", p.letters(), p.passwords)
			}
		})
	}
	t.Run("plain where TLS is meant", func(t *testing.T) {
		t.Parallel()
		s := sender(t, mailConfig((&post{}).serve(t, nil, false, false), "implicit", a.roots()))
		want{false, "smtp: connect: TLS failed"}.check(t, s.Carry(t.Context(), "p", "demo", email("ada@example.com")))
	})
	t.Run("no AUTH", func(t *testing.T) {
		t.Parallel()
		p := &post{mechanisms: []string{"CRAM-MD5"}}
		s := sender(t, mailConfig(p.serve(t, a.server(t, "127.0.0.1"), false, false), "", a.roots()))
		want{false, "offers neither PLAIN nor LOGIN"}.check(t, s.Carry(t.Context(), "p", "demo", email("ada@example.com")))
	})
}

// relay answers as a server without TLS would, but for one command.
func relay(instead map[string]string) func(line string) string {
	data := false
	return func(line string) string {
		command, _, _ := strings.Cut(line, " ")
		if data && line == "." {
			command, data = "end of DATA", false
		}
		if data {
			return ""
		}
		if said, ok := instead[command]; ok {
			return said
		}
		if command == "DATA" {
			data = true
			return "354 go on\r\n"
		}
		return "250 fine\r\n"
	}
}

func TestBrokenEmail(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, greeting string
		instead        map[string]string
		want           want
	}{
		{"cut after DATA", "220 hello\r\n", map[string]string{"end of DATA": "cut"}, want{false, "smtp: DATA: the connection broke"}},
		{"cut at RCPT", "220 hello\r\n", map[string]string{"RCPT": "cut"}, want{false, "smtp: RCPT: the connection broke"}},
		{"no greeting", "554 go away ada@example.com\r\n", nil, want{false, "the server answered 554"}},
		{"no SMTP", "HTTP/1.1 400 Bad Request\r\n\r\n", nil, want{false, "the connection broke"}},
		{"closing", "220 hello\r\n", map[string]string{"MAIL": "421 4.3.2 closing\r\n"}, want{false, "smtp: MAIL: the server answered 421 4.3.2"}},
		{"DATA refused", "220 hello\r\n", map[string]string{"DATA": "503 no\r\n"}, want{true, "smtp: DATA: the server answered 503"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config := mailConfig(lines(t, c.greeting, relay(c.instead)), "none", nil)
			config.SMTP.Username, config.SMTP.Password = "", notify.SMTP{}.Password
			c.want.check(t, sender(t, config).Carry(t.Context(), "p", "demo", email("ada@example.com")))
		})
	}
	t.Run("QUIT refused", func(t *testing.T) {
		t.Parallel()
		config := mailConfig(lines(t, "220 hello\r\n", relay(map[string]string{"QUIT": "cut"})), "none", nil)
		config.SMTP.Username, config.SMTP.Password = "", notify.SMTP{}.Password
		if err := sender(t, config).Carry(t.Context(), "p", "demo", email("ada@example.com")); err != nil {
			t.Errorf("got %v, want none: the server has the message", err)
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		l := listen(t)
		port := portOf(l)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		s := sender(t, mailConfig(port, "", nil))
		want{false, "smtp: connect: cannot connect"}.check(t, s.Carry(t.Context(), "p", "demo", email("ada@example.com")))
	})
}

// TestSlowEmailEndsWithItsContext: whatever the server leaves unanswered.
func TestSlowEmailEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for _, silent := range []string{"greeting", "EHLO", "MAIL", "end of DATA"} {
		t.Run(silent, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			answer := relay(nil)
			greeting := "220 hello\r\n"
			if silent == "greeting" {
				greeting = ""
				cancel()
			}
			body := false
			port := lines(t, greeting, func(line string) string {
				if strings.HasPrefix(line, silent) || silent == "end of DATA" && body && line == "." {
					cancel()
					return ""
				}
				body = body || line == "DATA"
				return answer(line)
			})
			config := mailConfig(port, "none", nil)
			config.SMTP.Username, config.SMTP.Password = "", notify.SMTP{}.Password
			err := sender(t, config).Carry(ctx, "p", "demo", email("ada@example.com"))
			want{false, "context canceled"}.check(t, err)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want the context's end in it", err)
			}
		})
	}
	t.Run("own limit", func(t *testing.T) {
		t.Parallel()
		config := mailConfig(lines(t, "220 hello\r\n", func(string) string { return "" }), "none", nil)
		config.SMTP.Username, config.SMTP.Password, config.SMTP.Limit = "", notify.SMTP{}.Password, 1e7
		err := sender(t, config).Carry(t.Context(), "p", "demo", email("ada@example.com"))
		want{false, ": timed out"}.check(t, err) // on a slow machine before EHLO is said
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want it to be no end of the caller's", err)
		}
	})
}

func TestAddressesBeyondASCII(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	able, unable := &post{mechanisms: []string{"PLAIN"}}, &post{mechanisms: []string{"PLAIN"}}
	secured := a.server(t, "127.0.0.1")
	ready := sender(t, mailConfig(able.serve(t, secured, false, true), "", a.roots()))
	old := sender(t, mailConfig(unable.serve(t, secured, false, false), "", a.roots()))

	if err := ready.Carry(t.Context(), "p", "demo", email("añá@example.com")); err != nil {
		t.Fatal(err)
	}
	if got := able.letters()[0]; !got.options.UTF8 || got.to != "añá@example.com" || !strings.Contains(got.data, "To: <añá@example.com>\r\n") {
		t.Errorf("got %+v, want SMTPUTF8", got)
	}
	want{true, "SMTPUTF8"}.check(t, old.Carry(t.Context(), "p", "demo", email("añá@example.com")))
	if err := old.Carry(t.Context(), "p", "demo", email("ada@bücher.example")); err != nil {
		t.Fatal(err)
	}
	if got := unable.letters()[0]; got.options.UTF8 || got.to != "ada@xn--bcher-kva.example" {
		t.Errorf("got %+v, want the domain in ASCII", got)
	}
}

// TestNothingIsInjected: CR, LF and what else could end a command or a header, in whatever others may choose.
func TestNothingIsInjected(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	p := &post{mechanisms: []string{"PLAIN"}}
	s := sender(t, mailConfig(p.serve(t, a.server(t, "127.0.0.1"), false, true), "", a.roots()))
	for _, to := range []string{
		"", "ada", "@example.com", "ada@", "ada@example.com\r\nBcc: eve@example.com", "ada@example.com\nRCPT TO:<eve@example.com>",
		"ada@example.com>\r\nDATA", "ada\r@example.com", "ada@exam\x00ple.com", "ada@example.com, eve@example.com", "Ada <ada@example.com>",
		"ada eve@example.com", `"ada eve"@example.com`, "ada@example.com> SIZE=1", "ada@eve@example.com", "ada@\u2028example.com",
		strings.Repeat("a", 65) + "@example.com", "ada@" + strings.Repeat("a.", 130) + "com", "ada@[127.0.0.1]", "ada@example.com\u0085",
	} {
		want{true, "address is of no use"}.check(t, s.Carry(t.Context(), "p", "demo", email(to)))
	}
	if got := p.letters(); len(got) != 0 {
		t.Fatalf("got %v, want nothing", got)
	}
	for _, text := range []string{
		"Eve\r\nBcc: eve@example.com", "Eve\nSubject: x", "Eve\rX: y", "\r\n\r\nbody", "Eve\u2028X: y", "Ève\r\n.\r\nMAIL FROM:<x>", ".", "..\r\n.\r\n",
		"=?utf-8?q?Eve=0D=0AX:_y?=", `Eve" <eve@example.com>, "`, "Eve\x00\x1b[2J", strings.Repeat("é", 500), strings.Repeat("x", 5000), "\xff\xfe",
	} {
		m := email("ada@example.com")
		m.Service, m.Name, m.Code, m.Link, m.Approve, m.Digest = text, text, text+"1", text, []string{text}, text
		for _, template := range templates() {
			m.Template = template
			if err := s.Carry(t.Context(), "p", "demo", m); err != nil {
				t.Fatalf("%q in %s: %v", text, template, err)
			}
		}
	}
	for _, l := range p.letters() {
		got := open(t, l.data)
		if len(got.header) != 9 || got.header.Get("To") != "<ada@example.com>" || l.to != "ada@example.com" {
			t.Errorf("got the headers %v, want nine", got.header)
		}
		from, err := got.header.AddressList("From")
		if err != nil || len(from) != 1 || from[0].Address != "no-reply@example.com" {
			t.Errorf("got From %q, want ours alone", got.header.Get("From"))
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(got.header.Get("Subject"))
		if err != nil || strings.ContainsAny(subject, "\r\n\x00") {
			t.Errorf("got Subject %q %v, want one line", subject, err)
		}
		for line := range strings.SplitSeq(l.data, "\r\n") {
			if len(line) > 998 || strings.ContainsAny(line, "\r\n\x00") {
				t.Errorf("got the line %q", line)
			}
		}
	}
}

// TestSubjectsBeyondASCII are encoded as RFC 2047 has it.
func TestSubjectsBeyondASCII(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	p := &post{mechanisms: []string{"PLAIN"}}
	c := mailConfig(p.serve(t, a.server(t, "127.0.0.1"), false, false), "", a.roots())
	c.From = `"Österreichische Größen AG" <no-reply@example.com>`
	m := email("ada@example.com")
	m.Locale, m.Service, m.Template = "de", "Größen und Übergrößen für Ärzte und Öffentlichkeit", auth.TemplateBind
	if err := sender(t, c).Carry(t.Context(), "p", "demo", m); err != nil {
		t.Fatal(err)
	}
	data := p.letters()[0].data
	head, _, _ := strings.Cut(data, "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		if len(line) > 100 || strings.ContainsFunc(line, func(r rune) bool { return r > 0x7e }) {
			t.Errorf("got the line %q, want ASCII", line)
		}
	}
	got := open(t, data)
	decoded, err := new(mime.WordDecoder).DecodeHeader(got.header.Get("Subject"))
	want, _ := notify.Text(m)
	if err != nil || decoded != want {
		t.Errorf("got %q %v, want %q", decoded, err, want)
	}
	if from, err := got.header.AddressList("From"); err != nil || from[0].Name != "Österreichische Größen AG" {
		t.Errorf("got %v %v, want the configured name", from, err)
	}
}
