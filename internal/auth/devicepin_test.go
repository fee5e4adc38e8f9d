package auth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/jose"
	"countersign/internal/seal"
)

const rightPIN = "271828"

// pins has the server keep the PINs of devices.
func pins(s *auth.Settings) { s.Push.PIN = auth.PINByServer }

// pinnedPhone is Ada's device with a PIN.
func pinnedPhone(t *testing.T, e *authtest.Env) (*handset, string) {
	t.Helper()
	p := newPhone(t, e, jose.ES256)
	ticket, token := ticketOf(t, e, "ada")
	if err := p.bindWithPIN(t, ticket, rightPIN); err != nil {
		t.Fatal(err)
	}
	return p, token
}

func (p *handset) bindWithPIN(t *testing.T, ticket, pin string) error {
	t.Helper()
	now := p.env.Clock.Now()
	_, err := p.env.BindKey(t.Context(), auth.KeyBinding{Key: p.key.Public().String(), Proof: p.sign(t, "countersign-bind+jwt", jose.Claims{
		"iss": p.key.ID(), "aud": issuerOf(p.env), "iat": now, "exp": now.Add(time.Minute), "ticket": ticket, "name": "Phone", "pin": pin,
	})}, auth.Via{})
	return err
}

// typed is an approval with a PIN.
func (p *handset) typed(t *testing.T, r auth.DeviceRequest, pin string) auth.SignedAnswer {
	t.Helper()
	salt := sha256.Sum256([]byte(t.Name()))
	sum := sha256.Sum256(append(salt[:], pin...))
	claims := p.claims(r, auth.Approve, "")
	claims["uv"], claims["pin"] = "pin", base64.RawURLEncoding.EncodeToString(sum[:])
	return auth.SignedAnswer{
		Token: p.sign(t, "countersign-answer+jwt", claims),
		PIN:   auth.TypedPIN{Value: seal.NewSecret(pin), Salt: base64.RawURLEncoding.EncodeToString(salt[:])},
	}
}

func (p *handset) give(t *testing.T, s *auth.Service, id auth.ChallengeID, in auth.SignedAnswer) error {
	t.Helper()
	_, err := s.AnswerByKey(t.Context(), p.by, p.id, id, in)
	return err
}

// TestPINApproves where the tenant has us keep it; what is kept of the answer does not tell it.
func TestPINApproves(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors, authtest.Settings(pins))
	p, _ := pinnedPhone(t, e)
	r, token := begun(t, e, p)
	before := e.Hasher.Stats()
	wantCode(t, p.give(t, e.Service, r.ID, p.typed(t, r, "271829")), auth.CodePINWrong)
	if steppedUp(t, e, token) || len(p.requests(t)) != 1 {
		t.Error("a wrong PIN did something")
	}
	if err := p.give(t, e.Service, r.ID, p.typed(t, r, rightPIN)); err != nil {
		t.Fatal(err)
	}
	if after := e.Hasher.Stats(); after.Verified-before.Verified != 2 {
		t.Errorf("got %d hashes verified, want 2", after.Verified-before.Verified)
	}
	if !steppedUp(t, e, token) {
		t.Error("the token is not stepped up")
	}
	evidence, err := e.DeviceEvidence(t.Context(), authtest.Demo, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(evidence.Answer, ".")[1])
	salt := sha256.Sum256([]byte(t.Name()))
	if text := string(body); err != nil || strings.Contains(text, rightPIN) || strings.Contains(text, base64.RawURLEncoding.EncodeToString(salt[:])) {
		t.Errorf("the evidence tells the PIN or its salt: %s, %v", body, err)
	}
	if !slices.Contains(events(t, e), "answer_refused pin_wrong") {
		t.Errorf("the wrong PIN left no event: %v", events(t, e))
	}
}

