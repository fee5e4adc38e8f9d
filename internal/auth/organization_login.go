package auth

import "strings"

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
type MemberRole struct{ ID, Name string }

// MemberRoles lists what a member is for an organization: the roles that every one has, and those of /multi by their own names.
func (m Membership) MemberRoles() []MemberRole {
	var all []MemberRole
	if m.Credential == Root {
		all = append(all, MemberRole{roleCreator, roleCreator})
	}
	for _, r := range m.Roles {
		name := string(r)
		if r == RoleAdmin {
			name = roleOrgAdmin
		}
		all = append(all, MemberRole{name, name})
	}
	return all
}

// memberRole reads the id of a role that a member may be given.
func memberRole(id string) (Role, bool) {
	if id == roleOrgAdmin {
		return RoleAdmin, true
	}
	r, ok := RoleNamed(id)
	return r, ok && id == string(r) && r != RoleAdmin
}

// roles lists the roles that the user of a token has for its organization.
func (i issuance) roles() []string {
	ids := []string{}
	if m, ok := memberOf(i.memberships, i.session.Org); ok {
		for _, r := range m.MemberRoles() {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// OrganizationRoles lists the roles that every organization has.
func OrganizationRoles() []MemberRole {
	return []MemberRole{{roleCreator, roleCreator}, {roleOrgAdmin, roleOrgAdmin}}
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
