package auth_test

import (
	"fmt"
	"slices"

	"countersign/internal/auth"
)

// Steps that change people and identities.

func peopleMoves() []move {
	return []move{
		{"add member", 4, (*walk).addMember},
		{"change contact", 5, (*walk).changeContact},
		{"deactivate", 4, (*walk).deactivate},
		{"activate", 3, (*walk).activate},
		{"suspend or resume identity", 1, (*walk).freeze},
	}
}

// place is an identity of a tenant.
type place struct {
	tenant   auth.TenantID
	identity auth.IdentityRef
}

// acts reports whether a person may act for an identity now.
func (w *walk) acts(p *person, ref auth.IdentityRef) bool {
	return slices.Contains(p.acts, ref) && !w.frozen[place{p.tenant, ref}]
}

func (w *walk) manages(p *person, ref auth.IdentityRef) bool { return p.root[ref] && w.acts(p, ref) }

func (w *walk) freshPhone() string { return fmt.Sprintf("+356992%05d", w.rnd.IntN(100_000)) }

func parts(phone string) *auth.PhoneNumber {
	return &auth.PhoneNumber{Country: phone[:4], Number: phone[4:]}
}

func (w *walk) addMember() *trial {
	k := w.strongToken()
	if k == nil || len(w.people) > 8 {
		return nil
	}
	p := k.session.user
	by, own := w.caller(p)
	n := len(w.people)
	member := newPerson("", fmt.Sprintf("newcomer%d", n), "", k.identity)
	member.tenant, member.word, member.root, member.verified = p.tenant, "", nil, false
	name := "New"
	var made auth.Person
	return &trial{
		what: who(k), may: w.use(k, own, auth.TokenAccess) && w.manages(p, k.identity) && k.up(),
		call: func() (c auth.Code) {
			var err error
			made, err = w.s.AddMember(w.ctx, by, k.text, auth.PersonFields{FirstName: &name, LastName: &name, Email: &member.email})
			return w.code(err)
		},
		then: func() {
			member.id = made.User.ID
			w.people = append(w.people, member)
		},
	}
}

// changeContact replaces an address or a number: of oneself, or of a member. Whoever has a way to prove more than a password needs it for
// that, and so does who manages them (A-078, B-20).
func (w *walk) changeContact() *trial {
	k := w.strongToken()
	if k == nil {
		return nil
	}
	p := k.session.user
	target := p
	if w.chance(30) {
		target = w.anybody()
	}
	by, own := w.caller(p)
	var in auth.PersonFields
	email, phone := target.email, target.phone
	if w.chance(60) {
		phone = w.freshPhone()
		in.Phone = parts(phone)
	} else {
		email = fmt.Sprintf("moved%d@example.com", w.rnd.IntN(1_000_000))
		in.Email = &email
	}
	used := w.use(k, own, auth.TokenAccess)
	may := (target == p && used || w.ranks(k, used, target) && len(target.acts)+len(target.halted) == 1) && (k.up() || !target.usableAny())
	return &trial{
		what: fmt.Sprintf("%s by %s", target, who(k)), may: may,
		call: func() auth.Code {
			if target == p && p.root[k.identity] {
				_, err := w.s.ChangeRoot(w.ctx, by, k.text, k.identity.Type, auth.RootChange{PersonFields: in})
				return w.code(err)
			}
			_, err := w.s.ChangeMember(w.ctx, by, k.text, target.id, in)
			return w.code(err)
		},
		then: func() {
			if phone != target.phone && target.phone != "" {
				if target.usable(auth.ChannelSMS) && !(target == p && k.up()) {
					target.cooled = w.now()
				}
				target.weakened = w.now()
				w.endFlows(target)
			}
			target.verified = target.verified && email == target.email
			target.email, target.phone = email, phone
		},
	}
}

// dealing chooses a manager's token and a member.
func (w *walk) dealing() (k *held, target *person) {
	k, target = w.anyToken(), w.anybody()
	if k == nil {
		return nil, nil
	}
	for _, p := range w.people {
		if w.chance(50) && p.tenant == k.session.user.tenant && slices.Contains(append(p.acts, p.halted...), k.identity) && p != k.session.user {
			target = p
		}
	}
	return k, target
}

// ranks reports whether the holder of a token manages a person.
func (w *walk) ranks(k *held, used bool, target *person) bool {
	p := k.session.user
	return used && w.manages(p, k.identity) && target != p && target.tenant == p.tenant && !target.root[k.identity] &&
		slices.Contains(append(target.acts, target.halted...), k.identity)
}

func (w *walk) deactivate() *trial {
	k, target := w.dealing()
	if k == nil {
		return nil
	}
	by, own := w.caller(k.session.user)
	return &trial{
		what: fmt.Sprintf("%s by %s", target, who(k)), may: w.ranks(k, w.use(k, own, auth.TokenAccess), target),
		call: func() auth.Code { return w.code(w.s.DeactivateMember(w.ctx, by, k.text, target.id)) },
		then: func() {
			i := slices.Index(target.acts, k.identity)
			if i < 0 {
				return
			}
			target.acts = slices.Delete(slices.Clone(target.acts), i, i+1)
			target.halted = append(target.halted, k.identity)
			if len(target.acts) == 0 && !target.suspended {
				target.suspended, target.stopped = true, true
				target.epoch++
				w.endAsked(target)
			}
		},
	}
}

func (w *walk) activate() *trial {
	k, target := w.dealing()
	if k == nil {
		return nil
	}
	by, own := w.caller(k.session.user)
	return &trial{
		what: fmt.Sprintf("%s by %s", target, who(k)),
		may:  w.ranks(k, w.use(k, own, auth.TokenAccess), target) && (!target.suspended || target.stopped),
		call: func() auth.Code { return w.code(w.s.ActivateMember(w.ctx, by, k.text, target.id)) },
		then: func() {
			target.suspended, target.stopped = false, false
			if i := slices.Index(target.halted, k.identity); i >= 0 {
				target.halted = slices.Delete(target.halted, i, i+1)
				target.acts = append(target.acts, k.identity)
			}
			if len(target.acts)+len(target.halted) == 1 && target.locked(auth.AttemptPassword, w.now()) {
				*target.tally(auth.AttemptPassword, w.now()) = tally{}
			}
		},
	}
}

// freeze is an operator's.
func (w *walk) freeze() *trial {
	ref, _ := pick(w, []auth.IdentityRef{consumer("1001"), corporate("2002")})
	at := place{w.people[0].tenant, ref}
	if w.frozen[at] {
		return &trial{
			what: "resume " + ref.String(), may: true, must: true,
			call: func() auth.Code { return w.code(w.s.ResumeIdentity(w.ctx, at.tenant, ref)) },
			then: func() { w.frozen[at] = false },
		}
	}
	if w.chance(60) {
		return nil
	}
	return &trial{
		what: "suspend " + ref.String(), may: true, must: true,
		call: func() auth.Code { return w.code(w.s.SuspendIdentity(w.ctx, at.tenant, ref, "TEMPORARY")) },
		then: func() { w.frozen[at] = true },
	}
}
