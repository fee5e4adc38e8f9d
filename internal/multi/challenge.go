package multi

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"countersign/internal/auth"
)

type confirmRequest struct {
	ResourceType string   `json:"resourceType"`
	ResourceIDs  []string `json:"resourceIds"`
}

// refs are the resources that are named.
func (in confirmRequest) refs() []auth.LinkRef {
	refs := make([]auth.LinkRef, len(in.ResourceIDs))
	for i, id := range in.ResourceIDs {
		refs[i] = auth.LinkRef{Type: in.ResourceType, ID: id}
	}
	return refs
}

type confirmReply struct {
	ID     string `json:"scaChallengeId"`
	Number string `json:"number,omitzero"` // ours: to be shown, and carried to the device
}

type verifyConfirmRequest struct {
	VerificationCode verificationCode `json:"verificationCode"`
	ResourceType     string           `json:"resourceType"`
}

// confirm is the start of a confirmation by code; contract/multi §2.9.
func (a *API) confirm(c *call) error { return confirmBy(c, a.auth.Confirm) }

// confirmDevice is a confirmation by device; contract/multi §2.9.
func (a *API) confirmDevice(c *call) error { return confirmBy(c, a.auth.ConfirmDevice) }

// starter begins a confirmation over one channel or another.
type starter = func(context.Context, auth.Actor, string, auth.Channel, []auth.LinkRef) (auth.Asked, error)

func confirmBy(c *call, start starter) error {
	var in confirmRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	body := func(asked auth.Asked) any { return confirmReply{string(asked.ID), asked.Number} }
	asked, err := start(c.r.Context(), answering(c, body), c.bearer(), c.channel(), in.refs())
	if err != nil {
		return stateInvalid(err, auth.CodeExempt, auth.CodeNotPending)
	}
	return c.w.JSON(http.StatusOK, body(asked))
}

// verifyConfirm is the end of a confirmation by code; contract/multi §2.9.
func (a *API) verifyConfirm(c *call) error {
	var in verifyConfirmRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	id := auth.ChallengeID(c.r.PathValue("scaChallengeId"))
	return c.done(a.auth.VerifyConfirm(c.r.Context(), c.by, c.bearer(), c.channel(), id, in.ResourceType, string(in.VerificationCode)))
}

// only is the resource in the path of the older endpoints, each of which has one type.
func (c *call) only(kind string) auth.LinkRef {
	return auth.LinkRef{Type: kind, ID: c.r.PathValue("id")}
}

// confirmOnly starts the confirmation of one resource by code; contract/multi §2.9. The older endpoints have no word for a code that is
// asked for too soon or too often.
func confirmOnly(kind string) func(*API, *call) error {
	lacks := append(lacking(kind), auth.CodeNotPending, auth.CodeTooSoon, auth.CodeChallengeLimit)
	return func(a *API, c *call) error { return startOnly(c, a.auth.Confirm, kind, lacks) }
}

// confirmOnlyDevice is the same on the device; contract/multi §2.9.
func confirmOnlyDevice(kind string) func(*API, *call) error {
	lacks := append(lacking(kind), auth.CodeNotPending)
	return func(a *API, c *call) error { return startOnly(c, a.auth.ConfirmDevice, kind, lacks) }
}

func startOnly(c *call, start starter, kind string, lacks []auth.Code) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	_, err := start(c.r.Context(), c.by, c.bearer(), c.channel(), []auth.LinkRef{c.only(kind)})
	return c.done(stateInvalid(err, lacks...))
}

// verifyOnly confirms one resource by its code; contract/multi §2.9.
func verifyOnly(kind string) func(*API, *call) error {
	lacks := lacking(kind)
	if kind != auth.LinkSend {
		lacks = append(lacks, auth.CodeNotPending)
	}
	return func(a *API, c *call) error {
		var in verifyRequest
		if err := c.decode(&in); err != nil {
			return err
		}
		code := string(in.VerificationCode)
		return c.done(stateInvalid(a.auth.VerifyConfirmOf(c.r.Context(), c.by, c.bearer(), c.channel(), c.only(kind), code), lacks...))
	}
}

// lacking are the codes that no older endpoint of a type has a word for.
func lacking(kind string) []auth.Code {
	if kind == auth.LinkBeneficiaries {
		return []auth.Code{auth.CodeExempt}
	}
	return nil
}

// stateInvalid merges the codes that an operation of the contract does not tell apart into STATE_INVALID.
func stateInvalid(err error, codes ...auth.Code) error {
	refusal := new(auth.Error)
	if !errors.As(err, &refusal) || !slices.Contains(codes, refusal.Code) {
		return err
	}
	return &auth.Error{Code: auth.CodeNoChallenge, RetryAfter: refusal.RetryAfter, Cause: err}
}