// TestPINIsOneAmongItsKind: what a PIN approves under each setting, and what does not count as one.
func TestPINIsOneAmongItsKind(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		setting auth.PINCheck
		change  func(*auth.SignedAnswer)
		want    auth.Code
	}{
		"kept":                      {auth.PINByServer, func(*auth.SignedAnswer) {}, none},
		"kept, and not typed":       {auth.PINByServer, func(a *auth.SignedAnswer) { a.PIN = auth.TypedPIN{} }, auth.CodeAssertionInvalid},
		"kept, and not signed":      {auth.PINByServer, func(a *auth.SignedAnswer) { a.PIN.Value = seal.NewSecret("271829") }, auth.CodeAssertionInvalid},
		"kept, with another salt":   {auth.PINByServer, func(a *auth.SignedAnswer) { a.PIN.Salt = strings.Repeat("A", 43) }, auth.CodeAssertionInvalid},
		"kept, without a salt":      {auth.PINByServer, func(a *auth.SignedAnswer) { a.PIN.Salt = "" }, auth.CodeAssertionInvalid},
		"the device's own":          {auth.PINByDevice, func(*auth.SignedAnswer) {}, none},
		"none":                      {auth.PINNever, func(*auth.SignedAnswer) {}, auth.CodeAssertionInvalid},
		"nothing said in the setup": {"", func(*auth.SignedAnswer) {}, auth.CodeAssertionInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := authtest.New(t, withFactors, authtest.Settings(func(s *auth.Settings) { s.Push.PIN = tt.setting }))
			p := newPhone(t, e, jose.ES256)
			ticket, _ := ticketOf(t, e, "ada")
			if tt.setting != auth.PINByServer {
				wantCode(t, p.bindWithPIN(t, ticket, rightPIN), auth.CodeChannelUnsupported)
				if err := p.bind(t, ticket); err != nil {
					t.Fatal(err)
				}
			} else if err := p.bindWithPIN(t, ticket, rightPIN); err != nil {
				t.Fatal(err)
			}
			r, token := begun(t, e, p)
			answer := p.typed(t, r, rightPIN)
			tt.change(&answer)
			before := e.Hasher.Stats().Verified
			wantCode(t, p.give(t, e.Service, r.ID, answer), tt.want)
			if got := steppedUp(t, e, token); got != (tt.want == none) {
				t.Errorf("stepped up: %t", got)
			}
			if n := e.Hasher.Stats().Verified - before; n > 0 && tt.want != none {
				t.Errorf("got %d hashes for an answer that is not good", n)
			}
		})
	}
}

// TestPINOfNobody: a device without a PIN is answered as one with another, at the same cost, and its guesses are counted.
func TestPINOfNobody(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors, authtest.Settings(pins))
	p, _ := boundPhone(t, e)
	r, _ := begun(t, e, p)
	before := e.Hasher.Stats()
	for range 5 {
		wantCode(t, p.give(t, e.Service, r.ID, p.typed(t, r, rightPIN)), auth.CodePINWrong)
	}
	wantCode(t, p.give(t, e.Service, r.ID, p.typed(t, r, rightPIN)), auth.CodeLocked)
	if after := e.Hasher.Stats(); after.Decoys-before.Decoys != 5 || after.Verified != before.Verified {
		t.Errorf("got %+v, before %+v; want five decoys", after, before)
	}
}

