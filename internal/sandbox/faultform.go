package sandbox

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"countersign/internal/httpx"
)

// prepare writes the answer of a fault: the body that was given, or one in the form of the contract that the path belongs to.
func (f *fault) prepare() error {
	f.refused()
	if f.Body != nil {
		f.header.Set("Content-Type", "application/json")
		f.answer = f.Body
		var text string
		if json.Unmarshal(f.Body, &text) == nil { // as it stands, so that "" is no body
			f.answer = []byte(text)
		}
		return nil
	}
	body, err := f.form()
	if err != nil || body == nil {
		return err
	}
	f.header.Set("Content-Type", "application/json")
	f.answer, err = json.Marshal(body, json.Deterministic(true))
	return err
}

// faultWait is what a made-up refusal says of another try.
const faultWait = time.Minute

// refused sets the headers that the contracts have with a status.
func (f *fault) refused() {
	limit := httpx.Limit{Count: 60, Window: time.Minute}
	switch f.Status {
	case http.StatusLocked, http.StatusServiceUnavailable:
		httpx.RetryAfter(f.header, faultWait)
	case http.StatusTooManyRequests:
		httpx.RetryAfter(f.header, faultWait)
		httpx.RateLimit(f.header, faultWait, limit, limit)
	}
}

// form chooses the dialect; nil is no body.
func (f *fault) form() (any, error) {
	oauth := f.segments[0] == "oidc" || len(f.segments) > 1 && f.segments[1] == "oidc"
	switch {
	case f.Status < http.StatusBadRequest:
		if f.ErrorCode != "" || f.Message != "" {
			return nil, badRequest("%d is no refusal: give its body instead of errorCode and message", f.Status)
		}
		return nil, nil
	case f.segments[0] == "multi":
		return f.multi()
	case f.segments[0] == "simulate":
		return f.simulator()
	case oauth:
		text := f.text()
		return oauthFault{cmp.Or(f.ErrorCode, oauthName(f.Status)), text, text, f.Status}, nil
	case f.segments[0] == "cis":
		return f.cis(), nil
	}
	return problemBody{http.StatusText(f.Status), f.Status, cmp.Or(f.Message, f.ErrorCode)}, nil
}

func (f *fault) text() string {
	return cmp.Or(f.Message, http.StatusText(f.Status), "Refused")
}

type multiFault struct {
	ErrorCode string `json:"errorCode"`
	Message   string `json:"message,omitempty"`
}

type multiGeneral struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type messageOnly struct {
	Message string `json:"message"`
}

// multi is contract/multi §1.4, as package multi serves it.
func (f *fault) multi() (any, error) {
	bare := slices.Contains([]string{"/multi/login_with_password", "/multi/login_via_biometrics", "/multi/access_token"}, f.Path)
	switch f.Status {
	case http.StatusBadRequest:
		return messageOnly{cmp.Or(f.Message, f.ErrorCode, "the request is not valid")}, nil
	case http.StatusUnauthorized:
		return multiFault{ErrorCode: cmp.Or(f.ErrorCode, "UNAUTHORIZED")}, nil
	case http.StatusForbidden, http.StatusConflict:
		if bare && f.Status == http.StatusForbidden {
			return f.empty()
		}
		if f.ErrorCode == "" {
			return nil, badRequest(`a %d of /multi needs an errorCode, such as STEP_UP_REQUIRED, or a body of its own`, f.Status)
		}
		return multiFault{f.ErrorCode, cmp.Or(f.Message, f.ErrorCode)}, nil
	case http.StatusLocked, http.StatusTooManyRequests:
		return f.empty()
	}
	if f.Status >= http.StatusInternalServerError {
		return f.empty()
	}
	if strings.HasPrefix(f.ErrorCode, "TOKEN_") { // of a tokenised password
		return multiFault{ErrorCode: f.ErrorCode}, nil
	}
	return multiGeneral{cmp.Or(f.ErrorCode, snake(f.Status)), f.text()}, nil
}

// empty is an answer that the contract gives no body.
func (f *fault) empty() (any, error) {
	if f.ErrorCode != "" || f.Message != "" {
		return nil, badRequest("the contract gives a %d of %s no body: leave out errorCode and message, or give a body of its own", f.Status, f.Path)
	}
	return nil, nil
}

func snake(status int) string {
	return strings.ToUpper(strings.ReplaceAll(http.StatusText(status), " ", "_"))
}

// simulator is the vendor's simulator, contract/multi §1.4.
func (f *fault) simulator() (any, error) {
	if f.ErrorCode != "" {
		return nil, badRequest("refusals of the simulator have a message and no errorCode")
	}
	return messageOnly{f.text()}, nil
}

type oauthFault struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Message     string `json:"message"`
	ErrorCode   int    `json:"error_code"`
}

// oauthName is the code of RFC 6749 §5.2 that goes with a status.
func oauthName(status int) string {
	switch {
	case status == http.StatusUnauthorized:
		return "invalid_client"
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		return "temporarily_unavailable"
	case status >= http.StatusInternalServerError:
		return "server_error"
	}
	return "invalid_request"
}

type numericFault struct {
	Message   any    `json:"message"`
	ErrorCode int    `json:"error_code"`
	Name      string `json:"ts_error_code,omitempty"`
}

type symbolicFault struct {
	ErrorCode string `json:"error_code"`
	Message   string `json:"message"`
}

// cis is contract/cis §4, as package cis serves it: users' passwords, one-time codes and passkeys have symbolic codes, links by e-mail the
// status as a text, all else numeric ones with the name beside.
func (f *fault) cis() any {
	name := cmp.Or(f.ErrorCode, cisName(f.Status))
	switch f.Status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusConflict:
		switch {
		case f.below("auth", "link"):
			if f.Status != http.StatusConflict {
				return symbolicFault{strconv.Itoa(f.Status), f.text()}
			}
		case f.below("auth", "webauthn") && name == "system_invalid_input":
			return symbolicFault{"invalid_request", f.text()}
		case f.below("auth", "otp"), f.below("auth", "webauthn"), f.below("users") && len(f.segments) == 5 && f.segments[4] == "password":
			return symbolicFault{name, f.text()}
		}
	}
	if f.Status == http.StatusBadRequest && (name == "system_invalid_input" || strings.HasPrefix(name, "auth_password_")) {
		return numericFault{[]string{f.text()}, f.Status, name}
	}
	return numericFault{f.text(), f.Status, name}
}

// below reports whether the fault is for a call below /cis/v1 and these segments.
func (f *fault) below(path ...string) bool {
	return len(f.segments) > 2+len(path) && slices.Equal(f.segments[2:2+len(path)], path)
}

func cisName(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "system_invalid_input"
	case http.StatusUnauthorized:
		return "auth_invalid_credentials"
	case http.StatusForbidden:
		return "auth_locked"
	case http.StatusTooManyRequests:
		return "too_many_requests"
	case http.StatusInternalServerError:
		return "system_internal_error"
	case http.StatusServiceUnavailable:
		return "system_unavailable"
	}
	return strings.ToLower(snake(status))
}
