package cis

import (
	"net/http"

	"countersign/internal/auth"
	"countersign/internal/seal"
)

type passwordCredential struct {
	Password          seal.Secret `json:"password"`
	ForceReplace      *bool       `json:"force_replace"`
	Username          string      `json:"username"`
	EnforceComplexity *bool       `json:"enforce_complexity"`
}

type validateRequest struct {
	Password    seal.Secret `json:"password"`
	Email       string      `json:"email"`
	PhoneNumber string      `json:"phone_number"`
	Username    string      `json:"username"`
}

type validateResult struct {
	Valid  bool             `json:"valid_password"`
	Errors []validateReason `json:"errors"`
}

type validateReason struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// validatePassword is POST /v1/auth/password/validate of contract/cis §1.2. Former passwords are not looked at: whoever calls could try
// passwords on it that no lock counts.
func (a *API) validatePassword(c *call) error {
	var in validateRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	out := validateResult{Valid: true, Errors: []validateReason{}}
	err := a.auth.ValidatePasswordOf(c.r.Context(), c.by, in.Password, auth.User{Email: in.Email, Phone: in.PhoneNumber, Username: in.Username})
	switch code := auth.CodeOf(err); code {
	case auth.CodePasswordTooShort, auth.CodePasswordTooLong, auth.CodePasswordTooSimple:
		w := wireOf(code)
		out = validateResult{Errors: []validateReason{{w.name, w.message}}}
	default:
		if err != nil {
			return err
		}
	}
	return c.w.JSON(http.StatusOK, result{out})
}

type message struct {
	Message string `json:"message"`
}

// addPassword is POST /v1/users/{user_id}/password of contract/cis §1.2.
func (a *API) addPassword(c *call) error {
	var in passwordCredential
	if err := c.decode(&in); err != nil {
		return err
	}
	err := a.auth.AddPassword(c.r.Context(), c.by, auth.UserID(c.r.PathValue("user_id")), auth.NewPassword{
		Value: in.Password, Temporary: temporary(in.ForceReplace), Username: in.Username,
		Unchecked: in.EnforceComplexity != nil && !*in.EnforceComplexity,
	})
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusCreated, result{message{"Password registered"}})
}

// updatePassword is PUT /v1/users/{user_id}/password of contract/cis §1.2.
func (a *API) updatePassword(c *call) error {
	var in passwordCredential
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Password.IsZero() {
		writeWire(c.w, wire{http.StatusBadRequest, "auth_password_incomplete_credentials", "A password is needed"}, symbolic, "")
		c.w.Code = "auth_password_incomplete_credentials"
		return nil
	}
	err := a.auth.ReplacePassword(c.r.Context(), c.by, auth.UserID(c.r.PathValue("user_id")), auth.NewPassword{
		Value: in.Password, Temporary: temporary(in.ForceReplace),
	})
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{message{"Password registered"}})
}

// addOwnPassword is POST /v1/users/me/password-credentials of contract/cis §1.2. A user who has one gets the contract's only refusal.
func (a *API) addOwnPassword(c *call) error {
	var in passwordCredential
	if err := c.decode(&in); err != nil {
		return err
	}
	err := a.auth.AddOwnPassword(c.r.Context(), c.by, c.live, in.Password, in.Username)
	if auth.CodeOf(err) == auth.CodePasswordExists {
		writeWire(c.w, wire{http.StatusForbidden, "auth_password_already_configured", "The user has a password"}, numeric, "")
		c.w.Code, c.w.Cause = auth.CodePasswordExists.String(), err
		return nil
	}
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{message{"Password registered"}})
}
