package auth

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Methods are an application's own rules of how its users prove themselves (contract/cis §3, §1.9 to §1.12). A nil member says nothing:
// there the tenant's Settings hold.
type Methods struct {
	Password *PasswordMethod
	SMS      *CodeMethod
	Email    *CodeMethod
	Link     *LinkMethod
	TOTP     *TOTPMethod
	Passkey  *PasskeyMethod
}

// PasswordMethod is for passwords, and for the resets of them.
type PasswordMethod struct {
	Off          bool // nobody logs in with one
	Level        int  // 1 to 5, as PasswordPolicy's
	MinLength    int
	History      int
	BlockList    bool
	ExpiresAfter time.Duration // of passwords that are there already as well
	Lasting      bool          // they do not expire, whatever ExpiresAfter says
	TemporaryFor time.Duration // zero: for ever
	ResetFor     time.Duration // life of a code, a link and a token of a reset
	ResetDigits  int           // of such a code
	TwoFactors   bool          // a reset asks for two factors
	Unannounced  bool          // a change of password is not told to its user
	Lock         LockPolicy
	Look         MessageLook
}

// CodeMethod is for codes that log in, over one channel.
type CodeMethod struct {
	Off      bool
	For      time.Duration // life of a code
	Failures int           // wrong codes in a row that lock
	LockFor  time.Duration
	Digits   int  // 4 to 8
	Shared   bool // a code that one client of the application asked for is good for all of its clients
	Look     MessageLook
}

// LinkMethod is for links by e-mail that log in.
type LinkMethod struct {
	Off  bool
	For  time.Duration
	Look MessageLook
}

// TOTPMethod is for apps that show codes by time (RFC 6238). Algorithm, Digits and Period are those of apps that are registered from now on.
type TOTPMethod struct {
	Off       bool
	Algorithm TOTPAlgorithm
	Digits    int           // 6 or 8
	Period    time.Duration // of a time step
	Window    int           // steps that a clock may be off, either way
	Issuer    string        // as the app shows it; empty: the application's name
	Lock      LockPolicy
}

// PasskeyMethod is for passkeys. Whether their users are verified is the tenant's PasskeyPolicy.Verification.
type PasskeyMethod struct {
	Off           bool
	Site          string // a domain
	Origins       []string
	Synced        bool
	Models        []string
	BlockedModels []string
	Lock          LockPolicy
}

// MessageLook is how the contract describes an e-mail. It is kept and shown, and changes nothing: the words are the operator's.
type MessageLook struct {
	Color   string // as in a style sheet
	From    string
	Subject string
}

// TOTPAlgorithm is the hash that an app makes codes with.
type TOTPAlgorithm string

const (
	TOTPSHA1   TOTPAlgorithm = "sha1"
	TOTPSHA256 TOTPAlgorithm = "sha256"
	TOTPSHA512 TOTPAlgorithm = "sha512"
)

// The contract's values for what a method of an application leaves out (contract/cis §3, §1.12). Level and length are those that its
// published samples need.
func defaultMethodLock() LockPolicy {
	return LockPolicy{Failures: 5, For: 15 * time.Minute, ForgetAfter: 15 * time.Minute}
}

// DefaultPasswordMethod is what a password method has where nothing is said.
func DefaultPasswordMethod() PasswordMethod {
	return PasswordMethod{
		Level: 4, MinLength: 8, ExpiresAfter: 90 * 24 * time.Hour, ResetFor: 5 * time.Minute, ResetDigits: otpDigits, Lock: defaultMethodLock(),
	}
}

// DefaultCodeMethod is the same for codes by SMS and by e-mail.
func DefaultCodeMethod() CodeMethod {
	return CodeMethod{For: 5 * time.Minute, Failures: 3, LockFor: 15 * time.Minute, Digits: otpDigits}
}

// DefaultLinkMethod is the same for links.
func DefaultLinkMethod() LinkMethod { return LinkMethod{For: LoginLinkFor} }

// DefaultTOTPMethod is the same for apps that show codes.
func DefaultTOTPMethod() TOTPMethod {
	return TOTPMethod{
		Algorithm: TOTPSHA1, Digits: otpDigits, Period: totpPeriod * time.Second, Window: totpDrift, Lock: defaultMethodLock(),
	}
}

// DefaultPasskeyMethod is the same for passkeys; a site it must be told.
func DefaultPasskeyMethod() PasskeyMethod {
	return PasskeyMethod{Synced: true, Lock: defaultMethodLock()}
}

// check reports what cannot be, beyond the ranges that whoever described the methods has looked at. Error: CodeValueInvalid.
func (m Methods) check() error {
	if m.Passkey != nil {
		if field := m.Passkey.wrong(); field != "" {
			return refuseField(CodeValueInvalid, "webauthn_api."+field)
		}
	}
	locks := m.locks()
	for _, name := range slices.Sorted(maps.Keys(locks)) {
		lock := locks[name]
		for i, tier := range lock.Tiers {
			if i > 0 && tier.Failures <= lock.Tiers[i-1].Failures {
				return refuseField(CodeValueInvalid, name+".lockoutTiers."+strconv.Itoa(i)+".attempts")
			}
		}
	}
	return nil
}

// locks are the policies of locks of its own, by the contract's names of the methods.
func (m Methods) locks() map[string]LockPolicy {
	all := make(map[string]LockPolicy)
	if m.Password != nil {
		all["password"] = m.Password.Lock
	}
	if m.TOTP != nil {
		all["totp"] = m.TOTP.Lock
	}
	if m.Passkey != nil {
		all["webauthn_api"] = m.Passkey.Lock
	}
	return all
}

// wrong names the member that does not fit the others; empty: none. An origin must be of the site or below it, or an app's own: browsers
// take no other.
func (m PasskeyMethod) wrong() string {
	if m.Off {
		return ""
	}
	for _, origin := range m.Origins {
		_, host, web := strings.Cut(origin, "://")
		host, _, _ = strings.Cut(host, ":")
		if web && host != m.Site && !strings.HasSuffix(host, "."+m.Site) {
			return "rpOrigins"
		}
	}
	if len(m.Models) > 0 && len(m.BlockedModels) > 0 {
		return "aaguidBlockList"
	}
	return ""
}

// clone returns a copy that shares nothing with m which may change.
func (m Methods) clone() Methods {
	return Methods{copied(m.Password), copied(m.SMS), copied(m.Email), copied(m.Link), copied(m.TOTP), copied(m.Passkey)}
}

func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}
