package auth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// MemberManager manages members of organizations: a client, those of every organization of its tenant; or an administrator, those of the
// one that their token is for (contract/cis §0.2 OrgAdminAccessToken).
type MemberManager struct {
	Actor
	Admin *LiveSession // nil: a client
}

// AuthenticateMemberManager lets the bearer of a client's own access token in, or of the token of an organization's administrator. Each
// call looks at the latter's role again, since it may end at any time.
//
// Errors: those of AuthenticateUserToken, CodeInvalidToken also for the token of a user that is for no organization; CodeNotPermitted.
func (s *Service) AuthenticateMemberManager(ctx context.Context, token string, via Via) (MemberManager, error) {
	by, err := s.AuthenticateClientToken(ctx, token, via)
	if CodeOf(err) != CodeInvalidToken {
		return MemberManager{Actor: by}, err
	}
	by, live, err := s.AuthenticateUserToken(ctx, token, via)
	if err != nil {
		return MemberManager{Actor: by}, err
	}
	switch as, ok := memberOf(live.Memberships, live.Session.Org); {
	case !ok:
		err = refuse(CodeInvalidToken)
	case !as.administers():
		err = refuse(CodeNotPermitted)
	}
	return MemberManager{by, &live}, err
}

// id names the manager to other members.
func (by MemberManager) id() string {
	if by.Admin != nil {
		return string(by.Admin.User.ID)
	}
	return string(by.Client)
}

// managing is one manager's dealing with one organization, as it is inside a transaction.
type managing struct {
	MemberManager
	org Identity
	as  Membership // of an administrator
}

// managing reads both sides. To an administrator an organization that is not theirs is one that does not exist, and a role
// or a membership that was taken away first counts.
//
// Verdicts: CodeNotPermitted, CodeInvalidToken; to a client CodeNotFound.
func (s *Service) managing(r Reads, by MemberManager, org string) (managing, *Error, error) {
	m := managing{MemberManager: by}
	if by.Admin != nil {
		if by.Admin.Session.Org.ID != org {
			return m, refuse(CodeNotPermitted), nil
		}
		account, err := r.AccountByUser(by.Tenant, by.Admin.User.ID)
		if err != nil {
			return m, nil, err
		}
		as, ok := memberOf(account.Memberships, by.Admin.Session.Org)
		switch {
		case !ok || account.User.Status == UserSuspended || account.User.Epoch != by.Admin.Session.Epoch:
			return m, refuse(CodeInvalidToken), nil
		case !as.administers():
			return m, refuse(CodeNotPermitted), nil
		}
		m.as = as
	}
	var no *Error
	var err error
	m.org, no, err = organizationIn(r, by.Tenant, org)
	return m, no, err
}

// target is one member, as a manager deals with them.
type target struct {
	Account
	with Membership
}

func (m managing) target(r Reads, id UserID) (target, *Error, error) {
	a, err := r.AccountByUser(m.Tenant, id)
	if errors.Is(err, ErrNotFound) {
		return target{}, refuse(CodeUserNotFound), nil
	}
	for _, with := range a.Memberships {
		if with.Identity.Ref == m.org.Ref {
			return target{a, with}, nil, err
		}
	}
	return target{}, refuse(CodeUserNotFound), err
}

// mayManage says why a member is not the manager's to change, if they are not. An administrator changes no root user, and not themself.
func (m managing) mayManage(t target) *Error {
	if m.Admin != nil && (t.User.ID == m.as.User || !m.as.outranks(t.with)) {
		return refuse(CodeNotPermitted)
	}
	return nil
}

// NewMember is a member whom an organization gets. Of a user who is there already nothing of NewUser counts but who they are.
type NewMember struct {
	NewUser
	Department, Title, Manager string
	Roles                      []string // as MemberRole.ID
	Suspended                  bool
	Invite                     bool // by e-mail, to make a password with
}

// MemberInviteFor is how long an invite of an organization is good; contract/cis §1.7.
const MemberInviteFor = 48 * time.Hour

