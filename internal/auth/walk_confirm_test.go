package auth_test

import (
	"fmt"
	"slices"
	"time"

	"countersign/internal/auth"
)

// Steps that confirm resources.

func confirmMoves() []move {
	return []move{
		{"register", 1, (*walk).register},
		{"confirm", 5, (*walk).confirmByCode},
		{"verify confirmation", 14, (*walk).verifyConfirm},
		{"confirm by device", 5, (*walk).confirmByDevice},
	}
}

// link is a resource to be confirmed.
type link struct {
	place
	ref     auth.LinkRef
	version int // of what the user is shown
	status  auth.LinkStatus
}

// linked is a resource as a challenge showed it.
type linked struct {
	*link
	version int
}

// unchanged reports whether all that a challenge showed waits as it was shown.
func (a *asked) unchanged() bool {
	return !slices.ContainsFunc(a.links, func(l linked) bool { return l.status != auth.LinkPending || l.version != l.link.version })
}

func (a *asked) confirm() {
	for _, l := range a.links {
		l.status = auth.LinkConfirmed
	}
}

func (a *asked) failLinks() {
	for _, l := range a.links {
		if l.status == auth.LinkPending {
			l.status = auth.LinkFailed
		}
	}
}

func (w *walk) checkLinks(r auth.Reads) error {
	for _, l := range w.links {
		got, err := r.Link(l.tenant, l.ref)
		if err != nil {
			return err
		}
		if got.Status != l.status {
			w.breaks("%s %s of %s is %s, want %s", l.ref.Type, l.ref.ID, l.identity, got.Status, l.status)
		}
	}
	return nil
}

// register is a back end's: something new, or something that it registered already with another amount.
func (w *walk) register() *trial {
	p := w.anybody()
	at := place{p.tenant, append(p.halted, p.acts...)[0]}
	if k := w.anyToken(); k != nil && k.kind == auth.TokenAccess {
		at = place{k.session.user.tenant, k.identity}
	}
	l := &link{place: at, ref: auth.LinkRef{Type: auth.LinkSend, ID: fmt.Sprint(len(w.links) + 1)}}
	if known, ok := pick(w, w.links); ok && w.chance(40) {
		l = known
	}
	return &trial{
		what: fmt.Sprintf("%s for %s of %s", l.ref.ID, l.identity, l.tenant), may: l.status != auth.LinkConfirmed,
		call: func() auth.Code {
			_, err := w.s.RegisterLink(w.ctx, auth.Actor{Tenant: l.tenant, Key: "backend"}, auth.Registration{
				Ref: l.ref, Identity: l.identity, Currency: "EUR", Amount: int64(l.version + 1), Payee: "Payee",
			})
			return w.code(err)
		},
		then: func() {
			if l.version == 0 {
				w.links = append(w.links, l)
			}
			l.version++
			l.status = auth.LinkPending
		},
	}
}

// toConfirm chooses a token and what is to be confirmed with it.
func (w *walk) toConfirm() (k *held, refs []auth.LinkRef, shown []linked) {
	k = w.anyToken()
	if k == nil {
		return nil, nil, nil
	}
	for _, other := range w.tokens {
		ready := func(l *link) bool { return confirmable(other, []linked{{l, l.version}}) }
		if !other.dead(w.now()) && slices.ContainsFunc(w.links, ready) && w.chance(50) {
			k = other
		}
	}
	for _, l := range w.links {
		near := l.place == place{k.session.user.tenant, k.identity} && l.status == auth.LinkPending
		if len(refs) < 2 && (near && w.chance(70) || w.chance(5)) {
			refs, shown = append(refs, l.ref), append(shown, linked{l, l.version})
		}
	}
	return k, refs, shown
}

// confirmable reports whether all are the bearer's to confirm.
func confirmable(k *held, shown []linked) bool {
	return len(shown) > 0 && !slices.ContainsFunc(shown, func(l linked) bool {
		return l.place != place{k.session.user.tenant, k.identity} || l.status != auth.LinkPending
	})
}

func (w *walk) confirmByCode() *trial {
	k, refs, shown := w.toConfirm()
	if k == nil || len(refs) == 0 {
		return nil
	}
	p := k.session.user
	by, own := w.caller(p)
	return &trial{
		what: fmt.Sprintf("%v by %s", refs, who(k)),
		may:  w.use(k, own, auth.TokenAccess) && w.mayProve(p, auth.ChannelSMS) && confirmable(k, shown),
		call: func() auth.Code {
			_, err := w.s.Confirm(w.ctx, by, k.text, auth.ChannelSMS, refs)
			return w.code(err)
		},
		then: func() {
			w.sent(&asked{
				purpose: auth.PurposeConfirm, channel: auth.ChannelSMS, user: p, session: k.session, identity: k.identity, links: shown, to: p.phone,
			}, 5*time.Minute)
		},
	}
}

func (w *walk) confirmByDevice() *trial {
	k, refs, shown := w.toConfirm()
	if k == nil || len(refs) == 0 {
		return nil
	}
	p, c := k.session.user, w.device()
	by, own := w.caller(p)
	return &trial{
		what: fmt.Sprintf("%v by %s %s", refs, who(k), c),
		may:  w.use(k, own, auth.TokenAccess) && w.mayProve(p, c) && confirmable(k, shown),
		call: func() auth.Code {
			_, err := w.s.ConfirmDevice(w.ctx, by, k.text, c, refs)
			return w.code(err)
		},
		then: func() {
			w.sent(&asked{
				purpose: auth.PurposeConfirm, channel: c, user: p, session: k.session, identity: k.identity, links: shown, to: string(p.id),
			}, 2*time.Minute)
		},
	}
}

// verifyConfirm names a challenge: a right one, or one of the person's that is for something else, which counts like a wrong code.
func (w *walk) verifyConfirm() *trial {
	k := w.tokenFor(auth.PurposeConfirm)
	if k == nil {
		return nil
	}
	p := k.session.user
	a := w.latest(p, auth.PurposeConfirm, k.session)
	if other, ok := pick(w, w.asked); ok && w.chance(20) {
		a = other
	}
	if a == nil {
		return nil
	}
	by, own := w.caller(p)
	code, kind := w.guess(a), auth.LinkSend
	if w.chance(8) {
		kind = auth.LinkWireTransfer
	}
	heard := w.use(k, own, auth.TokenAccess) && w.mayProve(p, auth.ChannelSMS)
	fits := a.purpose == auth.PurposeConfirm && a.channel == auth.ChannelSMS && a.session == k.session && a.identity == k.identity &&
		kind == auth.LinkSend
	judged := heard && fits && w.takesCode(a, p.phone) && a.unchanged()
	may := judged && code == a.code
	return &trial{
		what: fmt.Sprintf("%s, code %s right: %t", who(k), describe(a), may), may: may, must: may, counts: heard,
		call: func() auth.Code {
			return w.code(w.s.VerifyConfirm(w.ctx, by, k.text, auth.ChannelSMS, a.id, kind, code))
		},
		then: func() {
			w.prove(a)
			a.confirm()
		},
		no: func(auth.Code) {
			switch {
			case judged:
				if w.judge(a); a.over != "" {
					a.failLinks()
				}
			case heard && fits && !a.unchanged() && a.over == "" && w.now().Before(a.until):
				a.over = "void"
			case heard && !fits && a.user == p:
				w.wrong(p, auth.AttemptOTP)
			}
		},
	}
}
