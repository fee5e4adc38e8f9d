package auth

import (
	"context"
	"errors"
	"slices"
)

// OrganizationMember is a member as a manager sees them.
type OrganizationMember struct {
	Account
	Membership Membership
}

// MemberSearch chooses among the members of an organization; zero fields do not.
type MemberSearch struct {
	Filter string   // as ParseUserFilter has it
	Roles  []string // any of them, by MemberRole.Name
	Offset int
	Limit  int
	Member func(object string, path []string) []FilterValue // see UserSearch
}

// shown is a member as the manager may see them. To an administrator a user whom the organization only linked is who they have invited, and
// no more; what the tenant's applications keep with a user is none of theirs.
func (m managing) shown(a Account, with Membership) OrganizationMember {
	if m.Admin == nil {
		return OrganizationMember{a, with}
	}
	p := &a.User.Profile
	p.ExternalUserID, p.ExternalAccountID, p.CustomData, p.CustomAppData = "", "", "", ""
	if u := a.User; with.Info.Linked {
		a = Account{Found: true, User: User{
			Tenant: u.Tenant, ID: u.ID, Status: u.Status, Email: u.Email, EmailVerifiedAt: u.EmailVerifiedAt, CreatedAt: with.Info.AddedAt,
			UpdatedAt: with.Info.UpdatedAt,
		}}
	}
	return OrganizationMember{a, with}
}

// OrganizationMembers lists the members of an organization by the time they were made, and counts all that the search lets through
// (contract/cis §1.7). Their passwords and logins are not read.
//
// Errors: those of managing; CodeSearchInvalid.
func (s *Service) OrganizationMembers(
	ctx context.Context, by MemberManager, org string, in MemberSearch,
) ([]OrganizationMember, int, error) {
	var f UserFilter
	if in.Filter != "" {
		var err error
		if f, err = ParseUserFilter(in.Filter); err != nil {
			return nil, 0, err
		}
	}
	var found []OrganizationMember
	count := 0
	err := s.readCurrent(ctx, by.Actor, func(r Reads) error {
		m, no, err := s.managing(r, by, org)
		if err != nil || no != nil {
			return orVerdict(err, no)
		}
		everybody := in.Filter == "" && len(in.Roles) == 0
		var page PersonFilter // zero: all, who are to be looked at
		if everybody {
			page.Offset, page.Limit = in.Offset, in.Limit
		}
		people, n, err := r.People(by.Tenant, m.org.Ref, page)
		if err != nil {
			return err
		}
		all := make([]OrganizationMember, len(people))
		for i, p := range people {
			all[i] = m.shown(Account{Found: true, User: p.User, Subject: SubjectOf(p.User.ID)}, p.Membership)
		}
		if found, count = all, n; !everybody {
			all = slices.DeleteFunc(all, func(o OrganizationMember) bool {
				return !f.match(o.Account, in.Member) || !s.hasAny(o.Membership, in.Roles)
			})
			from := min(in.Offset, len(all))
			found, count = all[from:min(from+in.Limit, len(all))], len(all)
		}
		return nil
	})
	return found, count, err
}

// hasAny reports whether a member has one of some roles, or none is asked for.
func (s *Service) hasAny(m Membership, names []string) bool {
	return len(names) == 0 || slices.ContainsFunc(s.RolesOfMember(m, ""), func(r MemberRole) bool { return slices.Contains(names, r.Name) })
}

// OrganizationMember finds a member of an organization.
//
// Errors: those of managing; CodeUserNotFound.
func (s *Service) OrganizationMember(ctx context.Context, by MemberManager, org string, id UserID) (OrganizationMember, error) {
	var one OrganizationMember
	err := s.readCurrent(ctx, by.Actor, func(r Reads) error {
		m, t, no, err := s.managingMember(r, by, org, id)
		one = m.shown(t.Account, t.with)
		return orVerdict(err, no)
	})
	return one, err
}

// MemberOrganizations lists the memberships of a user in organizations; to an administrator the one in theirs alone (contract/cis §1.7).
//
// Errors: CodeNotPermitted, CodeInvalidToken, CodeUserNotFound.
func (s *Service) MemberOrganizations(ctx context.Context, by MemberManager, id UserID) ([]Membership, error) {
	var all []Membership
	err := s.readCurrent(ctx, by.Actor, func(r Reads) error {
		if by.Admin != nil {
			_, t, no, err := s.managingMember(r, by, by.Admin.Session.Org.ID, id)
			all = []Membership{t.with}
			return orVerdict(err, no)
		}
		a, err := r.AccountByUser(by.Tenant, id)
		if errors.Is(err, ErrNotFound) {
			return refuse(CodeUserNotFound)
		}
		all = slices.DeleteFunc(a.Memberships, func(m Membership) bool { return m.Identity.Ref.Type != Corporate })
		return err
	})
	return all, err
}

