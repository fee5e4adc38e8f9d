package auth

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// RoleID names a role within its tenant.
type RoleID string

// AppRole is a role of an application's users, or of the tenant's clients when it has no application (contract/cis §0.2, §1.8). What users
// may do for an identity on /multi is another thing, a Role.
type AppRole struct {
	Tenant      TenantID
	ID          RoleID
	App         AppID // empty: of clients
	Name        string
	DisplayName string
	Description string
	Permissions []string
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

type roleRef struct {
	tenant TenantID
	id     RoleID
}

// rolesOf lists the roles of an application's users, or of clients, by name.
func (d *directory) rolesOf(t TenantID, app AppID) []AppRole {
	var all []AppRole
	for _, r := range d.Directory.Roles {
		if r.Tenant == t && r.App == app {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b AppRole) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return all
}

// roleSet is what some of an application's roles, or of clients', come to. Ids of roles that are no more, or another application's, count for
// nothing.
type roleSet struct {
	ids, names, permissions []string
}

func (d *directory) roleSet(t TenantID, app AppID, ids []RoleID) roleSet {
	set := roleSet{ids: []string{}, names: []string{}, permissions: []string{}}
	for _, id := range ids {
		r := d.roles[roleRef{t, id}]
		if r == nil || r.App != app {
			continue
		}
		set.ids, set.names = append(set.ids, string(r.ID)), append(set.names, r.Name)
		set.permissions = append(set.permissions, r.Permissions...)
	}
	slices.Sort(set.permissions)
	set.permissions = slices.Compact(set.permissions)
	return set
}

// permits reports whether a role's permissions are enough for one of those that a call needs: any of them is (contract/cis §0.2). [appId] in
// a need is the client's application; a permission may have * for the resource, the action or both.
func (c *Client) permits(permissions, needs []string) bool {
	for _, need := range needs {
		need = strings.ReplaceAll(need, "[appId]", string(c.AppID))
		resource, action, _ := strings.Cut(need, ":")
		for _, p := range permissions {
			if p == need || p == resource+":*" || p == "*:"+action || p == "*:*" || p == "*" {
				return true
			}
		}
	}
	return false
}

// permitted reports whether the actor's client has what the call needs; a client without a role has it all. It looks at the roles as they are
// and not at the token: a role that is taken away counts for nothing from the next request.
//
// Error: CodeClientRefused.
func (d *directory) permitted(by Actor) error {
	c := d.clients[by.Client]
	if c == nil || by.Needs == "" || c.Kind == ClientManagement || len(c.Roles) == 0 {
		return nil
	}
	if !c.permits(d.roleSet(c.Tenant, "", c.Roles).permissions, strings.Fields(by.Needs)) {
		return refuse(CodeClientRefused)
	}
	return nil
}

// Roles lists the roles of an application's users, or, for an empty id, of clients.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeAppNotFound.
func (s *Service) Roles(ctx context.Context, by Actor, app AppID) ([]AppRole, error) {
	d, err := s.present(ctx, by)
	if err == nil {
		err = s.manages(by)
	}
	if err == nil {
		err = d.hasApp(by.Tenant, app)
	}
	if err != nil {
		return nil, err
	}
	return d.rolesOf(by.Tenant, app), nil
}

// hasApp reports whether there is the application; clients, which the empty id stands for, are always there.
func (d *directory) hasApp(t TenantID, app AppID) error {
	if app != "" && d.apps[appRef{t, app}] == nil {
		return refuse(CodeAppNotFound)
	}
	return nil
}

// role finds one role of an application, or of clients.
//
// Errors: CodeAppNotFound, CodeAppRoleNotFound.
func (d *directory) role(t TenantID, app AppID, id RoleID) (AppRole, error) {
	if err := d.hasApp(t, app); err != nil {
		return AppRole{}, err
	}
	r := d.roles[roleRef{t, id}]
	if r == nil || r.App != app {
		return AppRole{}, refuse(CodeAppRoleNotFound)
	}
	return *r, nil
}

// Role finds one role.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeAppNotFound, CodeAppRoleNotFound.
func (s *Service) Role(ctx context.Context, by Actor, app AppID, id RoleID) (AppRole, error) {
	d, err := s.present(ctx, by)
	if err == nil {
		err = s.manages(by)
	}
	if err != nil {
		return AppRole{}, err
	}
	return d.role(by.Tenant, app, id)
}

// nameFree reports whether no other role of the application has the name.
func (d *directory) nameFree(r AppRole) error {
	for _, other := range d.rolesOf(r.Tenant, r.App) {
		if other.Name == r.Name && other.ID != r.ID {
			return refuseField(CodeAppRoleExists, "role_name")
		}
	}
	return nil
}

// CreateRole adds a role, whose name must be free among those of its application, or of clients.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeAppNotFound, CodeAppRoleExists.
func (s *Service) CreateRole(ctx context.Context, by Actor, r AppRole) (AppRole, error) {
	now := s.now()
	r.Tenant, r.ID, r.CreatedAt, r.UpdatedAt = by.Tenant, RoleID(randomText(16)), now, now
	return r, s.administer(ctx, by, func(tx Tx, d *directory) (Event, error) {
		if err := d.hasApp(by.Tenant, r.App); err != nil {
			return Event{}, err
		}
		if err := d.nameFree(r); err != nil {
			return Event{}, err
		}
		return s.note(by, EventRoleCreated, string(r.ID), now), tx.PutRole(r)
	})
}

// ChangeRole changes a role; who has it has what it comes to from the next token, and a client from the next request. change may be called more
// than once.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeAppNotFound, CodeAppRoleNotFound, CodeAppRoleExists.
func (s *Service) ChangeRole(ctx context.Context, by Actor, app AppID, id RoleID, change func(*AppRole)) (AppRole, error) {
	var out AppRole
	err := s.administer(ctx, by, func(tx Tx, d *directory) (Event, error) {
		r, err := d.role(by.Tenant, app, id)
		if err != nil {
			return Event{}, err
		}
		change(&r)
		r.UpdatedAt = s.now()
		if err := d.nameFree(r); err != nil {
			return Event{}, err
		}
		out = r
		return s.note(by, EventRoleChanged, string(id), r.UpdatedAt), tx.PutRole(r)
	})
	return out, err
}

// DeleteRole deletes a role; who had it has it no more. A role that clients have stays: without it they might do everything.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeAppNotFound, CodeAppRoleNotFound, CodeAppRoleInUse.
func (s *Service) DeleteRole(ctx context.Context, by Actor, app AppID, id RoleID) error {
	return s.administer(ctx, by, func(tx Tx, d *directory) (Event, error) {
		if _, err := d.role(by.Tenant, app, id); err != nil {
			return Event{}, err
		}
		for _, c := range d.Directory.Clients {
			if app == "" && c.Tenant == by.Tenant && c.DisabledAt.IsZero() && slices.Contains(c.Roles, id) {
				return Event{}, refuse(CodeAppRoleInUse)
			}
		}
		_, err := tx.DropRole(by.Tenant, id)
		return s.note(by, EventRoleDeleted, string(id), s.now()), err
	})
}

// Bearer kinds of a role.
const (
	EntityUser        = "User"
	EntityApplication = "Application" // its clients' own tokens name the role
	EntityGroup       = "Group"       // there are none
)

// AssignRole gives a role to users or to applications, all of them or none.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeAppNotFound, CodeAppRoleNotFound, CodeEntityNotFound.
func (s *Service) AssignRole(ctx context.Context, by Actor, app AppID, id RoleID, kind string, entities []string) error {
	return s.assign(ctx, by, app, id, func(tx Tx, d *directory) error {
		for _, entity := range entities {
			if err := s.bestow(tx, by, d, id, kind, entity); err != nil {
				return err
			}
		}
		return nil
	})
}

// RemoveRole takes a role from a user or an application.
//
// Errors: as AssignRole; CodeEntityNotFound for one who does not have it.
func (s *Service) RemoveRole(ctx context.Context, by Actor, app AppID, id RoleID, entity string) error {
	return s.assign(ctx, by, app, id, func(tx Tx, d *directory) error {
		a := d.apps[appRef{by.Tenant, AppID(entity)}]
		if a == nil || !slices.Contains(a.Roles, id) {
			return s.editRoles(tx, by, UserID(entity), func(had []RoleID) []RoleID {
				return slices.DeleteFunc(slices.Clone(had), func(r RoleID) bool { return r == id })
			})
		}
		changed := *a
		changed.Roles = slices.DeleteFunc(slices.Clone(a.Roles), func(r RoleID) bool { return r == id })
		return tx.PutApplication(changed)
	})
}

// assign makes one change of who has a role.
func (s *Service) assign(ctx context.Context, by Actor, app AppID, id RoleID, change func(Tx, *directory) error) error {
	return s.administer(ctx, by, func(tx Tx, d *directory) (Event, error) {
		if _, err := d.role(by.Tenant, app, id); err != nil {
			return Event{}, err
		}
		return s.note(by, EventRoleAssigned, string(id), s.now()), change(tx, d)
	})
}

// bestow gives a role to one user or application.
func (s *Service) bestow(tx Tx, by Actor, d *directory, id RoleID, kind, entity string) error {
	switch kind {
	case EntityUser:
		return s.editRoles(tx, by, UserID(entity), func(had []RoleID) []RoleID {
			if slices.Contains(had, id) {
				return had
			}
			return append(slices.Clone(had), id)
		})
	case EntityApplication:
		if a := d.apps[appRef{by.Tenant, AppID(entity)}]; a != nil {
			changed := *a
			if !slices.Contains(a.Roles, id) {
				changed.Roles = append(slices.Clone(a.Roles), id)
			}
			return tx.PutApplication(changed)
		}
	}
	return refuse(CodeEntityNotFound)
}

// editRoles changes the roles of one user. Removing what they do not have is CodeEntityNotFound.
func (s *Service) editRoles(tx Tx, by Actor, id UserID, change func([]RoleID) []RoleID) error {
	a, err := tx.AccountByUser(by.Tenant, id)
	if errors.Is(err, ErrNotFound) {
		return refuse(CodeEntityNotFound)
	}
	if err != nil {
		return err
	}
	had := a.User.Profile.Roles
	a.User.Profile.Roles = change(had)
	if len(a.User.Profile.Roles) == len(had) {
		return nil
	}
	a.User.UpdatedAt = s.now()
	e := s.event(by, EventUserChanged, a.User.UpdatedAt)
	e.User, e.Note = id, "roles"
	if err := s.putUser(tx, a.User); err != nil {
		return err
	}
	return tx.AddEvents(e)
}
