package store

import (
	"cmp"
	"database/sql"
	"fmt"
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
	return auth.Identity{
		Tenant:    auth.TenantID(row.TenantID),
		Ref:       auth.IdentityRef{Type: auth.IdentityType(row.Type), ID: row.ID},
		Name:      row.Name,
		CreatedAt: moment(row.CreatedAt),
	}, nil
}

// AddIdentity implements auth.Writes.
func (w writes) AddIdentity(i auth.Identity) error {
	n, err := w.q.AddIdentity(w.ctx, sqlc.AddIdentityParams{
		TenantID:  string(i.Tenant),
		Type:      string(i.Ref.Type),
		ID:        i.Ref.ID,
		Name:      i.Name,
		CreatedAt: micros(i.CreatedAt),
	})
	return w.added("add identity", n, err)
}

// AddMembership implements auth.Writes. Of m.Identity only the reference is stored; the identity has a row of its own.
func (w writes) AddMembership(m auth.Membership) error {
	n, err := w.q.AddMembership(w.ctx, sqlc.AddMembershipParams{
		TenantID:     string(m.Tenant),
		UserID:       string(m.User),
		IdentityType: string(m.Identity.Ref.Type),
		IdentityID:   m.Identity.Ref.ID,
		Credential:   string(m.Credential),
		Position:     int64(m.Position),
		LastUsedAt:   micros(m.LastUsedAt),
	})
	return w.added("add membership", n, err)
}

// TouchMembership implements auth.Writes. It never moves the time back.
func (w writes) TouchMembership(t auth.TenantID, id auth.UserID, ref auth.IdentityRef, at time.Time) error {
	n, err := w.q.TouchMembership(w.ctx, sqlc.TouchMembershipParams{
		TenantID:     string(t),
		UserID:       string(id),
		IdentityType: string(ref.Type),
		IdentityID:   ref.ID,
		At:           micros(at),
	})
	if err == nil && n == 0 {
		return fmt.Errorf("touch membership: %w", auth.ErrNotFound)
	}
	return w.h.fail(w.ctx, "touch membership", err)
}

// membershipColumns are those of a left join: all null when the user has no membership.
type membershipColumns struct {
	identityType, identityID, credential sql.NullString
	position, lastUsedAt                 sql.NullInt64
	identityName                         sql.NullString
	identityCreatedAt                    sql.NullInt64
}

// memberships returns the membership in one row, or none.
func memberships(t auth.TenantID, user string, c membershipColumns) []auth.Membership {
	if !c.identityID.Valid {
		return nil
	}
	return []auth.Membership{{
		Tenant: t,
		User:   auth.UserID(user),
		Identity: auth.Identity{
			Tenant:    t,
			Ref:       auth.IdentityRef{Type: auth.IdentityType(c.identityType.String), ID: c.identityID.String},
			Name:      c.identityName.String,
			CreatedAt: moment(c.identityCreatedAt.Int64),
		},
		Credential: auth.CredentialType(c.credential.String),
		Position:   int(c.position.Int64),
		LastUsedAt: moment(c.lastUsedAt.Int64),
	}}
}

func sortMemberships(ms []auth.Membership) {
	slices.SortFunc(ms, func(a, b auth.Membership) int {
		return cmp.Or(cmp.Compare(a.Position, b.Position), cmp.Compare(a.Identity.Ref.String(), b.Identity.Ref.String()))
	})
}
