package auth_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

// The people of the corporate 3001. Each but mel can step up; tom acts for another corporate too, where he is the root user.
const (
	rita  auth.UserID = "3001" // root
	adam  auth.UserID = "3002" // ADMIN
	agnes auth.UserID = "3003" // ACCESS_MANAGEMENT_ROLE
	mel   auth.UserID = "3004" // no role
	tom   auth.UserID = "3005"
	rosa  auth.UserID = "3006" // root, without a second factor
)

func acme() auth.IdentityRef { return auth.IdentityRef{Type: auth.Corporate, ID: "3001"} }

// office is a domain with the corporate 3001, as changed.
func office(t testing.TB, change ...func(*auth.Setup)) *authtest.Env {
	t.Helper()
	e := authtest.New(t, append([]func(*auth.Setup){func(s *auth.Setup) {
		demo := &s.Tenants[0]
		other := auth.IdentityRef{Type: auth.Corporate, ID: "3002"}
		demo.Identities = append(demo.Identities, auth.Identity{Ref: acme(), Name: "Acme"}, auth.Identity{Ref: other, Name: "Other"})
		sms := []auth.AuthenticatorSetup{{Kind: auth.AuthenticatorSMS}}
		person := func(id auth.UserID, name, phone string) auth.UserSetup {
			return auth.UserSetup{
				ID: id, FirstName: name, Email: name + "@example.com", EmailVerified: true, Phone: phone, PhoneVerified: phone != "",
				Password: &auth.PasswordSetup{Value: authtest.Password}, UserOf: []auth.IdentityRef{acme()},
			}
		}
		people := []auth.UserSetup{
			person(rita, "rita", "+35699000001"), person(adam, "adam", "+35699000002"), person(agnes, "agnes", "+35699000003"),
			person(mel, "mel", ""), person(tom, "tom", "+35699000005"), person(rosa, "rosa", ""),
		}
		people[0].UserOf, people[0].RootOf = nil, []auth.IdentityRef{acme()}
		people[4].RootOf = []auth.IdentityRef{other}
		people[5].UserOf, people[5].RootOf = nil, []auth.IdentityRef{acme()}
		for i := range people {
			if people[i].Phone != "" {
				people[i].Authenticators = sms
			}
		}
		demo.Users = append(demo.Users, people...)
	}}, change...)...)
	give(t, e, adam, auth.RoleAdmin)
	give(t, e, agnes, auth.RoleAccessManagement)
	return e
}

// give sets the roles of a member in the store.
func give(t testing.TB, e *authtest.Env, id auth.UserID, roles ...auth.Role) {
	t.Helper()
	put(t, e, func(tx auth.Tx) error {
		return tx.PutMembership(auth.Membership{Tenant: authtest.Demo, User: id, Identity: auth.Identity{Ref: acme()}, Roles: roles})
	})
}