// adminsOnly says what an administrator may not give a user, if they want to: what proves the user, and what the tenant's applications keep
// with and believe of them (B-57).
func (in NewMember) adminsOnly() *Error {
	p := in.Profile
	if in.Password != nil || p.ExternalUserID != "" || p.ExternalAccountID != "" || p.CustomData != "" || p.CustomAppData != "" {
		return refuse(CodeNotPermitted)
	}
	return nil
}

// AddOrganizationMember makes a user who is a member of an organization, or links one who is there, of whom nothing is changed
// (contract/cis §1.7). To be linked, the user has to have all of the identifiers that are given, and one of them has to be known to be
// theirs: an address or number that is verified, or to a client the username or external id.
//
// Errors: those of managing; CodeIdentifierInvalid, CodeIdentifierRequired, CodeInputTooLong, the policy's, CodeOverloaded,
// CodeRoleNotFound, CodeUserExists, CodeMemberExists, CodeThrottled.
func (s *Service) AddOrganizationMember(ctx context.Context, by MemberManager, org string, in NewMember) (UserID, error) {
	now := s.now()
	u := in.user(by.Tenant, now)
	if no := profileFit(u.Profile); no != nil {
		return "", no
	}
	ids, err := identifiersOf(u)
	if err != nil {
		return "", err
	}
	if no := in.adminsOnly(); by.Admin != nil && no != nil {
		return "", no
	}
	for {
		password, err := s.memberPassword(ctx, by, org, u, ids, in.Password)
		if err != nil {
			return "", err
		}
		id, err := decide(ctx, s, by.Actor, func(tx Tx) (UserID, *Error, error) {
			m, no, err := s.managing(tx, by, org)
			if err != nil || no != nil {
				return "", no, err
			}
			return s.addMember(tx, m, u, ids, password, in, now)
		})
		if !errors.Is(err, ErrRaced) {
			return id, err
		}
	}
}

// memberPassword hashes the password of a new user, before the transaction; nil when none is given or the user is there.
func (s *Service) memberPassword(
	ctx context.Context, by MemberManager, org string, u User, ids []Identifier, in *NewPassword,
) (*Password, error) {
	if in == nil {
		return nil, nil
	}
	var holder Account
	err := s.store.View(ctx, func(r Reads) error {
		m, no, err := s.managing(r, by, org)
		if err == nil && no == nil {
			holder, no, err = m.holder(r, ids)
		}
		return orVerdict(err, no)
	})
	if err != nil || holder.Found {
		return nil, err
	}
	return s.checkedPassword(ctx, by.Actor, u, *in)
}

// holder finds the user who is there under the identifiers of a new member; one who is not Found is new. Verdict: CodeUserExists.
func (m managing) holder(r Reads, ids []Identifier) (Account, *Error, error) {
	var found Account
	held, known := 0, false
	for _, id := range ids[1:] { // the first is the id that a new user would get
		a, err := r.AccountByIdentifier(m.Tenant, id.Kind, id.Canonical, "")
		if err != nil {
			return a, nil, err
		}
		if !a.Found {
			continue
		}
		if held > 0 && a.User.ID != found.User.ID {
			return a, refuse(CodeUserExists), nil
		}
		held, found = held+1, a
		switch id.Kind {
		case ByEmail:
			known = known || !a.User.EmailVerifiedAt.IsZero()
		case ByPhone:
			known = known || !a.User.PhoneVerifiedAt.IsZero()
		default:
			known = known || m.Admin == nil
		}
	}
	if held > 0 && (!known || held < len(ids)-1) {
		return found, refuse(CodeUserExists), nil
	}
	return found, nil, nil
}

// givenRoles are the roles that a member is to have.
type givenRoles struct {
	creator bool
	roles   []Role
	apps    []RoleID // of applications
}

