package auth

import (
	"errors"
	"fmt"
	"math/rand/v2"
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

	CodeUnknownKey      // the API key is missing or not one of ours
	CodeUnknownClient   // the client or its secret is wrong
	CodeClientRefused   // the client is known and may not do this
	CodeInvalidToken    // the bearer token is missing, forged, expired or revoked
	CodeWrongTokenKind  // a live token of a kind this call does not take
	CodeInvalidRefresh  // the refresh token is unknown, expired, revoked or another client's
	CodeRedirectInvalid // the redirect address is not the client's, or there is no such client: nobody may be sent there
	CodeRequestInvalid  // the authorization request is malformed or asks for what is not served; see Error.Field
	CodePushedInvalid   // the request_uri stands for no pushed request that the client may use now
	CodeGrantOff        // the tenant does not serve the grant
	CodeResponseType    // only the authorization code flow is served
	CodeLoginRequired   // the user has to be asked, and the client wants that not to be
	CodeConsentRequired // OIDC Core §3.1.2.6
	CodeFactorsUnmet    // the authentication that the client demands is not possible for the user
	CodeAccessDenied    // the user said no
	CodeInvalidCode     // the authorization code is unknown, expired or another client's, or was got with another redirect URI or verifier
	CodeReusedCode      // an authorization code came back; what it gave is now revoked
	CodeFormInvalid     // the form of the login page is forged, too old or another browser's
	CodeReusedRefresh   // a rotated refresh token came back; its family is now revoked

	CodeUnknownUser      // no user has this identifier (login)
	CodeWrongPassword    // the password does not match
	CodeNoPassword       // the user has no password
	CodeSuspended        // the user is suspended
	CodeLocked           // locked after consecutive failures; see Error.RetryAfter
	CodeBusy             // too many attempts on one account in flight; see Error.RetryAfter
	CodeThrottled        // too often: refused attempts, requests or messages; see Error.Limits, Error.RetryAfter
	CodeOverloaded       // no slot for a hash within the deadline; see Error.RetryAfter
	CodeMaintenance      // the tenant is in maintenance mode, or the clock is not to be relied on
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
	CodeInsufficientScope  // the access token is not for this (RFC 6750 §3.1)
	CodeInputTooLong       // a password over 1,024 bytes, refused before hashing; see Error.Field
	CodeNotFound           // anything else that does not exist
	CodeSearchInvalid      // a search that is none; see Error.Field
	CodePrimaryIdentifier  // the primary address or number cannot be taken away; see Error.Field

	CodeStepUpRequired      // the token has to be stepped up first
	CodeAccessTokenRequired // an AUTH token where an ACCESS token is needed
	CodeNotPermitted        // the user's roles do not allow it
	CodeIdentitySuspended   // the identity that the token acts for is suspended
	CodeCredentialsInactive // the same, where an authenticator was to be changed

	CodeChannelUnsupported // the tenant does not use the channel, or it does not fit the call
	CodeChannelUnbound     // the user has no active authenticator of the channel
	CodeChannelBound       // the user has one already
	CodeChannelNotReady    // nothing carries the channel's challenges
	CodePhoneMissing       // the user has no phone number
	CodePhoneInvalid       // the user's phone number cannot be one
	CodePhoneCountry       // its country gets no codes from this tenant
	CodeBindingUnsupported // the user acts for nobody, so there is nothing to bind an authenticator for
	CodeBindingLimit       // too many bindings begun
	CodePasscodeMissing    // a device needs a password to fall back on

	CodeTooSoon         // the latest code is too young for another; see Error.RetryAfter
	CodeChallengeLimit  // no more codes, pushes or tries; see Error.RetryAfter
	CodeOneTryLeft      // wrong code, and one more ends the challenge
	CodeWrongOTP        // wrong code
	CodeOTPExpired      // the code's time is over
	CodeNoChallenge     // nothing is pending here, or what it was for has changed
	CodeChallengeFlying // one is pending already
	CodeNotPending      // what is to be confirmed is not waiting for it
	CodeExempt          // what is to be confirmed needs no confirmation
	CodeLinkInvalid     // what is to be confirmed cannot be shown as it is described; see Error.Field
	CodeLinkEmpty       // there is nothing of it to show; see Error.Field
	CodeAlreadyVerified // it was proved before

	CodeOrganizationExists // the name or a domain is another organization's; see Error.Field
	CodeMemberExists       // the user is a member already
	CodeAppNotFound        // no such application
	CodeWrongAssertion     // a signature, its key or its challenge does not hold: not to be told apart
	CodeKeyMalformed       // not a public key
	CodeKeyWeak            // a key of a kind or size that is not taken
	CodeKeyExists          // the user has a key of this name
	CodeKeyLimit           // the user has as many keys as they may
	CodePasskeyInvalid     // what a passkey's ceremony came to does not hold, for whatever reason
	CodePasskeyMissing     // the name has no passkey; only with Settings.RevealAccounts
	CodePasskeyForeign     // the name that the passkey was made with is another user's
	CodePasskeyLimit       // the user has too many
	CodeUserInactive       // the user is suspended; told to clients that manage users

	CodeNoPasswordPolicy // no policy for users of this kind
	CodeActsForNobody    // the user has no identity
	CodeRecoveryInvalid  // unknown address, wrong or old code: not to be told apart
	CodeAccountNotFound  // no user has the address; only with Settings.RevealAccounts
	CodeAccountAmbiguous // the user has several identities; only with Settings.RevealAccounts
	CodeInviteConsumed   // the user has a password already
	CodeInviteInvalid    // unknown user, wrong or old code: not to be told apart
	CodeEmailNotFound    // no such address here; only with Settings.RevealAccounts
	CodeEmailDomain      // the address's domain is blocked
	CodeEmailChangeTooSoon
	CodePhoneMalformed // not a phone number
	CodePhoneChangeLimit
	CodePhoneFixed // the number may not be changed
	CodeResidenceInvalid
	CodeCountryInvalid
	CodeRoleNotFound
	CodeOwnRoles     // nobody changes their own roles
	CodeAdminRemoval // only a root user takes the role ADMIN away

	CodeRootExists       // the address is another user's
	CodeRootInactive     // …of one who is suspended
	CodeRootUnverified   // …of one whose address is not verified
	CodeRootProfile      // …of one with another profile
	CodeDiligenceMissing // …of one whose due diligence is not approved
	CodeConsumerExists
	CodeConsumerVerified // frozen since due diligence was approved
	CodeRootVerified     // the same, of a corporate
	CodeEmailUnverified
	CodePhoneUnverified
	CodeDiligenceApproved
	CodeDiligencePending
	CodeDiligenceRejected
	CodeIdentityUnapproved // the due diligence of the identity comes first

	CodeTicketInvalid      // a ticket to bind a device: unknown, used, too old, or its session has ended
	CodeKeyInvalid         // the device's key is weak or of a kind that is not taken, or was not proved; see Error.Field
	CodePushInvalid        // an address to wake a device at cannot be one
	CodeNameInvalid        // a device's name is empty, too long or unprintable
	CodeDeviceBound        // the device's key is bound, or was
	CodeDeviceLimit        // the user has as many devices as one may have
	CodeDeviceBlocked      // too many of the device's answers did not hold
	CodeAssertionInvalid   // the device's answer is not by its key, or not to this challenge
	CodeNumberWrong        // the number that the user carried to the device is another's
	CodePINInvalid         // a device's PIN has too few digits, or is one that is guessed first
	CodePINWrong           // the PIN that came with a device's answer is not its own, or it has none
	CodeAppExists          // another application has the name
	CodeClientNotFound     // the application has no such client
	CodeLastClient         // an application keeps at least one client
	CodeSecretless         // the client proves itself without a secret
	CodeResourceNotFound   // no such resource
	CodeResourceExists     // another resource has the URI
	CodeResourceInUse      // clients may ask for the resource
	CodeAppRoleNotFound    // no such role of the application, or of clients
	CodeAppRoleExists      // another role has the name
	CodeAppRoleInUse       // clients have the role
	CodeEntityNotFound     // no such user or application, or none that has the role
	CodeSigningKeyNotFound // no such key of the tenant's applications
	CodeSigningKeyLimit    // the application has as many keys as one may have
	CodeProofInvalid       // the proof of a key does not hold, is missing or was used
	CodeValueInvalid       // a setting that cannot be; see Error.Field

	CodeOnceConflict // the same idempotency-ref with another payload
	CodeReplayed     // not a refusal: see Error.Replay

	codeEnd // one past the last; keep it last
)

