package store

import (
	"time"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// sessionPolicy is auth.SessionPolicy as JSON.
type sessionPolicy struct {
	IdleLimit     time.Duration `json:"idle_limit"`
	AbsoluteLimit time.Duration `json:"absolute_limit"`
}

func session(row sqlc.Session) auth.Session {
	return auth.Session{
		Tenant:    auth.TenantID(row.TenantID),
		ID:        auth.SessionID(row.ID),
		Surface:   auth.Surface(row.Surface),
		User:      auth.UserID(row.UserID),
		Epoch:     row.Epoch,
		Client:    auth.ClientID(row.ClientID),
		Methods:   splitSet[auth.Method](row.Methods),
		Org:       auth.IdentityRef{Type: auth.IdentityType(row.OrgType), ID: row.OrgID},
		CreatedAt: moment(row.CreatedAt),
		AuthAt:    moment(row.AuthAt),
		SeenAt:    moment(row.SeenAt),
		IdleLimit: span(row.IdleLimit),
		EndsAt:    moment(row.EndsAt),
		EndedAt:   moment(row.EndedAt),
		EndedWhy:  row.EndedWhy,
	}
}

// SessionsOf implements auth.Reads.
func (r reads) SessionsOf(t auth.TenantID, id auth.UserID, surface auth.Surface, n int) ([]auth.Session, error) {
	rows, err := r.q.SessionsOf(r.ctx, sqlc.SessionsOfParams{
		TenantID: string(t), UserID: string(id), Surface: string(surface), N: int32(n),
	})
	return list(r, "list sessions", rows, err, func(row sqlc.Session) (auth.Session, error) { return session(row), nil })
}

// AddSession implements auth.Writes.
func (w writes) AddSession(s auth.Session) error {
	e := w.expect("add session", 1, auth.ErrExists)
	n, err := w.q.AddSession(w.ctx, sqlc.AddSessionParams{
		TenantID:  string(s.Tenant),
		ID:        string(s.ID),
		Surface:   string(s.Surface),
		UserID:    string(s.User),
		Epoch:     s.Epoch,
		ClientID:  string(s.Client),
		Methods:   joinSet(s.Methods),
		OrgType:   string(s.Org.Type),
		OrgID:     s.Org.ID,
		CreatedAt: micros(s.CreatedAt),
		AuthAt:    micros(s.AuthAt),
		SeenAt:    micros(s.SeenAt),
		IdleLimit: s.IdleLimit.Microseconds(),
		EndsAt:    micros(s.EndsAt),
		EndedAt:   micros(s.EndedAt),
		EndedWhy:  s.EndedWhy,
	})
	return w.met(e, n, err)
}

// JoinSession implements auth.Writes: one statement for each method, and for none as well.
func (w writes) JoinSession(t auth.TenantID, id auth.SessionID, methods []auth.Method, at time.Time) (bool, error) {
	if len(methods) == 0 {
		methods = []auth.Method{""}
	}
	for _, m := range methods {
		n, err := w.q.JoinSession(w.ctx, sqlc.JoinSessionParams{
			TenantID: string(t),
			ID:       string(id),
			Method:   string(m),
			At:       micros(at),
		})
		if ok, err := moved(w, "join session", n, err, w.hasSession(t, id)); !ok {
			return false, err
		}
	}
	return true, nil
}

// TouchSession implements auth.Writes.
func (w writes) TouchSession(t auth.TenantID, id auth.SessionID, at time.Time) (bool, error) {
	n, err := w.q.TouchSession(w.ctx, sqlc.TouchSessionParams{TenantID: string(t), ID: string(id), At: micros(at)})
	return moved(w, "touch session", n, err, w.hasSession(t, id))
}

// EndSession implements auth.Writes.
func (w writes) EndSession(t auth.TenantID, id auth.SessionID, at time.Time, why string) (bool, error) {
	n, err := w.q.EndSession(w.ctx, sqlc.EndSessionParams{TenantID: string(t), ID: string(id), At: micros(at), Why: why})
	return moved(w, "end session", n, err, w.hasSession(t, id))
}

// EndSessionsOf implements auth.Writes.
func (w writes) EndSessionsOf(
	t auth.TenantID, id auth.UserID, surface auth.Surface, client auth.ClientID, at time.Time, why string,
) ([]auth.Session, error) {
	rows, err := w.q.EndSessionsOf(w.ctx, sqlc.EndSessionsOfParams{
		TenantID: string(t), UserID: string(id), Surface: string(surface), ClientID: string(client), At: micros(at), Why: why,
	})
	return list(reads(w), "end sessions", rows, err, func(row sqlc.Session) (auth.Session, error) { return session(row), nil })
}

func (w writes) hasSession(t auth.TenantID, id auth.SessionID) func() ([]string, error) {
	return func() ([]string, error) {
		return w.q.HasSession(w.ctx, sqlc.HasSessionParams{TenantID: string(t), ID: string(id)})
	}
}
