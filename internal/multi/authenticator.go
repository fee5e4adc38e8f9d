package multi

import (
	"net/http"

	"countersign/internal/auth"
)

type factor struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Channel string `json:"channel"`
}

type factorsReply struct {
	Factors []factor `json:"factors"`
}

// factorOf is a standing in the words of contract/multi §1.5.
func factorOf(s auth.Standing) factor {
	f := factor{Type: "OTP", Status: "PENDING_VERIFICATION", Channel: string(s.Channel)}
	switch s.Channel {
	case auth.ChannelAuthy:
		f.Type = "PUSH"
	case auth.ChannelBiometric:
		f.Type = "BIOMETRIC"
	}
	switch s.Status {
	case auth.AuthenticatorActive:
		f.Status = "ACTIVE"
	case auth.AuthenticatorInactive:
		f.Status = "INACTIVE"
	}
	return f
}

// authenticators lists what the user can prove with; contract/multi §2.4.
func (a *API) authenticators(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	all, err := a.auth.Authenticators(c.r.Context(), c.by, c.bearer())
	if err != nil {
		return err
	}
	reply := factorsReply{Factors: []factor{}}
	for _, s := range all {
		reply.Factors = append(reply.Factors, factorOf(s))
	}
	return c.w.JSON(http.StatusOK, reply)
}

// bindPhone is the start of enrolling by code; contract/multi §2.4.
func (a *API) bindPhone(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(a.auth.BindPhone(c.r.Context(), c.by, c.bearer(), c.channel()))
}

// verifyBindPhone is its end; contract/multi §2.4.
func (a *API) verifyBindPhone(c *call) error {
	var in verifyRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	return c.done(a.auth.VerifyBindPhone(c.r.Context(), c.by, c.bearer(), c.channel(), string(in.VerificationCode)))
}

// bindDevice enrols a device; contract/multi §2.4.
func (a *API) bindDevice(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(a.auth.BindDevice(c.r.Context(), c.by, c.bearer(), c.channel()))
}

// unbindDevice unlinks one; contract/multi §2.4.
func (a *API) unbindDevice(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(a.auth.UnbindDevice(c.r.Context(), c.by, c.bearer(), c.channel()))
}
