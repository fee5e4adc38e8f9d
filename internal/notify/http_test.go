package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/notify"
	"countersign/internal/seal"
)

// call is one request as a gateway got it.
type call struct {
	method, uri, body string
	header            http.Header
	username, secret  string
}

// gateway keeps what it is asked, and answers by answer.
type gateway struct {
	mu     sync.Mutex
	calls  []call
	answer http.HandlerFunc
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what is missing shows in the test
	c := call{method: r.Method, uri: r.RequestURI, body: string(body), header: r.Header}
	c.username, c.secret, _ = r.BasicAuth()
	g.mu.Lock()
	g.calls = append(g.calls, c)
	g.mu.Unlock()
	g.answer(w, r)
}

func (g *gateway) serve(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(g)
	t.Cleanup(s.Close)
	return s.URL
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, `{"error":"+35699111111 402917"}`)
	}
}

func smsConfig(url string) notify.Config {
	return notify.Config{SMS: &notify.HTTP{
		URL: url + "/send", Body: `{"to":"{{.To}}","text":"{{.Text}}","id":"{{.ID}}"}`, Secret: seal.NewSecret("s3cr3t"),
		Headers: map[string]string{"Authorization": "Bearer {{.Secret}}", "Idempotency-Key": "{{.ID}}"},
	}, Now: func() time.Time { return time.Unix(1_800_000_000, 0) }}
}

func sms() auth.Message { return message(auth.ParcelSMS, auth.TemplateStepUp) }

