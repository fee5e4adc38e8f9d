package jose

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// es256Size is the size of an ES256 signature: r and s, 32 bytes each
	// (RFC 7518 §3.4).
	es256Size = 64

	// maxSkew bounds what [Want.Skew] may forgive.
	maxSkew = time.Minute

	// maxAhead is how far in the future iat and nbf may lie (FAPI 2.0 Security
	// Profile §5.3.2.1).
	maxAhead = 10 * time.Second
)

// AnyAudience as [Want.Audience] accepts a token for whomever it is. The caller
// must then check the audience itself. No JSON Web Token and no configuration
// holds this value by accident.
const AnyAudience = "\x00any audience"

// Want is what a token must be to be accepted. Nothing has a default that
// accepts: a Want without Typ, Issuer, Audience or Now refuses every token.
type Want struct {
	// Typ lists the token types accepted, such as "at+jwt". They are compared
	// without regard to case and to a prefix "application/". The empty string
	// accepts a token that states no type.
	Typ []string

	Issuer   string        // iss must be this
	Audience string        // aud must be or contain this; or AnyAudience
	Now      time.Time     // the time of verification
	Skew     time.Duration // how long after exp a token is still accepted; at most a minute
	AnyAge   bool          // accepts a token whose exp has passed: it says who somebody was, and lets nobody in

	// Foreign accepts what other parties' libraries leave out and RFC 7523 lets
	// them: iat, and kid where the set has one key.
	Foreign bool
}

// Verify returns the claims of a token that a key of the set has signed and that
// is as wanted, or an [*Error].
//
// Beyond what Want says, exp and iat must be there, iat and nbf not more than
// ten seconds ahead. [ErrExpired] is for a token that is good but for its age.
//
// The claims may be shared with other callers, and must not be changed.
func (s *Set) Verify(token string, want Want) (Claims, error) {
	if reason := want.incomplete(); reason != "" {
		return nil, invalid(reason)
	}
	if s.seen == nil || want.Foreign { // what passed without a kid must not pass for one that has it
		o, err := s.open(token, want)
		return o.claims, err
	}
	id := sha256.Sum256([]byte(token))
	o, known := s.seen.find(id)
	if known {
		if err := want.fits(o); err != nil {
			return nil, err
		}
		return o.claims, nil
	}
	o, err := s.open(token, want)
	if err == nil {
		s.seen.add(id, o)
	}
	return o.claims, err
}

// open verifies a token. It returns nothing of one that is not as wanted.
func (s *Set) open(token string, want Want) (opened, error) {
	parts, err := split(token)
	if err != nil {
		return opened{}, err
	}
	header, ok := parseObject(parts.header)
	if !ok {
		return opened{}, invalid("header is not a strict JSON object")
	}
	key, err := s.keyFor(header, want.Foreign)
	if err != nil {
		return opened{}, err
	}
	if !want.accepts(header) {
		return opened{}, invalid("typ is not wanted")
	}
	if err := key.verify(token, parts.signature); err != nil {
		return opened{}, err
	}
	claims, ok := parseObject(parts.payload)
	if !ok {
		return opened{}, invalid("payload is not a strict JSON object")
	}
	if err := want.check(claims); err != nil {
		return opened{}, err
	}
	return opened{header, claims}, nil
}

// fits looks again at what another Want may have let pass.
func (w Want) fits(o opened) error {
	if !w.accepts(o.header) {
		return invalid("typ is not wanted")
	}
	return w.check(o.claims)
}

// KeyID returns the kid that a token claims, unverified: it says which key to verify with, and nothing else.
func KeyID(token string) (string, bool) {
	parts, err := split(token)
	if err != nil {
		return "", false
	}
	header, ok := parseObject(parts.header)
	if !ok {
		return "", false
	}
	return header.String("kid")
}

type parts struct{ header, payload, signature []byte }

// split decodes the three parts of a token, after making sure that this is
// cheap. Each token has one spelling: encoding/base64 would skip line breaks
// and, unless strict, ignore the last bits.
func split(token string) (p parts, err error) {
	if len(token) > maxToken {
		return p, invalid("too long")
	}
	if strings.Count(token, ".") != 2 {
		return p, invalid("not three parts")
	}
	if strings.ContainsAny(token, "\r\n") {
		return p, invalid("line break in base64url")
	}
	texts := strings.SplitN(token, ".", 3)
	for i, to := range []*[]byte{&p.header, &p.payload, &p.signature} {
		if *to, err = base64.RawURLEncoding.Strict().DecodeString(texts[i]); err != nil {
			return p, invalid("not strict base64url")
		}
	}
	return p, nil
}

