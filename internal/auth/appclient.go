package auth

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// newClient makes a client of an application with an id of ours, and a secret if it proves itself by one.
//
// Error: CodeValueInvalid.
func (s *Service) newClient(by Actor, in ClientSetup, now time.Time) (Client, string, error) {
	in.ID, in.Kind, in.Secret = ClientID("c"+randomText(16)), ClientApplication, ""
	if cmp.Or(in.Auth, ClientAuthSecret) == ClientAuthSecret {
		in.Secret = randomText(32)
	}
	c, err := s.clientRow(by.Tenant, in, now)
	return c, in.Secret, invalid(in, err)
}

// settleClient reports whether there is what a client may ask for and be, and puts URIs for the ids of resources.
//
// Error: CodeValueInvalid.
func (d *directory) settleClient(t TenantID, resources *[]string, roles []RoleID) error {
	for _, id := range roles {
		if r := d.roles[roleRef{t, id}]; r == nil || r.App != "" {
			return refuseField(CodeValueInvalid, "client_roles")
		}
	}
	var err error
	*resources, err = d.asResources(t, *resources)
	return err
}

// invalid is the refusal of a client that cannot be as it is described. Where a URI is at fault there is no cause beside the field: it would
// name the URI in the log, where nothing of a caller's belongs (B-58).
func invalid(in ClientSetup, err error) error {
	switch {
	case err == nil:
		return nil
	case slices.ContainsFunc(in.RedirectURIs, func(uri string) bool { return redirectable(uri) != nil }):
		return refuseField(CodeValueInvalid, "redirect_uris")
	case in.Logout.check() != nil:
		return refuseField(CodeValueInvalid, "backchannel_logout_uri or post_logout_redirect_uris")
	}
	return &Error{Code: CodeValueInvalid, Field: "pkce or authentication_configuration", Cause: err}
}

// ended is a client that is good for nothing any more. Its row stays, so that nobody gets its id again.
func (c Client) ended(now time.Time) Client {
	c.Secrets, c.DisabledAt, c.UpdatedAt = nil, now, now
	return c
}

// appClient finds a live client of an application.
//
// Errors: CodeAppNotFound, CodeClientNotFound.
func (d *directory) appClient(t TenantID, app AppID, id ClientID) (*Client, error) {
	a := d.apps[appRef{t, app}]
	if a == nil {
		return nil, refuse(CodeAppNotFound)
	}
	c := d.clients[id]
	if c == nil || c.Tenant != t || c.AppID != app || c.Kind != ClientApplication || !c.DisabledAt.IsZero() {
		return nil, refuse(CodeClientNotFound)
	}
	return c, nil
}

// AppClient finds one client of an application.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeAppNotFound, CodeClientNotFound.
func (s *Service) AppClient(ctx context.Context, by Actor, app AppID, id ClientID) (Client, error) {
	d, err := s.present(ctx, by)
	if err == nil {
		err = s.manages(by)
	}
	if err != nil {
		return Client{}, err
	}
	c, err := d.appClient(by.Tenant, app, id)
	if err != nil {
		return Client{}, err
	}
	return *c, nil
}

// CreateAppClient adds a client to an application, with a secret made here and returned this once.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeAppNotFound, CodeValueInvalid.
func (s *Service) CreateAppClient(ctx context.Context, by Actor, app AppID, in ClientSetup) (Client, string, error) {
	now := s.now()
	in.AppID = app
	client, secret, err := s.newClient(by, in, now)
	if err != nil {
		return Client{}, "", err
	}
	err = s.administer(ctx, by, func(tx Tx, d *directory) (Event, error) {
		a := d.apps[appRef{by.Tenant, app}]
		if a == nil {
			return Event{}, refuse(CodeAppNotFound)
		}
		client.AppName = a.Name
		if err := d.settleClient(by.Tenant, &client.Resources, client.Roles); err != nil {
			return Event{}, err
		}
		return s.note(by, EventClientCreated, string(client.ID), now), tx.PutClient(client)
	})
	return client, secret, err
}

// ChangeAppClient changes a client of an application. change may be called more than once.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeAppNotFound, CodeClientNotFound, CodeValueInvalid.
func (s *Service) ChangeAppClient(ctx context.Context, by Actor, app AppID, id ClientID, change func(*ClientSetup)) (Client, error) {
	return s.editClient(ctx, by, app, id, EventClientChanged, func(d *directory, c *Client) error {
		in := c.setup()
		change(&in)
		if err := d.settleClient(by.Tenant, &in.Resources, in.Roles); err != nil {
			return err
		}
		var err error
		*c, err = s.remade(*c, in, s.now())
		return invalid(in, err)
	})
}

// editClient makes one change of one client.
func (s *Service) editClient(
	ctx context.Context, by Actor, app AppID, id ClientID, kind EventKind, change func(*directory, *Client) error,
) (Client, error) {
	now := s.now()
	var out Client
	err := s.administer(ctx, by, func(tx Tx, d *directory) (Event, error) {
		present, err := d.appClient(by.Tenant, app, id)
		if err != nil {
			return Event{}, err
		}
		out = *present
		if err := change(d, &out); err != nil {
			return Event{}, err
		}
		out.UpdatedAt = now
		return s.note(by, kind, string(id), now), tx.PutClient(out)
	})
	return out, err
}

// DeleteAppClient refuses a client of an application and its tokens from now on. The last one cannot go: an application has at least one
// (contract/cis §1.8).
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeAppNotFound, CodeClientNotFound, CodeLastClient.
func (s *Service) DeleteAppClient(ctx context.Context, by Actor, app AppID, id ClientID) error {
	_, err := s.editClient(ctx, by, app, id, EventClientDisabled, func(d *directory, c *Client) error {
		if len(d.clientsOf(d.apps[appRef{by.Tenant, app}])) == 1 {
			return refuse(CodeLastClient)
		}
		*c = c.ended(s.now())
		return nil
	})
	return err
}

// RotateAppClientSecret gives a client of an application a new secret, returned this once; the one before it stays good until the next
// rotation, or until it is retired.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeAppNotFound, CodeClientNotFound, CodeSecretless.
func (s *Service) RotateAppClientSecret(ctx context.Context, by Actor, app AppID, id ClientID) (Client, string, error) {
	in := ClientSetup{ID: id, Secret: randomText(32)}
	client, err := s.editClient(ctx, by, app, id, EventClientRotated, func(_ *directory, c *Client) error {
		if c.Auth != ClientAuthSecret {
			return refuse(CodeSecretless)
		}
		c.Secrets = slices.Insert(slices.Clone(c.Secrets), 0, ClientSecret{s.clientSecret(in.credentials()), s.now()})
		c.Secrets = c.Secrets[:min(len(c.Secrets), maxClientSecrets)]
		return nil
	})
	return client, in.Secret, err
}

// RetireAppClientSecret ends the secret before the newest one. When there is but one, nothing changes.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeAppNotFound, CodeClientNotFound.
func (s *Service) RetireAppClientSecret(ctx context.Context, by Actor, app AppID, id ClientID) error {
	_, err := s.editClient(ctx, by, app, id, EventClientRetired, func(_ *directory, c *Client) error {
		c.Secrets = c.Secrets[:min(len(c.Secrets), 1)]
		return nil
	})
	return err
}
