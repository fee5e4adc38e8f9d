package auth

import (
	"context"
	"errors"
	"time"
)

// Store keeps the state of the domain. Its methods differ in what they promise about concurrency, and about the disk:
//
//   - View reads one consistent snapshot. What it read may be old by the time it returns. fn may be run again.
//   - Update is atomic and serialisable: fn sees and leaves the state as if it
//     ran alone, and may be run again when the database asks for it, so fn only
//     reads and writes through tx and has no other effect.
//   - Write is atomic but not serialisable: it offers only verbs that settle
//     their own races (inserts, compare-and-swap), which is what the hot paths
//     use. fn may be run again as well.
//   - WriteUnsynced is Write without the wait for the disk. Everybody sees at once what was committed, and it outlives the process.
//     But a power cut, a crash of the database or its failover may take it away until an Update or a Write that began later has
//     committed, which keeps all that came before it. A process that lives on through that goes on from the state before, as if what it
//     had written had never been. So it is for what nobody is told of before such a commit, and whose writer finds out then whether
//     it is still there; see Service.reserve.
//
// An error from fn rolls everything back and is returned as it is. A failed commit returns an error; whether it took effect may then
// be unknown, and the rules are written so that trying again is safe. ctx bounds waiting and running.
//
// A verb that finds nothing returns an error that is ErrNotFound; an insert that meets an existing key one that is ErrExists. AddSession,
// AddToken, AddRefresh, RotateRefresh, AddEvents, AddParcels and TouchMembership end their transaction by it, and may leave it to the commit
// to say so: no rule waits for what they did. Times are stored in whole microseconds, UTC; the zero time is kept as zero.
type Store interface {
	View(ctx context.Context, fn func(Reads) error) error
	Update(ctx context.Context, fn func(Tx) error) error
	Write(ctx context.Context, fn func(Writes) error) error
	WriteUnsynced(ctx context.Context, fn func(Writes) error) error
}

// ErrNotFound is returned by a verb that reads or changes one row and finds none.
var ErrNotFound = errors.New("not found")

// ErrExists is returned by an insert whose key is taken.
var ErrExists = errors.New("already exists")

// ErrRaced means that a row changed between reading and writing; the caller reads again.
var ErrRaced = errors.New("row changed meanwhile")

// ErrUnavailable is returned when the database cannot be reached, or does not answer in time. Whether a transaction that was to be
// committed took effect is unknown then.
var ErrUnavailable = errors.New("the database is not available")

// Tx is what an Update may do.
type Tx interface {
	Reads
	Writes
}

