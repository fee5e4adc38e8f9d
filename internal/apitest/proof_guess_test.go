package apitest

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
)

// guessers is how many challenges or sessions there are of one person, with a guess at each.
const guessers = 40

// guessing is a flow in which codes are guessed.
type guessing struct {
	name string
	person
	ready func(t *testing.T, near *node, p person) guesses
}

// guesses are wrong codes by all at once, and then right ones, none of which may be taken any more.
type guesses struct {
	wrong  func(i int, on *node) answer
	told   []string // what all of them may be answered
	judged []string // the answers that say the code was looked at: at most four, since the fifth finds the limit
	right  []func(on *node) answer
}

// flows are all that take a code which can be guessed (B-16).
func flows() []guessing {
	return []guessing{
		{"step-ups and confirmations", 1, guessStepUps},
		{"bindings", 2, guessBindings},
		{"recoveries and addresses", 4, guessMail},
		{"invites", 5, guessInvites},
	}
}

func TestGuessesOverAllChallenges(t *testing.T) { // A-053 B-16 A-065
	proveGuesses(t, sandboxes(t, 1, filepath.Join(t.TempDir(), "test.db"), useSeed(t)))
}

// proveGuesses makes forty guesses at once, each at a challenge of its own where there can be as many: five are looked at, and then the
// right codes are worth nothing either, whatever they are for.
func proveGuesses(t *testing.T, nodes []*node) {
	far := nodes[len(nodes)-1]
	for _, f := range flows() {
		t.Run(f.name, func(t *testing.T) {
			g := f.ready(t, nodes[0], f.person)
			got := crowd(t, nodes, guessers, func(i int, on *node) verdict { return verdict(g.wrong(i, on).coded()) })
			t.Logf("answers: %v", got)
			judged := 0
			for v, n := range got {
				if !slices.Contains(g.told, string(v)) {
					t.Errorf("answers %v: want only %v", got, g.told)
				}
				if slices.Contains(g.judged, string(v)) {
					judged += n
				}
			}
			if judged > 4 {
				t.Errorf("answers %v: %d guesses were looked at before the last, want at most 4", got, judged)
			}
			for i, right := range g.right {
				if a := right(far); a.status < 300 || !slices.Contains(g.told, a.coded()) {
					t.Errorf("right code %d: %v", i, a)
				}
			}
		})
	}
}

// codeAnswers are what a code by SMS may be answered when it is wrong or too late.
func codeAnswers() (told, judged []string) {
	judged = []string{"409 VERIFICATION_CODE_INVALID", "409 ONE_CHALLENGE_LIMIT_REMAINING"}
	return append(judged, "409 CHALLENGE_LIMIT_EXCEEDED"), judged
}

// guessStepUps begins a step-up or a confirmation in each of forty sessions, and one of each in two more, whose codes are known.
func guessStepUps(t *testing.T, near *node, p person) guesses {
	var g guesses
	g.told, g.judged = codeAnswers()
	begin := func(i int) func(on *node, code string) answer {
		token := near.token(t, p)
		if i%2 == 0 {
			near.multi(t, "POST", "/stepup/challenges/otp/SMS", token, nil).expect(t, "send", "204")
			return func(on *node, code string) answer {
				return on.multi(t, "POST", "/stepup/challenges/otp/SMS/verify", token, object{"verificationCode": code})
			}
		}
		payment := fmt.Sprint(100 + i)
		near.pay(t, payment)
		body := object{"resourceType": "sends", "resourceIds": []string{payment}}
		id := near.multi(t, "POST", "/challenges/otp/SMS", token, body).expect(t, "ask", "200").field("scaChallengeId")
		return func(on *node, code string) answer {
			return on.multi(t, "POST", "/challenges/"+id+"/otp/SMS/verify", token, object{"verificationCode": code, "resourceType": "sends"})
		}
	}
	var all []func(*node, string) answer
	for i := range guessers {
		all = append(all, begin(i))
	}
	g.wrong = func(i int, on *node) answer { return all[i](on, "000000") }
	for i := range 2 {
		known := begin(guessers + i)
		code := near.latestCode(t, p.phone())
		g.right = append(g.right, func(on *node) answer { return known(on, code) })
	}
	return g
}

func guessBindings(t *testing.T, near *node, p person) guesses {
	var g guesses
	g.told, g.judged = codeAnswers()
	tokens := make([]string, guessers+1)
	for i := range tokens {
		tokens[i] = near.token(t, p)
		near.multi(t, "POST", "/authentication_factors/otp/SMS", tokens[i], nil).expect(t, "send", "204")
	}
	code := near.latestCode(t, p.phone())
	verify := func(on *node, token, code string) answer {
		return on.multi(t, "POST", "/authentication_factors/otp/SMS/verify", token, object{"verificationCode": code})
	}
	g.wrong = func(i int, on *node) answer { return verify(on, tokens[i], "000000") }
	g.right = []func(*node) answer{func(on *node) answer { return verify(on, tokens[guessers], code) }}
	return g
}

// guessMail guesses at a recovery; its end after three wrong codes is told by nothing, so a new one is begun, and the guesses at that reach
// the limit of the person. It ends the verification of their address, too, of which nobody has guessed.
func guessMail(t *testing.T, near *node, p person) guesses {
	near.multi(t, "POST", "/consumers/verification/email/send", "", object{"email": p.email()}).expect(t, "send", "204")
	address := near.latestCode(t, p.email())
	resume := func(on *node, code string) answer {
		return on.multi(t, "POST", "/passwords/lost_password/resume", "", object{
			"nonce": code, "email": p.email(), "newPassword": object{"value": word(1)},
		})
	}
	start := func() string {
		near.multi(t, "POST", "/passwords/lost_password/start", "", object{"email": p.email()}).expect(t, "start", "204")
		return near.latestCode(t, p.email())
	}
	start()
	for range 3 {
		resume(near, "000000").expect(t, "wrong code", "409 INVALID_NONCE_OR_EMAIL")
	}
	code := start()
	return guesses{
		wrong: func(_ int, on *node) answer { return resume(on, "000000") },
		told:  []string{"409 INVALID_NONCE_OR_EMAIL", "409 VERIFICATION_CODE_INVALID"},
		right: []func(*node) answer{
			func(on *node) answer { return resume(on, code) },
			func(on *node) answer {
				return on.multi(t, "POST", "/consumers/verification/email/verify", "", object{"email": p.email(), "verificationCode": address})
			},
		},
	}
}

func guessInvites(t *testing.T, near *node, p person) guesses {
	near.multi(t, "POST", "/users/"+p.id()+"/invite", near.token(t, 12), nil).expect(t, "invite", "204")
	code := near.latestCode(t, p.email())
	call := func(on *node, what, code string) answer {
		body := object{"inviteCode": code}
		if what == "consume" {
			body["password"] = object{"value": word(1)}
		}
		return on.multi(t, "POST", fmt.Sprintf("/users/%s/invite/%s", p.id(), what), "", body)
	}
	return guesses{
		wrong: func(i int, on *node) answer { return call(on, []string{"validate", "consume"}[i/2%2], "000000") },
		told:  []string{"409 INVITE_OR_INVITE_CODE_INVALID"},
		right: []func(*node) answer{
			func(on *node) answer { return call(on, "validate", code) },
			func(on *node) answer { return call(on, "consume", code) },
		},
	}
}
