package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"countersign/api"
	"countersign/internal/auth"
	"countersign/internal/authenticator"
	"countersign/internal/cis"
	"countersign/internal/device"
	"countersign/internal/httpx"
	"countersign/internal/jose"
	"countersign/internal/multi"
	"countersign/internal/notify"
	"countersign/internal/oidc"
	"countersign/internal/outbox"
	"countersign/internal/passhash"
	"countersign/internal/sandbox"
	"countersign/internal/seal"
	"countersign/internal/store"
	"countersign/internal/webhook"
)

// settings are what serve and sandbox decide differently; everything after them is one way.
type settings struct {
	listen, ops   string
	publicURL     string // empty: the address listened on, by the name of the certificate if there is one
	issuer        string // empty: publicURL + /cis/oidc
	database      string
	maxConns      int
	patience      time.Duration // with the database; zero: the default
	attemptWait   time.Duration // zero: the default
	migrate       bool
	beside        bool // a server may have the database open
	keys          [][]byte
	mode          string // modeLive or modeSandbox
	clock         *sandbox.Clock
	steady        *auth.Steady // where clock is nil
	hash          passhash.Config
	limits        []auth.Limit
	smsLimits     []auth.Limit
	proxies       []netip.Prefix
	messages      notify.Config
	webhooks      []netip.Prefix // that are not public and may be called
	certificate   *tls.Certificate
	shutdownLimit time.Duration
	log           io.Writer
}

const (
	metaMode    = "mode" // which command made the database
	modeLive    = "live"
	modeSandbox = "sandbox"
)

// app is a wired server that has not started to serve.
type app struct {
	settings
	store    *store.Store
	hasher   *passhash.Hasher
	auth     *auth.Service
	logger   *slog.Logger
	outbox   *outbox.Outbox
	texts    *notify.Sender
	hooks    *webhook.Carrier
	listener net.Listener
	opsLn    net.Listener
	handler  http.Handler
}

func ringOf(keys [][]byte) (*seal.Ring, error) { return seal.NewRing(keys[0], keys[1:]...) }

// newApp opens the store and the listeners and wires the parts together, top to bottom. Close releases everything.
func newApp(ctx context.Context, s settings) (_ *app, err error) {
	a := &app{settings: s, logger: slog.New(slog.NewJSONHandler(s.log, nil))}
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	if err := a.openDomain(ctx); err != nil {
		return nil, err
	}
	if err := a.makeOutbox(); err != nil {
		return nil, err
	}
	mux := &httpx.Mux{}
	mux.Handle("GET", "/healthz", a.health)
	if err := a.mountDialects(mux); err != nil {
		return nil, err
	}
	oidc.New(a.auth, a.publicURL).Mount(mux)
	if err := a.mountDevice(ctx, mux); err != nil {
		return nil, err
	}
	mux.Handle("GET", "/docs/multi.yaml", document(api.Multi))
	mux.Handle("GET", "/docs/cis.yaml", document(api.CIS))
	mux.Handle("GET", "/docs/device.yaml", document(api.Device))
	if s.clock != nil {
		mux.Handle("GET", "/docs/sandbox.yaml", document(api.Sandbox))
		mux.Handle("GET", "/docs/simulate.yaml", document(api.Simulate))
	}
	a.handler = a.marked(mux.Handler(httpx.Config{Logger: a.logger, TrustedProxies: s.proxies}))
	return a, nil
}

// mountDevice adds what devices speak, and the web app that is one. ctx is done when the server is to stop.
func (a *app) mountDevice(ctx context.Context, mux *httpx.Mux) error {
	c := device.Config{Auth: a.auth, Now: a.now(), Stopping: ctx}
	if w := a.messages.Web; w != nil {
		var err error
		if c.WebPush, err = notify.WebPushPublic(w.Key); err != nil {
			return err
		}
	}
	d, err := device.New(c)
	if err != nil {
		return err
	}
	page, err := authenticator.New()
	if err != nil {
		return err
	}
	page.Mount(mux)
	return d.Mount(mux)
}

