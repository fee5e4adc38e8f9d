package apitest

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// adas are the values by which requests name Ada, by the names of their members.
func adas() map[*regexp.Regexp]string {
	return map[*regexp.Regexp]string{
		regexp.MustCompile(`(?i)phone|mobile`):                      "+35699111111",
		regexp.MustCompile(`(?i)email`):                             "ada@example.com",
		regexp.MustCompile(`(?i)user_?name|identifier$|login_hint`): "ada",
		regexp.MustCompile(`(?i)identifier_type|username_type`):     "username",
		regexp.MustCompile(`(?i)^channel$`):                         "sms",
		regexp.MustCompile(`(?i)user_?id`):                          "1001",
		regexp.MustCompile(`(?i)password|^value$`):                  "Pa55word!",
	}
}

// aimed is the example of a body, with Ada in the place of whoever it is about.
func aimed(v any, member string) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, of := range v {
			out[name] = aimed(of, name)
		}
		return out
	case []any:
		for i := range v {
			v[i] = aimed(v[i], member)
		}
		return v
	case string:
		for name, value := range adas() {
			if name.MatchString(member) {
				return value
			}
		}
	}
	return v
}

// TestStrangersCauseNoSMS is B-69: nobody who has not proved who they are makes the server send an SMS, by any operation of any contract,
// nor does the key of a back end alone on /multi. With a client's own token two operations do, which the contract has for those who are not logged in yet;
// what bounds them is in docs/decisions/0018-sms.md.
func TestStrangersCauseNoSMS(t *testing.T) {
	t.Parallel()
	a := &aviary{canaries: &canaries{}, t: t, refusals: make(map[string][]byte)}
	s := Start(t, Options{Seed: canarySeed(t, "http://127.0.0.1:9/hooks")})
	a.base = s.URL
	sent := func() (n int) {
		var inbox []struct{ Channel string }
		if err := json.Unmarshal(a.get("/sandbox/inbox"), &inbox); err != nil {
			t.Fatal(err)
		}
		for _, m := range inbox {
			if strings.EqualFold(m.Channel, "sms") {
				n++
			}
		}
		return n
	}
	a.prepare()
	before := sent()
	if before == 0 {
		t.Fatal("a step-up sent no SMS: there is nothing to be seen")
	}
	strangers := map[string][]string{
		"nothing": nil, "a key": a.headers["apiKey"], "a made-up token": {"Authorization", "Bearer " + strings.Repeat("A", 86)},
	}
	client := map[string][]string{"a client's token": a.headers["client"]}
	var causes []string
	each := func(by map[string][]string) {
		for _, path := range []string{multiDoc, cisDoc, deviceDoc} {
			doc, err := openapi3.NewLoader().LoadFromData(a.get(path))
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range slices.Sorted(maps.Keys(doc.Paths.Map())) {
				for method, op := range doc.Paths.Value(path).Operations() {
					for who, let := range by {
						a.knock(method, path, op, let)
						if now := sent(); now != before {
							before = now
							causes = append(causes, who+": "+op.OperationID)
						}
					}
				}
			}
		}
	}
	each(strangers)
	if len(causes) != 0 {
		t.Errorf("SMS were sent by %q", causes)
	}
	each(client)
	slices.Sort(causes)
	if want := []string{"a client's token: sendOTP", "a client's token: sendPasswordResetSMS"}; !slices.Equal(causes, want) {
		t.Errorf("SMS were sent by %q, want %q", causes, want)
	}
	if a.calls < 600 {
		t.Errorf("%d calls are no proof", a.calls)
	}
}

// knock calls an operation as its example does, about Ada.
func (a *aviary) knock(method, path string, op *openapi3.Operation, headers []string) {
	a.t.Helper()
	var body []byte
	typ := ""
	if op.RequestBody != nil {
		body, typ = example(a.t, op), jsonType
		var v any
		if body == nil {
			body, typ = []byte("username=ada&password=Pa55word!&login_hint=ada@example.com"), formType
		} else if err := json.Unmarshal(body, &v); err != nil {
			a.t.Fatal(err)
		} else if body, err = json.Marshal(aimed(v, "")); err != nil {
			a.t.Fatal(err)
		}
	}
	a.send(op.OperationID, method, fillPath(path, op), typ, body, headers...)
}
