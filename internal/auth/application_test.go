package auth_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// makeApp makes an application of Demo, with its first client and the secret of that.
func makeApp(t *testing.T, e *authtest.Env, name string) (auth.AppState, string) {
	t.Helper()
	app, secret, err := e.CreateApplication(t.Context(), e.Admin(), auth.Application{Name: name}, auth.ClientSetup{})
	if err != nil {
		t.Fatal(err)
	}
	return app, secret
}

func refusedWith(t *testing.T, what string, err error, want auth.Code) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// TestSeededClientsHaveApplications: an application is there for every client of kind application, and for no other.
func TestSeededClientsHaveApplications(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	all, err := e.Applications(t.Context(), e.Admin())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range all {
		got = append(got, string(a.ID)+" "+a.Name+" "+string(a.Clients[0].ID))
	}
	if want := []string{"app Demo app", "other Other other"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestApplicationsAreTheTenants: neither an application's own client nor another tenant's administrator gets at any of it.
func TestApplicationsAreTheTenants(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	rival := auth.Actor{Tenant: authtest.Rival, Client: "rival-app"}
	for _, c := range e.Clients(authtest.Rival) {
		rival.Client = c.ID
	}
	for name, by := range map[string]auth.Actor{"own client": e.App(), "client of another tenant": rival} {
		calls := map[string]func() error{
			"list": func() error { _, err := e.Applications(t.Context(), by); return err },
			"get":  func() error { _, err := e.Application(t.Context(), by, "app"); return err },
			"create": func() error {
				_, _, err := e.CreateApplication(t.Context(), by, auth.Application{Name: "New"}, auth.ClientSetup{})
				return err
			},
			"change": func() error {
				_, err := e.ChangeApplication(t.Context(), by, "app", func(*auth.Application) {})
				return err
			},
			"delete": func() error { return e.DeleteApplication(t.Context(), by, "app") },
			"add":    func() error { _, _, err := e.CreateAppClient(t.Context(), by, "app", auth.ClientSetup{}); return err },
			"client": func() error { _, err := e.AppClient(t.Context(), by, "app", "app"); return err },
			"edit": func() error {
				_, err := e.ChangeAppClient(t.Context(), by, "app", "app", func(*auth.ClientSetup) {})
				return err
			},
			"drop":   func() error { return e.DeleteAppClient(t.Context(), by, "app", "app") },
			"rotate": func() error { _, _, err := e.RotateAppClientSecret(t.Context(), by, "app", "app"); return err },
			"retire": func() error { return e.RetireAppClientSecret(t.Context(), by, "app", "app") },
		}
		for call, do := range calls {
			refusedWith(t, name+": "+call, do(), auth.CodeClientRefused)
		}
	}
}

// TestApplicationsOfAnotherTenantAreNotFound: ids of applications and clients are looked up within the tenant.
func TestApplicationsOfAnotherTenantAreNotFound(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	if _, err := e.CreateClient(t.Context(), authtest.Rival, auth.ClientSetup{ID: "boss", Kind: auth.ClientManagement}); err != nil {
		t.Fatal(err)
	}
	rival := auth.Actor{Tenant: authtest.Rival, Client: "boss"}
	_, err := e.Application(t.Context(), rival, "other")
	refusedWith(t, "application", err, auth.CodeAppNotFound)
	all, err := e.Applications(t.Context(), rival)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if a.Tenant != authtest.Rival {
			t.Errorf("listed %s of %s", a.ID, a.Tenant)
		}
		_, err := e.AppClient(t.Context(), rival, a.ID, "other")
		refusedWith(t, "client", err, auth.CodeClientNotFound)
	}
}

// TestDeletedClientIsNobody: its secret and its tokens are refused on every node by the next request (C-28), and its id is not given again.
func TestDeletedClientIsNobody(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	app, secret := makeApp(t, e, "New")
	id := app.Clients[0].ID
	by := auth.Actor{Tenant: authtest.Demo, Client: id}
	token, err := e.ClientToken(t.Context(), by, "")
	if err != nil {
		t.Fatal(err)
	}
	other := e.Another(t, nil)
	if _, err := other.AuthenticateClientToken(t.Context(), token.AccessToken, auth.Via{}); err != nil {
		t.Fatal(err)
	}
	if err := e.DeleteApplication(t.Context(), e.Admin(), app.ID); err != nil {
		t.Fatal(err)
	}
	_, err = e.AuthenticateClientToken(t.Context(), token.AccessToken, auth.Via{})
	refusedWith(t, "token", err, auth.CodeInvalidToken)
	_, err = e.AuthenticateClient(t.Context(), credentials(id, secret), auth.Via{})
	refusedWith(t, "secret", err, auth.CodeUnknownClient)
	_, err = other.User(t.Context(), by, authtest.Ada)
	refusedWith(t, "call on another node", err, auth.CodeUnknownClient)
	_, err = e.CreateClient(t.Context(), authtest.Demo, auth.ClientSetup{ID: id, Kind: auth.ClientApplication})
	if !errors.Is(err, auth.ErrExists) {
		t.Errorf("the id again: got %v, want %v", err, auth.ErrExists)
	}
}

// TestApplicationKeepsOneClient: of two deletions at once one is refused (contract/cis §1.8), and of two applications of a name one.
func TestApplicationKeepsOneClient(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	app, _ := makeApp(t, e, "New")
	second, _, err := e.CreateAppClient(t.Context(), e.Admin(), app.ID, auth.ClientSetup{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var errs, names [2]error
	for i, id := range []auth.ClientID{app.Clients[0].ID, second.ID} {
		wg.Go(func() { errs[i] = e.DeleteAppClient(t.Context(), e.Admin(), app.ID, id) })
		wg.Go(func() {
			_, _, names[i] = e.CreateApplication(t.Context(), e.Admin(), auth.Application{Name: "Twice"}, auth.ClientSetup{})
		})
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs[:]...), auth.CodeLastClient) {
		t.Errorf("got %v, want one refused with %v", errs, auth.CodeLastClient)
	}
	if (names[0] == nil) == (names[1] == nil) || !errors.Is(errors.Join(names[:]...), auth.CodeAppExists) {
		t.Errorf("got %v, want one refused with %v", names, auth.CodeAppExists)
	}
}

// TestDeletedApplicationLeavesItsOrganizations: no list of applications names it any more, and nobody manages in it.
func TestDeletedApplicationLeavesItsOrganizations(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	app, _ := makeApp(t, e, "New")
	with, err := e.CreateOrganization(t.Context(), e.Admin(), auth.NewOrganization{Name: "With", Apps: []string{app.ID, "other"}})
	if err != nil {
		t.Fatal(err)
	}
	without, err := e.CreateOrganization(t.Context(), e.Admin(), auth.NewOrganization{Name: "Without", Apps: []string{"other"}})
	if err != nil {
		t.Fatal(err)
	}
	managed, err := e.CreateManagedOrganization(t.Context(), e.Admin(), without.Ref.ID, app.ID, auth.NewOrganization{Name: "Managed"})
	if err != nil {
		t.Fatal(err)
	}
	before := count(events(t, e), "identity_changed")
	if err := e.DeleteApplication(t.Context(), e.Admin(), app.ID); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string][]string{with.Ref.ID: {"other"}, without.Ref.ID: {"other"}, managed.Ref.ID: {}} {
		o, err := e.Organization(t.Context(), e.Admin(), id, "")
		if err != nil {
			t.Fatal(err)
		}
		if !o.Organization.Limited || !slices.Equal(o.Organization.Apps, want) || o.Organization.Manager != "" || len(o.Manages) != 0 {
			t.Errorf("%s: got %+v, managing %v, want %q", o.Name, o.Organization, o.Manages, want)
		}
	}
	if n := count(events(t, e), "identity_changed") - before; n != 2 {
		t.Errorf("got %d organizations changed by the events, want 2", n)
	}
}
