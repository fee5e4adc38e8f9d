package apitest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// secrets are the values of a script that nobody may read in a log or a refusal.
type secrets struct {
	values   map[string]string // and what each is
	codes    map[string]string // the same, of six digits: looked for where they stand alone
	refusals []refusal
}

// refusal is an error body, and what it handed out itself.
type refusal struct {
	status int
	body   string
	own    []string
}

func newSecrets() *secrets {
	return &secrets{values: make(map[string]string), codes: make(map[string]string)}
}

// fromPage is what a page or a redirect held: a page that is shown once more holds it again.
const fromPage = "a value of a page"

// shortest is the shortest value that is looked for: shorter ones are in every text.
const shortest = 8

func (s *secrets) add(value, what string) {
	if len(value) >= shortest {
		s.values[value] = what
	}
}

var (
	isCode     = regexp.MustCompile(`^[0-9]{6}$`)
	codeMember = regexp.MustCompile(`^(verificationCode|nonce|inviteCode|code)$`)
	// figures are the numbers of a log line, some of which will look like a code.
	figures = regexp.MustCompile(`"(time|dur_us|bytes)":("[^"]*"|[0-9]+)`)
)

// holdsCode reports whether a code stands in a text, and not within a longer number.
func holdsCode(text, code string) bool {
	for at := 0; ; {
		i := strings.Index(text[at:], code)
		if i < 0 {
			return false
		}
		from, to := at+i, at+i+len(code)
		if (from == 0 || !isDigit(text[from-1])) && (to == len(text) || !isDigit(text[to])) {
			return true
		}
		at = to
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// secretMember are the members whose text is a secret, in requests and answers of both contracts. An e-mail address is no secret, and
// still nothing for a log, and neither is a link that carries a code.
var secretMember = regexp.MustCompile(`(?i)^(value|password|.*_?token|client_?secret|secret|email|link)$`)

// sent notes the secrets of a request.
func (s *secrets) sent(r *http.Request, body []byte) {
	s.add(r.Header.Get("api-key"), "an api-key")
	s.add(r.Header.Get("programme-key"), "a programme key")
	scheme, credential, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	s.add(credential, "a credential")
	if strings.EqualFold(scheme, "Basic") {
		if raw, err := base64.StdEncoding.DecodeString(credential); err == nil {
			_, secret, _ := strings.Cut(string(raw), ":")
			s.add(secret, "a client secret")
		}
	}
	if v, err := parse(body); err == nil {
		s.addCodes(v, "", "a code that was sent")
		for _, text := range secretsIn(v, "") {
			s.add(text, "a secret that was sent")
		}
	} else if form, err := url.ParseQuery(string(body)); err == nil {
		for name, values := range form {
			for _, text := range values {
				if secretMember.MatchString(name) {
					s.add(text, "a secret that was sent")
				}
			}
		}
	}
}

// received notes the secrets of an answer.
func (s *secrets) received(r *reply) {
	var own []string
	if v, err := parse(r.body); err == nil {
		own = secretsIn(v, "")
		s.addCodes(v, "", "a code that was received")
	}
	for _, text := range own {
		s.add(text, "a secret that was received")
	}
	if r.status >= http.StatusBadRequest && r.header.Get(faultHeader) == "" {
		s.refusals = append(s.refusals, refusal{r.status, string(r.body), own})
	}
}

// addCodes notes the codes of a body.
func (s *secrets) addCodes(v any, member, what string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			s.addCodes(e, member, what)
		}
	case map[string]any:
		for name, e := range v {
			s.addCodes(e, name, what)
		}
	default: // a text, or a number
		if text := fmt.Sprint(v); codeMember.MatchString(member) && isCode.MatchString(text) {
			s.codes[text] = what
		}
	}
}

func secretsIn(v any, member string) []string {
	var all []string
	switch v := v.(type) {
	case string:
		if secretMember.MatchString(member) {
			all = append(all, v)
		}
	case []any:
		for _, e := range v {
			all = append(all, secretsIn(e, member)...)
		}
	case map[string]any:
		for name, e := range v {
			all = append(all, secretsIn(e, name)...)
		}
	}
	return all
}

// machinery is what a refusal must not speak of: our language, our database, our files.
var machinery = regexp.MustCompile(`(?i)panic|goroutine|runtime error|nil pointer|sqlite|sqlstate|pgx|postgres|\b(select|insert|update|delete) .*(from|into|set|where)\b|constraint|\.go\b|/(tmp|home|root|usr|var|work)/|countersign/internal`)

// judge returns what got out.
func (s *secrets) judge(log string) []string {
	var found []string
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	if len(log) == 0 {
		add("the server logged nothing")
	}
	for value, what := range s.values {
		if strings.Contains(log, value) {
			add("the log holds %s: %s", what, value)
		}
		for _, r := range s.refusals {
			if what != fromPage && strings.Contains(r.body, value) && !slices.Contains(r.own, value) {
				add("the body of a %d holds %s: %s", r.status, what, r.body)
			}
		}
	}
	quiet := figures.ReplaceAllString(log, "")
	for code, what := range s.codes {
		if holdsCode(quiet, code) {
			add("the log holds %s: %s", what, code)
		}
		for _, r := range s.refusals {
			if holdsCode(r.body, code) {
				add("the body of a %d holds %s: %s", r.status, what, r.body)
			}
		}
	}
	for _, r := range s.refusals {
		body := r.body
		for _, own := range r.own { // a token is made of any letters
			body = strings.ReplaceAll(body, own, "")
		}
		if word := machinery.FindString(body); word != "" {
			add("the body of a %d speaks of %q: %s", r.status, word, r.body)
		}
	}
	if i := strings.Index(log, `"stack"`); i >= 0 {
		add("a handler panicked: %s", log[max(0, i-500):min(len(log), i+2000)])
	}
	return found
}
