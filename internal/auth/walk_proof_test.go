package auth_test

import (
	"fmt"
	"slices"
	"time"

	"countersign/internal/auth"
)

// Steps that prove possession: codes by SMS and devices.

func proofMoves() []move {
	return []move{
		{"step up", 10, (*walk).stepUp},
		{"verify step-up", 18, (*walk).verifyStepUp},
		{"step up by device", 5, (*walk).stepUpDevice},
		{"bind phone", 6, (*walk).bindPhone},
		{"verify phone", 10, (*walk).verifyPhone},
		{"bind device", 6, (*walk).bindDevice},
		{"unbind device", 4, (*walk).unbindDevice},
		{"login by device", 4, (*walk).loginDevice},
		{"collect login", 5, (*walk).collect},
		{"answer on device", 12, (*walk).answer},
	}
}

// mayProve reports whether a person could be asked for a proof over a channel.
func (w *walk) mayProve(p *person, c auth.Channel) bool {
	factor := auth.AttemptOTP
	if c.Pushed() {
		factor = auth.AttemptDevice
	}
	return p.usable(c) && !(c == auth.ChannelSMS && w.cools(p)) && !p.locked(auth.AttemptPassword, w.now()) && !p.locked(factor, w.now())
}

// cools reports whether the person's number is too new to step up by (B-68).
func (w *walk) cools(p *person) bool {
	return !p.cooled.IsZero() && w.now().Before(p.cooled.Add(24*time.Hour))
}

func (w *walk) stepUp() *trial {
	k := w.anyToken()
	if k == nil {
		return nil
	}
	p := k.session.user
	by, own := w.caller(p)
	return &trial{
		what: who(k), may: w.use(k, own, auth.TokenAuth, auth.TokenAccess) && w.mayProve(p, auth.ChannelSMS),
		call: func() auth.Code { return w.code(w.s.StepUp(w.ctx, by, k.text, auth.ChannelSMS)) },
		then: func() {
			w.sent(&asked{purpose: auth.PurposeStepUp, channel: auth.ChannelSMS, user: p, session: k.session, token: k, to: p.phone}, 5*time.Minute)
		},
	}
}

func (w *walk) verifyStepUp() *trial {
	k := w.tokenFor(auth.PurposeStepUp)
	if k == nil {
		return nil
	}
	p := k.session.user
	by, own := w.caller(p)
	a := w.latest(p, auth.PurposeStepUp, k.session)
	code := w.guess(a)
	judged := w.use(k, own, auth.TokenAuth, auth.TokenAccess) && w.mayProve(p, auth.ChannelSMS) && !k.up() && w.takesCode(a, p.phone)
	may := judged && code == a.code
	return &trial{
		what: fmt.Sprintf("%s, code %s right: %t", who(k), describe(a), may), may: may, must: may, counts: judged,
		call: func() auth.Code { return w.code(w.s.VerifyStepUp(w.ctx, by, k.text, auth.ChannelSMS, code)) },
		then: func() {
			w.prove(a)
			k.upAt, k.session.seen = w.now(), w.now()
		},
		no: func(auth.Code) {
			if judged {
				w.judge(a)
			}
		},
	}
}

// takesCode reports whether a code is judged against a challenge now.
func (w *walk) takesCode(a *asked, to string) bool {
	return w.takes(a) && !a.channel.Pushed() && a.to == to
}

func (w *walk) stepUpDevice() *trial {
	k := w.anyToken()
	if k == nil {
		return nil
	}
	p := k.session.user
	by, own := w.caller(p)
	c := w.device()
	return &trial{
		what: who(k) + " " + string(c), may: w.use(k, own, auth.TokenAuth, auth.TokenAccess) && w.mayProve(p, c) && !k.up(),
		call: func() auth.Code {
			_, err := w.s.StepUpDevice(w.ctx, by, k.text, c)
			return w.code(err)
		},
		then: func() {
			w.sent(w.pushed(auth.PurposeStepUp, c, k), 2*time.Minute)
		},
	}
}

// pushed is a challenge on a device of a bearer's.
func (w *walk) pushed(purpose auth.Purpose, c auth.Channel, k *held) *asked {
	p := k.session.user
	return &asked{purpose: purpose, channel: c, user: p, session: k.session, token: k, identity: k.identity, to: string(p.id)}
}

func (w *walk) device() auth.Channel {
	if w.chance(50) {
		return auth.ChannelAuthy
	}
	return auth.ChannelBiometric
}

