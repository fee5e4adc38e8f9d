package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/jose"
	"countersign/internal/passhash"
	"countersign/internal/seal"
	"countersign/internal/store"
)

// The simulation runs the domain itself, over SQLite, with a clock that stands until it is moved and a store that fails when it is told to:
// no process, no network, and nothing that is not decided by the seed, but for the secrets.

// stage is a domain with a number of users, each for one history.
type stage struct {
	*auth.Service
	store   *store.Store
	faulty  *authtest.FaultyStore
	machine *authtest.System
	clock   *auth.Steady // of the latest service
	naive   bool         // the service believes whatever time the machine shows
	hasher  *passhash.Hasher
	ring    *seal.Ring
	dir     string
}

const (
	tenantID  = "torture"
	clientID  = "torture-app"
	usersEach = 10 // of a stage
)

// image is a store in the starting state, of which each stage gets a copy.
func image(ctx context.Context, memory string) (_ []byte, err error) {
	dir, err := os.MkdirTemp(memory, namePrefix())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "image.db")
	db, err := store.Open(ctx, path, store.Options{Migrate: true})
	if err != nil {
		return nil, err
	}
	s, err := newStage(ctx, db, dir, nil)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	_, err = s.Apply(ctx, startingState())
	err = errors.Join(err, s.EnsureKeys(ctx, jose.ES256), s.hasher.Close(), db.Close())
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// startingState has the users of a stage, who can prove themselves by SMS and by a simulated device.
func startingState() auth.Setup {
	t := auth.TenantSetup{
		Tenant:  auth.Tenant{ID: tenantID, Name: "Torture", Mode: auth.ModeLive, Settings: auth.DefaultSettings()},
		Clients: []auth.ClientSetup{{ID: clientID, Secret: "test secret of the app", Kind: auth.ClientApplication, AppName: "App"}},
		APIKeys: []auth.APIKeySetup{{Name: "backend", Key: "test key of torture"}},
	}
	t.Tenant.Settings.RateLimits = false
	for n := range usersEach {
		p := someone(n)
		ref := auth.IdentityRef{Type: auth.Consumer, ID: p.id}
		t.Identities = append(t.Identities, auth.Identity{Ref: ref, Name: "User " + p.id})
		t.Users = append(t.Users, auth.UserSetup{
			ID: auth.UserID(p.id), FirstName: "U", Email: p.email, EmailVerified: true, Phone: p.phone, RootOf: []auth.IdentityRef{ref},
			Password: &auth.PasswordSetup{Value: text(0)},
			Authenticators: []auth.AuthenticatorSetup{
				{Kind: auth.AuthenticatorSMS}, {Kind: auth.AuthenticatorDevice, Channel: auth.ChannelBiometric, Simulated: true},
			},
		})
	}
	return auth.Setup{Digest: "torture", Tenants: []auth.TenantSetup{t}}
}

// someone is the n-th user of a stage or of a server.
func someone(n int) *person {
	return &person{id: fmt.Sprint(5001 + n), email: fmt.Sprintf("user%d@example.com", n+1), phone: fmt.Sprintf("+356991%05d", n+1)}
}

// people are the n-th user and those after them, so many.
func people(n, many int) (all []*person) {
	for i := range many {
		all = append(all, someone(n+i))
	}
	return all
}

// newStage makes a domain over a store. plant, if set, puts a store with a planted fault in its place.
func newStage(ctx context.Context, db *store.Store, dir string, plant func(auth.Store) auth.Store) (*stage, error) {
	s := &stage{
		store: db, dir: dir, machine: authtest.NewSystem(authtest.Start()),
	}
	var under auth.Store = db
	if plant != nil {
		under = plant(db)
	}
	s.faulty = &authtest.FaultyStore{Store: under}
	var err error
	s.hasher, err = passhash.New(passhash.Config{
		Params: passhash.Params{Memory: 8, Time: 1, Threads: 1}, Slots: 4, Wait: time.Minute, TestOnlyInsecure: true,
	})
	if err != nil {
		return nil, err
	}
	if s.ring, err = seal.NewRing([]byte("a key of tests, 32 bytes of it..")); err != nil {
		return nil, err
	}
	return s, s.start(ctx)
}

