package cis

import (
	"net/http"
	"time"

	"countersign/internal/auth"
)

// Sources of a signing key; a key that somebody uploads is none of them (docs/cis.md).
const (
	sourceServer = "global"
	sourceApp    = "mosaic" // made here, for an application
)

type signingKey struct {
	ID        string    `json:"id"` // the kid
	Name      string    `json:"name"`
	AppID     string    `json:"app_id,omitempty"`
	Alg       string    `json:"alg"`
	Status    string    `json:"status"`
	Source    string    `json:"source"`
	JWK       rawJWK    `json:"jwk"` // the public half
	SignsFrom time.Time `json:"signs_from"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// rawJWK is JSON as it stands.
type rawJWK string

// MarshalJSON implements json.Marshaler.
func (r rawJWK) MarshalJSON() ([]byte, error) { return []byte(r), nil }

func signingKeyOf(k auth.AppKey) signingKey {
	return signingKey{
		k.ID, k.Name, k.App, string(k.Alg), string(k.Status), sourceApp, rawJWK(k.Public), k.ActiveAt, k.CreatedAt, k.UpdatedAt,
	}
}

// serverKey is one of those that sign for every application without one of its own.
func (a *API) serverKey(k auth.SigningKey) signingKey {
	status := auth.KeyValidating
	if a.auth.Signs(k) {
		status = auth.KeySigning
	}
	return signingKey{k.ID, sourceServer, "", string(k.Alg), string(status), sourceServer, rawJWK(k.Public), k.ActiveAt, k.CreatedAt, k.CreatedAt}
}

type signingKeyRequest struct {
	Name   string         `json:"name"`
	AppID  auth.AppID     `json:"app_id"`
	Alg    string         `json:"alg"`
	Status auth.KeyStatus `json:"status"`
}

// createSigningKey is POST /v1/applications/signing-keys of contract/cis §1.8.
func (a *API) createSigningKey(c *call) error {
	var in signingKeyRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	k, err := a.auth.CreateAppKey(c.r.Context(), c.by, in.AppID, in.Name, in.Alg)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusCreated, result{signingKeyOf(k)})
}

// listSigningKeys is GET /v1/applications/signing-keys.
func (a *API) listSigningKeys(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	own, servers, err := a.auth.AppKeys(c.r.Context(), c.by, c.r.URL.Query().Get("app_id"))
	if err != nil {
		return err
	}
	list := []signingKey{}
	for _, k := range own {
		list = append(list, signingKeyOf(k))
	}
	for _, k := range servers {
		list = append(list, a.serverKey(k))
	}
	return c.w.JSON(http.StatusOK, result{list})
}

// updateSigningKey is PUT /v1/applications/signing-keys/{id}.
func (a *API) updateSigningKey(c *call) error {
	var in signingKeyRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	k, err := a.auth.ChangeAppKey(c.r.Context(), c.by, c.r.PathValue("id"), in.Name, in.Status)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{signingKeyOf(k)})
}

// deleteSigningKey is DELETE /v1/applications/signing-keys/{id}.
func (a *API) deleteSigningKey(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(http.StatusNoContent, a.auth.DeleteAppKey(c.r.Context(), c.by, c.r.PathValue("id")))
}
