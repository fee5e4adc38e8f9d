package auth_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"countersign/internal/auth"
)

// service is what a walk calls.
type service interface {
	LoginPassword(context.Context, auth.Actor, auth.PasswordLogin) (auth.Login, error)
	Identities(context.Context, auth.Actor, string) ([]auth.Membership, error)
	AccessToken(context.Context, auth.Actor, string, auth.IdentityRef) (auth.Access, error)
	Logout(context.Context, auth.Actor, string) error
	UpdatePassword(ctx context.Context, by auth.Actor, bearer string, old, new secret) (auth.PasswordUpdate, error)

	StepUp(context.Context, auth.Actor, string, auth.Channel) error
	VerifyStepUp(ctx context.Context, by auth.Actor, bearer string, c auth.Channel, code string) error
	StepUpDevice(context.Context, auth.Actor, string, auth.Channel) (auth.Asked, error)
	BindPhone(context.Context, auth.Actor, string, auth.Channel) error
	VerifyBindPhone(ctx context.Context, by auth.Actor, bearer string, c auth.Channel, code string) error
	BindDevice(context.Context, auth.Actor, string, auth.Channel) error
	UnbindDevice(context.Context, auth.Actor, string, auth.Channel) error
	LoginDevice(context.Context, auth.Actor, auth.DeviceLogin) (auth.Asked, error)
	CollectLogin(context.Context, auth.Actor, auth.ChallengeID) (auth.DeviceLoginResult, error)
	AnswerOnDevice(context.Context, auth.TenantID, auth.UserID, auth.ChallengeID, auth.Decision) (bool, error)

	CreatePassword(context.Context, auth.Actor, auth.UserID, secret) (auth.PasswordUpdate, error)
	StartRecovery(context.Context, auth.Actor, string) error
	ResumeRecovery(context.Context, auth.Actor, auth.Recovery) (auth.Login, error)
	Invite(context.Context, auth.Actor, string, auth.UserID) error
	ConsumeInvite(context.Context, auth.Actor, auth.InviteProof) (auth.Login, error)
	SendEmailCode(context.Context, auth.Actor, auth.AddressKind, string) error
	VerifyEmail(ctx context.Context, by auth.Actor, kind auth.AddressKind, email, code string) error

	AddMember(context.Context, auth.Actor, string, auth.PersonFields) (auth.Person, error)
	ChangeMember(context.Context, auth.Actor, string, auth.UserID, auth.PersonFields) (auth.Person, error)
	ChangeRoot(context.Context, auth.Actor, string, auth.IdentityType, auth.RootChange) (auth.Owned, error)
	DeactivateMember(context.Context, auth.Actor, string, auth.UserID) error
	ActivateMember(context.Context, auth.Actor, string, auth.UserID) error
	SuspendIdentity(context.Context, auth.TenantID, auth.IdentityRef, string) error
	ResumeIdentity(context.Context, auth.TenantID, auth.IdentityRef) error

	RegisterLink(context.Context, auth.Actor, auth.Registration) (auth.LinkState, error)
	Confirm(context.Context, auth.Actor, string, auth.Channel, []auth.LinkRef) (auth.Asked, error)
	ConfirmDevice(context.Context, auth.Actor, string, auth.Channel, []auth.LinkRef) (auth.Asked, error)
	VerifyConfirm(ctx context.Context, by auth.Actor, bearer string, c auth.Channel, id auth.ChallengeID, kind, code string) error

	Suspend(context.Context, auth.TenantID, auth.UserID) error
	Resume(context.Context, auth.TenantID, auth.UserID) error
}

// person is a user as the model knows them.
type person struct {
	tenant    auth.TenantID
	id        auth.UserID
	email     string
	phone     string
	word      string // the password; empty: none
	words     int    // chosen so far
	hash      string // of it, as the store has it
	temporary bool
	verified  bool // the e-mail address
	suspended bool
	stopped   bool // and that because a deactivation left nobody to act for
	epoch     int  // changes with whatever ends all sessions
	weakened  time.Time
	cooled    time.Time               // when a bound number was replaced by somebody else, or without a step-up
	bound     map[auth.Channel]string // what was proved: the number of a phone, anything of a device
	tallies   map[auth.AttemptFactor]*tally
	acts      []auth.IdentityRef
	halted    []auth.IdentityRef // of which the person was a member until they were deactivated
	root      map[auth.IdentityRef]bool
}

