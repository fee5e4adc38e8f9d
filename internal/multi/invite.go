package multi

import (
	"net/http"

	"countersign/internal/auth"
)

// invite is POST /users/{user_id}/invite of contract/multi §2.6.
func (a *API) invite(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(a.auth.Invite(c.r.Context(), c.by, c.bearer(), c.userID()))
}

type inviteRequest struct {
	InviteCode string            `json:"inviteCode"`
	Password   sensitivePassword `json:"password"`
	Mobile     *mobile           `json:"mobile"`
}

// inviteValidate is POST /users/{user_id}/invite/validate of contract/multi §2.6.
func (a *API) inviteValidate(c *call) error {
	var in inviteRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	return c.done(a.auth.ValidateInvite(c.r.Context(), c.by, auth.InviteProof{User: c.userID(), Code: in.InviteCode}))
}

// inviteConsume is POST /users/{user_id}/invite/consume of contract/multi §2.6.
func (a *API) inviteConsume(c *call) error {
	var in inviteRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	proof := auth.InviteProof{User: c.userID(), Code: in.InviteCode, Password: in.Password.Value}
	if in.Mobile != nil {
		proof.Phone = &auth.PhoneNumber{Country: in.Mobile.CountryCode, Number: in.Mobile.Number}
	}
	body := func(l auth.Login) any { return tokenResponse{l.Token} }
	login, err := a.auth.ConsumeInvite(c.r.Context(), answering(c, body), proof)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, body(login))
}
