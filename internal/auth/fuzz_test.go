package auth_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"countersign/internal/auth"
)

// FuzzCanonical: whatever is typed, what is taken is taken again as it is, is valid text without spaces and controls, and within its bounds
// (A-087, B-51, B-53).
func FuzzCanonical(f *testing.F) {
	kinds := []auth.IdentifierKind{auth.ByEmail, auth.ByPhone, auth.ByUsername, auth.ByUserID, auth.ByExternalID}
	for _, raw := range []string{
		"ada@example.com", "ADA@EXAMPLE.COM", "a@b@c", `"ada"@example.com`, "ada@b\u00fccher.example", "ada@xn--bcher-kva.example", "+35699111111", "ada",
		"e\u0301@example.com", "\u212a@example.com", "ada@\u212aexample.com", "ada\x00@example.com", "1001", "ada@example.com.", "\u200bada",
	} {
		for i := range kinds {
			f.Add(byte(i), raw)
		}
	}
	f.Fuzz(func(t *testing.T, which byte, raw string) {
		kind := kinds[int(which)%len(kinds)]
		once, err := auth.Canonical(kind, raw)
		if err != nil {
			if auth.CodeOf(err) != auth.CodeIdentifierInvalid || strings.Contains(err.Error(), raw) && len(raw) > 3 {
				t.Errorf("%s %q: refused with %v", kind, raw, err)
			}
			return
		}
		if twice, err := auth.Canonical(kind, once); err != nil || twice != once {
			t.Errorf("%s %q: %q, and from that %q (%v)", kind, raw, once, twice, err)
		}
		if kind == auth.ByExternalID {
			return
		}
		if !utf8.ValidString(once) || strings.ContainsFunc(once, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) || len(once) > 1024 {
			t.Errorf("%s %q: took %q", kind, raw, once)
		}
		if local, domain, _ := strings.Cut(once, "@"); kind == auth.ByEmail {
			if local == "" || domain == "" || strings.Contains(domain, "@") || strings.ContainsFunc(domain, func(r rune) bool { return r >= utf8.RuneSelf }) {
				t.Errorf("%q: took %q", raw, once)
			}
		}
	})
}

// FuzzPublicKey: whatever a phone sends as its key, what is taken is a key of a kind and size that is sound, and reads back as the same
//
func FuzzPublicKey(f *testing.F) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		f.Fatal(err)
	}
	good, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	point, err := ec.PublicKey.Bytes()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(base64.StdEncoding.EncodeToString(point))
	f.Add(base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(&good.PublicKey)))
	for _, public := range []any{&ec.PublicKey, &small.PublicKey, &good.PublicKey} {
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(base64.StdEncoding.EncodeToString(der))
		f.Add(base64.RawURLEncoding.EncodeToString(der))
		f.Add(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	}
	f.Fuzz(func(t *testing.T, text string) {
		typ, der, err := auth.ParsePublicKey(text)
		if err != nil {
			return
		}
		key, err := x509.ParsePKIXPublicKey(der)
		if err != nil {
			t.Fatalf("took what is no key: %v", err)
		}
		switch key := key.(type) {
		case *rsa.PublicKey:
			if bits := key.N.BitLen(); typ != auth.KeyRSA || bits < 2048 || bits > 4096 || key.E < 65537 {
				t.Errorf("took %s of %d bits and exponent %d", typ, bits, key.E)
			}
		case *ecdsa.PublicKey:
			if typ != auth.KeyEC || key.Curve != elliptic.P256() {
				t.Errorf("took %s on %s", typ, key.Curve.Params().Name)
			}
		default:
			t.Errorf("took a %T", key)
		}
		if again, back, err := auth.ParsePublicKey(base64.StdEncoding.EncodeToString(der)); err != nil || again != typ || !bytes.Equal(back, der) {
			t.Errorf("reads back as %s %x, %v", again, back, err)
		}
	})
}

// FuzzIdentityRef: what is taken for the name of an identity is written as it was read.
func FuzzIdentityRef(f *testing.F) {
	for _, text := range []string{"CONSUMER:1", "CORPORATE:2001", "CONSUMER:", ":1", "consumer:1", "CONSUMER:1:2", "CONSUMER: 1", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if ref, ok := auth.ParseIdentityRef(text); ok && ref.String() != text {
			t.Errorf("%q: got %s", text, ref)
		}
	})
}
