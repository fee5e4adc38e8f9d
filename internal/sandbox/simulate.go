package sandbox

import (
	"errors"
	"net/http"
	"strings"

	"countersign/internal/auth"
	"countersign/internal/httpx"
)

// simulatorRoutes are contract/multi §2.10. Every one needs the programme-key header.
func simulatorRoutes() []route {
	const factors = "/simulate/api/factors/{credentials_id}/challenges/{challenge_id}/"
	return []route{
		{"POST", factors + "verify_success", answerChallenge(auth.Approve)},
		{"POST", factors + "verify_invalid", answerChallenge(auth.FailProof)},
		{"POST", factors + "verify_expired", answerChallenge(auth.RunOut)},
		{"POST", "/simulate/api/consumers/{consumer_id}/verify", verifyIdentity(auth.Consumer, "consumer_id")},
		{"POST", "/simulate/api/corporates/{corporate_id}/verify", verifyIdentity(auth.Corporate, "corporate_id")},
	}
}

func (a *API) mountSimulator(m *httpx.Mux) error {
	m.Prefix("/simulate", writeSimulatorError)
	for _, route := range simulatorRoutes() {
		op, err := a.simulator.Operation(route.method, route.path)
		if err != nil {
			return err
		}
		m.Handle(route.method, route.path, func(w *httpx.Response, r *http.Request) error {
			via := auth.Via{Address: w.Client, Request: httpx.RequestID(r)}
			by, err := a.Auth.AuthenticateProgramme(r.Context(), httpx.Single(r, "programme-key"), via)
			if by.Tenant != "" {
				w.Tenant, w.Actor = string(by.Tenant), "simulator"
			}
			if err != nil {
				return err
			}
			return route.handle(a, &call{w, r, op, by})
		})
	}
	return nil
}

type simulatorReply struct {
	Code string `json:"code"`
}

// answerChallenge makes a handler that answers a challenge as the user's device would. DENIED says that nobody waits for an answer any
// more. The contract wants the user's token, but a back end that logs its users in by device has none yet: it may be left out.
func answerChallenge(d auth.Decision) func(*API, *call) error {
	return func(a *API, c *call) error {
		if err := c.decode(nil); err != nil {
			return err
		}
		ctx, user := c.r.Context(), auth.UserID(c.r.PathValue("credentials_id"))
		if c.r.Header.Get("Authorization") != "" {
			b, err := a.Auth.Authenticate(ctx, c.by, httpx.Credentials(c.r, "Bearer"), auth.TokenAuth, auth.TokenAccess)
			if err != nil {
				return err
			}
			if b.Session.User != user {
				return auth.CodeInvalidToken
			}
		}
		done, err := a.Auth.AnswerOnDevice(ctx, c.by.Tenant, user, auth.ChallengeID(c.r.PathValue("challenge_id")), d)
		if err != nil {
			return err
		}
		code := "DENIED"
		if done {
			code = "COMPLETED"
		}
		return c.w.JSON(http.StatusOK, simulatorReply{code})
	}
}

// verifyIdentity makes a handler that lets an identity pass: its root user's addresses are verified and its due diligence is approved.
func verifyIdentity(t auth.IdentityType, param string) func(*API, *call) error {
	return func(a *API, c *call) error {
		if err := c.decode(nil); err != nil {
			return err
		}
		if err := a.Auth.VerifyIdentity(c.r.Context(), c.by.Tenant, auth.IdentityRef{Type: t, ID: c.r.PathValue(param)}); err != nil {
			return err
		}
		c.w.Empty(http.StatusNoContent)
		return nil
	}
}

type simulatorInvalid struct {
	Message    string              `json:"message"`
	Validation simulatorValidation `json:"validation"`
}

type simulatorValidation struct {
	Invalid bool             `json:"invalid"`
	Fields  []simulatorField `json:"fields"`
}

type simulatorField struct {
	Name   string                `json:"name"`
	Errors []simulatorFieldError `json:"errors"`
}

type simulatorFieldError struct {
	Type   string   `json:"type"`
	Params []string `json:"params"`
}

// writeSimulatorError is contract/multi §1.4: a 400 lists its fields, and all else has a message alone.
func writeSimulatorError(w *httpx.Response, _ *http.Request, err error) {
	var invalid *httpx.Invalid
	if errors.As(err, &invalid) && invalid.Status == http.StatusBadRequest {
		w.Code = "invalid_request"
		body := simulatorInvalid{invalid.Message, simulatorValidation{Invalid: true}}
		for _, f := range invalid.Fields {
			body.Validation.Fields = append(body.Validation.Fields, simulatorField{f.Name, []simulatorFieldError{{f.Code, f.Params}}})
		}
		_ = w.JSON(invalid.Status, body) // it always encodes
		return
	}
	refusal := auth.RefusalOf(err)
	status, message := simulatorStatus(refusal.Code), ""
	w.Code = refusal.Code.String()
	if refusal.Code == auth.CodeInternal { // HTTP's, or ours
		status = httpx.StatusOf(err)
		w.Code = strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_")
	}
	message = strings.ToLower(http.StatusText(status))
	if status == http.StatusUnauthorized {
		message = "the programme-key or the token is missing or wrong"
	}
	httpx.Refused(w.Header(), status, refusal.RetryAfter, refusal.Limits)
	_ = w.JSON(status, messageOnly{message})
}

// simulatorStatus is the table of the codes that the simulator's calls can meet; any other is a fault of ours.
func simulatorStatus(c auth.Code) int {
	switch c {
	case auth.CodeUnknownKey, auth.CodeInvalidToken, auth.CodeWrongTokenKind, auth.CodeIdentitySuspended:
		return http.StatusUnauthorized
	case auth.CodeNotFound, auth.CodeUserNotFound:
		return http.StatusNotFound
	case auth.CodeMaintenance:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
