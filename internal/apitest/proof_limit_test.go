package apitest

import (
	"fmt"
	"testing"
	"time"
)

// forgers are the headers that a client may name itself by, each with another address in every request.
func forgers(i int) []string {
	address := fmt.Sprintf("198.51.%d.%d", i/250, i%250+1)
	return []string{
		"X-Forwarded-For", address, "Forwarded", "for=" + address, "X-Real-IP", address, "True-Client-IP", address, "CF-Connecting-IP", address,
	}
}

func TestForgedAddressesAreOneSource(t *testing.T) { // A-024 B-08
	on := dial(t, Start(t, Options{Config: "\n", Seed: people(t, 1, "")}), crowdSize)
	proveOneSource(t, on, forgers)
}

func TestForgedHopsAreOneSource(t *testing.T) { // A-024 B-08
	on := dial(t, Start(t, Options{Config: "trusted_proxies: [127.0.0.1]\n", Seed: people(t, 1, "")}), crowdSize)
	proveOneSource(t, on, func(i int) []string {
		headers := forgers(i)
		headers[1] += ", 192.0.2.1" // what the proxy adds to the client's own claim
		return headers
	})
	a := on.login(t, ways[0], person(1).email(), rightWord, "X-Forwarded-For", "192.0.2.1, 192.0.2.2")
	if got := ways[0].verdict(a); got != admitted {
		t.Errorf("right password from another source: %s, want %s", got, admitted)
	}
}

// proveOneSource sends 1,000 wrong logins at as many accounts, with other headers each. They are one source: sixty and one more for each
// second are looked at.
func proveOneSource(t *testing.T, on *node, headers func(i int) []string) {
	begun := time.Now()
	got := crowd(t, []*node{on}, 1000, func(i int, on *node) verdict {
		w := ways[i%2]
		return w.verdict(on.login(t, w, person(1000+i).email(), wrongWord, headers(i)...))
	})
	t.Logf("answers: %v", got)
	got.only(t, refused, throttled)
	if most := 61 + int(time.Since(begun)/time.Second); got[refused] < 60 || got[refused] > most {
		t.Errorf("%d of 1000 guesses were looked at, want 60 to %d", got[refused], most)
	}
	if scope := on.Metric(t, `countersign_throttled_total{scope="address"}`); scope != float64(got[throttled]) {
		t.Errorf("%v were counted as throttled, want %d", scope, got[throttled])
	}
}
