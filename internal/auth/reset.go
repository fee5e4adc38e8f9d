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

	"countersign/internal/seal"
)

// A reset of /cis is a recovery in two calls (contract/cis §1.3): one turns a proof into a reset token, and whoever holds the token
// chooses the password. The proofs are the old password, also one that is due to be replaced, a code by e-mail or SMS, and a link, whose
// token is in it. The challenges behind codes and links are those of recovery on /multi: a user has one at a time.

// ResetRequest asks for the proof of a reset.
type ResetRequest struct {
	Channel    Channel // ChannelEmail or ChannelSMS
	Kind       IdentifierKind
	Identifier string
	Redirect   string // for a link: where in the client's app it leads
	Previous   string // the reset token of the factor that was proved before; empty: none
	Trusted    bool   // the client vouches for the user in the place of a second factor
}

// StartReset sends a user a code, or a link when there is a redirect, to an address of theirs that is verified. It changes nothing on the
// account, works during a lock, and succeeds whoever is named and whatever was sent before.
//
// Errors: CodeIdentifierInvalid, CodeRedirectInvalid, CodeChannelUnsupported, CodeRecoveryInvalid for a Previous that is not the user's or
// not good; with Settings.RevealAccounts CodeUserNotFound, CodeEmailUnverified and CodePhoneUnverified.
func (s *Service) StartReset(ctx context.Context, by Actor, in ResetRequest) error {
	_, err := s.startReset(ctx, by, in, func(tx Tx, a Account, c Challenge, to string, now time.Time) (Challenge, *Error, error) {
		mint := func(c Challenge, m Message) (string, Message) {
			if in.Redirect == "" {
				m.Code = s.newCode(c.Tenant, s.codePolicy(by, c).digits)
				return m.Code, m
			}
			secret := randomText(resetSecretBytes)
			m.Link = s.resetLink(by, c, in.Redirect, secret)
			return secret, m
		}
		m, u := Message{Template: TemplateRecovery, Kind: ParcelEmail, To: a.User.Email}, a.User
		if in.Channel == ChannelSMS {
			m.Kind, m.To = ParcelSMS, a.User.Phone
		}
		if !a.Found {
			m.Kind, m.To, u.ID = ParcelDecoy, to, c.recipient()
		}
		return s.sendProof(tx, by, u, c, m, mint, now)
	})
	return err
}

// MakeResetLink returns a link for the client to bring to its user by a way of its own. For a user who is not there it leads nowhere.
//
// Errors: CodeIdentifierInvalid, CodeRedirectInvalid, CodeThrottled; with Settings.RevealAccounts CodeUserNotFound.
func (s *Service) MakeResetLink(ctx context.Context, by Actor, in ResetRequest) (string, error) {
	var link string
	var no *Error
	in.Channel = ""
	_, err := s.startReset(ctx, by, in, func(tx Tx, a Account, c Challenge, to string, now time.Time) (Challenge, *Error, error) {
		mint := func(c Challenge, m Message) (string, Message) {
			secret := randomText(resetSecretBytes)
			link = s.resetLink(by, c, in.Redirect, secret)
			return secret, m
		}
		u := a.User
		if !a.Found {
			u.ID = c.recipient()
		}
		c.Target = string(a.Subject) // no address of the user's is proved by it
		var err error
		c, no, err = s.sendProof(tx, by, u, c, Message{Template: TemplateRecovery, Kind: ParcelDecoy, To: to}, mint, now)
		return c, no, err
	})
	if err == nil && no != nil {
		return "", s.tooManyLinks(by, no)
	}
	return link, err
}

// tooManyLinks says what holds the next link up: the pause after one, the pause after several, or the user's messages.
func (s *Service) tooManyLinks(by Actor, no *Error) error {
	limits, policy := no.Limits, s.settings(by.Tenant).OTP
	if len(limits) == 0 {
		l := Limit{Count: policy.Sends, Window: mailPause}
		if no.Code == CodeTooSoon {
			l = Limit{Count: 1, Window: policy.Wait}
		}
		limits = []Limit{l, l}
	}
	return &Error{Code: CodeThrottled, RetryAfter: no.RetryAfter, Limits: limits}
}

