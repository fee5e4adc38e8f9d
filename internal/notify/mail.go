package notify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"golang.org/x/net/idna"

	"countersign/internal/seal"
)

// SMTP is the server that takes our e-mails, for submission (RFC 6409) or as a relay.
type SMTP struct {
	Host     string
	Port     int    // zero: 587, or 465 for implicit TLS, or 25 for none
	TLS      string // starttls, which is meant by nothing; implicit; or none, to loopback alone
	Username string // empty: no authentication
	Password seal.Secret
	Limit    time.Duration // of one message; zero: 30 s
}

// The values of TLS.
const (
	tlsStart    = "starttls"
	tlsImplicit = "implicit"
	tlsNone     = "none"
)

const defaultSMTPLimit = 30 * time.Second

// mailer sends each message over a connection of its own.
type mailer struct {
	config SMTP
	from   mail.Address
	domain string // of from, for Message-ID and EHLO
	tls    *tls.Config
	now    func() time.Time
}

// newMailer takes an SMTP without problems.
func newMailer(s SMTP, c Config) *mailer {
	from, err := parseFrom(c.From)
	if err != nil {
		panic("notify: an address that was not judged: " + err.Error())
	}
	if s.Port == 0 {
		s.Port = map[string]int{tlsImplicit: 465, tlsNone: 25}[s.TLS]
	}
	if s.Port == 0 {
		s.Port = 587
	}
	if s.Limit == 0 {
		s.Limit = defaultSMTPLimit
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	config := tlsConfig(c.Roots)
	config.ServerName = s.Host
	return &mailer{config: s, from: from, domain: domain, tls: config, now: c.Now}
}

// parseFrom reads the sender's address, of which each part but the name is ASCII.
func parseFrom(text string) (mail.Address, error) {
	a, err := mail.ParseAddress(text)
	if err != nil {
		return mail.Address{}, errors.New("is no address; want name@example.com, or \"Name <name@example.com>\"")
	}
	a.Address, err = parseAddress(a.Address)
	if err == nil && !isASCII(a.Address) {
		err = errors.New("has a local part beyond ASCII")
	}
	return mail.Address{Name: clean(a.Name), Address: a.Address}, err
}

// parseAddress returns an address as it goes into a command and a header: what could end either is refused, and the domain is ASCII.
func parseAddress(text string) (string, error) {
	bad := errors.New("is no e-mail address")
	local, domain, found := strings.Cut(text, "@")
	if !found || local == "" || len(local) > 64 || clean(text) != text || strings.ContainsAny(text, "\"(),:;<>[]\\ ") {
		return "", bad
	}
	domain, err := idna.Lookup.ToASCII(domain)
	if err != nil || domain == "" || len(local)+len(domain) > 253 {
		return "", bad
	}
	return local + "@" + domain, nil
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 0x7e }) < 0
}

func (m *mailer) carry(ctx context.Context, l letter) error {
	to, err := parseAddress(l.message.To)
	if err != nil {
		return permanent("smtp: the receiver's address is of no use")
	}
	data, err := m.compose(l, to)
	if err != nil {
		return permanent("smtp: cannot compose the message")
	}
	limited, cancel := context.WithTimeout(ctx, m.config.Limit)
	defer cancel()
	c, err := m.connect(limited)
	if err != nil {
		return m.failed(ctx, limited, "connect", err, false)
	}
	defer c.Close()
	// The client of SMTP knows no context: its end closes the connection, which ends whatever waits on it.
	defer context.AfterFunc(limited, func() { c.Close() })()
	if step, about, err := m.submit(c, to, data); err != nil {
		return m.failed(ctx, limited, step, err, about)
	}
	c.CommandTimeout = time.Second
	_ = c.Quit() // the server has the message, whatever it answers now
	return nil
}

// connect returns a connection over which secrets may go.
func (m *mailer) connect(ctx context.Context) (*smtp.Client, error) {
	address := net.JoinHostPort(m.config.Host, strconv.Itoa(m.config.Port))
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if m.config.TLS == tlsNone {
		return smtp.NewClient(conn), nil
	}
	if m.config.TLS == tlsImplicit {
		secured := tls.Client(conn, m.tls)
		if err := secured.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		return smtp.NewClient(secured), nil
	}
	return smtp.NewClientStartTLS(conn, m.tls) // closes it when it fails; what the server said before TLS is forgotten
}

// submit hands the message over. about says whether a refusal is about the message, and not about us.
func (m *mailer) submit(c *smtp.Client, to string, data []byte) (step string, about bool, err error) {
	if err := c.Hello(m.domain); err != nil {
		return "EHLO", false, err
	}
	if m.config.Username != "" {
		if err := m.authenticate(c); err != nil {
			return "AUTH", false, err
		}
	}
	options := &smtp.MailOptions{Size: int64(len(data)), UTF8: !isASCII(to)}
	if ok, _ := c.Extension("SMTPUTF8"); options.UTF8 && !ok {
		return "MAIL", true, errNoUTF8
	}
	if err := c.Mail(m.from.Address, options); err != nil {
		return "MAIL", false, err
	}
	if err := c.Rcpt(to, nil); err != nil {
		return "RCPT", true, err
	}
	w, err := c.Data()
	if err != nil {
		return "DATA", true, err
	}
	if _, err := w.Write(data); err != nil {
		return "DATA", true, err
	}
	return "DATA", true, w.Close()
}