// now is the service's time, at the grain that it keeps.
func (s *stage) now() time.Time { return s.clock.Now().Truncate(time.Microsecond) }

// start makes the service, as a start of the program does.
func (s *stage) start(ctx context.Context) (err error) {
	s.clock = s.machine.Steady()
	c := auth.Config{
		Store: s.faulty, Hasher: s.hasher, Ring: s.ring, Steady: s.clock, Issuer: "https://auth.example/cis/oidc",
		PublicURL: "https://auth.example", Sandbox: true, Limits: []auth.Limit{}, AttemptWait: time.Millisecond,
	}
	if s.naive {
		c.Now, c.Steady = s.machine.Wall, nil
	}
	s.Service, err = auth.New(ctx, c)
	return err
}

// openStage makes a stage of its own from the image.
func openStage(ctx context.Context, memory string, from []byte, plant func(auth.Store) auth.Store) (_ *stage, err error) {
	dir, err := os.MkdirTemp(memory, namePrefix())
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "stage.db")
	if err := os.WriteFile(path, from, 0o600); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	db, err := store.Open(ctx, path, store.Options{})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s, err := newStage(ctx, db, dir, plant)
	if err != nil {
		return nil, errors.Join(err, db.Close(), os.RemoveAll(dir))
	}
	return s, nil
}

func (s *stage) close() error {
	return errors.Join(s.hasher.Close(), s.store.Close(), os.RemoveAll(s.dir))
}

// do makes one call.
func (s *stage) do(ctx context.Context, p *person, c call) answer {
	key, app := auth.Actor{Tenant: tenantID, Key: "backend"}, auth.Actor{Tenant: tenantID, Client: clientID}
	id := auth.UserID(p.id)
	given := auth.PasswordLogin{Kind: auth.ByEmail, Identifier: p.email, Password: seal.NewSecret(text(c.word))}
	wanted := seal.NewSecret(text(c.next))
	token := ""
	if c.in < len(p.tokens) {
		token = p.tokens[c.in]
	}
	var a answer
	var err error
	switch c.kind {
	case login:
		var l auth.Login
		l, err = s.LoginPassword(ctx, key, given)
		a.token = l.Token
	case backendLogin:
		var set auth.TokenSet
		set, err = s.AuthenticatePassword(ctx, app, auth.BackendLogin{PasswordLogin: given})
		a.token, a.refresh = string(set.Session), set.RefreshToken
	case look:
		_, err = s.Identities(ctx, key, token)
	case logout:
		err = s.Logout(ctx, key, token)
	case backendLogout:
		err = s.LogoutSession(ctx, app, auth.SessionID(token))
	case refresh:
		var set auth.TokenSet
		set, err = s.Refresh(ctx, app, p.refresh[c.in][c.token])
		a.refresh = set.RefreshToken
	case change:
		var u auth.PasswordUpdate
		u, err = s.UpdatePassword(ctx, key, token, given.Password, wanted)
		a.token = u.Token
	case recoverByCode:
		var l auth.Login
		l, err = s.ResumeRecovery(ctx, key, auth.Recovery{Email: p.email, Code: c.code, Password: wanted})
		a.token = l.Token
	case resetByToken:
		_, err = s.ResetPassword(ctx, auth.Via{}, p.resets[c.token], wanted)
	default:
		a, err = s.doMore(ctx, p, c, token, id)
	}
	a.class = classOf(err)
	if err != nil {
		a.detail = ": " + err.Error()
	}
	return a
}

