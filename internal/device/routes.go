// Package device serves /device/v1/…: what a phone or an app speaks that answers challenges with a key of its own.
//
// It owns the wire structs of that protocol, its waiting calls and the bytes of its errors. It owns no rule: who may bind a device and
// what an answer does is for the domain to say. The protocol is ours; docs/device.md describes it for those who write an app.
package device

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"countersign/api"
	"countersign/internal/auth"
	"countersign/internal/httpx"
	"countersign/internal/qr"
)

// Config is what the dialect is made of.
type Config struct {
	Auth *auth.Service
	Now  func() time.Time // told to devices, whose own clocks may be wrong
	// WebPush is the public key that browsers subscribe to; empty: they are not woken.
	WebPush string
	// Stopping is done when the server is told to stop: waiting calls end then.
	Stopping context.Context
}

// API is the dialect over a domain.
type API struct {
	Config
	doc *httpx.Doc
}

// New reads the dialect's OpenAPI document.
func New(c Config) (*API, error) {
	doc, err := httpx.OpenDoc(api.DeviceRequests())
	if err != nil {
		return nil, fmt.Errorf("read device.requests.json: %w", err)
	}
	return &API{c, doc}, nil
}

// route is one operation.
type route struct {
	method, path string
	admit        func(*API, *call) error
	handle       func(*API, *call) error
}

func routes() []route {
	return []route{
		{"GET", "/device/v1/configuration", anybody, (*API).configuration},
		{"POST", "/device/v1/tickets", anybody, (*API).issueTicket}, // its handler asks for one of two kinds of token
		{"POST", "/device/v1/devices", anybody, (*API).bind},        // the ticket is the authority
		{"GET", "/device/v1/device", (*API).device, (*API).readDevice},
		{"DELETE", "/device/v1/device", (*API).device, (*API).unbind},
		{"PUT", "/device/v1/device/push", (*API).device, (*API).setPush},
		{"DELETE", "/device/v1/device/push", (*API).device, (*API).dropPush},
		{"PUT", "/device/v1/device/pin", (*API).device, (*API).setPIN},
		{"GET", "/device/v1/requests", (*API).device, (*API).requests},
		{"GET", "/device/v1/requests/events", (*API).device, (*API).stream},
		{"POST", "/device/v1/requests/{challenge}/answer", (*API).device, (*API).answer},
	}
}

// call is one request on its way to a handler.
type call struct {
	w      *httpx.Response
	r      *http.Request
	op     *httpx.Operation
	by     auth.Actor
	device auth.Device // whose key signed the call; zero where none is asked for
}

func (c *call) via() auth.Via { return auth.Via{Address: c.w.Client, Request: httpx.RequestID(c.r)} }

// decode checks the request against the document and fills dst, which may be nil.
func (c *call) decode(dst any) error { return c.op.Decode(c.w, c.r, dst) }

func anybody(*API, *call) error { return nil }

// device lets a bound device in by a token that its key signed for the call.
func (a *API) device(c *call) (err error) {
	c.device, c.by, err = a.Auth.AuthenticateDevice(c.r.Context(), httpx.Credentials(c.r, "Bearer"), c.via())
	return err
}

// Mount adds the dialect's routes.
func (a *API) Mount(m *httpx.Mux) error {
	m.Prefix("/device", writeProblem)
	for _, route := range routes() {
		op, err := a.doc.Operation(route.method, route.path)
		if err != nil {
			return err
		}
		m.Handle(route.method, route.path, func(w *httpx.Response, r *http.Request) error {
			c := &call{w: w, r: r, op: op}
			err := route.admit(a, c)
			if err == nil {
				err = route.handle(a, c)
			}
			if c.by.Tenant != "" {
				w.Tenant, w.Actor = string(c.by.Tenant), c.by.String()
			}
			return err
		})
	}
	return nil
}

type configuration struct {
	Issuer     string   `json:"issuer"`
	Now        int64    `json:"now"` // Unix seconds
	Algorithms []string `json:"algorithms"`
	WebPush    string   `json:"web_push_key,omitzero"`
	Passkeys   *site    `json:"passkeys,omitzero"`
}

// site is whom passkeys of devices are made for, and the one origin whose pages may use them.
type site struct {
	ID         string  `json:"rp_id"`
	Origin     string  `json:"origin"`
	Algorithms []int64 `json:"algorithms"` // COSE
}

// configuration tells a device what it has to know before it is bound.
func (a *API) configuration(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	out := configuration{Issuer: a.Auth.Issuer(), Now: a.Now().Unix(), Algorithms: []string{"ES256", "EdDSA"}, WebPush: a.WebPush}
	if own, ok := a.Auth.DeviceSite(); ok {
		out.Passkeys = &site{own.ID, own.Origins[0], []int64{-7, -8}}
	}
	return c.w.JSON(http.StatusOK, out)
}

