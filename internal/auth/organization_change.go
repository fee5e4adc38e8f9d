package auth

import (
	"context"
	"reflect"
	"slices"
	"time"
)

// ChangeOrganization changes an organization, for a client that administers the tenant (contract/cis §1.7). A suspended one is nobody's to
// act for, on both contracts and at once.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeNotFound, CodeIdentifierInvalid, CodeOrganizationExists.
func (s *Service) ChangeOrganization(ctx context.Context, by Actor, id string, in OrganizationFields) (Managed, error) {
	var domains []string
	if in.Domains != nil {
		var no *Error
		if domains, no = canonicalDomains(*in.Domains); no != nil {
			return Managed{}, no
		}
	}
	return s.editOrganization(ctx, by, id, func(tx Tx, i *Identity, now time.Time) (*Error, error) {
		var changed []string
		put(&changed, "name", &i.Name, in.Name)
		if len(changed) > 0 {
			if no, err := nameFree(tx, *i); err != nil || no != nil {
				return no, err
			}
		}
		put(&changed, "alias", &i.Organization.Alias, in.Alias)
		put(&changed, "logo", &i.Organization.LogoURL, in.LogoURL)
		if in.Domains != nil {
			i.Organization.Domains = domains
		}
		if in.Suspended == nil || *in.Suspended == !i.SuspendedAt.IsZero() {
			return nil, nil
		}
		return nil, s.shiftIdentity(tx, by, i, *in.Suspended, "", now)
	})
}

// AddOrganizationApps lets members of an organization log in to more applications.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeNotFound, CodeAppNotFound.
func (s *Service) AddOrganizationApps(ctx context.Context, by Actor, id string, apps []string) error {
	return s.changeApps(ctx, by, id, apps, func(have, apps []string) []string { return append(have, apps...) })
}

// RemoveOrganizationApps keeps members of an organization from applications, at once. Those that it does not have are passed over.
//
// Errors: those of AddOrganizationApps.
func (s *Service) RemoveOrganizationApps(ctx context.Context, by Actor, id string, apps []string) error {
	return s.changeApps(ctx, by, id, apps, func(have, apps []string) []string {
		return slices.DeleteFunc(have, func(app string) bool { return slices.Contains(apps, app) })
	})
}

func (s *Service) changeApps(ctx context.Context, by Actor, id string, apps []string, change func(have, apps []string) []string) error {
	_, err := s.editOrganization(ctx, by, id, func(_ Tx, i *Identity, _ time.Time) (*Error, error) {
		apps, no := s.knownApps(by.Tenant, apps)
		if no != nil {
			return no, nil
		}
		all := slices.Clone(s.OrganizationApps(*i))
		next := change(slices.Clone(all), apps)
		slices.Sort(next)
		if next = slices.Compact(next); !slices.Equal(all, next) {
			i.Organization.Limited, i.Organization.Apps = true, next
		}
		return nil, nil
	})
	return err
}

// editOrganization makes one change of one organization, which it returns as it is then.
func (s *Service) editOrganization(
	ctx context.Context, by Actor, id string, change func(Tx, *Identity, time.Time) (*Error, error),
) (Managed, error) {
	if err := s.manages(by); err != nil {
		return Managed{}, err
	}
	now := s.now()
	m, err := decide(ctx, s, by, func(tx Tx) (Managed, *Error, error) {
		before, no, err := organizationIn(tx, by.Tenant, id)
		if err != nil || no != nil {
			return Managed{}, no, err
		}
		m := Managed{Identity: before}
		if no, err := change(tx, &m.Identity, now); err != nil || no != nil {
			return m, nil, orVerdict(err, no) // nothing of a refused change is kept
		}
		if m.Manages, _, err = tx.Organizations(by.Tenant, OrganizationFilter{Managers: []string{id}}); err != nil || reflect.DeepEqual(m.Identity, before) {
			return m, nil, err
		}
		m.Organization.UpdatedAt = now
		if err := tx.PutIdentity(m.Identity); err != nil {
			return m, nil, err
		}
		e := s.event(by, EventIdentityChanged, now)
		e.Identity = m.Ref
		return m, nil, tx.AddEvents(e)
	})
	s.nudge()
	return m, domainTaken(err)
}

// DeleteOrganization deletes an organization, for a client that administers the tenant. Its members stay users of the tenant, without
// whatever they were for it: memberships and roles, invites that are on their way, refresh tokens. Sessions that act for it end, on /multi
// as well, since a session's user has to be a member. The organizations that it manages stay, managed by nobody. Events and the evidence of
// confirmations stay. It is one transaction.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeNotFound.
func (s *Service) DeleteOrganization(ctx context.Context, by Actor, id string) error {
	if err := s.manages(by); err != nil {
		return err
	}
	now := s.now()
	_, err := decide(ctx, s, by, func(tx Tx) (Identity, *Error, error) {
		i, no, err := organizationIn(tx, by.Tenant, id)
		if err != nil || no != nil {
			return i, no, err
		}
		people, _, err := tx.People(by.Tenant, i.Ref, PersonFilter{})
		if err != nil {
			return i, nil, err
		}
		for _, p := range people {
			if err := s.endMembership(tx, by, p.User.ID, i.Ref, nil, now); err != nil {
				return i, nil, err
			}
		}
		managed, _, err := tx.Organizations(by.Tenant, OrganizationFilter{Managers: []string{id}})
		if err != nil {
			return i, nil, err
		}
		for _, m := range managed {
			if err := s.release(tx, m); err != nil {
				return i, nil, err
			}
		}
		if err := s.announceIdentity(tx, i, NewsIdentityDeactivated, "", now); err != nil {
			return i, nil, err
		}
		if err := tx.DeleteIdentity(by.Tenant, i.Ref); err != nil {
			return i, nil, err
		}
		e := s.event(by, EventIdentityDeleted, now)
		e.Identity = i.Ref
		return i, nil, tx.AddEvents(e)
	})
	s.nudge()
	return err
}

// release takes the manager from an organization. The list that it comes from has no Details.
func (s *Service) release(tx Tx, managed Identity) error {
	i, err := tx.Identity(managed.Tenant, managed.Ref)
	if err != nil {
		return err
	}
	i.Organization.Manager, i.Organization.ManagedIn = "", ""
	return tx.PutIdentity(i)
}

// endMembership ends what a user has under way for an organization: an invite, and tokens that could be refreshed later, but for those of
// some clients.
func (s *Service) endMembership(tx Tx, by Actor, id UserID, org IdentityRef, spared []ClientID, now time.Time) error {
	if err := s.cancelInvite(tx, by.Tenant, id, org, now); err != nil {
		return err
	}
	_, err := tx.RevokeRefreshOf(by.Tenant, id, org, spared, now)
	return err
}

// cancelInvite voids the invite that a user has for an organization, if they have one.
func (s *Service) cancelInvite(tx Tx, t TenantID, id UserID, org IdentityRef, now time.Time) error {
	c, err := s.prior(tx, Challenge{Tenant: t, Subject: SubjectOf(id), Purpose: PurposeInvite})
	if err != nil || c.ID == "" || c.Identity != org {
		return err
	}
	return s.endChallenge(tx, c, ChallengeIsCancelled, now)
}
