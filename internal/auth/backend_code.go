package auth

import (
	"context"
	"strings"
	"time"
)

// CodeRequest asks for a code that logs a user in to a client (contract/cis §1.9).
type CodeRequest struct {
	Kind       IdentifierKind
	Identifier string
	Channel    Channel       // ChannelSMS, ChannelEmail, or ChannelDirect
	To         string        // another address than the user's own, for this code; empty: the user's own
	For        time.Duration // life of the code; zero: OTPPolicy.For
	Bound      bool          // the code is good only together with SentCode.Request
	Approval   Proposal      // what the user approves by it; zero: nothing
}

// SentCode is what the client learns of a code.
type SentCode struct {
	Code    string // ChannelDirect alone
	Request string // empty: not asked for
}

// CodeLogin is a code that came back.
type CodeLogin struct {
	Kind       IdentifierKind
	Identifier string
	Code       string
	Request    string // SentCode.Request
	BackendGrant
	Session SessionID // join this live session of the same user; empty: open one
}

// elsewhere marks the target of a code that went to an address which is not the user's own.
const elsewhere = "other "

// loginAccount is a user whom a code or a link can log in, or cannot. One who cannot is counted, limited and locked all the same, under
// their own subject or, where there is nobody, the phantom's, so that the answers do not differ (A-028, B-13).
type loginAccount struct {
	Account
	why Code // a code cannot be for them; CodeInternal: it can
}

// loginBy reads who is named. The password's lock is everybody's.
//
// Verdict: CodeLocked.
func (s *Service) loginBy(r Reads, t TenantID, kind IdentifierKind, canonical string, now time.Time) (loginAccount, *Error, error) {
	a, err := r.AccountByIdentifier(t, kind, canonical, s.phantom(t, kind, canonical))
	if err != nil {
		return loginAccount{}, nil, err
	}
	who := loginAccount{Account: a}
	if !a.Found || a.User.Status == UserSuspended {
		who.why = CodeUserNotFound
	}
	if a.Attempts.locked(now) {
		return who, &Error{Code: CodeLocked, RetryAfter: a.Attempts.LockedUntil.Sub(now)}, nil
	}
	return who, nil, nil
}

// challenge begins a challenge of the user, or of nobody in their place.
func (who loginAccount) challenge(t TenantID, p Purpose, channel Channel) Challenge {
	c := Challenge{Tenant: t, Purpose: p, Channel: channel, Subject: who.Subject, Target: string(who.Subject)}
	if who.why == CodeInternal {
		c.User = who.User.ID
	}
	return c
}

// bound ties a code to the client that asked for it, and to the request's id when there is one.
func (s *Service) bound(by Actor, p Purpose, request string) [32]byte {
	return s.mac.Sum("login challenge", []byte(by.Client), []byte(p), []byte(request))
}

// boundToApp ties a code to all clients of the actor's application in the place of one.
func (s *Service) boundToApp(by Actor, p Purpose, request string) [32]byte {
	return s.mac.Sum("login challenge of an application", []byte(s.Client(by).AppID), []byte(p), []byte(request))
}

// SendLoginCode sends a code that logs a user in, or returns it. For an identifier that nobody has, and a user whom it cannot reach, it
// succeeds all the same, but for ChannelDirect: its caller hands the code to somebody they know.
//
// Errors: CodeIdentifierInvalid, CodeChannelUnsupported, CodePhoneInvalid and CodePhoneCountry for To, CodeInputTooLong for what an SMS
// cannot show, CodeLocked, CodeTooSoon, CodeChallengeLimit, CodeThrottled; with ChannelDirect or Settings.RevealAccounts CodeUserNotFound, CodePhoneMissing, CodeEmailNotFound.
func (s *Service) SendLoginCode(ctx context.Context, by Actor, in CodeRequest) (SentCode, error) {
	canonical, err := Canonical(in.Kind, in.Identifier)
	if err != nil {
		return SentCode{}, err
	}
	if in.Channel == ChannelSMS && !s.uses(by.Tenant, ChannelSMS) {
		return SentCode{}, refuse(CodeChannelUnsupported)
	}
	to, no := s.otherAddress(by.Tenant, in)
	if no != nil {
		return SentCode{}, no
	}
	if in.Channel == ChannelSMS && in.Approval.tooLong() {
		return SentCode{}, refuseField(CodeInputTooLong, "approval_data")
	}
	var sent SentCode
	if in.Bound {
		sent.Request = randomText(16)
	}
	now, reveal := s.now(), s.settings(by.Tenant).RevealAccounts || in.Channel == ChannelDirect
	return decide(ctx, s, by, func(tx Tx) (SentCode, *Error, error) {
		rules := s.rules(by)
		if err := rules.codes(in.Channel); err != nil {
			return sent, nil, err
		}
		who, no, err := s.loginBy(tx, by.Tenant, in.Kind, canonical, now)
		if err != nil {
			return sent, nil, err
		}
		m := s.codeMessage(&who, in, to)
		c := who.challenge(by.Tenant, PurposeLoginCode, in.Channel)
		c.Digest, c.Approval = s.bound(by, PurposeLoginCode, sent.Request), in.Approval.Text
		if rules.shares(in.Channel) {
			c.Digest = s.boundToApp(by, PurposeLoginCode, sent.Request)
		}
		if who.why == CodeInternal {
			c.Target = targetOf(in, who.User, to)
		}
		if in.For > 0 {
			c.ExpiresAt = now.Add(in.For)
		}
		if no == nil && reveal && who.why != CodeInternal {
			no = refuse(who.why)
		}
		if no == nil {
			no, err = s.sendTo(tx, by, who, c, m, func(_ Challenge, m Message) (string, Message) {
				m.Code = s.newCode(by.Tenant, s.codePolicy(by, c).digits)
				sent.Code = m.Code
				return m.Code, m
			}, now)
		}
		if in.Channel != ChannelDirect {
			sent.Code = ""
		}
		return sent, no, s.noteUnsent(tx, by, c, no, err, now)
	})
}

