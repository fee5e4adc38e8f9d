package auth

import (
	"slices"
	"strconv"
)

// Roles lists the roles a member may have, in the order of contract/multi §1.5.
func Roles() []Role {
	return []Role{RoleCardAssignee, RoleCardsManagement, RoleFundsManagement, RoleAccessManagement, RoleAdmin}
}

// ID names the role where the contract wants digits.
func (r Role) ID() string { return strconv.Itoa(slices.Index(Roles(), r) + 1) }

// RoleNamed finds a role by its name or id.
func RoleNamed(text string) (Role, bool) {
	for _, r := range Roles() {
		if text == string(r) || text == r.ID() {
			return r, true
		}
	}
	return "", false
}

// managesUsers reports whether a membership carries the management of the identity's users: a root user's does, and that of a member who
// is administrator or access manager (contract/multi §2.6).
func (m Membership) managesUsers() bool {
	return m.Credential == Root || slices.Contains(m.Roles, RoleAdmin) || slices.Contains(m.Roles, RoleAccessManagement)
}

// administers reports whether a membership carries more than an access manager's: nobody else makes an administrator of anybody, or
// changes one (B-57).
func (m Membership) administers() bool {
	return m.Credential == Root || slices.Contains(m.Roles, RoleAdmin)
}

// outranks reports whether a user manages another of the same identity. Nobody manages a root user.
func (m Membership) outranks(other Membership) bool {
	return m.managesUsers() && other.Credential != Root && (m.administers() || !other.administers())
}

// mayGive says why a user may not replace the roles of another, if they may not. Only a root user takes ADMIN away (contract/multi §2.6).
func (m Membership) mayGive(former, next []Role) *Error {
	had, has := slices.Contains(former, RoleAdmin), slices.Contains(next, RoleAdmin)
	switch {
	case had && !has && m.Credential != Root:
		return refuse(CodeAdminRemoval)
	case has && !had && !m.administers():
		return refuse(CodeNotPermitted)
	}
	return nil
}

// acting is a user who acts for an identity, as they are inside a transaction.
type acting struct {
	Bearer
	account Account
	as      Membership
}

// actingAs reads the holder of an access token anew: a suspension or a loss of roles that was committed first counts.
func (s *Service) actingAs(r Reads, b Bearer) (acting, *Error, error) {
	account, err := r.AccountByUser(b.Token.Tenant, b.User.ID)
	a := acting{Bearer: b, account: account}
	if err != nil {
		return a, nil, err
	}
	a.User, a.Memberships = account.User, account.Memberships
	m, acts := a.membership()
	if a.as = m; !acts || !m.active() || a.User.Status == UserSuspended || a.User.Epoch != b.Session.Epoch {
		return a, refuse(CodeInvalidToken), nil
	}
	return a, nil, nil
}
