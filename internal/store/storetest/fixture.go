package storetest

import (
	"countersign/internal/jose"
	"testing"
	"time"

	"countersign/internal/auth"
)

// world is one row of everything, with no field left at its zero value.
type world struct {
	tenant        auth.Tenant
	apiKey        auth.APIKey
	programmeKey  auth.ProgrammeKey
	app           auth.Application
	resource      auth.Resource
	role          auth.AppRole
	client        auth.Client
	signingKey    auth.SigningKey
	appKey        auth.AppKey
	identity      auth.Identity
	user          auth.User
	identifiers   []auth.Identifier
	membership    auth.Membership
	authenticator auth.Authenticator
	totp          auth.TOTP
	key           auth.UserKey
	passkey       auth.Passkey
	ceremony      auth.Ceremony
	password      auth.Password
	attempts      auth.Attempts
	session       auth.Session
	token         auth.Token
	root, leaf    auth.RefreshToken
	grant         auth.Grant
	party         auth.Party
	pushed        auth.PushedRequest
	revoked       string // jti of a revoked access token
	revokedEnds   time.Time
	event         auth.Event
	challenge     auth.Challenge
	link          auth.DynamicLink
	parcel        auth.Parcel
	answer        auth.Answer
	device        auth.Device
	ticket        auth.Ticket
	approval      auth.Approval
}

// at is a time with every digit that is stored.
func at(day int) time.Time { return time.Date(2026, 11, day, 12, 34, 56, 123456000, time.UTC) }

// digest is a hash of the right size.
func digest(text string) (h [32]byte) {
	copy(h[:], text)
	h[31] = 0xff
	return h
}

// newWorld returns a world in a tenant. Its ids are the same in every tenant, except where they are unique over all.
func newWorld(t auth.TenantID) world {
	ref := auth.IdentityRef{Type: auth.Corporate, ID: "114"}
	w := world{
		tenant:       tenantFixture(t),
		apiKey:       keyFixture(t),
		programmeKey: auth.ProgrammeKey{Tenant: t, Hash: digest("programme")},
		app:          appFixture(t),
		resource:     resourceFixture(t),
		role:         roleFixture(t), appKey: appKeyFixture(t),
		client: clientFixture(t),
		signingKey: auth.SigningKey{
			ID: "kid-" + string(t), Alg: "ES256", Public: `{"kty":"EC"}`, Sealed: []byte{1}, CreatedAt: at(1), ActiveAt: at(2), RetireAt: at(3),
		},
		identity: auth.Identity{
			Tenant: t, Ref: ref, Name: "Acme", Profile: "77", Details: `{"a": "<&>"}`, Diligence: auth.DiligenceApproved, CreatedAt: at(1),
			SuspendedAt: at(9), Organization: organizationFixture(),
		},
		user: userFixture(t),
		identifiers: []auth.Identifier{
			{Tenant: t, Kind: auth.ByEmail, Canonical: "ada@example.com", User: "17"},
			{Tenant: t, Kind: auth.ByPhone, Canonical: "+35699000001", User: "17"},
		},
		authenticator: auth.Authenticator{
			Tenant: t, ID: "dev-1", User: "17", Kind: auth.AuthenticatorDevice, Channel: auth.ChannelBiometric,
			Status: auth.AuthenticatorInactive, Target: "+35699000001", Simulated: true, CreatedAt: at(4), BoundAt: at(5),
		},
		password: auth.Password{
			Tenant: t, User: "17", Version: 3, Hash: "$argon2id$…", Shape: "argon2id m=19456",
			SetAt: at(5), ExpiresAt: at(6), Expired: true, Temporary: true,
		},
		attempts: auth.Attempts{
			Version: 7, Failures: 2, Pending: 1, PendingAt: at(7), FailedAt: at(8), LockedUntil: at(9), SucceededAt: at(10), ExpiresAt: at(11),
		},
		session: auth.Session{
			Tenant: t, ID: "ses-1", Surface: auth.SurfaceCIS, User: "17", Epoch: 4, Client: "demo",
			Methods: []auth.Method{"pwd", "otp"}, Org: ref, CreatedAt: at(12), AuthAt: at(13), SeenAt: at(14),
			IdleLimit: 5 * time.Minute, EndsAt: at(28), EndedAt: at(15), EndedWhy: "logout",
		},
		token: auth.Token{
			Tenant: t, Hash: digest("token" + string(t)), Session: "ses-1", Kind: auth.TokenAccess, Identity: ref, Credential: auth.Root,
			IssuedAt: at(13), ExpiresAt: at(14), UsedAt: at(15), SteppedUpAt: at(16),
		},
		root: refreshFixture(t, "root"),
		leaf: refreshFixture(t, "leaf"), revoked: "jti-1", revokedEnds: at(26),
		event: auth.Event{
			ID: "01J", Tenant: t, At: at(13), Kind: auth.EventLogin, User: "17", Session: "ses-1", Identity: ref, Client: "demo",
			Actor: "key:backend", Address: "192.0.2.1", Request: "req-1", Reason: "reason",
			Challenge: "900", Note: "A sentence.",
		},
	}
	w.addChallenge(t, ref)
	w.membership = auth.Membership{
		Tenant: t, User: "17", Identity: w.identity, Credential: auth.Root, Position: 2, LastUsedAt: at(3),
		Roles: []auth.Role{auth.RoleAdmin, auth.RoleCardAssignee}, AppRoles: []auth.RoleID{"role"}, Tag: "tag", SuspendedAt: at(8), Info: infoFixture(),
	}
	w.membership.Identity.Details = "" // is not read with a membership
	w.leaf.Root, w.grant, w.party, w.pushed = w.root.Hash, grantFixture(t, ref), partyFixture(t), pushedFixture(t)
	w.leaf.ExpiresAt = at(26)
	return w
}

