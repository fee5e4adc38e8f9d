package multi

import (
	"net/http"

	"countersign/internal/auth"
)

type biometricLoginRequest struct {
	Email    string     `json:"email"`
	Identity identityID `json:"identity"`
}

type biometricLoginReply struct {
	ChallengeID string `json:"challengeId"`
	Number      string `json:"number,omitzero"` // ours: to be shown, and carried to the device
}

// loginViaBiometrics is contract/multi §2.2.2.
func (a *API) loginViaBiometrics(c *call) error {
	var in biometricLoginRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	ref := auth.IdentityRef{Type: auth.IdentityType(in.Identity.Type), ID: in.Identity.ID}
	asked, err := a.auth.LoginDevice(c.r.Context(), c.by, auth.DeviceLogin{Email: in.Email, Identity: ref})
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, biometricLoginReply{string(asked.ID), asked.Number})
}

type biometricLoginResult struct {
	Status    string `json:"status"`
	Token     string `json:"token,omitzero"`
	TokenType string `json:"tokenType,omitzero"`
}

// loginViaBiometricsResult is ours: the result of a login by device for callers without a webhook.
func (a *API) loginViaBiometricsResult(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	result, err := a.auth.CollectLogin(c.r.Context(), c.by, auth.ChallengeID(c.r.PathValue("challengeId")))
	if err != nil {
		return err
	}
	reply := biometricLoginResult{Status: challengeWord(result.Status), Token: result.Token}
	if reply.Token != "" {
		reply.TokenType = string(auth.TokenAuth)
	}
	return c.w.JSON(http.StatusOK, reply)
}

// challengeWord is a challenge's status in the words of the contract's events (contract/multi §4.2), and PENDING.
func challengeWord(s auth.ChallengeStatus) string {
	switch s {
	case auth.ChallengePending:
		return "PENDING"
	case auth.ChallengeApproved, auth.ChallengeCollected:
		return auth.StatusVerified
	case auth.ChallengeExpired:
		return auth.StatusExpired
	}
	return auth.StatusDeclined
}
