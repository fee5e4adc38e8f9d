// Package archtest guards the shape of the tree: who may import whom, and a few rules that no linter knows.
//
// It reads the files as they stand and runs no tool, because go test would keep the result of one and miss a new violation.
package archtest

// A rule says what one package may import besides the standard library.
type rule struct {
	path     string   // below the module
	why      string   // it exists, and may import what it may
	internal []string // packages of this module; /... is all below
	modules  []string // of others
	not      []string // packages of the standard library that it must do without; /... is all below
	tests    bool     // only tests may import it, and it may import testing
}

// transport is what a package that speaks no HTTP and no SQL does without.
func transport() []string { return []string{"net/http/...", "database/sql/..."} }

// dialect is a wire contract: it knows the domain and HTTP, never another dialect, a database, or a log of its own.
func dialect(path, why string, more ...string) rule {
	return rule{
		path: path, why: why, internal: append([]string{"internal/auth", "internal/httpx", "internal/seal"}, more...),
		modules: []string{"github.com/go-json-experiment/json"}, not: []string{"database/sql/...", "encoding/json", "log/...", "os"},
	}
}

// rules is the map. A package that is not in it fails the test, and so does a rule whose package is gone.
func rules() []rule {
	return []rule{
		{path: "cmd/countersign", why: "the program: wires everything, and is imported by nothing",
			internal: []string{"api", "internal/..."},
			modules: []string{"github.com/alecthomas/kong", "github.com/prometheus/client_golang", "go.yaml.in/yaml/v3",
				"github.com/go-json-experiment/json"}, // of what others gave us to check
			not: []string{"database/sql/..."}},
		{path: "api", why: "the OpenAPI documents, embedded", not: append(transport(), "os")},

		{path: "internal/auth", why: "the domain: no transport, no SQL, no JSON, no logger, no environment",
			internal: []string{"internal/passhash", "internal/jose", "internal/seal", "internal/webauthn"},
			modules: []string{ // what one canonical identifier takes, and a code
				"github.com/nyaruka/phonenumbers", "golang.org/x/net/idna", "golang.org/x/text",
				"github.com/pquerna/otp", // codes by time
			},
			not: append(transport(), "encoding/json", "log/...", "os/...", "net", "flag")},
		{path: "internal/passhash", why: "password hashing; knows no user", internal: []string{"internal/passhash/argon2"},
			modules: []string{"golang.org/x/crypto/blowfish", "golang.org/x/sys"}, not: append(transport(), "log/...", "os/...")},
		{path: "internal/passhash/argon2", why: "the kernels of Argon2", modules: []string{"golang.org/x/crypto/blake2b", "golang.org/x/sys"},
			not: append(transport(), "log/...", "os/...")},
		{path: "internal/jose", why: "keys and tokens; knows no session",
			modules: []string{"github.com/go-jose/go-jose/v4", "github.com/go-json-experiment/json"}, not: append(transport(), "os/...")},
		{path: "internal/webauthn", why: "what passkeys sign; knows no user, and keeps the library's HTTP from the domain",
			modules: []string{"github.com/go-webauthn/webauthn/protocol", "github.com/go-json-experiment/json"},
			not:     append(transport(), "log/...", "os/...")},
		{path: "internal/seal", why: "secrets at rest and secrets that do not print", not: append(transport(), "os/...")},

		{path: "internal/store", why: "the domain's state in SQL: alone knows drivers and migrations, and holds no rule",
			internal: []string{"internal/auth", "internal/jose", "internal/store/sqlc"},
			modules: []string{
				"modernc.org/sqlite", "github.com/jackc/pgx/v5", "github.com/pressly/goose/v3", "github.com/go-json-experiment/json",
			},
			not: []string{"net/http/...", "log/..."}},
		{path: "internal/store/sqlc", why: "written by sqlc", not: []string{"net/http/..."}},

		{path: "internal/httpx", why: "HTTP without a word of the domain",
			modules: []string{"github.com/getkin/kin-openapi", "github.com/go-json-experiment/json"}, not: []string{"database/sql/..."}},
		dialect("internal/multi", "serves /multi", "api"),
		dialect("internal/cis", "serves /cis", "api"),
		dialect("internal/oidc", "serves the OAuth endpoints"),
		dialect("internal/device", "serves /device", "api", "internal/qr"),
		{path: "internal/device/deviceclient", why: "a device, as an app would be: speaks /device and knows no domain", internal: []string{"internal/jose"},
			modules: []string{"github.com/go-json-experiment/json"}, not: []string{"database/sql/...", "encoding/json", "log/...", "os/..."}},
		{path: "internal/authenticator", why: "serves the files of the web app that is a device; knows no rule", internal: []string{"internal/httpx"},
			modules: []string{"github.com/go-json-experiment/json"}, not: []string{"database/sql/...", "encoding/json", "log/...", "os"}},
		{path: "internal/sandbox", why: "serves /sandbox and /simulate; the only thing that moves a clock",
			internal: []string{"api", "internal/auth", "internal/httpx", "internal/qr"}, modules: []string{"github.com/go-json-experiment/json"},
			not: []string{"database/sql/...", "encoding/json", "log/...", "os"}},
		{path: "internal/qr", why: "draws QR codes; knows not what is in them", modules: []string{"github.com/boombuler/barcode"},
			not: append(transport(), "log/...", "os/...")},
		{path: "internal/seed", why: "reads the seed file into a starting state of the domain", internal: []string{"internal/auth", "internal/jose"},
			modules: []string{"github.com/go-json-experiment/json", "go.yaml.in/yaml/v3"}, not: append(transport(), "os")},
		{path: "internal/outbox", why: "takes parcels to their carriers; knows none of them", internal: []string{"internal/auth"},
			not: append(transport(), "os")},
		{path: "internal/webhook", why: "carries news to the tenants' webhooks", internal: []string{"internal/auth"},
			modules: []string{"github.com/go-json-experiment/json"}, not: []string{"database/sql/...", "encoding/json", "log/...", "os"}},

		{path: "internal/notify", why: "messages to people: their words, and SMTP and gateways to bring them",
			internal: []string{"internal/auth", "internal/seal"},
			modules: []string{
				"github.com/emersion/go-smtp", "github.com/emersion/go-sasl", "golang.org/x/net/http/httpguts", "golang.org/x/net/idna",
				"go.yaml.in/yaml/v3", "github.com/go-jose/go-jose/v4", "golang.org/x/oauth2",
			},
			not: []string{"database/sql/...", "log/...", "os/..."}},

		{path: "internal/auth/authtest", why: "a domain over a store of its own, for tests", tests: true,
			internal: []string{"internal/auth", "internal/passhash", "internal/seal", "internal/store"}, not: transport()},
		{path: "internal/webauthn/webauthntest", why: "an authenticator in memory, for tests", tests: true,
			modules: []string{"github.com/fxamacker/cbor/v2"}, not: transport()},
		{path: "internal/httpx/httpxtest", why: "calls and golden replies, for the dialects' tests", tests: true,
			modules: []string{"github.com/getkin/kin-openapi", "github.com/google/go-cmp"}},
		{path: "internal/store/storetest", why: "what both databases must do alike", tests: true, internal: []string{"internal/auth", "internal/jose"},
			modules: []string{"github.com/google/go-cmp", "pgregory.net/rapid"}, not: transport()},
		{path: "internal/pgtest", why: "a PostgreSQL for tests and measurements", tests: true, not: []string{"net/http/..."}},
		{path: "internal/launch", why: "the program as a process, for tests and for what breaks it", tests: true, not: []string{"net/http/..."}},
		{path: "internal/apitest", why: "the whole program from outside: it knows HTTP and no package but the one that starts it", tests: true,
			internal: []string{"internal/launch"}},
		{path: "internal/torture", why: "breaks things under the program, and drives the domain through thousands of histories", tests: true,
			internal: []string{
				"internal/auth", "internal/auth/authtest", "internal/jose", "internal/launch", "internal/passhash", "internal/pgtest",
				"internal/seal", "internal/store",
			},
			modules: []string{"github.com/hanwen/go-fuse/v2", "github.com/jackc/pgx/v5", "modernc.org/sqlite"}},
		{path: "internal/apitest/clients", why: "the whole program, used with other people's clients and a browser", tests: true},
		{path: "internal/archtest", why: "this test", tests: true},
		{path: "bench", why: "measures the program from outside, beside what its parts can do", internal: []string{"internal/passhash", "internal/pgtest"},
			modules: []string{"github.com/jackc/pgx/v5", "golang.org/x/crypto/argon2", "modernc.org/sqlite"}},
	}
}

