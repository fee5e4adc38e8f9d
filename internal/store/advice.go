package store

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	sqlite3 "modernc.org/sqlite/lib"
)

// notFile says why what follows "sqlite:" is not taken for the name of a file; nil: it is. It repeats nothing that may hold a password.
func notFile(path string) error {
	switch info, err := os.Stat(path); {
	case path == "":
		return errors.New("database: sqlite: needs the name of a file, as in sqlite:countersign.db")
	case strings.Contains(path, "://"):
		return errors.New("database: what follows sqlite: is the name of a file; a PostgreSQL URL goes without it: postgres://…")
	case strings.HasPrefix(path, "//"):
		return errors.New("database: sqlite: is followed by the name of a file as it is, as in sqlite:/var/lib/countersign.db, without the slashes of a URL")
	case strings.HasPrefix(path, ":memory:"), strings.HasPrefix(path, "file:"):
		return fmt.Errorf("database: %q is not the name of a file, as in sqlite:countersign.db", path)
	case err == nil && info.IsDir():
		return fmt.Errorf("database: %q is a directory; name a file in it", path)
	}
	return nil
}

// advised adds to an error of opening or migrating what an operator can do about it.
func advised(err error) error {
	advice := ""
	switch {
	case err == nil:
		return nil
	case sqliteCode(sqlite3.SQLITE_NOTADB)(err):
		advice = "name another file; one that is not there is made"
	case sqliteCode(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)(err):
		advice = "the server needs to write to the file and to its directory; give its user the right"
	case errors.Is(err, os.ErrPermission):
		advice = "give the user of the server the right"
	case postgresCode("42501")(err): // insufficient_privilege
		advice = "let the user of the URL own the database: ALTER DATABASE … OWNER TO …"
	case postgresCode("3D000")(err): // invalid_catalog_name
		advice = "make it: CREATE DATABASE … ENCODING 'UTF8'"
	case errors.Is(err, syscall.ECONNREFUSED):
		advice = "start PostgreSQL, or correct the address in the URL"
	default:
		return err
	}
	return fmt.Errorf("%w; %s", err, advice)
}
