package sandbox_test

import (
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"countersign/internal/httpx/httpxtest"
	"countersign/internal/sandbox"
)

func post(path, body string) httpxtest.Call {
	return httpxtest.Call{Method: "POST", Path: path, Body: body}
}

// TestFaultForms is one fault of each kind of body that a contract has.
func TestFaultForms(t *testing.T) {
	t.Parallel()
	const login, users, password = "/multi/login_with_password", "/cis/v1/users", "/cis/v1/users/{user_id}/password"
	const otp, link, passkey = "/cis/v1/auth/otp/send", "/cis/v1/auth/link/email/authenticate", "/cis/v1/auth/webauthn/authenticate/start"
	for _, tt := range []struct{ path, fault, body string }{
		{"/multi/consumers", `"status":409,"errorCode":"PAYMENT_MODEL_CONSTRAINTS_VIOLATED"`,
			`{"errorCode":"PAYMENT_MODEL_CONSTRAINTS_VIOLATED","message":"PAYMENT_MODEL_CONSTRAINTS_VIOLATED"}`},
		{"/multi/identities", `"status":403,"errorCode":"STEP_UP_REQUIRED"`, `{"errorCode":"STEP_UP_REQUIRED","message":"STEP_UP_REQUIRED"}`},
		{"/multi/identities", `"status":401`, `{"errorCode":"UNAUTHORIZED"}`},
		{"/multi/identities", `"status":400`, `{"message":"the request is not valid"}`},
		{"/multi/identities", `"status":404`, `{"code":"NOT_FOUND","message":"Not Found"}`},
		{login, `"status":410,"errorCode":"TOKEN_EXPIRED"`, `{"errorCode":"TOKEN_EXPIRED"}`},
		{login, `"status":403`, ``},
		{login, `"status":423`, ``},
		{login, `"status":429`, ``},
		{login, `"status":500`, ``},
		{login, `"status":503`, ``},
		{login, `"status":409,"body":{"token":"t"}`, `{"token":"t"}`},
		{login, `"status":401,"body":""`, ``},
		{login, `"status":502,"body":"<html>"`, `<html>`},
		{login, `"status":204`, ``},
		{login, `"status":200,"body":[1,"two",null]`, `[1,"two",null]`},
		{users, `"status":409,"errorCode":"user_already_exists","message":"Taken"`,
			`{"message":"Taken","error_code":409,"ts_error_code":"user_already_exists"}`},
		{users, `"status":400`, `{"message":["Bad Request"],"error_code":400,"ts_error_code":"system_invalid_input"}`},
		{users, `"status":503`, `{"message":"Service Unavailable","error_code":503,"ts_error_code":"system_unavailable"}`},
		{password, `"status":400,"errorCode":"auth_password_breached"`, `{"error_code":"auth_password_breached","message":"Bad Request"}`},
		{password, `"status":403,"errorCode":"insufficient_permissions"`, `{"error_code":"insufficient_permissions","message":"Forbidden"}`},
		{otp, `"status":400`, `{"error_code":"system_invalid_input","message":"Bad Request"}`},
		{otp, `"status":403,"errorCode":"auth_locked","message":"Locked"`, `{"error_code":"auth_locked","message":"Locked"}`},
		{otp, `"status":401`, `{"message":"Unauthorized","error_code":401,"ts_error_code":"auth_invalid_credentials"}`},
		{link, `"status":400,"message":"Session not found"`, `{"error_code":"400","message":"Session not found"}`},
		{link, `"status":409`, `{"message":"Conflict","error_code":409,"ts_error_code":"conflict"}`},
		{passkey, `"status":400`, `{"error_code":"invalid_request","message":"Bad Request"}`},
		{passkey, `"status":404,"errorCode":"client_not_found"`, `{"error_code":"client_not_found","message":"Not Found"}`},
		{"/cis/v1/auth/session/authenticate", `"status":400,"errorCode":"auth_session_not_found","message":"Session not found"`,
			`{"message":"Session not found","error_code":400,"ts_error_code":"auth_session_not_found"}`},
		{password, `"status":500`, `{"message":"Internal Server Error","error_code":500,"ts_error_code":"system_internal_error"}`},
		{"/oidc/token", `"status":400,"errorCode":"invalid_grant"`,
			`{"error":"invalid_grant","error_description":"Bad Request","message":"Bad Request","error_code":400}`},
		{"/cis/oidc/jwks", `"status":500`,
			`{"error":"server_error","error_description":"Internal Server Error","message":"Internal Server Error","error_code":500}`},
		{"/simulate/api/consumers/{id}/verify", `"status":404`, `{"message":"Not Found"}`},
		{"/healthz", `"status":503`, `{"title":"Service Unavailable","status":503}`},
	} {
		h := serve(t, sandbox.Config{})
		r := post("/sandbox/faults", `{"method":"POST","path":"`+tt.path+`",`+tt.fault+`}`).Do(h)
		if r.Code != http.StatusCreated {
			t.Errorf("%s %s: got %d %s", tt.path, tt.fault, r.Code, r.Body)
			continue
		}
		r = post(strings.NewReplacer("{id}", "1", "{user_id}", "1").Replace(tt.path), "{}").Do(h)
		if got := r.Body.String(); got != tt.body {
			t.Errorf("%s %s: got %d %s, want %s", tt.path, tt.fault, r.Code, got, tt.body)
		}
		if !strings.Contains(tt.fault, `"status":`+strconv.Itoa(r.Code)) || r.Header().Get("countersign-fault") != "1" || r.Header().Get("request-ref") == "" {
			t.Errorf("%s %s: got %d %v", tt.path, tt.fault, r.Code, r.Header())
		}
		retry := r.Header().Get("Retry-After") != ""
		if want := r.Code == 423 || r.Code == 429 || r.Code == 503; retry != want {
			t.Errorf("%s %s: Retry-After is there: %t", tt.path, tt.fault, retry)
		}
	}
}

