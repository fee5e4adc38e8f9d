package auth_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"countersign/internal/auth"
)

func TestCanonical(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind      auth.IdentifierKind
		raw, want string // want "": refused
	}{
		{auth.ByEmail, "ada@example.com", "ada@example.com"},
		{auth.ByEmail, "ADA@Example.COM", "ada@example.com"},
		{auth.ByEmail, "a+b@example.com", "a+b@example.com"},
		{auth.ByEmail, "jos\u00e9@example.com", "jos\u00e9@example.com"},
		{auth.ByEmail, "jose\u0301@example.com", "jos\u00e9@example.com"}, // composed
		{auth.ByEmail, "a@b\u00fccher.example", "a@xn--bcher-kva.example"},
		{auth.ByEmail, "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"}, // one domain, so one identifier
		{auth.ByEmail, "stra\u00dfe@example.com", "stra\u00dfe@example.com"}, // sharp s is not ss
		{auth.ByEmail, "m\u0131ke@example.com", "m\u0131ke@example.com"},     // dotless i is not i
		{auth.ByEmail, "\u03c3@example.com", "\u03c3@example.com"},           // neither sigma is the other
		{auth.ByEmail, "\u03c2@example.com", "\u03c2@example.com"},
		{auth.ByEmail, "\u03a3@example.com", "\u03a3@example.com"},
		{auth.ByEmail, "\u017f@example.com", ""},    // LATIN SMALL LETTER LONG S would become s
		{auth.ByEmail, "\u212a@example.com", ""},    // KELVIN SIGN would become K
		{auth.ByEmail, "\ufb01@example.com", ""},    // LATIN SMALL LIGATURE FI
		{auth.ByEmail, "\uff41@example.com", ""},    // FULLWIDTH a
		{auth.ByEmail, "a@\u212aelvin.example", ""}, // in the domain too
		{auth.ByEmail, "a@\uff41.example", ""},
		{auth.ByEmail, "a@b@c", ""},
		{auth.ByEmail, "a", ""},
		{auth.ByEmail, "@example.com", ""},
		{auth.ByEmail, "a@", ""},
		{auth.ByEmail, "a@example.com.", ""},
		{auth.ByEmail, ".a@example.com", ""},
		{auth.ByEmail, "a.@example.com", ""},
		{auth.ByEmail, "a..b@example.com", ""},
		{auth.ByEmail, `"a b"@example.com`, ""},
		{auth.ByEmail, "a(comment)@example.com", ""},
		{auth.ByEmail, "Ada <ada@example.com>", ""},
		{auth.ByEmail, " ada@example.com", ""},
		{auth.ByEmail, "ada@example.com ", ""},
		{auth.ByEmail, "ada@example.com\n", ""},
		{auth.ByEmail, "a\x00@example.com", ""},
		{auth.ByEmail, "a\u200b@example.com", ""}, // ZERO WIDTH SPACE
		{auth.ByEmail, "a\u202e@example.com", ""}, // RIGHT-TO-LEFT OVERRIDE
		{auth.ByEmail, "a\xff@example.com", ""},
		{auth.ByEmail, "a@exa mple.com", ""},
		{auth.ByEmail, "a@example_.com", ""},
		{auth.ByEmail, "a@-example.com", ""},
		{auth.ByEmail, strings.Repeat("a", 64) + "@example.com", strings.Repeat("a", 64) + "@example.com"},
		{auth.ByEmail, strings.Repeat("a", 65) + "@example.com", ""},
		{auth.ByEmail, "a@" + strings.Repeat("b.", 126) + "c", ""},
		{auth.ByEmail, strings.Repeat("a", 400) + "@example.com", ""},
		{auth.ByUsername, "ada", "ada"},
		{auth.ByUsername, "ADA", "ada"},
		{auth.ByUsername, "\u00c9va", "\u00c9va"}, // only ASCII letters fold
		{auth.ByUsername, "a da", ""},
		{auth.ByUsername, "", ""},
		{auth.ByUsername, "a\u00a0", ""},
		{auth.ByUsername, "\u2163", ""}, // ROMAN NUMERAL FOUR would become IV
		{auth.ByUsername, strings.Repeat("u", 128), strings.Repeat("u", 128)},
		{auth.ByUsername, strings.Repeat("u", 129), ""},
		{auth.ByPhone, "+35699111111", "+35699111111"},
		{auth.ByPhone, "35699111111", ""},
		{auth.ByPhone, "+356 99111111", ""},
		{auth.ByPhone, "+056991111", ""},
		{auth.ByPhone, "+1234567", "+1234567"},
		{auth.ByPhone, "+123456", ""},
		{auth.ByPhone, "+123456789012345", "+123456789012345"},
		{auth.ByPhone, "+1234567890123456", ""},
		{auth.ByPhone, "+\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668", ""},
		{auth.ByUserID, "1001", "1001"},
		{auth.ByUserID, "01", "01"},
		{auth.ByUserID, "-1", ""},
		{auth.ByUserID, "", ""},
		{auth.ByUserID, "123456789012345678901", ""},
		{"nickname", "ada", ""},
	} {
		got, err := auth.Canonical(tt.kind, tt.raw)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s %q: got %q (%v), want %q", tt.kind, tt.raw, got, err, tt.want)
		}
		if err != nil {
			wantCode(t, err, auth.CodeIdentifierInvalid)
			if strings.Contains(err.Error(), tt.raw) && len(tt.raw) > 5 {
				t.Errorf("%s %q: the error repeats what was typed: %v", tt.kind, tt.raw, err)
			}
		}
	}
}

