package auth_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nyaruka/phonenumbers"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

func perHour(n int) []auth.Limit { return []auth.Limit{{Count: n, Window: time.Hour}} }

// withCrowd gives Demo so many users with numbers of Malta and Switzerland in turn, and SMS as the policy says.
func withCrowd(n int, p auth.SMSPolicy) func(*auth.Setup) {
	return func(s *auth.Setup) {
		t := &s.Tenants[0]
		t.Tenant.Settings.SMS = p
		for i := range n {
			phone := fmt.Sprintf("+3569922%04d", i)
			if i%2 == 1 {
				phone = fmt.Sprintf("+4179222%04d", i)
			}
			t.Users = append(t.Users, auth.UserSetup{ID: auth.UserID(fmt.Sprint(5000 + i)), Username: fmt.Sprint("crowd", i), Phone: phone})
		}
	}
}

// sms lists the SMS that went out, those to a number alone unless it is empty.
func sms(t *testing.T, e *authtest.Env, to string) []auth.InboxItem {
	t.Helper()
	return slices.DeleteFunc(inbox(t, e, to), func(m auth.InboxItem) bool { return m.Kind != auth.ParcelSMS })
}

// counted sums what was counted in the present windows of an hour.
func counted(t *testing.T, e *authtest.Env, scope auth.SMSScope) (n int) {
	t.Helper()
	now := e.Clock.Now()
	err := e.Store.View(t.Context(), func(r auth.Reads) error {
		all, err := r.SMSCounts(scope, now)
		for _, c := range all {
			if c.EndsAt.Sub(c.BeganAt) == time.Hour {
				n += c.Sent
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestSMSPumping is B-69 and A-058: thousands of requests over users, strangers, numbers and countries, at once on two servers, and no
// budget sends one message more than it allows, nor, while requests go on, one less.
func TestSMSPumping(t *testing.T) {
	t.Parallel()
	const users, rounds, requests, clients = 400, 9, 400, 16
	policy := auth.SMSPolicy{Number: perHour(2), Country: perHour(130), Tenant: perHour(210)}
	e := authtest.New(t, withCrowd(users, policy))
	const server = 205
	bounded := func(c *auth.Config) { c.SMSLimits = perHour(server) }
	nodes := []*auth.Service{e.Another(t, bounded), e.Another(t, bounded)}
	for range rounds {
		var all sync.WaitGroup
		for c := range clients {
			all.Go(func() {
				for i := range requests / clients {
					in := codeBy(auth.ChannelSMS, fmt.Sprint("crowd", rand.N(users*5/4)))
					if i%3 == 0 {
						in.To = fmt.Sprintf("+3569933%04d", rand.N(20))
					}
					_, err := nodes[(c+i)%2].SendLoginCode(context.Background(), e.App(), in)
					if got := codeOf(err); got != none && got != auth.CodeThrottled && got != auth.CodeTooSoon && got != auth.CodeChallengeLimit {
						t.Errorf("got %v", err)
					}
				}
			})
		}
		all.Wait()
		e.Clock.Advance(20 * time.Minute)
	}
	sent := make(map[string]map[time.Time]int)
	count := func(what string, m auth.InboxItem) {
		if sent[what] == nil {
			sent[what] = make(map[time.Time]int)
		}
		sent[what][m.At.Truncate(time.Hour)]++
	}
	for _, m := range sms(t, e, "") {
		count("server", m)
		count(m.To, m)
		count(m.To[:4], m)
	}
	for what, hours := range sent {
		allowed := 2
		switch what {
		case "server":
			allowed = server
		case "+356", "+417":
			allowed = 130
		}
		for hour, n := range hours {
			if n > allowed || what == "server" && n != allowed {
				t.Errorf("%s: %d in the hour of %v, allowed are %d", what, n, hour, allowed)
			}
		}
	}
	if len(sent["server"]) != 3 || len(sent["+417"]) != 3 {
		t.Errorf("sent in %d hours, want 3", len(sent["server"]))
	}
}

// TestSMSBudgetsTellNothing: where the budget of a number or a country is used up, a code for its user is answered like one for nobody,
// and goes nowhere; where everybody's is, both are refused alike (A-028, B-13).
func TestSMSBudgetsTellNothing(t *testing.T) {
	t.Parallel()
	ample := perHour(100)
	for name, tt := range map[string]struct {
		policy auth.SMSPolicy
		want   auth.Code
	}{
		"number":  {auth.SMSPolicy{Number: perHour(1), Country: ample, Tenant: ample}, none},
		"country": {auth.SMSPolicy{Number: ample, Country: perHour(1), Tenant: ample}, none},
		"home":    {auth.SMSPolicy{Number: ample, Country: perHour(1), Home: []string{"MT"}, Tenant: ample}, none},
		"tenant":  {auth.SMSPolicy{Number: ample, Country: ample, Tenant: perHour(1)}, auth.CodeThrottled},
	} {
		for _, reveal := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", reveal), func(t *testing.T) {
				t.Parallel()
				e := authtest.New(t, authtest.Settings(func(s *auth.Settings) { s.SMS, s.RevealAccounts = tt.policy, reveal }))
				sendCode(t, e, codeBy(auth.ChannelSMS, "ada"))
				e.Clock.Advance(time.Minute)
				want, sent := tt.want, 1
				if name == "home" {
					sent = 2
				} else if reveal {
					want = auth.CodeThrottled
				}
				_, err := e.SendLoginCode(t.Context(), e.App(), codeBy(auth.ChannelSMS, "ada"))
				wantCode(t, err, want)
				if !reveal {
					_, nobody := e.SendLoginCode(t.Context(), e.App(), codeBy(auth.ChannelSMS, "stranger"))
					if fmt.Sprintf("%#v", nobody) != fmt.Sprintf("%#v", err) && codeOf(nobody) != codeOf(err) {
						t.Errorf("nobody is answered %v, and ada %v", nobody, err)
					}
				}
				if got := len(sms(t, e, "")); got != sent {
					t.Errorf("got %d SMS, want %d", got, sent)
				}
				e.Clock.Advance(time.Hour)
				sendCode(t, e, codeBy(auth.ChannelSMS, "ada"))
				if got := len(sms(t, e, "")); got != sent+1 {
					t.Errorf("an hour later: got %d SMS, want %d", got, sent+1)
				}
			})
		}
	}
}

// TestStrangersSpendNothing: codes for nobody are held to the budgets and use none of them up but their own.
func TestStrangersSpendNothing(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, authtest.Settings(func(s *auth.Settings) { s.SMS = auth.SMSPolicy{Number: perHour(2), Tenant: perHour(3)} }))
	for i := range 9 {
		sendCode(t, e, codeBy(auth.ChannelSMS, fmt.Sprint("stranger", i)))
	}
	sendCode(t, e, codeBy(auth.ChannelSMS, "ada"))
	if tenant, number := counted(t, e, auth.SMSTenant), counted(t, e, auth.SMSNumber); tenant != 1 || number != 10 {
		t.Errorf("counted for the tenant %d, for numbers %d, want 1 and 10", tenant, number)
	}
}

// TestWithheldSMSCountsNowhere: what one budget holds back is given back to the others, and leaves its event.
func TestWithheldSMSCountsNowhere(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withFactors, authtest.Settings(func(s *auth.Settings) {
		s.SMS = auth.SMSPolicy{Number: perHour(1), Country: perHour(300), Tenant: perHour(300)}
	}))
	token := login(t, e, "ada").Token
	stepUp(t, e, token)
	for range 3 {
		e.Clock.Advance(15 * time.Second)
		err := e.StepUp(t.Context(), e.Key(), token, auth.ChannelSMS)
		wantCode(t, err, auth.CodeThrottled)
		wantRetry(t, err, e.Clock.Now().Truncate(time.Hour).Add(time.Hour).Sub(e.Clock.Now()))
	}
	for _, scope := range []auth.SMSScope{auth.SMSNumber, auth.SMSCountry, auth.SMSTenant} {
		if n := counted(t, e, scope); n != 1 {
			t.Errorf("%s: counted %d, want 1", scope, n)
		}
	}
	withheld := 0
	for _, ev := range eventsOf(t, e) {
		if ev.Kind == auth.EventSMSWithheld && ev.Reason == "number" && ev.User == authtest.Ada {
			withheld++
		}
	}
	if got := e.SMSWithheld(); withheld != 3 || got.Number != 3 {
		t.Errorf("%d events, counted %+v, want 3", withheld, got)
	}
	wantCode(t, prove(t, e, token, code), none) // the code that was sent is still good
}

