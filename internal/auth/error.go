package auth

import (
	"errors"
	"fmt"
	"time"
)

// Code says why a call was refused, in the finest grain that any wire contract
// draws. A dialect's table may merge codes, never invent one; what must not be
// told apart on the wire is merged there, while the event keeps the truth.
//
// A Code is itself an error, so errors.Is(err, auth.CodeLocked) works on
// anything a Service returns.
type Code int

const (
	// CodeInternal is every error that is not an *Error: its text is for the log only.
	CodeInternal Code = iota

	CodeUnknownKey     // the API key is missing or not one of ours
	CodeUnknownClient  // the client or its secret is wrong
	CodeClientRefused  // the client is known and may not do this
	CodeInvalidToken   // the bearer token is missing, forged, expired or revoked
	CodeWrongTokenKind // a live token of a kind this call does not take
	CodeInvalidRefresh // the refresh token is unknown, expired, revoked or another client's
	CodeReusedRefresh  // a rotated refresh token came back; its family is now revoked

	CodeUnknownUser      // no user has this identifier (login)
	CodeWrongPassword    // the password does not match
	CodeNoPassword       // the user has no password
	CodeSuspended        // the user is suspended
	CodeLocked           // locked after consecutive failures; see Error.RetryAfter
	CodeBusy             // too many attempts on one account in flight; see Error.RetryAfter
	CodeThrottled        // too many refused attempts from one address; see Error.Limits, Error.RetryAfter
	CodeOverloaded       // no slot for a hash within the deadline; see Error.RetryAfter
	CodeMaintenance      // the tenant is in maintenance mode
	CodePasswordExpired  // right password, expired; see Error.Token
	CodePasswordTemp     // right password, temporary; see Error.Token
	CodeForeignIdentity  // the identity is not one of the user's, or does not exist
	CodeIdentityRequired // several identities and none chosen

	CodePasswordIncorrect  // the old password given for a change does not match
	CodePasswordTooShort   // policy: minimum length
	CodePasswordTooLong    // policy: maximum length
	CodePasswordTooSimple  // policy: classes, level, block list
	CodePasswordUsed       // policy: history
	CodePasswordExists     // a password is already set
	CodePasswordMissing    // there is no password to replace
	CodeUserNotFound       // no such user (management calls)
	CodeUserExists         // an identifier is taken
	CodeIdentifierInvalid  // malformed e-mail address, phone number or username; see Error.Field
	CodeIdentifierRequired // a user needs at least one identifier
	CodeSessionNotFound    // no such session, or it ended
	CodeSessionForeign     // the session is another user's
	CodeNotMember          // the user is not a member of the organization
	CodeInvalidTarget      // the resource is not configured for the client (RFC 8707 §2)
	CodeInvalidScope       // RFC 6749 §5.2
	CodeInputTooLong       // a password over 1,024 bytes, refused before hashing; see Error.Field
	CodeNotFound           // anything else that does not exist

	codeEnd // one past the last; keep it last
)

var codeNames = [codeEnd]string{
	"internal", "unknown_key", "unknown_client", "client_refused", "invalid_token", "wrong_token_kind", "invalid_refresh",
	"reused_refresh", "unknown_user", "wrong_password", "no_password", "suspended", "locked", "busy", "throttled", "overloaded",
	"maintenance", "password_expired", "password_temporary", "foreign_identity", "identity_required", "password_incorrect",
	"password_too_short", "password_too_long", "password_too_simple", "password_used", "password_exists", "password_missing",
	"user_not_found", "user_exists", "identifier_invalid", "identifier_required", "session_not_found", "session_foreign",
	"not_member", "invalid_target", "invalid_scope", "input_too_long", "not_found",
}

// Codes lists every code, so that a dialect's test can prove its table total.
func Codes() []Code {
	all := make([]Code, 0, codeEnd)
	for c := range codeEnd {
		all = append(all, c)
	}
	return all
}

// String is the stable name used in events and logs.
func (c Code) String() string {
	if c < 0 || c >= codeEnd {
		return fmt.Sprintf("code(%d)", int(c))
	}
	return codeNames[c]
}

// Error makes a Code usable with errors.Is.
func (c Code) Error() string { return c.String() }

// Limit is one rate limit in force: at most Count in Window.
type Limit struct {
	Count  int
	Window time.Duration
}

// Error is a refusal: a verdict of the rules, not a fault of the machine.
type Error struct {
	Code       Code
	Field      string        // the input at fault, when one is
	RetryAfter time.Duration // CodeLocked, CodeBusy, CodeThrottled, CodeOverloaded
	Limits     []Limit       // CodeThrottled, CodeBusy: the exceeded limit first
	Token      string        // CodePasswordExpired, CodePasswordTemp: good for one password update
	Cause      error         // for the log, never for the caller
}

// Error reads "code: cause"; it is for logs.
func (e *Error) Error() string {
	switch {
	case e.Cause != nil:
		return e.Code.String() + ": " + e.Cause.Error()
	case e.Field != "":
		return e.Code.String() + ": " + e.Field
	}
	return e.Code.String()
}

// Is reports whether target is e's Code.
func (e *Error) Is(target error) bool {
	c, ok := target.(Code)
	return ok && c == e.Code
}

// Unwrap returns the private cause.
func (e *Error) Unwrap() error { return e.Cause }

// CodeOf returns the Code of err, CodeInternal when it has none.
func CodeOf(err error) Code {
	var refusal *Error
	var code Code
	switch {
	case errors.As(err, &refusal):
		return refusal.Code
	case errors.As(err, &code):
		return code
	}
	return CodeInternal
}

func refuse(c Code) *Error { return &Error{Code: c} }

func refuseField(c Code, field string) *Error { return &Error{Code: c, Field: field} }