func TestSMSArrives(t *testing.T) {
	t.Parallel()
	g := &gateway{answer: status(202)}
	if err := sender(t, smsConfig(g.serve(t))).Carry(t.Context(), "p1", "demo", sms()); err != nil {
		t.Fatal(err)
	}
	got := g.calls[0]
	want := `{"to":"+35699111111","text":"402917 is your Demo programme code. Never share it with anyone.","id":"p1"}`
	if got.method != "POST" || got.uri != "/send" || got.body != want {
		t.Errorf("got %s %s %s, want %s", got.method, got.uri, got.body, want)
	}
	for name, want := range map[string]string{"Content-Type": "application/json", "Authorization": "Bearer s3cr3t", "Idempotency-Key": "p1"} {
		if got := got.header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// TestPlaceholdersAreEscaped for the place where they stand, whatever is in them.
func TestPlaceholdersAreEscaped(t *testing.T) {
	t.Parallel()
	for _, service := range []string{
		`Demo", "to":"+1`, `\`, "a&to=+1", "a b+c%20", "é 漢 </script>", "a\r\nX: y", "{{.Secret}}", "#x?y/z", "\xff", "'; DROP",
	} {
		m := sms()
		m.Service = service
		_, text := notify.Text(m)
		g := &gateway{answer: status(200)}
		base := g.serve(t)
		for _, h := range []*notify.HTTP{
			{URL: base, Body: `{"to":"{{.Digits}}","text":"{{.Text}}"}`},
			{URL: base, Body: "to={{.Digits}}&text={{.Text}}", BodyAs: "form", Username: "me", Secret: seal.NewSecret("s3cr3t")},
			{URL: base + "/?to={{.Digits}}&text={{.Text}}", Method: "GET"},
			{URL: base + "/{{.Digits}}/{{.Text}}", Method: "PUT", Body: `"x"`},
		} {
			if err := sender(t, notify.Config{SMS: h}).Carry(t.Context(), "p", "demo", m); err != nil {
				t.Fatalf("%q: %v", service, err)
			}
		}
		var object map[string]string
		if err := json.Unmarshal([]byte(g.calls[0].body), &object); err != nil {
			t.Fatal(err)
		}
		form, err := url.ParseQuery(g.calls[1].body)
		if err != nil {
			t.Fatal(err)
		}
		target, err := url.ParseRequestURI(g.calls[2].uri)
		if err != nil {
			t.Fatal(err)
		}
		if len(object) != 2 || object["to"] != "35699111111" || object["text"] != text {
			t.Errorf("JSON: got %q, want %q", object, text)
		}
		if len(form) != 2 || form.Get("to") != "35699111111" || form.Get("text") != text {
			t.Errorf("form: got %q, want %q", form, text)
		}
		if q := target.Query(); len(q) != 2 || q.Get("to") != "35699111111" || q.Get("text") != text {
			t.Errorf("query: got %q, want %q", q, text)
		}
		if path, err := url.ParseRequestURI(g.calls[3].uri); err != nil || path.Path != "/35699111111/"+text || path.RawQuery != "" {
			t.Errorf("path: got %v %v, want %q", path, err, text)
		}
		if g.calls[1].username != "me" || g.calls[1].secret != "s3cr3t" {
			t.Errorf("got %q and %q", g.calls[1].username, g.calls[1].secret)
		}
	}
}

// TestAnswersOfAGateway: what is taken, what is tried again and what is not; none follows a redirect, and none is quoted.
func TestAnswersOfAGateway(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status    int
		after     string
		taken     bool
		permanent bool
		wait      time.Duration
	}{
		{200, "", true, false, 0}, {202, "", true, false, 0}, {204, "", true, false, 0},
		{301, "", false, false, 0}, {307, "", false, false, 0},
		{400, "", false, true, 0}, {403, "60", false, true, 0}, {404, "", false, true, 0}, {422, "", false, true, 0},
		{401, "", false, false, 0}, {407, "", false, false, 0}, {408, "", false, false, 0}, {409, "", false, false, 0}, {425, "", false, false, 0},
		{429, "", false, false, 0}, {429, "60", false, false, time.Minute}, {429, "86400", false, false, time.Hour}, {429, "-1", false, false, 0},
		{429, "soon", false, false, 0}, {503, "Fri, 15 Jan 2027 08:00:30 GMT", false, false, 30 * time.Second},
		{503, "Fri, 15 Jan 2021 08:00:30 GMT", false, false, 0}, {500, "", false, false, 0}, {502, "99999999999999999999", false, false, 0},
	} {
		g := &gateway{}
		g.answer = func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			if c.after != "" {
				w.Header().Set("Retry-After", c.after)
			}
			if c.status == 204 {
				w.WriteHeader(204)
				return
			}
			status(c.status)(w, r)
		}
		err := sender(t, smsConfig(g.serve(t))).Carry(t.Context(), "p", "demo", sms())
		if len(g.calls) != 1 {
			t.Errorf("%d: got %d calls, want 1", c.status, len(g.calls))
		}
		if c.taken {
			if err != nil {
				t.Errorf("%d: got %v, want none", c.status, err)
			}
			continue
		}
		want{c.permanent, "sms: the gateway answered "}.check(t, err)
		var e *notify.Error
		if errors.As(err, &e) && e.RetryAfter() != c.wait {
			t.Errorf("%d %q: got %v, want %v", c.status, c.after, e.RetryAfter(), c.wait)
		}
	}
}

func TestSuccessIsAsConfigured(t *testing.T) {
	t.Parallel()
	for code, taken := range map[int]bool{200: false, 201: true, 409: true, 202: false} {
		g := &gateway{answer: status(code)}
		c := smsConfig(g.serve(t))
		c.SMS.Success = []int{201, 409}
		if err := sender(t, c).Carry(t.Context(), "p", "demo", sms()); (err == nil) != taken {
			t.Errorf("%d: got %v, want taken %t", code, err, taken)
		}
	}
}

func TestGatewayHasToBeTrusted(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for _, c := range []struct {
		name, host string
		authority  authority
		want       string
	}{
		{"trusted", "127.0.0.1", a, ""},
		{"another's", "sms.example.org", a, "the server's certificate is not trusted"},
		{"untrusted", "127.0.0.1", newAuthority(t), "the server's certificate is not trusted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := &gateway{answer: status(200)}
			s := httptest.NewUnstartedServer(g)
			s.TLS = c.authority.server(t, c.host)
			s.Config.ErrorLog = quiet()
			s.StartTLS()
			t.Cleanup(s.Close)
			config := smsConfig(s.URL)
			config.Roots = a.roots()
			err := sender(t, config).Carry(t.Context(), "p", "demo", sms())
			if c.want == "" {
				if err != nil {
					t.Errorf("got %v, want none", err)
				}
				return
			}
			want{false, c.want}.check(t, err)
			if len(g.calls) != 0 {
				t.Errorf("got %v, want no call", g.calls)
			}
		})
	}
}

func TestBrokenGateway(t *testing.T) {
	t.Parallel()
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		l := listen(t)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		err := sender(t, smsConfig("http://"+at(portOf(l)))).Carry(t.Context(), "p", "demo", sms())
		want{false, "sms: cannot connect"}.check(t, err)
	})
	t.Run("no HTTP", func(t *testing.T) {
		t.Parallel()
		port := lines(t, "", func(line string) string { return line + " 402917\r\n" })
		want{false, "sms: "}.check(t, sender(t, smsConfig("http://"+at(port))).Carry(t.Context(), "p", "demo", sms()))
	})
	t.Run("endless head", func(t *testing.T) {
		t.Parallel()
		head := "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 80<<10) + "\r\n\r\n"
		port := lines(t, "", func(line string) string {
			if line == "" {
				return head
			}
			return ""
		})
		want{false, "sms: "}.check(t, sender(t, smsConfig("http://"+at(port))).Carry(t.Context(), "p", "demo", sms()))
	})
	t.Run("caller goes", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		g := &gateway{answer: func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		}}
		err := sender(t, smsConfig(g.serve(t))).Carry(ctx, "p", "demo", sms())
		want{false, "context canceled"}.check(t, err)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's end in it", err)
		}
	})
	t.Run("slow", func(t *testing.T) {
		t.Parallel()
		g := &gateway{answer: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }}
		c := smsConfig(g.serve(t))
		c.SMS.Limit = 10 * time.Millisecond
		want{false, "sms: timed out"}.check(t, sender(t, c).Carry(t.Context(), "p", "demo", sms()))
	})
	t.Run("endless body", func(t *testing.T) {
		t.Parallel()
		var sent int
		done := make(chan struct{})
		g := &gateway{answer: func(w http.ResponseWriter, _ *http.Request) {
			defer close(done)
			block := make([]byte, 32<<10)
			for sent < 1<<30 {
				n, err := w.Write(block)
				if err != nil {
					return
				}
				sent += n
			}
		}}
		if err := sender(t, smsConfig(g.serve(t))).Carry(t.Context(), "p", "demo", sms()); err != nil {
			t.Errorf("got %v, want none: the status has said it", err)
		}
		<-done
		if sent >= 1<<30 {
			t.Errorf("all of it was read")
		}
	})
}

func TestBadReceiversAreNotCalled(t *testing.T) {
	t.Parallel()
	g := &gateway{answer: status(200)}
	s := sender(t, smsConfig(g.serve(t)))
	for _, to := range []string{"", "ada", "+", "35699111111", "+0356991111", "+3569911111a", "+356 99111111", "+35699111111\r\nX: y", "+1234567890123456"} {
		m := sms()
		m.To = to
		want{true, "not in the form of E.164"}.check(t, s.Carry(t.Context(), "p", "demo", m))
	}
	if len(g.calls) != 0 {
		t.Errorf("got %v, want no call", g.calls)
	}
}

func TestPushArrives(t *testing.T) {
	t.Parallel()
	g := &gateway{answer: status(200)}
	m := message(auth.ParcelPush, auth.TemplateConfirm)
	m.To, m.Code = "1001", ""
	s := sender(t, notify.Config{Push: &notify.HTTP{
		URL: g.serve(t), Body: `["{{.To}}","{{.Subject}}","{{.Text}}","{{.Challenge}}","{{.Template}}","{{.Tenant}}"]`,
	}})
	if err := s.Carry(t.Context(), "p", "demo", m); err != nil {
		t.Fatal(err)
	}
	if got, want := g.calls[0].body, `["1001","Demo programme","Something waits for your approval.","chal-1","confirm","demo"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestWhatIsNotConfigured is told with its setting, and is not tried again.
func TestWhatIsNotConfigured(t *testing.T) {
	t.Parallel()
	s := sender(t, notify.Config{})
	for kind, setting := range map[auth.ParcelKind]string{
		auth.ParcelSMS: "messages.sms: not configured", auth.ParcelEmail: "messages.smtp: not configured",
		auth.ParcelPush: "messages.push.http: not configured", auth.ParcelWebhook: `of kind "webhook"`,
	} {
		want{true, setting}.check(t, s.Carry(t.Context(), "p", "demo", message(kind, auth.TemplateStepUp)))
		if s.Carries(kind) {
			t.Errorf("%s: got that it can be sent", kind)
		}
	}
	s = sender(t, smsConfig("https://sms.example.com"))
	m := sms()
	m.Code = ""
	want{true, `the message "step_up" has no code`}.check(t, s.Carry(t.Context(), "p", "demo", m))
	m.Template = "other"
	want{true, `no words for the message "other"`}.check(t, s.Carry(t.Context(), "p", "demo", m))
	if !s.Carries(auth.ParcelSMS) {
		t.Error("got that no SMS can be sent")
	}
}
