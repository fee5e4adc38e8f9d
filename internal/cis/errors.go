package cis

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"countersign/internal/auth"
	"countersign/internal/httpx"
)

// shape is how an operation writes its errors; contract/cis §4.
type shape int

const (
	numeric  shape = iota // B: {message, error_code: status, ts_error_code}
	symbolic              // C: {error_code: name, message}
	textual               // D: {error_code: status in a text, message}
	webauthn              // C, in the words of contract/cis §1.11
)

// wire is what the contract says for one code of the domain.
type wire struct {
	status  int
	name    string // ts_error_code, or error_code in shape C; empty: left out
	message string // "" for a login that needs a new password: the message is the name of why
}

// wireOf is the dialect's table. What must not be told apart is merged here: an unknown user, a wrong password, no password and a
// suspended user are one answer.
func wireOf(c auth.Code) wire {
	switch c {
	case auth.CodeInvalidToken, auth.CodeUnknownClient, auth.CodeUnknownKey:
		return wire{http.StatusUnauthorized, "unauthorized_request", "Invalid token"}
	case auth.CodeInvalidRefresh, auth.CodeReusedRefresh:
		return wire{http.StatusUnauthorized, "auth_invalid_credentials", "Invalid refresh token"}
	case auth.CodeUnknownUser, auth.CodeWrongPassword, auth.CodeNoPassword, auth.CodeSuspended:
		return wire{http.StatusUnauthorized, "auth_invalid_credentials", "Invalid username or password"}
	case auth.CodeLocked:
		return wire{http.StatusForbidden, "auth_locked", "The account is locked for a while"}
	case auth.CodePasswordExpired:
		return wire{http.StatusForbidden, "", "password_expired"}
	case auth.CodePasswordTemp:
		return wire{http.StatusForbidden, "", "temporary_password"}
	case auth.CodeClientRefused, auth.CodeWrongTokenKind, auth.CodeForeignIdentity, auth.CodeIdentityRequired, auth.CodeInsufficientScope:
		return wire{http.StatusForbidden, "insufficient_permissions", "The client may not do this"}
	case auth.CodeNotMember:
		return wire{http.StatusForbidden, "insufficient_permissions", "The user cannot act for the organization"}
	case auth.CodeBusy, auth.CodeThrottled, auth.CodeTooSoon, auth.CodeChallengeLimit:
		return wire{http.StatusTooManyRequests, "too_many_requests", "Too many requests"}
	case auth.CodeOverloaded, auth.CodeMaintenance:
		return wire{http.StatusServiceUnavailable, "system_unavailable", "Temporarily unavailable"}
	case auth.CodeSessionNotFound, auth.CodeSessionForeign:
		return wire{http.StatusBadRequest, "auth_session_not_found", "Session not found"}
	case auth.CodeInvalidTarget:
		return wire{http.StatusBadRequest, "system_invalid_input", "The resource is not configured for the client"}
	case auth.CodeInvalidScope, auth.CodeIdentifierInvalid:
		return wire{http.StatusBadRequest, "system_invalid_input", "Malformed value"}
	case auth.CodeSearchInvalid:
		return wire{http.StatusBadRequest, "system_invalid_input", "Not a filter that this server knows"}
	case auth.CodePrimaryIdentifier:
		return wire{http.StatusBadRequest, "system_invalid_input", "The primary one cannot be removed"}
	case auth.CodeInputTooLong:
		return wire{http.StatusBadRequest, "system_invalid_input", "Too long"}
	case auth.CodeIdentifierRequired:
		return wire{http.StatusBadRequest, "system_invalid_input", "One of email, phone_number and username is needed"}
	case auth.CodePasswordTooShort:
		return wire{http.StatusBadRequest, "auth_password_weak", "The password is too short"}
	case auth.CodePasswordTooLong:
		return wire{http.StatusBadRequest, "auth_password_weak", "The password is too long"}
	case auth.CodePasswordTooSimple:
		return wire{http.StatusBadRequest, "auth_password_weak", "The password is too simple"}
	case auth.CodePasswordUsed:
		return wire{http.StatusBadRequest, "auth_password_recently_used", "The password was used recently"}
	case auth.CodePasswordExists:
		return wire{http.StatusConflict, "auth_password_already_configured", "The user has a password"}
	case auth.CodePasswordMissing:
		return wire{http.StatusConflict, "auth_password_already_configured", "The user has no password"}
	case auth.CodeUserExists:
		return wire{http.StatusConflict, "user_already_exists", "A user with this identifier exists"}
	case auth.CodeUserNotFound:
		return wire{http.StatusNotFound, "user_not_found", "User not found"}
	case auth.CodeNotFound:
		return wire{http.StatusNotFound, "", "Not found"}
	case auth.CodeInternal, auth.CodeReplayed:
		return wire{http.StatusInternalServerError, "system_internal_error", "Internal error"}
	}
	return ofFactors(c)
}