func (p *person) String() string { return string(p.tenant) + "/" + p.email }

// usable reports whether the person can prove themself over a channel.
func (p *person) usable(c auth.Channel) bool {
	to, ok := p.bound[c]
	return ok && (c != auth.ChannelSMS || to == p.phone)
}

func (p *person) usableAny() bool {
	return p.usable(auth.ChannelSMS) || p.usable(auth.ChannelBiometric) || p.usable(auth.ChannelAuthy)
}

// tally counts wrong proofs as the rule is told: five in a row lock for half an hour, and a day forgets.
type tally struct {
	wrong         int
	last, blocked time.Time
}

func (p *person) tally(f auth.AttemptFactor, now time.Time) *tally {
	t := p.tallies[f]
	if t == nil {
		t = &tally{}
		p.tallies[f] = t
	}
	if ended := !t.blocked.IsZero() && !now.Before(t.blocked); ended || t.blocked.IsZero() && now.Sub(t.last) >= 24*time.Hour {
		t.wrong, t.blocked = 0, time.Time{}
	}
	return t
}

func (p *person) locked(f auth.AttemptFactor, now time.Time) bool {
	return !p.tally(f, now).blocked.IsZero()
}

func (p *person) lockedAny(now time.Time) bool {
	return p.locked(auth.AttemptPassword, now) || p.locked(auth.AttemptOTP, now) || p.locked(auth.AttemptDevice, now) ||
		p.locked(auth.AttemptEmail, now)
}

func (p *person) right(f auth.AttemptFactor, now time.Time) { p.tally(f, now).wrong = 0 }

// wrong counts a proof that did not hold. A locked password ends what is under way (B-05, B-18).
func (w *walk) wrong(p *person, f auth.AttemptFactor) {
	t := p.tally(f, w.now())
	t.wrong, t.last = t.wrong+1, w.now()
	if t.wrong < 5 {
		return
	}
	t.blocked = w.now().Add(30 * time.Minute)
	if f == auth.AttemptPassword {
		w.endFlows(p)
	}
}

func (w *walk) endFlows(p *person) {
	w.endAsked(p, auth.PurposeStepUp, auth.PurposeBind, auth.PurposeLogin, auth.PurposeConfirm)
}

// endAsked voids the person's challenges for some purposes; for all of them when none is named.
func (w *walk) endAsked(p *person, purposes ...auth.Purpose) {
	for _, a := range w.asked {
		if a.user == p && a.over == "" && (len(purposes) == 0 || slices.Contains(purposes, a.purpose)) {
			a.over = "cancelled"
		}
	}
}

// session is one of a person.
type session struct {
	user      *person
	epoch     int
	seen, end time.Time
	over      bool
}

// held is a token that was given out.
type held struct {
	text     string
	hash     auth.TokenHash
	session  *session
	kind     auth.TokenKind
	identity auth.IdentityRef // ACCESS
	upAt     time.Time        // zero: not stepped up
	used     bool             // TEMPORARY
}

func (k *held) dead(now time.Time) bool {
	s := k.session
	return k.used || s.over || s.epoch != s.user.epoch || s.user.suspended || !now.Before(s.end) || !now.Before(s.seen.Add(5*time.Minute)) ||
		k.kind == auth.TokenAccess && !slices.Contains(s.user.acts, k.identity)
}

// up reports whether the token is stepped up: by a proof made in its own session, since when no way to prove was taken away.
func (k *held) up() bool { return !k.upAt.IsZero() && !k.upAt.Before(k.session.user.weakened) }

// use reports whether a token is one that a call takes from this caller. If it is, the call is an activity of its session.
func (w *walk) use(k *held, own bool, kinds ...auth.TokenKind) bool {
	return w.holds(k, own, kinds...) && !(k.kind == auth.TokenAccess && w.frozen[place{k.session.user.tenant, k.identity}])
}

