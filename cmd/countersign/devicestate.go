package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"countersign/internal/device/deviceclient"
	"countersign/internal/jose"
)

// deviceState says where a device keeps itself.
type deviceState struct {
	State string `required:"" placeholder:"FILE" help:"What the device keeps: its key, in the clear, and where it is bound."`
}

// with makes calls as the device.
func (d deviceState) with(do func(*deviceclient.Client) error) error {
	s, err := readState(d.State)
	if err != nil {
		return err
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	return do(client)
}

type deviceBind struct {
	deviceState
	pushFlags
	Link   string `arg:"" help:"The link of the ticket, as POST /device/v1/tickets answered it."`
	Key    string `default:"es256" enum:"es256,ed25519" help:"Kind of its key: ${enum}."`
	Name   string `default:"Test device" help:"What its user sees it as."`
	PIN    string `name:"pin" help:"A PIN that the server is to keep; 6 to 12 digits."`
	Server string `placeholder:"URL" help:"Where the server is reached, when not where the link says."`
}

// pushFlags say where a device is woken.
type pushFlags struct {
	Service string `name:"push-service" default:"" enum:",web,fcm,apns,app" help:"What wakes it: web, fcm, apns or app."`
	Token   string `name:"push-token" help:"Its token there; of a browser's subscription the endpoint."`
	P256DH  string `name:"push-p256dh" help:"Of a browser's subscription."`
	Auth    string `name:"push-auth" help:"Of a browser's subscription."`
}

func (f pushFlags) address() *deviceclient.PushAddress {
	if f == (pushFlags{}) {
		return nil
	}
	return &deviceclient.PushAddress{Service: f.Service, Token: f.Token, P256DH: f.P256DH, Auth: f.Auth}
}

// savedDevice is the file of a device. The key lies in it in the clear: it is for tests, and no place for a person's.
type savedDevice struct {
	path   string
	Server string              `json:"server"`
	Alg    string              `json:"alg"`
	Key    string              `json:"key"`             // PKCS #8 in base64
	Bound  *deviceclient.Bound `json:"bound,omitempty"` // what the server answered; absent: it has not
}

// newState makes a key and keeps it, in a file that must not be there yet.
func newState(path, server, kind string) (*savedDevice, error) {
	alg := map[string]jose.Alg{"es256": jose.ES256, "ed25519": jose.EdDSA}[kind]
	key, err := jose.Generate(alg)
	if err != nil {
		return nil, err
	}
	der, err := key.PKCS8()
	if err != nil {
		return nil, err
	}
	s := &savedDevice{path: path, Server: server, Alg: string(alg), Key: base64.StdEncoding.EncodeToString(der)}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%s is there already: a key is bound once", path)
	}
	if err != nil {
		return nil, err
	}
	return s, errors.Join(f.Close(), s.save())
}

func readState(path string) (*savedDevice, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := &savedDevice{path: path}
	if err := json.Unmarshal(text, s); err != nil || s.Server == "" || s.Key == "" {
		return nil, fmt.Errorf("%s is not what countersign device bind wrote", path)
	}
	return s, nil
}

// save replaces the file, whole or not at all.
func (s *savedDevice) save() error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), s.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func (s *savedDevice) drop() error { return os.Remove(s.path) }

func (s *savedDevice) client() (*deviceclient.Client, error) {
	der, err := base64.StdEncoding.DecodeString(s.Key)
	if err != nil {
		return nil, fmt.Errorf("%s: its key is not base64", s.path)
	}
	key, err := jose.ParseKey(jose.Alg(s.Alg), der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	return deviceclient.New(s.Server, key), nil
}
