package auth_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

const enginesID = "2001" // Charles owns it

// manager is who manages members by a token of the back end's: that of a login for an organization, or of none.
func manager(t *testing.T, e *authtest.Env, name, org string) (auth.MemberManager, error) {
	t.Helper()
	in := backend(name, authtest.Password)
	in.OrgID = org
	set, err := e.AuthenticatePassword(t.Context(), e.App(), in)
	if err != nil {
		t.Fatalf("authentication of %s for %s: %v", name, org, err)
	}
	return e.AuthenticateMemberManager(t.Context(), set.AccessToken, auth.Via{})
}

func mustManage(t *testing.T, e *authtest.Env, name, org string) auth.MemberManager {
	t.Helper()
	by, err := manager(t, e, name, org)
	if err != nil {
		t.Fatal(err)
	}
	return by
}

// member makes a user a member of an organization, by a client.
func member(t *testing.T, e *authtest.Env, org, name string, roles ...string) {
	t.Helper()
	in := auth.NewMember{NewUser: auth.NewUser{Username: name}, Roles: roles}
	if _, err := e.AddOrganizationMember(t.Context(), auth.MemberManager{Actor: e.App()}, org, in); err != nil {
		t.Fatalf("add %s: %v", name, err)
	}
}

func newcomer(email string, roles ...string) auth.NewMember {
	return auth.NewMember{NewUser: auth.NewUser{Email: email}, Roles: roles}
}

// memberCalls are the calls about members, each for an organization and a user.
func memberCalls(e *authtest.Env) map[string]func(context.Context, auth.MemberManager, string, auth.UserID) error {
	suspended, name := true, "Mine"
	return map[string]func(context.Context, auth.MemberManager, string, auth.UserID) error{
		"list": func(ctx context.Context, by auth.MemberManager, org string, _ auth.UserID) error {
			_, _, err := e.OrganizationMembers(ctx, by, org, auth.MemberSearch{Limit: 9})
			return err
		},
		"get": func(ctx context.Context, by auth.MemberManager, org string, id auth.UserID) error {
			_, err := e.OrganizationMember(ctx, by, org, id)
			return err
		},
		"add": func(ctx context.Context, by auth.MemberManager, org string, _ auth.UserID) error {
			_, err := e.AddOrganizationMember(ctx, by, org, newcomer("new@example.com"))
			return err
		},
		"suspend": func(ctx context.Context, by auth.MemberManager, org string, id auth.UserID) error {
			return e.ChangeOrganizationMember(ctx, by, org, id, auth.MemberFields{Suspended: &suspended})
		},
		"change": func(ctx context.Context, by auth.MemberManager, org string, id auth.UserID) error {
			edit := func(p *auth.Profile) { p.FirstName = name }
			return e.ChangeMemberUser(ctx, by, org, id, auth.UserFields{Profile: edit})
		},
		"remove": func(ctx context.Context, by auth.MemberManager, org string, id auth.UserID) error {
			return e.RemoveOrganizationMember(ctx, by, org, id)
		},
	}
}

// TestAnAdministratorReachesOneOrganization is and B-57: for an administrator no other organization is there, nor is a user
// who is not its member; a client of another tenant finds neither.
func TestAnAdministratorReachesOneOrganization(t *testing.T) {
	t.Parallel()
	for name := range memberCalls(authtest.New(t)) {

		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := authtest.New(t)
			call := memberCalls(e)[name]
			admin := mustManage(t, e, "charles", enginesID)
			for _, org := range []string{"2002", "9999", "", "1001"} {
				if got := codeOf(call(t.Context(), admin, org, authtest.Charles)); got != auth.CodeNotPermitted {
					t.Errorf("organization %q: got %v, want %v", org, got, auth.CodeNotPermitted)
				}
			}
			rival := auth.MemberManager{Actor: auth.Actor{Tenant: authtest.Rival, Client: "rival-app"}}
			if got := codeOf(call(t.Context(), rival, enginesID, authtest.Charles)); got != auth.CodeNotFound {
				t.Errorf("of another tenant: got %v, want %v", got, auth.CodeNotFound)
			}
			if name == "list" || name == "add" {
				return
			}
			for _, id := range []auth.UserID{authtest.Ada, "9"} {
				if got := codeOf(call(t.Context(), admin, enginesID, id)); got != auth.CodeUserNotFound {
					t.Errorf("user %s: got %v, want %v", id, got, auth.CodeUserNotFound)
				}
			}
		})
	}
}

