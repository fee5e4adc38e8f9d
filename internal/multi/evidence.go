package multi

import (
	"net/http"
	"time"

	"countersign/internal/auth"
)

// deviceEvidence is what outsiders check without us; docs/evidence.md.
type deviceEvidence struct {
	Version     int       `json:"version"`
	Issuer      string    `json:"issuer"`
	Tenant      string    `json:"tenant"`
	Challenge   string    `json:"challenge"`
	User        string    `json:"user"`
	Device      string    `json:"device"`
	Decision    string    `json:"decision"`
	AnsweredAt  time.Time `json:"answeredAt"`
	Event       string    `json:"event"`
	Answer      string    `json:"answer"`
	Certificate string    `json:"certificate"`
}

// deviceEvidence is ours: what a device's key signed, with the certificate of the key.
func (a *API) deviceEvidence(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	e, err := a.auth.DeviceEvidence(c.r.Context(), c.by.Tenant, auth.ChallengeID(c.r.PathValue("scaChallengeId")))
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, deviceEvidence{
		1, e.Issuer, string(e.Tenant), string(e.Challenge), string(e.User), string(e.Device), string(e.Decision), e.AnsweredAt, string(e.Event),
		e.Answer, e.Certificate,
	})
}
