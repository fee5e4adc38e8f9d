package store_test

import (
	"database/sql"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"countersign/internal/auth"
	"countersign/internal/store"
)

// olderStatements are what a binary of the first schema version runs of the tables that have changed since.
func olderStatements(user string) []string {
	return []string{
		`INSERT INTO users (tenant_id, id, status, status_changed_at, epoch, email, email_verified_at, phone, phone_verified_at, username,
			profile, created_at, updated_at) VALUES ('demo', '` + user + `', 'active', 0, 1, '', 0, '+35699000001', 0, '', '{}', 1, 1)`,
		`INSERT INTO identities (tenant_id, type, id, name, created_at) VALUES ('demo', 'CONSUMER', '` + user + `', 'Ada', 1)`,
		`INSERT INTO memberships (tenant_id, user_id, identity_type, identity_id, credential, position, last_used_at)
			VALUES ('demo', '` + user + `', 'CONSUMER', '` + user + `', 'ROOT', 0, 0)`,
		`INSERT INTO authenticators (tenant_id, user_id, id, kind, channel, simulated, created_at)
			VALUES ('demo', '` + user + `', 'dev-` + user + `', 'device', 'BIOMETRIC', TRUE, 2000000)`,
		`INSERT INTO authenticators (tenant_id, user_id, id, kind, channel, simulated, created_at)
			VALUES ('demo', '` + user + `', 'sms-` + user + `', 'sms', '', FALSE, 3000000)`,
		`INSERT INTO events (tenant_id, id, at, kind, user_id, session_id, identity_type, identity_id, client_id, actor, address, request,
			reason, note) VALUES ('demo', '` + user + `', 1, 'login', '` + user + `', '', '', '', '', '', '', '', '', '')`,
	}
}

