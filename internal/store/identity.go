package store

import (
	"cmp"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"time"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// Identity implements auth.Reads.
func (r reads) Identity(t auth.TenantID, ref auth.IdentityRef) (auth.Identity, error) {
	rows, err := r.q.Identity(r.ctx, sqlc.IdentityParams{TenantID: string(t), Type: string(ref.Type), ID: ref.ID})
	row, err := one(r, "read identity", rows, err)
	if err != nil {
		return auth.Identity{}, err
	}
	org, err := organizationOf(row.Organization, row.Manager)
	if err != nil {
		return auth.Identity{}, fmt.Errorf("read identity: %w", err)
	}
	return auth.Identity{
		Tenant:      auth.TenantID(row.TenantID),
		Ref:         auth.IdentityRef{Type: auth.IdentityType(row.Type), ID: row.ID},
		Name:        row.Name,
		Profile:     row.Profile,
		Details:     row.Details,
		Diligence:   auth.Diligence(row.Diligence),
		CreatedAt:   moment(row.CreatedAt),
		SuspendedAt: moment(row.SuspendedAt),

		Organization: org,
	}, nil
}

// AddIdentity implements auth.Writes.
func (w writes) AddIdentity(i auth.Identity) error {
	const verb = "add identity"
	org, err := organizationText(i.Organization)
	if err != nil {
		return err
	}
	n, err := w.q.AddIdentity(w.ctx, sqlc.AddIdentityParams{
		TenantID:    string(i.Tenant),
		Type:        string(i.Ref.Type),
		ID:          i.Ref.ID,
		Name:        i.Name,
		Profile:     i.Profile,
		Details:     i.Details,
		Diligence:   string(i.Diligence),
		CreatedAt:   micros(i.CreatedAt),
		SuspendedAt: micros(i.SuspendedAt),

		Organization: org,
		Manager:      i.Organization.Manager,
	})
	if err := w.added(verb, n, err); err != nil {
		return err
	}
	if i.Ref.Type == auth.Corporate {
		if err := w.raise(verb, i.Tenant, auth.Counts{Organizations: 1}); err != nil {
			return err
		}
	}
	return w.putDomains(verb, i)
}

// PutIdentity implements auth.Writes.
func (w writes) PutIdentity(i auth.Identity) error {
	org, err := organizationText(i.Organization)
	if err != nil {
		return err
	}
	n, err := w.q.PutIdentity(w.ctx, sqlc.PutIdentityParams{
		TenantID:    string(i.Tenant),
		Type:        string(i.Ref.Type),
		ID:          i.Ref.ID,
		Name:        i.Name,
		Profile:     i.Profile,
		Details:     i.Details,
		Diligence:   string(i.Diligence),
		CreatedAt:   micros(i.CreatedAt),
		SuspendedAt: micros(i.SuspendedAt),

		Organization: org,
		Manager:      i.Organization.Manager,
	})
	if err := w.replaced("put identity", n, err); err != nil {
		return err
	}
	return w.putDomains("put identity", i)
}

// AddMembership implements auth.Writes. Of m.Identity only the reference is stored; the identity has a row of its own.
func (w writes) AddMembership(m auth.Membership) error {
	member, err := memberText(m)
	if err != nil {
		return err
	}
	n, err := w.q.AddMembership(w.ctx, sqlc.AddMembershipParams{
		TenantID:     string(m.Tenant),
		UserID:       string(m.User),
		IdentityType: string(m.Identity.Ref.Type),
		IdentityID:   m.Identity.Ref.ID,
		Credential:   string(m.Credential),
		Position:     int64(m.Position),
		LastUsedAt:   micros(m.LastUsedAt),
		Roles:        joinSet(m.Roles),
		Tag:          m.Tag,
		SuspendedAt:  micros(m.SuspendedAt),
		Member:       member,
	})
	return w.added("add membership", n, err)
}

// PutMembership implements auth.Writes.
func (w writes) PutMembership(m auth.Membership) error {
	member, err := memberText(m)
	if err != nil {
		return err
	}
	n, err := w.q.PutMembership(w.ctx, sqlc.PutMembershipParams{
		TenantID:     string(m.Tenant),
		UserID:       string(m.User),
		IdentityType: string(m.Identity.Ref.Type),
		IdentityID:   m.Identity.Ref.ID,
		Roles:        joinSet(m.Roles),
		Tag:          m.Tag,
		SuspendedAt:  micros(m.SuspendedAt),
		Member:       member,
	})
	return w.replaced("put membership", n, err)
}

// TouchMembership implements auth.Writes. It never moves the time back.
func (w writes) TouchMembership(t auth.TenantID, id auth.UserID, ref auth.IdentityRef, at time.Time) error {
	e := w.expect("touch membership", 1, auth.ErrNotFound)
	n, err := w.q.TouchMembership(w.ctx, sqlc.TouchMembershipParams{
		TenantID:     string(t),
		UserID:       string(id),
		IdentityType: string(ref.Type),
		IdentityID:   ref.ID,
		At:           micros(at),
	})
	return w.met(e, n, err)
}

// membershipColumns are those of a left join: all null when the user has no membership.
type membershipColumns struct {
	identityType, identityID, credential   sql.NullString
	position, lastUsedAt                   sql.NullInt64
	roles, tag                             sql.NullString
	suspendedAt                            sql.NullInt64
	member                                 sql.NullString
	identityName, profile, diligence       sql.NullString
	identityCreatedAt, identitySuspendedAt sql.NullInt64
	organization, manager                  sql.NullString
}

// fields are where the columns go, in the order of this package's statements.
func (m *membershipColumns) fields() []any {
	return []any{
		&m.identityType, &m.identityID, &m.credential, &m.position, &m.lastUsedAt, &m.roles, &m.tag, &m.suspendedAt, &m.member,
		&m.identityName, &m.profile, &m.diligence, &m.identityCreatedAt, &m.identitySuspendedAt, &m.organization, &m.manager,
	}
}

// memberships returns the membership in one row, or none. The details of its identity, which may be long, are left to reads.Identity.
func memberships(t auth.TenantID, user string, c membershipColumns) ([]auth.Membership, error) {
	if !c.identityID.Valid {
		return nil, nil
	}
	org, err := organizationOf(c.organization.String, c.manager.String)
	if err != nil {
		return nil, err
	}
	var info memberInfo
	if err := decode(c.member.String, &info); err != nil {
		return nil, err
	}
	return []auth.Membership{{
		Tenant: t,
		User:   auth.UserID(user),
		Identity: auth.Identity{
			Tenant:      t,
			Ref:         auth.IdentityRef{Type: auth.IdentityType(c.identityType.String), ID: c.identityID.String},
			Name:        c.identityName.String,
			Profile:     c.profile.String,
			Diligence:   auth.Diligence(c.diligence.String),
			CreatedAt:   moment(c.identityCreatedAt.Int64),
			SuspendedAt: moment(c.identitySuspendedAt.Int64),

			Organization: org,
		},
		Credential:  auth.CredentialType(c.credential.String),
		Position:    int(c.position.Int64),
		LastUsedAt:  moment(c.lastUsedAt.Int64),
		Roles:       splitSet[auth.Role](c.roles.String),
		AppRoles:    info.AppRoles,
		Tag:         c.tag.String,
		SuspendedAt: moment(c.suspendedAt.Int64),
		Info:        info.auth(),
	}}, nil
}

// People implements auth.Reads, in two statements: a page beyond the last person still has a count. SQLite takes the tables of a CROSS JOIN in
// their order; it would read all users in that of the page, and look for the membership of each. That a membership has a credential, as each has,
// keeps it from counting in the primary key, which has all that is counted but begins with the user.
func (r reads) People(t auth.TenantID, ref auth.IdentityRef, p auth.PersonFilter) ([]auth.Person, int, error) {
	const verb = "list people"
	if err := r.h.several(); err != nil {
		return nil, 0, err
	}
	f := filter{text: `
FROM memberships m
CROSS JOIN users u
CROSS JOIN identities i
WHERE u.tenant_id = m.tenant_id AND u.id = m.user_id
    AND i.tenant_id = m.tenant_id AND i.type = m.identity_type AND i.id = m.identity_id
    AND m.credential <> ''`}
	f.and("m.tenant_id = ?", string(t))
	f.and("m.identity_type = ?", string(ref.Type))
	f.and("m.identity_id = ?", ref.ID)
	narrow(&f, p)
	counts, err := read(r, verb, "-- name: CountPeople :many\nSELECT COUNT(*)"+f.text, f, func(n *int) []any { return []any{n} })
	count, err := one(r, verb, counts, err)
	if err != nil {
		return nil, 0, err
	}
	query := `-- name: People :many
SELECT u.tenant_id, u.id, u.status, u.status_changed_at, u.epoch, u.email, u.email_verified_at, u.phone, u.phone_verified_at,
    u.username, u.profile, u.created_at, u.updated_at, u.email_changed_at, u.phone_changes, u.weakened_at, u.phone_changed_at,
    m.identity_type, m.identity_id, m.credential, m.position, m.last_used_at, m.roles, m.tag, m.suspended_at,
    m.member, i.name, i.profile, i.diligence, i.created_at, i.suspended_at, i.organization, i.manager` + f.text + `
ORDER BY u.created_at, u.id`
	size := p.Limit
	if size == 0 {
		size = math.MaxInt32
	}
	query += f.number(" LIMIT ? OFFSET ?", limit(size), limit(p.Offset))
	rows, err := read(r, verb, query, f, (*personRow).fields)
	people, err := list(r, verb, rows, err, personRow.person)
	return people, count, err
}

// narrow adds what the filter asks for.
func narrow(f *filter, p auth.PersonFilter) {
	if p.Credential != "" {
		f.and("m.credential = ?", string(p.Credential))
	}
	if p.Active != nil && *p.Active {
		f.and("m.suspended_at = 0 AND u.status <> 'suspended'")
	} else if p.Active != nil {
		f.and("(m.suspended_at <> 0 OR u.status = 'suspended')")
	}
	if p.Email != "" {
		f.and(`EXISTS (SELECT 1 FROM identifiers n
    WHERE n.tenant_id = u.tenant_id AND n.kind = 'email' AND n.canonical = ? AND n.user_id = u.id)`, p.Email)
	}
	if p.Tag != "" {
		f.and("m.tag = ?", p.Tag)
	}
	if len(p.Roles) > 0 {
		f.anyOf("REPLACE(m.roles, ' ' || CAST(? AS TEXT) || ' ', '') <> m.roles", texts(p.Roles))
	}
}

// personRow is one row of People.
type personRow struct {
	user       sqlc.User
	membership membershipColumns
}

func (p *personRow) fields() []any {
	u := &p.user
	return append([]any{
		&u.TenantID, &u.ID, &u.Status, &u.StatusChangedAt, &u.Epoch, &u.Email, &u.EmailVerifiedAt, &u.Phone, &u.PhoneVerifiedAt,
		&u.Username, &u.Profile, &u.CreatedAt, &u.UpdatedAt, &u.EmailChangedAt, &u.PhoneChanges, &u.WeakenedAt, &u.PhoneChangedAt,
	}, p.membership.fields()...)
}

func (p personRow) person() (auth.Person, error) {
	u, err := user(p.user)
	if err != nil {
		return auth.Person{}, err
	}
	ms, err := memberships(u.Tenant, p.user.ID, p.membership)
	if err != nil {
		return auth.Person{}, err
	}
	return auth.Person{User: u, Membership: ms[0]}, nil
}

func sortMemberships(ms []auth.Membership) {
	slices.SortFunc(ms, func(a, b auth.Membership) int {
		return cmp.Or(cmp.Compare(a.Position, b.Position), cmp.Compare(a.Identity.Ref.String(), b.Identity.Ref.String()))
	})
}
