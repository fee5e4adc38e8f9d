package auth

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

const (
	maxEmailBytes    = 254 // RFC 5321 §4.5.3.1.3, less the angle brackets
	maxLocalBytes    = 64  // RFC 5321 §4.5.3.1.1
	maxUsernameRunes = 128
	maxExternalBytes = 1024
)

// domains turns an internationalised domain into A-labels and maps nothing: a
// letter that UTS #46 would fold into another (KELVIN SIGN into k) is refused,
// so that no two spellings become one (B-51), and so is what no host name holds.
var domains = idna.New(idna.ValidateForRegistration())

// Canonical returns the one form under which an identifier is stored and looked up. Nothing is trimmed. Only ASCII letters are
// case-folded; a spelling that Unicode holds to be compatible with another is
// refused rather than mapped. It fails with CodeIdentifierInvalid.
func Canonical(kind IdentifierKind, raw string) (string, error) {
	var canonical string
	ok := false
	switch kind {
	case ByEmail:
		canonical, ok = canonicalEmail(raw)
	case ByPhone:
		canonical, ok = raw, isE164(raw)
	case ByUsername:
		canonical, ok = canonicalText(raw)
		ok = ok && utf8.RuneCountInString(raw) <= maxUsernameRunes
	case ByUserID:
		canonical, ok = raw, isDigits(raw)
	case ByExternalID:
		canonical, ok = raw, isExternalID(raw)
	}
	if !ok {
		return "", refuseField(CodeIdentifierInvalid, string(kind))
	}
	return canonical, nil
}

// CanonicalDomain returns the one form of a domain of e-mail addresses, which has a dot; false when it is none.
func CanonicalDomain(raw string) (string, bool) {
	address, ok := canonicalEmail("a@" + raw)
	domain := strings.TrimPrefix(address, "a@")
	return domain, ok && strings.Contains(domain, ".")
}

func canonicalEmail(raw string) (string, bool) {
	local, domain, found := strings.Cut(raw, "@")
	if !found || len(raw) > maxEmailBytes || len(local) > maxLocalBytes || strings.HasSuffix(domain, ".") {
		return "", false
	}
	local, ok := canonicalText(local)
	if !ok || strings.ContainsAny(local, `@"(),:;<>[\]`) || strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") ||
		strings.Contains(local, "..") {
		return "", false
	}
	domain, err := domains.ToASCII(lowerASCII(domain))
	if err != nil || domain == "" || len(domain) > 253 {
		return "", false
	}
	return local + "@" + domain, true
}

// canonicalText folds ASCII case and composes accents. It refuses spaces, controls, invisible characters, and characters that
// normalisation would turn into others.
func canonicalText(raw string) (string, bool) {
	if raw == "" || !utf8.ValidString(raw) {
		return "", false
	}
	for _, r := range raw {
		visible := unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) || (r > 0x20 && r < 0x7f)
		if !visible || norm.NFC.String(string(r)) != string(r) {
			return "", false
		}
	}
	composed := norm.NFC.String(raw)
	if norm.NFKC.String(composed) != composed {
		return "", false
	}
	return lowerASCII(composed), true
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// isE164 checks the shape alone: whether a number is in use is not known here.
func isE164(s string) bool {
	if len(s) < 8 || len(s) > 16 || s[0] != '+' || s[1] == '0' {
		return false
	}
	return isDigits(s[1:])
}

// identifiersOf computes the identifiers under which a user can be found, their id among them. A username that reads as an e-mail
// address or a phone number must be the user's own (B-07), and none mixes scripts (B-52).
func identifiersOf(u User) ([]Identifier, error) {
	ids := []Identifier{{u.Tenant, ByUserID, string(u.ID), u.ID}}
	for _, in := range []struct {
		kind IdentifierKind
		raw  string
	}{{ByEmail, u.Email}, {ByPhone, u.Phone}, {ByUsername, u.Username}} {
		if in.raw == "" {
			continue
		}
		canonical, err := Canonical(in.kind, in.raw)
		if err != nil {
			return nil, err
		}
		if in.kind == ByPhone {
			if n, err := phonenumbers.Parse(in.raw, ""); err != nil || !phonenumbers.IsPossibleNumber(n) {
				return nil, refuseField(CodeIdentifierInvalid, string(in.kind))
			}
		}
		if in.kind == ByUsername && (posesAsAnother(canonical, ids) || mixesScripts(canonical)) {
			return nil, refuseField(CodeIdentifierInvalid, string(in.kind))
		}
		ids = append(ids, Identifier{u.Tenant, in.kind, canonical, u.ID})
	}
	if len(ids) == 1 && u.Profile.ExternalUserID == "" {
		return nil, refuse(CodeIdentifierRequired)
	}
	if u.Profile.ExternalUserID == "" {
		return ids, nil
	}
	external, err := Canonical(ByExternalID, u.Profile.ExternalUserID)
	return append(ids, Identifier{u.Tenant, ByExternalID, external, u.ID}), err
}

// isExternalID takes what another system calls the user as it is, letter case and all.
func isExternalID(s string) bool {
	return s != "" && len(s) <= maxExternalBytes && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

func posesAsAnother(username string, own []Identifier) bool {
	if !strings.Contains(username, "@") && !isE164(username) {
		return false
	}
	for _, id := range own {
		if id.Kind != ByUserID && id.Canonical == username {
			return false
		}
	}
	return true
}

// mixesScripts reports whether a name has letters of several scripts, as hardly any person's has, and many a name that is to be taken for
// somebody else's: an o may be Latin, Greek or Cyrillic. It is the restriction level "highly restrictive" of UTS #39 §5.2, which knows that
// Chinese, Japanese and Korean write several scripts, and Latin beside them.
func mixesScripts(name string) bool {
	scripts := map[string]bool{}
	for _, r := range name {
		if s := scriptOf(r); s != "Common" && s != "Inherited" {
			scripts[s] = true
		}
	}
	for _, together := range [][]string{{"Latin", "Han", "Hiragana", "Katakana"}, {"Latin", "Han", "Bopomofo"}, {"Latin", "Han", "Hangul"}} {
		among := 0
		for _, s := range together {
			if scripts[s] {
				among++
			}
		}
		if among == len(scripts) {
			return false
		}
	}
	return len(scripts) > 1
}

func scriptOf(r rune) string {
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return name
		}
	}
	return "Common"
}