// TestTheRoleOfAnAdministratorIsReadAnew is A-041: a token that was let in is good for nothing once the role, the membership, the
// organization or the session has gone.
func TestTheRoleOfAnAdministratorIsReadAnew(t *testing.T) {
	t.Parallel()
	suspended, ids := true, []string{"CARD_ASSIGNEE"}
	client := func(e *authtest.Env) auth.MemberManager { return auth.MemberManager{Actor: e.App()} }
	for name, tt := range map[string]struct {
		end  func(ctx context.Context, e *authtest.Env) error
		want auth.Code
	}{
		"role": {func(ctx context.Context, e *authtest.Env) error {
			return e.SetMemberRoles(ctx, e.Admin(), "app", enginesID, authtest.Ada, ids)
		}, auth.CodeNotPermitted},
		"suspended member": {func(ctx context.Context, e *authtest.Env) error {
			return e.ChangeOrganizationMember(ctx, client(e), enginesID, authtest.Ada, auth.MemberFields{Suspended: &suspended})
		}, auth.CodeInvalidToken},
		"removed": {func(ctx context.Context, e *authtest.Env) error {
			return e.RemoveOrganizationMember(ctx, client(e), enginesID, authtest.Ada)
		}, auth.CodeInvalidToken},
		"suspended organization": {func(ctx context.Context, e *authtest.Env) error {
			_, err := e.ChangeOrganization(ctx, e.Admin(), enginesID, auth.OrganizationFields{Suspended: &suspended})
			return err
		}, auth.CodeInvalidToken},
		"deleted organization": {func(ctx context.Context, e *authtest.Env) error {
			return e.DeleteOrganization(ctx, e.Admin(), enginesID)
		},
			auth.CodeInvalidToken},
		"suspended user": {func(ctx context.Context, e *authtest.Env) error { return e.Suspend(ctx, authtest.Demo, authtest.Ada) },
			auth.CodeInvalidToken},
		"other sessions": {func(ctx context.Context, e *authtest.Env) error { return e.DetachUser(ctx, e.App(), authtest.Ada) },
			auth.CodeInvalidToken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := authtest.New(t)
			member(t, e, enginesID, "ada", "organizationAdmin")
			admin := mustManage(t, e, "ada", enginesID)
			if err := tt.end(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			for name, call := range memberCalls(e) {
				if got := codeOf(call(t.Context(), admin, enginesID, authtest.Charles)); got != tt.want {
					t.Errorf("%s: got %v, want %v", name, got, tt.want)
				}
			}
		})
	}
}

// TestWhoIsLetInToManage lets in clients, and users whose token is for an organization that they administer.
func TestWhoIsLetInToManage(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	member(t, e, enginesID, "ada", "ACCESS_MANAGEMENT_ROLE", "CARD_ASSIGNEE")
	for _, tt := range []struct {
		name, org string
		want      auth.Code
	}{
		{"charles", enginesID, none},
		{"charles", "2002", auth.CodeNotPermitted}, // where he is a user without a role
		{"charles", "", auth.CodeInvalidToken},
		{"ada", enginesID, auth.CodeNotPermitted},
	} {
		if _, err := manager(t, e, tt.name, tt.org); codeOf(err) != tt.want {
			t.Errorf("%s for %q: got %v, want %v", tt.name, tt.org, err, tt.want)
		}
	}
}

