package store_test

import (
	"cmp"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
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
	managers, managed := []string{}, []any{"demo"}
	for n := range 10 {
		managers, managed = append(managers, fmt.Sprint("o", n)), append(managed, fmt.Sprint("o", n))
	}
	for _, c := range []struct {
		name   string
		filter auth.OrganizationFilter
		args   []any // without those of the page
		found  int
		index  string
		sort   bool
	}{
		{"a page", auth.OrganizationFilter{Offset: 50, Limit: 10}, []any{"demo"}, 10, "identities_by_creation", false},
		{"by name", auth.OrganizationFilter{Name: "Organization 77", Limit: 1}, []any{"demo", "Organization 77", "Organization 77"}, 1, "organizations_by_name", false},
		{"managed by one", auth.OrganizationFilter{Managers: managers[:1]}, managed[:2], 20, "organizations_by_manager", false},
		{"managed by one of three", auth.OrganizationFilter{Managers: managers[:3]}, managed[:4], 60, "organizations_by_manager", true},
		{"managed by one of ten", auth.OrganizationFilter{Managers: managers}, managed, 200, "organizations_by_manager", true},
	} {
		seen.take()
		var found []auth.Identity
		err := s.View(t.Context(), func(r auth.Reads) (err error) { found, _, err = r.Organizations("demo", c.filter); return err })
		if err != nil || len(found) != c.found {
			t.Fatalf("%s: found %d, want %d; error %v", c.name, len(found), c.found, err)
		}
		query, size := seen.texts[0], cmp.Or(c.filter.Limit, 1<<30)
		text := plan(query, append(slices.Clip(c.args), size, c.filter.Offset))
		if all.MatchString(text) || !strings.Contains(text, c.index) || !c.sort && sorted.MatchString(text) {
			t.Errorf("%s: reads or sorts all there are:\n%s\n%s", c.name, query, text)
		}
		if len(seen.texts) == 1 { // what was found is counted
			continue
		}
		count := seen.texts[1]
		text = plan(count, c.args)
		if all.MatchString(text) || c.filter.Offset == 0 && !strings.Contains(text, c.index) || c.filter.Offset > 0 && strings.Contains(count, "identities") {
			t.Errorf("%s: counts all there are:\n%s\n%s", c.name, count, text)
		}
	}
}
