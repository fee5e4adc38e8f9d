package passhash

import (
	"bytes"
	"strings"
	"testing"

	xargon2 "golang.org/x/crypto/argon2"
	xbcrypt "golang.org/x/crypto/bcrypt"
	xscrypt "golang.org/x/crypto/scrypt"
	"pgregory.net/rapid"

	"countersign/internal/passhash/argon2"
)

// testHasher returns a Hasher with one slot and cheap new hashes.
func testHasher(t *testing.T) *Hasher {
	t.Helper()
	h, err := New(Config{
		Params:           Params{Memory: 64, Time: 1, Threads: 1},
		Slots:            1,
		TestOnlyInsecure: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// TestHashesOfOthersVerify has hashes made by libxcrypt (bcrypt), CPython's
// hashlib over OpenSSL (scrypt, PBKDF2) and the reference implementation of
// Argon2, from its test suite.
func TestHashesOfOthersVerify(t *testing.T) {
	h := testHasher(t)
	const horse = "correct horse 🐎"
	for _, test := range []struct{ encoded, password string }{
		{"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password"},
		{"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc", "password"},
		{"$argon2i$v=19$m=256,t=2,p=2$c29tZXNhbHQ$T/XOJ2mh1/TIpJHfCdQan76Q5esCFVoT5MAeIM1Oq2E", "password"},
		{"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"},
		{"$2y$05$CCCCCCCCCCCCCCCCCCCCC.WrAwgFxicHZ3kL7zMvXYXHKosDn8ot2", "correct horse"},
		{"$2b$05$abcdefghijklmnopqrstuu0oImNDIy4flhldV9YqunRgBAePKmw7m", ""},
		{"$2b$05$abcdefghijklmnopqrstuv0eZ4ni5Clqv3nqWTGEAVFEU.yPlyug.", "dirty"}, // bits after the salt
		{"$scrypt$ln=4,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$w9C/nMJ/TJ/4yAFOSGLIpHkzR5ARVV/5d13gl2MbzC8", horse},
		{"$scrypt$ln=10,r=3,p=5$AAECAwQFBgcICQoLDA0ODw$J087gY59XXk84+D9pI+AxQvgLFDD3S12b4VXhnTGfw90/EHmJlMAqyfnWKUvWaSxzUQNv3pbjbkwZJfdNieuzA", horse},
		{"$pbkdf2-sha1$i=1000,l=20$AAECAwQFBgcICQoLDA0ODw$wtFX9khBV4AV7SehirCfLP0OHuw", horse},
		{"$pbkdf2-sha256$i=1000,l=32$AAECAwQFBgcICQoLDA0ODw$LZIZykvTh+vecRoazeqpYkqBVaM/+9rhSYCnG3va4ek", horse},
		{"$pbkdf2-sha256$i=1000$AAECAwQFBgcICQoLDA0ODw$LZIZykvTh+vecRoazeqpYkqBVaM/+9rhSYCnG3va4elN5mDFkfGz7hinCizaVA8j15a+kAHg47r6ytltJHPkyw", horse},
		{"$pbkdf2-sha512$i=1000,l=64$AAECAwQFBgcICQoLDA0ODw$Cd+apprfR1XuQIDr+ZG/8si0Vfg1z1JKzkRb8ezfhsG+9P0jOkBb7kdCZgBNeqlosaH7Ko71XMWlnZz6DduvIA", horse},
		{"$pbkdf2-sha512$25000$.//7//v/.//7//v/.//7/w$e.0nr3p8wUCYcY7qdbhO5J4ftWBEEXp9iJIB6sHaDgHyCm0npgKPGOlih5dISHTmEn2js0oobVaj9Eb/aLDnFQ", horse},
		{"$pbkdf2$131000$.//7//v/.//7//v/.//7/w$4iA.pIl0B/x63bvJ8r44uN.bSVQ", horse},
	} {
		if ok, err := h.Verify(t.Context(), test.encoded, []byte(test.password)); !ok || err != nil {
			t.Errorf("%s: got %v, error %v", test.encoded, ok, err)
		}
		if ok, err := h.Verify(t.Context(), test.encoded, []byte(test.password+"x")); ok || err != nil {
			t.Errorf("%s with another password: got %v, error %v", test.encoded, ok, err)
		}
		if h.Current(test.encoded) {
			t.Errorf("%s is called current", test.encoded)
		}
	}
}

// TestBcryptRefusesWhatItCannotTellApart: libxcrypt made this hash of a
// password that goes on after the 72nd byte, and so would match any ending.
func TestBcryptRefusesWhatItCannotTellApart(t *testing.T) { // A-010 B-56
	h := testHasher(t)
	const encoded = "$2y$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui"
	const long = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored"
	const empty = "$2b$05$abcdefghijklmnopqrstuu0oImNDIy4flhldV9YqunRgBAePKmw7m"
	for _, test := range []struct {
		encoded, password string
		want              bool
	}{
		{encoded, long[:72], true},
		{encoded, long[:73], false},
		{encoded, long, false},
		{empty, "", true},
		{empty, "\x00", false}, // the same key, as bcrypt repeats it
		{empty, "\x00\x00", false},
	} {
		got, err := h.Verify(t.Context(), test.encoded, []byte(test.password))
		if got != test.want || err != nil {
			t.Errorf("%q: got %v, error %v, want %v", test.password, got, err, test.want)
		}
	}
	if got := h.Stats().Verified; got != 6 {
		t.Errorf("got %d hashes computed, want 6: refused passwords cost the same", got)
	}
}

func TestBcryptEqualsOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		password := rapid.SliceOfN(rapid.ByteRange(1, 255), 0, 72).Draw(t, "password")
		encoded, err := xbcrypt.GenerateFromPassword(password, xbcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		wantTag(t, string(encoded), password, nil)
	})
}

func TestScryptEqualsOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := scryptWork{
			ln: rapid.Uint32Range(1, 8).Draw(t, "ln"),
			r:  rapid.Uint32Range(1, 9).Draw(t, "r"),
			p:  rapid.Uint32Range(1, 4).Draw(t, "p"),
		}
		password := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "password")
		want, err := xscrypt.Key(password, []byte("0123456789abcdef"), 1<<w.ln, int(w.r), int(w.p), 32)
		if err != nil {
			t.Fatal(err)
		}
		encoded := "$scrypt$" + strings.TrimPrefix(w.shape(), "scrypt,") + "$" + tobase64([]byte("0123456789abcdef")) + "$" + tobase64(want)
		wantTag(t, encoded, password, make([]uint64, w.words()))
	})
}