// keyFor returns the key that header names. A header that brings its own key,
// says where to find one, or asks for processing unknown here is refused and
// not read on (RFC 8725 §3.10, RFC 7515 §4.1.11).
func (s *Set) keyFor(header Claims, foreign bool) (PublicKey, error) {
	for _, name := range []string{"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"} {
		if _, ok := header[name]; ok {
			return PublicKey{}, invalid("forbidden header parameter " + name)
		}
	}
	key, err := s.named(header, foreign)
	if err != nil {
		return PublicKey{}, err
	}
	if alg, ok := header.String("alg"); !ok || Alg(alg) != key.alg {
		return PublicKey{}, invalid("alg is not that of the key")
	}
	return key, nil
}

// named returns the key by the kid of header, or the only one where header names
// none and a foreign token may do so.
func (s *Set) named(header Claims, foreign bool) (PublicKey, error) {
	if _, there := header["kid"]; !there && foreign && len(s.keys) == 1 {
		for _, key := range s.keys {
			return key, nil
		}
	}
	id, ok := header.String("kid")
	if !ok {
		return PublicKey{}, invalid("no kid")
	}
	key, ok := s.keys[id]
	if !ok {
		return PublicKey{}, invalid("unknown kid")
	}
	return key, nil
}

func (p PublicKey) verify(token string, signature []byte) error {
	if p.alg == ES256 && len(signature) != es256Size {
		return invalid("signature has the wrong size")
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(p.alg)})
	if err != nil {
		return invalid("not a JWS")
	}
	if _, err := jws.Verify(p.key); err != nil {
		return invalid("wrong signature")
	}
	return nil
}

// incomplete returns what is wrong with w itself.
func (w Want) incomplete() string {
	switch {
	case len(w.Typ) == 0:
		return "verifier wants no typ"
	case w.Issuer == "":
		return "verifier wants no issuer"
	case w.Audience == "":
		return "verifier wants no audience"
	case w.Now.IsZero():
		return "verifier has no time"
	case w.Skew < 0 || w.Skew > maxSkew:
		return "verifier forgives too much skew"
	}
	return ""
}

func (w Want) accepts(header Claims) bool {
	if _, ok := header["typ"]; !ok {
		return slices.Contains(w.Typ, "")
	}
	typ, ok := header.String("typ")
	return ok && typ != "" && slices.ContainsFunc(w.Typ, func(want string) bool {
		return strings.EqualFold(bareTyp(typ), bareTyp(want))
	})
}

// bareTyp returns typ without "application/" (RFC 7515 §4.1.9).
func bareTyp(typ string) string {
	const prefix = "application/"
	if len(typ) > len(prefix) && strings.EqualFold(typ[:len(prefix)], prefix) {
		return typ[len(prefix):]
	}
	return typ
}

// check looks at exp last, so that only an otherwise good token is "expired".
func (w Want) check(claims Claims) error {
	if issuer, ok := claims.String("iss"); !ok || issuer != w.Issuer {
		return invalid("iss is not wanted")
	}
	if w.Audience != AnyAudience {
		if audience, ok := claims.Strings("aud"); !ok || !slices.Contains(audience, w.Audience) {
			return invalid("aud is not wanted")
		}
	}
	latest := w.Now.Add(maxAhead)
	issued, ok := claims.Time("iat")
	if _, there := claims["iat"]; there || !w.Foreign {
		if !ok || issued.After(latest) {
			return invalid("iat is missing or in the future")
		}
	}
	if _, ok := claims["nbf"]; ok {
		if start, ok := claims.Time("nbf"); !ok || start.After(latest) {
			return invalid("nbf is no time or in the future")
		}
	}
	expiry, ok := claims.Time("exp")
	if !ok {
		return invalid("exp is missing")
	}
	if !w.AnyAge && !expiry.Add(w.Skew).After(w.Now) {
		return &Error{kind: ErrExpired, reason: "expired"}
	}
	return nil
}
