package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the schema of the database that dsn names up to date and returns the versions before and after. Several processes may
// do so at once. A schema that is newer than this binary knows is an error and stays as it is.
func Migrate(ctx context.Context, dsn string, o Options) (from, to int64, err error) {
	s, err := connect(ctx, dsn, o)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.migrate(ctx)
}

// ready returns s if its schema is the one this binary was built for, and else closes it.
func (s *Store) ready(ctx context.Context) (*Store, error) {
	if err := s.checkSchema(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
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
		return tooNew(have, want)
	}
	return nil
}

func tooNew(have, know int64) error {
	return fmt.Errorf("open store: the schema is at version %d and this binary knows %d: use the one that migrated it, or a newer one",
		have, know)
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
		return from, from, tooNew(from, to)
	}
	if from == to {
		return from, to, nil
	}
	if _, err := p.Up(ctx); err != nil {
		return from, from, fmt.Errorf("migrate schema from version %d to %d: %w", from, to, err)
	}
	return from, to, nil
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
