package store

import (
	"cmp"
	"slices"
	"time"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

func parcel(row sqlc.Outbox) (auth.Parcel, error) {
	return auth.Parcel{
		Tenant:      auth.TenantID(row.TenantID),
		ID:          auth.ParcelID(row.ID),
		Kind:        auth.ParcelKind(row.Kind),
		Status:      auth.ParcelStatus(row.Status),
		User:        auth.UserID(row.UserID),
		Sealed:      orNil(row.Sealed),
		CreatedAt:   moment(row.CreatedAt),
		ExpiresAt:   moment(row.ExpiresAt),
		DueAt:       moment(row.DueAt),
		LeasedUntil: moment(row.LeasedUntil),
		Tries:       int(row.Tries),
		SettledAt:   moment(row.SettledAt),
		Result:      row.Result,
	}, nil
}

// CountMessages implements auth.Reads.
func (r reads) CountMessages(t auth.TenantID, id auth.UserID, since time.Time) (auth.Tally, error) {
	rows, err := r.q.CountMessages(r.ctx, sqlc.CountMessagesParams{TenantID: string(t), UserID: string(id), Since: micros(since)})
	row, err := one(r, "count messages", rows, err)
	return auth.Tally{Count: int(row.N), Oldest: moment(row.Oldest)}, err
}

// Queues implements auth.Reads.
func (r reads) Queues(now time.Time) ([]auth.Queue, error) {
	rows, err := r.q.Queues(r.ctx, micros(now))
	return list(r, "list queues", rows, err, func(row sqlc.QueuesRow) (auth.Queue, error) {
		return auth.Queue{Tenant: auth.TenantID(row.TenantID), Kind: auth.ParcelKind(row.Kind)}, nil
	})
}

// Parcels implements auth.Reads.
func (r reads) Parcels(p auth.ParcelFilter, n int) ([]auth.Parcel, error) {
	const verb = "list parcels"
	f := filter{text: "\nFROM outbox\nWHERE TRUE"}
	if p.Tenant != "" {
		f.and("tenant_id = ?", string(p.Tenant))
	}
	if p.ID != "" {
		f.and("id = ?", string(p.ID))
	}
	if p.Status != "" {
		f.and("status = ?", string(p.Status))
	}
	if len(p.Kinds) > 0 {
		f.anyOf("kind = ?", texts(p.Kinds))
	}
	query := `-- name: Parcels :many
SELECT tenant_id, id, kind, status, user_id, sealed, created_at, expires_at, due_at, leased_until, tries, settled_at, result` +
		f.text + f.number("\nORDER BY created_at DESC, id DESC LIMIT ?", limit(n))
	rows, err := read(r, verb, query, f, func(o *sqlc.Outbox) []any {
		return []any{
			&o.TenantID, &o.ID, &o.Kind, &o.Status, &o.UserID, &o.Sealed, &o.CreatedAt, &o.ExpiresAt, &o.DueAt, &o.LeasedUntil,
			&o.Tries, &o.SettledAt, &o.Result,
		}
	})
	return list(r, verb, rows, err, parcel)
}

// AddParcels implements auth.Writes.
func (w writes) AddParcels(parcels ...auth.Parcel) error {
	into := insert{columns: 13, text: `-- name: AddParcels :execrows
INSERT INTO outbox (tenant_id, id, kind, status, user_id, sealed, created_at, expires_at, due_at, leased_until, tries, settled_at,
    result)
VALUES`}
	return addAll(w, "add parcels", into, parcels, func(p auth.Parcel) []any {
		return []any{
			string(p.Tenant), string(p.ID), string(p.Kind), string(p.Status), string(p.User), blob(p.Sealed), micros(p.CreatedAt),
			micros(p.ExpiresAt), micros(p.DueAt), micros(p.LeasedUntil), int64(p.Tries), micros(p.SettledAt), p.Result,
		}
	})
}

// ClaimParcels implements auth.Writes. A parcel that has expired is claimed when it is due, like any other: it is for its carrier to give
// it up.
func (w writes) ClaimParcels(q auth.Queue, now, until time.Time, n int) ([]auth.Parcel, error) {
	rows, err := w.q.ClaimParcels(w.ctx, sqlc.ClaimParcelsParams{
		TenantID: string(q.Tenant),
		Kind:     string(q.Kind),
		Now:      micros(now),
		Until:    micros(until),
		N:        limit(n),
	})
	// A statement that changes rows returns them in no order.
	slices.SortFunc(rows, func(a, b sqlc.Outbox) int {
		return cmp.Or(cmp.Compare(a.DueAt, b.DueAt), cmp.Compare(a.CreatedAt, b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return list(reads(w), "claim parcels", rows, err, parcel)
}

// SettleParcel implements auth.Writes.
func (w writes) SettleParcel(p auth.Parcel) (bool, error) {
	n, err := w.q.SettleParcel(w.ctx, sqlc.SettleParcelParams{
		TenantID:    string(p.Tenant),
		ID:          string(p.ID),
		Status:      string(p.Status),
		Sealed:      blob(p.Sealed),
		ExpiresAt:   micros(p.ExpiresAt),
		DueAt:       micros(p.DueAt),
		LeasedUntil: micros(p.LeasedUntil),
		SettledAt:   micros(p.SettledAt),
		Result:      p.Result,
		Tries:       int64(p.Tries),
	})
	return moved(w, "settle parcel", n, err, func() ([]string, error) {
		return w.q.HasParcel(w.ctx, sqlc.HasParcelParams{TenantID: string(p.Tenant), ID: string(p.ID)})
	})
}

// RestartParcel implements auth.Writes.
func (w writes) RestartParcel(p auth.Parcel) (bool, error) {
	n, err := w.q.RestartParcel(w.ctx, sqlc.RestartParcelParams{
		TenantID: string(p.Tenant),
		ID:       string(p.ID),
		DueAt:    micros(p.DueAt),
		Result:   p.Result,
	})
	return moved(w, "restart parcel", n, err, func() ([]string, error) {
		return w.q.HasParcel(w.ctx, sqlc.HasParcelParams{TenantID: string(p.Tenant), ID: string(p.ID)})
	})
}
