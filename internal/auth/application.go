package auth

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// AppID names an application within its tenant.
type AppID = string

// Application is what a user logs in to: one or more clients under one name (contract/cis §1.8). A management client belongs to none.
type Application struct {
	Tenant      TenantID
	ID          AppID
	Name        string
	Description string
	Logo        string   // a URI
	LoginURI    string   // where its users log in
	InviteURI   string   // where an invited member of an organization is sent
	Roles       []RoleID // of user roles, that its clients' own tokens name
	Keeps       RefreshKeeping
	Methods     Methods  // how its users prove themselves, where not as the tenant says
	CreatedBy   ClientID // empty: by an operator, or with the starting state
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// RefreshKeeping says what leaves the refresh tokens that an application's clients hold for members of organizations as they are, where it
// would otherwise revoke them (contract/cis §1.8). A new password has no such exception: it ends them all.
type RefreshKeeping struct {
	OnSuspension bool // of the membership; what comes back is refused until that is lifted
	OnRoles      bool // when the member's roles change; what is issued afterwards has the new ones
}

// keepers lists the clients, live or not, whose refresh tokens something leaves as they are.
func (d *directory) keepers(t TenantID, keeps func(RefreshKeeping) bool) []ClientID {
	var ids []ClientID
	for _, c := range d.Directory.Clients {
		if a := d.apps[appRef{c.Tenant, c.AppID}]; c.Tenant == t && a != nil && keeps(a.Keeps) {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

func onSuspension(k RefreshKeeping) bool { return k.OnSuspension }

func onRoles(k RefreshKeeping) bool { return k.OnRoles }

type appRef struct {
	tenant TenantID
	id     AppID
}

// index fills what an application is found by, and what its clients show of it. A client that a server of an older version added has an
// application all the same.
func (d *directory) index() {
	d.apps = make(map[appRef]*Application, len(d.Applications))
	for i := range d.Applications {
		a := &d.Applications[i]
		d.apps[appRef{a.Tenant, a.ID}] = a
	}
	d.uris = make(map[uriRef]*Resource, len(d.Directory.Resources))
	for i := range d.Directory.Resources {
		r := &d.Directory.Resources[i]
		d.uris[uriRef{r.Tenant, r.URI}] = r
	}
	d.roles = make(map[roleRef]*AppRole, len(d.Directory.Roles))
	for i := range d.Directory.Roles {
		r := &d.Directory.Roles[i]
		d.roles[roleRef{r.Tenant, r.ID}] = r
	}
	for i := range d.Directory.Clients {
		c := &d.Directory.Clients[i]
		d.clients[c.ID] = c
		if c.Kind != ClientApplication || c.AppID == "" {
			continue
		}
		ref := appRef{c.Tenant, c.AppID}
		if a := d.apps[ref]; a != nil {
			c.AppName = a.Name
		} else if c.DisabledAt.IsZero() {
			d.apps[ref] = &Application{Tenant: c.Tenant, ID: c.AppID, Name: c.AppName, CreatedAt: c.CreatedAt, UpdatedAt: c.CreatedAt}
		}
	}
}

// clientsOf lists the live clients of an application, the oldest first: the first is its default client.
func (d *directory) clientsOf(a *Application) []Client {
	var all []Client
	for _, c := range d.Directory.Clients {
		if c.Tenant == a.Tenant && c.AppID == a.ID && c.Kind == ClientApplication && c.DisabledAt.IsZero() {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b Client) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return all
}

// AppState is an application with its live clients, the oldest first.
type AppState struct {
	Application
	Clients []Client
}

// manages makes sure that the actor administers the tenant (contract/cis §0.2 AdminAccessToken).
//
// Errors: CodeUnknownClient, CodeClientRefused.
func (s *Service) manages(by Actor) error {
	client, err := s.clientOf(by)
	if err == nil && client.Kind != ClientManagement {
		err = refuse(CodeClientRefused)
	}
	return err
}

// Manages is manages for a dialect, which asks before it looks at the rest of a request.
//
// Errors: CodeUnknownClient, CodeClientRefused.
func (s *Service) Manages(by Actor) error { return s.manages(by) }

// Permitted reports whether the actor's client has one of the permissions that the call needs.
//
// Error: CodeClientRefused.
func (s *Service) Permitted(by Actor) error { return s.dir.Load().permitted(by) }

// present brings the directory up to date, for a call that reads nothing else, and lets the actor in as it is now.
func (s *Service) present(ctx context.Context, by Actor) (*directory, error) {
	if err := s.Resync(ctx); err != nil {
		return nil, err
	}
	return s.dir.Load(), s.admitted(by)
}

// Applications lists the applications of the tenant by name.
//
// Errors: CodeUnknownClient, CodeClientRefused.
func (s *Service) Applications(ctx context.Context, by Actor) ([]AppState, error) {
	d, err := s.present(ctx, by)
	if err == nil {
		err = s.manages(by)
	}
	if err != nil {
		return nil, err
	}
	var all []AppState
	for _, a := range d.apps {
		if a.Tenant == by.Tenant {
			all = append(all, AppState{*a, d.clientsOf(a)})
		}
	}
	slices.SortFunc(all, func(a, b AppState) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

// Application finds one application of the tenant.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeAppNotFound.
func (s *Service) Application(ctx context.Context, by Actor, id AppID) (AppState, error) {
	d, err := s.present(ctx, by)
	if err == nil {
		err = s.manages(by)
	}
	if err != nil {
		return AppState{}, err
	}
	a := d.apps[appRef{by.Tenant, id}]
	if a == nil {
		return AppState{}, refuse(CodeAppNotFound)
	}
	return AppState{*a, d.clientsOf(a)}, nil
}

// administer makes one change of the directory for a client that administers the tenant, with its event. change sees the directory as the
// transaction does; what it refuses is not kept.
func (s *Service) administer(ctx context.Context, by Actor, change func(Tx, *directory) (Event, error)) error {
	return s.rewrite(ctx, by, func(tx Tx, d *directory) (Event, error) {
		if err := s.manages(by); err != nil {
			return Event{}, err
		}
		return change(tx, d)
	})
}

// rewrite is administer for any client.
func (s *Service) rewrite(ctx context.Context, by Actor, change func(Tx, *directory) (Event, error)) error {
	err := s.update(ctx, by, func(tx Tx) error {
		e, err := change(tx, s.dir.Load())
		if err != nil {
			return err
		}
		return tx.AddEvents(e)
	})
	if err != nil {
		return err
	}
	return s.Resync(ctx)
}

// note is the event of a change of the directory.
func (s *Service) note(by Actor, kind EventKind, what string, now time.Time) Event {
	e := s.event(by, kind, now)
	e.Note = what
	return e
}

// CreateApplication adds an application with its first client, whose secret is made here and returned this once. Its name must be free.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeAppExists, CodeValueInvalid.
func (s *Service) CreateApplication(ctx context.Context, by Actor, in Application, first ClientSetup) (AppState, string, error) {
	now := s.now()
	in.Tenant, in.ID, in.CreatedBy, in.CreatedAt, in.UpdatedAt = by.Tenant, AppID(randomText(16)), by.Client, now, now
	first.AppID, first.AppName = in.ID, in.Name
	client, secret, err := s.newClient(by, first, now)
	if err != nil {
		return AppState{}, "", err
	}
	err = s.administer(ctx, by, func(tx Tx, d *directory) (Event, error) {
		if d.named(in) {
			return Event{}, refuseField(CodeAppExists, "app_name")
		}
		if err := d.settleClient(by.Tenant, &client.Resources, client.Roles); err != nil {
			return Event{}, err
		}
		if err := tx.PutApplication(in); err != nil {
			return Event{}, err
		}
		return s.note(by, EventAppCreated, string(in.ID), now), tx.PutClient(client)
	})
	return AppState{in, []Client{client}}, secret, err
}

// named reports whether another application of the tenant has the name.
func (d *directory) named(a Application) bool {
	for _, other := range d.apps {
		if other.Tenant == a.Tenant && other.ID != a.ID && other.Name == a.Name {
			return true
		}
	}
	return false
}

// ChangeApplication changes an application. change may be called more than once.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeAppNotFound, CodeAppExists.
func (s *Service) ChangeApplication(ctx context.Context, by Actor, id AppID, change func(*Application)) (AppState, error) {
	now := s.now()
	var out AppState
	err := s.administer(ctx, by, func(tx Tx, d *directory) (Event, error) {
		present := d.apps[appRef{by.Tenant, id}]
		if present == nil {
			return Event{}, refuse(CodeAppNotFound)
		}
		a := *present
		change(&a)
		a.UpdatedAt = now
		if a.Name != present.Name && d.named(a) {
			return Event{}, refuseField(CodeAppExists, "app_name")
		}
		out = AppState{a, d.clientsOf(present)}
		return s.note(by, EventAppChanged, string(id), now), tx.PutApplication(a)
	})
	return out, err
}

// DeleteApplication deletes an application and refuses its clients and their tokens from now on. No organization has it any more, and what
// was managed in it is managed by nobody.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeAppNotFound.
func (s *Service) DeleteApplication(ctx context.Context, by Actor, id AppID) error {
	now := s.now()
	return s.administer(ctx, by, func(tx Tx, d *directory) (Event, error) {
		present := d.apps[appRef{by.Tenant, id}]
		if present == nil {
			return Event{}, refuse(CodeAppNotFound)
		}
		for _, c := range d.clientsOf(present) {
			if err := tx.PutClient(c.ended(now)); err != nil {
				return Event{}, err
			}
		}
		for _, r := range d.rolesOf(by.Tenant, id) {
			if _, err := tx.DropRole(by.Tenant, r.ID); err != nil {
				return Event{}, err
			}
		}
		for _, k := range d.keysOf(by.Tenant, id) {
			if _, err := tx.DropAppKey(by.Tenant, k.ID); err != nil {
				return Event{}, err
			}
		}
		if err := s.leaveOrganizations(tx, by, id, now); err != nil {
			return Event{}, err
		}
		_, err := tx.DropApplication(by.Tenant, id)
		return s.note(by, EventAppDeleted, string(id), now), err
	})
}

// leaveOrganizations takes an application from the organizations of its tenant.
func (s *Service) leaveOrganizations(tx Tx, by Actor, id AppID, now time.Time) error {
	all, _, err := tx.Organizations(by.Tenant, OrganizationFilter{})
	if err != nil {
		return err
	}
	for _, listed := range all {
		o := listed.Organization
		if !slices.Contains(o.Apps, id) && o.ManagedIn != id {
			continue
		}
		i, err := tx.Identity(by.Tenant, listed.Ref) // the list has no Details
		if err != nil {
			return err
		}
		i.Organization.Apps = slices.DeleteFunc(slices.Clone(o.Apps), func(app string) bool { return app == id })
		if o.ManagedIn == id {
			i.Organization.Manager, i.Organization.ManagedIn = "", ""
		}
		i.Organization.UpdatedAt = now
		if err := tx.PutIdentity(i); err != nil {
			return err
		}
		e := s.note(by, EventIdentityChanged, "application deleted", now)
		e.Identity = i.Ref
		if err := tx.AddEvents(e); err != nil {
			return err
		}
	}
	return nil
}

// appRows are the applications of a starting state: those that are described, and those that clients name.
func appRows(in TenantSetup, clients []Client, now time.Time) []Application {
	rows := slices.Clone(in.Applications)
	for _, c := range clients {
		if c.Kind != ClientApplication || slices.ContainsFunc(rows, func(a Application) bool { return a.ID == c.AppID }) {
			continue
		}
		rows = append(rows, Application{ID: c.AppID, Name: c.AppName})
	}
	for i := range rows {
		rows[i].Tenant, rows[i].CreatedAt, rows[i].UpdatedAt = in.Tenant.ID, now, now
	}
	return rows
}
