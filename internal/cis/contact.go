package cis

import (
	"net/http"

	"countersign/internal/auth"
)

type contactRequest struct {
	Email         string `json:"email"`
	PhoneNumber   string `json:"phone_number"`
	Passcode      string `json:"passcode"`
	UpdatePrimary bool   `json:"update_primary"`
}

// contactWords are what the contract says of one kind of address; contract/cis §1.9.
type contactWords struct {
	sent, invalid, verified string
}

func wordsOf(kind auth.IdentifierKind) contactWords {
	if kind == auth.ByPhone {
		return contactWords{"SMS sent", "Invalid phone number or passcode", "Phone number is already verified"}
	}
	return contactWords{"Email sent successfully", "Invalid email or passcode", "Email is already verified"}
}

func (in contactRequest) value(kind auth.IdentifierKind) string {
	if kind == auth.ByPhone {
		return in.PhoneNumber
	}
	return in.Email
}

// sendContactCode makes POST /v1/verification/otp/{sms,email}/send.
func sendContactCode(kind auth.IdentifierKind) func(*API, *call) error {
	return func(a *API, c *call) error {
		var in contactRequest
		if err := c.decode(&in); err != nil {
			return err
		}
		if err := a.auth.SendContactCode(c.r.Context(), c.by, c.live, kind, in.value(kind)); err != nil {
			return c.contactRefused(kind, err)
		}
		return c.w.JSON(http.StatusOK, message{wordsOf(kind).sent})
	}
}

// proveContact makes POST /v1/verification/otp/{sms,email}/validate: no tokens are returned.
func proveContact(kind auth.IdentifierKind) func(*API, *call) error {
	return func(a *API, c *call) error {
		var in contactRequest
		if err := c.decode(&in); err != nil {
			return err
		}
		err := a.auth.ProveContact(c.r.Context(), c.by, c.live, auth.ContactProof{
			Kind: kind, Value: in.value(kind), Code: in.Passcode, Primary: in.UpdatePrimary,
		})
		if err != nil {
			return c.contactRefused(kind, err)
		}
		return c.w.JSON(http.StatusOK, result{true})
	}
}

// wrongPasscode is the shape of a code that was not taken.
type wrongPasscode struct {
	Message   string `json:"message"`
	ErrorCode int    `json:"error_code"`
	ErrorType string `json:"error_type"`
}

// contactRefused answers in the words that these calls have of their own.
func (c *call) contactRefused(kind auth.IdentifierKind, err error) error {
	code, words := auth.CodeOf(err), wordsOf(kind)
	switch code {
	case auth.CodeWrongOTP:
		reply(c.w, http.StatusBadRequest, wrongPasscode{words.invalid, http.StatusBadRequest, "invalid_otp"})
	case auth.CodeOTPExpired:
		reply(c.w, http.StatusBadRequest, wrongPasscode{"Passcode expired", http.StatusBadRequest, "expired_otp"})
	case auth.CodeAlreadyVerified, auth.CodeUserExists:
		reply(c.w, http.StatusConflict, numericBody{Message: words.verified, ErrorCode: http.StatusConflict})
	default:
		return err
	}
	c.w.Code, c.w.Cause = code.String(), err
	return nil
}
