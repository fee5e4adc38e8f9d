package auth_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// fresh is a new identity with somebody new.
func fresh(t auth.IdentityType, name string) auth.NewIdentity {
	root := named(name)
	root.Phone, root.Details = phone("+356", "99000077"), func(string) string { return `{"occupation":"x"}` }
	return auth.NewIdentity{Type: t, Name: "Fresh", Profile: "7001", Details: `{"tag":"x"}`, Root: root, Countries: []string{"MT"}}
}

func TestCreateIdentity(t *testing.T) {
	t.Parallel()
	for _, typ := range []auth.IdentityType{auth.Consumer, auth.Corporate} {
		e := office(t)
		o, err := e.CreateIdentity(t.Context(), e.Key(), fresh(typ, "founder"))
		if err != nil {
			t.Fatal(err)
		}
		u, i := o.Root.User, o.Identity
		if i.Ref.Type != typ || i.Ref.ID != string(u.ID) || i.Profile != "7001" || i.Details != `{"tag":"x"}` || u.Profile.Details != `{"occupation":"x"}` {
			t.Errorf("got %+v", o)
		}
		if o.PasswordSet || !o.Root.Active() || !u.EmailVerifiedAt.IsZero() || !u.PhoneVerifiedAt.IsZero() || o.Root.Membership.Credential != auth.Root {
			t.Errorf("got %+v, want an active root user with nothing verified and no password", o.Root)
		}
		a, err := e.UserBy(t.Context(), e.App(), auth.ByPhone, "+35699000077")
		if err != nil || a.User.ID != u.ID || len(a.Memberships) != 1 || a.Memberships[0].Identity.Ref != i.Ref {
			t.Errorf("got %+v %v", a, err)
		}
	}
}

func TestCreateIdentityRefusals(t *testing.T) {
	t.Parallel()
	e := office(t, authtest.Settings(func(s *auth.Settings) { s.BlockedDomains = []string{"spam.example"} }))
	with := func(typ auth.IdentityType, name string, change func(*auth.NewIdentity)) auth.NewIdentity {
		in := fresh(typ, name)
		change(&in)
		return in
	}
	nothing := func(*auth.NewIdentity) {}
	for name, tt := range map[string]struct {
		in   auth.NewIdentity
		want auth.Code
	}{
		"consumer of one who has one":      {with(auth.Consumer, "ada", nothing), auth.CodeConsumerExists},
		"consumer of a corporate's root":   {with(auth.Consumer, "rita", nothing), auth.CodeRootExists},
		"consumer of a member":             {with(auth.Consumer, "mel", nothing), auth.CodeRootExists},
		"corporate of a member":            {with(auth.Corporate, "mel", nothing), auth.CodeRootExists},
		"corporate of one who is nobody's": {with(auth.Corporate, "nobody", nothing), auth.CodeRootExists},
		"no country":                       {with(auth.Corporate, "new", func(n *auth.NewIdentity) { n.Countries = []string{"MT", "XX"} }), auth.CodeCountryInvalid},
		"malformed address":                {with(auth.Corporate, "new", func(n *auth.NewIdentity) { n.Root.Email = text("a@b@c") }), auth.CodeIdentifierInvalid},
		"no address":                       {with(auth.Corporate, "new", func(n *auth.NewIdentity) { n.Root.Email = nil }), auth.CodeIdentifierRequired},
		"blocked domain":                   {with(auth.Corporate, "new", func(n *auth.NewIdentity) { n.Root.Email = text("a@spam.example") }), auth.CodeEmailDomain},
		"impossible number":                {with(auth.Corporate, "new", func(n *auth.NewIdentity) { n.Root.Phone = phone("+356", "1") }), auth.CodePhoneMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(eventsOf(t, e))
			_, err := e.CreateIdentity(t.Context(), e.Key(), tt.in)
			wantCode(t, err, tt.want)
			if got := len(eventsOf(t, e)); got != before {
				t.Errorf("got %d events for what did not happen", got-before)
			}
		})
	}
}

