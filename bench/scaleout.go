package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"
)

// scaleout runs several nodes on one PostgreSQL and asks what a login costs the one thing that they share.
type scaleout struct {
	*bench
	points []scale
}

// scale is what came of one number of nodes.
type scale struct {
	nodes    int
	logins   float64 // a second
	count    int
	spent    spent
	commits  int64
	rows     int64          // written
	waits    map[string]int // samples of backends that waited, by what for
	sessions int            // samples of backends that were at work
	wrong    error
}

// scaleouts measures each number of nodes with mostConns connections in all.
func (p plan) scaleouts(ctx context.Context, nodes []int) (_ *scaleout, err error) {
	p.postgres = true
	b, err := p.begin(ctx, patientWait)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	s := &scaleout{bench: b}
	d, err := b.postgreSQL("scaled")
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("pgx", d.dsn)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1) // which alone tells from the backends of the nodes
	for _, n := range nodes {
		pt, err := s.scale(d, db, n)
		if err != nil {
			return nil, err
		}
		s.note("%d nodes: %.0f logins a second", n, pt.logins)
		s.points = append(s.points, pt)
	}
	return s, nil
}

func (s *scaleout) scale(d database, db *sql.DB, nodes int) (_ scale, err error) {
	pt := scale{nodes: nodes, waits: make(map[string]int)}
	servers := make([]*server, 0, nodes)
	stop := func() (err error) {
		for _, server := range servers {
			err = errors.Join(err, server.stop())
		}
		servers = nil
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	for range nodes {
		server, err := s.start(s.program, "serve", "--config", d.config)
		if err != nil {
			return pt, err
		}
		servers = append(servers, server)
	}
	before, err := totals(db)
	if err != nil {
		return pt, err
	}
	if err := s.load(&pt, db, servers); err != nil {
		return pt, err
	}
	if err := stop(); err != nil {
		return pt, err
	}
	if err := alone(s.ctx, db); err != nil {
		return pt, err
	}
	after, err := totals(db)
	pt.commits, pt.rows = after[0]-before[0], after[1]-before[1]
	return pt, err
}

// load has mostConns connections log in, the same number at each node, and counts what comes of it.
func (s *scaleout) load(pt *scale, db *sql.DB, servers []*server) error {
	ctx, stop := context.WithCancel(s.ctx)
	var sampled error
	var sampler, loads sync.WaitGroup
	sampler.Go(func() { sampled = pt.sample(ctx, db) })
	results, failed := make([]load, len(servers)), make([]error, len(servers))
	conns := mostConns / len(servers)
	for i, server := range servers {
		w := func(c *client, n int) (func() error, error) {
			return loginMulti(spread{s.plan.users, mostConns})(c, i*conns+n)
		}
		loads.Go(func() {
			results[i], failed[i] = drive(server.address, conns, s.window, spending(server, s.site.postgres.PID()), w)
		})
	}
	loads.Wait()
	stop()
	sampler.Wait()
	for i, l := range results {
		pt.logins += l.rate
		pt.count += l.right
		pt.spent.server += l.spent.server
		pt.wrong = errors.Join(append(l.errors, pt.wrong)...)
		if i == 0 {
			pt.spent.database, pt.spent.load = l.spent.database, l.spent.load
		}
	}
	return errors.Join(append(failed, sampled)...)
}

// alone waits for the backends of the nodes to end: until then a backend may keep to itself for ten seconds what it did.
func alone(ctx context.Context, db *sql.DB) error {
	for {
		var others int
		err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM pg_stat_activity
			WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`).Scan(&others)
		if err != nil || others == 0 {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// totals reads the commits and the written rows of a database so far.
func totals(db *sql.DB) (sums [2]int64, err error) {
	if _, err := db.Exec("SELECT pg_stat_clear_snapshot()"); err != nil {
		return sums, err
	}
	err = db.QueryRow("SELECT xact_commit, tup_inserted + tup_updated + tup_deleted FROM pg_stat_database WHERE datname = current_database()").
		Scan(&sums[0], &sums[1])
	return sums, err
}

// sample looks again and again at what the backends of the nodes do.
func (pt *scale) sample(ctx context.Context, db *sql.DB) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		rows, err := db.Query(`SELECT COALESCE(wait_event_type, 'CPU'), COUNT(*) FROM pg_stat_activity
			WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid() GROUP BY 1`)
		if err != nil {
			return err
		}
		for rows.Next() {
			var kind string
			var n int
			if err := rows.Scan(&kind, &n); err != nil {
				return err
			}
			pt.sessions += n
			pt.waits[kind] += n
		}
		if err := rows.Err(); err != nil {
			return err
		}
	}
}

func (s *scaleout) table() table {
	t := table{title: fmt.Sprintf("Nodes on one PostgreSQL, %d connections in all", mostConns), words: 0, head: []string{
		"nodes", "logins/s", "transactions a login", "rows written a login", "CPU ms a login: nodes", "database",
		"of the backends at work, waiting for locks", "for the log on disk", "errors",
	}}
	for _, pt := range s.points {
		n := float64(max(pt.count, 1))
		per := func(d time.Duration) string {
			return fmt.Sprintf("%.2f", d.Seconds()*1000/(pt.logins*s.window.Seconds()))
		}
		share := func(kinds ...string) string {
			sum := 0
			for _, k := range kinds {
				sum += pt.waits[k]
			}
			return fmt.Sprintf("%.1f %%", 100*float64(sum)/float64(max(pt.sessions, 1)))
		}
		wrong := "0"
		if pt.wrong != nil {
			wrong = pt.wrong.Error()
		}
		t.add(fmt.Sprint(pt.nodes), rate(pt.logins), fmt.Sprintf("%.2f", float64(pt.commits)/n), fmt.Sprintf("%.2f", float64(pt.rows)/n),
			per(pt.spent.server), per(pt.spent.database), share("Lock"), share("LWLock", "IO"), wrong)
	}
	return t
}