// holds is use for a call that is open to the users of a suspended identity.
func (w *walk) holds(k *held, own bool, kinds ...auth.TokenKind) bool {
	if !own || k.dead(w.now()) || !slices.Contains(kinds, k.kind) {
		return false
	}
	w.touched = k
	return true
}

// give notes a token of a new session.
func (w *walk) give(p *person, text string, kind auth.TokenKind, m auth.Membership) *held {
	now := w.now()
	s := &session{user: p, epoch: p.epoch, seen: now, end: now.Add(12 * time.Hour)}
	if kind == auth.TokenTemporary {
		s.end = now.Add(5 * time.Minute)
	}
	k := &held{text: text, hash: hashOf(text), session: s, kind: kind}
	if kind == auth.TokenAccess {
		k.identity = m.Identity.Ref
		if !slices.Contains(p.acts, k.identity) {
			w.breaks("the token acts for %s, of which the person is none", k.identity)
		}
	}
	w.tokens = append(w.tokens, k)
	return k
}

// asked is a challenge that was begun.
type asked struct {
	serial   int
	id       auth.ChallengeID
	purpose  auth.Purpose
	channel  auth.Channel
	user     *person
	session  *session         // nil: none
	token    *held            // that a device's answer raises
	identity auth.IdentityRef // on whose behalf; zero: nobody's
	links    []linked
	key      string
	to       string // where the code went
	code     string // empty: a device answers
	until    time.Time
	failures int
	over     string // why it takes no proof any more
	approved time.Time
}

func (a *asked) factor() auth.AttemptFactor {
	switch {
	case a.channel.Pushed():
		return auth.AttemptDevice
	case a.channel == auth.ChannelEmail:
		return auth.AttemptEmail
	}
	return auth.AttemptOTP
}

// takes reports whether a challenge takes a proof now.
func (w *walk) takes(a *asked) bool {
	return a != nil && a.over == "" && w.now().Before(a.until) && !a.user.locked(a.factor(), w.now())
}

// latest is the challenge that a code is judged against.
func (w *walk) latest(p *person, purpose auth.Purpose, s *session) *asked {
	for _, a := range slices.Backward(w.asked) {
		if a.user == p && a.purpose == purpose && a.session == s {
			return a
		}
	}
	return nil
}

// sent notes the challenge that a call has begun, as the message shows it that has just gone out. There must be exactly one, and it goes to
// whom it is for.
func (w *walk) sent(a *asked, life time.Duration) {
	items, err := w.e.Inbox(w.ctx, "", 1000)
	if err != nil {
		w.breaks("the inbox: %v", err)
		return
	}
	fresh := items[:len(items)-w.inbox]
	w.inbox = len(items)
	fresh = slices.DeleteFunc(slices.Clone(fresh), func(i auth.InboxItem) bool { return i.Challenge == "" }) // notices
	if len(fresh) == 0 && a.channel == auth.ChannelEmail {
		return // one that was not sent is answered alike
	}
	if a.user.suspended {
		w.breaks("a code went to %s, who is suspended", a.user)
	}
	if len(fresh) != 1 || fresh[0].To != a.to || fresh[0].Tenant != a.user.tenant {
		w.breaks("%d messages went out, want one to %s", len(fresh), a.to)
		return
	}
	a.id, a.code, a.until, a.serial = fresh[0].Challenge, fresh[0].Code, w.now().Add(life), len(w.asked)
	if i := slices.IndexFunc(w.asked, func(b *asked) bool { return b.id == a.id }); i >= 0 { // a new code of the same
		a.failures = w.asked[i].failures
		w.asked = slices.Delete(w.asked, i, i+1)
	} else if prior := w.latest(a.user, a.purpose, a.session); prior != nil && prior.over == "" && a.purpose != auth.PurposeLogin {
		prior.over = "replaced"
	}
	w.asked = append(w.asked, a)
}

// judge is what a wrong code does.
func (w *walk) judge(a *asked) {
	a.failures++
	w.wrong(a.user, a.factor())
	if a.failures >= 3 || a.user.locked(a.factor(), w.now()) {
		a.over = "failed"
	}
}