// mayBind reports whether a bearer may bind what they do not have: a first way to prove with any token, a further one with a stepped-up one
// (A-078, B-20).
func (w *walk) mayBind(k *held, used bool, c auth.Channel) bool {
	p := k.session.user
	return used && !p.usable(c) && (!p.usableAny() || k.up()) && !p.locked(auth.AttemptPassword, w.now())
}

func (w *walk) bindPhone() *trial {
	k := w.anyToken()
	if k == nil {
		return nil
	}
	p := k.session.user
	by, own := w.caller(p)
	used := w.use(k, own, auth.TokenAuth, auth.TokenAccess)
	return &trial{
		what: who(k), may: w.mayBind(k, used, auth.ChannelSMS) && !p.locked(auth.AttemptOTP, w.now()),
		call: func() auth.Code { return w.code(w.s.BindPhone(w.ctx, by, k.text, auth.ChannelSMS)) },
		then: func() {
			w.sent(&asked{purpose: auth.PurposeBind, channel: auth.ChannelSMS, user: p, session: k.session, token: k, to: p.phone}, 5*time.Minute)
		},
	}
}

func (w *walk) verifyPhone() *trial {
	k := w.tokenFor(auth.PurposeBind)
	if k == nil {
		return nil
	}
	p := k.session.user
	by, own := w.caller(p)
	used := w.use(k, own, auth.TokenAuth, auth.TokenAccess)
	a := w.latest(p, auth.PurposeBind, k.session)
	code := w.guess(a)
	judged := w.mayBind(k, used, auth.ChannelSMS) && w.takesCode(a, p.phone)
	may := judged && code == a.code
	return &trial{
		what: fmt.Sprintf("%s, code %s right: %t", who(k), describe(a), may), may: may, must: may, counts: judged,
		call: func() auth.Code { return w.code(w.s.VerifyBindPhone(w.ctx, by, k.text, auth.ChannelSMS, code)) },
		then: func() {
			w.prove(a)
			w.bind(a, k)
		},
		no: func(auth.Code) {
			if judged {
				w.judge(a)
			}
		},
	}
}

// bind is what a proved binding does; the first one of a person steps the token up.
func (w *walk) bind(a *asked, k *held) {
	if !a.user.usableAny() && !(a.channel == auth.ChannelSMS && w.cools(a.user)) {
		k.upAt, k.session.seen = w.now(), w.now()
	}
	a.user.bound[a.channel] = a.to
}

func (w *walk) bindDevice() *trial {
	k := w.strongToken()
	if k == nil {
		return nil
	}
	p := k.session.user
	by, own := w.caller(p)
	used := w.use(k, own, auth.TokenAccess)
	return &trial{
		what: who(k), may: w.mayBind(k, used, auth.ChannelAuthy) && k.up() && p.word != "" && !p.locked(auth.AttemptDevice, w.now()),
		call: func() auth.Code { return w.code(w.s.BindDevice(w.ctx, by, k.text, auth.ChannelAuthy)) },
		then: func() {
			w.sent(w.pushed(auth.PurposeBind, auth.ChannelAuthy, k), 2*time.Minute)
		},
	}
}

func (w *walk) unbindDevice() *trial {
	k := w.strongToken()
	if k == nil {
		return nil
	}
	p, c := k.session.user, w.device()
	by, own := w.caller(p)
	return &trial{
		what: who(k) + " " + string(c), may: w.use(k, own, auth.TokenAccess) && k.up() && p.usable(c),
		call: func() auth.Code { return w.code(w.s.UnbindDevice(w.ctx, by, k.text, c)) },
		then: func() {
			delete(p.bound, c)
			p.weakened, k.upAt = w.now(), w.now() // whoever took it away has just proved themself
			w.endFlows(p)
		},
	}
}

func (w *walk) loginDevice() *trial {
	p := w.anybody()
	if !p.usable(auth.ChannelBiometric) && w.chance(70) {
		return nil
	}
	key := "backend"
	if w.chance(20) {
		key = "second"
	}
	return &trial{
		what: fmt.Sprintf("%s by %s", p, key), may: w.mayProve(p, auth.ChannelBiometric) && !p.suspended,
		call: func() auth.Code {
			_, err := w.s.LoginDevice(w.ctx, auth.Actor{Tenant: p.tenant, Key: key}, auth.DeviceLogin{Email: p.email})
			return w.code(err)
		},
		then: func() {
			w.sent(&asked{purpose: auth.PurposeLogin, channel: auth.ChannelBiometric, user: p, key: key, to: string(p.id)}, 2*time.Minute)
		},
	}
}