// testsMay is what test files may import beyond the rule of their package: they compare with other implementations and stand on real
// stores. The program is for apitest to start, as a program.
func testsMay() rule {
	return rule{
		internal: []string{"api", "internal/..."},
		modules: []string{
			"github.com/google/go-cmp", "pgregory.net/rapid", "github.com/rogpeppe/go-internal", "github.com/getkin/kin-openapi",
			"github.com/go-jose/go-jose/v4", "github.com/jackc/pgx/v5", "modernc.org/sqlite", "golang.org/x/crypto", "go.yaml.in/yaml/v3",
			"github.com/go-json-experiment/json", "github.com/pressly/goose/v3", "golang.org/x/net",
			"github.com/emersion/go-smtp", "github.com/pquerna/otp", "github.com/coreos/go-oidc/v3", "golang.org/x/oauth2",
		},
	}
}

// variables are the package-level variables that neither hold an error nor an embedded file. None changes once it is made.
func variables() map[string]string {
	return map[string]string{
		"internal/auth.codeNames":             "the names of the codes, indexed by them",
		"internal/auth.domains":               "a profile of idna, which is costly to make",
		"internal/auth.leet":                  "a replacer, which is costly to make",
		"internal/auth.orderedBase32":         "an alphabet",
		"internal/auth.tokenText":             "an alphabet",
		"internal/cis.answers":                "the contract's answers, by code",
		"internal/multi.answers":              "the same",
		"internal/oidc.answers":               "the same",
		"internal/notify.builtIn":             "the embedded words, read once",
		"cmd/countersign.slug":                "a compiled pattern",
		"bench.servingLine":                   "a compiled pattern",
		"bench.addressLine":                   "a compiled pattern",
		"internal/launch.servingLine":         "a compiled pattern",
		"internal/apitest.build":              "the program, built once for a test process",
		"internal/auth/authtest.emptyStore":   "an image, made once for a test process",
		"internal/auth/authtest.startedStore": "an image, made once for a test process",
		"internal/store/storetest.ordered":    "texts in the order that both databases have to keep",
		"internal/pgtest.mu":                  "the one server of a test process, as its comment says",
		"internal/pgtest.inMain":              "the same",
		"internal/pgtest.settings":            "the same",
		"internal/pgtest.started":             "the same",
		"internal/pgtest.startErr":            "the same",
	}
}

// longFiles may have more than maxLines lines, each for a reason.
func longFiles() map[string]string { return map[string]string{} }
