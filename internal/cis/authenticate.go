package cis

import (
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"countersign/internal/auth"
	"countersign/internal/httpx"
	"countersign/internal/seal"
)

// grantRequest is what every authentication may ask of its tokens; contract/cis §1.1.
type grantRequest struct {
	Resource string        `json:"resource"`
	Claims   claimsRequest `json:"claims"`
	OrgID    string        `json:"org_id"`
}

// claimsRequest is OIDC Core §5.5. The names matter; of their values only the fields of custom_data and custom_app_data do.
type claimsRequest struct {
	IDToken  map[string]jsontext.Value `json:"id_token"`
	UserInfo map[string]jsontext.Value `json:"userinfo"`
}

func (g grantRequest) grant() auth.BackendGrant {
	return auth.BackendGrant{
		Resource: g.Resource, OrgID: g.OrgID, Claims: claimRequests(g.Claims.IDToken), UserInfo: claimRequests(g.Claims.UserInfo),
	}
}

func claimRequests(asked map[string]jsontext.Value) []auth.ClaimRequest {
	var requests []auth.ClaimRequest
	for name, value := range asked {
		var detail struct {
			Fields []string `json:"fields"`
		}
		if value.Kind() != '{' || json.Unmarshal(value, &detail) != nil {
			detail.Fields = nil // the claim as a whole
		}
		requests = append(requests, auth.ClaimRequest{Name: name, Fields: detail.Fields})
	}
	return requests
}

type passwordRequest struct {
	grantRequest
	Username       string      `json:"username"`
	UsernameType   string      `json:"username_type"`
	Identifier     string      `json:"identifier"`
	IdentifierType string      `json:"identifier_type"`
	UserID         string      `json:"user_id"`
	Password       seal.Secret `json:"password"`
	SessionID      string      `json:"session_id"`
}

type userTokens struct {
	AccessToken  string `json:"access_token"`
	IDToken      string `json:"id_token"`
	RefreshToken string `json:"refresh_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	SessionID    string `json:"session_id,omitempty"`
}

func tokensOf(set auth.TokenSet) userTokens {
	return userTokens{
		set.AccessToken, set.IDToken, set.RefreshToken, "Bearer", int(set.ExpiresIn.Seconds()), string(set.Session),
	}
}

// authenticatePassword is contract/cis §1.1, in both generations of its body.
func (a *API) authenticatePassword(c *call) error {
	var in passwordRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	kind, value, err := in.identifier("username, identifier and user_id")
	if err != nil {
		return err
	}
	set, err := a.auth.AuthenticatePassword(c.r.Context(), c.by, auth.BackendLogin{
		PasswordLogin: auth.PasswordLogin{Kind: kind, Identifier: value, Password: in.Password},
		BackendGrant:  in.grant(),
		Session:       auth.SessionID(in.SessionID),
	})
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, tokensOf(set))
}

// identifier reads who is meant from whichever of the three ways was used; members are those that the call has.
func (in passwordRequest) identifier(members string) (auth.IdentifierKind, string, error) {
	ways := 0
	for _, v := range []string{in.Username, in.Identifier, in.UserID} {
		if v != "" {
			ways++
		}
	}
	switch {
	case ways != 1:
		return "", "", oneWay(ways, members)
	case in.UserID != "":
		return auth.ByUserID, in.UserID, nil
	case in.Identifier != "" && in.IdentifierType == "":
		return "", "", invalid("identifier_type", "is required")
	case in.Identifier != "":
		return kindOf(in.IdentifierType), in.Identifier, nil
	}
	return kindOf(in.UsernameType), in.Username, nil
}

// kindOf reads an identifier type that the document has checked; the default is a username.
func kindOf(name string) auth.IdentifierKind {
	switch name {
	case "email":
		return auth.ByEmail
	case "phone_number":
		return auth.ByPhone
	case "user_id":
		return auth.ByUserID
	}
	return auth.ByUsername
}

// invalid is a violation that the document's schema cannot express.
func invalid(field, detail string) error {
	return &httpx.Invalid{
		Status: http.StatusBadRequest, Message: "the request is not valid",
		Fields: []httpx.Field{{In: "body", Name: field, Detail: field + " " + detail}},
	}
}

// oneWay is what is wrong with a request that names its user in no way, or in several.
func oneWay(ways int, members string) error {
	if ways == 0 {
		return invalid("one of "+members, "is required")
	}
	return invalid("only one of "+members, "may be there")
}

type sessionRequest struct {
	grantRequest
	SessionID string `json:"session_id"`
}

// authenticateSession is contract/cis §1.4.
func (a *API) authenticateSession(c *call) error {
	var in sessionRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	set, err := a.auth.AuthenticateSession(c.r.Context(), c.by, auth.SessionID(in.SessionID), in.grant())
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, tokensOf(set))
}

// logoutSession is contract/cis §1.4: exactly 204.
func (a *API) logoutSession(c *call) error {
	var in sessionRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	if err := a.auth.LogoutSession(c.r.Context(), c.by, auth.SessionID(in.SessionID)); err != nil {
		return err
	}
	c.w.Empty(http.StatusNoContent)
	return nil
}

type refreshRequest struct {
	RefreshToken string `json:"refresh_token"`
}

// refreshToken is contract/cis §1.4: no session id in the answer.
func (a *API) refreshToken(c *call) error {
	var in refreshRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	set, err := a.auth.Refresh(c.r.Context(), c.by, in.RefreshToken)
	if err != nil {
		return err
	}
	set.Session = ""
	return c.w.JSON(http.StatusOK, tokensOf(set))
}
