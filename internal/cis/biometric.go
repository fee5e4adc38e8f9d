package cis

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"countersign/internal/auth"
)

type keyRegistration struct {
	PublicKey      string `json:"publicKey"`
	PublicKeyID    string `json:"publicKeyId"`
	EncryptionType string `json:"encryptionType"`
	OS             string `json:"os"`
	DisplayName    string `json:"displayName"`
}

// registerBiometrics is POST /v1/auth/mobile-biometrics/register of contract/cis §1.10. Attestations are not judged.
func (a *API) registerBiometrics(c *call) error {
	in := keyRegistration{EncryptionType: string(auth.KeyRSA)}
	if err := c.decode(&in); err != nil {
		return err
	}
	err := a.auth.RegisterKey(c.r.Context(), c.by, c.live, auth.KeyRegistration{
		ID: in.PublicKeyID, Public: in.PublicKey, Type: auth.KeyType(in.EncryptionType), OS: in.OS, Name: in.DisplayName,
	})
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, message{"Mobile biometrics registered"})
}

type keyStartRequest struct {
	Identifier     string         `json:"identifier"`
	IdentifierType string         `json:"identifier_type"`
	UserID         string         `json:"user_id"`
	ApprovalData   jsontext.Value `json:"approval_data"`
	Timeout        int            `json:"timeout"` // seconds
}

type startedChallenge struct {
	Challenge    string         `json:"challenge"`
	ApprovalData jsontext.Value `json:"approval_data,omitempty"`
}

// startBiometrics is POST /v1/auth/mobile-biometrics/start of contract/cis §1.10.
func (a *API) startBiometrics(c *call) error {
	var in keyStartRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	who := passwordRequest{Identifier: in.Identifier, IdentifierType: in.IdentifierType, UserID: in.UserID}
	kind, value, err := who.identifier("identifier and user_id")
	if err != nil {
		return err
	}
	approval, err := canonicalApproval(in.ApprovalData)
	if err != nil {
		return err
	}
	challenge, err := a.auth.StartKeyLogin(c.r.Context(), c.by, auth.KeyChallengeRequest{
		Kind: kind, Identifier: value, Approval: string(approval), For: time.Duration(in.Timeout) * time.Second,
	})
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, startedChallenge{challenge, approval})
}

type keyLoginRequest struct {
	grantRequest
	KeyID     string `json:"key_id"`
	UserID    string `json:"user_id"`
	Signature string `json:"signature"`
	Challenge string `json:"challenge"`
	SessionID string `json:"session_id"`
}

// authenticateBiometrics is POST /v1/auth/mobile-biometrics/authenticate of contract/cis §1.10.
func (a *API) authenticateBiometrics(c *call) error {
	var in keyLoginRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	set, err := a.auth.AuthenticateUserKey(c.r.Context(), c.by, auth.KeyLogin{
		User: auth.UserID(in.UserID), Key: in.KeyID, Challenge: in.Challenge, Signature: in.Signature, BackendGrant: in.grant(),
		Session: auth.SessionID(in.SessionID),
	})
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, tokensOf(set))
}

// deleteBiometrics is DELETE /v1/auth/mobile-biometrics/delete of contract/cis §1.10: the key is named in the body.
func (a *API) deleteBiometrics(c *call) error {
	var in keyRegistration
	if err := c.decode(&in); err != nil {
		return err
	}
	return c.done(http.StatusNoContent, a.auth.DropOwnKey(c.r.Context(), c.by, c.live, in.PublicKeyID))
}
