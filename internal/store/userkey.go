package store

import (
	"time"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

func userKey(row sqlc.UserKey) (auth.UserKey, error) {
	return auth.UserKey{
		Tenant:    auth.TenantID(row.TenantID),
		User:      auth.UserID(row.UserID),
		Use:       auth.KeyUse(row.KeyUse),
		ID:        row.ID,
		Version:   row.Version,
		Type:      auth.KeyType(row.Type),
		Public:    orNil(row.Public),
		OS:        row.Os,
		Name:      row.Name,
		Custom:    row.Custom,
		PushType:  row.PushType,
		PushToken: row.PushToken,
		BlockedAt: moment(row.BlockedAt),
		CreatedAt: moment(row.CreatedAt),
		UpdatedAt: moment(row.UpdatedAt),
		UsedAt:    moment(row.UsedAt),
	}, nil
}

// UserKey implements auth.Reads.
func (r reads) UserKey(t auth.TenantID, id auth.UserID, use auth.KeyUse, key string) (auth.UserKey, error) {
	rows, err := r.q.UserKey(r.ctx, sqlc.UserKeyParams{TenantID: string(t), UserID: string(id), KeyUse: string(use), ID: key})
	row, err := one(r, "read user key", rows, err)
	if err != nil {
		return auth.UserKey{}, err
	}
	return userKey(row)
}

// UserKeys implements auth.Reads.
func (r reads) UserKeys(t auth.TenantID, id auth.UserID) ([]auth.UserKey, error) {
	rows, err := r.q.UserKeys(r.ctx, sqlc.UserKeysParams{TenantID: string(t), UserID: string(id)})
	return list(r, "list user keys", rows, err, userKey)
}

// AddUserKey implements auth.Writes.
func (w writes) AddUserKey(k auth.UserKey) error {
	n, err := w.q.AddUserKey(w.ctx, sqlc.AddUserKeyParams{
		TenantID:  string(k.Tenant),
		UserID:    string(k.User),
		KeyUse:    string(k.Use),
		ID:        k.ID,
		Version:   k.Version,
		Type:      string(k.Type),
		Public:    blob(k.Public),
		Os:        k.OS,
		Name:      k.Name,
		Custom:    k.Custom,
		PushType:  k.PushType,
		PushToken: k.PushToken,
		BlockedAt: micros(k.BlockedAt),
		CreatedAt: micros(k.CreatedAt),
		UpdatedAt: micros(k.UpdatedAt),
		UsedAt:    micros(k.UsedAt),
	})
	return w.added("add user key", n, err)
}

// PutUserKey implements auth.Writes.
func (w writes) PutUserKey(k auth.UserKey, from int64) (bool, error) {
	n, err := w.q.SwapUserKey(w.ctx, sqlc.SwapUserKeyParams{
		TenantID:    string(k.Tenant),
		UserID:      string(k.User),
		KeyUse:      string(k.Use),
		ID:          k.ID,
		Version:     k.Version,
		Name:        k.Name,
		Custom:      k.Custom,
		PushType:    k.PushType,
		PushToken:   k.PushToken,
		BlockedAt:   micros(k.BlockedAt),
		UpdatedAt:   micros(k.UpdatedAt),
		UsedAt:      micros(k.UsedAt),
		FromVersion: from,
	})
	return n > 0, w.h.fail(w.ctx, "put user key", err)
}

// DropUserKey implements auth.Writes.
func (w writes) DropUserKey(t auth.TenantID, id auth.UserID, use auth.KeyUse, key string) (bool, error) {
	const verb = "drop user key"
	n, err := w.q.DropUserKey(w.ctx, sqlc.DropUserKeyParams{TenantID: string(t), UserID: string(id), KeyUse: string(use), ID: key})
	if err != nil || n == 0 {
		return false, w.h.fail(w.ctx, verb, err)
	}
	err = w.q.DropKeyAttempts(w.ctx, sqlc.DropKeyAttemptsParams{TenantID: string(t), Subject: string(auth.KeySubject(id, use, key))})
	return true, w.h.fail(w.ctx, verb, err)
}

// dropUserKeys deletes all keys of a user with their failures.
func (w writes) dropUserKeys(tenant, user string) error {
	if err := w.q.DropUserKeysOf(w.ctx, sqlc.DropUserKeysOfParams{TenantID: tenant, UserID: user}); err != nil {
		return err
	}
	return w.q.DropKeyAttemptsOf(w.ctx, sqlc.DropKeyAttemptsOfParams{
		TenantID: tenant, First: "key:" + user + "/", After: "key:" + user + "0", // which follows the slash
	})
}

// UseChallenge implements auth.Writes.
func (w writes) UseChallenge(t auth.TenantID, digest [32]byte, until time.Time) (bool, error) {
	n, err := w.q.UseChallenge(w.ctx, sqlc.UseChallengeParams{TenantID: string(t), Digest: digest[:], ExpiresAt: micros(until)})
	return n > 0, w.h.fail(w.ctx, "use challenge", err)
}