// ofFactors is for the refusals of authentications by anything but a password, and of what they need.
func ofFactors(c auth.Code) wire {
	switch c {
	case auth.CodeWrongOTP:
		return wire{http.StatusBadRequest, "auth_invalid_credentials", "Invalid code"}
	case auth.CodeRedirectInvalid:
		return wire{http.StatusBadRequest, "system_invalid_input", "Not configured for the client"}
	case auth.CodeOTPExpired:
		return wire{http.StatusBadRequest, "auth_otp_passcode_expired", "The code has expired"}
	case auth.CodeNoChallenge:
		return wire{http.StatusBadRequest, "auth_invalid_credentials", "Invalid magic link code"}
	case auth.CodeChannelUnsupported:
		return wire{http.StatusForbidden, "auth_login_preferences_missing", "The method is not configured"}
	case auth.CodePhoneInvalid, auth.CodePhoneCountry:
		return wire{http.StatusBadRequest, "system_invalid_input", "The number gets no codes"}
	case auth.CodePhoneMissing:
		return wire{http.StatusNotFound, "user_phone_number_missing", "The user has no phone number that gets codes"}
	case auth.CodeEmailNotFound:
		return wire{http.StatusNotFound, "user_email_address_missing", "The user has no e-mail address"}
	case auth.CodeChannelBound:
		return wire{http.StatusBadRequest, "auth_max_authenticators_count_exceeded", "The user has one already"}
	case auth.CodeChannelUnbound:
		return wire{http.StatusNotFound, "", "The user has none"}
	case auth.CodeStepUpRequired:
		return wire{http.StatusForbidden, "insufficient_permissions", "The session needs a second factor for this"}
	case auth.CodeWrongAssertion:
		return wire{http.StatusBadRequest, "auth_invalid_credentials", "Invalid signature"}
	case auth.CodeKeyMalformed:
		return wire{http.StatusBadRequest, "auth_invalid_key_encoding", "Not a public key"}
	case auth.CodeKeyWeak:
		return wire{http.StatusBadRequest, "auth_invalid_key_type", "A key of this kind or size is not taken"}
	case auth.CodeKeyExists:
		return wire{http.StatusConflict, "auth_key_already_registered", "The user has a key of this id"}
	case auth.CodeKeyLimit:
		return wire{http.StatusBadRequest, "auth_max_authenticators_count_exceeded", "The user has as many keys as they may"}
	case auth.CodeAlreadyVerified:
		return wire{http.StatusConflict, "", "It is verified already"}
	case auth.CodeEmailDomain:
		return wire{http.StatusBadRequest, "system_invalid_input", "The domain is not taken"}
	}
	return ofPasskeys(c)
}

// ofPasskeys is for the refusals of passkeys; contract/cis §1.11. Whatever does not hold of a result is one answer.
func ofPasskeys(c auth.Code) wire {
	switch c {
	case auth.CodePasskeyInvalid:
		return wire{http.StatusBadRequest, "webauthn_encoded_result", "Invalid webauthn encoded result"}
	case auth.CodePasskeyMissing:
		return wire{http.StatusUnauthorized, "no_credentials_registered", "Invalid credentials"}
	case auth.CodePasskeyForeign:
		return wire{http.StatusBadRequest, "user_id_mismatch", "The username is another user's"}
	case auth.CodePasskeyLimit:
		return wire{http.StatusBadRequest, "auth_max_authenticators_count_exceeded", "The user has as many as they may"}
	case auth.CodeUserInactive:
		return wire{http.StatusForbidden, "user_not_active", "User is not active"}
	}
	return ofReset(c)
}

