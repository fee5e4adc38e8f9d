package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
)

// testPutUser changes all that PutUser changes, and looks at what it leaves.
func testPutUser(t *testing.T, s auth.Store) {
	w := added(t, s, newWorld("demo"))
	write(t, s, func(tx auth.Writes) error {
		email := auth.Identifier{Tenant: "demo", Kind: auth.ByEmail, Canonical: "b", User: "18"}
		return tx.AddUser(auth.User{Tenant: "demo", ID: "18"}, []auth.Identifier{email})
	})
	want := auth.User{
		Tenant: "demo", ID: "17", Status: w.user.Status, StatusChangedAt: w.user.StatusChangedAt, Epoch: w.user.Epoch, Email: "New@example.com",
		Username: "new", Profile: auth.Profile{FirstName: "New"}, CreatedAt: at(20), UpdatedAt: at(21), EmailChangedAt: at(22), PhoneChanges: 9,
	}
	written := want
	written.Status, written.StatusChangedAt, written.Epoch = auth.UserPending, at(28), 99
	email := auth.Identifier{Tenant: "demo", Kind: auth.ByEmail, Canonical: "new@example.com", User: "17"}
	phone := w.identifiers[1]
	put := func(ids ...auth.Identifier) error {
		return s.Write(t.Context(), func(tx auth.Writes) error { return tx.PutUser(written, ids) })
	}
	if err := put(email, phone); err != nil {
		t.Fatal(err)
	}
	taken := auth.Identifier{Tenant: "demo", Kind: auth.ByEmail, Canonical: "b", User: "17"}
	if err := put(taken, phone); !errors.Is(err, auth.ErrExists) {
		t.Errorf("another's identifier: got %v, want ErrExists", err)
	}
	got := read(t, s, func(r auth.Reads) (auth.Account, error) { return r.AccountByUser("demo", "17") }).User
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("user (-want +got):\n%s", diff)
	}
	for i, user := range map[auth.Identifier]auth.UserID{email: "17", phone: "17", w.identifiers[0]: "", taken: "18"} {
		a := read(t, s, func(r auth.Reads) (auth.Account, error) {
			return r.AccountByIdentifier("demo", i.Kind, i.Canonical, "phantom")
		})
		if a.User.ID != user {
			t.Errorf("%s %s: got user %q, want %q", i.Kind, i.Canonical, a.User.ID, user)
		}
	}
}

// testPutIdentity replaces an identity and a membership of it.
func testPutIdentity(t *testing.T, s auth.Store) {
	w := added(t, s, newWorld("demo"))
	identity := auth.Identity{Tenant: "demo", Ref: w.identity.Ref, Name: "New", Details: "{}", CreatedAt: at(20)}
	membership := w.membership
	membership.Roles, membership.Tag, membership.SuspendedAt = nil, "", time.Time{}
	written := membership
	written.Credential, written.Position, written.LastUsedAt = auth.Member, 99, at(28)
	write(t, s, func(tx auth.Writes) error {
		return steps(func() error { return tx.PutIdentity(identity) }, func() error { return tx.PutMembership(written) })
	})
	changed := read(t, s, func(r auth.Reads) (auth.Identity, error) { return r.Identity("demo", w.identity.Ref) })
	if diff := cmp.Diff(identity, changed); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
	membership.Identity = identity
	membership.Identity.Details = ""
	got := read(t, s, func(r auth.Reads) (auth.Account, error) { return r.AccountByUser("demo", "17") }).Memberships
	if diff := cmp.Diff([]auth.Membership{membership}, got); diff != "" {
		t.Errorf("memberships (-want +got):\n%s", diff)
	}
}

// company is an identity with members in the reverse order of their ids, who differ in all that a filter asks for.
func company(tx auth.Writes) error {
	i := auth.Identity{Tenant: "demo", Ref: auth.IdentityRef{Type: auth.Corporate, ID: "1"}}
	other := auth.Identity{Tenant: "demo", Ref: auth.IdentityRef{Type: auth.Corporate, ID: "2"}}
	if err := steps(
		func() error { return tx.PutTenant(auth.Tenant{ID: "demo"}) },
		func() error { return tx.AddIdentity(i) },
		func() error { return tx.AddIdentity(other) },
	); err != nil {
		return err
	}
	for n, m := range []auth.Membership{
		{Credential: auth.Root},
		{Credential: auth.Member, Tag: "a", Roles: []auth.Role{"ADMIN"}},
		{Credential: auth.Member, Tag: "a", Roles: []auth.Role{"CARDS", "FUNDS"}, SuspendedAt: at(3)},
		{Credential: auth.Member, Tag: "b", Roles: []auth.Role{"CARD", "ADMIN"}},
		{Credential: auth.Member},
		{Credential: auth.Member, Identity: other},
	} {
		u := auth.User{Tenant: "demo", ID: auth.UserID(fmt.Sprint(9 - n)), Status: auth.UserActive, CreatedAt: at(n/2 + 1)}
		if n == 4 {
			u.Status = auth.UserSuspended
		}
		m.Tenant, m.User = "demo", u.ID
		if m.Identity.Ref.IsZero() {
			m.Identity = i
		}
		email := auth.Identifier{Tenant: "demo", Kind: auth.ByEmail, Canonical: fmt.Sprint(n), User: u.ID}
		if err := steps(
			func() error { return tx.AddUser(u, []auth.Identifier{email}) },
			func() error { return tx.AddMembership(m) },
		); err != nil {
			return err
		}
	}
	return nil
}

