package storetest

import (
	"countersign/internal/jose"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
)

// testRoundTrip writes one row of everything and reads it back through every verb that returns it.
func testRoundTrip(t *testing.T, s auth.Store) {
	w := added(t, s, newWorld("demo"))
	write(t, s, func(tx auth.Writes) error { return tx.SetMeta("key", "value") })
	if !move(t, s, func(tx auth.Writes) (bool, error) { return tx.RevokeRefreshFamily(w.root.Hash, at(17)) }) {
		t.Error("the family was revoked before")
	}
	write(t, s, func(tx auth.Writes) error { return tx.RaiseRevokedUntil(at(18)) })
	directory := read(t, s, auth.Reads.Directory)
	liveSession := auth.LiveSession{
		Session: w.session, User: w.user, LockedUntil: w.attempts.LockedUntil,
		SucceededAt: w.attempts.SucceededAt, Revision: directory.Revision,
		Memberships: []auth.Membership{w.membership},
	}
	account := auth.Account{
		Found: true, Revision: directory.Revision, User: w.user, Password: w.password, Memberships: liveSession.Memberships,
		Subject: auth.SubjectOf(w.user.ID), Attempts: w.attempts,
	}
	same(t, "Directory", directory, auth.Directory{
		Revision: directory.Revision, Tenants: []auth.Tenant{w.tenant}, APIKeys: []auth.APIKey{w.apiKey},
		ProgrammeKeys: []auth.ProgrammeKey{w.programmeKey}, Applications: []auth.Application{w.app},
		Resources: []auth.Resource{w.resource}, Roles: []auth.AppRole{w.role}, Clients: []auth.Client{w.client}, SigningKeys: []auth.SigningKey{w.signingKey},
		AppKeys: []auth.AppKey{w.appKey},
		Shapes:  map[auth.TenantID][]string{"demo": {w.password.Shape}}, RevokedUntil: at(18),
	})
	same(t, "Revision", read(t, s, auth.Reads.Revision), directory.Revision)
	same(t, "Meta", read(t, s, func(r auth.Reads) (string, error) { return r.Meta("key") }), "value")
	same(t, "Identity", read(t, s, func(r auth.Reads) (auth.Identity, error) { return r.Identity("demo", w.identity.Ref) }), w.identity)
	organizations := read(t, s, func(r auth.Reads) ([]auth.Identity, error) {
		found, _, err := r.Organizations("demo", auth.OrganizationFilter{})
		return found, err
	})
	organizations[0].Details = w.identity.Details // which is not read with a list
	same(t, "Organizations", organizations, []auth.Identity{w.identity})
	for _, id := range w.identifiers {
		same(t, "AccountByIdentifier "+string(id.Kind), read(t, s, func(r auth.Reads) (auth.Account, error) {
			return r.AccountByIdentifier("demo", id.Kind, id.Canonical, "phantom")
		}), account)
	}
	same(t, "AccountByUser", read(t, s, func(r auth.Reads) (auth.Account, error) { return r.AccountByUser("demo", w.user.ID) }), account)
	same(t, "Attempts", read(t, s, func(r auth.Reads) (auth.Attempts, error) {
		return r.Attempts("demo", auth.SubjectOf(w.user.ID), auth.AttemptPassword)
	}), w.attempts)
	same(t, "Authenticators", read(t, s, func(r auth.Reads) ([]auth.Authenticator, error) {
		return r.Authenticators("demo", w.user.ID)
	}), []auth.Authenticator{w.authenticator})
	same(t, "TOTP", read(t, s, func(r auth.Reads) (auth.TOTP, error) { return r.TOTP("demo", w.user.ID) }), w.totp)
	same(t, "Session", read(t, s, func(r auth.Reads) (auth.LiveSession, error) { return r.Session("demo", w.session.ID) }), liveSession)
	same(t, "Bearer", read(t, s, func(r auth.Reads) (auth.Bearer, error) { return r.Bearer(w.token.Hash) }), auth.Bearer{
		Token: w.token, LiveSession: liveSession,
	})
	for name, token := range map[string]auth.RefreshToken{"Refresh leaf": w.leaf, "Refresh root": w.root} {
		same(t, name, read(t, s, func(r auth.Reads) (auth.LiveRefresh, error) { return r.Refresh(token.Hash) }), auth.LiveRefresh{
			Token: token, FamilyEndsAt: w.root.ExpiresAt, RevokedAt: at(17), LiveSession: liveSession,
		})
	}
	testRoundTripOfClients(t, s, w)
	testRoundTripOfChallenges(t, s, w)
	same(t, "Events", read(t, s, func(r auth.Reads) ([]auth.Event, error) { return r.Events("demo", "", 10) }), []auth.Event{w.event})
}

