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
