package auth

import "time"

// EventID orders events: by time, and within a millisecond by the order in which one server began them.
type EventID string

// EventKind is what happened.
type EventKind string

const (
	EventLogin           EventKind = "login"         // a user authenticated
	EventLoginRefused    EventKind = "login_refused" // Reason says why
	EventLocked          EventKind = "locked"        // failures reached the limit
	EventUnlocked        EventKind = "unlocked"      // a lock ended, by time or by an operator
	EventPasswordAdded   EventKind = "password_added"
	EventPasswordChanged EventKind = "password_changed"
	EventPasswordRefused EventKind = "password_refused" // a change that was not made
	EventPasswordRehash  EventKind = "password_rehash"  // same password, present parameters
	EventTokenIssued     EventKind = "token_issued"
	EventTokenRefused    EventKind = "token_refused"
	EventTokenRefreshed  EventKind = "token_refreshed"
	EventTokenRevoked    EventKind = "token_revoked" // a family of refresh tokens, after reuse
	EventLogout          EventKind = "logout"
	EventUserCreated     EventKind = "user_created"
	EventSuspended       EventKind = "user_suspended"
	EventResumed         EventKind = "user_resumed"
	EventTenantCreated   EventKind = "tenant_created"
	EventMaintenance     EventKind = "maintenance"
	EventKeyCreated      EventKind = "api_key_created"
	EventKeyRevoked      EventKind = "api_key_revoked"
	EventClientCreated   EventKind = "client_created"
	EventClientRotated   EventKind = "client_secret_rotated"
	EventClientDisabled  EventKind = "client_disabled"
	EventSetup           EventKind = "setup"       // a starting state was applied
	EventKeyRotated      EventKind = "key_rotated" // signing key
)

// Event is something that happened in the domain. It is written in the transaction that made it happen, and holds no secret and no
// identifier that a person typed.
type Event struct {
	ID       EventID
	Tenant   TenantID // empty: the server's own
	At       time.Time
	Kind     EventKind
	User     UserID // empty: unknown account
	Session  SessionID
	Identity IdentityRef
	Client   ClientID
	Actor    string // who asked: "key:backend", "client:demo-client", "operator"
	Address  string // of the caller
	Request  string // request id
	Reason   string // a Code's name, or the kind of token
	Note     string // a sentence for people
}
