package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
)

// testRevision finds out which verbs raise the revision of the directory, and that no other does.
func testRevision(t *testing.T, s auth.Store) {
	w := added(t, s, newWorld("demo"))
	revision := read(t, s, auth.Reads.Revision)
	for _, step := range []struct {
		name   string
		raises bool
		verb   func(auth.Writes) error
	}{
		{"PutTenant", true, func(tx auth.Writes) error { return tx.PutTenant(w.tenant) }},
		{"PutAPIKey", true, func(tx auth.Writes) error { return tx.PutAPIKey(w.apiKey) }},
		{"PutProgrammeKey", true, func(tx auth.Writes) error { return tx.PutProgrammeKey(w.programmeKey) }},
		{"PutClient", true, func(tx auth.Writes) error { return tx.PutClient(w.client) }},
		{"PutApplication", true, func(tx auth.Writes) error { return tx.PutApplication(w.app) }},
		{"PutResource", true, func(tx auth.Writes) error { return tx.PutResource(w.resource) }},
		{"PutRole", true, func(tx auth.Writes) error { return tx.PutRole(w.role) }},
		{"DropResource, DropRole and DropAppKey", true, w.dropTwice},
		{"DropApplication", true, func(tx auth.Writes) error {
			return steps(
				func() error { return drop(tx, auth.Application{Tenant: "demo", ID: "other"}, false) },
				func() error { return drop(tx, auth.Application{Tenant: "other", ID: w.app.ID}, false) },
				func() error { return drop(tx, w.app, true) },
				func() error { return drop(tx, w.app, false) },
			)
		}},
		{"PutSigningKey", true, func(tx auth.Writes) error { return tx.PutSigningKey(w.signingKey) }},
		{"PutAppKey", true, func(tx auth.Writes) error { return tx.PutAppKey(w.appKey) }},
		{"SetMeta", false, func(tx auth.Writes) error { return tx.SetMeta("k", "v") }},
		{"RaiseMeta", false, func(tx auth.Writes) error { return tx.RaiseMeta("n", "17") }},
		{"AddUser", false, func(tx auth.Writes) error {
			return steps(
				func() error { return tx.AddUser(auth.User{Tenant: "demo", ID: "18"}, nil) },
				func() error { return tx.AddUser(auth.User{Tenant: "demo", ID: "19"}, nil) },
			)
		}},
		{"AddPassword of a shape in use", false, func(tx auth.Writes) error {
			return tx.AddPassword(auth.Password{Tenant: "demo", User: "18", Version: 1, Shape: w.password.Shape})
		}},
		{"AddPassword of a new shape", true, func(tx auth.Writes) error {
			return tx.AddPassword(auth.Password{Tenant: "demo", User: "19", Version: 1, Shape: "bcrypt 10"})
		}},
		{"SwapPassword within a shape", false, swap("19", 1, "bcrypt 10")},
		{"SwapPassword of the last of a shape", true, swap("19", 2, w.password.Shape)},
		{"SwapPassword to a new shape", true, swap("19", 3, "argon2id m=65536")},
		{"SwapPassword of the last of a shape again", true, swap("19", 4, w.password.Shape)},
	} {
		write(t, s, step.verb)
		now := read(t, s, auth.Reads.Revision)
		if raised := now > revision; raised != step.raises || now < revision {
			t.Errorf("%s: revision went from %d to %d", step.name, revision, now)
		}
		revision = now
	}
	got := read(t, s, auth.Reads.Directory)
	want := map[auth.TenantID][]string{"demo": {w.password.Shape}}
	if diff := cmp.Diff(want, got.Shapes); diff != "" {
		t.Errorf("shapes (-want +got):\n%s", diff)
	}
}

// dropTwice deletes what is there the first time alone.
func (w world) dropTwice(tx auth.Writes) error {
	for i, want := range []bool{true, false} {
		resource, err := tx.DropResource("demo", w.resource.ID)
		role, bad := tx.DropRole("demo", w.role.ID)
		key, worse := tx.DropAppKey("demo", w.appKey.ID)
		if err := errors.Join(err, bad, worse); err != nil || resource != want || role != want || key != want {
			return fmt.Errorf("try %d: got %t, %t and %t, want %t: %w", i, resource, role, key, want, err)
		}
	}
	return nil
}

// drop deletes an application, which has to be there or not.
func drop(tx auth.Writes, a auth.Application, there bool) error {
	gone, err := tx.DropApplication(a.Tenant, a.ID)
	if err == nil && gone != there {
		err = fmt.Errorf("application %s of %s: got %t, want %t", a.ID, a.Tenant, gone, there)
	}
	return err
}

