package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
)

// group lets the writers of a SQLite file share commits. The disk takes far longer to make a transaction last than SQLite takes to run
// it, and there is one writer at a time: so whoever finds others waiting leaves the transaction open for the next one, and the last one, or
// the one that fills the batch, commits for all. Nobody is told of a success before that commit.
//
// Writers of one batch run one after the other and see what those before them wrote, as they would if each had committed. One that fails
// takes back its own changes and no others. When the database itself gives the transaction up, as it does when the disk is full, those who
// had done their part run again in another.
//
// A batch of writers none of whom waits for the disk is not synced. Its commit is in the log, and the sync of a later one takes it along. Whoever
// does wait never joins it: what they write must not be seen before it lasts.
type group struct {
	db      *sql.DB
	waiting atomic.Int32
	turn    chan struct{} // holds one while somebody runs, which guards what follows
	batch   *batch        // nil: no transaction is open
	level   string        // of syncing, that the connection was last set to
}

// batch is one transaction of several members.
type batch struct {
	tx      *sql.Tx
	synced  bool          // its commit waits for the disk
	members int           // whose changes are in it
	done    chan struct{} // closed when it is over
	err     error         // why it was not committed; to be read after done
}

// maxBatch bounds how many wait for one commit.
const maxBatch = 64

// unsynced is how far SQLite goes at a commit that nobody waits for: into the log, which is synced before any of it gets into the file.
const unsynced = "NORMAL"

// errTakenBack is what members of a batch get whose transaction the database has given up on account of another.
var errTakenBack = errors.New("the transaction was rolled back with another's")

// Savepoints of the members after the first. They begin as queries do whose prepared statement is kept.
const (
	setMember     = "-- name: SetMember :exec\nSAVEPOINT member"
	releaseMember = "-- name: ReleaseMember :exec\nRELEASE member"
	undoMember    = "-- name: UndoMember :exec\nROLLBACK TO member"
)

func newGroup(db *sql.DB) *group {
	return &group{db: db, turn: make(chan struct{}, 1), level: synchronous}
}

// run runs fn in a transaction of its own or of several writers, and returns when that has been committed, and synced where fn's caller
// waits for that. A ctx that ends before fn has undoes it. After errTakenBack fn may be run again.
func (g *group) run(ctx context.Context, synced bool, fn func(*sql.Tx) error) error {
	if err := g.enter(ctx); err != nil {
		return err
	}
	if b := g.batch; b != nil && synced && !b.synced {
		g.end(b, b.tx.Commit())
	}
	if g.batch == nil {
		if err := g.open(context.WithoutCancel(ctx), synced); err != nil {
			g.leave()
			return err
		}
	}
	b := g.batch
	if err := g.join(ctx, b, fn); err != nil {
		return err
	}
	<-b.done
	return b.err
}

// open begins a batch. How far its commit goes can only be set ahead of it.
func (g *group) open(ctx context.Context, synced bool) error {
	level := synchronous
	if !synced {
		level = unsynced
	}
	if level != g.level {
		if _, err := g.db.ExecContext(ctx, "PRAGMA synchronous = "+level); err != nil {
			return err
		}
		g.level = level
	}
	t, err := g.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	g.batch = &batch{tx: t, synced: synced, done: make(chan struct{})}
	return nil
}

// enter waits for a turn. Whoever gives up waiting sees to it that a batch that was left open for them does not stay so.
func (g *group) enter(ctx context.Context) error {
	g.waiting.Add(1)
	select {
	case g.turn <- struct{}{}:
		g.waiting.Add(-1)
		return nil
	case <-ctx.Done():
		go func() {
			g.turn <- struct{}{}
			g.waiting.Add(-1)
			g.leave()
		}()
		return ctx.Err()
	}
}

// leave ends a turn, and the batch when nobody waits to join it.
func (g *group) leave() {
	if b := g.batch; b != nil && (g.waiting.Load() == 0 || b.members >= maxBatch) {
		g.end(b, b.tx.Commit())
	}
	<-g.turn
}

func (g *group) end(b *batch, err error) {
	b.err, g.batch = err, nil
	close(b.done)
}

// join runs fn as the next member of the batch and ends its turn.
func (g *group) join(ctx context.Context, b *batch, fn func(*sql.Tx) error) (err error) {
	first, kept := b.members == 0, false
	defer func() { // also when fn panics
		switch {
		case first && !kept:
			g.end(b, b.tx.Rollback())
		case !first && b.settle(kept) != nil:
			b.tx.Rollback() // there is none any more; it frees the connection
			g.end(b, errTakenBack)
		case kept:
			b.members++
		}
		g.leave()
	}()
	if !first {
		if err := b.exec(setMember); err != nil {
			return err
		}
	}
	err = cmp.Or(fn(b.tx), ctx.Err())
	kept = err == nil
	return err
}

// settle keeps or takes back the changes of a member after the first. An error means that the transaction is no more.
func (b *batch) settle(keep bool) error {
	if !keep {
		if err := b.exec(undoMember); err != nil {
			return err
		}
	}
	return b.exec(releaseMember)
}

// exec is of the batch as a whole, and so for no single member to interrupt.
func (b *batch) exec(statement string) error {
	_, err := b.tx.ExecContext(context.Background(), statement)
	return err
}
