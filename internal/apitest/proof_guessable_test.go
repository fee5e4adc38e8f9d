package apitest

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// guessable are the members of requests by which somebody proves something, and could try.
var guessable = regexp.MustCompile(`(?i)^(password|value|old_?password|passcode|pin|code|otp|otp_?code|token|verification_?code|nonce|invite_?code|answer|signature|ticket|proof|webauthn_encoded_result|refresh_token|client_secret|email_code|hash_code)$`)

// How guesses at what an operation takes are bounded.
const (
	byUser    = "a counter of the user's, over both contracts and all names, and a lock"
	byCode    = "a counter of codes over all challenges of the user, and the end of the challenge"
	byKey     = "a counter of the key, passkey, app or PIN, and a lock"
	byAddress = "a limit on refused attempts from one address"
	byTag     = "256 random bits: a made-up one is refused by its tag, or found in no row"
	nothing   = "it is set, or shown, or proves nothing"
)

// bounds say of every operation that takes what could be guessed how the guesses are bounded. There are tests of each bound; this one is here
// so that no operation comes without.
func bounds() map[string]string {
	all := make(map[string]string)
	for bound, operations := range map[string]string{
		byUser: `loginWithPassword passwordUpdate authenticatePassword loginPassword validateOldPassword updatePasswordCredential
			addPasswordCredentialsToCurrentUser login`,
		byCode: `enrolDeviceUsingOtpStepTwo beneficiariesBatchVerifyOtp multipleSCAVerify consumerVerifyEmail corporateVerifyEmail userVerifyEmail
			outgoingWireTransferVerifyOtp lostPasswordResume sendVerifyOtp stepupSCAVerify userConsumeInvite userValidateInvite authenticateOTP
			validatePasswordResetEmail validatePasswordResetSMS verifyEmailOtp verifySmsOtp`,
		byKey:     "authenticateMobileBiometrics authenticateTOTP authenticateTransactionSigningTOTP authenticateWebauthn validateDeviceKeys answerRequest",
		byAddress: "getAccessToken getAccessTokenCIS pushAuthorizationRequest pushAuthorizationRequestCIS introspectToken introspectTokenCIS revokeToken revokeTokenCIS redeemCode bindDevice",
		byTag:     "authenticateMagicLink refreshToken setPIN registerWebauthn registerWebauthnExternal requestAccessToken",
		nothing: `passwordValidate validatePassword passwordCreate authorizePost registerPassword createOrAssignMember createUser addPasswordCredential setPush
			updateAppAuthMethods`,
	} {
		for _, op := range strings.Fields(operations) {
			all[op] = bound
		}
	}
	return all
}

func TestEveryGuessIsBounded(t *testing.T) { // B-06
	n := &aviary{t: t, base: Start(t, Options{}).URL}
	left := bounds()
	for _, path := range []string{multiDoc, cisDoc, deviceDoc} {
		doc, err := openapi3.NewLoader().LoadFromData(n.get(path))
		if err != nil {
			t.Fatal(err)
		}
		for path, item := range doc.Paths.Map() {
			for method, op := range item.Operations() {
				takes := guessed(op)
				if len(takes) == 0 {
					continue
				}
				if bounds()[op.OperationID] == "" {
					t.Errorf("%s %s (%s) takes %v: say in bounds how guesses at it are bounded", method, path, op.OperationID, takes)
				}
				delete(left, op.OperationID)
			}
		}
	}
	for op := range left {
		t.Errorf("%s takes nothing that could be guessed, or is not there", op)
	}
}

// guessed are the members of an operation's body that could be guessed.
func guessed(op *openapi3.Operation) []string {
	var found []string
	if op.RequestBody == nil {
		return nil
	}
	for _, content := range op.RequestBody.Value.Content {
		members(content.Schema, map[*openapi3.Schema]bool{}, func(name string) {
			if guessable.MatchString(name) && !slices.Contains(found, name) {
				found = append(found, name)
			}
		})
	}
	return found
}

// members calls on for the name of each member of a schema, at any depth.
func members(ref *openapi3.SchemaRef, seen map[*openapi3.Schema]bool, on func(string)) {
	if ref == nil || ref.Value == nil || seen[ref.Value] {
		return
	}
	seen[ref.Value] = true
	for name, of := range ref.Value.Properties {
		on(name)
		members(of, seen, on)
	}
	members(ref.Value.Items, seen, on)
	for _, all := range [][]*openapi3.SchemaRef{ref.Value.AllOf, ref.Value.AnyOf, ref.Value.OneOf} {
		for _, of := range all {
			members(of, seen, on)
		}
	}
}
