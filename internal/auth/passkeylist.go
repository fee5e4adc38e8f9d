package auth

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxLabel bounds the name that a user gives a passkey, in code points.
const maxLabel = 128

// Passkeys lists a user's passkeys, oldest first (contract/cis §1.11). Error: CodeUserNotFound.
func (s *Service) Passkeys(ctx context.Context, by Actor, id UserID) ([]Passkey, error) {
	var a Account
	var all []Passkey
	err := s.store.View(ctx, func(r Reads) (err error) {
		if a, err = r.AccountByUser(by.Tenant, id); err == nil {
			all, err = r.PasskeysOf(by.Tenant, id)
		}
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return nil, refuse(CodeUserNotFound)
	}
	if err != nil {
		return nil, err
	}
	return all, s.current(ctx, by, a.Revision)
}

// Passkey returns one of a user's passkeys. Errors: CodeUserNotFound, CodeNotFound.
func (s *Service) Passkey(ctx context.Context, by Actor, id UserID, passkey string) (Passkey, error) {
	all, err := s.Passkeys(ctx, by, id)
	if err != nil {
		return Passkey{}, err
	}
	for _, p := range all {
		if p.ID == passkey {
			return p, nil
		}
	}
	return Passkey{}, refuse(CodeNotFound)
}

// RenamePasskey gives a user's passkey another label; a client's. Errors: CodeIdentifierInvalid, CodeUserNotFound, CodeNotFound.
func (s *Service) RenamePasskey(ctx context.Context, by Actor, id UserID, passkey, label string) error {
	return s.changePasskey(ctx, by, id, nil, passkey, s.relabel(label))
}

// RenameOwnPasskey is RenamePasskey for the user of a session, under the conditions of DropOwnPasskey.
func (s *Service) RenameOwnPasskey(ctx context.Context, by Actor, live LiveSession, passkey, label string) error {
	return s.changePasskey(ctx, by, live.User.ID, &live, passkey, s.relabel(label))
}

// DropPasskey takes a passkey from a user; a client's, for a user who has lost it. Errors: CodeUserNotFound, CodeNotFound.
func (s *Service) DropPasskey(ctx context.Context, by Actor, id UserID, passkey string) error {
	return s.changePasskey(ctx, by, id, nil, passkey, s.dropPasskey)
}

// DropOwnPasskey takes a passkey from the user of a session, who must have used two ways to prove in it, or a passkey (A-078, B-20).
//
// Errors: CodeNotFound, CodeStepUpRequired, CodeLocked.
func (s *Service) DropOwnPasskey(ctx context.Context, by Actor, live LiveSession, passkey string) error {
	return s.changePasskey(ctx, by, live.User.ID, &live, passkey, s.dropPasskey)
}

// passkeyChange changes a passkey of a user and returns what happened.
type passkeyChange func(tx Tx, u User, p Passkey, now time.Time) (EventKind, *Error, error)

func (s *Service) relabel(label string) passkeyChange {
	return func(tx Tx, _ User, p Passkey, _ time.Time) (EventKind, *Error, error) {
		if label == "" || utf8.RuneCountInString(label) > maxLabel || strings.ContainsFunc(label, unicode.IsControl) {
			return "", refuseField(CodeIdentifierInvalid, "name"), nil
		}
		p.Label = label
		p.Version++
		done, err := tx.PutPasskey(p, p.Version-1)
		return EventRenamed, nil, errors.Join(err, raced(done))
	}
}

func (s *Service) dropPasskey(tx Tx, u User, p Passkey, now time.Time) (EventKind, *Error, error) {
	if _, err := tx.DropPasskey(p.Tenant, p.ID); err != nil {
		return "", nil, err
	}
	if err := s.weaken(tx, u, now); err != nil {
		return "", nil, err
	}
	return EventInvalidated, nil, s.notice(tx, u, TemplateUnbound, ChannelPasskey, now)
}

// changePasskey changes a passkey for a client or, when live is given, for the user of that session.
func (s *Service) changePasskey(
	ctx context.Context, by Actor, id UserID, live *LiveSession, passkey string, change passkeyChange,
) error {
	now := s.now()
	_, err := decide(ctx, s, by, func(tx Tx) (struct{}, *Error, error) {
		var done struct{}
		account, err := tx.AccountByUser(by.Tenant, id)
		if errors.Is(err, ErrNotFound) {
			return done, refuse(CodeUserNotFound), nil
		}
		if err != nil {
			return done, nil, err
		}
		var session SessionID
		if live != nil {
			session = live.Session.ID
			no, err := s.mayRefactor(tx, *live, account, true)
			if err != nil {
				return done, nil, err
			}
			if no != nil {
				return done, no, tx.AddEvents(s.passkeyEvent(by, EventBindingRefused, account.User, session, no.Code.String(), now))
			}
		}
		p, err := tx.Passkey(by.Tenant, passkey)
		if errors.Is(err, ErrNotFound) || err == nil && p.User != id {
			return done, refuse(CodeNotFound), nil
		}
		if err != nil {
			return done, nil, err
		}
		kind, no, err := change(tx, account.User, p, now)
		if err != nil || no != nil {
			return done, no, err
		}
		return done, nil, tx.AddEvents(s.passkeyEvent(by, kind, account.User, session, "", now))
	})
	return err
}
