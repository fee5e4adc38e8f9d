package auth_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// TestContactsNeedAStepUp is A-078 and B-20: whatever codes go to is changed by who proved more than a password, if the user can.
func TestContactsNeedAStepUp(t *testing.T) {
	t.Parallel()
	contacts := map[string]auth.PersonFields{
		"address": {Email: text("elsewhere@example.com")}, "number": {Phone: phone("+356", "99000099")},
	}
	for name, in := range contacts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := office(t)
			change := func(token string, id auth.UserID) error {
				_, err := e.ChangeMember(t.Context(), e.Key(), token, id, in)
				return err
			}
			wantCode(t, change(tokenFor(t, e, "agnes"), agnes), auth.CodeStepUpRequired)
			wantCode(t, change(tokenFor(t, e, "adam"), agnes), auth.CodeStepUpRequired) // nor through who manages them
			_, err := e.ChangeRoot(t.Context(), e.Key(), tokenFor(t, e, "rita"), auth.Corporate, auth.RootChange{PersonFields: in})
			wantCode(t, err, auth.CodeStepUpRequired)
			same := auth.PersonFields{Email: text("agnes@example.com"), Phone: phone("+356", "99000003")}
			_, err = e.ChangeMember(t.Context(), e.Key(), tokenFor(t, e, "agnes"), agnes, same)
			wantCode(t, err, none)
			wantCode(t, change(tokenFor(t, e, "mel"), mel), none) // who has nothing but a password
			wantCode(t, change(raised(t, e, "agnes"), agnes), map[string]auth.Code{"address": auth.CodeUserExists, "number": none}[name])
			if name == "address" {
				in.Email = text("third@example.com")
				wantCode(t, change(raised(t, e, "agnes"), agnes), none)
			}
		})
	}
}

// TestNewAddress: it is not verified, both addresses are told, the old one is nobody's and the new one logs in.
func TestNewAddress(t *testing.T) {
	t.Parallel()
	e := office(t)
	token := raised(t, e, "agnes")
	p, err := e.ChangeMember(t.Context(), e.Key(), token, agnes, auth.PersonFields{Email: text("Agnes@new.example")})
	if err != nil {
		t.Fatal(err)
	}
	if u := p.User; !u.EmailVerifiedAt.IsZero() || u.PhoneVerifiedAt.IsZero() || u.Email != "Agnes@new.example" {
		t.Errorf("got %+v", u)
	}
	if diff := cmp.Diff([]string{"email_changed email Agnes@new.example", "email_changed email agnes@example.com"}, notices(t, e)); diff != "" {
		t.Error(diff)
	}
	_, err = e.LoginPassword(t.Context(), e.Key(), byEmail("agnes", authtest.Password))
	wantCode(t, err, auth.CodeUnknownUser)
	in := byEmail("agnes", authtest.Password)
	in.Identifier = "agnes@new.example"
	_, err = e.LoginPassword(t.Context(), e.Key(), in)
	wantCode(t, err, none)
	_, err = e.ChangeMember(t.Context(), e.Key(), token, agnes, auth.PersonFields{Email: text("agnes@example.com")})
	wantCode(t, err, auth.CodeEmailChangeTooSoon)
	wantRetry(t, err, 24*time.Hour)
	e.Clock.Advance(24 * time.Hour)
	_, err = e.ChangeMember(t.Context(), e.Key(), raisedAs(t, e, "agnes@new.example"), agnes, auth.PersonFields{Email: text("agnes@example.com")})
	wantCode(t, err, none)
}

