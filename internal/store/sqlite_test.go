package store_test

import (
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"countersign/internal/auth"
	"countersign/internal/store"
	"countersign/internal/store/storetest"
)

// openSQLite returns an empty store in a file of its own.
func openSQLite(t *testing.T, o store.Options) *store.Store {
	t.Helper()
	return openFile(t, filepath.Join(t.TempDir(), "test.db"), o)
}

func openFile(t testing.TB, path string, o store.Options) *store.Store {
	t.Helper()
	o.Migrate = true
	s, err := store.OpenSQLite(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// raw opens the same file without the store.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestSQLite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) auth.Store { return openSQLite(t, store.Options{}) })
}

func TestSQLiteStatements(t *testing.T) { testStatements(t, openSQLite) }

func TestSQLiteCompilesEveryQuery(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	openFile(t, path, store.Options{})
	testQueriesCompile(t, raw(t, path))
}

func TestSQLiteSchemaVersions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	testSchemaVersions(t, "sqlite:"+path, func(t *testing.T, query string) {
		if _, err := raw(t, path).ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	})
}

func TestSQLiteMigratesFromFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	testMigratesFromFirst(t, path, raw(t, path), goose.DialectSQLite3, func(text string) string {
		return strings.ReplaceAll(text, ` COLLATE "C"`, "")
	})
}

func TestSQLiteClearKnowsEveryTable(t *testing.T) {
	var seen statements
	path := filepath.Join(t.TempDir(), "test.db")
	s := openFile(t, path, seen.options())
	const tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
	testClearKnowsEveryTable(t, s, &seen, raw(t, path), tables)
}

func TestSQLiteTablesEnd(t *testing.T) {
	var seen statements
	path := filepath.Join(t.TempDir(), "test.db")
	s := openFile(t, path, seen.options())
	const tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
	testEveryTableEnds(t, s, &seen, raw(t, path), tables)
}

func TestSQLiteRefusesASecondServer(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "test.db")
	first := openFile(t, path, store.Options{})
	link := filepath.Join(dir, "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, link, filepath.Join(dir, ".", "test.db")} {
		second, err := store.OpenSQLite(t.Context(), name, store.Options{})
		if err == nil {
			second.Close()
			t.Fatalf("%s was opened twice", name)
		}
		if !strings.Contains(err.Error(), "in use by another server") {
			t.Errorf("%s: got %v, want to read that it is in use", name, err)
		}
		if _, _, err := store.Migrate(t.Context(), name, store.Options{}); err == nil {
			t.Errorf("%s was migrated under a running server", name)
		}
	}
	if err := first.Ping(t.Context()); err != nil {
		t.Errorf("the first server: %v", err)
	}
}

func TestSQLiteOpensAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	for i := range 3 {
		s, err := store.OpenSQLite(t.Context(), path, store.Options{Migrate: true})
		if err != nil {
			t.Fatal(err)
		}
		var first bool
		err = s.Write(t.Context(), func(w auth.Writes) (err error) { first, err = w.AddMeta("k", "v"); return err })
		if err != nil || first != (i == 0) {
			t.Errorf("opened %d times: got %t, %v", i+1, first, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path + "-wal"); !os.IsNotExist(err) {
			t.Errorf("closed %d times: the log is still there: %v", i+1, err)
		}
	}
}

// TestSQLiteFilesArePrivate changes the umask of the process and so does not run in parallel.
func TestSQLiteFilesArePrivate(t *testing.T) {
	for _, umask := range []int{0, 0o077, 0o277} {
		t.Run(fmt.Sprintf("%04o", umask), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			old := syscall.Umask(umask)
			s, err := store.OpenSQLite(t.Context(), filepath.Join(dir, "test.db"), store.Options{Migrate: true})
			syscall.Umask(old)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Update(t.Context(), household); err != nil {
				t.Fatal(err)
			}
			modes := map[string]fs.FileMode{".": 0o700, "test.db": 0o600, "test.db-wal": 0o600, "test.db-shm": 0o600}
			for name, want := range modes {
				info, err := os.Stat(filepath.Join(dir, name))
				if err != nil {
					t.Error(err)
				} else if got := info.Mode().Perm(); got != want {
					t.Errorf("%s: got %v, want %v", name, got, want)
				}
			}
		})
	}
}

