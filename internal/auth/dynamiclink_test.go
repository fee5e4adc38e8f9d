package auth_test

import (
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// TestLinkDigest holds the canonical form to the letter: embedders make it on their own (docs/confirmation.md).
func TestLinkDigest(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 12, 0, 0, 5000, time.UTC)
	links := []auth.DynamicLink{
		{
			Ref: auth.LinkRef{Type: auth.LinkSend, ID: "77"}, Identity: adasSelf, Currency: "EUR", Amount: 1234, Payee: "Zoë",
			Account: "MT84", Text: "Invoice 12", CreatedAt: at, Version: 3, Status: auth.LinkPending, UpdatedAt: at.Add(time.Hour),
		},
		{Ref: auth.LinkRef{Type: auth.LinkSend, ID: "78"}, Identity: engines, Text: "x", CreatedAt: at.In(time.FixedZone("", 3600))},
	}
	want := "19:countersign/link/v1,4:demo," +
		"5:sends,2:77,27:2026-11-21T12:00:00.000005Z,13:CONSUMER:1001,3:EUR,4:1234,4:Zoë,4:MT84,10:Invoice 12," +
		"5:sends,2:78,27:2026-11-21T12:00:00.000005Z,14:CORPORATE:2001,0:,1:0,0:,0:,1:x,"
	if got := string(auth.LinkText(authtest.Demo, links)); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	c := auth.Challenge{Digest: auth.LinkDigest(authtest.Demo, links[:1])}
	page, err := os.ReadFile("../../docs/confirmation.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(auth.LinkText(authtest.Demo, links[:1])), evidenceDigest(c)} {
		if !strings.Contains(string(page), text) {
			t.Errorf("docs/confirmation.md does not have %s", text)
		}
	}
	if got, want := evidenceDigest(c), "92a76697152e7bdd63d474f7d5a2c4cdbcb81a0249cd0f4cb0446f69ea285b20"; got != want {
		t.Errorf("got digest %s, want %s", got, want)
	}
}

func TestMoney(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		amount int64
		code   string
		want   string
	}{
		{1234, "EUR", "EUR 12.34"},
		{0, "EUR", "EUR 0.00"},
		{5, "EUR", "EUR 0.05"},
		{100, "EUR", "EUR 1.00"},
		{-1234, "EUR", "EUR -12.34"},
		{-5, "EUR", "EUR -0.05"},
		{1234, "JPY", "JPY 1234"},
		{0, "JPY", "JPY 0"},
		{-7, "JPY", "JPY -7"},
		{1234, "BHD", "BHD 1.234"},
		{1, "BHD", "BHD 0.001"},
		{12345, "CLF", "CLF 1.2345"},
		{1234, "ALL", "ALL 12.34"}, // the minor unit is out of use, and still counts
		{1234, "RSD", "RSD 12.34"},
		{1234, "ISK", "ISK 1234"},
		{math.MaxInt64, "EUR", "EUR 92233720368547758.07"},
		{math.MinInt64, "EUR", "EUR -92233720368547758.08"},
	} {
		if got := auth.Money(tt.amount, tt.code); got != tt.want {
			t.Errorf("%d %s: got %q, want %q", tt.amount, tt.code, got, tt.want)
		}
	}
}

func TestLinkLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		link auth.DynamicLink
		want string
	}{
		{auth.DynamicLink{Currency: "JPY", Amount: 0, Payee: "Ada"}, "JPY 0, to Ada"},
		{auth.DynamicLink{Currency: "EUR", Amount: 1}, "EUR 0.01"},
		{auth.DynamicLink{Payee: "Ada", Account: "MT84"}, "to Ada, MT84"},
		{auth.DynamicLink{Text: "Link the account MT84"}, "Link the account MT84"},
		{
			auth.DynamicLink{Currency: "BHD", Amount: 1234, Payee: "Ada", Account: "MT84", Text: "Rent"},
			"BHD 1.234, to Ada, MT84, Rent",
		},
	} {
		if got := tt.link.Line(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// TestRegistrationIsValidated: what a user is shown is what the embedder wrote, to be read in one way.
func TestRegistrationIsValidated(t *testing.T) {
	t.Parallel()
	e := payments(t)
	for name, tt := range map[string]struct {
		change func(*auth.Registration)
		want   auth.Code
	}{
		"as it is":          {func(*auth.Registration) {}, none},
		"no amount":         {func(r *auth.Registration) { r.Currency, r.Amount = "", 0 }, none},
		"text alone":        {func(r *auth.Registration) { *r = auth.Registration{Ref: r.Ref, Identity: r.Identity, Text: "x"} }, none},
		"nothing":           {func(r *auth.Registration) { *r = auth.Registration{Ref: r.Ref, Identity: r.Identity} }, auth.CodeLinkEmpty},
		"zero":              {func(r *auth.Registration) { r.Amount = 0 }, none},
		"longest":           {func(r *auth.Registration) { r.Payee = strings.Repeat("ż", 140) }, none},
		"joiners":           {func(r *auth.Registration) { r.Payee = "نامه\u200cای" }, none},
		"type":              {func(r *auth.Registration) { r.Ref.Type = "cards" }, auth.CodeLinkInvalid},
		"id":                {func(r *auth.Registration) { r.Ref.ID = "seven" }, auth.CodeLinkInvalid},
		"identity":          {func(r *auth.Registration) { r.Identity.ID = "4711" }, auth.CodeNotFound},
		"negative":          {func(r *auth.Registration) { r.Amount = -1 }, auth.CodeLinkInvalid},
		"amount of nothing": {func(r *auth.Registration) { r.Currency = "" }, auth.CodeLinkInvalid},
		"no such currency":  {func(r *auth.Registration) { r.Currency = "ZZZ" }, auth.CodeLinkInvalid},
		"small letters":     {func(r *auth.Registration) { r.Currency = "eur" }, auth.CodeLinkInvalid},
		"no money":          {func(r *auth.Registration) { r.Currency = "XXX" }, auth.CodeLinkInvalid},
		"account of nobody": {func(r *auth.Registration) { r.Payee = "" }, auth.CodeLinkInvalid},
		"too long payee":    {func(r *auth.Registration) { r.Payee = strings.Repeat("a", 141) }, auth.CodeLinkInvalid},
		"too long account":  {func(r *auth.Registration) { r.Account = strings.Repeat("1", 65) }, auth.CodeLinkInvalid},
		"too long text":     {func(r *auth.Registration) { r.Text = strings.Repeat("a", 141) }, auth.CodeLinkInvalid},
		"blank":             {func(r *auth.Registration) { r.Text = "  " }, auth.CodeLinkInvalid},
		"line break":        {func(r *auth.Registration) { r.Payee = "Ada\nEUR 0.01" }, auth.CodeLinkInvalid},
		"escape":            {func(r *auth.Registration) { r.Text = "\x1b[2J" }, auth.CodeLinkInvalid},
		"turned around":     {func(r *auth.Registration) { r.Payee = "Ada \u202e00.5" }, auth.CodeLinkInvalid},
		"not to be seen":    {func(r *auth.Registration) { r.Payee = "Ada\u2060" }, auth.CodeLinkInvalid},
		"not UTF-8":         {func(r *auth.Registration) { r.Account = "\xff" }, auth.CodeLinkInvalid},
		"link":              {func(r *auth.Registration) { r.Text = "see https://bank.example" }, auth.CodeLinkInvalid},
	} {
		in := wanted()
		change := tt.change
		change(&in)
		if _, err := e.RegisterLink(t.Context(), e.Key(), in); codeOf(err) != tt.want {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

// TestLinksAreTheTenants: of two tenants neither sees what the other registered.
func TestLinksAreTheTenants(t *testing.T) {
	t.Parallel()
	e := payments(t)
	state := register(t, e, wanted())
	rival := auth.Actor{Tenant: authtest.Rival, Key: "backend"}
	_, err := e.Link(t.Context(), rival, payment)
	wantCode(t, err, auth.CodeNotFound)
	theirs, err := e.RegisterLink(t.Context(), rival, wanted())
	if err != nil || theirs.Digest == state.Digest {
		t.Errorf("got digest %s, %v, want another than %s", theirs.Digest, err, state.Digest)
	}
}
