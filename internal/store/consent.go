package store

import (
	"fmt"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

func consent(row sqlc.Consent) (auth.Consent, error) {
	c := auth.Consent{
		Tenant:    auth.TenantID(row.TenantID),
		User:      auth.UserID(row.UserID),
		Client:    auth.ClientID(row.ClientID),
		GivenAt:   moment(row.GivenAt),
		UpdatedAt: moment(row.UpdatedAt),
	}
	err := decode(row.Scopes, &c.Scopes)
	return c, err
}

// Consents implements auth.Reads.
func (r reads) Consents(t auth.TenantID, id auth.UserID) ([]auth.Consent, error) {
	rows, err := r.q.Consents(r.ctx, sqlc.ConsentsParams{TenantID: string(t), UserID: string(id)})
	return list(r, "read consents", rows, err, consent)
}

// PutConsent implements auth.Writes.
func (w writes) PutConsent(c auth.Consent) error {
	scopes, err := encode(c.Scopes)
	if err != nil {
		return fmt.Errorf("put consent: %w", err)
	}
	err = w.q.PutConsent(w.ctx, sqlc.PutConsentParams{
		TenantID: string(c.Tenant), UserID: string(c.User), ClientID: string(c.Client), Scopes: scopes, GivenAt: micros(c.GivenAt),
		UpdatedAt: micros(c.UpdatedAt),
	})
	return w.h.fail(w.ctx, "put consent", err)
}

// DropConsent implements auth.Writes.
func (w writes) DropConsent(t auth.TenantID, id auth.UserID, client auth.ClientID) (bool, error) {
	n, err := w.q.DropConsent(w.ctx, sqlc.DropConsentParams{TenantID: string(t), UserID: string(id), ClientID: string(client)})
	return n > 0, w.h.fail(w.ctx, "drop consent", err)
}
