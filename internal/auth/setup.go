package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"countersign/internal/passhash"
	"countersign/internal/seal"
)

// Setup is a starting state for an empty store: what a seed file describes.
type Setup struct {
	Digest  string // of the description; a store remembers which one it was made from
	Tenants []TenantSetup
}

// TenantSetup is one tenant of a Setup with all that belongs to it.
type TenantSetup struct {
	Tenant        Tenant
	APIKeys       []APIKeySetup
	ProgrammeKeys []string
	Applications  []Application // that need more than the id and the name which their clients give
	Clients       []ClientSetup
	Identities    []Identity
	Users         []UserSetup
}

// APIKeySetup is an API key in clear.
type APIKeySetup struct {
	Name string
	Key  string
}

// UserSetup is a user with their password, memberships and authenticators.
type UserSetup struct {
	ID             UserID // empty: made here
	FirstName      string
	LastName       string
	Email          string
	EmailVerified  bool
	Username       string
	Phone          string
	PhoneVerified  bool
	Suspended      bool
	Password       *PasswordSetup
	RootOf         []IdentityRef
	UserOf         []IdentityRef
	Roles          []Role // for all of UserOf
	Authenticators []AuthenticatorSetup
	CreatedAt      time.Time // zero: now
}

// PasswordSetup gives a password in clear or as a hash; exactly one of the two.
type PasswordSetup struct {
	Value     string
	Hash      string
	Expired   bool
	Temporary bool
}

// AuthenticatorSetup is an authenticator that is already bound.
type AuthenticatorSetup struct {
	Kind      AuthenticatorKind
	Channel   Channel // of a device; another kind has but one
	Simulated bool
}

// ErrOtherSetup means that the store was made from another description; a Setup is applied to an empty store only.
var ErrOtherSetup = errors.New("the store holds another starting state")

