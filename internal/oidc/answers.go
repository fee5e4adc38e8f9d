package oidc

import (
	"net/http"

	"countersign/internal/auth"
)

// answers is the dialect's table.
var answers = map[auth.Code]oauthError{
	auth.CodeUnknownClient:      {http.StatusUnauthorized, "invalid_client", "Unknown client or wrong secret"},
	auth.CodeUnknownKey:         {http.StatusUnauthorized, "invalid_client", "Unknown client or wrong secret"},
	auth.CodeInvalidToken:       {http.StatusBadRequest, "invalid_grant", "The grant is unknown, expired, revoked or another client's"},
	auth.CodeInvalidRefresh:     {http.StatusBadRequest, "invalid_grant", "The grant is unknown, expired, revoked or another client's"},
	auth.CodeReusedRefresh:      {http.StatusBadRequest, "invalid_grant", "The grant is unknown, expired, revoked or another client's"},
	auth.CodeLocked:             {http.StatusBadRequest, "invalid_grant", "The grant is unknown, expired, revoked or another client's"},
	auth.CodeSuspended:          {http.StatusBadRequest, "invalid_grant", "The grant is unknown, expired, revoked or another client's"},
	auth.CodeUnknownUser:        {http.StatusBadRequest, "invalid_grant", "The grant is unknown, expired, revoked or another client's"},
	auth.CodeWrongPassword:      {http.StatusBadRequest, "invalid_grant", "The grant is unknown, expired, revoked or another client's"},
	auth.CodeNoPassword:         {http.StatusBadRequest, "invalid_grant", "The grant is unknown, expired, revoked or another client's"},
	auth.CodePasswordIncorrect:  {http.StatusBadRequest, "invalid_grant", "The grant is unknown, expired, revoked or another client's"},
	auth.CodeSessionNotFound:    {http.StatusBadRequest, "invalid_grant", "The grant is unknown, expired, revoked or another client's"},
	auth.CodeSessionForeign:     {http.StatusBadRequest, "invalid_grant", "The grant is unknown, expired, revoked or another client's"},
	auth.CodeInvalidCode:        {http.StatusBadRequest, "invalid_grant", "The grant is unknown, expired, revoked or another client's"},
	auth.CodeReusedCode:         {http.StatusBadRequest, "invalid_grant", "The grant is unknown, expired, revoked or another client's"},
	auth.CodePasswordExpired:    {http.StatusBadRequest, "invalid_grant", "password_expired"}, // the words of contract/cis §1.3
	auth.CodePasswordTemp:       {http.StatusBadRequest, "invalid_grant", "temporary_password"},
	auth.CodeClientRefused:      {http.StatusBadRequest, "unauthorized_client", "The client may not do this"},
	auth.CodeChannelUnsupported: {http.StatusBadRequest, "unauthorized_client", "The client may not do this"},
	auth.CodeWrongTokenKind:     {http.StatusBadRequest, "unauthorized_client", "The client may not do this"},
	auth.CodeForeignIdentity:    {http.StatusBadRequest, "unauthorized_client", "The client may not do this"},
	auth.CodeInvalidTarget:      {http.StatusBadRequest, "invalid_target", "The resource is not configured for the client"},
	auth.CodeProofInvalid:       {http.StatusBadRequest, "invalid_dpop_proof", "The proof of the key does not hold, is missing or was used before"},
	auth.CodeInvalidScope:       {http.StatusBadRequest, "invalid_scope", "The scope is not served, or was not granted"},
	auth.CodeInsufficientScope:  {http.StatusForbidden, "insufficient_scope", "The access token is not for this; it needs the scope openid"},
	auth.CodeBusy:               {http.StatusTooManyRequests, "temporarily_unavailable", "Too many requests"},
	auth.CodeThrottled:          {http.StatusTooManyRequests, "temporarily_unavailable", "Too many requests"},
	auth.CodeOverloaded:         {http.StatusServiceUnavailable, "temporarily_unavailable", "Temporarily unavailable"},
	auth.CodeMaintenance:        {http.StatusServiceUnavailable, "temporarily_unavailable", "Temporarily unavailable"},
	auth.CodeIdentityRequired:   {http.StatusBadRequest, "invalid_request", "The request is not valid"},
	auth.CodePasswordTooShort:   {http.StatusBadRequest, "invalid_request", "The request is not valid"},
	auth.CodePasswordTooLong:    {http.StatusBadRequest, "invalid_request", "The request is not valid"},
	auth.CodePasswordTooSimple:  {http.StatusBadRequest, "invalid_request", "The request is not valid"},
	auth.CodePasswordUsed:       {http.StatusBadRequest, "invalid_request", "The request is not valid"},
	auth.CodePasswordExists:     {http.StatusBadRequest, "invalid_request", "The request is not valid"},
	auth.CodePasswordMissing:    {http.StatusBadRequest, "invalid_request", "The request is not valid"},
	auth.CodeUserNotFound:       {http.StatusBadRequest, "invalid_request", "The request is not valid"},
	auth.CodeUserExists:         {http.StatusBadRequest, "invalid_request", "The request is not valid"},
	auth.CodeIdentifierInvalid:  {http.StatusBadRequest, "invalid_request", "The request is not valid"},
	auth.CodeIdentifierRequired: {http.StatusBadRequest, "invalid_request", "The request is not valid"},
	auth.CodeInputTooLong:       {http.StatusBadRequest, "invalid_request", "The request is not valid"},
	auth.CodeNotFound:           {http.StatusBadRequest, "invalid_request", "The request is not valid"},
	auth.CodeInternal:           {http.StatusInternalServerError, "server_error", "Internal error"},
	auth.CodeReplayed:           {http.StatusInternalServerError, "server_error", "Internal error"},

	// what the authorization endpoint tells the client by way of the user's browser (RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6), and what it
	// can tell the user alone
	auth.CodeRedirectInvalid: {http.StatusBadRequest, "invalid_request",
		"The client is unknown, or the address to go on to is not one of its own"},
	auth.CodeFormInvalid:     {http.StatusBadRequest, "invalid_request", "The form is too old, or another browser's"},
	auth.CodePushedInvalid:   {http.StatusBadRequest, "invalid_request_uri", "The request_uri is unknown, used, too old or another client's"},
	auth.CodeGrantOff:        {http.StatusBadRequest, "unsupported_grant_type", "This grant_type is not served"},
	auth.CodeRequestInvalid:  {http.StatusBadRequest, "invalid_request", "The request is not valid"},
	auth.CodeResponseType:    {http.StatusBadRequest, "unsupported_response_type", "The response_type must be code"},
	auth.CodeConsentRequired: {http.StatusBadRequest, "consent_required", "The user has to allow this first"},
	auth.CodeLoginRequired:   {http.StatusBadRequest, "login_required", "The user has to log in"},
	auth.CodeFactorsUnmet:    {http.StatusBadRequest, "unmet_authentication_requirements", "The user cannot authenticate as demanded"},
	auth.CodeAccessDenied:    {http.StatusBadRequest, "access_denied", "The user or the server refused"},
	auth.CodeNotMember:       {http.StatusBadRequest, "access_denied", "The user or the server refused"},
}

// wireOf is what a code is answered with. What is not in the table is a refusal of a flow that only another contract has.
func wireOf(c auth.Code) *oauthError {
	if e, known := answers[c]; known {
		return &e
	}
	return &oauthError{http.StatusBadRequest, "invalid_request", "The request is not possible here"}
}
