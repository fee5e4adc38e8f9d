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
		Channel:   row.Channel,
		Simulated: row.Simulated,
		CreatedAt: moment(row.CreatedAt),
	}, nil
}

// AddAuthenticator implements auth.Writes.
func (w writes) AddAuthenticator(a auth.Authenticator) error {
	n, err := w.q.AddAuthenticator(w.ctx, sqlc.AddAuthenticatorParams{
		TenantID:  string(a.Tenant),
		UserID:    string(a.User),
		ID:        a.ID,
		Kind:      string(a.Kind),
		Channel:   a.Channel,
		Simulated: a.Simulated,
		CreatedAt: micros(a.CreatedAt),
	})
	return w.added("add authenticator", n, err)
}
