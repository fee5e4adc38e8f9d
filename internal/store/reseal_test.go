package store

import (
	"slices"
	"testing"

	"countersign/internal/auth"
)

// TestEveryVaultIsKnown is A-147: a column of bytes is resealed, or holds what is not sealed, or what is over sooner than a key is dropped.
func TestEveryVaultIsKnown(t *testing.T) {
	t.Parallel()
	s, err := OpenSQLite(t.Context(), t.TempDir()+"/test.db", Options{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rows, err := s.reader.QueryContext(t.Context(),
		"SELECT m.name || '.' || c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.type = 'BYTEA' ORDER BY 1")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		got = append(got, name)
	}
	want := []string{
		"answers.digest", "api_keys.hash", "assertions.jti", "ceremonies.challenge", "ceremonies.handle", "challenges.code_hash", "challenges.digest",
		"challenges.token", "devices.passkey_public", "grants.hash", "passkeys.handle", "passkeys.public", "programme_keys.hash",
		"pushed_requests.hash", "pushed_requests.sealed", // for auth.PushedFor
		"refresh_tokens.hash", "refresh_tokens.root", "spent_challenges.digest", "tickets.hash", "tokens.hash", "user_keys.public",
	}
	for _, kind := range auth.SealedKinds() {
		v := vaultOf(kind)
		want = append(want, v.table+"."+v.column)
	}
	slices.Sort(want)
	if err := rows.Err(); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
