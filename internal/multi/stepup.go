package multi

import (
	"net/http"
	"strings"

	"countersign/internal/auth"
)

// channel is the channel in the path, in any letter case. One that we do not know is refused by the domain.
func (c *call) channel() auth.Channel { return auth.Channel(strings.ToUpper(c.r.PathValue("channel"))) }

// verificationCode is six digits. Some clients send a number, which has lost its leading zeros.
type verificationCode string

// UnmarshalJSON reads a string or a number.
func (v *verificationCode) UnmarshalJSON(raw []byte) error {
	text := strings.Trim(string(raw), `"`)
	if len(raw) > 0 && raw[0] != '"' {
		text = strings.Repeat("0", max(6-len(text), 0)) + text
	}
	*v = verificationCode(text)
	return nil
}

type verifyRequest struct {
	VerificationCode verificationCode `json:"verificationCode"`
}

type challengeReply struct {
	ID     string `json:"id"`
	Number string `json:"number,omitzero"` // ours: to be shown, and carried to the device
}

// done answers a call that has nothing to tell.
func (c *call) done(err error) error {
	if err == nil {
		c.w.Empty(http.StatusNoContent)
	}
	return err
}

// stepUp is the start of a step-up by code; contract/multi §2.3.
func (a *API) stepUp(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(a.auth.StepUp(c.r.Context(), c.by, c.bearer(), c.channel()))
}

// verifyStepUp is its end; contract/multi §2.3.
func (a *API) verifyStepUp(c *call) error {
	var in verifyRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	return c.done(a.auth.VerifyStepUp(c.r.Context(), c.by, c.bearer(), c.channel(), string(in.VerificationCode)))
}

// stepUpDevice is a step-up by device; contract/multi §2.3.
func (a *API) stepUpDevice(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	body := func(asked auth.Asked) any { return challengeReply{string(asked.ID), asked.Number} }
	asked, err := a.auth.StepUpDevice(c.r.Context(), answering(c, body), c.bearer(), c.channel())
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, body(asked))
}
