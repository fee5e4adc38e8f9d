package seed_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
	"countersign/internal/seed"
)

// every uses each key at least once.
const every = `
tenants:
  - id: acme-1
    name: "Acme, 1"
    mode: live
    settings:
      password: {preset: nist, min_length: 12, max_length: 64, level: 2, four_classes: true, history: 7,
                 block_list: false, expires_after: 90d, temporary_for: 1d12h}
      lockout: {failures: 3, for: 15m, forget_after: 2h}
      session: {idle: 10m, absolute: 8h}
      backend_session: {idle: 1d, absolute: 30d}
      browser_session: {idle: 45m, absolute: 10h}
      login_token: auth
      identities_reply: page
      rate_limits: false
      limits:
        key: [{count: 10, window: 1s}, {count: 1000000, window: 1d}]
        user: []
        message: [{count: 1, window: 1h}]
      sms: {number: [{count: 2, window: 1h}], country: [{count: 3, window: 1d}], home: [MT, CH], tenant: [], alarm: {sends: 20, percent: 40},
            cool_off: 2h, cool_off_own: true, recovers_alone: true}
      reveal_accounts: true
      maintenance: true
      password_grant: true
      otp: {for: 3m, tries: 4, sends: 2, wait: 20s}
      push: {for: 1m, limit: {count: 5, window: 1h}, number: always, pin: server, report_suspends: true, browsers: false}
      passkey:
        site: acme.example
        origins: ["https://acme.example", "https://app.acme.example:8443", "android:apk-key-hash:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
        verification: preferred
        synced: false
        models: [00000000-0000-0000-0000-000000000001]
        blocked_models: [00000000-0000-0000-0000-000000000002]
      channels: [AUTHY, SMS]
      step_up: {for: 10m}
      phone_countries: [MT, DE]
      blocked_domains: [mail.example]
      phone_changes: 0
      email_every: 0s
      multi_identity: false
      issued_challenges: true
      app_url: "https://app.acme.example/portal"
      login_page: {name: Acme Bank, color: "#0B4F8A", logo: "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="}
    api_keys:
      - {name: backend, key: sk_1}
      - {name: batch, key: sk_2}
    programme_keys: [pk_1, pk_2]
    webhook: {url: "https://acme.example/hooks?token=t"}
    applications:
      - {id: app-id, name: App, description: For all, logo: "https://acme.example/l.png", login_uri: "https://acme.example/in",
         invite_uri: "https://acme.example/invited"}
    clients:
      - id: app
        secret: app-secret
        kind: application
        app_id: app-id
        app_name: App
        alg: RS256
        claims: [email, username]
        redirect_uris: ["https://acme.example/cb", "com.acme.app:/cb"]
        resources: ["urn:acme:api"]
        post_logout_redirect_uris: ["https://acme.example/bye"]
        backchannel_logout_uri: https://acme.example/logout?app=1
        backchannel_logout_session_required: true
        native: true
        second_factor: true
        pkce: optional
        enforce_par: true
      - id: keyed
        kind: management
        auth_method: private_key_jwt
        auth_alg: ES256
        jwks: {keys: [{kty: EC, crv: P-256, kid: "1", x: f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU, y: x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0}]}
      - {id: public, kind: application, auth_method: none, pkce: required}
    identities:
      - {type: CONSUMER, id: "1", name: Ada}
      - {type: CORPORATE, id: "123456789012345678", name: Engines, profile_id: "7001", diligence: approved, domains: [B.example, a.example], apps: [public], alias: e}
    users:
      - id: "7"
        name: Ada
        surname: Lovelace
        email: ada@example.com
        email_verified: true
        username: ada
        phone: "+35699111111"
        phone_verified: true
        suspended: true
        password: {hash: "$2y$10$abc", expired: true, temporary: true}
        root_of: ["CONSUMER:1"]
        user_of: ["CORPORATE:123456789012345678"]
        roles: [ADMIN, CARD_ASSIGNEE]
        authenticators: [{kind: sms}, {kind: device, channel: BIOMETRIC, simulated: false}]
      - email: bob@example.com
        password: {value: "Pa55word!"}
  - id: other
    mode: sandbox
    users:
      - {email: ada@example.com, id: "7"}
`

