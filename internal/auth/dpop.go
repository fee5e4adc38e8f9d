package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"countersign/internal/jose"
)

// A client may prove with a request that it holds a key (RFC 9449, DPoP). What is issued for such a request is bound to the key: it is good
// only together with a new proof of it, so that a token that was stolen alone is worth nothing.

// KeyProof is what a request brings to prove a key, and what the proof has to be for.
type KeyProof struct {
	Text   string // the header DPoP; of several, something that is no proof; empty: there is none
	Method string
	URL    string // by which the request was made, as clients know it, without query
	Scheme bool   // the access token came under the scheme DPoP, not Bearer
}

const (
	typProof = "dpop+jwt" // RFC 9449 §4.2
	// ProofFor is how old a proof may be (RFC 9449 §11.1). It works once in that time, on any number of nodes.
	ProofFor = time.Minute
)

// ProofAlgs lists what a proof may be signed with.
func ProofAlgs() []jose.Alg { return []jose.Alg{jose.ES256, jose.EdDSA, jose.RS256, jose.PS256} }

// provenKey is a key that a request has proved, and what keeps the proof from being used again.
type provenKey struct {
	thumbprint string // RFC 7638, as in jkt
	once       [32]byte
	until      time.Time
}

// readProof checks a proof (RFC 9449 §4.3). With an access token the proof has to be for that; without, it may be for any.
//
// Error: CodeProofInvalid.
func (s *Service) readProof(p KeyProof, token string) (provenKey, error) {
	key, claims, err := jose.VerifyOwn(p.Text, typProof, ProofAlgs()...)
	if err != nil {
		return provenKey{}, &Error{Code: CodeProofInvalid, Cause: err}
	}
	now := s.now()
	jti, _ := claims.String("jti")
	method, _ := claims.String("htm")
	target, _ := claims.String("htu")
	hash, _ := claims.String("ath")
	issued, timed := claims.Time("iat")
	sum := sha256.Sum256([]byte(token))
	var wrong string
	switch {
	case jti == "" || len(jti) > maxJTI:
		wrong = "jti is missing or too long"
	case method != p.Method:
		wrong = "htm is not the method"
	case !sameTarget(target, p.URL):
		wrong = "htu is not the address"
	case !timed || issued.After(now.Add(clockAhead)) || !now.Before(issued.Add(ProofFor)):
		wrong = "iat is missing, too old or in the future"
	case token != "" && subtle.ConstantTimeCompare([]byte(hash), []byte(tokenText.EncodeToString(sum[:]))) != 1:
		wrong = "ath is not of the access token"
	default:
		once := sha256.Sum256([]byte("dpop\x00" + key.ID() + "\x00" + jti))
		return provenKey{key.ID(), once, issued.Add(ProofFor)}, nil
	}
	return provenKey{}, &Error{Code: CodeProofInvalid, Cause: errors.New("proof of a key: " + wrong)}
}

// sameTarget reports whether two addresses are one, but for query and fragment, the case of scheme and host, a default port and a slash at
// the end (RFC 9449 §4.3).
func sameTarget(a, b string) bool {
	x, err1 := url.Parse(a)
	y, err2 := url.Parse(b)
	if err1 != nil || err2 != nil || x.User != nil || x.Opaque != "" || x.Host == "" {
		return false
	}
	return strings.EqualFold(x.Scheme, y.Scheme) && strings.EqualFold(bareHost(x), bareHost(y)) &&
		strings.TrimSuffix(x.EscapedPath(), "/") == strings.TrimSuffix(y.EscapedPath(), "/")
}

// bareHost is the host without a port that its scheme implies.
func bareHost(u *url.URL) string {
	switch strings.ToLower(u.Scheme) + u.Port() {
	case "https443", "http80":
		return u.Hostname()
	}
	return u.Host
}

// spendProof takes a proof once, on any number of nodes. One that comes back is in two hands, which its tenant's events tell.
//
// Error: CodeProofInvalid.
func (s *Service) spendProof(ctx context.Context, by Actor, k provenKey) error {
	e := s.event(by, EventTokenRefused, s.now())
	e.Reason, e.Note = CodeProofInvalid.String(), "the proof of a key was used before"
	first := false
	err := s.store.Write(ctx, func(w Writes) (err error) {
		if first, err = w.SpendAssertion(by.Tenant, by.Client, k.once, k.until); err != nil || first {
			return err
		}
		return w.AddEvents(e)
	})
	if err == nil && !first {
		err = &Error{Code: CodeProofInvalid, Cause: errReplayed}
	}
	return err
}

// ProveKey is what a request for tokens, or the pushing of one, comes to beyond its client: the actor with the key that the request has
// proved, if it has proved any. What is issued to that actor is bound to the key.
//
// Error: CodeProofInvalid.
func (s *Service) ProveKey(ctx context.Context, by Actor) (Actor, error) {
	if by.Proof.Text == "" {
		return by, nil
	}
	k, err := s.readProof(by.Proof, "")
	if err == nil {
		err = s.spendProof(ctx, by, k)
	}
	if err == nil {
		by.Holds = k.thumbprint
	}
	return by, err
}

// possessed refuses an access token whose bearer does not prove the key that it is bound to; one that is bound to none is a bearer token, and
// no other (RFC 9449 §7).
//
// Errors: CodeInvalidToken, CodeProofInvalid.
func (s *Service) possessed(ctx context.Context, by Actor, t accessToken, token string) error {
	bound := t.boundTo()
	if (bound != "") != by.Proof.Scheme {
		return refuse(CodeInvalidToken)
	}
	if bound == "" {
		return nil
	}
	k, err := s.readProof(by.Proof, token)
	if err != nil {
		return err
	}
	if k.thumbprint != bound {
		return &Error{Code: CodeProofInvalid, Cause: errors.New("proof of a key: not the one of the access token")}
	}
	return s.spendProof(ctx, by, k)
}

// boundTo is the thumbprint of the key that a token is bound to; empty: none.
func (t accessToken) boundTo() string {
	cnf, _ := t.claims[claimConfirmation].(map[string]any)
	key, _ := cnf["jkt"].(string)
	return key
}

// claimConfirmation names the key that a token is bound to (RFC 7800 §3.1, RFC 9449 §6.1).
const claimConfirmation = "cnf"

func confirmation(key string) map[string]any { return map[string]any{"jkt": key} }

// isThumbprint reports whether a text can be the thumbprint of a key, which a code is to be bound to (RFC 9449 §10).
func isThumbprint(text string) bool {
	raw, err := tokenText.DecodeString(text)
	return err == nil && len(raw) == sha256.Size && !slices.Contains([]byte(text), '\n')
}
