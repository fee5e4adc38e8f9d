package store

import (
	"math/rand/v2"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// counts is how many there are of what is counted as it is made and deleted.
func (r reads) counts(verb string, t auth.TenantID) (auth.Counts, error) {
	rows, err := r.q.Counts(r.ctx, string(t))
	n, err := one(r, verb, rows, err)
	return auth.Counts{Users: int(n.Users), Organizations: int(n.Organizations)}, err
}

// raise adds to the counts of a tenant. A transaction does so at one of their rows, so that no two wait for each other.
func (w writes) raise(verb string, t auth.TenantID, by auth.Counts) error {
	if parts := w.h.store.dialect.parts; parts > 0 && w.h.part == 0 {
		w.h.part = 1 + rand.N(parts)
	}
	err := w.q.RaiseCounts(w.ctx, sqlc.RaiseCountsParams{
		TenantID: string(t), Part: w.h.part, Users: int64(by.Users), Organizations: int64(by.Organizations),
	})
	return w.h.fail(w.ctx, verb, err)
}

// Miscounted implements auth.Reads.
func (r reads) Miscounted() (map[auth.TenantID]auth.Counts, error) {
	rows, err := r.q.Miscounted(r.ctx)
	missing := make(map[auth.TenantID]auth.Counts, len(rows))
	for _, row := range rows {
		missing[auth.TenantID(row.ID)] = auth.Counts{Users: int(row.Users), Organizations: int(row.Organizations)}
	}
	return missing, r.h.fail(r.ctx, "count", err)
}

// CorrectCounts implements auth.Writes.
func (w writes) CorrectCounts(t auth.TenantID, by auth.Counts) error {
	return w.raise("correct counts", t, by)
}
