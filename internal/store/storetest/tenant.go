package storetest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
)

// state is all that can be read of a tenant.
type state struct {
	Organizations  []auth.Identity
	Account        auth.Account
	ByIdentifier   auth.Account
	Session        auth.LiveSession
	Identity       auth.Identity
	Authenticators []auth.Authenticator
	TOTP           auth.TOTP
	Keys           []auth.UserKey
	Passkeys       []auth.Passkey
	Named          []auth.Passkey
	Ceremony       auth.Ceremony
	History        []string
	Events         []auth.Event
	Bearer         auth.Bearer
	Refresh        auth.LiveRefresh
	Grant          auth.Grant
	Request        auth.PushedRequest
	Revoked        bool // an access token that tenant one revokes
	Challenge      auth.Challenge
	Latest         auth.Challenge
	Pending        []auth.Challenge
	Pushed         auth.Tally
	Link           auth.DynamicLink
	Parcels        []auth.Parcel
	Messages       auth.Tally
	Answer         auth.Answer
	People         []auth.Person
}

func stateOf(t *testing.T, s auth.Store, w world) state {
	t.Helper()
	tenant := w.tenant.ID
	var a state
	view(t, s, func(r auth.Reads) error {
		var err [26]error
		a.Account, err[0] = r.AccountByUser(tenant, "17")
		a.ByIdentifier, err[1] = r.AccountByIdentifier(tenant, auth.ByEmail, "ada@example.com", "phantom")
		a.Session, err[2] = r.Session(tenant, "ses-1")
		a.Identity, err[3] = r.Identity(tenant, w.identity.Ref)
		a.Authenticators, err[4] = r.Authenticators(tenant, "17")
		a.History, err[5] = r.PasswordHistory(tenant, "17", 9)
		a.Events, err[6] = r.Events(tenant, "", 9)
		a.Bearer, err[7] = r.Bearer(w.token.Hash)
		a.Refresh, err[8] = r.Refresh(w.leaf.Hash)
		a.Challenge, err[9] = r.Challenge(tenant, "900")
		a.Latest, err[10] = r.LatestChallenge(tenant, auth.SubjectOf("17"), auth.PurposeConfirm, "", "")
		a.Pending, err[11] = r.PendingChallenges(tenant, "17", 9)
		a.Pushed, err[12] = r.CountPushed(tenant, auth.SubjectOf("17"), at(1))
		a.Link, err[13] = r.Link(tenant, w.link.Ref)
		a.Parcels, err[14] = r.Parcels(auth.ParcelFilter{Tenant: tenant}, 9)
		a.Messages, err[15] = r.CountMessages(tenant, "17", at(1))
		a.Answer, err[16] = r.Answer(w.answer.OnceKey)
		a.People, _, err[17] = r.People(tenant, w.identity.Ref, auth.PersonFilter{Email: "ada@example.com"})
		a.Keys, err[23] = r.UserKeys(tenant, "17")
		a.TOTP, err[18] = r.TOTP(tenant, "17")
		a.Grant, err[19] = r.Grant(w.grant.Hash)
		a.Passkeys, err[20] = r.PasskeysOf(tenant, "17")
		a.Named, err[21] = r.PasskeysNamed(tenant, w.passkey.Name, 9)
		a.Ceremony, err[22] = r.Ceremony(tenant, w.ceremony.ID)
		a.Request, err[24] = r.PushedRequest(w.pushed.Hash)
		a.Revoked, err[25] = r.RevokedToken(tenant, "new", auth.TokenHash{})
		for _, err := range err {
			if err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(r auth.Reads) (err error) {
		a.Organizations, _, err = r.Organizations(tenant, auth.OrganizationFilter{Name: w.identity.Name})
		return err
	})
	// The revision is the server's, not the tenant's.
	a.Account.Revision, a.ByIdentifier.Revision, a.Session.Revision, a.Bearer.Revision, a.Refresh.Revision = 0, 0, 0, 0, 0
	return a
}

// useUp uses what clients use once, and revokes a token.
func useUp(tx auth.Writes, w world) error {
	_, used := tx.UsePushedRequest(w.pushed.Hash, at(24))
	_, spent := tx.SpendAssertion(w.tenant.ID, "demo", digest("another jti"), at(24))
	_, redeemed := tx.UseGrant(w.grant.Hash, at(24))
	_, revoked := tx.RevokeToken(w.tenant.ID, "new", at(24))
	return errors.Join(used, spent, redeemed, revoked)
}

// testTenants gives two tenants the same ids and changes all that can be changed in one of them.
func testTenants(t *testing.T, s auth.Store) {
	one, two := added(t, s, live("one")), added(t, s, live("two"))
	for _, w := range []world{one, two} {
		a := stateOf(t, s, w)
		if diff := cmp.Diff(w.user, a.ByIdentifier.User); diff != "" {
			t.Errorf("%s (-want +got):\n%s", w.tenant.ID, diff)
		}
		if len(a.Account.Memberships) != 1 || len(a.Session.Memberships) != 1 || len(a.Authenticators) != 1 || len(a.Events) != 1 ||
			len(a.Pending) != 1 || a.Pushed.Count != 1 || len(a.Parcels) != 1 || a.Messages.Count != 1 || len(a.People) != 1 ||
			len(a.Passkeys) != 1 || len(a.Named) != 1 {
			t.Errorf("%s holds rows of another tenant: %+v", w.tenant.ID, a)
		}
	}
	before, other := stateOf(t, s, two), stateOf(t, s, one)
	write(t, s, func(tx auth.Writes) error {
		ok := func(_ any, err error) func() error { return func() error { return err } }
		p := one.password
		p.Version++
		c, l := one.challenge, one.link
		c.Version, c.Failures, l.Version, l.Amount = 2, 9, 2, 9
		return steps(
			ok(tx.SwapPassword(p, p.Version-1, true, true)),
			ok(tx.MoveUserStatus("one", "17", auth.UserActive, auth.UserSuspended, at(20))),
			ok(tx.PutAttempts("one", auth.SubjectOf("17"), auth.AttemptPassword, auth.Attempts{Version: 8}, 7)),
			ok(tx.JoinSession("one", "ses-1", []auth.Method{"new"}, at(21))),
			ok(tx.TouchSession("one", "ses-1", at(22))),
			ok(tx.EndSession("one", "ses-1", at(23), "why")),
			ok(tx.UseToken(one.token.Hash, at(24))),
			ok(tx.StepUpToken(one.token.Hash, at(24))),
			ok(tx.PutChallenge(c, 1)),
			ok(tx.CancelChallenges("one", auth.SubjectOf("17"), "", at(24))),
			ok(tx.PutLink(l, 1)),
			ok(tx.ClaimParcels(auth.Queue{Tenant: "one", Kind: auth.ParcelPush}, at(24), at(25), 9)),
			ok(tx.SettleParcel(auth.Parcel{Tenant: "one", ID: "p-1", Tries: 4, Result: "new"})),
			ok(tx.DropAuthenticator("one", "dev-1")),
			ok(tx.PutUserKey(auth.UserKey{Tenant: "one", User: "17", Use: one.key.Use, ID: one.key.ID, Version: 4}, 3)),
			ok(tx.UseChallenge("one", digest("spent"), at(24))),
			ok(tx.PutTOTP(auth.TOTP{Tenant: "one", User: "17", Version: 4}, 3)),
			ok(tx.UseCeremony("one", one.ceremony.ID, at(24))),
			func() error { return tx.PutUser(auth.User{Tenant: "one", ID: "17"}, one.identifiers[:1]) },
			func() error { return tx.PutIdentity(auth.Identity{Tenant: "one", Ref: one.identity.Ref}) },
			func() error {
				return tx.PutMembership(auth.Membership{Tenant: "one", User: "17", Identity: one.identity})
			},
			ok(nil, tx.RotateRefresh(one.leaf.Hash, at(24))),
			ok(tx.RevokeRefreshFamily(one.root.Hash, at(24))),
			ok(tx.RevokeRefreshOf("one", "17", one.leaf.Org, nil, at(24))),
			func() error { return useUp(tx, one) },
			func() error { return tx.TouchMembership("one", "17", one.identity.Ref, at(25)) },
			func() error { return tx.AddEvents(auth.Event{Tenant: "one", ID: "new"}) },
			func() error { return tx.AddAuthenticator(auth.Authenticator{Tenant: "one", ID: "new", User: "17"}) },
		)
	})
	if diff := cmp.Diff(before, stateOf(t, s, two)); diff != "" {
		t.Errorf("a change in tenant one changed tenant two (-before +after):\n%s", diff)
	}
	if cmp.Equal(other, stateOf(t, s, one)) {
		t.Error("tenant one did not change")
	}
}
