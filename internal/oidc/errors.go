package oidc

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"countersign/internal/auth"
	"countersign/internal/httpx"
)

// oauthError is a refusal that only this dialect knows (RFC 6749 §5.2).
type oauthError struct {
	status      int
	code        string
	description string
}

func (e *oauthError) Error() string { return e.code + ": " + e.description }

// errorBody says the same to readers of RFC 6749 and of the vendor's contract.
type errorBody struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Message     string `json:"message"`
	ErrorCode   int    `json:"error_code"`
}

// wireOf is the dialect's table.
func wireOf(c auth.Code) *oauthError {
	switch c {
	case auth.CodeUnknownClient, auth.CodeUnknownKey:
		return &oauthError{http.StatusUnauthorized, "invalid_client", "Unknown client or wrong secret"}
	case auth.CodeInvalidToken, auth.CodeInvalidRefresh, auth.CodeReusedRefresh, auth.CodeLocked, auth.CodeSuspended,
		auth.CodeUnknownUser, auth.CodeWrongPassword, auth.CodeNoPassword,
		auth.CodePasswordIncorrect, auth.CodeSessionNotFound, auth.CodeSessionForeign, auth.CodeInvalidCode, auth.CodeReusedCode:
		return &oauthError{http.StatusBadRequest, "invalid_grant", "The grant is unknown, expired, revoked or another client's"}
	case auth.CodePasswordExpired: // the words of contract/cis §1.3
		return &oauthError{http.StatusBadRequest, "invalid_grant", "password_expired"}
	case auth.CodePasswordTemp:
		return &oauthError{http.StatusBadRequest, "invalid_grant", "temporary_password"}
	case auth.CodeClientRefused, auth.CodeWrongTokenKind, auth.CodeForeignIdentity:
		return &oauthError{http.StatusBadRequest, "unauthorized_client", "The client may not do this"}
	case auth.CodeInvalidTarget:
		return &oauthError{http.StatusBadRequest, "invalid_target", "The resource is not configured for the client"}
	case auth.CodeInvalidScope:
		return &oauthError{http.StatusBadRequest, "invalid_scope", "The scope is not served"}
	case auth.CodeInsufficientScope:
		return &oauthError{http.StatusForbidden, "insufficient_scope", "The access token is not for this; it needs the scope openid"}
	case auth.CodeBusy, auth.CodeThrottled:
		return &oauthError{http.StatusTooManyRequests, "temporarily_unavailable", "Too many requests"}
	case auth.CodeOverloaded, auth.CodeMaintenance:
		return &oauthError{http.StatusServiceUnavailable, "temporarily_unavailable", "Temporarily unavailable"}
	case auth.CodeIdentityRequired, auth.CodePasswordTooShort, auth.CodePasswordTooLong, auth.CodePasswordTooSimple,
		auth.CodePasswordUsed, auth.CodePasswordExists, auth.CodePasswordMissing, auth.CodeUserNotFound, auth.CodeUserExists,
		auth.CodeIdentifierInvalid, auth.CodeIdentifierRequired, auth.CodeInputTooLong, auth.CodeNotFound:
		return &oauthError{http.StatusBadRequest, "invalid_request", "The request is not valid"}
	case auth.CodeInternal, auth.CodeReplayed:
		return &oauthError{http.StatusInternalServerError, "server_error", "Internal error"}
	}
	if e := authorizationError(c); e != nil {
		return e
	}
	return elsewhere(c)
}

