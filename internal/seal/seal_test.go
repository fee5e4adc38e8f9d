package seal_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"countersign/internal/seal"
)

// key returns 32 bytes that look random and are the same in each run.
func key(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:]
}

func newRing(t *testing.T, current []byte, older ...[]byte) *seal.Ring {
	t.Helper()
	r, err := seal.NewRing(current, older...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustSeal(t *testing.T, r *seal.Ring, place string, plain []byte) []byte {
	t.Helper()
	sealed, err := r.Seal(place, plain)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestOpenReturnsWhatWasSealed(t *testing.T) {
	r := newRing(t, key("a"))
	rapid.Check(t, func(t *rapid.T) {
		place := rapid.StringN(1, 40, -1).Draw(t, "place")
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		sealed, err := r.Seal(place, plain)
		if err != nil {
			t.Fatal(err)
		}
		if len(plain) >= 4 && bytes.Contains(sealed, plain) {
			t.Errorf("sealed value contains the plain one")
		}
		got, err := r.Open(place, sealed)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("Open = %x, %v, want %x", got, err, plain)
		}
	})
}

// TestFormatIsStable opens a value sealed by the first version of this package:
// when it fails, existing databases have become unreadable.
func TestFormatIsStable(t *testing.T) {
	const sealed = "bf599fb401b50e76771903e464285fc1ccd3e9fa31f85fdc0c5df6f0d464eaf020988549d8a27a6aefc70cf361"
	b, err := hex.DecodeString(sealed)
	if err != nil {
		t.Fatal(err)
	}
	got, err := newRing(t, key("format")).Open("user/totp/42", b)
	if err != nil || string(got) != "known answer" {
		t.Errorf("Open = %q, %v, want %q", got, err, "known answer")
	}
}

// TestFormatIsAsDocumented takes a sealed value apart with nothing but the
// standard library and the format in the comments.
func TestFormatIsAsDocumented(t *testing.T) {
	master := key("format")
	sealed := mustSeal(t, newRing(t, master), "user/totp/42", []byte("known answer"))

	id := sha256.Sum256(append([]byte("countersign/seal/v1/key-id/"), master...))
	if got, want := sealed[:5], append(id[:4:4], 1); !bytes.Equal(got, want) {
		t.Errorf("header = %x, want %x", got, want)
	}
	sub, err := hkdf.Key(sha256.New, master, nil, "countersign/seal/v1/aes-256-gcm", 32)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(sub)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	aad := append(sealed[:5:5], "user/totp/42"...)
	got, err := gcm.Open(nil, sealed[5:17], sealed[17:], aad)
	if err != nil || string(got) != "known answer" {
		t.Errorf("plain = %q, %v, want %q", got, err, "known answer")
	}
}

func TestSealingTwiceDiffers(t *testing.T) {
	r := newRing(t, key("a"))
	a, b := mustSeal(t, r, "p", []byte("x")), mustSeal(t, r, "p", []byte("x"))
	if bytes.Equal(a, b) {
		t.Errorf("two sealed values are equal: %x", a)
	}
}

func TestEveryAlteredBitIsRefused(t *testing.T) {
	r := newRing(t, key("a"), key("b"))
	sealed := mustSeal(t, r, "p", []byte("a secret"))
	for i := range len(sealed) * 8 {
		altered := bytes.Clone(sealed)
		altered[i/8] ^= 1 << (i % 8)
		want := seal.ErrTampered
		if i/8 < 4 {
			want = seal.ErrUnknownKey
		}
		if got, err := r.Open("p", altered); !errors.Is(err, want) || got != nil {
			t.Errorf("bit %d flipped: Open = %q, %v, want %v", i, got, err, want)
		}
	}
}

func TestEveryPrefixAndExtensionIsRefused(t *testing.T) {
	r := newRing(t, key("a"))
	sealed := mustSeal(t, r, "p", []byte("a secret"))
	for n := range len(sealed) {
		if got, err := r.Open("p", sealed[:n]); !errors.Is(err, seal.ErrTampered) {
			t.Errorf("first %d bytes: Open = %q, %v, want ErrTampered", n, got, err)
		}
	}
	if got, err := r.Open("p", append(sealed, 0)); !errors.Is(err, seal.ErrTampered) {
		t.Errorf("one byte more: Open = %q, %v, want ErrTampered", got, err)
	}
}

func TestOpenRefusesAnotherPlace(t *testing.T) {
	r := newRing(t, key("a"))
	sealed := mustSeal(t, r, "user/totp/1", []byte("a secret"))
	for _, place := range []string{"user/totp/2", "user/totp/11", "user/totp/", "", "USER/totp/1", "user/totp/1 "} {
		if got, err := r.Open(place, sealed); !errors.Is(err, seal.ErrTampered) {
			t.Errorf("Open(%q) = %q, %v, want ErrTampered", place, got, err)
		}
	}
}

func TestSealRefusesNoPlace(t *testing.T) {
	if _, err := newRing(t, key("a")).Seal("", []byte("x")); err == nil {
		t.Error("Seal without a place succeeded")
	}
}

func TestRotation(t *testing.T) {
	before := newRing(t, key("old"))
	during := newRing(t, key("new"), key("old"))
	after := newRing(t, key("new"))
	sealed := mustSeal(t, before, "p", []byte("kept"))

	if before.Stale(sealed) {
		t.Error("value is stale under the key that sealed it")
	}
	if !during.Stale(sealed) {
		t.Error("value is not stale under a newer key")
	}
	if _, err := after.Open("p", sealed); !errors.Is(err, seal.ErrUnknownKey) {
		t.Errorf("Open without the old key: %v, want ErrUnknownKey", err)
	}
	plain, err := during.Open("p", sealed)
	if err != nil || string(plain) != "kept" {
		t.Fatalf("Open with both keys = %q, %v, want %q", plain, err, "kept")
	}
	again := mustSeal(t, during, "p", plain)
	if during.Stale(again) || after.Stale(again) {
		t.Error("value sealed again is still stale")
	}
	if got, err := after.Open("p", again); err != nil || string(got) != "kept" {
		t.Errorf("Open after the rotation = %q, %v, want %q", got, err, "kept")
	}
	if !after.Stale(nil) {
		t.Error("nothing is not stale")
	}
}

func TestWeakMasterKeysAreRefused(t *testing.T) {
	sequence := make([]byte, 32)
	for i := range sequence {
		sequence[i] = byte(250 + 3*i)
	}
	tests := map[string][]byte{
		"missing":          nil,
		"short":            key("a")[:31],
		"zero":             make([]byte, 32),
		"one byte":         bytes.Repeat([]byte{0xff}, 64),
		"changeme":         []byte(strings.Repeat("changeme", 4)),
		"changeme, cut":    []byte(strings.Repeat("changeme", 5)[:37]),
		"padded changeme":  []byte("ChangeMe-0123456789-abcdefghijkl"),
		"password":         []byte("correct horse Password1 battery staple"),
		"hex digits twice": []byte("0123456789abcdef0123456789abcdef"),
		"sequence":         sequence,
		"few bytes":        []byte("abacabadabacabaeabacabafabacabag"),
		"half repeated":    append(key("a")[:16:16], key("a")[:16]...),
	}
	for name, weak := range tests {
		if _, err := seal.NewRing(weak); err == nil {
			t.Errorf("%s: accepted as the current key", name)
		}
		if _, err := seal.NewRing(key("good"), weak); err == nil {
			t.Errorf("%s: accepted as an older key", name)
		}
		_, err := seal.NewMAC(weak)
		if err == nil {
			t.Errorf("%s: accepted as a root", name)
		} else if len(weak) > 0 && strings.Contains(err.Error(), string(weak)) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}

func TestRandomMasterKeysAreAccepted(t *testing.T) {
	for i := range 1000 {
		raw := key(string(rune(i)))
		for _, k := range [][]byte{raw, []byte(hex.EncodeToString(raw)), []byte(hex.EncodeToString(raw)[:32])} {
			if _, err := seal.NewRing(k); err != nil {
				t.Errorf("NewRing(%x): %v", k, err)
			}
		}
	}
}

func TestKeyGivenTwiceIsRefused(t *testing.T) {
	if _, err := seal.NewRing(key("a"), key("b"), key("a")); err == nil {
		t.Error("NewRing accepted the same key twice")
	}
}

func BenchmarkSeal(b *testing.B) {
	r, err := seal.NewRing(key("bench"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Seal("user/totp/42", make([]byte, 32)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSum(b *testing.B) {
	m, err := seal.NewMAC(key("bench"))
	if err != nil {
		b.Fatal(err)
	}
	part := make([]byte, 32)
	b.ReportAllocs()
	for b.Loop() {
		m.Sum("purpose", part)
	}
}
