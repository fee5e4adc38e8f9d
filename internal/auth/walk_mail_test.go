package auth_test

import (
	"fmt"
	"time"

	"countersign/internal/auth"
	"countersign/internal/seal"
)

// Steps that have to do with e-mail: first passwords, recovery, invites, and the verification of addresses.

func mailMoves() []move {
	return []move{
		{"create password", 2, (*walk).createPassword},
		{"start recovery", 1, (*walk).startRecovery},
		{"resume recovery", 6, (*walk).resumeRecovery},
		{"invite", 6, (*walk).invite},
		{"consume invite", 12, (*walk).consumeInvite},
		{"send e-mail code", 2, (*walk).sendEmailCode},
		{"verify e-mail", 5, (*walk).verifyEmail},
	}
}

// createPassword needs no proof but the API key, and no password that is there.
func (w *walk) createPassword() *trial {
	p, next := w.anybody(), ""
	if p.word != "" && w.chance(70) {
		return nil
	}
	next = p.newWord()
	by, own := w.caller(p)
	var u auth.PasswordUpdate
	return &trial{
		what: fmt.Sprint(p, " by ", by.Tenant), may: own && p.word == "" && !p.suspended,
		call: func() (c auth.Code) {
			var err error
			u, err = w.s.CreatePassword(w.ctx, by, p.id, seal.NewSecret(next))
			return w.code(err)
		},
		then: func() {
			w.endAsked(p, auth.PurposeInvite)
			w.chosen(p, next)
			w.give(p, u.Token, u.Kind, u.Membership)
		},
	}
}

// expects is the challenge by e-mail that a code of the person's is judged against, and whether it is judged at all.
func (w *walk) expects(p *person, purpose auth.Purpose) (*asked, bool) {
	a := w.latest(p, purpose, nil)
	return a, w.takes(a) && a.to == p.email && !p.suspended
}

func (w *walk) startRecovery() *trial {
	p := w.anybody()
	return &trial{
		what: p.String(), may: true, must: true,
		call: func() auth.Code {
			return w.code(w.s.StartRecovery(w.ctx, auth.Actor{Tenant: p.tenant, Key: "backend"}, p.email))
		},
		then: func() {
			w.sent(&asked{purpose: auth.PurposeRecovery, channel: auth.ChannelEmail, user: p, to: p.email}, 30*time.Minute)
		},
	}
}

func (w *walk) resumeRecovery() *trial {
	p := w.expecting(auth.PurposeRecovery)
	a, judged := w.expects(p, auth.PurposeRecovery)
	code, next := w.guess(a), p.newWord()
	if w.chance(15) {
		next = "short" // which leaves the code good
	}
	right := judged && code == a.code
	may := right && p.word != "" && next != "short"
	var l auth.Login
	return &trial{
		what: fmt.Sprintf("%s, code %s right: %t, for %s", p, describe(a), right, next), may: may, must: may, counts: judged,
		call: func() (c auth.Code) {
			var err error
			l, err = w.s.ResumeRecovery(w.ctx, auth.Actor{Tenant: p.tenant, Key: "backend"}, auth.Recovery{
				Email: p.email, Code: code, Password: seal.NewSecret(next),
			})
			return w.code(err)
		},
		then: func() {
			w.prove(a)
			p.verified = true
			w.replaced(p, next)
			*p.tally(auth.AttemptPassword, w.now()) = tally{} // of the password that was lost
			w.give(p, l.Token, l.Kind, l.Membership)
		},
		no: func(auth.Code) {
			if judged && !right {
				w.judge(a)
			}
		},
	}
}

// expecting is a person who has been sent a code for a purpose, more often than not.
func (w *walk) expecting(purpose auth.Purpose) *person {
	if a, ok := pick(w, w.asked); ok && a.purpose == purpose && w.takes(a) {
		return a.user
	}
	for _, p := range w.people {
		if _, judged := w.expects(p, purpose); judged && w.chance(60) {
			return p
		}
	}
	return w.anybody()
}

