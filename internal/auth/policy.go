package auth

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"countersign/internal/seal"
)

// PasswordPolicy says which passwords a tenant takes. Lengths count Unicode code points (NIST SP 800-63B-4 §3.1.1.2).
type PasswordPolicy struct {
	MinLength    int
	MaxLength    int
	Level        int           // 1 to 5, cumulative: contract/cis §3; 0: no level
	FourClasses  bool          // a lower case and an upper case letter, a digit, anything else
	History      int           // that many former passwords are barred, the present one among them
	BlockList    bool          // common passwords and those made of the user's own identifiers are barred
	ExpiresAfter time.Duration // zero: never
	TemporaryFor time.Duration // how long a temporary password may be used; zero: for ever
}

// PolicyWeavr is the published policy of the Multi contract (contract/multi §3.7).
func PolicyWeavr() PasswordPolicy {
	return PasswordPolicy{MinLength: 8, MaxLength: 30, FourClasses: true, History: 5}
}

// PolicyMosaic is what a new application has on the CIS contract (contract/cis §3), without the periodic expiry, which is off by
// default (NIST SP 800-63B-4 §3.1.1.2).
func PolicyMosaic() PasswordPolicy {
	return PasswordPolicy{MinLength: 8, MaxLength: 256, Level: 4, History: 1}
}

// PolicyNIST is NIST SP 800-63B-4 §3.1.1.2 for a password that authenticates alone.
func PolicyNIST() PasswordPolicy {
	return PasswordPolicy{MinLength: 15, MaxLength: 256, BlockList: true}
}

// levelSpecials are the characters that level 4 asks one of (contract/cis §3).
const levelSpecials = "!@#$%^&*"

// check reports whether a new password of the user is acceptable; its errors are CodePasswordTooShort, CodePasswordTooLong and
// CodePasswordTooSimple.
func (p PasswordPolicy) check(password seal.Secret, u User) error {
	text := string(normalised(password)) // what is hashed
	length := utf8.RuneCountInString(text)
	switch {
	case length < p.MinLength && (p.Level == 0 || p.Level >= 2), length == 0:
		return refuse(CodePasswordTooShort)
	case length > p.MaxLength:
		return refuse(CodePasswordTooLong)
	}
	c := classesOf(text)
	simple := p.FourClasses && !(c.lower && c.upper && c.digit && c.other) ||
		p.Level >= 3 && !(c.lower && c.upper && c.digit) ||
		p.Level >= 4 && !strings.ContainsAny(text, levelSpecials) ||
		p.Level >= 5 && c.run > 2 ||
		p.BlockList && blocked(text, u)
	if simple {
		return refuse(CodePasswordTooSimple)
	}
	return nil
}

type classes struct {
	lower, upper, digit, other bool
	run                        int // longest run of one character
}

func classesOf(text string) classes {
	var c classes
	var last rune
	run := 0
	for _, r := range text {
		switch {
		case unicode.IsLower(r):
			c.lower = true
		case unicode.IsUpper(r):
			c.upper = true
		case unicode.IsDigit(r):
			c.digit = true
		default:
			c.other = true
		}
		if r == last && run > 0 {
			run++
		} else {
			last, run = r, 1
		}
		c.run = max(c.run, run)
	}
	return c
}

// expiry is when a password set at the time now stops being good.
func (p PasswordPolicy) expiry(now time.Time, temporary bool) time.Time {
	limit := p.ExpiresAfter
	if temporary {
		limit = p.TemporaryFor
	}
	if limit == 0 {
		return time.Time{}
	}
	return now.Add(limit)
}
