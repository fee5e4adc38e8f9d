package store

import (
	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// Link implements auth.Reads.
func (r reads) Link(t auth.TenantID, ref auth.LinkRef) (auth.DynamicLink, error) {
	rows, err := r.q.Link(r.ctx, sqlc.LinkParams{TenantID: string(t), Type: ref.Type, ID: ref.ID})
	row, err := one(r, "read link", rows, err)
	if err != nil {
		return auth.DynamicLink{}, err
	}
	return auth.DynamicLink{
		Tenant:    auth.TenantID(row.TenantID),
		Ref:       auth.LinkRef{Type: row.Type, ID: row.ID},
		Version:   row.Version,
		Identity:  auth.IdentityRef{Type: auth.IdentityType(row.IdentityType), ID: row.IdentityID},
		Status:    auth.LinkStatus(row.Status),
		Currency:  row.Currency,
		Amount:    row.Amount,
		Payee:     row.Payee,
		Account:   row.Account,
		Text:      row.Text,
		CreatedAt: moment(row.CreatedAt),
		UpdatedAt: moment(row.UpdatedAt),
		Challenge: auth.ChallengeID(row.ChallengeID),
	}, nil
}

// PutLink implements auth.Writes.
func (w writes) PutLink(l auth.DynamicLink, from int64) (bool, error) {
	p := sqlc.SwapLinkParams{
		TenantID:     string(l.Tenant),
		Type:         l.Ref.Type,
		ID:           l.Ref.ID,
		Version:      l.Version,
		IdentityType: string(l.Identity.Type),
		IdentityID:   l.Identity.ID,
		Status:       string(l.Status),
		Currency:     l.Currency,
		Amount:       l.Amount,
		Payee:        l.Payee,
		Account:      l.Account,
		Text:         l.Text,
		CreatedAt:    micros(l.CreatedAt),
		UpdatedAt:    micros(l.UpdatedAt),
		ChallengeID:  string(l.Challenge),
		FromVersion:  from,
	}
	var n int64
	var err error
	if from == 0 {
		n, err = w.q.AddLink(w.ctx, sqlc.AddLinkParams{
			TenantID:     p.TenantID,
			Type:         p.Type,
			ID:           p.ID,
			Version:      p.Version,
			IdentityType: p.IdentityType,
			IdentityID:   p.IdentityID,
			Status:       p.Status,
			Currency:     p.Currency,
			Amount:       p.Amount,
			Payee:        p.Payee,
			Account:      p.Account,
			Text:         p.Text,
			CreatedAt:    p.CreatedAt,
			UpdatedAt:    p.UpdatedAt,
			ChallengeID:  p.ChallengeID,
		})
	} else {
		n, err = w.q.SwapLink(w.ctx, p)
	}
	return n > 0, w.h.fail(w.ctx, "put link", err)
}
