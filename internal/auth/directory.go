package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"countersign/internal/jose"
)

// directory is a Directory with what is looked up in it. It is never changed,
// only replaced. Every call compares its revision with the store's, in a
// statement that the call needs anyway, so that a revoked key or a disabled
// client is refused by the next request on every node (C-28).
type directory struct {
	Directory
	tenants    map[TenantID]*Tenant
	keys       map[[32]byte]*APIKey
	keyIDs     map[keyRef]*APIKey
	clients    map[ClientID]*Client
	apps       map[appRef]*Application
	uris       map[uriRef]*Resource
	roles      map[roleRef]*AppRole
	origins    map[string]bool // of clients that are not disabled
	keeps      map[TenantID]time.Duration
	signers    []signer
	appSigners []appSigner // of keys that are published
	public     *jose.Set

	clientKeys map[ClientID]*jose.Set // of those that prove themselves by keys

	clock func() error // why the clock cannot be relied on, if it cannot
}

type keyRef struct {
	tenant TenantID
	id     string
}

type signer struct {
	SigningKey
	key *jose.Key
}

// errStale means that a call was begun under an older directory.
var errStale = errors.New("directory changed")

// Reload replaces the directory by the store's present one, whatever their revisions: the shapes of password hashes drift without one as
// users log in.
func (s *Service) Reload(ctx context.Context) error { return s.reload(ctx, false) }

// Reread is Reload for a database that is behind: its directory counts, though the one in memory may be younger.
func (s *Service) Reread(ctx context.Context) error { return s.reload(ctx, true) }

func (s *Service) reload(ctx context.Context, older bool) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	var raw Directory
	err := s.store.View(ctx, func(r Reads) (err error) { raw, err = r.Directory(); return err })
	if err != nil {
		return fmt.Errorf("read directory: %w", err)
	}
	d := &directory{
		Directory: raw,
		tenants:   make(map[TenantID]*Tenant, len(raw.Tenants)),
		keys:      make(map[[32]byte]*APIKey, len(raw.APIKeys)),
		keyIDs:    make(map[keyRef]*APIKey, len(raw.APIKeys)),
		clients:   make(map[ClientID]*Client, len(raw.Clients)),
		origins:   make(map[string]bool, len(raw.Clients)),

		clientKeys: make(map[ClientID]*jose.Set), clock: s.ClockTrusted,
	}
	for i := range raw.Tenants {
		d.tenants[raw.Tenants[i].ID] = &raw.Tenants[i]
	}
	for i := range raw.APIKeys {
		k := &raw.APIKeys[i]
		d.keys[k.Hash], d.keyIDs[keyRef{k.Tenant, k.ID}] = k, k
	}
	d.index()
	d.remembered()
	for id, c := range d.clients {
		if c.Auth != ClientAuthKey {
			continue
		}
		if set, err := jose.ParseSet(c.JWKS, c.AuthAlg); err == nil { // keys that only a later version knows let nobody in
			d.clientKeys[id] = set
		}
	}
	for _, c := range d.clients {
		if c.DisabledAt.IsZero() {
			for _, origin := range c.origins() {
				d.origins[origin] = true
			}
		}
	}
	if err := s.openKeys(d); err != nil {
		return err
	}
	if old := s.dir.Load(); old == nil || older || old.Revision <= d.Revision {
		s.dir.Store(d)
	}
	return nil
}

// current makes sure that the directory is not older than the revision a call has read, and that it still lets the call's actor in.
func (s *Service) current(ctx context.Context, by Actor, revision int64) error {
	if s.dir.Load().Revision < revision {
		if err := s.Reload(ctx); err != nil {
			return err
		}
		if err := s.ownToken(ctx, by); err != nil {
			return err
		}
	}
	return s.admitted(by)
}