// testPeople lists and counts the people of an identity by each filter.
func testPeople(t *testing.T, s auth.Store) {
	write(t, s, company)
	yes, no := true, false
	for _, c := range []struct {
		filter auth.PersonFilter
		want   string
		count  int
	}{
		{auth.PersonFilter{}, "[8 9 6 7 5]", 5},
		{auth.PersonFilter{Limit: 2}, "[8 9]", 5},
		{auth.PersonFilter{Offset: 3}, "[7 5]", 5},
		{auth.PersonFilter{Offset: 1, Limit: 3}, "[9 6 7]", 5},
		{auth.PersonFilter{Offset: 9, Limit: 3}, "[]", 5},
		{auth.PersonFilter{Credential: auth.Root}, "[9]", 1},
		{auth.PersonFilter{Active: &yes}, "[8 9 6]", 3},
		{auth.PersonFilter{Active: &no}, "[7 5]", 2},
		{auth.PersonFilter{Email: "3"}, "[6]", 1},
		{auth.PersonFilter{Email: "5"}, "[]", 0},
		{auth.PersonFilter{Tag: "a"}, "[8 7]", 2},
		{auth.PersonFilter{Roles: []auth.Role{"ADMIN"}}, "[8 6]", 2},
		{auth.PersonFilter{Roles: []auth.Role{"CARD"}}, "[6]", 1},
		{auth.PersonFilter{Roles: []auth.Role{"CARD", "FUNDS"}}, "[6 7]", 2},
		{auth.PersonFilter{Roles: []auth.Role{"AD", "NONE"}}, "[]", 0},
		{
			auth.PersonFilter{
				Tag: "a", Roles: []auth.Role{"ADMIN", "FUNDS"}, Active: &yes, Credential: auth.Member, Email: "1", Limit: 1,
			}, "[8]", 1,
		},
	} {
		var people []auth.Person
		var count int
		view(t, s, func(r auth.Reads) (err error) {
			people, count, err = r.People("demo", auth.IdentityRef{Type: auth.Corporate, ID: "1"}, c.filter)
			return err
		})
		var ids []auth.UserID
		for _, p := range people {
			ids = append(ids, p.User.ID)
		}
		if fmt.Sprint(ids) != c.want || count != c.count {
			t.Errorf("%+v: got %v of %d, want %s of %d", c.filter, ids, count, c.want, c.count)
		}
	}
}

// testAuthenticators replaces one and deletes it.
func testAuthenticators(t *testing.T, s auth.Store) {
	w := added(t, s, newWorld("demo"))
	sms := auth.Authenticator{Tenant: "demo", ID: "sms", User: "17", Kind: auth.AuthenticatorSMS, Channel: auth.ChannelSMS, CreatedAt: at(20)}
	want := auth.Authenticator{
		Tenant: "demo", ID: "dev-1", User: "17", Kind: auth.AuthenticatorDevice, Channel: auth.ChannelAuthy, Status: auth.AuthenticatorPending,
		CreatedAt: at(9),
	}
	write(t, s, func(tx auth.Writes) error {
		return steps(func() error { return tx.AddAuthenticator(sms) }, func() error { return tx.PutAuthenticator(want) })
	})
	list := func(r auth.Reads) ([]auth.Authenticator, error) { return r.Authenticators("demo", "17") }
	if diff := cmp.Diff([]auth.Authenticator{want, sms}, read(t, s, list)); diff != "" {
		t.Errorf("replaced (-want +got):\n%s", diff)
	}
	want.Channel = auth.ChannelSMS
	err := s.Write(t.Context(), func(tx auth.Writes) error { return tx.PutAuthenticator(want) })
	if !errors.Is(err, auth.ErrExists) {
		t.Errorf("a second one of the channel: got %v, want ErrExists", err)
	}
	for i, done := range []bool{true, false} {
		if got := move(t, s, func(tx auth.Writes) (bool, error) { return tx.DropAuthenticator("demo", w.authenticator.ID) }); got != done {
			t.Errorf("drop %d: got %t, want %t", i+1, got, done)
		}
	}
	if diff := cmp.Diff([]auth.Authenticator{sms}, read(t, s, list)); diff != "" {
		t.Errorf("dropped (-want +got):\n%s", diff)
	}
}