// Reads is the sum of the reading verbs; none changes anything.
type Reads interface {
	// Directory returns the whole configuration: tenants, API keys, clients,
	// signing keys, and the shapes of password hashes in use by tenant.
	Directory() (Directory, error)
	// Revision returns the number that every change of the Directory raises.
	Revision() (int64, error)
	// Meta returns a value of the store's own notes.
	Meta(key string) (string, error)

	// AccountByIdentifier finds the user with the identifier and what a login needs of them, in one statement. When nobody has it,
	// Account.Found is false, Account.Subject is phantom and Account.Attempts are phantom's. Absent attempts are the zero Attempts.
	AccountByIdentifier(t TenantID, kind IdentifierKind, canonical string, phantom Subject) (Account, error)
	// AccountByUser is the same for a known user id; ErrNotFound when there is none.
	AccountByUser(t TenantID, id UserID) (Account, error)
	// Attempts returns the row of one subject and factor, zero when there is none.
	Attempts(t TenantID, subject Subject, factor AttemptFactor) (Attempts, error)
	// PasswordHistory returns the latest n former hashes, newest first.
	PasswordHistory(t TenantID, id UserID, n int) ([]string, error)
	// Authenticators lists what is bound to the user, oldest first.
	Authenticators(t TenantID, id UserID) ([]Authenticator, error)
	// Passkey returns one passkey.
	Passkey(t TenantID, id string) (Passkey, error)
	// PasskeysOf lists the user's passkeys, oldest first; PasskeysNamed at most n of those that were made with a name.
	PasskeysOf(t TenantID, id UserID) ([]Passkey, error)
	PasskeysNamed(t TenantID, name string, n int) ([]Passkey, error)
	// Ceremony returns one ceremony, used or not.
	Ceremony(t TenantID, id CeremonyID) (Ceremony, error)
	// TOTP returns the user's authenticator of codes by time.
	TOTP(t TenantID, id UserID) (TOTP, error)
	// UserKey returns one of the user's keys.
	UserKey(t TenantID, id UserID, use KeyUse, key string) (UserKey, error)
	// UserKeys lists the user's keys of every use, oldest first.
	UserKeys(t TenantID, id UserID) ([]UserKey, error)

	// Device returns one device, revoked ones too.
	Device(id DeviceID) (Device, error)
	// Devices lists the user's devices that are not revoked, the first bound first.
	Devices(t TenantID, id UserID) ([]Device, error)
	// Ticket returns a ticket by the hash of its secret, used or not.
	Ticket(hash TokenHash) (Ticket, error)
	// Approval returns what a device answered to a challenge.
	Approval(t TenantID, id ChallengeID) (Approval, error)
	// CountDenied counts the subject's challenges that were denied on a device since the time.
	CountDenied(t TenantID, subject Subject, since time.Time) (Tally, error)

	// Challenge returns one challenge.
	Challenge(t TenantID, id ChallengeID) (Challenge, error)
	// LatestChallenge returns the subject's newest challenge for the purpose, of the session and by the channel unless those are empty.
	LatestChallenge(t TenantID, subject Subject, p Purpose, session SessionID, by Channel) (Challenge, error)
	// PendingChallenges lists pending challenges that devices answer, oldest first, at most n: of one user, or of all when id is empty.
	PendingChallenges(t TenantID, id UserID, n int) ([]Challenge, error)
	// OverdueChallenges lists pending challenges of all tenants that expired before the time, oldest first, at most n.
	OverdueChallenges(now time.Time, n int) ([]Challenge, error)
	// CountPushed counts the subject's challenges that were sent to a device since the time.
	CountPushed(t TenantID, subject Subject, since time.Time) (Tally, error)

	// Link returns one resource to be confirmed.
	Link(t TenantID, ref LinkRef) (DynamicLink, error)
	// People lists the users who act for an identity, by the time they were made and then by id, and counts all that the filter lets through.
	People(t TenantID, ref IdentityRef, f PersonFilter) ([]Person, int, error)

	// Users passes the users of a tenant to visit, each with password and latest authentication but without memberships, as far as the
	// page reaches. visit must not use the transaction; its error ends the reading and is returned.
	Users(t TenantID, p UserPage, visit func(Account) error) error
	// CountUsers counts the users of a tenant who are in any of the spans. Without spans it looks at none of them.
	CountUsers(t TenantID, among []UserSpan) (int, error)
	// Miscounted tells of each tenant whose Counts are wrong by how many it has more.
	Miscounted() (map[TenantID]Counts, error)

	// CountMessages counts the messages to the user that were begun since the time; SMS, e-mail and push together, and decoys.
	CountMessages(t TenantID, id UserID, since time.Time) (Tally, error)
	// SMSCounts lists what was counted of a scope in windows that end after the time: the sums of all shards, by tenant, name and window.
	SMSCounts(scope SMSScope, since time.Time) ([]SMSCount, error)
	// Queues lists the tenants and kinds that have a parcel due and not leased.
	Queues(now time.Time) ([]Queue, error)
	// Parcels lists parcels with their content, newest first, at most n; zero fields of the filter do not filter.
	Parcels(f ParcelFilter, n int) ([]Parcel, error)
	// SealedValues lists what is sealed in rows of a kind, by their columns, those after a row (nil: from the first), at most n.
	SealedValues(kind SealedKind, after []string, n int) ([]SealedValue, error)
	// Answer returns what a call was answered.
	Answer(k OnceKey) (Answer, error)

	// Bearer finds a token of /multi by the hash of its secret, with its session, its user and the user's lock, in one statement.
	Bearer(hash TokenHash) (Bearer, error)
	// Session returns a session with what its liveness depends on, in one statement.
	Session(t TenantID, id SessionID) (LiveSession, error)
	// TokenSession is Session for one of its access tokens, and RevokedToken, in one statement.
	TokenSession(t TenantID, session SessionID, id string, family TokenHash) (live LiveSession, revoked bool, err error)
	// SessionsOf lists the user's sessions of a surface that have not been ended, the latest seen first, at most n.
	SessionsOf(t TenantID, id UserID, surface Surface, n int) ([]Session, error)
	// Party returns the party whose tokens live in a session.
	Party(t TenantID, id SessionID) (Party, error)
	// Refresh finds a refresh token by hash with the root of its family, its session, its user and the user's lock, in one statement.
	Refresh(hash TokenHash) (LiveRefresh, error)
	// RevokedToken reports whether an access token is revoked: itself, by jti, or with the family of refresh tokens whose root it names
	// (zero: none).
	RevokedToken(t TenantID, id string, family TokenHash) (bool, error)
	// Grant finds a grant by the hash of its code, used or not.
	Grant(hash TokenHash) (Grant, error)
	// PushedRequest finds a pushed authorization request by the hash of its URI's secret, used or not.
	PushedRequest(hash TokenHash) (PushedRequest, error)

	// Identity returns one identity.
	Identity(t TenantID, ref IdentityRef) (Identity, error)
	// Organizations lists corporate identities without their Details, by the time they were made and then by id, and counts all that the
	// filter lets through.
	Organizations(t TenantID, f OrganizationFilter) ([]Identity, int, error)
	// Logo finds an image of an organization by its id.
	Logo(id string) (Logo, error)
	// Consents returns what a user has allowed clients.
	Consents(t TenantID, id UserID) ([]Consent, error)
	// Events returns events of a tenant after the given id (empty: from the first) in order of id, at most n. Those of the last five minutes
	// may not be all there yet, so nobody may go on from one of them; see EventID.
	Events(t TenantID, after EventID, n int) ([]Event, error)
}