// testMigratesFromFirst brings a database from the first schema version to the present one, on which a binary of the first still works.
func testMigratesFromFirst(t *testing.T, dsn string, db *sql.DB, d goose.Dialect, adapt func(string) string) {
	exec := func(queries ...string) {
		t.Helper()
		for _, query := range queries {
			if _, err := db.ExecContext(t.Context(), query); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
		}
	}
	const first = "00001_initial.sql"
	text, err := os.ReadFile("migrations/" + first)
	if err != nil {
		t.Fatal(err)
	}
	older, err := goose.NewProvider(d, db, fstest.MapFS{first: {Data: []byte(adapt(string(text)))}}, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := older.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	exec("INSERT INTO tenants (id, name, mode, settings, webhook, created_at) VALUES ('demo', 'Demo', 'live', '{}', '{}', 1)")
	exec(olderStatements("1")...)
	for i, client := range [][2]string{{"a", "application"}, {"b", "application"}, {"c", "management"}} {
		exec(fmt.Sprintf(`INSERT INTO clients (tenant_id, id, kind, app_id, app_name, secrets, redirect_uris, resources, claims, alg,
			access_token_for, refresh_token_for, created_at, disabled_at) VALUES ('demo', '%s', '%s', 'app-%d', 'App', '[]', '[]', '[]', '[]', '',
			0, 0, %d, 0)`, client[0], client[1], i/2, (9-i)*1_000_000))
	}
	exec(`INSERT INTO authenticators (tenant_id, user_id, id, kind, channel, simulated, created_at)
		VALUES ('demo', '1', 'sms-second', 'sms', '', FALSE, 4000000)`)
	if from, to, err := store.Migrate(t.Context(), dsn, store.Options{}); err != nil || from != 1 || to < 2 {
		t.Fatalf("migrated from %d to %d: %v", from, to, err)
	}
	exec(olderStatements("2")...)
	s, err := store.Open(t.Context(), dsn, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
	wantAuthenticators := []auth.Authenticator{
		{
			Tenant: "demo", ID: "dev-1", User: "1", Kind: auth.AuthenticatorDevice, Channel: auth.ChannelBiometric,
			Status: auth.AuthenticatorActive, Simulated: true, CreatedAt: at(2), BoundAt: at(2),
		},
		{
			Tenant: "demo", ID: "sms-1", User: "1", Kind: auth.AuthenticatorSMS, Channel: auth.ChannelSMS, Status: auth.AuthenticatorActive,
			Target: "+35699000001", CreatedAt: at(3), BoundAt: at(3),
		},
	}
	err = s.View(t.Context(), func(r auth.Reads) error {
		d, err := r.Directory()
		if err != nil {
			return err
		}
		wantApps := []auth.Application{{Tenant: "demo", ID: "app-0", Name: "App", CreatedAt: at(8), UpdatedAt: at(8)}}
		if diff := cmp.Diff(wantApps, d.Applications); diff != "" || len(d.Clients) != 3 {
			t.Errorf("applications of %d clients (-want +got):\n%s", len(d.Clients), diff)
		}
		got, err := r.Authenticators("demo", "1")
		if err != nil {
			return err
		}
		if diff := cmp.Diff(wantAuthenticators, got); diff != "" {
			t.Errorf("authenticators (-want +got):\n%s", diff)
		}
		for _, id := range []auth.UserID{"1", "2"} {
			a, err := r.AccountByUser("demo", id)
			if err != nil {
				return err
			}
			if m := a.Memberships[0]; m.Roles != nil || !m.SuspendedAt.IsZero() || !m.Identity.SuspendedAt.IsZero() {
				t.Errorf("membership of user %s: %+v", id, m)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// testClearKnowsEveryTable compares what Clear deletes from with the tables there are.
func testClearKnowsEveryTable(t *testing.T, s *store.Store, seen *statements, db *sql.DB, tables string) {
	seen.take()
	if err := s.Update(t.Context(), func(tx auth.Tx) error { return tx.Clear() }); err != nil {
		t.Fatal(err)
	}
	known := []string{"directory", "goose_db_version", "meta", "signing_keys", "turns"} // which it keeps
	for _, text := range seen.texts {
		if _, table, ok := strings.Cut(text, "DELETE FROM "); ok {
			known = append(known, table)
		}
	}
	all := tableNames(t, db, tables)
	slices.Sort(all)
	slices.Sort(known)
	if diff := cmp.Diff(all, known); diff != "" {
		t.Errorf("tables that Clear forgets (-) or makes up (+):\n%s", diff)
	}
}

func tableNames(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		all = append(all, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// keptTables are those that are not swept, each with what ends its rows, or why nothing does.
func keptTables() map[string]string {
	const (
		set  = "as many as an operator or a client has set up"
		user = "go with their user, who has a bounded number of them"
		org  = "go with their organization or identity"
		one  = "a bounded number of rows"
	)
	return map[string]string{
		"meta": one, "directory": one, "turns": one, "goose_db_version": one, "user_counts": one,
		"tenants": set, "api_keys": set, "programme_keys": set, "clients": set, "applications": set, "resources": set, "roles": set,
		"signing_keys": set, "app_keys": set,
		"users": "until they are deleted", "identifiers": user, "memberships": user, "authenticators": user, "passwords": user,
		"password_history": "as many as a policy may ask for, and with their user", "totps": user, "user_keys": user, "passkeys": user,
		"consents": user, "identities": "until they are deleted", "organization_domains": org, "organization_logos": org,
		"former_users": "an id is never given again (A-088)",
		"devices":      "revoked ones too, whose keys are never bound again; with their user",
		"events":       "the audit trail: how long it has to be kept is the operator's to know",
		"approvals":    "evidence of what a device signed",
	}
}

// testEveryTableEnds holds what is swept beside the tables there are: none grows for ever without a reason.
func testEveryTableEnds(t *testing.T, s *store.Store, seen *statements, db *sql.DB, tables string) {
	seen.take()
	err := s.Update(t.Context(), func(tx auth.Tx) error { _, err := tx.Sweep(time.Unix(0, 0), 1); return err })
	if err != nil {
		t.Fatal(err)
	}
	known := slices.Collect(maps.Keys(keptTables()))
	for _, text := range seen.texts {
		if _, rest, ok := strings.Cut(text, "DELETE FROM "); ok {
			known = append(known, strings.Fields(rest)[0])
		}
	}
	all := tableNames(t, db, tables)
	slices.Sort(all)
	slices.Sort(known)
	if diff := cmp.Diff(all, slices.Compact(known)); diff != "" { // the outbox is swept of what was delivered and of what failed
		t.Errorf("tables of which nothing says what ends their rows (-), or that are not there (+):\n%s", diff)
	}
	for table := range keptTables() {
		if slices.ContainsFunc(seen.texts, func(text string) bool { return strings.Contains(text, "DELETE FROM "+table+" ") }) {
			t.Errorf("%s is swept, and said to be kept", table)
		}
	}
}