type ticketReply struct {
	Ticket    string    `json:"ticket"`
	Link      string    `json:"link"`
	QR        string    `json:"qr"` // SVG
	ExpiresAt time.Time `json:"expires_at"`
}

// issueTicket gives a user a ticket: by a token of /multi when the call has an API key, else by an access token of /cis.
func (a *API) issueTicket(c *call) (err error) {
	if err := c.decode(nil); err != nil {
		return err
	}
	ctx, bearer := c.r.Context(), httpx.Credentials(c.r, "Bearer")
	var t auth.IssuedTicket
	if key := httpx.Single(c.r, "api-key"); key != "" {
		if c.by, err = a.Auth.AuthenticateKey(ctx, key, c.via()); err == nil {
			t, err = a.Auth.IssueTicket(ctx, c.by, bearer)
		}
	} else {
		var live auth.LiveSession
		if c.by, live, err = a.Auth.AuthenticateUserToken(ctx, bearer, c.via()); err == nil {
			t, err = a.Auth.IssueUserTicket(ctx, c.by, live)
		}
	}
	if err != nil {
		return err
	}
	code, err := qr.SVG(t.Link)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusCreated, ticketReply{t.Text, t.Link, code, t.ExpiresAt})
}

// refusal is how a code of the domain is told.
type refusal struct {
	status int
	detail string
}

// refusalOf is the dialect's table. Whatever is not in it is an error of ours.
func refusalOf(c auth.Code) refusal {
	switch c {
	case auth.CodeUnknownKey, auth.CodeInvalidToken:
		return refusal{http.StatusUnauthorized, "the token is missing, malformed, too old, or of nobody; GET /device/v1/configuration tells the time"}
	case auth.CodeWrongTokenKind, auth.CodeIdentitySuspended, auth.CodeCredentialsInactive:
		return refusal{http.StatusForbidden, "the token is not good for this"}
	case auth.CodeStepUpRequired:
		return refusal{http.StatusForbidden, "the session needs a second factor first"}
	case auth.CodeDeviceBlocked:
		return refusal{http.StatusForbidden, "too many answers of this device did not hold; bind it anew"}
	case auth.CodeLocked:
		return refusal{http.StatusForbidden, "the user, or the device's PIN, is locked"}
	case auth.CodeChannelUnsupported:
		return refusal{http.StatusConflict, "devices, their PINs, or browsers as devices, are not used here"}
	case auth.CodeDeviceLimit:
		return refusal{http.StatusConflict, "the user has as many devices as one may have"}
	case auth.CodeDeviceBound:
		return refusal{http.StatusConflict, "the key is bound, or was; make another"}
	case auth.CodeNoChallenge:
		return refusal{http.StatusConflict, "the request was answered, has expired, or has changed"}
	case auth.CodeTicketInvalid:
		return refusal{http.StatusBadRequest, "the ticket is unknown, was used, or is too old"}
	case auth.CodeKeyInvalid:
		return refusal{http.StatusBadRequest, "want a P-256 or Ed25519 key as a JWK, a proof that it signed, and of a browser a passkey that was made for that proof"}
	case auth.CodePushInvalid:
		return refusal{http.StatusBadRequest, "the push address cannot be one of its service"}
	case auth.CodeNameInvalid:
		return refusal{http.StatusBadRequest, "a device has a name of 1 to 64 printable characters"}
	case auth.CodeAssertionInvalid:
		return refusal{http.StatusBadRequest, "the answer is not signed by this device, or not over this request"}
	case auth.CodeNumberWrong:
		return refusal{http.StatusBadRequest, "the number is another's; the request has ended"}
	case auth.CodePINInvalid:
		return refusal{http.StatusBadRequest, "a PIN has 6 to 12 digits, and is not the same few again and again, nor a row of numbers"}
	case auth.CodePINWrong:
		return refusal{http.StatusBadRequest, "the PIN is wrong, or the device has none; the request still waits"}
	case auth.CodeNotFound:
		return refusal{http.StatusNotFound, "there is no such request for this device"}
	case auth.CodeThrottled, auth.CodeBusy:
		return refusal{http.StatusTooManyRequests, "too many"}
	case auth.CodeMaintenance, auth.CodeOverloaded:
		return refusal{http.StatusServiceUnavailable, "not now"}
	}
	return refusal{http.StatusInternalServerError, ""}
}

func codeName(status int) string {
	return strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_")
}
