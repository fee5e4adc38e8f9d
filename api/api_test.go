package api_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"countersign/api"
	"countersign/internal/httpx"
)

var update = flag.Bool("update", false, "make NAME.requests.json of NAME.yaml")

func load(t *testing.T, data []byte) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return doc
}

// documents are all of them, by what they describe.
func documents() map[string][]byte {
	return map[string][]byte{"multi": api.Multi(), "cis": api.CIS(), "simulate": api.Simulate(), "sandbox": api.Sandbox(),
		"device": api.Device()}
}

// each calls fn for every operation of all documents.
func each(t *testing.T, fn func(t *testing.T, surface, method, path string, op *openapi3.Operation)) {
	t.Helper()
	for surface, data := range documents() {
		doc := load(t, data)
		if doc.Paths.Len() == 0 {
			t.Errorf("%s: no paths", surface)
		}
		for path, item := range doc.Paths.Map() {
			for method, op := range item.Operations() {
				t.Run(method+" "+path, func(t *testing.T) { fn(t, surface, method, path, op) })
			}
		}
	}
}

func TestDocumentsAreValid(t *testing.T) {
	t.Parallel()
	for surface, data := range documents() {
		doc := load(t, data)
		if got, want := doc.OpenAPI, "3.0.3"; got != want {
			t.Errorf("%s: openapi: got %q, want %q", surface, got, want)
		}
		if err := doc.Validate(context.Background(), openapi3.EnableSchemaPatternValidation()); err != nil {
			t.Errorf("%s: %v", surface, err)
		}
	}
}

// TestRequestsAreThoseOfTheDocuments: what requests are checked by is made from the documents.
func TestRequestsAreThoseOfTheDocuments(t *testing.T) {
	t.Parallel()
	made := map[string][]byte{"multi": api.MultiRequests(), "cis": api.CISRequests(), "simulate": api.SimulateRequests(),
		"sandbox": api.SandboxRequests(), "device": api.DeviceRequests()}
	for surface, data := range documents() {
		want, err := httpx.Requests(data)
		if err != nil {
			t.Fatalf("%s: %v", surface, err)
		}
		if *update {
			if err := os.WriteFile(surface+".requests.json", want, 0o644); err != nil {
				t.Fatal(err)
			}
		} else if !bytes.Equal(made[surface], want) {
			t.Errorf("%s.requests.json is not what %s.yaml says: go test ./api -update", surface, surface)
		}
	}
}

