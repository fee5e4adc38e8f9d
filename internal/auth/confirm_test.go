package auth_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

const adaPhone = "+35699111111"

var (
	adasSelf = auth.IdentityRef{Type: auth.Consumer, ID: "1001"}
	engines  = auth.IdentityRef{Type: auth.Corporate, ID: "2001"}
	payment  = auth.LinkRef{Type: auth.LinkSend, ID: "77"}
)

// payments makes a domain whose codes are real, with users who have a phone and a device.
func payments(t *testing.T, change ...func(*auth.Setup)) *authtest.Env {
	t.Helper()
	equip := func(s *auth.Setup) {
		demo := &s.Tenants[0]
		demo.Tenant.Mode = auth.ModeLive
		demo.Tenant.Webhook.URL = "https://embedder.example/hooks"
		for i := range demo.Users {
			u := &demo.Users[i]
			if u.ID == authtest.Charles {
				u.Phone = "+35699222222"
			}
			if u.ID == authtest.Ada || u.ID == authtest.Charles {
				u.Authenticators = []auth.AuthenticatorSetup{
					{Kind: auth.AuthenticatorSMS}, {Kind: auth.AuthenticatorDevice, Channel: auth.ChannelBiometric, Simulated: true},
				}
			}
		}
	}
	return authtest.New(t, append([]func(*auth.Setup){equip}, change...)...)
}

func wanted() auth.Registration {
	return auth.Registration{
		Ref: payment, Identity: adasSelf, Currency: "EUR", Amount: 1234, Payee: "Charles Babbage", Account: "MT84 MALT 0110", Text: "Invoice 12",
	}
}

func register(t *testing.T, e *authtest.Env, in auth.Registration) auth.LinkState {
	t.Helper()
	state, err := e.RegisterLink(t.Context(), e.Key(), in)
	if err != nil {
		t.Fatalf("register %v: %v", in.Ref, err)
	}
	return state
}

// askToConfirm begins a confirmation by code and returns its challenge and the code that came.
func askToConfirm(t *testing.T, e *authtest.Env, token string, refs ...auth.LinkRef) (auth.ChallengeID, string) {
	t.Helper()
	idAsked, err := e.Confirm(t.Context(), e.Key(), token, auth.ChannelSMS, refs)
	if err != nil {
		t.Fatalf("confirm %v: %v", refs, err)
	}
	id := idAsked.ID
	return id, sentTo(t, e, adaPhone).Code
}

// sentTo is the latest message to an address.
func sentTo(t *testing.T, e *authtest.Env, to string) auth.Message {
	t.Helper()
	items, err := e.Inbox(t.Context(), to, 1)
	if err != nil || len(items) == 0 {
		t.Fatalf("no message to %s: %v", to, err)
	}
	return items[0].Message
}

func confirmWith(t *testing.T, e *authtest.Env, token string, id auth.ChallengeID, code string) error {
	t.Helper()
	return e.VerifyConfirm(t.Context(), e.Key(), token, auth.ChannelSMS, id, auth.LinkSend, code)
}

// otherThan is a code that is not the given one.
func otherThan(code string) string {
	if code[0] == '9' {
		return "0" + code[1:]
	}
	return string(code[0]+1) + code[1:]
}

