package auth

import (
	"context"
	"net/url"
	"time"
)

// Codes that go by e-mail are asked for and proved without a login, so whoever asks must not learn who has an account. One whom a code
// cannot be for is treated as nobody: a phantom, who has challenges and failures like a user, is sent decoys, and whose codes are never
// right. All that is written is the same, and so are the bytes and the work (A-028, A-029, B-13).

// addressee is who a code by e-mail is for, or nobody.
type addressee struct {
	kind      IdentifierKind // of what the caller named them by
	canonical string
	fits      func(Account) bool // whom such a code can be for
}

// mailProof is a code that came by e-mail, as it was given back.
type mailProof struct {
	addressee
	purpose Purpose
	code    string
	refused Code    // why it was not taken, whatever the reason: none may be told from another
	channel Channel // it came by; empty: e-mail
}

// byMail reads the account of an addressee, and nobody's in its place when it does not fit. The second one is as it was read.
func (s *Service) byMail(r Reads, t TenantID, to addressee) (Account, Account, error) {
	phantom := s.phantom(t, to.kind, to.canonical)
	a, err := r.AccountByIdentifier(t, to.kind, to.canonical, phantom)
	if err != nil || a.Found && to.fits(a) {
		return a, a, err
	}
	return Account{Revision: a.Revision, Subject: phantom, User: User{Tenant: t}}, a, nil
}

// notSuspended is the least that a code by e-mail asks of its user.
func notSuspended(a Account) bool { return a.User.Status != UserSuspended }

// mailed begins a challenge of an account's e-mail address.
func mailed(a Account, p Purpose, ref IdentityRef) Challenge {
	c := Challenge{
		Tenant: a.User.Tenant, Purpose: p, Channel: ChannelEmail, Subject: a.Subject, User: a.User.ID, Identity: ref, Target: string(a.Subject),
	}
	if a.Found {
		c.Target, _ = Canonical(ByEmail, a.User.Email) // one without an address has no challenge either
	}
	return c
}

// over is a challenge of the account's phone number in place of its e-mail address, when the channel is SMS.
func (c Challenge) over(channel Channel, a Account) Challenge {
	if channel == ChannelSMS {
		c.Channel = ChannelSMS
		if a.Found {
			c.Target, _ = Canonical(ByPhone, a.User.Phone)
		}
	}
	return c
}

// recipient is under whom the messages of a challenge are counted: its user, or the phantom in their place.
func (c Challenge) recipient() UserID {
	if c.User == "" && (c.Channel == ChannelEmail || c.Purpose == PurposeRecovery || c.Purpose == PurposeLoginCode) {
		return UserID(c.Subject)
	}
	return c.User
}

// mail sends a code to the address that is stored with the account, never to the one that was typed; to nobody a decoy.
//
// Verdicts: those of sendCode.
func (s *Service) mail(tx Tx, by Actor, a Account, c Challenge, t Template, typed string, now time.Time) (Challenge, *Error, error) {
	m, u := Message{Template: t, Kind: ParcelEmail, To: a.User.Email}, a.User
	if !a.Found {
		m.Kind, m.To, u.ID = ParcelDecoy, typed, c.recipient()
	}
	return s.sendCode(tx, by, u, c, m, now)
}

// linkOf is where the embedder's app takes a code, in the shapes that the vendor's own app serves (contract/multi §2.8); empty when the
// code is typed. Its base is configured: nothing of it comes from a request (A-081, B-46).
func (s *Service) linkOf(c Challenge, to, code string) string {
	base := s.settings(c.Tenant).AppURL
	if base == "" {
		base = s.publicURL
	}
	switch c.Purpose {
	case PurposeRecovery:
		return base + "/set-password/" + url.PathEscape(code) + "/" + url.PathEscape(to)
	case PurposeInvite:
		return base + "/invite/consume?user_id=" + url.QueryEscape(string(c.User)) + "&nonce=" + url.QueryEscape(code)
	case PurposeVerifyEmail:
		link := base + "/login/verify?email=" + url.QueryEscape(to) + "&nonce=" + url.QueryEscape(code)
		if c.Identity.Type == Consumer {
			link += "&cons=true"
		}
		return link
	}
	return ""
}