// makeOutbox makes the worker that carries messages and news.
func (a *app) makeOutbox() (err error) {
	a.messages.Now = a.now()
	if a.texts, err = notify.New(a.messages); err != nil {
		return fmt.Errorf("messages: %w", err)
	}
	a.hooks = webhook.New(webhook.Config{Now: a.now(), Allow: a.webhooks})
	a.outbox = outbox.New(outbox.Config{Service: a.auth, Messages: a.texts, Webhooks: a.hooks, Logger: a.logger, CarryFor: notify.LongestTry})
	return nil
}

// now is the clock of everything but the log.
func (s settings) now() func() time.Time {
	if s.clock != nil {
		return s.clock.Now
	}
	return s.steady.Now
}

// marked makes the sandbox say in every answer that it is one.
func (a *app) marked(h http.Handler) http.Handler {
	if a.clock == nil {
		return h
	}
	return sandbox.Mark(h)
}

// mountDialects adds the routes of both contracts, and what only the sandbox serves.
func (a *app) mountDialects(mux *httpx.Mux) error {
	multiAPI, err := multi.New(a.auth)
	if err != nil {
		return err
	}
	cisAPI, err := cis.New(a.auth)
	if err != nil {
		return err
	}
	if err := errors.Join(multiAPI.Mount(mux), cisAPI.Mount(mux)); err != nil || a.clock == nil {
		return err
	}
	extras, err := sandbox.New(sandbox.Config{Auth: a.auth, Clock: a.clock, Render: notify.Text})
	if err != nil {
		return err
	}
	return extras.Mount(mux)
}

// openDomain listens first, since the default issuer is the address listened on, and opens what the rules stand on.
func (a *app) openDomain(ctx context.Context) (err error) {
	if a.listener, err = listenAt("listen", a.listen); err != nil {
		return err
	}
	if a.ops != "" {
		if a.opsLn, err = listenAt("ops_listen", a.ops); err != nil {
			return err
		}
	}
	if a.publicURL == "" {
		a.publicURL = ownURL(a.listener.Addr(), a.certificate)
	}
	if a.issuer == "" {
		a.issuer = a.publicURL + "/cis/oidc"
	}
	if a.hasher, err = passhash.New(a.hash); err != nil {
		return fmt.Errorf("hash: %w", err)
	}
	a.store, a.auth, err = openService(ctx, a.settings, a.hasher)
	return err
}

// ownURL is where a server is reached that no public URL was given for.
func ownURL(at net.Addr, certificate *tls.Certificate) string {
	if certificate == nil {
		return "http://" + at.String()
	}
	host := certificate.Leaf.DNSNames[0]
	if _, port, err := net.SplitHostPort(at.String()); err == nil && port != "443" {
		host = net.JoinHostPort(host, port)
	}
	return "https://" + host
}

// openService opens the store and the domain over it; operator commands use it without a server.
func openService(ctx context.Context, s settings, hasher *passhash.Hasher) (*store.Store, *auth.Service, error) {
	ring, err := ringOf(s.keys)
	if err != nil {
		return nil, nil, fmt.Errorf("master_key: %w", err)
	}
	db, err := store.Open(ctx, s.database, store.Options{Migrate: s.migrate, Beside: s.beside, MaxConns: s.maxConns, Patience: s.patience})
	if err != nil {
		return nil, nil, err
	}
	if err := s.makeWhole(ctx, db, hasher, slog.New(slog.NewJSONHandler(s.log, nil))); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	if err := claim(ctx, db, s.mode); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	service, err := auth.New(ctx, auth.Config{
		Store: db, Hasher: hasher, Ring: ring, Now: s.now(), Steady: s.steady, Issuer: s.issuer, Limits: s.limits, SMSLimits: s.smsLimits, PublicURL: s.publicURL,
		Sandbox: s.mode == modeSandbox, AttemptWait: s.attemptWait,
	})
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, service, nil
}

