package auth

import (
	"context"
	"errors"
	"strings"
)

// DeviceOwner is a user of the sandbox who may bind devices.
type DeviceOwner struct {
	User
	Devices int // that are bound, simulated ones aside
}

// maxOwners bounds how many users of a tenant are listed.
const maxOwners = 50

// DeviceOwners lists the users of every tenant that has devices, in the order they were made in. Only the sandbox tells.
//
// Errors: CodeNotFound.
func (s *Service) DeviceOwners(ctx context.Context) ([]DeviceOwner, error) {
	if !s.sandbox {
		return nil, refuse(CodeNotFound)
	}
	var all []DeviceOwner
	err := s.store.View(ctx, func(r Reads) error {
		all = nil
		for _, t := range s.Tenants() {
			if !s.uses(t.ID, ChannelBiometric) {
				continue
			}
			err := r.Users(t.ID, UserPage{Limit: maxOwners}, func(a Account) error {
				if a.User.Status != UserSuspended {
					all = append(all, DeviceOwner{User: a.User})
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		for i, o := range all {
			devices, err := r.Devices(o.Tenant, o.ID)
			if err != nil {
				return err
			}
			all[i].Devices = len(devices)
		}
		return nil
	})
	return all, err
}

// SandboxTicket gives a user a ticket as if they had just logged in and stepped up, so that a newcomer has a phone in a minute. Only the
// sandbox does.
//
// Errors: CodeNotFound, CodeChannelUnsupported, CodeDeviceLimit, CodeLocked, CodeMaintenance.
func (s *Service) SandboxTicket(ctx context.Context, t TenantID, id UserID) (IssuedTicket, error) {
	if !s.sandbox || s.dir.Load().tenants[t] == nil {
		return IssuedTicket{}, refuse(CodeNotFound)
	}
	now, by := s.now(), Actor{Tenant: t}
	return decide(ctx, s, by, func(tx Tx) (IssuedTicket, *Error, error) {
		account, err := tx.AccountByUser(t, id)
		if errors.Is(err, ErrNotFound) || err == nil && (!account.Found || account.User.Status == UserSuspended) {
			return IssuedTicket{}, refuse(CodeNotFound), nil
		}
		if err != nil {
			return IssuedTicket{}, nil, err
		}
		session := s.newSession(by, account.User, SurfaceMulti, MethodPassword, now)
		session.Methods = append(session.Methods, MethodSMS)
		if err := tx.AddSession(session); err != nil {
			return IssuedTicket{}, nil, err
		}
		e := s.event(by, EventLogin, now)
		e.User, e.Session, e.Reason = id, session.ID, string(MethodPassword)
		if err := tx.AddEvents(e); err != nil {
			return IssuedTicket{}, nil, err
		}
		return s.addTicket(tx, by, account, session.ID, true, now)
	})
}

// FullName is the user's name as they are shown it; empty: they have none.
func (u User) FullName() string {
	return strings.TrimSpace(u.Profile.FirstName + " " + u.Profile.LastName)
}
