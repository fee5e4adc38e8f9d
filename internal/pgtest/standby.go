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
	for _, text := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"} {
		if _, err := s.ask(text); err != nil {
			return nil, err
		}
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		state, err := s.ask("SELECT string_agg(sync_state, ' ') FROM pg_stat_replication")
		if err != nil || state == "sync" {
			return t, err
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the standby is not in step: %q", state)
		}
	}
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

// Either returns the URL of a database for clients that shall find the one of two servers that is written to.
func (s *Server) Either(other *Server, name string) string {
	u := url.URL{Scheme: "postgres", Path: "/" + name, RawQuery: url.Values{
		"host": {s.dir + "," + other.dir}, "user": {superuser}, "target_session_attrs": {"read-write"},
	}.Encode()}
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