// startReset begins the challenge of a reset by what send does.
func (s *Service) startReset(
	ctx context.Context, by Actor, in ResetRequest, send func(Tx, Account, Challenge, string, time.Time) (Challenge, *Error, error),
) (Challenge, error) {
	client, err := s.clientOf(by)
	if err != nil {
		return Challenge{}, err
	}
	if in.Redirect != "" && !slices.Contains(client.RedirectURIs, in.Redirect) {
		return Challenge{}, refuseField(CodeRedirectInvalid, "redirect_uri")
	}
	canonical, err := Canonical(in.Kind, in.Identifier)
	if err != nil {
		return Challenge{}, err
	}
	now, reveal := s.now(), s.settings(by.Tenant).RevealAccounts
	return decide(ctx, s, by, func(tx Tx) (Challenge, *Error, error) {
		if err := s.rules(by).passwords(); err != nil {
			return Challenge{}, nil, err
		}
		a, read, err := s.byMail(tx, by.Tenant, addressee{in.Kind, canonical, in.Channel.resettable})
		if err != nil {
			return Challenge{}, nil, err
		}
		var told *Error
		if reveal {
			told = in.Channel.unresettable(read)
		}
		c, no, err := s.begunWith(tx, by, mailed(a, PurposeRecovery, IdentityRef{}).over(in.Channel, a), in, now)
		if err != nil || no != nil {
			return c, no, err
		}
		return s.askRecovery(tx, by, c, told, func() (Challenge, *Error, error) { return send(tx, a, c, canonical, now) }, now)
	})
}

// resettable reports whether a user can be sent the proof of a reset over the channel; an empty one is the client's own.
func (c Channel) resettable(a Account) bool {
	return c.unresettable(a) == nil && notSuspended(a) && a.Password.Hash != ""
}

func (c Channel) unresettable(a Account) *Error {
	switch {
	case !a.Found:
		return refuse(CodeUserNotFound)
	case c == ChannelEmail && (a.User.Email == "" || a.User.EmailVerifiedAt.IsZero()):
		return refuse(CodeEmailUnverified)
	case c == ChannelSMS && (a.User.Phone == "" || a.User.PhoneVerifiedAt.IsZero()):
		return refuse(CodePhoneUnverified)
	}
	return nil
}

// ResetProof is a code that came by e-mail or SMS.
type ResetProof struct {
	Channel    Channel
	Kind       IdentifierKind
	Identifier string
	Code       string
}

// ProveReset turns a code into a reset token, and uses it up. Wrong ones count as those of a recovery on /multi do.
//
// Errors: CodeIdentifierInvalid, CodeThrottled, CodeChannelUnsupported, CodeRecoveryInvalid.
func (s *Service) ProveReset(ctx context.Context, by Actor, in ResetProof) (ResetToken, error) {
	canonical, err := Canonical(in.Kind, in.Identifier)
	if err != nil {
		return ResetToken{}, err
	}
	if err := s.charge(by); err != nil {
		return ResetToken{}, err
	}
	p := mailProof{addressee{in.Kind, canonical, in.Channel.resettable}, PurposeRecovery, in.Code, CodeRecoveryInvalid, in.Channel}
	now := s.now()
	token, err := decide(ctx, s, by, func(tx Tx) (ResetToken, *Error, error) {
		if err := s.rules(by).passwords(); err != nil {
			return ResetToken{}, nil, err
		}
		a, c, no, err := s.proveMailed(tx, by, p, now)
		if err != nil || no != nil {
			return ResetToken{}, no, err
		}
		m := MethodEmail
		if in.Channel == ChannelSMS {
			m = MethodSMS
		}
		methods, f, no, err := s.proved(tx, c, m, now)
		if err != nil || no != nil {
			return ResetToken{}, no, err
		}
		t := s.resetToken(by, a.User, methods, now)
		if err := errors.Join(s.spendFirst(tx, by.Tenant, f, now), t.rows(tx)); err != nil {
			return ResetToken{}, nil, err
		}
		enough, err := s.recovers(tx, by, a.User, methods)
		return ResetToken{Text: t.text, More: !enough}, nil, errors.Join(err, tx.AddEvents(t.issued))
	})
	if err == nil {
		s.refund(by)
	}
	return token, err
}

// resetToken is a temporary token that stands for all that was proved.
func (s *Service) resetToken(by Actor, u User, methods []Method, now time.Time) temporary {
	t := s.temporaryToken(by, u, SurfaceReset, methods[0], now)
	t.session.Methods = methods
	return t
}

func (s *Service) worth(by Actor, t temporary) ResetToken {
	return ResetToken{Text: t.text, More: !s.rules(by).enough(t.session.Methods)}
}

// reset is a reset token that was found good.
type reset struct {
	by      Actor // the client that it was made for
	account Account
	methods []Method                                   // by which the user proved themselves
	spend   func(Tx, time.Time) (Account, bool, error) // uses it up; false when it was by now
}

