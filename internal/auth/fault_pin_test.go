package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

// pinScenes approve with a PIN that the server keeps, and set another.
func pinScenes() []scene {
	return []scene{
		{
			"approve with a PIN",
			func(t *testing.T, e *authtest.Env) string {
				p, _ := pinnedPhone(t, e)
				r, token := begun(t, e, p)
				return jsonOf(t, approving{p.call(t, nil), r.ID, token, p.typed(t, r, rightPIN)})
			},
			func(ctx context.Context, s *auth.Service, text string) (any, error) {
				var in approving
				if err := json.Unmarshal([]byte(text), &in); err != nil {
					return nil, err
				}
				in.Answer.PIN.Value = seal.NewSecret(rightPIN) // which is written by nothing
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
				kept, raised := no == nil, steppedUp(t, e, in.Token)
				if kept != raised || err == nil && !raised || err != nil && !errors.Is(err, errFault) {
					t.Errorf("evidence: %t, stepped up: %t, %v", kept, raised, err)
				}
				if a := wrongPINs(t, e); a.Failures > 0 || a.Pending > 1 || err == nil && a.Pending > 0 {
					t.Errorf("after %v: got %+v", err, a)
				}
			},
		},
		{
			"set a PIN",
			func(t *testing.T, e *authtest.Env) string {
				p, token := pinnedPhone(t, e)
				issued, err := e.IssueTicket(t.Context(), e.Key(), token)
				if err != nil {
					t.Fatal(err)
				}
				return jsonOf(t, []string{p.call(t, nil), issued.Text})
			},
			func(ctx context.Context, s *auth.Service, text string) (any, error) {
				var in []string
				if err := json.Unmarshal([]byte(text), &in); err != nil {
					return nil, err
				}
				d, by, err := s.AuthenticateDevice(ctx, in[0], auth.Via{})
				if err != nil {
					return nil, err
				}
				return nil, s.SetDevicePIN(ctx, by, d.ID, in[1], seal.NewSecret("314159"))
			},
			func(t *testing.T, e *authtest.Env, _ string, _ any, err error) {
				holds := func(pin string) bool {
					ok, err := e.Hasher.Verify(t.Context(), onlyDevice(t, e).PIN, []byte(pin))
					if err != nil {
						t.Fatal(err)
					}
					return ok
				}
				set := holds("314159")
				if holds(rightPIN) == set {
					t.Errorf("the PIN is the new one, %t, and the old one alike", set)
				}
				said := slices.ContainsFunc(events(t, e), func(s string) bool { return len(s) > 8 && s[:8] == "pin_set " })
				if set != said || err == nil && !set {
					t.Errorf("set: %t, an event: %t, %v", set, said, err)
				}
			},
		},
	}
}

func onlyDevice(t *testing.T, e *authtest.Env) auth.Device {
	t.Helper()
	var all []auth.Device
	err := e.Store.View(t.Context(), func(r auth.Reads) (err error) { all, err = r.Devices(authtest.Demo, authtest.Ada); return err })
	if err != nil || len(all) != 1 {
		t.Fatalf("got %d devices, %v", len(all), err)
	}
	return all[0]
}

// wrongPINs is the counter of the one device's PIN.
func wrongPINs(t *testing.T, e *authtest.Env) (a auth.Attempts) {
	t.Helper()
	subject := auth.DeviceSubject(onlyDevice(t, e).ID)
	err := e.Store.View(t.Context(), func(r auth.Reads) (err error) {
		a, err = r.Attempts(authtest.Demo, subject, auth.AttemptPIN)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestFaultsOfPINs: an approval with a PIN counts, or it does not, and no fault makes a failure of a right one; a PIN is set with its event,
// or not at all (A-129, C-05).
func TestFaultsOfPINs(t *testing.T) {
	t.Parallel()
	for _, sc := range pinScenes() {
		for mode, name := range map[when]string{notAtAll: "not at all", rolledBack: "rolled back", committed: "committed"} {
			t.Run(sc.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				failEachCall(t, sc, mode, func(s *auth.Setup) { withFactors(s); authtest.Settings(pins)(s) })
			})
		}
	}
}
