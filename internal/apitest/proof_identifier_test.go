package apitest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// spelt is an identifier of the victim, spelt in some way.
type spelt struct {
	way
	text string
	own  bool // it is the victim's by the rules: ASCII case and composed accents are one
}

// The victim of the spelling proofs has an accent in every part that may have one. The strings are escaped where they look alike.
const (
	speltEmail    = "jos\u00e9.strasse@example.com"
	speltUsername = "jos\u00e9.kirk"
	speltPhone    = "+35699222222"
	speltID       = "5100"
)

// spellings is the corpus of B-03 and B-51: what a guesser tries who hopes to be counted as somebody else, or taken for them.
func spellings() []spelt {
	emails := map[string]bool{
		speltEmail: true, "JOS\u00e9.STRASSE@EXAMPLE.COM": true, "Jos\u00e9.Strasse@Example.Com": true,
		"jose\u0301.strasse@example.com": true, "JOSe\u0301.strasse@example.COM": true, // NFD
		"JOSE\u0301.strasse@example.com": false, // composed first, and then no ASCII letter
		"JOS\u00c9.STRASSE@example.com":  false, "jose.strasse@example.com": false, "jos\u00e9.stra\u00dfe@example.com": false,
		"jos\u00e9.\u017ftrasse@example.com": false, "jos\u00e9.stra\u017f\u017fe@example.com": false,
		" " + speltEmail: false, speltEmail + " ": false, "jos\u00e9.strasse @example.com": false, "jos\u00e9. strasse@example.com": false,
		"\t" + speltEmail: false, speltEmail + "\n": false, speltEmail + "\u00a0": false,
		speltEmail + "\u200b": false, "jos\u00e9\u200d.strasse@example.com": false, "\ufeff" + speltEmail: false,
		"jos\u00e9\u00ad.strasse@example.com": false, "\u202ejos\u00e9.strasse@example.com": false,
		"jos\u00e9.strasse@\uff45xample.com": false, "\uff4aos\u00e9.strasse@example.com": false, "jos\u00e9.strasse\uff20example.com": false,
		"jos\u00e9.strasse+tag@example.com": false, "jos\u00e9.strasse+@example.com": false, "jos\u00e9strasse@example.com": false,
		"jos\u00e9.strasse@example.com.": false, "jos\u00e9.strasse@.example.com": false, "jos\u00e9.strasse@example..com": false,
		"jos\u00e9.strasse.@example.com": false, ".jos\u00e9.strasse@example.com": false, "jos\u00e9.strasse@example\u3002com": false,
		"jos%C3%A9.strasse@example.com": false, "jos\u00e9.strasse%40example.com": false, `"jos` + "\u00e9" + `.strasse"@example.com`: false,
		"jos\u00e9.strasse(x)@example.com": false, "<" + speltEmail + ">": false, "mailto:" + speltEmail: false,
		speltEmail + "@example.com": false, "a@" + speltEmail: false, speltEmail + "," + speltEmail: false,
		"j\u043es\u00e9.strasse@example.com": false, "jos\u00e9.strasse@ex\u0430mple.com": false, // Cyrillic o, a
		"jos\u00e9.strasse@examp\u2113e.com": false, "jos\u00e9.strasse@example.co\u1d0d": false,
	}
	usernames := map[string]bool{
		speltUsername: true, "JOS\u00e9.KIRK": true, "jose\u0301.kirk": true, "Jose\u0301.Kirk": true,
		"jos\u00c9.kirk": false, "jos\u00e9.\u212airk": false, "jos\u00e9.k\u0131rk": false, "jos\u00e9.K\u0130RK": false, "jose.kirk": false,
		" " + speltUsername: false, speltUsername + " ": false, speltUsername + "\u200d": false, speltUsername + ".": false,
		"\uff4aos\u00e9.kirk": false, "jos\u00e9\u2024kirk": false, "jos%C3%A9.kirk": false, "j\u03bfs\u00e9.kirk": false,
		"jos\u00e9.kir\u03ba": false, speltUsername + "\u0301": false, speltUsername + "\ufe0f": false,
	}
	phones := map[string]bool{
		speltPhone: true, "35699222222": false, "0035699222222": false, "+356 99222222": false, "+356-99222222": false, "tel:" + speltPhone: false,
		"\uff0b35699222222": false, "+\u0663\u0665\u066699222222": false, speltPhone + " ": false, "+035699222222": false,
		speltPhone + ";ext=1": false, "%2B35699222222": false,
	}
	ids := map[string]bool{speltID: true, "05100": false, "+5100": false, "5100 ": false, "5.1e3": false, "\uff15100": false, "0x13ec": false}
	var all []spelt
	for text, own := range emails {
		all = append(all, spelt{ways[0], text, own}, spelt{ways[1], text, own})
	}
	for i, texts := range []map[string]bool{usernames, phones, ids} {
		for text, own := range texts {
			all = append(all, spelt{ways[i+2], text, own})
		}
	}
	// What is another kind's is not this one's.
	all = append(all, spelt{ways[2], speltEmail, false}, spelt{ways[2], speltPhone, false}, spelt{ways[2], speltID, false},
		spelt{ways[1], speltUsername, false}, spelt{ways[3], speltID, false}, spelt{ways[4], speltPhone, false})
	slices.SortFunc(all, func(a, b spelt) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return all
}

func serveSpelt(t *testing.T) *node {
	seed := proofSeed("rate_limits: false") + fmt.Sprintf("      - {id: %q, email: %q, username: %q, phone: %q, password: {value: %q}}\n",
		speltID, speltEmail, speltUsername, speltPhone, rightWord)
	return serveOne(t, writeSeed(t, seed))[0]
}

func TestSpellingsShareOneCounter(t *testing.T) { // A-015 A-016 B-03
	on := serveSpelt(t)
	corpus := spellings()
	before := count(t, []*node{on})
	got := crowd(t, []*node{on}, 2*len(corpus), func(i int, on *node) verdict {
		s := corpus[i%len(corpus)]
		return s.verdict(on.login(t, s.way, s.text, wrongWord))
	})
	t.Logf("%d spellings: %v", len(corpus), got)
	got.only(t, refused, held, malformed, throttled)
	if cost := count(t, []*node{on}).since(before); cost.verified != 5 {
		t.Errorf("guesses by %d spellings had %v hashes of the account computed, want 5", len(corpus), cost.verified)
	}
	for _, s := range corpus {
		if !s.own {
			continue
		}
		if got := s.verdict(on.login(t, s.way, s.text, rightWord)); got != held {
			t.Errorf("right password of %+q by %v: %s, want %s", s.text, s.way, got, held)
		}
	}
}

func TestSpellingsNeverReachAnotherAccount(t *testing.T) { // B-51 B-53
	on := serveSpelt(t)
	for _, s := range spellings() {
		want := refused
		if s.own {
			want = admitted
		}
		before := count(t, []*node{on})
		got := s.verdict(on.login(t, s.way, s.text, rightWord))
		if got != want && (s.own || got != malformed) {
			t.Errorf("right password of %+q by %v: %s, want %s", s.text, s.way, got, want)
		}
		if cost := count(t, []*node{on}).since(before); !s.own && cost.verified != 0 {
			t.Errorf("%+q by %v reached an account", s.text, s.way)
		}
	}
	for _, raw := range []string{"a\x00b@example.com", strings.Repeat("a", 400) + "@example.com", strings.Repeat("a", 65) + "@example.com"} {
		for _, w := range ways[:2] {
			if got := w.verdict(on.login(t, w, raw, wrongWord)); got != malformed {
				t.Errorf("%.20q by %v: %s, want %s", raw, w, got, malformed)
			}
		}
	}
}

func TestSpellingsCannotBeRegistered(t *testing.T) { // B-07 B-51
	on := serveSpelt(t)
	admin := on.clientToken(t, proofAdmin)
	create := func(field, value string) answer {
		return on.call(t, "POST", "/cis/v1/users", object{field: value}, "Authorization", "Bearer "+admin)
	}
	for _, c := range []struct {
		field, value string
		want         int
	}{
		{"email", "JOS\u00e9.Strasse@EXAMPLE.com", http.StatusConflict},
		{"email", "jose\u0301.strasse@example.com", http.StatusConflict},
		{"username", "JOS\u00e9.kirk", http.StatusConflict},
		{"phone_number", speltPhone, http.StatusConflict},
		{"email", "jos\u00e9.\u017ftrasse@example.com", http.StatusBadRequest},
		{"email", "\uff4aos\u00e9.strasse@example.com", http.StatusBadRequest},
		{"email", "jos\u00e9.strasse@exampl\uff45.com", http.StatusBadRequest},
		{"email", speltEmail + ".", http.StatusBadRequest},
		{"email", " " + speltEmail, http.StatusBadRequest},
		{"email", speltEmail + "\u200b", http.StatusBadRequest},
		{"username", "jos\u00e9.\u212airk", http.StatusBadRequest},
		{"username", "\ufb01ne", http.StatusBadRequest},
		{"username", speltUsername + "\u200d", http.StatusBadRequest},
		{"username", speltEmail, http.StatusBadRequest}, // somebody else's e-mail address
		{"username", speltPhone, http.StatusBadRequest},
	} {
		if a := create(c.field, c.value); a.status != c.want {
			t.Errorf("register %s %+q: %v, want %d", c.field, c.value, a, c.want)
		}
	}
}