// admitted reports whether the present directory lets the actor in.
func (s *Service) admitted(by Actor) error {
	d := s.dir.Load()
	switch {
	case by.Client != "":
		if c := d.clients[by.Client]; c == nil || !c.DisabledAt.IsZero() || c.Tenant != by.Tenant {
			return refuse(CodeUnknownClient)
		}
		if err := d.permitted(by); err != nil {
			return err
		}
	case by.Key != "":
		if k := d.keyIDs[keyRef{by.Tenant, by.Key}]; k == nil || !k.RevokedAt.IsZero() {
			return refuse(CodeUnknownKey)
		}
	}
	return d.open(by.Tenant)
}

// open reports whether the tenant takes calls. None does while the clock cannot be relied on.
func (d *directory) open(t TenantID) error {
	if err := d.clock(); err != nil {
		return &Error{Code: CodeMaintenance, Cause: err}
	}
	if tenant := d.tenants[t]; tenant == nil || tenant.Settings.Maintenance {
		return refuse(CodeMaintenance)
	}
	return nil
}

func (s *Service) settings(t TenantID) Settings {
	if tenant := s.dir.Load().tenants[t]; tenant != nil {
		return tenant.Settings
	}
	return DefaultSettings()
}

// shapes lists the hash shapes whose work a refusal in the tenant costs: those in use and the one of new hashes (B-11).
func (s *Service) shapes(t TenantID) []string {
	now := s.hasher.Shape()
	shapes := []string{now}
	for _, in := range s.dir.Load().Shapes[t] {
		if in != now {
			shapes = append(shapes, in)
		}
	}
	return shapes
}

// lookup runs a search in the directory and, when it refuses, once more in case the directory was old: what another process added a
// moment ago is found, and a caller that is not ours costs one statement at most.
func (s *Service) lookup(ctx context.Context, find func(*directory) error) error {
	if find(s.dir.Load()) == nil {
		return nil
	}
	if err := s.Resync(ctx); err != nil {
		return err
	}
	return find(s.dir.Load())
}

// Resync reads the directory anew if the store's is younger. Routes that publish a part of it, such as the key set, call it first.
func (s *Service) Resync(ctx context.Context) error {
	var revision int64
	if err := s.store.View(ctx, func(r Reads) (err error) { revision, err = r.Revision(); return err }); err != nil {
		return err
	}
	if revision <= s.dir.Load().Revision {
		return nil
	}
	return s.Reload(ctx)
}

// update runs a serialisable transaction for an actor that the transaction's own view of the directory still lets in.
func (s *Service) update(ctx context.Context, by Actor, fn func(Tx) error) error {
	for {
		var seen int64
		err := s.store.Update(ctx, func(tx Tx) (err error) {
			if seen, err = tx.Revision(); err != nil {
				return err
			}
			if seen > s.dir.Load().Revision {
				return errStale
			}
			if err := s.admitted(by); err != nil {
				return err
			}
			return fn(tx)
		})
		if !errors.Is(err, errStale) {
			if err == nil {
				s.nudge()
			}
			return err
		}
		if err := s.current(ctx, by, seen); err != nil {
			return err
		}
	}
}

// Settings are the actor's tenant's.
func (s *Service) Settings(by Actor) Settings { return s.settings(by.Tenant) }

// Client is the actor's own entry; zero when the actor is no client.
func (s *Service) Client(by Actor) Client {
	if c := s.dir.Load().clients[by.Client]; c != nil {
		return *c
	}
	return Client{}
}

// sweepBatch bounds the rows that one sweep deletes: on SQLite every writer waits for it. Between two sweeps they have their turns.
const sweepBatch = 200

// Sweep deletes some rows that no rule looks at any more, and reports whether there may be more of them. It only tidies: expiry is decided on
// use.
func (s *Service) Sweep(ctx context.Context) (more bool, err error) {
	if s.sandbox {
		if more, err = s.settleUnseen(ctx); err != nil {
			return false, err
		}
	}
	swept := 0
	err = s.store.Write(ctx, func(w Writes) (err error) { swept, err = w.Sweep(s.now().Add(-24*time.Hour), sweepBatch); return err })
	return more || swept == sweepBatch, err
}
