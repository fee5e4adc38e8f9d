package store

import (
	"fmt"
	"time"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// SpendAssertion implements auth.Writes.
func (w writes) SpendAssertion(t auth.TenantID, c auth.ClientID, jti [32]byte, until time.Time) (bool, error) {
	n, err := w.q.SpendAssertion(w.ctx, sqlc.SpendAssertionParams{
		TenantID: string(t), ClientID: string(c), Jti: jti[:], ExpiresAt: micros(until),
	})
	if err != nil {
		return false, w.h.fail(w.ctx, "spend assertion", err)
	}
	return n == 1, nil
}

// PushedRequest implements auth.Reads.
func (r reads) PushedRequest(hash auth.TokenHash) (auth.PushedRequest, error) {
	const verb = "read pushed request"
	rows, err := r.q.PushedRequest(r.ctx, hash[:])
	row, err := one(r, verb, rows, err)
	if err != nil {
		return auth.PushedRequest{}, err
	}
	h, err := digest[auth.TokenHash](row.Hash)
	if err != nil {
		return auth.PushedRequest{}, fmt.Errorf("%s: %w", verb, err)
	}
	return auth.PushedRequest{
		Tenant:    auth.TenantID(row.TenantID),
		Hash:      h,
		Client:    auth.ClientID(row.ClientID),
		Sealed:    orNil(row.Sealed),
		CreatedAt: moment(row.CreatedAt),
		ExpiresAt: moment(row.ExpiresAt),
		UsedAt:    moment(row.UsedAt),
	}, nil
}

// AddPushedRequest implements auth.Writes.
func (w writes) AddPushedRequest(p auth.PushedRequest) error {
	n, err := w.q.AddPushedRequest(w.ctx, sqlc.AddPushedRequestParams{
		Hash:      p.Hash[:],
		TenantID:  string(p.Tenant),
		ClientID:  string(p.Client),
		Sealed:    blob(p.Sealed),
		CreatedAt: micros(p.CreatedAt),
		ExpiresAt: micros(p.ExpiresAt),
		UsedAt:    micros(p.UsedAt),
	})
	return w.added("add pushed request", n, err)
}

// UsePushedRequest implements auth.Writes.
func (w writes) UsePushedRequest(hash auth.TokenHash, at time.Time) (bool, error) {
	n, err := w.q.UsePushedRequest(w.ctx, sqlc.UsePushedRequestParams{Hash: hash[:], At: micros(at)})
	return moved(w, "use pushed request", n, err, func() ([][]byte, error) { return w.q.HasPushedRequest(w.ctx, hash[:]) })
}