// ofReset is for the refusals of resets of a password; contract/cis §1.3.
func ofReset(c auth.Code) wire {
	switch c {
	case auth.CodePasswordIncorrect:
		return wire{http.StatusForbidden, "auth_invalid_credentials", "Invalid username or password"}
	case auth.CodeRecoveryInvalid:
		return wire{http.StatusForbidden, "auth_invalid_credentials", "Invalid or expired code"}
	case auth.CodeInvalidCode, auth.CodeReusedCode:
		return wire{http.StatusBadRequest, "auth_invalid_credentials", "Invalid code"}
	case auth.CodeRequestInvalid:
		return wire{http.StatusBadRequest, "system_invalid_input", "Malformed value"}
	case auth.CodeEmailUnverified:
		return wire{http.StatusForbidden, "", "The e-mail address is not verified"}
	case auth.CodePhoneUnverified:
		return wire{http.StatusForbidden, "", "The phone number is not verified"}
	}
	return ofOrganizations(c)
}

// ofOrganizations is for the refusals of calls about organizations and their members; contract/cis §1.7.
func ofOrganizations(c auth.Code) wire {
	switch c {
	case auth.CodeOrganizationExists:
		return wire{http.StatusConflict, "organization_already_exists", "An organization with this name or domain exists"}
	case auth.CodeMemberExists:
		return wire{http.StatusConflict, "member_already_exists", "The user is a member of the organization"}
	case auth.CodeAppNotFound:
		return wire{http.StatusNotFound, "app_not_found", "App not found"}
	case auth.CodeRoleNotFound:
		return wire{http.StatusNotFound, "role_not_found", "Role not found"}
	case auth.CodeNotPermitted, auth.CodeAdminRemoval:
		return wire{http.StatusForbidden, "insufficient_permissions", "Not allowed"}
	}
	return ofManagement(c)
}

// ofManagement is for the refusals of calls that administer a tenant; contract/cis §1.8.
func ofManagement(c auth.Code) wire {
	switch c {
	case auth.CodeClientNotFound:
		return wire{http.StatusNotFound, "client_not_found", "Client not found"}
	case auth.CodeAppExists:
		return wire{http.StatusConflict, "app_already_exists", "An application with this name exists"}
	case auth.CodeLastClient:
		return wire{http.StatusConflict, "last_client", "An application keeps at least one client"}
	case auth.CodeResourceNotFound:
		return wire{http.StatusNotFound, "resource_not_found", "Resource does not exist in tenant"}
	case auth.CodeResourceExists:
		return wire{http.StatusConflict, "resource_already_exists", "A resource with this URI exists"}
	case auth.CodeResourceInUse:
		return wire{http.StatusConflict, "resource_in_use", "Resource in use"}
	case auth.CodeAppRoleNotFound:
		return wire{http.StatusNotFound, "role_not_found", "Role not found"}
	case auth.CodeAppRoleExists:
		return wire{http.StatusConflict, "role_already_exists", "A role with this name exists"}
	case auth.CodeAppRoleInUse:
		return wire{http.StatusConflict, "role_in_use", "Role in use"}
	case auth.CodeEntityNotFound:
		return wire{http.StatusNotFound, "entity_not_found", "No such user or application"}
	case auth.CodeSecretless:
		return wire{http.StatusConflict, "client_without_secret", "The client proves itself without a secret"}
	case auth.CodeValueInvalid:
		return wire{http.StatusBadRequest, "system_invalid_input", "Not allowed here"}
	}
	return elsewhere(c)
}

