package auth

import (
	"context"
	"errors"
	"strings"
	"time"
)

// IdentityType says what an identity is.
type IdentityType string

const (
	Consumer  IdentityType = "CONSUMER"
	Corporate IdentityType = "CORPORATE" // with its members: the organization of /cis
)

// IdentityRef names an identity within its tenant.
type IdentityRef struct {
	Type IdentityType
	ID   string // decimal digits
}

// String is the form of the seed file, TYPE:ID.
func (r IdentityRef) String() string { return string(r.Type) + ":" + r.ID }

// IsZero reports whether r names nothing.
func (r IdentityRef) IsZero() bool { return r == IdentityRef{} }

// ParseIdentityRef reads TYPE:ID.
func ParseIdentityRef(s string) (IdentityRef, bool) {
	t, id, ok := strings.Cut(s, ":")
	r := IdentityRef{IdentityType(t), id}
	return r, ok && (r.Type == Consumer || r.Type == Corporate) && isDigits(id)
}

// Identity is the consumer or corporate that users act for.
type Identity struct {
	Tenant      TenantID
	Ref         IdentityRef
	Name        string
	Profile     string // the embedder's profile id
	Details     string // a JSON object: what we keep for the embedder and never act on
	Diligence   Diligence
	CreatedAt   time.Time
	SuspendedAt time.Time // zero: active; nobody acts for a suspended identity

	Organization Organization
}

// Diligence is where an identity's due diligence stands. We do none: it is told to us.
type Diligence string

const (
	DiligenceNone     Diligence = "" // not begun
	DiligencePending  Diligence = "pending"
	DiligenceApproved Diligence = "approved"
	DiligenceRejected Diligence = "rejected"
)

// CredentialType is a user's standing towards one identity.
type CredentialType string

const (
	Root   CredentialType = "ROOT" // owns it
	Member CredentialType = "USER" // was authorised by a root user
)

// Membership links a user to an identity.
type Membership struct {
	Tenant     TenantID
	User       UserID
	Identity   Identity // without its Details, which only Reads.Identity reads: most who act for it never ask
	Credential CredentialType
	Position   int       // order in which the links were made
	LastUsedAt time.Time // zero: never

	Roles       []Role
	AppRoles    []RoleID  // of the tenant's applications, which the user has in them as a member
	Tag         string    // the embedder's
	SuspendedAt time.Time // zero: active
	Info        MemberInfo
}

// Role is what a member may do for an identity; a root user may do everything. The names are those of contract/multi §1.5.
type Role string

const (
	RoleCardAssignee     Role = "CARD_ASSIGNEE"
	RoleCardsManagement  Role = "CARDS_MANAGEMENT_ROLE"
	RoleFundsManagement  Role = "FUNDS_MANAGEMENT_ROLE"
	RoleAccessManagement Role = "ACCESS_MANAGEMENT_ROLE"
	RoleAdmin            Role = "ADMIN"
)

// active reports whether the user may act for the identity now.
func (m Membership) active() bool { return m.SuspendedAt.IsZero() && m.Identity.SuspendedAt.IsZero() }

// Person is a user as one of those who act for an identity.
type Person struct {
	User       User
	Membership Membership
}

// Active reports whether the person may log in and act for the identity, as far as they themself are concerned.
func (p Person) Active() bool {
	return p.Membership.SuspendedAt.IsZero() && p.User.Status != UserSuspended
}

// PersonFilter chooses among the people of an identity. Zero fields do not filter.
type PersonFilter struct {
	Credential CredentialType
	Active     *bool  // whether neither the membership nor the user is suspended
	Email      string // canonical
	Tag        string
	Roles      []Role // any of them
	Offset     int
	Limit      int // zero: no limit
}

// current returns the identity the user last worked for, else the first; one that they no longer act for only when there is no other.
func current(ms []Membership) (Membership, bool) {
	var best Membership
	for i, m := range ms {
		stands, stood := m.SuspendedAt.IsZero(), best.SuspendedAt.IsZero()
		if i == 0 || stands && !stood || stands == stood && m.LastUsedAt.After(best.LastUsedAt) {
			best = m
		}
	}
	return best, len(ms) > 0
}

func isDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != "" && len(s) <= 20
}