// Apply brings an empty store to a starting state, all of it or nothing, and reports whether it did: a second call with the same Setup
// changes nothing.
//
// Errors name what is wrong in the description; ErrOtherSetup.
func (s *Service) Apply(ctx context.Context, in Setup) (bool, error) {
	present, err := s.setupDigest(ctx)
	if err != nil || present == in.Digest && !s.sandbox {
		return false, err
	}
	if present == in.Digest { // the rows are made all the same: Reset needs them
		rows, err := s.setupRows(ctx, in)
		if err == nil {
			s.start.Store(&rows)
		}
		return false, err
	}
	if present != "" || len(s.dir.Load().Tenants) > 0 {
		return false, ErrOtherSetup
	}
	rows, err := s.setupRows(ctx, in)
	if err != nil {
		return false, err
	}
	applied := false
	err = s.store.Update(ctx, func(tx Tx) error {
		var err error
		if applied, err = tx.AddMeta(metaSetup, in.Digest); err != nil {
			return err
		}
		if !applied { // somebody else was first
			if present, err = tx.Meta(metaSetup); err == nil && present != in.Digest {
				err = ErrOtherSetup
			}
			return err
		}
		for _, r := range rows {
			if err := r.write(tx); err != nil {
				return fmt.Errorf("tenant %s: %w", r.tenant.ID, err)
			}
			e := s.event(Actor{Tenant: r.tenant.ID}, EventSetup, s.now())
			if err := tx.AddEvents(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && s.sandbox {
		s.start.Store(&rows)
	}
	return applied && err == nil, errors.Join(err, s.Resync(ctx))
}

// Reset brings the sandbox's store back to the state that Apply gave it in this process. It is one transaction and costs no hash. Sessions,
// tokens and keys made since are gone; signing keys stay.
//
// Errors: CodeNotFound outside of the sandbox, or when this process applied nothing.
func (s *Service) Reset(ctx context.Context) error {
	rows := s.start.Load()
	if rows == nil {
		return refuse(CodeNotFound)
	}
	err := s.store.Update(ctx, func(tx Tx) error {
		if err := tx.Clear(); err != nil {
			return err
		}
		for _, r := range *rows {
			if err := r.write(tx); err != nil {
				return fmt.Errorf("tenant %s: %w", r.tenant.ID, err)
			}
			if err := tx.AddEvents(s.event(Actor{Tenant: r.tenant.ID}, EventReset, s.now())); err != nil {
				return err
			}
		}
		return nil
	})
	s.throttles.forget()
	return errors.Join(err, s.Resync(ctx))
}

func (s *Service) setupRows(ctx context.Context, in Setup) ([]tenantRows, error) {
	rows := make([]tenantRows, len(in.Tenants))
	for i, t := range in.Tenants {
		var err error
		if rows[i], err = s.rowsOf(ctx, t); err != nil {
			return nil, fmt.Errorf("tenant %s: %w", t.Tenant.ID, err)
		}
		if t.Tenant.Mode == ModeSandbox && !s.sandbox {
			return nil, fmt.Errorf("tenant %s: mode sandbox is for countersign sandbox alone; a served tenant is live", t.Tenant.ID)
		}
	}
	return rows, nil
}

func (s *Service) setupDigest(ctx context.Context) (digest string, err error) {
	err = s.store.View(ctx, func(r Reads) (err error) { digest, err = r.Meta(metaSetup); return err })
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return digest, err
}

// tenantRows is a TenantSetup with every secret hashed: slow work, done before the transaction.
type tenantRows struct {
	tenant     Tenant
	keys       []APIKey
	programme  []ProgrammeKey
	apps       []Application
	clients    []Client
	identities []Identity
	users      []userRows
}

type userRows struct {
	user           User
	identifiers    []Identifier
	password       *Password
	memberships    []Membership
	authenticators []Authenticator
}

func (s *Service) rowsOf(ctx context.Context, in TenantSetup) (tenantRows, error) {
	now := s.now()
	rows := tenantRows{tenant: in.Tenant}
	rows.tenant.CreatedAt = now
	for _, k := range in.APIKeys {
		row, err := s.apiKeyRow(in.Tenant.ID, k, now)
		if err != nil {
			return rows, err
		}
		rows.keys = append(rows.keys, row)
	}
	for _, k := range in.ProgrammeKeys {
		rows.programme = append(rows.programme, ProgrammeKey{in.Tenant.ID, s.mac.Sum("programme key", []byte(k))})
	}
	for _, c := range in.Clients {
		client, err := s.clientRow(in.Tenant.ID, c, now)
		if err != nil {
			return rows, err
		}
		rows.clients = append(rows.clients, client)
	}
	rows.apps = appRows(in, rows.clients, now)
	for _, i := range in.Identities {
		i.Tenant, i.CreatedAt = in.Tenant.ID, now
		rows.identities = append(rows.identities, i)
	}
	var err error
	rows.users, err = s.userRows(ctx, in, now)
	return rows, err
}

// apiKeyRow keeps a key twice: as a keyed hash to find it by, and sealed.
func (s *Service) apiKeyRow(t TenantID, in APIKeySetup, now time.Time) (APIKey, error) {
	k := APIKey{Tenant: t, ID: in.Name, Name: in.Name, Hash: s.mac.Sum("api key", []byte(in.Key)), CreatedAt: now}
	var err error
	k.Sealed, err = s.ring.Seal(k.place(), []byte(in.Key))
	return k, err
}

// userRows makes the rows of all users, hashing passwords side by side.
func (s *Service) userRows(ctx context.Context, in TenantSetup, now time.Time) ([]userRows, error) {
	rows := make([]userRows, len(in.Users))
	errs := make([]error, len(in.Users))
	var wg sync.WaitGroup
	hashing := make(chan struct{}, 8)
	for i, u := range in.Users {
		wg.Go(func() {
			hashing <- struct{}{}
			defer func() { <-hashing }()
			rows[i], errs[i] = s.userRow(ctx, in, u, now)
			if errs[i] != nil {
				errs[i] = fmt.Errorf("user %s: %w", orElseText(string(u.ID), u.Email), errs[i])
			}
		})
	}
	wg.Wait()
	return rows, errors.Join(errs...)
}

func orElseText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (s *Service) userRow(ctx context.Context, in TenantSetup, u UserSetup, now time.Time) (userRows, error) {
	if u.ID == "" {
		u.ID = newUserID()
	}
	created := u.CreatedAt
	if created.IsZero() {
		created = now
	}
	user := User{
		Tenant: in.Tenant.ID, ID: u.ID, Status: UserActive, StatusChangedAt: created, Epoch: 1, Email: u.Email, Phone: u.Phone,
		Username: u.Username, Profile: Profile{FirstName: u.FirstName, LastName: u.LastName}, CreatedAt: created, UpdatedAt: created,
	}
	if u.EmailVerified {
		user.EmailVerifiedAt = created
	}
	if u.PhoneVerified {
		user.PhoneVerifiedAt = created
	}
	if u.Suspended {
		user.Status = UserSuspended
	}
	row := userRows{user: user}
	var err error
	if row.identifiers, err = identifiersOf(user); err != nil {
		return row, err
	}
	if row.password, err = s.setupPassword(ctx, user, in.Tenant.Settings.Password, u.Password); err != nil {
		return row, err
	}
	for _, ref := range u.RootOf {
		row.link(ref, Root)
	}
	for _, ref := range u.UserOf {
		row.link(ref, Member, u.Roles...)
	}
	for _, a := range u.Authenticators {
		row.bind(a, now)
	}
	return row, nil
}

// bind adds an authenticator that needs no more binding.
func (r *userRows) bind(in AuthenticatorSetup, now time.Time) {
	a := Authenticator{
		Tenant: r.user.Tenant, ID: string(newUserID()), User: r.user.ID, Kind: in.Kind, Channel: in.Channel, Status: AuthenticatorActive,
		Simulated: in.Simulated, CreatedAt: now, BoundAt: now,
	}
	if in.Kind == AuthenticatorSMS {
		a.Channel, a.Target = ChannelSMS, r.user.Phone
	}
	r.authenticators = append(r.authenticators, a)
}

func (r *userRows) link(ref IdentityRef, c CredentialType, roles ...Role) {
	r.memberships = append(r.memberships, Membership{
		Tenant: r.user.Tenant, User: r.user.ID, Identity: Identity{Tenant: r.user.Tenant, Ref: ref}, Credential: c,
		Position: len(r.memberships), Roles: roles,
	})
}

// setupPassword hashes a password, or takes a hash made elsewhere if its cost is within bounds. The policy is not applied: a starting
// state may describe users from before it.
func (s *Service) setupPassword(ctx context.Context, u User, policy PasswordPolicy, in *PasswordSetup) (*Password, error) {
	if in == nil {
		return nil, nil
	}
	p := Password{Hash: in.Hash}
	var err error
	if in.Hash == "" {
		value := seal.NewSecret(in.Value)
		if err := tooLong("password", value); err != nil {
			return nil, err
		}
		p, err = newHash(ctx, s.hasher, value)
	} else if err = passhash.Check(in.Hash); err == nil {
		p.Shape, err = passhash.Shape(in.Hash)
	}
	if err != nil {
		return nil, err
	}
	p.Tenant, p.User, p.Version, p.SetAt = u.Tenant, u.ID, 1, u.CreatedAt
	p.Expired, p.Temporary, p.ExpiresAt = in.Expired, in.Temporary, policy.expiry(u.CreatedAt, in.Temporary)
	return &p, nil
}

func (r tenantRows) write(tx Tx) error {
	if err := tx.PutTenant(r.tenant); err != nil {
		return err
	}
	for _, k := range r.keys {
		if err := tx.PutAPIKey(k); err != nil {
			return err
		}
	}
	for _, k := range r.programme {
		if err := tx.PutProgrammeKey(k); err != nil {
			return err
		}
	}
	for _, a := range r.apps {
		if err := tx.PutApplication(a); err != nil {
			return err
		}
	}
	for _, c := range r.clients {
		if err := tx.PutClient(c); err != nil {
			return err
		}
	}
	for _, i := range r.identities {
		if err := tx.AddIdentity(i); err != nil {
			return fmt.Errorf("identity %s: %w", i.Ref, err)
		}
	}
	for _, u := range r.users {
		if err := u.write(tx); err != nil {
			return fmt.Errorf("user %s: %w", u.user.ID, err)
		}
	}
	return nil
}

func (r userRows) write(tx Tx) error {
	if err := tx.AddUser(r.user, r.identifiers); err != nil {
		return err
	}
	if r.password != nil {
		if err := tx.AddPassword(*r.password); err != nil {
			return err
		}
	}
	for _, m := range r.memberships {
		if err := tx.AddMembership(m); err != nil {
			return err
		}
	}
	for _, a := range r.authenticators {
		if err := tx.AddAuthenticator(a); err != nil {
			return err
		}
	}
	return nil
}
