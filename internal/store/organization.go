package store

import (
	"fmt"
	"math"
	"slices"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// organization is auth.Organization as JSON, without the column manager.
type organization struct {
	Domains   []string `json:"domains,omitempty"`
	Alias     string   `json:"alias,omitzero"`
	Limited   bool     `json:"limited,omitzero"`
	Apps      []string `json:"apps,omitempty"`
	ManagedIn string   `json:"managed_in,omitzero"`
	LogoURL   string   `json:"logo_url,omitzero"`
	UpdatedAt int64    `json:"updated_at,omitzero"` // microseconds
}

func organizationText(o auth.Organization) (string, error) {
	return encode(organization{o.Domains, o.Alias, o.Limited, o.Apps, o.ManagedIn, o.LogoURL, micros(o.UpdatedAt)})
}

func organizationOf(text, manager string) (auth.Organization, error) {
	var o organization
	err := decode(text, &o)
	return auth.Organization{
		Domains: o.Domains, Alias: o.Alias, Limited: o.Limited, Apps: o.Apps, Manager: manager, ManagedIn: o.ManagedIn, LogoURL: o.LogoURL,
		UpdatedAt: moment(o.UpdatedAt),
	}, err
}

// memberInfo is auth.MemberInfo as JSON.
type memberInfo struct {
	Department string `json:"department,omitzero"`
	Title      string `json:"title,omitzero"`
	Manager    string `json:"manager,omitzero"`
	AddedBy    string `json:"added_by,omitzero"`
	AddedAt    int64  `json:"added_at,omitzero"`   // microseconds
	UpdatedAt  int64  `json:"updated_at,omitzero"` // the same
	Linked     bool   `json:"linked,omitzero"`

	AppRoles []auth.RoleID `json:"app_roles,omitempty"` // which are the membership's
}

func memberText(m auth.Membership) (string, error) {
	i := m.Info
	return encode(memberInfo{
		i.Department, i.Title, i.Manager, i.AddedBy, micros(i.AddedAt), micros(i.UpdatedAt), i.Linked, m.AppRoles,
	})
}

func (m memberInfo) auth() auth.MemberInfo {
	return auth.MemberInfo{
		Department: m.Department, Title: m.Title, Manager: m.Manager, AddedBy: m.AddedBy, AddedAt: moment(m.AddedAt),
		UpdatedAt: moment(m.UpdatedAt), Linked: m.Linked,
	}
}

// putDomains makes the rows of an identity's domains those of its list. One that is another's ends the transaction.
func (w writes) putDomains(verb string, i auth.Identity) error {
	t, kind, id := string(i.Tenant), string(i.Ref.Type), i.Ref.ID
	have, err := w.q.DomainsOf(w.ctx, sqlc.DomainsOfParams{TenantID: t, IdentityType: kind, IdentityID: id})
	if err != nil {
		return w.h.fail(w.ctx, verb, err)
	}
	for _, d := range have {
		if slices.Contains(i.Organization.Domains, d) {
			continue
		}
		if err := w.q.DropDomain(w.ctx, sqlc.DropDomainParams{TenantID: t, Domain: d, IdentityType: kind, IdentityID: id}); err != nil {
			return w.h.fail(w.ctx, verb, err)
		}
	}
	for _, d := range i.Organization.Domains {
		if slices.Contains(have, d) {
			continue
		}
		n, err := w.q.AddDomain(w.ctx, sqlc.AddDomainParams{TenantID: t, Domain: d, IdentityType: kind, IdentityID: id})
		if err != nil {
			return w.h.fail(w.ctx, verb, err)
		}
		if n == 0 {
			err := fmt.Errorf("%s: domain: %w", verb, auth.ErrExists)
			w.h.doom(err)
			return err
		}
	}
	return nil
}

// DeleteIdentity implements auth.Writes.
func (w writes) DeleteIdentity(t auth.TenantID, ref auth.IdentityRef) error {
	const verb = "delete identity"
	if err := w.putDomains(verb, auth.Identity{Tenant: t, Ref: ref}); err != nil {
		return err
	}
	if ref.Type == auth.Corporate {
		if err := w.q.DropLogoOf(w.ctx, sqlc.DropLogoOfParams{TenantID: string(t), OrganizationID: ref.ID}); err != nil {
			return w.h.fail(w.ctx, verb, err)
		}
	}
	err := w.q.DropMembershipsOfIdentity(w.ctx, sqlc.DropMembershipsOfIdentityParams{
		TenantID: string(t), IdentityType: string(ref.Type), IdentityID: ref.ID,
	})
	if err != nil {
		return w.h.fail(w.ctx, verb, err)
	}
	n, err := w.q.DropIdentity(w.ctx, sqlc.DropIdentityParams{TenantID: string(t), Type: string(ref.Type), ID: ref.ID})
	if err := w.dropped(verb, n, err); err != nil || ref.Type != auth.Corporate {
		return err
	}
	return w.raise(verb, t, auth.Counts{Organizations: -1})
}

// DropMembership implements auth.Writes.
func (w writes) DropMembership(t auth.TenantID, id auth.UserID, ref auth.IdentityRef) (bool, error) {
	n, err := w.q.DropMembership(w.ctx, sqlc.DropMembershipParams{
		TenantID: string(t), UserID: string(id), IdentityType: string(ref.Type), IdentityID: ref.ID,
	})
	return n > 0, w.h.fail(w.ctx, "drop membership", err)
}

// byManager has SQLite, which knows nothing of what is in its tables, look for the managers and not read all organizations in their order.
const byManager = " INDEXED BY organizations_by_manager"

// Organizations implements auth.Reads, in two statements: a page beyond the last one still has a count.
func (r reads) Organizations(t auth.TenantID, p auth.OrganizationFilter) ([]auth.Identity, int, error) {
	const verb = "list organizations"
	if err := r.h.several(); err != nil {
		return nil, 0, err
	}
	f := filter{text: "\nFROM identities i"}
	if len(p.Managers) > 0 {
		f.text += byManager
	}
	f.text += "\nWHERE TRUE"
	f.and("i.tenant_id = ?", string(t))
	f.and("i.type = 'CORPORATE'") // as it is in the conditions of the indexes
	if p.Name != "" {
		f.and(`SUBSTR(i.name COLLATE "C", 1, 100) = SUBSTR(CAST(? AS TEXT), 1, 100) AND i.name = ?`, p.Name, p.Name)
	}
	if len(p.Managers) > 0 {
		f.in("i.manager", p.Managers)
	}
	size := p.Limit
	if size == 0 {
		size = math.MaxInt32
	}
	page := f
	query := named("Organizations", f) + `SELECT i.id, i.name, i.profile, i.diligence, i.created_at, i.suspended_at, i.organization, i.manager` + f.text + `
ORDER BY i.created_at, i.id` + page.number(" LIMIT ? OFFSET ?", limit(size), limit(p.Offset))
	rows, err := read(r, verb, r.h.store.dialect.adapt(query), page, (*organizationRow).fields)
	found, err := list(r, verb, rows, err, func(o organizationRow) (auth.Identity, error) { return o.identity(t) })
	if err != nil || p.Limit == 0 && p.Offset == 0 { // these are all
		return found, len(found), err
	}
	count, err := r.countOrganizations(t, p, f)
	return found, count, err
}

// countOrganizations counts those that f finds, and looks at none of them where it finds them all.
func (r reads) countOrganizations(t auth.TenantID, p auth.OrganizationFilter, f filter) (int, error) {
	const verb = "count organizations"
	if p.Name == "" && len(p.Managers) == 0 {
		n, err := r.counts(verb, t)
		return n.Organizations, err
	}
	query := r.h.store.dialect.adapt(named("CountOrganizations", f) + "SELECT COUNT(*)" + f.text)
	counts, err := read(r, verb, query, f, func(n *int) []any { return []any{n} })
	return one(r, verb, counts, err)
}

// organizationRow is one row of Organizations.
type organizationRow struct {
	id, name, profile, diligence string
	createdAt, suspendedAt       int64
	organization, manager        string
}

func (o *organizationRow) fields() []any {
	return []any{&o.id, &o.name, &o.profile, &o.diligence, &o.createdAt, &o.suspendedAt, &o.organization, &o.manager}
}

func (o organizationRow) identity(t auth.TenantID) (auth.Identity, error) {
	org, err := organizationOf(o.organization, o.manager)
	return auth.Identity{
		Tenant: t, Ref: auth.IdentityRef{Type: auth.Corporate, ID: o.id}, Name: o.name, Profile: o.profile,
		Diligence: auth.Diligence(o.diligence), CreatedAt: moment(o.createdAt), SuspendedAt: moment(o.suspendedAt), Organization: org,
	}, err
}
