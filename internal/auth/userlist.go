package auth

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"time"
)

// UserOrder is what a list of users is sorted by, and then by id, in the same direction.
type UserOrder string

const (
	OrderByCreation UserOrder = "created_at"
	OrderByEmail    UserOrder = "email" // in any case of ASCII letters
	OrderByPhone    UserOrder = "phone_number"
	OrderByLastAuth UserOrder = "last_auth"
	OrderByID       UserOrder = "id"
	Unordered       UserOrder = "none"
)

// UserPage is a part of the list of a tenant's users.
type UserPage struct {
	Order      UserOrder // empty: OrderByCreation
	Descending bool
	Offset     int
	Limit      int        // zero: none
	Among      []UserSpan // who is in any of these; empty: all
}

// UserSearch chooses among the users of a tenant; zero fields do not.
type UserSearch struct {
	Filter string // as ParseUserFilter has it
	Prefix string // of the primary e-mail address or phone number
	Page   UserPage
	// Member returns what a JSON object has at a path, for filters on custom data: each value of a list. What is not there is none.
	Member func(object string, path []string) []FilterValue
}

// Users lists the users of the actor's tenant that a search lets through, and counts all of them (contract/cis §1.6). What the store has an
// index of narrows what is read (see UserSearch.spans); any other search reads every user of the tenant.
//
// Error: CodeSearchInvalid.
func (s *Service) Users(ctx context.Context, by Actor, in UserSearch) ([]Account, int, error) {
	var f UserFilter
	if in.Filter != "" {
		var err error
		if f, err = ParseUserFilter(in.Filter); err != nil {
			return nil, 0, err
		}
	}
	var found []Account
	var count int
	err := s.readCurrent(ctx, by, func(r Reads) (err error) {
		found, count, err = in.find(r, by.Tenant, f)
		return err
	})
	return found, count, err
}

func (in UserSearch) find(r Reads, t TenantID, f UserFilter) ([]Account, int, error) {
	page := in.Page
	spans, exact := in.spans(f)
	if page.Among = spans; !exact {
		return in.judge(r, t, f, spans)
	}
	count, err := r.CountUsers(t, spans)
	if err != nil || page.Offset >= count || page.Limit == 0 {
		return nil, count, err
	}
	var found []Account
	err = r.Users(t, page, func(a Account) error { found = append(found, a); return nil })
	return found, count, err
}

// judge finds by looking at each user in the spans. It holds no more than twice as many as the page reaches.
func (in UserSearch) judge(r Reads, t TenantID, f UserFilter, spans []UserSpan) ([]Account, int, error) {
	var found []Account
	count, most := 0, in.Page.Offset+in.Page.Limit
	keep := func() {
		slices.SortFunc(found, in.Page.compare)
		found = found[:min(most, len(found))]
	}
	all := UserPage{Order: Unordered, Limit: math.MaxInt32, Among: spans}
	err := r.Users(t, all, func(a Account) error {
		if !strings.HasPrefix(lowerASCII(a.User.Email), lowerASCII(in.Prefix)) && !strings.HasPrefix(a.User.Phone, in.Prefix) ||
			!f.match(a, in.Member) {
			return nil
		}
		if count++; in.Page.Limit > 0 {
			found = append(found, a)
		}
		if len(found)/2 > most {
			keep()
		}
		return nil
	})
	keep()
	return found[min(in.Page.Offset, len(found)):], count, err
}

// compare is the order of a list, which is the store's.
func (p UserPage) compare(a, b Account) int {
	c := 0
	switch p.Order {
	case OrderByEmail:
		c = strings.Compare(lowerASCII(a.User.Email), lowerASCII(b.User.Email))
	case OrderByPhone:
		c = strings.Compare(a.User.Phone, b.User.Phone)
	case OrderByLastAuth:
		c = a.Attempts.SucceededAt.Compare(b.Attempts.SucceededAt)
	case OrderByCreation, "":
		c = a.User.CreatedAt.Compare(b.User.CreatedAt)
	}
	c = cmp.Or(c, strings.Compare(string(a.User.ID), string(b.User.ID)))
	if p.Descending {
		return -c
	}
	return c
}

// DeleteUser deletes a user of the actor's tenant and all that is theirs; every session and token of theirs ends at once, and their id
// is nobody's again. Events stay, and so does the evidence of what they confirmed. It needs a client that administers the tenant.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeUserNotFound.
func (s *Service) DeleteUser(ctx context.Context, by Actor, id UserID) error {
	client, err := s.clientOf(by)
	if err != nil {
		return err
	}
	if client.Kind != ClientManagement {
		return refuse(CodeClientRefused)
	}
	now := s.now()
	_, err = decide(ctx, s, by, func(tx Tx) (Account, *Error, error) {
		a, err := tx.AccountByUser(by.Tenant, id)
		switch {
		case errors.Is(err, ErrNotFound):
			return a, refuse(CodeUserNotFound), nil
		case err != nil:
			return a, nil, err
		}
		if _, err := tx.CancelChallenges(by.Tenant, a.Subject, "", now); err != nil {
			return a, nil, err
		}
		if err := s.announceEnd(tx, a.User, now); err != nil {
			return a, nil, err
		}
		if _, err := s.endBrowsers(tx, by.Tenant, id, now, EventUserDeleted); err != nil {
			return a, nil, err
		}
		if err := tx.DeleteUser(by.Tenant, id, now); err != nil {
			return a, nil, err
		}
		e := s.event(by, EventUserDeleted, now)
		e.User = id
		return a, nil, tx.AddEvents(e)
	})
	s.nudge()
	return err
}

// announceEnd tells the tenant's webhook that a user may not log in any more (contract/multi §4.2).
func (s *Service) announceEnd(w Writes, u User, now time.Time) error {
	return s.announce(w, u.Tenant, News{
		Kind: NewsUserDeactivated, At: now, User: u.ID, DoneBy: "ADMIN", Email: u.Email, Reason: "UNDEFINED_REASON",
	})
}
