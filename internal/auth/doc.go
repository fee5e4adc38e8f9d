// Package auth is the domain of Countersign: every rule of authentication, and nothing else.
//
// It owns what a tenant, user, identity, client, password, session and token are; who may authenticate, how failures are counted and
// when an account is locked; how long a session lives and what ends it; which event each outcome leaves. It does not own bytes on a wire,
// SQL, logging or configuration: those are adapters, which import this package and are never imported by it. State is behind Store, whose
// comments are a contract that package store/storetest checks on every database.
//
// # The whole system in one screen
//
// A call comes in through a dialect and names its caller: AuthenticateKey (an API key of /multi), AuthenticateClient (a secret, a signed JWT, or nothing) or
// AuthenticateClientToken (a client's JWT, /cis) return an Actor, which every other method takes. What an actor may know of the
// configuration is in the directory, a snapshot that each call compares with the store's revision.
//
//	LoginPassword          /multi   session + token (AUTH or ACCESS)
//	Identities             /multi   whom the user may act for
//	AccessToken            /multi   a token for one of them
//	UpdatePassword         /multi   old for new; the one use of a temporary token
//	StepUp, VerifyStepUp   /multi   raise a token by a code; StepUpDevice by a device
//	BindPhone, BindDevice, UnbindDevice, Authenticators   /multi   what the user can prove with
//	LoginDevice, CollectLogin   /multi   a login that the device approves
//	CreatePassword         /multi   the first one
//	Logout                 /multi
//	LoginFront, ResetAndEnter, Enter             /cis, /oidc: a login that a client's own page has taken, into the browser
//	EndSession, AnswerLogout, EndFrontSessions   /oidc, /cis: the sessions of a user's browsers; their parties are told
//	AuthenticatePassword   /cis     session + access, ID and refresh token
//	AuthenticateSession    /cis     more tokens from a live session
//	Refresh                /cis     rotation
//	ProveKey               /oidc    what is issued then is bound to a key of the client's
//	Consents, RevokeConsent  /cis   what users have allowed clients of somebody else's
//	LogoutSession          /cis
//	ClientToken            /oidc    a client's own token
//	Push, Pushed           /oidc    an authorization request ahead of its user
//	PasswordGrant          /oidc    AuthenticatePassword for clients from before
//	StartReset, ProveReset, ProveOldPassword, ResetPassword          /cis, a new password for one factor, or for two
//	AppMethods, ChangeAppMethods                                     /cis, how the users of an application prove themselves
//	StartRecovery, ResumeRecovery                                    /multi, a new password for a code from the mailbox
//	Invite, ValidateInvite, ConsumeInvite                            /multi, the first password for a code from the mailbox
//	SendEmailCode, VerifyEmail                                       /multi, a code proves the address
//	RegisterKey, StartKeyLogin, AuthenticateUserKey                  /cis, a device's key logs its user in
//	StartTransaction, AuthenticateTransaction                        /cis, the code of an app approves something
//	AddDeviceKey, ValidateDeviceKey, BlockDeviceKey                  /cis, a client recognises a device by its key
//	SendContactCode, ProveContact                                    /cis, a code proves a user's address or number, also a new one
//	CreateUser, User, UserBy, AddPassword, ReplacePassword           /cis, by a client
//	CreateIdentity, OwnIdentity, ChangeRoot, AskDiligence            /multi, consumers and corporates with their root users
//	AddMember, Member, Members, ChangeMember, DeactivateMember, …    /multi, by who manages the users of an identity
//	Suspend, Resume, Unlock, SuspendIdentity, RotateSigningKey, …    by an operator
//	Restored                                                         by an operator, of a database that is older than what was answered
//	Rewound                                                          by a server, of one that is found so while it runs
//	Apply                                                            a starting state
//
// # The counter of failures
//
// Every attempt at a password goes reserve → verify → settle. The reservation is committed before the hash is computed, so a crowd of
// guesses cannot outrun the count; surplus attempts wait for a reservation, so that a crowd of right passwords all get through.
//
//	          reserve                      settle(failed), fifth in a row
//	┌──────┐ ────────────► ┌───────────┐ ─────────────────────────────► ┌────────┐
//	│ open │               │ reserved  │                                │ locked │
//	└──────┘ ◄──────────── └───────────┘                                └────────┘
//	   ▲      settle(succeeded): failures = 0                               │
//	   │      settle(failed):    failures + 1                               │
//	   │      settle(withdrawn): as before                                  │
//	   └────────────────────────────────────────────────────────────────────┘
//	                  LockPolicy.For after the locking failure
//
// A reservation that a crash left behind becomes a failure after two minutes. An identifier that nobody has is counted and locked in the same
// way, under a keyed hash.
//
// # A challenge
//
//	            the proof holds            its caller fetches the token (PurposeLogin)
//	┌─────────┐ ───────────────► ┌──────────┐ ───────────────► ┌───────────┐
//	│ pending │                  │ approved │                  │ collected │
//	└─────────┘                  └──────────┘                  └───────────┘
//	     ├── the user says no ──────────────► denied
//	     ├── too many wrong proofs ─────────► failed
//	     ├── nobody answered in time ───────► expired
//	     └── a lock, a newer one, the end of
//	         what it was for ───────────────► cancelled
//
// A wrong code is counted for its challenge and for its user over all challenges; see Attempts. What an approved challenge leads to is in
// Service.fulfil, what one that was not approved leads to in Service.ended.
//
// # The status of a user
//
//	          authenticates             suspended
//	pending ────────────────► active ◄────────────► suspended
//	   └───────────────────────────────────────────────▲
//
// # The status of a resource that is to be confirmed
//
//	        its challenge holds
//	pending ────────────────────► confirmed
//	   ▲ │  fails, or is denied
//	   │ └──────────────────────► failed
//	   └──────────────────────────── │
//	        registered anew
//
// What is exempt is not challenged. A challenge is over the digest of what was registered when it began; whatever is registered later has
// another digest, and no answer to that challenge confirms it.
//
// # What ends a session
//
// Its idle limit, its absolute limit, Logout, and a new epoch of its user: a change of password or a suspension raises User.Epoch, and a
// session lives only in the epoch it was made in. Tokens and refresh tokens live only as long as their session. All of this is decided
// when a token is used, by the service's clock; nothing waits for a job.
package auth
