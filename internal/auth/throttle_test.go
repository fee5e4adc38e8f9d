package auth_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

func perMinute(n int) auth.Limit { return auth.Limit{Count: n, Window: time.Minute} }

var customer = netip.MustParseAddr("192.0.2.1")

func TestThrottleRefusesBeyondTheLimit(t *testing.T) {
	t.Parallel()
	hour := auth.Limit{Count: 5, Window: time.Hour}
	th := auth.NewThrottle(perMinute(3), hour)
	charge := func(at time.Time) error { return th.Charge("t", customer, at) }
	for i := range 3 {
		if err := charge(noon); err != nil {
			t.Fatalf("charge %d: %v", i+1, err)
		}
	}
	var refusal *auth.Error
	if err := charge(noon); !errors.As(err, &refusal) || refusal.Code != auth.CodeThrottled {
		t.Fatalf("got %v, want a refusal", err)
	}
	if refusal.RetryAfter != 20*time.Second {
		t.Errorf("got %v to wait, want a third of the window", refusal.RetryAfter)
	}
	if len(refusal.Limits) != 3 || refusal.Limits[0] != perMinute(3) || refusal.Limits[2] != hour {
		t.Errorf("got the limits %v, want the exceeded one and then both", refusal.Limits)
	}
	if err := charge(noon.Add(refusal.RetryAfter - 1)); err == nil {
		t.Error("let in before the time it was told")
	}
	if err := charge(noon.Add(refusal.RetryAfter)); err != nil {
		t.Errorf("refused at the time it was told: %v", err)
	}
	if err := charge(noon.Add(10 * time.Minute)); err != nil {
		t.Errorf("the fifth: %v", err)
	}
	if err := charge(noon.Add(10*time.Minute + time.Second)); !errors.As(err, &refusal) || refusal.Limits[0] != hour {
		t.Errorf("got %v, want the hour's limit exceeded", err)
	}
}

func TestThrottleRefunds(t *testing.T) {
	t.Parallel()
	th := auth.NewThrottle(perMinute(2))
	for i := range 1000 {
		if err := th.Charge("t", customer, noon); err != nil {
			t.Fatalf("charge %d after as many refunds: %v", i, err)
		}
		th.Refund("t", customer, noon)
	}
	if got := th.Len(); got != 0 {
		t.Errorf("got %d addresses remembered, want none", got)
	}
	th.Refund("t", customer, noon) // of nothing
	for range 2 {
		if err := th.Charge("t", customer, noon); err != nil {
			t.Fatal(err)
		}
	}
	if err := th.Charge("t", customer, noon); err == nil {
		t.Error("a refund of nothing gave credit")
	}
}

func TestThrottleKeepsCustomersApart(t *testing.T) {
	t.Parallel()
	th := auth.NewThrottle(perMinute(1))
	for _, tt := range []struct {
		tenant auth.TenantID
		addr   string
		ok     bool
	}{
		{"t", "192.0.2.1", true},
		{"t", "192.0.2.1", false},
		{"t", "::ffff:192.0.2.1", false}, // the same
		{"t", "192.0.2.2", true},
		{"u", "192.0.2.1", true}, // of another tenant
		{"t", "2001:db8::1", true},
		{"t", "2001:db8::ffff:1", false}, // one /64 is one customer
		{"t", "2001:db8::1%eth0", false},
		{"t", "2001:db8:0:1::1", true},
	} {
		err := th.Charge(tt.tenant, netip.MustParseAddr(tt.addr), noon)
		if (err == nil) != tt.ok {
			t.Errorf("%s %s: got %v, want let in: %t", tt.tenant, tt.addr, err, tt.ok)
		}
	}
}

func TestThrottleTellsTheLongestWait(t *testing.T) {
	t.Parallel()
	hour := auth.Limit{Count: 3, Window: time.Hour}
	th := auth.NewThrottle(perMinute(3), hour)
	for range 3 {
		if err := th.Charge("t", customer, noon); err != nil {
			t.Fatal(err)
		}
	}
	var refusal *auth.Error
	if err := th.Charge("t", customer, noon); !errors.As(err, &refusal) || refusal.RetryAfter != 20*time.Minute || refusal.Limits[0] != hour {
		t.Errorf("got %+v, want the hour's limit and its wait", refusal)
	}
}

func TestThrottleForgetsAClockThatWasSetBack(t *testing.T) {
	t.Parallel()
	th := auth.NewThrottle(perMinute(1))
	for _, tt := range []struct {
		at   time.Time
		want auth.Code
	}{
		{noon, none},
		{noon.Add(-30 * time.Second), auth.CodeThrottled}, // corrected a little
		{noon.Add(-24 * time.Hour), none},
		{noon.Add(-24 * time.Hour), auth.CodeThrottled},
	} {
		if got := codeOf(th.Charge("t", customer, tt.at)); got != tt.want {
			t.Errorf("at %v: got %v, want %v", tt.at, got, tt.want)
		}
	}
}