// notices are the messages that carry no code, newest first and in order of the address where they are as old.
func notices(t testing.TB, e *authtest.Env) []string {
	t.Helper()
	items, err := e.Inbox(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, i := range items {
		if i.Code == "" {
			all = append(all, string(i.Template)+" "+string(i.Kind)+" "+i.To)
		}
	}
	slices.Sort(all)
	return all
}

// raisedAs logs in by another address than raised does.
func raisedAs(t testing.TB, e *authtest.Env, email string) string {
	t.Helper()
	in := byEmail("", authtest.Password)
	in.Identifier = email
	l, err := e.LoginPassword(t.Context(), e.Key(), in)
	if err == nil {
		err = errors.Join(
			e.StepUp(t.Context(), e.Key(), l.Token, auth.ChannelSMS), e.VerifyStepUp(t.Context(), e.Key(), l.Token, auth.ChannelSMS, "123456"),
		)
	}
	if err != nil {
		t.Fatal(err)
	}
	return l.Token
}

// TestNewNumber: it is not verified, the authenticator of the old one is good no more, every step-up ends, and the old number and
// the address are told.
func TestNewNumber(t *testing.T) {
	t.Parallel()
	e := office(t)
	token, other := raised(t, e, "agnes"), raised(t, e, "agnes")
	e.Clock.Advance(time.Second)
	change := func(token, number string) error {
		_, err := e.ChangeMember(t.Context(), e.Key(), token, agnes, auth.PersonFields{Phone: phone("+356", number)})
		return err
	}
	wantCode(t, change(token, "99000033"), none)
	if diff := cmp.Diff([]string{"phone_changed email agnes@example.com", "phone_changed sms +35699000003"}, notices(t, e)); diff != "" {
		t.Error(diff)
	}
	for _, bearer := range []string{token, other} {
		wantCode(t, e.StepUp(t.Context(), e.Key(), bearer, auth.ChannelSMS), auth.CodeChannelUnbound)
		_, err := e.AddMember(t.Context(), e.Key(), bearer, named("newcomer"))
		wantCode(t, err, auth.CodeStepUpRequired)
	}
	standing, err := e.Authenticators(t.Context(), e.Key(), token)
	if want := []auth.Standing{{Channel: auth.ChannelSMS, Status: auth.AuthenticatorPending}}; err != nil || !slices.Equal(standing, want) {
		t.Errorf("got %v %v, want %v", standing, err, want)
	}
	wantCode(t, change(token, "99000034"), none)
	wantCode(t, change(token, "99000035"), none)
	wantCode(t, change(token, "99000036"), auth.CodePhoneChangeLimit)
}

func TestNumberIsFixed(t *testing.T) {
	t.Parallel()
	e := office(t, authtest.Settings(func(s *auth.Settings) { s.PhoneChanges = 0 }))
	_, err := e.ChangeMember(t.Context(), e.Key(), raised(t, e, "agnes"), agnes, auth.PersonFields{Phone: phone("+356", "99000033")})
	wantCode(t, err, auth.CodePhoneFixed)
	_, err = e.ChangeMember(t.Context(), e.Key(), tokenFor(t, e, "mel"), mel, auth.PersonFields{Phone: phone("+356", "99000033")})
	wantCode(t, err, none) // a first number changes nothing
}

// TestCodesOfTheOldNumber: one that is on its way when the number changes proves nothing.
func TestCodesOfTheOldNumber(t *testing.T) {
	t.Parallel()
	e := office(t)
	token := tokenFor(t, e, "agnes")
	if err := e.StepUp(t.Context(), e.Key(), token, auth.ChannelSMS); err != nil {
		t.Fatal(err)
	}
	_, err := e.ChangeMember(t.Context(), e.Key(), raised(t, e, "adam"), agnes, auth.PersonFields{Phone: phone("+356", "99000033")})
	wantCode(t, err, none)
	wantCode(t, e.VerifyStepUp(t.Context(), e.Key(), token, auth.ChannelSMS, "123456"), auth.CodeChannelUnbound)
	_, err = e.ChangeMember(t.Context(), e.Key(), raised(t, e, "adam"), agnes, auth.PersonFields{Phone: phone("+356", "99000003")})
	wantCode(t, err, none)
	wantCode(t, e.VerifyStepUp(t.Context(), e.Key(), token, auth.ChannelSMS, "123456"), auth.CodeNoChallenge)
}

// TestSharedNumber: a number that is another user's identifier is kept for codes and names nobody else (B-07). Who had it first goes on
// logging in by it; when they give it up, it is free, and becomes the identifier of the next of its users who is written.
func TestSharedNumber(t *testing.T) {
	t.Parallel()
	e := office(t)
	token := raised(t, e, "rita")
	newcomer := named("newcomer")
	newcomer.Phone = phone("+356", "99000003") // agnes's
	p, err := e.AddMember(t.Context(), e.Key(), token, newcomer)
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.ChangeMember(t.Context(), e.Key(), token, mel, auth.PersonFields{Phone: phone("+356", "99000003")})
	wantCode(t, err, none)
	holder := func() auth.UserID {
		t.Helper()
		a, err := e.UserBy(t.Context(), e.App(), auth.ByPhone, "+35699000003")
		if err != nil {
			return ""
		}
		return a.User.ID
	}
	if got := holder(); got != agnes {
		t.Errorf("got %q, want agnes", got)
	}
	if got, err := e.Member(t.Context(), e.Key(), token, p.User.ID); err != nil || got.User.Phone != "+35699000003" {
		t.Errorf("got %q %v, want the number kept", got.User.Phone, err)
	}
	_, err = e.ChangeMember(t.Context(), e.Key(), raised(t, e, "agnes"), agnes, auth.PersonFields{Phone: phone("+356", "99000044")})
	wantCode(t, err, none)
	if got := holder(); got != "" {
		t.Errorf("got %q, want nobody", got)
	}
	_, err = e.ChangeMember(t.Context(), e.Key(), token, mel, auth.PersonFields{Brand: text("acme")})
	wantCode(t, err, none)
	if got := holder(); got != mel {
		t.Errorf("got %q, want mel", got)
	}
	_, err = e.CreateUser(t.Context(), e.App(), auth.NewUser{Phone: "+35699000044"})
	wantCode(t, err, auth.CodeUserExists) // /cis shares no numbers
}

// TestUsernameFollows: a username that reads as the address or number that changes was the user's own, and has to stay that (B-07).
func TestUsernameFollows(t *testing.T) {
	t.Parallel()
	e := office(t, func(s *auth.Setup) {
		users := s.Tenants[0].Users
		for i := range users {
			switch users[i].ID {
			case mel:
				users[i].Username = "MEL@example.com"
			case agnes:
				users[i].Username = users[i].Phone
			}
		}
	})
	find := func(name string) auth.UserID {
		a, _ := e.UserBy(t.Context(), e.App(), auth.ByUsername, name)
		return a.User.ID
	}
	_, err := e.ChangeMember(t.Context(), e.Key(), tokenFor(t, e, "mel"), mel, auth.PersonFields{Email: text("mel@new.example")})
	wantCode(t, err, none)
	if find("mel@example.com") != "" || find("mel@new.example") != mel {
		t.Error("the username did not follow the address")
	}
	_, err = e.ChangeMember(t.Context(), e.Key(), raised(t, e, "agnes"), agnes, auth.PersonFields{Phone: phone("+356", "99000002")}) // adam's
	wantCode(t, err, none)
	if find("+35699000003") != "" || find("+35699000002") != "" {
		t.Error("the username names somebody else's number")
	}
}

func TestCountries(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{
		"MT": true, "GB": true, "XK": true, "UK": false, "YU": false, "AN": false, "EU": false, "ZZ": false, "XX": false, "mt": false, "M": false,
		"MLT": false, "470": false, "": false, "UN": false, "DD": false,
	} {
		if got := auth.IsCountry(code); got != want {
			t.Errorf("%q: got %t, want %t", code, got, want)
		}
	}
}

func TestPhoneNumbers(t *testing.T) {
	t.Parallel()
	for in, want := range map[auth.PhoneNumber]string{
		{Country: "+356", Number: "99111111"}:    "+35699111111",
		{Country: "+44", Number: "07700900123"}:  "+447700900123", // its trunk prefix is no part of it
		{Country: "+1", Number: "2425551234"}:    "+12425551234",
		{Country: "+39", Number: "0612345678"}:   "+390612345678",
		{Country: "+1", Number: "5555550100"}:    "+15555550100", // nobody's, and possible
		{Country: "+356", Number: "9"}:           "",
		{Country: "+35", Number: "699111111"}:    "",
		{Country: "+999", Number: "99111111"}:    "",
		{Country: "+0", Number: "99111111"}:      "",
		{Country: "+356", Number: "99111111111"}: "",
	} {
		got, err := in.E164()
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%v: got %q %v, want %q", in, got, err, want)
		}
		if want == "" {
			continue
		}
		if back, ok := auth.SplitPhone(got); !ok || back.Country != in.Country || !strings.HasSuffix(in.Number, strings.TrimPrefix(back.Number, "0")) {
			t.Errorf("%v: got %v back", in, back)
		}
	}
	if _, ok := auth.SplitPhone("nonsense"); ok {
		t.Error("nonsense is a number")
	}
}
