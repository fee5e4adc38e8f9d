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

// authenticateTransaction is POST /v1/auth/totp/transaction/authenticate of contract/cis §1.12.
func (a *API) authenticateTransaction(c *call) error {
	in := totpRequest{IdentifierType: "email"}
	if err := c.decode(&in); err != nil {
		return err
	}
	set, err := a.auth.AuthenticateTransaction(c.r.Context(), c.by, auth.TOTPLogin{
		Kind: kindOf(in.IdentifierType), Identifier: in.Identifier, Code: in.Token, BackendGrant: in.grant(), Session: auth.SessionID(in.SessionID),
	})
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, tokensOf(set))
}

// startTransaction is POST /v1/auth/totp/transaction/start of contract/cis §1.12.
func (a *API) startTransaction(c *call) error {
	var in keyStartRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	approval, err := approvalOf(in.ApprovalData)
	if err == nil && approval.Text == "" {
		err = invalid("approval_data", "must have a member")
	}
	if err != nil {
		return err
	}
	challenge, err := a.auth.StartTransaction(c.r.Context(), c.by, kindOf(in.IdentifierType), in.Identifier, approval)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, startedChallenge{challenge, objectOrNone(approval.Text)})
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
