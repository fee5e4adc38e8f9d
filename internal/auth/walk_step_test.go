package auth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"countersign/internal/auth"
	"countersign/internal/seal"
)

type secret = seal.Secret

// hashOf is what the store keeps of a token: the hash of its secret part.
func hashOf(token string) auth.TokenHash {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < 32 {
		return auth.TokenHash{}
	}
	return sha256.Sum256(raw[:32])
}

// moves are all kinds of steps.
func moves() []move {
	return slices.Concat(sessionMoves(), proofMoves(), mailMoves(), peopleMoves(), confirmMoves())
}

func sessionMoves() []move {
	return []move{
		{"login", 8, (*walk).login},
		{"identities", 2, (*walk).identities},
		{"access token", 6, (*walk).exchange},
		{"logout", 1, (*walk).logout},
		{"update password", 3, (*walk).updatePassword},
		{"suspend or resume", 2, (*walk).suspend},
		{"wait", 3, (*walk).wait},
	}
}

func who(k *held) string {
	text := fmt.Sprintf("%s with %s %s", k.session.user, k.kind, k.text[:6])
	if k.up() {
		text += ", stepped up"
	}
	return text
}

const anyWrong = "Wr0ng-word!"

func (w *walk) login() *trial {
	p := w.anybody()
	word := anyWrong
	if p.word != "" && w.knowsWord() {
		word = p.word
	}
	may := word == p.word && !p.suspended && !p.locked(auth.AttemptPassword, w.now())
	var l auth.Login
	var temporary string
	return &trial{
		what: fmt.Sprintf("%s, right: %t", p, word == p.word), may: may, must: may, counts: !p.locked(auth.AttemptPassword, w.now()),
		call: func() (c auth.Code) {
			var err error
			l, err = w.s.LoginPassword(w.ctx, auth.Actor{Tenant: p.tenant, Key: "backend"}, auth.PasswordLogin{
				Kind: auth.ByEmail, Identifier: p.email, Password: seal.NewSecret(word),
			})
			if temporary = errTemporary(err); temporary != "" {
				return none
			}
			return w.code(err)
		},
		then: func() {
			p.right(auth.AttemptPassword, w.now())
			if p.temporary != (temporary != "") {
				w.breaks("a temporary token: %t, want %t", temporary != "", p.temporary)
			}
			if temporary != "" {
				w.give(p, temporary, auth.TokenTemporary, auth.Membership{})
				return
			}
			w.give(p, l.Token, l.Kind, l.Membership)
		},
		no: func(c auth.Code) {
			if slices.Contains([]auth.Code{auth.CodeWrongPassword, auth.CodeNoPassword, auth.CodeSuspended}, c) {
				w.wrong(p, auth.AttemptPassword)
			}
		},
	}
}

// knowsWord and knowsCode say whether people know what they are asked for: those of some histories are locked out, or lose their codes, and
// others get far.
func (w *walk) knowsWord() bool { return w.chance([]int{90, 45, 90}[w.clumsy]) }
func (w *walk) knowsCode() bool { return w.chance([]int{8, 45, 90}[w.clumsy]) }

func (w *walk) identities() *trial {
	k := w.anyToken()
	if k == nil {
		return nil
	}
	by, own := w.caller(k.session.user)
	var ms []auth.Membership
	may := w.use(k, own, auth.TokenAuth, auth.TokenAccess)
	return &trial{
		what: who(k), may: may,
		call: func() (c auth.Code) {
			var err error
			ms, err = w.s.Identities(w.ctx, by, k.text)
			return w.code(err)
		},
		then: func() {
			for _, m := range ms {
				if !slices.Contains(k.session.user.acts, m.Identity.Ref) {
					w.breaks("told of %s", m.Identity.Ref)
				}
			}
		},
	}
}

func (w *walk) exchange() *trial {
	k := w.anyToken()
	if k == nil {
		return nil
	}
	p := k.session.user
	by, own := w.caller(p)
	all := append(slices.Clone(p.acts), p.halted...)
	ref, _ := pick(w, all)
	if w.chance(15) {
		ref, _ = pick(w, w.anybody().acts) // somebody else's, perhaps, or none
	}
	named := ref
	if ref.IsZero() && len(all) == 1 { // none means the only one
		ref = all[0]
	}
	var a auth.Access
	return &trial{
		what: who(k) + " for " + named.String(),
		may: w.use(k, own, auth.TokenAuth, auth.TokenAccess) && w.acts(p, ref) &&
			!p.locked(auth.AttemptPassword, w.now()),
		call: func() (c auth.Code) {
			var err error
			a, err = w.s.AccessToken(w.ctx, by, k.text, named)
			return w.code(err)
		},
		then: func() {
			next := &held{text: a.Token, hash: hashOf(a.Token), session: k.session, kind: auth.TokenAccess, identity: ref}
			if k.kind == auth.TokenAuth { // the step-up of an access token is its own
				next.upAt = k.upAt
			}
			w.tokens = append(w.tokens, next)
			if a.SteppedUp != next.up() {
				w.breaks("said to be stepped up: %t, want %t", a.SteppedUp, next.up())
			}
		},
	}
}

