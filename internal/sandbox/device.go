package sandbox

import (
	"errors"
	"html/template"
	"net/http"
	"time"

	"countersign/internal/auth"
	"countersign/internal/httpx"
	"countersign/internal/qr"
)

// deviceOwner is a user who may bind a device.
type deviceOwner struct {
	Tenant  string `json:"tenant"`
	User    string `json:"user"`
	Name    string `json:"name,omitempty"`
	Email   string `json:"email,omitempty"`
	Devices int    `json:"devices"` // that are bound, simulated ones aside
}

// devices lists who may bind a device: to people as a page with a button for each, to programs as JSON.
func (a *API) devices(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	owners, err := a.Auth.DeviceOwners(c.r.Context())
	if err != nil {
		return err
	}
	list := make([]deviceOwner, len(owners))
	for i, o := range owners {
		list[i] = deviceOwner{string(o.Tenant), string(o.ID), o.FullName(), o.Email, o.Devices}
	}
	if !wantsPage(c.r) {
		return c.w.JSON(http.StatusOK, list)
	}
	return a.pages.write(c, "devices", devicesPage{a.pages.still("Devices"), list})
}

type ticketReply struct {
	Ticket    string    `json:"ticket"`
	Link      string    `json:"link"`
	QR        string    `json:"qr"` // SVG
	ExpiresAt time.Time `json:"expiresAt"`
}

// issueTicket gives a user a ticket without a login and a step-up.
func (a *API) issueTicket(c *call) error {
	if err := c.press(); err != nil {
		return err
	}
	t, err := a.Auth.SandboxTicket(c.r.Context(), auth.TenantID(c.r.PathValue("tenant")), auth.UserID(c.r.PathValue("user")))
	if err != nil {
		return deviceProblem(err)
	}
	code, err := qr.SVG(t.Link)
	if err != nil {
		return err
	}
	if !wantsPage(c.r) {
		return c.w.JSON(http.StatusCreated, ticketReply{t.Text, t.Link, code, t.ExpiresAt})
	}
	site, _ := a.Auth.DeviceSite()
	return a.pages.write(c, "ticket", ticketPage{a.pages.still("Bind a device"), t.Link, template.HTML(code), site.ID == "localhost"})
}

type loginReply struct {
	Challenge string `json:"challenge"`
	Number    string `json:"number,omitempty"` // for the user to carry to the device
}

// beginLogin begins a login that the user's device approves.
func (a *API) beginLogin(c *call) error {
	if err := c.press(); err != nil {
		return err
	}
	owners, err := a.Auth.DeviceOwners(c.r.Context())
	if err != nil {
		return err
	}
	for _, o := range owners {
		if string(o.Tenant) != c.r.PathValue("tenant") || string(o.ID) != c.r.PathValue("user") {
			continue
		}
		asked, err := a.Auth.LoginDevice(c.r.Context(), auth.Actor{Tenant: o.Tenant}, auth.DeviceLogin{Email: o.Email})
		if err != nil {
			return deviceProblem(err)
		}
		if !wantsPage(c.r) {
			return c.w.JSON(http.StatusCreated, loginReply{string(asked.ID), asked.Number})
		}
		return a.pages.write(c, "login", loginPage{a.pages.still("Log in by device"), asked.Number})
	}
	return deviceProblem(auth.CodeNotFound)
}

// press checks the press of a button, which a program sends without a body and a page as an empty form.
func (c *call) press() error {
	if media, err := httpx.MediaType(c.r); err != nil || media == "application/x-www-form-urlencoded" {
		return err
	}
	return c.decode(nil)
}

// deviceProblem says what to do about a refusal.
func deviceProblem(err error) error {
	for code, p := range map[auth.Code]problem{
		auth.CodeNotFound:           {http.StatusNotFound, "no such user may bind a device"},
		auth.CodeIdentifierInvalid:  {http.StatusConflict, "a login by device begins with an e-mail address, and the user has none"},
		auth.CodeChannelUnsupported: {http.StatusConflict, "the tenant does not use devices: its channels lack BIOMETRIC"},
		auth.CodeChannelUnbound:     {http.StatusConflict, "the user has no device: bind one first"},
		auth.CodeDeviceLimit:        {http.StatusConflict, "the user has as many devices as one may have: unbind one"},
		auth.CodeLocked:             {http.StatusConflict, "the user is locked: move the clock, or reset"},
		auth.CodeMaintenance:        {http.StatusConflict, "the tenant is in maintenance: its setting says so"},
		auth.CodeChallengeLimit:     {http.StatusConflict, "the user was asked too often: move the clock by ten minutes"},
	} {
		if errors.Is(err, code) {
			return &p
		}
	}
	return err
}
