package auth

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Organization is what a corporate identity is for /cis, beside what it is for /multi (contract/cis §1.7): one row, two views. The zero
// Organization is that of a corporate that only /multi knows of.
type Organization struct {
	Domains   []string // of its members' e-mail addresses, as Canonical writes them; each is one organization's in the tenant
	Alias     string
	Limited   bool     // to Apps; otherwise its members log in to every application of the tenant
	Apps      []string // ids, in order
	Manager   string   // the organization that made it and manages it; empty: none
	ManagedIn string   // the application in which it is managed
	LogoURL   string
	UpdatedAt time.Time // zero: never changed
}

// MemberInfo is what an organization keeps of its member (contract/cis §1.7).
type MemberInfo struct {
	Department, Title, Manager string
	AddedBy                    string // the user or client who added the member; empty: not known
	AddedAt                    time.Time
	UpdatedAt                  time.Time
	Linked                     bool // the user was there before: the organization made only the membership
}

// What happens to organizations and their members, beside what /multi knows of.
const (
	EventIdentityDeleted EventKind = "identity_deleted"
	EventMemberAdded     EventKind = "member_added"   // to an organization: Note says whether the user was there before
	EventMemberChanged   EventKind = "member_changed" // Note: which fields
	EventMemberRemoved   EventKind = "member_removed" // from an organization
)

// OrganizationFilter chooses among organizations. Zero fields do not filter.
type OrganizationFilter struct {
	Name     string   // letter for letter
	Managers []string // any of them
	Offset   int
	Limit    int // zero: no limit
}

// lets reports whether members of the organization log in to a client's application.
func (o Organization) lets(c *Client) bool { return !o.Limited || slices.Contains(o.Apps, c.AppID) }

// NewOrganization is an organization that a client of the tenant's administration makes.
type NewOrganization struct {
	Name      string
	Domains   []string
	Apps      []string
	Alias     string
	LogoURL   string
	Suspended bool
}

// OrganizationFields are what is changed of an organization; nil leaves a field as it is.
type OrganizationFields struct {
	Name, Alias, LogoURL *string
	Domains              *[]string
	Suspended            *bool
}

// canonicalDomains are domains as Canonical writes those of addresses, each once. Error: CodeIdentifierInvalid.
func canonicalDomains(all []string) ([]string, *Error) {
	var list []string
	for _, d := range all {
		domain, ok := CanonicalDomain(d)
		if !ok {
			return nil, refuseField(CodeIdentifierInvalid, "domains")
		}
		if !slices.Contains(list, domain) {
			list = append(list, domain)
		}
	}
	return list, nil
}

// appsOf lists the ids of the tenant's applications.
func (s *Service) appsOf(t TenantID) []string {
	var ids []string
	for ref := range s.dir.Load().apps {
		if ref.tenant == t {
			ids = append(ids, ref.id)
		}
	}
	slices.Sort(ids)
	return ids
}

// knownApps says which application is not one of the tenant's, if one is not, and returns the others in order, each once.
func (s *Service) knownApps(t TenantID, ids []string) ([]string, *Error) {
	all := s.appsOf(t)
	if slices.ContainsFunc(ids, func(id string) bool { return !slices.Contains(all, id) }) {
		return nil, refuseField(CodeAppNotFound, "app_ids")
	}
	sorted := slices.Sorted(slices.Values(ids))
	return slices.Compact(sorted), nil
}

// OrganizationApps lists the applications that members of an organization log in to.
func (s *Service) OrganizationApps(i Identity) []string {
	if i.Organization.Limited {
		return i.Organization.Apps
	}
	return s.appsOf(i.Tenant)
}

// CreateOrganization makes a corporate identity without users, for a client that administers the tenant (contract/cis §1.7). Its name is
// no other organization's, and neither are its domains.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeIdentifierInvalid, CodeAppNotFound, CodeOrganizationExists.
func (s *Service) CreateOrganization(ctx context.Context, by Actor, in NewOrganization) (Identity, error) {
	return s.createOrganization(ctx, by, in, func(Tx, *Identity) (*Error, error) { return nil, nil })
}

// CreateManagedOrganization makes an organization that another one manages in an application, which is the one that its members log in to
// (contract/cis §1.7).
//
// Errors: those of CreateOrganization, CodeNotFound.
func (s *Service) CreateManagedOrganization(ctx context.Context, by Actor, manager, app string, in NewOrganization) (Identity, error) {
	in.Apps = []string{app}
	return s.createOrganization(ctx, by, in, func(tx Tx, i *Identity) (*Error, error) {
		i.Organization.Manager, i.Organization.ManagedIn = manager, app
		_, no, err := organizationIn(tx, by.Tenant, manager)
		return no, err
	})
}

