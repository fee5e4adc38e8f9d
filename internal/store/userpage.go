package store

import (
	"database/sql"
	"fmt"
	"time"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// Users implements auth.Reads, in two statements: a page beyond the last user still has a count.
func (r reads) Users(t auth.TenantID, p auth.UserPage, visit func(auth.Account) error) (int, error) {
	const verb = "list users"
	if err := r.h.several(); err != nil {
		return 0, err
	}
	f := filter{args: []any{string(t)}}
	counts, err := read(r, verb, "-- name: CountUsers :many\nSELECT COUNT(*) FROM users WHERE tenant_id = $1", f,
		func(n *int) []any { return []any{n} })
	count, err := one(r, verb, counts, err)
	if err != nil || p.Limit == 0 {
		return count, err
	}
	query := `-- name: Users :many
SELECT u.tenant_id, u.id, u.status, u.status_changed_at, u.epoch, u.email, u.email_verified_at, u.phone, u.phone_verified_at,
    u.username, u.profile, u.created_at, u.updated_at, u.email_changed_at, u.phone_changes, u.weakened_at,
    p.version, p.hash, p.shape, p.set_at, p.expires_at, p.expired, p.temporary, a.succeeded_at
FROM users u
LEFT JOIN passwords p ON p.tenant_id = u.tenant_id AND p.user_id = u.id
LEFT JOIN attempts a ON a.tenant_id = u.tenant_id AND a.factor = 'password' AND a.subject = 'user:' || u.id
WHERE u.tenant_id = $1
ORDER BY ` + orderOf(p) + ", u.id" + f.number(" LIMIT ? OFFSET ?", limit(p.Limit), limit(p.Offset))
	return count, r.visitUsers(verb, r.h.store.dialect.adapt(query), f, visit)
}

// orderOf is the text of an order; none of it is the caller's.
func orderOf(p auth.UserPage) string {
	column := "u.created_at"
	switch p.Order {
	case auth.OrderByEmail:
		column = `u.email COLLATE "C"`
	case auth.OrderByPhone:
		column = `u.phone COLLATE "C"`
	case auth.OrderByLastAuth:
		column = "COALESCE(a.succeeded_at, 0)"
	}
	if p.Descending {
		column += " DESC"
	}
	return column
}

// userRow is one row of Users.
type userRow struct {
	user                    sqlc.User
	version, setAt, expires sql.NullInt64
	hash, shape             sql.NullString
	expired, temporary      sql.NullBool
	succeededAt             sql.NullInt64
}

func (u *userRow) fields() []any {
	v := &u.user
	return []any{
		&v.TenantID, &v.ID, &v.Status, &v.StatusChangedAt, &v.Epoch, &v.Email, &v.EmailVerifiedAt, &v.Phone, &v.PhoneVerifiedAt,
		&v.Username, &v.Profile, &v.CreatedAt, &v.UpdatedAt, &v.EmailChangedAt, &v.PhoneChanges, &v.WeakenedAt,
		&u.version, &u.hash, &u.shape, &u.setAt, &u.expires, &u.expired, &u.temporary, &u.succeededAt,
	}
}

func (u userRow) account() (auth.Account, error) {
	owner, err := user(u.user)
	a := auth.Account{Found: true, User: owner, Subject: auth.SubjectOf(owner.ID)}
	a.Attempts.SucceededAt = moment(u.succeededAt.Int64)
	if u.version.Valid {
		a.Password = password(sqlc.Password{
			TenantID: u.user.TenantID, UserID: u.user.ID, Version: u.version.Int64, Hash: u.hash.String, Shape: u.shape.String,
			SetAt: u.setAt.Int64, ExpiresAt: u.expires.Int64, Expired: u.expired.Bool, Temporary: u.temporary.Bool,
		})
	}
	return a, err
}

// visitUsers holds one user at a time: a tenant may have millions.
func (r reads) visitUsers(verb, query string, f filter, visit func(auth.Account) error) error {
	rows, err := r.h.QueryContext(r.ctx, query, f.args...)
	if err != nil {
		return r.h.fail(r.ctx, verb, err)
	}
	defer rows.Close()
	for rows.Next() {
		var u userRow
		if err := rows.Scan(u.fields()...); err != nil {
			return r.h.fail(r.ctx, verb, err)
		}
		a, err := u.account()
		if err != nil {
			return fmt.Errorf("%s: %w", verb, err)
		}
		if err := visit(a); err != nil {
			return err
		}
	}
	return r.h.fail(r.ctx, verb, rows.Err())
}

// DeleteUser implements auth.Writes. Sessions and tokens of nobody find nobody, and are swept.
func (w writes) DeleteUser(t auth.TenantID, id auth.UserID, at time.Time) error {
	const verb = "delete user"
	tenant, user := string(t), string(id)
	shapes, err := w.q.DropPasswordOf(w.ctx, sqlc.DropPasswordOfParams{TenantID: tenant, UserID: user})
	if err != nil {
		return w.h.fail(w.ctx, verb, err)
	}
	for _, shape := range shapes {
		if err := w.countShape(verb, t, shape); err != nil {
			return err
		}
	}
	for _, drop := range []func() error{
		func() error {
			return w.q.DropPasswordHistoryOf(w.ctx, sqlc.DropPasswordHistoryOfParams{TenantID: tenant, UserID: user})
		},
		func() error {
			return w.q.DropAuthenticatorsOf(w.ctx, sqlc.DropAuthenticatorsOfParams{TenantID: tenant, UserID: user})
		},
		func() error {
			return w.q.DropDeviceAttemptsOf(w.ctx, sqlc.DropDeviceAttemptsOfParams{TenantID: tenant, UserID: user})
		},
		func() error {
			return w.q.DropDevicesOf(w.ctx, sqlc.DropDevicesOfParams{TenantID: tenant, UserID: user})
		},
		func() error {
			_, err := w.q.DropTOTP(w.ctx, sqlc.DropTOTPParams{TenantID: tenant, UserID: user})
			return err
		},
		func() error { return w.dropUserKeys(tenant, user) },
		func() error {
			return w.q.DropConsentsOf(w.ctx, sqlc.DropConsentsOfParams{TenantID: tenant, UserID: user})
		},
		func() error {
			return w.q.DropPasskeyAttemptsOf(w.ctx, sqlc.DropPasskeyAttemptsOfParams{TenantID: tenant, UserID: user})
		},
		func() error {
			return w.q.DropPasskeysOf(w.ctx, sqlc.DropPasskeysOfParams{TenantID: tenant, UserID: user})
		},
		func() error {
			return w.q.DropMembershipsOf(w.ctx, sqlc.DropMembershipsOfParams{TenantID: tenant, UserID: user})
		},
		func() error {
			return w.q.DropIdentifiersOf(w.ctx, sqlc.DropIdentifiersOfParams{TenantID: tenant, UserID: user})
		},
		func() error {
			return w.q.DropAttemptsOf(w.ctx, sqlc.DropAttemptsOfParams{TenantID: tenant, Subject: string(auth.SubjectOf(id))})
		},
	} {
		if err := drop(); err != nil {
			return w.h.fail(w.ctx, verb, err)
		}
	}
	n, err := w.q.DropUser(w.ctx, sqlc.DropUserParams{TenantID: tenant, ID: user})
	if err := w.replaced(verb, n, err); err != nil {
		return err
	}
	err = w.q.AddFormerUser(w.ctx, sqlc.AddFormerUserParams{TenantID: tenant, ID: user, DeletedAt: micros(at)})
	return w.h.fail(w.ctx, verb, err)
}

// RaiseEpoch implements auth.Writes.
func (w writes) RaiseEpoch(t auth.TenantID, id auth.UserID) error {
	n, err := w.q.RaiseEpoch(w.ctx, sqlc.RaiseEpochParams{TenantID: string(t), ID: string(id)})
	return w.replaced("raise epoch", n, err)
}