// given reads the roles that a member is to have; fits says which of the tenant's applications' roles may be among them. Only a client makes
// a root user, and nobody gives more than an administrator's roles away who is not one, nor a role of an application that they do not have.
func (m managing) given(d *directory, former []Role, ids []string, fits func(AppRole) bool) (g givenRoles, no *Error) {
	for _, id := range ids {
		if id == roleCreator {
			g.creator = true
			continue
		}
		if r, ok := memberRole(id); ok {
			if !slices.Contains(g.roles, r) {
				g.roles = append(g.roles, r)
			}
			continue
		}
		r := d.roles[roleRef{m.Tenant, RoleID(id)}]
		if r == nil || r.App == "" || !fits(*r) {
			return g, refuseField(CodeRoleNotFound, "role_ids")
		}
		if !slices.Contains(g.apps, r.ID) {
			g.apps = append(g.apps, r.ID)
		}
	}
	if m.Admin == nil {
		return g, nil
	}
	if g.creator || slices.ContainsFunc(g.apps, func(id RoleID) bool { return !slices.Contains(m.as.AppRoles, id) }) {
		return g, refuse(CodeNotPermitted)
	}
	return g, m.as.mayGive(former, g.roles)
}

func (s *Service) addMember(
	tx Tx, m managing, u User, ids []Identifier, p *Password, in NewMember, now time.Time,
) (UserID, *Error, error) {
	ofOurs := func(r AppRole) bool { o := m.org.Organization; return !o.Limited || slices.Contains(o.Apps, r.App) }
	given, no := m.given(s.dir.Load(), nil, in.Roles, ofOurs)
	if no != nil {
		return "", no, nil
	}
	holder, no, err := m.holder(tx, ids)
	if err != nil || no != nil {
		return "", no, err
	}
	with := Membership{
		Tenant: m.Tenant, User: u.ID, Identity: m.org, Credential: Member, Roles: given.roles,
		AppRoles: given.apps,
		Info:     MemberInfo{Department: in.Department, Title: in.Title, Manager: in.Manager, AddedBy: m.id(), AddedAt: now, UpdatedAt: now},
	}
	if given.creator {
		with.Credential = Root
	}
	if in.Suspended {
		with.SuspendedAt = now
	}
	note := "a new user"
	switch {
	case holder.Found:
		with.User, with.Position, with.Info.Linked, note = holder.User.ID, nextPosition(holder.Memberships), true, "a user who was there"
	case in.Password != nil && p == nil:
		return "", nil, ErrRaced // the user has gone meanwhile
	default:
		if err := s.addUser(tx, m.Actor, u, ids, p, now); err != nil {
			return "", nil, err
		}
	}
	if err := tx.AddMembership(with); errors.Is(err, ErrExists) {
		return "", refuse(CodeMemberExists), nil
	} else if err != nil {
		return "", nil, err
	}
	e := m.event(s, EventMemberAdded, with.User, now)
	e.Note = note
	if err := tx.AddEvents(e); err != nil || !in.Invite {
		return with.User, nil, err
	}
	return with.User, nil, s.inviteMember(tx, m, with.User, now)
}

// nextPosition is behind the last membership of a user.
func nextPosition(ms []Membership) int {
	next := 0
	for _, m := range ms {
		next = max(next, m.Position+1)
	}
	return next
}

func (m managing) event(s *Service, kind EventKind, id UserID, now time.Time) Event {
	e := s.event(m.Actor, kind, now)
	e.User, e.Identity = id, m.org.Ref
	if m.Admin != nil {
		e.Actor, e.Session = "user:"+string(m.as.User), m.Admin.Session.ID
	}
	return e
}

// inviteMember sends a member a code to make a password with, who has none yet and an address to send it to. A refusal undoes what was
// written before.
func (s *Service) inviteMember(tx Tx, m managing, id UserID, now time.Time) error {
	a, err := tx.AccountByUser(m.Tenant, id)
	if err != nil || a.Password.Hash != "" || a.User.Email == "" || !notSuspended(a) {
		return err
	}
	c := mailed(a, PurposeInvite, m.org.Ref)
	c.ExpiresAt = now.Add(MemberInviteFor)
	c, no, err := s.mail(tx, m.Actor, a, c, TemplateInvite, "", now)
	if err != nil || no != nil {
		return orVerdict(err, no)
	}
	return tx.AddEvents(s.challengeEvent(m.Actor, EventInvited, c, "", now))
}

// MemberFields are what is changed of a membership; nil leaves a field as it is.
type MemberFields struct {
	Department, Title, Manager *string
	Suspended                  *bool
}