// swap gives a user a password of a shape.
func swap(user auth.UserID, from int64, shape string) func(auth.Writes) error {
	return func(tx auth.Writes) error {
		p := auth.Password{Tenant: "demo", User: user, Version: from + 1, Shape: shape}
		done, err := tx.SwapPassword(p, from, false, false)
		if err == nil && !done {
			err = fmt.Errorf("version is not %d", from)
		}
		return err
	}
}

// testNaming gives a user a username, once.
func testNaming(t *testing.T, s auth.Store) {
	added(t, s, newWorld("demo"))
	write(t, s, func(tx auth.Writes) error { return tx.AddUser(auth.User{Tenant: "demo", ID: "18"}, nil) })
	name := func(id auth.UserID, username string) bool {
		return move(t, s, func(tx auth.Writes) (bool, error) {
			i := auth.Identifier{Tenant: "demo", Kind: auth.ByUsername, Canonical: username, User: id}
			return tx.NameUser("demo", id, "Shown "+username, i, at(9))
		})
	}
	if !name("18", "first") || name("18", "second") || name("17", "third") {
		t.Error("want one username for a user without one, and none for a user who has one")
	}
	got := read(t, s, func(r auth.Reads) (auth.Account, error) {
		return r.AccountByIdentifier("demo", auth.ByUsername, "first", "phantom")
	})
	if got.User.ID != "18" || got.User.Username != "Shown first" || !got.User.UpdatedAt.Equal(at(9)) {
		t.Errorf("got user %s, username %q, updated at %v", got.User.ID, got.User.Username, got.User.UpdatedAt)
	}
	if lost := read(t, s, func(r auth.Reads) (auth.Account, error) {
		return r.AccountByIdentifier("demo", auth.ByUsername, "second", "phantom")
	}); lost.Found {
		t.Error("the username that was not given is an identifier")
	}
}