func (s *Service) createOrganization(
	ctx context.Context, by Actor, in NewOrganization, complete func(Tx, *Identity) (*Error, error),
) (Identity, error) {
	if err := s.manages(by); err != nil {
		return Identity{}, err
	}
	domains, no := canonicalDomains(in.Domains)
	if no != nil {
		return Identity{}, no
	}
	now := s.now()
	i := Identity{
		Tenant: by.Tenant, Ref: IdentityRef{Corporate, string(newUserID())}, Name: in.Name, CreatedAt: now,
		Organization: Organization{Domains: domains, Alias: in.Alias, Limited: true, LogoURL: in.LogoURL, UpdatedAt: now},
	}
	if in.Suspended {
		i.SuspendedAt = now
	}
	out, err := decide(ctx, s, by, func(tx Tx) (Identity, *Error, error) {
		var no *Error
		if i.Organization.Apps, no = s.knownApps(by.Tenant, in.Apps); no != nil {
			return i, no, nil
		}
		if no, err := complete(tx, &i); err != nil || no != nil {
			return i, no, err
		}
		if no, err := nameFree(tx, i); err != nil || no != nil {
			return i, no, err
		}
		if err := tx.AddIdentity(i); err != nil {
			return i, nil, err
		}
		e := s.event(by, EventIdentityCreated, now)
		e.Identity = i.Ref
		return i, nil, tx.AddEvents(e)
	})
	return out, domainTaken(err)
}

// nameFree refuses the name of another organization. Corporates that /multi made may share one.
func nameFree(r Reads, i Identity) (*Error, error) {
	same, _, err := r.Organizations(i.Tenant, OrganizationFilter{Name: i.Name, Limit: 1})
	if err == nil && len(same) > 0 {
		return refuseField(CodeOrganizationExists, "name"), nil
	}
	return nil, err
}

// domainTaken gives a domain that is another organization's its code.
func domainTaken(err error) error {
	if errors.Is(err, ErrExists) {
		return refuseField(CodeOrganizationExists, "domains")
	}
	return err
}

// organizationIn reads an organization of a tenant. Error: CodeNotFound.
func organizationIn(r Reads, t TenantID, id string) (Identity, *Error, error) {
	i, err := r.Identity(t, IdentityRef{Corporate, id})
	if errors.Is(err, ErrNotFound) {
		return i, refuse(CodeNotFound), nil
	}
	return i, nil, err
}

// Managed are an organization and those that it manages.
type Managed struct {
	Identity
	Manages []Identity
}

// Organizations lists the organizations of the tenant by the time they were made, and counts all of them.
//
// Errors: CodeUnknownClient, CodeClientRefused.
func (s *Service) Organizations(ctx context.Context, by Actor, offset, limit int) ([]Managed, int, error) {
	if err := s.manages(by); err != nil {
		return nil, 0, err
	}
	var page []Managed
	count := 0
	err := s.readCurrent(ctx, by, func(r Reads) error {
		found, n, err := r.Organizations(by.Tenant, OrganizationFilter{Offset: offset, Limit: limit})
		if page, count = nil, n; err != nil || len(found) == 0 {
			return err
		}
		ids, at := make([]string, len(found)), make(map[string]int)
		for i, o := range found {
			ids[i], at[o.Ref.ID] = o.Ref.ID, i
			page = append(page, Managed{Identity: o})
		}
		managed, _, err := r.Organizations(by.Tenant, OrganizationFilter{Managers: ids})
		for _, o := range managed {
			m := &page[at[o.Organization.Manager]]
			m.Manages = append(m.Manages, o)
		}
		return err
	})
	return page, count, err
}

// readCurrent reads for an actor whom the directory of that moment lets in.
func (s *Service) readCurrent(ctx context.Context, by Actor, fn func(Reads) error) error {
	var revision int64
	err := s.store.View(ctx, func(r Reads) (err error) {
		if revision, err = r.Revision(); err != nil {
			return err
		}
		return fn(r)
	})
	if err != nil {
		return err
	}
	return s.current(ctx, by, revision)
}

// Organization finds an organization by its id, or else by its name: the oldest of several corporates that share one.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeNotFound.
func (s *Service) Organization(ctx context.Context, by Actor, id, name string) (Managed, error) {
	if err := s.manages(by); err != nil {
		return Managed{}, err
	}
	var m Managed
	err := s.readCurrent(ctx, by, func(r Reads) error {
		if id == "" {
			named, _, err := r.Organizations(by.Tenant, OrganizationFilter{Name: name, Limit: 1})
			if errors.Is(err, ErrNotFound) || err == nil && len(named) == 0 {
				return refuse(CodeNotFound)
			}
			if err != nil {
				return err
			}
			id = named[0].Ref.ID
		}
		i, no, err := organizationIn(r, by.Tenant, id)
		if err != nil || no != nil {
			return orVerdict(err, no)
		}
		m.Identity = i
		m.Manages, _, err = r.Organizations(by.Tenant, OrganizationFilter{Managers: []string{id}})
		return err
	})
	return m, err
}

// CheckOrganizationApp makes sure that an organization and an application are there, for a client that administers the tenant.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeAppNotFound, CodeNotFound.
func (s *Service) CheckOrganizationApp(ctx context.Context, by Actor, id, app string) error {
	if _, err := s.Organization(ctx, by, id, ""); err != nil {
		return err
	}
	_, no := s.knownApps(by.Tenant, []string{app})
	return orVerdict(nil, no)
}
