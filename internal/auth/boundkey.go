package auth

import (
	"context"
	"errors"
	"slices"
	"time"
)

// KeyFields are what a client keeps with a user's device key; nil leaves a field as it is.
type KeyFields struct {
	Name, Custom, PushType, PushToken *string
}

func (in KeyFields) fill(k *UserKey) {
	for _, f := range []struct{ dst, src *string }{
		{&k.Name, in.Name}, {&k.Custom, in.Custom}, {&k.PushType, in.PushType}, {&k.PushToken, in.PushToken},
	} {
		if f.src != nil {
			*f.dst = *f.src
		}
	}
}

// DeviceKey is a user's key by which a client recognises a device, and whether it is locked after failures.
type DeviceKey struct {
	UserKey
	Locked bool
}

// AddDeviceKey binds a device's key to a user (contract/cis §1.10). It logs nobody in.
//
// Errors: CodeUserNotFound, CodeKeyMalformed, CodeKeyWeak, CodeKeyExists, CodeKeyLimit.
func (s *Service) AddDeviceKey(ctx context.Context, by Actor, id UserID, key, public string, fields KeyFields) (DeviceKey, error) {
	parsed, no := parsePublicKey(public)
	if no != nil {
		return DeviceKey{}, no
	}
	now := s.now()
	return decide(ctx, s, by, func(tx Tx) (DeviceKey, *Error, error) {
		account, no, err := s.keyHolder(tx, by, id)
		if err != nil || no != nil {
			return DeviceKey{}, no, err
		}
		k := UserKey{
			Tenant: by.Tenant, User: account.User.ID, Use: KeyDevice, ID: key, Version: 1, Type: parsed.typ, Public: parsed.der,
			CreatedAt: now, UpdatedAt: now,
		}
		fields.fill(&k)
		live := LiveSession{User: account.User}
		if no, err := s.addKey(tx, k); err != nil || no != nil {
			return DeviceKey{}, no, errors.Join(err, tx.AddEvents(s.keyChange(by, EventBindingRefused, live, codeName(no), now)))
		}
		return DeviceKey{UserKey: k}, nil, tx.AddEvents(s.keyChange(by, EventBound, live, "", now))
	})
}

func codeName(no *Error) string {
	if no == nil {
		return ""
	}
	return no.Code.String()
}

func (s *Service) keyHolder(r Reads, by Actor, id UserID) (Account, *Error, error) {
	account, err := r.AccountByUser(by.Tenant, id)
	if errors.Is(err, ErrNotFound) {
		return account, refuse(CodeUserNotFound), nil
	}
	return account, nil, err
}