func put(t testing.TB, e *authtest.Env, fn func(auth.Tx) error) {
	t.Helper()
	if err := e.Store.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// tokenFor logs a user in for the corporate 3001.
func tokenFor(t testing.TB, e *authtest.Env, name string) string {
	t.Helper()
	l, err := e.LoginPassword(t.Context(), e.Key(), auth.PasswordLogin{
		Kind: auth.ByEmail, Identifier: name + "@example.com", Password: seal.NewSecret(authtest.Password),
	})
	if err != nil {
		t.Fatalf("login of %s: %v", name, err)
	}
	a, err := e.AccessToken(t.Context(), e.Key(), l.Token, acme())
	if err != nil {
		t.Fatalf("token of %s: %v", name, err)
	}
	return a.Token
}

// raised is the same, stepped up.
func raised(t testing.TB, e *authtest.Env, name string) string {
	t.Helper()
	token := tokenFor(t, e, name)
	err := errors.Join(
		e.StepUp(t.Context(), e.Key(), token, auth.ChannelSMS), e.VerifyStepUp(t.Context(), e.Key(), token, auth.ChannelSMS, "123456"),
	)
	if err != nil {
		t.Fatalf("step-up of %s: %v", name, err)
	}
	return token
}

// named are the fields of somebody new.
func named(name string) auth.PersonFields {
	email := name + "@example.com"
	return auth.PersonFields{FirstName: &name, LastName: &name, Email: &email}
}

func text(s string) *string { return &s }

func roles(names ...string) *[]string { return &names }

func phone(country, number string) *auth.PhoneNumber {
	return &auth.PhoneNumber{Country: country, Number: number}
}

func TestAddMember(t *testing.T) {
	t.Parallel()
	e := office(t, authtest.Settings(func(s *auth.Settings) { s.BlockedDomains = []string{"Spam.example"} }))
	rita, agnes, mel := raised(t, e, "rita"), raised(t, e, "agnes"), tokenFor(t, e, "mel")
	auth0 := login(t, e, "tom").Token
	with := func(change func(*auth.PersonFields)) auth.PersonFields {
		f := named("newcomer")
		change(&f)
		return f
	}
	for name, tt := range map[string]struct {
		token string
		in    auth.PersonFields
		want  auth.Code
	}{
		"without a token":                             {"", named("newcomer"), auth.CodeInvalidToken},
		"with an AUTH token":                          {auth0, named("newcomer"), auth.CodeWrongTokenKind},
		"without a role":                              {mel, named("newcomer"), auth.CodeNotPermitted},
		"without a step-up":                           {tokenFor(t, e, "rita"), named("newcomer"), auth.CodeStepUpRequired},
		"with an address twice":                       {rita, named("mel"), auth.CodeUserExists},
		"in other letters, B-51":                      {rita, with(func(f *auth.PersonFields) { f.Email = text("MEL@Example.com") }), auth.CodeUserExists},
		"malformed address, B-53":                     {rita, with(func(f *auth.PersonFields) { f.Email = text("a@b@c.example") }), auth.CodeIdentifierInvalid},
		"Kelvin sign, B-51":                           {rita, with(func(f *auth.PersonFields) { f.Email = text("\u212aelvin@example.com") }), auth.CodeIdentifierInvalid},
		"blocked domain":                              {rita, with(func(f *auth.PersonFields) { f.Email = text("a@SPAM.example") }), auth.CodeEmailDomain},
		"domain below it":                             {rita, with(func(f *auth.PersonFields) { f.Email = text("a@mail.spam.example") }), auth.CodeEmailDomain},
		"impossible number":                           {rita, with(func(f *auth.PersonFields) { f.Phone = phone("+356", "1") }), auth.CodePhoneMalformed},
		"another country's number":                    {rita, with(func(f *auth.PersonFields) { f.Phone = phone("+35", "699111111") }), auth.CodePhoneMalformed},
		"no country":                                  {rita, with(func(f *auth.PersonFields) { f.Residence = text("XX") }), auth.CodeResidenceInvalid},
		"a country of yesterday":                      {rita, with(func(f *auth.PersonFields) { f.Residence = text("YU") }), auth.CodeResidenceInvalid},
		"unknown role":                                {rita, with(func(f *auth.PersonFields) { f.Roles = roles("KING") }), auth.CodeRoleNotFound},
		"an administrator by an access manager, B-57": {agnes, with(func(f *auth.PersonFields) { f.Roles = roles("ADMIN") }), auth.CodeNotPermitted},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := e.AddMember(t.Context(), e.Key(), tt.token, tt.in)
			wantCode(t, err, tt.want)
		})
	}
	p, err := e.AddMember(t.Context(), e.Key(), rita, with(func(f *auth.PersonFields) {
		f.Phone, f.Residence, f.Tag, f.Roles = phone("+356", "99000009"), text("MT"), text("finance"), roles("ADMIN", "2", "ADMIN")
	}))
	if err != nil {
		t.Fatal(err)
	}
	got, err := e.Member(t.Context(), e.Key(), rita, p.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !got.User.EmailVerifiedAt.IsZero() || !got.User.PhoneVerifiedAt.IsZero() || !got.Active() || got.User.Phone != "+35699000009" {
		t.Errorf("got %+v, want an active user with nothing verified (A-086)", got.User)
	}
	if want := []auth.Role{auth.RoleAdmin, auth.RoleCardsManagement}; !slices.Equal(got.Membership.Roles, want) || got.Membership.Tag != "finance" {
		t.Errorf("got %+v, want %v", got.Membership, want)
	}
	if _, err := e.LoginPassword(t.Context(), e.Key(), byEmail("newcomer", "")); auth.CodeOf(err) != auth.CodeNoPassword {
		t.Errorf("got %v, want no password yet", err)
	}
}

