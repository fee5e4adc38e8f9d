package cis

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"countersign/internal/auth"
)

type pushConfig struct {
	DeviceToken string `json:"device_token"`
	Type        string `json:"type"`
}

type deviceKeyRequest struct {
	KeyID       string         `json:"key_id"`
	PublicKey   string         `json:"public_key"`
	DisplayName *string        `json:"display_name"`
	CustomData  jsontext.Value `json:"custom_data"`
	PushConfig  *pushConfig    `json:"push_config"`
}

func (in deviceKeyRequest) fields() auth.KeyFields {
	f := auth.KeyFields{Name: in.DisplayName}
	if in.PushConfig != nil {
		f.PushType, f.PushToken = &in.PushConfig.Type, &in.PushConfig.DeviceToken
	}
	if text := objectText(in.CustomData); text != "" {
		f.Custom = &text
	}
	return f
}

type deviceKey struct {
	KeyID       string         `json:"key_id"`
	Status      string         `json:"status"`
	DisplayName string         `json:"display_name,omitempty"`
	CustomData  jsontext.Value `json:"custom_data,omitempty"`
	PushConfig  *pushConfig    `json:"push_config,omitempty"`
	CreatedAt   time.Time      `json:"created_at"`
	UpdatedAt   time.Time      `json:"updated_at"`
}

func deviceKeyOf(k auth.DeviceKey) deviceKey {
	out := deviceKey{
		KeyID: k.ID, Status: "Active", DisplayName: k.Name, CustomData: objectOrNone(k.Custom), CreatedAt: k.CreatedAt, UpdatedAt: k.UpdatedAt,
	}
	switch {
	case !k.BlockedAt.IsZero():
		out.Status = "Blocked"
	case k.Locked:
		out.Status = "Suspended"
	}
	if k.PushType != "" {
		out.PushConfig = &pushConfig{k.PushToken, k.PushType}
	}
	return out
}

func (c *call) keyID() string { return c.r.PathValue("key_id") }

// addDeviceKey is POST /v1/users/{user_id}/device-keys of contract/cis §1.10.
func (a *API) addDeviceKey(c *call) error {
	var in deviceKeyRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	k, err := a.auth.AddDeviceKey(c.r.Context(), c.by, c.userID(), in.KeyID, in.PublicKey, in.fields())
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusCreated, result{deviceKeyOf(k)})
}

// listDeviceKeys is GET /v1/users/{user_id}/device-keys.
func (a *API) listDeviceKeys(c *call) error { return a.deviceKeysOf(c, c.userID()) }

// listOwnDeviceKeys is GET /v1/users/me/device-keys.
func (a *API) listOwnDeviceKeys(c *call) error { return a.deviceKeysOf(c, c.live.User.ID) }

func (a *API) deviceKeysOf(c *call, id auth.UserID) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	keys, err := a.auth.DeviceKeys(c.r.Context(), c.by, id)
	if err != nil {
		return err
	}
	list := make([]deviceKey, len(keys))
	for i, k := range keys {
		list[i] = deviceKeyOf(k)
	}
	return c.w.JSON(http.StatusOK, result{list})
}

// getDeviceKey is GET /v1/users/{user_id}/device-keys/{key_id}.
func (a *API) getDeviceKey(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	k, err := a.auth.DeviceKey(c.r.Context(), c.by, c.userID(), c.keyID())
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{deviceKeyOf(k)})
}

// changeDeviceKey is PUT /v1/users/{user_id}/device-keys/{key_id}.
func (a *API) changeDeviceKey(c *call) error {
	var in deviceKeyRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	k, err := a.auth.ChangeDeviceKey(c.r.Context(), c.by, c.userID(), c.keyID(), in.fields())
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{deviceKeyOf(k)})
}

// deleteDeviceKey is DELETE /v1/users/{user_id}/device-keys/{key_id}.
func (a *API) deleteDeviceKey(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(http.StatusNoContent, a.auth.DropDeviceKey(c.r.Context(), c.by, c.userID(), c.keyID()))
}

// blockDeviceKey makes PUT …/{key_id}/block and …/unblock.
func blockDeviceKey(block bool) func(*API, *call) error {
	return func(a *API, c *call) error {
		if err := c.decode(nil); err != nil {
			return err
		}
		k, err := a.auth.BlockDeviceKey(c.r.Context(), c.by, c.userID(), c.keyID(), block)
		if err != nil {
			return err
		}
		return c.w.JSON(http.StatusOK, result{deviceKeyOf(k)})
	}
}

type deviceProof struct {
	Challenge string `json:"challenge"`
	Signature string `json:"signature"`
}

// validateDeviceKey is POST …/{key_id}/validate.
func (a *API) validateDeviceKey(c *call) error {
	var in deviceProof
	if err := c.decode(&in); err != nil {
		return err
	}
	held, err := a.auth.ValidateDeviceKey(c.r.Context(), c.by, c.userID(), c.keyID(), in.Challenge, in.Signature)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{held})
}