// DeviceKeys lists the device keys of a user, oldest first. Error: CodeUserNotFound.
func (s *Service) DeviceKeys(ctx context.Context, by Actor, id UserID) ([]DeviceKey, error) {
	list := []DeviceKey{}
	var account Account
	err := s.store.View(ctx, func(r Reads) error {
		list = list[:0]
		var no *Error
		var err error
		if account, no, err = s.keyHolder(r, by, id); err != nil || no != nil {
			return orNo(err, no)
		}
		keys, err := r.UserKeys(by.Tenant, id)
		if err != nil {
			return err
		}
		for _, k := range slices.DeleteFunc(keys, func(k UserKey) bool { return k.Use != KeyDevice }) {
			bound, err := s.boundKey(r, k)
			if err != nil {
				return err
			}
			list = append(list, bound)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, s.current(ctx, by, account.Revision)
}

func (s *Service) boundKey(r Reads, k UserKey) (DeviceKey, error) {
	now := s.now()
	proofs, err := s.counter(Actor{Tenant: k.Tenant}, k.subject(), AttemptKey).read(r, now)
	return DeviceKey{UserKey: k, Locked: proofs.locked(now)}, err
}

// DeviceKey returns one device key of a user. Errors: CodeUserNotFound, CodeNotFound.
func (s *Service) DeviceKey(ctx context.Context, by Actor, id UserID, key string) (DeviceKey, error) {
	var found DeviceKey
	var account Account
	err := s.store.View(ctx, func(r Reads) error {
		var no *Error
		var err error
		if account, no, err = s.keyHolder(r, by, id); err != nil || no != nil {
			return orNo(err, no)
		}
		k, err := keyOf(r, by.Tenant, id, KeyDevice, key)
		if err == nil && k.Version == 0 {
			return refuse(CodeNotFound)
		}
		if err == nil {
			found, err = s.boundKey(r, k)
		}
		return err
	})
	if err != nil {
		return found, err
	}
	return found, s.current(ctx, by, account.Revision)
}

// ChangeDeviceKey changes what a client keeps with a device key. Errors: CodeUserNotFound, CodeNotFound.
func (s *Service) ChangeDeviceKey(ctx context.Context, by Actor, id UserID, key string, fields KeyFields) (DeviceKey, error) {
	return s.editKey(ctx, by, id, key, func(k *UserKey, now time.Time) EventKind {
		fields.fill(k)
		k.UpdatedAt = now
		return EventKeyEdited
	})
}

// BlockDeviceKey makes a device key prove nothing until it is unblocked; unblocking lifts a lock after failures as well. Errors:
// CodeUserNotFound, CodeNotFound.
func (s *Service) BlockDeviceKey(ctx context.Context, by Actor, id UserID, key string, block bool) (DeviceKey, error) {
	return s.editKey(ctx, by, id, key, func(k *UserKey, now time.Time) EventKind {
		if !block {
			k.BlockedAt = time.Time{}
			return EventUnlocked
		}
		if k.BlockedAt.IsZero() {
			k.BlockedAt = now
		}
		return EventLocked
	})
}

// editKey makes one change of one device key.
func (s *Service) editKey(
	ctx context.Context, by Actor, id UserID, key string, change func(*UserKey, time.Time) EventKind,
) (DeviceKey, error) {
	now := s.now()
	return decide(ctx, s, by, func(tx Tx) (DeviceKey, *Error, error) {
		account, k, no, err := s.heldKey(tx, by, id, key)
		if err != nil || no != nil {
			return DeviceKey{}, no, err
		}
		kind := change(&k, now)
		k.Version++
		if done, err := tx.PutUserKey(k, k.Version-1); err != nil || !done {
			return DeviceKey{}, nil, errors.Join(err, raced(done))
		}
		if kind == EventUnlocked {
			if err := s.forgiveKey(tx, k); err != nil {
				return DeviceKey{}, nil, err
			}
		}
		bound, err := s.boundKey(tx, k)
		if err != nil {
			return bound, nil, err
		}
		return bound, nil, tx.AddEvents(s.keyChange(by, kind, LiveSession{User: account.User}, "", now))
	})
}

// heldKey reads a device key that is to be changed. Verdicts: CodeUserNotFound, CodeNotFound.
func (s *Service) heldKey(r Reads, by Actor, id UserID, key string) (Account, UserKey, *Error, error) {
	account, no, err := s.keyHolder(r, by, id)
	if err != nil || no != nil {
		return account, UserKey{}, no, err
	}
	k, err := keyOf(r, by.Tenant, id, KeyDevice, key)
	if err == nil && k.Version == 0 {
		no = refuse(CodeNotFound)
	}
	return account, k, no, err
}

// forgiveKey forgets the failures of a key.
func (s *Service) forgiveKey(tx Tx, k UserKey) error {
	was, err := tx.Attempts(k.Tenant, k.subject(), AttemptKey)
	if err != nil || was.Version == 0 {
		return err
	}
	cleared := Attempts{Version: was.Version + 1, SucceededAt: was.SucceededAt}
	done, err := tx.PutAttempts(k.Tenant, k.subject(), AttemptKey, cleared.kept(s.rules(Actor{Tenant: k.Tenant}).lock(AttemptKey)), was.Version)
	return errors.Join(err, raced(done))
}

// DropDeviceKey deletes a device key. Errors: CodeUserNotFound, CodeNotFound.
func (s *Service) DropDeviceKey(ctx context.Context, by Actor, id UserID, key string) error {
	now := s.now()
	_, err := decide(ctx, s, by, func(tx Tx) (struct{}, *Error, error) {
		none := struct{}{}
		account, k, no, err := s.heldKey(tx, by, id, key)
		if err != nil || no != nil {
			return none, no, err
		}
		if dropped, err := tx.DropUserKey(k.Tenant, k.User, k.Use, k.ID); err != nil || !dropped {
			return none, nil, errors.Join(err, raced(dropped))
		}
		return none, nil, tx.AddEvents(s.keyChange(by, EventInvalidated, LiveSession{User: account.User}, "", now))
	})
	return err
}

// ValidateDeviceKey reports whether a signature over a challenge of the client's is the device key's. It is false for a key that is blocked,
// for five failures in a row and then for as long as the tenant's lockout says, for a challenge that was signed before, and for one that is
// shorter than 16 characters, so that it tells nobody more than a login would.
//
// Errors: CodeUserNotFound, CodeNotFound.
func (s *Service) ValidateDeviceKey(ctx context.Context, by Actor, id UserID, key, challenge, signature string) (bool, error) {
	now := s.now()
	return decide(ctx, s, by, func(tx Tx) (bool, *Error, error) {
		account, k, no, err := s.heldKey(tx, by, id, key)
		if err != nil || no != nil {
			return false, no, err
		}
		p := proof{subject: k.subject(), factor: AttemptKey, as: CodeWrongAssertion}
		p.refused = s.keyChange(by, EventKeyRefused, LiveSession{User: account.User}, "", now)
		if !k.BlockedAt.IsZero() || account.User.Status == UserSuspended {
			p.refused.Reason = CodeLocked.String()
			return false, nil, tx.AddEvents(p.refused)
		}
		no, err = s.judged(tx, by, p, now, func() (why, err error) {
			held, err := s.heldBefore(tx, k, challenge, signature, now)
			if !held {
				why = refuse(CodeWrongAssertion)
			}
			return why, err
		})
		if err != nil || no != nil {
			return false, nil, err
		}
		return true, nil, s.spendKeyProof(tx, by, keyProof{key: k}, now)
	})
}

// heldBefore reports whether a signature holds, and uses its challenge up then; false when it was used before.
func (s *Service) heldBefore(tx Tx, k UserKey, challenge, signature string, now time.Time) (bool, error) {
	public, err := k.open()
	if err != nil || len(challenge) < minKeyChallenge || !public.verifies(challenge, signature) {
		return false, err
	}
	return tx.UseChallenge(k.Tenant, s.spentDigest(k, challenge), now.Add(KeyChallengeMemory))
}
