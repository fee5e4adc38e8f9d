package cis

import (
	"net/http"
	"time"

	"countersign/internal/auth"
)

type sessionEntry struct {
	SessionID  string    `json:"session_id"`
	StartTime  time.Time `json:"start_time"`
	Expiration time.Time `json:"expiration_time"`
}

// listSessions is GET /v1/auth/users/{userId}/sessions of contract/cis §1.4: a bare array.
func (a *API) listSessions(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	all, err := a.auth.Sessions(c.r.Context(), c.by, auth.UserID(c.r.PathValue("user_id")))
	if err != nil {
		return err
	}
	list := make([]sessionEntry, len(all))
	for i, s := range all {
		list[i] = sessionEntry{string(s.ID), s.CreatedAt, s.ExpiresAt()}
	}
	return c.w.JSON(http.StatusOK, list)
}

// endSessions is DELETE /v1/auth/users/{userId}/sessions of contract/cis §1.4.
func (a *API) endSessions(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	if err := a.auth.EndSessions(c.r.Context(), c.by, auth.UserID(c.r.PathValue("user_id"))); err != nil {
		return err
	}
	c.w.Empty(http.StatusNoContent)
	return nil
}

// logoutUser is POST /v1/auth/logout of contract/cis §1.3.
func (a *API) logoutUser(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	if err := a.auth.LogoutUser(c.r.Context(), c.by, c.live); err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, struct {
		Count int `json:"sessions_count"`
	}{1})
}
