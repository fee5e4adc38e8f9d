package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// sight is what a look at a PostgreSQL database shows.
type sight struct {
	standby bool
	line    string // of its log: the database's identifier and its timeline; empty: not to be read
	blind   bool   // not to be read by this role, or here at all
	waits   bool   // commits wait for a standby
	note    note
	cleared int64 // how often everything was deleted, as the sandbox does
	found   []string
	missing int
}

const (
	metaLine    = "line"
	metaCleared = "cleared"

	sightQuery = `SELECT pg_is_in_recovery(),
    current_setting('synchronous_standby_names') <> '' AND current_setting('synchronous_commit') NOT IN ('off', 'local'),
    COALESCE((SELECT value FROM meta WHERE name = '` + metaLine + `'), ''),
    COALESCE((SELECT CAST(value AS BIGINT) FROM meta WHERE name = '` + metaCleared + `'), 0),
    ARRAY(SELECT e.id FROM events e WHERE (e.tenant_id, e.id) IN (SELECT m.t, m.i FROM unnest($1::TEXT[], $2::TEXT[]) AS m (t, i)))`

	// The timeline of the last checkpoint would be that of before for a while after a promotion.
	lineQuery = `SELECT (SELECT CAST(system_identifier AS TEXT) FROM pg_control_system()) || '/' ||
    substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)`
)

// see looks at a database, and which marks are there. Nothing is prepared for it: most connections are looked at once.
func see(ctx context.Context, conn *pgx.Conn, marks []mark, blind bool) (s sight, err error) {
	tenants, ids := make([]string, len(marks)), make([]string, len(marks))
	for i, m := range marks {
		tenants[i], ids[i] = m.tenant, m.id
	}
	var noted string
	err = conn.QueryRow(ctx, sightQuery, pgx.QueryExecModeExec, tenants, ids).Scan(&s.standby, &s.waits, &noted, &s.cleared, &s.found)
	s.note, s.blind = readNote(noted), blind
	if err != nil || s.standby || blind {
		return s, err
	}
	err = conn.QueryRow(ctx, lineQuery, pgx.QueryExecModeExec).Scan(&s.line)
	if postgresCode("42501", "42883", "0A000")(err) { // insufficient_privilege, undefined_function, feature_not_supported
		s.blind, err = true, nil
	}
	return s, err
}

// note is what servers leave in the database about its log.
type note struct {
	line  string
	waits bool // commits there wait for a standby
	state noteState
	raw   string // as it stands there; empty: there is none
}

// noteState is what is known of a line of the log.
type noteState string

const (
	noteWhole  noteState = "whole"  // it lacks nothing
	noteBehind noteState = "behind" // it lacks what was acknowledged, and what is open there has to be voided
	noteVoided noteState = "voided" // that was done
)

// noLine is in the place of a line that cannot be read.
const noLine = "-"

func (n note) text() string {
	line, waits := n.line, "alone"
	if line == "" {
		line = noLine
	}
	if n.waits {
		waits = "waits"
	}
	return fmt.Sprintf("%s %s %s", line, waits, n.state)
}

func (n note) with(s noteState) note {
	n.state = s
	return n
}

// readNote is the reverse of text. What cannot be read says nothing.
func readNote(raw string) note {
	n := note{raw: raw}
	if parts := strings.Fields(raw); len(parts) == 3 {
		n.line, n.waits, n.state = parts[0], parts[1] == "waits", noteState(parts[2])
	}
	if n.line == noLine {
		n.line = ""
	}
	return n
}

// leave writes the note in the place of the one that is known; false when there is another one. It waits for no standby: a promoted one may have
// been told to wait for one that does not come, and other servers have to see the note all the same.
func (n note) leave(ctx context.Context, conn *pgx.Conn, known string) (bool, error) {
	const local = "set_config('synchronous_commit', 'local', true) = 'local'"
	query := "UPDATE meta SET value = $2 WHERE name = $1 AND value = $3 AND " + local
	args := []any{metaLine, n.text(), known}
	if known == "" {
		query, args = "INSERT INTO meta (name, value) SELECT $1, $2 WHERE "+local+" ON CONFLICT DO NOTHING", args[:2]
	}
	tag, err := conn.Exec(ctx, query, args...)
	return tag.RowsAffected() > 0, err
}

// cautionQuery counts the standbys that there are, or that have a place kept for them. It needs no privilege.
const cautionQuery = `SELECT current_setting('synchronous_standby_names'), current_setting('synchronous_commit'),
    (SELECT count(*) FROM pg_stat_replication r WHERE r.state IS DISTINCT FROM 'backup' AND NOT EXISTS (
        SELECT 1 FROM pg_replication_slots l WHERE l.active_pid = r.pid AND l.slot_type = 'logical')) +
    (SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'physical')`

// Caution says what an operator should change lest acknowledged changes be lost; empty: nothing, or nothing that can be seen.
func (s *Store) Caution(ctx context.Context) (about string, err error) {
	if s.guard == nil {
		return "", nil
	}
	err = s.onConn(within(ctx, s.answerBy()), func(ctx context.Context, conn *pgx.Conn) error {
		var names, commit string
		var standbys int
		err := conn.QueryRow(ctx, cautionQuery).Scan(&names, &commit, &standbys)
		if postgresCode("42501", "42883", "42P01", "42704", "0A000")(err) {
			return nil
		}
		about = caution(names, commit, standbys)
		return err
	})
	return about, s.judged(err)
}

func caution(names, commit string, standbys int) string {
	const lost = "acknowledged logouts may be lost in a failover, which ends all sessions: "
	switch {
	case standbys == 0 && names == "":
		return ""
	case names == "":
		return lost + "no commit waits for a standby, of which PostgreSQL has " + strconv.Itoa(standbys) + "; set its synchronous_standby_names"
	case commit == "off" || commit == "local":
		return lost + "synchronous_commit is " + commit + ", so that no commit waits for a standby; set it to on"
	}
	return ""
}
