package oidc

import (
	"embed"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"countersign/internal/auth"
)

//go:embed locale/*.json
var locales embed.FS

// fallback is the language of whoever wants none that there is.
const fallback = "en"

// words are the texts of the pages in one language: each file in locale is one, and names it.
type words struct {
	tag   string // as in RFC 5646
	texts map[string]string
}

// readWords reads every language. It panics on a file that is not one, which no build of ours has.
func readWords() map[string]words {
	all := map[string]words{}
	entries, err := locales.ReadDir("locale")
	for _, e := range entries {
		w := words{tag: strings.TrimSuffix(e.Name(), path.Ext(e.Name()))}
		var text []byte
		if text, err = locales.ReadFile("locale/" + e.Name()); err == nil {
			err = json.Unmarshal(text, &w.texts)
		}
		if err != nil {
			break
		}
		all[w.tag] = w
	}
	if err != nil || len(all) == 0 {
		panic(fmt.Sprintf("oidc: read the words of the pages: %v", err))
	}
	return all
}

// languages lists what ui_locales may ask for, in order.
func (p pages) languages() []string {
	var tags []string
	for tag := range p.words {
		tags = append(tags, tag)
	}
	slices.Sort(tags)
	return tags
}

// speak chooses a language: the first that is there of those that the client asks for (OIDC Core §3.1.2.1), and then of those that the
// browser does.
func (p pages) speak(asked []string, r *http.Request) words {
	for _, tag := range append(slices.Clone(asked), accepted(r.Header.Get("Accept-Language"))...) {
		language, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if w, there := p.words[language]; there {
			return w
		}
	}
	return p.words[fallback]
}

// maxLanguages bounds how much of Accept-Language is looked at.
const maxLanguages = 20

// accepted lists the languages of Accept-Language, the best first (RFC 9110 §12.5.4).
func accepted(header string) []string {
	type choice struct {
		tag     string
		quality float64
	}
	var all []choice
	for _, part := range strings.SplitN(header, ",", maxLanguages) {
		tag, rest, _ := strings.Cut(strings.TrimSpace(part), ";")
		c := choice{strings.TrimSpace(tag), 1}
		if q, found := strings.CutPrefix(strings.TrimSpace(rest), "q="); found {
			quality, err := strconv.ParseFloat(q, 64)
			if err != nil {
				continue
			}
			c.quality = quality
		}
		if c.quality > 0 {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b choice) int {
		switch {
		case a.quality > b.quality:
			return -1
		case a.quality < b.quality:
			return 1
		}
		return 0
	})
	tags := make([]string, len(all))
	for i, c := range all {
		tags[i] = c.tag
	}
	return tags
}

// Tag names the language, for the page.
func (w words) Tag() string { return w.tag }

// Say returns a text with what it mentions; the template calls it.
func (w words) Say(key string, args ...any) string {
	if len(args) == 0 {
		return w.texts[key]
	}
	return fmt.Sprintf(w.texts[key], args...)
}

// why says why what was typed did not hold. Whatever would tell that an account exists says the same as a wrong password.
func (w words) why(no *auth.Error) string {
	switch no.Code {
	case auth.CodeLocked, auth.CodeChallengeLimit:
		return w.Say("locked", w.wait(no.RetryAfter))
	case auth.CodeBusy, auth.CodeThrottled, auth.CodeOverloaded, auth.CodeMaintenance:
		return w.Say("busy", w.wait(no.RetryAfter))
	case auth.CodeTooSoon:
		return w.Say("too_soon", w.wait(no.RetryAfter))
	case auth.CodePasswordExpired, auth.CodePasswordTemp:
		return w.Say("replace_password")
	case auth.CodeChannelUnsupported:
		return w.Say("no_passwords")
	case auth.CodeWrongOTP:
		return w.Say("wrong_code")
	case auth.CodeOneTryLeft:
		return w.Say("one_try")
	case auth.CodeOTPExpired, auth.CodeNoChallenge:
		return w.Say("old_code")
	case auth.CodeSessionNotFound:
		return w.Say("session_ended")
	}
	return w.Say("wrong_login")
}

// wait is a time as people say it, rounded up.
func (w words) wait(d time.Duration) string {
	switch {
	case d <= time.Minute:
		return w.Say("a_minute")
	case d <= 2*time.Hour:
		return w.Say("minutes", int((d+time.Minute-1)/time.Minute))
	}
	return w.Say("hours", int((d+time.Hour-1)/time.Hour))
}

// days is a time in days, rounded up.
func (w words) days(d time.Duration) string {
	if d <= 24*time.Hour {
		return w.Say("a_day")
	}
	return w.Say("days", int((d+24*time.Hour-1)/(24*time.Hour)))
}

// scopes says what scopes allow.
func (w words) scopes(scopes []string) []string {
	var all []string
	for _, s := range scopes {
		if text := w.texts["scope_"+s]; text != "" {
			all = append(all, text)
		}
	}
	return all
}