// addChallenge adds a device, an authenticator of codes, a challenge, what it confirms, what it sends and what its caller was answered.
func (w *world) addChallenge(t auth.TenantID, ref auth.IdentityRef) {
	w.addDevice(t)
	w.challenge = challengeFixture(t)
	w.totp = auth.TOTP{
		Tenant: t, User: "17", Version: 3, Label: "Ada's phone", Sealed: []byte{0, 2, 0xff}, Step: 58_000_000, CreatedAt: at(4), UsedAt: at(5),
		Algorithm: auth.TOTPSHA256, Digits: 8, Period: time.Minute,
	}
	w.key = auth.UserKey{
		Tenant: t, User: "17", Use: auth.KeyBiometric, ID: "key-1", Version: 3, Type: auth.KeyEC, Public: []byte{0x30, 0}, OS: "iOS",
		Name: "Ada's phone", Custom: `{"a":1}`, PushType: "FCM", PushToken: "token", BlockedAt: at(6), CreatedAt: at(4), UpdatedAt: at(5),
		UsedAt: at(7),
	}
	w.passkey, w.ceremony = passkeyFixtures(t)
	w.link = auth.DynamicLink{
		Tenant: t, Ref: auth.LinkRef{Type: "sends", ID: "31"}, Version: 1, Identity: ref, Status: auth.LinkConfirmed, Currency: "EUR",
		Amount: 1 << 53, Payee: "Løvelace", Account: "MT84…", Text: "Rent", CreatedAt: at(13), UpdatedAt: at(14), Challenge: "900",
	}
	w.parcel = auth.Parcel{
		Tenant: t, ID: "p-1", Kind: auth.ParcelPush, Status: auth.ParcelFailed, User: "17", Sealed: []byte{0, 0xff}, CreatedAt: at(13),
		ExpiresAt: at(17), DueAt: at(14), LeasedUntil: at(15), Tries: 3, SettledAt: at(16), Result: "refused",
	}
	w.answer = auth.Answer{
		OnceKey: auth.OnceKey{Tenant: t, Key: "backend", Operation: "POST /multi/users", Ref: "ref-1"}, Digest: digest("body"),
		Status: 200, Sealed: []byte{1, 0}, CreatedAt: at(13), ExpiresAt: at(14),
	}
}

// addDevice adds a device, what binds another, and what it answered. No two devices have one key, in whichever tenant.
func (w *world) addDevice(t auth.TenantID) {
	key, err := jose.Generate(jose.ES256)
	if err != nil {
		panic(err)
	}
	w.device = auth.Device{
		ID: auth.DeviceID(key.ID()), Tenant: t, User: "17", Version: 1, Name: "Ada's phone", Key: key.Public(), PIN: "$argon2id$x", Push: []byte{0, 1},
		Certificate: "a.b.c", Status: auth.DeviceBlocked, Failures: 5, BoundAt: at(4), UsedAt: at(5), EndedAt: at(6),
		Passkey: auth.DevicePasskey{ID: "Y3JlZA", Public: []byte{0xa5, 0}, Site: "bank.example", Counter: 1<<32 - 1, BackupEligible: true},
	}
	w.ticket = auth.Ticket{
		Hash: digest("ticket of " + string(t)), Tenant: t, User: "17", Session: "ses-1", CreatedAt: at(4), ExpiresAt: at(5), UsedAt: at(6),
	}
	w.approval = auth.Approval{
		Tenant: t, Challenge: "900", User: "17", Device: w.device.ID, Decision: auth.Approve, Answer: "d.e.f", Certificate: "a.b.c",
		Event: "ev-1", AnsweredAt: at(14), Assertion: auth.DeviceAssertion{ClientData: "e30", Authenticator: "AAEC", Signature: "MEU"},
	}
}