// TestWhichRequestsAFaultAnswers covers method, path template and count.
func TestWhichRequestsAFaultAnswers(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	h, _ := mounted(t, sandbox.Config{}, slog.New(slog.NewTextHandler(&log, nil)))
	const template = "/multi/stepup/challenges/otp/{channel}"
	r := post("/sandbox/faults", `{"method":"POST","path":"`+template+`","status":409,"errorCode":"CHANNEL_NOT_SUPPORTED","times":2,"headers":{"x-a":"1"}}`).Do(h)
	if got := decoded[struct{ ID, Times, Left int }](t, r, 201); got.Times != 2 || got.Left != 2 || got.ID != 1 {
		t.Errorf("got %s", r.Body)
	}
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/multi/stepup/challenges/otp/SMS", 404},
		{"POST", "/multi/stepup/challenges/otp", 404},
		{"POST", "/multi/stepup/challenges/otp/SMS/verify", 404},
		{"POST", "/multi//stepup/challenges/otp/a%2Fb/", 409},
		{"POST", "/multi/stepup/challenges/otp/SMS", 409},
		{"POST", "/multi/stepup/challenges/otp/SMS", 404},
	} {
		r := httpxtest.Call{Method: tt.method, Path: tt.path}.Do(h)
		if r.Code != tt.status || (r.Header().Get("x-a") == "1") != (tt.status == 409) {
			t.Errorf("%s %s: got %d %v", tt.method, tt.path, r.Code, r.Header())
		}
	}
	if got := strings.Count(log.String(), "code=fault_asked_for"); got != 2 {
		t.Errorf("got %d faults in the log, want 2:\n%s", got, log.String())
	}
	if left := decoded[[]any](t, httpxtest.Call{Method: "GET", Path: "/sandbox/faults"}.Do(h), 200); len(left) != 0 {
		t.Errorf("got %v left", left)
	}
}

// TestFaultsComeInTurn: the oldest goes first, GET also stands for HEAD, and DELETE clears them all.
func TestFaultsComeInTurn(t *testing.T) {
	t.Parallel()
	h := serve(t, sandbox.Config{})
	for _, status := range []string{"500", "503", "502"} {
		post("/sandbox/faults", `{"method":"GET","path":"/multi/identities","status":`+status+`}`).Do(h)
	}
	if r := (httpxtest.Call{Method: "GET", Path: "/multi/identities"}).Do(h); r.Code != 500 {
		t.Errorf("first: got %d", r.Code)
	}
	if r := (httpxtest.Call{Method: "HEAD", Path: "/multi/identities"}).Do(h); r.Code != 503 {
		t.Errorf("second: got %d", r.Code)
	}
	if left := decoded[[]struct{ Status int }](t, httpxtest.Call{Method: "GET", Path: "/sandbox/faults"}.Do(h), 200); len(left) != 1 || left[0].Status != 502 {
		t.Errorf("got %v left", left)
	}
	if r := (httpxtest.Call{Method: "DELETE", Path: "/sandbox/faults"}).Do(h); r.Code != 204 {
		t.Errorf("clear: got %d", r.Code)
	}
	if r := (httpxtest.Call{Method: "GET", Path: "/multi/identities"}).Do(h); r.Code != 404 {
		t.Errorf("cleared: got %d", r.Code)
	}
}

