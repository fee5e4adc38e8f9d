package auth

import (
	"encoding/hex"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"
)

// SMSPolicy bounds what a tenant spends on SMS, and says when codes that nobody gives back look like money that somebody earns (B-69).
type SMSPolicy struct {
	Number  []Limit  // SMS to one number
	Country []Limit  // SMS to the numbers of one country
	Home    []string // countries that Country does not bound, ISO 3166-1 alpha-2
	Tenant  []Limit  // SMS to anybody
	Alarm   SMSAlarm

	CoolOff time.Duration // after a verified number was replaced: codes to the new one step up and recover nothing; zero: none
	CoolOwn bool          // also after a change that the user made themself, stepped up
	Alone   bool          // a code by SMS alone recovers a password also of a user who has a stronger factor
}

// SMSAlarm is when too few codes come back.
type SMSAlarm struct {
	Sends   int // in an hour, below which nothing is said; 0: never
	Percent int // of them that have to come back
}

// DefaultSMSPolicy is generous to a tenant of some ten thousand users. One number gets as many as its user may be sent of everything, so
// that the two cannot be told apart.
func DefaultSMSPolicy() SMSPolicy {
	return SMSPolicy{
		Number:  []Limit{{Count: 20, Window: time.Hour}, {Count: 60, Window: 24 * time.Hour}},
		Country: []Limit{{Count: 1000, Window: time.Hour}, {Count: 5000, Window: 24 * time.Hour}},
		Tenant:  []Limit{{Count: 2000, Window: time.Hour}, {Count: 10_000, Window: 24 * time.Hour}},
		Alarm:   SMSAlarm{Sends: 50, Percent: 30},
		CoolOff: 24 * time.Hour,
	}
}

// SMSScope is what SMS are counted by.
type SMSScope string

const (
	SMSNumber  SMSScope = "number"
	SMSCountry SMSScope = "country"
	SMSTenant  SMSScope = "tenant"
	SMSServer  SMSScope = "server"
	smsSeen    SMSScope = "seen"  // by country, for the alarm; bounds nothing
	smsAlarm   SMSScope = "alarm" // one in a window
)

// SMSCount is how many SMS were sent in one window, and how many of their codes came back.
//
// A window begins at a multiple of its length, so that two servers count in the same one. A count that many meet in is divided into
// shards, each with its part of what is allowed: transactions of different users would otherwise all be in each other's way.
type SMSCount struct {
	Tenant  TenantID // empty: the server's own
	Scope   SMSScope
	Name    string // SMSNumber: a keyed hash of it; SMSCountry: ISO 3166-1 alpha-2, or a calling code where a country has none; empty: unknown
	Shard   int
	BeganAt time.Time
	EndsAt  time.Time
	Sent    int
	Proved  int
	Allowed int // what Sent may reach
}

// unbounded is Allowed of what is only counted.
const unbounded = math.MaxInt

const (
	maxShards    = 16
	shardedFrom  = 100 // what one shard at least allows
	seenWindow   = 10 * time.Minute
	seenWindows  = 6 // that the alarm looks at
	smsNameBytes = 16
)

// countWindow begins the count of a window that the time lies in.
func countWindow(t TenantID, scope SMSScope, name string, window time.Duration, now time.Time) SMSCount {
	began := now.Truncate(window)
	return SMSCount{Tenant: t, Scope: scope, Name: name, BeganAt: began, EndsAt: began.Add(window), Sent: 1, Allowed: unbounded}
}

// smsBudget is a count that is bounded.
type smsBudget struct {
	SMSCount
	limit  Limit
	shards int
}

// on is the count in one shard.
func (b smsBudget) on(shard int) SMSCount {
	c := b.SMSCount
	c.Shard, c.Allowed = shard, b.limit.Count/b.shards
	if shard < b.limit.Count%b.shards {
		c.Allowed++
	}
	return c
}

// budgetsOf lists what an SMS is counted in, and none of it twice.
func budgetsOf(t TenantID, scope SMSScope, name string, limits []Limit, now time.Time) []smsBudget {
	var all []smsBudget
	for _, l := range limits {
		b := smsBudget{SMSCount: countWindow(t, scope, name, l.Window, now), limit: l, shards: 1}
		if scope != SMSNumber {
			b.shards = min(max(l.Count/shardedFrom, 1), maxShards)
		}
		if !slices.ContainsFunc(all, func(o smsBudget) bool { return o.limit.Window == l.Window }) {
			all = append(all, b)
		}
	}
	return all
}

