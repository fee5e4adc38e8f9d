package apitest

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"countersign/internal/device/deviceclient"
	"countersign/internal/jose"
)

// TestEvidence checks what a device signed with our program and, in another language, with nothing of ours: it holds as it was given out,
// and with one change anywhere it does not.
func TestEvidence(t *testing.T) {
	t.Parallel()
	for _, alg := range []jose.Alg{jose.ES256, jose.EdDSA} {
		for name, passkey := range map[string]deviceclient.Passkey{"key": nil, "passkey": &browserKey{}} {
			t.Run(string(alg)+" "+name, func(t *testing.T) {
				t.Parallel()
				testEvidence(t, alg, passkey)
			})
		}
	}
}

func testEvidence(t *testing.T, alg jose.Alg, passkey deviceclient.Passkey) {
	s := &suite{data: func(t testing.TB) string { return t.TempDir() + "/test.db" }, coverage: newCoverage()}
	p := s.pairedWith(t, alg, passkey)
	payment := `{"identity":{"type":"CONSUMER","id":"1001"},"amount":{"currency":"EUR","amount":1234},"payee":{"name":"Charles Babbage"}}`
	p.call("PUT", "/multi/challenges/resources/sends/1", payment)
	id := p.member(p.call("POST", "/multi/challenges/push/BIOMETRIC", `{"resourceType":"sends","resourceIds":["1"]}`), "scaChallengeId")
	p.answer(deviceclient.Approve)
	document := p.call("GET", "/multi/challenges/"+id+"/evidence", "")
	var honest map[string]any
	if err := json.Unmarshal(document.body, &honest); document.status != http.StatusOK || err != nil {
		t.Fatalf("got %d %s", document.status, document.body)
	}
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys.json")
	write(t, keys, p.call("GET", "/cis/oidc/jwks", "").body)
	check := func(what string, d map[string]any, want bool) {
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "evidence.json")
		write(t, file, text)
		for name, cmd := range map[string]*exec.Cmd{
			"ours":   exec.Command(Binary(t), "evidence", "verify", file, "--keys", keys),
			"node's": exec.Command("node", "../../docs/evidence/check.mjs", file, keys),
		} {
			out, err := cmd.CombinedOutput()
			if (err == nil) != want {
				t.Errorf("%s, %s: got %v\n%s", what, name, err, out)
			}
			if want && !strings.Contains(string(out), "shown: EUR 12.34, to Charles Babbage") {
				t.Errorf("%s: got %s", name, out)
			}
		}
	}
	check("as it was given out", honest, true)
	check("as a device saves it", without(honest, "event"), true)
	for name, value := range honest {
		changed := maps.Clone(honest)
		switch text := value.(type) {
		case string:
			changed[name] = alteredText(name, text)
		case float64:
			changed[name] = text + 1
		}
		if name == "event" {
			continue // it leads to the audit trail, and is in no signature
		}
		if parts, ok := value.(map[string]any); ok {
			for part, text := range parts {
				altered := maps.Clone(parts)
				altered[part] = alteredText(part, text.(string))
				changed[name] = altered
				check(name+"."+part+" changed", changed, false)
			}
			delete(changed, name)
		}
		check(name+" changed", changed, false)
	}
}

// without is a document that lacks a member.
func without(d map[string]any, name string) map[string]any {
	d = maps.Clone(d)
	delete(d, name)
	return d
}

// alteredText is a text with one bit of meaning changed.
func alteredText(name, text string) string {
	if name == "answeredAt" {
		return "2020-01-01T00:00:00Z"
	}
	middle := len(text) / 2
	other := "A"
	if text[middle] == 'A' {
		other = "B"
	}
	return text[:middle] + other + text[middle+1:]
}

func write(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
