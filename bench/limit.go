package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"

	// The limits of the databases are those of the drivers that the program uses.
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"countersign/internal/passhash"
)

// repeat runs op in workers goroutines for about a window and returns how often a second. An op that is running at the end is finished
// and counted, in its own time.
func repeat(workers int, window time.Duration, op func(worker int) error) (p pace, err error) {
	var (
		mu   sync.Mutex
		wait sync.WaitGroup
	)
	before, _ := cpu(os.Getpid()) // 0 where it is not measured
	for n := range workers {
		wait.Go(func() {
			begin, count := time.Now(), 0
			var failed error
			for failed == nil && time.Since(begin) < window {
				failed = op(n)
				count++
			}
			own := float64(count) / time.Since(begin).Seconds()
			mu.Lock()
			defer mu.Unlock()
			p.rate += own
			p.count += count
			if err == nil {
				err = failed
			}
		})
	}
	wait.Wait()
	after, _ := cpu(os.Getpid())
	p.spent = after - before
	return p, err
}

// hashers is how many goroutines the raw hash is measured with: one a core of the machine that the goals are for.
const hashers = 2

// rawHash measures the hash alone: what the server does to verify a right password, without a request and a database around it.
func rawHash(h *passhash.Hasher, encoded string, window time.Duration) (pace, error) {
	return repeat(hashers, window, func(int) error {
		ok, err := h.Verify(context.Background(), encoded, []byte(password), h.Shape())
		if err == nil && !ok {
			err = fmt.Errorf("the hash does not match its password")
		}
		return err
	})
}

// commonHash measures the same hash as most Go programs compute it.
func commonHash(window time.Duration) (pace, error) {
	salt := make([]byte, 16)
	return repeat(hashers, window, func(int) error {
		argon2.IDKey([]byte(password), salt, 2, 19456, 1, 32)
		return nil
	})
}

// commits measures transactions of one small row on workers connections.
func commits(db *sql.DB, workers int, window time.Duration, insert string) (pace, error) {
	defer db.Close()
	ctx := context.Background()
	if _, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS bare (n BIGINT)"); err != nil {
		return pace{}, err
	}
	statements := make([]*sql.Stmt, workers)
	for i := range statements {
		conn, err := db.Conn(ctx)
		if err != nil {
			return pace{}, err
		}
		defer conn.Close()
		if statements[i], err = conn.PrepareContext(ctx, insert); err != nil {
			return pace{}, err
		}
	}
	return repeat(workers, window, func(n int) error {
		_, err := statements[n].ExecContext(ctx, 1)
		return err
	})
}

// sqliteCommits has one connection, since SQLite has one writer, and the settings of the store.
func sqliteCommits(dir string, window time.Duration) (pace, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "bare.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return pace{}, err
	}
	return commits(db, 1, window, "INSERT INTO bare (n) VALUES (?)")
}

func postgresCommits(url string, window time.Duration) (pace, error) {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return pace{}, err
	}
	return commits(db, 8, window, "INSERT INTO bare (n) VALUES ($1)")
}

// emptyHandler is the first argument with which the program is the server that does nothing, in a process of its own as the real one.
const emptyHandler = "empty-handler"

// serveEmpty prints where it listens and answers every request with the same few bytes, until its process is ended.
func serveEmpty(stdout io.Writer) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, ln.Addr())
	return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"status":"ok"}`)
	}))
}
