package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"countersign/internal/launch"
)

// buildNext builds the version after this one: the present source and a migration that leaves room for the present schema's binaries.
func buildNext(dir string) (program string, err error) {
	at, err := filepath.Abs(migrations)
	if err != nil {
		return "", err
	}
	files, err := filepath.Glob(filepath.Join(at, "*.sql")) // in the order of their numbers
	if err != nil || len(files) == 0 {
		return "", errors.Join(err, errors.New("the source is not here: run from the top of the repository"))
	}
	number, _, _ := strings.Cut(filepath.Base(files[len(files)-1]), "_")
	newest, err := strconv.Atoi(number)
	if err != nil {
		return "", err
	}
	next, overlay := filepath.Join(dir, "next.sql"), filepath.Join(dir, "overlay.json")
	migration := fmt.Sprintf("-- serves: %d\n\n-- +goose Up\nCREATE TABLE next (id BIGINT NOT NULL PRIMARY KEY);\n", newest)
	text, err := json.Marshal(map[string]any{
		"Replace": map[string]string{filepath.Join(at, fmt.Sprintf("%05d_next.sql", newest+1)): next},
	})
	err = errors.Join(err, os.WriteFile(next, []byte(migration), 0o600), os.WriteFile(overlay, text, 0o600))
	if err != nil {
		return "", err
	}
	return launch.Build("-overlay", overlay)
}

// migrated returns an error unless a database is one of the next version.
func migrated(ctx context.Context, database string) (err error) {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	_, err = conn.Exec(ctx, "SELECT id FROM next")
	return err
}

// rolledBack has a node of the next version migrate a database under one of this version, which then takes over alone: what the next one has
// made, this one uses.
func (e *env) rolledBack(ctx context.Context) (out result, err error) {
	dir, err := os.MkdirTemp(e.site.dir, "next-")
	if err != nil {
		return out, err
	}
	next, err := buildNext(dir)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(filepath.Dir(next))) }()
	return e.sideBySide(ctx, 6, func(l *lives) error {
		if err := l.join(ctx, 6, e.site.program, next); err != nil {
			return err
		}
		l.fall()
		l.program = e.site.program
		return errors.Join(migrated(ctx, l.database), l.rise(ctx))
	})
}
