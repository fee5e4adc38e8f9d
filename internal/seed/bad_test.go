package seed_test

import (
	"fmt"
	"strings"
	"testing"

	"countersign/internal/seed"
)

// tenant puts lines, which are indented for it, into a tenant; the first of them is line 4 of the file.
func tenant(lines string) string {
	return "tenants:\n  - id: a\n    mode: sandbox\n" + lines
}

// user puts one user, in flow style, on line 5, beside two identities.
func user(keys string) string {
	return tenant("    identities: [{type: CONSUMER, id: '1', name: A}, {type: CORPORATE, id: '2', name: B}]\n    users: [" + keys + "]\n")
}

// ecKeys are a client's keys, in flow style.
const ecKeys = "jwks: {keys: [{kty: EC, crv: P-256, kid: k1, x: f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU, y: x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0}]}"

// badFiles are files with one problem each, which is on line and told with words.
var badFiles = []struct {
	name  string
	data  string
	line  int
	words []string
}{
	{"empty", "", 1, []string{"found nothing", "tenants"}},
	{"comment only", "# x\n", 1, []string{"found nothing"}},
	{"null", "~\n", 1, []string{"the file", "found nothing", "mapping"}},
	{"list", "- tenants\n", 1, []string{"found a list", "mapping"}},
	{"no tenants", "tenants: []\n", 1, []string{"empty list", "at least one"}},
	{"tenants null", "tenants:\n", 1, []string{"found nothing", "a list"}},
	{"not UTF-8", "tenants:\n  - id: \xff\n", 2, []string{"not UTF-8"}},
	{"NUL", "tenants:\n  - id: a\x00\n", 2, []string{"U+0000"}},
	{"UTF-16", "\xff\xfet\x00", 1, []string{"not UTF-8"}},
	{"tab indent", "tenants:\n\t- id: a\n", 2, []string{"no valid YAML"}},
	{"unclosed", "tenants: [\n", 2, []string{"no valid YAML"}},
	{"unclosed quote", "tenants:\n  - id: \"a\n", 2, []string{"no valid YAML"}},
	{"colon too many", "tenants:\n  - id: a\n    mode: live: x\n", 3, []string{"no valid YAML"}},
	{"odd indent", "tenants:\n  - id: a\n   mode: live\n", 2, []string{"no valid YAML"}},
	{"second document", "tenants: [{id: a, mode: live}]\n---\ntenants: []\n", 2, []string{"a second document", "allowed: one"}},
	{"broken second document", "tenants: [{id: a, mode: live}]\n---\n]\n", 3, []string{"no valid YAML"}},
	{"alias", "tenants:\n  - id: a\n    mode: live\n    programme_keys: [&x s3cr3t]\n", 4, []string{"an anchor"}},
	{"unknown alias", tenant("    programme_keys: [*s3cr3t]\n"), 4, []string{"an alias", "quotes"}},
	{"tag", tenant("    name: !s3cr3t A\n"), 4, []string{"a tag", "quotes"}},
	{"merge", tenant("    <<: {name: A}\n"), 4, []string{`the key "<<"`}},
	{"unknown top key", "tenants: [{id: a, mode: live}]\nusers: [1]\n", 2, []string{"the file", `the key "users"`, "allowed: tenants"}},
	{"unknown key", tenant("    moed: live\n"), 4, []string{"tenant:", `the key "moed"`, "id, name, mode, settings"}},
	{"secret as key", tenant("    api_keys: [{name: a, key: b, s3cr3t}]\n"), 4, []string{"a key without a value", "name, key"}},
	{"list as key", tenant("    [a]: 1\n"), 4, []string{"a list as a key"}},
	{"duplicate key", tenant("    name: A\n    name: B\n"), 5, []string{"the key name again", "line 4"}},
	{"no id", "tenants:\n  - mode: live\n", 2, []string{"no id"}},
	{"no mode", "tenants:\n  - id: a\n", 2, []string{"no mode"}},
	{"bad slug", "tenants:\n  - id: A_b\n    mode: live\n", 2, []string{`"A_b"`, "a-z"}},
	{"long slug", "tenants:\n  - id: " + strings.Repeat("a", 64) + "\n    mode: live\n", 2, []string{"and more", "1 to 63"}},
	{"numeric slug", "tenants:\n  - id: 12\n    mode: live\n", 2, []string{"found a number"}},
	{"bad mode", "tenants:\n  - id: a\n    mode: prod\n", 3, []string{`"prod"`, "live, sandbox"}},
	{"empty name", tenant("    name: ' '\n"), 4, []string{"empty text"}},
	{"name over two lines", tenant("    name: \"a\\nb\"\n"), 4, []string{"control character"}},
	{"same tenant", "tenants:\n  - {id: a, mode: live}\n  - {id: a, mode: live}\n", 3, []string{"the tenant a again", "line 2"}},

	{"bad preset", tenant("    settings: {password: strong}\n"), 4, []string{`"strong"`, "weavr, mosaic, nist"}},
	{"policy list", tenant("    settings: {password: [8]}\n"), 4, []string{"a list", "weavr, mosaic, nist"}},
	{"bad level", tenant("    settings: {password: {level: 6}}\n"), 4, []string{`"6"`, "0 to 5"}},
	{"octal", tenant("    settings: {password: {level: 0x2}}\n"), 4, []string{`"0x2"`, "0 to 5"}},
	{"float", tenant("    settings: {password: {level: 2.0}}\n"), 4, []string{"0 to 5"}},
	{"text for number", tenant("    settings: {password: {history: five}}\n"), 4, []string{"text", "0 to 20"}},
	{"min over max", tenant("    settings: {password: {min_length: 31}}\n"), 4, []string{"min_length 31", "max_length 30"}},
	{"yes", tenant("    settings: {maintenance: yes}\n"), 4, []string{"text", "true, false"}},
	{"no failures", tenant("    settings: {lockout: {failures: 0}}\n"), 4, []string{`"0"`, "1 to 100"}},
	{"many failures", tenant("    settings: {lockout: {failures: 101}}\n"), 4, []string{`"101"`, "1 to 100"}},
	{"short lock", tenant("    settings: {lockout: {for: 59s}}\n"), 4, []string{`"59s"`, "1m to"}},
	{"lock in numbers", tenant("    settings: {lockout: {for: 30}}\n"), 4, []string{"a number", "30m"}},
	{"limit of nothing", tenant("    settings: {limits: {key: [{count: 0, window: 1m}]}}\n"), 4, []string{`"0"`, "1 to 1000000"}},
	{"limit without window", tenant("    settings: {limits: {user: [{count: 1}]}}\n"), 4, []string{"limits of a user", "no window"}},
	{"limit in a moment", tenant("    settings: {limits: {message: [{count: 1, window: 1ms}]}}\n"), 4, []string{`"1ms"`, "1s to"}},
	{"alarm at nothing", tenant("    settings: {sms: {alarm: {percent: 0}}}\n"), 4, []string{`"0"`, "1 to 100"}},
	{"SMS at home somewhere", tenant("    settings: {sms: {home: [malta]}}\n"), 4, []string{`"malta"`, "MT"}},
	{"one limit", tenant("    settings: {limits: {key: {count: 1, window: 1m}}}\n"), 4, []string{"a mapping", "a list"}},
	{"no idle", tenant("    settings: {session: {idle: 0s}}\n"), 4, []string{`"0s"`, "1s to"}},
	{"bad absolute", tenant("    settings: {backend_session: {absolute: 2w}}\n"), 4, []string{`"2w"`, "14d"}},
	{"bad login token", tenant("    settings: {login_token: access}\n"), 4, []string{`"access"`, "auto, auth"}},
	{"bad reply", tenant("    settings: {identities_reply: list}\n"), 4, []string{`"list"`, "array, page"}},

	{"long-lived code as a number", tenant("    settings: {otp: {for: 300}}\n"), 4, []string{"for", "a number", "30m"}},
	{"short code", tenant("    settings: {otp: {for: 29s}}\n"), 4, []string{`"29s"`, "30s to"}},
	{"no tries", tenant("    settings: {otp: {tries: 0}}\n"), 4, []string{`"0"`, "1 to 10"}},
	{"many sends", tenant("    settings: {otp: {sends: 11}}\n"), 4, []string{`"11"`, "1 to 10"}},
	{"no wait", tenant("    settings: {otp: {wait: 0s}}\n"), 4, []string{`"0s"`, "1s to"}},
	{"unknown OTP key", tenant("    settings: {otp: {digits: 8}}\n"), 4, []string{"otp:", `"digits"`, "for, tries, sends, wait"}},
	{"push limit without a window", tenant("    settings: {push: {limit: {count: 3}}}\n"), 4, []string{"limit", "no window"}},
	{"push limit of none", tenant("    settings: {push: {limit: {count: 0, window: 1m}}}\n"), 4, []string{`"0"`, "1 to"}},
	{"passkey site alone", tenant("    settings: {passkey: {site: bank.example}}\n"), 4, []string{"site or origins alone", "both, or neither"}},
	{"passkey site with a scheme", tenant("    settings: {passkey: {site: 'https://bank.example'}}\n"), 4, []string{"domain in small letters"}},
	{"passkey origin of another site",
		tenant("    settings: {passkey: {site: bank.example, origins: ['https://notbank.example']}}\n"), 4, []string{"hosts of the site bank.example"}},
	{"passkey origin with a path",
		tenant("    settings: {passkey: {site: bank.example, origins: ['https://bank.example/x']}}\n"), 4, []string{"without a path"}},
	{"passkey verification", tenant("    settings: {passkey: {verification: never}}\n"), 4, []string{`"never"`, "required, preferred"}},
	{"passkey model", tenant("    settings: {passkey: {models: [YubiKey]}}\n"), 4, []string{"AAGUID"}},
	{"short push", tenant("    settings: {push: {for: 1s}}\n"), 4, []string{`"1s"`, "30s to"}},
	{"bad channel", tenant("    settings: {channels: [TELEX]}\n"), 4, []string{`"TELEX"`, "SMS, BIOMETRIC, AUTHY"}},
	{"channel twice", tenant("    settings: {channels: [SMS, SMS]}\n"), 4, []string{"SMS again", "once"}},
	{"channels as text", tenant("    settings: {channels: SMS}\n"), 4, []string{"text", "a list"}},
	{"short step-up", tenant("    settings: {step_up: {for: 1ms}}\n"), 4, []string{`"1ms"`, "1s to"}},
	{"bad country", tenant("    settings: {phone_countries: [mt]}\n"), 4, []string{`"mt"`, "two capitals"}},
	{"bad domain", tenant("    settings: {blocked_domains: ['@mail.example']}\n"), 4, []string{`"@mail.example"`, "small letters"}},
	{"negative changes", tenant("    settings: {phone_changes: -1}\n"), 4, []string{`"-1"`, "0 to 1000"}},
	{"negative time", tenant("    settings: {email_every: -1s}\n"), 4, []string{`"-1s"`, "0h to"}},
	{"multi_identity as text", tenant("    settings: {multi_identity: 'yes'}\n"), 4, []string{"text", "true, false"}},
	{"login_page with a colour's name", tenant("    settings: {login_page: {color: red}}\n"), 4, []string{"color", "#0b4f8a"}},
	{"login_page with a name too long", tenant("    settings: {login_page: {name: " + strings.Repeat("long", 17) + "}}\n"), 4, []string{"name", "64 characters"}},
	{"login_page with a logo elsewhere", tenant("    settings: {login_page: {logo: 'https://s3cr3t.example/l.png'}}\n"), 4, []string{"logo", "data:image/png"}},
	{"login_page with a logo that is none", tenant("    settings: {login_page: {logo: 'data:image/png;base64,AAAA'}}\n"), 4, []string{"logo", "the image that it says"}},
	{"app_url of another scheme", tenant("    settings: {app_url: 'myapp://s3cr3t'}\n"), 4, []string{"app_url", "http: or https:"}},
	{"app_url with a slash", tenant("    settings: {app_url: 'https://app.example/'}\n"), 4, []string{"app_url", "slash at the end"}},
	{"app_url with a query", tenant("    settings: {app_url: 'https://app.example?a=b'}\n"), 4, []string{"app_url", "query"}},

	{"API key as text", tenant("    api_keys: [s3cr3t]\n"), 4, []string{"found text", "name, key"}},
	{"numeric API key", tenant("    api_keys: [{name: a, key: 73737}]\n"), 4, []string{"a number", "quotes"}},
	{"same API key", tenant("    api_keys:\n      - {name: a, key: s3cr3t}\n      - {name: b, key: s3cr3t}\n"), 6, []string{"same API key", "line 5"}},
	{"same programme key", tenant("    programme_keys: [s3cr3t, s3cr3t]\n"), 4, []string{"same programme key", "line 4"}},
	{"bad webhook", tenant("    webhook: {url: 'ftp://x/?s3cr3t'}\n"), 4, []string{"http: or https:"}},
	{"webhook without host", tenant("    webhook: {url: 'http:///x'}\n"), 4, []string{"absolute URI"}},
	{"webhook with a port alone", tenant("    webhook: {url: 'https://:443/s3cr3t'}\n"), 4, []string{"must be one of https or http"}},
	{"webhook with a user", tenant("    webhook: {url: 'https://s3cr3t@x.example'}\n"), 4, []string{"without fragment and user"}},
	{"webhook with a port beyond all", tenant("    webhook: {url: 'https://x.example:99999/s3cr3t'}\n"), 4, []string{"a port from 1 to 65535"}},

	{"bad application id", tenant("    applications: [{id: 'a b', name: A}]\n"), 4, []string{`"a b"`, "letters, digits"}},
	{"no application name", tenant("    applications: [{id: a}]\n"), 4, []string{"application:", "no name"}},
	{"same application", tenant("    applications: [{id: a, name: A},\n      {id: a, name: B}]\n"), 5, []string{"the application a again", "line 4"}},
	{"no secret", tenant("    clients: [{id: c, kind: management}]\n"), 4, []string{"no secret"}},
	{"bad kind", tenant("    clients: [{id: c, secret: s3cr3t, kind: admin}]\n"), 4, []string{`"admin"`, "application, management"}},
	{"bad alg", tenant("    clients: [{id: c, secret: s3cr3t, kind: application, alg: none}]\n"), 4, []string{`"none"`, "ES256, RS256"}},
	{"bad resource", tenant("    clients: [{id: c, secret: s3cr3t, kind: application, resources: [api]}]\n"), 4, []string{"absolute URI"}},
	{"logout by another scheme", tenant("    clients: [{id: c, secret: s3cr3t, kind: application, backchannel_logout_uri: 'app:/x'}]\n"), 4, []string{"http: or https:"}},
	{"fragment", tenant("    clients: [{id: c, secret: s3cr3t, kind: application, redirect_uris: ['https://a/#b']}]\n"), 4, []string{"fragment"}},
	{"secret of a public client", tenant("    clients: [{id: c, secret: s3cr3t, kind: application, auth_method: none}]\n"), 4, []string{"a secret", "none"}},
	{"bad auth_method", tenant("    clients: [{id: c, secret: s3cr3t, kind: application, auth_method: tls}]\n"), 4, []string{`"tls"`, "private_key_jwt, none"}},
	{"bad pkce", tenant("    clients: [{id: c, secret: s3cr3t, kind: application, pkce: plain}]\n"), 4, []string{`"plain"`, "required, optional"}},
	{"public without PKCE", tenant("    clients: [{id: c, kind: application, auth_method: none, pkce: optional}]\n"), 4, []string{"pkce optional", "required"}},
	{"enforce_par as text", tenant("    clients: [{id: c, secret: s3cr3t, kind: application, enforce_par: 'yes'}]\n"), 4, []string{"enforce_par", "true, false"}},
	{"native as text", tenant("    clients: [{id: c, secret: s3cr3t, kind: application, native: 'yes'}]\n"), 4, []string{"native", "true, false"}},
	{"second_factor as a number", tenant("    clients: [{id: c, secret: s3cr3t, kind: application, second_factor: 1}]\n"), 4, []string{"second_factor", "true, false"}},
	{"no keys", tenant("    clients: [{id: c, kind: application, auth_method: private_key_jwt}]\n"), 4, []string{"no jwks", "private_key_jwt"}},
	{"keys beside a secret", tenant("    clients: [{id: c, secret: s3cr3t, kind: application, jwks: {keys: []}}]\n"), 4, []string{"jwks without"}},
	{"auth_alg beside a secret", tenant("    clients: [{id: c, secret: s3cr3t, kind: application, auth_alg: ES256}]\n"), 4, []string{"auth_alg without"}},
	{"bad auth_alg", tenant("    clients: [{id: c, kind: application, auth_method: private_key_jwt, auth_alg: HS256, " + ecKeys + "}]\n"), 4, []string{`"HS256"`, "RS256, PS256, ES256"}},
	{"keys of another auth_alg", tenant("    clients: [{id: c, kind: application, auth_method: private_key_jwt, auth_alg: RS256, " + ecKeys + "}]\n"), 4, []string{"does not go with"}},
	{"keys as text", tenant("    clients: [{id: c, kind: application, auth_method: private_key_jwt, jwks: s3cr3t}]\n"), 4, []string{"jwks", "text", "JWK Set"}},
	{"a private key", tenant("    clients: [{id: c, kind: application, auth_method: private_key_jwt, jwks: {keys: [{kty: oct, k: s3cr3t}]}}]\n"), 4, []string{"jwks", "key 1"}},
	{"short browser session", tenant("    settings: {browser_session: {idle: 0s}}\n"), 4, []string{`"0s"`, "1s to"}},
	{"browser session as text", tenant("    settings: {browser_session: 30m}\n"), 4, []string{"browser_session", "idle, absolute"}},
	{
		"same client in two tenants",
		tenant("    clients: [{id: c, secret: s3cr3t, kind: management}]\n  - id: b\n    mode: live\n    clients: [{id: c, secret: x, kind: management}]\n"),
		7, []string{`client "c" again`, "line 4"},
	},

	{"bad identity type", tenant("    identities: [{type: PERSON, id: '1', name: A}]\n"), 4, []string{`"PERSON"`, "CONSUMER, CORPORATE"}},
	{"numeric identity id", tenant("    identities: [{type: CONSUMER, id: 1, name: A}]\n"), 4, []string{"a number", "in quotes"}},
	{"domains of a consumer", tenant("    identities: [{type: CONSUMER, id: '1', name: A, domains: [a.example]}]\n"), 4, []string{"domains of a consumer", "CORPORATE"}},
	{"apps of a consumer", tenant("    identities: [{type: CONSUMER, id: '1', name: A, apps: []}]\n"), 4, []string{"apps of a consumer", "CORPORATE"}},
	{"alias of a consumer", tenant("    identities: [{type: CONSUMER, id: '1', name: A, alias: a}]\n"), 4, []string{"alias of a consumer", "CORPORATE"}},
	{"no domain", tenant("    identities: [{type: CORPORATE, id: '1', name: A, domains: [a@b.example]}]\n"), 4, []string{`"a@b.example"`, "acme.example"}},
	{"top domain", tenant("    identities: [{type: CORPORATE, id: '1', name: A, domains: [example]}]\n"), 4, []string{`"example"`, "acme.example"}},
	{
		"domain of two",
		tenant("    identities:\n      - {type: CORPORATE, id: '1', name: A, domains: [a.example]}\n      - {type: CORPORATE, id: '2', name: B, domains: [A.example]}\n"),
		6, []string{`"a.example" again`, "line 5"},
	},
	{"app of nobody", tenant("    identities: [{type: CORPORATE, id: '1', name: A, apps: [app]}]\n"), 4, []string{`"app"`, "app_id of no client"}},
	{"long identity id", tenant("    identities: [{type: CONSUMER, id: '1234567890123456789', name: A}]\n"), 4, []string{"1 to 18"}},
	{
		"same identity",
		tenant("    identities:\n      - {type: CONSUMER, id: '1', name: A}\n      - {type: CONSUMER, id: '1', name: B}\n"),
		6, []string{"CONSUMER:1 again", "line 5"},
	},

	{"bad user id", user("{id: x1, email: a@b.c}"), 5, []string{`"x1"`, "digits"}},
	{"no identifier", user("{id: '1'}"), 5, []string{"no email, username or phone"}},
	{"empty e-mail", user("{email: ''}"), 5, []string{"email", "empty text"}},
	{"bad e-mail", user("{email: ada}"), 5, []string{`"ada"`, "e-mail address"}},
	{"bad phone", user("{phone: '0123'}"), 5, []string{`"0123"`, "E.164"}},
	{"phone without quotes", user("{phone: +35699111111}"), 5, []string{"a number", "quotes"}},
	{"same user", user("{id: '1', email: a@b.c},\n      {id: '1', email: b@b.c}"), 6, []string{"the user 1 again", "line 5"}},
	{"same e-mail", user("{email: a@b.c},\n      {email: A@B.c}"), 6, []string{`email "A@B.c" again`, "line 5"}},
	{"same username", user("{username: ada},\n      {username: ADA}"), 6, []string{"username", "line 5"}},
	{"password as text", user("{email: a@b.c, password: s3cr3t}"), 5, []string{"found text", "value, hash"}},
	{"numeric password", user("{email: a@b.c, password: {value: 737373}}"), 5, []string{"a number", "quotes"}},
	{"value and hash", user("{email: a@b.c, password: {value: s3cr3t, hash: x}}"), 5, []string{"value and hash", "one of them"}},
	{"no value", user("{email: a@b.c, password: {expired: true}}"), 5, []string{"neither value nor hash"}},
	{"bad ref", user("{email: a@b.c, root_of: ['1']}"), 5, []string{`"1"`, "CONSUMER:ID"}},
	{"unknown ref", user("{email: a@b.c, root_of: ['CONSUMER:2']}"), 5, []string{"CONSUMER:2", "not among", "CONSUMER:1, CORPORATE:2"}},
	{"no role", user("{email: a@b.c, roles: [BOSS]}"), 5, []string{"BOSS", "ADMIN"}},
	{"ref twice", user("{email: a@b.c, root_of: ['CONSUMER:1'],\n      user_of: ['CONSUMER:1']}"), 6, []string{"CONSUMER:1 again", "line 5"}},
	{
		"ref into another tenant",
		user("{email: a@b.c}") + "  - id: b\n    mode: live\n    users: [{email: a@b.c, root_of: ['CONSUMER:1']}]\n",
		8, []string{"not among", "no identities"},
	},
	{"bad authenticator", user("{email: a@b.c, authenticators: [{kind: totp}]}"), 5, []string{`"totp"`, "sms, device"}},
	{"sms without phone", user("{email: a@b.c, authenticators: [{kind: sms}]}"), 5, []string{"phone is needed"}},
	{"device without channel", user("{email: a@b.c, authenticators: [{kind: device}]}"), 5, []string{"without channel", "BIOMETRIC"}},
	{
		"two of a channel",
		user("{email: a@b.c, authenticators: [{kind: device, channel: AUTHY}, {kind: device, channel: AUTHY, simulated: true}]}"),
		5, []string{"another of the same kind and channel", "line 5"},
	},
	{
		"sms with channel", user("{phone: '+35699111111', authenticators: [{kind: sms, channel: BIOMETRIC}]}"),
		5, []string{"channel with kind sms"},
	},
	{
		"simulated in live",
		"tenants:\n  - id: a\n    mode: live\n    users: [{email: a@b.c, authenticators: [{kind: device, channel: BIOMETRIC, simulated: true}]}]\n",
		4, []string{"simulated", "mode sandbox"},
	},
}