func (w *walk) invite() *trial {
	k := w.anyToken()
	if k == nil {
		return nil
	}
	p, target := k.session.user, w.anybody()
	for _, other := range w.people {
		if other.word == "" && other.tenant == p.tenant && w.acts(other, k.identity) && w.chance(70) {
			target = other
		}
	}
	by, own := w.caller(p)
	used := w.use(k, own, auth.TokenAccess)
	may := used && w.manages(p, k.identity) && w.acts(target, k.identity) && target.tenant == p.tenant && target.word == "" &&
		!target.suspended
	return &trial{
		what: fmt.Sprintf("%s by %s", target, who(k)), may: may,
		call: func() auth.Code { return w.code(w.s.Invite(w.ctx, by, k.text, target.id)) },
		then: func() {
			w.sent(&asked{purpose: auth.PurposeInvite, channel: auth.ChannelEmail, user: target, to: target.email}, auth.InviteFor)
		},
	}
}

func (w *walk) consumeInvite() *trial {
	p := w.expecting(auth.PurposeInvite)
	a, judged := w.expects(p, auth.PurposeInvite)
	code, next := w.guess(a), p.newWord()
	in := auth.InviteProof{User: p.id, Code: code, Password: seal.NewSecret(next)}
	phone := p.phone
	if w.chance(20) {
		phone = w.freshPhone()
		in.Phone = parts(phone)
	}
	right := judged && code == a.code
	may := right && p.word == ""
	var l auth.Login
	return &trial{
		what: fmt.Sprintf("%s, code %s right: %t", p, describe(a), right), may: may, must: may, counts: judged,
		call: func() (c auth.Code) {
			var err error
			l, err = w.s.ConsumeInvite(w.ctx, auth.Actor{Tenant: p.tenant, Key: "backend"}, in)
			return w.code(err)
		},
		then: func() {
			w.prove(a)
			p.verified = true
			p.phone = phone
			w.chosen(p, next)
			w.give(p, l.Token, l.Kind, l.Membership)
		},
		no: func(auth.Code) {
			if judged && !right {
				w.judge(a)
			}
		},
	}
}

// addressKind is which of the paths of verification is the person's.
func (p *person) addressKind() auth.AddressKind {
	for _, ref := range append(p.acts, p.halted...) {
		switch {
		case p.root[ref] && ref.Type == auth.Consumer:
			return auth.AddressOfConsumer
		case p.root[ref]:
			return auth.AddressOfCorporate
		}
	}
	return auth.AddressOfMember
}

func (w *walk) sendEmailCode() *trial {
	p := w.anybody()
	if p.verified && w.chance(80) {
		return nil
	}
	return &trial{
		what: p.String(), may: true, must: true,
		call: func() auth.Code {
			return w.code(w.s.SendEmailCode(w.ctx, auth.Actor{Tenant: p.tenant, Key: "backend"}, p.addressKind(), p.email))
		},
		then: func() {
			w.sent(&asked{purpose: auth.PurposeVerifyEmail, channel: auth.ChannelEmail, user: p, to: p.email}, 24*time.Hour)
		},
	}
}

func (w *walk) verifyEmail() *trial {
	p := w.expecting(auth.PurposeVerifyEmail)
	a, judged := w.expects(p, auth.PurposeVerifyEmail)
	judged = judged && !p.verified
	code := w.guess(a)
	may := judged && code == a.code
	return &trial{
		what: fmt.Sprintf("%s, code %s right: %t", p, describe(a), may), may: may, must: may, counts: judged,
		call: func() auth.Code {
			return w.code(w.s.VerifyEmail(w.ctx, auth.Actor{Tenant: p.tenant, Key: "backend"}, p.addressKind(), p.email, code))
		},
		then: func() {
			w.prove(a)
			p.verified = true
		},
		no: func(auth.Code) {
			if judged {
				w.judge(a)
			}
		},
	}
}
