package apitest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// users is how many use one thing at once.
const users = 50

// use is something that can be used once, by a person of its own.
type use struct {
	name string
	person
	ready func(t *testing.T, near *node, p person) attempt
}

// attempt is how a thing is used, by all at once.
type attempt struct {
	call  func(i int, on *node) answer
	won   func(a answer) bool // nil: a 2xx
	lost  []string            // what the others are answered: a status and, where there is one, an errorCode
	after func(t *testing.T, far *node, i int, won answer)
}

// uses are all codes, nonces, invites, tokens for one call, answers and results of /multi that are good for once.
func uses() []use {
	return []use{
		{"code of a step-up", 1, stepUpCode},
		{"code of a binding", 2, bindingCode},
		{"code of a confirmation", 3, confirmationCode},
		{"code of a recovery", 4, recoveryCode},
		{"code of an invite", 5, inviteCode},
		{"code of an e-mail address", 6, addressCode},
		{"temporary token", 7, temporaryToken},
		{"first password", 8, firstPassword},
		{"answer of a device", 9, deviceAnswer},
		{"answer of a device to a payment", 10, deviceAnswerToPayment},
		{"result of a login by device", 11, loginResult},
		{"idempotency-ref", 12, newUser},
		{"answer of a device's key", 13, answerOfKeys},
		{"ticket of a device", 14, ticketOfDevice},
	}
}

// useSeed describes the people of the uses. Their codes are real; nothing but a use counts against them.
func useSeed(t testing.TB) string {
	t.Helper()
	right := fmt.Sprintf("value: %q", rightWord)
	seed := proofSeed("rate_limits: false")
	const owner = ", root_of: [\"CORPORATE:2\"], password: {value: \"" + rightWord + "\"}"
	for p := person(1); p <= 14; p++ {
		factors := ", authenticators: [{kind: sms}, {kind: device, channel: BIOMETRIC}]"
		switch p {
		case 2:
			seed += p.entry(right, "")
		case 5:
			seed += fmt.Sprintf("      - {id: %q, email: %q, user_of: [\"CORPORATE:2\"]}\n", p.id(), p.email())
		case 7:
			seed += p.entry(right+", temporary: true", factors)
		case 8:
			seed += p.entry("", factors)
		case 12:
			seed += fmt.Sprintf("      - {id: %q, email: %q, phone: %q%s%s}\n", p.id(), p.email(), p.phone(), owner, factors)
		default:
			seed += p.entry(right, factors)
		}
	}
	return writeSeed(t, seed)
}

// sandboxes starts sandboxes on one database.
func sandboxes(t *testing.T, n int, data, seed string) []*node {
	t.Helper()
	var nodes []*node
	for range n {
		nodes = append(nodes, dial(t, Start(t, Options{Data: data, Seed: seed}), users))
	}
	return nodes
}

func TestUsedOnce(t *testing.T) { // A-052 A-067 A-068 A-076 B-15
	proveUsedOnce(t, sandboxes(t, 1, filepath.Join(t.TempDir(), "test.db"), useSeed(t)))
}

// proveUsedOnce has fifty use each thing at once: one succeeds, and what it came to is there once, as seen from another node.
func proveUsedOnce(t *testing.T, nodes []*node) {
	near, far := nodes[0], nodes[len(nodes)-1]
	for _, u := range uses() {
		t.Run(u.name, func(t *testing.T) {
			a := u.ready(t, near, u.person)
			var mu sync.Mutex
			winner, last := -1, answer{}
			got := crowd(t, nodes, users, func(i int, on *node) verdict {
				reply := a.call(i, on)
				if reply.err == nil && (a.won == nil && reply.status < 300 || a.won != nil && a.won(reply)) {
					mu.Lock()
					defer mu.Unlock()
					winner, last = i, reply
					return admitted
				}
				return verdict(reply.coded())
			})
			t.Logf("answers: %v", got)
			if got[admitted] != 1 {
				t.Fatalf("%d of %d uses succeeded, want 1: %v", got[admitted], users, got)
			}
			for v := range got {
				if v != admitted && !slices.Contains(a.lost, string(v)) {
					t.Errorf("answers %v: want only %v", got, a.lost)
				}
			}
			a.after(t, far, winner, last)
		})
	}
}

// coded is the status of an answer and its errorCode.
func (a answer) coded() string {
	return strings.TrimSpace(fmt.Sprint(a.status, " ", a.field("errorCode")))
}

// expect fails unless a call was answered so.
func (a answer) expect(t testing.TB, what, coded string) answer {
	t.Helper()
	if a.coded() != coded {
		t.Fatalf("%s: got %v, want %s", what, a, coded)
	}
	return a
}