// claim marks a new database as the sandbox's or as production's, and refuses the other's: in the sandbox's, codes are known to all.
func claim(ctx context.Context, db *store.Store, mode string) error {
	err := db.Write(ctx, func(w auth.Writes) error { _, err := w.AddMeta(metaMode, mode); return err })
	if err != nil {
		return err
	}
	var have string
	if err := db.View(ctx, func(r auth.Reads) (err error) { have, err = r.Meta(metaMode); return err }); err != nil {
		return err
	}
	if have != mode {
		return fmt.Errorf("the database was made by %s and is refused here", map[string]string{
			modeSandbox: "countersign sandbox", modeLive: "countersign serve",
		}[have])
	}
	return nil
}

// Close releases what newApp opened.
func (a *app) Close() {
	if a.hooks != nil {
		a.hooks.Close()
	}
	if a.hasher != nil {
		a.hasher.Close()
	}
	if a.store != nil && a.store.Failure() == nil { // on a disk that fails, nothing more is written
		a.store.Close()
	}
	for _, ln := range []net.Listener{a.listener, a.opsLn} {
		if ln != nil {
			ln.Close()
		}
	}
}

func (a *app) health(w *httpx.Response, r *http.Request) error {
	status, word := http.StatusOK, "ok"
	if problem, cause := a.unready(r.Context()); cause != nil {
		status, word, w.Cause = http.StatusServiceUnavailable, problem, cause
	}
	return w.JSON(status, map[string]string{"status": word})
}

// unready says in a few words why no call can be answered, if none can.
func (a *app) unready(ctx context.Context) (problem string, cause error) {
	if err := a.store.Behind(); err != nil {
		return "the database lacks what was acknowledged", err
	}
	if err := a.store.Ping(ctx); err != nil {
		return "the database does not answer", err
	}
	if err := a.auth.ClockTrusted(); err != nil {
		return "the clock was set back", err
	}
	return "", nil
}

func document(yaml func() []byte) httpx.Handler {
	return func(w *httpx.Response, _ *http.Request) error {
		w.Header().Set("Content-Type", "application/yaml")
		w.Header().Set("Cache-Control", "public, max-age=300")
		_, err := w.Write(yaml())
		return err
	}
}

// serve answers requests until ctx ends, and then lets the running ones finish.
func (a *app) serve(ctx context.Context) error {
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	var workers sync.WaitGroup
	workers.Go(func() { a.guard(work) })
	workers.Go(func() { a.tend(work) })
	workers.Go(func() { a.sweeps(work) })
	workers.Go(func() { a.expire(work) })
	workers.Go(func() { a.outbox.Run(work) })
	public := httpx.NewServer(a.handler, a.logger)
	servers := []*http.Server{public}
	failed := make(chan error, 2)
	a.announce()
	go func() { failed <- public.Serve(a.secure(a.listener)) }()
	if a.opsLn != nil {
		ops := httpx.NewServer(a.marked(a.opsHandler()), a.logger)
		servers = append(servers, ops)
		go func() { failed <- ops.Serve(a.opsLn) }()
	}
	var err error
	select {
	case <-ctx.Done():
		a.logger.Info("stopping", "limit", a.shutdownLimit.String())
	case err = <-failed:
	case <-a.store.Broken():
		err = a.store.Failure()
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.shutdownLimit)
	defer cancel()
	for _, s := range servers {
		err = errors.Join(err, a.shut(end, s))
	}
	stopWork()
	workers.Wait()
	a.logger.Info("stopped")
	return err
}

// shut lets the running requests of a server finish, and cuts off those that have not by the end of ctx: what they stand on is closed next.
func (a *app) shut(ctx context.Context, s *http.Server) error {
	err := s.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(fmt.Errorf("shutdown_limit: requests that had not ended after %s were cut off", a.shutdownLimit), s.Close())
	}
	return err
}

// announce logs where the server listens; the listeners take connections already. It warns of what users will miss.
func (a *app) announce() {
	where := []any{"address", a.listener.Addr().String()}
	if a.opsLn != nil {
		where = append(where, "ops", a.opsLn.Addr().String())
	}
	a.logger.Info("serving", append(where, "public_url", a.publicURL, "mode", a.mode, "kernel", a.hasher.Kernel())...)
	for kind, setting := range map[auth.ParcelKind]string{auth.ParcelSMS: "messages.sms", auth.ParcelEmail: "messages.smtp"} {
		if a.mode == modeLive && !a.texts.Carries(kind) {
			a.logger.Warn("messages of this kind are not sent", "kind", string(kind), "setting", setting)
		}
	}
}

