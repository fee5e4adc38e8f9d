package auth

import (
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
	Tenant    TenantID
	Ref       IdentityRef
	Name      string
	CreatedAt time.Time
}

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
	Identity   Identity
	Credential CredentialType
	Position   int       // order in which the links were made
	LastUsedAt time.Time // zero: never
}

// current returns the identity the user last worked for, else the first.
func current(ms []Membership) (Membership, bool) {
	var best Membership
	for i, m := range ms {
		if i == 0 || m.LastUsedAt.After(best.LastUsedAt) {
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
