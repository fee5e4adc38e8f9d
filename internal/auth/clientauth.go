package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"
	"time"

	"countersign/internal/jose"
	"countersign/internal/seal"
)

// ClientCredentials is what a client sends to prove itself, in one way at a time: a secret, or a JWT that it has signed, or nothing.
type ClientCredentials struct {
	ID        ClientID // may be left out with an assertion, which says it as well
	Secret    seal.Secret
	Assertion string   // RFC 7523 §2.2
	Audiences []string // what an assertion may be for, beside the issuer: the token endpoint by its names
	Public    bool     // a public client may make this call, too
}

// How far ahead the end of an assertion may lie, and how far a client's clock may.
const (
	assertionFor = 5 * time.Minute
	clockAhead   = 10 * time.Second
)

// maxJTI is the longest jti, in bytes.
const maxJTI = 256

var errReplayed = errors.New("the assertion was used before")

// AuthenticateClient lets a client in by the one way in which it is to prove itself. Failures are throttled by address, never by the
// client's public id, so that nobody can lock a client out.
//
// Errors: CodeUnknownClient, CodeClientRefused for a public client where none is let in, CodeThrottled, CodeMaintenance.
func (s *Service) AuthenticateClient(ctx context.Context, in ClientCredentials, via Via) (Actor, error) {
	if in.ID == "" {
		in.ID = ClientID(jose.Claimed(in.Assertion, "sub"))
	}
	stranger := Actor{Via: via}
	c := s.dir.Load().clients[in.ID]
	charged := c == nil || s.settings(c.Tenant).RateLimits
	if charged {
		if err := s.charge(stranger); err != nil {
			return Actor{}, err
		}
	}
	by := Actor{Client: in.ID, Via: via}
	hash, proved := s.clientSecret(in), false
	var spent *clientAssertion
	err := s.lookup(ctx, func(d *directory) (err error) {
		c := d.clients[in.ID]
		if c == nil || !c.DisabledAt.IsZero() {
			return refuse(CodeUnknownClient)
		}
		by.Tenant = c.Tenant
		if spent, err = s.clientProves(d, c, in, hash); err != nil {
			return err
		}
		proved = true
		return d.open(c.Tenant)
	})
	if err == nil && spent != nil {
		err = s.spendAssertion(ctx, by, *spent)
		proved = err == nil
	}
	if proved && charged {
		s.refund(stranger)
	}
	if err != nil {
		return by, err
	}
	return by, s.chargeCaller(by)
}

func (s *Service) clientSecret(in ClientCredentials) [32]byte {
	return s.mac.Sum("client secret", []byte(in.ID), []byte(in.Secret.Reveal()))
}

// clientProves reports whether the credentials are those of the client's one way. hash is of the secret.
func (s *Service) clientProves(d *directory, c *Client, in ClientCredentials, hash [32]byte) (*clientAssertion, error) {
	secret, signed := !in.Secret.IsZero(), in.Assertion != ""
	switch {
	case c.Auth == ClientAuthSecret && secret && !signed:
		for _, known := range c.Secrets {
			if subtle.ConstantTimeCompare(known.Hash[:], hash[:]) == 1 {
				return nil, nil
			}
		}
	case c.Auth == ClientAuthKey && signed && !secret:
		return s.verifyAssertion(d.clientKeys[c.ID], in)
	case c.Auth == ClientAuthNone && !secret && !signed:
		if !in.Public {
			return nil, refuse(CodeClientRefused)
		}
		return nil, nil
	}
	return nil, refuse(CodeUnknownClient)
}

// clientAssertion is a JWT that proved its client, once.
type clientAssertion struct {
	jti   [32]byte // a digest
	until time.Time
}

// verifyAssertion checks what RFC 7523 §3 wants, and what keeps a JWT for somebody else from being taken here: aud is one exact text, and
// the whole of it (A-116, B-44). Verify has looked at iss, exp, iat and nbf.
func (s *Service) verifyAssertion(keys *jose.Set, in ClientCredentials) (*clientAssertion, error) {
	if keys == nil {
		return nil, refuse(CodeUnknownClient)
	}
	now := s.now()
	claims, err := keys.Verify(in.Assertion, jose.Want{
		Typ:    []string{"", "JWT", "client-authentication+jwt"},
		Issuer: string(in.ID), Audience: jose.AnyAudience, Now: now, Foreign: true,
	})
	if err != nil {
		return nil, &Error{Code: CodeUnknownClient, Cause: err}
	}
	subject, _ := claims.String("sub")
	audience, _ := claims.String("aud")
	jti, _ := claims.String("jti")
	end, _ := claims.Time("exp")
	var wrong string
	switch {
	case subject != string(in.ID):
		wrong = "sub is not the client"
	case audience != s.issuer && !slices.Contains(in.Audiences, audience):
		wrong = "aud is not ours alone"
	case jti == "" || len(jti) > maxJTI:
		wrong = "jti is missing or too long"
	case end.After(now.Add(assertionFor + clockAhead)):
		wrong = "exp is too far ahead"
	default:
		return &clientAssertion{sha256.Sum256([]byte(jti)), end}, nil
	}
	return nil, &Error{Code: CodeUnknownClient, Cause: errors.New("client assertion: " + wrong)}
}

// spendAssertion takes an assertion once, on any number of nodes. One that comes back is in two hands, which its tenant's events tell.
func (s *Service) spendAssertion(ctx context.Context, by Actor, a clientAssertion) error {
	e := s.event(by, EventTokenRefused, s.now())
	e.Reason, e.Note = CodeUnknownClient.String(), errReplayed.Error()
	first := false
	err := s.store.Write(ctx, func(w Writes) (err error) {
		if first, err = w.SpendAssertion(by.Tenant, by.Client, a.jti, a.until); err != nil || first {
			return err
		}
		return w.AddEvents(e)
	})
	if err == nil && !first {
		err = &Error{Code: CodeUnknownClient, Cause: errReplayed}
	}
	return err
}