// TestUnlimitedTenantsMeetTheServersBudget: rate_limits: false lifts what is the tenant's, not what is the operator's.
func TestUnlimitedTenantsMeetTheServersBudget(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, withCrowd(5, auth.SMSPolicy{Number: perHour(1), Country: perHour(1), Tenant: perHour(1)}),
		authtest.Settings(func(s *auth.Settings) { s.RateLimits = false }))
	node := e.Another(t, func(c *auth.Config) { c.SMSLimits = perHour(3) })
	for i := range 5 {
		_, err := node.SendLoginCode(t.Context(), e.App(), codeBy(auth.ChannelSMS, fmt.Sprint("crowd", i)))
		if want := map[bool]auth.Code{true: none, false: auth.CodeThrottled}[i < 3]; codeOf(err) != want {
			t.Errorf("SMS %d: got %v, want %v", i, err, want)
		}
	}
}

// TestSMSAlarm: codes that do not come back are told of once an hour, by one server, and not while they may still be on their way (B-69).
func TestSMSAlarm(t *testing.T) {
	t.Parallel()
	policy := auth.DefaultSMSPolicy()
	policy.Alarm = auth.SMSAlarm{Sends: 10, Percent: 30}
	e := authtest.New(t, withCrowd(40, policy))
	other := e.Another(t, nil)
	watch := func(want ...string) {
		t.Helper()
		var got []string
		for _, node := range []*auth.Service{other, e.Service} {
			all, err := node.WatchSMS(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range all {
				got = append(got, s.String())
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("at %v: got %q, want %q", e.Clock.Now(), got, want)
		}
	}
	for i := range 40 { // those in Switzerland do not answer
		sendCode(t, e, codeBy(auth.ChannelSMS, fmt.Sprint("crowd", i)))
		if i%2 == 0 {
			if _, err := useCode(t, e, fmt.Sprint("crowd", i), code); err != nil {
				t.Fatal(err)
			}
		}
	}
	watch()
	e.Clock.Advance(20 * time.Minute)
	watch("20 SMS to CH in an hour, 0 codes came back")
	e.Clock.Advance(10 * time.Minute)
	watch()
	e.Clock.Advance(30 * time.Minute)
	watch("20 SMS to CH in an hour, 0 codes came back")
	e.Clock.Advance(time.Hour)
	watch()
	told := 0
	for _, ev := range eventsOf(t, e) {
		if ev.Kind == auth.EventSMSSuspected && ev.Reason == "CH" {
			told++
		}
	}
	if alarms := e.SMSWithheld().Alarms + other.SMSWithheld().Alarms; told != 2 || alarms != 2 {
		t.Errorf("got %d events and counted %d, want 2", told, alarms)
	}
}

// TestCostlyNumbers: numbers that earn their holder money get no codes.
func TestCostlyNumbers(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	for _, kind := range []phonenumbers.PhoneNumberType{phonenumbers.PREMIUM_RATE, phonenumbers.SHARED_COST, phonenumbers.UAN, phonenumbers.MOBILE} {
		in := codeBy(auth.ChannelSMS, "ada")
		in.To = phonenumbers.Format(phonenumbers.GetExampleNumberForType("CH", kind), phonenumbers.E164)
		want := auth.CodePhoneInvalid
		if kind == phonenumbers.MOBILE {
			want = none
		}
		if _, err := e.SendLoginCode(t.Context(), e.App(), in); codeOf(err) != want {
			t.Errorf("%s: got %v, want %v", in.To, err, want)
		}
	}
}
