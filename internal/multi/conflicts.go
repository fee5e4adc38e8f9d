package multi

import "countersign/internal/auth"

// conflicts are the contract's words for the refusals that it answers with 409, in the order of its sections.
var conflicts = map[auth.Code]string{
	// contract/multi §2.3, §2.4, §2.9
	auth.CodeChannelUnsupported:  "CHANNEL_NOT_SUPPORTED",
	auth.CodeChannelUnbound:      "CHANNEL_NOT_REGISTERED",
	auth.CodeChannelBound:        "CHANNEL_ALREADY_REGISTERED",
	auth.CodeChannelNotReady:     "CHANNEL_NOT_READY",
	auth.CodePhoneMissing:        "MOBILE_NUMBER_NOT_AVAILABLE",
	auth.CodePhoneInvalid:        "MOBILE_NUMBER_INVALID",
	auth.CodePhoneCountry:        "MOBILE_COUNTRY_NOT_SUPPORTED",
	auth.CodeBindingUnsupported:  "TYPE_DOES_NOT_SUPPORT_ENROLMENT",
	auth.CodeBindingLimit:        "ENROLMENT_LIMIT_EXCEEDED",
	auth.CodePasscodeMissing:     "PASSCODE_NOT_SET",
	auth.CodeCredentialsInactive: "CREDENTIALS_INACTIVE",
	auth.CodeTooSoon:             "RETRY_IN_15SEC",
	auth.CodeChallengeLimit:      "CHALLENGE_LIMIT_EXCEEDED",
	auth.CodeOneTryLeft:          "ONE_CHALLENGE_LIMIT_REMAINING",
	auth.CodeWrongOTP:            "VERIFICATION_CODE_INVALID",
	auth.CodeOTPExpired:          "VERIFICATION_CODE_EXPIRED",
	auth.CodeNoChallenge:         "STATE_INVALID",
	auth.CodeChallengeFlying:     "STATE_INVALID",
	auth.CodeNotPending:          "CHALLENGE_NOT_PENDING",
	auth.CodeExempt:              "SCA_EXEMPTION_APPLIED",
	auth.CodeAlreadyVerified:     "ALREADY_VERIFIED",

	// contract/multi §2.5
	auth.CodePasswordIncorrect: "PASSWORD_INCORRECT",
	auth.CodePasswordTooShort:  "PASSWORD_TOO_SHORT",
	auth.CodePasswordTooLong:   "PASSWORD_TOO_LONG",
	auth.CodePasswordTooSimple: "PASSWORD_TOO_SIMPLE",
	auth.CodePasswordUsed:      "PASSWORD_ALREADY_USED",
	auth.CodePasswordExists:    "PASSWORD_ALREADY_CREATED",
	auth.CodePasswordMissing:   "PASSWORD_NOT_SET",
	auth.CodeNoPasswordPolicy:  "PASSWORD_PROFILE_NOT_CONFIGURED_FOR_CREDENTIAL_TYPE",
	auth.CodeActsForNobody:     "UNRESOLVED_IDENTITY",
	auth.CodeRecoveryInvalid:   "INVALID_NONCE_OR_EMAIL",
	auth.CodeAccountNotFound:   "ACCOUNT_NOT_FOUND",
	auth.CodeAccountAmbiguous:  "MULTIPLE_ACCOUNTS_FOUND",

	// contract/multi §2.6
	auth.CodeUserExists:         "EMAIL_NOT_UNIQUE",
	auth.CodeInviteConsumed:     "INVITE_ALREADY_CONSUMED",
	auth.CodeInviteInvalid:      "INVITE_OR_INVITE_CODE_INVALID",
	auth.CodeEmailNotFound:      "EMAIL_NOT_FOUND",
	auth.CodeEmailDomain:        "EMAIL_DOMAIN_NOT_ALLOWED",
	auth.CodeEmailChangeTooSoon: "TOO_FREQUENT_EMAIL_CHANGES",
	auth.CodePhoneMalformed:     "MOBILE_OR_COUNTRY_CODE_INVALID",
	auth.CodePhoneChangeLimit:   "MOBILE_NO_CHANGE_LIMIT_EXCEEDED",
	auth.CodePhoneFixed:         "MOBILE_CHANGE_NOT_ALLOWED",
	auth.CodeResidenceInvalid:   "COUNTRY_OF_RESIDENCE_INVALID",
	auth.CodeRoleNotFound:       "ROLE_NOT_FOUND",
	auth.CodeOwnRoles:           "CANNOT_MODIFY_OWN_ROLES",
	auth.CodeAdminRemoval:       "ADMIN_ROLE_REMOVAL_NOT_ALLOWED",
	auth.CodeEmailUnverified:    "EMAIL_NOT_VERIFIED",
	auth.CodePhoneUnverified:    "MOBILE_NOT_VERIFIED",
	auth.CodeDiligenceApproved:  "KYC_ALREADY_APPROVED",
	auth.CodeDiligencePending:   "KYC_PENDING_REVIEW",
	auth.CodeDiligenceRejected:  "KYC_REJECTED",
	auth.CodeIdentityUnapproved: "KYB_IDENTITY_NOT_APPROVED",

	// contract/multi §2.7
	auth.CodeRootExists:       "ROOT_EMAIL_NOT_UNIQUE",
	auth.CodeRootInactive:     "ROOT_USER_INACTIVE",
	auth.CodeRootUnverified:   "ROOT_EMAIL_NOT_VERIFIED",
	auth.CodeRootProfile:      "PROFILE_MISMATCH",
	auth.CodeDiligenceMissing: "KYC_APPROVAL_MISSING",
	auth.CodeProfileNotFound:  "PROFILE_NOT_FOUND",
	auth.CodeCountryInvalid:   "COUNTRY_INVALID",
	auth.CodeConsumerExists:   "CONSUMER_ALREADY_EXISTS",
	auth.CodeConsumerVerified: "CONSUMER_VERIFIED",
	auth.CodeRootVerified:     "ROOT_USER_ALREADY_VERIFIED",

	// ours: contract/multi §1.2 does not say what a reused idempotency-ref is answered
	auth.CodeOnceConflict: "IDEMPOTENCY_REF_REUSED",
}
