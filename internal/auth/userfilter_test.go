package auth_test

import (
	"strings"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// found searches and returns the ids, in the order of the list.
func found(t testing.TB, e *authtest.Env, filter string) string {
	t.Helper()
	people, count, err := e.Users(t.Context(), e.App(), auth.UserSearch{
		Filter: filter, Page: auth.UserPage{Limit: 100}, Member: func(object string, path []string) []auth.FilterValue {
			if object != "{}" || len(path) == 0 || path[0] != "n" {
				return nil
			}
			return []auth.FilterValue{{Kind: auth.FilterNumber, Number: 3}, {Kind: auth.FilterBool, Number: 1}}
		},
	})
	if err != nil {
		return auth.CodeOf(err).String()
	}
	var ids []string
	for _, a := range people {
		ids = append(ids, string(a.User.ID))
	}
	if len(ids) != count {
		t.Errorf("%s: got %d users and a count of %d", filter, len(ids), count)
	}
	return strings.Join(ids, " ")
}

func TestUserFilter(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	e.Clock.Advance(1_000_000_000)
	mary := authtest.NoPass
	if _, err := e.ChangeUser(t.Context(), e.App(), mary, auth.UserFields{Profile: func(p *auth.Profile) {
		p.CustomData, p.SecondaryEmails, p.Address.Country = "{}", []string{"m@example.org", "M2@example.org"}, "MT"
	}}); err != nil {
		t.Fatal(err)
	}
	const every = "1001 1002 1003 1004 1005 1006 1007"
	for filter, want := range map[string]string{
		"":                                every,
		`email eq "ADA@EXAMPLE.com"`:      "1001",
		`email eq "a\u0064a@example.com"`: "1001",
		`email eq "\ud83d\ude00"`:         "",
		`email sw "A"`:                    "1001 1004 1006",
		`email ne "ada@example.com"`:      "1002 1003 1004 1005 1006 1007",
		`email gt "grace@example.com" and email lt "mary@example.comx"`: "1005",
		`(email sw "ada")or(email sw "mary")`:                           "1001 1005",
		`email sw "ada" or email sw "mary" and username eq "x"`:         "1001", // and binds closer
		`(email sw "ada" or email sw "mary") AND username EQ "Mary"`:    "1005",
		`phone_number pr`:                           "1001",
		`phone_number eq null`:                      "1002 1003 1004 1005 1006 1007",
		`phone_number ne null`:                      "1001",
		`status eq "DISABLED"`:                      "1006",
		`name.first_name eq "Ada"`:                  "", // as it is
		`name.last_name eq "Lovelace"`:              "1001",
		`address.country eq "MT"`:                   "1005",
		`secondary_emails eq "m2@EXAMPLE.org"`:      "1005",
		`secondary_emails ne "m@example.org"`:       "1001 1002 1003 1004 1006 1007",
		`created_at ge 0`:                           every,
		`created_at gt "2999-01-01T00:00:00+00:00"`: "",
		`updated_at gt "2026-11-27T12:00:00.000+00:00" and updated_at pr`: "",
		`last_auth pr`:           "",
		`custom_data.n eq 3`:     "1005",
		`custom_data.n le 2.9e0`: "",
		`custom_data.n eq true`:  "1005",
		`custom_data.n eq "3"`:   "", // of another kind
		`custom_data.o pr`:       "",
		`email eq "' OR '1'='1"`: "",
		// What is no filter.
		`email`:                     "search_invalid",
		`email eq`:                  "search_invalid",
		`email eq ada`:              "search_invalid",
		`email eq "ada`:             "search_invalid",
		`email eq "\x"`:             "search_invalid",
		`email eq "\ud83d"`:         "search_invalid",
		`email eq "\ud83dx"`:        "search_invalid",
		`email co "ada"`:            "search_invalid",
		`email eq 3`:                "search_invalid",
		`email gt null`:             "search_invalid",
		`email eq true`:             "search_invalid",
		`password pr`:               "search_invalid",
		`custom_data pr`:            "search_invalid",
		`custom_data..x pr`:         "search_invalid",
		`created_at eq "yesterday"`: "search_invalid",
		`created_at sw 3`:           "search_invalid",
		`created_at eq Inf`:         "search_invalid",
		`(email pr`:                 "search_invalid",
		`email pr)`:                 "search_invalid",
		`email pr and`:              "search_invalid",
		`email pr email pr`:         "search_invalid",
		`not (email pr)`:            "search_invalid",
		strings.Repeat("(", 17) + `email pr` + strings.Repeat(")", 17): "search_invalid",
		`email pr` + strings.Repeat(` and email pr`, 64):               "search_invalid",
		strings.Repeat(" ", 4097):                                      "search_invalid",
	} {
		if got := found(t, e, filter); got != want {
			t.Errorf("%s: got %q, want %q", filter, got, want)
		}
	}
}

// FuzzUserFilter: no text breaks the reader of filters, and what it takes it takes again between brackets.
func FuzzUserFilter(f *testing.F) {
	for _, seed := range []string{
		`email eq "ada@example.com"`, `(address.country eq "USA")and(email sw "sales")`, `custom_app_data.a.b ge -1.5e3 or last_auth pr`,
		`created_at lt "2023-04-22T05:52:49.703+00:00"`, `status ne null and custom_data.x eq true`, `email eq "\ud83d\ude00\n\""`, `((`, `"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := auth.ParseUserFilter(text)
		if err != nil {
			if auth.CodeOf(err) != auth.CodeSearchInvalid {
				t.Errorf("%q: got %v", text, err)
			}
			return
		}
		if _, err := auth.ParseUserFilter("(" + text + ")"); err != nil && len(text) < 4000 && strings.Count(text, "(") < 16 {
			t.Errorf("%q: not in brackets: %v", text, err)
		}
	})
}
