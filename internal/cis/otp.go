package cis

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"countersign/internal/auth"
)

type sendOTPRequest struct {
	Channel           string         `json:"channel"`
	Identifier        string         `json:"identifier"`
	IdentifierType    string         `json:"identifier_type"`
	CustomEmail       string         `json:"custom_email"`
	CustomPhoneNumber string         `json:"custom_phone_number"`
	ApprovalData      jsontext.Value `json:"approval_data"`
	ExpiresIn         int            `json:"expires_in"` // minutes
	GenerateRequestID bool           `json:"generate_request_id"`
}

type otpSent struct {
	Message   string `json:"message"`
	Code      string `json:"code,omitempty"` // channel direct
	RequestID string `json:"request_id,omitempty"`

	ApprovalData jsontext.Value `json:"approval_data,omitempty"`
}

// channelOf reads a channel that the document has checked.
func channelOf(name string) auth.Channel {
	switch name {
	case "sms":
		return auth.ChannelSMS
	case "email":
		return auth.ChannelEmail
	}
	return auth.ChannelDirect
}

// sendOTP is contract/cis §1.9. The words of the message are the operator's, whatever the caller would have it say.
func (a *API) sendOTP(c *call) error {
	var in sendOTPRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	approval, err := approvalOf(in.ApprovalData)
	if err != nil {
		return err
	}
	channel, to := channelOf(in.Channel), ""
	switch channel {
	case auth.ChannelSMS:
		to = in.CustomPhoneNumber
	case auth.ChannelEmail:
		to = in.CustomEmail
	}
	sent, err := a.auth.SendLoginCode(c.r.Context(), c.by, auth.CodeRequest{
		Kind: kindOf(in.IdentifierType), Identifier: in.Identifier, Channel: channel, To: to,
		For: time.Duration(in.ExpiresIn) * time.Minute, Bound: in.GenerateRequestID, Approval: approval,
	})
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, otpSent{"OTP sent", sent.Code, sent.Request, objectOrNone(approval.Text)})
}

type otpRequest struct {
	grantRequest
	Passcode       string `json:"passcode"`
	Identifier     string `json:"identifier"`
	IdentifierType string `json:"identifier_type"`
	RequestID      string `json:"request_id"`
	SessionID      string `json:"session_id"`
}

// authenticateOTP is contract/cis §1.9.
func (a *API) authenticateOTP(c *call) error {
	var in otpRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	set, err := a.auth.AuthenticateCode(c.r.Context(), c.by, auth.CodeLogin{
		Kind: kindOf(in.IdentifierType), Identifier: in.Identifier, Code: in.Passcode, Request: in.RequestID,
		BackendGrant: in.grant(), Session: auth.SessionID(in.SessionID),
	})
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, tokensOf(set))
}
