package notify

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/template"
	"time"

	"golang.org/x/net/http/httpguts"

	"countersign/internal/auth"
	"countersign/internal/seal"
)

// HTTP is a gateway that takes one message in one request, whose form is made from templates. They have these placeholders, each escaped
// for the place where it stands:
//
//	{{.To}}         receiver: E.164 number with its +, or the user's id of a push
//	{{.Digits}}     the same without the +
//	{{.Text}}       text of the message
//	{{.Subject}}    title of a push
//	{{.ID}}         id of the message, the same on every try: a gateway that knows it will not send twice
//	{{.Tenant}}     tenant's id
//	{{.Template}}   what it is about, as step_up
//	{{.Challenge}}  id of the challenge that a push asks to answer
//	{{.Secret}}     Secret
//
// Headers have ID, Tenant, Template and Secret alone.
type HTTP struct {
	Method   string // POST if empty
	URL      string // template; its host is not
	Headers  map[string]string
	Body     string // template
	BodyAs   string // json, which is meant by nothing, or form: how Body is escaped, and the Content-Type unless Headers have it
	Username string // with Secret for basic authentication; empty: none
	Secret   seal.Secret
	Success  []int         // statuses that mean it was taken; none: every 2xx
	Limit    time.Duration // of one exchange; zero: 10 s
}

// The values of BodyAs.
const (
	bodyJSON = "json"
	bodyForm = "form"
)

// gateway is an HTTP that is ready.
type gateway struct {
	*client
	config  HTTP
	url     *template.Template
	body    *template.Template
	headers map[string]*template.Template
}

func parsePlaceholders(source string) (*template.Template, error) {
	t, err := template.New("request").Option("missingkey=error").Parse(source)
	if err != nil {
		return nil, reasonOf(err)
	}
	return t, nil
}

// newGateway takes an HTTP without problems.
func newGateway(what string, h HTTP, c Config) *gateway {
	g := &gateway{client: newClient(what, h.Limit, c), config: h, headers: map[string]*template.Template{}}
	must := func(source string) *template.Template {
		t, err := parsePlaceholders(source)
		if err != nil {
			panic("notify: a request template that was not judged: " + err.Error())
		}
		return t
	}
	g.url, g.body = must(h.URL), must(h.Body)
	for name, value := range h.Headers {
		g.headers[name] = must(value)
	}
	return g
}

// values returns the placeholders, all but those for headers.
func (h HTTP) values(l letter, escape func(string) string) map[string]any {
	values := map[string]any{}
	for name, value := range map[string]string{
		"To": l.message.To, "Digits": strings.TrimPrefix(l.message.To, "+"), "Text": l.text, "Subject": l.subject,
		"Challenge": string(l.message.Challenge),
	} {
		values[name] = escape(value)
	}
	for name, value := range h.headerValues(l) {
		values[name] = escape(value.(string))
	}
	return values
}

func (h HTTP) headerValues(l letter) map[string]any {
	return map[string]any{
		"ID": clean(string(l.id)), "Tenant": clean(string(l.tenant)), "Template": clean(string(l.message.Template)),
		"Secret": h.Secret.Reveal(),
	}
}

func (h HTTP) escape() func(string) string {
	if h.BodyAs == bodyForm {
		return url.QueryEscape
	}
	return escapeJSON
}

// escapeJSON makes what stands between the quotes of a JSON string.
func escapeJSON(s string) string {
	data, err := json.Marshal(s)
	if err != nil {
		return "" // a string always has a form
	}
	return strings.TrimSuffix(strings.TrimPrefix(string(data), `"`), `"`)
}