// mail is a message in the sandbox's inbox.
type mail struct{ Kind, Code, Text, Link, Challenge string }

// inbox lists the messages to an address, newest first.
func (n *node) inbox(t testing.TB, to string) []mail {
	t.Helper()
	var all []mail
	a := n.call(t, "GET", "/sandbox/inbox?to="+url.QueryEscape(to), nil)
	if err := json.Unmarshal(a.body, &all); err != nil || a.status != http.StatusOK {
		t.Fatalf("inbox of %s: %v, %v", to, a, err)
	}
	return all
}

// latestCode is the newest code that went to an address.
func (n *node) latestCode(t testing.TB, to string) string {
	t.Helper()
	for _, m := range n.inbox(t, to) {
		if m.Code != "" {
			return m.Code
		}
	}
	t.Fatalf("no code went to %s", to)
	return ""
}

// told reports how many messages of a kind went to an address.
func (n *node) told(t testing.TB, to, kind string) int {
	t.Helper()
	all := n.inbox(t, to)
	return len(slices.DeleteFunc(all, func(m mail) bool { return m.Kind != kind }))
}

// access exchanges a token for one that acts for a consumer, and says where it stands.
func (n *node) access(t testing.TB, token string) (next, stands string) {
	t.Helper()
	a := n.multi(t, "POST", "/access_token", token, object{"identity": object{"type": "CONSUMER", "id": "1"}}).expect(t, "exchange", "200")
	return a.field("token"), a.field("status")
}

// raised reports whether a token is stepped up, at the price of a wrong code when it is not and one is expected.
func (n *node) raised(t testing.TB, token string) bool {
	t.Helper()
	a := n.call(t, "POST", codeVerify, object{"verificationCode": "000000"}, "api-key", proofKey, "Authorization", "Bearer "+token)
	return a.field("errorCode") == "ALREADY_VERIFIED"
}

func stepUpCode(t *testing.T, near *node, p person) attempt {
	first := near.token(t, p)
	tokens := make([]string, users) // of one session: a code is good for one of them
	for i := range tokens {
		tokens[i], _ = near.access(t, first)
	}
	near.multi(t, "POST", "/stepup/challenges/otp/SMS", first, nil).expect(t, "send", "204")
	code := near.latestCode(t, p.phone())
	return attempt{
		call: func(i int, on *node) answer {
			return on.multi(t, "POST", "/stepup/challenges/otp/SMS/verify", tokens[i], object{"verificationCode": code})
		},
		lost: []string{"409 STATE_INVALID"},
		after: func(t *testing.T, far *node, won int, _ answer) {
			for i, token := range tokens {
				if got := far.raised(t, token); got != (i == won) {
					t.Errorf("token %d is stepped up: %t; the code was taken from %d", i, got, won)
				}
			}
		},
	}
}

func bindingCode(t *testing.T, near *node, p person) attempt {
	token := near.token(t, p)
	near.multi(t, "POST", "/authentication_factors/otp/SMS", token, nil).expect(t, "send", "204")
	code := near.latestCode(t, p.phone())
	return attempt{
		call: func(_ int, on *node) answer {
			return on.multi(t, "POST", "/authentication_factors/otp/SMS/verify", token, object{"verificationCode": code})
		},
		lost: []string{"409 STATE_INVALID", "409 CHANNEL_ALREADY_REGISTERED"},
		after: func(t *testing.T, far *node, _ int, _ answer) {
			a := far.multi(t, "GET", "/authentication_factors", token, nil)
			if n := strings.Count(string(a.body), `"SMS"`); n != 1 || !strings.Contains(string(a.body), `"ACTIVE"`) {
				t.Errorf("factors: %v, want one, active", a)
			}
			if n := far.told(t, p.email(), "bound"); n != 1 {
				t.Errorf("the user was told %d times", n)
			}
		},
	}
}

// pay registers a payment and returns its path.
func (n *node) pay(t testing.TB, id string) string {
	t.Helper()
	path := "/challenges/resources/sends/" + id
	n.multi(t, "PUT", path, "", object{
		"identity": object{"type": "CONSUMER", "id": "1"}, "amount": object{"currency": "EUR", "amount": 1234}, "payee": object{"name": "Payee"},
	}).expect(t, "register", "200")
	return path
}

