package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the schema of the database that dsn names up to date and returns the versions before and after. Several processes may
// do so at once. A schema that is newer than this binary knows stays as it is, and is an error unless it leaves room for this one.
func Migrate(ctx context.Context, dsn string, o Options) (from, to int64, err error) {
	o.Migrate = true
	s, err := connect(ctx, dsn, o)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = advised(errors.Join(err, s.Close())) }()
	return s.migrate(ctx)
}

// ready returns s if its schema is one that this binary can serve, and else closes it. That the database is behind is for Behind to say.
func (s *Store) ready(ctx context.Context) (*Store, error) {
	if err := s.checkSchema(ctx); err != nil {
		return nil, advised(errors.Join(err, s.Close()))
	}
	if s.guard == nil || s.options.Beside {
		return s, nil
	}
	s.guard.on.Store(true)
	if err := s.Look(ctx); err != nil && !errors.Is(err, ErrBehind) {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), s.Close())
	}
	return s, nil
}

func (s *Store) checkSchema(ctx context.Context) error {
	if s.options.Migrate {
		_, _, err := s.migrate(ctx)
		return err
	}
	p, err := s.provider()
	if err != nil {
		return err
	}
	have, err := s.schema(ctx)
	if err != nil {
		return err
	}
	if want := newest(p); have < want {
		return fmt.Errorf("open store: the schema is at version %d and this binary needs %d: run countersign migrate", have, want)
	} else if have > want {
		return s.leavesRoom(ctx, have, want)
	}
	return nil
}

// servesOf names the note of a version of the schema that tells the oldest version whose binary can serve it. Whoever migrates leaves it.
func servesOf(version int64) string { return fmt.Sprintf("schema %d serves", version) }

// leavesRoom returns nil if a schema that is newer than this binary knows says that this one can serve it, as an earlier version has to after
// an upgrade that went wrong.
func (s *Store) leavesRoom(ctx context.Context, have, know int64) error {
	var serves int64
	err := s.writer.QueryRowContext(ctx, "SELECT CAST(value AS BIGINT) FROM meta WHERE name = $1", servesOf(have)).Scan(&serves)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		serves = have
	case err != nil:
		return blame(ctx, "read which versions the schema serves", err)
	}
	if know >= serves {
		return nil
	}
	return fmt.Errorf("open store: the schema is at version %d, which serves binaries from version %d on, and this one knows %d: "+
		"use the one that migrated it, or a newer one", have, serves, know)
}

func servesLine() *regexp.Regexp { return regexp.MustCompile(`(?m)^-- serves: (\d+)$`) }

// serves returns the oldest version whose binary can serve the schema after all migrations of a directory. One that an earlier binary need not
// know of says so by a line "-- serves: N", with the version of the earliest.
func serves(dir fs.FS) (oldest int64, err error) {
	files, err := fs.Glob(dir, "*.sql")
	line := servesLine()
	for _, name := range files {
		text, rerr := fs.ReadFile(dir, name)
		number, _, _ := strings.Cut(name, "_")
		if m := line.FindSubmatch(text); m != nil {
			number = string(m[1])
		}
		n, nerr := strconv.ParseInt(number, 10, 64)
		err = errors.Join(err, rerr, nerr)
		oldest = max(oldest, n)
	}
	return oldest, err
}

// noteServes leaves the note of a version.
func (s *Store) noteServes(ctx context.Context, version, oldest int64) error {
	const add = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING"
	if _, err := s.writer.ExecContext(ctx, add, servesOf(version), strconv.FormatInt(oldest, 10)); err != nil {
		return blame(ctx, "note which versions the schema serves", err)
	}
	return nil
}

func (s *Store) migrate(ctx context.Context) (from, to int64, err error) {
	p, err := s.provider()
	if err != nil {
		return 0, 0, err
	}
	if from, err = s.schema(ctx); err != nil {
		return 0, 0, err
	}
	if to = newest(p); from > to {
		return from, from, s.leavesRoom(ctx, from, to)
	}
	if from == to {
		return from, to, nil
	}
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return from, from, err
	}
	oldest, err := serves(dir)
	if err == nil && from > 0 { // else there is nothing to note it in yet
		err = s.noteServes(ctx, to, oldest)
	}
	if err != nil {
		return from, from, err
	}
	if _, err := p.Up(ctx); err != nil {
		return from, from, fmt.Errorf("migrate schema from version %d to %d: %w", from, to, err)
	}
	return from, to, s.noteServes(ctx, to, oldest)
}

// provider returns goose for this database. Goose has a registry of its own for the whole process, which is left out.
func (s *Store) provider() (*goose.Provider, error) {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if s.dialect.locker != nil {
		options = append(options, goose.WithSessionLocker(s.dialect.locker))
	}
	p, err := goose.NewProvider(s.dialect.goose, s.writer, adapted{dir, s.dialect.adapt}, options...)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return p, nil
}

// newest returns the version this binary was built for.
func newest(p *goose.Provider) int64 {
	sources := p.ListSources()
	return sources[len(sources)-1].Version
}

// schema returns the version of the schema, 0 for an empty database. Unlike goose it does not write to find out.
func (s *Store) schema(ctx context.Context) (version int64, err error) {
	var tables int
	if err := s.writer.QueryRowContext(ctx, s.dialect.versions).Scan(&tables); err != nil {
		return 0, blame(ctx, "read schema version", err)
	}
	if tables == 0 {
		return 0, nil
	}
	const query = "SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied"
	if err := s.writer.QueryRowContext(ctx, query).Scan(&version); err != nil {
		return 0, blame(ctx, "read schema version", err)
	}
	return version, nil
}

// adapted is a directory of SQL files with a change made to each.
type adapted struct {
	fs.FS
	change func(string) string
}

// Open implements fs.FS.
func (a adapted) Open(name string) (fs.File, error) {
	f, err := a.FS.Open(name)
	if err != nil || path.Ext(name) != ".sql" {
		return f, err
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return textFile{f, strings.NewReader(a.change(string(text)))}, nil
}

type textFile struct {
	fs.File
	text *strings.Reader
}

// Read implements fs.File.
func (f textFile) Read(p []byte) (int, error) { return f.text.Read(p) }
