package multi

import (
	"net/http"

	"countersign/internal/auth"
)

// wire is what the contract says for one code of the domain.
type wire struct {
	status int
	form   form
	code   string
}

// answers is the dialect's table, in the order of the contract's sections. What must not be told apart is the same here: an unknown user, a
// wrong password, no password and a suspended user are one answer.
var answers = map[auth.Code]wire{
	auth.CodeUnknownKey:          {http.StatusUnauthorized, coded, "UNAUTHORIZED"},
	auth.CodeInvalidToken:        {http.StatusUnauthorized, coded, "UNAUTHORIZED"},
	auth.CodeUnknownClient:       {http.StatusUnauthorized, coded, "UNAUTHORIZED"},
	auth.CodeInvalidRefresh:      {http.StatusUnauthorized, coded, "UNAUTHORIZED"},
	auth.CodeReusedRefresh:       {http.StatusUnauthorized, coded, "UNAUTHORIZED"},
	auth.CodeSessionNotFound:     {http.StatusUnauthorized, coded, "UNAUTHORIZED"},
	auth.CodeSessionForeign:      {http.StatusUnauthorized, coded, "UNAUTHORIZED"},
	auth.CodeUnknownUser:         {http.StatusForbidden, empty, ""},
	auth.CodeWrongPassword:       {http.StatusForbidden, empty, ""},
	auth.CodeNoPassword:          {http.StatusForbidden, empty, ""},
	auth.CodeSuspended:           {http.StatusForbidden, empty, ""},
	auth.CodeForeignIdentity:     {http.StatusForbidden, coded, "INSUFFICIENT_PERMISSIONS"},
	auth.CodeWrongTokenKind:      {http.StatusForbidden, coded, "INSUFFICIENT_PERMISSIONS"},
	auth.CodeClientRefused:       {http.StatusForbidden, coded, "INSUFFICIENT_PERMISSIONS"},
	auth.CodeNotMember:           {http.StatusForbidden, coded, "INSUFFICIENT_PERMISSIONS"},
	auth.CodeNotPermitted:        {http.StatusForbidden, coded, "INSUFFICIENT_PERMISSIONS"},
	auth.CodeIdentitySuspended:   {http.StatusForbidden, coded, "INSUFFICIENT_PERMISSIONS"},
	auth.CodeAccessDenied:        {http.StatusForbidden, coded, "INSUFFICIENT_PERMISSIONS"},
	auth.CodeStepUpRequired:      {http.StatusForbidden, coded, "STEP_UP_REQUIRED"},
	auth.CodeAccessTokenRequired: {http.StatusForbidden, coded, "ACCESS_TOKEN_REQUIRED"},
	auth.CodeLocked:              {http.StatusLocked, empty, ""},
	auth.CodeBusy:                {http.StatusTooManyRequests, empty, ""},
	auth.CodeThrottled:           {http.StatusTooManyRequests, empty, ""},
	auth.CodeOverloaded:          {http.StatusServiceUnavailable, empty, ""},
	auth.CodeMaintenance:         {http.StatusServiceUnavailable, empty, ""},
	auth.CodePasswordExpired:     {http.StatusConflict, token, ""},
	auth.CodePasswordTemp:        {http.StatusConflict, token, ""},
	auth.CodeIdentityRequired:    {http.StatusBadRequest, fields, "REQUIRED"},
	auth.CodeInputTooLong:        {http.StatusBadRequest, fields, "SIZE"},
	auth.CodeLinkEmpty:           {http.StatusBadRequest, fields, "AT_LEAST"},
	auth.CodeLinkInvalid:         {http.StatusBadRequest, fields, "REGEX"},
	auth.CodeIdentifierInvalid:   {http.StatusBadRequest, fields, "REGEX"},
	auth.CodeIdentifierRequired:  {http.StatusBadRequest, fields, "REGEX"},
	auth.CodeInvalidTarget:       {http.StatusBadRequest, fields, "REGEX"},
	auth.CodeInvalidScope:        {http.StatusBadRequest, fields, "REGEX"},
	auth.CodeSearchInvalid:       {http.StatusBadRequest, fields, "REGEX"},
	auth.CodePrimaryIdentifier:   {http.StatusBadRequest, fields, "REGEX"},
	auth.CodeUserNotFound:        {http.StatusNotFound, general, "NOT_FOUND"},
	auth.CodeNotFound:            {http.StatusNotFound, general, "NOT_FOUND"},
	auth.CodeInternal:            {http.StatusInternalServerError, empty, ""}, // a replay is answered before it comes here
	auth.CodeReplayed:            {http.StatusInternalServerError, empty, ""}, // a replay is answered before it comes here

	// contract/multi §2.3, §2.4, §2.9
	auth.CodeChannelUnsupported:  conflict("CHANNEL_NOT_SUPPORTED"),
	auth.CodeChannelUnbound:      conflict("CHANNEL_NOT_REGISTERED"),
	auth.CodeChannelBound:        conflict("CHANNEL_ALREADY_REGISTERED"),
	auth.CodeChannelNotReady:     conflict("CHANNEL_NOT_READY"),
	auth.CodePhoneMissing:        conflict("MOBILE_NUMBER_NOT_AVAILABLE"),
	auth.CodePhoneInvalid:        conflict("MOBILE_NUMBER_INVALID"),
	auth.CodePhoneCountry:        conflict("MOBILE_COUNTRY_NOT_SUPPORTED"),
	auth.CodeBindingUnsupported:  conflict("TYPE_DOES_NOT_SUPPORT_ENROLMENT"),
	auth.CodeBindingLimit:        conflict("ENROLMENT_LIMIT_EXCEEDED"),
	auth.CodePasscodeMissing:     conflict("PASSCODE_NOT_SET"),
	auth.CodeCredentialsInactive: conflict("CREDENTIALS_INACTIVE"),
	auth.CodeTooSoon:             conflict("RETRY_IN_15SEC"),
	auth.CodeChallengeLimit:      conflict("CHALLENGE_LIMIT_EXCEEDED"),
	auth.CodeOneTryLeft:          conflict("ONE_CHALLENGE_LIMIT_REMAINING"),
	auth.CodeWrongOTP:            conflict("VERIFICATION_CODE_INVALID"),
	auth.CodeOTPExpired:          conflict("VERIFICATION_CODE_EXPIRED"),
	auth.CodeNoChallenge:         conflict("STATE_INVALID"),
	auth.CodeChallengeFlying:     conflict("STATE_INVALID"),
	auth.CodeNotPending:          conflict("CHALLENGE_NOT_PENDING"),
	auth.CodeExempt:              conflict("SCA_EXEMPTION_APPLIED"),
	auth.CodeAlreadyVerified:     conflict("ALREADY_VERIFIED"),

	// contract/multi §2.5
	auth.CodePasswordIncorrect: conflict("PASSWORD_INCORRECT"),
	auth.CodePasswordTooShort:  conflict("PASSWORD_TOO_SHORT"),
	auth.CodePasswordTooLong:   conflict("PASSWORD_TOO_LONG"),
	auth.CodePasswordTooSimple: conflict("PASSWORD_TOO_SIMPLE"),
	auth.CodePasswordUsed:      conflict("PASSWORD_ALREADY_USED"),
	auth.CodePasswordExists:    conflict("PASSWORD_ALREADY_CREATED"),
	auth.CodePasswordMissing:   conflict("PASSWORD_NOT_SET"),
	auth.CodeNoPasswordPolicy:  conflict("PASSWORD_PROFILE_NOT_CONFIGURED_FOR_CREDENTIAL_TYPE"),
	auth.CodeActsForNobody:     conflict("UNRESOLVED_IDENTITY"),
	auth.CodeRecoveryInvalid:   conflict("INVALID_NONCE_OR_EMAIL"),
	auth.CodeAccountNotFound:   conflict("ACCOUNT_NOT_FOUND"),
	auth.CodeAccountAmbiguous:  conflict("MULTIPLE_ACCOUNTS_FOUND"),

	// contract/multi §2.6
	auth.CodeUserExists:         conflict("EMAIL_NOT_UNIQUE"),
	auth.CodeInviteConsumed:     conflict("INVITE_ALREADY_CONSUMED"),
	auth.CodeInviteInvalid:      conflict("INVITE_OR_INVITE_CODE_INVALID"),
	auth.CodeEmailNotFound:      conflict("EMAIL_NOT_FOUND"),
	auth.CodeEmailDomain:        conflict("EMAIL_DOMAIN_NOT_ALLOWED"),
	auth.CodeEmailChangeTooSoon: conflict("TOO_FREQUENT_EMAIL_CHANGES"),
	auth.CodePhoneMalformed:     conflict("MOBILE_OR_COUNTRY_CODE_INVALID"),
	auth.CodePhoneChangeLimit:   conflict("MOBILE_NO_CHANGE_LIMIT_EXCEEDED"),
	auth.CodePhoneFixed:         conflict("MOBILE_CHANGE_NOT_ALLOWED"),
	auth.CodeResidenceInvalid:   conflict("COUNTRY_OF_RESIDENCE_INVALID"),
	auth.CodeRoleNotFound:       conflict("ROLE_NOT_FOUND"),
	auth.CodeOwnRoles:           conflict("CANNOT_MODIFY_OWN_ROLES"),
	auth.CodeAdminRemoval:       conflict("ADMIN_ROLE_REMOVAL_NOT_ALLOWED"),
	auth.CodeEmailUnverified:    conflict("EMAIL_NOT_VERIFIED"),
	auth.CodePhoneUnverified:    conflict("MOBILE_NOT_VERIFIED"),
	auth.CodeDiligenceApproved:  conflict("KYC_ALREADY_APPROVED"),
	auth.CodeDiligencePending:   conflict("KYC_PENDING_REVIEW"),
	auth.CodeDiligenceRejected:  conflict("KYC_REJECTED"),
	auth.CodeIdentityUnapproved: conflict("KYB_IDENTITY_NOT_APPROVED"),

	// contract/multi §2.7
	auth.CodeRootExists:       conflict("ROOT_EMAIL_NOT_UNIQUE"),
	auth.CodeRootInactive:     conflict("ROOT_USER_INACTIVE"),
	auth.CodeRootUnverified:   conflict("ROOT_EMAIL_NOT_VERIFIED"),
	auth.CodeRootProfile:      conflict("PROFILE_MISMATCH"),
	auth.CodeDiligenceMissing: conflict("KYC_APPROVAL_MISSING"),
	auth.CodeCountryInvalid:   conflict("COUNTRY_INVALID"),
	auth.CodeConsumerExists:   conflict("CONSUMER_ALREADY_EXISTS"),
	auth.CodeConsumerVerified: conflict("CONSUMER_VERIFIED"),
	auth.CodeRootVerified:     conflict("ROOT_USER_ALREADY_VERIFIED"),

	// ours: contract/multi §1.2 does not say what a reused idempotency-ref is answered
	auth.CodeOnceConflict: conflict("IDEMPOTENCY_REF_REUSED"),
}

// conflict is a refusal in the contract's word, answered with 409.
func conflict(word string) wire { return wire{http.StatusConflict, coded, word} }

// wireOf is what a code is answered with. What is not in the table is a refusal of a flow that only another contract has.
func wireOf(c auth.Code) wire {
	if w, known := answers[c]; known {
		return w
	}
	return wire{http.StatusForbidden, coded, "INSUFFICIENT_PERMISSIONS"}
}
