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

type frontSessionEntry struct {
	UserID     string    `json:"user_id"`
	SessionID  string    `json:"session_id"`
	ClientID   string    `json:"client_id"`
	StartTime  time.Time `json:"start_time"`
	Expiration time.Time `json:"expiration_time"`
}

// listFrontSessions is GET /v1/sessions/{user_id} of contract/cis §1.4: a bare array.
func (a *API) listFrontSessions(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	all, err := a.auth.FrontSessions(c.r.Context(), c.by, auth.UserID(c.r.PathValue("user_id")))
	if err != nil {
		return err
	}
	list := make([]frontSessionEntry, len(all))
	for i, s := range all {
		list[i] = frontSessionEntry{string(s.User), string(s.ID), string(s.Client), s.CreatedAt, s.ExpiresAt()}
	}
	return c.w.JSON(http.StatusOK, list)
}

// endFrontSessions is DELETE /v1/sessions/{user_id} of contract/cis §1.4.
func (a *API) endFrontSessions(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	count, err := a.auth.EndFrontSessions(c.r.Context(), c.by, auth.UserID(c.r.PathValue("user_id")))
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{struct {
		Count int `json:"deleted_count"`
	}{count}})
}

// logoutUser is POST /v1/auth/logout of contract/cis §1.3.
func (a *API) logoutUser(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	count, err := a.auth.LogoutUser(c.r.Context(), c.by, c.live)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, struct {
		Count int `json:"sessions_count"`
	}{count})
}
