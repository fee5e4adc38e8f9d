package store

import (
	"time"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// TOTP implements auth.Reads.
func (r reads) TOTP(t auth.TenantID, id auth.UserID) (auth.TOTP, error) {
	rows, err := r.q.TOTP(r.ctx, sqlc.TOTPParams{TenantID: string(t), UserID: string(id)})
	row, err := one(r, "read TOTP", rows, err)
	if err != nil {
		return auth.TOTP{}, err
	}
	return auth.TOTP{
		Tenant:    auth.TenantID(row.TenantID),
		User:      auth.UserID(row.UserID),
		Version:   row.Version,
		Label:     row.Label,
		Sealed:    orNil(row.Sealed),
		Step:      row.Step,
		CreatedAt: moment(row.CreatedAt),
		UsedAt:    moment(row.UsedAt),
		Algorithm: auth.TOTPAlgorithm(row.Algorithm),
		Digits:    int(row.Digits),
		Period:    time.Duration(row.Period) * time.Second,
	}, nil
}

// PutTOTP implements auth.Writes.
func (w writes) PutTOTP(a auth.TOTP, from int64) (bool, error) {
	var n int64
	var err error
	if from == 0 {
		n, err = w.q.AddTOTP(w.ctx, sqlc.AddTOTPParams{
			TenantID:  string(a.Tenant),
			UserID:    string(a.User),
			Version:   a.Version,
			Label:     a.Label,
			Sealed:    blob(a.Sealed),
			Step:      a.Step,
			CreatedAt: micros(a.CreatedAt),
			UsedAt:    micros(a.UsedAt),
			Algorithm: string(a.Algorithm),
			Digits:    int64(a.Digits),
			Period:    int64(a.Period / time.Second),
		})
	} else {
		n, err = w.q.SwapTOTP(w.ctx, sqlc.SwapTOTPParams{
			TenantID:    string(a.Tenant),
			UserID:      string(a.User),
			Version:     a.Version,
			Label:       a.Label,
			Sealed:      blob(a.Sealed),
			Step:        a.Step,
			CreatedAt:   micros(a.CreatedAt),
			UsedAt:      micros(a.UsedAt),
			Algorithm:   string(a.Algorithm),
			Digits:      int64(a.Digits),
			Period:      int64(a.Period / time.Second),
			FromVersion: from,
		})
	}
	return n > 0, w.h.fail(w.ctx, "put TOTP", err)
}

// DropTOTP implements auth.Writes.
func (w writes) DropTOTP(t auth.TenantID, id auth.UserID) (bool, error) {
	n, err := w.q.DropTOTP(w.ctx, sqlc.DropTOTPParams{TenantID: string(t), UserID: string(id)})
	return n > 0, w.h.fail(w.ctx, "drop TOTP", err)
}