// TestLinkingNeedsAProvedIdentifier is A-086: a user who is there is linked by what is known to be theirs, and is not changed.
func TestLinkingNeedsAProvedIdentifier(t *testing.T) {
	t.Parallel()
	const unproved = "nobody@example.com"
	for name, tt := range map[string]struct {
		in            auth.NewUser
		client, admin auth.Code
	}{
		"verified address":        {auth.NewUser{Email: "Ada@example.com"}, none, none},
		"username":                {auth.NewUser{Username: "ada"}, none, auth.CodeUserExists},
		"address and username":    {auth.NewUser{Email: "ada@example.com", Username: "ADA"}, none, none},
		"unverified number":       {auth.NewUser{Phone: "+35699111111"}, auth.CodeUserExists, auth.CodeUserExists},
		"number beside address":   {auth.NewUser{Email: "ada@example.com", Phone: "+35699111111"}, none, none},
		"unverified address":      {auth.NewUser{Email: unproved}, auth.CodeUserExists, auth.CodeUserExists},
		"one identifier too many": {auth.NewUser{Email: "ada@example.com", Username: "new"}, auth.CodeUserExists, auth.CodeUserExists},
		"two users":               {auth.NewUser{Email: "ada@example.com", Username: "grace"}, auth.CodeUserExists, auth.CodeUserExists},
		"a member":                {auth.NewUser{Email: "charles@example.com"}, auth.CodeMemberExists, auth.CodeMemberExists},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := authtest.New(t, func(s *auth.Setup) {
				for i := range s.Tenants[0].Users {
					u := &s.Tenants[0].Users[i]
					u.EmailVerified = u.Email != unproved
				}
			})
			before := user(t, e, authtest.Ada)
			in := auth.NewMember{NewUser: tt.in}
			in.Profile.FirstName = "Mallory"
			for by, want := range map[auth.MemberManager]auth.Code{{Actor: e.App()}: tt.client, mustManage(t, e, "charles", enginesID): tt.admin} {
				id, err := e.AddOrganizationMember(t.Context(), by, enginesID, in)
				if codeOf(err) != want {
					t.Errorf("admin %t: got %v, want %v", by.Admin != nil, err, want)
				}
				if err == nil && id != authtest.Ada {
					t.Errorf("got user %s, want Ada", id)
				}
				_ = e.RemoveOrganizationMember(t.Context(), auth.MemberManager{Actor: e.App()}, enginesID, authtest.Ada)
			}
			after := user(t, e, authtest.Ada)
			if after.Profile.FirstName != before.Profile.FirstName || after.Email != before.Email || after.Epoch != before.Epoch {
				t.Errorf("the user was changed: %+v", after)
			}
		})
	}
}

// user reads one of Demo's.
func user(t *testing.T, e *authtest.Env, id auth.UserID) auth.User {
	t.Helper()
	a, err := e.User(t.Context(), e.App(), id)
	if err != nil {
		t.Fatal(err)
	}
	return a.User
}

// TestAnAdministratorGivesNoMoreThanTheirOwn is B-57.
func TestAnAdministratorGivesNoMoreThanTheirOwn(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	member(t, e, enginesID, "ada", "organizationAdmin")
	admin := mustManage(t, e, "ada", enginesID)
	rich := newcomer("rich@example.com")
	rich.Profile.CustomData = `{"tier":"gold"}`
	password := newcomer("pass@example.com")
	password.Password = &auth.NewPassword{Value: seal.NewSecret(authtest.Password)}
	external := newcomer("ext@example.com")
	external.Profile.ExternalUserID = "x"
	suspended := true
	add := func(in auth.NewMember) error {
		return added(e.AddOrganizationMember(t.Context(), admin, enginesID, in))
	}
	for name, tt := range map[string]struct {
		err  error
		want auth.Code
	}{
		"administrator": {add(newcomer("a@example.com", "organizationAdmin")), none},
		"root user":     {add(newcomer("b@example.com", "organizationCreator")), auth.CodeNotPermitted},
		"unknown role":  {add(newcomer("c@example.com", "ROOT")), auth.CodeRoleNotFound},
		"custom data":   {add(rich), auth.CodeNotPermitted},
		"password":      {add(password), auth.CodeNotPermitted},
		"external id":   {add(external), auth.CodeNotPermitted},
		"own membership": {e.ChangeOrganizationMember(t.Context(), admin, enginesID, authtest.Ada, auth.MemberFields{Suspended: &suspended}),
			auth.CodeNotPermitted},
		"root user's":   {e.RemoveOrganizationMember(t.Context(), admin, enginesID, authtest.Charles), auth.CodeNotPermitted},
		"own roles":     {e.SetMemberRoles(t.Context(), admin.Actor, "app", enginesID, authtest.Ada, nil), auth.CodeClientRefused},
		"organizations": {changed(e.CreateOrganization(t.Context(), admin.Actor, auth.NewOrganization{Name: "Mine"})), auth.CodeClientRefused},
	} {
		if codeOf(tt.err) != tt.want {
			t.Errorf("%s: got %v, want %v", name, tt.err, tt.want)
		}
	}
}

func added(_ auth.UserID, err error) error     { return err }
func changed(_ auth.Identity, err error) error { return err }

