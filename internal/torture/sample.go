package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the sizes of PostgreSQL's tables, asked for as SQLite's are
)

// What is allowed to a figure beside the tenth.
const (
	allowedMiB        = 16  // of memory: a garbage collection more or less
	allowedHandles    = 16  // a pool's connections
	allowedGoroutines = 32  // two of each
	allowedRows       = 400 // of a table: what one burst leaves
	allowedEvents     = 100 // of a thousand calls
	allowedStoreMiB   = 4   // of a database: pages that wait to be used again
)

// keptRows are the tables that grow by design: events are the record, ids of users who went are not given again, and identities outlive their
// users.
func keptRows() []string { return []string{"events", "former_users", "identities"} }

// sample looks at the servers, the database and ourselves, when all is at rest.
func (r *longRun) sample(ctx context.Context) error {
	if err := r.await(ctx); err != nil {
		return err
	}
	if err := r.sampleServer(ctx); err != nil {
		return err
	}
	if err := r.sampleDatabase(ctx); err != nil {
		return err
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	r.figures.add("our own heap", "MiB", allowedMiB, float64(m.HeapAlloc)/(1<<20))
	r.figures.add("our own goroutines", "", allowedGoroutines, float64(runtime.NumGoroutine()))
	return nil
}

// await returns when the first server has no work left that ends soon: its goroutines become no fewer.
func (r *longRun) await(ctx context.Context) error {
	for _, n := range r.nodes {
		n.close()
	}
	least, still := 0.0, 0
	for deadline := time.Now().Add(r.rest); still < 5 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		now, err := metric(ctx, r.nodes[0], "go_goroutines")
		if err != nil {
			return err
		}
		if still++; now < least || least == 0 {
			least, still = now, 0
		}
	}
	return ctx.Err()
}

// sampleServer looks at the first server's process.
func (r *longRun) sampleServer(ctx context.Context) error {
	pid := r.servers[0].PID()
	anonymous, err := memoryOf(pid, "RssAnon")
	if err != nil {
		return err
	}
	handles, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return err
	}
	goroutines, err := metric(ctx, r.nodes[0], "go_goroutines")
	if err != nil {
		return err
	}
	r.figures.addOfServer(pid, "resident", "MiB", allowedMiB, float64(anonymous)/(1<<20))
	r.figures.addOfServer(pid, "handles", "", allowedHandles, float64(len(handles)))
	r.figures.addOfServer(pid, "goroutines", "", allowedGoroutines, goroutines)
	return nil
}

// sampleDatabase looks at the tables. What grows by design has to grow as it should.
func (r *longRun) sampleDatabase(ctx context.Context) (err error) {
	driver, list, size := "sqlite", "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
		"SELECT coalesce(sum(d.pgsize), 0) FROM dbstat d JOIN sqlite_schema s ON s.name = d.name WHERE s.tbl_name NOT IN (%s)"
	if strings.HasPrefix(r.direct, "postgres:") {
		driver, list, size = "pgx", "SELECT relname FROM pg_stat_user_tables",
			"SELECT coalesce(sum(pg_total_relation_size(relid)), 0)::bigint FROM pg_stat_user_tables WHERE relname NOT IN (%s)"
	}
	db, err := sql.Open(driver, r.direct)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := rowsOf(ctx, db, list)
	if err != nil {
		return fmt.Errorf("rows: %w", err)
	}
	for table, n := range rows {
		if !slices.Contains(keptRows(), table) {
			r.figures.add("rows of "+table, "rows", allowedRows, float64(n))
		}
	}
	bytes := int64(0)
	if err := db.QueryRowContext(ctx, fmt.Sprintf(size, "'"+strings.Join(keptRows(), "','")+"'")).Scan(&bytes); err != nil {
		return fmt.Errorf("size: %w", err)
	}
	r.figures.add("database without what is kept", "MiB", allowedStoreMiB, float64(bytes)/(1<<20))
	if driver == "sqlite" {
		log, err := os.Stat(r.direct + "-wal")
		if err != nil {
			return err
		}
		r.figures.add("log of the database", "MiB", allowedStoreMiB, float64(log.Size())/(1<<20))
	}
	r.kept(rows)
	return nil
}

// rowsOf counts the rows of every table.
func rowsOf(ctx context.Context, db *sql.DB, list string) (_ map[string]int, err error) {
	found, err := db.QueryContext(ctx, list)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	all := map[string]int{}
	for found.Next() {
		name := ""
		if err := found.Scan(&name); err != nil {
			return nil, err
		}
		all[name] = 0
	}
	for name := range all {
		n := 0
		if err := db.QueryRowContext(ctx, `SELECT count(*) FROM "`+name+`"`).Scan(&n); err != nil {
			return nil, err
		}
		all[name] = n
	}
	return all, found.Err()
}

// kept checks what grows by design: one former user for each that went, one identity for each that came, and events by calls.
func (r *longRun) kept(rows map[string]int) {
	if want := r.renewed; rows["former_users"] != want {
		r.users[0].breaks("there are %d former users, and %d went", rows["former_users"], want)
	}
	if want := usersOfServers + bystanders + r.renewed; rows["identities"] != want {
		r.users[0].breaks("there are %d identities, and %d came", rows["identities"], want)
	}
	made, _ := r.calls()
	now := count{rows["events"], made + r.logins}
	if calls := now.calls - r.previous.calls; r.previous.events > 0 && calls > 0 {
		r.figures.add("events of a thousand calls", "", allowedEvents, float64(now.events-r.previous.events)*1000/float64(calls))
	}
	r.previous = now
}

// count is how many events there were after so many calls.
type count struct{ events, calls int }

// memoryOf reads one of the sizes of a process's memory, in bytes: VmHWM is the most that was resident, RssAnon what is now, without files.
func memoryOf(pid int, name string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("the system does not tell how much memory a process had")
}

// summary tells the figures of the table.
func (s *series) summary(least int) string {
	var all []string
	for _, f := range s.all(least) {
		second, last := f.quarters()
		if slices.Contains([]string{"resident", "handles", "goroutines", "database without what is kept"}, f.name) {
			all = append(all, strings.TrimSpace(fmt.Sprintf("%s %.4g to %.4g %s", f.name, second, last, f.unit)))
		}
	}
	if len(all) == 0 {
		return "too short to say what grows"
	}
	return strings.Join(all, ", ")
}