// TestOneMoreCorporate is the root user of several corporates (contract/multi §3.4).
func TestOneMoreCorporate(t *testing.T) {
	t.Parallel()
	change := func(change func(*auth.Identity)) func(t *testing.T, e *authtest.Env) {
		return func(t *testing.T, e *authtest.Env) {
			put(t, e, func(tx auth.Tx) error {
				i, err := tx.Identity(authtest.Demo, acme())
				change(&i)
				return errors.Join(err, tx.PutIdentity(i))
			})
		}
	}
	for name, tt := range map[string]struct {
		setup  func(*auth.Setup)
		change func(t *testing.T, e *authtest.Env)
		want   auth.Code
	}{
		"accepted":  {nil, nil, none},
		"switched":  {authtest.Settings(func(s *auth.Settings) { s.MultiIdentity = false }), nil, auth.CodeRootExists},
		"suspended": {nil, func(t *testing.T, e *authtest.Env) { wantCode(t, e.Suspend(t.Context(), authtest.Demo, rita), none) }, auth.CodeRootInactive},
		"of a suspended identity": {nil, func(t *testing.T, e *authtest.Env) {
			wantCode(t, e.SuspendIdentity(t.Context(), authtest.Demo, acme(), "ACCOUNT_REVIEW"), none)
		}, auth.CodeRootInactive},
		"unverified": {func(s *auth.Setup) {
			for i := range s.Tenants[0].Users {
				s.Tenants[0].Users[i].EmailVerified = false
			}
		}, nil, auth.CodeRootUnverified},
		"unapproved":      {nil, change(func(i *auth.Identity) { i.Diligence = auth.DiligencePending }), auth.CodeDiligenceMissing},
		"another profile": {nil, change(func(i *auth.Identity) { i.Profile = "7002" }), auth.CodeRootProfile},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var changes []func(*auth.Setup)
			if tt.setup != nil {
				changes = append(changes, tt.setup)
			}
			e := office(t, changes...)
			change(func(i *auth.Identity) { i.Diligence, i.Profile = auth.DiligenceApproved, "7001" })(t, e)
			if tt.change != nil {
				tt.change(t, e)
			}
			o, err := e.CreateIdentity(t.Context(), e.Key(), fresh(auth.Corporate, "rita"))
			wantCode(t, err, tt.want)
			if tt.want != none {
				return
			}
			if !o.PasswordSet || o.Root.User.ID != rita || o.Identity.Ref.ID == string(rita) || o.Root.User.Phone != "+35699000001" {
				t.Errorf("got %+v, want her as she was with one more corporate", o)
			}
			l := login(t, e, "rita")
			a, err := e.AccessToken(t.Context(), e.Key(), l.Token, o.Identity.Ref)
			if err != nil || l.Kind != auth.TokenAuth || a.Membership.Credential != auth.Root {
				t.Errorf("got %+v %+v %v", l, a, err)
			}
		})
	}
}

// TestOneOfManyFounders: of parallel calls for one address one makes an identity.
func TestOneOfManyFounders(t *testing.T) {
	t.Parallel()
	e := office(t)
	const n = 8
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { _, errs[i] = e.CreateIdentity(t.Context(), e.Key(), fresh(auth.Consumer, "founder")) })
	}
	wg.Wait()
	made := 0
	for _, err := range errs {
		switch codeOf(err) {
		case none:
			made++
		case auth.CodeConsumerExists, auth.CodeRootExists:
		default:
			t.Errorf("got %v", err)
		}
	}
	if made != 1 {
		t.Errorf("got %d identities, want 1", made)
	}
}

func TestOwnIdentity(t *testing.T) {
	t.Parallel()
	e := office(t)
	for name, want := range map[string]struct {
		root auth.UserID
		code auth.Code
	}{
		"rita": {rita, none}, "rosa": {rosa, none}, "adam": {rita, none}, "agnes": {rita, none}, "mel": {"", auth.CodeNotPermitted},
	} {
		o, err := e.OwnIdentity(t.Context(), e.Key(), tokenFor(t, e, name), auth.Corporate)
		if codeOf(err) != want.code || o.Root.User.ID != want.root {
			t.Errorf("%s: got %v %v, want %v", name, o.Root.User.ID, err, want)
		}
		_, err = e.OwnIdentity(t.Context(), e.Key(), tokenFor(t, e, name), auth.Consumer)
		wantCode(t, err, auth.CodeNotPermitted)
	}
}