// TestMembersOfOthers is: another identity's users and another tenant's are as if they did not exist, and a member without
// a role learns nothing of anybody but themself.
func TestMembersOfOthers(t *testing.T) {
	t.Parallel()
	e := office(t)
	ritas, mels := raised(t, e, "rita"), tokenFor(t, e, "mel")
	calls := map[string]func(token string, id auth.UserID) error{
		"look": func(token string, id auth.UserID) error {
			_, err := e.Member(t.Context(), e.Key(), token, id)
			return err
		},
		"change": func(token string, id auth.UserID) error {
			_, err := e.ChangeMember(t.Context(), e.Key(), token, id, auth.PersonFields{Brand: text("x")})
			return err
		},
		"deactivate": func(token string, id auth.UserID) error { return e.DeactivateMember(t.Context(), e.Key(), token, id) },
		"activate":   func(token string, id auth.UserID) error { return e.ActivateMember(t.Context(), e.Key(), token, id) },
	}
	for name, call := range calls {
		for _, id := range []auth.UserID{authtest.Ada, authtest.Charles, "9009"} {
			wantCode(t, call(ritas, id), auth.CodeUserNotFound)
			wantCode(t, call(mels, id), auth.CodeNotPermitted)
		}
		wantCode(t, call(mels, adam), auth.CodeNotPermitted)
		if own := call(mels, mel); (own == nil) != (name == "look" || name == "change") {
			t.Errorf("%s oneself: got %v", name, own)
		}
	}
	if _, _, err := e.Members(t.Context(), e.Key(), mels, auth.PersonFilter{}); auth.CodeOf(err) != auth.CodeNotPermitted {
		t.Errorf("got %v, want no list for a member without a role", err)
	}
	rival := auth.Actor{Tenant: authtest.Rival, Key: "backend"}
	_, err := e.Member(t.Context(), rival, ritas, mel)
	wantCode(t, err, auth.CodeInvalidToken)
}

func TestMembers(t *testing.T) {
	t.Parallel()
	e := office(t)
	token := raised(t, e, "agnes")
	if err := e.DeactivateMember(t.Context(), e.Key(), token, mel); err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	for name, tt := range map[string]struct {
		filter auth.PersonFilter
		want   []auth.UserID
		count  int
	}{
		"all":          {auth.PersonFilter{}, []auth.UserID{rita, adam, agnes, mel, tom, rosa}, 6},
		"a page":       {auth.PersonFilter{Offset: 1, Limit: 2}, []auth.UserID{adam, agnes}, 6},
		"beyond":       {auth.PersonFilter{Offset: 9, Limit: 2}, nil, 6},
		"active":       {auth.PersonFilter{Active: &yes}, []auth.UserID{rita, adam, agnes, tom, rosa}, 5},
		"inactive":     {auth.PersonFilter{Active: &no}, []auth.UserID{mel}, 1},
		"by address":   {auth.PersonFilter{Email: "MEL@example.com"}, []auth.UserID{mel}, 1},
		"by roles":     {auth.PersonFilter{Roles: []auth.Role{auth.RoleAdmin, auth.RoleAccessManagement}}, []auth.UserID{adam, agnes}, 2},
		"unknown role": {auth.PersonFilter{Roles: []auth.Role{"KING"}}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			people, count, err := e.Members(t.Context(), e.Key(), token, tt.filter)
			if err != nil {
				t.Fatal(err)
			}
			var got []auth.UserID
			for _, p := range people {
				got = append(got, p.User.ID)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || count != tt.count {
				t.Errorf("count %d, want %d; %s", count, tt.count, diff)
			}
		})
	}
}

