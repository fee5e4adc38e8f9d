package store

import (
	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// Events implements auth.Reads.
func (r reads) Events(t auth.TenantID, after auth.EventID, n int) ([]auth.Event, error) {
	rows, err := r.q.Events(r.ctx, sqlc.EventsParams{TenantID: string(t), After: string(after), N: limit(n)})
	return list(r, "list events", rows, err, event)
}

func event(row sqlc.Event) (auth.Event, error) {
	return auth.Event{
		ID:        auth.EventID(row.ID),
		Tenant:    auth.TenantID(row.TenantID),
		At:        moment(row.At),
		Kind:      auth.EventKind(row.Kind),
		User:      auth.UserID(row.UserID),
		Session:   auth.SessionID(row.SessionID),
		Identity:  auth.IdentityRef{Type: auth.IdentityType(row.IdentityType), ID: row.IdentityID},
		Client:    auth.ClientID(row.ClientID),
		Actor:     row.Actor,
		Address:   row.Address,
		Request:   row.Request,
		Reason:    row.Reason,
		Challenge: auth.ChallengeID(row.ChallengeID),
		Note:      row.Note,
	}, nil
}

// AddEvents implements auth.Writes.
func (w writes) AddEvents(events ...auth.Event) error {
	if n := len(events); n > 0 {
		w.h.mark = mark{string(events[n-1].Tenant), string(events[n-1].ID)}
	}
	into := insert{columns: 15, text: `-- name: AddEvents :execrows
INSERT INTO events (tenant_id, id, at, kind, user_id, session_id, identity_type, identity_id, client_id, actor, address, request,
    reason, note, challenge_id)
VALUES`}
	return addAll(w, "add events", into, events, func(e auth.Event) []any {
		return []any{
			string(e.Tenant), string(e.ID), micros(e.At), string(e.Kind), string(e.User), string(e.Session),
			string(e.Identity.Type), e.Identity.ID, string(e.Client), e.Actor, e.Address, e.Request, e.Reason, e.Note,
			string(e.Challenge),
		}
	})
}