// authorizationError is for what the authorization endpoint tells the client by way of the user's browser (RFC 6749 §4.1.2.1, OIDC Core
// §3.1.2.6), and for what it can tell the user alone.
func authorizationError(c auth.Code) *oauthError {
	switch c {
	case auth.CodeRedirectInvalid:
		return &oauthError{http.StatusBadRequest, "invalid_request", "The client is unknown, or the address to go on to is not one of its own"}
	case auth.CodeFormInvalid:
		return &oauthError{http.StatusBadRequest, "invalid_request", "The form is too old, or another browser's"}
	case auth.CodePushedInvalid:
		return &oauthError{http.StatusBadRequest, "invalid_request_uri", "The request_uri is unknown, used, too old or another client's"}
	case auth.CodeGrantOff:
		return &oauthError{http.StatusBadRequest, "unsupported_grant_type", "This grant_type is not served"}
	case auth.CodeRequestInvalid:
		return &oauthError{http.StatusBadRequest, "invalid_request", "The request is not valid"}
	case auth.CodeResponseType:
		return &oauthError{http.StatusBadRequest, "unsupported_response_type", "The response_type must be code"}
	case auth.CodeLoginRequired:
		return &oauthError{http.StatusBadRequest, "login_required", "The user has to log in"}
	case auth.CodeFactorsUnmet:
		return &oauthError{http.StatusBadRequest, "unmet_authentication_requirements", "The user cannot authenticate as demanded"}
	case auth.CodeAccessDenied, auth.CodeNotMember:
		return &oauthError{http.StatusBadRequest, "access_denied", "The user or the server refused"}
	}
	return nil
}

// elsewhere is for what calls of these endpoints do not come to: refusals of flows that only another contract has.
func elsewhere(c auth.Code) *oauthError {
	switch c {
	case auth.CodeStepUpRequired, auth.CodeAccessTokenRequired, auth.CodeNotPermitted, auth.CodeIdentitySuspended,
		auth.CodeCredentialsInactive, auth.CodeChannelUnsupported, auth.CodeChannelUnbound, auth.CodeChannelBound,
		auth.CodeChannelNotReady, auth.CodePhoneMissing, auth.CodePhoneInvalid, auth.CodePhoneCountry, auth.CodeBindingUnsupported,
		auth.CodeBindingLimit, auth.CodePasscodeMissing, auth.CodeTooSoon, auth.CodeChallengeLimit, auth.CodeOneTryLeft,
		auth.CodeWrongOTP, auth.CodeOTPExpired, auth.CodeNoChallenge, auth.CodeChallengeFlying, auth.CodeNotPending, auth.CodeExempt,
		auth.CodeLinkInvalid, auth.CodeLinkEmpty, auth.CodeWrongAssertion, auth.CodeKeyMalformed, auth.CodeKeyWeak, auth.CodeKeyExists,
		auth.CodeKeyLimit,
		auth.CodeAlreadyVerified, auth.CodeNoPasswordPolicy, auth.CodeActsForNobody, auth.CodeRecoveryInvalid,
		auth.CodeAccountNotFound, auth.CodeAccountAmbiguous, auth.CodeInviteConsumed, auth.CodeInviteInvalid, auth.CodeEmailNotFound,
		auth.CodeEmailDomain, auth.CodeEmailChangeTooSoon, auth.CodePhoneMalformed, auth.CodePhoneChangeLimit, auth.CodePhoneFixed,
		auth.CodeResidenceInvalid, auth.CodeCountryInvalid, auth.CodeRoleNotFound, auth.CodeOwnRoles, auth.CodeAdminRemoval,
		auth.CodeRootExists, auth.CodeRootInactive, auth.CodeRootUnverified, auth.CodeRootProfile, auth.CodeDiligenceMissing,
		auth.CodeProfileNotFound, auth.CodeConsumerExists, auth.CodeConsumerVerified, auth.CodeRootVerified, auth.CodeEmailUnverified,
		auth.CodePhoneUnverified, auth.CodeDiligenceApproved, auth.CodeDiligencePending, auth.CodeDiligenceRejected,
		auth.CodeIdentityUnapproved, auth.CodeOrganizationExists, auth.CodeMemberExists, auth.CodeAppNotFound, auth.CodeOnceConflict, auth.CodeInternal, auth.CodeUnknownKey,
		auth.CodeUnknownClient, auth.CodeClientRefused, auth.CodeInvalidToken, auth.CodeWrongTokenKind, auth.CodeInvalidRefresh,
		auth.CodeRedirectInvalid, auth.CodePushedInvalid, auth.CodeGrantOff,
		auth.CodeRequestInvalid, auth.CodeResponseType, auth.CodeLoginRequired, auth.CodeFactorsUnmet,
		auth.CodeAccessDenied, auth.CodeInvalidCode, auth.CodeReusedCode, auth.CodeFormInvalid,
		auth.CodeReusedRefresh, auth.CodeUnknownUser, auth.CodeWrongPassword, auth.CodeNoPassword, auth.CodeSuspended, auth.CodeLocked,
		auth.CodeBusy, auth.CodeThrottled, auth.CodeOverloaded, auth.CodeMaintenance, auth.CodePasswordExpired, auth.CodePasswordTemp,
		auth.CodeForeignIdentity, auth.CodeIdentityRequired, auth.CodePasswordIncorrect, auth.CodePasswordTooShort,
		auth.CodePasswordTooLong, auth.CodePasswordTooSimple, auth.CodePasswordUsed, auth.CodePasswordExists, auth.CodePasswordMissing,
		auth.CodeUserNotFound, auth.CodeUserExists, auth.CodeIdentifierInvalid, auth.CodeIdentifierRequired, auth.CodeSessionNotFound,
		auth.CodeSessionForeign, auth.CodeNotMember, auth.CodeInvalidTarget, auth.CodeInvalidScope, auth.CodeInputTooLong,
		auth.CodeNotFound,
		auth.CodeSearchInvalid, auth.CodePrimaryIdentifier,
		auth.CodeTicketInvalid, auth.CodeKeyInvalid, auth.CodePushInvalid, auth.CodeNameInvalid, auth.CodeDeviceBound,
		auth.CodeDeviceLimit, auth.CodeDeviceBlocked, auth.CodeAssertionInvalid, auth.CodeNumberWrong,
		auth.CodePasskeyInvalid, auth.CodePasskeyMissing,
		auth.CodePasskeyForeign, auth.CodePasskeyLimit, auth.CodeUserInactive, auth.CodeInsufficientScope:
		return &oauthError{http.StatusBadRequest, "invalid_request", "The request is not possible here"}
	}
	return managed(c)
}

