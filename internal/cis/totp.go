package cis

import (
	"net/http"

	"countersign/internal/auth"
)

type totpRequest struct {
	grantRequest
	Token          string `json:"token"`
	Identifier     string `json:"identifier"`
	IdentifierType string `json:"identifier_type"`
	SessionID      string `json:"session_id"`
}

// authenticateTOTP is POST /v1/auth/totp/authenticate of contract/cis §1.12.
func (a *API) authenticateTOTP(c *call) error {
	in := totpRequest{IdentifierType: "email"}
	if err := c.decode(&in); err != nil {
		return err
	}
	set, err := a.auth.AuthenticateTOTP(c.r.Context(), c.by, auth.TOTPLogin{
		Kind: kindOf(in.IdentifierType), Identifier: in.Identifier, Code: in.Token, BackendGrant: in.grant(), Session: auth.SessionID(in.SessionID),
	})
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, tokensOf(set))
}

type totpRegistration struct {
	Label         string `json:"label"`
	AllowOverride bool   `json:"allow_override"`
}

type totpKey struct {
	Secret string `json:"secret"`
	URI    string `json:"uri"`
}

// registerTOTP is POST /v1/users/me/totp of contract/cis §1.12, and its later name /v1/auth/totp/register.
func (a *API) registerTOTP(c *call) error {
	var in totpRegistration
	if err := c.decode(&in); err != nil {
		return err
	}
	key, err := a.auth.RegisterTOTP(c.r.Context(), c.by, c.live, in.Label, in.AllowOverride)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusCreated, totpKey{key.Secret, key.URI})
}

// revokeTOTP is POST /v1/users/me/totp/revoke of contract/cis §1.12.
func (a *API) revokeTOTP(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	if err := a.auth.RevokeTOTP(c.r.Context(), c.by, c.live); err != nil {
		return err
	}
	c.w.Empty(http.StatusNoContent)
	return nil
}

// revokeTOTPOf is POST /v1/users/{user_id}/totp/revoke of contract/cis §1.12.
func (a *API) revokeTOTPOf(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	if err := a.auth.RevokeTOTPOf(c.r.Context(), c.by, auth.UserID(c.r.PathValue("user_id"))); err != nil {
		return err
	}
	c.w.Empty(http.StatusNoContent)
	return nil
}

// unlockTOTP is POST /v1/users/{user_id}/totp/unlock of contract/cis §1.12.
func (a *API) unlockTOTP(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	if err := a.auth.UnlockTOTP(c.r.Context(), c.by, auth.UserID(c.r.PathValue("user_id"))); err != nil {
		return err
	}
	c.w.Empty(http.StatusNoContent)
	return nil
}
