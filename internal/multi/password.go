package multi

import (
	"net/http"

	"countersign/internal/auth"
)

type passwordRequest struct {
	Password sensitivePassword `json:"password"`
}

type passwordUpdateRequest struct {
	OldPassword sensitivePassword `json:"oldPassword"`
	NewPassword sensitivePassword `json:"newPassword"`
}

type passwordInfo struct {
	IdentityID *identityID `json:"identityId,omitzero"`
	ExpiryDate int64       `json:"expiryDate"` // epoch milliseconds; 0: never
}

type passwordResponse struct {
	PasswordInfo passwordInfo `json:"passwordInfo"`
	Token        string       `json:"token"`
}

func passwordReply(update auth.PasswordUpdate) passwordResponse {
	info := passwordInfo{IdentityID: identityOf(update.Membership)}
	if !update.ExpiresAt.IsZero() {
		info.ExpiryDate = update.ExpiresAt.UnixMilli()
	}
	return passwordResponse{info, update.Token}
}

// passwordCreate is POST /passwords/{user_id}/create of contract/multi §2.5.
func (a *API) passwordCreate(c *call) error {
	var in passwordRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	created, err := a.auth.CreatePassword(c.r.Context(), c.by, c.userID(), in.Password.Value)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, passwordReply(created))
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
	return c.w.JSON(http.StatusOK, passwordReply(update))
}

// passwordValidate is POST /passwords/validate of contract/multi §2.5.
func (a *API) passwordValidate(c *call) error {
	var in passwordRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	return c.done(a.auth.ValidatePassword(c.r.Context(), c.by, in.Password.Value))
}

type lostPasswordRequest struct {
	Email string `json:"email"`
}

// lostPasswordStart is POST /passwords/lost_password/start of contract/multi §2.5.
func (a *API) lostPasswordStart(c *call) error {
	var in lostPasswordRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	return c.done(a.auth.StartRecovery(c.r.Context(), c.by, in.Email))
}

type lostPasswordResumeRequest struct {
	Nonce       string            `json:"nonce"`
	Email       string            `json:"email"`
	NewPassword sensitivePassword `json:"newPassword"`
}

// lostPasswordResume is POST /passwords/lost_password/resume of contract/multi §2.5.
func (a *API) lostPasswordResume(c *call) error {
	var in lostPasswordResumeRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	login, err := a.auth.ResumeRecovery(c.r.Context(), c.by, auth.Recovery{
		Email: in.Email, Code: in.Nonce, Password: in.NewPassword.Value,
	})
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, tokenResponse{login.Token})
}
