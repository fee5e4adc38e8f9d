package apitest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"countersign/internal/device/deviceclient"
	"countersign/internal/jose"
)

// onDevice are the scripts whose user answers on a simulated phone and might as well on a device of their own: they run once more, word for
// word, with one. What the script presses on the phone, the device signs.
func onDevice() []string {
	return []string{
		"confirm-push", "confirm-tampered-push", "login-via-biometrics", "login-via-biometrics-collect", "phone-approves", "stepup-push",
	}
}

// robots runs the scripts of onDevice with a device of Ada's.
func (s *suite) robots(t *testing.T) {
	var files []string
	for _, name := range onDevice() {
		files = append(files, "testdata/script/"+name+".txtar")
	}
	testscript.Run(t, testscript.Params{Files: files, Cmds: commands(), RequireUniqueNames: true, Setup: func(env *testscript.Env) error {
		err := s.setup(env)
		env.Values[scriptKey{}].(*script).robot = &robot{}
		return err
	}})
}

// robot is Ada's device in the place of her simulated phone.
type robot struct {
	*deviceclient.Client        // nil: not bound yet
	number               string // that the screen has shown last; its user carries it over
}

// bind binds the robot, before the script's first request, and lets an hour pass over the messages that this brought.
func (s *script) bindRobot() error {
	key, err := jose.Generate(jose.ES256)
	if err != nil {
		return err
	}
	bearer := header{"Authorization", "Bearer "}
	for _, step := range []struct {
		path, body string
		keep       func(map[string]any)
	}{
		{"/multi/login_with_password", `{"email":"ada@example.com","password":{"value":"Pa55word!"}}`, func(got map[string]any) {
			bearer.value += fmt.Sprint(got["token"])
		}},
		{"/multi/stepup/challenges/otp/SMS", "{}", nil},
		{"/multi/stepup/challenges/otp/SMS/verify", `{"verificationCode":"123456"}`, nil},
		{"/device/v1/tickets", "", func(got map[string]any) {
			s.robot.Client = deviceclient.New(s.server.URL, key)
			b := deviceclient.Binding{Ticket: fmt.Sprint(got["ticket"]), Name: "Robot", Push: &deviceclient.PushAddress{Service: "app", Token: "robot"}}
			_, err = s.robot.Bind(s.tb.Context(), b)
		}},
	} {
		in := request{method: "POST", path: step.path, body: []byte(step.body), typ: jsonType, headers: []header{{"api-key", "sk_demo"}, bearer}}
		got, err := s.wire.send(in)
		if err != nil || got.status/100 != 2 {
			return fmt.Errorf("bind the device: %s: %v, %v", step.path, got, err)
		}
		if step.keep != nil {
			var members map[string]any
			if err := json.Unmarshal(got.body, &members); err != nil {
				return err
			}
			step.keep(members)
		}
	}
	return errors.Join(err, s.clock(false, []string{"1h"}))
}

// press is a request for the simulated phone, as the robot does it; nil: it is none.
func (s *script) press(in request) (*reply, error) {
	rest, ok := strings.CutPrefix(in.path, "/sandbox/phone")
	if s.robot == nil || !ok {
		return nil, nil
	}
	waiting, err := s.robot.Requests(s.tb.Context(), 0, nil)
	if err != nil {
		return nil, err
	}
	if in.method == http.MethodGet {
		list := []object{}
		for _, r := range waiting {
			list = append(list, object{
				"tenant": r.Tenant, "challenge": r.Challenge, "user": r.User, "purpose": r.Purpose, "channel": r.Channel, "approve": r.Shown,
			})
		}
		text, err := json.Marshal(list)
		return &reply{status: http.StatusOK, header: http.Header{}, body: text}, err
	}
	var pressed struct{ Decision deviceclient.Decision }
	if err := json.Unmarshal(in.body, &pressed); err != nil {
		return nil, err
	}
	for _, r := range waiting {
		if rest != "/"+r.Tenant+"/"+r.Challenge {
			continue
		}
		a := deviceclient.Answer{Decision: pressed.Decision}
		if r.Number {
			a.Number = s.robot.number
		}
		_, err := s.robot.Answer(s.tb.Context(), r, a)
		return &reply{status: http.StatusNoContent, header: http.Header{}}, err
	}
	return &reply{status: http.StatusNotFound, header: http.Header{}, body: []byte("{}")}, nil
}

// read has the robot's user see what is on the other screen.
func (r *robot) read(got *reply) {
	var screen struct{ Number string }
	if r != nil && json.Unmarshal(got.body, &screen) == nil && screen.Number != "" {
		r.number = screen.Number
	}
}
