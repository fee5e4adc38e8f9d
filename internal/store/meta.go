package store

import "countersign/internal/store/sqlc"

// Meta implements auth.Reads.
func (r reads) Meta(key string) (string, error) {
	rows, err := r.q.Meta(r.ctx, key)
	return one(r, "read meta", rows, err)
}

// SetMeta implements auth.Writes.
func (w writes) SetMeta(key, value string) error {
	return w.h.fail(w.ctx, "set meta", w.q.SetMeta(w.ctx, sqlc.SetMetaParams{Name: key, Value: value}))
}

// RaiseMeta implements auth.Writes.
func (w writes) RaiseMeta(key, digits string) error {
	return w.h.fail(w.ctx, "raise meta", w.q.RaiseMeta(w.ctx, sqlc.RaiseMetaParams{Name: key, Value: digits}))
}

// AddMeta implements auth.Writes.
func (w writes) AddMeta(key, value string) (bool, error) {
	n, err := w.q.AddMeta(w.ctx, sqlc.AddMetaParams{Name: key, Value: value})
	return n > 0, w.h.fail(w.ctx, "add meta", err)
}