// prove is what a right proof does.
func (w *walk) prove(a *asked) {
	a.over, a.approved = "used", w.now()
	a.user.right(a.factor(), w.now())
}

// replaced is what follows from a new password: everything that was under way is over.
func (w *walk) replaced(p *person, word string) {
	p.epoch++
	w.endAsked(p)
	w.chosen(p, word)
}

// chosen notes a password that was set for a reason.
func (w *walk) chosen(p *person, word string) {
	p.word, p.temporary = word, false
	w.look("the new password", func(r auth.Reads) error {
		a, err := r.AccountByUser(p.tenant, p.id)
		if a.Password.Hash == p.hash {
			w.breaks("the password was not replaced")
		}
		p.hash = a.Password.Hash
		return err
	})
}

// check compares the store with the model: the one whom the history is about, and some of the others.
func (w *walk) check(percent int) {
	w.look("the store", func(r auth.Reads) error {
		for i, p := range w.people {
			if i != w.hero && !w.chance(percent) {
				continue
			}
			if err := w.checkPerson(r, p); err != nil {
				return err
			}
		}
		for _, k := range w.tokens[max(0, len(w.tokens)-12):] {
			b, err := r.Bearer(k.hash)
			if err != nil {
				return err
			}
			stands := !b.Token.SteppedUpAt.IsZero() && !b.Token.SteppedUpAt.Before(b.User.WeakenedAt)
			switch {
			case b.Token.Tenant != k.session.user.tenant || b.User.ID != k.session.user.id:
				w.breaks("a token of %s is %s's", k.session.user, b.User.ID)
			case stands != k.up():
				w.breaks("a token of %s is stepped up: %t, want %t", k.session.user, stands, k.up())
			case k.dead(w.now()) && b.Alive(w.now()) && k.kind == auth.TokenAuth:
				w.breaks("a session of %s lives that has ended", k.session.user)
			}
		}
		return w.checkLinks(r)
	})
}

func (w *walk) checkPerson(r auth.Reads, p *person) error {
	now := w.now()
	a, err := r.AccountByUser(p.tenant, p.id)
	if err != nil {
		return err
	}
	bound, err := r.Authenticators(p.tenant, p.id)
	if err != nil {
		return err
	}
	for _, f := range []auth.AttemptFactor{auth.AttemptPassword, auth.AttemptOTP, auth.AttemptDevice, auth.AttemptEmail} {
		attempts, err := r.Attempts(p.tenant, auth.SubjectOf(p.id), f)
		if err != nil {
			return err
		}
		if got, want := attempts.Locked(now), p.locked(f, now); got != want {
			w.breaks("%s of %s is locked: %t, want %t", f, p.email, got, want)
		}
	}
	for _, c := range []auth.Channel{auth.ChannelSMS, auth.ChannelBiometric, auth.ChannelAuthy} {
		got := slices.ContainsFunc(bound, func(b auth.Authenticator) bool {
			return b.Channel == c && b.Status == auth.AuthenticatorActive && (c != auth.ChannelSMS || b.Target == a.User.Phone)
		})
		if got != p.usable(c) {
			w.breaks("%s of %s is bound: %t, want %t", c, p.email, got, p.usable(c))
		}
	}
	switch {
	case a.Password.Hash != p.hash:
		w.breaks("the password of %s was replaced without a proof", p.email)
	case (a.User.Status == auth.UserSuspended) != p.suspended:
		w.breaks("%s is %s, and suspended: %t", p.email, a.User.Status, p.suspended)
	case a.User.EmailVerifiedAt.IsZero() == p.verified:
		w.breaks("the address of %s is verified: %t, want %t", p.email, !p.verified, p.verified)
	case a.User.Phone != p.phone || a.User.Email != p.email:
		w.breaks("the address or number of %s was replaced by %s, %s", p.email, a.User.Email, a.User.Phone)
	}
	return nil
}

// errTemporary reads the token that a refusal of a right password carries.
func errTemporary(err error) string {
	var refusal *auth.Error
	if errors.As(err, &refusal) && (refusal.Code == auth.CodePasswordTemp || refusal.Code == auth.CodePasswordExpired) {
		return refusal.Token
	}
	return ""
}