// testStepUp steps a token up, until it is used or its session ends.
func testStepUp(t *testing.T, s auth.Store) {
	w := added(t, s, live("demo"))
	used, orphan := w.token, w.token
	used.Hash, orphan.Hash, orphan.Session = digest("used"), digest("orphan"), "none"
	write(t, s, func(tx auth.Writes) error {
		return steps(func() error { return tx.AddToken(used) }, func() error { return tx.AddToken(orphan) })
	})
	up := func(h auth.TokenHash, day int) bool {
		return move(t, s, func(tx auth.Writes) (bool, error) { return tx.StepUpToken(h, at(day)) })
	}
	move(t, s, func(tx auth.Writes) (bool, error) { return tx.UseToken(used.Hash, at(17)) })
	if !up(w.token.Hash, 20) || up(used.Hash, 20) || up(orphan.Hash, 20) {
		t.Error("want a token stepped up, but neither a used one nor one without a session")
	}
	move(t, s, func(tx auth.Writes) (bool, error) { return tx.EndSession("demo", w.session.ID, at(21), "why") })
	if up(w.token.Hash, 22) {
		t.Error("a token of a session that ended was stepped up")
	}
	got := read(t, s, func(r auth.Reads) (auth.Bearer, error) { return r.Bearer(w.token.Hash) })
	if !got.Token.SteppedUpAt.Equal(at(20)) {
		t.Errorf("got %v, want %v", got.Token.SteppedUpAt, at(20))
	}
}

// testTOTPs replaces an authenticator of codes by its version, and deletes it.
func testTOTPs(t *testing.T, s auth.Store) {
	added(t, s, newWorld("demo"))
	want := auth.TOTP{Tenant: "demo", User: "17", Version: 4, Label: "New", Sealed: []byte{7}, Step: 9, CreatedAt: at(20)}
	for _, step := range []struct {
		from int64
		done bool
	}{{0, false}, {2, false}, {3, true}, {3, false}} {
		if got := move(t, s, func(tx auth.Writes) (bool, error) { return tx.PutTOTP(want, step.from) }); got != step.done {
			t.Errorf("from %d: got %t, want %t", step.from, got, step.done)
		}
	}
	got := read(t, s, func(r auth.Reads) (auth.TOTP, error) { return r.TOTP("demo", "17") })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, done := range []bool{true, false} {
		if got := move(t, s, func(tx auth.Writes) (bool, error) { return tx.DropTOTP("demo", "17") }); got != done {
			t.Errorf("drop: got %t, want %t", got, done)
		}
	}
}

// testSessionsOf lists the sessions of one user of one tenant and surface that were not ended, the latest seen first.
func testSessionsOf(t *testing.T, s auth.Store) {
	added(t, s, live("demo"))
	added(t, s, live("rival"))
	write(t, s, func(tx auth.Writes) error {
		session := func(id auth.SessionID, user auth.UserID, surface auth.Surface, seen int) func() error {
			return func() error {
				return tx.AddSession(auth.Session{Tenant: "demo", ID: id, User: user, Surface: surface, SeenAt: at(seen)})
			}
		}
		return steps(
			session("old", "18", auth.SurfaceCIS, 1), session("new", "18", auth.SurfaceCIS, 3), session("middle", "18", auth.SurfaceCIS, 2),
			session("multi", "18", auth.SurfaceMulti, 4), session("other", "19", auth.SurfaceCIS, 5), session("ended", "18", auth.SurfaceCIS, 6),
		)
	})
	move(t, s, func(tx auth.Writes) (bool, error) { return tx.EndSession("demo", "ended", at(7), "why") })
	for n, want := range map[int][]auth.SessionID{2: {"new", "middle"}, 9: {"new", "middle", "old"}} {
		var got []auth.SessionID
		for _, session := range read(t, s, func(r auth.Reads) ([]auth.Session, error) {
			return r.SessionsOf("demo", "18", auth.SurfaceCIS, n)
		}) {
			got = append(got, session.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d sessions (-want +got):\n%s", n, diff)
		}
	}
}