// TestConfusablesStayApart proves that no two of these are one account (B-51, B-52).
func TestConfusablesStayApart(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, raw := range []string{
		"mike", "m\u0131ke", "m\u00edke", "strasse", "stra\u00dfe", "\u03c3", "\u03a3", "\u03c2", "e", "\u00e9", "i", "\u00ed", "a", "\u0430",
	} {
		for _, form := range []struct {
			kind auth.IdentifierKind
			text string
		}{{auth.ByUsername, raw}, {auth.ByEmail, raw + "@example.com"}, {auth.ByEmail, "x@" + raw + ".example"}} {
			canonical, err := auth.Canonical(form.kind, form.text)
			if err != nil {
				continue // refused is apart
			}
			key := string(form.kind) + " " + canonical
			if other, ok := seen[key]; ok {
				t.Errorf("%q and %q are both %q", form.text, other, canonical)
			}
			seen[key] = form.text
		}
	}
}

func TestCanonicalIsIdempotent(t *testing.T) {
	t.Parallel()
	kinds := []auth.IdentifierKind{auth.ByEmail, auth.ByPhone, auth.ByUsername, auth.ByUserID}
	alphabet := []rune("aAzZ019.-_+@ \u00e9e\u0301\u00df\u0131\u017f\u212a\ufb01\u03c3\u03c2\u05d0\u0e01\uff41\u200d")
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(kinds).Draw(t, "kind")
		raw := rapid.OneOf(rapid.StringOf(rapid.SampledFrom(alphabet)), rapid.String()).Draw(t, "raw")
		if kind == auth.ByEmail {
			raw += "@" + rapid.StringOfN(rapid.SampledFrom(alphabet), 1, 8, -1).Draw(t, "domain") + ".example"
		}
		once, err := auth.Canonical(kind, raw)
		if err != nil {
			return
		}
		twice, err := auth.Canonical(kind, once)
		if err != nil || twice != once {
			t.Fatalf("%s %q: %q, and from that %q (%v)", kind, raw, once, twice, err)
		}
	})
}

func TestIdentifiersOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name                   string
		email, phone, username string
		want                   string // kinds and canonical forms after the id, or a code
	}{
		{"all", "Ada@Example.com", "+35699111111", "Ada", "email=ada@example.com phone=+35699111111 username=ada"},
		{"one", "", "", "ada", "username=ada"},
		{"none", "", "", "", "identifier_required"},
		{"own address as username", "Ada@example.com", "", "ada@EXAMPLE.com", "email=ada@example.com username=ada@example.com"},
		{"another's address as username", "ada@example.com", "", "eve@example.com", "identifier_invalid: username"},
		{"an address as username alone", "", "", "eve@example.com", "identifier_invalid: username"},
		{"own number as username", "", "+35699111111", "+35699111111", "phone=+35699111111 username=+35699111111"},
		{"another's number as username", "a@example.com", "", "+35699111111", "identifier_invalid: username"},
		{"Greek among Latin, B-52", "", "", "j\u03bfse", "identifier_invalid: username"},
		{"Cyrillic among Latin, B-52", "", "", "p\u0430ypal", "identifier_invalid: username"},
		{"Cherokee among Latin, B-52", "", "", "a\u13a0", "identifier_invalid: username"},
		{"Latin among Cyrillic, B-52", "", "", "\u0438va\u043d", "identifier_invalid: username"},
		{"accents and digits", "", "", "jos\u00e9-1", "username=jos\u00e9-1"},
		{"Greek alone", "", "", "\u03bf\u03b4\u03cc\u03c2.7", "username=\u03bf\u03b4\u03cc\u03c2.7"},
		{"Japanese beside Latin", "", "", "\u6771\u3072\u30abx", "username=\u6771\u3072\u30abx"},
		{"Korean with a Chinese sign", "", "", "\ud55c\u6f22", "username=\ud55c\u6f22"},
		{"Korean and Japanese", "", "", "\ud55c\u3072", "identifier_invalid: username"},
		{"malformed address", "a@b@c", "", "ada", "identifier_invalid: email"},
		{"impossible number", "", "+99999999", "", "identifier_invalid: phone"},
		{"number too short for its country", "", "+3569911", "", "identifier_invalid: phone"},
	} {
		ids, err := auth.IdentifiersOf(auth.User{Tenant: "t", ID: "7", Email: tt.email, Phone: tt.phone, Username: tt.username})
		var parts []string
		for i, id := range ids {
			if id.Tenant != "t" || id.User != "7" {
				t.Errorf("%s: got %+v", tt.name, id)
			}
			if i > 0 {
				parts = append(parts, string(id.Kind)+"="+id.Canonical)
			} else if id.Kind != auth.ByUserID || id.Canonical != "7" {
				t.Errorf("%s: the first is %+v, want the id", tt.name, id)
			}
		}
		got := strings.Join(parts, " ")
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