// sendTo is sendProof for whoever was found; a lock is told as such.
func (s *Service) sendTo(
	tx Tx, by Actor, who loginAccount, c Challenge, m Message, mint minting, now time.Time,
) (*Error, error) {
	u := who.User
	u.Tenant = by.Tenant
	if who.why != CodeInternal {
		u = User{Tenant: by.Tenant, ID: c.recipient()}
	}
	_, no, err := s.sendProof(tx, by, u, c, m, mint, now)
	if err != nil || no == nil {
		return nil, err
	}
	policy := s.codePolicy(by, c)
	pause, all := Limit{Count: 1, Window: policy.Wait}, Limit{Count: policy.Sends, Window: policy.For}
	switch no.Code {
	case CodeTooSoon:
		no.Limits = []Limit{pause, pause, all}
	case CodeChallengeLimit:
		no.Limits = []Limit{all, pause, all}
		proofs, err := s.counterOf(by, c).read(tx, now)
		if err != nil || proofs.locked(now) {
			return &Error{Code: CodeLocked, RetryAfter: no.RetryAfter}, err
		}
	}
	return no, nil
}

// noteUnsent writes the event of a code that was not sent; an error goes first.
func (s *Service) noteUnsent(w Writes, by Actor, c Challenge, no *Error, err error, now time.Time) error {
	if err != nil || no == nil {
		return err
	}
	return w.AddEvents(s.challengeEvent(by, EventChallengeRefused, c, no.Code.String(), now))
}

// otherAddress is the canonical form of the address that a code is to go to in place of the user's own.
func (s *Service) otherAddress(t TenantID, in CodeRequest) (string, *Error) {
	if in.To == "" || in.Channel == ChannelDirect {
		return "", nil
	}
	kind, field := ByEmail, "custom_email"
	if in.Channel == ChannelSMS {
		kind, field = ByPhone, "custom_phone_number"
	}
	to, err := Canonical(kind, in.To)
	if err != nil {
		return "", refuseField(CodeIdentifierInvalid, field)
	}
	if in.Channel == ChannelSMS {
		if no := s.phoneFit(t, to); no != nil {
			no.Field = field
			return "", no
		}
	}
	return to, nil
}

// codeMessage is the message that brings a code, and says in who why there is none to bring.
func (s *Service) codeMessage(who *loginAccount, in CodeRequest, to string) Message {
	m := Message{Template: TemplateLogin, Kind: ParcelEmail, To: to}
	if in.Channel == ChannelSMS {
		m.Kind = ParcelSMS
	}
	if who.why == CodeInternal && to == "" {
		switch {
		case in.Channel == ChannelSMS && s.phoneFit(who.User.Tenant, who.User.Phone) != nil:
			who.why = CodePhoneMissing
		case in.Channel == ChannelSMS:
			m.To = who.User.Phone
		case in.Channel == ChannelEmail && who.User.Email == "":
			who.why = CodeEmailNotFound
		case in.Channel == ChannelEmail:
			m.To = who.User.Email
		}
	}
	if who.why != CodeInternal {
		m.Kind, m.To = ParcelDecoy, ""
	}
	return in.Approval.shown(m)
}

// targetOf is where a code of a user goes, as the challenge keeps it.
func targetOf(in CodeRequest, u User, to string) string {
	if to != "" {
		return elsewhere + to
	}
	return ownTarget(in.Channel, u)
}