// TestFaultsAreUsedOnceEach by requests at the same time.
func TestFaultsAreUsedOnceEach(t *testing.T) {
	t.Parallel()
	h := serve(t, sandbox.Config{})
	post("/sandbox/faults", `{"method":"POST","path":"/multi/logout","status":500,"times":7}`).Do(h)
	var hit atomic.Int32
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if post("/multi/logout", "").Do(h).Code == 500 {
				hit.Add(1)
			}
		})
	}
	all.Wait()
	if got := hit.Load(); got != 7 {
		t.Errorf("got %d faults, want 7", got)
	}
}

// TestSlowAnswers: a delay holds back the endpoint's own answer, or a fault's.
func TestSlowAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, sandbox.Config{})
		post("/sandbox/faults", `{"method":"GET","path":"/multi/identities","delay":"10s"}`).Do(h)
		post("/sandbox/faults", `{"method":"GET","path":"/multi/identities","delay":"20s","status":503}`).Do(h)
		for _, want := range []struct {
			status int
			after  time.Duration
		}{{404, 10 * time.Second}, {503, 20 * time.Second}, {404, 0}} {
			start := time.Now()
			r := httpxtest.Call{Method: "GET", Path: "/multi/identities"}.Do(h)
			if got := time.Since(start); r.Code != want.status || got != want.after {
				t.Errorf("got %d after %s, want %d after %s", r.Code, got, want.status, want.after)
			}
		}
	})
}

func TestFaultsThatAreRefused(t *testing.T) {
	t.Parallel()
	h := serve(t, sandbox.Config{})
	for _, tt := range []struct{ fault, detail string }{
		{`{}`, "method is required; path is required"},
		{`{"method":"POST","path":"/multi/logout"}`, "a status to answer with, or a delay"},
		{`{"method":"POST","path":"/sandbox/reset","status":500}`, "none below /sandbox"},
		{`{"method":"POST","path":"/{any}","status":500}`, "must name an endpoint"},
		{`{"method":"POST","path":"/","status":500}`, "must name an endpoint"},
		{`{"method":"POST","path":"/multi/logout?a=b","status":500}`, "path"},
		{`{"method":"post","path":"/multi/logout","status":500}`, "method must be one of"},
		{`{"method":"POST","path":"/multi/logout","status":99}`, "status"},
		{`{"method":"POST","path":"/multi/logout","status":500,"times":0}`, "times"},
		{`{"method":"POST","path":"/multi/logout","status":500,"time":1}`, "unknown member"},
		{`{"method":"POST","path":"/multi/logout","status":500,"delay":"1h"}`, "at most 25s"},
		{`{"method":"POST","path":"/multi/logout","delay":"soon"}`, "duration"},
		{`{"method":"POST","path":"/multi/logout","delay":"1s","errorCode":"X"}`, "need a status"},
		{`{"method":"POST","path":"/multi/logout","status":409}`, "needs an errorCode"},
		{`{"method":"POST","path":"/multi/logout","status":500,"errorCode":"X"}`, "no body"},
		{`{"method":"POST","path":"/multi/login_with_password","status":403,"errorCode":"X"}`, "no body"},
		{`{"method":"POST","path":"/multi/logout","status":204,"errorCode":"X"}`, "no refusal"},
		{`{"method":"POST","path":"/multi/logout","status":204,"body":{}}`, "an answer with 204 has no body"},
		{`{"method":"GET","path":"/cis/v1/users","status":304,"body":"x"}`, "an answer with 304 has no body"},
		{`{"method":"POST","path":"/simulate/api/x","status":404,"errorCode":"X"}`, "no errorCode"},
		{`{"method":"POST","path":"/multi/logout","status":500,"headers":{"content-length":"1"}}`, "Content-Length"},
		{`{"method":"POST","path":"/multi/logout","status":500,"headers":{"x":"a\r\nb: c"}}`, "headers"},
		{`{"method":"POST","path":"/multi/logout","status":500,"headers":{"x y":"a"}}`, "header"},
	} {
		p := decoded[struct{ Detail string }](t, post("/sandbox/faults", tt.fault).Do(h), 400)
		if !strings.Contains(p.Detail, tt.detail) {
			t.Errorf("%s: got %q, want %q", tt.fault, p.Detail, tt.detail)
		}
	}
	for range 100 {
		post("/sandbox/faults", `{"method":"GET","path":"/multi/identities","status":500}`).Do(h)
	}
	if p := decoded[struct{ Detail string }](t, post("/sandbox/faults", `{"method":"GET","path":"/multi/identities","status":500}`).Do(h), 400); !strings.Contains(p.Detail, "100 faults") {
		t.Errorf("one too many: got %q", p.Detail)
	}
}
