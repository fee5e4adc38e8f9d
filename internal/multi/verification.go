package multi

import "countersign/internal/auth"

type emailSendRequest struct {
	Email string `json:"email"`
}

type emailVerifyRequest struct {
	Email            string           `json:"email"`
	VerificationCode verificationCode `json:"verificationCode"`
}

// sendEmailCode is the first half of verifying an e-mail address; contract/multi §2.8, and §2.6 for authorised users.
func sendEmailCode(kind auth.AddressKind) func(*API, *call) error {
	return func(a *API, c *call) error {
		var in emailSendRequest
		if err := c.decode(&in); err != nil {
			return err
		}
		return c.done(a.auth.SendEmailCode(c.r.Context(), c.by, kind, in.Email))
	}
}

// verifyEmail is the second half.
func verifyEmail(kind auth.AddressKind) func(*API, *call) error {
	return func(a *API, c *call) error {
		var in emailVerifyRequest
		if err := c.decode(&in); err != nil {
			return err
		}
		return c.done(a.auth.VerifyEmail(c.r.Context(), c.by, kind, in.Email, string(in.VerificationCode)))
	}
}