func TestThrottleFollowsChangedLimits(t *testing.T) {
	t.Parallel()
	th := auth.NewThrottle(perMinute(1))
	if err := th.Charge("t", customer, noon); err != nil {
		t.Fatal(err)
	}
	th.Limit(perMinute(2), auth.Limit{Count: 10, Window: time.Hour})
	th.Refund("t", customer, noon) // of what was charged under the old limits
	for i, want := range []auth.Code{none, none, auth.CodeThrottled} {
		if got := codeOf(th.Charge("t", customer, noon)); got != want {
			t.Errorf("charge %d under the new limits: got %v, want %v", i, got, want)
		}
	}
	th.Limit()
	if err := th.Charge("t", customer, noon); err != nil {
		t.Errorf("without limits: %v", err)
	}
}

func TestThrottleIsBounded(t *testing.T) {
	t.Parallel()
	th := auth.NewThrottle(perMinute(1))
	addr := netip.MustParseAddr("10.0.0.0")
	for range auth.MaxThrottled + 100 {
		if err := th.Charge("t", addr, noon); err != nil {
			t.Fatal(err)
		}
		addr = addr.Next()
	}
	if got := th.Len(); got > auth.MaxThrottled || got < auth.MaxThrottled/2 {
		t.Errorf("got %d addresses remembered, want at most %d and most of them", got, auth.MaxThrottled)
	}
	for th.Len() < auth.MaxThrottled {
		if err := th.Charge("t", addr, noon); err != nil {
			t.Fatal(err)
		}
		addr = addr.Next()
	}
	if err := th.Charge("t", addr, noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if got := th.Len(); got != 1 {
		t.Errorf("got %d addresses remembered, want the whole ones forgotten", got)
	}
}

// TestHonestUsersBehindOneAddress is B-08: many users share the address of an office, and log in one after the other.
func TestHonestUsersBehindOneAddress(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	s := e.Another(t, func(c *auth.Config) { c.Limits = []auth.Limit{perMinute(2)} })
	by := e.Key()
	by.Address = customer
	for range 20 {
		for _, name := range []string{"ada", "charles", "nobody"} {
			if _, err := s.LoginPassword(t.Context(), by, byEmail(name, authtest.Password)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
}

// TestSprayingIsThrottled is A-023: one address tries one password on many accounts.
func TestSprayingIsThrottled(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	s := e.Another(t, func(c *auth.Config) { c.Limits = []auth.Limit{perMinute(3)} })
	by := e.Key()
	by.Address = customer
	for i, name := range []string{"ada", "charles", "stranger", "nobody", "another"} {
		_, err := s.LoginPassword(t.Context(), by, byEmail(name, "Spring2026!"))
		if i < 3 && (codeOf(err) != auth.CodeWrongPassword && codeOf(err) != auth.CodeUnknownUser) || i >= 3 && codeOf(err) != auth.CodeThrottled {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if got := attempts(t, e, authtest.Nobody); got.Version != 0 {
		t.Errorf("a throttled attempt was counted: %+v", got)
	}
	by.Address = netip.MustParseAddr("192.0.2.2")
	if _, err := s.LoginPassword(t.Context(), by, byEmail("ada", authtest.Password)); err != nil {
		t.Errorf("another address: %v", err)
	}
}

func TestRateLimitsMayBeLifted(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, authtest.Settings(func(s *auth.Settings) { s.RateLimits = false }))
	s := e.Another(t, func(c *auth.Config) { c.Limits = []auth.Limit{perMinute(1)} })
	by := e.Key()
	by.Address = customer
	for i := range 4 {
		_, err := s.LoginPassword(t.Context(), by, byEmail("stranger", "wrong"))
		if got := codeOf(err); got != auth.CodeUnknownUser {
			t.Errorf("try %d: got %v", i, got)
		}
	}
}

func TestClientSecretsAreThrottledByAddress(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	s := e.Another(t, func(c *auth.Config) { c.Limits = []auth.Limit{perMinute(2)} })
	try := func(secret string, addr netip.Addr) auth.Code {
		_, err := s.AuthenticateClient(t.Context(), credentials("app", secret), auth.Via{Address: addr})
		return codeOf(err)
	}
	right := "test secret of app"
	got := []auth.Code{try("wrong", customer), try("wrong", customer), try(right, customer), try(right, customer.Next())}
	want := []auth.Code{auth.CodeUnknownClient, auth.CodeUnknownClient, auth.CodeThrottled, none}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("try %d: got %v, want %v", i, got[i], want[i])
		}
	}
}

// TestUnlimitedClientsBuyNoGuesses: a client that is not limited gives nothing back that it was not charged, and so no more guesses at the
// secrets of others from its address.
func TestUnlimitedClientsBuyNoGuesses(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, func(s *auth.Setup) { s.Tenants[1].Tenant.Settings.RateLimits = false })
	s := e.Another(t, func(c *auth.Config) { c.Limits = []auth.Limit{perMinute(2)} })
	try := func(id auth.ClientID, secret string) auth.Code {
		_, err := s.AuthenticateClient(t.Context(), credentials(id, secret), auth.Via{Address: customer})
		return codeOf(err)
	}
	for i, want := range []auth.Code{auth.CodeUnknownClient, auth.CodeUnknownClient, auth.CodeThrottled} {
		if got := try("app", "wrong"); got != want {
			t.Errorf("guess %d: got %v, want %v", i+1, got, want)
		}
		if got := try("rival-app", "test secret of rival-app"); got != none {
			t.Errorf("the client that is not limited: got %v", got)
		}
	}
}
