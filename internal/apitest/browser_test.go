package apitest

import (
	"encoding/base64"
	"encoding/json"

	"countersign/internal/device/deviceclient"
	"countersign/internal/webauthn/webauthntest"
)

// browserKey is the passkey of a device that is a browser.
type browserKey struct {
	authenticator *webauthntest.Authenticator
	id            string
}

func text64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Create implements deviceclient.Passkey.
func (k *browserKey) Create(s deviceclient.Site, challenge string) (deviceclient.Registration, error) {
	k.authenticator = webauthntest.New(s.Origin)
	var params []map[string]any
	for _, alg := range s.Algorithms {
		params = append(params, map[string]any{"alg": alg})
	}
	options, err := json.Marshal(map[string]any{
		"rp": map[string]any{"id": s.ID}, "user": map[string]any{"id": "AAEC"}, "challenge": challenge, "pubKeyCredParams": params,
	})
	if err != nil {
		return deviceclient.Registration{}, err
	}
	made, err := k.authenticator.Create(options, nil)
	k.id = text64(made.ID)
	return deviceclient.Registration{ID: k.id, ClientData: text64(made.ClientData), Attestation: text64(made.Attested)}, err
}

// Get implements deviceclient.Passkey.
func (k *browserKey) Get(s deviceclient.Site, challenge string) (deviceclient.Assertion, error) {
	options, err := json.Marshal(map[string]any{
		"challenge": challenge, "rpId": s.ID, "allowCredentials": []map[string]string{{"id": k.id}},
	})
	if err != nil {
		return deviceclient.Assertion{}, err
	}
	made, err := k.authenticator.Get(options, nil)
	return deviceclient.Assertion{ClientData: text64(made.ClientData), Authenticator: text64(made.Data), Signature: text64(made.Signature)}, err
}

// passkeyOf has the passkey of a script's browser sign what its key did, and returns it as JSON.
func (k *browserKey) passkeyOf(verb string, s deviceclient.Site, token string) (string, error) {
	var out any
	var err error
	if verb == "proof" {
		out, err = k.Create(s, deviceclient.Challenge(token))
	} else {
		out, err = k.Get(s, deviceclient.Challenge(token))
	}
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(out)
	return string(text), err
}