// testRoundTripOfClients reads what clients use once.
func testRoundTripOfClients(t *testing.T, s auth.Store, w world) {
	same(t, "PushedRequest", read(t, s, func(r auth.Reads) (auth.PushedRequest, error) { return r.PushedRequest(w.pushed.Hash) }), w.pushed)
	same(t, "Grant", read(t, s, func(r auth.Reads) (auth.Grant, error) { return r.Grant(w.grant.Hash) }), w.grant)
	same(t, "Party", read(t, s, func(r auth.Reads) (auth.Party, error) { return r.Party("demo", w.party.Session) }), w.party)
}

func testRoundTripOfChallenges(t *testing.T, s auth.Store, w world) {
	same(t, "UserKey", read(t, s, func(r auth.Reads) (auth.UserKey, error) {
		return r.UserKey("demo", w.user.ID, w.key.Use, w.key.ID)
	}), w.key)
	same(t, "Challenge", read(t, s, func(r auth.Reads) (auth.Challenge, error) { return r.Challenge("demo", "900") }), w.challenge)
	for _, session := range []auth.SessionID{"", w.session.ID} {
		same(t, "LatestChallenge", read(t, s, func(r auth.Reads) (auth.Challenge, error) {
			return r.LatestChallenge("demo", w.challenge.Subject, w.challenge.Purpose, session, "")
		}), w.challenge)
	}
	if !move(t, s, func(tx auth.Writes) (bool, error) { return tx.UseTicket(w.ticket.Hash, w.ticket.UsedAt) }) {
		t.Error("the ticket was used before")
	}
	same(t, "Ticket", read(t, s, func(r auth.Reads) (auth.Ticket, error) { return r.Ticket(w.ticket.Hash) }), w.ticket)
	if diff := cmp.Diff(w.device, read(t, s, func(r auth.Reads) (auth.Device, error) { return r.Device(w.device.ID) }), cmp.Comparer(jose.PublicKey.Equal)); diff != "" {
		t.Errorf("Device (-want +got):\n%s", diff)
	}
	same(t, "Approval", read(t, s, func(r auth.Reads) (auth.Approval, error) { return r.Approval("demo", "900") }), w.approval)
	same(t, "Link", read(t, s, func(r auth.Reads) (auth.DynamicLink, error) { return r.Link("demo", w.link.Ref) }), w.link)
	same(t, "Parcels", read(t, s, func(r auth.Reads) ([]auth.Parcel, error) { return r.Parcels(auth.ParcelFilter{}, 9) }),
		[]auth.Parcel{w.parcel})
	same(t, "Answer", read(t, s, func(r auth.Reads) (auth.Answer, error) { return r.Answer(w.answer.OnceKey) }), w.answer)
	same(t, "People", read(t, s, func(r auth.Reads) (people []auth.Person, err error) {
		people, _, err = r.People("demo", w.identity.Ref, auth.PersonFilter{})
		return people, err
	}), []auth.Person{{User: w.user, Membership: w.membership}})
}

// same compares what was read with what was written, of which no field may be zero, since a zero field proves nothing.
func same[T any](t *testing.T, name string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
	zero := slices.DeleteFunc(zeroFields(reflect.ValueOf(want), name), func(field string) bool {
		return strings.HasSuffix(field, ".Memberships.Identity.Details") || strings.HasSuffix(field, ".Membership.Identity.Details")
	})
	if len(zero) > 0 {
		t.Errorf("the fixture leaves fields at zero: %s", strings.Join(zero, ", "))
	}
	if zones := otherZones(reflect.ValueOf(got), name); len(zones) > 0 {
		t.Errorf("times that are not in UTC: %s", strings.Join(zones, ", "))
	}
}

// zeroFields lists the fields below v that are zero.
func zeroFields(v reflect.Value, name string) []string {
	if v.IsZero() {
		return []string{name}
	}
	return below(v, name, zeroFields)
}

// otherZones lists the times below v that are not in UTC.
func otherZones(v reflect.Value, name string) []string {
	if at, ok := v.Interface().(time.Time); ok && at.Location() != time.UTC {
		return []string{name}
	}
	return below(v, name, otherZones)
}

// below applies find to what v is made of.
func below(v reflect.Value, name string, find func(reflect.Value, string) []string) []string {
	var found []string
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			found = append(found, find(v.Field(i), name+"."+v.Type().Field(i).Name)...)
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8:
		for i := range v.Len() {
			found = append(found, find(v.Index(i), name)...)
		}
	}
	return found
}

