package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"countersign/internal/launch"
	"countersign/internal/passhash"
)

const (
	apiKey       = "sk_torture"
	clientSecret = "torture-secret"
	managerID    = "torture-manager"
)

// site is what experiments stand on: the program, built from the present source, and a directory that goes at the end.
type site struct {
	dir     string
	program string
	hash    string // of every user's first password
}

func newSite() (_ *site, err error) {
	s := &site{}
	if s.dir, err = os.MkdirTemp("", namePrefix()); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(s.dir))
		}
	}()
	if s.program, err = launch.Build(); err != nil {
		return nil, err
	}
	hasher, err := passhash.New(passhash.Config{})
	if err != nil {
		return nil, err
	}
	s.hash, err = hasher.Hash(context.Background(), []byte(text(0)))
	return s, errors.Join(err, hasher.Close())
}

func (s *site) close() error {
	return errors.Join(os.RemoveAll(s.dir), os.RemoveAll(filepath.Dir(s.program)))
}

// served are the limits of the users of servers: time runs there, so that no session may end by itself.
func served() limits {
	l := contract()
	l.idle, l.absolute = 30*24*time.Hour, 60*24*time.Hour
	return l
}

// seed writes a seed file with n users, whose sessions end as the limits say.
func (s *site) seed(n int, l limits) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, `tenants:
  - id: %s
    mode: live
    settings:
      rate_limits: false
      session: {idle: %.0fm, absolute: %.0fm}
      backend_session: {idle: %.0fm, absolute: %.0fm}
    api_keys: [{name: backend, key: %s}]
    clients:
      - {id: %s, secret: %s, kind: application}
      - {id: %s, secret: %s, kind: management}
    identities:
`, tenantID, l.idle.Minutes(), l.absolute.Minutes(), l.backendIdle.Minutes(), l.backend.Minutes(), apiKey, clientID, clientSecret, managerID,
		clientSecret)
	for i := range n {
		fmt.Fprintf(&b, "      - {type: CONSUMER, id: %q, name: User}\n", someone(i).id)
	}
	b.WriteString("    users:\n")
	for i := range n {
		p := someone(i)
		fmt.Fprintf(&b, "      - {id: %q, email: %q, email_verified: true, phone: %q, password: {hash: %q}, root_of: [\"CONSUMER:%s\"], "+
			"authenticators: [{kind: sms}]}\n", p.id, p.email, p.phone, s.hash, p.id)
	}
	path := filepath.Join(s.dir, fmt.Sprintf("seed-%d-%d.yaml", n, int(l.absolute.Hours())))
	return path, os.WriteFile(path, []byte(b.String()), 0o600)
}

// settled returns when PostgreSQL has nothing under way for servers any more: what they had sent before they were killed, or their
// connections cut, it still carries out.
func settled(ctx context.Context, database string) (err error) {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	for deadline := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		left := 0
		err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'countersign' AND state <> 'idle'").Scan(&left)
		if err != nil || left == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("PostgreSQL still works for %d connections of servers", left)
		}
	}
}

// namePrefix begins the names of this process's directories.
func namePrefix() string { return "torture-" + strconv.Itoa(os.Getpid()) + "-" }
