package auth_test

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/jose"
)

// issuer is that of authtest's services.
func issuerOf(e *authtest.Env) string { return e.Issuer() }

// handset is a device with a key of its own, as an app would be.
type handset struct {
	key *jose.Key
	env *authtest.Env
	id  auth.DeviceID
	by  auth.Actor
}

func newPhone(t *testing.T, e *authtest.Env, alg jose.Alg) *handset {
	t.Helper()
	key, err := jose.Generate(alg)
	if err != nil {
		t.Fatal(err)
	}
	return &handset{key: key, env: e, id: auth.DeviceID(key.ID()), by: auth.Actor{Tenant: authtest.Demo, Device: auth.DeviceID(key.ID())}}
}

func (p *handset) sign(t *testing.T, typ string, claims jose.Claims) string {
	t.Helper()
	token, err := jose.Sign(p.key, typ, claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// proof is what a device sends to be bound.
func (p *handset) proof(t *testing.T, ticket, name string) auth.KeyBinding {
	t.Helper()
	now := p.env.Clock.Now()
	return auth.KeyBinding{Key: p.key.Public().String(), Proof: p.sign(t, "countersign-bind+jwt", jose.Claims{
		"iss": p.key.ID(), "aud": issuerOf(p.env), "iat": now, "exp": now.Add(time.Minute), "ticket": ticket, "name": name,
	})}
}

func (p *handset) bind(t *testing.T, ticket string) error {
	t.Helper()
	_, err := p.env.BindKey(t.Context(), p.proof(t, ticket, "Ada's phone"), auth.Via{})
	return err
}

// call is a token for one call.
func (p *handset) call(t *testing.T, change func(jose.Claims)) string {
	t.Helper()
	now := p.env.Clock.Now()
	claims := jose.Claims{"iss": p.key.ID(), "aud": issuerOf(p.env), "iat": now, "exp": now.Add(time.Minute)}
	if change != nil {
		change(claims)
	}
	return p.sign(t, "countersign-call+jwt", claims)
}

// requests is what waits on the device.
func (p *handset) requests(t *testing.T) []auth.DeviceRequest {
	t.Helper()
	d, _, err := p.env.AuthenticateDevice(t.Context(), p.call(t, nil), auth.Via{})
	if err != nil {
		t.Fatal(err)
	}
	all, err := p.env.DeviceRequests(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// claims are those of an honest answer.
func (p *handset) claims(r auth.DeviceRequest, d auth.Decision, number string) jose.Claims {
	digest := ""
	if r.Digest != [32]byte{} {
		digest = fmt.Sprintf("%x", r.Digest)
	}
	shown := make([]any, len(r.Shown))
	for i := range r.Shown {
		shown[i] = r.Shown[i]
	}
	return jose.Claims{
		"iss": string(p.id), "aud": issuerOf(p.env), "iat": r.CreatedAt.Truncate(time.Second), "exp": r.ExpiresAt.Truncate(time.Second),
		"sub": string(r.User), "tid": string(r.Tenant), "sid": string(r.Session), "challenge": string(r.ID), "nonce": r.Nonce,
		"purpose": string(r.Purpose), "channel": string(r.Channel), "digest": digest, "shown": shown, "decision": string(d), "number": number,
		"uv": "biometric",
	}
}

func (p *handset) answer(t *testing.T, id auth.ChallengeID, claims jose.Claims) (auth.ChallengeStatus, error) {
	t.Helper()
	return p.env.AnswerByKey(t.Context(), p.by, p.id, id, p.sign(t, "countersign-answer+jwt", claims))
}

// ticketOf steps a user up by a code and asks for a ticket.
func ticketOf(t *testing.T, e *authtest.Env, name string) (ticket, token string) {
	t.Helper()
	if err := e.EnsureKeys(t.Context(), jose.ES256); err != nil { // certificates are signed
		t.Fatal(err)
	}
	token = login(t, e, name).Token
	stepUp(t, e, token)
	if err := prove(t, e, token, "123456"); err != nil {
		t.Fatal(err)
	}
	issued, err := e.IssueTicket(t.Context(), e.Key(), token)
	if err != nil {
		t.Fatal(err)
	}
	return issued.Text, token
}

// boundPhone is a phone of Ada's, and her stepped-up token.
func boundPhone(t *testing.T, e *authtest.Env) (*handset, string) {
	t.Helper()
	p := newPhone(t, e, jose.ES256)
	ticket, token := ticketOf(t, e, "ada")
	if err := p.bind(t, ticket); err != nil {
		t.Fatal(err)
	}
	return p, token
}

// TestTicketNeedsStepUp is and B-20: a password alone binds nothing.
func TestTicketNeedsStepUp(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	token := login(t, e, "ada").Token
	_, err := e.IssueTicket(t.Context(), e.Key(), token)
	wantCode(t, err, auth.CodeStepUpRequired)
	stepUp(t, e, token)
	if err := prove(t, e, token, "123456"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.IssueTicket(t.Context(), e.Key(), token); err != nil {
		t.Error(err)
	}
}

// TestTicketBindsOnce is A-067: one device, within five minutes, while the session lives; and a newer ticket voids it.
func TestTicketBindsOnce(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil func(e *authtest.Env, ticket, token string) string
		want  auth.Code
	}{
		"good":       {func(_ *authtest.Env, ticket, _ string) string { return ticket }, -1},
		"too old":    {func(e *authtest.Env, ticket, _ string) string { e.Clock.Advance(5 * time.Minute); return ticket }, auth.CodeTicketInvalid},
		"just young": {func(e *authtest.Env, ticket, _ string) string { e.Clock.Advance(5*time.Minute - 1); return ticket }, -1},
		"logged out": {func(e *authtest.Env, ticket, token string) string {
			if err := e.Logout(t.Context(), e.Key(), token); err != nil {
				t.Error(err)
			}
			return ticket
		}, auth.CodeTicketInvalid},
		"newer": {func(e *authtest.Env, ticket, token string) string {
			if _, err := e.IssueTicket(t.Context(), e.Key(), token); err != nil {
				t.Error(err)
			}
			return ticket
		}, auth.CodeTicketInvalid},
		"made up": {func(_ *authtest.Env, ticket, _ string) string { return "x" + ticket[1:] }, auth.CodeTicketInvalid},
		"empty":   {func(*authtest.Env, string, string) string { return "" }, auth.CodeTicketInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := authtest.New(t, withFactors)
			ticket, token := ticketOf(t, e, "ada")
			err := newPhone(t, e, jose.EdDSA).bind(t, tt.spoil(e, ticket, token))
			if got := codeOf(err); got != tt.want && !(tt.want == -1 && err == nil) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if tt.want == -1 {
				wantCode(t, newPhone(t, e, jose.ES256).bind(t, ticket), auth.CodeTicketInvalid)
			}
		})
	}
}

// TestOneTicketManyDevices binds one of fifty (B-15).
func TestOneTicketManyDevices(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	ticket, _ := ticketOf(t, e, "ada")
	errs := make([]error, 50)
	var all sync.WaitGroup
	for i := range errs {
		binding := newPhone(t, e, jose.EdDSA).proof(t, ticket, "phone")
		all.Go(func() { _, errs[i] = e.BindKey(t.Context(), binding, auth.Via{}) })
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if codeOf(err) != auth.CodeTicketInvalid {
			t.Errorf("got %v", err)
		}
	}
	if won != 1 {
		t.Errorf("got %d devices, want 1", won)
	}
}

// TestWeakBindings is A-072: no key of another kind, no key that was not proved, no name that cannot be shown.
func TestWeakBindings(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	ticket, _ := ticketOf(t, e, "ada")
	good, other := newPhone(t, e, jose.ES256), newPhone(t, e, jose.ES256)
	honest := good.proof(t, ticket, "Ada's phone")
	rsa := newPhone(t, e, jose.RS256)
	for name, tt := range map[string]struct {
		in   auth.KeyBinding
		want auth.Code
	}{
		"no key":        {auth.KeyBinding{Proof: honest.Proof}, auth.CodeKeyInvalid},
		"RSA":           {rsa.proof(t, ticket, "x"), auth.CodeKeyInvalid},
		"another's":     {auth.KeyBinding{Key: other.key.Public().String(), Proof: honest.Proof}, auth.CodeKeyInvalid},
		"off the curve": {auth.KeyBinding{Key: `{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}`, Proof: honest.Proof}, auth.CodeKeyInvalid},
		"symmetric":     {auth.KeyBinding{Key: `{"kty":"oct","k":"AAAA"}`, Proof: honest.Proof}, auth.CodeKeyInvalid},
		"call for bind": {auth.KeyBinding{Key: honest.Key, Proof: good.call(t, func(c jose.Claims) { c["ticket"], c["name"] = ticket, "x" })}, auth.CodeKeyInvalid},
		"no name":       {good.proof(t, ticket, "  "), auth.CodeNameInvalid},
		"long name":     {good.proof(t, ticket, string(make([]rune, 65))), auth.CodeNameInvalid},
		"control":       {good.proof(t, ticket, "a\u0007b"), auth.CodeNameInvalid},
		"bad address":   {auth.KeyBinding{Key: honest.Key, Proof: honest.Proof, Push: auth.PushAddress{Service: "web", Token: "https://x"}}, auth.CodePushInvalid},
	} {
		_, err := e.BindKey(t.Context(), tt.in, auth.Via{})
		if codeOf(err) != tt.want {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
	if err := good.bind(t, ticket); err != nil {
		t.Errorf("the ticket is used up by what was refused: %v", err)
	}
}

// TestDeviceKeyIsBoundOnce: neither to another user nor again after its end.
func TestDeviceKeyIsBoundOnce(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	p, _ := boundPhone(t, e)
	ticket, _ := ticketOf(t, e, "charles")
	wantCode(t, p.bind(t, ticket), auth.CodeDeviceBound)
	if err := e.UnbindKey(t.Context(), p.by, p.id); err != nil {
		t.Fatal(err)
	}
	wantCode(t, p.bind(t, ticket), auth.CodeDeviceBound)
	if err := newPhone(t, e, jose.ES256).bind(t, ticket); err != nil {
		t.Errorf("the ticket is used up by what was refused: %v", err)
	}
	_, _, err := e.AuthenticateDevice(t.Context(), p.call(t, nil), auth.Via{})
	wantCode(t, err, auth.CodeInvalidToken)
}

// TestDeviceCalls judges the tokens that a device makes for its calls.
func TestDeviceCalls(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	p, _ := boundPhone(t, e)
	stranger := newPhone(t, e, jose.ES256)
	now := e.Clock.Now()
	for name, tt := range map[string]struct {
		token string
		want  auth.Code
	}{
		"good":             {p.call(t, nil), -1},
		"a stranger's":     {stranger.call(t, nil), auth.CodeInvalidToken},
		"another's name":   {stranger.call(t, func(c jose.Claims) { c["iss"] = p.key.ID() }), auth.CodeInvalidToken},
		"another audience": {p.call(t, func(c jose.Claims) { c["aud"] = "https://other.example" }), auth.CodeInvalidToken},
		"expired":          {p.call(t, func(c jose.Claims) { c["iat"], c["exp"] = now.Add(-2*time.Minute), now.Add(-time.Second) }), auth.CodeInvalidToken},
		"for an hour":      {p.call(t, func(c jose.Claims) { c["exp"] = now.Add(time.Hour) }), auth.CodeInvalidToken},
		"of another kind":  {p.proof(t, "x", "y").Proof, auth.CodeInvalidToken},
		"nothing":          {"", auth.CodeInvalidToken},
	} {
		_, _, err := e.AuthenticateDevice(t.Context(), tt.token, auth.Via{})
		if got := codeOf(err); got != tt.want && !(tt.want == -1 && err == nil) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

// begun asks Ada's device to step up a token of a second session.
func begun(t *testing.T, e *authtest.Env, p *handset) (auth.DeviceRequest, string) {
	t.Helper()
	token := login(t, e, "ada").Token
	if _, err := e.StepUpDevice(t.Context(), e.Key(), token, auth.ChannelBiometric); err != nil {
		t.Fatal(err)
	}
	all := p.requests(t)
	if len(all) != 1 {
		t.Fatalf("got %d requests, want 1", len(all))
	}
	return all[0], token
}

// TestDeviceApproves a step-up: by its key and by nothing else, once, and with evidence.
func TestDeviceApproves(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	p, _ := boundPhone(t, e)
	r, token := begun(t, e, p)
	if _, err := e.AnswerOnDevice(t.Context(), authtest.Demo, authtest.Ada, r.ID, auth.Approve); codeOf(err) != auth.CodeNotFound {
		t.Errorf("the simulated phone answers for a real one: %v", err)
	}
	claims := p.claims(r, auth.Approve, "")
	status, err := p.answer(t, r.ID, claims)
	if err != nil || status != auth.ChallengeApproved {
		t.Fatalf("got %q, %v", status, err)
	}
	if !steppedUp(t, e, token) {
		t.Error("the token is not stepped up")
	}
	_, err = p.answer(t, r.ID, claims)
	wantCode(t, err, auth.CodeNoChallenge)
	evidence, err := e.DeviceEvidence(t.Context(), authtest.Demo, r.ID)
	if err != nil || evidence.Decision != auth.Approve || evidence.Device != p.id || evidence.Status != auth.ChallengeApproved || evidence.Certificate == "" {
		t.Errorf("got %+v, %v", evidence, err)
	}
	if !slices.ContainsFunc(eventsOf(t, e), func(v auth.Event) bool { return v.ID == evidence.Event && v.Kind == auth.EventAnswered }) {
		t.Error("the event that the evidence names is not there")
	}
}

// TestEverySignedField is: whatever an answer says otherwise than the challenge is refused, and counted; the fifth
// blocks the device.
func TestEverySignedField(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors, func(s *auth.Setup) { s.Tenants[0].Tenant.Settings.Push.Limit = auth.Limit{Count: 100, Window: time.Minute} })
	p, _ := boundPhone(t, e)
	r, token := begun(t, e, p)
	honest := p.claims(r, auth.Approve, "")
	count := 0
	for _, name := range slices.Sorted(maps.Keys(honest)) {
		for kind, value := range map[string]any{"changed": "x", "missing": nil} {
			claims := maps.Clone(honest)
			switch {
			case value == nil:
				delete(claims, name)
			case name == "iat" || name == "exp":
				claims[name] = honest[name].(time.Time).Add(time.Second)
			case name == "shown":
				claims[name] = []any{"EUR 1.00 to nobody"}
			default:
				claims[name] = value
			}
			if name == "number" && kind == "changed" {
				continue // none is asked for, and what is said then means nothing
			}
			if _, err := p.answer(t, r.ID, claims); codeOf(err) != auth.CodeAssertionInvalid {
				t.Errorf("%s %s: got %v, want it to be refused", name, kind, err)
			}
			if count++; count%4 == 0 { // a right one in between: only those in a row block
				deny(t, e, p, r)
				e.Clock.Advance(2 * time.Minute)
				r, token = begun(t, e, p)
				honest = p.claims(r, auth.Approve, "")
			}
		}
	}
	if steppedUp(t, e, token) {
		t.Error("a token was stepped up")
	}
}

func deny(t *testing.T, _ *authtest.Env, p *handset, r auth.DeviceRequest) {
	t.Helper()
	if status, err := p.answer(t, r.ID, p.claims(r, auth.Deny, "")); err != nil || status != auth.ChallengeDenied {
		t.Fatalf("deny: got %q, %v", status, err)
	}
}

// TestFiveBadAnswersBlock the device, and nobody else's.
func TestFiveBadAnswersBlock(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	p, _ := boundPhone(t, e)
	r, _ := begun(t, e, p)
	bad := p.claims(r, auth.Approve, "")
	bad["nonce"] = "x"
	for range 5 {
		_, err := p.answer(t, r.ID, bad)
		wantCode(t, err, auth.CodeAssertionInvalid)
	}
	_, err := p.answer(t, r.ID, p.claims(r, auth.Approve, ""))
	wantCode(t, err, auth.CodeDeviceBlocked)
	d, _, err := e.AuthenticateDevice(t.Context(), p.call(t, nil), auth.Via{})
	if err != nil || d.Status != auth.DeviceBlocked {
		t.Errorf("got %v, %v; want that it may look", d.Status, err)
	}
	if !slices.Contains(events(t, e), "device_blocked "+string(p.id)) {
		t.Error("there is no event")
	}
}

// TestOtherDevicesDoNotAnswer: another user's, one of another tenant, a revoked one, and another key under this device's name.
func TestOtherDevicesDoNotAnswer(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	p, token := boundPhone(t, e)
	r, _ := begun(t, e, p)
	charles := newPhone(t, e, jose.ES256)
	ticket, _ := ticketOf(t, e, "charles")
	if err := charles.bind(t, ticket); err != nil {
		t.Fatal(err)
	}
	_, err := charles.answer(t, r.ID, charles.claims(r, auth.Approve, ""))
	wantCode(t, err, auth.CodeNotFound)
	_, err = e.AnswerByKey(t.Context(), p.by, p.id, r.ID, charles.sign(t, "countersign-answer+jwt", p.claims(r, auth.Approve, "")))
	wantCode(t, err, auth.CodeAssertionInvalid)
	foreign := auth.Actor{Tenant: authtest.Rival, Device: p.id}
	_, err = e.AnswerByKey(t.Context(), foreign, p.id, r.ID, p.sign(t, "countersign-answer+jwt", p.claims(r, auth.Approve, "")))
	wantCode(t, err, auth.CodeNotFound)
	if err := e.UnbindDevice(t.Context(), e.Key(), token, auth.ChannelBiometric); err != nil {
		t.Fatal(err)
	}
	_, err = p.answer(t, r.ID, p.claims(r, auth.Approve, ""))
	wantCode(t, err, auth.CodeInvalidToken)
}

// TestNumberIsCarried is A-070 and B-67: without the number of the other screen a login is not approved, and a wrong one ends it.
func TestNumberIsCarried(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors, func(s *auth.Setup) { s.Tenants[0].Tenant.Settings.Push.Limit = auth.Limit{Count: 9, Window: time.Minute} })
	p, _ := boundPhone(t, e)
	for _, tt := range []struct {
		number func(asked string) string
		want   auth.Code
	}{
		{func(asked string) string { return asked }, -1},
		{func(string) string { return "" }, auth.CodeNumberWrong},
		{func(asked string) string { return fmt.Sprint(asked[:1], (asked[1]-'0'+1)%10) }, auth.CodeNumberWrong},
	} {
		asked, err := e.LoginDevice(t.Context(), e.Key(), auth.DeviceLogin{Email: "ada@example.com"})
		if err != nil || len(asked.Number) != 2 {
			t.Fatalf("got %+v, %v", asked, err)
		}
		r := p.requests(t)[0]
		_, err = p.answer(t, r.ID, p.claims(r, auth.Approve, tt.number(asked.Number)))
		if got := codeOf(err); got != tt.want && !(tt.want == -1 && err == nil) {
			t.Errorf("got %v, want %v", err, tt.want)
		}
		result, err := e.CollectLogin(t.Context(), e.Key(), asked.ID)
		if err != nil || (result.Token != "") != (tt.want == -1) || tt.want != -1 && result.Status != auth.ChallengeFailed {
			t.Errorf("got %s, token %t, %v", result.Status, result.Token != "", err)
		}
	}
}

// TestPaymentOnDevice is A-071: what is shown is signed, and a change of the amount ends it.
func TestPaymentOnDevice(t *testing.T) {
	t.Parallel()
	e := payments(t, withFactors)
	p := newPhone(t, e, jose.EdDSA)
	if err := e.EnsureKeys(t.Context(), jose.ES256); err != nil {
		t.Fatal(err)
	}
	token := login(t, e, "ada").Token
	stepUp(t, e, token)
	if err := prove(t, e, token, sentTo(t, e, "+35699110000").Code); err != nil {
		t.Fatal(err)
	}
	issued, err := e.IssueTicket(t.Context(), e.Key(), token)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.bind(t, issued.Text); err != nil {
		t.Fatal(err)
	}
	access, err := e.AccessToken(t.Context(), e.Key(), token, adasSelf)
	if err != nil {
		t.Fatal(err)
	}
	register(t, e, wanted())
	if _, err := e.ConfirmDevice(t.Context(), e.Key(), access.Token, auth.ChannelBiometric, []auth.LinkRef{payment}); err != nil {
		t.Fatal(err)
	}
	r := p.requests(t)[0]
	if len(r.Shown) != 1 {
		t.Fatalf("got %q", r.Shown)
	}
	more := wanted()
	more.Amount++
	register(t, e, more)
	if got := p.requests(t); len(got) != 0 {
		t.Errorf("still shown: %q", got[0].Shown)
	}
	_, err = p.answer(t, r.ID, p.claims(r, auth.Approve, ""))
	if code := codeOf(err); code != auth.CodeAssertionInvalid && code != auth.CodeNoChallenge {
		t.Errorf("got %v, want a refusal", err)
	}
}

// TestTwoDenialsCoolOff is A-074.
func TestTwoDenialsCoolOff(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	p, _ := boundPhone(t, e)
	for range 2 {
		r, _ := begun(t, e, p)
		deny(t, e, p, r)
	}
	token := login(t, e, "ada").Token
	_, err := e.StepUpDevice(t.Context(), e.Key(), token, auth.ChannelBiometric)
	wantCode(t, err, auth.CodeChallengeLimit)
	e.Clock.Advance(10*time.Minute + time.Second)
	token = login(t, e, "ada").Token
	if _, err := e.StepUpDevice(t.Context(), e.Key(), token, auth.ChannelBiometric); err != nil {
		t.Errorf("after the window: %v", err)
	}
}

// TestReportedLogin is A-074: "this was not me" denies, is an event, and suspends where the tenant wants it.
func TestReportedLogin(t *testing.T) {
	t.Parallel()
	for _, suspends := range []bool{false, true} {
		e := authtest.New(t, withFactors, authtest.Settings(func(s *auth.Settings) { s.Push.ReportSuspends = suspends }))
		p, _ := boundPhone(t, e)
		r, _ := begun(t, e, p)
		if status, err := p.answer(t, r.ID, p.claims(r, auth.Report, "")); err != nil || status != auth.ChallengeDenied {
			t.Fatalf("got %q, %v", status, err)
		}
		if !slices.Contains(events(t, e), "reported BIOMETRIC") {
			t.Error("there is no event")
		}
		_, err := e.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password))
		if (err != nil) != suspends {
			t.Errorf("suspends %v: got %v", suspends, err)
		}
	}
}

// TestFiftyAnswers count once (B-15).
func TestFiftyAnswers(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	p, _ := boundPhone(t, e)
	r, _ := begun(t, e, p)
	answer := p.sign(t, "countersign-answer+jwt", p.claims(r, auth.Approve, ""))
	errs := make([]error, 50)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { _, errs[i] = e.AnswerByKey(t.Context(), p.by, p.id, r.ID, answer) })
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if codeOf(err) != auth.CodeNoChallenge {
			t.Errorf("got %v", err)
		}
	}
	if won != 1 {
		t.Errorf("got %d that count, want 1", won)
	}
}

// TestWaitingDevice hears of a request as soon as there is one.
func TestWaitingDevice(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	p, _ := boundPhone(t, e)
	d, _, err := e.AuthenticateDevice(t.Context(), p.call(t, nil), auth.Via{})
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan []auth.DeviceRequest, 1)
	go func() {
		all, err := e.AwaitRequests(t.Context(), d, nil, time.Minute)
		if err != nil {
			t.Error(err)
		}
		heard <- all
	}()
	r, _ := begun(t, e, p)
	if all := <-heard; len(all) != 1 || all[0].ID != r.ID {
		t.Errorf("got %v", all)
	}
	if all, err := e.AwaitRequests(t.Context(), d, []auth.ChallengeID{r.ID}, 0); err != nil || len(all) != 1 {
		t.Errorf("got %v, %v", all, err)
	}
}

