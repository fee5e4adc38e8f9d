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

// LinkRequest asks for a link that logs a user in to a client (contract/cis §1.9).
type LinkRequest struct {
	Kind        IdentifierKind
	Identifier  string
	RedirectURI string        // one of the client's own
	State       string        // comes back with the code; empty: none
	Channel     Channel       // ChannelEmail, or ChannelDirect
	For         time.Duration // life of the link; zero: LoginLinkFor
	Bound       bool          // the link is good only together with SentLink.Request
}

// SentLink is what the client learns of a link.
type SentLink struct {
	Link    string // ChannelDirect alone
	Request string // empty: not asked for
}

// LinkLogin is the code of a link that came back.
type LinkLogin struct {
	Code    string
	Request string // SentLink.Request
	BackendGrant
	Session SessionID // join this live session of the same user; empty: open one
}

// SendLoginLink sends a link that logs a user in, or returns it. It leads to an address that is configured for the client, and nowhere
// else (A-081, B-46). For an identifier that nobody has, and a user without an e-mail address, it succeeds all the same, but for
// ChannelDirect.
//
// Errors: CodeIdentifierInvalid, CodeRedirectInvalid, CodeLocked, CodeTooSoon, CodeChallengeLimit, CodeThrottled; with ChannelDirect or
// Settings.RevealAccounts CodeUserNotFound, CodeEmailNotFound.
func (s *Service) SendLoginLink(ctx context.Context, by Actor, in LinkRequest) (SentLink, error) {
	canonical, err := Canonical(in.Kind, in.Identifier)
	if err != nil {
		return SentLink{}, err
	}
	client, err := s.clientOf(by)
	if err != nil {
		return SentLink{}, err
	}
	if !slices.Contains(client.RedirectURIs, in.RedirectURI) {
		return SentLink{}, refuseField(CodeRedirectInvalid, "redirect_uri")
	}
	var sent SentLink
	if in.Bound {
		sent.Request = randomText(16)
	}
	now, reveal := s.now(), s.settings(by.Tenant).RevealAccounts || in.Channel == ChannelDirect
	return decide(ctx, s, by, func(tx Tx) (SentLink, *Error, error) {
		if err := s.rules(by).links(); err != nil {
			return sent, nil, err
		}
		who, no, err := s.loginBy(tx, by.Tenant, in.Kind, canonical, now)
		if err != nil {
			return sent, nil, err
		}
		m := s.codeMessage(&who, CodeRequest{Channel: in.Channel}, "")
		m.Template = TemplateLoginLink
		c := who.challenge(by.Tenant, PurposeLoginLink, in.Channel)
		c.Digest = s.bound(by, PurposeLoginLink, sent.Request)
		if who.why == CodeInternal {
			c.Target = ownTarget(in.Channel, who.User)
		}
		if in.For > 0 {
			c.ExpiresAt = now.Add(in.For)
		}
		if no == nil && reveal && who.why != CodeInternal {
			no = refuse(who.why)
		}
		if no == nil {
			no, err = s.sendTo(tx, by, who, c, m, func(c Challenge, m Message) (string, Message) {
				secret := randomText(32)
				m.Code = string(c.ID) + "." + secret // the id is to find it by
				m.Link = loginLink(in, m.Code)
				sent.Link = m.Link
				return secret, m
			}, now)
		}
		if in.Channel != ChannelDirect {
			sent.Link = ""
		}
		return sent, no, s.noteUnsent(tx, by, c, no, err, now)
	})
}

// loginLink adds the code to a redirect address.
func loginLink(in LinkRequest, code string) string {
	base, fragment, _ := strings.Cut(in.RedirectURI, "#")
	link := base + "?"
	if strings.Contains(base, "?") {
		link = base + "&"
	}
	link += "code=" + code
	if in.State != "" {
		link += "&state=" + url.QueryEscape(in.State)
	}
	if fragment != "" {
		link += "#" + fragment
	}
	return link
}

// AuthenticateLink logs a user in on proof of the code of a link, which works once (B-15). The code is used up also when the session or
// the organization is then refused.
//
// Errors: CodeInvalidTarget, CodeThrottled; CodeNoChallenge, whatever is wrong with the code; those of admitClient.
func (s *Service) AuthenticateLink(ctx context.Context, by Actor, in LinkLogin) (TokenSet, error) {
	client, err := s.issuingClient(ctx, by)
	if err != nil {
		return TokenSet{}, err
	}
	if _, err := client.audience(in.Resource); err != nil {
		return TokenSet{}, err
	}
	if err := s.charge(by); err != nil {
		return TokenSet{}, err
	}
	now := s.now()
	set, err := decide(ctx, s, by, func(tx Tx) (TokenSet, *Error, error) {
		account, c, no, err := s.proveLink(tx, by, in, now)
		if err != nil || no != nil {
			return TokenSet{}, no, err
		}
		if c.Channel == ChannelEmail {
			if err := s.verifyTarget(tx, by, c, &account.User, now); err != nil {
				return TokenSet{}, nil, err
			}
		}
		return s.admitClient(tx, by, client, account, linkMethod(c), in.BackendGrant, in.Session, now)
	})
	if err == nil {
		s.refund(by)
	}
	return set, err
}

func linkMethod(c Challenge) Method {
	if c.Channel == ChannelEmail {
		return MethodLink
	}
	return MethodDirect
}

// proveLink judges the code of a link and uses it up. A wrong one counts for nobody: it cannot be guessed, and names whom it was for.
func (s *Service) proveLink(tx Tx, by Actor, in LinkLogin, now time.Time) (Account, Challenge, *Error, error) {
	id, secret, _ := strings.Cut(in.Code, ".")
	c, err := tx.Challenge(by.Tenant, ChallengeID(id))
	if errors.Is(err, ErrNotFound) {
		return Account{}, c, refuse(CodeNoChallenge), nil
	}
	if err != nil {
		return Account{}, c, nil, err
	}
	hash := s.codeHash(c, secret)
	right := c.Purpose == PurposeLoginLink && c.pending(now) && c.User != "" && c.Digest == s.bound(by, PurposeLoginLink, in.Request) &&
		subtle.ConstantTimeCompare(hash[:], c.CodeHash[:]) == 1 && s.rules(by).links() == nil
	var account Account
	if right {
		if account, err = tx.AccountByUser(by.Tenant, c.User); err != nil {
			return account, c, nil, err
		}
		right = c.Target == ownTarget(c.Channel, account.User) && account.User.Status != UserSuspended
	}
	if !right {
		return account, c, refuse(CodeNoChallenge), tx.AddEvents(
			s.challengeEvent(by, EventChallengeRefused, c, CodeNoChallenge.String(), now))
	}
	c.Status, _ = c.Status.next(ChallengeIsApproved)
	c.EndedAt = now
	c.Version++
	if moved, err := tx.PutChallenge(c, c.Version-1); err != nil || !moved {
		return account, c, nil, errors.Join(err, raced(moved))
	}
	return account, c, nil, tx.AddEvents(s.challengeEvent(by, EventChallengeApproved, c, "", now))
}