func confirmationCode(t *testing.T, near *node, p person) attempt {
	token, path := near.token(t, p), near.pay(t, "31")
	asked := near.multi(t, "POST", "/challenges/otp/SMS", token, object{"resourceType": "sends", "resourceIds": []string{"31"}})
	id, code := asked.expect(t, "ask", "200").field("scaChallengeId"), near.latestCode(t, p.phone())
	return attempt{
		call: func(_ int, on *node) answer {
			return on.multi(t, "POST", "/challenges/"+id+"/otp/SMS/verify", token, object{"verificationCode": code, "resourceType": "sends"})
		},
		lost: []string{"409 STATE_INVALID", "409 CHALLENGE_NOT_PENDING"},
		after: func(t *testing.T, far *node, _ int, _ answer) {
			if a := far.multi(t, "GET", path, "", nil); a.field("status") != "CHALLENGE_COMPLETED" {
				t.Errorf("the payment: %v", a)
			}
		},
	}
}

// word is a password that nobody else tries to set.
func word(i int) string { return fmt.Sprintf("Pa55word-%d", i) }

// onlyWord fails unless the person has the password that one of the callers set, and no other caller's.
func (n *node) onlyWord(t *testing.T, p person, won int, was string) {
	t.Helper()
	if got := ways[0].verdict(n.login(t, ways[0], p.email(), word(won))); got != admitted {
		t.Errorf("the password of the caller who succeeded: %s", got)
	}
	for _, other := range []string{word((won + 1) % users), was} {
		if got := ways[0].verdict(n.login(t, ways[0], p.email(), other)); got != refused {
			t.Errorf("another password: %s", got)
		}
	}
}

func recoveryCode(t *testing.T, near *node, p person) attempt {
	near.multi(t, "POST", "/passwords/lost_password/start", "", object{"email": p.email()}).expect(t, "start", "204")
	code := near.latestCode(t, p.email())
	return attempt{
		call: func(i int, on *node) answer {
			return on.multi(t, "POST", "/passwords/lost_password/resume", "", object{
				"nonce": code, "email": p.email(), "newPassword": object{"value": word(i)},
			})
		},
		lost: []string{"409 INVALID_NONCE_OR_EMAIL"},
		after: func(t *testing.T, far *node, won int, a answer) {
			if on := far.multi(t, "GET", "/identities", a.field("token"), nil); on.status != http.StatusOK {
				t.Errorf("the token that came of it: %v", on)
			}
			far.onlyWord(t, p, won, rightWord)
			if n := far.told(t, p.email(), "password_changed"); n != 1 {
				t.Errorf("the user was told %d times", n)
			}
		},
	}
}

func inviteCode(t *testing.T, near *node, p person) attempt {
	near.multi(t, "POST", "/users/"+p.id()+"/invite", near.token(t, 12), nil).expect(t, "invite", "204")
	code := near.latestCode(t, p.email())
	return attempt{
		call: func(i int, on *node) answer {
			return on.multi(t, "POST", "/users/"+p.id()+"/invite/consume", "", object{"inviteCode": code, "password": object{"value": word(i)}})
		},
		lost: []string{"409 INVITE_OR_INVITE_CODE_INVALID", "409 PASSWORD_ALREADY_CREATED"},
		after: func(t *testing.T, far *node, won int, a answer) {
			if on := far.multi(t, "GET", "/identities", a.field("token"), nil); on.status != http.StatusOK {
				t.Errorf("the token that came of it: %v", on)
			}
			far.onlyWord(t, p, won, rightWord)
		},
	}
}

func addressCode(t *testing.T, near *node, p person) attempt {
	near.multi(t, "POST", "/consumers/verification/email/send", "", object{"email": p.email()}).expect(t, "send", "204")
	code := near.latestCode(t, p.email())
	return attempt{
		call: func(_ int, on *node) answer {
			return on.multi(t, "POST", "/consumers/verification/email/verify", "", object{"email": p.email(), "verificationCode": code})
		},
		lost: []string{"409 VERIFICATION_CODE_INVALID"},
		after: func(t *testing.T, far *node, _ int, _ answer) {
			a := far.multi(t, "GET", "/consumers", far.token(t, p), nil)
			if !strings.Contains(string(a.body), `"emailVerified":true`) {
				t.Errorf("the consumer: %v", a)
			}
		},
	}
}