// managed is for the refusals of what administers a tenant, which no call of this dialect does.
func managed(c auth.Code) *oauthError {
	switch c {
	case auth.CodeAppExists, auth.CodeClientNotFound, auth.CodeLastClient, auth.CodeSecretless, auth.CodeResourceNotFound, auth.CodeResourceExists,
		auth.CodeResourceInUse, auth.CodeAppRoleNotFound, auth.CodeAppRoleExists, auth.CodeAppRoleInUse, auth.CodeEntityNotFound, auth.CodeValueInvalid:
		return &oauthError{http.StatusBadRequest, "invalid_request", "The request is not valid"}
	}
	return nil
}

func writeError(w *httpx.Response, err error) {
	var own *oauthError
	var invalid *httpx.Invalid
	var fault httpx.Fault
	refusal := &auth.Error{Code: auth.CodeOf(err)}
	errors.As(err, &refusal)
	w.Code = refusal.Code.String()
	var bearer *bearerError
	if errors.As(err, &bearer) {
		own = bearer.refusal()
	}
	switch {
	case own != nil:
		w.Code = own.code
	case errors.As(err, &own):
		w.Code = own.code
	case errors.As(err, &invalid):
		own = &oauthError{invalid.Status, "invalid_request", invalid.Message}
		w.Code = own.code
	case errors.As(err, &fault) && fault != httpx.ErrInternal:
		own = &oauthError{httpx.StatusOf(err), "invalid_request", http.StatusText(httpx.StatusOf(err))}
		w.Code = own.code
	default:
		own = wireOf(refusal.Code)
	}
	header(w.Header(), own, refusal)
	if bearer != nil {
		challenge(w.Header(), own, bearer)
	}
	// The body always encodes; a connection that broke has nobody left to tell.
	_ = w.JSON(own.status, errorBody{own.code, own.description, own.description, own.status})
}

func header(h http.Header, e *oauthError, refusal *auth.Error) {
	switch e.status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Basic realm="countersign"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		httpx.RetryAfter(h, cmp.Or(refusal.RetryAfter, time.Minute))
	}
}
