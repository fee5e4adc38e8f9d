package apitest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// watching notes the secrets of all that goes to and fro.
type watching struct {
	inner http.RoundTripper
	seen  *secrets
}

func (w watching) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	w.seen.sent(r, body)
	a, err := w.inner.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	if body, err = io.ReadAll(a.Body); err != nil {
		return nil, err
	}
	w.seen.received(&reply{a.StatusCode, a.Header, body})
	a.Body = io.NopCloser(bytes.NewReader(body))
	return a, nil
}

// TestNothingSecretIsKept: after every flow of both contracts neither the database and its log of changes nor what the server logged holds
// a password, a token, a key or a code, in any form that could be turned back into it. The codes are real, since the
// tenant is a live one; an e-mail address is no secret at rest.
func TestNothingSecretIsKept(t *testing.T) {
	data := filepath.Join(t.TempDir(), "test.db")
	s := Start(t, Options{Data: data, Seed: useSeed(t)})
	n := dial(t, s, 4)
	seen := newSecrets()
	n.http.Transport = watching{n.http.Transport, seen}
	n.client = n.clientToken(t, proofClient)

	for _, u := range uses() {
		a := u.ready(t, n, u.person)
		if first := a.call(0, n); first.status >= 300 {
			t.Fatalf("%s: %v", u.name, first)
		}
	}
	const p = person(3)
	g := n.grantsOf(t, p, rightWord)
	if got := n.use(t, g); !same(got, alive()) {
		t.Fatalf("grants: %v", got)
	}
	n.login(t, ways[1], p.email(), "Canary-wr0ng-1")
	changed := object{"oldPassword": object{"value": rightWord}, "newPassword": object{"value": "Canary-w0rd-2"}}
	n.multi(t, "POST", "/passwords/update", g.token, changed).expect(t, "update", "200")
	if len(seen.codes) < 7 || len(seen.values) < 40 {
		t.Errorf("saw %d codes and %d other secrets: no flow to speak of", len(seen.codes), len(seen.values))
	}

	kept := files(t, data)
	report := func(when string) {
		for _, leak := range seen.keptIn(kept) {
			t.Errorf("%s: %s", when, leak)
		}
	}
	report("while it runs")
	if err := s.Stop(t); err != nil {
		t.Fatal(err)
	}
	kept = files(t, data)
	report("after it has stopped")
	for _, leak := range seen.judge(s.Log()) {
		t.Error(leak)
	}
}

// files reads the database with all that stands beside it.
func files(t *testing.T, data string) []byte {
	t.Helper()
	names, err := filepath.Glob(data + "*")
	if err != nil || len(names) == 0 {
		t.Fatalf("no database at %s: %v", data, err)
	}
	var all []byte
	for _, name := range names {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, file...)
	}
	return all
}

// chance is how many codes a database may seem to hold: one may be within an id, which is of digits, too.
const chance = 2

// keptIn returns which secrets a database holds.
func (s *secrets) keptIn(data []byte) []string {
	var found []string
	for value, what := range s.values {
		for form, text := range forms(value) {
			if !strings.Contains(value, "@") && bytes.Contains(data, text) {
				found = append(found, fmt.Sprintf("%s %s: %s", what, form, value))
			}
		}
	}
	plain := 0
	for code, what := range s.codes {
		hash := sha256.Sum256([]byte(code))
		for form, text := range map[string][]byte{"hashed with no key": hash[:], "hashed, in hex": []byte(hex.EncodeToString(hash[:]))} {
			if bytes.Contains(data, text) {
				found = append(found, fmt.Sprintf("%s %s: %s", what, form, code))
			}
		}
		if holdsCode(string(data), code) {
			found = append(found, fmt.Sprintf("%s as it is: %s", what, code))
		}
		if bytes.Contains(data, []byte(code)) {
			plain++
		}
	}
	if plain > chance {
		found = append(found, fmt.Sprintf("%d of %d codes", plain, len(s.codes)))
	}
	return found
}

// forms are what a secret could be kept as and read out again, or guessed offline.
func forms(value string) map[string][]byte {
	hash := sha256.Sum256([]byte(value))
	all := map[string][]byte{
		"as it is": []byte(value), "in hex": []byte(hex.EncodeToString([]byte(value))),
		"in base64": []byte(base64.RawStdEncoding.EncodeToString([]byte(value))),
	}
	if raw, err := base64.RawURLEncoding.DecodeString(value); err == nil && len(raw) >= 32 {
		all["decoded"] = raw[:32] // its hash is kept: 256 random bits are not guessed
		return all
	}
	all["hashed with no key"], all["hashed, in hex"] = hash[:], []byte(hex.EncodeToString(hash[:]))
	return all
}

func TestKeptSecretsAreFound(t *testing.T) {
	token := base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte("0123"), 12))
	s := newSecrets()
	s.add("Pa55word!", "a password")
	s.add(token, "a token")
	s.codes["424242"] = "a code"
	sum := func(text string) string { hash := sha256.Sum256([]byte(text)); return string(hash[:]) }
	for name, tt := range map[string]struct {
		data string
		want string // empty: nothing
	}{
		"nothing":                   {"a row", ""},
		"a password":                {"\x00Pa55word!\x00", "a password as it is"},
		"a hashed password":         {sum("Pa55word!"), "a password hashed"},
		"a password in base64":      {base64.StdEncoding.EncodeToString([]byte("Pa55word!")), "a password in base64"},
		"a token":                   {token, "a token as it is"},
		"the bytes of a token":      {strings.Repeat("0123", 12), "a token decoded"},
		"the hash of a token":       {sum(strings.Repeat("0123", 8)), ""},
		"a code":                    {"\x01424242\x02", "a code as it is"},
		"a hashed code":             {sum("424242"), "a code hashed"},
		"a code within a longer id": {"1424242", ""},
	} {
		got := strings.Join(s.keptIn([]byte(tt.data)), "; ")
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}
