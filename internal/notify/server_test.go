package notify_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"countersign/internal/auth"
	"countersign/internal/notify"
	"countersign/internal/seal"
)

// authority makes certificates for one test.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{key, cert}
}

func (a authority) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// server returns the TLS of a server that is called host.
func (a authority) server(t *testing.T, host string) *tls.Config {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour)}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: a.key}}}
}

// received is one e-mail as a server got it.
type received struct {
	from, to string
	options  smtp.MailOptions
	data     string
}

// post is a server of SMTP, with what goes wrong in it.
type post struct {
	mechanisms []string
	authErr    error
	mailErr    error
	rcptErr    error
	dataErr    error
	mu         sync.Mutex
	passwords  []string // as they were given
	got        []received
}

func (p *post) letters() []received {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]received(nil), p.got...)
}

type postSession struct {
	post *post
	now  received
}

func (s *postSession) Reset()        { s.now = received{} }
func (s *postSession) Logout() error { return nil }

func (s *postSession) AuthMechanisms() []string { return s.post.mechanisms }

func (s *postSession) Auth(mechanism string) (sasl.Server, error) {
	check := func(username, password string) error {
		s.post.mu.Lock()
		defer s.post.mu.Unlock()
		s.post.passwords = append(s.post.passwords, mechanism+" "+username+" "+password)
		return s.post.authErr
	}
	if mechanism == sasl.Plain {
		return sasl.NewPlainServer(func(_, username, password string) error { return check(username, password) }), nil
	}
	return &loginServer{check: check}, nil
}

// loginServer is AUTH LOGIN, which the library has for clients alone.
type loginServer struct {
	check    func(username, password string) error
	username *string
}

func (s *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if s.username == nil {
		name := string(response)
		s.username = &name
		return []byte("Password:"), false, nil
	}
	return nil, true, s.check(*s.username, string(response))
}

func (s *postSession) Mail(from string, o *smtp.MailOptions) error {
	s.now.from, s.now.options = from, *o
	return s.post.mailErr
}

func (s *postSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.now.to = to
	return s.post.rcptErr
}

func (s *postSession) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.now.data = string(data)
	s.post.mu.Lock()
	defer s.post.mu.Unlock()
	s.post.got = append(s.post.got, s.now)
	return s.post.dataErr
}

// serve starts the server on loopback, and returns its port. secured is the TLS of STARTTLS, or of implicit TLS.
func (p *post) serve(t *testing.T, secured *tls.Config, implicit, utf8 bool) int {
	t.Helper()
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &postSession{post: p}, nil }))
	s.Domain, s.TLSConfig, s.EnableSMTPUTF8 = "mail.example.com", secured, utf8
	s.ErrorLog = log.New(io.Discard, "", 0)
	l := listen(t)
	served := make(chan error, 1)
	go func() {
		if implicit {
			served <- s.Serve(tls.NewListener(l, secured))
		} else {
			served <- s.Serve(l)
		}
	}()
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		<-served
	})
	return portOf(l)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// lines serves one connection by what answer makes of each line; an empty answer says nothing, and "cut" ends it.
func lines(t *testing.T, greeting string, answer func(line string) string) int {
	t.Helper()
	l := listen(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, greeting)
			for in := bufio.NewScanner(c); in.Scan(); {
				said := answer(in.Text())
				if said == "cut" {
					break
				}
				_, _ = io.WriteString(c, said) // the client may have gone
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return portOf(l)
}

const (
	username = "countersign"
	password = "correct-horse"
)

// mailConfig sends e-mails to a port of 127.0.0.1.
func mailConfig(port int, mode string, roots *x509.CertPool) notify.Config {
	return notify.Config{
		From: "no-reply@example.com", Roots: roots, Now: func() time.Time { return time.Unix(1_800_000_000, 0) },
		SMTP: &notify.SMTP{Host: "127.0.0.1", Port: port, TLS: mode, Username: username, Password: seal.NewSecret(password)},
	}
}

func sender(t *testing.T, c notify.Config) *notify.Sender {
	t.Helper()
	s, err := notify.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func email(to string) auth.Message {
	m := message(auth.ParcelEmail, auth.TemplateStepUp)
	m.To = to
	return m
}

// want says what has to become of a try.
type want struct {
	permanent bool
	text      string // part of the error
}

// check compares an error with what is wanted, and looks for what no error may hold.
func (w want) check(t *testing.T, err error) {
	t.Helper()
	var e *notify.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a *notify.Error with %q", err, w.text)
	}
	if e.Permanent() != w.permanent || !strings.Contains(err.Error(), w.text) {
		t.Errorf("got %q permanent %t, want %q in it and %t", err, e.Permanent(), w.text, w.permanent)
	}
	for _, secret := range []string{password, "402917", "35699111111", "ada@", "s3cr3t", "is your"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q is in the error %q", secret, err)
		}
	}
}

func at(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }
