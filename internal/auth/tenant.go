package auth

import "time"

// TenantID is the slug of one isolated customer of the server.
type TenantID string

// Mode says whether a tenant's messages are real.
type Mode string

const (
	ModeLive    Mode = "live"    // messages are sent
	ModeSandbox Mode = "sandbox" // codes are fixed and messages stay in the inbox
)

// Tenant is one isolated customer of the server. Every row that belongs to a tenant carries its id in key and index.
type Tenant struct {
	ID        TenantID
	Name      string
	Mode      Mode
	Settings  Settings
	Webhook   Webhook
	CreatedAt time.Time
}

// Webhook is where a tenant wants its events.
type Webhook struct {
	URL string
}

// Settings are what a tenant may decide. DefaultSettings has the zero-effort values.
type Settings struct {
	Password        PasswordPolicy
	Lockout         LockPolicy
	Session         SessionPolicy // of /multi
	BackendSession  SessionPolicy // of /cis
	BrowserSession  SessionPolicy // of the login page
	LoginToken      LoginToken
	IdentitiesReply IdentitiesReply
	RateLimits      bool // false lifts every limit on how often: by address, caller, user and message
	RevealAccounts  bool // the telling codes of the contracts; off: nothing tells whether an account exists
	Maintenance     bool // every call of the tenant is answered 503
	PasswordGrant   bool // the grant that RFC 9700 §2.4 forbids, for clients from before

	OTP            OTPPolicy
	Passkey        PasskeyPolicy
	Push           PushPolicy
	Channels       []Channel     // that users may be challenged over
	StepUpFor      time.Duration // how long a step-up counts; zero: as long as its token
	PhoneCountries []string      // ISO 3166-1 alpha-2 of the numbers that may get codes; empty: all
	BlockedDomains []string      // of e-mail addresses that new users may not have
	PhoneChanges   int           // how often a phone number may be changed; 0: never
	EmailEvery     time.Duration // at most one change of e-mail address in this time
	MultiIdentity  bool          // a root user may own several corporates
	AppURL         string        // base of the links in e-mails, without a trailing slash; empty: the server's public URL
	Theme          Theme         // of the login page
	// IssuedOnly lets a user's key sign challenges of ours alone; off: one that the client made is good too, once.
	IssuedOnly    bool
	MessageLimits []Limit // messages to one user
	SMS           SMSPolicy
	KeyLimits     []Limit // requests by one API key or client, counted by each server
	UserLimits    []Limit // requests with one user's tokens, counted by each server
}

// OTPPolicy is how codes by SMS live; contract/multi §3.5.
type OTPPolicy struct {
	For   time.Duration // life of a code
	Tries int           // wrong codes that end a challenge
	Sends int           // codes of one challenge, the first among them
	Wait  time.Duration // between two of them
}

// PushPolicy is how challenges on a device live.
type PushPolicy struct {
	For   time.Duration // until it expires unanswered
	Limit Limit         // pushes to one user

	Number         NumberMatching // which challenges want a number; empty: NumberForLogin
	PIN            PINCheck       // what approves instead of biometrics; empty: PINNever
	ReportSuspends bool           // a user who says that it was not them is suspended, until an operator resumes them
	NoBrowsers     bool           // devices that are browsers are not bound and approve nothing: they do not tell a finger from a PIN
}

// SessionPolicy holds the two ends of a session.
type SessionPolicy struct {
	IdleLimit     time.Duration // after the last activity
	AbsoluteLimit time.Duration // after the authentication, whatever the activity
}

// LoginToken says which kind of token a password login on /multi returns.
type LoginToken string

const (
	LoginTokenAuto LoginToken = "auto" // ACCESS with one identity, AUTH with several
	LoginTokenAuth LoginToken = "auth" // always AUTH
)

// IdentitiesReply is the form of the answer of GET /multi/identities.
type IdentitiesReply string

const (
	IdentitiesArray IdentitiesReply = "array" // as in the seed documents
	IdentitiesPage  IdentitiesReply = "page"  // {identities, count, responseCount}
)

// DefaultSettings returns the settings of a tenant that says nothing.
func DefaultSettings() Settings {
	return Settings{
		Password:        PolicyWeavr(),
		Lockout:         LockPolicy{Failures: 5, For: 30 * time.Minute, ForgetAfter: 24 * time.Hour},
		Session:         SessionPolicy{IdleLimit: 5 * time.Minute, AbsoluteLimit: 12 * time.Hour},
		BackendSession:  SessionPolicy{IdleLimit: 14 * 24 * time.Hour, AbsoluteLimit: 90 * 24 * time.Hour},
		BrowserSession:  SessionPolicy{IdleLimit: 30 * time.Minute, AbsoluteLimit: 12 * time.Hour},
		LoginToken:      LoginTokenAuto,
		IdentitiesReply: IdentitiesArray,
		RateLimits:      true,

		OTP:           OTPPolicy{For: 5 * time.Minute, Tries: 3, Sends: 3, Wait: 15 * time.Second},
		Passkey:       DefaultPasskeyPolicy(),
		Push:          PushPolicy{For: 2 * time.Minute, Limit: Limit{Count: 3, Window: 10 * time.Minute}},
		Channels:      []Channel{ChannelSMS, ChannelBiometric, ChannelAuthy},
		PhoneChanges:  3,
		EmailEvery:    24 * time.Hour,
		MultiIdentity: true,
		MessageLimits: []Limit{{Count: 20, Window: time.Hour}, {Count: 60, Window: 24 * time.Hour}},
		SMS:           DefaultSMSPolicy(),
		KeyLimits:     []Limit{{Count: 6000, Window: time.Minute}, {Count: 180_000, Window: time.Hour}},
		UserLimits:    []Limit{{Count: 300, Window: time.Minute}, {Count: 6000, Window: time.Hour}},
	}
}

// APIKey lets a back end call /multi. The key itself is kept twice: as a keyed
// hash to find it by, and sealed, because it signs the tenant's webhooks.
type APIKey struct {
	Tenant    TenantID
	ID        string
	Name      string
	Hash      [32]byte // MAC of the key
	Sealed    []byte
	CreatedAt time.Time
	RevokedAt time.Time // zero: live
}

// place is where the sealed key stands.
func (k APIKey) place() string { return "api_keys/sealed/" + string(k.Tenant) + "/" + k.ID }

// ProgrammeKey opens the simulator of a sandbox tenant.
type ProgrammeKey struct {
	Tenant TenantID
	Hash   [32]byte // MAC of the key
}

// Directory is a snapshot of the configuration that every request needs: small, read by all, changed rarely.
type Directory struct {
	Revision      int64
	Tenants       []Tenant
	APIKeys       []APIKey
	ProgrammeKeys []ProgrammeKey
	Applications  []Application
	Resources     []Resource
	Roles         []AppRole
	Clients       []Client
	SigningKeys   []SigningKey
	AppKeys       []AppKey
	Shapes        map[TenantID][]string // distinct Password.Shape by tenant
	RevokedUntil  time.Time             // no revoked token of a client's own lives as long; zero: there was none
}
