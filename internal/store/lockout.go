package store

import (
	"time"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// lockPolicy is auth.LockPolicy as JSON.
type lockPolicy struct {
	Failures    int           `json:"failures"`
	For         time.Duration `json:"for"`
	ForgetAfter time.Duration `json:"forget_after"`
	Tiers       []lockTier    `json:"tiers,omitzero"`
}

type lockTier struct {
	Failures int           `json:"failures"`
	For      time.Duration `json:"for"`
}

func toLockPolicy(p auth.LockPolicy) lockPolicy {
	return lockPolicy{p.Failures, p.For, p.ForgetAfter, mapped(p.Tiers, func(t auth.LockTier) lockTier { return lockTier(t) })}
}

func (p lockPolicy) auth() auth.LockPolicy {
	tiers := mapped(p.Tiers, func(t lockTier) auth.LockTier { return auth.LockTier(t) })
	return auth.LockPolicy{Failures: p.Failures, For: p.For, ForgetAfter: p.ForgetAfter, Tiers: tiers}
}

// Attempts implements auth.Reads.
func (r reads) Attempts(t auth.TenantID, subject auth.Subject, factor auth.AttemptFactor) (auth.Attempts, error) {
	rows, err := r.q.Attempts(r.ctx, sqlc.AttemptsParams{TenantID: string(t), Subject: string(subject), Factor: string(factor)})
	if err != nil {
		return auth.Attempts{}, r.h.fail(r.ctx, "read attempts", err)
	}
	if len(rows) == 0 {
		return auth.Attempts{}, nil
	}
	return attempts(rows[0]), nil
}

func attempts(row sqlc.Attempt) auth.Attempts {
	return auth.Attempts{
		Version:     row.Version,
		Failures:    int(row.Failures),
		Pending:     int(row.Pending),
		PendingAt:   moment(row.PendingAt),
		FailedAt:    moment(row.FailedAt),
		LockedUntil: moment(row.LockedUntil),
		SucceededAt: moment(row.SucceededAt),
		ExpiresAt:   moment(row.ExpiresAt),
	}
}

// PutAttempts implements auth.Writes. A row that was swept since it was read is not made again: its version no longer holds.
func (w writes) PutAttempts(t auth.TenantID, subject auth.Subject, factor auth.AttemptFactor, a auth.Attempts, from int64) (bool, error) {
	p := sqlc.SwapAttemptsParams{
		TenantID:    string(t),
		Subject:     string(subject),
		Factor:      string(factor),
		Version:     a.Version,
		Failures:    int64(a.Failures),
		Pending:     int64(a.Pending),
		PendingAt:   micros(a.PendingAt),
		FailedAt:    micros(a.FailedAt),
		LockedUntil: micros(a.LockedUntil),
		SucceededAt: micros(a.SucceededAt),
		ExpiresAt:   micros(a.ExpiresAt),
		FromVersion: from,
	}
	var n int64
	var err error
	if from == 0 {
		n, err = w.q.AddAttempts(w.ctx, sqlc.AddAttemptsParams{
			TenantID:    p.TenantID,
			Subject:     p.Subject,
			Factor:      p.Factor,
			Version:     p.Version,
			Failures:    p.Failures,
			Pending:     p.Pending,
			PendingAt:   p.PendingAt,
			FailedAt:    p.FailedAt,
			LockedUntil: p.LockedUntil,
			SucceededAt: p.SucceededAt,
			ExpiresAt:   p.ExpiresAt,
		})
	} else {
		n, err = w.q.SwapAttempts(w.ctx, p)
	}
	return n > 0, w.h.fail(w.ctx, "put attempts", err)
}