var codeNames = [codeEnd]string{
	CodeInternal:            "internal",
	CodeUnknownKey:          "unknown_key",
	CodeUnknownClient:       "unknown_client",
	CodeClientRefused:       "client_refused",
	CodeInvalidToken:        "invalid_token",
	CodeWrongTokenKind:      "wrong_token_kind",
	CodeInvalidRefresh:      "invalid_refresh",
	CodeRedirectInvalid:     "redirect_invalid",
	CodeRequestInvalid:      "request_invalid",
	CodePushedInvalid:       "pushed_invalid",
	CodeGrantOff:            "grant_off",
	CodeResponseType:        "response_type",
	CodeLoginRequired:       "login_required",
	CodeConsentRequired:     "consent_required",
	CodeFactorsUnmet:        "factors_unmet",
	CodeAccessDenied:        "access_denied",
	CodeInvalidCode:         "invalid_code",
	CodeReusedCode:          "reused_code",
	CodeFormInvalid:         "form_invalid",
	CodeReusedRefresh:       "reused_refresh",
	CodeUnknownUser:         "unknown_user",
	CodeWrongPassword:       "wrong_password",
	CodeNoPassword:          "no_password",
	CodeSuspended:           "suspended",
	CodeLocked:              "locked",
	CodeBusy:                "busy",
	CodeThrottled:           "throttled",
	CodeOverloaded:          "overloaded",
	CodeMaintenance:         "maintenance",
	CodePasswordExpired:     "password_expired",
	CodePasswordTemp:        "password_temporary",
	CodeForeignIdentity:     "foreign_identity",
	CodeIdentityRequired:    "identity_required",
	CodePasswordIncorrect:   "password_incorrect",
	CodePasswordTooShort:    "password_too_short",
	CodePasswordTooLong:     "password_too_long",
	CodePasswordTooSimple:   "password_too_simple",
	CodePasswordUsed:        "password_used",
	CodePasswordExists:      "password_exists",
	CodePasswordMissing:     "password_missing",
	CodeUserNotFound:        "user_not_found",
	CodeUserExists:          "user_exists",
	CodeIdentifierInvalid:   "identifier_invalid",
	CodeIdentifierRequired:  "identifier_required",
	CodeSessionNotFound:     "session_not_found",
	CodeSessionForeign:      "session_foreign",
	CodeNotMember:           "not_member",
	CodeInvalidTarget:       "invalid_target",
	CodeInvalidScope:        "invalid_scope",
	CodeInsufficientScope:   "insufficient_scope",
	CodeInputTooLong:        "input_too_long",
	CodeNotFound:            "not_found",
	CodeSearchInvalid:       "search_invalid",
	CodePrimaryIdentifier:   "primary_identifier",
	CodeStepUpRequired:      "step_up_required",
	CodeAccessTokenRequired: "access_token_required",
	CodeNotPermitted:        "not_permitted",
	CodeIdentitySuspended:   "identity_suspended",
	CodeCredentialsInactive: "credentials_inactive",
	CodeChannelUnsupported:  "channel_unsupported",
	CodeChannelUnbound:      "channel_unbound",
	CodeChannelBound:        "channel_bound",
	CodeChannelNotReady:     "channel_not_ready",
	CodePhoneMissing:        "phone_missing",
	CodePhoneInvalid:        "phone_invalid",
	CodePhoneCountry:        "phone_country",
	CodeBindingUnsupported:  "binding_unsupported",
	CodeBindingLimit:        "binding_limit",
	CodePasscodeMissing:     "passcode_missing",
	CodeTooSoon:             "too_soon",
	CodeChallengeLimit:      "challenge_limit",
	CodeOneTryLeft:          "one_try_left",
	CodeWrongOTP:            "wrong_otp",
	CodeOTPExpired:          "otp_expired",
	CodeNoChallenge:         "no_challenge",
	CodeChallengeFlying:     "challenge_flying",
	CodeNotPending:          "not_pending",
	CodeExempt:              "exempt",
	CodeLinkInvalid:         "link_invalid",
	CodeLinkEmpty:           "link_empty",
	CodeAlreadyVerified:     "already_verified",
	CodeOrganizationExists:  "organization_exists",
	CodeMemberExists:        "member_exists",
	CodeAppNotFound:         "app_not_found",
	CodeWrongAssertion:      "wrong_assertion",
	CodeKeyMalformed:        "key_malformed",
	CodeKeyWeak:             "key_weak",
	CodeKeyExists:           "key_exists",
	CodeKeyLimit:            "key_limit",
	CodePasskeyInvalid:      "passkey_invalid",
	CodePasskeyMissing:      "passkey_missing",
	CodePasskeyForeign:      "passkey_foreign",
	CodePasskeyLimit:        "passkey_limit",
	CodeUserInactive:        "user_inactive",
	CodeNoPasswordPolicy:    "no_password_policy",
	CodeActsForNobody:       "acts_for_nobody",
	CodeRecoveryInvalid:     "recovery_invalid",
	CodeAccountNotFound:     "account_not_found",
	CodeAccountAmbiguous:    "account_ambiguous",
	CodeInviteConsumed:      "invite_consumed",
	CodeInviteInvalid:       "invite_invalid",
	CodeEmailNotFound:       "email_not_found",
	CodeEmailDomain:         "email_domain",
	CodeEmailChangeTooSoon:  "email_change_too_soon",
	CodePhoneMalformed:      "phone_malformed",
	CodePhoneChangeLimit:    "phone_change_limit",
	CodePhoneFixed:          "phone_fixed",
	CodeResidenceInvalid:    "residence_invalid",
	CodeCountryInvalid:      "country_invalid",
	CodeRoleNotFound:        "role_not_found",
	CodeOwnRoles:            "own_roles",
	CodeAdminRemoval:        "admin_removal",
	CodeRootExists:          "root_exists",
	CodeRootInactive:        "root_inactive",
	CodeRootUnverified:      "root_unverified",
	CodeRootProfile:         "root_profile",
	CodeDiligenceMissing:    "diligence_missing",
	CodeConsumerExists:      "consumer_exists",
	CodeConsumerVerified:    "consumer_verified",
	CodeRootVerified:        "root_verified",
	CodeEmailUnverified:     "email_unverified",
	CodePhoneUnverified:     "phone_unverified",
	CodeDiligenceApproved:   "diligence_approved",
	CodeDiligencePending:    "diligence_pending",
	CodeDiligenceRejected:   "diligence_rejected",
	CodeIdentityUnapproved:  "identity_unapproved",
	CodeTicketInvalid:       "ticket_invalid",
	CodeKeyInvalid:          "key_invalid",
	CodePushInvalid:         "push_invalid",
	CodeNameInvalid:         "name_invalid",
	CodeDeviceBound:         "device_bound",
	CodeDeviceLimit:         "device_limit",
	CodeDeviceBlocked:       "device_blocked",
	CodeAssertionInvalid:    "assertion_invalid",
	CodeNumberWrong:         "number_wrong",
	CodePINInvalid:          "pin_invalid",
	CodePINWrong:            "pin_wrong",
	CodeAppExists:           "app_exists",
	CodeClientNotFound:      "client_not_found",
	CodeLastClient:          "last_client",
	CodeSecretless:          "secretless",
	CodeResourceNotFound:    "resource_not_found",
	CodeResourceExists:      "resource_exists",
	CodeResourceInUse:       "resource_in_use",
	CodeAppRoleNotFound:     "app_role_not_found",
	CodeAppRoleExists:       "app_role_exists",
	CodeAppRoleInUse:        "app_role_in_use",
	CodeEntityNotFound:      "entity_not_found",
	CodeSigningKeyNotFound:  "signing_key_not_found",
	CodeSigningKeyLimit:     "signing_key_limit",
	CodeProofInvalid:        "proof_invalid",
	CodeValueInvalid:        "value_invalid",
	CodeOnceConflict:        "once_conflict",
	CodeReplayed:            "replayed",
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

// Tally is how many there were of what a Limit bounds, and the time of the oldest.
type Tally struct {
	Count  int
	Oldest time.Time
}

// since is from when on the limit counts. What is as old as the window counts no more.
func (l Limit) since(now time.Time) time.Time { return now.Add(time.Microsecond - l.Window) }

// room is how long it takes until the oldest counts no more, which is when there is room for another one.
func (l Limit) room(t Tally, now time.Time) time.Duration { return t.Oldest.Add(l.Window).Sub(now) }

// Error is a refusal: a verdict of the rules, not a fault of the machine.
type Error struct {
	Code       Code
	Field      string        // the input at fault, when one is
	RetryAfter time.Duration // CodeLocked, CodeBusy, CodeThrottled, CodeOverloaded
	Limits     []Limit       // CodeThrottled, CodeBusy: the exceeded limit first
	Token      string        // CodePasswordExpired, CodePasswordTemp: good for one password update
	Replay     *Replay       // CodeReplayed: what the call was answered before
	Cause      error         // for the log, never for the caller

	counted bool // a failure was counted with it, which the same call must not bring about again
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

// RefusalOf returns the *Error in err. What has none is CodeInternal, and a database that is not available CodeOverloaded.
func RefusalOf(err error) *Error {
	var refusal *Error
	var code Code
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.As(err, &code):
		return refuse(code)
	case errors.Is(err, ErrUnavailable):
		return noTime(err)
	}
	return refuse(CodeInternal)
}

// noTime is the refusal of a call that the database has had no time for. Nobody knows when it will, so those who are refused together are
// not told the same: they would be back together.
func noTime(err error) *Error {
	return &Error{Code: CodeOverloaded, RetryAfter: time.Duration(1+rand.N(5)) * time.Second, Cause: err}
}

// CodeOf returns the Code of err: that of RefusalOf.
func CodeOf(err error) Code { return RefusalOf(err).Code }

// ours reports whether an error is a fault of the machine, which is no verdict on anybody.
func ours(err error) bool {
	code := CodeOf(err)
	return code == CodeInternal || code == CodeOverloaded
}

func refuse(c Code) *Error { return &Error{Code: c} }

func refuseField(c Code, field string) *Error { return &Error{Code: c, Field: field} }