func temporaryToken(t *testing.T, near *node, p person) attempt {
	token := near.login(t, ways[0], p.email(), rightWord).field("token")
	return attempt{
		call: func(i int, on *node) answer {
			return on.multi(t, "POST", "/passwords/update", token, object{
				"oldPassword": object{"value": rightWord}, "newPassword": object{"value": word(i)},
			})
		},
		// Who comes late finds the token dead, or the old password wrong, or five others waiting for their turn.
		lost: []string{"401 UNAUTHORIZED", "409 PASSWORD_INCORRECT", "423", "429"},
		after: func(t *testing.T, far *node, _ int, a answer) {
			if on := far.multi(t, "GET", "/identities", a.field("token"), nil); on.status != http.StatusOK {
				t.Errorf("the token that came of it: %v", on)
			}
			if n := far.told(t, p.email(), "password_changed"); n != 1 {
				t.Errorf("the user was told %d times", n)
			}
		},
	}
}

func firstPassword(t *testing.T, _ *node, p person) attempt {
	return attempt{
		call: func(i int, on *node) answer {
			return on.multi(t, "POST", "/passwords/"+p.id()+"/create", "", object{"password": object{"value": word(i)}})
		},
		lost:  []string{"409 PASSWORD_ALREADY_CREATED"},
		after: func(t *testing.T, far *node, won int, _ answer) { far.onlyWord(t, p, won, rightWord) },
	}
}

// press answers on the simulated phone: every other caller says yes.
func press(t *testing.T, challenge string) func(i int, on *node) answer {
	return func(i int, on *node) answer {
		says := []string{"approve", "deny"}[i/2%2]
		return on.call(t, "POST", "/sandbox/phone/proof/"+challenge, object{"decision": says})
	}
}

func approved(i int) bool { return i/2%2 == 0 }

func deviceAnswer(t *testing.T, near *node, p person) attempt {
	token := near.token(t, p)
	id := near.multi(t, "POST", "/stepup/challenges/push/BIOMETRIC", token, nil).expect(t, "ask", "200").field("id")
	return attempt{
		call: press(t, id),
		lost: []string{"404"},
		after: func(t *testing.T, far *node, won int, _ answer) {
			if got := far.raised(t, token); got != approved(won) {
				t.Errorf("stepped up: %t; the answer that was taken said yes: %t", got, approved(won))
			}
		},
	}
}

func deviceAnswerToPayment(t *testing.T, near *node, p person) attempt {
	token, path := near.token(t, p), near.pay(t, "32")
	asked := near.multi(t, "POST", "/challenges/push/BIOMETRIC", token, object{"resourceType": "sends", "resourceIds": []string{"32"}})
	return attempt{
		call: press(t, asked.expect(t, "ask", "200").field("scaChallengeId")),
		lost: []string{"404"},
		after: func(t *testing.T, far *node, won int, _ answer) {
			want := map[bool]string{true: "CHALLENGE_COMPLETED", false: "CHALLENGE_FAILED"}[approved(won)]
			if a := far.multi(t, "GET", path, "", nil); a.field("status") != want {
				t.Errorf("the payment: %v, want %s", a, want)
			}
		},
	}
}

func loginResult(t *testing.T, near *node, p person) attempt {
	id := near.multi(t, "POST", "/login_via_biometrics", "", object{"email": p.email()}).expect(t, "ask", "200").field("challengeId")
	near.call(t, "POST", "/sandbox/phone/proof/"+id, object{"decision": "approve"}).expect(t, "approve", "204")
	return attempt{
		call: func(_ int, on *node) answer { return on.multi(t, "GET", "/login_via_biometrics/"+id, "", nil) },
		won:  func(a answer) bool { return a.field("token") != "" },
		lost: []string{"409 STATE_INVALID"},
		after: func(t *testing.T, far *node, _ int, a answer) {
			if _, stands := far.access(t, a.field("token")); stands != "STEPPED_UP" {
				t.Errorf("the token is %s", stands)
			}
		},
	}
}

// newUser makes a user under one idempotency-ref: all callers get the one answer, so that the first of them stands for it.
func newUser(t *testing.T, near *node, p person) attempt {
	token := near.token(t, p)
	near.stepUp(t, p, token)
	const email = "made@example.com"
	var mu sync.Mutex
	said := map[string]bool{}
	return attempt{
		call: func(_ int, on *node) answer {
			return on.once(t, "/multi/users", token, "made", object{"name": "Made", "surname": "Once", "email": email})
		},
		won: func(a answer) bool {
			mu.Lock()
			defer mu.Unlock()
			first := !said[a.said()]
			said[a.said()] = true
			return a.status == http.StatusOK && first
		},
		lost: []string{"200"},
		after: func(t *testing.T, far *node, _ int, _ answer) {
			a := far.multi(t, "GET", "/users?email="+email, token, nil)
			if !strings.Contains(string(a.body), `"count":1,`) {
				t.Errorf("users of the address: %v", a)
			}
		},
	}
}
