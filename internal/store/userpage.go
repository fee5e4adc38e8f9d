package store

import (
	"database/sql"
	"fmt"
	"strings"
	"time"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

const usersColumns = `
SELECT u.tenant_id, u.id, u.status, u.status_changed_at, u.epoch, u.email, u.email_verified_at, u.phone, u.phone_verified_at,
    u.username, u.profile, u.created_at, u.updated_at, u.email_changed_at, u.phone_changes, u.weakened_at, u.phone_changed_at,
    p.version, p.hash, p.shape, p.set_at, p.expires_at, p.expired, p.temporary, a.succeeded_at`

const (
	joinPasswords = "\nLEFT JOIN passwords p ON p.tenant_id = u.tenant_id AND p.user_id = u.id"
	joinAttempts  = "\nLEFT JOIN attempts a ON a.tenant_id = u.tenant_id AND a.factor = 'password' AND a.subject = 'user:' || u.id"
)

// Users implements auth.Reads. Each order but that by the latest authentication is the order of an index. A page that is not the first finds
// its users in the index alone before it reads any of them.
func (r reads) Users(t auth.TenantID, p auth.UserPage, visit func(auth.Account) error) error {
	const verb = "list users"
	f := filter{text: "\nWHERE TRUE"}
	f.and("u.tenant_id = ?", string(t))
	f.among(t, p.Among)
	key, order := orderOf(p)
	f.text += order
	f.text += f.number("\nLIMIT ? OFFSET ?", limit(p.Limit), limit(p.Offset))
	query := usersColumns + "\nFROM users u" + joinPasswords + joinAttempts + f.text
	if p.Offset > 0 || p.Order == auth.OrderByLastAuth {
		narrow := "SELECT u.id, " + key + " AS place\nFROM users u"
		if p.Order == auth.OrderByLastAuth {
			narrow += joinAttempts
		}
		query = usersColumns + "\nFROM (" + narrow + f.text + ") page\nJOIN users u ON u.tenant_id = $1 AND u.id = page.id" +
			joinPasswords + joinAttempts + strings.NewReplacer(key, "page.place", "u.id", "page.id").Replace(order)
	}
	return r.visitUsers(verb, named("Users", f)+r.h.store.dialect.adapt(query), f, visit)
}

// CountUsers implements auth.Reads.
func (r reads) CountUsers(t auth.TenantID, among []auth.UserSpan) (int, error) {
	const verb = "count users"
	if len(among) == 0 {
		n, err := r.counts(verb, t)
		return n.Users, err
	}
	f := filter{text: "SELECT COUNT(*) FROM users u\nWHERE TRUE"}
	f.and("u.tenant_id = ?", string(t))
	f.among(t, among)
	counts, err := read(r, verb, named("CountUsersAmong", f)+r.h.store.dialect.adapt(f.text), f, func(n *int) []any { return []any{n} })
	return one(r, verb, counts, err)
}

// named begins a query with its name. Those with more arguments than a single span has come in too many shapes to be kept prepared.
func named(name string, f filter) string {
	const few = 6
	if len(f.args) > few {
		return "-- once: " + name + " :many\n"
	}
	return "-- name: " + name + " :many\n"
}

// among adds the condition that a user is in one of the spans.
func (f *filter) among(t auth.TenantID, spans []auth.UserSpan) {
	if len(spans) == 0 {
		return
	}
	if len(spans) == 1 && spans[0].Field != auth.SpanOfIdentifier {
		f.span("u", spans[0])
		return
	}
	inner := filter{args: f.args}
	for i, s := range spans {
		if i > 0 {
			inner.text += "\n    UNION ALL "
		}
		if s.Field == auth.SpanOfIdentifier {
			inner.text += "SELECT v.user_id FROM identifiers v WHERE TRUE"
			inner.and("v.kind = ?", string(s.Kind))
		} else {
			inner.text += "SELECT v.id FROM users v WHERE TRUE"
		}
		inner.and("v.tenant_id = ?", string(t))
		inner.span("v", s)
	}
	f.text, f.args = f.text+"\n    AND u.id IN ("+inner.text+")", inner.args
}

// span adds the condition that a row is in a span.
func (f *filter) span(table string, s auth.UserSpan) {
	if s.Field == auth.SpanOfCreation {
		f.and(table+".created_at >= ? AND "+table+".created_at <> 0", micros(s.Since))
		if !s.End.IsZero() {
			f.and(table+".created_at < ?", micros(s.End))
		}
		return
	}
	column := map[auth.SpanField]string{
		auth.SpanOfID: ".id", auth.SpanOfIdentifier: ".canonical", auth.SpanOfPhone: `.phone COLLATE "C"`,
	}[s.Field]
	if column = table + column; s.Field == auth.SpanOfEmail {
		column = "LOWER(" + table + `.email COLLATE "C")`
	}
	f.and(column+" >= ?", s.From)
	if s.Below != "" {
		f.and(column+" < ?", s.Below)
	}
}

// orderOf is the text of an order and of what it goes by; none of it is the caller's.
func orderOf(p auth.UserPage) (key, order string) {
	direction := ""
	if p.Descending {
		direction = " DESC"
	}
	switch p.Order {
	case auth.Unordered:
		return "0", ""
	case auth.OrderByID:
		return "u.id", "\nORDER BY u.id" + direction
	case auth.OrderByEmail:
		key = `LOWER(u.email COLLATE "C")`
	case auth.OrderByPhone:
		key = `u.phone COLLATE "C"`
	case auth.OrderByLastAuth:
		key = "COALESCE(a.succeeded_at, 0)"
	default:
		key = "u.created_at"
	}
	return key, "\nORDER BY " + key + direction + ", u.id" + direction
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
		&v.Username, &v.Profile, &v.CreatedAt, &v.UpdatedAt, &v.EmailChangedAt, &v.PhoneChanges, &v.WeakenedAt, &v.PhoneChangedAt,
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
	if err := w.dropPasswordOf(verb, t, user); err != nil {
		return err
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
	if err := w.dropped(verb, n, err); err != nil {
		return err
	}
	if err := w.raise(verb, t, auth.Counts{Users: -1}); err != nil {
		return err
	}
	err = w.q.AddFormerUser(w.ctx, sqlc.AddFormerUserParams{TenantID: tenant, ID: user, DeletedAt: micros(at)})
	return w.h.fail(w.ctx, verb, err)
}

func (w writes) dropPasswordOf(verb string, t auth.TenantID, user string) error {
	shapes, err := w.q.DropPasswordOf(w.ctx, sqlc.DropPasswordOfParams{TenantID: string(t), UserID: user})
	if err != nil {
		return w.h.fail(w.ctx, verb, err)
	}
	for _, shape := range shapes {
		if err := w.countShape(verb, t, shape); err != nil {
			return err
		}
	}
	return nil
}

// RaiseEpoch implements auth.Writes.
func (w writes) RaiseEpoch(t auth.TenantID, id auth.UserID) error {
	n, err := w.q.RaiseEpoch(w.ctx, sqlc.RaiseEpochParams{TenantID: string(t), ID: string(id)})
	return w.replaced("raise epoch", n, err)
}
