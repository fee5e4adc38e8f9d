package apitest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
)

// canaries are values that were each sent once, in one place of one call, and belong nowhere else.
type canaries struct {
	sent map[string]canary
	rand *rand.Rand

	known int // of sent, in spelt
	spelt map[string]spelling
}

// canary says where a value was sent.
type canary struct {
	where  string
	secret bool // what stands there is a secret: nobody keeps it, and no message and no webhook has it
}

// secretPlace are the members and headers that hold secrets.
var secretPlace = regexp.MustCompile(`(?i)(^(value|nonce|code|pin|salt|proof|answer|ticket|api-key|authorization|programme-key)$|password|passcode|token|secret|verificationCode|inviteCode|assertion|otp)`)

// at makes a value for a place. It looks like a word, so that it passes where any text does.
func (c *canaries) at(where, member string) string {
	text := "Canary7!"
	for range 16 {
		text += string(rune('a' + c.rand.IntN(26)))
	}
	c.sent[text] = canary{where + " " + member, secretPlace.MatchString(member)}
	return text
}

// bodies are a body with one of its values after the other replaced, and with all of them: by a text, whatever the type was.
func (c *canaries) bodies(where string, body []byte) [][]byte {
	if body == nil {
		return nil
	}
	var places []string // of the values, in the order in which the walk comes to them
	replace := func(which int) []byte {
		var v any
		if json.Unmarshal(body, &v) != nil {
			return body
		}
		places = places[:0]
		text, err := json.Marshal(c.replace(where, "", v, which, &places))
		if err != nil {
			panic(err)
		}
		return text
	}
	all := [][]byte{replace(-1)}
	for i := range len(places) {
		all = append(all, replace(i))
	}
	quoted := fmt.Sprintf("%q", c.at(where, "body"))
	return append(all, []byte(quoted), []byte(`{"`+c.at(where, "name")+`":1}`), []byte(`{"x":"`+c.at(where, "broken JSON")),
		[]byte(c.at(where, "no JSON")), slices.Concat(body, []byte(c.at(where, "behind the body"))))
}

// replace puts a canary in the place of the value of a number, or of every one for -1.
func (c *canaries) replace(where, member string, v any, which int, places *[]string) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			out[name] = c.replace(where, name, v[name], which, places)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = c.replace(where, member, v[i], which, places)
		}
		return out
	}
	*places = append(*places, member)
	if which == -1 || which == len(*places)-1 {
		return c.at(where, member)
	}
	return v
}

// spelled finds what a canary looks like wherever it stands: as it is, in hex, escaped for a URL, or in base64.
var spelled = regexp.MustCompile(`Canary7!\w{16}|43616e6172793721[0-9a-f]{32}|Canary7%21\w{16}|Q2FuYXJ5Ny[0-9A-Za-z+/]{14}`)

// spellings are all that was sent, in each of its spellings.
func (c *canaries) spellings() map[string]spelling {
	if c.known == len(c.sent) {
		return c.spelt
	}
	c.known, c.spelt = len(c.sent), make(map[string]spelling)
	for value, of := range c.sent {
		for how, form := range map[string]string{
			"as it is": value, "in hex": hex.EncodeToString([]byte(value)), "escaped": url.QueryEscape(value),
			"in base64": base64.RawStdEncoding.EncodeToString([]byte(value))[:24],
		} {
			c.spelt[form] = spelling{of, how}
		}
	}
	return c.spelt
}

// spelling is a canary and how it is spelled.
type spelling struct {
	canary
	how string
}

// found are the canaries of which a text has one, as it is or in another spelling.
func (c *canaries) found(text []byte, secretsOnly bool) []string {
	all := make(map[string]bool)
	for _, form := range spelled.FindAll(text, -1) {
		if of, ok := c.spellings()[string(form)]; ok && (of.secret || !secretsOnly) {
			all[of.where+", "+of.how] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// checkSpellings makes sure that a canary is found in each of its spellings.
func (a *aviary) checkSpellings() {
	a.t.Helper()
	c := &canaries{sent: make(map[string]canary), rand: a.rand}
	value := c.at("POST /", "password")
	for _, text := range []string{
		value, "\\x00" + hex.EncodeToString([]byte(value)) + "00", "?a=" + url.QueryEscape(value), base64.StdEncoding.EncodeToString([]byte(value)),
	} {
		if len(c.found([]byte("a "+text+" b"), true)) != 1 {
			a.t.Fatalf("%s is not found", text)
		}
	}
}