func passkeyFixtures(t auth.TenantID) (auth.Passkey, auth.Ceremony) {
	return auth.Passkey{
			Tenant: t, ID: "Y3JlZA", User: "17", Version: 3, Username: "Ada@Example.com", Name: "ada@example.com", Label: "Ada's laptop",
			Handle: []byte{0, 1}, Public: []byte{0xa5, 0}, AAGUID: "00000000-0000-0000-0000-000000000001", Attachment: "platform",
			Transports: []string{"internal", "hybrid"}, Site: "bank.example", Client: "client", Counter: 1<<32 - 1, Verified: true,
			BackupEligible: true, BackedUp: true, CreatedAt: at(4), UsedAt: at(5),
		}, auth.Ceremony{
			Tenant: t, ID: "cer-1", Purpose: auth.CeremonyAuthenticate, Client: "client", Username: "Ada@Example.com", Name: "ada@example.com",
			Handle: []byte{0, 1}, Challenge: []byte{0, 0xff}, Site: "bank.example", Allowed: []string{"Y3JlZA"}, Approval: `{"sum":"5"}`,
			CreatedAt: at(4), ExpiresAt: at(26), UsedAt: at(5),
		}
}

func challengeFixture(t auth.TenantID) auth.Challenge {
	return auth.Challenge{
		Tenant: t, ID: "900", Version: 1, Purpose: auth.PurposeConfirm, Channel: auth.ChannelBiometric, Status: auth.ChallengeApproved,
		Approval: `{"sum":"5"}`,
		Subject:  auth.SubjectOf("17"), User: "17", Session: "ses-1", Token: digest("token" + string(t)), Key: "backend",
		Identity: auth.IdentityRef{Type: auth.Corporate, ID: "114"}, Target: "+35699000001", CodeHash: digest("code"), Digest: digest("shown"),
		Links:    []auth.LinkRef{{Type: "sends", ID: "31"}, {Type: "outgoing_wire_transfers", ID: "30"}},
		Failures: 1, Sends: 2, CreatedAt: at(13), SentAt: at(14), ExpiresAt: at(15), EndedAt: at(16), Nonce: "nonce", Number: "42",
	}
}