// ChangeMemberUser changes the user who is a member (contract/cis §1.7). A client may, as by ChangeUser. An administrator may change a user
// whom their organization made and who acts for no other, and what codes are sent to only until that user has come in: from then on it is
// the user's own (B-57).
//
// Errors: those of managing; CodeUserNotFound, CodeNotPermitted, CodeIdentifierInvalid, CodeUserExists.
func (s *Service) ChangeMemberUser(ctx context.Context, by MemberManager, org string, id UserID, in UserFields) error {
	err := s.store.View(ctx, func(r Reads) error {
		_, _, no, err := s.managingMember(r, by, org, id)
		return orVerdict(err, no)
	})
	if err != nil {
		return err
	}
	_, err = s.editUser(ctx, by.Actor, id, func(tx Tx, e *edit, _ Account) (*Error, error) {
		m, t, no, err := s.managingMember(tx, by, org, id)
		if err == nil && no == nil {
			no = m.mayEdit(t, in)
		}
		if err == nil && no == nil {
			e.person.Membership = t.with // for the event
			no = e.fillUser(in)
		}
		return no, err
	})
	return err
}

// mayEdit says why the person of a member is not the manager's to change, if it is not.
func (m managing) mayEdit(t target, in UserFields) *Error {
	if m.Admin == nil {
		return nil
	}
	came := t.User.Status != UserPending || t.Password.Hash != ""
	if t.with.Info.Linked || len(t.Memberships) > 1 || came && (in.Email != nil || in.Phone != nil || in.Username != nil) {
		return refuse(CodeNotPermitted)
	}
	return m.mayManage(t)
}

// RemoveOrganizationMember takes a member from an organization; what that ends is as for DeleteOrganization. The user stays one of the
// tenant.
//
// Errors: those of managing; CodeUserNotFound, CodeNotPermitted.
func (s *Service) RemoveOrganizationMember(ctx context.Context, by MemberManager, org string, id UserID) error {
	now := s.now()
	_, err := decide(ctx, s, by.Actor, func(tx Tx) (UserID, *Error, error) {
		m, t, no, err := s.managingMember(tx, by, org, id)
		if err == nil && no == nil {
			no = m.mayManage(t)
		}
		if err != nil || no != nil {
			return "", no, err
		}
		if err := s.memberLeaves(tx, m, t, "UNDEFINED_REASON", nil, now); err != nil {
			return "", nil, err
		}
		if _, err := tx.DropMembership(by.Tenant, id, m.org.Ref); err != nil {
			return "", nil, err
		}
		return id, nil, tx.AddEvents(m.event(s, EventMemberRemoved, id, now))
	})
	s.nudge()
	return err
}

// SetMemberRoles replaces the roles of a member, for a client that administers the tenant: those that every organization has, and those of
// one application; its roles in others stay. A root user stays one. Refresh tokens for the organization are revoked (contract/cis §1.7,
// §1.8), but for those of applications that keep them.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeAppNotFound, CodeNotFound, CodeUserNotFound, CodeRoleNotFound, CodeNotPermitted.
func (s *Service) SetMemberRoles(ctx context.Context, by Actor, app, org string, id UserID, ids []string) error {
	if err := s.manages(by); err != nil {
		return err
	}
	now, manager := s.now(), MemberManager{Actor: by}
	_, err := decide(ctx, s, by, func(tx Tx) (UserID, *Error, error) {
		if _, no := s.knownApps(by.Tenant, []string{app}); no != nil {
			return "", no, nil
		}
		m, t, no, err := s.managingMember(tx, manager, org, id)
		if err != nil || no != nil {
			return "", no, err
		}
		d := s.dir.Load()
		given, no := m.given(d, t.with.Roles, ids, func(r AppRole) bool { return r.App == app })
		if no == nil && given.creator && t.with.Credential != Root {
			no = refuse(CodeNotPermitted)
		}
		for _, had := range t.with.AppRoles {
			if r := d.roles[roleRef{by.Tenant, had}]; r != nil && r.App != app {
				given.apps = append(given.apps, had)
			}
		}
		if no != nil || sameSet(given.roles, t.with.Roles) && sameSet(given.apps, t.with.AppRoles) {
			return id, no, nil
		}
		t.with.Roles, t.with.AppRoles, t.with.Info.UpdatedAt = given.roles, given.apps, now
		if err := tx.PutMembership(t.with); err != nil {
			return id, nil, err
		}
		if _, err := tx.RevokeRefreshOf(by.Tenant, id, m.org.Ref, d.keepers(by.Tenant, onRoles), now); err != nil {
			return id, nil, err
		}
		e := m.event(s, EventMemberChanged, id, now)
		e.Note = "roles"
		return id, nil, tx.AddEvents(e)
	})
	return err
}

// sameSet reports whether two lists, which name nothing twice, are the same set.
func sameSet[T comparable](a, b []T) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(r T) bool { return !slices.Contains(b, r) })
}
