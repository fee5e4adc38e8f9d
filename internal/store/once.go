package store

import (
	"fmt"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// Answer implements auth.Reads.
func (r reads) Answer(k auth.OnceKey) (auth.Answer, error) {
	const verb = "read answer"
	rows, err := r.q.Answer(r.ctx, sqlc.AnswerParams{TenantID: string(k.Tenant), KeyID: k.Key, Operation: k.Operation, Ref: k.Ref})
	row, err := one(r, verb, rows, err)
	if err != nil {
		return auth.Answer{}, err
	}
	h, err := digest[[32]byte](row.Digest)
	if err != nil {
		return auth.Answer{}, fmt.Errorf("%s: %w", verb, err)
	}
	return auth.Answer{
		OnceKey:   auth.OnceKey{Tenant: auth.TenantID(row.TenantID), Key: row.KeyID, Operation: row.Operation, Ref: row.Ref},
		Digest:    h,
		Status:    int(row.Status),
		Sealed:    orNil(row.Sealed),
		CreatedAt: moment(row.CreatedAt),
		ExpiresAt: moment(row.ExpiresAt),
	}, nil
}

// AddAnswer implements auth.Writes. An answer that had expired when this one was given is replaced.
func (w writes) AddAnswer(a auth.Answer) error {
	n, err := w.q.AddAnswer(w.ctx, sqlc.AddAnswerParams{
		TenantID:  string(a.Tenant),
		KeyID:     a.Key,
		Operation: a.Operation,
		Ref:       a.Ref,
		Digest:    a.Digest[:],
		Status:    int64(a.Status),
		Sealed:    blob(a.Sealed),
		CreatedAt: micros(a.CreatedAt),
		ExpiresAt: micros(a.ExpiresAt),
	})
	return w.added("add answer", n, err)
}