// ResetPassword sets a new password on proof of a reset token, which it uses up. In one transaction it ends every session, token and
// refresh family of the user and what else is pending, and lifts the lock of the password that was lost. A password that
// is not taken leaves the token good, and so does one factor where two are asked for. It returns the address that the user was told at;
// empty when they have none.
//
// Errors: CodeInputTooLong, CodeThrottled, CodeRecoveryInvalid for a token that is not good, CodeMaintenance; to its holder only,
// CodeChannelUnsupported, CodeStepUpRequired where another factor is asked for, CodePasswordUsed, the policy's, CodeOverloaded.
func (s *Service) ResetPassword(ctx context.Context, via Via, token string, new seal.Secret) (string, error) {
	email, _, err := s.resetPassword(ctx, via, token, new, func(reset) (func(Writes, User, time.Time) (Entry, error), error) {
		return func(Writes, User, time.Time) (Entry, error) { return Entry{}, nil }, nil
	})
	return email, err
}

// resetPassword is ResetPassword with something that follows in the same transaction; prepare says what, before the token is used.
func (s *Service) resetPassword(
	ctx context.Context, via Via, token string, new seal.Secret, prepare func(reset) (func(Writes, User, time.Time) (Entry, error), error),
) (string, Entry, error) {
	if err := tooLong("new_password", new); err != nil {
		return "", Entry{}, err
	}
	if err := s.charge(Actor{Via: via}); err != nil {
		return "", Entry{}, err
	}
	r, err := s.openReset(ctx, via, token)
	if err != nil {
		return "", Entry{}, err
	}
	s.refund(Actor{Via: via})
	rules := s.rules(r.by)
	if err := rules.passwords(); err != nil {
		return "", Entry{}, err
	}
	var enough bool
	err = s.store.View(ctx, func(reads Reads) (err error) {
		enough, err = s.recovers(reads, r.by, r.account.User, r.methods)
		return err
	})
	if err != nil {
		return "", Entry{}, err
	}
	if !enough {
		return "", Entry{}, refuse(CodeStepUpRequired)
	}
	follow, err := prepare(r)
	if err != nil {
		return "", Entry{}, err
	}
	next, err := s.recoveredPassword(ctx, r.by, r.account, new)
	if err != nil {
		return "", Entry{}, s.refuseChange(ctx, r.by, r.account.User.ID, err)
	}
	var entry Entry
	email, err := decide(ctx, s, r.by, func(tx Tx) (string, *Error, error) {
		a, good, err := r.spend(tx, next.SetAt)
		if err != nil || !good {
			return "", refuse(CodeRecoveryInvalid), err
		}
		events, err := s.replaceLost(tx, r.by, a, next)
		if err != nil {
			return "", nil, err
		}
		a.User.Epoch++ // raised by the swap
		if entry, err = follow(tx, a.User, next.SetAt); err != nil {
			return "", nil, err
		}
		e := s.event(r.by, EventRecovered, next.SetAt)
		e.User = a.User.ID
		return a.User.Email, nil, tx.AddEvents(append(events, e)...)
	})
	return email, entry, err
}

// openReset finds what a reset token stands for.
func (s *Service) openReset(ctx context.Context, via Via, token string) (reset, error) {
	if l, ok := s.openResetLink(token); ok {
		return s.openLinked(ctx, via, l)
	}
	now := s.now()
	b, err := s.readTemporary(ctx, token)
	if err != nil {
		return reset{}, err
	}
	r := reset{by: Actor{Tenant: b.Token.Tenant, Client: b.Session.Client, Via: via}}
	if err := s.current(ctx, r.by, b.Revision); err != nil {
		return r, err
	}
	if !b.resets(now) {
		return r, refuse(CodeRecoveryInvalid)
	}
	r.methods = b.Session.Methods
	r.account, err = s.account(ctx, r.by, b.User.ID)
	r.spend = func(tx Tx, now time.Time) (Account, bool, error) {
		fresh, err := tx.Bearer(b.Token.Hash)
		if err != nil || !fresh.resets(now) {
			return Account{}, false, err
		}
		if first, err := tx.UseToken(b.Token.Hash, now); err != nil || !first {
			return Account{}, false, err
		}
		a, err := tx.AccountByUser(b.Token.Tenant, b.User.ID)
		return a, err == nil, err
	}
	return r, err
}

func (s *Service) readTemporary(ctx context.Context, token string) (Bearer, error) {
	secret, ok := s.openToken(sealBearer, token)
	if !ok {
		return Bearer{}, refuse(CodeRecoveryInvalid)
	}
	var b Bearer
	err := s.store.View(ctx, func(r Reads) (err error) { b, err = r.Bearer(sha256.Sum256(secret[:])); return err })
	if errors.Is(err, ErrNotFound) {
		return b, refuse(CodeRecoveryInvalid)
	}
	return b, err
}

