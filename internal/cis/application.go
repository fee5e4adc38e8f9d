package cis

import (
	"net/http"
	"time"

	"countersign/internal/auth"
)

// appRequest is what an application is made of, and what is changed of it: nil leaves a member as it is. The members of the default client
// among those of the application are the contract's older form.
type appRequest struct {
	Name        *string `json:"app_name"`
	Description *string `json:"app_description"`
	Logo        *string `json:"logo"`
	LoginURI    *string `json:"login_uri"`
	InviteURI   *string `json:"invite_member_uri"`

	Triggers struct {
		Suspension *bool `json:"invalidateOnMemberSuspension"`
		Roles      *bool `json:"invalidateOnMemberRoleUpdate"`
	} `json:"refresh_token_invalidation_trigger_configuration"` // invalidateOnMemberPasswordReset is true, says the document
	clientRequest

	ClientName        *string        `json:"client_display_name"`
	ClientDescription *string        `json:"client_description"`
	FirstClient       *clientRequest `json:"first_client"`
}

// fill changes what is given.
func (in appRequest) fill(a *auth.Application) {
	put(&a.Name, in.Name)
	put(&a.Description, in.Description)
	put(&a.Logo, in.Logo)
	put(&a.LoginURI, in.LoginURI)
	put(&a.InviteURI, in.InviteURI)
	put(&a.Keeps.OnSuspension, not(in.Triggers.Suspension))
	put(&a.Keeps.OnRoles, not(in.Triggers.Roles))
}

// put sets what is given.
func put[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// client is what the request says of the first client.
func (in appRequest) client() auth.ClientSetup {
	first := in.clientRequest
	first.Name, first.Description = in.ClientName, in.ClientDescription
	if in.FirstClient != nil {
		first = *in.FirstClient
	}
	c := auth.ClientSetup{Name: *in.Name}
	first.fill(&c)
	return c
}

// triggers say what revokes the refresh tokens of members.
type triggers struct {
	Suspension bool `json:"invalidateOnMemberSuspension"`
	Password   bool `json:"invalidateOnMemberPasswordReset"`
	Roles      bool `json:"invalidateOnMemberRoleUpdate"`
}

type apiApp struct {
	AppID             string    `json:"app_id"`
	TenantID          string    `json:"tenant_id"`
	Name              string    `json:"app_name"`
	Description       string    `json:"app_description"`
	Logo              string    `json:"logo,omitempty"`
	LoginURI          string    `json:"login_uri,omitempty"`
	InviteURI         string    `json:"invite_member_uri,omitempty"`
	PublicSignup      bool      `json:"allow_public_signup"`
	CreatedBy         string    `json:"created_by"`
	CreatedAt         time.Time `json:"created_at"`
	UpdatedAt         time.Time `json:"updated_at"`
	ClientID          string    `json:"client_id,omitempty"`
	ClientName        string    `json:"client_display_name,omitempty"`
	ClientDescription string    `json:"client_description,omitempty"`
	ClientSecret      string    `json:"client_secret,omitempty"`
	ClientType        string    `json:"client_type,omitempty"`
	RedirectURIs      []string  `json:"redirect_uris"`
	Resources         []string  `json:"resources"`
	Triggers          triggers  `json:"refresh_token_invalidation_trigger_configuration"`
}

// appOf is the contract's ApiApp, with the default client: the oldest.
func (a *API) appOf(by auth.Actor, app auth.AppState, secret string) apiApp {
	out := apiApp{
		AppID: string(app.ID), TenantID: string(app.Tenant), Name: app.Name, Description: app.Description, Logo: app.Logo, LoginURI: app.LoginURI,
		InviteURI: app.InviteURI, CreatedBy: string(app.CreatedBy), CreatedAt: app.CreatedAt, UpdatedAt: app.UpdatedAt, ClientSecret: secret,
		RedirectURIs: []string{}, Resources: []string{}, Triggers: triggers{!app.Keeps.OnSuspension, true, !app.Keeps.OnRoles},
	}
	if len(app.Clients) > 0 {
		c := a.clientOf(by, app.Clients[0], "")
		out.ClientID, out.ClientName, out.ClientDescription, out.ClientType = c.ClientID, c.Name, c.Description, c.Type
		out.RedirectURIs, out.Resources = c.RedirectURIs, c.Resources
	}
	return out
}

func appID(c *call) auth.AppID { return auth.AppID(c.r.PathValue("app_id")) }

// createApp is POST /v1/applications of contract/cis §1.8.
func (a *API) createApp(c *call) error {
	var in appRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	var app auth.Application
	in.fill(&app)
	state, secret, err := a.auth.CreateApplication(c.r.Context(), c.by, app, in.client())
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusCreated, result{a.appOf(c.by, state, secret)})
}

// listApps is GET /v1/applications.
func (a *API) listApps(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	all, err := a.auth.Applications(c.r.Context(), c.by)
	if err != nil {
		return err
	}
	list := make([]apiApp, len(all))
	for i, state := range all {
		list[i] = a.appOf(c.by, state, "")
	}
	return c.w.JSON(http.StatusOK, result{list})
}

// getApp is GET /v1/applications/{app_id}.
func (a *API) getApp(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	state, err := a.auth.Application(c.r.Context(), c.by, appID(c))
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{a.appOf(c.by, state, "")})
}

// updateApp is PUT /v1/applications/{app_id}. Of the default client it changes nothing.
func (a *API) updateApp(c *call) error {
	var in appRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	state, err := a.auth.ChangeApplication(c.r.Context(), c.by, appID(c), in.fill)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{a.appOf(c.by, state, "")})
}

// deleteApp is DELETE /v1/applications/{app_id}.
func (a *API) deleteApp(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(http.StatusNoContent, a.auth.DeleteApplication(c.r.Context(), c.by, appID(c)))
}
