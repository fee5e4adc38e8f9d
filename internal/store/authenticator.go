package store

import (
	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// Authenticators implements auth.Reads.
func (r reads) Authenticators(t auth.TenantID, id auth.UserID) ([]auth.Authenticator, error) {
	rows, err := r.q.Authenticators(r.ctx, sqlc.AuthenticatorsParams{TenantID: string(t), UserID: string(id)})
	return list(r, "list authenticators", rows, err, authenticator)
}

func authenticator(row sqlc.Authenticator) (auth.Authenticator, error) {
	return auth.Authenticator{
		Tenant:    auth.TenantID(row.TenantID),
		ID:        row.ID,
		User:      auth.UserID(row.UserID),
		Kind:      auth.AuthenticatorKind(row.Kind),
		Channel:   auth.Channel(row.Channel),
		Status:    auth.AuthenticatorStatus(row.Status),
		Target:    row.Target,
		Simulated: row.Simulated,
		CreatedAt: moment(row.CreatedAt),
		BoundAt:   moment(row.BoundAt),
	}, nil
}

// AddAuthenticator implements auth.Writes.
func (w writes) AddAuthenticator(a auth.Authenticator) error {
	n, err := w.q.AddAuthenticator(w.ctx, sqlc.AddAuthenticatorParams{
		TenantID:  string(a.Tenant),
		UserID:    string(a.User),
		ID:        a.ID,
		Kind:      string(a.Kind),
		Channel:   string(a.Channel),
		Status:    string(a.Status),
		Target:    a.Target,
		Simulated: a.Simulated,
		CreatedAt: micros(a.CreatedAt),
		BoundAt:   micros(a.BoundAt),
	})
	return w.added("add authenticator", n, err)
}

// PutAuthenticator implements auth.Writes. It stays its user's.
func (w writes) PutAuthenticator(a auth.Authenticator) error {
	n, err := w.q.PutAuthenticator(w.ctx, sqlc.PutAuthenticatorParams{
		TenantID:  string(a.Tenant),
		UserID:    string(a.User),
		ID:        a.ID,
		Kind:      string(a.Kind),
		Channel:   string(a.Channel),
		Status:    string(a.Status),
		Target:    a.Target,
		Simulated: a.Simulated,
		CreatedAt: micros(a.CreatedAt),
		BoundAt:   micros(a.BoundAt),
	})
	return w.replaced("put authenticator", n, err)
}

// DropAuthenticator implements auth.Writes.
func (w writes) DropAuthenticator(t auth.TenantID, id string) (bool, error) {
	n, err := w.q.DropAuthenticator(w.ctx, sqlc.DropAuthenticatorParams{TenantID: string(t), ID: id})
	return n > 0, w.h.fail(w.ctx, "drop authenticator", err)
}
