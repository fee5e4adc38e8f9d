package pgtest

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Standby makes a second server that follows this one, and has this one's commits wait until the second has them on its disk. The
// caller stops it.
func (s *Server) Standby(settings ...string) (_ *Server, err error) {
	t, err := s.Follower(append(settings, "cluster_name="+waitedFor)...) // which is how it is known to the other
	if err != nil {
		return nil, err
	}
	set := "ALTER SYSTEM SET synchronous_standby_names = '" + waitedFor + "'"
	if _, err = s.ask(set); err == nil {
		err = s.reload("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'", "1")
	}
	if err != nil {
		return nil, errors.Join(err, t.Stop())
	}
	return t, nil
}

// waitedFor is the name of a standby whose primary waits for it.
const waitedFor = "waited_for"

// Follower makes a second server that follows this one, which does not wait for it. The caller stops it.
func (s *Server) Follower(settings ...string) (_ *Server, err error) {
	t := &Server{bin: s.bin, ended: make(chan error, 1), settings: settings}
	if t.dir, t.as, err = directory(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.Stop())
		}
	}()
	copied := t.command("pg_basebackup", "--host="+s.dir, "--username="+superuser, "--pgdata="+t.data(), "--write-recovery-conf",
		"--checkpoint=fast", "--no-sync")
	if out, err := copied.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pg_basebackup: %w\n%s", err, out)
	}
	if err := t.resume(); err != nil {
		return nil, err
	}
	return t, t.until("SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'", "1")
}

// until waits until a statement says what it shall.
func (s *Server) until(statement, want string) error {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		got, err := s.ask(statement)
		if err != nil || got == want {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: still %q, want %q", statement, got, want)
		}
	}
}

// reload has the server read its settings anew, and waits until that shows.
func (s *Server) reload(shows, want string) error {
	if _, err := s.ask("SELECT pg_reload_conf()"); err != nil {
		return err
	}
	return s.until(shows, want)
}

// Cut waits until a follower has all that its primary has written, and then cuts the line between them, so that what comes later is not there.
func (s *Server) Cut(primary *Server) error {
	at, err := primary.ask("SELECT pg_current_wal_insert_lsn()")
	if err != nil {
		return err
	}
	if err := s.until("SELECT pg_last_wal_replay_lsn() >= '"+at+"'", "t"); err != nil {
		return err
	}
	if _, err := s.ask("ALTER SYSTEM SET primary_conninfo = ''"); err != nil {
		return err
	}
	return s.reload("SELECT count(*) FROM pg_stat_wal_receiver", "0")
}

// Promote makes a standby the one that is written to. Its commits wait for nobody, until it gets a standby of its own.
func (s *Server) Promote() error {
	if out, err := s.command("pg_ctl", "promote", "--pgdata="+s.data(), "--wait").CombinedOutput(); err != nil {
		return fmt.Errorf("promote: %w\n%s", err, out)
	}
	return nil
}

// Kill ends the server as a crash would. Stop still has to be called, for what it has left behind.
func (s *Server) Kill() error {
	err := s.process.Signal(syscall.SIGKILL)
	if err == nil {
		<-s.ended
		s.process = nil
	}
	return err
}

// Either returns the URL of a database for clients that shall find the one of several servers that is written to.
func (s *Server) Either(name string, others ...*Server) string {
	hosts := s.dir
	for _, o := range others {
		hosts += "," + o.dir
	}
	u := url.URL{Scheme: "postgres", Path: "/" + name, RawQuery: url.Values{
		"host": {hosts}, "user": {superuser}, "target_session_attrs": {"read-write"},
	}.Encode()}
	return u.String()
}

// URL returns the URL of a database of this server alone, whether it is written to or not.
func (s *Server) URL(name string) string {
	u := url.URL{Scheme: "postgres", Path: "/" + name, RawQuery: url.Values{"host": {s.dir}, "user": {superuser}}.Encode()}
	return u.String()
}

// ask runs one statement and returns what it says.
func (s *Server) ask(statement string) (string, error) {
	out, err := s.command("psql", "--host="+s.dir, "--username="+superuser, "--no-align", "--tuples-only", "--command="+statement, "postgres").
		CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("psql: %w: %s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}