func (a *app) secure(ln net.Listener) net.Listener {
	if a.certificate == nil {
		return ln
	}
	return tls.NewListener(ln, &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*a.certificate}, NextProtos: []string{"http/1.1"},
	})
}

// recountEvery is how many minutes lie between two looks at how many users and organizations there are.
const recountEvery = 60

// tend makes the signing keys that are missing, RSA's in the background because it is slow to make, and from then on keeps the
// directory young and sees to it that what is counted is right.
func (a *app) tend(ctx context.Context) {
	warned := make(map[auth.TenantID]bool)
	a.warn(warned)
	cautioned := a.caution(ctx, "")
	if err := a.auth.EnsureKeys(ctx, jose.ES256, jose.RS256); err != nil && ctx.Err() == nil {
		a.logger.Error("make signing keys", "error", err.Error())
	}
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	started := time.After(time.Second) // the first requests come first
	for minute := 0; ; minute++ {
		select {
		case <-ctx.Done():
			return
		case <-started:
			if err := giveBack(); err != nil {
				a.logger.Warn("give back the memory of the start", "error", err.Error())
			}
			a.tended(ctx, a.auth.Recount(ctx))
			continue
		case <-ticker.C:
		}
		a.tended(ctx, a.auth.Reload(ctx))
		if minute%recountEvery == 0 {
			a.tended(ctx, a.auth.Recount(ctx))
		}
		a.warn(warned)
		cautioned = a.caution(ctx, cautioned)
		a.watchSMS(ctx)
	}
}

// tended logs what could not be tended to.
func (a *app) tended(ctx context.Context, failures ...error) {
	if err := errors.Join(failures...); err != nil && ctx.Err() == nil {
		a.logger.Error("tend the store", "error", err.Error())
	}
}

// watchSMS logs the tenants whose codes by SMS do not come back (security B-69).
func (a *app) watchSMS(ctx context.Context) {
	suspicions, err := a.auth.WatchSMS(ctx)
	for _, s := range suspicions {
		a.logger.Warn("codes by SMS do not come back; somebody may earn by having them sent", "tenant", string(s.Tenant), "country", s.Country,
			"sent", s.Sent, "proved", s.Proved)
	}
	if err != nil && ctx.Err() == nil {
		a.logger.Error("watch SMS", "error", err.Error())
	}
}

// warn logs once what tenants serve against better advice.
func (a *app) warn(warned map[auth.TenantID]bool) {
	for _, w := range warnings(a.auth.Tenants()) {
		if !warned[w.tenant] {
			warned[w.tenant] = true
			a.logger.Warn(w.reason, "tenant", string(w.tenant), "setting", w.setting)
		}
	}
}

// warning is about one setting of a tenant.
type warning struct {
	tenant          auth.TenantID
	setting, reason string
}

func (w warning) String() string {
	return "warning: tenant " + string(w.tenant) + ": " + w.setting + ": " + w.reason
}

func warnings(tenants []auth.Tenant) []warning {
	var all []warning
	for _, t := range tenants {
		if t.Settings.PasswordGrant {
			all = append(all, warning{t.ID, "password_grant", "on: clients get to see passwords, and no second factor is asked for (RFC 9700, 2.4)"})
		}
	}
	return all
}

// expire tells of the challenges that nobody answered, soon after their time. It notes the time, too, and says when the clock cannot be relied
// on.
func (a *app) expire(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	trusted := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		trusted = a.watchClock(trusted)
		if err := errors.Join(a.auth.KeepTime(ctx), a.auth.ExpireChallenges(ctx)); err != nil && ctx.Err() == nil {
			a.logger.Error("note the time, expire challenges", "error", err.Error())
		}
	}
}
