package cis

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"countersign/internal/auth"
)

// tokenExpiration is in seconds.
type tokenExpiration struct {
	Access  int64 `json:"access_token_ttl,omitzero"`
	Refresh int64 `json:"refresh_token_ttl,omitzero"`
	Rotate  int64 `json:"max_refresh_rotate,omitzero"`
}

// clientProof is how a client proves itself.
type clientProof struct {
	Method string         `json:"method"`
	JWKS   jsontext.Value `json:"jwks,omitzero"`
}

// The contract's words for what a client has to bring with a code.
const (
	pkceInstead   = "enforcePkceInsteadOfClientCredentials" // a public client
	pkceAlongside = "enforcePkceAlongsideClientCredentials"
	pkceAllowed   = "allowPkceAlongsideClientCredentials"
	secretBasic   = "client_secret_basic"
)

// clientRequest is what a client is made of, and what is changed of it: nil leaves a member as it is, objects are replaced as a whole.
type clientRequest struct {
	Name          *string          `json:"name"`
	Description   *string          `json:"description"`
	RedirectURIs  *[]string        `json:"redirect_uris"`
	Type          *string          `json:"client_type"`
	Resources     *[]string        `json:"resources"`
	DefaultClaims *[]string        `json:"default_custom_claims"`
	Expiration    *tokenExpiration `json:"token_expiration"`
	SessionFor    *int64           `json:"session_expiration"`
	Alg           *string          `json:"token_signing_alg"`
	Roles         *[]auth.RoleID   `json:"client_roles"`
	PKCE          *string          `json:"pkce"`
	EnforcePAR    *bool            `json:"enforce_par"`
	ThirdParty    *bool            `json:"is_third_party"`
	Proof         *clientProof     `json:"authentication_configuration"`
	AfterLogout   *[]string        `json:"post_logout_redirect_uris"`
	LogoutURI     *string          `json:"backchannel_logout_uri"`
	LogoutSession *bool            `json:"backchannel_logout_session_required"`
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

// fill changes what is given.
func (in clientRequest) fill(c *auth.ClientSetup) {
	put(&c.Name, in.Name)
	put(&c.Description, in.Description)
	put(&c.RedirectURIs, in.RedirectURIs)
	put(&c.Resources, in.Resources)
	put(&c.Claims, in.DefaultClaims)
	put(&c.Roles, in.Roles)
	put(&c.RequirePAR, in.EnforcePAR)
	put(&c.ThirdParty, in.ThirdParty)
	in.fillProof(c)
	put(&c.Logout.RedirectURIs, in.AfterLogout)
	put(&c.Logout.URI, in.LogoutURI)
	put(&c.Logout.SessionRequired, in.LogoutSession)
	if in.Type != nil {
		c.Native = *in.Type == "native"
	}
	if in.Alg != nil {
		c.SignWith(*in.Alg)
	}
	if in.SessionFor != nil {
		c.SessionFor = seconds(*in.SessionFor)
	}
	if e := in.Expiration; e != nil {
		c.AccessTokenFor, c.RefreshTokenFor, c.RotateFor = seconds(e.Access), seconds(e.Refresh), seconds(e.Rotate)
	}
}

// fillProof changes how the client proves itself; pkce alone can say that it does not.
func (in clientRequest) fillProof(c *auth.ClientSetup) {
	if p := in.Proof; p != nil {
		c.Auth, c.JWKS, c.AuthAlg = auth.ClientAuthSecret, "", ""
		if p.Method == string(auth.ClientAuthKey) {
			c.Auth, c.JWKS = auth.ClientAuthKey, string(p.JWKS)
		}
	}
	if in.PKCE == nil {
		return
	}
	c.PKCE = auth.PKCERequired
	switch {
	case *in.PKCE == pkceInstead:
		c.Auth, c.JWKS, c.AuthAlg = auth.ClientAuthNone, "", ""
		return
	case *in.PKCE == pkceAllowed:
		c.PKCE = auth.PKCEOptional
	}
	if c.Auth == auth.ClientAuthNone {
		c.Auth = auth.ClientAuthSecret
	}
}

// pkceOf is the contract's word.
func pkceOf(c auth.Client) string {
	switch {
	case c.Auth == auth.ClientAuthNone:
		return pkceInstead
	case c.PKCE == auth.PKCEOptional:
		return pkceAllowed
	}
	return pkceAlongside
}

// proofOf is how the client proves itself; none of a public client.
func proofOf(c auth.Client) *clientProof {
	switch c.Auth {
	case auth.ClientAuthNone:
		return nil
	case auth.ClientAuthKey:
		return &clientProof{string(c.Auth), jsontext.Value(c.JWKS)}
	}
	return &clientProof{secretBasic, nil}
}

type apiClient struct {
	ClientID      string          `json:"client_id"`
	ClientSecret  string          `json:"client_secret,omitempty"` // of a client that was just made
	AppID         string          `json:"app_id"`
	TenantID      string          `json:"tenant_id"`
	Name          string          `json:"name"`
	Description   string          `json:"description"`
	Type          string          `json:"client_type"`
	Protocol      string          `json:"authentication_protocol"`
	RedirectURIs  []string        `json:"redirect_uris"`
	Resources     []string        `json:"resources"`
	DefaultClaims []string        `json:"default_custom_claims"`
	ResponseTypes []string        `json:"response_types"`
	Prompts       []string        `json:"supported_prompts"`
	Expiration    tokenExpiration `json:"token_expiration"`
	SessionFor    int64           `json:"session_expiration"`
	Alg           string          `json:"token_signing_alg"`
	Roles         []auth.RoleID   `json:"client_roles"`
	PKCE          string          `json:"pkce"`
	EnforcePAR    bool            `json:"enforce_par"`
	ThirdParty    bool            `json:"is_third_party"`
	Proof         *clientProof    `json:"authentication_configuration,omitzero"`
	AfterLogout   []string        `json:"post_logout_redirect_uris"`
	LogoutURI     string          `json:"backchannel_logout_uri,omitempty"`
	LogoutSession bool            `json:"backchannel_logout_session_required"`
	CreatedAt     time.Time       `json:"created_at"`
	UpdatedAt     time.Time       `json:"updated_at"`
}

// clientOf is the contract's ApiOidcClient.
func (a *API) clientOf(by auth.Actor, c auth.Client, secret string) apiClient {
	limits, session := c.Limits(), c.SessionFor
	if session == 0 {
		session = a.auth.Settings(by).BackendSession.IdleLimit
	}
	out := apiClient{
		ClientID: string(c.ID), ClientSecret: secret, AppID: string(c.AppID), TenantID: string(c.Tenant), Name: c.Name,
		Description: c.Description, Type: "web", Protocol: "oidc", RedirectURIs: orEmpty(c.RedirectURIs), Resources: a.auth.ResourceNames(c), Roles: c.Roles,
		DefaultClaims: orEmpty(c.Claims), ResponseTypes: []string{"code"}, Prompts: []string{"login", "consent", "none"},
		Expiration: tokenExpiration{
			int64(limits.Access / time.Second), int64(limits.Refresh / time.Second), int64(limits.Rotate / time.Second),
		},
		SessionFor: int64(session / time.Second), Alg: string(c.SigningAlg()), CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
		PKCE: pkceOf(c), EnforcePAR: c.RequirePAR, ThirdParty: c.ThirdParty, Proof: proofOf(c),
		AfterLogout: orEmpty(c.Logout.RedirectURIs), LogoutURI: c.Logout.URI, LogoutSession: c.Logout.SessionRequired,
	}
	if out.Roles == nil {
		out.Roles = []auth.RoleID{}
	}
	if c.Native {
		out.Type = "native"
	}
	if out.UpdatedAt.IsZero() {
		out.UpdatedAt = c.CreatedAt
	}
	return out
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func clientID(c *call) auth.ClientID { return auth.ClientID(c.r.PathValue("client_id")) }

// createAppClient is POST /v1/applications/{app_id}/clients. Clients are not wrapped.
func (a *API) createAppClient(c *call) error {
	var in clientRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	var made auth.ClientSetup
	in.fill(&made)
	client, secret, err := a.auth.CreateAppClient(c.r.Context(), c.by, appID(c), made)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusCreated, a.clientOf(c.by, client, secret))
}

// listAppClients is GET /v1/applications/{app_id}/clients.
func (a *API) listAppClients(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	state, err := a.auth.Application(c.r.Context(), c.by, appID(c))
	if err != nil {
		return err
	}
	list := make([]apiClient, len(state.Clients))
	for i, client := range state.Clients {
		list[i] = a.clientOf(c.by, client, "")
	}
	return c.w.JSON(http.StatusOK, list)
}

// getAppClient is GET /v1/applications/{app_id}/clients/{client_id}.
func (a *API) getAppClient(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	client, err := a.auth.AppClient(c.r.Context(), c.by, appID(c), clientID(c))
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, a.clientOf(c.by, client, ""))
}