func TestChangeRoot(t *testing.T) {
	t.Parallel()
	e := office(t)
	token := raised(t, e, "rita")
	change := func(token string, in auth.RootChange) error {
		_, err := e.ChangeRoot(t.Context(), e.Key(), token, auth.Corporate, in)
		return err
	}
	person := func(f auth.PersonFields) auth.RootChange { return auth.RootChange{PersonFields: f} }
	wantCode(t, change(tokenFor(t, e, "adam"), person(auth.PersonFields{Tag: text("x")})), auth.CodeNotPermitted) // B-57
	wantCode(t, change(token, auth.RootChange{Countries: []string{"XX"}}), auth.CodeCountryInvalid)
	wantCode(t, change(token, person(auth.PersonFields{Email: text("mel@example.com")})), auth.CodeUserExists)
	_, err := e.ChangeRoot(t.Context(), e.Key(), token, auth.Consumer, person(auth.PersonFields{Tag: text("x")}))
	wantCode(t, err, auth.CodeNotPermitted)
	o, err := e.ChangeRoot(t.Context(), e.Key(), token, auth.Corporate, auth.RootChange{
		PersonFields: auth.PersonFields{LastName: text("New"), Tag: text("x")},
		Identity:     func(former string) string { return former + "{}" },
	})
	if err != nil || o.Root.User.Profile.LastName != "New" || o.Root.Membership.Tag != "x" || o.Identity.Details != "{}" || o.Identity.Name != "Acme" {
		t.Errorf("got %+v %v", o, err)
	}
	if got, err := e.OwnIdentity(t.Context(), e.Key(), token, auth.Corporate); err != nil || !cmp.Equal(got.Identity, o.Identity) {
		t.Errorf("got %+v %v, want what was answered", got, err)
	}
}

// TestConsumerIsCalledAsTheirRoot: the name of a consumer is their root user's.
func TestConsumerIsCalledAsTheirRoot(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	token := login(t, e, "ada").Token
	o, err := e.ChangeRoot(t.Context(), e.Key(), token, auth.Consumer, auth.RootChange{PersonFields: auth.PersonFields{LastName: text("King")}})
	if err != nil || o.Identity.Name != "ada King" {
		t.Errorf("got %q %v", o.Identity.Name, err)
	}
}

// TestFrozen: who a root user is stays so once due diligence is approved (contract/multi §2.7).
func TestFrozen(t *testing.T) {
	t.Parallel()
	e := office(t)
	ada := auth.IdentityRef{Type: auth.Consumer, ID: "1001"}
	wantCode(t, errors.Join(e.VerifyIdentity(t.Context(), authtest.Demo, acme()), e.VerifyIdentity(t.Context(), authtest.Demo, ada)), none)
	frozen := []auth.PersonFields{
		{FirstName: text("X")}, {LastName: text("X")}, {Email: text("x@example.com")}, {Phone: phone("+356", "99000088")},
		{Birthday: text("1990-01-01")}, {Details: func(string) string { return `{"address":"elsewhere"}` }},
	}
	for typ, want := range map[auth.IdentityType]auth.Code{auth.Corporate: auth.CodeRootVerified, auth.Consumer: auth.CodeConsumerVerified} {
		token := login(t, e, "ada").Token
		if typ == auth.Corporate {
			token = raised(t, e, "rita")
		}
		for i, f := range frozen {
			_, err := e.ChangeRoot(t.Context(), e.Key(), token, typ, auth.RootChange{PersonFields: f})
			if codeOf(err) != want {
				t.Errorf("%s %d: got %v, want %v", typ, i, err, want)
			}
		}
		free := auth.PersonFields{Tag: text("x"), Locale: text("de"), Brand: text("acme")}
		_, err := e.ChangeRoot(t.Context(), e.Key(), token, typ, auth.RootChange{PersonFields: free})
		wantCode(t, err, none)
	}
}

