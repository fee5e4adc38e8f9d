package auth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"countersign/internal/passhash"
	"countersign/internal/seal"
)

// Config is what a Service is made of.
type Config struct {
	Store  Store
	Hasher *passhash.Hasher
	Ring   *seal.Ring       // seals signing keys, API keys and the root secret in the store
	Now    func() time.Time // the one clock of every rule; nil: Steady's
	Steady *Steady          // a real clock; nil: Now may be set back, as that of the sandbox and of tests
	Issuer string           // iss of the tokens of /cis, without a trailing slash
	Limits []Limit          // refused attempts by address; nil: DefaultLimits, empty: none
	// SMSLimits bound the SMS of all tenants together; empty: nothing does.
	SMSLimits []Limit
	// AttemptWait is how long an attempt waits while as many as may fail are in flight on its account; zero: 5 s.
	AttemptWait time.Duration
	// PublicURL is the base of links where a tenant has none of its own, without a trailing slash.
	PublicURL string
	// Sandbox makes the codes of sandbox tenants known and keeps messages in the inbox instead of sending them. Without it no code is
	// ever known, whatever a tenant's mode (security A-066).
	Sandbox bool
}

// DefaultLimits bound the refused attempts of one address.
func DefaultLimits() []Limit {
	return []Limit{{Count: 60, Window: time.Minute}, {Count: 600, Window: time.Hour}}
}

// Service is the domain: every rule of authentication, over a Store. It is safe for concurrent use.
type Service struct {
	store       Store
	hasher      *passhash.Hasher
	ring        *seal.Ring
	mac         *seal.MAC
	clock       func() time.Time
	steady      *Steady      // nil: clock may be set back
	noted       atomic.Int64 // the time of the latest note of it, Unix microseconds
	issuer      string
	attemptWait time.Duration
	publicURL   string
	sandbox     bool

	dir       atomic.Pointer[directory]
	reloading sync.Mutex
	turns     *turnstile
	decoyKey  publicKey
	decoyTOTP TOTP    // whose codes are computed for whoever has no app
	limits    []Limit // refused attempts by address
	smsLimits []Limit // of all tenants together
	throttles throttles
	withheld  withheld
	events    atomic.Uint32 // begun since the start
	packed    atomic.Bool   // a parcel was written since the last wake
	wake      chan struct{}
	bells     bells
	start     atomic.Pointer[[]tenantRows] // what the sandbox goes back to
}

// Actor is who asks: a caller that an Authenticate method has let in.
type Actor struct {
	Tenant TenantID
	Key    string   // APIKey.ID, for /multi
	Client ClientID // for /cis
	Device DeviceID // for /device
	Needs  string   // permissions, separated by spaces, of which the client's roles must have one; empty: none is needed
	Holds  string   // the thumbprint of the key that the request has proved (RFC 9449); empty: none
	Token  string   // jti of the client's own access token that the call came with; empty: none did
	Once   *Once    // the call is to take effect at most once; nil: each time
	Via
}

// Via is how a call reached us; it goes into events.
type Via struct {
	Address netip.Addr // of the caller
	Request string     // request id
	Proof   KeyProof   // of a key, by /oidc and /cis
}

// PublicURL is where the server is reached from outside, without a trailing slash.
func (s *Service) PublicURL() string { return s.publicURL }

// String names the actor as events and logs do.
func (a Actor) String() string {
	switch {
	case a.Client != "":
		return "client:" + string(a.Client)
	case a.Key != "":
		return "key:" + a.Key
	case a.Device != "":
		return "device:" + string(a.Device)
	}
	return "operator"
}

// Keys of the store's notes.
const (
	metaRoot  = "root" // sealed: what every keyed hash derives from
	rootPlace = "meta/" + metaRoot
	metaSetup = "setup" // digest of the Setup that was applied
)

// New makes a Service over a migrated store. At the first start of a store it makes the root secret.
func New(ctx context.Context, c Config) (*Service, error) {
	s := &Service{
		store: c.Store, hasher: c.Hasher, ring: c.Ring, clock: c.Now, issuer: c.Issuer, attemptWait: c.AttemptWait,
		turns: newTurnstile(), publicURL: c.PublicURL, sandbox: c.Sandbox, smsLimits: c.SMSLimits, wake: make(chan struct{}, 1),
	}
	if s.steady = c.Steady; s.steady != nil {
		s.clock = s.steady.Now
	}
	if err := s.readMark(ctx); err != nil {
		return nil, err
	}
	if c.Limits == nil {
		c.Limits = DefaultLimits()
	}
	s.limits = c.Limits
	if s.attemptWait == 0 {
		s.attemptWait = 5 * time.Second
	}
	root, err := s.root(ctx)
	if err != nil {
		return nil, err
	}
	if s.mac, err = seal.NewMAC(root); err != nil {
		return nil, err
	}
	if s.decoyKey, err = newDecoyKey(); err != nil {
		return nil, err
	}
	if s.decoyTOTP, err = newDecoyTOTP(s.ring); err != nil {
		return nil, err
	}
	return s, s.Reload(ctx)
}

// root reads the root secret, or makes it. Of two servers that start at once on one new store, one makes it and both read it.
func (s *Service) root(ctx context.Context) ([]byte, error) {
	var text string
	read := func(r Reads) (err error) { text, err = r.Meta(metaRoot); return err }
	err := s.store.View(ctx, read)
	if errors.Is(err, ErrNotFound) {
		fresh := make([]byte, 32)
		rand.Read(fresh)
		sealed, serr := s.ring.Seal(rootPlace, fresh)
		if serr != nil {
			return nil, serr
		}
		err = s.store.Write(ctx, func(w Writes) error {
			_, err := w.AddMeta(metaRoot, base64.StdEncoding.EncodeToString(sealed))
			return err
		})
		if err == nil {
			err = s.store.View(ctx, read)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read root secret: %w", err)
	}
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("read root secret: %w", err)
	}
	root, err := s.ring.Open(rootPlace, sealed)
	if err != nil {
		return nil, fmt.Errorf("open root secret (is this the store's master key?): %w", err)
	}
	return root, nil
}

// now is the time of one decision, at the grain the store keeps.
func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// event begins an event by an actor.
func (s *Service) event(by Actor, kind EventKind, now time.Time) Event {
	e := Event{
		ID: newEventID(now, s.events.Add(1)), Tenant: by.Tenant, At: now, Kind: kind, Client: by.Client, Actor: by.String(), Request: by.Request,
	}
	if by.Address.IsValid() {
		e.Address = by.Address.String()
	}
	return e
}

// settleTime bounds the writing of an outcome, which goes on when the caller has gone: an attempt that was made is counted.
const settleTime = 10 * time.Second

func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), settleTime)
}
