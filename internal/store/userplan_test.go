package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/store"
)

// manyUsers makes a tenant's users, so many that no database would rather read all of them.
const manyUsers = `WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 20000)
INSERT INTO users (tenant_id, id, status, status_changed_at, epoch, email, email_verified_at, phone, phone_verified_at, username,
    profile, created_at, updated_at)
SELECT 'demo', 'u' || CAST(n AS TEXT), 'active', 0, 1, 'User' || CAST(n AS TEXT) || '@example.com', 0,
    CASE WHEN n % 2 = 0 THEN '' ELSE '+356' || CAST(n AS TEXT) END, 0, '', '{}', n * 1000, 1
FROM s`

const theirNames = `INSERT INTO identifiers (tenant_id, kind, canonical, user_id)
SELECT tenant_id, 'email', LOWER(email), id FROM users WHERE id <> '17'`

// listing is a page of users, or what counts them, and the arguments of its query.
type listing struct {
	page auth.UserPage
	args []any
	sort bool // what was found by an index may be sorted
}

func listings() map[string]listing {
	email := auth.UserSpan{Field: auth.SpanOfEmail, From: "user77", Below: "user78"}
	phone := auth.UserSpan{Field: auth.SpanOfPhone, From: "+35677", Below: "+35678"}
	created := auth.UserSpan{Field: auth.SpanOfCreation, Since: time.UnixMilli(15_000)}
	name := auth.UserSpan{Field: auth.SpanOfIdentifier, Kind: auth.ByEmail, From: "user77", Below: "user78"}
	id := auth.UserSpan{Field: auth.SpanOfID, From: "u77"}
	all := map[string]listing{
		"after an id": {auth.UserPage{Order: auth.OrderByID, Limit: 10, Among: []auth.UserSpan{id}}, []any{"demo", "u77", 10, 0}, false},
		"by e-mail, in a span of it": {auth.UserPage{Order: auth.OrderByEmail, Limit: 10, Among: []auth.UserSpan{email}},
			[]any{"demo", "user77", "user78", 10, 0}, false},
		"since a time": {auth.UserPage{Limit: 10, Among: []auth.UserSpan{created}}, []any{"demo", 15_000_000, 10, 0}, false},
		"of a name":    {auth.UserPage{Limit: 10, Among: []auth.UserSpan{name}}, []any{"demo", "email", "demo", "user77", "user78", 10, 0}, true},
		"of either": {auth.UserPage{Limit: 10, Among: []auth.UserSpan{email, phone}},
			[]any{"demo", "demo", "user77", "user78", "demo", "+35677", "+35678", 10, 0}, true},
	}
	for _, order := range []auth.UserOrder{auth.OrderByCreation, auth.OrderByEmail, auth.OrderByPhone} {
		for _, down := range []bool{false, true} {
			for _, offset := range []int{0, 50} {
				p := auth.UserPage{Order: order, Descending: down, Offset: offset, Limit: 10}
				all[fmt.Sprintf("by %s, descending %t, from %d", order, down, offset)] = listing{p, []any{"demo", 10, offset}, offset > 0}
			}
		}
	}
	return all
}

// testUserListPlans asks the database how it finds users. Neither a page nor a number reads all of them, and what is sorted has been found
// by an index before.
func testUserListPlans(t *testing.T, s *store.Store, seen *statements, db *sql.DB, statistics string, plan func(query string, args []any) string) {
	if err := s.Update(t.Context(), household); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{manyUsers, theirNames, statistics} {
		if _, err := db.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	all, sorted := regexp.MustCompile(`SCAN [uvn]\b|Seq Scan on (users|identifiers)`), regexp.MustCompile(`TEMP B-TREE|Sort`)
	check := func(name, query string, args []any, sort bool) {
		text := plan(query, args)
		if all.MatchString(text) || !sort && sorted.MatchString(text) {
			t.Errorf("%s: reads or sorts all there are:\n%s\n%s", name, query, text)
		}
	}
	seen.take()
	for _, canonical := range []string{"user7@example.com", "nobody@example.com"} {
		if err := s.View(t.Context(), func(r auth.Reads) error {
			_, err := r.AccountByIdentifier("demo", auth.ByEmail, canonical, "none:12")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		check("the account of "+canonical, seen.texts[len(seen.texts)-1], []any{"demo", "email", canonical, "12", "none:12"}, false)
	}
	for name, l := range listings() {
		seen.take()
		err := s.View(t.Context(), func(r auth.Reads) error {
			return r.Users("demo", l.page, func(auth.Account) error { return nil })
		})
		query := seen.texts[len(seen.texts)-1]
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, inner, deep := strings.Cut(query, "FROM (SELECT"); deep { // what finds the page sorts nothing
			inner, _, _ = strings.Cut(inner, ") page")
			check(name+", the page", "SELECT"+inner, l.args, false)
		}
		check(name, query, l.args, l.sort)
		if len(l.page.Among) == 0 {
			continue
		}
		seen.take()
		err = s.View(t.Context(), func(r auth.Reads) error {
			n, err := r.CountUsers("demo", l.page.Among)
			if n == 0 {
				return errors.Join(err, errors.New("there is nobody"))
			}
			return err
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		check("number "+name, seen.texts[len(seen.texts)-1], l.args[:len(l.args)-2], false)
	}
}
