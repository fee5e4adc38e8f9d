package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"countersign/internal/seal"
)

// The methods of this file are an operator's, who has the store and the master key. Each is one transaction with its event, and holds
// for the next request on every node.

// Tenants lists the tenants by id.
func (s *Service) Tenants() []Tenant {
	return slices.SortedFunc(slices.Values(s.dir.Load().Directory.Tenants), func(a, b Tenant) int { return cmp.Compare(a.ID, b.ID) })
}

// CreateTenant adds a tenant. Error: ErrExists.
func (s *Service) CreateTenant(ctx context.Context, t Tenant) error {
	t.CreatedAt = s.now()
	if t.Mode == ModeSandbox && !s.sandbox {
		return errors.New("mode sandbox is for countersign sandbox alone; a served tenant is live")
	}
	return s.operate(ctx, t.ID, EventTenantCreated, "", func(tx Tx, d Directory) error {
		if slices.ContainsFunc(d.Tenants, func(have Tenant) bool { return have.ID == t.ID }) {
			return ErrExists
		}
		return tx.PutTenant(t)
	})
}

// SetMaintenance stops or resumes answering a tenant's calls: while it is on, each is refused with CodeMaintenance. Error: ErrNotFound.
func (s *Service) SetMaintenance(ctx context.Context, id TenantID, on bool) error {
	word := map[bool]string{true: "on", false: "off"}[on]
	return s.changeTenant(ctx, id, EventMaintenance, word, func(t *Tenant) error { t.Settings.Maintenance = on; return nil })
}

// SetWebhook says where a tenant's news go from now on, those that are waiting too; empty: nowhere, and news of before are dropped. Who sends
// them elsewhere has to hold the API key that signs them, if there is one: a key that is kept here does not go to a new place by the word of
// somebody who has never had it (B-55).
//
// Errors: ErrNotFound; CodeUnknownKey for another key, one that is revoked, or none.
func (s *Service) SetWebhook(ctx context.Context, id TenantID, url string, key seal.Secret) error {
	hash := s.mac.Sum("api key", []byte(key.Reveal()))
	return s.operate(ctx, id, EventWebhookChanged, "", func(tx Tx, d Directory) error {
		t, err := d.tenant(id)
		if err != nil {
			return err
		}
		if k := signsNews(d.APIKeys, id); k != nil && url != "" && url != t.Webhook.URL && k.Hash != hash {
			return refuse(CodeUnknownKey)
		}
		t.Webhook.URL = url
		return tx.PutTenant(t)
	})
}

// signsNews is the key that signs a tenant's news, its oldest that is not revoked (contract/multi §4.1); nil: there is none.
func signsNews(keys []APIKey, t TenantID) *APIKey {
	var oldest *APIKey
	for i := range keys {
		k := &keys[i]
		if k.Tenant == t && k.RevokedAt.IsZero() && (oldest == nil || k.CreatedAt.Before(oldest.CreatedAt)) {
			oldest = k
		}
	}
	return oldest
}

func (d Directory) tenant(id TenantID) (Tenant, error) {
	i := slices.IndexFunc(d.Tenants, func(t Tenant) bool { return t.ID == id })
	if i < 0 {
		return Tenant{}, ErrNotFound
	}
	return d.Tenants[i], nil
}

// ChangeSettings replaces a tenant's settings; they hold for the next request on every node. change gets the present ones; its error is
// returned and nothing is changed. Error: ErrNotFound.
func (s *Service) ChangeSettings(ctx context.Context, id TenantID, change func(Settings) (Settings, error)) error {
	return s.changeTenant(ctx, id, EventSettingsChanged, "", func(t *Tenant) (err error) {
		t.Settings, err = change(t.Settings)
		return err
	})
}

func (s *Service) changeTenant(ctx context.Context, id TenantID, kind EventKind, note string, change func(*Tenant) error) error {
	return s.operate(ctx, id, kind, note, func(tx Tx, d Directory) error {
		t, err := d.tenant(id)
		if err != nil {
			return err
		}
		if err := change(&t); err != nil {
			return err
		}
		return tx.PutTenant(t)
	})
}

// APIKeys lists a tenant's API keys by id, revoked ones too.
func (s *Service) APIKeys(t TenantID) []APIKey {
	var keys []APIKey
	for _, k := range s.dir.Load().Directory.APIKeys {
		if k.Tenant == t {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b APIKey) int { return cmp.Compare(a.ID, b.ID) })
	return keys
}

// CreateAPIKey makes an API key and returns it; it is shown this once. Errors: ErrExists, ErrNotFound for the tenant.
func (s *Service) CreateAPIKey(ctx context.Context, t TenantID, name string) (string, error) {
	key := "sk_" + randomText(32)
	row, err := s.apiKeyRow(t, APIKeySetup{name, key}, s.now())
	if err != nil {
		return "", err
	}
	return key, s.operate(ctx, t, EventKeyCreated, name, func(tx Tx, d Directory) error {
		if slices.ContainsFunc(d.APIKeys, func(k APIKey) bool { return k.Tenant == t && k.ID == name }) {
			return ErrExists
		}
		return tx.PutAPIKey(row)
	})
}

