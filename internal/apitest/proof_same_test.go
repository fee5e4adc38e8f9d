package apitest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// state is an account that a stranger must not be able to tell from the others.
type state struct {
	name string
	person
	password string // entry in the seed file
	more     string
}

// states are the accounts of the matrix; one that does not exist is among them.
func states(t testing.TB) []state {
	t.Helper()
	old, err := bcrypt.GenerateFromPassword([]byte(rightWord), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	salt := []byte("salt of 16 bytes")
	b64 := base64.RawStdEncoding.EncodeToString
	cheap := fmt.Sprintf("$argon2id$v=19$m=4096,t=1,p=1$%s$%s", b64(salt), b64(argon2.IDKey([]byte(rightWord), salt, 1, 4096, 1, 32)))
	value := fmt.Sprintf("value: %q", rightWord)
	return []state{
		{"known", 1, value, ""},
		{"without a password", 2, "", ""},
		{"suspended", 3, value, ", suspended: true"},
		{"expired", 4, value + ", expired: true", ""},
		{"temporary", 5, value + ", temporary: true", ""},
		{"bcrypt", 6, fmt.Sprintf("hash: %q", old), ""},
		{"cheaper Argon2id", 7, fmt.Sprintf("hash: %q", cheap), ""},
		{"unknown", 999, "", ""},
	}
}

func matrix(t testing.TB, all []state, settings string) string {
	t.Helper()
	seed := proofSeed(settings)
	for _, s := range all {
		if s.name != "unknown" {
			seed += s.entry(s.password, s.more)
		}
	}
	return writeSeed(t, seed)
}

// wire is all of an answer that a stranger sees, without what differs between any two requests.
func (a answer) wire() string {
	var b strings.Builder
	fmt.Fprintln(&b, a.status)
	for _, name := range slices.Sorted(maps.Keys(a.header)) {
		if name != "Date" && name != "Request-Ref" {
			fmt.Fprintln(&b, name, a.header[name])
		}
	}
	if a.header.Get("Request-Ref") != "" {
		fmt.Fprintln(&b, "Request-Ref")
	}
	return b.String() + string(a.body)
}

// probe asks by both contracts for every state and reports any that does not look or cost like the unknown account.
func probe(t *testing.T, on *node, all []state, password string, work float64) {
	t.Helper()
	for _, w := range ways[:2] {
		unknown := on.login(t, w, person(998).email(), password)
		if got := w.verdict(unknown); got != refused {
			t.Fatalf("unknown by %v: %s", w, got)
		}
		for _, s := range all {
			before, start := count(t, []*node{on}), time.Now()
			a := on.login(t, w, s.email(), password)
			took := time.Since(start)
			cost := count(t, []*node{on}).since(before)
			t.Logf("%-20s %-5s %v hashes, %.1f ms", s.name, w.api, cost.verified+cost.decoys, took.Seconds()*1000)
			if got, want := a.wire(), unknown.wire(); got != want {
				t.Errorf("%s by %v:\n%s\nwant as for the unknown:\n%s", s.name, w, got, want)
			}
			if cost.verified+cost.decoys != work {
				t.Errorf("%s by %v cost %+v, want %v hashes", s.name, w, cost, work)
			}
		}
	}
}

// awaitKeys returns when the server has made all its signing keys: from then on nothing but the test has it look at the shapes of hashes
// anew.
func (n *node) awaitKeys(t *testing.T) {
	t.Helper()
	await(t, "signing keys", func() bool {
		keys := n.call(t, "GET", "/cis/oidc/jwks", nil).body
		return bytes.Contains(keys, []byte("ES256")) && bytes.Contains(keys, []byte("RS256"))
	})
}

func TestStatesLookAndCostTheSame(t *testing.T) { // A-028 A-029 B-10 B-11 B-12
	all, data := states(t), filepath.Join(t.TempDir(), "test.db")
	seed := matrix(t, all, "rate_limits: false, lockout: {failures: 100}")
	serve := func(config string) *node {
		on := dial(t, Start(t, Options{Data: data, Config: config, Seed: seed}), crowdSize)
		on.awaitKeys(t)
		return on
	}
	on := serve("\n")
	probe(t, on, all, wrongWord, 3)
	suspended := slices.DeleteFunc(slices.Clone(all), func(s state) bool { return s.name != "suspended" })
	probe(t, on, suspended, rightWord, 3)
	if err := on.Stop(t); err != nil {
		t.Fatal(err)
	}

	on = serve("hash: {memory_kib: 24576, passes: 2}\n") // the cost was raised, and every hash is an old one
	probe(t, on, all, wrongWord, 4)
	probe(t, on, suspended, rightWord, 4)
	for _, s := range all {
		if s.name != "known" && s.name != "bcrypt" {
			continue
		}
		if got := ways[0].verdict(on.login(t, ways[0], s.email(), rightWord)); got != admitted {
			t.Errorf("right password of %s: %s", s.name, got)
		}
	}
	probe(t, on, all, wrongWord, 3) // and now some are new, and none is bcrypt's
	if err := on.Stop(t); err != nil {
		t.Fatal(err)
	}
	probe(t, serve("hash: {memory_kib: 24576, passes: 2}\n"), all, wrongWord, 3)
}

func TestLocksLookTheSame(t *testing.T) { // A-018 A-028 B-12
	all := states(t)
	on := serveOne(t, matrix(t, all, "rate_limits: false"))[0]
	retry := regexp.MustCompile(`Retry-After \[(1[78]\d\d)\]`) // counts down from 1800
	want := make(map[way]string)
	for _, s := range slices.Backward(all) { // the unknown one is the first, and the measure of the others
		for i := range 5 {
			w := ways[i%2]
			if got := w.verdict(on.login(t, w, s.email(), wrongWord)); got != refused {
				t.Errorf("wrong password %d of %s: %s", i+1, s.name, got)
			}
		}
		before := count(t, []*node{on})
		for _, w := range ways[:2] {
			for _, password := range []string{wrongWord, rightWord} {
				a := on.login(t, w, s.email(), password)
				if got := w.verdict(a); got != held {
					t.Errorf("%s by %v during the lock: %s, want %s", s.name, w, got, held)
				}
				got := retry.ReplaceAllString(a.wire(), "Retry-After")
				if want[w] == "" {
					want[w] = got
				}
				if got != want[w] || !retry.MatchString(a.wire()) {
					t.Errorf("lock of %s by %v:\n%s\nwant as for the unknown:\n%s", s.name, w, a.wire(), want[w])
				}
			}
		}
		if cost := count(t, []*node{on}).since(before); cost != (hashes{}) {
			t.Errorf("logins of %s during the lock cost %+v, want nothing", s.name, cost)
		}
	}
}