func tenantFixture(t auth.TenantID) auth.Tenant {
	return auth.Tenant{
		ID: t, Name: "Demo " + string(t), Mode: auth.ModeSandbox, CreatedAt: at(1),
		Webhook: auth.Webhook{URL: "https://example.com/hook?a=1&b=<2>"},
		Settings: auth.Settings{
			Password: auth.PasswordPolicy{
				MinLength: 9, MaxLength: 99, Level: 3, FourClasses: true, History: 4, BlockList: true,
				ExpiresAfter: 90 * 24 * time.Hour, TemporaryFor: time.Hour,
			},
			Lockout: auth.LockPolicy{
				Failures: 6, For: 31 * time.Minute, ForgetAfter: time.Hour, Tiers: []auth.LockTier{{Failures: 2, For: time.Minute}},
			},
			Session:         auth.SessionPolicy{IdleLimit: 4 * time.Minute, AbsoluteLimit: 11 * time.Hour},
			BackendSession:  auth.SessionPolicy{IdleLimit: 13 * time.Hour, AbsoluteLimit: 89 * time.Hour},
			BrowserSession:  auth.SessionPolicy{IdleLimit: 12 * time.Hour, AbsoluteLimit: 88 * time.Hour},
			LoginToken:      auth.LoginTokenAuth,
			IdentitiesReply: auth.IdentitiesPage,
			RateLimits:      true,
			RevealAccounts:  true,
			Maintenance:     true,
			PasswordGrant:   true,
			OTP:             auth.OTPPolicy{For: time.Minute, Tries: 4, Sends: 5, Wait: time.Second},
			Push: auth.PushPolicy{
				For: time.Minute, Limit: auth.Limit{Count: 2, Window: time.Hour}, Number: auth.NumberAlways, PIN: auth.PINByServer, ReportSuspends: true,
				NoBrowsers: true,
			},
			Passkey: auth.PasskeyPolicy{
				Site: "bank.example", Origins: []string{"https://bank.example"}, Verification: auth.VerificationPreferred, Synced: true,
				Models: []string{"00000000-0000-0000-0000-000000000001"}, BlockedModels: []string{"00000000-0000-0000-0000-000000000002"},
			},
			Channels:       []auth.Channel{auth.ChannelEmail, auth.ChannelSMS},
			StepUpFor:      time.Minute,
			PhoneCountries: []string{"MT", "CH"},
			BlockedDomains: []string{"example.net"},
			PhoneChanges:   4,
			EmailEvery:     time.Hour,
			MultiIdentity:  true,
			IssuedOnly:     true,
			AppURL:         "https://app.example.com", Theme: auth.Theme{Name: "Demo", Color: "#0b4f8a", Logo: "data:image/png;base64,AA=="},
			MessageLimits: []auth.Limit{{Count: 1, Window: time.Second}},
			KeyLimits:     []auth.Limit{{Count: 2, Window: time.Second}, {Count: 3, Window: time.Minute}},
			UserLimits:    []auth.Limit{{Count: 4, Window: time.Hour}},
			SMS: auth.SMSPolicy{
				Number: []auth.Limit{{Count: 5, Window: time.Hour}}, Country: []auth.Limit{{Count: 6, Window: time.Hour}}, Home: []string{"MT"},
				Tenant: []auth.Limit{{Count: 7, Window: time.Hour}}, Alarm: auth.SMSAlarm{Sends: 8, Percent: 9}, CoolOff: time.Minute, CoolOwn: true, Alone: true,
			},
		},
	}
}

func keyFixture(t auth.TenantID) auth.APIKey {
	return auth.APIKey{
		Tenant: t, ID: "backend", Name: "Back end", Hash: digest("key" + string(t)), Sealed: []byte{0, 1, 0xfe},
		CreatedAt: at(1), RevokedAt: at(2),
	}
}

func appFixture(t auth.TenantID) auth.Application {
	return auth.Application{
		Tenant: t, ID: "app", Name: "App", Description: "What it is", Logo: "https://example.com/l.png",
		LoginURI: "https://example.com/in", InviteURI: "https://example.com/i", CreatedBy: "admin", CreatedAt: at(1), UpdatedAt: at(2),
		Roles: []auth.RoleID{"role"}, Keeps: auth.RefreshKeeping{OnSuspension: true, OnRoles: true}, Methods: methodsFixture(),
	}
}

func methodsFixture() auth.Methods {
	lock := auth.LockPolicy{
		Failures: 4, For: time.Hour, ForgetAfter: 2 * time.Hour, Tiers: []auth.LockTier{{Failures: 2, For: time.Minute}, {Failures: 3, For: time.Hour}},
	}
	look := auth.MessageLook{Color: "#112233", From: "Demo", Subject: "Hello"}
	code := auth.CodeMethod{Off: true, For: time.Minute, Failures: 2, LockFor: time.Hour, Digits: 8, Shared: true, Look: look}
	return auth.Methods{
		Password: &auth.PasswordMethod{
			Off: true, Level: 3, MinLength: 9, History: 7, BlockList: true, ExpiresAfter: time.Hour, Lasting: true, TemporaryFor: time.Minute,
			ResetFor: time.Minute, ResetDigits: 5, TwoFactors: true, Unannounced: true, Lock: lock, Look: look,
		},
		SMS: &code, Email: &code, Link: &auth.LinkMethod{Off: true, For: time.Minute, Look: look},
		TOTP: &auth.TOTPMethod{
			Off: true, Algorithm: auth.TOTPSHA512, Digits: 8, Period: time.Minute, Window: 2, Issuer: "Demo", Lock: lock,
		},
		Passkey: &auth.PasskeyMethod{
			Off: true, Site: "bank.example", Origins: []string{"https://bank.example"}, Synced: true,
			Models:        []string{"00000000-0000-0000-0000-000000000001"},
			BlockedModels: []string{"00000000-0000-0000-0000-000000000002"}, Lock: lock,
		},
	}
}

