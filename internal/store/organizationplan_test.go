package store_test

import (
	"database/sql"
	"regexp"
	"strings"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/store"
)

// manyOrganizations makes a tenant's, of which every tenth is managed by one of a hundred.
const manyOrganizations = `WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 20000)
INSERT INTO identities (tenant_id, type, id, name, created_at, manager)
SELECT 'demo', 'CORPORATE', 'o' || CAST(n AS TEXT), 'Organization ' || CAST(n AS TEXT), n * 1000,
    CASE WHEN n % 10 = 0 THEN 'o' || CAST(n % 1000 / 10 AS TEXT) ELSE '' END
FROM s`

// testOrganizationPlans asks the database how it finds organizations: by an index, and pages in its order.
func testOrganizationPlans(t *testing.T, s *store.Store, seen *statements, db *sql.DB, statistics string, plan func(query string, args []any) string) {
	if err := s.Update(t.Context(), household); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{manyOrganizations, statistics} {
		if _, err := db.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	all, sorted := regexp.MustCompile(`SCAN i\b|Seq Scan on identities`), regexp.MustCompile(`TEMP B-TREE|Sort`)
	for _, c := range []struct {
		name   string
		filter auth.OrganizationFilter
		args   []any
		found  int
		sort   bool
	}{
		{"a page", auth.OrganizationFilter{Offset: 50, Limit: 10}, []any{"demo", 10, 50}, 10, false},
		{"by name", auth.OrganizationFilter{Name: "Organization 77", Limit: 1}, []any{"demo", "Organization 77", "Organization 77", 1, 0}, 1, false},
		{"managed by one of three", auth.OrganizationFilter{Managers: []string{"o7", "o8", "o9"}}, []any{"demo", "o7", "o8", "o9", 1 << 30, 0}, 60, true},
	} {
		seen.take()
		var found []auth.Identity
		err := s.View(t.Context(), func(r auth.Reads) (err error) { found, _, err = r.Organizations("demo", c.filter); return err })
		if err != nil || len(found) != c.found {
			t.Fatalf("%s: found %d, want %d; error %v", c.name, len(found), c.found, err)
		}
		query := seen.texts[len(seen.texts)-1]
		if text := plan(query, c.args); all.MatchString(text) || !c.sort && sorted.MatchString(text) {
			t.Errorf("%s: reads or sorts all there are:\n%s\n%s", c.name, query, text)
		}
		count := seen.texts[len(seen.texts)-2]
		if text := plan(count, c.args[:len(c.args)-2]); all.MatchString(text) || c.filter.Offset > 0 && strings.Contains(count, "identities") {
			t.Errorf("%s: counts all there are:\n%s\n%s", c.name, count, text)
		}
	}
}
