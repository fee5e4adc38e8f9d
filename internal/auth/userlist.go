package auth

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"
)

// UserOrder is what a list of users is sorted by, and then by id.
type UserOrder string

const (
	OrderByCreation UserOrder = "created_at"
	OrderByEmail    UserOrder = "email"
	OrderByPhone    UserOrder = "phone_number"
	OrderByLastAuth UserOrder = "last_auth"
)

// UserPage is a part of the list of a tenant's users.
type UserPage struct {
	Order      UserOrder // empty: OrderByCreation
	Descending bool
	Offset     int
	Limit      int // zero: none
}

// UserSearch chooses among the users of a tenant; zero fields do not.
type UserSearch struct {
	Filter string // as ParseUserFilter has it
	Prefix string // of the primary e-mail address or phone number
	Page   UserPage
	// Member returns what a JSON object has at a path, for filters on custom data: each value of a list. What is not there is none.
	Member func(object string, path []string) []FilterValue
}

// Users lists the users of the actor's tenant that a search lets through, and counts all of them (contract/cis §1.6). A search reads every
// user of the tenant; only one for an e-mail address alone does not.
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
	var revision int64
	err := s.store.View(ctx, func(r Reads) (err error) {
		if revision, err = r.Revision(); err != nil {
			return err
		}
		found, count, err = s.search(r, by, in, f)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return found, count, s.current(ctx, by, revision)
}

func (s *Service) search(r Reads, by Actor, in UserSearch, f UserFilter) ([]Account, int, error) {
	var found []Account
	keep := func(a Account) error { found = append(found, a); return nil }
	if f.op == "" && in.Prefix == "" {
		count, err := r.Users(by.Tenant, in.Page, keep)
		return found, count, err
	}
	count := 0
	judge := func(a Account) error {
		if !strings.HasPrefix(lowerASCII(a.User.Email), lowerASCII(in.Prefix)) && !strings.HasPrefix(a.User.Phone, in.Prefix) ||
			!f.match(a, in.Member) {
			return nil
		}
		if count++; count > in.Page.Offset && len(found) < in.Page.Limit {
			found = append(found, a)
		}
		return nil
	}
	if email, ok := f.forEmail(); ok {
		a, err := r.AccountByIdentifier(by.Tenant, ByEmail, email, "")
		if err == nil && a.Found {
			err = judge(a)
		}
		return found, count, err
	}
	all := in.Page
	all.Offset, all.Limit = 0, math.MaxInt32
	_, err := r.Users(by.Tenant, all, judge)
	return found, count, err
}

// forEmail returns the address that a filter asks for, if it asks for one that only one user can have.
func (f UserFilter) forEmail() (string, bool) {
	if f.op == "and" {
		for _, side := range f.sides {
			if email, ok := side.forEmail(); ok {
				return email, true
			}
		}
	}
	if f.op != "eq" || f.field[0] != "email" || f.want.Kind != FilterText {
		return "", false
	}
	email, err := Canonical(ByEmail, f.want.Text)
	return email, err == nil
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
