package cis

import (
	"html"
	"net/http"
	"net/url"
	"strings"

	"countersign/internal/auth"
)

type contactRequest struct {
	Email         string `json:"email"`
	PhoneNumber   string `json:"phone_number"`
	Passcode      string `json:"passcode"`
	RedirectURI   string `json:"redirect_uri"`
	UpdatePrimary bool   `json:"update_primary"`
}

// contactWords are what the contract says of one kind of address; contract/cis §1.9.
type contactWords struct {
	sent, invalid, verified string
}

func wordsOf(kind auth.IdentifierKind) contactWords {
	if kind == auth.ByPhone {
		return contactWords{"SMS sent", "Invalid phone number or passcode", "Phone number is already verified"}
	}
	return contactWords{"Email sent successfully", "Invalid email or passcode", "Email is already verified"}
}

func (in contactRequest) value(kind auth.IdentifierKind) string {
	if kind == auth.ByPhone {
		return in.PhoneNumber
	}
	return in.Email
}

// sendContactCode makes POST /v1/verification/otp/{sms,email}/send.
func sendContactCode(kind auth.IdentifierKind) func(*API, *call) error {
	return func(a *API, c *call) error {
		var in contactRequest
		if err := c.decode(&in); err != nil {
			return err
		}
		if err := a.auth.SendContactCode(c.r.Context(), c.by, c.live, kind, in.value(kind)); err != nil {
			return c.contactRefused(kind, err)
		}
		return c.w.JSON(http.StatusOK, message{wordsOf(kind).sent})
	}
}

// proveContact makes POST /v1/verification/otp/{sms,email}/validate: no tokens are returned.
func proveContact(kind auth.IdentifierKind) func(*API, *call) error {
	return func(a *API, c *call) error {
		var in contactRequest
		if err := c.decode(&in); err != nil {
			return err
		}
		err := a.auth.ProveContact(c.r.Context(), c.by, c.live, auth.ContactProof{
			Kind: kind, Value: in.value(kind), Code: in.Passcode, Primary: in.UpdatePrimary,
		})
		if err != nil {
			return c.contactRefused(kind, err)
		}
		return c.w.JSON(http.StatusOK, result{true})
	}
}

// wrongPasscode is the shape of a code that was not taken.
type wrongPasscode struct {
	Message   string `json:"message"`
	ErrorCode int    `json:"error_code"`
	ErrorType string `json:"error_type"`
}

// contactRefused answers in the words that these calls have of their own.
func (c *call) contactRefused(kind auth.IdentifierKind, err error) error {
	code, words := auth.CodeOf(err), wordsOf(kind)
	switch code {
	case auth.CodeWrongOTP:
		reply(c.w, http.StatusBadRequest, wrongPasscode{words.invalid, http.StatusBadRequest, "invalid_otp"})
	case auth.CodeOTPExpired:
		reply(c.w, http.StatusBadRequest, wrongPasscode{"Passcode expired", http.StatusBadRequest, "expired_otp"})
	case auth.CodeAlreadyVerified, auth.CodeUserExists:
		reply(c.w, http.StatusConflict, numericBody{Message: words.verified, ErrorCode: http.StatusConflict})
	default:
		return err
	}
	c.w.Code, c.w.Cause = code.String(), err
	return nil
}

// sendContactLink is POST /v1/verification/links/email.
func (a *API) sendContactLink(c *call) error {
	var in contactRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	err := a.auth.SendContactLink(c.r.Context(), c.by, c.live, auth.ContactLink{
		Email: in.Email, Redirect: in.RedirectURI, Primary: in.UpdatePrimary,
	})
	if err != nil {
		return c.contactRefused(auth.ByEmail, err)
	}
	return c.w.JSON(http.StatusOK, message{"Verification email sent"})
}

// confirmPage is where a link leads. Its form goes to the address that it stands at.
const confirmPage = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Confirm your e-mail address</title></head>
<body><main>
<h1>Confirm your e-mail address</h1>
<p>Is <strong>EMAIL</strong> your e-mail address? SERVICE wants to know.</p>
<form method="post"><button>Yes, confirm</button></form>
<p>If you did not ask for this, close this page.</p>
</main></body>
</html>
`

// showContactLink is GET /v1/verification/links/email/confirm. It changes nothing: programs that look into mails open links.
func (a *API) showContactLink(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	link, service, err := a.auth.ContactLinkOf(c.r.Context(), c.r.URL.Query().Get("code"))
	if err != nil {
		return err
	}
	page := strings.NewReplacer("EMAIL", html.EscapeString(link.Email), "SERVICE", html.EscapeString(service)).Replace(confirmPage)
	h := c.w.Header()
	c.private()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy",
		"default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"+formTarget(link.Redirect))
	return c.w.Bytes(http.StatusOK, []byte(page))
}

// private keeps the address of a link to ourselves.
func (c *call) private() { c.w.Header().Set("Referrer-Policy", "no-referrer") }

// formTarget is where the browser may be sent on from our form, as a source of the policy.
func formTarget(redirect string) string {
	u, err := url.Parse(redirect)
	if err != nil || u.Scheme == "" || strings.ContainsAny(u.Scheme+u.Host, " ;,'\"") {
		return ""
	}
	if u.Host == "" {
		return " " + u.Scheme + ":"
	}
	return " " + u.Scheme + "://" + u.Host
}

// confirmContactLink is POST /v1/verification/links/email/confirm.
func (a *API) confirmContactLink(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	next, err := a.auth.ConfirmContactLink(c.r.Context(), c.via(), c.r.URL.Query().Get("code"))
	if err != nil {
		return err
	}
	c.private()
	c.w.Header().Set("Location", next)
	c.w.Empty(http.StatusSeeOther)
	return nil
}
