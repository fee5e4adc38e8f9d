package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
)

// ContactLink asks for a link that proves an e-mail address which a user says is theirs (contract/cis §1.9).
type ContactLink struct {
	Email    string
	Redirect string // one of the client's own; the link leads there when it was confirmed
	Primary  bool   // see ContactProof
}

// contactLink is what a link holds: all but the proof is there so that nothing has to be kept of it.
type contactLink struct {
	tenant    TenantID
	client    ClientID
	challenge ChallengeID
	secret    string
	ContactLink
}

// SendContactLink sends a link to an e-mail address which the user of a session says is theirs. It leads to a page of ours, since programs
// that look into mails open links: only the button on it proves that somebody read the mail.
//
// Errors: CodeRedirectInvalid; those of SendContactCode.
func (s *Service) SendContactLink(ctx context.Context, by Actor, live LiveSession, in ContactLink) error {
	client, err := s.clientOf(by)
	if err != nil {
		return err
	}
	if !slices.Contains(client.RedirectURIs, in.Redirect) {
		return refuseField(CodeRedirectInvalid, "redirect_uri")
	}
	return s.sendContact(ctx, by, live, ByEmail, in.Email, PurposeOwnLink, func(c Challenge, m Message) (string, Message) {
		l := contactLink{by.Tenant, by.Client, c.ID, randomText(resetSecretBytes), in}
		m.Link = s.publicURL + "/cis/v1/verification/links/email/confirm?code=" + s.contactToken(l)
		return l.secret, m
	})
}

func (s *Service) contactToken(l contactLink) string {
	primary := ""
	if l.Primary {
		primary = "primary"
	}
	body := strings.Join([]string{string(l.tenant), string(l.client), string(l.challenge), l.secret, l.Email, l.Redirect, primary}, "\x00")
	tag := s.mac.Sum("contact link", []byte(body))
	return tokenText.EncodeToString(append([]byte(body), tag[:tokenTagBytes]...))
}

func (s *Service) openContactLink(text string) (contactLink, bool) {
	raw, err := tokenText.DecodeString(text)
	if err != nil || len(raw) < tokenTagBytes {
		return contactLink{}, false
	}
	body, tag := raw[:len(raw)-tokenTagBytes], raw[len(raw)-tokenTagBytes:]
	want := s.mac.Sum("contact link", body)
	p := strings.Split(string(body), "\x00")
	if subtle.ConstantTimeCompare(want[:tokenTagBytes], tag) != 1 || len(p) != 7 {
		return contactLink{}, false
	}
	return contactLink{TenantID(p[0]), ClientID(p[1]), ChallengeID(p[2]), p[3], ContactLink{p[4], p[5], p[6] != ""}}, true
}

// ContactLinkOf returns what a link is about, and the name of the tenant. It changes nothing.
//
// Errors: CodeNoChallenge for a link that is none of ours; CodeMaintenance.
func (s *Service) ContactLinkOf(ctx context.Context, code string) (ContactLink, string, error) {
	l, ok := s.openContactLink(code)
	if !ok {
		return ContactLink{}, "", refuse(CodeNoChallenge)
	}
	name := ""
	err := s.lookup(ctx, func(d *directory) error {
		if t := d.tenants[l.tenant]; t != nil {
			name = t.Name
		}
		return d.open(l.tenant)
	})
	return l.ContactLink, name, err
}

// ConfirmContactLink notes that the address of a link is the user's, and returns where the link leads: it tells there how it went, as result
// (contract/cis §1.9). A link works once, in a day, as long as the session that asked for it lives; once more it leads to the same answer.
//
// Errors: CodeNoChallenge for a link that is none of ours; CodeMaintenance.
func (s *Service) ConfirmContactLink(ctx context.Context, via Via, code string) (string, error) {
	l, ok := s.openContactLink(code)
	if !ok {
		return "", refuse(CodeNoChallenge)
	}
	by, now := Actor{Tenant: l.tenant, Client: l.client, Via: via}, s.now()
	proved, err := decide(ctx, s, by, func(tx Tx) (bool, *Error, error) {
		c, err := tx.Challenge(l.tenant, l.challenge)
		if errors.Is(err, ErrNotFound) {
			return false, nil, nil
		}
		hash := s.codeHash(c, l.secret)
		if err != nil || c.Purpose != PurposeOwnLink || subtle.ConstantTimeCompare(hash[:], c.CodeHash[:]) != 1 {
			return false, nil, err
		}
		if c.Status == ChallengeApproved || !c.pending(now) {
			return c.Status == ChallengeApproved && now.Before(c.ExpiresAt), nil, nil
		}
		return s.confirmContact(tx, by, c, l, now)
	})
	if err != nil {
		return "", err
	}
	result := "false"
	if proved {
		result = "true"
	}
	return withQuery(l.Redirect, url.Values{"result": {result}}), nil
}

// confirmContact uses a link up; what has changed since it was sent may refuse it.
func (s *Service) confirmContact(tx Tx, by Actor, c Challenge, l contactLink, now time.Time) (bool, *Error, error) {
	live, err := tx.Session(l.tenant, c.Session)
	if errors.Is(err, ErrNotFound) || err == nil && !live.joinable(now) {
		return false, nil, s.void(tx, by, c, now)
	}
	if err != nil {
		return false, nil, err
	}
	o, no, err := s.own(tx, by, live, ByEmail, l.Email, now)
	if err != nil {
		return false, nil, err
	}
	if no != nil || o.foreign {
		return no != nil && no.Code == CodeAlreadyVerified, nil, s.void(tx, by, c, now)
	}
	if _, err := s.putApproved(tx, by, c, now); err != nil {
		return false, nil, err
	}
	return true, nil, s.takeContact(tx, o, l.Primary)
}

// withQuery adds parameters to an address, before its fragment.
func withQuery(address string, v url.Values) string {
	base, fragment, found := strings.Cut(address, "#")
	mark := "?"
	if strings.Contains(base, "?") {
		mark = "&"
	}
	base += mark + v.Encode()
	if found {
		base += "#" + fragment
	}
	return base
}