// elsewhere is for what calls of this contract do not come to: refusals of flows that only another one has.
func elsewhere(c auth.Code) wire {
	switch c {
	case auth.CodeAccessTokenRequired, auth.CodeNotPermitted, auth.CodeIdentitySuspended,
		auth.CodeOrganizationExists, auth.CodeMemberExists, auth.CodeAppNotFound,
		auth.CodeCredentialsInactive, auth.CodeChannelUnsupported,
		auth.CodeChannelNotReady, auth.CodePhoneMissing, auth.CodePhoneInvalid, auth.CodePhoneCountry, auth.CodeBindingUnsupported,
		auth.CodeBindingLimit, auth.CodePasscodeMissing, auth.CodeTooSoon, auth.CodeChallengeLimit, auth.CodeOneTryLeft,
		auth.CodeOTPExpired, auth.CodeNoChallenge, auth.CodeChallengeFlying, auth.CodeNotPending, auth.CodeExempt,
		auth.CodeLinkInvalid, auth.CodeLinkEmpty,
		auth.CodeAlreadyVerified, auth.CodeNoPasswordPolicy, auth.CodeActsForNobody,
		auth.CodeAccountNotFound, auth.CodeAccountAmbiguous, auth.CodeInviteConsumed, auth.CodeInviteInvalid, auth.CodeEmailNotFound,
		auth.CodeEmailDomain, auth.CodeEmailChangeTooSoon, auth.CodePhoneMalformed, auth.CodePhoneChangeLimit, auth.CodePhoneFixed,
		auth.CodeResidenceInvalid, auth.CodeCountryInvalid, auth.CodeRoleNotFound, auth.CodeOwnRoles, auth.CodeAdminRemoval,
		auth.CodeRootExists, auth.CodeRootInactive, auth.CodeRootUnverified, auth.CodeRootProfile, auth.CodeDiligenceMissing,
		auth.CodeProfileNotFound, auth.CodeConsumerExists, auth.CodeConsumerVerified, auth.CodeRootVerified, auth.CodeDiligenceApproved,
		auth.CodeDiligencePending, auth.CodeDiligenceRejected, auth.CodeIdentityUnapproved, auth.CodeOnceConflict, auth.CodeInternal,
		auth.CodeUnknownKey,
		auth.CodeUnknownClient, auth.CodeClientRefused, auth.CodeInvalidToken, auth.CodeWrongTokenKind, auth.CodeInvalidRefresh,
		auth.CodePushedInvalid, auth.CodeGrantOff,
		auth.CodeResponseType, auth.CodeLoginRequired, auth.CodeFactorsUnmet,
		auth.CodeAccessDenied, auth.CodeFormInvalid,
		auth.CodeReusedRefresh, auth.CodeUnknownUser, auth.CodeWrongPassword, auth.CodeNoPassword, auth.CodeSuspended, auth.CodeLocked,
		auth.CodeBusy, auth.CodeThrottled, auth.CodeOverloaded, auth.CodeMaintenance, auth.CodePasswordExpired, auth.CodePasswordTemp,
		auth.CodeForeignIdentity, auth.CodeIdentityRequired, auth.CodePasswordIncorrect, auth.CodePasswordTooShort,
		auth.CodePasswordTooLong, auth.CodePasswordTooSimple, auth.CodePasswordUsed, auth.CodePasswordExists, auth.CodePasswordMissing,
		auth.CodeUserNotFound, auth.CodeUserExists, auth.CodeIdentifierInvalid, auth.CodeIdentifierRequired, auth.CodeSessionNotFound,
		auth.CodeSessionForeign, auth.CodeNotMember, auth.CodeInvalidTarget, auth.CodeInvalidScope, auth.CodeInputTooLong,
		auth.CodeNotFound, auth.CodeRecoveryInvalid, auth.CodeEmailUnverified, auth.CodePhoneUnverified,
		auth.CodeSearchInvalid, auth.CodePrimaryIdentifier,
		auth.CodeTicketInvalid, auth.CodeKeyInvalid, auth.CodePushInvalid, auth.CodeNameInvalid, auth.CodeDeviceBound,
		auth.CodeDeviceLimit, auth.CodeDeviceBlocked, auth.CodeAssertionInvalid, auth.CodeNumberWrong,
		auth.CodeInsufficientScope:
		return wire{http.StatusBadRequest, "bad_request", "The request is not possible here"}
	}
	return wire{}
}

type numericBody struct {
	Message    any    `json:"message"` // a text, or a list of them for a malformed request
	ErrorCode  int    `json:"error_code"`
	Name       string `json:"ts_error_code,omitempty"`
	ResetToken string `json:"reset_token,omitempty"`
}