// doMore makes the calls of challenges and of operators.
func (s *stage) doMore(ctx context.Context, p *person, c call, token string, id auth.UserID) (a answer, err error) {
	key, app := auth.Actor{Tenant: tenantID, Key: "backend"}, auth.Actor{Tenant: tenantID, Client: clientID}
	switch c.kind {
	case askCode:
		err = s.StepUp(ctx, key, token, auth.ChannelSMS)
	case verify:
		err = s.VerifyStepUp(ctx, key, token, auth.ChannelSMS, c.code)
	case askDevice:
		var asked auth.Asked
		asked, err = s.StepUpDevice(ctx, key, token, auth.ChannelBiometric)
		a.asked = string(asked.ID)
	case approve, deny:
		d := auth.Approve
		if c.kind == deny {
			d = auth.Deny
		}
		var answered bool
		if answered, err = s.AnswerOnDevice(ctx, tenantID, id, auth.ChallengeID(p.asked[c.in]), d); err == nil && !answered {
			err = auth.CodeNoChallenge
		}
	case askRecovery:
		err = s.StartRecovery(ctx, key, p.email)
	case proveReset:
		var proved auth.ResetToken
		proved, err = s.ProveReset(ctx, app, auth.ResetProof{
			Channel: auth.ChannelEmail, Kind: auth.ByEmail, Identifier: p.email, Code: c.code,
		})
		a.token = proved.Text
	case suspend:
		err = s.Suspend(ctx, tenantID, id)
	case resume:
		err = s.Resume(ctx, tenantID, id)
	}
	return a, err
}

// classOf reads an outcome as a client would.
func classOf(err error) class {
	if err == nil {
		return ok
	}
	switch auth.CodeOf(err) {
	case auth.CodeInternal:
		return lost
	case auth.CodeLocked:
		return locked
	case auth.CodeInvalidToken, auth.CodeInvalidRefresh, auth.CodeReusedRefresh, auth.CodeSessionNotFound:
		return dead
	case auth.CodeBusy, auth.CodeOverloaded, auth.CodeThrottled, auth.CodeMaintenance:
		return busy
	}
	return no
}

// codes adds the codes that came to a user since the last time. The inbox is in the order of times, which a clock that was set back turns
// round, so what is new is told by its id.
func (s *stage) codes(ctx context.Context, p *person) error {
	items, err := s.Inbox(ctx, "", 1000)
	for _, i := range slices.Backward(items) {
		if i.Code == "" || p.read[string(i.ID)] {
			continue
		}
		switch i.To {
		case p.phone:
			p.sms = append(p.sms, i.Code)
		case p.email:
			p.mails = append(p.mails, i.Code)
		}
		p.read[string(i.ID)] = true
	}
	return err
}

// countEvents counts what the events after one tell of each user, and returns the last one. Events are in the order of their times, and a
// clock that was set back puts new ones before old ones: then only those after none, "", are all.
func countEvents(ctx context.Context, from auth.Store, after auth.EventID) (map[auth.UserID]effects, auth.EventID, error) {
	const page = 1000
	all := map[auth.UserID]effects{}
	for {
		var events []auth.Event
		err := from.View(ctx, func(r auth.Reads) (err error) { events, err = r.Events(tenantID, after, page); return err })
		if err != nil {
			return nil, "", err
		}
		for _, e := range events {
			done := all[e.User]
			done.add(e.Kind)
			all[e.User], after = done, e.ID
		}
		if len(events) < page {
			return all, after, nil
		}
	}
}

func (e *effects) add(k auth.EventKind) {
	switch k {
	case auth.EventLogin:
		e.Logins++
	case auth.EventLogout:
		e.Logouts++
	case auth.EventPasswordChanged:
		e.Changes++
	case auth.EventRecovered:
		e.Recoveries++
	case auth.EventTokenRefreshed:
		e.Refreshes++
	case auth.EventTokenRevoked:
		e.Revocations++
	case auth.EventSteppedUp:
		e.StepUps++
	case auth.EventLocked:
		e.Locks++
	case auth.EventSuspended:
		e.Suspensions++
	}
}
