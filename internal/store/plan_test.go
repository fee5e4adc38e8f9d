//go:build postgres

package store

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/pgtest"
)

// TestGrowingTablesAreReadByKey explains the statements of every call when the tables that grow fastest have their first statistics, and to
// read them whole looks cheapest. A connection keeps the plan that it makes then until there are others.
func TestGrowingTablesAreReadByKey(t *testing.T) {
	s, err := Open(t.Context(), pgtest.Database(t), Options{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Write(t.Context(), func(w auth.Writes) error {
		for n := range byte(60) {
			id := auth.SessionID(strconv.Itoa(int(n)))
			err := errors.Join(
				w.AddSession(auth.Session{Tenant: "demo", ID: id, User: "17"}),
				w.AddToken(auth.Token{Tenant: "demo", Hash: auth.TokenHash{n}, Session: id}),
				w.AddRefresh(auth.RefreshToken{Tenant: "demo", Hash: auth.TokenHash{n}, Root: auth.TokenHash{n}, Session: id, User: "17"}),
			)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.reader.ExecContext(t.Context(), "ANALYZE sessions, tokens, refresh_tokens"); err != nil {
		t.Fatal(err)
	}
	growing := regexp.MustCompile(` on (sessions|tokens|refresh_tokens)(_| |$)`)
	for name, c := range map[string]struct {
		query string
		args  []any
	}{
		"session":          {s.live.session, []any{"demo", "s"}},
		"session by token": {s.live.tokenSession, []any{"demo", "s", "jti", []byte{1}}},
		"bearer":           {s.live.bearer, []any{[]byte{1}}},
		"refresh":          {s.live.refresh, []any{[]byte{1}}},
	} {
		rows, err := s.reader.QueryContext(t.Context(), "EXPLAIN "+c.query, c.args...)
		if err != nil {
			t.Fatal(err)
		}
		scans := 0
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			if !growing.MatchString(line) {
				continue
			}
			scans++
			if !strings.Contains(line, "Index Scan using ") || !strings.Contains(line, "_pkey on ") {
				t.Errorf("%s: %s", name, line)
			}
		}
		if err := rows.Err(); err != nil || scans == 0 {
			t.Errorf("%s: %d scans, %v", name, scans, err)
		}
	}
}
