package device

import (
	"encoding/base64"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"countersign/internal/auth"
	"countersign/internal/seal"
)

type bindRequest struct {
	Key   jsontext.Value `json:"key"`
	Proof string         `json:"proof"`
	Push  *pushAddress   `json:"push"`
	// Passkey is what a browser approves with, as its create() made it, in base64url.
	Passkey struct {
		ID          string `json:"id"`
		ClientData  string `json:"clientDataJSON"`
		Attestation string `json:"attestationObject"`
	} `json:"passkey"`
}

// pushAddress is where a device is woken; of a browser's subscription it has the keys, too.
type pushAddress struct {
	Service string `json:"service"`
	Token   string `json:"token"`
	P256DH  string `json:"p256dh"`
	Auth    string `json:"auth"`
}

// address returns what the domain takes. A key that is not base64url is none, which the domain refuses.
func (p *pushAddress) address() auth.PushAddress {
	if p == nil {
		return auth.PushAddress{}
	}
	a := auth.PushAddress{Service: auth.PushService(p.Service), Token: p.Token}
	if p.P256DH != "" || p.Auth != "" {
		a.Key, _ = base64.RawURLEncoding.DecodeString(p.P256DH)
		a.Secret, _ = base64.RawURLEncoding.DecodeString(p.Auth)
		if a.Key == nil {
			a.Key = []byte{}
		}
	}
	return a
}

type bindReply struct {
	Device      string    `json:"device"`
	Tenant      string    `json:"tenant"`
	User        string    `json:"user"`
	Name        string    `json:"name"`
	UserName    string    `json:"user_name"`
	Service     string    `json:"service"`
	Issuer      string    `json:"issuer"`
	Certificate string    `json:"certificate"`
	BoundAt     time.Time `json:"bound_at"`
}

// bind binds a device by its ticket.
func (a *API) bind(c *call) error {
	var in bindRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	d, err := a.Auth.BindKey(c.r.Context(), auth.KeyBinding{
		Key: string(in.Key), Proof: in.Proof, Push: in.Push.address(), Passkey: auth.DeviceRegistration(in.Passkey),
	}, c.via())
	if err != nil {
		return err
	}
	c.by = auth.Actor{Tenant: d.Tenant, Device: d.ID}
	return c.w.JSON(http.StatusCreated, bindReply{
		string(d.ID), string(d.Tenant), string(d.User), d.Name, d.UserName, d.Service, a.Auth.Issuer(), d.Certificate, d.BoundAt,
	})
}

type deviceReply struct {
	Device  string    `json:"device"`
	Tenant  string    `json:"tenant"`
	User    string    `json:"user"`
	Name    string    `json:"name"`
	Status  string    `json:"status"`
	Push    bool      `json:"push"` // whether it is woken
	PIN     bool      `json:"pin"`  // whether it has one that we check
	BoundAt time.Time `json:"bound_at"`
	UsedAt  time.Time `json:"used_at,omitzero"`
}

// readDevice tells a device what is known of it.
func (a *API) readDevice(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	d := c.device
	return c.w.JSON(http.StatusOK, deviceReply{
		string(d.ID), string(d.Tenant), string(d.User), d.Name, string(d.Status), len(d.Push) > 0, d.PIN != "", d.BoundAt, d.UsedAt,
	})
}

// unbind invalidates the device.
func (a *API) unbind(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	if err := a.Auth.UnbindKey(c.r.Context(), c.by, c.device.ID); err != nil {
		return err
	}
	c.w.Empty(http.StatusNoContent)
	return nil
}

// setPush has the device woken somewhere else.
func (a *API) setPush(c *call) error {
	var in pushAddress
	if err := c.decode(&in); err != nil {
		return err
	}
	if err := a.Auth.SetDevicePush(c.r.Context(), c.by, c.device.ID, in.address()); err != nil {
		return err
	}
	c.w.Empty(http.StatusNoContent)
	return nil
}

// dropPush has the device woken no more.
func (a *API) dropPush(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	if err := a.Auth.SetDevicePush(c.r.Context(), c.by, c.device.ID, auth.PushAddress{}); err != nil {
		return err
	}
	c.w.Empty(http.StatusNoContent)
	return nil
}

type pinRequest struct {
	Ticket string `json:"ticket"`
	PIN    string `json:"pin"`
}

// setPIN gives the device a PIN, by a ticket of its user's.
func (a *API) setPIN(c *call) error {
	var in pinRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	if err := a.Auth.SetDevicePIN(c.r.Context(), c.by, c.device.ID, in.Ticket, seal.NewSecret(in.PIN)); err != nil {
		return err
	}
	c.w.Empty(http.StatusNoContent)
	return nil
}
