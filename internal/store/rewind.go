package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"countersign/internal/auth"
)

// ErrBehind comes with auth.ErrUnavailable: the database lacks what was acknowledged, or may lack it, since a standby has taken over for which
// nobody waited, or a backup was restored. Nothing is read or written until what users have open there is void, see Voiding.
var ErrBehind = errors.New("it is behind what was acknowledged")

// errFollows is what a connection is refused with that leads to a standby which has not caught up.
var errFollows = errors.New("a standby answers that has not caught up")

// guard notices when the database is behind what was acknowledged (security C-17). It looks before a new connection is used, as every one is
// after a failover, and whenever it is asked to.
//
// It knows two ways. The latest acknowledged changes are still in memory by their events, and have to be found: what a failover loses is the end
// of the log, so if anything is lost, the latest change is. And every line of PostgreSQL's log is noted in the database, with whether commits
// on it wait for a standby: a new line means that a standby was promoted or a backup restored, and if nobody waited for it, what other nodes
// have acknowledged, or this one before it was started, may be lost.
type guard struct {
	keep int // marks; as many as transactions may commit at once, so that each older one was answered before one that is kept began to commit
	on   atomic.Bool

	mu      sync.Mutex
	marks   []mark // of the latest acknowledged changes, the newest last
	memory  memory
	blind   bool // the log's line cannot be read here
	behind  atomic.Pointer[string]
	rewinds atomic.Uint64
}

// mark names an event of a transaction that was acknowledged.
type mark struct{ tenant, id string }

// acknowledge notes that a transaction with an event was committed. Those without one change nothing that somebody relies on.
func (g *guard) acknowledge(m mark) {
	if g == nil || m.id == "" || !g.on.Load() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.marks) >= g.keep {
		g.marks = slices.Delete(g.marks, 0, len(g.marks)-g.keep+1)
	}
	g.marks = append(g.marks, m)
}

// refusal is why nothing is read or written; nil when all is well.
func (g *guard) refusal() error {
	if g == nil {
		return nil
	}
	if why := g.behind.Load(); why != nil {
		return fmt.Errorf("%w: %w: %s", auth.ErrUnavailable, ErrBehind, *why)
	}
	return nil
}

// look compares the database with what is known of it, and returns ErrBehind if it is behind.
func (g *guard) look(ctx context.Context, conn *pgx.Conn) error {
	for {
		g.mu.Lock()
		marks, blind := slices.Clone(g.marks), g.blind
		g.mu.Unlock()
		s, err := see(ctx, conn, marks, blind)
		if err != nil {
			return fmt.Errorf("look whether the database is behind: %w", err)
		}
		v := g.weigh(s, marks)
		if v.refused {
			return fmt.Errorf("%w: %w", auth.ErrUnavailable, errFollows)
		}
		if v.why != "" {
			g.behind.Store(&v.why)
		}
		left := v.note.text() == s.note.raw || s.standby
		if !left {
			if left, err = v.note.leave(ctx, conn, s.note.raw); err != nil {
				return errors.Join(g.refusal(), fmt.Errorf("note the line of the log: %w", err))
			}
		}
		if left { // else another node has: look again
			g.settle(s, v, marks)
			return g.refusal()
		}
	}
}

// weigh judges what was seen by what is known now.
func (g *guard) weigh(s sight, marks []mark) verdict {
	g.mu.Lock()
	defer g.mu.Unlock()
	missing := func(m mark) bool { return !slices.Contains(s.found, m.id) && slices.Contains(g.marks, m) }
	for _, m := range marks {
		if missing(m) {
			s.missing++
		}
	}
	return judge(g.memory, s)
}

// settle keeps what a look has come to.
func (g *guard) settle(s sight, v verdict, marks []mark) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.blind = s.blind
	if s.standby {
		return
	}
	if v.why != "" {
		g.memory.behind = true // as is noted: whoever finds it void next, finds it so of this
		return
	}
	if v.forgets {
		g.marks = slices.DeleteFunc(g.marks, func(m mark) bool { return slices.Contains(marks, m) })
	}
	if v.rewound || g.memory.behind {
		g.rewinds.Add(1)
	}
	g.memory = memory{line: v.note.line, waited: v.note.waits, cleared: s.cleared}
	g.behind.Store(nil)
}

// memory is what a process knows of the database.
type memory struct {
	line    string // of the log, on which what it has acknowledged was written; empty: it has just started
	waited  bool   // commits there waited for a standby
	behind  bool   // it was found behind, and not yet whole again
	cleared int64
}

// verdict is what a look comes to.
type verdict struct {
	why     string // the database is behind; empty: it is not
	note    note   // to be left there
	refused bool   // it is a standby that has not caught up
	forgets bool   // what was acknowledged is no more to be looked for
	rewound bool   // it was behind, and what was open is void
}