func linkStatus(t *testing.T, e *authtest.Env, ref auth.LinkRef) auth.LinkStatus {
	t.Helper()
	state, err := e.Link(t.Context(), e.Key(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return state.Status
}

func challengeOf(t *testing.T, e *authtest.Env, id auth.ChallengeID) auth.Challenge {
	t.Helper()
	var c auth.Challenge
	err := e.Store.View(t.Context(), func(r auth.Reads) (err error) { c, err = r.Challenge(authtest.Demo, id); return err })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// confirmNews are what the tenant's webhook is told of confirmations, oldest first.
func confirmNews(t *testing.T, e *authtest.Env) []auth.News {
	t.Helper()
	parcels, err := e.ClaimParcels(t.Context(), auth.Queue{Tenant: authtest.Demo, Kind: auth.ParcelWebhook}, 100)
	if err != nil {
		t.Fatal(err)
	}
	var all []auth.News
	for _, p := range parcels {
		if p.News.Kind == auth.NewsConfirmed {
			all = append(all, *p.News)
		}
	}
	return all
}

// TestConfirmByCode is RTS Art. 5(1)(a): the message names amount and payee, and the code confirms exactly them.
func TestConfirmByCode(t *testing.T) {
	t.Parallel()
	e := payments(t)
	token := login(t, e, "ada").Token
	other := wanted()
	other.Ref.ID, other.Amount, other.Payee, other.Account, other.Text = "8", 500, "Mary", "", ""
	register(t, e, wanted())
	register(t, e, other)
	id, code := askToConfirm(t, e, token, payment, other.Ref, payment)
	m := sentTo(t, e, adaPhone)
	if want := []string{"EUR 5.00, to Mary", "EUR 12.34, to Charles Babbage, MT84 MALT 0110, Invoice 12"}; !slices.Equal(m.Approve, want) {
		t.Errorf("the message shows %q, want %q", m.Approve, want)
	}
	c := challengeOf(t, e, id)
	links := []auth.LinkRef{other.Ref, payment}
	if !slices.Equal(c.Links, links) {
		t.Errorf("got resources %v, want %v: by number, each once", c.Links, links)
	}
	if m.Template != auth.TemplateConfirm || m.Digest != evidenceDigest(c)[:8] || m.Link != "" {
		t.Errorf("got %s with digest %q and link %q", m.Template, m.Digest, m.Link)
	}
	e.Clock.Advance(time.Second)
	wantCode(t, confirmWith(t, e, token, id, code), none)
	for _, ref := range links {
		state, err := e.Link(t.Context(), e.Key(), ref)
		want := auth.Evidence{
			Challenge: id, Digest: evidenceDigest(c), Links: links, Channel: auth.ChannelSMS, At: e.Clock.Now(), User: authtest.Ada,
		}
		if err != nil || state.Status != auth.LinkConfirmed || !cmp.Equal(state.Evidence, want) {
			t.Errorf("%v: got %s, %v: %s", ref, state.Status, err, cmp.Diff(want, state.Evidence))
		}
	}
	told := confirmNews(t, e)
	last := told[len(told)-1]
	if last.Kind != auth.NewsConfirmed || last.Status != auth.StatusVerified || last.Challenge != id || last.Digest != evidenceDigest(c) ||
		!slices.Equal(last.Links, links) || last.Identity != adasSelf || last.Credential != auth.Root {
		t.Errorf("the webhook is told %+v", last)
	}
	wantCode(t, confirmWith(t, e, token, id, code), auth.CodeNoChallenge)
	_, err := e.RegisterLink(t.Context(), e.Key(), wanted())
	wantCode(t, err, auth.CodeNotPending)
	want := []string{"link_registered", "link_registered", "challenged", "challenge_approved", "challenge_refused no_challenge"}
	if got := events(t, e)[2:]; !slices.Equal(got, want) {
		t.Errorf("got events %q, want %q", got, want)
	}
}

func evidenceDigest(c auth.Challenge) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, octet := range c.Digest {
		b.WriteByte(digits[octet>>4])
		b.WriteByte(digits[octet&15])
	}
	return b.String()
}

// TestEvidenceStays: what was confirmed can be shown after everything else of the challenge was tidied away.
func TestEvidenceStays(t *testing.T) {
	t.Parallel()
	e := payments(t)
	token := login(t, e, "ada").Token
	register(t, e, wanted())
	id, code := askToConfirm(t, e, token, payment)
	wantCode(t, confirmWith(t, e, token, id, code), none)
	e.Clock.Advance(400 * 24 * time.Hour)
	if _, err := e.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	state, err := e.Link(t.Context(), e.Key(), payment)
	if err != nil || state.Evidence.Challenge != id || state.Evidence.User != authtest.Ada {
		t.Errorf("got %+v, %v", state.Evidence, err)
	}
}

func pushToConfirm(t *testing.T, e *authtest.Env, token string, refs ...auth.LinkRef) auth.ChallengeID {
	t.Helper()
	idAsked, err := e.ConfirmDevice(t.Context(), e.Key(), token, auth.ChannelBiometric, refs)
	if err != nil {
		t.Fatal(err)
	}
	id := idAsked.ID
	return id
}

// TestSameRegistrationChangesNothing: an embedder may repeat a call whose answer was lost.
func TestSameRegistrationChangesNothing(t *testing.T) {
	t.Parallel()
	e := payments(t)
	token := login(t, e, "ada").Token
	first := register(t, e, wanted())
	id, code := askToConfirm(t, e, token, payment)
	e.Clock.Advance(time.Second)
	if again := register(t, e, wanted()); !cmp.Equal(again, first) {
		t.Errorf("the same said twice differs: %s", cmp.Diff(first, again))
	}
	wantCode(t, confirmWith(t, e, token, id, code), none)
}

// TestConfirmOnDevice: the push says nothing of the payment; the device shows what the server holds.
func TestConfirmOnDevice(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		decision auth.Decision
		link     auth.LinkStatus
		status   string
	}{
		{auth.Approve, auth.LinkConfirmed, auth.StatusVerified},
		{auth.Deny, auth.LinkFailed, auth.StatusDeclined},
		{auth.FailProof, auth.LinkFailed, auth.StatusDeclined},
		{auth.RunOut, auth.LinkPending, auth.StatusExpired},
	} {
		t.Run(string(tt.decision), func(t *testing.T) {
			t.Parallel()
			e := payments(t)
			token := login(t, e, "ada").Token
			register(t, e, wanted())
			id := pushToConfirm(t, e, token, payment)
			if m := sentTo(t, e, string(authtest.Ada)); m.Challenge != id || m.Approve != nil || m.Digest != "" || m.Code != "" {
				t.Errorf("the push holds %+v, want the challenge alone", m)
			}
			_, err := e.ConfirmDevice(t.Context(), e.Key(), token, auth.ChannelBiometric, []auth.LinkRef{payment})
			wantCode(t, err, auth.CodeChallengeFlying)
			open, err := e.PendingOnDevice(t.Context())
			if err != nil || len(open) != 1 || open[0].ID != id {
				t.Fatalf("the phone shows %v, %v", open, err)
			}
			if want := []string{"EUR 12.34, to Charles Babbage, MT84 MALT 0110, Invoice 12"}; !slices.Equal(open[0].Lines, want) {
				t.Errorf("the phone shows %q, want %q", open[0].Lines, want)
			}
			if done, err := e.AnswerOnDevice(t.Context(), authtest.Demo, authtest.Ada, id, tt.decision); !done || err != nil {
				t.Fatalf("answer: %t, %v", done, err)
			}
			state, err := e.Link(t.Context(), e.Key(), payment)
			if err != nil || state.Status != tt.link {
				t.Errorf("the resource is %s, %v, want %s", state.Status, err, tt.link)
			}
			if approved := tt.decision == auth.Approve; (state.Evidence.Channel == auth.ChannelBiometric) != approved {
				t.Errorf("got evidence %+v", state.Evidence)
			}
			told := confirmNews(t, e)
			if last := told[len(told)-1]; last.Kind != auth.NewsConfirmed || last.Status != tt.status {
				t.Errorf("the webhook is told %s %s, want %s", last.Kind, last.Status, tt.status)
			}
			if done, err := e.AnswerOnDevice(t.Context(), authtest.Demo, authtest.Ada, id, auth.Approve); done || err != nil {
				t.Errorf("answered twice: %t, %v", done, err)
			}
		})
	}
}

// TestWhatCanBeConfirmed: one resource of several that cannot be is enough.
func TestWhatCanBeConfirmed(t *testing.T) {
	t.Parallel()
	e := payments(t)
	ada := login(t, e, "ada").Token
	several := login(t, e, "charles").Token
	access := func(id string) string {
		a, err := e.AccessToken(t.Context(), e.Key(), several, auth.IdentityRef{Type: auth.Corporate, ID: id})
		if err != nil {
			t.Fatal(err)
		}
		return a.Token
	}
	root, member := access("2001"), access("2002")
	add := func(kind, id string, of auth.IdentityRef, exempt bool) auth.LinkRef {
		in := wanted()
		in.Ref, in.Identity, in.Exempt = auth.LinkRef{Type: kind, ID: id}, of, exempt
		return register(t, e, in).Ref
	}
	mine, foreign := add(auth.LinkSend, "1", adasSelf, false), add(auth.LinkSend, "2", engines, false)
	exempt := add(auth.LinkSend, "3", adasSelf, true)
	declared := add(auth.LinkDeclaration, "4", engines, false)
	declaredByMember := add(auth.LinkDeclaration, "5", auth.IdentityRef{Type: auth.Corporate, ID: "2002"}, false)
	long := make([]auth.LinkRef, 100)
	for i := range long {
		long[i] = add(auth.LinkWireTransfer, "10"+strings.Repeat("0", i/10)+string(rune('0'+i%10)), adasSelf, false)
	}
	unknown := auth.LinkRef{Type: auth.LinkSend, ID: "99"}
	for name, tt := range map[string]struct {
		token   string
		channel auth.Channel
		refs    []auth.LinkRef
		want    auth.Code
	}{
		"none":               {ada, auth.ChannelSMS, nil, auth.CodeNoChallenge},
		"unknown":            {ada, auth.ChannelSMS, []auth.LinkRef{mine, unknown}, auth.CodeNoChallenge},
		"foreign":            {ada, auth.ChannelSMS, []auth.LinkRef{mine, foreign}, auth.CodeNoChallenge},
		"exempt":             {ada, auth.ChannelSMS, []auth.LinkRef{mine, exempt}, auth.CodeExempt},
		"member declares":    {member, auth.ChannelSMS, []auth.LinkRef{declaredByMember}, auth.CodeNotPermitted},
		"unknown declared":   {member, auth.ChannelSMS, []auth.LinkRef{{Type: auth.LinkDeclaration, ID: "6"}}, auth.CodeNotPermitted},
		"root declares":      {root, auth.ChannelSMS, []auth.LinkRef{declared}, none},
		"AUTH token":         {several, auth.ChannelSMS, []auth.LinkRef{foreign}, auth.CodeWrongTokenKind},
		"no token":           {"", auth.ChannelSMS, []auth.LinkRef{mine}, auth.CodeInvalidToken},
		"channel":            {ada, auth.ChannelBiometric, []auth.LinkRef{mine}, auth.CodeChannelUnsupported},
		"no such channel":    {ada, "PIGEON", []auth.LinkRef{mine}, auth.CodeChannelUnsupported},
		"too long for a SMS": {ada, auth.ChannelSMS, long, auth.CodeChannelUnsupported},
		"device":             {ada, "", long, none},
		"unbound device":     {ada, auth.ChannelAuthy, []auth.LinkRef{mine}, auth.CodeChannelUnbound},
		"code on the device": {ada, "device", []auth.LinkRef{mine}, auth.CodeChannelUnsupported},
	} {
		start := e.Confirm
		switch tt.channel {
		case "":
			start, tt.channel = e.ConfirmDevice, auth.ChannelBiometric
		case "device":
			start, tt.channel = e.ConfirmDevice, auth.ChannelSMS
		case auth.ChannelAuthy:
			start = e.ConfirmDevice
		}
		if _, err := start(t.Context(), e.Key(), tt.token, tt.channel, tt.refs); codeOf(err) != tt.want {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
		e.Clock.Advance(time.Second)
	}
}

// TestLockedUserConfirmsNothing is B-05: a lock of the password ends what was begun.
func TestLockedUserConfirmsNothing(t *testing.T) {
	t.Parallel()
	e := payments(t)
	token := login(t, e, "ada").Token
	register(t, e, wanted())
	id, code := askToConfirm(t, e, token, payment)
	lock(t, e, "ada")
	wantCode(t, confirmWith(t, e, token, id, code), auth.CodeLocked)
	_, err := e.Confirm(t.Context(), e.Key(), token, auth.ChannelSMS, []auth.LinkRef{payment})
	wantCode(t, err, auth.CodeLocked)
	if c := challengeOf(t, e, id); c.Status != auth.ChallengeCancelled {
		t.Errorf("the challenge is %s", c.Status)
	}
}

// TestConfirmOfOne is the older form of contract/multi §2.9.
func TestConfirmOfOne(t *testing.T) {
	t.Parallel()
	e := payments(t)
	token := login(t, e, "ada").Token
	register(t, e, wanted())
	other, exempt := wanted(), wanted()
	other.Ref.ID, exempt.Ref.ID, exempt.Exempt = "78", "79", true
	register(t, e, other)
	register(t, e, exempt)
	of := func(ref auth.LinkRef, code string) error {
		return e.VerifyConfirmOf(t.Context(), e.Key(), token, auth.ChannelSMS, ref, code)
	}
	wantCode(t, of(payment, "123456"), auth.CodeNoChallenge) // none was begun
	_, both := askToConfirm(t, e, token, payment, other.Ref)
	wantCode(t, of(payment, both), auth.CodeNoChallenge) // it is for two
	e.Clock.Advance(time.Second)
	_, code := askToConfirm(t, e, token, payment)
	wantCode(t, of(other.Ref, code), auth.CodeNoChallenge)
	wantCode(t, of(exempt.Ref, code), auth.CodeExempt)
	wantCode(t, of(auth.LinkRef{Type: auth.LinkSend, ID: "80"}, code), auth.CodeNoChallenge)
	wantCode(t, of(payment, otherThan(code)), auth.CodeWrongOTP)
	wantCode(t, of(payment, code), none)
	wantCode(t, of(payment, code), auth.CodeNotPending)
}
