package seal_test

import (
	"bytes"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"countersign/internal/seal"
)

const plain = "hunter2-hunter2"

// holder has a secret where fmt cannot reach its methods.
type holder struct{ hidden seal.Secret }

// TestNothingPrints prints each type of the package, alone and inside others,
// and looks for any form of what must stay hidden.
func TestNothingPrints(t *testing.T) {
	ring, mac, secret := newRing(t, key("ring")), newMAC(t, key("mac")), seal.NewSecret(plain)
	values := map[string]any{
		"Secret": secret, "*Secret": &secret, "Ring": *ring, "*Ring": ring, "*MAC": mac,
	}
	nested := map[string]any{
		"exported field":   struct{ S seal.Secret }{secret},
		"unexported field": holder{secret},
		"slice":            []seal.Secret{secret},
		"map":              map[string]seal.Secret{"k": secret},
		"slice of any":     []any{secret, ring, mac},
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
	for _, s := range [][]byte{[]byte(plain), key("ring"), key("mac")} {
		for _, form := range []string{string(s), hex.EncodeToString(s), strings.Trim(fmt.Sprint(s), "[]")} {
			if strings.Contains(lower, form) {
				t.Errorf("%s shows a secret: %s", what, out)
			}
		}
	}
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
