package auth_test

import (
	"fmt"
	"slices"
	"strings"
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
	return p.env.AnswerByKey(t.Context(), p.by, p.id, id, auth.SignedAnswer{Token: p.sign(t, "countersign-answer+jwt", claims)})
}

// ticketOf steps a user up by a code and asks for a ticket.
func ticketOf(t *testing.T, e *authtest.Env, name string) (ticket, token string) {
	t.Helper()
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
func TestTicketNeedsStepUp(t *testing.T) { // B-21
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

// TestTicketBindsOnce is A-067: one device, within five minutes, while the session lives; and a newer ticket voids it. During a lock none
// binds, one that was issued before included.
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
		"locked": {func(e *authtest.Env, ticket, _ string) string { lock(t, e, "ada"); return ticket }, auth.CodeTicketInvalid},
		"newer": {func(e *authtest.Env, ticket, token string) string {
			if _, err := e.IssueTicket(t.Context(), e.Key(), token); err != nil {
				t.Error(err)
			}
			return ticket
		}, auth.CodeTicketInvalid},
		"made up": {func(_ *authtest.Env, ticket, _ string) string { return strings.Repeat("x", len(ticket)) }, auth.CodeTicketInvalid},
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

// TestUnboundDeviceTakesItsChannels: when BIOMETRIC is unbound no device is left that answers for AUTHY, and the user is not taken for
// somebody who has that.
func TestUnboundDeviceTakesItsChannels(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors, authtest.Settings(func(s *auth.Settings) { s.Channels = append(s.Channels, auth.ChannelAuthy) }))
	p, token := boundPhone(t, e)
	access, err := e.AccessToken(t.Context(), e.Key(), token, adasSelf)
	if err != nil {
		t.Fatal(err)
	}
	stepUp(t, e, access.Token)
	if err := prove(t, e, access.Token, "123456"); err != nil {
		t.Fatal(err)
	}
	if err := e.BindDevice(t.Context(), e.Key(), access.Token, auth.ChannelAuthy); err != nil {
		t.Fatal(err)
	}
	asked := p.requests(t)
	if len(asked) != 1 {
		t.Fatalf("got %d requests", len(asked))
	}
	if _, err := p.answer(t, asked[0].ID, p.claims(asked[0], auth.Approve, asked[0].Number)); err != nil {
		t.Fatal(err)
	}
	if err := e.UnbindDevice(t.Context(), e.Key(), access.Token, auth.ChannelBiometric); err != nil {
		t.Fatal(err)
	}
	got, err := e.Authenticators(t.Context(), e.Key(), access.Token)
	if want := []auth.Standing{{Channel: auth.ChannelSMS, Status: auth.AuthenticatorActive}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	_, err = e.StepUpDevice(t.Context(), e.Key(), login(t, e, "ada").Token, auth.ChannelAuthy)
	wantCode(t, err, auth.CodeChannelUnbound)
}
