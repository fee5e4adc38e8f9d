package jose_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"countersign/internal/jose"
)

// TestRememberedTokenIsCheckedAnew: what was good for one caller, at one time, is good for no other (B-38).
func TestRememberedTokenIsCheckedAnew(t *testing.T) {
	k := fixedKey(t)
	set := jose.NewSet(k.Public()).Remembering(8)
	token := sign(t, k, claims())
	accept(t, "the first time", set, token, want())
	if n := testing.AllocsPerRun(10, func() { set.Verify(token, want()) }); n > 20 { // go-jose alone takes more to parse it
		t.Errorf("a token that is remembered takes %v allocations", n)
	}
	for name, change := range map[string]func(*jose.Want){
		"typ is not wanted": func(w *jose.Want) { w.Typ = []string{"JWT"} },
		"iss is not wanted": func(w *jose.Want) { w.Issuer = "https://other.example" },
		"aud is not wanted": func(w *jose.Want) { w.Audience = "other" },
		"iat is missing or in the future": func(w *jose.Want) {
			w.Now = now.Add(-time.Hour)
		},
	} {
		w := want()
		change(&w)
		refuse(t, name, set, token, w, name)
	}
	late := want()
	late.Now = now.Add(10 * time.Minute)
	if _, err := set.Verify(token, late); !errors.Is(err, jose.ErrExpired) {
		t.Errorf("at its end: got %v, want ErrExpired", err)
	}
	if _, err := set.Verify(token, jose.Want{}); err == nil {
		t.Error("a Want that wants nothing accepts it")
	}
	accept(t, "once more", set, token, want())
}

// TestForgeryOfRememberedToken alters each character of a token that is remembered.
func TestForgeryOfRememberedToken(t *testing.T) {
	k := fixedKey(t)
	set := jose.NewSet(k.Public()).Remembering(8)
	token := sign(t, k, claims())
	accept(t, "the token", set, token, want())
	for i := range token {
		forged := []byte(token)
		forged[i] ^= 1
		refuse(t, fmt.Sprint("altered at ", i), set, string(forged), want(), "")
	}
	refuse(t, "longer", set, token+"A", want(), "")
	other := jose.NewSet().Remembering(8)
	refuse(t, "another set", other, token, want(), "unknown kid")
}

// TestForeignTokenIsNotRemembered: one that passed without a kid, where that is let pass, does not pass elsewhere.
func TestForeignTokenIsNotRemembered(t *testing.T) {
	k := fixedKey(t)
	set := jose.NewSet(k.Public()).Remembering(8)
	token := signRaw(t, k, `{"alg":"EdDSA","typ":"at+jwt"}`, fmt.Sprintf(`{"iss":%q,"aud":%q,"iat":%d,"exp":%d}`,
		issuer, audience, now.Unix(), now.Add(time.Minute).Unix()))
	foreign := want()
	foreign.Foreign = true
	accept(t, "foreign", set, token, foreign)
	refuse(t, "not foreign", set, token, want(), "no kid")
}

// TestMemoryIsBounded has several callers bring more tokens than are remembered: all are accepted, and the first are forgotten.
func TestMemoryIsBounded(t *testing.T) {
	const size, many = 8, 64
	k := fixedKey(t)
	set := jose.NewSet(k.Public()).Remembering(size)
	tokens := make([]string, many)
	for i := range tokens {
		tokens[i] = sign(t, k, changed(jose.Claims{"sub": fmt.Sprint(i)}))
	}
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for _, token := range tokens {
				accept(t, "one of many", set, token, want())
			}
		})
	}
	callers.Wait()
	if n := set.Remembered(); n < size || n > 2*size {
		t.Errorf("%d of %d tokens are remembered, want %d to %d", n, many, size, 2*size)
	}
	accept(t, "the first", set, tokens[0], want())
}
