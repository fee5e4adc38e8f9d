package auth

import (
	"slices"
	"strings"
)

// acts reports whether a user of these memberships acts for an organization now, in a client's application.
func (c *Client) acts(ms []Membership, org IdentityRef) bool {
	m, ok := memberOf(ms, org)
	return ok && m.Identity.Organization.lets(c)
}

// memberOf finds the active membership of an organization that is not suspended.
func memberOf(ms []Membership, org IdentityRef) (Membership, bool) {
	for _, m := range ms {
		if m.Identity.Ref == org && org.Type == Corporate && m.active() {
			return m, true
		}
	}
	return Membership{}, false
}

// organization is what a login in a client's application is for: the organization that the client names, else the one of the session that
// it joins, else the one whose domain is that of the user's verified e-mail address, if they are a member of it; a domain alone makes
// nobody a member. None of them is no refusal. Why one is not to be had is not told: there is none, the user is no member, one of the two
// is suspended, or the organization does not have the application.
//
// Error: CodeNotMember.
func (c *Client) organization(u User, ms []Membership, joined IdentityRef, id string) (IdentityRef, error) {
	named := joined
	if id != "" {
		named = IdentityRef{Corporate, id}
	}
	switch {
	case named.IsZero():
		return c.byDomain(u, ms), nil
	case !c.acts(ms, named):
		return IdentityRef{}, refuseField(CodeNotMember, "org_id")
	}
	return named, nil
}

func (c *Client) byDomain(u User, ms []Membership) IdentityRef {
	canonical, err := Canonical(ByEmail, u.Email)
	_, domain, _ := strings.Cut(canonical, "@")
	if err != nil || u.EmailVerifiedAt.IsZero() {
		return IdentityRef{}
	}
	for _, m := range ms {
		for _, d := range m.Identity.Organization.Domains {
			if d == domain && c.acts(ms, m.Identity.Ref) {
				return m.Identity.Ref
			}
		}
	}
	return IdentityRef{}
}

// Roles that every organization has, by the names of contract/cis §0.2.
const (
	roleCreator  = "organizationCreator" // of root users
	roleOrgAdmin = "organizationAdmin"   // RoleAdmin
)

// MemberRole is a role of a member as /cis shows it.
type MemberRole struct{ ID, Name, Display string }

// RolesOfMember lists what a member is for an organization: the roles that every one has, those of /multi by their own names, and those of one
// application, or of all for an empty id.
func (s *Service) RolesOfMember(m Membership, app AppID) []MemberRole {
	var all []MemberRole
	for _, name := range m.roleNames() {
		all = append(all, MemberRole{ID: name, Name: name})
	}
	d := s.dir.Load()
	for _, id := range m.AppRoles {
		if r := d.roles[roleRef{m.Tenant, id}]; r != nil && (app == "" || r.App == app) {
			all = append(all, MemberRole{string(r.ID), r.Name, r.DisplayName})
		}
	}
	return all
}

// roleNames are the roles that are every organization's, which are named by their ids.
func (m Membership) roleNames() []string {
	names := []string{}
	if m.Credential == Root {
		names = append(names, roleCreator)
	}
	for _, r := range m.Roles {
		if r == RoleAdmin {
			names = append(names, roleOrgAdmin)
		} else {
			names = append(names, string(r))
		}
	}
	return names
}

// memberRole reads the id of a role that a member may be given.
func memberRole(id string) (Role, bool) {
	if id == roleOrgAdmin {
		return RoleAdmin, true
	}
	r, ok := RoleNamed(id)
	return r, ok && id == string(r) && r != RoleAdmin
}

// roles lists the roles that the user of a token has for its organization, but for those of applications.
func (i issuance) roles() []string {
	if m, ok := memberOf(i.memberships, i.session.Org); ok {
		return m.roleNames()
	}
	return []string{}
}

// ownRoles are the roles of a client's application that the user of a token has: as a user, and as a member of the organization that the
// token is for.
func (s *Service) ownRoles(c *Client, i issuance) roleSet {
	ids := i.user.Profile.Roles
	if m, ok := memberOf(i.memberships, i.session.Org); ok {
		ids = slices.Clone(ids)
		for _, id := range m.AppRoles {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return s.dir.Load().roleSet(c.Tenant, c.AppID, ids)
}

// OrganizationRoles lists the roles that every organization has.
func OrganizationRoles() []MemberRole {
	return []MemberRole{{ID: roleCreator, Name: roleCreator}, {ID: roleOrgAdmin, Name: roleOrgAdmin}}
}

// bearerFor makes the session that of a token for an organization, which may be another than the session was made for. Error:
// CodeInvalidToken.
func (l *LiveSession) bearerFor(c *Client, id string) error {
	l.Session.Org = IdentityRef{}
	if id == "" {
		return nil
	}
	l.Session.Org = IdentityRef{Corporate, id}
	if c == nil || !c.acts(l.Memberships, l.Session.Org) {
		return refuse(CodeInvalidToken)
	}
	return nil
}