// Writes is the sum of the verbs that change something and settle their own races.
type Writes interface {
	// PutTenant, PutAPIKey, PutProgrammeKey, PutApplication, PutClient, PutSigningKey and PutAppKey insert or replace one entry of the Directory; each
	// raises the Revision.
	PutTenant(Tenant) error
	PutAPIKey(APIKey) error
	PutProgrammeKey(ProgrammeKey) error
	PutApplication(Application) error
	// DropApplication deletes one and raises the Revision; false when it was gone.
	DropApplication(t TenantID, id AppID) (bool, error)
	PutResource(Resource) error
	PutRole(AppRole) error
	// DropResource, DropRole and DropAppKey are as DropApplication.
	DropResource(t TenantID, id ResourceID) (bool, error)
	DropRole(t TenantID, id RoleID) (bool, error)
	DropAppKey(t TenantID, id string) (bool, error)
	PutClient(Client) error
	PutSigningKey(SigningKey) error
	PutAppKey(AppKey) error
	// SetMeta sets a value; AddMeta sets it only if the key is new and reports whether it did; RaiseMeta sets it unless there is one that is
	// as great: both are digits, as many of them.
	SetMeta(key, value string) error
	RaiseMeta(key, digits string) error
	AddMeta(key, value string) (bool, error)

	// AddUser inserts a user and all of their identifiers; ErrExists when the id or any identifier is taken.
	AddUser(User, []Identifier) error
	// NameUser gives a user without a username one, and its identifier; false when they have one. ErrExists when it is taken.
	NameUser(t TenantID, id UserID, username string, i Identifier, at time.Time) (bool, error)
	// MoveUserStatus changes the status and raises the epoch, which ends the user's sessions, if the status is still from.
	MoveUserStatus(t TenantID, id UserID, from, to UserStatus, at time.Time) (bool, error)
	// ActivateUser turns a pending user active; false when they were not pending.
	ActivateUser(t TenantID, id UserID, at time.Time) (bool, error)
	// RaiseEpoch ends all of a user's sessions; ErrNotFound when there is no such user.
	RaiseEpoch(t TenantID, id UserID) error
	// DeleteUser deletes a user with their identifiers, password, authenticators, memberships and attempts. AddUser takes the id no more;
	// ErrNotFound when there is none.
	DeleteUser(t TenantID, id UserID, at time.Time) error
	// Reseal puts another sealed value in the place of one that is as it was read, and of none else.
	Reseal(v SealedValue, sealed []byte) error
	// CorrectCounts raises a tenant's Counts.
	CorrectCounts(t TenantID, by Counts) error
	// PutUser writes what a user is and is called: everything but status, epoch and password. ids replace all of their identifiers;
	// ErrExists when one is taken.
	PutUser(u User, ids []Identifier) error
	// AddIdentity inserts an identity; ErrExists also when one of its domains is another's.
	AddIdentity(Identity) error
	// PutIdentity replaces an identity; ErrNotFound when there is none, ErrExists when one of its domains is another's.
	PutIdentity(Identity) error
	// DeleteIdentity deletes an identity with its memberships and domains; ErrNotFound when there is none.
	DeleteIdentity(t TenantID, ref IdentityRef) error
	AddMembership(Membership) error
	// PutMembership replaces roles, tag, suspension and Info of a membership; ErrNotFound when there is none.
	PutMembership(Membership) error
	// DropMembership deletes a membership; false when it was gone.
	DropMembership(t TenantID, id UserID, ref IdentityRef) (bool, error)
	// TouchMembership notes that the user last worked for this identity.
	TouchMembership(t TenantID, id UserID, ref IdentityRef, at time.Time) error
	// AddAuthenticator inserts an authenticator; ErrExists when the user has one of the channel.
	AddAuthenticator(Authenticator) error
	// PutAuthenticator replaces an authenticator of the same id; ErrNotFound when there is none.
	PutAuthenticator(Authenticator) error
	// DropAuthenticator deletes one; false when it was gone.
	DropAuthenticator(t TenantID, id string) (bool, error)
	// AddPasskey inserts a passkey; ErrExists when the tenant has one of the id.
	AddPasskey(Passkey) error
	// PutPasskey replaces what changes of a passkey if its version is still from, and reports whether it did. p.Version is the new version.
	PutPasskey(p Passkey, from int64) (bool, error)
	// DropPasskey deletes one with its attempts; false when it was gone.
	DropPasskey(t TenantID, id string) (bool, error)
	AddCeremony(Ceremony) error
	// UseCeremony marks a ceremony as used; false when it was before.
	UseCeremony(t TenantID, id CeremonyID, at time.Time) (bool, error)
	// PutTOTP inserts the authenticator of codes (from 0) or replaces it if its version is still from, and reports whether it did.
	// a.Version is the new version.
	PutTOTP(a TOTP, from int64) (bool, error)
	// DropTOTP deletes the user's; false when there was none.
	DropTOTP(t TenantID, id UserID) (bool, error)
	// AddUserKey inserts a key with Version 1; ErrExists when the user has one of the name and use.
	AddUserKey(UserKey) error
	// PutUserKey replaces what may change of a key, which is everything but the key itself, if its version is still from, and reports
	// whether it did. k.Version is the new version.
	PutUserKey(k UserKey, from int64) (bool, error)
	// DropUserKey deletes one with its failures; false when it was gone.
	DropUserKey(t TenantID, id UserID, use KeyUse, key string) (bool, error)
	// UseChallenge notes until when a challenge is remembered as used; false when it was used before.
	UseChallenge(t TenantID, digest [32]byte, until time.Time) (bool, error)

	// AddDevice inserts a device with Version 1; ErrExists when its key is bound, or was, to anybody.
	AddDevice(Device) error
	// PutDevice replaces name, address, status and counters of a device if its version is still from, and reports whether it did. d.Version
	// is the new version.
	PutDevice(d Device, from int64) (bool, error)
	// AddTicket inserts a ticket and marks the user's older ones as used.
	AddTicket(Ticket) error
	// UseTicket marks a ticket as used; false when it was used before.
	UseTicket(hash TokenHash, at time.Time) (bool, error)
	// AddApproval inserts what a device answered; ErrExists when the challenge has an answer.
	AddApproval(Approval) error

	// AddPassword inserts the user's password; ErrExists when there is one.
	AddPassword(Password) error
	// SwapPassword replaces the user's password if its version is still from, keeps the replaced hash in the history when keep is set,
	// raises the user's epoch when endSessions is set, and reports whether it did. p.Version is the new version.
	SwapPassword(p Password, from int64, keep, endSessions bool) (bool, error)
	// PutAttempts writes the row if its version is still from (0: absent) and reports whether it did. a.Version is the new version.
	PutAttempts(t TenantID, subject Subject, factor AttemptFactor, a Attempts, from int64) (bool, error)

	// AddChallenge inserts a challenge with Version 1.
	AddChallenge(Challenge) error
	// PutChallenge replaces the challenge if its version is still from and reports whether it did. c.Version is the new version.
	PutChallenge(c Challenge, from int64) (bool, error)
	// CancelChallenges cancels all pending challenges of a subject and returns how many; p limits it to a purpose unless empty.
	CancelChallenges(t TenantID, subject Subject, p Purpose, at time.Time) (int, error)

	// PutLink inserts the resource (from 0) or replaces it if its version is still from, and reports whether it did.
	PutLink(l DynamicLink, from int64) (bool, error)

	// AddParcels inserts all parcels in one statement; none is no statement.
	AddParcels(...Parcel) error
	// ClaimParcels leases at most n due parcels of a queue until the given time, counts the try, and returns them, the longest due first. No
	// parcel is leased twice at a time, on any number of nodes.
	ClaimParcels(q Queue, now, until time.Time, n int) ([]Parcel, error)
	// SettleParcel writes the outcome of the try that was the parcel's p.Tries-th, unless another one has begun since; false then.
	SettleParcel(p Parcel) (bool, error)
	// RestartParcel makes a failed parcel pending again, with no tries begun; false when it is not failed.
	RestartParcel(p Parcel) (bool, error)
	// CountSMS adds Sent and Proved to each row in one statement, unless Sent of one that is there has reached Allowed, and reports for each
	// whether it did. No two are of one row; none is no statement.
	CountSMS(...SMSCount) ([]bool, error)
	// AddAnswer inserts an answer; ErrExists when the call has one.
	AddAnswer(Answer) error

	AddSession(Session) error
	// JoinSession adds the methods of a new authentication to a live session and moves SeenAt and AuthAt; false when it ended.
	JoinSession(t TenantID, id SessionID, methods []Method, at time.Time) (bool, error)
	// TouchSession moves SeenAt forward, never back; false when the session ended.
	TouchSession(t TenantID, id SessionID, at time.Time) (bool, error)
	// EndSession ends a session and so all of its tokens; false when it had ended.
	EndSession(t TenantID, id SessionID, at time.Time, why string) (bool, error)
	// EndSessionsOf ends all of a user's sessions of a surface, or those of one client, and returns those that it ended.
	EndSessionsOf(t TenantID, id UserID, surface Surface, client ClientID, at time.Time, why string) ([]Session, error)
	// PutLogo inserts or replaces the image of an organization, which goes with it.
	PutLogo(Logo) error
	// PutConsent inserts or replaces one; DropConsent deletes one, and is false when it was gone.
	PutConsent(Consent) error
	DropConsent(t TenantID, id UserID, client ClientID) (bool, error)
	AddParty(Party) error
	// MoveParties makes one session of a user's browser take over the parties of another, which end no earlier than until.
	MoveParties(t TenantID, id UserID, from, to SessionID, until time.Time) error
	// TakeParties deletes the parties of a session of a user's browser, or of all of their sessions when it is empty, and returns them: no
	// party is taken twice.
	TakeParties(t TenantID, id UserID, browser SessionID) ([]Party, error)
	AddToken(Token) error
	// StepUpToken marks a token of a live session as stepped up; false when the token was used or its session ended.
	StepUpToken(hash TokenHash, at time.Time) (bool, error)
	// UseToken marks a single-use token as used; false when it was used before.
	UseToken(hash TokenHash, at time.Time) (bool, error)
	AddRefresh(RefreshToken) error
	// RotateRefresh marks a live refresh token as rotated; ErrRaced when it was rotated or revoked before, or is no more.
	RotateRefresh(hash TokenHash, at time.Time) error
	// RevokeRefreshFamily revokes a whole family by its root; false when it was revoked before.
	RevokeRefreshFamily(root TokenHash, at time.Time) (bool, error)
	// RevokeRefreshOf revokes all families of a user that are for one organization, but for those of some clients, and returns how many.
	RevokeRefreshOf(t TenantID, id UserID, org IdentityRef, spared []ClientID, at time.Time) (int, error)
	// RevokeToken notes that an access token is revoked until it expires; false when it was before.
	RevokeToken(t TenantID, id string, expires time.Time) (bool, error)
	// RaiseRevokedUntil moves the Directory's RevokedUntil forward, never back, and raises the Revision if it did.
	RaiseRevokedUntil(until time.Time) error
	AddGrant(Grant) error
	// UseGrant marks a grant as redeemed; false when it was before.
	UseGrant(hash TokenHash, at time.Time) (bool, error)
	// SpendAssertion notes until the given time that a client has proved itself with a JWT of this digest of a jti; false when it had before.
	SpendAssertion(t TenantID, c ClientID, jti [32]byte, until time.Time) (bool, error)
	AddPushedRequest(PushedRequest) error
	// UsePushedRequest marks a pushed request as used; false when it was before.
	UsePushedRequest(hash TokenHash, at time.Time) (bool, error)

	// AddEvents inserts all events in one statement; none is no statement.
	AddEvents(...Event) error

	// Sweep deletes rows that ended before the given time and no rule looks at any more, at most n; it returns how many.
	Sweep(before time.Time, n int) (int, error)

	// Clear deletes everything but the store's own notes and the signing keys, and raises the Revision: the first half of the sandbox's
	// way back to its starting state.
	Clear() error
}

// Queue is what one worker takes parcels from: one tenant's of one kind, so that a slow receiver holds up nobody else.
type Queue struct {
	Tenant TenantID
	Kind   ParcelKind
}

// ParcelFilter chooses among parcels.
type ParcelFilter struct {
	Tenant TenantID
	ID     ParcelID
	Kinds  []ParcelKind
	Status ParcelStatus
}
