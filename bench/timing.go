package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"countersign/internal/passhash"
)

// timing asks whether the time that a refusal takes tells what account it was for (A-029, B-10). Accounts of each kind are asked about in a
// random order, one request at a time, and Welch's t sets each kind against accounts that do not exist.
type timing struct {
	*bench
	samples int // of each kind on each route
	routes  []*timedRoute
}

// timedRoute is a route that takes a secret, and how long it took for each kind of account.
type timedRoute struct {
	name     string
	ask      func(address string) []byte
	taken    map[kind][]float64    // ms
	statuses map[kind]map[int]bool // of the answers
}

// kind is a kind of account. The accounts of a kind on a route are numbered, for each is asked fewer times than lock it.
type kind string

const (
	unknown      kind = "unknown"
	known        kind = "known"
	locked       kind = "locked"
	passwordless kind = "passwordless"
	suspended    kind = "suspended"
	recosted     kind = "recosted" // its hash had other costs, and was renewed by a login
	imported     kind = "imported" // its hash has other costs
)

func kinds() []kind {
	return []kind{unknown, known, locked, passwordless, suspended, recosted, imported}
}

const (
	triesEach = 4 // of an account; the fifth locks
	lockedSet = 4 // locked accounts of a route, asked in turn
)

// stride spreads the accounts that are asked one after the other over the database: known ones would else lie side by side, as those of nobody
// do not. It is a prime, so that each is asked as often as before.
const stride = 7919

// address is that of the account for the n-th of so many samples.
func (k kind) address(route, n, samples int) string {
	account := n / triesEach * stride % ((samples + triesEach - 1) / triesEach)
	if k == locked {
		account = n % lockedSet
	}
	return fmt.Sprintf("%s-%d-%d@example.com", k, route, account)
}

// addresses lists the accounts for a number of samples.
func (k kind) addresses(route, samples int) []string {
	var all []string
	for n := range samples {
		if a := k.address(route, n, samples); !slices.Contains(all[max(0, len(all)-lockedSet):], a) {
			all = append(all, a)
		}
	}
	return all
}

func (p plan) timings(ctx context.Context, samples int) (_ *timing, err error) {
	p.users, p.postgres = 0, false
	b, err := p.begin(ctx, patientWait)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	t := &timing{bench: b, samples: samples}
	config, err := t.populate()
	if err != nil {
		return nil, err
	}
	server, err := t.start(t.program, "serve", "--config", config)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	c, err := dial(server.address)
	if err != nil {
		return nil, err
	}
	defer c.close()
	bearer, err := clientToken(c)
	if err != nil {
		return nil, err
	}
	t.routes = timedRoutes(bearer)
	for i, r := range t.routes {
		if err := errors.Join(t.prepareRoute(c, r, i), t.sample(c, r, i), ctx.Err()); err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
		t.note("%s: %d samples of each kind", r.name, samples)
	}
	return t, nil
}

// timedRoutes are the routes that name a user and take a secret of theirs, which is wrong, or send them one. Those that take a session, a ticket
// or a link have nobody's name.
func timedRoutes(bearer string) []*timedRoute {
	as := func(header, path, body string) *timedRoute {
		return &timedRoute{name: path, ask: func(a string) []byte { return request("POST", path, fmt.Sprintf(body, a), header, asJSON) }}
	}
	multi := func(path, body string) *timedRoute { return as("api-key: "+apiKey, "/multi"+path, body) }
	cis := func(path, body string) *timedRoute { return as(bearer, "/cis/v1/auth"+path, body) }
	return []*timedRoute{
		multi("/login_with_password", `{"email":%q,"password":{"value":"wrong"}}`),
		multi("/login_via_biometrics", `{"email":%q}`),
		multi("/passwords/lost_password/start", `{"email":%q}`),
		multi("/passwords/lost_password/resume", `{"email":%q,"nonce":"000000","newPassword":{"value":"N3w-Pa55word!"}}`),
		multi("/users/verification/email/send", `{"email":%q}`),
		multi("/users/verification/email/verify", `{"email":%q,"verificationCode":"000000"}`),
		cis("/password/authenticate", `{"username":%q,"username_type":"email","password":"wrong"}`),
		cis("/password/login", `{"email":%q,"password":"wrong","client_id":"`+clientID+`","redirect_uri":"`+redirectURI+`"}`),
		cis("/password/reset/email/link", `{"email":%q,"redirect_uri":"`+redirectURI+`"}`),
		cis("/password/reset/email/otp", `{"email":%q}`),
		cis("/password/reset/email/otp/validate", `{"email":%q,"passcode":"000000"}`),
		cis("/password/reset/password/validate", `{"email":%q,"password":"wrong","client_id":"`+clientID+`"}`),
		cis("/link/email/send", `{"email":%q,"redirect_uri":"`+redirectURI+`"}`),
		cis("/otp/send", `{"identifier":%q,"identifier_type":"email","channel":"email"}`),
		cis("/otp/authenticate", `{"identifier":%q,"identifier_type":"email","passcode":"000000"}`),
		cis("/totp/authenticate", `{"identifier":%q,"identifier_type":"email","token":"000000"}`),
		cis("/mobile-biometrics/start", `{"identifier":%q,"identifier_type":"email"}`),
		{name: "/oidc/token, password grant", ask: func(a string) []byte {
			return tokenRequest(url.Values{"grant_type": {"password"}, "username": {a}, "password": {"wrong"}})
		}},
	}
}

