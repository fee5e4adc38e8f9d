package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"
)

const sealTicket = "ticket"

const ticketFor = 5 * time.Minute // A-067 allows ten

// Ticket lets one device be bound to a user, once. Only its hash is kept.
type Ticket struct {
	Hash      TokenHash
	Tenant    TenantID
	User      UserID
	Session   SessionID // that asked for it, and has to live still
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time // zero: not yet
}

// IssuedTicket is a ticket as the user carries it to the device.
type IssuedTicket struct {
	Text      string
	Link      string // opens the authenticator that this server serves; the ticket is behind the #, which no server sees
	ExpiresAt time.Time
}

// IssueTicket gives the stepped-up bearer of a token of /multi a ticket that binds one device. An older ticket of the user is void then.
// The first device needs a step-up as well: by a code to the user's phone.
//
// Errors: those of begin; CodeCredentialsInactive, CodeStepUpRequired, CodeChannelUnsupported, CodeDeviceLimit, CodeLocked.
func (s *Service) IssueTicket(ctx context.Context, by Actor, bearer string) (IssuedTicket, error) {
	b, err := s.bearerToBind(ctx, by, bearer)
	if err != nil {
		return IssuedTicket{}, err
	}
	return s.issueTicket(ctx, by, b.LiveSession, s.steppedUp(b, s.now()))
}

// IssueUserTicket is IssueTicket for the bearer of a user's access token on /cis: the session must rest on two methods.
func (s *Service) IssueUserTicket(ctx context.Context, by Actor, live LiveSession) (IssuedTicket, error) {
	return s.issueTicket(ctx, by, live, live.multifactor())
}

func (s *Service) issueTicket(ctx context.Context, by Actor, live LiveSession, proved bool) (IssuedTicket, error) {
	now := s.now()
	return decide(ctx, s, by, func(tx Tx) (IssuedTicket, *Error, error) {
		account, err := tx.AccountByUser(by.Tenant, live.User.ID)
		if err != nil {
			return IssuedTicket{}, nil, err
		}
		return s.addTicket(tx, by, account, live.Session.ID, proved, now)
	})
}

// addTicket gives the user of a session a ticket, if they may bind a device.
func (s *Service) addTicket(tx Tx, by Actor, account Account, session SessionID, proved bool, now time.Time) (IssuedTicket, *Error, error) {
	text, hash := s.newToken(sealTicket)
	t := Ticket{Hash: hash, Tenant: by.Tenant, User: account.User.ID, Session: session, CreatedAt: now, ExpiresAt: now.Add(ticketFor)}
	no, err := s.ticketFit(tx, account, proved, now)
	e := s.event(by, EventTicketIssued, now)
	e.User, e.Session = t.User, t.Session
	switch {
	case err != nil:
		return IssuedTicket{}, nil, err
	case no != nil:
		e.Kind, e.Reason = EventBindingRefused, no.Code.String()
		return IssuedTicket{}, no, tx.AddEvents(e)
	}
	if err := tx.AddTicket(t); err != nil {
		return IssuedTicket{}, nil, err
	}
	return IssuedTicket{text, s.authenticatorURL() + "#" + text, t.ExpiresAt}, nil, tx.AddEvents(e)
}

// ticketFit says why a user may not bind a device, if they may not.
func (s *Service) ticketFit(r Reads, account Account, proved bool, now time.Time) (*Error, error) {
	switch {
	case account.Attempts.locked(now):
		return &Error{Code: CodeLocked, RetryAfter: account.Attempts.LockedUntil.Sub(now)}, nil
	case !s.uses(account.User.Tenant, ChannelBiometric):
		return refuse(CodeChannelUnsupported), nil
	case !proved:
		return refuse(CodeStepUpRequired), nil
	}
	devices, err := r.Devices(account.User.Tenant, account.User.ID)
	if err == nil && len(devices) >= maxDevices {
		return refuse(CodeDeviceLimit), nil
	}
	return nil, err
}

// ticketLives says that a ticket's session lives no more, if so. Verdict: CodeTicketInvalid.
func (s *Service) ticketLives(r Reads, t Ticket, now time.Time) (*Error, error) {
	live, err := r.Session(t.Tenant, t.Session)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	if err != nil || !live.alive(now) || now.Before(live.LockedUntil) || live.User.ID != t.User {
		return refuse(CodeTicketInvalid), nil
	}
	return nil, nil
}

// openTicket finds a live ticket. What is wrong with a ticket is not told.
func (s *Service) openTicket(ctx context.Context, text string, via Via, now time.Time) (Ticket, Actor, error) {
	by := Actor{Via: via}
	secret, ok := s.openToken(sealTicket, text)
	if !ok {
		return Ticket{}, by, refuse(CodeTicketInvalid)
	}
	hash := sha256.Sum256(secret[:])
	var t Ticket
	err := s.store.View(ctx, func(r Reads) (err error) { t, err = r.Ticket(hash); return err })
	switch {
	case errors.Is(err, ErrNotFound):
		return t, by, refuse(CodeTicketInvalid)
	case err != nil:
		return t, by, err
	case !t.UsedAt.IsZero() || !now.Before(t.ExpiresAt):
		return t, by, refuse(CodeTicketInvalid)
	}
	by.Tenant = t.Tenant
	return t, by, s.lookup(ctx, func(d *directory) error { return d.open(t.Tenant) })
}