func TestSQLiteRefusesWhatIsNoFile(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"", ":memory:", "file::memory:?cache=shared", "file:test.db"} {
		for _, dsn := range []string{name, "sqlite:" + name} {
			s, err := store.Open(t.Context(), dsn, store.Options{Migrate: true})
			if err == nil {
				s.Close()
				t.Errorf("%q was opened", dsn)
			}
		}
	}
	if left, err := os.ReadDir("."); err != nil || len(left) != 0 {
		t.Errorf("files were made: %v, %v", left, err)
	}
}

func TestSQLiteTakesFileNamesAsTheyAre(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a b.db", "a?mode=memory.db", "a%20b#c.db", "ä.db"} {
		openFile(t, filepath.Join(dir, name), store.Options{})
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// TestSettingsOfOtherVersions reads settings with a member of a younger binary and without one that an older binary did not know.
func TestSettingsOfOtherVersions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s := openFile(t, path, store.Options{})
	if err := s.Update(t.Context(), household); err != nil {
		t.Fatal(err)
	}
	const text = `{"unknown":{"a":[1]},"lockout":{"failures":9,"new":true},"rate_limits":false,
		"otp":{"tries":9},"channels":[],"key_limits":[{"count":1}]}`
	if _, err := raw(t, path).ExecContext(t.Context(), "UPDATE tenants SET settings = ?", text); err != nil {
		t.Fatal(err)
	}
	want := auth.DefaultSettings()
	want.Lockout.Failures, want.RateLimits, want.OTP.Tries, want.Channels = 9, false, 9, nil
	want.KeyLimits = []auth.Limit{{Count: 1}}
	err := s.View(t.Context(), func(r auth.Reads) error {
		d, err := r.Directory()
		if err == nil {
			if diff := cmp.Diff(want, d.Tenants[0].Settings); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// noStatistics is what is run where PostgreSQL collects statistics: a server never does so on SQLite, which plans by the shape of a query alone.
const noStatistics = "SELECT 1"

func TestSQLiteListsUsersByIndex(t *testing.T) {
	var seen statements
	path := filepath.Join(t.TempDir(), "test.db")
	s, db := openFile(t, path, seen.options()), raw(t, path)
	testUserListPlans(t, s, &seen, db, noStatistics, func(query string, args []any) string {
		return strings.Join(explain(t, db, query, args), "\n")
	})
}

func TestSQLiteListsOrganizationsByIndex(t *testing.T) {
	var seen statements
	path := filepath.Join(t.TempDir(), "test.db")
	s, db := openFile(t, path, seen.options()), raw(t, path)
	testOrganizationPlans(t, s, &seen, db, noStatistics, func(query string, args []any) string {
		return strings.Join(explain(t, db, query, args), "\n")
	})
}

// explain returns how SQLite runs a query.
func explain(t *testing.T, db *sql.DB, query string, args []any) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, detail)
	}
	if err := rows.Err(); err != nil {
		t.Errorf("%s: %v", query, err)
	}
	return steps
}

// TestSQLiteReadsByIndex asks SQLite how it runs the statements of requests and of the sweeper. Only the directory, of one row, is
// scanned, and of what a tenant has nothing is read whole.
func TestSQLiteReadsByIndex(t *testing.T) {
	var seen statements
	path := filepath.Join(t.TempDir(), "test.db")
	s := openFile(t, path, seen.options())
	if err := s.Update(t.Context(), household); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC)
	err := s.Update(t.Context(), func(tx auth.Tx) error {
		tx.AccountByIdentifier("demo", auth.ByEmail, "ada@example.com", "phantom")
		tx.AccountByUser("demo", "17")
		tx.Bearer(auth.TokenHash{1})
		tx.Session("demo", "s")
		tx.Refresh(auth.TokenHash{2})
		tx.Attempts("demo", "phantom", auth.AttemptPassword)
		tx.PasswordHistory("demo", "17", 5)
		tx.Authenticators("demo", "17")
		tx.Events("demo", "1", 5)
		tx.Challenge("demo", "1")
		tx.LatestChallenge("demo", auth.SubjectOf("17"), auth.PurposeStepUp, "s", "")
		tx.PendingChallenges("demo", "17", 5)
		tx.PendingChallenges("demo", "", 5)
		tx.OverdueChallenges(at, 5)
		tx.CountPushed("demo", auth.SubjectOf("17"), at)
		tx.Link("demo", auth.LinkRef{})
		tx.People("demo", auth.IdentityRef{Type: auth.Consumer, ID: "1"}, auth.PersonFilter{})
		tx.People("demo", auth.IdentityRef{Type: auth.Consumer, ID: "1"}, auth.PersonFilter{Tag: "t", Email: "ada@example.com", Limit: 5})
		tx.CountMessages("demo", "17", at)
		tx.Queues(at)
		tx.SMSCounts(auth.SMSTenant, at)
		tx.CountSMS(auth.SMSCount{Tenant: "demo", BeganAt: at, EndsAt: at.Add(time.Hour), Allowed: 1})
		tx.Answer(auth.OnceKey{Tenant: "demo"})
		tx.PutChallenge(auth.Challenge{Tenant: "demo", ID: "1"}, 1)
		tx.CancelChallenges("demo", auth.SubjectOf("17"), "", at)
		tx.PutLink(auth.DynamicLink{Tenant: "demo"}, 1)
		tx.ClaimParcels(auth.Queue{Tenant: "demo", Kind: auth.ParcelSMS}, at, at, 5)
		tx.SettleParcel(auth.Parcel{Tenant: "demo", ID: "1"})
		tx.StepUpToken(auth.TokenHash{1}, at)
		tx.PutUser(auth.User{Tenant: "demo", ID: "17"}, nil)
		tx.PutAttempts("demo", auth.SubjectOf("17"), auth.AttemptPassword, auth.Attempts{Version: 2}, 1)
		tx.SwapPassword(auth.Password{Tenant: "demo", User: "17", Version: 2, Shape: "new"}, 1, true, true)
		tx.RotateRefresh(auth.TokenHash{2}, at)
		tx.RevokeRefreshFamily(auth.TokenHash{2}, at)
		tx.UseToken(auth.TokenHash{1}, at)
		tx.TouchSession("demo", "s", at)
		tx.EndSession("demo", "s", at, "why")
		_, err := tx.Sweep(at, 5)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	db := raw(t, path)
	scan := regexp.MustCompile(`^SCAN (d|directory|CONSTANT ROW)$`)
	whole := regexp.MustCompile(`^SEARCH .*\(tenant_id=\?\)`)
	few := []string{ // what reads one row of a tenant, or is for the pages of a sandbox
		"AccountByIdentifier", "PendingChallenges",
	}
	for _, query := range seen.texts {
		name := strings.Fields(query)[2]
		// Who opens the file without us has not the function that packs a row; this one is planned as it is.
		plain := strings.ReplaceAll(query, "countersign_pack(", "json_array(")
		for _, detail := range explain(t, db, plain, make([]any, 40)) {
			if strings.HasPrefix(detail, "SCAN") && !scan.MatchString(detail) || strings.Contains(detail, "AUTOMATIC") ||
				whole.MatchString(detail) && !slices.Contains(few, name) {
				t.Errorf("%s: %s", name, detail)
			}
		}
	}
}
