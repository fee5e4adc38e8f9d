package store

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

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
		ID:       auth.EventID(row.ID),
		Tenant:   auth.TenantID(row.TenantID),
		At:       moment(row.At),
		Kind:     auth.EventKind(row.Kind),
		User:     auth.UserID(row.UserID),
		Session:  auth.SessionID(row.SessionID),
		Identity: auth.IdentityRef{Type: auth.IdentityType(row.IdentityType), ID: row.IdentityID},
		Client:   auth.ClientID(row.ClientID),
		Actor:    row.Actor,
		Address:  row.Address,
		Request:  row.Request,
		Reason:   row.Reason,
		Note:     row.Note,
	}, nil
}

// The one statement that sqlc cannot compile, since the number of its rows varies.
const (
	addEvents = `-- name: AddEvents :execrows
INSERT INTO events (tenant_id, id, at, kind, user_id, session_id, identity_type, identity_id, client_id, actor, address, request,
    reason, note)
VALUES `
	eventColumns = 14
	eventRows    = 1000 // of one statement; SQLite takes 32,766 parameters
)

// AddEvents implements auth.Writes.
func (w writes) AddEvents(events ...auth.Event) error {
	const verb = "add events"
	for some := range slices.Chunk(events, eventRows) {
		result, err := w.h.ExecContext(w.ctx, addEventsQuery(len(some)), eventArgs(some)...)
		if err != nil {
			return w.h.fail(w.ctx, verb, err)
		}
		n, err := result.RowsAffected()
		if err != nil {
			return w.h.fail(w.ctx, verb, err)
		}
		if n < int64(len(some)) {
			err := fmt.Errorf("%s: %w", verb, auth.ErrExists)
			w.h.doom(err) // the others are in
			return err
		}
	}
	return nil
}

func addEventsQuery(rows int) string {
	b := strings.Builder{}
	b.WriteString(addEvents)
	for i := range rows * eventColumns {
		switch {
		case i == 0:
			b.WriteString("($")
		case i%eventColumns == 0:
			b.WriteString("), ($")
		default:
			b.WriteString(", $")
		}
		b.WriteString(strconv.Itoa(i + 1))
	}
	b.WriteString(") ON CONFLICT DO NOTHING")
	return b.String()
}

func eventArgs(events []auth.Event) []any {
	args := make([]any, 0, len(events)*eventColumns)
	for _, e := range events {
		args = append(args, string(e.Tenant), string(e.ID), micros(e.At), string(e.Kind), string(e.User), string(e.Session),
			string(e.Identity.Type), e.Identity.ID, string(e.Client), e.Actor, e.Address, e.Request, e.Reason, e.Note)
	}
	return args
}