func resourceFixture(t auth.TenantID) auth.Resource {
	return auth.Resource{
		Tenant: t, ID: "resource", Name: "API", Description: "What it is", URI: "https://api.example.com", CreatedAt: at(1), UpdatedAt: at(2),
		Limits: auth.TokenLimits{Access: time.Minute, Refresh: time.Hour, Rotate: 2 * time.Hour},
	}
}

func appKeyFixture(t auth.TenantID) auth.AppKey {
	return auth.AppKey{
		Tenant: t, App: "app", ID: "kid", Name: "First", Status: auth.KeySigning, Alg: "ES256", Public: `{"kty":"EC"}`, Sealed: []byte{1, 0},
		CreatedAt: at(1), UpdatedAt: at(2), ActiveAt: at(3),
	}
}

func roleFixture(t auth.TenantID) auth.AppRole {
	return auth.AppRole{
		Tenant: t, ID: "role", App: "app", Name: "reader", DisplayName: "Reader", Description: "What it is",
		Permissions: []string{"users:read", "*:list"}, CreatedAt: at(1), UpdatedAt: at(2),
	}
}

func clientFixture(t auth.TenantID) auth.Client {
	return auth.Client{
		Tenant: t, ID: auth.ClientID("demo-" + t), Kind: auth.ClientManagement, AppID: "app", AppName: "App",
		Secrets:      []auth.ClientSecret{{Hash: digest("one"), CreatedAt: at(1)}, {Hash: digest("two"), CreatedAt: at(2)}},
		RedirectURIs: []string{"https://example.com/a", "https://example.com/b"}, Resources: []string{"https://api.example.com"},
		Claims: []string{"email", "roles"}, Alg: "RS256", AccessTokenFor: time.Hour, RefreshTokenFor: 24 * time.Hour,
		CreatedAt: at(3), DisabledAt: at(4), Native: true, SecondFactor: true, Auth: auth.ClientAuthKey,
		JWKS: `{"keys":[]}`, AuthAlg: "PS256", PKCE: auth.PKCEOptional, RequirePAR: true, BoundTokens: true, ThirdParty: true,
		Logout: auth.ClientLogout{RedirectURIs: []string{"https://example.com/bye"}, URI: "https://example.com/out", SessionRequired: true},
		Name:   "Back end", Description: "What it is", RotateFor: 25 * time.Hour, SessionFor: 26 * time.Hour, UpdatedAt: at(5),
		Roles: []auth.RoleID{"one", "two"},
	}
}

func infoFixture() auth.MemberInfo {
	return auth.MemberInfo{Department: "d", Title: "t", Manager: "m", AddedBy: "16", AddedAt: at(4), UpdatedAt: at(5), Linked: true}
}

func organizationFixture() auth.Organization {
	return auth.Organization{
		Domains: []string{"acme.example", "acme.test"}, Alias: "acme", Limited: true, Apps: []string{"app", "an app"}, Manager: "115",
		ManagedIn: "app", LogoURL: "https://acme.example/logo.png", UpdatedAt: at(10),
	}
}

func userFixture(t auth.TenantID) auth.User {
	return auth.User{
		Tenant: t, ID: "17", Status: auth.UserSuspended, StatusChangedAt: at(2), Epoch: 4,
		Email: "Ada@example.com", EmailVerifiedAt: at(3), Phone: "+35699000001", PhoneVerifiedAt: at(4), Username: "Ada",
		Profile: auth.Profile{
			Title: "Dr", FirstName: "Ada", MiddleName: "K", LastName: "Løvelace", Birthday: "1815-12-10", Picture: "https://example.com/a.png",
			Language: "en", ExternalUserID: "eu", ExternalAccountID: "ea",
			Address: auth.Address{
				Country: "MT", State: "s", City: "Valletta", Street: "1 Street", PostalCode: "VLT", Type: "home",
			},
			SecondaryEmails: []string{"b@example.com", "a@example.com"}, SecondaryPhones: []string{"+356"},
			CustomData: `{"a": 1}`, CustomAppData: `{"b":"<&>"}`,
			Residence: "CH", Locale: "fr-CH", Brand: "blue", Details: `{"c": [1]}`,
			SecondaryVerified: []auth.Verified{{Value: "b@example.com", At: at(8)}}, Roles: []auth.RoleID{"role"},
		},
		CreatedAt: at(1), UpdatedAt: at(5), EmailChangedAt: at(6), PhoneChanges: 2, WeakenedAt: at(7), PhoneChangedAt: at(8),
	}
}

