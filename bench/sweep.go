package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// sweeping asks whether requests notice that rows whose time is over are being deleted.
type sweeping struct {
	*bench
	expired int
	rows    []swept
}

// swept is how one kind of request fared on one database.
type swept struct {
	database, request string
	quiet, beside     load
	pace              float64 // rows a second that were deleted meanwhile
}

// sweepLimit is how long the server may take to begin with sweeping, and to end.
const sweepLimit = 10 * time.Minute

func (p plan) sweeps(ctx context.Context, expired int) (_ *sweeping, err error) {
	b, err := p.begin(ctx, patientWait)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	s := &sweeping{bench: b, expired: expired}
	databases, err := b.databases("swept")
	if err != nil {
		return nil, err
	}
	for _, d := range databases {
		if err := s.sweep(d); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// ended says what makes copies of rows differ whose time is over. Their ends lie in 1970.
func ended(blob string) []copied {
	hash := strings.ReplaceAll(blob, "?", "'ended' || %s")
	return []copied{
		{"sessions", "user_id = '2'", map[string]string{"id": "'ended' || %s", "ends_at": "1"}},
		{"tokens", "identity_id = '10001'", map[string]string{
			"session_id": "'ended' || %s", "hash": hash, "identity_id": "'0' || %s", "session_ends_at": "1",
		}},
		{"attempts", "subject = 'user:2'", map[string]string{"subject": "'phantom:' || %s", "expires_at": "1"}},
		{"challenges", "purpose <> 'confirm'", map[string]string{"id": "'ended' || %s", "expires_at": "1", "ended_at": "1", "subject": "'phantom:' || %s"}},
	}
}

// sweep measures on one database, with nothing to be swept and then while something is.
func (s *sweeping) sweep(d database) (err error) {
	quiet, err := s.expire(d)
	if err != nil {
		return err
	}
	db, err := sql.Open(driverOf(d.dsn))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	server, err := s.start(s.program, "serve", "--config", d.config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	if err := s.await(db, countEnded, func(n int) bool { return n < s.expired }); err != nil {
		return err
	}
	var failed error
	begun, over := time.Now(), make(chan struct{})
	go func() {
		failed = s.await(db, anyEnded, func(n int) bool { return n == 0 })
		close(over)
	}()
	beside, err := s.both(server, func() { <-over })
	<-over // also when a connection failed
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	pace := float64(s.expired*len(ended("?"))) / time.Since(begun).Seconds()
	for i, name := range []string{"GET /multi/identities", "POST /multi/login_with_password"} {
		s.rows = append(s.rows, swept{d.name, name, quiet[i], beside[i], pace})
	}
	return nil
}

// driverOf names the driver of a database, and the database to it.
func driverOf(dsn string) (driver, source string) {
	if strings.HasPrefix(dsn, "postgres:") {
		return "pgx", dsn
	}
	return "sqlite", strings.TrimPrefix(dsn, "sqlite:")
}

// expire measures with nothing to be swept, stops the server and fills the database with rows whose time is over.
func (s *sweeping) expire(d database) (quiet [2]load, err error) {
	server, err := s.start(s.program, "serve", "--config", d.config)
	if err != nil {
		return quiet, err
	}
	quiet, err = s.both(server, func() { time.Sleep(s.window) })
	if err == nil {
		err = s.challenge(server)
	}
	if err := errors.Join(err, server.stop()); err != nil {
		return quiet, err
	}
	s.note("%s: making %d rows of each of %d kinds", d.name, s.expired, len(ended("?")))
	return quiet, multiply(d.dsn, s.expired, ended)
}

// challenge has a server make a challenge, to be copied.
func (s *sweeping) challenge(server *server) error {
	c, err := dial(server.address)
	if err != nil {
		return err
	}
	defer c.close()
	ask := request("POST", "/multi/passwords/lost_password/start", `{"email":"nobody@example.com"}`, "api-key: "+apiKey, asJSON)
	return one(c.want(http.StatusNoContent, ask))
}

// countEnded counts what is swept first, and anyEnded asks whether anything is left.
const (
	countEnded = "SELECT COUNT(*) FROM tokens WHERE session_ends_at = 1"
	anyEnded   = `SELECT COUNT(*) FROM (SELECT 1 AS one WHERE EXISTS (SELECT 1 FROM tokens WHERE session_ends_at = 1)
		OR EXISTS (SELECT 1 FROM sessions WHERE ends_at = 1) OR EXISTS (SELECT 1 FROM attempts WHERE expires_at = 1)
		OR EXISTS (SELECT 1 FROM challenges WHERE CAST(CASE WHEN ended_at = 0 THEN expires_at ELSE ended_at END AS BIGINT) = 1
			AND NOT (purpose = 'confirm' AND status = 'approved'))) found`
)

func number(db *sql.DB, query string) (n int, err error) {
	err = db.QueryRow(query).Scan(&n)
	return n, err
}

// await returns when a number is as it should be.
func (s *sweeping) await(db *sql.DB, query string, enough func(int) bool) error {
	for until := time.Now().Add(sweepLimit); ; time.Sleep(200 * time.Millisecond) {
		n, err := number(db, query)
		switch {
		case err != nil || s.ctx.Err() != nil:
			return errors.Join(err, s.ctx.Err())
		case enough(n):
			return nil
		case time.Now().After(until):
			return fmt.Errorf("%d rows are left after %v", n, sweepLimit)
		}
	}
}

// both has some connections check tokens and one log in, each until wait returns.
func (s *sweeping) both(server *server, wait func()) (loads [2]load, err error) {
	none := func() (spent, error) { return spent{}, nil }
	var wg sync.WaitGroup
	var failed [2]error
	for i, w := range []func(spread) work{check, loginMulti} {
		conns := 4 - 3*i
		wg.Go(func() {
			loads[i], failed[i] = driveWhile(server.address, conns, wait, none, w(spread{s.plan.users, conns}))
		})
	}
	wg.Wait()
	return loads, errors.Join(failed[:]...)
}

func (s *sweeping) table() table {
	t := table{title: "Requests with nothing to be swept, and while rows are swept", words: 2, head: []string{
		"request", "database", "per s", "p50 ms", "p99 ms", "longest ms", "sweeping: per s", "p50 ms", "p99 ms", "longest ms", "rows swept/s", "errors",
	}}
	for _, r := range s.rows {
		row := []string{r.request, r.database}
		for _, l := range []load{r.quiet, r.beside} {
			slices.Sort(l.took)
			row = append(row, fmt.Sprintf("%.0f", l.rate))
			for _, q := range []float64{0.5, 0.99, 1} {
				row = append(row, fmt.Sprintf("%.2f", quantile(l.took, q).Seconds()*1000))
			}
		}
		t.add(append(row, fmt.Sprintf("%.0f", r.pace), fmt.Sprint(len(r.quiet.errors)+len(r.beside.errors)))...)
	}
	return t
}

func (s *sweeping) failures() []string {
	var all []string
	for _, r := range s.rows {
		for _, err := range slices.Concat(r.quiet.errors, r.beside.errors) {
			all = append(all, fmt.Sprintf("%s on %s: %v", r.request, r.database, err))
		}
	}
	return all
}