// TestRanks: who changes whom and gives what (B-57).
func TestRanks(t *testing.T) {
	t.Parallel()
	e := office(t)
	tokens := map[auth.UserID]string{rita: raised(t, e, "rita"), adam: raised(t, e, "adam"), agnes: raised(t, e, "agnes"), mel: tokenFor(t, e, "mel")}
	change := auth.PersonFields{Brand: text("acme")}
	give := func(names ...string) auth.PersonFields { return auth.PersonFields{Roles: roles(names...)} }
	for _, tt := range []struct {
		name  string
		by    auth.UserID
		whom  auth.UserID
		in    auth.PersonFields
		want  auth.Code
		after []auth.Role // of whom
	}{
		{"an access manager, an administrator", agnes, adam, change, auth.CodeNotPermitted, nil},
		{"an access manager, a root user", agnes, rita, change, auth.CodeNotPermitted, nil},
		{"an administrator, a root user", adam, rita, change, auth.CodeNotPermitted, nil},
		{"a root user, another", rita, rosa, change, auth.CodeNotPermitted, nil},
		{"a root user themself", rita, rita, change, auth.CodeNotPermitted, nil},
		{"an administrator, an access manager", adam, agnes, change, none, nil},
		{"one's own name", mel, mel, change, none, nil},
		{"one's own roles", mel, mel, give("CARD_ASSIGNEE"), auth.CodeOwnRoles, nil},
		{"one's own roles as an administrator", adam, adam, give("ADMIN", "CARD_ASSIGNEE"), auth.CodeOwnRoles, nil},
		{"one's own roles as they are", agnes, agnes, give("ACCESS_MANAGEMENT_ROLE"), none, nil},
		{"ADMIN given by an access manager", agnes, mel, give("ADMIN"), auth.CodeNotPermitted, nil},
		{"roles given by an access manager", agnes, mel, give("CARD_ASSIGNEE"), none, []auth.Role{auth.RoleCardAssignee}},
		{"ADMIN given by an administrator", adam, mel, give("ADMIN"), none, []auth.Role{auth.RoleAdmin}},
		{"ADMIN taken by an administrator", adam, mel, give(), auth.CodeAdminRemoval, nil},
		{"ADMIN taken by a root user", rita, mel, give("CARDS_MANAGEMENT_ROLE"), none, []auth.Role{auth.RoleCardsManagement}},
		{"all roles taken", rita, mel, give(), none, []auth.Role{}},
		{"the tag of one who acts for others too", rita, tom, auth.PersonFields{Tag: text("x"), Roles: roles("CARD_ASSIGNEE")}, none, nil},
		{"the name of one who acts for others too", rita, tom, change, auth.CodeNotPermitted, nil},
		{"the address of one who acts for others too", rita, tom, auth.PersonFields{Email: text("x@example.com")}, auth.CodeNotPermitted, nil},
	} {
		p, err := e.ChangeMember(t.Context(), e.Key(), tokens[tt.by], tt.whom, tt.in)
		if got := codeOf(err); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
		if tt.after != nil && !slices.Equal(p.Membership.Roles, tt.after) {
			t.Errorf("%s: got %v, want %v", tt.name, p.Membership.Roles, tt.after)
		}
	}
}

// TestNobodyTakesTheirRolesAlong: a role that was taken away counts for the very next call.
func TestNobodyTakesTheirRolesAlong(t *testing.T) {
	t.Parallel()
	e := office(t)
	agnes, token := raised(t, e, "agnes"), raised(t, e, "rita")
	if _, err := e.ChangeMember(t.Context(), e.Key(), token, "3003", auth.PersonFields{Roles: roles()}); err != nil {
		t.Fatal(err)
	}
	_, err := e.AddMember(t.Context(), e.Key(), agnes, named("newcomer"))
	wantCode(t, err, auth.CodeNotPermitted)
}

