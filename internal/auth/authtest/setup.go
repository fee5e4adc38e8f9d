package authtest

import "countersign/internal/auth"

// Setup describes the starting state.
func Setup() auth.Setup {
	return auth.Setup{Digest: "authtest", Tenants: []auth.TenantSetup{demo(), rival()}}
}

func tenant(id auth.TenantID) auth.Tenant {
	return auth.Tenant{ID: id, Name: string(id), Mode: auth.ModeSandbox, Settings: auth.DefaultSettings()}
}

func demo() auth.TenantSetup {
	consumer := func(id string) auth.IdentityRef { return auth.IdentityRef{Type: auth.Consumer, ID: id} }
	corporate := func(id string) auth.IdentityRef { return auth.IdentityRef{Type: auth.Corporate, ID: id} }
	user := func(id auth.UserID, name string) auth.UserSetup {
		return auth.UserSetup{
			ID: id, FirstName: name, Email: name + "@example.com", EmailVerified: true, Username: name,
			Password: &auth.PasswordSetup{Value: Password},
		}
	}
	ada := user(Ada, "ada")
	ada.LastName, ada.Phone, ada.RootOf = "Lovelace", "+35699111111", []auth.IdentityRef{consumer("1001")}
	charles := user(Charles, "charles")
	charles.RootOf, charles.UserOf = []auth.IdentityRef{corporate("2001")}, []auth.IdentityRef{corporate("2002")}
	expired := user(Expired, "grace")
	expired.Password.Expired, expired.RootOf = true, []auth.IdentityRef{consumer("1002")}
	temporary := user(Temporary, "alan")
	temporary.Password.Temporary = true
	noPass := user(NoPass, "mary")
	noPass.Password = nil
	suspended := user(Suspended, "annie")
	suspended.Suspended = true
	return auth.TenantSetup{
		Tenant:  tenant(Demo),
		APIKeys: []auth.APIKeySetup{{Name: "backend", Key: "test key of demo"}},
		Clients: []auth.ClientSetup{
			{ID: "app", Secret: "test secret of app", Kind: auth.ClientApplication, AppName: "Demo", Resources: []string{Resource}},
			{ID: "other", Secret: "test secret of other", Kind: auth.ClientApplication, AppName: "Other"},
			{ID: "admin", Secret: "test secret of admin", Kind: auth.ClientManagement, AppName: "Administration"},
		},
		Identities: []auth.Identity{
			{Ref: consumer("1001"), Name: "Ada Lovelace"}, {Ref: consumer("1002"), Name: "Grace Hopper"},
			{Ref: corporate("2001"), Name: "Analytical Engines Ltd"}, {Ref: corporate("2002"), Name: "Difference Engines Ltd"},
		},
		Users: []auth.UserSetup{ada, charles, expired, temporary, noPass, suspended, user(Nobody, "nobody")},
	}
}

func rival() auth.TenantSetup {
	return auth.TenantSetup{
		Tenant:  tenant(Rival),
		APIKeys: []auth.APIKeySetup{{Name: "backend", Key: "test key of rival"}},
		Clients: []auth.ClientSetup{{ID: "rival-app", Secret: "test secret of rival-app", Kind: auth.ClientApplication}},
		Identities: []auth.Identity{
			{Ref: auth.IdentityRef{Type: auth.Consumer, ID: "1001"}, Name: "Ada of the rival"},
		},
		Users: []auth.UserSetup{{
			ID: Ada, FirstName: "ada", Email: "ada@example.com", Username: "ada", Password: &auth.PasswordSetup{Value: Password},
			RootOf: []auth.IdentityRef{{Type: auth.Consumer, ID: "1001"}},
		}},
	}
}