func TestBadFilesAreRefusedWithTheirLine(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, c := range badFiles {
		if names[c.name] {
			t.Errorf("two cases are called %s", c.name)
		}
		names[c.name] = true
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := seed.Parse("seed.yaml", []byte(c.data))
			if err == nil {
				t.Fatalf("accepted: %+v", s)
			}
			if len(s.Tenants) != 0 || s.Digest != "" {
				t.Errorf("got a setup beside the error: %+v", s)
			}
			lines := errorLines(err)
			if len(lines) != 1 {
				t.Errorf("got %d problems, want 1:\n%v", len(lines), err)
			}
			if want := fmt.Sprintf("seed.yaml:%d: ", c.line); !strings.HasPrefix(lines[0], want) {
				t.Errorf("got %q, want prefix %q", lines[0], want)
			}
			for _, word := range c.words {
				if !strings.Contains(lines[0], word) {
					t.Errorf("got %q, want %q in it", lines[0], word)
				}
			}
			for _, secret := range []string{"s3cr3t", "7373"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error repeats a secret: %v", err)
				}
			}
		})
	}
}

func TestAliasBombIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 8), i-1)
	}
	_, err := seed.Parse("f", []byte(b.String()))
	if lines := errorLines(err); len(lines) != 21 || !strings.HasPrefix(lines[0], "f:1: found an anchor") {
		t.Errorf("got %v", err)
	}
}