func (w *walk) logout() *trial {
	k := w.anyToken()
	if k == nil {
		return nil
	}
	by, own := w.caller(k.session.user)
	return &trial{
		what: who(k), may: w.holds(k, own, auth.TokenAuth, auth.TokenAccess),
		call: func() auth.Code { return w.code(w.s.Logout(w.ctx, by, k.text)) },
		then: func() { k.session.over = true },
	}
}

// word makes a password that the person never had.
func (p *person) newWord() string {
	p.words++
	return fmt.Sprintf("N3w-word-%d", p.words)
}

func (w *walk) updatePassword() *trial {
	k := w.anyToken()
	if k == nil {
		return nil
	}
	p := k.session.user
	by, own := w.caller(p)
	old, next := anyWrong, p.newWord()
	if p.word != "" && w.knowsWord() {
		old = p.word
	}
	used := w.use(k, own, auth.TokenAccess, auth.TokenTemporary)
	var u auth.PasswordUpdate
	return &trial{
		what: fmt.Sprintf("%s, right: %t", who(k), old == p.word), may: used && old == p.word && !p.locked(auth.AttemptPassword, w.now()),
		counts: used && !p.locked(auth.AttemptPassword, w.now()),
		call: func() (c auth.Code) {
			var err error
			u, err = w.s.UpdatePassword(w.ctx, by, k.text, seal.NewSecret(old), seal.NewSecret(next))
			return w.code(err)
		},
		then: func() {
			p.right(auth.AttemptPassword, w.now())
			k.used = k.kind == auth.TokenTemporary
			w.replaced(p, next)
			w.give(p, u.Token, u.Kind, u.Membership)
		},
		no: func(c auth.Code) {
			if c == auth.CodePasswordIncorrect {
				w.wrong(p, auth.AttemptPassword)
			}
		},
	}
}

// guess chooses a code: the one that was sent, one that was sent for something else, or none that was.
func (w *walk) guess(a *asked) string {
	other, ok := pick(w, w.asked)
	switch {
	case a != nil && a.code != "" && w.knowsCode():
		return a.code
	case ok && other.code != "" && w.chance(60):
		return other.code
	}
	return "000000"
}

// suspend is an operator's, who need not prove anything to the people.
func (w *walk) suspend() *trial {
	p := w.anybody()
	if stopped, ok := pick(w, slices.DeleteFunc(slices.Clone(w.people), func(p *person) bool { return !p.suspended })); ok {
		p = stopped
	} else if w.chance(60) {
		return nil
	}
	if p.suspended {
		return &trial{
			what: "resume " + p.email, may: true, must: true,
			call: func() auth.Code { return w.code(w.s.Resume(w.ctx, p.tenant, p.id)) },
			then: func() { p.suspended = false },
		}
	}
	return &trial{
		what: "suspend " + p.email, may: true, must: true,
		call: func() auth.Code { return w.code(w.s.Suspend(w.ctx, p.tenant, p.id)) },
		then: func() {
			p.suspended = true
			p.epoch++
			w.endAsked(p)
		},
	}
}

func (w *walk) wait() *trial {
	d, _ := pick(w, []time.Duration{time.Second, 16 * time.Second, 16 * time.Second, 16 * time.Second, time.Minute, 130 * time.Second})
	switch n := w.rnd.IntN(100); { // the long ones end nearly everything
	case n < 3:
		d = 25 * time.Hour
	case n < 10, n < 50 && w.people[w.hero].lockedAny(w.now()):
		d = 31 * time.Minute
	case n < 16:
		d = 6 * time.Minute
	}
	return &trial{
		what: d.String(), may: true, must: true,
		call: func() auth.Code {
			w.e.Clock.Advance(d)
			return none
		},
	}
}

func describe(a *asked) string {
	if a == nil {
		return "of none"
	}
	return strings.TrimSpace(fmt.Sprintf("of %s %s %s", a.purpose, a.channel, a.over))
}

// ofDevice lists the challenges that devices answer.
func (w *walk) ofDevice() []*asked {
	return slices.DeleteFunc(slices.Clone(w.asked), func(a *asked) bool { return !a.channel.Pushed() })
}