// populate makes a database with the accounts of all routes.
func (t *timing) populate() (config string, err error) {
	old, err := passhash.New(passhash.Config{Params: passhash.Params{Memory: 12288, Time: 3, Threads: 1}})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, old.Close()) }()
	other, err := old.Hash(t.ctx, []byte(password))
	if err != nil {
		return "", err
	}
	var text strings.Builder
	text.WriteString(seedOf(0, ""))
	id := 0
	for route := range timedRoutes("") {
		for _, k := range kinds() {
			if k == unknown {
				continue
			}
			secret := fmt.Sprintf(", password: {hash: %q}", t.encoded)
			switch k {
			case passwordless:
				secret = ""
			case recosted, imported:
				secret = fmt.Sprintf(", password: {hash: %q}", other)
			}
			for _, address := range k.addresses(route, t.samples) {
				id++
				fmt.Fprintf(&text, "      - {id: \"%d\", email: %s, email_verified: true%s}\n", id, address, secret)
			}
		}
	}
	dsn := "sqlite:" + filepath.Join(t.dir, "timing.db")
	d, err := t.prepareWith("timing", "timing", dsn, text.String())
	if err != nil {
		return "", err
	}
	db, err := sql.Open("sqlite", strings.TrimPrefix(dsn, "sqlite:"))
	if err != nil {
		return "", err
	}
	_, err = db.Exec("UPDATE users SET status = 'suspended' WHERE email LIKE 'suspended-%'")
	return d.config, errors.Join(err, db.Close())
}

// prepareRoute locks the accounts that are to be locked, and logs in those whose hash is to be renewed.
func (t *timing) prepareRoute(c *client, r *timedRoute, route int) error {
	for _, address := range locked.addresses(route, t.samples) {
		for range triesEach + 2 {
			if _, _, err := c.do(r.ask(address)); err != nil {
				return err
			}
		}
	}
	for _, address := range recosted.addresses(route, t.samples) {
		if _, err := c.want(http.StatusOK, loginOf(address)); err != nil {
			return err
		}
	}
	return nil
}

// sample asks a route about all kinds in a random order, round after round.
func (t *timing) sample(c *client, r *timedRoute, route int) error {
	r.taken, r.statuses = make(map[kind][]float64), make(map[kind]map[int]bool)
	order := kinds()
	for n := range t.samples {
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, k := range order {
			ask := r.ask(k.address(route, n, t.samples))
			begin := time.Now()
			status, body, err := c.do(ask)
			if err != nil {
				return err
			}
			r.taken[k] = append(r.taken[k], time.Since(begin).Seconds()*1000)
			if r.statuses[k] == nil {
				r.statuses[k] = make(map[int]bool)
			}
			r.statuses[k][status] = true
			if status >= http.StatusInternalServerError {
				return fmt.Errorf("%s: status %d: %s", k, status, body)
			}
		}
	}
	return nil
}

func (t *timing) table() table {
	out := table{title: "Refusals, by the kind of account, against accounts that do not exist", words: 2, head: []string{
		"route", "account", "samples", "status", "of unknown", "median ms", "unknown", "Welch's t", "tells them apart (AUC)",
	}}
	for _, r := range t.routes {
		base := r.taken[unknown]
		for _, k := range kinds() {
			if k == unknown {
				continue
			}
			x := r.taken[k]
			out.add(r.name, string(k), fmt.Sprint(len(x)), r.answered(k), r.answered(unknown), fmt.Sprintf("%.3f", middle(x)), fmt.Sprintf("%.3f", middle(base)),
				fmt.Sprintf("%.2f", welch(trim(x), trim(base))), fmt.Sprintf("%.3f", auc(x, base)))
		}
	}
	return out
}

// answered lists the statuses that a kind of account got.
func (r *timedRoute) answered(k kind) string {
	var words []string
	for _, status := range slices.Sorted(maps.Keys(r.statuses[k])) {
		words = append(words, fmt.Sprint(status))
	}
	return strings.Join(words, ", ")
}

// welch is Welch's t of the difference of two means. Below 4.5 either way nothing was found, by the custom of leakage tests (ISO/IEC 17825).
func welch(x, y []float64) float64 {
	mean := func(v []float64) (m, variance float64) {
		for _, a := range v {
			m += a / float64(len(v))
		}
		for _, a := range v {
			variance += (a - m) * (a - m) / float64(len(v)-1)
		}
		return m, variance
	}
	mx, vx := mean(x)
	my, vy := mean(y)
	return (mx - my) / math.Sqrt(vx/float64(len(x))+vy/float64(len(y)))
}

// trim leaves out the slowest twentieth, in which the machine did something else.
func trim(v []float64) []float64 {
	return slices.Sorted(slices.Values(v))[:max(len(v)-len(v)/20, 2)]
}

func middle(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }

// auc is how often one of x took longer than one of y, equal times counting half: 0.5 tells nothing.
func auc(x, y []float64) float64 {
	y = slices.Sorted(slices.Values(y))
	wins := 0.0
	for _, took := range x {
		below, _ := slices.BinarySearch(y, took)
		upTo, _ := slices.BinarySearchFunc(y, took, func(v, took float64) int {
			if v <= took {
				return -1
			}
			return 1
		})
		wins += float64(below+upTo) / 2
	}
	return wins / float64(len(x)*len(y))
}
