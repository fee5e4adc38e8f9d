package multi

import "net/http"

type passwordUpdateRequest struct {
	OldPassword sensitivePassword `json:"oldPassword"`
	NewPassword sensitivePassword `json:"newPassword"`
}

type passwordInfo struct {
	IdentityID *identityID `json:"identityId,omitzero"`
	ExpiryDate int64       `json:"expiryDate"` // epoch milliseconds; 0: never
}

type passwordUpdateResponse struct {
	PasswordInfo passwordInfo `json:"passwordInfo"`
	Token        string       `json:"token"`
}

// passwordUpdate is POST /passwords/update of contract/multi §2.5.
func (a *API) passwordUpdate(c *call) error {
	var in passwordUpdateRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	update, err := a.auth.UpdatePassword(c.r.Context(), c.by, c.bearer(), in.OldPassword.Value, in.NewPassword.Value)
	if err != nil {
		return err
	}
	info := passwordInfo{IdentityID: identityOf(update.Membership)}
	if !update.ExpiresAt.IsZero() {
		info.ExpiryDate = update.ExpiresAt.UnixMilli()
	}
	return c.w.JSON(http.StatusOK, passwordUpdateResponse{info, update.Token})
}
