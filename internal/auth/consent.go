package auth

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// Consent is what a user has allowed a client: scopes, until the user or a client of the tenant takes it back. A client of somebody
// else's is asked for, once for each scope; one of the tenant's own only with prompt=consent.
type Consent struct {
	Tenant    TenantID
	User      UserID
	Client    ClientID
	Scopes    []string // in order
	GivenAt   time.Time
	UpdatedAt time.Time // when a scope came last
}

// What becomes of a consent.
const (
	EventConsentGiven   EventKind = "consent_given"   // Note: the scopes
	EventConsentRevoked EventKind = "consent_revoked" // Note: whose
)

// consentOf finds what a user has allowed a client; the zero Consent is nothing.
func consentOf(r Reads, t TenantID, id UserID, client ClientID) (Consent, error) {
	all, err := r.Consents(t, id)
	for _, c := range all {
		if c.Client == client {
			return c, err
		}
	}
	return Consent{}, err
}

// covers reports whether the user has allowed every scope.
func (c Consent) covers(scope string) bool {
	return !slices.ContainsFunc(strings.Fields(scope), func(one string) bool { return !slices.Contains(c.Scopes, one) })
}

// asksConsent reports whether the user has to allow what the client asks for, and has not on this page.
func (s *Service) asksConsent(ctx context.Context, p *page) (bool, error) {
	in := p.state.Request
	switch {
	case p.state.Consented:
		return false, nil
	case slices.Contains(in.Prompts, promptConsent):
		return true, nil
	case !p.client.ThirdParty:
		return false, nil
	}
	var given Consent
	err := s.store.View(ctx, func(r Reads) (err error) {
		given, err = consentOf(r, p.by.Tenant, p.session.User.ID, p.client.ID)
		return err
	})
	return !given.covers(in.scope()), err
}

// consent keeps what the user has just allowed, beside what they had before.
func (s *Service) consent(tx Tx, p *page, scope string) error {
	c, err := consentOf(tx, p.by.Tenant, p.session.User.ID, p.client.ID)
	if err != nil {
		return err
	}
	scopes := slices.Concat(c.Scopes, strings.Fields(scope))
	slices.Sort(scopes)
	if scopes = slices.Compact(scopes); slices.Equal(scopes, c.Scopes) {
		return nil
	}
	if c.GivenAt.IsZero() {
		c = Consent{Tenant: p.by.Tenant, User: p.session.User.ID, Client: p.client.ID, GivenAt: p.now}
	}
	c.Scopes, c.UpdatedAt = scopes, p.now
	if err := tx.PutConsent(c); err != nil {
		return err
	}
	e := s.event(p.by, EventConsentGiven, p.now)
	e.User, e.Session, e.Note = c.User, p.session.Session.ID, scope
	return tx.AddEvents(e)
}

// managesConsents refuses a client of somebody else's: what users have allowed others is none of its business.
//
// Errors: CodeUnknownClient, CodeClientRefused.
func (s *Service) managesConsents(by Actor) error {
	c, err := s.clientOf(by)
	if err == nil && c.ThirdParty {
		err = refuse(CodeClientRefused)
	}
	return err
}

// Consents lists what a user has allowed clients, by client.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeUserNotFound.
func (s *Service) Consents(ctx context.Context, by Actor, id UserID) ([]Consent, error) {
	if err := s.managesConsents(by); err != nil {
		return nil, err
	}
	var all []Consent
	err := s.readCurrent(ctx, by, func(r Reads) error {
		_, err := r.AccountByUser(by.Tenant, id)
		if errors.Is(err, ErrNotFound) {
			return refuse(CodeUserNotFound)
		}
		if err == nil {
			all, err = r.Consents(by.Tenant, id)
		}
		return err
	})
	slices.SortFunc(all, func(a, b Consent) int { return cmp.Compare(a.Client, b.Client) })
	return all, err
}

// RevokeConsent takes back what a user has allowed a client. Every token that the client got by way of the user's browser is good for nothing
// from now on, on every node, and the user is asked again.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeUserNotFound, CodeClientNotFound.
func (s *Service) RevokeConsent(ctx context.Context, by Actor, id UserID, client ClientID) error {
	if err := s.managesConsents(by); err != nil {
		return err
	}
	now := s.now()
	return s.update(ctx, by, func(tx Tx) error {
		_, err := tx.AccountByUser(by.Tenant, id)
		if errors.Is(err, ErrNotFound) {
			return refuse(CodeUserNotFound)
		}
		if err != nil {
			return err
		}
		if gone, err := tx.DropConsent(by.Tenant, id, client); err != nil || !gone {
			return orRefuse(err, CodeClientNotFound)
		}
		if _, err := tx.EndSessionsOf(by.Tenant, id, SurfaceOIDC, client, now, string(EventConsentRevoked)); err != nil {
			return err
		}
		e := s.event(by, EventConsentRevoked, now)
		e.User, e.Note = id, string(client)
		return tx.AddEvents(e)
	})
}
