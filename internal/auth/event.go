package auth

import "time"

// EventID orders events: by time, and within a millisecond by the order in which one server began them. That is not the order in which they
// are committed: an event may yet appear before one that was read (docs/decisions/0020-clock.md).
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
	EventTokenRevoked    EventKind = "token_revoked"        // a family of refresh tokens, after reuse; or a token, by its client
	EventAuthorized      EventKind = "authorized"           // a code was issued to a client of the browser
	EventPushed          EventKind = "authorization_pushed" // Note: its scope
	EventLogout          EventKind = "logout"
	EventUserCreated     EventKind = "user_created"
	EventUserDeleted     EventKind = "user_deleted"
	EventSuspended       EventKind = "user_suspended"
	EventResumed         EventKind = "user_resumed"
	EventTenantCreated   EventKind = "tenant_created"
	EventMaintenance     EventKind = "maintenance"
	EventKeyCreated      EventKind = "api_key_created"
	EventKeyRevoked      EventKind = "api_key_revoked"
	EventClientCreated   EventKind = "client_created"
	EventClientChanged   EventKind = "client_changed"
	EventClientRotated   EventKind = "client_secret_rotated"
	EventClientDisabled  EventKind = "client_disabled"
	EventClientRetired   EventKind = "client_secret_retired" // the one before the newest
	EventAppCreated      EventKind = "application_created"
	EventAppChanged      EventKind = "application_changed"
	EventResourceCreated EventKind = "resource_created"
	EventResourceChanged EventKind = "resource_changed"
	EventResourceDeleted EventKind = "resource_deleted"
	EventRoleCreated     EventKind = "role_created"
	EventRoleChanged     EventKind = "role_changed"
	EventRoleDeleted     EventKind = "role_deleted"
	EventRoleAssigned    EventKind = "role_assigned"       // or taken from somebody
	EventAppDeleted      EventKind = "application_deleted" // with its clients
	EventSetup           EventKind = "setup"               // a starting state was applied
	EventKeyRotated      EventKind = "key_rotated"         // signing key, or with the reason master_key what was sealed under a former one

	EventChallenged        EventKind = "challenged"         // a challenge began, or got another code; Note: purpose and channel
	EventChallengeRefused  EventKind = "challenge_refused"  // none was begun, or a proof did not hold; Reason says why
	EventChallengeApproved EventKind = "challenge_approved" // the proof held
	EventChallengeDenied   EventKind = "challenge_denied"   // the user said no
	EventChallengeExpired  EventKind = "challenge_expired"  // nobody answered
	EventChallengeFailed   EventKind = "challenge_failed"   // for good
	EventSteppedUp         EventKind = "stepped_up"         // a token; Reason: the channel
	EventBound             EventKind = "bound"              // an authenticator
	EventBindingRefused    EventKind = "binding_refused"    // by the user; or Reason says why
	EventInvalidated       EventKind = "invalidated"        // an authenticator
	EventKeyEdited         EventKind = "key_edited"         // what a client keeps with a user's key
	EventKeyRefused        EventKind = "key_refused"        // a signature of a user's key that did not hold; Reason says why
	EventRenamed           EventKind = "renamed"            // a passkey, by its user or for them
	EventCopied            EventKind = "copied"             // a passkey's counter has not moved on: its key is in two places
	EventRecoveryAsked     EventKind = "recovery_asked"     // of an unknown account too: User is empty then
	EventRecovered         EventKind = "recovered"          // a new password without the old one
	EventEmailVerified     EventKind = "email_verified"     // by a code that was sent there
	EventPhoneVerified     EventKind = "phone_verified"     // the same
	EventInvited           EventKind = "invited"            // a user got an invite
	EventInviteConsumed    EventKind = "invite_consumed"    // and made a password of it
	EventPINSet            EventKind = "pin_set"            // of a device; Reason: which
	EventUserChanged       EventKind = "user_changed"       // Note: which fields
	EventIdentityCreated   EventKind = "identity_created"   // with its root user
	EventIdentityChanged   EventKind = "identity_changed"   // Note: which fields
	EventIdentitySuspended EventKind = "identity_suspended" // by an operator
	EventIdentityResumed   EventKind = "identity_resumed"   // by an operator
	EventDiligence         EventKind = "diligence"          // Note: where due diligence stands now
	EventMemberSuspended   EventKind = "member_suspended"   // for one identity
	EventMemberResumed     EventKind = "member_resumed"     // for one identity
	EventLinkRegistered    EventKind = "link_registered"    // something to confirm, or a change of it
	EventDeliveryFailed    EventKind = "delivery_failed"    // a parcel, for good
	EventSettingsChanged   EventKind = "settings_changed"   // of a tenant
	EventWebhookChanged    EventKind = "webhook_changed"    // where a tenant's news go
	EventDeliveryReplayed  EventKind = "delivery_replayed"  // by an operator
	EventTicketIssued      EventKind = "ticket_issued"      // for the binding of a device
	EventAnswered          EventKind = "answered"           // by a device's key; Reason: the decision. Evidence names this event
	EventAnswerRefused     EventKind = "answer_refused"     // of a device; Reason: which part did not hold
	EventDeviceBlocked     EventKind = "device_blocked"     // after answers that did not hold; Reason: the device
	EventReported          EventKind = "reported"           // the user said that it was not them
	EventSMSWithheld       EventKind = "sms_withheld"       // a budget was used up; Reason: whose. Nothing was sent
	EventSMSSuspected      EventKind = "sms_suspected"      // too few codes come back; Reason: the country, or empty; Note: how many
	EventReset             EventKind = "reset"              // the sandbox, to its starting state
	EventRestored          EventKind = "restored"           // from a backup: all that users had open is void
	EventRewound           EventKind = "rewound"            // the database was behind what was acknowledged: the same; Note: how it was seen
)

// Event is something that happened in the domain. It is written in the transaction that made it happen, and holds no secret and no
// identifier that a person typed.
type Event struct {
	ID        EventID
	Tenant    TenantID // empty: the server's own
	At        time.Time
	Kind      EventKind
	User      UserID // empty: unknown account
	Session   SessionID
	Identity  IdentityRef
	Client    ClientID
	Actor     string // who asked: "key:backend", "client:demo-client", "operator"
	Address   string // of the caller
	Request   string // request id
	Reason    string // a Code's name, the kind of token, or a channel
	Challenge ChallengeID
	Note      string // a sentence for people
}
