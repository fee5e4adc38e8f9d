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
	e := authtest.New(t, withFactors, func(s *auth.Setup) {
		s.Tenants[0].Tenant.Settings.Push.Limit = auth.Limit{Count: 100, Window: time.Minute}
	})
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
	_, err = e.AnswerByKey(t.Context(), p.by, p.id, r.ID, auth.SignedAnswer{Token: charles.sign(t, "countersign-answer+jwt", p.claims(r, auth.Approve, ""))})
	wantCode(t, err, auth.CodeAssertionInvalid)
	foreign := auth.Actor{Tenant: authtest.Rival, Device: p.id}
	_, err = e.AnswerByKey(t.Context(), foreign, p.id, r.ID, auth.SignedAnswer{Token: p.sign(t, "countersign-answer+jwt", p.claims(r, auth.Approve, ""))})
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
	e := authtest.New(t, withFactors, func(s *auth.Setup) {
		s.Tenants[0].Tenant.Settings.Push.Limit = auth.Limit{Count: 9, Window: time.Minute}
	})
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
	wantRetry(t, err, 10*time.Minute)
	e.Clock.Advance(10 * time.Minute)
	token = login(t, e, "ada").Token
	if _, err := e.StepUpDevice(t.Context(), e.Key(), token, auth.ChannelBiometric); err != nil {
		t.Errorf("after the window: %v", err)
	}
}

// TestPushLimitSaysWhen: who waits as long as the third question in ten minutes was told to wait is asked again, and not a second before.
func TestPushLimitSaysWhen(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors)
	boundPhone(t, e)
	push := func() error {
		_, err := e.StepUpDevice(t.Context(), e.Key(), login(t, e, "ada").Token, auth.ChannelBiometric)
		return err
	}
	for range 3 {
		wantCode(t, push(), none)
		e.Clock.Advance(2 * time.Minute)
	}
	for _, left := range []time.Duration{4 * time.Minute, time.Second} {
		err := push()
		wantCode(t, err, auth.CodeChallengeLimit)
		wantRetry(t, err, left)
		e.Clock.Advance(max(left-time.Second, time.Second))
	}
	wantCode(t, push(), none)
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
		all.Go(func() { _, errs[i] = e.AnswerByKey(t.Context(), p.by, p.id, r.ID, auth.SignedAnswer{Token: answer}) })
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