// judge holds what is seen of a database against what is known of it.
func judge(m memory, s sight) verdict {
	if s.line == "" {
		s.line = s.note.line
	}
	cleared := s.cleared > m.cleared
	if cleared {
		s.missing = 0
	}
	kept := note{line: s.line, waits: s.waits, state: s.note.state}
	whole := note{line: s.line, waits: s.waits, state: noteWhole}
	voided := s.note.state == noteVoided && s.note.line == s.line
	switch {
	case s.standby:
		return verdict{refused: s.missing > 0, note: s.note}
	case s.note.state == noteBehind:
		return verdict{why: "what is open there is not void yet", note: s.note}
	case voided && (m.behind || m.line != "" && m.line != s.line):
		return verdict{note: kept, forgets: true, rewound: true}
	case s.missing > 0:
		return verdict{why: fmt.Sprintf("%d of the latest acknowledged changes are not in it", s.missing), note: kept.with(noteBehind)}
	case s.note.raw == "" || s.note.line == "":
		return verdict{note: whole, forgets: cleared}
	case s.note.line == s.line:
		return verdict{note: kept, forgets: cleared}
	case s.note.waits && (m.line == "" || m.waited) && follows(s.note.line, s.line):
		return verdict{note: whole, forgets: cleared}
	}
	why := fmt.Sprintf("line %s of its log has taken the place of %s, where no commit waited for a standby", s.line, s.note.line)
	return verdict{why: why, note: kept.with(noteBehind)}
}

// follows reports whether a line of a log is a later one of the same database.
func follows(former, line string) bool {
	system, timeline, _ := strings.Cut(line, "/")
	of, earlier, _ := strings.Cut(former, "/")
	return of == system && earlier < timeline
}

// Look looks whether the database is behind what was acknowledged, and returns ErrBehind then. Whoever serves calls it every second or so: it
// is how it is noticed behind a pooler, where connections outlast a failover, and how that it is over is noticed.
func (s *Store) Look(ctx context.Context) error {
	if s.guard == nil || !s.guard.on.Load() {
		return nil
	}
	until := s.answerBy()
	if err := s.conns.enter(ctx, until); err != nil {
		return blame(ctx, "look", err)
	}
	defer s.conns.leave()
	for try := 1; ; try++ {
		err := s.onConn(within(ctx, until), s.guard.look)
		if err == nil || !s.gone(err) || try == maxTries || past(until) || wait(ctx, try) != nil {
			return s.judged(err)
		}
	}
}

// onConn runs f on a driver's connection.
func (s *Store) onConn(ctx context.Context, f func(context.Context, *pgx.Conn) error) (err error) {
	conn, err := s.writer.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return conn.Raw(func(c any) error {
		own := c.(*patientConn)
		own.begin(ctx)
		return f(ctx, own.Conn.Conn())
	})
}

// Behind is why nothing is read or written; nil when the database is not behind, as far as is known.
func (s *Store) Behind() error { return s.guard.refusal() }

// Rewinds is how often the database was found behind, and is whole again: what was read from it before may be of what is lost.
func (s *Store) Rewinds() uint64 {
	if s.guard == nil {
		return 0
	}
	return s.guard.rewinds.Load()
}

// Voiding runs void, which ends what users have open, and notes that it is done: from then on the database is not behind. The store has to be
// one that is opened Beside. Of several processes one does it at a time, and the others none of it; and none does when the database is not
// behind, unless an operator has asked for it.
func (s *Store) Voiding(ctx context.Context, asked bool, void func() error) error {
	if s.guard == nil {
		return void()
	}
	held, err := s.writer.Conn(ctx) // of the lock, which goes with it
	if err != nil {
		return s.judged(err)
	}
	defer held.Close()
	var ours bool
	if err := held.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", int64(voidLock)).Scan(&ours); err != nil {
		return s.judged(err)
	}
	if !ours && asked {
		return errors.New("a server is about to do the same: run it again")
	}
	if !ours {
		return nil
	}
	defer held.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(voidLock))
	n, err := s.noted(ctx)
	if err != nil || !asked && n.state != noteBehind {
		return err
	}
	if err := void(); err != nil {
		return err
	}
	return s.judged(s.onConn(within(ctx, s.answerBy()), leaveVoided))
}

// noted reads the note.
func (s *Store) noted(ctx context.Context) (n note, err error) {
	err = s.onConn(within(ctx, s.answerBy()), func(ctx context.Context, conn *pgx.Conn) error {
		seen, err := see(ctx, conn, nil, true)
		n = seen.note
		return err
	})
	return n, s.judged(err)
}

// leaveVoided notes that what was open is void.
func leaveVoided(ctx context.Context, conn *pgx.Conn) error {
	for {
		s, err := see(ctx, conn, nil, false)
		if err != nil {
			return err
		}
		if s.line == "" {
			s.line = s.note.line
		}
		done := note{line: s.line, waits: s.waits, state: noteVoided}
		if left, err := done.leave(ctx, conn, s.note.raw); err != nil || left {
			return err
		}
	}
}

// voidLock is an arbitrary number that nothing else in the database may lock.
const voidLock = migrationLock + 1