func TestDeactivation(t *testing.T) {
	t.Parallel()
	e := office(t)
	token, mels, toms := raised(t, e, "adam"), tokenFor(t, e, "mel"), tokenFor(t, e, "tom")
	look := func(bearer string) error {
		_, err := e.Identities(t.Context(), e.Key(), bearer)
		return err
	}
	for _, whom := range []auth.UserID{rita, adam} { // a root user, and oneself
		wantCode(t, e.DeactivateMember(t.Context(), e.Key(), token, whom), auth.CodeNotPermitted)
		wantCode(t, e.ActivateMember(t.Context(), e.Key(), token, whom), auth.CodeNotPermitted)
	}
	wantCode(t, e.DeactivateMember(t.Context(), e.Key(), raised(t, e, "agnes"), adam), auth.CodeNotPermitted)

	for range 2 { // again is no error
		wantCode(t, e.DeactivateMember(t.Context(), e.Key(), token, mel), none)
	}
	wantCode(t, look(mels), auth.CodeInvalidToken)
	_, err := e.LoginPassword(t.Context(), e.Key(), byEmail("mel", authtest.Password))
	wantCode(t, err, auth.CodeSuspended)
	wantCode(t, e.ActivateMember(t.Context(), e.Key(), token, mel), none)
	wantCode(t, look(mels), auth.CodeInvalidToken) // what ended stays so
	mels = tokenFor(t, e, "mel")
	wantCode(t, look(mels), none)

	// Tom acts for another corporate too: he loses this one alone.
	wantCode(t, e.DeactivateMember(t.Context(), e.Key(), token, tom), none)
	wantCode(t, look(toms), auth.CodeInvalidToken)
	l := login(t, e, "tom")
	_, err = e.AccessToken(t.Context(), e.Key(), l.Token, acme())
	wantCode(t, err, auth.CodeForeignIdentity)
	ms, err := e.Identities(t.Context(), e.Key(), l.Token)
	if err != nil || len(ms) != 1 || ms[0].Identity.Ref == acme() || l.Membership.Identity.Ref == acme() {
		t.Errorf("got %v %v and a login for %v, want nothing of what he has lost", ms, err, l.Membership.Identity.Ref)
	}
	wantCode(t, e.ActivateMember(t.Context(), e.Key(), token, tom), none)
	tokenFor(t, e, "tom")
}

// TestActivationUnlocks: it is the way back after wrong passwords, and no way around an operator.
func TestActivationUnlocks(t *testing.T) {
	t.Parallel()
	e := office(t)
	token := raised(t, e, "agnes")
	lock(t, e, "mel")
	wantCode(t, e.ActivateMember(t.Context(), e.Key(), token, mel), none)
	tokenFor(t, e, "mel")
	if err := e.Suspend(t.Context(), authtest.Demo, mel); err != nil {
		t.Fatal(err)
	}
	wantCode(t, e.ActivateMember(t.Context(), e.Key(), token, mel), auth.CodeNotPermitted)
	_, err := e.LoginPassword(t.Context(), e.Key(), byEmail("mel", authtest.Password))
	wantCode(t, err, auth.CodeSuspended)
}

// TestDeactivationDuringUse is A-041: no call that began after the answer of the deactivation succeeds.
func TestDeactivationDuringUse(t *testing.T) {
	t.Parallel()
	e := office(t)
	token, mels := raised(t, e, "rita"), tokenFor(t, e, "mel")
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 8 {
		wg.Go(func() {
			for {
				ended := false
				select {
				case <-done:
					ended = true
				default:
				}
				_, err := e.ChangeMember(t.Context(), e.Key(), mels, mel, auth.PersonFields{Brand: text("x")})
				if ended {
					if auth.CodeOf(err) != auth.CodeInvalidToken {
						t.Errorf("got %v after the deactivation", err)
					}
					return
				}
			}
		})
	}
	if err := e.DeactivateMember(t.Context(), e.Key(), token, mel); err != nil {
		t.Error(err)
	}
	close(done)
	wg.Wait()
}

