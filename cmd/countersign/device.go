package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"countersign/internal/device/deviceclient"
)

type deviceCommand struct {
	Bind    deviceBind    `cmd:"" help:"Make a key and bind it by the link of a ticket."`
	Show    deviceShow    `cmd:"" help:"Show what the server knows of the device."`
	Pending devicePending `cmd:"" help:"List the requests that wait."`
	Approve deviceApprove `cmd:"" help:"Approve a request."`
	Deny    deviceDeny    `cmd:"" help:"Deny a request."`
	Report  deviceReport  `cmd:"" help:"Deny a request and say that its user did not begin it."`
	Watch   deviceWatch   `cmd:"" help:"Print requests as they come, and answer all of them if told so."`
	PIN     devicePIN     `cmd:"" name:"pin" help:"Give the device another PIN that the server keeps."`
	Push    devicePush    `cmd:"" help:"Have the device woken somewhere, or nowhere."`
	Unbind  deviceUnbind  `cmd:"" help:"End the device; its key is never bound again."`
}

// Exit statuses of the device's commands, beside 0 and 1.
const (
	exitRefused = 2 // the server said no
	exitNothing = 3 // nothing waits
)

// endedWith is an error that ends the program with a status of its own.
type endedWith struct {
	status int
	err    error
}

func (e endedWith) Error() string { return e.err.Error() }
func (e endedWith) Unwrap() error { return e.err }

// statusOf is what the program ends with after an error.
func statusOf(err error) int {
	var own endedWith
	var no *deviceclient.Error
	switch {
	case errors.As(err, &own):
		return own.status
	case errors.As(err, &no):
		return exitRefused
	}
	return 1
}

// tell prints one line of JSON.
func (w *world) tell(v any) error {
	text, err := json.Marshal(v)
	if err == nil {
		_, err = fmt.Fprintln(w.stdout, string(text))
	}
	return err
}

