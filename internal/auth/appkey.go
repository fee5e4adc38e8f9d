package auth

import (
	"cmp"
	"context"
	"slices"
	"time"

	"countersign/internal/jose"
)

// AppKey is a key pair that signs the tokens of one application's clients, or of all of a tenant's where it names no application, in the
// place of the server's own (contract/cis §1.8). It is made here, and its private half never leaves: the published set has one address, so
// whoever had it could sign in the name of every other application.
type AppKey struct {
	Tenant    TenantID
	App       AppID  // empty: every application of the tenant that has none of its own
	ID        string // kid: RFC 7638 thumbprint
	Name      string
	Status    KeyStatus
	Alg       jose.Alg
	Public    string // JWK
	Sealed    []byte // PKCS #8 under the master key
	CreatedAt time.Time
	UpdatedAt time.Time
	ActiveAt  time.Time // it signs no earlier: verifiers have to have seen it
}

// KeyStatus is what a key is used for (contract/cis §1.8).
type KeyStatus string

const (
	KeySigning    KeyStatus = "signing"    // published, and signs from ActiveAt
	KeyValidating KeyStatus = "validating" // published
	KeyDisabled   KeyStatus = "disabled"   // neither: what it signed is refused
)

// maxAppKeys bounds the keys of one application, all of which are published.
const maxAppKeys = 10

func appKeyPlace(kid string) string { return "app_keys/sealed/" + kid }

// appSigner is an open AppKey.
type appSigner struct {
	AppKey
	key *jose.Key
}

// signs returns the key that signs a client's tokens instead of the server's own, or nil: its application's comes before its tenant's.
func (d *directory) signs(c *Client, now time.Time) *jose.Key {
	var tenants *jose.Key
	for _, k := range d.appSigners {
		if k.Tenant != c.Tenant || k.Alg != c.alg() || k.Status != KeySigning || now.Before(k.ActiveAt) {
			continue
		}
		if k.App != "" && k.App == c.AppID {
			return k.key
		}
		if k.App == "" {
			tenants = k.key
		}
	}
	return tenants
}

// keysOf lists the keys of one application, or those of all of a tenant's, the oldest first.
func (d *directory) keysOf(t TenantID, app AppID) []AppKey {
	return slices.DeleteFunc(slices.Clone(d.AppKeys), func(k AppKey) bool { return k.Tenant != t || k.App != app })
}

// AppKeys lists the keys of an application, or those of all of the tenant's, and the server's own, which sign where there is no other.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeAppNotFound.
func (s *Service) AppKeys(ctx context.Context, by Actor, app AppID) ([]AppKey, []SigningKey, error) {
	d, err := s.present(ctx, by)
	if err == nil {
		err = s.manages(by)
	}
	if err == nil {
		err = d.hasApp(by.Tenant, app)
	}
	if err != nil {
		return nil, nil, err
	}
	return d.keysOf(by.Tenant, app), s.SigningKeys(), nil
}

// Signs reports whether one of the server's own keys signs now where no application's does.
func (s *Service) Signs(k SigningKey) bool {
	now := s.dir.Load().signerAt(k.Alg, s.now())
	return now != nil && now.ID() == k.ID
}

// CreateAppKey makes a key that is published and signs nothing yet. algorithm is ES256 or RS256; empty: ES256.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeAppNotFound, CodeSigningKeyLimit.
func (s *Service) CreateAppKey(ctx context.Context, by Actor, app AppID, name, algorithm string) (AppKey, error) {
	now, alg := s.now(), cmp.Or(jose.Alg(algorithm), jose.ES256)
	key, err := jose.Generate(alg)
	if err != nil {
		return AppKey{}, err
	}
	raw, err := key.PKCS8()
	if err != nil {
		return AppKey{}, err
	}
	k := AppKey{
		Tenant: by.Tenant, App: app, ID: key.ID(), Name: name, Status: KeyValidating, Alg: alg, Public: key.Public().String(), CreatedAt: now,
		UpdatedAt: now, ActiveAt: now.Add(PublishBefore),
	}
	if k.Sealed, err = s.ring.Seal(appKeyPlace(k.ID), raw); err != nil {
		return AppKey{}, err
	}
	return k, s.administer(ctx, by, func(tx Tx, d *directory) (Event, error) {
		if err := d.hasApp(by.Tenant, app); err != nil {
			return Event{}, err
		}
		if len(d.keysOf(by.Tenant, app)) >= maxAppKeys {
			return Event{}, refuse(CodeSigningKeyLimit)
		}
		return s.note(by, EventKeyRotated, "application key "+k.ID+" made", now), tx.PutAppKey(k)
	})
}

// appKey finds a key of the tenant. Error: CodeSigningKeyNotFound.
func (d *directory) appKey(t TenantID, id string) (AppKey, error) {
	for _, k := range d.AppKeys {
		if k.Tenant == t && k.ID == id {
			return k, nil
		}
	}
	return AppKey{}, refuse(CodeSigningKeyNotFound)
}

// ChangeAppKey renames a key or changes what it is used for; empty leaves either as it is. Of one algorithm one key of an application signs:
// the one before it goes on validating. A key that was disabled is published for a while before it signs, as a new one is.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeSigningKeyNotFound.
func (s *Service) ChangeAppKey(ctx context.Context, by Actor, id, name string, status KeyStatus) (AppKey, error) {
	now := s.now()
	var k AppKey
	err := s.administer(ctx, by, func(tx Tx, d *directory) (Event, error) {
		var err error
		if k, err = d.appKey(by.Tenant, id); err != nil {
			return Event{}, err
		}
		if name != "" {
			k.Name = name
		}
		if status != "" && status != k.Status {
			if k.Status == KeyDisabled {
				k.ActiveAt = now.Add(PublishBefore)
			}
			k.Status = status
		}
		k.UpdatedAt = now
		for _, other := range d.keysOf(k.Tenant, k.App) {
			if other.ID != k.ID && other.Alg == k.Alg && k.Status == KeySigning && other.Status == KeySigning {
				other.Status, other.UpdatedAt = KeyValidating, now
				if err := tx.PutAppKey(other); err != nil {
					return Event{}, err
				}
			}
		}
		return s.note(by, EventKeyRotated, "application key "+k.ID+" is "+string(k.Status), now), tx.PutAppKey(k)
	})
	return k, err
}

// DeleteAppKey destroys a key. What it signed is refused from now on.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeSigningKeyNotFound.
func (s *Service) DeleteAppKey(ctx context.Context, by Actor, id string) error {
	return s.administer(ctx, by, func(tx Tx, d *directory) (Event, error) {
		if _, err := d.appKey(by.Tenant, id); err != nil {
			return Event{}, err
		}
		_, err := tx.DropAppKey(by.Tenant, id)
		return s.note(by, EventKeyRotated, "application key "+id+" destroyed", s.now()), err
	})
}
