package store

import (
	"countersign/internal/auth"
	"countersign/internal/jose"
	"countersign/internal/store/sqlc"
)

func appKey(row sqlc.AppKey) (auth.AppKey, error) {
	return auth.AppKey{
		Tenant:    auth.TenantID(row.TenantID),
		App:       auth.AppID(row.AppID),
		ID:        row.ID,
		Name:      row.Name,
		Status:    auth.KeyStatus(row.Status),
		Alg:       jose.Alg(row.Alg),
		Public:    row.Public,
		Sealed:    orNil(row.Sealed),
		CreatedAt: moment(row.CreatedAt),
		UpdatedAt: moment(row.UpdatedAt),
		ActiveAt:  moment(row.ActiveAt),
	}, nil
}

// PutAppKey implements auth.Writes.
func (w writes) PutAppKey(k auth.AppKey) error {
	return w.put("put application key", w.q.PutAppKey(w.ctx, sqlc.PutAppKeyParams{
		TenantID:  string(k.Tenant),
		ID:        k.ID,
		AppID:     string(k.App),
		Name:      k.Name,
		Status:    string(k.Status),
		Alg:       string(k.Alg),
		Public:    k.Public,
		Sealed:    blob(k.Sealed),
		CreatedAt: micros(k.CreatedAt),
		UpdatedAt: micros(k.UpdatedAt),
		ActiveAt:  micros(k.ActiveAt),
	}))
}

// DropAppKey implements auth.Writes.
func (w writes) DropAppKey(t auth.TenantID, id string) (bool, error) {
	n, err := w.q.DropAppKey(w.ctx, sqlc.DropAppKeyParams{TenantID: string(t), ID: id})
	return n > 0, w.put("drop application key", err)
}