// updateAppClient is PUT /v1/applications/{app_id}/clients/{client_id}.
func (a *API) updateAppClient(c *call) error {
	var in clientRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	client, err := a.auth.ChangeAppClient(c.r.Context(), c.by, appID(c), clientID(c), in.fill)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, a.clientOf(c.by, client, ""))
}

// deleteAppClient is DELETE /v1/applications/{app_id}/clients/{client_id}.
func (a *API) deleteAppClient(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(http.StatusNoContent, a.auth.DeleteAppClient(c.r.Context(), c.by, appID(c), clientID(c)))
}

// rotateAppClient is POST /v1/applications/{app_id}/clients/{client_id}/secrets, which the contract does not have.
func (a *API) rotateAppClient(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	client, secret, err := a.auth.RotateAppClientSecret(c.r.Context(), c.by, appID(c), clientID(c))
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusCreated, a.clientOf(c.by, client, secret))
}

// retireAppClient is DELETE /v1/applications/{app_id}/clients/{client_id}/secrets.
func (a *API) retireAppClient(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(http.StatusNoContent, a.auth.RetireAppClientSecret(c.r.Context(), c.by, appID(c), clientID(c)))
}

// setAppClientResources is PUT /v1/applications/{app_id}/clients/{client_id}/resources.
func (a *API) setAppClientResources(c *call) error {
	var in struct {
		Resources []string `json:"resource_ids"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	set := func(client *auth.ClientSetup) { client.Resources = in.Resources }
	client, err := a.auth.ChangeAppClient(c.r.Context(), c.by, appID(c), clientID(c), set)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, a.clientOf(c.by, client, ""))
}