// ownTarget is the user's own address of a channel. A code the client hands over goes to none.
func ownTarget(channel Channel, u User) string {
	switch channel {
	case ChannelSMS:
		return u.Phone
	case ChannelEmail:
		canonical, _ := Canonical(ByEmail, u.Email)
		return canonical
	}
	return string(SubjectOf(u.ID))
}

// target is where a code must have gone to be good now: an address that is the user's no more proves nothing.
func (who loginAccount) target(c Challenge) string {
	if strings.HasPrefix(c.Target, elsewhere) || c.User == "" {
		return c.Target
	}
	return ownTarget(c.Channel, who.User)
}

// AuthenticateCode logs a user in on proof of a code. Failures count over all of the user's codes, and with the codes by SMS of /multi
// (B-16, B-17). The code is used up also when the session or the organization is then refused.
//
// Errors: CodeIdentifierInvalid, CodeInvalidTarget, CodeThrottled, CodeLocked, CodeOTPExpired; CodeWrongOTP, whatever else the reason;
// those of admitClient.
func (s *Service) AuthenticateCode(ctx context.Context, by Actor, in CodeLogin) (TokenSet, error) {
	canonical, err := Canonical(in.Kind, in.Identifier)
	if err != nil {
		return TokenSet{}, err
	}
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
		who, no, err := s.loginBy(tx, by.Tenant, in.Kind, canonical, now)
		c := who.challenge(by.Tenant, PurposeLoginCode, "")
		if err != nil || no != nil {
			return TokenSet{}, no, s.noteUnsent(tx, by, c, no, err, now)
		}
		if c, no, err = s.proveLoginCode(tx, by, who, c, in, now); err != nil || no != nil {
			return TokenSet{}, no, err
		}
		if err := s.verifyTarget(tx, by, c, &who.User, now); err != nil {
			return TokenSet{}, nil, err
		}
		grant := in.BackendGrant
		grant.approval = c.Approval
		return s.admitClient(tx, by, client, who.Account, loginMethod(c), grant, in.Session, now)
	})
	if err == nil {
		s.refund(by)
	}
	return set, err
}

// proveLoginCode judges a code against the latest that was sent; any other is void. c is the challenge of nobody's code, for when there
// is none.
func (s *Service) proveLoginCode(
	tx Tx, by Actor, who loginAccount, c Challenge, in CodeLogin, now time.Time,
) (Challenge, *Error, error) {
	prior, err := s.prior(tx, c)
	if err != nil {
		return c, nil, err
	}
	if prior.ID != "" {
		c = prior
	}
	if who.why != CodeInternal {
		c.User = "" // one who was suspended meanwhile
	}
	target := who.target(c)
	rules := s.rules(by)
	own := c.Digest == s.bound(by, PurposeLoginCode, in.Request) ||
		rules.shares(c.Channel) && c.Digest == s.boundToApp(by, PurposeLoginCode, in.Request)
	if !own || rules.codes(c.Channel) != nil {
		target = "" // another client's, or the request's id is wrong, or the channel is switched off: this call answers no challenge
	}
	c, no, err := s.proveCode(tx, by, c, target, in.Code, now)
	return c, told(no), err
}

// told is what the holder of a code learns of why it was not taken.
func told(no *Error) *Error {
	switch {
	case no == nil:
		return nil
	case no.Code == CodeOTPExpired:
		return &Error{Code: CodeOTPExpired, counted: no.counted}
	case no.Code == CodeChallengeLimit && no.RetryAfter > 0:
		return &Error{Code: CodeLocked, RetryAfter: no.RetryAfter, counted: no.counted}
	}
	return &Error{Code: CodeWrongOTP, counted: no.counted}
}

// loginMethod is how a code proved its user.
func loginMethod(c Challenge) Method {
	switch c.Channel {
	case ChannelSMS:
		return MethodSMS
	case ChannelEmail:
		return MethodEmail
	}
	return MethodDirect
}

// verifyTarget notes that the user's own address, where the proof was sent, is theirs (contract/cis §1.9).
func (s *Service) verifyTarget(tx Tx, by Actor, c Challenge, u *User, now time.Time) error {
	kind := EventEmailVerified
	switch {
	case strings.HasPrefix(c.Target, elsewhere):
		return nil
	case c.Channel == ChannelEmail && u.EmailVerifiedAt.IsZero():
		u.EmailVerifiedAt = now
	case c.Channel == ChannelSMS && u.PhoneVerifiedAt.IsZero():
		u.PhoneVerifiedAt, kind = now, EventPhoneVerified
	default:
		return nil
	}
	u.UpdatedAt = now
	if err := s.putUser(tx, *u); err != nil {
		return err
	}
	return tx.AddEvents(s.challengeEvent(by, kind, c, "", now))
}