// RevokeAPIKey ends an API key for good. Error: ErrNotFound.
func (s *Service) RevokeAPIKey(ctx context.Context, t TenantID, name string) error {
	return s.operate(ctx, t, EventKeyRevoked, name, func(tx Tx, d Directory) error {
		i := slices.IndexFunc(d.APIKeys, func(k APIKey) bool { return k.Tenant == t && k.ID == name })
		if i < 0 {
			return ErrNotFound
		}
		k := d.APIKeys[i]
		if k.RevokedAt.IsZero() {
			k.RevokedAt = s.now()
		}
		return tx.PutAPIKey(k)
	})
}

// Clients lists a tenant's clients by id, disabled ones too.
func (s *Service) Clients(t TenantID) []Client {
	var clients []Client
	for _, c := range s.dir.Load().Directory.Clients {
		if c.Tenant == t {
			clients = append(clients, c)
		}
	}
	slices.SortFunc(clients, func(a, b Client) int { return cmp.Compare(a.ID, b.ID) })
	return clients
}

// CreateClient adds a client, and returns the secret that is made for it here if it proves itself by one, this once. Errors: ErrExists,
// ErrNotFound for the tenant; others say what is not safe.
func (s *Service) CreateClient(ctx context.Context, t TenantID, in ClientSetup) (secret string, err error) {
	in.Secret = ""
	if cmp.Or(in.Auth, ClientAuthSecret) == ClientAuthSecret {
		in.Secret = randomText(32)
	}
	row, err := s.clientRow(t, in, s.now())
	if err != nil {
		return "", err
	}
	return in.Secret, s.operate(ctx, t, EventClientCreated, string(in.ID), func(tx Tx, d Directory) error {
		if slices.ContainsFunc(d.Clients, func(c Client) bool { return c.ID == in.ID }) {
			return ErrExists
		}
		has := func(a Application) bool { return a.Tenant == t && a.ID == row.AppID }
		if row.Kind == ClientApplication && !slices.ContainsFunc(d.Applications, has) {
			app := Application{Tenant: t, ID: row.AppID, Name: row.AppName, CreatedAt: row.CreatedAt, UpdatedAt: row.CreatedAt}
			if err := tx.PutApplication(app); err != nil {
				return err
			}
		}
		return tx.PutClient(row)
	})
}

// maxClientSecrets live at once, so that a secret can be replaced without an outage: the former one until the next rotation.
const maxClientSecrets = 2

// RotateClientSecret gives a client a new secret, returned this once; the one before it stays good until the next rotation.
// Errors: ErrNotFound; one that says that the client has no secrets.
func (s *Service) RotateClientSecret(ctx context.Context, t TenantID, id ClientID) (secret string, err error) {
	in := ClientSetup{ID: id, Secret: randomText(32)}
	return in.Secret, s.changeClient(ctx, t, id, EventClientRotated, func(c *Client, now time.Time) error {
		if c.Auth != ClientAuthSecret {
			return fmt.Errorf("client %s proves itself by %s: it has no secret", id, c.Auth)
		}
		fresh := ClientSecret{s.clientSecret(in.credentials()), now}
		c.Secrets = append([]ClientSecret{fresh}, c.Secrets...)
		c.Secrets = c.Secrets[:min(len(c.Secrets), maxClientSecrets)]
		return nil
	})
}

// DisableClient refuses a client and its tokens from now on. Error: ErrNotFound.
func (s *Service) DisableClient(ctx context.Context, t TenantID, id ClientID) error {
	return s.changeClient(ctx, t, id, EventClientDisabled, func(c *Client, now time.Time) error {
		if c.DisabledAt.IsZero() {
			c.DisabledAt = now
		}
		return nil
	})
}

func (s *Service) changeClient(ctx context.Context, t TenantID, id ClientID, kind EventKind, change func(*Client, time.Time) error) error {
	return s.operate(ctx, t, kind, string(id), func(tx Tx, d Directory) error {
		i := slices.IndexFunc(d.Clients, func(c Client) bool { return c.Tenant == t && c.ID == id })
		if i < 0 {
			return ErrNotFound
		}
		c := d.Clients[i]
		if err := change(&c, s.now()); err != nil {
			return err
		}
		return tx.PutClient(c)
	})
}

// operate runs one change of the directory with its event.
func (s *Service) operate(ctx context.Context, t TenantID, kind EventKind, what string, change func(Tx, Directory) error) error {
	err := s.store.Update(ctx, func(tx Tx) error {
		d, err := tx.Directory()
		if err != nil {
			return err
		}
		if kind != EventTenantCreated && !slices.ContainsFunc(d.Tenants, func(have Tenant) bool { return have.ID == t }) {
			return ErrNotFound
		}
		if err := change(tx, d); err != nil {
			return err
		}
		e := s.event(Actor{Tenant: t}, kind, s.now())
		e.Note = what
		return tx.AddEvents(e)
	})
	if err != nil {
		return err
	}
	return errors.Join(err, s.Resync(ctx))
}