// ChangeOrganizationMember changes what an organization keeps of its member, or suspends the membership: then the member acts for the
// organization no more, on both contracts and at once, and no refresh token for it comes back to life (contract/cis §1.7, §1.8). The user
// stays as they are for others.
//
// Errors: those of managing; CodeUserNotFound, CodeNotPermitted.
func (s *Service) ChangeOrganizationMember(ctx context.Context, by MemberManager, org string, id UserID, in MemberFields) error {
	return s.editMember(ctx, by, org, id, func(tx Tx, m managing, t *target, now time.Time) ([]Event, error) {
		var changed []string
		put(&changed, "department", &t.with.Info.Department, in.Department)
		put(&changed, "title", &t.with.Info.Title, in.Title)
		put(&changed, "manager", &t.with.Info.Manager, in.Manager)
		var events []Event
		if len(changed) > 0 {
			e := m.event(s, EventMemberChanged, id, now)
			e.Note = strings.Join(changed, " ")
			events = append(events, e)
		}
		if in.Suspended == nil || *in.Suspended == !t.with.SuspendedAt.IsZero() {
			return events, nil
		}
		if !*in.Suspended {
			return s.resumeMember(tx, m, t, events, now)
		}
		t.with.SuspendedAt = now
		if err := s.memberLeaves(tx, m, *t, "TEMPORARY", s.dir.Load().keepers(m.Tenant, onSuspension), now); err != nil {
			return nil, err
		}
		return append(events, m.event(s, EventMemberSuspended, id, now)), nil
	})
}

// memberLeaves ends what a member has under way for the organization, and tells the tenant's webhook (contract/multi §4.2).
func (s *Service) memberLeaves(tx Tx, m managing, t target, reason string, spared []ClientID, now time.Time) error {
	if err := s.endMembership(tx, m.Actor, t.User.ID, m.org.Ref, spared, now); err != nil {
		return err
	}
	return s.announce(tx, m.Tenant, News{
		Kind: NewsUserDeactivated, At: now, User: t.User.ID, Credential: t.with.Credential, Identity: m.org.Ref, Email: t.User.Email,
		DoneBy: "ADMIN", Reason: reason,
	})
}

// resumeMember lifts the suspension of a membership, and that of the user if it was one and the same (see DeactivateMember).
func (s *Service) resumeMember(tx Tx, m managing, t *target, events []Event, now time.Time) ([]Event, error) {
	u := t.User
	if u.Status == UserSuspended && t.with.SuspendedAt.Equal(u.StatusChangedAt) {
		to, _ := u.Status.next(UserIsResumed)
		if moved, err := tx.MoveUserStatus(u.Tenant, u.ID, u.Status, to, now); err != nil || !moved {
			return nil, errors.Join(err, raced(moved))
		}
		events = append(events, m.event(s, EventResumed, u.ID, now))
	}
	t.with.SuspendedAt = time.Time{}
	return append(events, m.event(s, EventMemberResumed, u.ID, now)), nil
}

// editMember makes one change of one membership. No events are no change.
func (s *Service) editMember(
	ctx context.Context, by MemberManager, org string, id UserID,
	change func(Tx, managing, *target, time.Time) ([]Event, error),
) error {
	now := s.now()
	_, err := decide(ctx, s, by.Actor, func(tx Tx) (UserID, *Error, error) {
		m, t, no, err := s.managingMember(tx, by, org, id)
		if err == nil && no == nil {
			no = m.mayManage(t)
		}
		if err != nil || no != nil {
			return "", no, err
		}
		events, err := change(tx, m, &t, now)
		if err != nil || len(events) == 0 {
			return id, nil, err
		}
		t.with.Info.UpdatedAt = now
		if err := tx.PutMembership(t.with); err != nil {
			return id, nil, err
		}
		return id, nil, tx.AddEvents(events...)
	})
	s.nudge()
	return err
}

func (s *Service) managingMember(r Reads, by MemberManager, org string, id UserID) (managing, target, *Error, error) {
	m, no, err := s.managing(r, by, org)
	if err != nil || no != nil {
		return m, target{}, no, err
	}
	t, no, err := m.target(r, id)
	return m, t, no, err
}