var (
	errNoUTF8 = errors.New("smtp: no SMTPUTF8")
	errNoAuth = errors.New("smtp: neither AUTH PLAIN nor LOGIN")
	errNoTLS  = errors.New("smtp: no TLS before AUTH")
)

// authenticate gives the password, over TLS alone.
func (m *mailer) authenticate(c *smtp.Client) error {
	if _, ok := c.TLSConnectionState(); !ok {
		return errNoTLS
	}
	switch {
	case c.SupportsAuth(sasl.Plain):
		return c.Auth(sasl.NewPlainClient("", m.config.Username, m.config.Password.Reveal()))
	case c.SupportsAuth(sasl.Login):
		return c.Auth(sasl.NewLoginClient(m.config.Username, m.config.Password.Reveal()))
	}
	return errNoAuth
}

// failed tells what became of a try. A 5xx about the message stays so; one about us, from the greeting to MAIL, can be mended, and so can a
// missing extension but SMTPUTF8, without which there is no way to the receiver.
func (m *mailer) failed(ctx, limited context.Context, step string, err error, about bool) *Error {
	var said *smtp.SMTPError
	switch {
	case errors.As(err, &said):
		e := retryable("smtp: %s: the server answered %d", step, said.Code)
		if c := said.EnhancedCode; c[0] > 0 {
			e.text += fmt.Sprintf(" %d.%d.%d", c[0], c[1], c[2])
		}
		e.permanent = about && said.Code/100 == 5
		return e
	case errors.Is(err, errNoUTF8):
		return permanent("smtp: the server takes no addresses beyond ASCII (SMTPUTF8)")
	case errors.Is(err, errNoAuth):
		return retryable("smtp: AUTH: the server offers neither PLAIN nor LOGIN")
	case errors.Is(err, errNoTLS):
		return retryable("smtp: AUTH: refused without TLS")
	case strings.Contains(err.Error(), "support STARTTLS"):
		return retryable("smtp: the server offers no STARTTLS")
	}
	if limited.Err() != nil {
		err = limited.Err() // the connection was closed for that
	}
	return broken(ctx, "smtp: "+step, err)
}

// compose makes the message as it is sent. Every value in a header is one line, and the body is quoted-printable, so that no server on the
// way has a reason to change it.
func (m *mailer) compose(l letter, to string) ([]byte, error) {
	from := m.from
	if from.Name == "" {
		from.Name = shortened(clean(l.message.Service), 60)
	}
	from.Name = unencoded(from.Name)
	var b bytes.Buffer
	for _, h := range [][2]string{
		{"Date", m.now().UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700")},
		{"From", folded(from.String())},
		{"To", "<" + to + ">"},
		{"Message-ID", "<" + messageID(l) + "@" + m.domain + ">"},
		{"Subject", folded(encoded(l.subject))},
		{"Auto-Submitted", "auto-generated"}, // RFC 3834: nobody's holiday reply answers it
		{"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"},
		{"Content-Transfer-Encoding", "quoted-printable"},
	} {
		b.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	if _, err := w.Write([]byte(l.text)); err != nil {
		return nil, err
	}
	err := w.Close()
	return b.Bytes(), err
}

// messageID is the same on every try, so that a receiver's server that got a message twice can drop one.
func messageID(l letter) string {
	id := string(l.id)
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_'
	}
	if id != "" && len(id) <= 64 && strings.IndexFunc(id, func(r rune) bool { return !plain(r) }) < 0 {
		return id
	}
	sum := sha256.Sum256([]byte(string(l.tenant) + "\x00" + id))
	return hex.EncodeToString(sum[:16])
}

// encoded makes a header's text ASCII (RFC 2047).
func encoded(s string) string { return mime.QEncoding.Encode("utf-8", unencoded(s)) }

// unencoded breaks what looks like encoded already, and would be read as something else.
func unencoded(s string) string { return strings.ReplaceAll(s, "=?", "= ?") }

// folded puts each encoded word on a line of its own, since a line has an end (RFC 5322 §2.1.1).
func folded(s string) string { return strings.ReplaceAll(s, "?= =?", "?=\r\n =?") }

func (s SMTP) problems(add func(setting, format string, args ...any)) {
	if s.Host == "" {
		add("smtp.host", "missing; the server that takes our e-mails")
	} else if strings.ContainsAny(s.Host, ":/@ \r\n") && net.ParseIP(s.Host) == nil {
		add("smtp.host", "want a name or an address without a port")
	}
	if s.Port < 0 || s.Port > 65535 {
		add("smtp.port", "is no port")
	}
	limitProblem("smtp.timeout", s.Limit, add)
	switch s.TLS {
	case "", tlsStart, tlsImplicit:
	case tlsNone:
		if s.Host != "" && !isLoopback(s.Host) {
			add("smtp.tls", "none is for a loopback address alone; want starttls or implicit")
		}
		if s.Username != "" {
			add("smtp.username", "is given without TLS; a password goes over TLS alone")
		}
	default:
		add("smtp.tls", "%q; want starttls, implicit or none", s.TLS)
	}
	if (s.Username == "") != s.Password.IsZero() {
		add("smtp.password", "username and password go together")
	}
}