// BenchmarkOpen is what a start of the server pays for its documents, and BenchmarkRequests what it does not.
func BenchmarkOpen(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		for _, data := range [][]byte{api.MultiRequests(), api.CISRequests(), api.DeviceRequests()} {
			if _, err := httpx.OpenDoc(data); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkRequests(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		for _, data := range [][]byte{api.Multi(), api.CIS(), api.Device()} {
			if _, err := httpx.Requests(data); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// TestBytesAreTheCallers guards the documents against a caller that writes into what it got.
func TestBytesAreTheCallers(t *testing.T) {
	t.Parallel()
	api.Multi()[0] = '#'
	if got := string(api.Multi()[:7]); got != "openapi" {
		t.Errorf("got %q after a write, want %q", got, "openapi")
	}
}

func TestEveryOperationIsExplained(t *testing.T) {
	t.Parallel()
	ids := map[string]string{}
	each(t, func(t *testing.T, surface, method, path string, op *openapi3.Operation) {
		for field, value := range map[string]string{
			"operationId": op.OperationID, "summary": op.Summary, "description": op.Description,
		} {
			if strings.TrimSpace(value) == "" {
				t.Errorf("no %s", field)
			}
		}
		if other, ok := ids[surface+op.OperationID]; ok {
			t.Errorf("operationId %s: also at %s", op.OperationID, other)
		}
		ids[surface+op.OperationID] = method + " " + path
		if len(op.Tags) != 1 {
			t.Errorf("tags: got %v, want one", op.Tags)
		}
		for _, p := range op.Parameters {
			if p.Value.Description == "" || p.Value.Example == nil {
				t.Errorf("parameter %s: no description or no example", p.Value.Name)
			}
		}
	})
}

func TestEveryResponseIsExplained(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, surface, _, _ string, op *openapi3.Operation) {
		for _, status := range []string{"500", "503", "default"} {
			if status == "503" && (surface == "sandbox" || op.OperationID == "readConfiguration" || op.OperationID == "getOrganizationLogo") {
				continue // it is of no tenant, or is served in maintenance too, and hashes nothing
			}
			if op.Responses.Value(status) == nil {
				t.Errorf("no response %s", status)
			}
		}
		for status, ref := range op.Responses.Map() {
			r := ref.Value
			if r.Description == nil || strings.TrimSpace(*r.Description) == "" {
				t.Errorf("response %s: no description", status)
			}
			h := r.Headers["request-ref"]
			if h == nil || !h.Value.Required {
				t.Errorf("response %s: request-ref is not required", status)
			}
			if (status == "423" || status == "429" || status == "503") && r.Headers["Retry-After"] == nil {
				t.Errorf("response %s: no Retry-After", status)
			}
		}
	})
}

// TestResponsesAreTight holds every object that can be sent to the members it names.
func TestResponsesAreTight(t *testing.T) {
	t.Parallel()
	// The caller's own objects, sent back as they came, or in the schemas of the request that set them.
	free := []string{"custom_data", "custom_app_data", "approval_data", "headers", "jwk", "jwks", "auth_methods"}
	each(t, func(t *testing.T, _, _, _ string, op *openapi3.Operation) {
		seen := map[*openapi3.Schema]bool{}
		var walk func(at string, ref *openapi3.SchemaRef)
		walk = func(at string, ref *openapi3.SchemaRef) {
			if ref == nil || seen[ref.Value] {
				return
			}
			s := ref.Value
			seen[s] = true
			walk(at+".*", s.AdditionalProperties.Schema) // the members of a map
			named := s.AdditionalProperties.Has != nil && !*s.AdditionalProperties.Has
			if s.Type.Is("object") && !named && s.AdditionalProperties.Schema == nil {
				t.Errorf("%s: additional members are allowed", at)
			}
			for name, p := range s.Properties {
				if !slices.Contains(free, name) {
					walk(at+"."+name, p)
				}
			}
			walk(at+"[]", s.Items)
			for _, list := range []openapi3.SchemaRefs{s.OneOf, s.AnyOf, s.AllOf} {
				for _, one := range list {
					walk(at, one)
				}
			}
		}
		for status, ref := range op.Responses.Map() {
			for mime, media := range ref.Value.Content {
				walk(status+" "+mime, media.Schema)
			}
		}
	})
}

// TestBodiesAreBounded wants a limit on every call that takes a body, and no request of a vendor's contract that names its members
// exhaustively: real clients send members that we do not know. On paths of our own each of them is a mistake.
func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, surface, method, path string, op *openapi3.Operation) {
		if method == "GET" {
			return
		}
		want := 8192
		large := []string{"/cis/v1/users", "/cis/v1/auth/otp/send", "/cis/v1/auth/link/email/send", "/sandbox/faults",
			"/device/v1/requests/{challenge}/answer", "/cis/v1/organizations/{organization_id}/members",
			"/cis/v1/verification/otp/email/send", "/cis/v1/verification/links/email", "/cis/v1/auth/mobile-biometrics/register",
			"/cis/v1/auth/webauthn/register", "/cis/v1/auth/webauthn/external/register", "/cis/v1/auth/webauthn/authenticate",
		} // pictures, lists, attestations
		if method == "POST" && slices.Contains(large, path) || method == "PUT" && path == "/cis/v1/users/{user_id}" {
			want = 65536
		}
		if n := map[string]int{ // a passkey, a list of settings, a picture
			"/device/v1/devices": 16384, "/cis/loginPreferences/{app_id}/authMethods": 16384, "/cis/v1/organizations/{organization_id}/logo": 40960,
		}[path]; n != 0 {
			want = n
		}
		if got, _ := op.Extensions["x-max-body"].(float64); int(got) != want {
			t.Errorf("x-max-body: got %v, want %d", op.Extensions["x-max-body"], want)
		}
		if op.RequestBody == nil {
			return
		}
		for mime, media := range op.RequestBody.Value.Content {
			// What is registered is ours alone, and a member that we do not know would be one that the user is not shown.
			strict := surface == "sandbox" || surface == "device" || op.OperationID == "registerConfirmation"
			if has := media.Schema.Value.AdditionalProperties.Has; (has != nil && !*has) != strict {
				t.Errorf("%s: unknown members are refused: %t", mime, !strict)
			}
			if media.Schema.Value.Example == nil {
				t.Errorf("%s: no example", mime)
			}
		}
	})
}