// resets reports whether a token is good for a reset at the time now. One that a login on /multi gave is not: its update asks for the old
// password too.
func (b Bearer) resets(now time.Time) bool {
	return b.Token.Kind == TokenTemporary && b.Session.Surface == SurfaceReset && b.alive(now) && b.Token.good(now)
}

// resetSecretBytes is the length of what proves a link.
const resetSecretBytes = 24

// resetLinkToken is the reset token in a link. It names its challenge, and is sealed with a keyed tag like any token.
type resetLinkToken struct {
	tenant    TenantID
	client    ClientID
	challenge ChallengeID
	secret    string
}

// resetLink is where the client's app takes a reset token: its registered address and nothing of the request (A-081, B-46).
func (s *Service) resetLink(by Actor, c Challenge, redirect, secret string) string {
	body := strings.Join([]string{string(c.Tenant), string(by.Client), string(c.ID), secret}, "\x00")
	tag := s.mac.Sum("reset link", []byte(body))
	token := tokenText.EncodeToString(append([]byte(body), tag[:tokenTagBytes]...))
	mark := "?"
	if strings.Contains(redirect, "?") {
		mark = "&"
	}
	return redirect + mark + "code=" + url.QueryEscape(token)
}

func (s *Service) openResetLink(text string) (resetLinkToken, bool) {
	raw, err := tokenText.DecodeString(text)
	if err != nil || len(raw) < tokenTagBytes {
		return resetLinkToken{}, false
	}
	body, tag := raw[:len(raw)-tokenTagBytes], raw[len(raw)-tokenTagBytes:]
	want := s.mac.Sum("reset link", body)
	parts := strings.Split(string(body), "\x00")
	if subtle.ConstantTimeCompare(want[:tokenTagBytes], tag) != 1 || len(parts) != 4 {
		return resetLinkToken{}, false
	}
	return resetLinkToken{TenantID(parts[0]), ClientID(parts[1]), ChallengeID(parts[2]), parts[3]}, true
}

func (s *Service) openLinked(ctx context.Context, via Via, l resetLinkToken) (reset, error) {
	r := reset{by: Actor{Tenant: l.tenant, Client: l.client, Via: via}}
	good, now := false, s.now()
	err := s.store.View(ctx, func(reads Reads) error {
		var c Challenge
		var no *Error
		var err error
		if r.account, c, good, err = s.linked(reads, l, now); err != nil || !good {
			return err
		}
		r.methods, _, no, err = s.proved(reads, c, MethodLink, now)
		good = no == nil
		return err
	})
	if err != nil {
		return r, err
	}
	if err := s.current(ctx, r.by, r.account.Revision); err != nil {
		return r, err
	}
	if !good {
		return r, refuse(CodeRecoveryInvalid)
	}
	r.spend = func(tx Tx, now time.Time) (Account, bool, error) { return s.spendLink(tx, r.by, l, now) }
	return r, nil
}

// linked finds whose password a link resets, and its challenge; false when it is not good. It cannot be guessed, so a wrong one is not
// counted.
func (s *Service) linked(r Reads, l resetLinkToken, now time.Time) (Account, Challenge, bool, error) {
	c, err := r.Challenge(l.tenant, l.challenge)
	if errors.Is(err, ErrNotFound) {
		return Account{}, c, false, nil
	}
	hash := s.codeHash(c, l.secret)
	if err != nil || c.Purpose != PurposeRecovery || c.User == "" || !c.pending(now) ||
		subtle.ConstantTimeCompare(hash[:], c.CodeHash[:]) != 1 {
		return Account{}, c, false, err
	}
	a, err := r.AccountByUser(l.tenant, c.User)
	channel := Channel("")
	if err == nil && c.Target != string(a.Subject) {
		channel = ChannelEmail
	}
	return a, c, err == nil && channel.resettable(a) && (channel == "" || c.Target == mailed(a, c.Purpose, IdentityRef{}).Target), err
}

// spendLink uses a link up.
func (s *Service) spendLink(tx Tx, by Actor, l resetLinkToken, now time.Time) (Account, bool, error) {
	a, c, good, err := s.linked(tx, l, now)
	if err != nil || !good {
		return a, false, err
	}
	_, f, no, err := s.proved(tx, c, MethodLink, now)
	if err != nil || no != nil {
		return a, false, err
	}
	if err := errors.Join(s.endChallenge(tx, c, ChallengeIsApproved, now), s.spendFirst(tx, c.Tenant, f, now)); err != nil {
		return a, false, err
	}
	return a, true, tx.AddEvents(s.challengeEvent(by, EventChallengeApproved, c, "", now))
}
