package store

import (
	"time"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

func party(row sqlc.Party) (auth.Party, error) {
	return auth.Party{
		Tenant:  auth.TenantID(row.TenantID),
		Session: auth.SessionID(row.SessionID),
		Browser: auth.SessionID(row.BrowserID),
		User:    auth.UserID(row.UserID),
		Client:  auth.ClientID(row.ClientID),
		EndsAt:  moment(row.EndsAt),
	}, nil
}

// Party implements auth.Reads.
func (r reads) Party(t auth.TenantID, id auth.SessionID) (auth.Party, error) {
	rows, err := r.q.Party(r.ctx, sqlc.PartyParams{TenantID: string(t), SessionID: string(id)})
	row, err := one(r, "read party", rows, err)
	if err != nil {
		return auth.Party{}, err
	}
	return party(row)
}

// AddParty implements auth.Writes.
func (w writes) AddParty(p auth.Party) error {
	n, err := w.q.AddParty(w.ctx, sqlc.AddPartyParams{
		TenantID:  string(p.Tenant),
		SessionID: string(p.Session),
		BrowserID: string(p.Browser),
		UserID:    string(p.User),
		ClientID:  string(p.Client),
		EndsAt:    micros(p.EndsAt),
	})
	return w.added("add party", n, err)
}

// MoveParties implements auth.Writes.
func (w writes) MoveParties(t auth.TenantID, id auth.UserID, from, to auth.SessionID, until time.Time) error {
	err := w.q.MoveParties(w.ctx, sqlc.MovePartiesParams{
		TenantID: string(t), UserID: string(id), BrowserID: string(from), Successor: string(to), Until: micros(until),
	})
	return w.h.fail(w.ctx, "move parties", err)
}

// TakeParties implements auth.Writes.
func (w writes) TakeParties(t auth.TenantID, id auth.UserID, browser auth.SessionID) ([]auth.Party, error) {
	rows, err := w.q.TakeParties(w.ctx, sqlc.TakePartiesParams{TenantID: string(t), UserID: string(id), BrowserID: string(browser)})
	return list(reads(w), "take parties", rows, err, party)
}
