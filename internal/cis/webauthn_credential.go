package cis

import (
	"net/http"
	"time"

	"countersign/internal/auth"
)

type passkey struct {
	Credential     string     `json:"credential_id"`
	UserID         string     `json:"user_id"`
	Username       string     `json:"webauthn_username"`
	Name           string     `json:"name,omitempty"`
	Attachment     string     `json:"authenticator_attachment,omitempty"`
	AAGUID         string     `json:"aaguid"`
	Transports     []string   `json:"transports"`
	RPID           string     `json:"rp_id"`
	BackupEligible bool       `json:"backup_eligible"`
	BackedUp       bool       `json:"backed_up"`
	Created        time.Time  `json:"created_at"`
	Used           *time.Time `json:"last_used_at,omitzero"`
}

func passkeyOf(p auth.Passkey) passkey {
	return passkey{
		Credential: p.ID, UserID: string(p.User), Username: p.Username, Name: p.Label, Attachment: p.Attachment, AAGUID: p.AAGUID,
		Transports: append([]string{}, p.Transports...), RPID: p.Site, BackupEligible: p.BackupEligible, BackedUp: p.BackedUp,
		Created: p.CreatedAt, Used: timeOrNone(p.UsedAt),
	}
}

// owner is whose passkeys a call is about: the user's of the token, or else the path's.
func (c *call) owner() auth.UserID {
	if c.live.User.ID != "" {
		return c.live.User.ID
	}
	return c.userID()
}

// listPasskeys is GET /v1/users/{user_id}/webauthn-credentials of contract/cis §1.11, and the same of the token's user: a bare list.
func (a *API) listPasskeys(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	all, err := a.auth.Passkeys(c.r.Context(), c.by, c.owner())
	if err != nil {
		return err
	}
	list := make([]passkey, len(all))
	for i, p := range all {
		list[i] = passkeyOf(p)
	}
	return c.w.JSON(http.StatusOK, list)
}

// getPasskey is GET …/webauthn-credentials/{credential_id}.
func (a *API) getPasskey(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	p, err := a.auth.Passkey(c.r.Context(), c.by, c.owner(), c.r.PathValue("credential_id"))
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, passkeyOf(p))
}

type renameRequest struct {
	Name string `json:"name"`
}

// renamePasskey is PATCH /v1/users/{user_id}/webauthn-credentials/{credential_id}.
func (a *API) renamePasskey(c *call) error {
	var in renameRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	return c.done(http.StatusNoContent,
		a.auth.RenamePasskey(c.r.Context(), c.by, c.userID(), c.r.PathValue("credential_id"), in.Name))
}

// renameOwnPasskey is PATCH /v1/users/me/webauthn-credentials/{credential_id}.
func (a *API) renameOwnPasskey(c *call) error {
	var in renameRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	return c.done(http.StatusNoContent,
		a.auth.RenameOwnPasskey(c.r.Context(), c.by, c.live, c.r.PathValue("credential_id"), in.Name))
}

// deletePasskey is DELETE /v1/users/{user_id}/webauthn-credentials/{credential_id}.
func (a *API) deletePasskey(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(http.StatusNoContent, a.auth.DropPasskey(c.r.Context(), c.by, c.userID(), c.r.PathValue("credential_id")))
}

// deleteOwnPasskey is DELETE /v1/users/me/webauthn-credentials/{credential_id}.
func (a *API) deleteOwnPasskey(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(http.StatusNoContent, a.auth.DropOwnPasskey(c.r.Context(), c.by, c.live, c.r.PathValue("credential_id")))
}