// testZeroValues writes rows of which only the key is set.
func testZeroValues(t *testing.T, s auth.Store) {
	w := world{
		tenant:       auth.Tenant{ID: "t"},
		apiKey:       auth.APIKey{Tenant: "t"},
		programmeKey: auth.ProgrammeKey{Tenant: "t"},
		app:          auth.Application{Tenant: "t"}, resource: auth.Resource{Tenant: "t"}, role: auth.AppRole{Tenant: "t"},
		client: auth.Client{Tenant: "t"}, appKey: auth.AppKey{Tenant: "t"},
		user:        auth.User{Tenant: "t", ID: "u"},
		identifiers: []auth.Identifier{{Tenant: "t", User: "u"}}, attempts: auth.Attempts{},
		identity:      auth.Identity{Tenant: "t"},
		membership:    auth.Membership{Tenant: "t", User: "u", Identity: auth.Identity{Tenant: "t"}},
		authenticator: auth.Authenticator{Tenant: "t", User: "u"},
		totp:          auth.TOTP{Tenant: "t", User: "u"},
		key:           auth.UserKey{Tenant: "t", User: "u"},
		password:      auth.Password{Tenant: "t", User: "u"},
		session:       auth.Session{Tenant: "t", User: "u"},
		token:         auth.Token{Tenant: "t"}, root: auth.RefreshToken{Tenant: "t"}, leaf: auth.RefreshToken{Tenant: "t", Hash: digest("leaf")},
		event:     auth.Event{Tenant: "t", ID: "1"},
		challenge: auth.Challenge{Tenant: "t", Version: 1},
		link:      auth.DynamicLink{Tenant: "t"},
		parcel:    auth.Parcel{Tenant: "t"},
		answer:    auth.Answer{OnceKey: auth.OnceKey{Tenant: "t"}},
	}
	w.addDevice("t") // no key is zero
	w.device.User, w.ticket, w.approval = "u", auth.Ticket{Tenant: "t"}, auth.Approval{Tenant: "t"}
	added(t, s, w)
	equal := func(name string, got, want any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	d := read(t, s, auth.Reads.Directory)
	equal("Directory", d, auth.Directory{
		Revision: d.Revision, Tenants: []auth.Tenant{w.tenant}, APIKeys: []auth.APIKey{w.apiKey},
		ProgrammeKeys: []auth.ProgrammeKey{w.programmeKey}, Applications: []auth.Application{w.app},
		Resources: []auth.Resource{w.resource}, Roles: []auth.AppRole{w.role}, Clients: []auth.Client{w.client}, SigningKeys: []auth.SigningKey{w.signingKey},
		AppKeys: []auth.AppKey{w.appKey},
		Shapes:  map[auth.TenantID][]string{"t": {""}},
	})
	live := auth.LiveSession{Session: w.session, User: w.user, Revision: d.Revision, Memberships: []auth.Membership{w.membership}}
	equal("AccountByUser", read(t, s, func(r auth.Reads) (auth.Account, error) { return r.AccountByUser("t", "u") }), auth.Account{
		Found: true, Revision: d.Revision, User: w.user, Password: w.password, Memberships: live.Memberships, Subject: auth.SubjectOf("u"),
	})
	equal("Session", read(t, s, func(r auth.Reads) (auth.LiveSession, error) { return r.Session("t", "") }), live)
	equal("Bearer", read(t, s, func(r auth.Reads) (auth.Bearer, error) { return r.Bearer(auth.TokenHash{}) }),
		auth.Bearer{Token: w.token, LiveSession: live})
	equal("Refresh", read(t, s, func(r auth.Reads) (auth.LiveRefresh, error) { return r.Refresh(auth.TokenHash{}) }),
		auth.LiveRefresh{Token: w.root, LiveSession: live})
	equal("Authenticators", read(t, s, func(r auth.Reads) ([]auth.Authenticator, error) { return r.Authenticators("t", "u") }),
		[]auth.Authenticator{w.authenticator})
	equal("TOTP", read(t, s, func(r auth.Reads) (auth.TOTP, error) { return r.TOTP("t", "u") }), w.totp)
	equal("UserKey", read(t, s, func(r auth.Reads) (auth.UserKey, error) { return r.UserKey("t", "u", "", "") }), w.key)
	equal("Challenge", read(t, s, func(r auth.Reads) (auth.Challenge, error) { return r.Challenge("t", "") }), w.challenge)
	equal("Link", read(t, s, func(r auth.Reads) (auth.DynamicLink, error) { return r.Link("t", auth.LinkRef{}) }), w.link)
	equal("Parcels", read(t, s, func(r auth.Reads) ([]auth.Parcel, error) { return r.Parcels(auth.ParcelFilter{}, 9) }),
		[]auth.Parcel{w.parcel})
	equal("Answer", read(t, s, func(r auth.Reads) (auth.Answer, error) { return r.Answer(w.answer.OnceKey) }), w.answer)
	equal("Events", read(t, s, func(r auth.Reads) ([]auth.Event, error) { return r.Events("t", "", 9) }), []auth.Event{w.event})
}

// testPutReplaces puts each entry of the directory again with everything but its key changed.
func testPutReplaces(t *testing.T, s auth.Store) {
	added(t, s, newWorld("demo"))
	w := newWorld("demo")
	w.tenant.Name, w.tenant.Mode, w.tenant.Settings, w.tenant.Webhook = "New", auth.ModeLive, auth.DefaultSettings(), auth.Webhook{}
	w.apiKey.Name, w.apiKey.Hash, w.apiKey.Sealed, w.apiKey.RevokedAt = "New", digest("new"), []byte{9}, time.Time{}
	w.client.Secrets, w.client.Alg, w.client.DisabledAt, w.client.AccessTokenFor = nil, "", time.Time{}, 0
	w.app = auth.Application{Tenant: "demo", ID: w.app.ID, Name: "New"}
	w.resource, w.role = auth.Resource{Tenant: "demo", ID: w.resource.ID, Name: "New"}, auth.AppRole{Tenant: "demo", ID: w.role.ID, Name: "New"}
	w.client.Kind, w.client.AppID, w.client.AppName, w.client.Claims = auth.ClientApplication, "new", "New", []string{"one"}
	w.signingKey.RetireAt, w.signingKey.ActiveAt, w.signingKey.Public, w.signingKey.Sealed = time.Time{}, at(20), "{}", []byte{8}
	w.appKey = auth.AppKey{Tenant: "demo", ID: w.appKey.ID, Name: "New"}
	write(t, s, func(tx auth.Writes) error {
		return steps(
			func() error { return tx.PutTenant(w.tenant) },
			func() error { return tx.PutAPIKey(w.apiKey) },
			func() error { return tx.PutProgrammeKey(w.programmeKey) },
			func() error { return tx.PutApplication(w.app) },
			func() error { return tx.PutResource(w.resource) },
			func() error { return tx.PutRole(w.role) },
			func() error { return tx.PutClient(w.client) },
			func() error { return tx.PutSigningKey(w.signingKey) },
			func() error { return tx.PutAppKey(w.appKey) },
			func() error { return tx.SetMeta("k", "1") },
			func() error { return tx.SetMeta("k", "2") },
		)
	})
	got := read(t, s, auth.Reads.Directory)
	want := auth.Directory{
		Revision: got.Revision, Tenants: []auth.Tenant{w.tenant}, APIKeys: []auth.APIKey{w.apiKey},
		ProgrammeKeys: []auth.ProgrammeKey{w.programmeKey}, Applications: []auth.Application{w.app},
		Resources: []auth.Resource{w.resource}, Roles: []auth.AppRole{w.role}, Clients: []auth.Client{w.client}, SigningKeys: []auth.SigningKey{w.signingKey},
		AppKeys: []auth.AppKey{w.appKey},
		Shapes:  got.Shapes,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("directory (-want +got):\n%s", diff)
	}
	if got := read(t, s, func(r auth.Reads) (string, error) { return r.Meta("k") }); got != "2" {
		t.Errorf("meta: got %q, want 2", got)
	}
}

// testEmptyDirectory reads a store that holds nothing.
func testEmptyDirectory(t *testing.T, s auth.Store) {
	d := read(t, s, auth.Reads.Directory)
	if d.Revision < 1 || len(d.Tenants)+len(d.APIKeys)+len(d.ProgrammeKeys)+len(d.Applications)+len(d.Resources)+len(d.Roles)+len(d.Clients)+len(d.SigningKeys)+len(d.AppKeys)+len(d.Shapes) != 0 {
		t.Errorf("got %+v, want nothing but a revision", d)
	}
}

// testRaisedMeta has a note of digits that is never lowered.
func testRaisedMeta(t *testing.T, s auth.Store) {
	for _, c := range []struct{ by, want string }{{"1000", "1000"}, {"0990", "1000"}, {"1000", "1000"}, {"2000", "2000"}, {"1999", "2000"}} {
		write(t, s, func(tx auth.Writes) error { return tx.RaiseMeta("raised", c.by) })
		if got := read(t, s, func(r auth.Reads) (string, error) { return r.Meta("raised") }); got != c.want {
			t.Errorf("after %s: got %s, want %s", c.by, got, c.want)
		}
	}
}
