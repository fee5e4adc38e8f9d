package store

import (
	"countersign/internal/auth"
	"countersign/internal/jose"
	"countersign/internal/store/sqlc"
)

func signingKey(row sqlc.SigningKey) (auth.SigningKey, error) {
	return auth.SigningKey{
		ID:        row.ID,
		Alg:       jose.Alg(row.Alg),
		Public:    row.Public,
		Sealed:    orNil(row.Sealed),
		CreatedAt: moment(row.CreatedAt),
		ActiveAt:  moment(row.ActiveAt),
		RetireAt:  moment(row.RetireAt),
	}, nil
}

// PutSigningKey implements auth.Writes.
func (w writes) PutSigningKey(k auth.SigningKey) error {
	return w.put("put signing key", w.q.PutSigningKey(w.ctx, sqlc.PutSigningKeyParams{
		ID:        k.ID,
		Alg:       string(k.Alg),
		Public:    k.Public,
		Sealed:    blob(k.Sealed),
		CreatedAt: micros(k.CreatedAt),
		ActiveAt:  micros(k.ActiveAt),
		RetireAt:  micros(k.RetireAt),
	}))
}
