package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// errSilent is what a connection that was given up fails with. Of a COMMIT it says nothing: it may have been carried out.
var errSilent = errors.New("the database does not answer")

// patient is the context of one statement. It says by when that has to be answered, and leaves it to the connection to see to it: a
// deadline of a socket costs less than a timer and somebody to wait for it.
type patient struct {
	context.Context
	until time.Time
}

// Deadline implements context.Context.
func (p patient) Deadline() (time.Time, bool) {
	if d, ok := p.Context.Deadline(); ok && d.Before(p.until) {
		return d, true
	}
	return p.until, true
}

// patientConnector opens connections on which a statement is given up at the deadline of its context. Statements without one, as those
// of migrations, are waited for.
type patientConnector struct {
	driver.Connector
	patience time.Duration // for a connection
}

// newPatientConnector returns a connector for a configuration that knows it.
func newPatientConnector(config *pgx.ConnConfig, patience time.Duration, options ...stdlib.OptionOpenDB) *patientConnector {
	hosts := map[string]bool{config.Host: true}
	for _, f := range config.Fallbacks {
		hosts[f.Host] = true
	}
	// Each of several hosts has its part of the time, so that one that does not answer does not keep us from the next.
	if each := patience / time.Duration(len(hosts)); config.ConnectTimeout == 0 || config.ConnectTimeout > each {
		config.ConnectTimeout = each
	}
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		// For what comes before the first statement, and for a request to cancel one.
		return wire{c}, c.SetDeadline(time.Now().Add(patience))
	}
	return &patientConnector{stdlib.GetConnector(*config, options...), patience}
}

// Connect implements driver.Connector. It takes a deadline for what the context of a statement is not: the time to stop by itself.
func (c *patientConnector) Connect(ctx context.Context) (driver.Conn, error) {
	until := time.Now().Add(c.patience)
	if d, ok := ctx.Deadline(); ok && d.Before(until) {
		until = d
	}
	ctx, cancel := context.WithDeadline(timeless{ctx}, until)
	defer cancel()
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	conn := inner.(*stdlib.Conn)
	encrypted := conn.Conn().PgConn().Conn()
	return &patientConn{conn, encrypted, socket(encrypted), c.patience}, nil
}

// timeless is a context whose deadline is not to be relied on.
type timeless struct{ context.Context }

// Deadline implements context.Context.
func (timeless) Deadline() (time.Time, bool) { return time.Time{}, false }

// wire is a connection that is of no more use when something was not answered in time: what comes later would be taken for the answer
// to something else.
type wire struct{ net.Conn }

// Read implements net.Conn.
func (w wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	return n, w.judged(err)
}

// Write implements net.Conn.
func (w wire) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	return n, w.judged(err)
}

func (w wire) judged(err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	_ = w.Close() // the driver would say goodbye first, and wait for that to be taken
	return errSilent
}

// patientConn is one connection.
type patientConn struct {
	*stdlib.Conn
	wire     net.Conn        // or what encrypts it
	socket   syscall.RawConn // of the wire; nil if it has none
	patience time.Duration
}

// socket finds what a connection reads from.
func socket(c net.Conn) syscall.RawConn {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	if w, ok := c.(wire); ok {
		c = w.Conn
	}
	if s, ok := c.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// quiet reports whether the connection is there and the database has said nothing that was not asked for, as that it ends.
func (c *patientConn) quiet() bool {
	return c.socket != nil && !c.Conn.Conn().IsClosed() && silentSocket(c.socket)
}

// begin sets the end of the wait for what is about to be asked, and reports whether there is one.
func (c *patientConn) begin(ctx context.Context) bool {
	until, limited := ctx.Deadline()
	_ = c.wire.SetDeadline(until) // fails only on a closed connection, as what follows will
	return limited
}

// ExecContext implements driver.ExecerContext.
func (c *patientConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.begin(ctx)
	return c.Conn.ExecContext(ctx, query, args)
}

// QueryContext implements driver.QueryerContext.
func (c *patientConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.begin(ctx)
	return c.Conn.QueryContext(ctx, query, args)
}

// PrepareContext implements driver.ConnPrepareContext.
func (c *patientConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.begin(ctx)
	return c.Conn.PrepareContext(ctx, query)
}

// Ping implements driver.Pinger.
func (c *patientConn) Ping(ctx context.Context) error {
	c.begin(ctx)
	return c.Conn.Ping(ctx)
}

// ResetSession implements driver.SessionResetter. It asks whether a connection that lay idle is still there.
func (c *patientConn) ResetSession(ctx context.Context) error {
	c.begin(ctx)
	return c.Conn.ResetSession(ctx)
}

// Close implements driver.Conn.
func (c *patientConn) Close() error {
	_ = c.wire.SetDeadline(time.Now().Add(c.patience))
	return c.Conn.Close()
}

// BeginTx implements driver.ConnBeginTx.
func (c *patientConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	limited := c.begin(ctx)
	inner, err := c.Conn.BeginTx(ctx, o)
	if err != nil {
		return nil, err
	}
	return patientTx{inner, c, limited}, nil
}

// patientTx is a transaction whose end is waited for as long as its statements.
type patientTx struct {
	driver.Tx
	conn    *patientConn
	limited bool
}

func (t patientTx) begin() {
	until := time.Time{}
	if t.limited {
		until = time.Now().Add(t.conn.patience)
	}
	_ = t.conn.wire.SetDeadline(until)
}

// Commit implements driver.Tx.
func (t patientTx) Commit() error {
	t.begin()
	return t.Tx.Commit()
}

// Rollback implements driver.Tx.
func (t patientTx) Rollback() error {
	t.begin()
	return t.Tx.Rollback()
}