func refreshFixture(t auth.TenantID, name string) auth.RefreshToken {
	return auth.RefreshToken{
		Tenant: t, Hash: digest(name + string(t)), Root: digest(name + string(t)), Session: "ses-1", User: "17", Client: "demo",
		Audience: "https://api.example.com", Scope: "openid offline_access", Org: auth.IdentityRef{Type: auth.Consumer, ID: "9"},
		Claims: []string{"email", "name"}, UserInfo: []string{"phone_number"}, Key: "0ZcOCORZ", IssuedAt: at(13), ExpiresAt: at(27), RotatedAt: at(14),
	}
}

func pushedFixture(t auth.TenantID) auth.PushedRequest {
	return auth.PushedRequest{
		Tenant: t, Hash: digest("pushed" + string(t)), Client: "demo", Sealed: []byte{0, 1, 0xfe}, CreatedAt: at(13), ExpiresAt: at(14),
		UsedAt: at(15),
	}
}

func grantFixture(t auth.TenantID, org auth.IdentityRef) auth.Grant {
	return auth.Grant{
		Tenant: t, Hash: digest("grant" + string(t)), Client: "demo", RedirectURI: "https://example.com/a", Challenge: "E9Melhoa", Key: "0ZcOCORZ",
		Browser: "ses-1", Session: "ses-2", Scope: "openid", Audience: "https://api.example.com", Nonce: "n-0S6", Org: org,
		Claims: []string{"email"}, UserInfo: []string{"fname", "lname"}, IssuedAt: at(13), ExpiresAt: at(14), UsedAt: at(15),
	}
}

// add writes all of the world.
func (w world) add(tx auth.Writes) error {
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
		func() error { return tx.AddIdentity(w.identity) },
		func() error { return tx.AddUser(w.user, w.identifiers) },
		func() error { return tx.AddMembership(w.membership) },
		func() error { return tx.AddAuthenticator(w.authenticator) },
		func() error { _, err := tx.PutTOTP(w.totp, 0); return err },
		func() error { return tx.AddUserKey(w.key) },
		func() error { return tx.AddPassword(w.password) },
		func() error {
			_, err := tx.PutAttempts(w.tenant.ID, auth.SubjectOf(w.user.ID), auth.AttemptPassword, w.attempts, 0)
			return err
		},
		func() error { return tx.AddSession(w.session) },
		func() error { return tx.AddToken(w.token) },
		func() error { return tx.AddRefresh(w.root) },
		func() error { return tx.AddRefresh(w.leaf) },
		func() error { return tx.AddGrant(w.grant) },
		func() error { return tx.AddParty(w.party) },
		func() error { return addPasskeys(tx, w) },
		func() error { return tx.AddPushedRequest(w.pushed) },
		func() error {
			_, err := tx.SpendAssertion(w.tenant.ID, "demo", digest("jti"), w.pushed.ExpiresAt)
			return err
		},
		func() error { _, err := tx.RevokeToken(w.tenant.ID, w.revoked, w.revokedEnds); return err },
		func() error { return tx.AddEvents(w.event) },
		func() error { return tx.AddChallenge(w.challenge) },
		func() error { _, err := tx.PutLink(w.link, 0); return err },
		func() error { return tx.AddParcels(w.parcel) },
		func() error { return tx.AddAnswer(w.answer) },
		func() error { return tx.AddDevice(w.device) },
		func() error { return tx.AddTicket(w.ticket) },
		func() error { return tx.AddApproval(w.approval) },
	)
}

// live is a world where nothing has ended, been used or locked.
func live(t auth.TenantID) world {
	w := newWorld(t)
	w.user.Status = auth.UserActive
	w.session.EndedAt, w.session.EndedWhy = time.Time{}, ""
	w.token.UsedAt = time.Time{}
	w.root.RotatedAt, w.leaf.RotatedAt, w.grant.UsedAt = time.Time{}, time.Time{}, time.Time{}
	w.ceremony.UsedAt = time.Time{}
	w.pushed.UsedAt = time.Time{}
	w.identity.SuspendedAt, w.membership.SuspendedAt, w.membership.Identity.SuspendedAt = time.Time{}, time.Time{}, time.Time{}
	w.authenticator.Status = auth.AuthenticatorActive
	w.challenge.Status, w.challenge.EndedAt = auth.ChallengePending, time.Time{}
	w.parcel.Status, w.parcel.SettledAt = auth.ParcelPending, time.Time{}
	return w
}

// added adds a world to a store and returns it.
func added(t *testing.T, s auth.Store, w world) world {
	t.Helper()
	write(t, s, w.add)
	return w
}
