package apitest

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// noteWord remembers the errorCode of a conflict.
func (c *coverage) noteWord(operation string, r *reply) {
	var body struct {
		ErrorCode string `json:"errorCode"`
	}
	if r.status != http.StatusConflict || json.Unmarshal(r.body, &body) != nil || body.ErrorCode == "" {
		return
	}
	c.note(operation, "409 "+body.ErrorCode)
}

// judgeWords fails for each errorCode that a document declares for a conflict and no script has seen, unless docs/multi.md says why we
// never send it, and for each exemption that is not needed.
func (c *coverage) judgeWords(t *testing.T) {
	exempt, used := unsaid(), make(map[string]bool)
	for _, doc := range c.docs {
		for path, item := range doc.Paths.Map() {
			for method, op := range item.Operations() {
				for _, word := range conflictWords(op) {
					name, general := op.OperationID+" "+word, "* "+word
					switch seen := c.seen[op.OperationID+" 409 "+word]; {
					case exempt[name] != "" || exempt[general] != "":
						used[name], used[general] = true, true
						if seen && exempt[name] != "" {
							t.Errorf("%s is exempt and was seen", name)
						}
					case !seen:
						t.Errorf("no script sees %s of %s %s (%s)", word, method, path, name)
					}
				}
			}
		}
	}
	for name := range exempt {
		if !used[name] {
			t.Errorf("%s is exempt and not declared", name)
		}
	}
}

// conflictWords are the values of errorCode that an operation declares for 409.
func conflictWords(op *openapi3.Operation) []string {
	response := op.Responses.Status(http.StatusConflict)
	if response == nil || response.Value.Content.Get("application/json") == nil {
		return nil
	}
	code := response.Value.Content.Get("application/json").Schema.Value.Properties["errorCode"]
	if code == nil {
		return nil
	}
	var words []string
	for _, v := range code.Value.Enum {
		words = append(words, v.(string))
	}
	return words
}

// unsaid are the errorCodes that no script can bring about, and why. The sandbox's faults can send any of them.
func unsaid() map[string]string {
	return map[string]string{
		"* IDEMPOTENCY_REF_REUSED":         "one mechanism for all operations; scripts show it on some",
		"* IDEMPOTENT_REQUEST_IN_PROGRESS": "a second call waits for the first; only a database that gives up comes to it",
	}
}