// Run binds a new device. The key is kept before the server knows it, so that no device is bound whose key is lost.
func (c deviceBind) Run(w *world) error {
	server, ticket, err := deviceclient.ParseLink(c.Link)
	if err != nil {
		return err
	}
	if c.Server != "" {
		server = c.Server
	}
	s, err := newState(c.State, server, c.Key)
	if err != nil {
		return err
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	if _, err := client.Configuration(w.ctx); err != nil {
		return errors.Join(err, s.drop())
	}
	bound, err := client.Bind(w.ctx, deviceclient.Binding{Ticket: ticket, Name: c.Name, PIN: c.PIN, Push: c.address()})
	var no *deviceclient.Error
	switch {
	case errors.As(err, &no):
		return errors.Join(err, s.drop())
	case err != nil:
		return fmt.Errorf("%w: it may be bound or not; countersign device show --state %s tells", err, c.State)
	}
	s.Bound = &bound
	if err := s.save(); err != nil {
		return err
	}
	return w.tell(bound)
}

type deviceShow struct{ deviceState }

// Run shows.
func (c deviceShow) Run(w *world) error {
	return c.with(func(client *deviceclient.Client) error {
		d, err := client.Device(w.ctx)
		if err != nil {
			return err
		}
		return w.tell(d)
	})
}

type devicePending struct {
	deviceState
	Wait time.Duration `help:"Wait so long for the first one; when there is none then, the command ends with 3."`
}

// Run lists, a line each.
func (c devicePending) Run(w *world) error {
	return c.with(func(client *deviceclient.Client) error {
		all, err := await(w.ctx, client, c.Wait, func(all []deviceclient.Request) bool { return len(all) > 0 })
		if err != nil {
			return err
		}
		if len(all) == 0 && c.Wait > 0 {
			return nothingWaits()
		}
		for _, r := range all {
			if err := w.tell(r); err != nil {
				return err
			}
		}
		return nil
	})
}

func nothingWaits() error { return endedWith{exitNothing, errors.New("nothing waits")} }

// await asks for requests until they are enough, or the time is over.
func await(
	ctx context.Context, client *deviceclient.Client, limit time.Duration, enough func([]deviceclient.Request) bool,
) ([]deviceclient.Request, error) {
	end := time.Now().Add(limit)
	all, err := client.Requests(ctx, 0, nil)
	for err == nil && !enough(all) && time.Until(end) > 0 {
		all, err = client.Requests(ctx, time.Until(end), all)
	}
	return all, err
}

// deviceAnswer is what the three answers have in common.
type deviceAnswer struct {
	deviceState
	Request string        `arg:"" optional:"" help:"The challenge; by default the only one that waits."`
	Wait    time.Duration `help:"Wait so long for it; when it is not there then, the command ends with 3."`
}

type deviceApprove struct {
	deviceAnswer
	Number string `help:"The two digits that the other screen shows."`
	PIN    string `name:"pin" help:"What the user typed, where the server keeps the PIN."`
	UV     string `name:"uv" default:"" enum:",biometric,pin,none" help:"How the device claims to have made sure of its owner: biometric, pin or none; by default biometric, with --pin pin."`
}

type (
	deviceDeny   struct{ deviceAnswer }
	deviceReport struct{ deviceAnswer }
)

// Run approves.
func (c deviceApprove) Run(w *world) error {
	return c.answer(w, deviceclient.Answer{Decision: deviceclient.Approve, Number: c.Number, PIN: c.PIN, Verified: c.UV})
}

// Run denies.
func (c deviceDeny) Run(w *world) error {
	return c.answer(w, deviceclient.Answer{Decision: deviceclient.Deny})
}

// Run denies and reports.
func (c deviceReport) Run(w *world) error {
	return c.answer(w, deviceclient.Answer{Decision: deviceclient.Report})
}

// answer finds the request and answers it.
func (c deviceAnswer) answer(w *world, a deviceclient.Answer) error {
	return c.with(func(client *deviceclient.Client) error {
		all, err := await(w.ctx, client, c.Wait, func(all []deviceclient.Request) bool { return len(c.meant(all)) > 0 })
		if err != nil {
			return err
		}
		all = c.meant(all)
		switch {
		case len(all) == 0:
			return nothingWaits()
		case len(all) > 1:
			return fmt.Errorf("%d requests wait: name one", len(all))
		case a.Decision == deviceclient.Approve && all[0].Number && a.Number == "":
			return errors.New("the request wants the number that the other screen shows: --number")
		}
		status, err := client.Answer(w.ctx, all[0], a)
		if err != nil {
			return err
		}
		return w.tell(answered{all[0].Challenge, status})
	})
}

// meant are the requests that the command is about.
func (c deviceAnswer) meant(all []deviceclient.Request) []deviceclient.Request {
	if c.Request == "" {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(r deviceclient.Request) bool { return r.Challenge != c.Request })
}

type answered struct {
	Challenge string `json:"challenge"`
	Status    string `json:"status"` // approved or denied
}

type devicePIN struct {
	deviceState
	Link string `arg:"" help:"The link of a ticket."`
	PIN  string `arg:"" name:"pin" help:"6 to 12 digits."`
}

// Run sets the PIN.
func (c devicePIN) Run(w *world) error {
	_, ticket, err := deviceclient.ParseLink(c.Link)
	if err != nil {
		return err
	}
	return c.with(func(client *deviceclient.Client) error {
		if err := client.SetPIN(w.ctx, ticket, c.PIN); err != nil {
			return err
		}
		return w.tell(map[string]bool{"pin": true})
	})
}

type devicePush struct {
	deviceState
	pushFlags
	Off bool `help:"Wake it no more."`
}

// Run sets or drops the address.
func (c devicePush) Run(w *world) error {
	to := c.address()
	if (to == nil) != c.Off {
		return errors.New("say where, --push-service and --push-token, or --off")
	}
	return c.with(func(client *deviceclient.Client) error {
		if err := client.SetPush(w.ctx, to); err != nil {
			return err
		}
		return w.tell(map[string]bool{"push": to != nil})
	})
}

type deviceUnbind struct{ deviceState }

// Run ends the device and deletes its file, which is of no use any more.
func (c deviceUnbind) Run(w *world) error {
	s, err := readState(c.State)
	if err != nil {
		return err
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	if err := client.Unbind(w.ctx); err != nil {
		return err
	}
	if err := s.drop(); err != nil {
		return err
	}
	return w.tell(map[string]string{"device": client.ID(), "status": "revoked"})
}