func TestParseReadsEveryKey(t *testing.T) {
	t.Parallel()
	got, err := seed.Parse("f", []byte(every))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(every))
	const day = 24 * time.Hour
	consumer := auth.IdentityRef{Type: auth.Consumer, ID: "1"}
	corporate := auth.IdentityRef{Type: auth.Corporate, ID: "123456789012345678"}
	settings := auth.DefaultSettings()
	settings.Password = auth.PasswordPolicy{
		MinLength: 12, MaxLength: 64, Level: 2, FourClasses: true, History: 7, ExpiresAfter: 90 * day, TemporaryFor: 36 * time.Hour,
	}
	settings.Lockout = auth.LockPolicy{Failures: 3, For: 15 * time.Minute, ForgetAfter: 2 * time.Hour}
	settings.Session = auth.SessionPolicy{IdleLimit: 10 * time.Minute, AbsoluteLimit: 8 * time.Hour}
	settings.BackendSession = auth.SessionPolicy{IdleLimit: day, AbsoluteLimit: 30 * day}
	settings.BrowserSession = auth.SessionPolicy{IdleLimit: 45 * time.Minute, AbsoluteLimit: 10 * time.Hour}
	settings.LoginToken, settings.IdentitiesReply = auth.LoginTokenAuth, auth.IdentitiesPage
	settings.KeyLimits = []auth.Limit{{Count: 10, Window: time.Second}, {Count: 1_000_000, Window: day}}
	settings.UserLimits, settings.MessageLimits = nil, []auth.Limit{{Count: 1, Window: time.Hour}}
	settings.SMS = auth.SMSPolicy{
		Number: []auth.Limit{{Count: 2, Window: time.Hour}}, Country: []auth.Limit{{Count: 3, Window: day}}, Home: []string{"MT", "CH"},
		Alarm: auth.SMSAlarm{Sends: 20, Percent: 40}, CoolOff: 2 * time.Hour, CoolOwn: true, Alone: true,
	}
	settings.RateLimits, settings.RevealAccounts, settings.Maintenance = false, true, true
	settings.PasswordGrant = true
	settings.OTP = auth.OTPPolicy{For: 3 * time.Minute, Tries: 4, Sends: 2, Wait: 20 * time.Second}
	settings.Push = auth.PushPolicy{
		For: time.Minute, Limit: auth.Limit{Count: 5, Window: time.Hour}, Number: auth.NumberAlways, PIN: auth.PINByServer, ReportSuspends: true,
		NoBrowsers: true,
	}
	settings.Passkey = auth.PasskeyPolicy{
		Site: "acme.example",
		Origins: []string{
			"https://acme.example", "https://app.acme.example:8443", "android:apk-key-hash:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		},
		Verification: auth.VerificationPreferred, Models: []string{"00000000-0000-0000-0000-000000000001"},
		BlockedModels: []string{"00000000-0000-0000-0000-000000000002"},
	}
	settings.Channels, settings.StepUpFor = []auth.Channel{auth.ChannelAuthy, auth.ChannelSMS}, 10*time.Minute
	settings.PhoneCountries, settings.BlockedDomains = []string{"MT", "DE"}, []string{"mail.example"}
	settings.PhoneChanges, settings.EmailEvery, settings.MultiIdentity = 0, 0, false
	settings.IssuedOnly = true
	settings.AppURL = "https://app.acme.example/portal"
	settings.Theme = auth.Theme{
		Name: "Acme Bank", Color: "#0B4F8A",
		Logo: "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=",
	}
	want := auth.Setup{
		Digest: hex.EncodeToString(sum[:]),
		Tenants: []auth.TenantSetup{{
			Tenant: auth.Tenant{
				ID: "acme-1", Name: "Acme, 1", Mode: auth.ModeLive,
				Webhook: auth.Webhook{URL: "https://acme.example/hooks?token=t"}, Settings: settings,
			},
			APIKeys:       []auth.APIKeySetup{{Name: "backend", Key: "sk_1"}, {Name: "batch", Key: "sk_2"}},
			ProgrammeKeys: []string{"pk_1", "pk_2"},
			Applications: []auth.Application{{
				ID: "app-id", Name: "App", Description: "For all", Logo: "https://acme.example/l.png", LoginURI: "https://acme.example/in",
				InviteURI: "https://acme.example/invited",
			}},
			Clients: []auth.ClientSetup{{
				ID: "app", Secret: "app-secret", Kind: auth.ClientApplication, AppID: "app-id", AppName: "App",
				RedirectURIs: []string{"https://acme.example/cb", "com.acme.app:/cb"}, Resources: []string{"urn:acme:api"},
				Logout: auth.ClientLogout{
					RedirectURIs: []string{"https://acme.example/bye"}, URI: "https://acme.example/logout?app=1", SessionRequired: true,
				},
				Claims: []string{"email", "username"}, Alg: "RS256", Native: true, SecondFactor: true, PKCE: auth.PKCEOptional, RequirePAR: true,
			}, {
				ID: "keyed", Kind: auth.ClientManagement, Auth: auth.ClientAuthKey, AuthAlg: "ES256",
				JWKS: `{"keys":[{"crv":"P-256","kid":"1","kty":"EC","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",` +
					`"y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`,
			}, {
				ID: "public", Kind: auth.ClientApplication, Auth: auth.ClientAuthNone, PKCE: auth.PKCERequired,
			}},
			Identities: []auth.Identity{
				{Ref: consumer, Name: "Ada"}, {Ref: corporate, Name: "Engines", Profile: "7001", Diligence: auth.DiligenceApproved, Organization: auth.Organization{
					Domains: []string{"b.example", "a.example"}, Limited: true, Apps: []string{"public"}, Alias: "e",
				}},
			},
			Users: []auth.UserSetup{
				{
					ID: "7", FirstName: "Ada", LastName: "Lovelace", Email: "ada@example.com", EmailVerified: true,
					Username: "ada", Phone: "+35699111111", PhoneVerified: true, Suspended: true,
					Password: &auth.PasswordSetup{Hash: "$2y$10$abc", Expired: true, Temporary: true},
					RootOf:   []auth.IdentityRef{consumer}, UserOf: []auth.IdentityRef{corporate},
					Roles: []auth.Role{auth.RoleAdmin, auth.RoleCardAssignee},
					Authenticators: []auth.AuthenticatorSetup{
						{Kind: auth.AuthenticatorSMS}, {Kind: auth.AuthenticatorDevice, Channel: "BIOMETRIC"},
					},
				},
				{Email: "bob@example.com", Password: &auth.PasswordSetup{Value: "Pa55word!"}},
			},
		}, {
			Tenant: auth.Tenant{ID: "other", Name: "other", Mode: auth.ModeSandbox, Settings: auth.DefaultSettings()},
			Users:  []auth.UserSetup{{ID: "7", Email: "ada@example.com"}},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("setup (-want +got):\n%s", diff)
	}
}

func TestPasswordPresets(t *testing.T) {
	t.Parallel()
	weavr9 := auth.PolicyWeavr()
	weavr9.MinLength = 9
	for value, want := range map[string]auth.PasswordPolicy{
		"weavr":                          auth.PolicyWeavr(),
		"mosaic":                         auth.PolicyMosaic(),
		"nist":                           auth.PolicyNIST(),
		"{preset: mosaic}":               auth.PolicyMosaic(),
		"{min_length: 9}":                weavr9,
		"{min_length: 9, preset: weavr}": weavr9,
	} {
		data := "tenants: [{id: a, mode: live, settings: {password: " + value + "}}]"
		got, err := seed.Parse("f", []byte(data))
		if err != nil {
			t.Errorf("password: %s: %v", value, err)
			continue
		}
		if diff := cmp.Diff(want, got.Tenants[0].Tenant.Settings.Password); diff != "" {
			t.Errorf("password: %s (-want +got):\n%s", value, diff)
		}
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "30m": 30 * time.Minute, "1h30m": 90 * time.Minute, "14d": 14 * 24 * time.Hour,
		"1d12h": 36 * time.Hour, "36500d": 36500 * 24 * time.Hour, "1.5h": 90 * time.Minute,
	} {
		got, err := seed.Parse("f", []byte("tenants: [{id: a, mode: live, settings: {session: {idle: "+value+"}}}]"))
		if err != nil {
			t.Errorf("%s: %v", value, err)
			continue
		}
		if idle := got.Tenants[0].Tenant.Settings.Session.IdleLimit; idle != want {
			t.Errorf("%s: got %v, want %v", value, idle, want)
		}
	}
	for _, value := range []string{
		"30", `""`, "0s", "-1h", "d", "1.5d", "-1d", "1d-1h", "1d+1h", "1dd", "36501d", "36500d1s", "99999999d", "1h 30m", "1w",
		"1d2562047h", "9999999999h", "[1h]",
	} {
		if _, err := seed.Parse("f", []byte("tenants: [{id: a, mode: live, settings: {session: {idle: "+value+"}}}]")); err == nil {
			t.Errorf("%s: accepted", value)
		}
	}
}

func TestDigestIsOfTheBytes(t *testing.T) {
	t.Parallel()
	digest := func(data string) string {
		s, err := seed.Parse("f", []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		return s.Digest
	}
	const file = "tenants: [{id: a, mode: live}]\n"
	if got, want := digest(file), digest(file); got != want {
		t.Errorf("same bytes: got %s and %s", got, want)
	}
	if got, other := digest(file), digest(file+"# x\n"); got == other {
		t.Errorf("other bytes: got %s for both", got)
	}
}

func TestDemo(t *testing.T) {
	t.Parallel()
	s, err := seed.Parse("demo.yaml", seed.Demo())
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Tenants) != 1 {
		t.Fatalf("tenants: got %d, want 1", len(s.Tenants))
	}
	demo := s.Tenants[0]
	if got, want := demo.Tenant.Mode, auth.ModeSandbox; got != want {
		t.Errorf("mode: got %s, want %s", got, want)
	}
	if diff := cmp.Diff([]auth.APIKeySetup{{Name: "backend", Key: "sk_demo"}}, demo.APIKeys); diff != "" {
		t.Errorf("API keys (-want +got):\n%s", diff)
	}
	type facts struct {
		Root, User         int
		Expired, Temporary bool
	}
	got := map[string]facts{}
	for _, u := range demo.Users {
		got[u.Email] = facts{len(u.RootOf), len(u.UserOf), u.Password.Expired, u.Password.Temporary}
	}
	want := map[string]facts{
		"ada@example.com":     {Root: 1},
		"charles@example.com": {Root: 2},
		"grace@example.com":   {Root: 1, Expired: true},
		"alan@example.com":    {Root: 1, Temporary: true},
		"mary@example.com":    {User: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	seed.Demo()[0] = 'x'
	if seed.Demo()[0] == 'x' {
		t.Error("a write into Demo's bytes reached the next caller")
	}
}

// TestErrorsStopAtTwenty also holds the order of the lines.
func TestErrorsStopAtTwenty(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("tenants:\n")
	for range 25 {
		b.WriteString("  - {id: a_, mode: live}\n")
	}
	_, err := seed.Parse("f", []byte(b.String()))
	lines := errorLines(err)
	if len(lines) != 21 {
		t.Fatalf("got %d lines, want 21:\n%v", len(lines), err)
	}
	for i, line := range lines {
		if want := fmt.Sprintf("f:%d: ", i+2); !strings.HasPrefix(line, want) {
			t.Errorf("line %d: got %q, want prefix %q", i, line, want)
		}
	}
	if want := "f:22: and 5 more from here on"; lines[20] != want {
		t.Errorf("last: got %q, want %q", lines[20], want)
	}
}

func errorLines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

var errorLine = regexp.MustCompile(`^f:([1-9][0-9]*): \S`)

func FuzzParse(f *testing.F) {
	f.Add([]byte(every))
	f.Add(seed.Demo())
	for _, c := range badFiles {
		f.Add([]byte(c.data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := seed.Parse("f", data)
		if err == nil {
			if len(s.Tenants) == 0 || len(s.Digest) != 64 {
				t.Errorf("got %d tenants and digest %q", len(s.Tenants), s.Digest)
			}
			return
		}
		lines := errorLines(err)
		if len(lines) > 21 {
			t.Errorf("got %d problems, want at most 21", len(lines))
		}
		last := 0
		for _, line := range lines {
			m := errorLine.FindStringSubmatch(line)
			if m == nil {
				t.Errorf("got %q, want f:LINE: in front", line)
				continue
			}
			if n, _ := strconv.Atoi(m[1]); n < last {
				t.Errorf("line %d follows line %d", n, last)
			} else {
				last = n
			}
		}
	})
}

func TestParseClientReadsOverWhatIsThere(t *testing.T) {
	t.Parallel()
	over := auth.ClientSetup{
		ID: "app", Kind: auth.ClientApplication, Auth: auth.ClientAuthKey, JWKS: `{"keys":[]}`, AuthAlg: "ES256", AppName: "App", Native: true,
		RedirectURIs: []string{"https://a.example/"}, Resources: []string{"https://api.example"}, PKCE: auth.PKCERequired,
	}
	got, err := seed.ParseClient("f", []byte("auth_method: client_secret\nredirect_uris: ['https://b.example/']\nnative: false\npkce: optional\n"), over)
	if err != nil {
		t.Fatal(err)
	}
	want := over
	want.Auth, want.JWKS, want.AuthAlg, want.Native, want.PKCE = auth.ClientAuthSecret, "", "", false, auth.PKCEOptional
	want.RedirectURIs = []string{"https://b.example/"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("client (-want +got):\n%s", diff)
	}
	for _, data := range []string{"id: other\n", "secret: s3cr3t\n", "kind: management\n", "jwks: {keys: []}\n", "auth_method: none\npkce: optional\n", "[]", ""} {
		if _, err := seed.ParseClient("f", []byte(data), over); err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q: got %v", data, err)
		}
	}
}