// VerifyIdentity notes that an identity's due diligence is approved, and that its root users' e-mail addresses and phone numbers are theirs.
// It is an operator's, and the simulator's of the contract (contract/multi §2.10). Error: CodeNotFound.
func (s *Service) VerifyIdentity(ctx context.Context, t TenantID, ref IdentityRef) error {
	return s.settleDiligence(ctx, t, ref, DiligenceApproved, func(tx Tx, now time.Time) error {
		roots, _, err := tx.People(t, ref, PersonFilter{Credential: Root})
		if err != nil {
			return err
		}
		for _, p := range roots {
			u := p.User
			if u.Email != "" && u.EmailVerifiedAt.IsZero() {
				u.EmailVerifiedAt = now
			}
			if u.Phone != "" && u.PhoneVerifiedAt.IsZero() {
				u.PhoneVerifiedAt = now
			}
			u.UpdatedAt = now
			if err := s.putUser(tx, u); err != nil {
				return err
			}
		}
		return nil
	})
}

// RejectIdentity notes that an identity's due diligence is rejected, which VerifyIdentity undoes. Its users may still act for it: keeping them
// from that is SuspendIdentity's. It is an operator's. Error: CodeNotFound.
func (s *Service) RejectIdentity(ctx context.Context, t TenantID, ref IdentityRef) error {
	return s.settleDiligence(ctx, t, ref, DiligenceRejected, func(Tx, time.Time) error { return nil })
}

// settleDiligence notes what an identity's due diligence came to, with what follows for its users.
func (s *Service) settleDiligence(ctx context.Context, t TenantID, ref IdentityRef, d Diligence, follow func(Tx, time.Time) error) error {
	now, by := s.now(), Actor{Tenant: t}
	return s.store.Update(ctx, func(tx Tx) error {
		i, err := tx.Identity(t, ref)
		if errors.Is(err, ErrNotFound) {
			return refuse(CodeNotFound)
		}
		if err != nil {
			return err
		}
		i.Diligence = d
		if err := tx.PutIdentity(i); err != nil {
			return err
		}
		if err := follow(tx, now); err != nil {
			return err
		}
		e := s.event(by, EventDiligence, now)
		e.Identity, e.Note = ref, string(d)
		return tx.AddEvents(e)
	})
}

// SuspendIdentity keeps everybody from acting for an identity, at once on every node, until ResumeIdentity; an operator's. The tenant's
// webhook is told why (contract/multi §4.2). Error: CodeNotFound.
func (s *Service) SuspendIdentity(ctx context.Context, t TenantID, ref IdentityRef, reason string) error {
	return s.moveIdentity(ctx, t, ref, true, reason)
}

// ResumeIdentity lets an identity's users act for it again. Error: CodeNotFound.
func (s *Service) ResumeIdentity(ctx context.Context, t TenantID, ref IdentityRef) error {
	return s.moveIdentity(ctx, t, ref, false, "")
}

func (s *Service) moveIdentity(ctx context.Context, t TenantID, ref IdentityRef, suspend bool, reason string) error {
	now := s.now()
	err := s.store.Update(ctx, func(tx Tx) error {
		i, err := tx.Identity(t, ref)
		if errors.Is(err, ErrNotFound) {
			return refuse(CodeNotFound)
		}
		if err != nil || i.SuspendedAt.IsZero() != suspend {
			return err
		}
		if err := s.shiftIdentity(tx, Actor{Tenant: t}, &i, suspend, reason, now); err != nil {
			return err
		}
		return tx.PutIdentity(i)
	})
	s.nudge()
	return err
}

// shiftIdentity suspends or resumes an identity, which the caller then writes.
func (s *Service) shiftIdentity(tx Tx, by Actor, i *Identity, suspend bool, reason string, now time.Time) error {
	i.SuspendedAt = time.Time{}
	kind, news := EventIdentityResumed, NewsIdentityActivated
	if suspend {
		i.SuspendedAt = now
		kind, news = EventIdentitySuspended, NewsIdentityDeactivated
	}
	if err := s.announceIdentity(tx, *i, news, reason, now); err != nil {
		return err
	}
	e := s.event(by, kind, now)
	e.Identity, e.Reason = i.Ref, reason
	return tx.AddEvents(e)
}

// announceIdentity tells the tenant's webhook, and in whose name, what has become of an identity (contract/multi §4.2).
func (s *Service) announceIdentity(tx Tx, i Identity, kind NewsKind, reason string, now time.Time) error {
	n := News{Kind: kind, At: now, Identity: i.Ref, DoneBy: "ADMIN", Reason: reason}
	roots, _, err := tx.People(i.Tenant, i.Ref, PersonFilter{Credential: Root, Limit: 1})
	if err != nil {
		return err
	}
	if len(roots) > 0 {
		n.User, n.Email = roots[0].User.ID, roots[0].User.Email
	}
	return s.announce(tx, i.Tenant, n)
}
