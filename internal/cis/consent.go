package cis

import (
	"net/http"
	"strings"
	"time"

	"countersign/internal/auth"
)

type consentEntry struct {
	ClientID  auth.ClientID `json:"client_id"`
	Scope     string        `json:"scope"`
	GivenAt   time.Time     `json:"given_at"`
	UpdatedAt time.Time     `json:"updated_at"`
}

// listConsents is GET /v1/users/{user_id}/consents, which the contract does not have.
func (a *API) listConsents(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	all, err := a.auth.Consents(c.r.Context(), c.by, c.userID())
	if err != nil {
		return err
	}
	list := make([]consentEntry, len(all))
	for i, one := range all {
		list[i] = consentEntry{one.Client, strings.Join(one.Scopes, " "), one.GivenAt, one.UpdatedAt}
	}
	return c.w.JSON(http.StatusOK, result{list})
}

// revokeConsent is DELETE /v1/users/{user_id}/consents/{client_id}.
func (a *API) revokeConsent(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(http.StatusNoContent, a.auth.RevokeConsent(c.r.Context(), c.by, c.userID(), auth.ClientID(c.r.PathValue("client_id"))))
}
