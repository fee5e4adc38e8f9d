package store

import (
	"database/sql"
	"fmt"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// A live session is read by each call of a user's, so it costs as little as can be: one statement, written here rather than compiled, which
// reads no column twice, and one row that is scanned in place.

// liveColumns and liveTables are of a session s, with what its liveness depends on: one row for each membership of its user, or one.
const (
	liveColumns = `s.tenant_id, s.id, s.surface, s.user_id, s.epoch, s.client_id, s.methods, s.org_type, s.org_id, s.created_at, s.auth_at, s.seen_at,
    s.idle_limit, s.ends_at, s.ended_at, s.ended_why,
    u.status, u.status_changed_at, u.epoch, u.email, u.email_verified_at, u.phone, u.phone_verified_at, u.username, u.profile,
    u.created_at, u.updated_at, u.email_changed_at, u.phone_changes, u.weakened_at, u.phone_changed_at,
    (SELECT d.revision FROM directory d WHERE d.id = 1), a.locked_until, a.succeeded_at,
    m.identity_type, m.identity_id, m.credential, m.position, m.last_used_at, m.roles, m.tag, m.suspended_at, m.member,
    i.name, i.profile, i.diligence, i.created_at, i.suspended_at, i.organization, i.manager`
	liveTables = `
JOIN users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
LEFT JOIN attempts a ON a.tenant_id = u.tenant_id AND a.factor = 'password' AND a.subject = 'user:' || u.id
LEFT JOIN memberships m ON m.tenant_id = u.tenant_id AND m.user_id = u.id
LEFT JOIN identities i ON i.tenant_id = m.tenant_id AND i.type = m.identity_type AND i.id = m.identity_id`
)

// liveQueries are the statements that read one: by its id, with one of its access tokens, by a token of /multi and by a refresh token.
type liveQueries struct{ session, tokenSession, bearer, refresh string }

// newLiveQueries puts the statements together, with each list of columns as row makes it.
func newLiveQueries(row func(columns string) string) liveQueries {
	query := func(name, more, from, where string) string {
		return "-- name: " + name + " :many\nSELECT " + row(liveColumns+more) + "\nFROM " + from + liveTables + "\nWHERE " + where
	}
	return liveQueries{
		session: query("Session", "", "sessions s", "s.tenant_id = $1 AND s.id = $2"),
		tokenSession: query("TokenSession", `,
    EXISTS (SELECT 1 FROM revoked_tokens r WHERE r.tenant_id = $1 AND r.id = $3)
        OR EXISTS (SELECT 1 FROM refresh_tokens f WHERE f.hash = $4 AND f.tenant_id = $1 AND f.revoked_at > 0)`,
			"sessions s", "s.tenant_id = $1 AND s.id = $2"),
		bearer: query("Bearer", `,
    t.kind, t.identity_type, t.identity_id, t.credential, t.issued_at, t.expires_at, t.used_at, t.stepped_up_at`,
			"tokens t\nJOIN sessions s ON s.tenant_id = t.tenant_id AND s.id = t.session_id", "t.hash = $1"),
		refresh: query("Refresh", `,
    r.root, r.user_id, r.client_id, r.jkt, r.audience, r.scope, r.org_type, r.org_id, r.claims, r.userinfo, r.issued_at, r.expires_at,
    r.rotated_at, f.expires_at, f.revoked_at`,
			`refresh_tokens r
JOIN refresh_tokens f ON f.hash = r.root
JOIN sessions s ON s.tenant_id = r.tenant_id AND s.id = r.session_id`, "r.hash = $1"),
	}
}

// liveRow is a row of liveColumns.
type liveRow struct {
	session                  sqlc.Session
	user                     sqlc.User
	revision                 int64
	lockedUntil, succeededAt sql.NullInt64
	membership               membershipColumns
}

// fields are where liveColumns go, and more columns behind them.
func (l *liveRow) fields(more ...any) []any {
	s, u := &l.session, &l.user
	all := make([]any, 0, 72)
	all = append(all,
		&s.TenantID, &s.ID, &s.Surface, &s.UserID, &s.Epoch, &s.ClientID, &s.Methods, &s.OrgType, &s.OrgID, &s.CreatedAt, &s.AuthAt, &s.SeenAt,
		&s.IdleLimit, &s.EndsAt, &s.EndedAt, &s.EndedWhy,
		&u.Status, &u.StatusChangedAt, &u.Epoch, &u.Email, &u.EmailVerifiedAt, &u.Phone, &u.PhoneVerifiedAt, &u.Username, &u.Profile,
		&u.CreatedAt, &u.UpdatedAt, &u.EmailChangedAt, &u.PhoneChanges, &u.WeakenedAt, &u.PhoneChangedAt,
		&l.revision, &l.lockedUntil, &l.succeededAt,
	)
	return append(append(all, l.membership.fields()...), more...)
}

// live is what all rows of one session say; they differ in their membership.
func live[R any](verb string, rows []R, row func(*R) *liveRow) (auth.LiveSession, error) {
	first := row(&rows[0])
	first.user.TenantID, first.user.ID = first.session.TenantID, first.session.UserID
	u, err := user(first.user)
	if err != nil {
		return auth.LiveSession{}, fmt.Errorf("%s: %w", verb, err)
	}
	l := auth.LiveSession{
		Session:     session(first.session),
		User:        u,
		LockedUntil: moment(first.lockedUntil.Int64),
		SucceededAt: moment(first.succeededAt.Int64),
		Revision:    first.revision,
	}
	for i := range rows {
		ms, err := memberships(u.Tenant, string(u.ID), row(&rows[i]).membership)
		if err != nil {
			return auth.LiveSession{}, fmt.Errorf("%s: %w", verb, err)
		}
		l.Memberships = append(l.Memberships, ms...)
	}
	sortMemberships(l.Memberships)
	return l, nil
}

// Session implements auth.Reads.
func (r reads) Session(t auth.TenantID, id auth.SessionID) (auth.LiveSession, error) {
	const verb = "read session"
	rows, err := read(r, verb, r.h.store.live.session, filter{args: []any{string(t), string(id)}}, func(l *liveRow) []any { return l.fields() })
	if err := some(r, verb, rows, err); err != nil {
		return auth.LiveSession{}, err
	}
	return live(verb, rows, func(l *liveRow) *liveRow { return l })
}

// tokenSessionRow is a row of liveQueries.tokenSession.
type tokenSessionRow struct {
	liveRow
	revoked bool
}

func (t *tokenSessionRow) fields() []any { return t.liveRow.fields(&t.revoked) }

// TokenSession implements auth.Reads.
func (r reads) TokenSession(t auth.TenantID, session auth.SessionID, id string, family auth.TokenHash) (auth.LiveSession, bool, error) {
	const verb = "read session of a token"
	f := filter{args: []any{string(t), string(session), id, family[:]}}
	rows, err := read(r, verb, r.h.store.live.tokenSession, f, (*tokenSessionRow).fields)
	if err := some(r, verb, rows, err); err != nil {
		return auth.LiveSession{}, false, err
	}
	l, err := live(verb, rows, func(t *tokenSessionRow) *liveRow { return &t.liveRow })
	return l, rows[0].revoked, err
}

// bearerRow is a row of liveQueries.bearer.
type bearerRow struct {
	liveRow
	token sqlc.Token
}

func (b *bearerRow) fields() []any {
	t := &b.token
	return b.liveRow.fields(&t.Kind, &t.IdentityType, &t.IdentityID, &t.Credential, &t.IssuedAt, &t.ExpiresAt, &t.UsedAt, &t.SteppedUpAt)
}

// bearer reads the rows of a token.
func (r reads) bearer(verb string, hash auth.TokenHash) (rows []bearerRow, err error) {
	if g := r.h.store.gathering; g != nil && r.h.single && !r.h.used && r.ctx.Err() == nil {
		rows, err = g.bearer(r, verb, hash)
	} else {
		rows, err = read(r, verb, r.h.store.live.bearer, filter{args: []any{hash[:]}}, (*bearerRow).fields)
	}
	return rows, some(r, verb, rows, err)
}

// Bearer implements auth.Reads.
func (r reads) Bearer(hash auth.TokenHash) (auth.Bearer, error) {
	const verb = "read token"
	rows, err := r.bearer(verb, hash)
	if err != nil {
		return auth.Bearer{}, err
	}
	l, err := live(verb, rows, func(b *bearerRow) *liveRow { return &b.liveRow })
	if err != nil {
		return auth.Bearer{}, err
	}
	t := &rows[0].token
	return auth.Bearer{LiveSession: l, Token: auth.Token{
		Tenant:      l.Session.Tenant,
		Hash:        hash,
		Session:     l.Session.ID,
		Kind:        auth.TokenKind(t.Kind),
		Identity:    auth.IdentityRef{Type: auth.IdentityType(t.IdentityType), ID: t.IdentityID},
		Credential:  auth.CredentialType(t.Credential),
		IssuedAt:    moment(t.IssuedAt),
		ExpiresAt:   moment(t.ExpiresAt),
		UsedAt:      moment(t.UsedAt),
		SteppedUpAt: moment(t.SteppedUpAt),
	}}, nil
}

// refreshRow is a row of liveQueries.refresh.
type refreshRow struct {
	liveRow
	token         sqlc.RefreshToken
	endsAt        int64 // of the family
	familyRevoked int64
}

func (f *refreshRow) fields() []any {
	t := &f.token
	return f.liveRow.fields(&t.Root, &t.UserID, &t.ClientID, &t.Jkt, &t.Audience, &t.Scope, &t.OrgType, &t.OrgID, &t.Claims, &t.Userinfo,
		&t.IssuedAt, &t.ExpiresAt, &t.RotatedAt, &f.endsAt, &f.familyRevoked)
}

// Refresh implements auth.Reads.
func (r reads) Refresh(hash auth.TokenHash) (auth.LiveRefresh, error) {
	const verb = "read refresh token"
	rows, err := read(r, verb, r.h.store.live.refresh, filter{args: []any{hash[:]}}, (*refreshRow).fields)
	if err := some(r, verb, rows, err); err != nil {
		return auth.LiveRefresh{}, err
	}
	first := &rows[0]
	t, err := refreshToken(first.token, hash, first.session)
	if err != nil {
		return auth.LiveRefresh{}, fmt.Errorf("%s: %w", verb, err)
	}
	l, err := live(verb, rows, func(f *refreshRow) *liveRow { return &f.liveRow })
	return auth.LiveRefresh{
		Token:        t,
		FamilyEndsAt: moment(first.endsAt),
		RevokedAt:    moment(first.familyRevoked),
		LiveSession:  l,
	}, err
}