// escapeURL is good in a path and in a query alike.
func escapeURL(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// request makes the request for a message. A template that fails on this message does so on every try.
func (g *gateway) request(ctx context.Context, l letter) (*http.Request, error) {
	h := g.config
	var failed error
	fill := func(t *template.Template, values map[string]any) string {
		var b strings.Builder
		failed = errors.Join(failed, t.Execute(&b, values))
		return b.String()
	}
	target := fill(g.url, h.values(l, escapeURL))
	body := fill(g.body, h.values(l, h.escape()))
	req, err := http.NewRequestWithContext(ctx, h.method(), target, strings.NewReader(body))
	if err != nil || failed != nil {
		return nil, permanent("%s: the templates of the request do not fit the message", g.what)
	}
	switch {
	case body == "":
	case h.BodyAs == bodyForm:
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	default:
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("User-Agent", "Countersign")
	for name, t := range g.headers {
		req.Header.Set(name, fill(t, h.headerValues(l)))
	}
	if failed != nil {
		return nil, permanent("%s: the templates of the request do not fit the message", g.what)
	}
	if h.Username != "" {
		req.SetBasicAuth(h.Username, h.Secret.Reveal())
	}
	return req, nil
}

func (h HTTP) method() string {
	if h.Method == "" {
		return http.MethodPost
	}
	return h.Method
}

func (g *gateway) carry(ctx context.Context, l letter) error {
	if l.message.Kind == auth.ParcelSMS && !isNumber(l.message.To) {
		return permanent("%s: the receiver's number is not in the form of E.164", g.what)
	}
	req, err := g.request(ctx, l)
	if err != nil {
		return err
	}
	a, err := g.exchange(ctx, req)
	if err != nil {
		return err
	}
	if slices.Contains(g.config.Success, a.status) || len(g.config.Success) == 0 && a.status/100 == 2 {
		return nil
	}
	return g.refusal(a)
}

// isNumber checks the shape of E.164 alone.
func isNumber(s string) bool {
	if len(s) < 8 || len(s) > 16 || s[0] != '+' || s[1] == '0' {
		return false
	}
	return strings.Trim(s[1:], "0123456789") == ""
}

func (h HTTP) problems(setting string, add func(setting, format string, args ...any)) {
	switch h.method() {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
	case http.MethodGet:
		if h.Body != "" {
			add(setting+".body", "a GET has none")
		}
	default:
		add(setting+".method", "want POST, PUT, PATCH or GET")
	}
	if h.BodyAs != "" && h.BodyAs != bodyJSON && h.BodyAs != bodyForm {
		add(setting+".body_as", "%q; want json or form", h.BodyAs)
	}
	for _, status := range h.Success {
		if status < 200 || status > 499 || status/100 == 3 {
			add(setting+".success", "%d is no status of success", status)
		}
	}
	limitProblem(setting+".timeout", h.Limit, add)
	if h.Username != "" && h.Secret.IsZero() {
		add(setting+".secret", "missing; username needs it")
	}
	h.urlProblems(setting, add)
	h.templateProblems(setting, add)
}

func (h HTTP) urlProblems(setting string, add func(setting, format string, args ...any)) {
	if h.URL == "" {
		add(setting+".url", "missing; the https URL of the gateway")
		return
	}
	_, rest, _ := strings.Cut(h.URL, "://")
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, "?")
	if strings.Contains(host, "{{") || rest == "" {
		add(setting+".url", "is not an https URL, or has a placeholder in its host")
		return
	}
	said, err := tried(h.URL, h.values(sample(), escapeURL))
	if err != nil {
		add(setting+".url", "%v", err)
	} else if reason := problemOf(said); reason != "" {
		add(setting+".url", "%s", reason)
	}
}

func (h HTTP) templateProblems(setting string, add func(setting, format string, args ...any)) {
	said, err := tried(h.Body, h.values(sample(), h.escape()))
	switch {
	case err != nil:
		add(setting+".body", "%v", err)
	case h.BodyAs != bodyForm && said != "" && !json.Valid([]byte(said)):
		add(setting+".body", "makes no valid JSON; body_as: form is for forms")
	}
	for _, name := range slices.Sorted(maps.Keys(h.Headers)) {
		said, err := tried(h.Headers[name], h.headerValues(sample()))
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			add(setting+".headers", "%q is no name of a header", name)
		case slices.Contains([]string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Trailer"}, http.CanonicalHeaderKey(name)):
			add(setting+".headers", "%s is set by HTTP itself", name)
		case err != nil:
			add(setting+".headers", "%s: %v", name, err)
		case !httpguts.ValidHeaderFieldValue(said):
			add(setting+".headers", "%s: has what a header cannot have", name)
		}
	}
	if !strings.Contains(h.URL+h.Body, ".To}}") && !strings.Contains(h.URL+h.Body, ".Digits}}") {
		add(setting+".body", "has no {{.To}}, and neither has the URL")
	}
	if !strings.Contains(h.URL+h.Body, ".Text}}") {
		add(setting+".body", "has no {{.Text}}, and neither has the URL")
	}
}

// tried runs a template on the sample.
func tried(source string, values map[string]any) (string, error) {
	t, err := parsePlaceholders(source)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, values); err != nil {
		return "", reasonOf(err)
	}
	return b.String(), nil
}

// sample is a message with everything that needs escaping.
func sample() letter {
	return letter{
		id: "sample", tenant: "sample", subject: `a "b" & c`, text: "a \"b\" & c=d\n\\ä+%",
		message: auth.Message{Kind: auth.ParcelSMS, To: "+35699000000", Template: auth.TemplateStepUp, Challenge: "sample"},
	}
}
