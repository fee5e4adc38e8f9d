package auth

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
)

// SealedKind says which rows a sealed value stands in.
type SealedKind string

// Kinds of sealed values. The root secret is none of them, since it is no row of its own; nor is a pushed request, which is over in PushedFor.
const (
	SealedSigningKey SealedKind = "signing key"
	SealedAppKey     SealedKind = "application key"
	SealedAPIKey     SealedKind = "API key"
	SealedTOTP       SealedKind = "TOTP"
	SealedDevice     SealedKind = "device"
	SealedParcel     SealedKind = "parcel"
	SealedAnswer     SealedKind = "answer"
)

// SealedKinds lists them all.
func SealedKinds() []SealedKind {
	return []SealedKind{SealedSigningKey, SealedAppKey, SealedAPIKey, SealedTOTP, SealedDevice, SealedParcel, SealedAnswer}
}

// SealedValue is what is sealed in one row.
type SealedValue struct {
	Kind   SealedKind
	Row    []string // tells it from others of its kind: tenant and id, or of an answer what OnceKey has, or of a signing key its id
	Sealed []byte   // empty: it has none, such as a parcel that was delivered
}

func (v SealedValue) place() string {
	tenant, id := TenantID(v.Row[0]), v.Row[len(v.Row)-1]
	switch v.Kind {
	case SealedSigningKey:
		return sealPlace(id)
	case SealedAppKey:
		return appKeyPlace(id)
	case SealedAPIKey:
		return APIKey{Tenant: tenant, ID: id}.place()
	case SealedTOTP:
		return TOTP{Tenant: tenant, User: UserID(id)}.place()
	case SealedDevice:
		return Device{Tenant: tenant, ID: DeviceID(id)}.place()
	case SealedParcel:
		return Parcel{Tenant: tenant, ID: ParcelID(id)}.place()
	default:
		return OnceKey{tenant, v.Row[1], v.Row[2], id}.place()
	}
}

// resealBatch is how many rows are read, and sealed again, at once.
const resealBatch = 200

// Reseal seals again, under the present master key, what is sealed under a former one, and returns how much that was. Servers go on meanwhile;
// one that had read a value before may put it back, so that a former key is not needed any more when a Reseal finds nothing, settleTime after
// one that found something, with no server left that seals under it.
//
// An error says what cannot be opened under any of the keys; the rest was sealed again all the same.
func (s *Service) Reseal(ctx context.Context) (n int, err error) {
	if n, err = s.resealRoot(ctx); err != nil {
		return n, err
	}
	var closed []string
	for _, kind := range SealedKinds() {
		done, lost, err := s.resealKind(ctx, kind)
		if n += done; err != nil {
			return n, err
		}
		closed = append(closed, lost...)
	}
	if n > 0 {
		e := s.event(Actor{}, EventKeyRotated, s.now())
		e.Reason, e.Note = "master_key", fmt.Sprintf("%d values are sealed again", n)
		if err := s.store.Write(ctx, func(w Writes) error { return w.AddEvents(e) }); err != nil {
			return n, err
		}
	}
	if len(closed) > 0 {
		const shown = 5
		return n, fmt.Errorf("%d values cannot be opened under any of the master keys: %s", len(closed), strings.Join(closed[:min(shown, len(closed))], ", "))
	}
	return n, nil
}

func (s *Service) resealRoot(ctx context.Context) (int, error) {
	var text string
	if err := s.store.View(ctx, func(r Reads) (err error) { text, err = r.Meta(metaRoot); return err }); err != nil {
		return 0, fmt.Errorf("read root secret: %w", err)
	}
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil || !s.ring.Stale(sealed) {
		return 0, err
	}
	if sealed, err = s.sealedAgain(rootPlace, sealed); err != nil {
		return 0, err
	}
	return 1, s.store.Write(ctx, func(w Writes) error { return w.SetMeta(metaRoot, base64.StdEncoding.EncodeToString(sealed)) })
}

// resealKind goes through all rows of a kind, and returns the places of those that no key opens.
func (s *Service) resealKind(ctx context.Context, kind SealedKind) (n int, closed []string, err error) {
	for after := []string(nil); ; {
		var values []SealedValue
		err := s.store.View(ctx, func(r Reads) (err error) { values, err = r.SealedValues(kind, after, resealBatch); return err })
		if err != nil || len(values) == 0 {
			return n, closed, err
		}
		after = values[len(values)-1].Row
		fresh := make(map[int][]byte)
		for i, v := range values {
			if len(v.Sealed) == 0 || !s.ring.Stale(v.Sealed) {
				continue
			}
			sealed, err := s.sealedAgain(v.place(), v.Sealed)
			if err != nil {
				closed = append(closed, v.place())
				continue
			}
			fresh[i] = sealed
		}
		if len(fresh) == 0 {
			continue
		}
		err = s.store.Write(ctx, func(w Writes) error {
			for i, sealed := range fresh {
				if err := w.Reseal(values[i], sealed); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return n, closed, err
		}
		n += len(fresh)
	}
}

func (s *Service) sealedAgain(place string, sealed []byte) ([]byte, error) {
	plain, err := s.ring.Open(place, sealed)
	if err != nil {
		return nil, err
	}
	return s.ring.Seal(place, plain)
}
