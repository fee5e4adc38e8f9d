package apitest

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
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
	const (
		payments = "we hold no payments, fees, currencies and mandates"
		profiles = "we hold no profiles; every id is taken"
		register = "no register of companies is asked"
		unique   = "an address is one user's from the start, so its verification meets nobody else's"
		newcomer = "who is new has no roles to keep or to lose; what the caller may not give is 403"
	)
	return map[string]string{
		"* IDEMPOTENCY_REF_REUSED": "one mechanism for all operations; scripts show it on some",

		"* PAYMENT_MODEL_CONSTRAINTS_VIOLATED": payments,
		"* FEE_GROUP_INVALID":                  payments,
		"* CURRENCY_UNSUPPORTED":               payments,
		"* UNSUPPORTED_CURRENCY":               payments,
		"* TERMINATION_DATE_IN_PAST":           payments,
		"* PROFILE_NOT_FOUND":                  profiles,
		"* PROFILE_INACTIVE":                   profiles,
		"* COMPANY_NOT_FOUND":                  register,
		"* COMPANY_LOOKUP_FAILED":              register,
		"* COMPANY_TYPE_UNSUPPORTED":           register,
		"* COUNTRY_UNSUPPORTED":                "we do business in no country; all are taken",
		"corporateUpdate COUNTRY_INVALID":      "a change of a corporate holds no country",

		"corporateSendVerificationCodeEmail EMAIL_NOT_UNIQUE": unique,
		"consumerSendVerificationCodeEmail EMAIL_NOT_UNIQUE":  unique,
		"corporateVerifyEmail EMAIL_NOT_UNIQUE":               unique,
		"consumerVerifyEmail EMAIL_NOT_UNIQUE":                unique,
		"userVerifyEmail EMAIL_NOT_UNIQUE":                    unique,
		"userCreate CANNOT_MODIFY_OWN_ROLES":                  newcomer,
		"userCreate ADMIN_ROLE_REMOVAL_NOT_ALLOWED":           newcomer,
		"userIdentities IDENTITY_TYPE_NOT_SUPPORTED":          "every type is listed",

		"* PASSWORD_KEY_ALREADY_IN_USE":                         "a user has one password; passwords have no keys of their own",
		"* PASSWORD_PROFILE_NOT_CONFIGURED_FOR_CREDENTIAL_TYPE": "every tenant has a policy, for all users",
		"passwordValidate UNRESOLVED_IDENTITY":                  "the call names no user",
		"userConsumeInvite UNRESOLVED_IDENTITY":                 "an invite is of an identity, and who has left it is suspended: the code is wrong",
		"userConsumeInvite PASSWORD_ALREADY_USED":               "it is the first password",
		"lostPasswordResume PASSWORD_INCORRECT":                 "the call holds no former password",
	}
}

// TestUnsaidIsDocumented: who writes a client reads in docs/multi.md which words they will never see.
func TestUnsaidIsDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/multi.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, found := strings.Cut(string(page), "## Codes that are never sent\n")
	if !found {
		t.Fatal("docs/multi.md has no list of them")
	}
	for name := range unsaid() {
		word := strings.Fields(name)[1]
		if word != "IDEMPOTENCY_REF_REUSED" && !strings.Contains(list, "`"+word+"`") {
			t.Errorf("docs/multi.md does not list %s", word)
		}
	}
}
