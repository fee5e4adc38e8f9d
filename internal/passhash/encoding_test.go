package passhash

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"countersign/internal/passhash/argon2"
)

const (
	salt16 = "AAECAwQFBgcICQoLDA0ODw"
	tag32  = "w9C/nMJ/TJ/4yAFOSGLIpHkzR5ARVV/5d13gl2MbzC8"
)

func TestShapeNamesCosts(t *testing.T) {
	for _, test := range []struct{ encoded, want string }{
		{"$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$" + tag32, "argon2id,m=19456,t=2,p=1"},
		{"$argon2i$v=19$m=4096,t=3,p=4$" + salt16 + "$" + tag32, "argon2i,m=4096,t=3,p=4"},
		{"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "bcrypt,5"},
		{"$2y$12$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "bcrypt,12"},
		{"$scrypt$ln=15,r=8,p=1$" + salt16 + "$" + tag32, "scrypt,ln=15,r=8,p=1"},
		{"$pbkdf2-sha256$i=600000,l=32$" + salt16 + "$" + tag32, "pbkdf2-sha256,600000,32"},
		{"$pbkdf2-sha512$i=600000$" + salt16 + "$" + tag32, "pbkdf2-sha512,600000,32"},
		{"$pbkdf2-sha1$29000$" + salt16 + "$" + tag32, "pbkdf2-sha1,29000,32"},
		{"$pbkdf2$29000$" + salt16 + "$" + tag32, "pbkdf2-sha1,29000,32"},
	} {
		got, err := Shape(test.encoded)
		if got != test.want || err != nil {
			t.Errorf("%s: got %q, error %v, want %q", test.encoded, got, err, test.want)
			continue
		}
		d, err := decoy(got)
		if err != nil {
			t.Errorf("decoy of %s: %v", got, err)
			continue
		}
		x, _ := parse(test.encoded)
		if d.work != x.work || len(d.tag) != len(x.tag) {
			t.Errorf("decoy: got %+v, want %+v", d.work, x.work)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	id := func(params string) string { return "$argon2id$v=19$" + params + "$" + salt16 + "$" + tag32 }
	sc := func(params string) string { return "$scrypt$" + params + "$" + salt16 + "$" + tag32 }
	pb := func(params string) string { return "$pbkdf2-sha256$" + params + "$" + salt16 + "$" + tag32 }
	bc := func(cost string) string {
		return "$2b$" + cost + "$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
	}
	for name, encoded := range map[string]string{
		"empty":              "",
		"plain text":         "hunter2",
		"unknown":            "$6$saltsalt$" + tag32,
		"argon2d":            "$argon2d$v=19$m=19456,t=2,p=1$" + salt16 + "$" + tag32,
		"old version":        "$argon2id$v=16$m=19456,t=2,p=1$" + salt16 + "$" + tag32,
		"no version":         "$argon2id$m=19456,t=2,p=1$" + salt16 + "$" + tag32,
		"too long":           id("m=19456,t=2,p=1") + strings.Repeat("A", maxEncoded),
		"no tag":             "$argon2id$v=19$m=19456,t=2,p=1$" + salt16,
		"extra field":        id("m=19456,t=2,p=1") + "$",
		"extra parameter":    id("m=19456,t=2,p=1,data=AA"),
		"order":              id("t=2,m=19456,p=1"),
		"leading zero":       id("m=019456,t=2,p=1"),
		"sign":               id("m=+19456,t=2,p=1"),
		"negative":           id("m=-19456,t=2,p=1"),
		"no number":          id("m=,t=2,p=1"),
		"space":              id("m=19456, t=2,p=1"),
		"4 GiB":              id("m=4194304,t=1,p=1"),
		"just above 256 MiB": id("m=262145,t=1,p=1"),
		"overflow":           id("m=4294967297,t=1,p=1"),
		"5 passes of 256 MB": id("m=262144,t=5,p=1"),
		"endless passes":     id("m=8,t=2147483647,p=1"),
		"no pass":            id("m=19456,t=0,p=1"),
		"memory below lanes": id("m=31,t=1,p=4"),
		"17 lanes":           id("m=19456,t=2,p=17"),
		"padding":            id("m=19456,t=2,p=1") + "=",
		"newline in base64":  id("m=19456,t=2,p=1") + "\n",
		"trailing bits":      strings.TrimSuffix(id("m=19456,t=2,p=1"), "8") + "9",
		"short salt":         "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBg$" + tag32,
		"short tag":          "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$AAECAwQFBgcICQoLDA0O",
		"dot in base64":      id("m=19456,t=2,p=1")[:60] + "." + id("m=19456,t=2,p=1")[61:],
		"bcrypt 2x":          "$2x" + bc("05")[3:],
		"bcrypt cost 3":      bc("03"),
		"bcrypt cost 16":     bc("16"),
		"bcrypt cost 5":      bc("5"),
		"bcrypt cost 005":    bc("005"),
		"bcrypt short":       bc("05")[:59],
		"bcrypt trailing":    bc("05")[:59] + "X",
		"bcrypt newline":     bc("05")[:59] + "\n",
		"scrypt 512 MiB":     sc("ln=19,r=8,p=1"),
		"scrypt much p":      sc("ln=18,r=8,p=5"),
		"scrypt huge":        sc("ln=63,r=8,p=1"),
		"scrypt r":           sc("ln=4,r=33,p=1"),
		"scrypt p":           sc("ln=4,r=8,p=17"),
		"scrypt ln":          sc("ln=16,r=1,p=1"),
		"scrypt zero":        sc("ln=0,r=8,p=1"),
		"scrypt passlib '.'": "$scrypt$ln=15,r=8,p=1$" + salt16 + "$" + strings.ReplaceAll(tag32, "/", "."),
		"pbkdf2 rounds":      pb("i=10000001"),
		"pbkdf2 zero":        pb("i=0"),
		"pbkdf2 length":      pb("i=1000,l=31"),
		"pbkdf2 order":       pb("l=32,i=1000"),
		"pbkdf2 passlib l":   pb("1000,l=32"),
		"pbkdf2 md5":         "$pbkdf2-md5$1000$" + salt16 + "$" + tag32,
		"pbkdf2 sha1 named":  "$pbkdf2$i=1000$" + salt16 + "$" + tag32,
		"pbkdf2 blocks":      "$pbkdf2-sha1$i=5000001$" + salt16 + "$" + tag32, // two blocks of output
	} {
		if err := Check(encoded); err == nil {
			t.Errorf("%s: got no error for %s", name, encoded)
		}
	}
}

func TestCheckAcceptsTheBounds(t *testing.T) {
	for _, encoded := range []string{
		"$argon2id$v=19$m=262144,t=4,p=16$" + salt16 + "$" + tag32,
		"$argon2i$v=19$m=8,t=131072,p=1$" + salt16 + "$" + tag32,
		"$argon2id$v=19$m=102400,t=2,p=8$" + salt16 + "$" + tag32, // Django
		"$2b$15$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$2b$04$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$scrypt$ln=18,r=8,p=4$" + salt16 + "$" + tag32,
		"$pbkdf2-sha256$i=10000000$" + salt16 + "$" + tag32,
		"$pbkdf2-sha1$i=5000000$" + salt16 + "$" + tag32,
	} {
		if err := Check(encoded); err != nil {
			t.Errorf("%s: %v", encoded, err)
		}
	}
}

func TestDecoyRefusesOtherShapes(t *testing.T) {
	for _, shape := range []string{
		"", "argon2id", "argon2id,m=4194304,t=1,p=1", "argon2id,m=19456,t=2", "argon2d,m=19456,t=2,p=1",
		"bcrypt", "bcrypt,16", "bcrypt,010", "bcrypt,10,10", "scrypt,ln=15", "scrypt,ln=25,r=8,p=1",
		"pbkdf2-sha256,1000", "pbkdf2-sha256,1000,8", "pbkdf2-sha256,1000,32,", "pbkdf2-md5,1000,32", "pbkdf2,1000,32",
	} {
		if _, err := decoy(shape); err == nil {
			t.Errorf("shape %q: got no error", shape)
		}
	}
}

// TestAnyArgon2HashHasOneEncoding: what encode writes, parse reads, and no
// other text is read as the same hash.
func TestAnyArgon2HashHasOneEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := argon2Work{
			Variant: rapid.SampledFrom([]argon2.Variant{argon2.I, argon2.ID}).Draw(t, "variant"),
			Memory:  rapid.Uint32Range(128, 262144).Draw(t, "memory"),
			Time:    rapid.Uint32Range(1, 4).Draw(t, "time"),
			Lanes:   rapid.Uint32Range(1, 16).Draw(t, "lanes"),
		}
		salt := rapid.SliceOfN(rapid.Byte(), minSalt, maxSalt).Draw(t, "salt")
		tag := rapid.SliceOfN(rapid.Byte(), minTag, maxTag).Draw(t, "tag")
		encoded := w.encode(salt, tag)
		x, err := parse(encoded)
		if err != nil {
			t.Fatalf("%s: %v", encoded, err)
		}
		if x.work != w || string(x.salt) != string(salt) || string(x.tag) != string(tag) {
			t.Errorf("got %+v of %s", x, encoded)
		}
	})
}

// FuzzParse checks that what is accepted is bounded, has a shape that can be
// computed in its place and, for Argon2, is the only text for its hash.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$" + tag32,
		"$argon2i$v=19$m=4096,t=3,p=4$" + salt16 + "$" + tag32,
		"$argon2id$v=19$m=4194304,t=1,p=1$" + salt16 + "$" + tag32,
		"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$scrypt$ln=15,r=8,p=1$" + salt16 + "$" + tag32,
		"$pbkdf2-sha256$i=600000,l=32$" + salt16 + "$" + tag32,
		"$pbkdf2$29000$.//7//v/.//7//v/.//7/w$4iA.pIl0B/x63bvJ8r44uN.bSVQ",
		"argon2id,m=19456,t=2,p=1",
		"bcrypt,10",
		"scrypt,ln=15,r=8,p=1",
		"pbkdf2-sha256,600000,32",
		"$$$$",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := decoy(text); err == nil && d.shape() != text {
			t.Errorf("shape %q is read as %q", text, d.shape())
		}
		x, err := parse(text)
		if err != nil {
			return
		}
		if x.words() > maxMemory/8 {
			t.Errorf("got %d words accepted", x.words())
		}
		d, err := decoy(x.shape())
		if err != nil || d.work != x.work {
			t.Errorf("decoy of %s: got %+v, error %v", x.shape(), d.work, err)
		}
		if w, ok := x.work.(argon2Work); ok && w.encode(x.salt, x.tag) != text {
			t.Errorf("%q is also accepted as %q", w.encode(x.salt, x.tag), text)
		}
	})
}