type symbolicBody struct {
	ErrorCode string `json:"error_code"`
	Message   string `json:"message"`
}

func writeError(w *httpx.Response, err error, s shape) {
	var invalid *httpx.Invalid
	var fault httpx.Fault
	switch {
	case errors.As(err, &invalid):
		writeInvalid(w, invalid, s)
	case errors.Is(err, httpx.ErrInternal):
		writeWire(w, wireOf(auth.CodeInternal), s, "")
	case errors.As(err, &fault):
		status := httpx.StatusOf(err)
		w.Code = strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_")
		reply(w, status, numericBody{Message: http.StatusText(status), ErrorCode: status})
	default:
		writeCode(w, err, s)
	}
	w.Cause = err
}

func writeCode(w *httpx.Response, err error, s shape) {
	refusal := &auth.Error{Code: auth.CodeOf(err)}
	errors.As(err, &refusal)
	w.Code = refusal.Code.String()
	entry := wireOf(refusal.Code)
	httpx.Refused(w.Header(), entry.status, refusal.RetryAfter, refusal.Limits)
	if entry.name == "unauthorized_request" {
		w.Header().Set("WWW-Authenticate", `Bearer realm="countersign", error="invalid_token"`)
	}
	if refusal.Field != "" && entry.name == "system_invalid_input" && refusal.Code != auth.CodeInvalidTarget {
		entry.message = fieldName(refusal.Field) + ": " + strings.ToLower(entry.message[:1]) + entry.message[1:]
	}
	writeWire(w, entry, s, refusal.Token)
}

// fieldName is the contract's name of a field of the domain.
func fieldName(field string) string {
	if field == string(auth.ByPhone) {
		return "phone_number"
	}
	return field
}

// symbolicIn reports whether a refusal has a symbolic form in a shape.
func (e wire) symbolicIn(s shape) bool {
	switch e.status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusConflict:
		return (s == symbolic || s == webauthn) && e.name != ""
	case http.StatusUnauthorized:
		return s == webauthn && e.name == "no_credentials_registered"
	}
	return false
}

// writeWire answers in an operation's shape. Only refusals of the operation itself have a symbolic form; what can befall any request, and
// the client's own token, is numeric everywhere.
func writeWire(w *httpx.Response, entry wire, s shape, resetToken string) {
	if entry.symbolicIn(s) {
		if s == webauthn && entry.name == "system_invalid_input" {
			entry.name, entry.message = "invalid_request", "Invalid request: "+entry.message
		}
		reply(w, entry.status, symbolicBody{entry.name, entry.message})
		return
	}
	if s == textual {
		switch entry.status {
		case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound:
			reply(w, entry.status, symbolicBody{strconv.Itoa(entry.status), entry.message})
			return
		}
	}
	reply(w, entry.status, numericBody{entry.message, entry.status, entry.name, resetToken})
}

func writeInvalid(w *httpx.Response, e *httpx.Invalid, s shape) {
	w.Code = "invalid_request"
	list := []string{e.Message}
	if len(e.Fields) > 0 {
		list = nil
	}
	for _, f := range e.Fields {
		list = append(list, f.Detail)
	}
	switch {
	case e.Status != http.StatusBadRequest:
		reply(w, e.Status, numericBody{Message: e.Message, ErrorCode: e.Status})
	case s == symbolic:
		reply(w, e.Status, symbolicBody{"system_invalid_input", strings.Join(list, "; ")})
	case s == webauthn:
		for i := range list { // the contract's own words
			if name, missing := strings.CutSuffix(list[i], " is required"); missing {
				list[i] = name + " should not be null or undefined"
			}
		}
		reply(w, e.Status, symbolicBody{"invalid_request", "Invalid request: " + strings.Join(list, "; ")})
	case s == textual:
		reply(w, e.Status, symbolicBody{strconv.Itoa(e.Status), strings.Join(list, "; ")})
	default:
		reply(w, e.Status, numericBody{Message: list, ErrorCode: e.Status, Name: "system_invalid_input"})
	}
}

// reply writes a body of ours, which always encodes; a connection that broke has nobody left to tell.
func reply(w *httpx.Response, status int, body any) { _ = w.JSON(status, body) }
