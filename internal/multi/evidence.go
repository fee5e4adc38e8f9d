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
	// Assertion is by the device's passkey over the answer, where it approved with one.
	Assertion *deviceAssertion `json:"assertion,omitzero"`
}

type deviceAssertion struct {
	ClientData    string `json:"clientDataJSON"`
	Authenticator string `json:"authenticatorData"`
	Signature     string `json:"signature"`
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
	out := deviceEvidence{
		Version: 1, Issuer: e.Issuer, Tenant: string(e.Tenant), Challenge: string(e.Challenge), User: string(e.User), Device: string(e.Device),
		Decision: string(e.Decision), AnsweredAt: e.AnsweredAt, Event: string(e.Event), Answer: e.Answer, Certificate: e.Certificate,
	}
	if e.Assertion != (auth.DeviceAssertion{}) {
		out.Assertion = new(deviceAssertion(e.Assertion))
	}
	return c.w.JSON(http.StatusOK, out)
}
