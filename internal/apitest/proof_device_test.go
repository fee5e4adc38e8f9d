package apitest

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"countersign/internal/device/deviceclient"
	"countersign/internal/jose"
)

// stepUp steps a token of the person's up by a code.
func (n *node) stepUp(t testing.TB, p person, token string) {
	t.Helper()
	n.multi(t, "POST", "/stepup/challenges/otp/SMS", token, nil).expect(t, "send", "204")
	code := object{"verificationCode": n.latestCode(t, p.phone())}
	n.multi(t, "POST", "/stepup/challenges/otp/SMS/verify", token, code).expect(t, "verify", "204")
}

// ticket is one that binds a device to the bearer of a stepped-up token.
func (n *node) ticket(t testing.TB, token string) string {
	t.Helper()
	a := n.call(t, "POST", "/device/v1/tickets", nil, "api-key", proofKey, "Authorization", "Bearer "+token)
	return a.expect(t, "ticket", "201").field("ticket")
}

func newKey(t testing.TB, alg jose.Alg) *jose.Key {
	t.Helper()
	key, err := jose.Generate(alg)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// tells returns what the node tells devices now, asked for once: a crowd is not to wait for it. Each sandbox has an issuer of its own, so
// what a device signs is for one of them.
func (n *node) tells(t testing.TB) func() deviceclient.Configuration {
	var at time.Time
	once := sync.OnceValue(func() (c deviceclient.Configuration) {
		at = time.Now()
		if a := n.call(t, "GET", "/device/v1/configuration", nil); json.Unmarshal(a.body, &c) != nil {
			t.Errorf("configuration: %v", a)
		}
		return c
	})
	return func() deviceclient.Configuration {
		c := once()
		c.Now += int64(time.Since(at) / time.Second)
		return c
	}
}

// byDevice is a call as the device with a key makes it.
func (n *node) byDevice(t testing.TB, key *jose.Key, method, path string, body any) answer {
	t.Helper()
	token, err := n.device().Token(key)
	if err != nil {
		t.Fatal(err)
	}
	return n.call(t, method, path, body, "Authorization", "Bearer "+token)
}

// answerOfKeys is a step-up that a user's two devices answer with their keys, by every other call yes and no.
func answerOfKeys(t *testing.T, near *node, p person) attempt {
	keys := []*jose.Key{newKey(t, jose.ES256), newKey(t, jose.EdDSA)}
	first := near.token(t, p)
	near.stepUp(t, p, first)
	for i, key := range keys {
		b := deviceclient.Binding{Ticket: near.ticket(t, first), Name: fmt.Sprint("Phone ", i)}
		if _, err := deviceclient.New(near.URL, key).Bind(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	token := near.token(t, p)
	near.multi(t, "POST", "/stepup/challenges/push/BIOMETRIC", token, nil).expect(t, "ask", "200")
	var list struct{ Requests []deviceclient.Request }
	if a := near.byDevice(t, keys[0], "GET", "/device/v1/requests", nil); json.Unmarshal(a.body, &list) != nil || len(list.Requests) != 1 {
		t.Fatalf("requests: %v", a)
	}
	r := list.Requests[0]
	return attempt{
		call: func(i int, on *node) answer {
			key, a := keys[i/4%2], deviceclient.Answer{Decision: deviceclient.Deny}
			if approved(i) {
				a.Decision = deviceclient.Approve
			}
			signed, err := on.device().Sign(key, r, a)
			if err != nil {
				t.Error(err)
			}
			return on.byDevice(t, key, "POST", "/device/v1/requests/"+r.Challenge+"/answer", object{"answer": signed})
		},
		lost: []string{"409"},
		after: func(t *testing.T, far *node, won int, a answer) {
			if want := map[bool]string{true: "approved", false: "denied"}[approved(won)]; a.field("status") != want {
				t.Errorf("the answer that was taken: %v, want %s", a, want)
			}
			if got := far.raised(t, token); got != approved(won) {
				t.Errorf("stepped up: %t; the answer that was taken said yes: %t", got, approved(won))
			}
		},
	}
}

// ticketOfDevice is a ticket that many keys are to be bound by.
func ticketOfDevice(t *testing.T, near *node, p person) attempt {
	token := near.token(t, p)
	near.stepUp(t, p, token)
	ticket := near.ticket(t, token)
	keys := make([]*jose.Key, users)
	for i := range keys {
		keys[i] = newKey(t, jose.ES256)
	}
	return attempt{
		call: func(i int, on *node) answer {
			proof, err := on.device().Proof(keys[i], deviceclient.Binding{Ticket: ticket, Name: "Phone"})
			if err != nil {
				t.Error(err)
			}
			return on.call(t, "POST", "/device/v1/devices", object{"key": json.RawMessage(keys[i].Public().String()), "proof": proof})
		},
		lost: []string{"400"},
		after: func(t *testing.T, far *node, won int, _ answer) {
			for i, key := range keys {
				if a := far.byDevice(t, key, "GET", "/device/v1/device", nil); (a.status == 200) != (i == won) {
					t.Errorf("device %d: %v; the ticket was taken from %d", i, a, won)
				}
			}
		},
	}
}

func TestPINGuessesAreCountedFirst(t *testing.T) { // A-015 A-073 B-01
	provePINGuesses(t, sandboxes(t, 1, filepath.Join(t.TempDir(), "test.db"), bearers(t, 1, "rate_limits: false, push: {pin: server}")))
}

// provePINGuesses has sixty answers with a wrong PIN at once: five are checked, and then the right one is refused as well.
func provePINGuesses(t *testing.T, nodes []*node) {
	near := nodes[0]
	const p = person(1)
	key := newKey(t, jose.ES256)
	first := near.token(t, p)
	near.stepUp(t, p, first)
	b := deviceclient.Binding{Ticket: near.ticket(t, first), Name: "Phone", PIN: "271828"}
	if _, err := deviceclient.New(near.URL, key).Bind(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	token := near.token(t, p)
	near.multi(t, "POST", "/stepup/challenges/push/BIOMETRIC", token, nil).expect(t, "ask", "200")
	var list struct{ Requests []deviceclient.Request }
	if a := near.byDevice(t, key, "GET", "/device/v1/requests", nil); json.Unmarshal(a.body, &list) != nil || len(list.Requests) != 1 {
		t.Fatalf("requests: %v", a)
	}
	r := list.Requests[0]
	try := func(on *node, pin string) verdict {
		a := deviceclient.Answer{Decision: deviceclient.Approve, PIN: pin, Salt: deviceclient.NewSalt()}
		signed, err := on.device().Sign(key, r, a)
		if err != nil {
			t.Error(err)
		}
		body := object{"answer": signed, "pin": object{"value": pin, "salt": a.Salt}}
		got := on.byDevice(t, key, "POST", "/device/v1/requests/"+r.Challenge+"/answer", body)
		return verdict(fmt.Sprint(got.status, " ", got.field("code")))
	}
	before := count(t, nodes)
	got := crowd(t, nodes, 60, func(i int, on *node) verdict { return try(on, fmt.Sprint(300_000+7*i)) })
	t.Logf("answers: %v", got)
	if got["400 pin_wrong"] != 5 {
		t.Errorf("answers %v: want 5 that are wrong", got)
	}
	got.only(t, "400 pin_wrong", "403 locked", "429 busy")
	if after := count(t, nodes); after.verified-before.verified != 5 {
		t.Errorf("%v PINs were checked, want 5", after.verified-before.verified)
	}
	for _, on := range nodes {
		if got := try(on, "271828"); got != "403 locked" {
			t.Errorf("the right PIN: got %s", got)
		}
	}
	if near.raised(t, token) {
		t.Error("the token is stepped up")
	}
}
