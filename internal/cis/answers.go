package cis

import (
	"net/http"

	"countersign/internal/auth"
)

// wire is what the contract says for one code of the domain.
type wire struct {
	status  int
	name    string // ts_error_code, or error_code in shape C; empty: left out
	message string // "" for a login that needs a new password: the message is the name of why
}

// answers is the dialect's table. What must not be told apart is the same here: an unknown user, a wrong password, no password and a
// suspended user are one answer.
var answers = map[auth.Code]wire{
	auth.CodeInvalidToken:       {http.StatusUnauthorized, "unauthorized_request", "Invalid token"},
	auth.CodeProofInvalid:       {http.StatusUnauthorized, "invalid_dpop_proof", "Invalid proof of a key"},
	auth.CodeUnknownClient:      {http.StatusUnauthorized, "unauthorized_request", "Invalid token"},
	auth.CodeUnknownKey:         {http.StatusUnauthorized, "unauthorized_request", "Invalid token"},
	auth.CodeInvalidRefresh:     {http.StatusUnauthorized, "auth_invalid_credentials", "Invalid refresh token"},
	auth.CodeReusedRefresh:      {http.StatusUnauthorized, "auth_invalid_credentials", "Invalid refresh token"},
	auth.CodeUnknownUser:        {http.StatusUnauthorized, "auth_invalid_credentials", "Invalid username or password"},
	auth.CodeWrongPassword:      {http.StatusUnauthorized, "auth_invalid_credentials", "Invalid username or password"},
	auth.CodeNoPassword:         {http.StatusUnauthorized, "auth_invalid_credentials", "Invalid username or password"},
	auth.CodeSuspended:          {http.StatusUnauthorized, "auth_invalid_credentials", "Invalid username or password"},
	auth.CodeLocked:             {http.StatusForbidden, "auth_locked", "The account is locked for a while"},
	auth.CodePasswordExpired:    {http.StatusForbidden, "", "password_expired"},
	auth.CodePasswordTemp:       {http.StatusForbidden, "", "temporary_password"},
	auth.CodeClientRefused:      {http.StatusForbidden, "insufficient_permissions", "The client may not do this"},
	auth.CodeWrongTokenKind:     {http.StatusForbidden, "insufficient_permissions", "The client may not do this"},
	auth.CodeForeignIdentity:    {http.StatusForbidden, "insufficient_permissions", "The client may not do this"},
	auth.CodeIdentityRequired:   {http.StatusForbidden, "insufficient_permissions", "The client may not do this"},
	auth.CodeInsufficientScope:  {http.StatusForbidden, "insufficient_permissions", "The client may not do this"},
	auth.CodeNotMember:          {http.StatusForbidden, "insufficient_permissions", "The user cannot act for the organization"},
	auth.CodeBusy:               {http.StatusTooManyRequests, "too_many_requests", "Too many requests"},
	auth.CodeThrottled:          {http.StatusTooManyRequests, "too_many_requests", "Too many requests"},
	auth.CodeTooSoon:            {http.StatusTooManyRequests, "too_many_requests", "Too many requests"},
	auth.CodeChallengeLimit:     {http.StatusTooManyRequests, "too_many_requests", "Too many requests"},
	auth.CodeOverloaded:         {http.StatusServiceUnavailable, "system_unavailable", "Temporarily unavailable"},
	auth.CodeMaintenance:        {http.StatusServiceUnavailable, "system_unavailable", "Temporarily unavailable"},
	auth.CodeSessionNotFound:    {http.StatusBadRequest, "auth_session_not_found", "Session not found"},
	auth.CodeSessionForeign:     {http.StatusBadRequest, "auth_session_not_found", "Session not found"},
	auth.CodeInvalidTarget:      {http.StatusBadRequest, "system_invalid_input", "The resource is not configured for the client"},
	auth.CodeInvalidScope:       {http.StatusBadRequest, "system_invalid_input", "Malformed value"},
	auth.CodeIdentifierInvalid:  {http.StatusBadRequest, "system_invalid_input", "Malformed value"},
	auth.CodeSearchInvalid:      {http.StatusBadRequest, "system_invalid_input", "Not a filter that this server knows"},
	auth.CodePrimaryIdentifier:  {http.StatusBadRequest, "system_invalid_input", "The primary one cannot be removed"},
	auth.CodeInputTooLong:       {http.StatusBadRequest, "system_invalid_input", "Too long"},
	auth.CodeIdentifierRequired: {http.StatusBadRequest, "system_invalid_input", "One of email, phone_number and username is needed"},
	auth.CodePasswordTooShort:   {http.StatusBadRequest, "auth_password_weak", "The password is too short"},
	auth.CodePasswordTooLong:    {http.StatusBadRequest, "auth_password_weak", "The password is too long"},
	auth.CodePasswordTooSimple:  {http.StatusBadRequest, "auth_password_weak", "The password is too simple"},
	auth.CodePasswordUsed:       {http.StatusBadRequest, "auth_password_recently_used", "The password was used recently"},
	auth.CodePasswordExists:     {http.StatusConflict, "auth_password_already_configured", "The user has a password"},
	auth.CodePasswordMissing:    {http.StatusConflict, "auth_password_already_configured", "The user has no password"},
	auth.CodeUserExists:         {http.StatusConflict, "user_already_exists", "A user with this identifier exists"},
	auth.CodeUserNotFound:       {http.StatusNotFound, "user_not_found", "User not found"},
	auth.CodeNotFound:           {http.StatusNotFound, "", "Not found"},
	auth.CodeInternal:           {http.StatusInternalServerError, "system_internal_error", "Internal error"},
	auth.CodeReplayed:           {http.StatusInternalServerError, "system_internal_error", "Internal error"},

	// authentications by anything but a password, and what they need
	auth.CodeWrongOTP:           {http.StatusBadRequest, "auth_invalid_credentials", "Invalid code"},
	auth.CodeRedirectInvalid:    {http.StatusBadRequest, "system_invalid_input", "Not configured for the client"},
	auth.CodeOTPExpired:         {http.StatusBadRequest, "auth_otp_passcode_expired", "The code has expired"},
	auth.CodeNoChallenge:        {http.StatusBadRequest, "auth_invalid_credentials", "Invalid magic link code"},
	auth.CodeChannelUnsupported: {http.StatusForbidden, "auth_login_preferences_missing", "The method is not configured"},
	auth.CodePhoneInvalid:       {http.StatusBadRequest, "system_invalid_input", "The number gets no codes"},
	auth.CodePhoneCountry:       {http.StatusBadRequest, "system_invalid_input", "The number gets no codes"},
	auth.CodePhoneMissing:       {http.StatusNotFound, "user_phone_number_missing", "The user has no phone number that gets codes"},
	auth.CodeEmailNotFound:      {http.StatusNotFound, "user_email_address_missing", "The user has no e-mail address"},
	auth.CodeChannelBound:       {http.StatusBadRequest, "auth_max_authenticators_count_exceeded", "The user has one already"},
	auth.CodeChannelUnbound:     {http.StatusNotFound, "", "The user has none"},
	auth.CodeStepUpRequired:     {http.StatusForbidden, "insufficient_permissions", "The session needs a second factor for this"},
	auth.CodeWrongAssertion:     {http.StatusBadRequest, "auth_invalid_credentials", "Invalid signature"},
	auth.CodeKeyMalformed:       {http.StatusBadRequest, "auth_invalid_key_encoding", "Not a public key"},
	auth.CodeKeyWeak:            {http.StatusBadRequest, "auth_invalid_key_type", "A key of this kind or size is not taken"},
	auth.CodeKeyExists:          {http.StatusConflict, "auth_key_already_registered", "The user has a key of this id"},
	auth.CodeKeyLimit:           {http.StatusBadRequest, "auth_max_authenticators_count_exceeded", "The user has as many keys as they may"},
	auth.CodeAlreadyVerified:    {http.StatusConflict, "", "It is verified already"},
	auth.CodeEmailDomain:        {http.StatusBadRequest, "system_invalid_input", "The domain is not taken"},

	// passkeys, contract/cis §1.11; whatever does not hold of a result is one answer
	auth.CodePasskeyInvalid: {http.StatusBadRequest, "webauthn_encoded_result", "Invalid webauthn encoded result"},
	auth.CodePasskeyMissing: {http.StatusUnauthorized, "no_credentials_registered", "Invalid credentials"},
	auth.CodePasskeyForeign: {http.StatusBadRequest, "user_id_mismatch", "The username is another user's"},
	auth.CodePasskeyLimit:   {http.StatusBadRequest, "auth_max_authenticators_count_exceeded", "The user has as many as they may"},
	auth.CodeUserInactive:   {http.StatusForbidden, "user_not_active", "User is not active"},

	// resets of a password, contract/cis §1.3
	auth.CodePasswordIncorrect: {http.StatusForbidden, "auth_invalid_credentials", "Invalid username or password"},
	auth.CodeNoPasswordPolicy:  {http.StatusBadRequest, "auth_password_policy_disabled", "The application has no passwords"},
	auth.CodeRecoveryInvalid:   {http.StatusForbidden, "auth_invalid_credentials", "Invalid or expired code"},
	auth.CodeInvalidCode:       {http.StatusBadRequest, "auth_invalid_credentials", "Invalid code"},
	auth.CodeReusedCode:        {http.StatusBadRequest, "auth_invalid_credentials", "Invalid code"},
	auth.CodeRequestInvalid:    {http.StatusBadRequest, "system_invalid_input", "Malformed value"},
	auth.CodeEmailUnverified:   {http.StatusForbidden, "", "The e-mail address is not verified"},
	auth.CodePhoneUnverified:   {http.StatusForbidden, "", "The phone number is not verified"},

	// organizations and their members, contract/cis §1.7
	auth.CodeOrganizationExists: {http.StatusConflict, "organization_already_exists", "An organization with this name or domain exists"},
	auth.CodeMemberExists:       {http.StatusConflict, "member_already_exists", "The user is a member of the organization"},
	auth.CodeAppNotFound:        {http.StatusNotFound, "app_not_found", "App not found"},
	auth.CodeRoleNotFound:       {http.StatusNotFound, "role_not_found", "Role not found"},
	auth.CodeNotPermitted:       {http.StatusForbidden, "insufficient_permissions", "Not allowed"},
	auth.CodeAdminRemoval:       {http.StatusForbidden, "insufficient_permissions", "Not allowed"},

	// the administration of a tenant, contract/cis §1.8
	auth.CodeClientNotFound:     {http.StatusNotFound, "client_not_found", "Client not found"},
	auth.CodeAppExists:          {http.StatusConflict, "app_already_exists", "An application with this name exists"},
	auth.CodeLastClient:         {http.StatusConflict, "last_client", "An application keeps at least one client"},
	auth.CodeResourceNotFound:   {http.StatusNotFound, "resource_not_found", "Resource does not exist in tenant"},
	auth.CodeResourceExists:     {http.StatusConflict, "resource_already_exists", "A resource with this URI exists"},
	auth.CodeResourceInUse:      {http.StatusConflict, "resource_in_use", "Resource in use"},
	auth.CodeAppRoleNotFound:    {http.StatusNotFound, "role_not_found", "Role not found"},
	auth.CodeAppRoleExists:      {http.StatusConflict, "role_already_exists", "A role with this name exists"},
	auth.CodeAppRoleInUse:       {http.StatusConflict, "role_in_use", "Role in use"},
	auth.CodeEntityNotFound:     {http.StatusNotFound, "entity_not_found", "No such user or application"},
	auth.CodeSigningKeyNotFound: {http.StatusNotFound, "signing_key_not_found", "Signing key not found"},
	auth.CodeSigningKeyLimit:    {http.StatusConflict, "signing_key_limit", "The application has as many keys as one may have"},
	auth.CodeSecretless:         {http.StatusConflict, "client_without_secret", "The client proves itself without a secret"},
	auth.CodeValueInvalid:       {http.StatusBadRequest, "system_invalid_input", "Not allowed here"},
}

// wireOf is what a code is answered with. What is not in the table is a refusal of a flow that only another contract has.
func wireOf(c auth.Code) wire {
	if w, known := answers[c]; known {
		return w
	}
	return wire{http.StatusBadRequest, "bad_request", "The request is not possible here"}
}