// TestOneOfManyNewcomers: of parallel calls for one address one makes a user, and the others are told so.
func TestOneOfManyNewcomers(t *testing.T) {
	t.Parallel()
	e := office(t)
	token := raised(t, e, "rita")
	const n = 8
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { _, errs[i] = e.AddMember(t.Context(), e.Key(), token, named("newcomer")) })
	}
	wg.Wait()
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
		} else if auth.CodeOf(err) != auth.CodeUserExists {
			t.Errorf("got %v", err)
		}
	}
	if made != 1 {
		t.Errorf("got %d users, want 1", made)
	}
}

// TestAddMemberOnce: the same call with an idempotency-ref makes one user, and another payload is refused.
func TestAddMemberOnce(t *testing.T) {
	t.Parallel()
	e := office(t)
	token, by := raised(t, e, "rita"), e.Key()
	by.Once = &auth.Once{Operation: "POST /users", Ref: "1", Digest: [32]byte{1}, Encode: func(result any, _ *auth.Error) (int, []byte) {
		return 200, []byte(result.(auth.Person).User.ID)
	}}
	p, err := e.AddMember(t.Context(), by, token, named("newcomer"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.AddMember(t.Context(), by, token, named("newcomer"))
	var refusal *auth.Error
	if !errors.As(err, &refusal) || refusal.Replay == nil || string(refusal.Replay.Body) != string(p.User.ID) {
		t.Errorf("got %v, want the first answer again", err)
	}
	by.Once = &auth.Once{Operation: "POST /users", Ref: "1", Digest: [32]byte{2}, Encode: by.Once.Encode}
	_, err = e.AddMember(t.Context(), by, token, named("another"))
	wantCode(t, err, auth.CodeOnceConflict)
}

// TestMemberEvents: what changes of a member is an event, and a deactivation is news (contract/multi §4.2).
func TestMemberEvents(t *testing.T) {
	t.Parallel()
	e := office(t, func(s *auth.Setup) { s.Tenants[0].Tenant.Webhook.URL = "https://hooks.example" })
	token := raised(t, e, "rita")
	before := len(eventsOf(t, e))
	p, err := e.AddMember(t.Context(), e.Key(), token, named("newcomer"))
	_, err2 := e.ChangeMember(t.Context(), e.Key(), token, p.User.ID, auth.PersonFields{LastName: text("New"), Roles: roles("ADMIN")})
	_, err3 := e.ChangeMember(t.Context(), e.Key(), token, p.User.ID, auth.PersonFields{LastName: text("New")}) // nothing
	err = errors.Join(err, err2, err3, e.DeactivateMember(t.Context(), e.Key(), token, p.User.ID),
		e.ActivateMember(t.Context(), e.Key(), token, p.User.ID))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, ev := range eventsOf(t, e)[before:] {
		if ev.User != p.User.ID || ev.Identity != acme() || ev.Actor != "key:backend" || ev.Session == "" {
			t.Errorf("got %+v, want the user, the identity and who asked", ev)
		}
		got = append(got, string(ev.Kind)+" "+ev.Note)
	}
	want := []string{
		"user_created ", "user_changed surname roles", "member_suspended ", "user_suspended ", "user_resumed ", "member_resumed ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	all, err := e.ClaimParcels(t.Context(), auth.Queue{Tenant: authtest.Demo, Kind: auth.ParcelWebhook}, 100)
	if err != nil {
		t.Fatal(err)
	}
	var told []auth.News
	for _, d := range all {
		if d.News.Kind == auth.NewsUserDeactivated {
			told = append(told, *d.News)
		}
	}
	news := []auth.News{{
		Kind: auth.NewsUserDeactivated, At: e.Clock.Now(), User: p.User.ID, Credential: auth.Member, Identity: acme(), Email: "newcomer@example.com",
		DoneBy: "ADMIN", Reason: "TEMPORARY",
	}}
	if diff := cmp.Diff(news, told); diff != "" {
		t.Error(diff)
	}
}

func eventsOf(t testing.TB, e *authtest.Env) []auth.Event {
	t.Helper()
	var all []auth.Event
	err := e.Store.View(context.Background(), func(r auth.Reads) (err error) { all, err = r.Events(authtest.Demo, "", 1000); return err })
	if err != nil {
		t.Fatal(err)
	}
	return all
}
