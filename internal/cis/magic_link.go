package cis

import (
	"net/http"
	"time"

	"countersign/internal/auth"
)

type sendLinkRequest struct {
	Email             string `json:"email"`
	Identifier        string `json:"identifier"`
	IdentifierType    string `json:"identifier_type"`
	RedirectURI       string `json:"redirect_uri"`
	State             string `json:"state"`
	EmailExpiration   int    `json:"email_expiration"` // minutes
	Channel           string `json:"channel"`
	GenerateRequestID bool   `json:"generate_request_id"`
}

type linkSent struct {
	Message   string `json:"message"`
	Link      string `json:"link,omitempty"` // channel direct
	RequestID string `json:"request_id,omitempty"`
}

// sendMagicLink is contract/cis §1.9.
func (a *API) sendMagicLink(c *call) error {
	var in sendLinkRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	kind, value, err := in.identifier()
	if err != nil {
		return err
	}
	out := linkSent{Message: "Email sent successfully"}
	channel := auth.ChannelEmail
	if in.Channel == "direct" {
		channel, out.Message = auth.ChannelDirect, "Link created"
	}
	sent, err := a.auth.SendLoginLink(c.r.Context(), c.by, auth.LinkRequest{
		Kind: kind, Identifier: value, RedirectURI: in.RedirectURI, State: in.State, Channel: channel,
		For: time.Duration(in.EmailExpiration) * time.Minute, Bound: in.GenerateRequestID,
	})
	if err != nil {
		return err
	}
	out.Link, out.RequestID = sent.Link, sent.Request
	return c.w.JSON(http.StatusOK, out)
}

// identifier reads who is meant, in either generation of the body.
func (in sendLinkRequest) identifier() (auth.IdentifierKind, string, error) {
	switch {
	case (in.Email == "") == (in.Identifier == ""):
		return "", "", invalid("email", "or identifier is required, and not both")
	case in.Email != "":
		return auth.ByEmail, in.Email, nil
	case in.IdentifierType == "":
		return "", "", invalid("identifier_type", "is required")
	}
	return kindOf(in.IdentifierType), in.Identifier, nil
}

type linkRequest struct {
	grantRequest
	Code      string `json:"code"`
	RequestID string `json:"request_id"`
	SessionID string `json:"session_id"`
}

// authenticateMagicLink is contract/cis §1.9.
func (a *API) authenticateMagicLink(c *call) error {
	var in linkRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	set, err := a.auth.AuthenticateLink(c.r.Context(), c.by, auth.LinkLogin{
		Code: in.Code, Request: in.RequestID, BackendGrant: in.grant(), Session: auth.SessionID(in.SessionID),
	})
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, tokensOf(set))
}