// smsCountry is the country of a number, or its calling code where it is of none.
func smsCountry(number string) string {
	n, err := phonenumbers.Parse(number, "")
	if err != nil {
		return ""
	}
	if region := phonenumbers.GetRegionCodeForNumber(n); region != "" && region != "001" && region != "ZZ" {
		return region
	}
	return "+" + strconv.Itoa(int(n.GetCountryCode()))
}

// spent is an SMS that is to be counted before it is sent.
type spent struct {
	tenant TenantID
	to     string // number; empty: there is none
	as     string // what stands for the number where there is none
	decoy  bool   // nothing is sent: it meets the same budgets, and uses up the number's alone
}

// smsOf is what the code of a challenge costs.
func smsOf(c Challenge, m Message) spent {
	to := m.To
	if m.Kind == ParcelDecoy {
		to = ""
		if isE164(c.Target) {
			to = c.Target
		}
	}
	return spent{tenant: c.Tenant, to: to, as: string(c.Subject), decoy: m.Kind == ParcelDecoy}
}

// countSMS counts an SMS in every budget that it is part of, in the transaction that puts it into the outbox, on all nodes together. When
// one is used up it counts in none and says which. A decoy does the same work.
func (s *Service) countSMS(w Writes, sms spent, now time.Time) (*smsBudget, error) {
	name, settings := sms.as, s.settings(sms.tenant)
	country := ""
	if sms.to != "" {
		name, country = sms.to, smsCountry(sms.to)
	}
	hash := s.mac.Sum("sms number", []byte(sms.tenant), []byte(name))
	var all []smsBudget
	if p := settings.SMS; settings.RateLimits {
		all = budgetsOf(sms.tenant, SMSNumber, hex.EncodeToString(hash[:smsNameBytes]), p.Number, now)
		if !slices.Contains(p.Home, country) {
			all = append(all, budgetsOf(sms.tenant, SMSCountry, country, p.Country, now)...)
		}
		all = append(all, budgetsOf(sms.tenant, SMSTenant, "", p.Tenant, now)...)
	}
	all = append(all, budgetsOf("", SMSServer, "", s.smsLimits, now)...)
	seen := smsBudget{SMSCount: countWindow(sms.tenant, smsSeen, country, seenWindow, now), limit: Limit{Count: unbounded}, shards: maxShards}
	all = append(all, seen)
	counts := make([]SMSCount, len(all))
	for i, b := range all {
		if sms.decoy && b.Scope != SMSNumber {
			all[i].Sent = 0
		}
		counts[i] = all[i].on(rand.N(b.shards))
	}
	taken, err := w.CountSMS(counts...)
	if err != nil {
		return nil, err
	}
	return takeRest(w, all, counts, taken)
}

// takeRest looks for room in other shards where one had none. If one budget has none at all, everything is given back.
func takeRest(w Writes, all []smsBudget, counts []SMSCount, taken []bool) (*smsBudget, error) {
	var full *smsBudget
	for i, b := range all {
		for n := 1; n < b.shards && !taken[i]; n++ {
			counts[i] = b.on((counts[i].Shard + 1) % b.shards)
			again, err := w.CountSMS(counts[i])
			if err != nil {
				return nil, err
			}
			taken[i] = again[0]
		}
		if !taken[i] && full == nil {
			full = &all[i]
		}
	}
	if full == nil {
		return nil, nil
	}
	var back []SMSCount
	for i, c := range counts {
		if taken[i] && c.Sent > 0 {
			c.Sent, c.Allowed = -c.Sent, unbounded
			back = append(back, c)
		}
	}
	_, err := w.CountSMS(back...)
	return full, err
}

// countProved notes that the code of an SMS came back.
func (s *Service) countProved(w Writes, c Challenge, now time.Time) error {
	if c.Channel != ChannelSMS {
		return nil
	}
	n := countWindow(c.Tenant, smsSeen, smsCountry(strings.TrimPrefix(c.Target, elsewhere)), seenWindow, now)
	n.Sent, n.Proved, n.Shard = 0, 1, rand.N(maxShards)
	_, err := w.CountSMS(n)
	return err
}

// noteWithheld writes the event of an SMS that a budget held back.
func (s *Service) noteWithheld(w Writes, e Event, full *smsBudget) error {
	if full == nil {
		return nil
	}
	s.withheld.count(full.Scope)
	e.Reason = string(full.Scope)
	return w.AddEvents(e)
}