// collect fetches the token of a login by device: once, by the caller who began it, and while the user may still log in (B-05).
func (w *walk) collect() *trial {
	a, ok := pick(w, slices.DeleteFunc(w.ofDevice(), func(a *asked) bool { return a.purpose != auth.PurposeLogin && !w.chance(5) }))
	if !ok {
		return nil
	}
	key := a.key
	if w.chance(15) {
		key = "second"
	}
	by, own := w.caller(a.user)
	by.Key = key
	may := own && a.purpose == auth.PurposeLogin && key == a.key && a.over == "used" &&
		!(&held{session: a.session, kind: auth.TokenAuth}).dead(w.now()) && !a.user.locked(auth.AttemptPassword, w.now())
	var r auth.DeviceLoginResult
	return &trial{
		what: fmt.Sprintf("of %s by %s, %s", a.user.email, key, a.over), may: may, must: may,
		call: func() (c auth.Code) {
			var err error
			if r, err = w.s.CollectLogin(w.ctx, by, a.id); err == nil && r.Token == "" {
				return auth.CodeNoChallenge // a status alone
			}
			return w.code(err)
		},
		then: func() {
			a.over = "collected"
			k := &held{text: r.Token, hash: hashOf(r.Token), session: a.session, kind: auth.TokenAuth, upAt: a.approved}
			w.tokens = append(w.tokens, k)
		},
	}
}

func (w *walk) answer() *trial {
	all := w.ofDevice()
	if open := slices.DeleteFunc(slices.Clone(all), func(a *asked) bool { return !w.takesAnswer(a) }); len(open) > 0 && w.chance(80) {
		all = open
	}
	a, ok := pick(w, all)
	if !ok {
		return nil
	}
	p, says := a.user, auth.Approve
	tenant, user := p.tenant, p.id
	if w.chance(40) {
		says, _ = pick(w, []auth.Decision{auth.Deny, auth.FailProof, auth.FailProof, auth.RunOut})
	}
	if w.chance(15) {
		other := w.anybody()
		tenant, user = other.tenant, other.id
	}
	own := tenant == p.tenant && user == p.id
	may := own && w.takesAnswer(a)
	return &trial{
		what: fmt.Sprintf("%s %s of %s by %s/%s", says, describe(a), p.email, tenant, user), may: may, must: may, counts: w.takesAnswer(a),
		call: func() auth.Code {
			answered, err := w.s.AnswerOnDevice(w.ctx, tenant, user, a.id, says)
			if err == nil && !answered {
				return auth.CodeNoChallenge
			}
			return w.code(err)
		},
		then: func() { w.answered(a, says) },
		no: func(auth.Code) {
			if own && a.over == "" {
				a.over = "cancelled"
			}
		},
	}
}

// takesAnswer reports whether a device may still answer (A-085, B-05).
func (w *walk) takesAnswer(a *asked) bool {
	p := a.user
	if !w.takes(a) || p.suspended || p.locked(auth.AttemptPassword, w.now()) {
		return false
	}
	if s := a.session; s != nil && (&held{session: s}).dead(w.now()) {
		return false
	}
	if !a.unchanged() || !a.identity.IsZero() && !w.acts(p, a.identity) {
		return false
	}
	return a.purpose == auth.PurposeBind || p.usable(a.channel)
}

func (w *walk) answered(a *asked, says auth.Decision) {
	switch says {
	case auth.FailProof:
		a.over = "failed"
		w.wrong(a.user, auth.AttemptDevice)
		a.failLinks()
		return
	case auth.Deny:
		a.over = "denied"
		a.failLinks()
		return
	case auth.RunOut:
		a.over = "expired"
		return
	}
	w.prove(a)
	switch a.purpose {
	case auth.PurposeStepUp:
		a.token.upAt, a.session.seen = w.now(), w.now()
	case auth.PurposeBind:
		w.bind(a, a.token)
	case auth.PurposeConfirm:
		a.confirm()
	case auth.PurposeLogin:
		now := w.now()
		a.session = &session{user: a.user, epoch: a.user.epoch, seen: now, end: now.Add(12 * time.Hour)}
	}
}
