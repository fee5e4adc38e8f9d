package apitest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// bearers writes a seed file with n persons who can step up by code and by device, and returns its path.
func bearers(t testing.TB, n int, settings string) string {
	t.Helper()
	seed := proofSeed(settings)
	for p := range person(n) {
		seed += (p + 1).entry(fmt.Sprintf("value: %q", rightWord), ", authenticators: [{kind: sms}, {kind: device, channel: BIOMETRIC}]")
	}
	return writeSeed(t, seed)
}

// token logs the person in on /multi.
func (n *node) token(t testing.TB, p person) string {
	t.Helper()
	a := n.login(t, ways[0], p.email(), rightWord)
	if a.field("token") == "" {
		t.Fatalf("login of %s: %v", p.email(), a)
	}
	return a.field("token")
}

const (
	pushStepUp = "/multi/stepup/challenges/push/BIOMETRIC"
	codeStepUp = "/multi/stepup/challenges/otp/SMS"
	codeVerify = "/multi/stepup/challenges/otp/SMS/verify"
)

// once calls /multi under an idempotency-ref.
func (n *node) once(t testing.TB, path, token, ref string, body any) answer {
	return n.call(t, "POST", path, body, "api-key", proofKey, "Authorization", "Bearer "+token, "idempotency-ref", ref)
}

// said is an answer without what names the call.
func (a answer) said() string { return fmt.Sprintf("%d %s", a.status, a.body) }

func TestParallelCallsOfOneRefTakeEffectOnce(t *testing.T) { // C-08
	proveOnceInParallel(t, serveOne(t, bearers(t, 2, "")))
}

// proveOnceInParallel sends 30 calls of one idempotency-ref at once: all are answered alike, and they take effect once.
func proveOnceInParallel(t *testing.T, nodes []*node) {
	alike := func(p person, path, ref string, body any, status int, holds string) {
		t.Helper()
		token := nodes[0].token(t, p)
		if path == codeVerify {
			if a := nodes[0].once(t, codeStepUp, token, ref, nil); a.status != http.StatusNoContent {
				t.Fatalf("send a code: %v", a)
			}
		}
		got := crowd(t, nodes, 30, func(_ int, on *node) verdict { return verdict(on.once(t, path, token, ref, body).said()) })
		if len(got) != 1 {
			t.Errorf("%s: got %v, want 30 answers alike", path, got)
		}
		for v := range got {
			if !strings.HasPrefix(string(v), fmt.Sprint(status)) || !strings.Contains(string(v), holds) {
				t.Errorf("%s: got %s, want %d with %s", path, v, status, holds)
			}
		}
		next := nodes[0].once(t, path, token, ref+" next", body)
		if path == pushStepUp && next.field("errorCode") != "STATE_INVALID" { // one is in flight
			t.Errorf("another ref: %v", next)
		}
		if path == codeVerify && next.field("errorCode") != "ONE_CHALLENGE_LIMIT_REMAINING" { // one failure was counted, and this is the second
			t.Errorf("another wrong code: %v", next)
		}
	}
	alike(1, pushStepUp, "push", nil, http.StatusOK, `"id":`)
	alike(2, codeVerify, "wrong code", object{"verificationCode": "000000"}, http.StatusConflict, "VERIFICATION_CODE_INVALID")
}

func TestKillLosesNoAnswer(t *testing.T) { // A-052 C-03 C-08
	proveKillLosesNoAnswer(t, filepath.Join(t.TempDir(), "test.db"))
}

// proveKillLosesNoAnswer kills the server as soon as the first byte of an answer has left it: that call is committed and its caller knows
// nothing, and others are anywhere on their way. All of them are made again with the next server, and again.
func proveKillLosesNoAnswer(t *testing.T, data string) {
	const rounds, callers = 3, 8
	seed := bearers(t, rounds*callers, "rate_limits: false")
	on := life(t, data, seed)
	for round := range rounds {
		people := make([]person, callers)
		tokens := make([]string, callers)
		for i := range people {
			people[i] = person(round*callers + i + 1)
			tokens[i] = on.token(t, people[i])
		}
		var calls sync.WaitGroup
		for i := range people {
			calls.Go(func() {
				if on.firstByte(pushStepUp, tokens[i], people[i].email()) == nil {
					on.Kill()
				}
			})
		}
		calls.Wait()
		on = life(t, data, seed)
		for i, p := range people {
			first := on.once(t, pushStepUp, tokens[i], p.email(), nil)
			again := on.once(t, pushStepUp, tokens[i], p.email(), nil)
			if first.status != http.StatusOK || first.said() != again.said() {
				t.Errorf("round %d: the call of %s again: %v, and again: %v", round, p.email(), first, again)
			}
			if got := on.pushed(t, p); got != 1 {
				t.Errorf("round %d: %s was asked %d times, want once", round, p.email(), got)
			}
			if next := on.once(t, pushStepUp, tokens[i], "next", nil); next.field("errorCode") != "STATE_INVALID" { // that one is in flight
				t.Errorf("round %d: another call of %s: %v", round, p.email(), next)
			}
		}
	}
}

// firstByte makes a call and returns as soon as an answer begins.
func (n *node) firstByte(path, token, ref string) error {
	c, err := net.Dial("tcp", strings.TrimPrefix(n.URL, "http://"))
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\napi-key: %s\r\nAuthorization: Bearer %s\r\nidempotency-ref: %s\r\nContent-Length: 0\r\n\r\n",
		path, proofKey, token, ref)
	if err != nil {
		return err
	}
	_, err = bufio.NewReader(c).ReadByte()
	return err
}

// pushed is how often the sandbox has asked the person on their device.
func (n *node) pushed(t testing.TB, p person) int {
	t.Helper()
	a := n.call(t, "GET", "/sandbox/inbox?to="+url.QueryEscape(p.id()), nil)
	var all []struct{ Channel string }
	if err := json.Unmarshal(a.body, &all); err != nil {
		t.Fatalf("inbox of %s: %v", p.id(), a)
	}
	return len(all)
}