// TestADomainIsOneOrganizations has a crowd ask for one domain; another tenant may have it too.
func TestADomainIsOneOrganizations(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			in := auth.NewOrganization{Name: string(rune('A' + i)), Domains: []string{"own.example", "ACME.example"}[i%2:]}
			in.Domains = append(in.Domains[:1:1], "acme.example")
			switch _, err := e.CreateOrganization(t.Context(), e.Admin(), in); codeOf(err) {
			case none:
				won.Add(1)
			case auth.CodeOrganizationExists:
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := won.Load(); got != 1 {
		t.Errorf("%d organizations have the domain, want 1", got)
	}
	err := e.Store.Update(t.Context(), func(tx auth.Tx) error {
		return tx.AddIdentity(auth.Identity{
			Tenant: authtest.Rival, Ref: auth.IdentityRef{Type: auth.Corporate, ID: "1"},
			Organization: auth.Organization{Domains: []string{"acme.example"}},
		})
	})
	if err != nil {
		t.Errorf("another tenant's: %v", err)
	}
}

// TestOrganizationChangesAreWholeOrNot has each call of the store fail in turn: what was done and what the events say agree (C-10).
func TestOrganizationChangesAreWholeOrNot(t *testing.T) {
	t.Parallel()
	suspended := true
	for name, tt := range map[string]struct {
		run  func(ctx context.Context, s *auth.Service, by auth.MemberManager, admin auth.Actor) error
		kind auth.EventKind
		done func(a auth.Account) bool // of Ada, who is a member before
	}{
		"add": {func(ctx context.Context, s *auth.Service, by auth.MemberManager, _ auth.Actor) error {
			return added(s.AddOrganizationMember(ctx, by, "2002", auth.NewMember{NewUser: auth.NewUser{Username: "ada"}}))
		}, auth.EventMemberAdded, func(a auth.Account) bool { return len(a.Memberships) == 3 }},
		"suspend": {func(ctx context.Context, s *auth.Service, by auth.MemberManager, _ auth.Actor) error {
			return s.ChangeOrganizationMember(ctx, by, enginesID, authtest.Ada, auth.MemberFields{Suspended: &suspended})
		}, auth.EventMemberSuspended, func(a auth.Account) bool { return !a.Memberships[1].SuspendedAt.IsZero() }},
		"remove": {func(ctx context.Context, s *auth.Service, by auth.MemberManager, _ auth.Actor) error {
			return s.RemoveOrganizationMember(ctx, by, enginesID, authtest.Ada)
		}, auth.EventMemberRemoved, func(a auth.Account) bool { return len(a.Memberships) == 1 }},
		"roles": {func(ctx context.Context, s *auth.Service, _ auth.MemberManager, admin auth.Actor) error {
			return s.SetMemberRoles(ctx, admin, "app", enginesID, authtest.Ada, []string{"CARD_ASSIGNEE"})
		}, auth.EventMemberChanged, func(a auth.Account) bool { return len(a.Memberships[1].Roles) == 1 }},
		"delete": {func(ctx context.Context, s *auth.Service, _ auth.MemberManager, admin auth.Actor) error {
			return s.DeleteOrganization(ctx, admin, enginesID)
		}, auth.EventIdentityDeleted, func(a auth.Account) bool { return len(a.Memberships) == 1 }},
	} {
		for mode, how := range map[when]string{notAtAll: "not at all", rolledBack: "rolled back", committed: "committed"} {
			t.Run(name+"/"+how, func(t *testing.T) {
				t.Parallel()
				for n := 1; ; n++ {
					e := authtest.New(t)
					member(t, e, enginesID, "ada")
					before := count(events(t, e), string(tt.kind))
					faulty := &faultyStore{Store: e.Store, When: mode}
					s := e.Another(t, func(c *auth.Config) { c.Store = faulty })
					faulty.Calls, faulty.Fail = 0, []int{n}
					err := tt.run(t.Context(), s, auth.MemberManager{Actor: e.App()}, e.Admin())
					a, readErr := e.User(t.Context(), e.App(), authtest.Ada)
					if readErr != nil {
						t.Fatal(readErr)
					}
					told := count(events(t, e), string(tt.kind)) == before+1
					if done := tt.done(a); done != told || err == nil && !done {
						t.Fatalf("call %d failed: done %t, event %t, error %v", n, done, told, err)
					}
					if faulty.Calls < n {
						if err != nil {
							t.Errorf("without a fault: %v", err)
						}
						return
					}
					if err != nil && !errors.Is(err, errFault) {
						t.Errorf("call %d: got %v, want the fault", n, err)
					}
				}
			})
		}
	}
}