// testAccounts reads accounts that are there in part, or not at all.
func testAccounts(t *testing.T, s auth.Store) {
	w := added(t, s, newWorld("demo"))
	phantom := auth.Attempts{Version: 1, Failures: 3, ExpiresAt: at(2)}
	other := auth.Identity{Tenant: "demo", Ref: auth.IdentityRef{Type: auth.Consumer, ID: "1"}, Name: "Other", CreatedAt: at(1)}
	first := auth.Membership{Tenant: "demo", User: "17", Identity: other, Credential: auth.Member, Position: 1}
	write(t, s, func(tx auth.Writes) error {
		return steps(
			func() error {
				_, err := tx.PutAttempts("demo", "phantom", auth.AttemptPassword, phantom, 0)
				return err
			},
			func() error { return tx.AddUser(auth.User{Tenant: "demo", ID: "18"}, nil) },
			func() error { return tx.AddIdentity(other) },
			func() error { return tx.AddMembership(first) },
		)
	})
	lookup := func(kind auth.IdentifierKind, canonical string, phantom auth.Subject) auth.Account {
		return read(t, s, func(r auth.Reads) (auth.Account, error) {
			return r.AccountByIdentifier("demo", kind, canonical, phantom)
		})
	}
	revision := read(t, s, auth.Reads.Revision)
	for name, c := range map[string]struct{ got, want auth.Account }{
		"nobody, with attempts": {
			lookup(auth.ByEmail, "nobody@example.com", "phantom"),
			auth.Account{Revision: revision, Subject: "phantom", Attempts: phantom},
		},
		"nobody, without attempts": {
			lookup(auth.ByEmail, "nobody@example.com", "other"),
			auth.Account{Revision: revision, Subject: "other"},
		},
		"another kind": {
			lookup(auth.ByUsername, w.identifiers[0].Canonical, "other"),
			auth.Account{Revision: revision, Subject: "other"},
		},
		"a user with nothing": {
			read(t, s, func(r auth.Reads) (auth.Account, error) { return r.AccountByUser("demo", "18") }),
			auth.Account{Found: true, Revision: revision, User: auth.User{Tenant: "demo", ID: "18"}, Subject: auth.SubjectOf("18")},
		},
		"a user with everything": {
			lookup(auth.ByEmail, w.identifiers[0].Canonical, "phantom"),
			auth.Account{
				Found: true, Revision: revision, User: w.user, Password: w.password, Subject: auth.SubjectOf("17"), Attempts: w.attempts,
				Memberships: []auth.Membership{first, w.membership},
			},
		},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// testTouchMembership moves the time of a membership forward and not back.
func testTouchMembership(t *testing.T, s auth.Store) {
	w := added(t, s, newWorld("demo"))
	for _, day := range []int{20, 2} {
		write(t, s, func(tx auth.Writes) error { return tx.TouchMembership("demo", "17", w.identity.Ref, at(day)) })
		a := read(t, s, func(r auth.Reads) (auth.Account, error) { return r.AccountByUser("demo", "17") })
		if got := a.Memberships[0].LastUsedAt; !got.Equal(at(20)) {
			t.Errorf("touched on day %d: got %v, want %v", day, got, at(20))
		}
	}
}

// testPasswordChanges follows a password through its versions.
func testPasswordChanges(t *testing.T, s auth.Store) {
	w := added(t, s, newWorld("demo"))
	change := func(hash string, from int64, keep, end bool) bool {
		p := auth.Password{Tenant: "demo", User: "17", Version: from + 1, Hash: hash, Shape: "s", SetAt: at(20)}
		return move(t, s, func(tx auth.Writes) (bool, error) { return tx.SwapPassword(p, from, keep, end) })
	}
	type outcome struct {
		hash    string
		epoch   int64
		history []string
	}
	for _, step := range []struct {
		name      string
		hash      string
		from      int64
		keep, end bool
		done      bool
		want      outcome
	}{
		{"kept", "h4", 3, true, false, true, outcome{"h4", 4, []string{w.password.Hash}}},
		{"of an old version", "h5", 3, true, true, false, outcome{"h4", 4, []string{w.password.Hash}}},
		{"not kept, sessions ended", "h5", 4, false, true, true, outcome{"h5", 5, []string{w.password.Hash}}},
		{"kept, sessions ended", "h6", 5, true, true, true, outcome{"h6", 6, []string{"h5", w.password.Hash}}},
	} {
		if done := change(step.hash, step.from, step.keep, step.end); done != step.done {
			t.Errorf("%s: got %t, want %t", step.name, done, step.done)
		}
		a := read(t, s, func(r auth.Reads) (auth.Account, error) { return r.AccountByUser("demo", "17") })
		history := read(t, s, func(r auth.Reads) ([]string, error) { return r.PasswordHistory("demo", "17", 9) })
		if diff := cmp.Diff(step.want, outcome{a.Password.Hash, a.User.Epoch, history}, cmp.AllowUnexported(outcome{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
	for n, want := range map[int][]string{0: nil, 1: {"h5"}, -1: nil} {
		if got := read(t, s, func(r auth.Reads) ([]string, error) { return r.PasswordHistory("demo", "17", n) }); !slices.Equal(got, want) {
			t.Errorf("history of %d: got %q, want %q", n, got, want)
		}
	}
}

// testPasswordHistoryEnds keeps no more former hashes than a policy may ask for.
func testPasswordHistoryEnds(t *testing.T, s auth.Store) {
	w := added(t, s, newWorld("demo"))
	const most = 20
	for version := w.password.Version; version < w.password.Version+30; version++ {
		p := w.password
		p.Version, p.Hash = version+1, fmt.Sprint("hash ", version+1)
		if !move(t, s, func(tx auth.Writes) (bool, error) { return tx.SwapPassword(p, version, true, false) }) {
			t.Fatalf("version %d is not there", version)
		}
	}
	history := read(t, s, func(r auth.Reads) ([]string, error) { return r.PasswordHistory("demo", "17", 99) })
	if last := fmt.Sprint("hash ", w.password.Version+29); len(history) != most || history[0] != last {
		t.Errorf("got %d hashes, %q first, want %d, and %q", len(history), history[0], most, last)
	}
}

// testUserStatus moves a user between statuses.
func testUserStatus(t *testing.T, s auth.Store) {
	added(t, s, newWorld("demo"))
	write(t, s, func(tx auth.Writes) error {
		return tx.AddUser(auth.User{Tenant: "demo", ID: "18", Status: auth.UserPending}, nil)
	})
	activate := func(tx auth.Writes) (bool, error) { return tx.ActivateUser("demo", "18", at(20)) }
	shift := func(from, to auth.UserStatus, day int) func(auth.Writes) (bool, error) {
		return func(tx auth.Writes) (bool, error) { return tx.MoveUserStatus("demo", "18", from, to, at(day)) }
	}
	want := auth.User{Tenant: "demo", ID: "18"}
	for _, step := range []struct {
		name   string
		verb   func(auth.Writes) (bool, error)
		done   bool
		status auth.UserStatus
		day    int
		epoch  int64
	}{
		{"activate", activate, true, auth.UserActive, 20, 0},
		{"activate again", activate, false, auth.UserActive, 20, 0},
		{"resume an active user", shift(auth.UserSuspended, auth.UserActive, 21), false, auth.UserActive, 20, 0},
		{"suspend", shift(auth.UserActive, auth.UserSuspended, 22), true, auth.UserSuspended, 22, 1},
		{"suspend again", shift(auth.UserActive, auth.UserSuspended, 23), false, auth.UserSuspended, 22, 1},
		{"resume", shift(auth.UserSuspended, auth.UserActive, 24), true, auth.UserActive, 24, 2},
	} {
		if done := move(t, s, step.verb); done != step.done {
			t.Errorf("%s: got %t, want %t", step.name, done, step.done)
		}
		want.Status, want.StatusChangedAt, want.UpdatedAt, want.Epoch = step.status, at(step.day), at(step.day), step.epoch
		got := read(t, s, func(r auth.Reads) (auth.Account, error) { return r.AccountByUser("demo", "18") }).User
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}

// testSessionMoves joins, touches and ends a session.
func testSessionMoves(t *testing.T, s auth.Store) {
	w := added(t, s, live("demo"))
	join := func(day int, methods ...auth.Method) func(auth.Writes) (bool, error) {
		return func(tx auth.Writes) (bool, error) { return tx.JoinSession("demo", "ses-1", methods, at(day)) }
	}
	touch := func(day int) func(auth.Writes) (bool, error) {
		return func(tx auth.Writes) (bool, error) { return tx.TouchSession("demo", "ses-1", at(day)) }
	}
	end := func(day int, why string) func(auth.Writes) (bool, error) {
		return func(tx auth.Writes) (bool, error) { return tx.EndSession("demo", "ses-1", at(day), why) }
	}
	want := w.session
	for _, step := range []struct {
		name    string
		verb    func(auth.Writes) (bool, error)
		done    bool
		changes func()
	}{
		{"touch", touch(16), true, func() { want.SeenAt = at(16) }},
		{"touch back", touch(15), true, func() {}},
		{"join", join(18, "hwk", "pwd"), true, func() {
			want.SeenAt, want.AuthAt, want.Methods = at(18), at(18), []auth.Method{"pwd", "otp", "hwk"}
		}},
		{"join back", join(17), true, func() {}},
		{"join part of a name", join(19, "p", "ot"), true, func() {
			want.SeenAt, want.AuthAt, want.Methods = at(19), at(19), []auth.Method{"pwd", "otp", "hwk", "p", "ot"}
		}},
		{"end", end(20, "logout"), true, func() { want.EndedAt, want.EndedWhy = at(20), "logout" }},
		{"end again", end(21, "other"), false, func() {}},
		{"touch the ended", touch(22), false, func() {}},
		{"join the ended", join(22, "sms"), false, func() {}},
	} {
		if done := move(t, s, step.verb); done != step.done {
			t.Errorf("%s: got %t, want %t", step.name, done, step.done)
		}
		step.changes()
		got := read(t, s, func(r auth.Reads) (auth.LiveSession, error) { return r.Session("demo", "ses-1") }).Session
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}

// testRefreshFamily rotates and revokes, and uses a token once.
func testRefreshFamily(t *testing.T, s auth.Store) {
	w := added(t, s, live("demo"))
	rotate := func(name string, h auth.TokenHash, want error) {
		t.Helper()
		err := s.Write(t.Context(), func(tx auth.Writes) error { return tx.RotateRefresh(h, at(20)) })
		if !errors.Is(err, want) {
			t.Errorf("rotate %s: got %v, want %v", name, err, want)
		}
	}
	revoke := func(tx auth.Writes) (bool, error) { return tx.RevokeRefreshFamily(w.root.Hash, at(21)) }
	use := func(tx auth.Writes) (bool, error) { return tx.UseToken(w.token.Hash, at(22)) }
	rotate("the root", w.root.Hash, nil)
	rotate("the root again", w.root.Hash, auth.ErrRaced)
	for _, step := range []struct {
		name string
		verb func(auth.Writes) (bool, error)
		done bool
	}{
		{"revoke", revoke, true},
		{"revoke again", revoke, false},
		{"use", use, true},
		{"use again", use, false},
	} {
		if done := move(t, s, step.verb); done != step.done {
			t.Errorf("%s: got %t, want %t", step.name, done, step.done)
		}
	}
	rotate("in a revoked family", w.leaf.Hash, auth.ErrRaced)
	rotate("none", auth.TokenHash(digest("none")), auth.ErrRaced)
	root := read(t, s, func(r auth.Reads) (auth.LiveRefresh, error) { return r.Refresh(w.root.Hash) })
	leaf := read(t, s, func(r auth.Reads) (auth.LiveRefresh, error) { return r.Refresh(w.leaf.Hash) })
	token := read(t, s, func(r auth.Reads) (auth.Bearer, error) { return r.Bearer(w.token.Hash) })
	got := []time.Time{root.Token.RotatedAt, root.RevokedAt, leaf.Token.RotatedAt, leaf.RevokedAt, token.Token.UsedAt}
	want := []time.Time{at(20), at(21), {}, at(21), at(22)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
}
