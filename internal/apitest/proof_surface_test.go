package apitest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestNobodyIsThereBeforeSomebodyIsMade(t *testing.T) {
	s := Start(t, Options{Config: "\n"})
	n := &node{Server: s, http: http.DefaultClient}
	for _, try := range []answer{
		n.call(t, "POST", "/multi/login_with_password", object{"email": "ada@example.com", "password": object{"value": "Pa55word!"}}, "api-key", "sk_demo"),
		n.call(t, "POST", "/multi/login_with_password", object{"email": "admin@example.com", "password": object{"value": "admin"}}, "api-key", "admin"),
		n.call(t, "GET", "/multi/identities", nil, "Authorization", "Bearer admin"),
		n.call(t, "GET", "/cis/v1/users", nil, "Authorization", "Bearer admin"),
		n.call(t, "GET", "/device/v1/device", nil, "Authorization", "Bearer admin"),
	} {
		if try.status != http.StatusUnauthorized {
			t.Errorf("got %v, want 401", try)
		}
	}
	for _, client := range []string{"demo-client:demo-secret", "admin:admin", "countersign:countersign"} {
		id, secret, _ := strings.Cut(client, ":")
		r, err := http.PostForm(s.URL+"/oidc/token", map[string][]string{
			"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret},
		})
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusUnauthorized {
			t.Errorf("client %s: got %s, want 401", id, r.Status)
		}
	}
}

// metrics is what the operators' listener publishes, by line.
func metrics(t *testing.T, s *Server) []string {
	t.Helper()
	r, err := http.Get(s.Ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("metrics: %s, %v", r.Status, err)
	}
	return strings.Split(string(text), "\n")
}

func TestOperatorsListenApart(t *testing.T) { // A-142 B-66
	s := Start(t, Options{Seed: people(t, 1, "")})
	n := dial(t, s, 8)
	for _, path := range []string{
		"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/debug/requests", "/admin", "/admin/v1", "/console", "/.git/config", "/.env", "/seal",
	} {
		if a := n.call(t, "GET", path, nil); a.status != http.StatusNotFound {
			t.Errorf("%s on the public listener: %v", path, a)
		}
		if r, err := http.Get(s.Ops + path); err != nil || (r.StatusCode == http.StatusOK) != (path == "/metrics") {
			t.Errorf("%s on the operators' listener: %v, %v", path, r, err)
		}
	}
	before := metrics(t, s)
	for i := range 500 {
		word := fmt.Sprintf("word-%d", i)
		n.call(t, "GET", "/"+word, nil)
		n.call(t, "POST", "/multi/"+word, nil, "api-key", word)
		n.login(t, ways[0], word+"@example.com", word)
		n.call(t, "GET", "/cis/v1/users/"+word, nil, "Authorization", "Bearer "+word, "User-Agent", word)
	}
	after := metrics(t, s)
	if len(before) < 20 || len(after) > len(before)+5 { // of Go's own some appear when they are first counted
		t.Errorf("%d lines of metrics became %d", len(before), len(after))
	}
	for _, line := range after {
		if strings.Contains(line, "word-") {
			t.Errorf("a metric is named by what was sent: %s", line)
		}
	}
}

// selfSigned writes a certificate for loopback and its key.
func selfSigned(t *testing.T) (certificate, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certificate, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for name, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots = x509.NewCertPool()
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(made)
	return certificate, key, roots
}

// TestTLSAsItIsSpoken asks the running program, and not its configuration (A-143, B-65).
func TestTLSAsItIsSpoken(t *testing.T) {
	certificate, key, roots := selfSigned(t)
	s := Start(t, Options{Config: fmt.Sprintf("tls: {certificate: %q, key: %q}\n", certificate, key)})
	address := strings.TrimPrefix(s.URL, "http://")
	for _, tt := range []struct {
		name     string
		min, max uint16
		suites   []uint16
		want     bool
	}{
		{"1.0", tls.VersionTLS10, tls.VersionTLS10, nil, false},
		{"1.1", tls.VersionTLS11, tls.VersionTLS11, nil, false},
		{"1.2", tls.VersionTLS12, tls.VersionTLS12, nil, true},
		{"1.2 with RC4", tls.VersionTLS12, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA}, false},
		{"1.2 without forward secrecy", tls.VersionTLS12, tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}, false},
		{"1.3", tls.VersionTLS13, tls.VersionTLS13, nil, true},
	} {
		c, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, MinVersion: tt.min, MaxVersion: tt.max, CipherSuites: tt.suites})
		if (err == nil) != tt.want {
			t.Errorf("%s: got %v, want a connection: %t", tt.name, err, tt.want)
		}
		if err == nil {
			c.Close()
		}
	}
	if _, err := tls.Dial("tcp", address, &tls.Config{}); err == nil {
		t.Error("the certificate is taken by who does not trust it")
	}
	r, err := http.Get(s.URL + "/healthz")
	if err == nil {
		defer r.Body.Close()
		if r.StatusCode != http.StatusBadRequest {
			t.Errorf("plain HTTP: got %s", r.Status)
		}
	}
	secure := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	if r, err := secure.Get("https://" + address + "/healthz"); err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("HTTPS: got %v, %v", r, err)
	}
}

// TestAnswersAreOnesOwn: of many at once each hears of themselves alone (B-35).
func TestAnswersAreOnesOwn(t *testing.T) {
	const crowd, rounds = 12, 30
	n := dial(t, Start(t, Options{Seed: people(t, crowd, "rate_limits: false")}), crowd)
	var all sync.WaitGroup
	for p := person(1); p <= crowd; p++ {
		all.Go(func() {
			token := n.token(t, p)
			set := n.cis(t, "/auth/password/authenticate", object{"username": p.email(), "username_type": "email", "password": rightWord})
			for range rounds {
				if a := n.multi(t, "GET", "/consumers", token, nil); a.status != http.StatusOK || !strings.Contains(string(a.body), p.email()) {
					t.Errorf("%s is told of another: %v", p.email(), a)
				}
				again := n.cis(t, "/auth/session/authenticate", object{"session_id": set.field("session_id")})
				if got := subjectOf(again.field("access_token")); got != p.id() {
					t.Errorf("%s: got a token of %q: %v", p.id(), got, again)
				}
			}
		})
	}
	all.Wait()
}

// subjectOf is whose a JWT is; empty of what is none.
func subjectOf(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct{ Sub string }
	if json.Unmarshal(raw, &claims) != nil {
		return ""
	}
	return claims.Sub
}
