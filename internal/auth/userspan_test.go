package auth_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// alike are texts of which one begins as another, goes before it, or differs from it in what a search does not look at.
func alike() []string {
	return []string{"a", "A", "ab", "abc", "b", "é", "e\u0301", "jo", "Jo", "jose", "josé", "jos", "z", "\U0010ffff", "+356", "+35699", "+4", "", "a\u00adb"}
}

// populate makes users whose names are much alike, at several times.
func populate(t *testing.T, e *authtest.Env) {
	t.Helper()
	for i, local := range alike() {
		for j, domain := range []string{"example.com", "bücher.example", "EXAMPLE.org"} {
			in := auth.NewUser{Email: local + "@" + domain, Profile: auth.Profile{ExternalUserID: local + domain}}
			if j == 0 {
				in.Username, in.Phone = local+"x", fmt.Sprintf("+356991111%02d", i)
			}
			if j == 2 && i%2 == 0 {
				in.Email = ""
			}
			// Not every text is good for everything; what is refused is not there.
			if _, err := e.CreateUser(t.Context(), e.App(), in); err != nil && codeOf(err) != auth.CodeIdentifierInvalid && codeOf(err) != auth.CodeUserExists {
				t.Fatal(err)
			}
			e.Clock.Advance(time.Millisecond / 4)
		}
	}
}

// someFilter writes a random filter, half of whose comparisons are of what there is an index of.
func someFilter(r *rand.Rand, depth int) string {
	if depth > 0 && r.IntN(2) == 0 {
		word := []string{" and ", " or "}[r.IntN(2)]
		return "(" + someFilter(r, depth-1) + word + someFilter(r, depth-1) + ")"
	}
	op := []string{"eq", "ne", "gt", "ge", "lt", "le", "sw"}[r.IntN(7)]
	field := []string{"email", "phone_number", "username", "external_user_id", "created_at", "status", "secondary_emails", "updated_at"}[r.IntN(8)]
	if strings.HasSuffix(field, "_at") {
		if op == "sw" {
			op = "pr"
			return field + " pr"
		}
		return fmt.Sprintf("%s %s %d", field, op, authtest.Start().UnixMilli()+int64(r.IntN(16)))
	}
	text := alike()[r.IntN(len(alike()))]
	switch r.IntN(4) {
	case 0:
		text += "@example.com"
	case 1:
		text += []string{"x", "@B", "@bücher.example", `\u0000`}[r.IntN(4)]
	case 2:
		text = []string{"active", "+35699111101", "pending", ""}[r.IntN(4)]
	}
	return fmt.Sprintf(`%s %s "%s"`, field, op, text)
}

// TestIndexesFindWhomASearchFinds: what narrows a search leaves nobody out and lets nobody in, and pages are in one order.
func TestIndexesFindWhomASearchFinds(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	populate(t, e)
	everybody, n, err := e.Users(t.Context(), e.App(), auth.UserSearch{Page: auth.UserPage{Limit: 1000}})
	if err != nil || n != len(everybody) || n < 40 {
		t.Fatalf("got %d users of %d: %v", len(everybody), n, err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	narrowed, nonempty := 0, 0
	for range 3000 {
		in := auth.UserSearch{Filter: someFilter(r, 2), Page: auth.UserPage{
			Order:      []auth.UserOrder{"", auth.OrderByEmail, auth.OrderByPhone, auth.OrderByLastAuth}[r.IntN(4)],
			Descending: r.IntN(2) == 0, Offset: r.IntN(4), Limit: 1 + r.IntN(9),
		}}
		if r.IntN(3) == 0 {
			in.Prefix = alike()[r.IntN(len(alike()))]
		}
		if r.IntN(9) == 0 {
			in.Filter = ""
		}
		want, spans := in.Oracle(t, everybody)
		if spans > 0 {
			narrowed++
		}
		if len(want) > 0 {
			nonempty++
		}
		from := min(in.Page.Offset, len(want))
		page := want[from:min(from+in.Page.Limit, len(want))]
		found, count, err := e.Users(t.Context(), e.App(), in)
		var got []auth.UserID
		for _, a := range found {
			got = append(got, a.User.ID)
		}
		if err != nil || count != len(want) || !slices.Equal(got, page) {
			t.Fatalf("%+v:\ngot  %v of %d (%v)\nwant %v of %d", in, got, count, err, page, len(want))
		}
	}
	if narrowed < 1000 || nonempty < 1000 {
		t.Errorf("%d of 3000 searches went by an index, and %d found somebody", narrowed, nonempty)
	}
}
