package seal_test

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"countersign/internal/seal"
)

const plain = "hunter2-hunter2"

// TestNothingPrints prints each type of the package, alone and inside others,
// and looks for any form of what must stay hidden.
func TestNothingPrints(t *testing.T) {
	ring, mac, secret := newRing(t, key("ring")), newMAC(t, key("mac")), seal.NewSecret(plain)
	mac.Sum("a purpose") // so that there is a subkey to show
	values := map[string]any{
		"Secret": secret, "*Secret": &secret, "Ring": *ring, "*Ring": ring, "*MAC": mac,
	}
	nested := map[string]any{
		"exported field":   struct{ S seal.Secret }{secret},
		"unexported field": struct{ s seal.Secret }{secret},
		"unexported ring":  struct{ r seal.Ring }{*ring},
		"pointers": struct {
			s *seal.Secret
			r *seal.Ring
			m *seal.MAC
		}{&secret, ring, mac},
		"slice":        []seal.Secret{secret},
		"map":          map[string]seal.Secret{"k": secret},
		"slice of any": []any{secret, ring, mac},
	}
	for _, verb := range strings.Fields("%v %+v %#v %s %q %x %X %d %t %c %U %b %o %e %T") {
		for name, v := range values {
			out := fmt.Sprintf(verb, v)
			if verb != "%T" && out != "[redacted]" {
				t.Errorf("%s under %s = %s, want [redacted]", name, verb, out)
			}
			wantHidden(t, name+" under "+verb, out)
		}
		for name, v := range nested {
			wantHidden(t, name+" under "+verb, fmt.Sprintf(verb, v))
		}
	}
	for name, v := range values {
		wantHidden(t, name+" under Print", fmt.Sprint(v)+fmt.Sprintln(v))
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", v, slog.Group("g", "v", v))
		slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "v", v, slog.Group("g", "v", v))
		wantHidden(t, name+" in slog", log.String())
		if got, want := strings.Count(log.String(), "[redacted]"), 4; got != want {
			t.Errorf("%s in slog: [redacted] %d times, want %d: %s", name, got, want, &log)
		}
		b, err := json.Marshal(v)
		if got, want := string(b), `"[redacted]"`; err != nil || got != want {
			t.Errorf("%s in JSON = %s, %v, want %s", name, got, err, want)
		}
	}
	for name, v := range nested {
		b, err := json.Marshal(v)
		if err != nil {
			t.Errorf("%s in JSON: %v", name, err)
		}
		wantHidden(t, name+" in JSON", string(b))
	}
}

func wantHidden(t *testing.T, what, out string) {
	t.Helper()
	lower := strings.ToLower(out)
	for _, s := range append(derived(t), []byte(plain), key("ring"), key("mac")) {
		for _, form := range []string{string(s), hex.EncodeToString(s), strings.Trim(fmt.Sprint(s), "[]")} {
			if strings.Contains(lower, form) {
				t.Errorf("%s shows a secret: %s", what, out)
			}
		}
	}
}

// derived returns what the package keeps in place of the keys given to it.
func derived(t *testing.T) [][]byte {
	t.Helper()
	sealing, err1 := hkdf.Key(sha256.New, key("ring"), nil, "countersign/seal/v1/aes-256-gcm", 32)
	prk, err2 := hkdf.Extract(sha256.New, key("mac"), nil)
	sub, err3 := hkdf.Expand(sha256.New, prk, "countersign/mac/v1/a purpose", 32)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	// AES keeps its key as words, so look for the first of them too.
	word := fmt.Append(nil, binary.BigEndian.Uint32(sealing))
	wordLE := fmt.Append(nil, binary.LittleEndian.Uint32(sealing))
	return [][]byte{sealing, prk, sub, word, wordLE}
}

func TestSecretReveal(t *testing.T) {
	if got := seal.NewSecret(plain).Reveal(); got != plain {
		t.Errorf("Reveal = %q, want %q", got, plain)
	}
	var zero seal.Secret
	if got := zero.Reveal(); got != "" || !zero.IsZero() || !seal.NewSecret("").IsZero() {
		t.Errorf("zero Secret reveals %q, IsZero %t; want empty", got, zero.IsZero())
	}
}

func TestSecretEqual(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"", "", true}, {"a", "a", true}, {"a", "b", false}, {"a", "", false}, {"a", "aa", false}, {"a", "A", false},
	}
	for _, test := range tests {
		a, b := seal.NewSecret(test.a), seal.NewSecret(test.b)
		if got := a.Equal(b); got != test.want {
			t.Errorf("Equal(%q, %q) = %t, want %t", test.a, test.b, got, test.want)
		}
		if got := b.Equal(a); got != test.want {
			t.Errorf("Equal(%q, %q) = %t, want %t", test.b, test.a, got, test.want)
		}
	}
	if !seal.NewSecret("").Equal(seal.Secret{}) {
		t.Error("the empty secret differs from the zero one")
	}
}

func TestSecretIsNotComparable(t *testing.T) {
	if reflect.TypeFor[seal.Secret]().Comparable() {
		t.Error("Secret is comparable with ==")
	}
}

func TestSecretIsRefusedByDatabases(t *testing.T) {
	if v, err := driver.DefaultParameterConverter.ConvertValue(seal.NewSecret(plain)); err == nil {
		t.Errorf("a Secret was stored as %v", v)
	}
}

func TestSecretReadsFromJSON(t *testing.T) {
	var request struct{ Password seal.Secret }
	if err := json.Unmarshal([]byte(`{"Password":"`+plain+`"}`), &request); err != nil {
		t.Fatal(err)
	}
	if got := request.Password.Reveal(); got != plain {
		t.Errorf("Password = %q, want %q", got, plain)
	}
	if err := json.Unmarshal([]byte(`{"Password":12}`), &request); err == nil {
		t.Error("a number was read as a secret")
	}
}
