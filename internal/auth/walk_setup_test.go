package auth_test

import (
	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

func consumer(id string) auth.IdentityRef { return auth.IdentityRef{Type: auth.Consumer, ID: id} }

func corporate(id string) auth.IdentityRef { return auth.IdentityRef{Type: auth.Corporate, ID: id} }

// newPerson is one who acts for some identities, as the root user of the first unless they are a member of all.
func newPerson(id auth.UserID, name, phone string, acts ...auth.IdentityRef) *person {
	return &person{
		tenant: authtest.Demo, id: id, email: name + "@example.com", phone: phone, word: authtest.Password, verified: true, acts: acts,
		root: map[auth.IdentityRef]bool{acts[0]: true}, bound: map[auth.Channel]string{}, tallies: map[auth.AttemptFactor]*tally{},
	}
}

// walkers are the people whom a history begins with: with a phone and a device, with nothing, with a device and an expired password, with a
// device and no password, the root user of an identity with members, and one of another tenant who looks like the first.
func walkers() []*person {
	ada := newPerson(authtest.Ada, "ada", "+35699111101", consumer("1001"))
	ada.bound[auth.ChannelSMS], ada.bound[auth.ChannelBiometric] = ada.phone, "device"
	charles := newPerson(authtest.Charles, "charles", "+35699111102", corporate("2001"), corporate("2002"))
	grace := newPerson(authtest.Expired, "grace", "+35699111103", consumer("1002"))
	grace.bound[auth.ChannelAuthy], grace.temporary = "device", true
	mary := newPerson(authtest.NoPass, "mary", "+35699111104", corporate("2002"))
	mary.word, mary.root, mary.bound[auth.ChannelBiometric] = "", nil, "device"
	owner := newPerson(authtest.Nobody, "nobody", "+35699111105", corporate("2002"))
	owner.bound[auth.ChannelSMS] = owner.phone
	rival := newPerson(authtest.Ada, "ada", "+35699111101", consumer("1001"))
	rival.tenant, rival.verified, rival.bound[auth.ChannelSMS] = authtest.Rival, false, rival.phone
	return []*person{ada, charles, grace, mary, owner, rival}
}

// walkSetup is where a history begins: tenants whose codes are secret, and the walkers.
func walkSetup(s *auth.Setup) {
	for i := range s.Tenants {
		t := &s.Tenants[i]
		t.Tenant.Mode, t.Tenant.Settings.RateLimits = auth.ModeLive, false
		t.APIKeys = append(t.APIKeys, auth.APIKeySetup{Name: "second", Key: "second test key of " + string(t.Tenant.ID)})
		t.Users = nil
		for _, p := range walkers() {
			if p.tenant == t.Tenant.ID {
				t.Users = append(t.Users, p.setup())
			}
		}
	}
}

// setup is the person in the starting state.
func (p *person) setup() auth.UserSetup {
	u := auth.UserSetup{ID: p.id, FirstName: "W", Email: p.email, EmailVerified: p.verified, Phone: p.phone}
	if p.word != "" {
		u.Password = &auth.PasswordSetup{Value: p.word, Expired: p.temporary}
	}
	for _, ref := range p.acts {
		if p.root[ref] {
			u.RootOf = append(u.RootOf, ref)
		} else {
			u.UserOf = append(u.UserOf, ref)
		}
	}
	for _, c := range []auth.Channel{auth.ChannelSMS, auth.ChannelBiometric, auth.ChannelAuthy} {
		switch _, has := p.bound[c]; {
		case has && c == auth.ChannelSMS:
			u.Authenticators = append(u.Authenticators, auth.AuthenticatorSetup{Kind: auth.AuthenticatorSMS})
		case has:
			u.Authenticators = append(u.Authenticators, auth.AuthenticatorSetup{Kind: auth.AuthenticatorDevice, Channel: c, Simulated: true})
		}
	}
	return u
}
