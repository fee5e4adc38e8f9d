package notify

import (
	"strings"
	"sync"
	"text/template"
	"time"
	"unicode"
	"unicode/utf8"

	"countersign/internal/auth"
)

// part is one text of a message: an SMS has one, an e-mail and a push two.
type part string

const (
	partSMS       part = "sms"
	partSubject   part = "email.subject"
	partBody      part = "email.body"
	partPushTitle part = "push.title"
	partPushBody  part = "push.body"
	partGreeting  part = "greeting" // opens every e-mail
	partFarewell  part = "farewell" // closes it
)

// textKey names one text of a set; greeting and farewell belong to no template.
type textKey struct {
	template auth.Template
	part     part
}

// words are the texts of one set in one language.
type words struct {
	channels map[auth.Channel]string
	texts    map[textKey]*template.Template
}

// setKey names a set of words: an empty brand is the set for all.
type setKey struct{ brand, locale string }

// fallbackLocale has every text, so that something is always said.
const fallbackLocale = "en"

// Texts are the words of every message, in every language and brand that there is. They do not change once they are read.
type Texts struct{ sets map[setKey]*words }

// builtIn reads the texts that come with the program.
var builtIn = sync.OnceValue(func() *Texts {
	t, err := ReadTexts(nil)
	if err != nil {
		panic("notify: the built-in texts: " + err.Error()) // a test reads them all
	}
	return t
})

// Text returns the built-in words of a message; see [Texts.Text].
func Text(m auth.Message) (subject, body string) { return builtIn().Text(m) }

// Text returns the words of a message of its kind: of an SMS the body alone, of an e-mail subject and body, of a push title and body. Both
// are empty for a template or a kind that has no words.
//
// The language is that of the locale, as fr-CH, fr or at last English, and in each the brand's words go before those for all. An SMS
// names the service, and amount and payee of what it approves, and has no link (security A-062); a notice has no secret, and no
// push has one.
func (t *Texts) Text(m auth.Message) (subject, body string) {
	sets := t.chain(m)
	say := func(p part) string {
		key := textKey{m.Template, p}
		if p == partGreeting || p == partFarewell {
			key.template = ""
		}
		for _, w := range sets {
			if text := w.texts[key]; text != nil {
				return strings.TrimSpace(render(text, placeholders(m, p, deviceOf(sets, m.Channel))))
			}
		}
		return ""
	}
	switch m.Kind {
	case auth.ParcelSMS:
		return "", say(partSMS)
	case auth.ParcelEmail:
		if body = say(partBody); body == "" {
			return "", ""
		}
		return oneLine(say(partSubject)), say(partGreeting) + "\n\n" + body + "\n\n" + say(partFarewell) + "\n"
	case auth.ParcelPush, auth.ParcelWake:
		return oneLine(say(partPushTitle)), say(partPushBody)
	}
	return "", ""
}

// chain returns the sets to look into, the best first.
func (t *Texts) chain(m auth.Message) []*words {
	language, _, _ := strings.Cut(m.Locale, "-")
	var sets []*words
	for _, locale := range []string{m.Locale, language, fallbackLocale} {
		for _, brand := range []string{m.Brand, ""} {
			if w := t.sets[setKey{brand, locale}]; w != nil {
				sets = append(sets, w)
			}
		}
	}
	return sets
}

func deviceOf(sets []*words, c auth.Channel) string {
	for _, w := range sets {
		if name := w.channels[c]; name != "" {
			return name
		}
	}
	return string(c)
}

// isCoded reports whether a template is about a code; the others are notices.
func isCoded(t auth.Template) bool {
	switch t {
	case auth.TemplateStepUp, auth.TemplateBind, auth.TemplateConfirm, auth.TemplateRecovery, auth.TemplateVerifyEmail, auth.TemplateInvite,
		auth.TemplateLogin:
		return true
	}
	return false
}

func isLinked(t auth.Template) bool {
	return t == auth.TemplateRecovery || t == auth.TemplateVerifyEmail || t == auth.TemplateInvite || t == auth.TemplateLoginLink
}

// placeholders returns what a text may mention. What it must not mention is not there, and a text that asks for it is refused when it is
// read.
func placeholders(m auth.Message, p part, device string) map[string]any {
	values := map[string]any{"Service": shortened(clean(m.Service), 60)}
	if p == partBody || p == partGreeting || p == partFarewell {
		values["Name"] = safeName(m.Name)
	}
	switch {
	case p == partGreeting || p == partFarewell || p == partPushTitle || p == partPushBody || p == partSubject:
		// Subjects and pushes are shown on locked screens, so nothing secret is in them.
	case isCoded(m.Template) || isLinked(m.Template):
		if isCoded(m.Template) {
			values["Code"] = clean(m.Code)
		}
		if m.Template == auth.TemplateConfirm {
			values["Approve"], values["Digest"] = approved(m.Approve, p), clean(m.Digest)
		}
		if p == partBody {
			values["Until"] = until(m.ExpiresAt)
			if isLinked(m.Template) {
				values["Link"] = clean(m.Link)
			}
		}
	}
	if m.Template == auth.TemplateBound || m.Template == auth.TemplateUnbound {
		values["Device"] = device
	}
	return values
}

// approved returns the lines of what is approved. A payee may be named like an address of the web; in an SMS it loses what makes it a link.
func approved(lines []string, p part) []string {
	list := make([]string, 0, len(lines))
	for _, line := range lines {
		line = clean(line)
		if p == partSMS {
			line = strings.ReplaceAll(line, "://", " ")
		}
		list = append(list, line)
	}
	return list
}

func until(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04") + " UTC"
}

func render(t *template.Template, values map[string]any) string {
	var b strings.Builder
	if err := t.Execute(&b, values); err != nil {
		return "" // every text was tried with every placeholder when it was read
	}
	return b.String()
}

// clean makes a value a part of one line: no control, no line end, nothing invisible that turns the direction of writing.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError || unicode.Is(unicode.Bidi_Control, r):
			return -1
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029':
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

func oneLine(s string) string { return shortened(clean(s), 200) }

func shortened(s string, runes int) string {
	for i := range s {
		if runes == 0 {
			return s[:i]
		}
		runes--
	}
	return s
}

// safeName returns a first name for a greeting, or nothing: people choose it themselves, and a stranger's address may be given with it, so
// that a name that reads as an address would make us the carrier of somebody's advertisement.
func safeName(name string) string {
	name = clean(name)
	if utf8.RuneCountInString(name) > 40 || strings.ContainsAny(name, "/@:\\<>") {
		return ""
	}
	for _, word := range strings.Fields(name) {
		if dot := strings.LastIndexByte(word, '.'); dot > 0 && utf8.RuneCountInString(word[dot+1:]) > 1 {
			return ""
		}
		if strings.HasPrefix(strings.ToLower(word), "www.") {
			return ""
		}
	}
	return name
}