// mailChallenge reads whose proof it is and the challenge that it answers. When there is none, the one returned takes no answer.
func (s *Service) mailChallenge(r Reads, t TenantID, p mailProof) (Account, Challenge, string, error) {
	a, _, err := s.byMail(r, t, p.addressee)
	if err != nil {
		return a, Challenge{}, "", err
	}
	c := mailed(a, p.purpose, IdentityRef{}).over(p.channel, a)
	prior, err := s.prior(r, c)
	if err == nil && prior.ID != "" {
		return a, prior, c.Target, nil
	}
	return a, c, c.Target, err
}

// checkMailed judges a code without using it up, before work that only its holder may cause: what follows may be refused, and then the
// code is good for another try. A wrong one counts.
//
// Errors: p.refused, CodeThrottled.
func (s *Service) checkMailed(ctx context.Context, by Actor, p mailProof) (Account, error) {
	if err := s.charge(by); err != nil {
		return Account{}, err
	}
	now, once := s.now(), by
	by.Once = nil // a right code is not yet what the call is answered with; a wrong one is
	a, err := decide(ctx, s, by, func(tx Tx) (Account, *Error, error) {
		if err := s.answered(tx, once); err != nil {
			return Account{}, nil, err
		}
		a, c, target, err := s.mailChallenge(tx, by.Tenant, p)
		if err != nil {
			return a, nil, err
		}
		_, _, no, err := s.checkCode(tx, by, c, target, p.code, now)
		if err != nil || no == nil {
			return a, nil, err
		}
		return a, p.verdict(no), s.keepAnswer(tx, once, nil, p.verdict(no))
	})
	if err == nil {
		s.refund(by)
	}
	return a, err
}

// proveMailed uses a code up, in the transaction of what it leads to. Its verdict is p.refused.
func (s *Service) proveMailed(tx Tx, by Actor, p mailProof, now time.Time) (Account, Challenge, *Error, error) {
	a, c, target, err := s.mailChallenge(tx, by.Tenant, p)
	if err != nil {
		return a, c, nil, err
	}
	c, no, err := s.proveCode(tx, by, c, target, p.code, now)
	return a, c, p.verdict(no), err
}

func (p mailProof) verdict(no *Error) *Error {
	if no == nil {
		return nil
	}
	return &Error{Code: p.refused, counted: no.counted}
}

// verifyEmail notes that the user reads what is sent to their address: a code that was sent there came back.
func (s *Service) verifyEmail(tx Tx, by Actor, c Challenge, u User, now time.Time) error {
	if !u.EmailVerifiedAt.IsZero() {
		return nil
	}
	u.EmailVerifiedAt, u.UpdatedAt = now, now
	if err := s.putUser(tx, u); err != nil {
		return err
	}
	return tx.AddEvents(s.challengeEvent(by, EventEmailVerified, c, "", now))
}

// welcome opens the session of a user who has just proved themselves by a code from their e-mail and set a password. Its token is not
// stepped up: whoever reads the mailbox still has to prove the second factor.
func (s *Service) welcome(tx Tx, by Actor, a Account, m Method, now time.Time, events ...Event) (Login, error) {
	session := s.newSession(by, a.User, SurfaceMulti, m, now)
	login, token := s.firstToken(session, a.Memberships, now)
	if a.User.Status == UserPending {
		if _, err := tx.ActivateUser(a.User.Tenant, a.User.ID, now); err != nil {
			return login, err
		}
	}
	if err := tx.AddSession(session); err != nil {
		return login, err
	}
	if err := tx.AddToken(token); err != nil {
		return login, err
	}
	issued := s.event(by, EventTokenIssued, now)
	issued.User, issued.Session, issued.Reason = a.User.ID, session.ID, string(login.Kind)
	return login, tx.AddEvents(append(events, issued)...)
}