// TestPINGuessesInParallel is A-015 for PINs: of many at once, over two services on one store, five are checked. The lock is the PIN's alone.
func TestPINGuessesInParallel(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors, authtest.Settings(pins))
	p, _ := pinnedPhone(t, e)
	r, token := begun(t, e, p)
	services := []*auth.Service{e.Service, e.Another(t, nil)}
	wrong := p.typed(t, r, "000001")
	before := e.Hasher.Stats().Verified
	errs := make([]error, 60)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			<-start
			_, errs[i] = services[i%2].AnswerByKey(t.Context(), p.by, p.id, r.ID, wrong)
		})
	}
	close(start)
	all.Wait()
	got := map[auth.Code]int{}
	for _, err := range errs {
		got[codeOf(err)]++
	}
	if got[auth.CodePINWrong] != 5 || got[auth.CodeLocked]+got[auth.CodeBusy] != 55 {
		t.Errorf("got %v, want 5 wrong and the rest locked or busy", got)
	}
	if n := e.Hasher.Stats().Verified - before; n != 5 {
		t.Errorf("got %d PINs verified, want 5", n)
	}
	err := p.give(t, e.Service, r.ID, p.typed(t, r, rightPIN))
	wantCode(t, err, auth.CodeLocked)
	wantRetry(t, err, 30*time.Minute)
	if n := count(events(t, e), "locked pin"); n != 1 {
		t.Errorf("got %d events of the lock, want 1", n)
	}
	if _, err := e.LoginPassword(t.Context(), e.Key(), byEmail("ada", authtest.Password)); err != nil {
		t.Errorf("the password while the PIN is locked: %v", err)
	}
	if _, err := p.answer(t, r.ID, p.claims(r, auth.Approve, "")); err != nil || !steppedUp(t, e, token) {
		t.Errorf("biometrics while the PIN is locked: %v", err)
	}
	e.Clock.Advance(30 * time.Minute)
	r, _ = begun(t, e, p)
	if err := p.give(t, e.Service, r.ID, p.typed(t, r, rightPIN)); err != nil {
		t.Errorf("after the lock: %v", err)
	}
}

// TestPINIsSetByTicket: later, by a ticket of the same user's, once; a lock of the former one ends.
func TestPINIsSetByTicket(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors, authtest.Settings(pins))
	p, _ := pinnedPhone(t, e)
	r, token := begun(t, e, p)
	for range 5 {
		wantCode(t, p.give(t, e.Service, r.ID, p.typed(t, r, "000001")), auth.CodePINWrong)
	}
	set := func(ticket, pin string) error {
		return e.SetDevicePIN(t.Context(), p.by, p.id, ticket, seal.NewSecret(pin))
	}
	charles, _ := ticketOf(t, e, "charles")
	wantCode(t, set(charles, "314159"), auth.CodeTicketInvalid)
	wantCode(t, set("nonsense", "314159"), auth.CodeTicketInvalid)
	e.Clock.Advance(time.Minute)
	ticket, _ := ticketOf(t, e, "ada")
	for _, weak := range []string{"", "12345", "1234567890123", "12345a", "１２３４５６", "123456", "987654", "000000", "121212", "123123", "890123"} {
		wantCode(t, set(ticket, weak), auth.CodePINInvalid)
	}
	if err := set(ticket, "314159"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, set(ticket, "314159"), auth.CodeTicketInvalid)
	wantCode(t, p.give(t, e.Service, r.ID, p.typed(t, r, rightPIN)), auth.CodePINWrong)
	if err := p.give(t, e.Service, r.ID, p.typed(t, r, "314159")); err != nil || !steppedUp(t, e, token) {
		t.Errorf("the new PIN: %v", err)
	}
	if !slices.Contains(events(t, e), "pin_set "+string(p.id)) {
		t.Errorf("there is no event: %v", events(t, e))
	}
	if err := e.Logout(t.Context(), e.Key(), token); err != nil {
		t.Fatal(err)
	}
}

// TestTicketSetsNoPIN after its session has ended, nor while its user is locked.
func TestTicketSetsNoPIN(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*testing.T, *authtest.Env, string){
		"logged out": func(t *testing.T, e *authtest.Env, token string) {
			if err := e.Logout(t.Context(), e.Key(), token); err != nil {
				t.Fatal(err)
			}
		},
		"locked": func(t *testing.T, e *authtest.Env, _ string) { lock(t, e, "ada") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := authtest.New(t, withFactors, authtest.Settings(pins))
			p, token := pinnedPhone(t, e)
			issued, err := e.IssueTicket(t.Context(), e.Key(), token)
			if err != nil {
				t.Fatal(err)
			}
			before := onlyDevice(t, e).PIN
			spoil(t, e, token)
			wantCode(t, e.SetDevicePIN(t.Context(), p.by, p.id, issued.Text, seal.NewSecret("314159")), auth.CodeTicketInvalid)
			if onlyDevice(t, e).PIN != before {
				t.Error("the PIN is another one")
			}
		})
	}
}