// TestPhoneCount: a root user's changes are counted, until that is forgotten.
func TestPhoneCount(t *testing.T) {
	t.Parallel()
	e := office(t, authtest.Settings(func(s *auth.Settings) { s.PhoneChanges = 1 }))
	token := tokenFor(t, e, "rosa") // who has no factor, and so no step-up
	change := func(number string, forget bool) error {
		_, err := e.ChangeRoot(t.Context(), e.Key(), token, auth.Corporate, auth.RootChange{
			PersonFields: auth.PersonFields{Phone: phone("+356", number)}, ForgetPhoneCount: forget,
		})
		return err
	}
	wantCode(t, change("99000081", false), none) // her first number
	wantCode(t, change("99000082", false), none)
	wantCode(t, change("99000083", false), auth.CodePhoneChangeLimit)
	wantCode(t, change("99000083", true), none)
	wantCode(t, change("99000084", false), auth.CodePhoneChangeLimit)
}

func TestAskDiligence(t *testing.T) {
	t.Parallel()
	stand := func(d auth.Diligence) func(t *testing.T, e *authtest.Env) {
		return func(t *testing.T, e *authtest.Env) {
			put(t, e, func(tx auth.Tx) error {
				i, err := tx.Identity(authtest.Demo, acme())
				i.Diligence = d
				return errors.Join(err, tx.PutIdentity(i))
			})
		}
	}
	for name, tt := range map[string]struct {
		who    string
		stands auth.Diligence
		want   auth.Code
	}{
		"begun": {"rita", auth.DiligenceNone, none}, "pending": {"rita", auth.DiligencePending, auth.CodeDiligencePending},
		"approved": {"rita", auth.DiligenceApproved, auth.CodeDiligenceApproved}, "rejected": {"rita", auth.DiligenceRejected, auth.CodeDiligenceRejected},
		"of a member": {"adam", auth.DiligencePending, auth.CodeIdentityUnapproved}, "of a member, approved": {"adam", auth.DiligenceApproved, auth.CodeDiligenceApproved},
		"without a number": {"rosa", auth.DiligenceNone, auth.CodePhoneUnverified},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := office(t)
			stand(tt.stands)(t, e)
			token := tokenFor(t, e, tt.who)
			reference, err := e.AskDiligence(t.Context(), e.Key(), token)
			wantCode(t, err, tt.want)
			if tt.want != none {
				return
			}
			events := eventsOf(t, e)
			if last := events[len(events)-1]; last.Kind != auth.EventDiligence || last.Note != "pending "+reference || reference == "" {
				t.Errorf("got %+v, want the reference %s", last, reference)
			}
			_, err = e.AskDiligence(t.Context(), e.Key(), token)
			wantCode(t, err, auth.CodeDiligencePending)
		})
	}
	e := office(t)
	_, err := e.ChangeMember(t.Context(), e.Key(), tokenFor(t, e, "mel"), mel, auth.PersonFields{Email: text("x@example.com")})
	_, err2 := e.AskDiligence(t.Context(), e.Key(), tokenBy(t, e, "x@example.com"))
	if err != nil || codeOf(err2) != auth.CodeEmailUnverified {
		t.Errorf("got %v %v, want the address unverified", err, err2)
	}
}

// tokenBy logs in by an address, with nothing but the password.
func tokenBy(t testing.TB, e *authtest.Env, email string) string {
	t.Helper()
	in := byEmail("", authtest.Password)
	in.Identifier = email
	l, err := e.LoginPassword(t.Context(), e.Key(), in)
	if err != nil {
		t.Fatal(err)
	}
	return l.Token
}

func TestRolesAreNumbered(t *testing.T) {
	t.Parallel()
	for _, r := range auth.Roles() {
		for _, name := range []string{string(r), r.ID()} {
			if got, ok := auth.RoleNamed(name); !ok || got != r {
				t.Errorf("%s: got %v %t", name, got, ok)
			}
		}
	}
	for _, name := range []string{"", "0", "6", "admin", "KING"} {
		if got, ok := auth.RoleNamed(name); ok {
			t.Errorf("%s: got %v", name, got)
		}
	}
	if ids := []string{auth.RoleCardAssignee.ID(), auth.RoleAdmin.ID()}; !slices.Equal(ids, []string{"1", "5"}) {
		t.Errorf("got %v", ids)
	}
}
