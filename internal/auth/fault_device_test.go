package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// deviceScenes bind a browser and approve in one.
func deviceScenes() []scene {
	return []scene{
		{
			"bind",
			func(t *testing.T, e *authtest.Env) string {
				ticket, _ := ticketOf(t, e, "ada")
				return jsonOf(t, newBrowser(t, e).register(t, ticket, nil))
			},
			func(ctx context.Context, s *auth.Service, text string) (any, error) {
				var in auth.KeyBinding
				if err := json.Unmarshal([]byte(text), &in); err != nil {
					return nil, err
				}
				return s.BindKey(ctx, in, auth.Via{})
			},
			func(t *testing.T, e *authtest.Env, _ string, got any, err error) {
				var devices []auth.Device
				no := e.Store.View(t.Context(), func(r auth.Reads) (err error) { devices, err = r.Devices(authtest.Demo, authtest.Ada); return err })
				if no != nil {
					t.Fatal(no)
				}
				said := slices.IndexFunc(events(t, e), func(s string) bool { return len(s) > 6 && s[:6] == "bound " }) >= 0
				if bound := len(devices) == 1; said != bound || err == nil && !bound || bound && devices[0].Passkey.ID == "" {
					t.Errorf("got %d devices, an event: %t, %v", len(devices), said, err)
				}
			},
		},
		{
			"approve",
			func(t *testing.T, e *authtest.Env) string {
				b := boundBrowser(t, e)
				r, token := begun(t, e, b.handset)
				return jsonOf(t, approving{b.call(t, nil), r.ID, token, b.approve(t, b.said(r, auth.Approve), nil)})
			},
			func(ctx context.Context, s *auth.Service, text string) (any, error) {
				var in approving
				if err := json.Unmarshal([]byte(text), &in); err != nil {
					return nil, err
				}
				d, by, err := s.AuthenticateDevice(ctx, in.Call, auth.Via{})
				if err != nil {
					return nil, err
				}
				return s.AnswerByKey(ctx, by, d.ID, in.Challenge, in.Answer)
			},
			func(t *testing.T, e *authtest.Env, text string, _ any, err error) {
				var in approving
				if err := json.Unmarshal([]byte(text), &in); err != nil {
					t.Fatal(err)
				}
				_, no := e.DeviceEvidence(t.Context(), authtest.Demo, in.Challenge)
				if no != nil && codeOf(no) != auth.CodeNotFound {
					t.Fatal(no)
				}
				kept, raised := no == nil, steppedUp(t, e, in.Token)
				said := slices.Contains(events(t, e), "answered approve")
				if kept != raised || said != raised || err == nil && !raised || err != nil && !errors.Is(err, errFault) {
					t.Errorf("evidence: %t, an event: %t, stepped up: %t, %v", kept, said, raised, err)
				}
			},
		},
	}
}

// approving is an approval that is ready to be sent.
type approving struct {
	Call      string // the device's token
	Challenge auth.ChallengeID
	Token     string // that it steps up
	Answer    auth.SignedAnswer
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestFaultsOfDevices: a device is bound, and an approval counts, with its event and its evidence, or not at all (C-05).
func TestFaultsOfDevices(t *testing.T) {
	t.Parallel()
	for _, sc := range deviceScenes() {
		for mode, name := range map[when]string{notAtAll: "not at all", rolledBack: "rolled back", committed: "committed"} {
			t.Run(sc.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				failEachCall(t, sc, mode, withFactors)
			})
		}
	}
}
