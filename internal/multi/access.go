package multi

import (
	"net/http"
	"strconv"

	"countersign/internal/auth"
	"countersign/internal/seal"
)

type sensitivePassword struct {
	Value seal.Secret `json:"value"`
}

type identityID struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

type credentialID struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

type tokenResponse struct {
	Token string `json:"token"`
}

func identityOf(m auth.Membership) *identityID {
	if m.Identity.Ref.IsZero() {
		return nil
	}
	return &identityID{string(m.Identity.Ref.Type), m.Identity.Ref.ID}
}

// credentialOf names the user towards an identity; one who acts for nobody yet owns nothing.
func credentialOf(user auth.UserID, m auth.Membership) credentialID {
	kind := m.Credential
	if kind == "" {
		kind = auth.Member
	}
	return credentialID{string(kind), string(user)}
}

type loginRequest struct {
	Email    string            `json:"email"`
	Password sensitivePassword `json:"password"`
}

type loginResponse struct {
	Token       string       `json:"token"`
	TokenType   string       `json:"tokenType"`
	Identity    *identityID  `json:"identity,omitzero"`
	Credentials credentialID `json:"credentials"`
}

// loginWithPassword is contract/multi §2.2.1.
func (a *API) loginWithPassword(c *call) error {
	var in loginRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	login, err := a.auth.LoginPassword(c.r.Context(), c.by, auth.PasswordLogin{
		Kind: auth.ByEmail, Identifier: in.Email, Password: in.Password.Value,
	})
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, loginResponse{
		login.Token, string(login.Kind), identityOf(login.Membership), credentialOf(login.User, login.Membership),
	})
}

type identity struct {
	ID   identityID `json:"id"`
	Name string     `json:"name"`
}

type identitiesPage struct {
	Identities    []identity `json:"identities"`
	Count         int        `json:"count"`
	ResponseCount int        `json:"responseCount"`
}

// maxPage is the most identities of one answer, and how many one without a limit has.
const maxPage = 100

// identities is contract/multi §2.2.3.
func (a *API) identities(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	all, err := a.auth.Identities(c.r.Context(), c.by, c.bearer())
	if err != nil {
		return err
	}
	offset, limit := intParam(c.r, "offset", 0), intParam(c.r, "limit", maxPage)
	page := []identity{}
	for i, m := range all {
		if i >= offset && len(page) < limit {
			page = append(page, identity{*identityOf(m), m.Identity.Name})
		}
	}
	if a.auth.Settings(c.by).IdentitiesReply == auth.IdentitiesPage {
		return c.w.JSON(http.StatusOK, identitiesPage{page, len(all), len(page)})
	}
	return c.w.JSON(http.StatusOK, page)
}

// intParam reads a query parameter that the document has checked.
func intParam(r *http.Request, name string, otherwise int) int {
	n, err := strconv.Atoi(r.URL.Query().Get(name))
	if err != nil {
		return otherwise
	}
	return n
}

type accessTokenRequest struct {
	Identity        identityID `json:"identity"`
	ClientAssertion string     `json:"clientAssertion"`
	Token           string     `json:"token"`
}

type accessTokenResponse struct {
	Token       string       `json:"token"`
	Identity    *identityID  `json:"identity"`
	Credentials credentialID `json:"credentials"`
	Status      string       `json:"status"`
}

// accessToken is contract/multi §2.2.4. Delegated access (clientAssertion, token) is not served and refused.
func (a *API) accessToken(c *call) error {
	var in accessTokenRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.ClientAssertion != "" || in.Token != "" {
		return auth.CodeClientRefused
	}
	ref := auth.IdentityRef{Type: auth.IdentityType(in.Identity.Type), ID: in.Identity.ID}
	access, err := a.auth.AccessToken(c.r.Context(), c.by, c.bearer(), ref)
	if err != nil {
		return err
	}
	status := "STANDARD"
	if access.SteppedUp {
		status = "STEPPED_UP"
	}
	m := access.Membership
	return c.w.JSON(http.StatusOK, accessTokenResponse{access.Token, identityOf(m), credentialOf(m.User, m), status})
}

// logout is contract/multi §2.2.5.
func (a *API) logout(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	if err := a.auth.Logout(c.r.Context(), c.by, c.bearer()); err != nil {
		return err
	}
	c.w.Empty(http.StatusNoContent)
	return nil
}
