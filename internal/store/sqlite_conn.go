package store

import (
	"context"
	"database/sql/driver"
	"strings"

	"modernc.org/sqlite"
)

// sqliteConnector opens connections that keep their prepared statements: SQLite takes longer to parse a statement than to run it.
type sqliteConnector struct {
	name    string // of the file, with parameters
	driver  *sqlite.Driver
	breaker *breaker
}

// Connect implements driver.Connector.
func (c sqliteConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := c.breaker.closed(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	conn, err := c.driver.Open(c.name)
	if err != nil {
		return nil, c.breaker.see(err)
	}
	return &sqliteConn{baseConn: conn.(baseConn), statements: make(map[string]statement), breaker: c.breaker}, nil
}

// Driver implements driver.Connector.
func (c sqliteConnector) Driver() driver.Driver { return c.driver }

// baseConn and statement are what the driver's connection and its statements can do.
type (
	baseConn interface {
		driver.Conn
		driver.ConnBeginTx
		driver.ConnPrepareContext
		driver.ExecerContext
		driver.QueryerContext
		driver.Pinger
		driver.SessionResetter
		driver.Validator
	}
	statement interface {
		driver.Stmt
		driver.StmtExecContext
		driver.StmtQueryContext
	}
)

// sqliteConn is one connection. database/sql uses it from one goroutine at a time.
type sqliteConn struct {
	baseConn
	statements map[string]statement
	breaker    *breaker
}

// BeginTx implements driver.ConnBeginTx.
func (c *sqliteConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if err := c.breaker.closed(); err != nil {
		return nil, err
	}
	t, err := c.baseConn.BeginTx(ctx, o)
	if err != nil {
		return nil, c.breaker.see(err)
	}
	return breakingTx{t, c.breaker}, nil
}

// maxStatements is above the number of queries there are; only AddEvents could exceed it, by sizes of batches.
const maxStatements = 256

// prepared returns a kept statement for a query of this package, which begins with its name, and nil for any other; an error when the disk
// has failed. A verb reads all rows
// of its statement before another begins, so no statement is run twice at once.
func (c *sqliteConn) prepared(ctx context.Context, query string) (statement, error) {
	if err := c.breaker.closed(); err != nil {
		return nil, err
	}
	s, ok := c.statements[query]
	if ok || !strings.HasPrefix(query, "-- name: ") || len(c.statements) == maxStatements {
		return s, nil
	}
	p, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, c.breaker.see(err)
	}
	s = p.(statement)
	c.statements[query] = s
	return s, nil
}

// ExecContext implements driver.ExecerContext.
func (c *sqliteConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	var done driver.Result
	if s == nil {
		done, err = c.baseConn.ExecContext(ctx, query, args)
	} else {
		done, err = s.ExecContext(ctx, args)
	}
	return done, c.breaker.see(err)
}

// QueryContext implements driver.QueryerContext.
func (c *sqliteConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	var rows driver.Rows
	if s == nil {
		rows, err = c.baseConn.QueryContext(ctx, query, args)
	} else {
		rows, err = unpack(s.QueryContext(ctx, args))
	}
	return rows, c.breaker.see(err)
}

// Close implements driver.Conn.
func (c *sqliteConn) Close() error {
	for _, s := range c.statements {
		s.Close() // an error here is that of the statement's last run
	}
	return c.baseConn.Close()
}