// TestDeadAddressIsForgotten when the push service says so, unless the device has given another since.
func TestDeadAddressIsForgotten(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	p, _ := boundPhone(t, e)
	if err := e.SetDevicePush(t.Context(), p.by, p.id, auth.PushAddress{Service: auth.PushApp, Token: "one"}); err != nil {
		t.Fatal(err)
	}
	begun(t, e, p)
	deliveries, err := e.ClaimParcels(t.Context(), auth.Queue{Tenant: authtest.Demo, Kind: auth.ParcelWake}, 9)
	if err != nil || len(deliveries) != 1 || deliveries[0].Message.Push.Token != "one" {
		t.Fatalf("got %v, %v", deliveries, err)
	}
	hasPush := func() bool {
		d, _, err := e.AuthenticateDevice(t.Context(), p.call(t, nil), auth.Via{})
		if err != nil {
			t.Fatal(err)
		}
		return len(d.Push) > 0
	}
	if err := e.SettleParcel(t.Context(), deliveries[0], dead{}); err != nil {
		t.Fatal(err)
	}
	if hasPush() {
		t.Error("the address is still there")
	}
}

// dead is what a carrier says of a device that is no more.
type dead struct{}

func (dead) Error() string   { return "gone" }
func (dead) Permanent() bool { return true }
func (dead) Gone() bool      { return true }
