package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"countersign/internal/jose"
)

// SigningKey is one key pair that signs or has signed tokens. It is published from creation, signs from ActiveAt until a younger one of
// its algorithm does, and is withdrawn at RetireAt, when the last token it signed has expired. Keys are the server's, not a tenant's:
// the published set has one address.
type SigningKey struct {
	ID        string // kid: RFC 7638 thumbprint
	Alg       jose.Alg
	Public    string // JWK
	Sealed    []byte // PKCS #8 under the master key
	CreatedAt time.Time
	ActiveAt  time.Time
	RetireAt  time.Time // zero: not yet decided
}

const (
	// PublishBefore is how long a new key is published before it signs: longer than verifiers cache the set.
	PublishBefore = 10 * time.Minute
	// longestToken bounds the life of a token that a retired key signed.
	longestToken = 24 * time.Hour
	// rememberedTokens bounds the access tokens whose signature is not verified again, some 3 KB each, to twice as many.
	rememberedTokens = 1024
)

func sealPlace(kid string) string { return "signing_keys/sealed/" + kid }

// openKeys unseals the keys of a directory and makes the set that verifies.
func (s *Service) openKeys(d *directory) error {
	now := s.now()
	var public []jose.PublicKey
	for _, k := range d.SigningKeys {
		if !k.RetireAt.IsZero() && !now.Before(k.RetireAt) {
			continue
		}
		p, key, err := s.openKey(k.ID, k.Alg, k.Public, sealPlace(k.ID), k.Sealed)
		if err != nil {
			return err
		}
		public = append(public, p)
		d.signers = append(d.signers, signer{k, key})
	}
	for _, k := range d.AppKeys {
		if k.Status == KeyDisabled {
			continue
		}
		p, key, err := s.openKey(k.ID, k.Alg, k.Public, appKeyPlace(k.ID), k.Sealed)
		if err != nil {
			return err
		}
		public = append(public, p)
		d.appSigners = append(d.appSigners, appSigner{k, key})
	}
	d.public = jose.NewSet(public...).Remembering(rememberedTokens)
	return nil
}

// openKey reads both halves of a key.
func (s *Service) openKey(id string, alg jose.Alg, public, place string, sealed []byte) (p jose.PublicKey, key *jose.Key, err error) {
	if p, err = jose.ParsePublic(public); err != nil {
		return p, nil, fmt.Errorf("read signing key %s: %w", id, err)
	}
	raw, err := s.ring.Open(place, sealed)
	if err != nil {
		return p, nil, fmt.Errorf("open signing key %s: %w", id, err)
	}
	if key, err = jose.ParseKey(alg, raw); err != nil {
		return p, nil, fmt.Errorf("read signing key %s: %w", id, err)
	}
	return p, key, nil
}

// signer returns the key that signs now.
func (s *Service) signer(alg jose.Alg) (*jose.Key, error) {
	if k := s.dir.Load().signerAt(alg, s.now()); k != nil {
		return k, nil
	}
	return nil, fmt.Errorf("no signing key for %s", alg)
}

// signerAt returns the youngest key that is active; or the oldest, when the clock went back behind them all; or nil.
func (d *directory) signerAt(alg jose.Alg, now time.Time) *jose.Key {
	var best, oldest *signer
	for i, k := range d.signers {
		if k.Alg != alg {
			continue
		}
		if oldest == nil || k.ActiveAt.Before(oldest.ActiveAt) {
			oldest = &d.signers[i]
		}
		if !now.Before(k.ActiveAt) && (best == nil || k.ActiveAt.After(best.ActiveAt)) {
			best = &d.signers[i]
		}
	}
	if best == nil {
		best = oldest
	}
	if best == nil {
		return nil
	}
	return best.key
}

// EnsureKeys makes the first signing key of each algorithm that has none. Of several servers that do so at once, one wins for all.
func (s *Service) EnsureKeys(ctx context.Context, algs ...jose.Alg) error {
	for _, alg := range algs {
		if s.dir.Load().signerAt(alg, s.now()) != nil {
			continue
		}
		k, err := s.newKey(alg, s.now())
		if err != nil {
			return err
		}
		err = s.store.Update(ctx, func(tx Tx) error {
			first, err := tx.AddMeta("first signing key "+string(alg), k.ID)
			if err != nil || !first {
				return err
			}
			if err := tx.PutSigningKey(k); err != nil {
				return err
			}
			return tx.AddEvents(s.keyEvent(k))
		})
		if err != nil {
			return err
		}
		if err := s.Resync(ctx); err != nil {
			return err
		}
	}
	return nil
}

// RotateSigningKey makes a new key of an algorithm. It signs after PublishBefore; the keys before it retire when their last token has
// expired. Nothing that was signed fails to verify meanwhile.
func (s *Service) RotateSigningKey(ctx context.Context, alg jose.Alg) (SigningKey, error) {
	now := s.now()
	k, err := s.newKey(alg, now.Add(PublishBefore))
	if err != nil {
		return SigningKey{}, err
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		d, err := tx.Directory()
		if err != nil {
			return err
		}
		for _, old := range d.SigningKeys {
			if old.Alg == alg && old.RetireAt.IsZero() {
				old.RetireAt = k.ActiveAt.Add(longestToken)
				if err := tx.PutSigningKey(old); err != nil {
					return err
				}
			}
		}
		if err := tx.PutSigningKey(k); err != nil {
			return err
		}
		return tx.AddEvents(s.keyEvent(k))
	})
	return k, errors.Join(err, s.Resync(ctx))
}

func (s *Service) newKey(alg jose.Alg, activeAt time.Time) (SigningKey, error) {
	key, err := jose.Generate(alg)
	if err != nil {
		return SigningKey{}, err
	}
	raw, err := key.PKCS8()
	if err != nil {
		return SigningKey{}, err
	}
	sealed, err := s.ring.Seal(sealPlace(key.ID()), raw)
	if err != nil {
		return SigningKey{}, err
	}
	return SigningKey{
		ID: key.ID(), Alg: alg, Public: key.Public().String(), Sealed: sealed, CreatedAt: s.now(), ActiveAt: activeAt,
	}, nil
}

func (s *Service) keyEvent(k SigningKey) Event {
	e := s.event(Actor{}, EventKeyRotated, k.CreatedAt)
	e.Reason, e.Note = string(k.Alg), "key "+k.ID+" signs from "+k.ActiveAt.Format(time.RFC3339)
	return e
}

// SigningKeys lists the keys in force, for operators.
func (s *Service) SigningKeys() []SigningKey {
	var keys []SigningKey
	for _, k := range s.dir.Load().signers {
		keys = append(keys, k.SigningKey)
	}
	return keys
}

// KeySet returns the published keys (RFC 7517 §5), from the store's present state.
func (s *Service) KeySet(ctx context.Context) ([]byte, error) {
	if err := s.Resync(ctx); err != nil {
		return nil, err
	}
	return s.dir.Load().public.JWKS(), nil
}
