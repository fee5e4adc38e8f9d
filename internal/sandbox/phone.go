package sandbox

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"time"

	"countersign/internal/auth"
	"countersign/internal/httpx"
)

// phoneRequest is a challenge that waits on a simulated device.
type phoneRequest struct {
	Tenant    string    `json:"tenant"`
	Challenge string    `json:"challenge"`
	User      string    `json:"user"`
	Name      string    `json:"name,omitempty"`
	Email     string    `json:"email,omitempty"`
	Purpose   string    `json:"purpose"`
	Channel   string    `json:"channel"`
	Approve   []string  `json:"approve"`
	Digest    string    `json:"digest,omitempty"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// phone lists what waits on the simulated devices of all users: to people as a page that plays the phone, to programs as JSON.
func (a *API) phone(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	waiting, err := a.Auth.PendingOnDevice(c.r.Context())
	if err != nil {
		return err
	}
	list := make([]phoneRequest, len(waiting))
	for i, p := range waiting {
		list[i] = phoneRequest{
			string(p.Tenant), string(p.ID), string(p.User), p.Name, p.Email, string(p.Purpose), string(p.Channel), p.Lines,
			digest(p.Challenge), p.ExpiresAt,
		}
	}
	if !wantsPage(c.r) {
		return c.w.JSON(http.StatusOK, list)
	}
	return a.pages.phone(c, a.Clock.Now(), list)
}

// digest is what a user may compare with the screen on which they began a confirmation; empty for anything else.
func digest(c auth.Challenge) string {
	if c.Purpose != auth.PurposeConfirm {
		return ""
	}
	return hex.EncodeToString(c.Digest[:4])
}

type decisionRequest struct {
	Decision string `json:"decision"`
}

// answerOnPhone is a press of one of the phone's buttons. The page posts a form and is shown the page again; a program posts JSON.
func (a *API) answerOnPhone(c *call) error {
	media, err := httpx.MediaType(c.r)
	if err != nil {
		return err
	}
	var in decisionRequest
	form := media == "application/x-www-form-urlencoded"
	if form {
		in, err = readForm(c)
	} else {
		err = c.decode(&in)
	}
	if err != nil {
		return err
	}
	still, err := a.press(c, in.Decision)
	switch {
	case err != nil:
		return err
	case form:
		c.w.Header().Set("Location", phoneAfter(c, !still))
		c.w.Empty(http.StatusSeeOther)
	case !still:
		return &problem{http.StatusNotFound, "no such request waits on a phone: it was answered, has expired, or never was"}
	default:
		c.w.Empty(http.StatusNoContent)
	}
	return nil
}

// phoneAfter is the address of the page once a button was pressed: it goes on loading itself again if it did.
func phoneAfter(c *call, late bool) string {
	query := url.Values{}
	if again := c.r.URL.Query().Get("refresh"); again != "" {
		query.Set("refresh", again)
	}
	if late {
		query.Set("late", "true")
	}
	if len(query) == 0 {
		return "/sandbox/phone"
	}
	return "/sandbox/phone?" + query.Encode()
}

// readForm reads what a button of the page sends.
func readForm(c *call) (decisionRequest, error) {
	body, err := httpx.ReadBody(c.r, c.op.MaxBody)
	if err != nil {
		return decisionRequest{}, err
	}
	values, err := httpx.DecodeForm(body)
	return decisionRequest{values.Get("decision")}, err
}

// press answers a waiting request for its user, and reports whether it was still waiting.
func (a *API) press(c *call, decision string) (bool, error) {
	d := auth.Decision(decision)
	if !slices.Contains([]auth.Decision{auth.Approve, auth.Deny, auth.FailProof, auth.RunOut}, d) {
		return false, badRequest("decision must be one of approve, deny, fail, expire")
	}
	waiting, err := a.Auth.PendingOnDevice(c.r.Context())
	if err != nil {
		return false, err
	}
	for _, p := range waiting {
		if string(p.Tenant) == c.r.PathValue("tenant") && string(p.ID) == c.r.PathValue("challenge") {
			return a.Auth.AnswerOnDevice(c.r.Context(), p.Tenant, p.User, p.ID, d)
		}
	}
	return false, nil
}
