package cis

import (
	"encoding/base64"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"countersign/internal/auth"
)

type ceremonyRequest struct {
	ClientID     string         `json:"client_id"`
	Username     string         `json:"username"`
	DisplayName  string         `json:"display_name"`
	Timeout      int            `json:"timeout"` // seconds
	Single       bool           `json:"limit_single_credential_to_device"`
	ApprovalData jsontext.Value `json:"approval_data"`
}

func (in ceremonyRequest) request() auth.CeremonyRequest {
	return auth.CeremonyRequest{
		Client: auth.ClientID(in.ClientID), Username: in.Username, For: time.Duration(in.Timeout) * time.Second, Alone: in.Single,
		Approval: string(in.ApprovalData),
	}
}

type descriptor struct {
	Type       string   `json:"type"`
	ID         string   `json:"id"`
	Transports []string `json:"transports,omitempty"`
}

func descriptors(hints []auth.KeyHint) []descriptor {
	list := make([]descriptor, len(hints))
	for i, h := range hints {
		list[i] = descriptor{"public-key", h.ID, h.Transports}
	}
	return list
}

// binary is how bytes are written: base64url without padding.
func binary(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// milliseconds is the life of a ceremony as browsers take it.
func milliseconds(b auth.Begun) int64 { return b.ExpiresAt.Sub(b.CreatedAt).Milliseconds() }

type siteEntity struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type userEntity struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
}

type keyParameter struct {
	Type string `json:"type"`
	Alg  int64  `json:"alg"`
}

type selection struct {
	ResidentKey      string `json:"residentKey"`
	Required         bool   `json:"requireResidentKey"`
	UserVerification string `json:"userVerification"`
}

type creationOptions struct {
	RP          siteEntity     `json:"rp"`
	User        userEntity     `json:"user"`
	Challenge   string         `json:"challenge"`
	Params      []keyParameter `json:"pubKeyCredParams"`
	Timeout     int64          `json:"timeout"`
	Attestation string         `json:"attestation"`
	Selection   selection      `json:"authenticatorSelection"`
	Exclude     []descriptor   `json:"excludeCredentials"`
	Extensions  struct{}       `json:"extensions"`
}

type registrationStarted struct {
	Session string          `json:"webauthn_session_id"`
	Options creationOptions `json:"credential_creation_options"`
}

// startRegistration is POST /v1/auth/webauthn/register/start of contract/cis §1.11.
func (a *API) startRegistration(c *call) error {
	var in ceremonyRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	in.ApprovalData = nil
	b, err := a.auth.BeginPasskey(c.r.Context(), c.via(), in.request())
	if err != nil {
		return err
	}
	if in.DisplayName == "" {
		in.DisplayName = in.Username
	}
	options := creationOptions{
		RP: siteEntity{b.Site, b.SiteName}, User: userEntity{binary(b.Handle), in.Username, in.DisplayName}, Challenge: binary(b.Challenge),
		Timeout: milliseconds(b), Attestation: "none", Selection: selection{"preferred", false, string(b.Verification)},
		Exclude: descriptors(b.Hints),
	}
	for _, alg := range b.Algorithms {
		options.Params = append(options.Params, keyParameter{"public-key", alg})
	}
	return c.w.JSON(http.StatusOK, registrationStarted{string(b.ID), options})
}

type requestOptions struct {
	Challenge        string       `json:"challenge"`
	RawChallenge     string       `json:"rawChallenge,omitempty"`
	RPID             string       `json:"rpId"`
	Allow            []descriptor `json:"allowCredentials"`
	Timeout          int64        `json:"timeout"`
	UserVerification string       `json:"userVerification"`
	Extensions       struct{}     `json:"extensions"`
}

type authenticationStarted struct {
	Session string         `json:"webauthn_session_id"`
	Options requestOptions `json:"credential_request_options"`
}

// startAuthentication is POST /v1/auth/webauthn/authenticate/start of contract/cis §1.11.
func (a *API) startAuthentication(c *call) error {
	var in ceremonyRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	approval, err := canonicalApproval(in.ApprovalData)
	if err != nil {
		return err
	}
	in.ApprovalData = approval
	b, err := a.auth.BeginAssertion(c.r.Context(), c.via(), in.request())
	if err != nil {
		return err
	}
	options := requestOptions{
		Challenge: binary(b.Challenge), RPID: b.Site, Allow: descriptors(b.Hints), Timeout: milliseconds(b),
		UserVerification: string(b.Verification),
	}
	if b.Nonce != nil {
		options.RawChallenge = binary(b.Nonce)
	}
	return c.w.JSON(http.StatusOK, authenticationStarted{string(b.ID), options})
}

type registrationResult struct {
	Result     string `json:"webauthn_encoded_result"`
	ExternalID string `json:"external_user_id"`
	Email      string `json:"user_email"`
}

type registered struct {
	Session    string `json:"webauthn_session_id"`
	UserID     string `json:"user_id"`
	Username   string `json:"webauthn_username"`
	Credential string `json:"credential_id"`
	Attachment string `json:"authenticator_attachment,omitempty"`
	AAGUID     string `json:"aaguid"`
	ExternalID string `json:"external_user_id,omitempty"`
	Created    *bool  `json:"is_user_created,omitempty"`
}

func registeredOf(b auth.BoundPasskey) registered {
	return registered{
		Session: string(b.Ceremony), UserID: string(b.User), Username: b.Username, Credential: b.Passkey.ID, Attachment: b.Attachment,
		AAGUID: b.AAGUID,
	}
}

// register is POST /v1/auth/webauthn/register of contract/cis §1.11.
func (a *API) register(c *call) error {
	var in registrationResult
	if err := c.decode(&in); err != nil {
		return err
	}
	b, err := a.auth.BindPasskey(c.r.Context(), c.by, c.live, in.Result)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, registeredOf(b))
}

// registerExternal is POST /v1/auth/webauthn/external/register of contract/cis §1.11.
func (a *API) registerExternal(c *call) error {
	var in registrationResult
	if err := c.decode(&in); err != nil {
		return err
	}
	b, err := a.auth.BindPasskeyFor(c.r.Context(), c.by, auth.PasskeyBinding{Result: in.Result, ExternalID: in.ExternalID, Email: in.Email})
	if err != nil {
		return err
	}
	out := registeredOf(b)
	out.ExternalID, out.Created = in.ExternalID, &b.Created
	return c.w.JSON(http.StatusOK, out)
}

type assertionRequest struct {
	grantRequest
	Result    string `json:"webauthn_encoded_result"`
	SessionID string `json:"session_id"`
}

// authenticatePasskey is POST /v1/auth/webauthn/authenticate of contract/cis §1.11.
func (a *API) authenticatePasskey(c *call) error {
	var in assertionRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	set, err := a.auth.AuthenticatePasskey(c.r.Context(), c.by, auth.PasskeyLogin{
		Result: in.Result, BackendGrant: in.grant(), Session: auth.SessionID(in.SessionID),
	})
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, tokensOf(set))
}