// wantTag checks that password has the tag of encoded.
func wantTag(t *rapid.T, encoded string, password []byte, mem []uint64) {
	x, err := parse(encoded)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(x.tag))
	if err := x.derive(argon2.Kernels()[0], mem, got, password, x.salt); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, x.tag) {
		t.Errorf("%s: got tag %x, want %x", encoded, got, x.tag)
	}
}

// TestDecoyDoesTheWork checks the tags of decoys, which nobody else looks at.
func TestDecoyDoesTheWork(t *testing.T) {
	password := []byte("password")
	for _, test := range []struct {
		shape string
		want  func(salt []byte) []byte
	}{
		{"argon2id,m=100,t=2,p=1", func(salt []byte) []byte { return xargon2.IDKey(password, salt, 2, 100, 1, 32) }},
		{"argon2i,m=64,t=3,p=2", func(salt []byte) []byte { return xargon2.Key(password, salt, 3, 64, 2, 32) }},
		{"scrypt,ln=5,r=8,p=1", func(salt []byte) []byte {
			key, _ := xscrypt.Key(password, salt, 32, 8, 1, 32)
			return key
		}},
	} {
		d, err := decoy(test.shape)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(d.tag))
		if err := d.derive(argon2.Kernels()[0], make([]uint64, d.words()), got, password, d.salt); err != nil {
			t.Fatal(err)
		}
		if want := test.want(d.salt); !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, want %x", test.shape, got, want)
		}
	}
}

// TestLargeHashLeavesNoMemoryBehind: a hash that needs more than a slot has
// does not make the slot grow, nor one that needs nothing.
func TestLargeHashLeavesNoMemoryBehind(t *testing.T) {
	h := testHasher(t)
	for _, shape := range []string{"argon2id,m=4096,t=1,p=1", "scrypt,ln=12,r=8,p=1", "bcrypt,4", "pbkdf2-sha1,10,20"} {
		if _, err := h.Verify(t.Context(), "", []byte("x"), shape); err != nil {
			t.Fatal(err)
		}
		if h.gate.free[0].arena != nil {
			t.Errorf("%s: the slot has memory", shape)
		}
	}
	if _, err := h.Hash(t.Context(), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if got, want := len(h.gate.free[0].arena.words), 64<<10/8; got != want {
		t.Errorf("got %d words in the slot, want %d", got, want)
	}
}
