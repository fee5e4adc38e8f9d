package seal_test

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"countersign/internal/seal"
)

func newMAC(t *testing.T, root []byte) *seal.MAC {
	t.Helper()
	m, err := seal.NewMAC(root)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestMACIsStable holds what databases hold: when it fails, every stored lookup
// key is orphaned.
func TestMACIsStable(t *testing.T) {
	m := newMAC(t, key("root"))
	tests := []struct {
		name string
		got  [32]byte
		want string
	}{
		{"Sum", m.Sum("refresh token", []byte("ab"), []byte("c")), "3e9cce4b2ae3bb20ff596469e0ea9f82410903abdc1d91b8e9f47dd05e9c2c0b"},
		{"Derive", m.Derive("refresh token", []byte("ab"), []byte("c")), "9f7c6763f67274aa4d62830dff24bb0c5b419961277c1d2368d704f0691c1167"},
	}
	for _, test := range tests {
		if got := hex.EncodeToString(test.got[:]); got != test.want {
			t.Errorf("%s = %s, want %s", test.name, got, test.want)
		}
	}
}

// TestMACIsAsDocumented computes a MAC with crypto/hkdf in place of our own
// expansion.
func TestMACIsAsDocumented(t *testing.T) {
	m := newMAC(t, key("root"))
	message := []byte("\x00\x00\x00\x00\x00\x00\x00\x02ab\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01c")
	for label, compute := range map[string]func(string, ...[]byte) [32]byte{
		"countersign/mac/v1/":    m.Sum,
		"countersign/derive/v1/": m.Derive,
	} {
		sub, err := hkdf.Key(sha256.New, key("root"), nil, label+"a purpose", 32)
		if err != nil {
			t.Fatal(err)
		}
		h := hmac.New(sha256.New, sub)
		h.Write(message)
		want := h.Sum(nil)
		for range 2 { // the second time from the cache
			if got := compute("a purpose", []byte("ab"), nil, []byte("c")); !bytes.Equal(got[:], want) {
				t.Errorf("%s: got %x, want %x", label, got, want)
			}
		}
	}
}

func TestPartListsDoNotCollide(t *testing.T) {
	m := newMAC(t, key("root"))
	// Few bytes and short parts, so that lists which differ only in their bounds
	// are drawn often.
	lists := rapid.SliceOfN(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a'}), 0, 3), 0, 4)
	rapid.Check(t, func(t *rapid.T) {
		a, b := lists.Draw(t, "a"), lists.Draw(t, "b")
		same := slices.EqualFunc(a, b, bytes.Equal)
		if got := m.Sum("p", a...) == m.Sum("p", b...); got != same {
			t.Errorf("Sum(%x) == Sum(%x) is %t, want %t", a, b, got, same)
		}
	})
	// The same bytes cut in two at different bounds.
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "all")
		i := rapid.IntRange(0, len(all)).Draw(t, "i")
		j := rapid.IntRange(0, len(all)).Draw(t, "j")
		got := m.Sum("p", all[:i], all[i:]) == m.Sum("p", all[:j], all[j:])
		if want := i == j; got != want {
			t.Errorf("%x cut at %d and %d: equal is %t, want %t", all, i, j, got, want)
		}
	})
}

func TestMACsAreSeparate(t *testing.T) {
	m, other := newMAC(t, key("root")), newMAC(t, key("another root"))
	part := []byte("part")
	seen := make(map[[32]byte]string)
	for name, sum := range map[string][32]byte{
		"Sum":          m.Sum("p", part),
		"Derive":       m.Derive("p", part),
		"purpose":      m.Sum("q", part),
		"no purpose":   m.Sum("", part),
		"no parts":     m.Sum("p"),
		"empty part":   m.Sum("p", nil),
		"another root": other.Sum("p", part),
	} {
		if twin, ok := seen[sum]; ok {
			t.Errorf("%s and %s are equal", name, twin)
		}
		seen[sum] = name
	}
}

func TestMACIsSafeForConcurrentUse(t *testing.T) {
	m := newMAC(t, key("root"))
	want := newMAC(t, key("root")).Sum("a", []byte("x"))
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			m.Derive(string(rune('a'+i)), []byte("x"))
			if got := m.Sum("a", []byte("x")); got != want {
				t.Errorf("Sum = %x, want %x", got, want)
			}
		})
	}
	wg.Wait()
}
