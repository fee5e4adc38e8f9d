package apitest

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/http/httpguts"
)

func TestAlteredTokensAreRefused(t *testing.T) { // A-033 B-28
	on := serveOne(t, people(t, 1, ""))[0]
	g := on.grantsOf(t, 1, rightWord)
	for _, kind := range []struct {
		name, token string
		use         func(token string) answer
	}{
		{"bearer", g.token, func(s string) answer { return on.multi(t, "GET", "/identities", s, nil) }},
		{"client", on.client, func(s string) answer {
			return on.call(t, "POST", "/cis/v1/auth/session/authenticate", object{"session_id": g.session}, "Authorization", "Bearer "+s)
		}},
		{"refresh", g.refresh, func(s string) answer { return on.cis(t, "/auth/token/refresh", object{"refresh_token": s}) }},
	} {
		head, last := "", kind.token // of a token of several parts the last one is enough here: package jose alters them all
		if i := strings.LastIndexByte(last, '.') + 1; i > 0 {
			head, last = last[:i], last[i:]
		}
		altered := alterations(last)
		tried := 0
		for _, token := range altered {
			token = head + token
			if kind.name != "refresh" && (!httpguts.ValidHeaderFieldValue(token) || strings.TrimSpace(token) != token) {
				continue // cannot be sent in a header, or arrives without its blanks
			}
			tried++
			switch a := kind.use(token); {
			case a.status == http.StatusUnauthorized:
			case kind.name == "refresh" && a.status == http.StatusBadRequest: // not even a text that a refresh token could be
			default:
				t.Errorf("%s token altered to %q: %v", kind.name, token, a)
			}
		}
		t.Logf("%d altered %s tokens", tried, kind.name)
		if a := kind.use(kind.token); a.status != http.StatusOK {
			t.Errorf("the %s token itself: %v", kind.name, a)
		}
	}
}

// alterations are every flip of one bit of a token in base64, every prefix, every letter in its other case, and what could be
// held for another spelling of it.
func alterations(token string) []string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var all []string
	text := []byte(token)
	put := func(i int, c byte) {
		old := text[i]
		text[i] = c
		all = append(all, string(text))
		text[i] = old
	}
	for i, c := range text {
		if n := strings.IndexByte(alphabet, c); n >= 0 {
			for bit := range 6 { // of the bytes, and in the last letter of a part also of what no byte holds
				put(i, alphabet[n^1<<bit])
			}
		}
		for bit := range 8 { // of the text
			put(i, c^1<<bit)
		}
		if r := rune(c); unicode.IsLower(r) {
			put(i, byte(unicode.ToUpper(r)))
		} else if unicode.IsUpper(r) {
			put(i, byte(unicode.ToLower(r)))
		}
		all = append(all, token[:i])
	}
	standard := strings.NewReplacer("-", "+", "_", "/").Replace(token)
	if standard != token {
		all = append(all, standard)
	}
	if raw, err := base64.RawURLEncoding.DecodeString(token); err == nil {
		all = append(all, string(raw))
	}
	return append(all, strings.ToUpper(token), strings.ToLower(token), token+"A", token+"AAAA", token+"=", token+"==", token+".", "."+token,
		token+"\x00", token+"\n", token+" ", " "+token, token+"%20", token+token, token+","+token, `"`+token+`"`)
}
