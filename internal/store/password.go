package store

import (
	"time"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// passwordPolicy is auth.PasswordPolicy as JSON.
type passwordPolicy struct {
	MinLength    int           `json:"min_length"`
	MaxLength    int           `json:"max_length"`
	Level        int           `json:"level"`
	FourClasses  bool          `json:"four_classes"`
	History      int           `json:"history"`
	BlockList    bool          `json:"block_list"`
	ExpiresAfter time.Duration `json:"expires_after"`
	TemporaryFor time.Duration `json:"temporary_for"`
}

func password(row sqlc.Password) auth.Password {
	return auth.Password{
		Tenant:    auth.TenantID(row.TenantID),
		User:      auth.UserID(row.UserID),
		Version:   row.Version,
		Hash:      row.Hash,
		Shape:     row.Shape,
		SetAt:     moment(row.SetAt),
		ExpiresAt: moment(row.ExpiresAt),
		Expired:   row.Expired,
		Temporary: row.Temporary,
	}
}

// PasswordHistory implements auth.Reads.
func (r reads) PasswordHistory(t auth.TenantID, id auth.UserID, n int) ([]string, error) {
	rows, err := r.q.PasswordHistory(r.ctx, sqlc.PasswordHistoryParams{TenantID: string(t), UserID: string(id), N: limit(n)})
	return rows, r.h.fail(r.ctx, "read password history", err)
}

// shapes returns the distinct shapes in use by tenant.
func (r reads) shapes(verb string) (map[auth.TenantID][]string, error) {
	rows, err := r.q.Shapes(r.ctx)
	if err != nil {
		return nil, r.h.fail(r.ctx, verb, err)
	}
	m := make(map[auth.TenantID][]string)
	for _, row := range rows {
		t := auth.TenantID(row.TenantID)
		m[t] = append(m[t], row.Shape)
	}
	return m, nil
}

// AddPassword implements auth.Writes.
func (w writes) AddPassword(p auth.Password) error {
	const verb = "add password"
	if err := w.countShape(verb, p.Tenant, p.Shape); err != nil {
		return err
	}
	n, err := w.q.AddPassword(w.ctx, sqlc.AddPasswordParams{
		TenantID:  string(p.Tenant),
		UserID:    string(p.User),
		Version:   p.Version,
		Hash:      p.Hash,
		Shape:     p.Shape,
		SetAt:     micros(p.SetAt),
		ExpiresAt: micros(p.ExpiresAt),
		Expired:   p.Expired,
		Temporary: p.Temporary,
	})
	return w.added(verb, n, err)
}

// formerKept is how many former hashes of a user are kept: as many as a policy can bar.
const formerKept = 20

// SwapPassword implements auth.Writes.
func (w writes) SwapPassword(p auth.Password, from int64, keep, endSessions bool) (bool, error) {
	const verb = "swap password"
	rows, err := w.q.Password(w.ctx, sqlc.PasswordParams{TenantID: string(p.Tenant), UserID: string(p.User)})
	old, err := one(reads(w), verb, rows, err)
	if err != nil || old.Version != from {
		return false, err
	}
	if p.Shape != old.Shape {
		if err := w.countShape(verb, p.Tenant, p.Shape); err != nil {
			return false, err
		}
	}
	n, err := w.q.SwapPassword(w.ctx, sqlc.SwapPasswordParams{
		TenantID:    string(p.Tenant),
		UserID:      string(p.User),
		Version:     p.Version,
		Hash:        p.Hash,
		Shape:       p.Shape,
		SetAt:       micros(p.SetAt),
		ExpiresAt:   micros(p.ExpiresAt),
		Expired:     p.Expired,
		Temporary:   p.Temporary,
		FromVersion: from,
	})
	if err != nil || n == 0 {
		return false, w.h.fail(w.ctx, verb, err)
	}
	// The row was still at the version that was read, so old is what was replaced.
	if p.Shape != old.Shape {
		if err := w.countShape(verb, p.Tenant, old.Shape); err != nil {
			return false, err
		}
	}
	if keep {
		n, err := w.q.KeepPassword(w.ctx, sqlc.KeepPasswordParams{
			TenantID:   string(p.Tenant),
			UserID:     string(p.User),
			Version:    old.Version,
			Hash:       old.Hash,
			ReplacedAt: micros(p.SetAt),
		})
		if err := w.added("keep password", n, err); err != nil {
			w.h.doom(err)
			return false, err
		}
		err = w.q.DropOldPasswords(w.ctx, sqlc.DropOldPasswordsParams{TenantID: string(p.Tenant), UserID: string(p.User), Keep: formerKept})
		if err != nil {
			return false, w.h.fail(w.ctx, verb, err)
		}
	}
	if endSessions {
		if _, err := w.q.RaiseEpoch(w.ctx, sqlc.RaiseEpochParams{TenantID: string(p.Tenant), ID: string(p.User)}); err != nil {
			return false, w.h.fail(w.ctx, verb, err)
		}
	}
	return true, nil
}

// countShape raises the revision of the directory when no password of the tenant has the shape: before the first one gets it, and
// after the last one lost it.
func (w writes) countShape(verb string, t auth.TenantID, shape string) error {
	err := w.q.RaiseRevisionForShape(w.ctx, sqlc.RaiseRevisionForShapeParams{TenantID: string(t), Shape: shape})
	return w.h.fail(w.ctx, verb, err)
}
