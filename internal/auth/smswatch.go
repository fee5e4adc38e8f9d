package auth

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// SMSWithheld is how many SMS this process has not sent because a budget was used up, by the budget, and how often it has seen too few
// codes come back. A transaction that is run again counts again.
type SMSWithheld struct {
	Number, Country, Tenant, Server, Alarms uint64
}

type withheld struct {
	number, country, tenant, server, alarms atomic.Uint64
}

func (h *withheld) count(scope SMSScope) {
	switch scope {
	case SMSNumber:
		h.number.Add(1)
	case SMSCountry:
		h.country.Add(1)
	case SMSTenant:
		h.tenant.Add(1)
	case SMSServer:
		h.server.Add(1)
	case smsAlarm:
		h.alarms.Add(1)
	}
}

// SMSWithheld returns the counts since the start.
func (s *Service) SMSWithheld() SMSWithheld {
	h := &s.withheld
	return SMSWithheld{h.number.Load(), h.country.Load(), h.tenant.Load(), h.server.Load(), h.alarms.Load()}
}

// SMSSuspicion is a tenant whose codes do not come back, all or those to one country.
type SMSSuspicion struct {
	Tenant  TenantID
	Country string // empty: all together
	Sent    int    // in an hour
	Proved  int
}

// String says what was seen, for people.
func (a SMSSuspicion) String() string {
	to := "anywhere"
	if a.Country != "" {
		to = a.Country
	}
	return fmt.Sprintf("%d SMS to %s in an hour, %d codes came back", a.Sent, to, a.Proved)
}

// WatchSMS finds the tenants whose codes by SMS do not come back, and tells of each once an hour, by whichever server is first, with its
// event (B-69). It looks at an hour of windows and leaves the latest out, whose codes may still be on their way; of what came back it
// counts all.
func (s *Service) WatchSMS(ctx context.Context) ([]SMSSuspicion, error) {
	now := s.now()
	until := now.Truncate(seenWindow).Add(-seenWindow)
	since := until.Add(-seenWindows * seenWindow)
	var counts []SMSCount
	err := s.store.View(ctx, func(r Reads) (err error) { counts, err = r.SMSCounts(smsSeen, since); return err })
	if err != nil {
		return nil, err
	}
	var told []SMSSuspicion
	for _, a := range s.suspicions(counts, until) {
		first := false
		err := s.store.Write(ctx, func(w Writes) error {
			c := countWindow(a.Tenant, smsAlarm, a.Country, time.Hour, now)
			c.Allowed = 1
			taken, err := w.CountSMS(c)
			if err != nil || !taken[0] {
				return err
			}
			first = true
			e := s.event(Actor{Tenant: a.Tenant}, EventSMSSuspected, now)
			e.Reason, e.Note = a.Country, a.String()
			return w.AddEvents(e)
		})
		if err != nil {
			return told, err
		}
		if first {
			s.withheld.count(smsAlarm)
			told = append(told, a)
		}
	}
	return told, nil
}

// suspicions judges the sums of windows; those that begin at until or later have only their proofs counted.
func (s *Service) suspicions(counts []SMSCount, until time.Time) []SMSSuspicion {
	var order []SMSSuspicion // by tenant, all of it first
	at := make(map[SMSSuspicion]int)
	add := func(t TenantID, country string, c SMSCount) {
		key := SMSSuspicion{Tenant: t, Country: country}
		i, known := at[key]
		if !known {
			i = len(order)
			at[key] = i
			order = append(order, key)
		}
		if c.BeganAt.Before(until) {
			order[i].Sent += c.Sent
		}
		order[i].Proved += c.Proved
	}
	for _, c := range counts {
		add(c.Tenant, "", c)
		if c.Name != "" {
			add(c.Tenant, c.Name, c)
		}
	}
	var all []SMSSuspicion
	for _, a := range order {
		if p := s.settings(a.Tenant).SMS.Alarm; p.Sends > 0 && a.Sent >= p.Sends && 100*a.Proved < p.Percent*a.Sent {
			all = append(all, a)
		}
	}
	return all
}
