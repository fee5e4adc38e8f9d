package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"countersign/internal/launch"
)

// node is a server as its clients see it. The server behind it may be another one after a restart.
type node struct {
	server *launch.Server
	http   *http.Client
	client atomic.Value // string: access token of the application
	away   atomic.Int64 // answers that the server cannot do its work, and when to come back
}

// conns is how many connections a node takes at once.
const conns = 64

// patience is how long a client waits for an answer.
const patience = 20 * time.Second

// dial returns a node over a server.
func dial(s *launch.Server) *node {
	return &node{server: s, http: &http.Client{
		Timeout: patience, Transport: &http.Transport{MaxIdleConns: conns, MaxIdleConnsPerHost: conns, MaxConnsPerHost: conns},
	}}
}

func (n *node) close() { n.http.CloseIdleConnections() }

// ready sets a sandbox's clock and gets the client a token of that time.
func (n *node) ready(ctx context.Context, ahead time.Duration) error {
	for deadline := time.Now().Add(patience); ; {
		begun := time.Now()
		set := map[string]any{"set": begun.Add(ahead).UTC().Format(time.RFC3339Nano)}
		if r := n.post(ctx, "/sandbox/clock", set); r.status != http.StatusOK {
			return fmt.Errorf("set the clock: %v", r)
		}
		if time.Since(begun) < slack { // it is behind by as much of that as the request took
			return n.signIn(ctx)
		}
		if time.Now().After(deadline) {
			return errors.New("set the clock: the machine is too slow to tell what time it is")
		}
	}
}

// signIn gets the client a token of its own.
func (n *node) signIn(ctx context.Context) error {
	r := n.askToken(ctx, clientID)
	if r.status != http.StatusOK {
		return fmt.Errorf("token of the client: %v", r)
	}
	n.client.Store(r.field("access_token"))
	return nil
}

func (n *node) askToken(ctx context.Context, client string) reply {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {clientSecret}}
	return n.send(ctx, "POST", "/oidc/token", strings.NewReader(form.Encode()), "Content-Type", "application/x-www-form-urlencoded")
}

// reply is what came back; err is set when nothing did.
type reply struct {
	status int
	body   []byte
	err    error
	away   bool // the server cannot do its work, and said when to come back
}

func (r reply) String() string {
	if r.err != nil {
		return r.err.Error()
	}
	return fmt.Sprintf("%d %.200s", r.status, r.body)
}

// field is a text at the top of a JSON body; empty when there is none.
func (r reply) field(name string) string {
	var all map[string]any
	if json.Unmarshal(r.body, &all) != nil {
		return ""
	}
	s, _ := all[name].(string)
	return s
}

func (n *node) send(ctx context.Context, method, path string, body io.Reader, headers ...string) reply {
	r, err := http.NewRequestWithContext(ctx, method, n.server.URL+path, body)
	if err != nil {
		return reply{err: err}
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	got, err := n.http.Do(r)
	if err != nil {
		return reply{err: err}
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	away := got.StatusCode == http.StatusServiceUnavailable && got.Header.Get("Retry-After") != ""
	if away {
		n.away.Add(1)
	}
	return reply{got.StatusCode, text, err, away}
}

// post sends a JSON body, none when it is nil.
func (n *node) post(ctx context.Context, path string, body any, headers ...string) reply {
	if body == nil {
		return n.send(ctx, "POST", path, nil, headers...)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return reply{err: err}
	}
	return n.send(ctx, "POST", path, bytes.NewReader(text), append(headers, "Content-Type", "application/json")...)
}

type object = map[string]any

// do makes one call.
func (n *node) do(ctx context.Context, p *person, c call) answer {
	token := ""
	if c.in < len(p.tokens) {
		token = p.tokens[c.in]
	}
	multi := func(path string, body any) reply {
		if token != "" && c.within() {
			return n.post(ctx, "/multi"+path, body, "api-key", apiKey, "Authorization", "Bearer "+token)
		}
		return n.post(ctx, "/multi"+path, body, "api-key", apiKey)
	}
	cis := func(path string, body any) reply {
		client, _ := n.client.Load().(string)
		return n.post(ctx, "/cis/v1/auth"+path, body, "Authorization", "Bearer "+client)
	}
	word := func(n int) object { return object{"value": text(n)} }
	var a answer
	var r reply
	switch c.kind {
	case login:
		r = multi("/login_with_password", object{"email": p.email, "password": word(c.word)})
		a.token = r.field("token")
	case backendLogin:
		r = cis("/password/authenticate", object{"username": p.email, "username_type": "email", "password": text(c.word)})
		a.token, a.refresh = r.field("session_id"), r.field("refresh_token")
	case look:
		r = n.send(ctx, "GET", "/multi/identities", nil, "api-key", apiKey, "Authorization", "Bearer "+token)
	case logout:
		r = multi("/logout", nil)
	case backendLogout:
		r = cis("/session/logout", object{"session_id": token})
	case refresh:
		r = cis("/token/refresh", object{"refresh_token": p.refresh[c.in][c.token]})
		a.refresh = r.field("refresh_token")
	case askCode:
		r = multi("/stepup/challenges/otp/SMS", nil)
	case verify:
		r = multi("/stepup/challenges/otp/SMS/verify", object{"verificationCode": c.code})
	case change:
		r = multi("/passwords/update", object{"oldPassword": word(c.word), "newPassword": word(c.next)})
		a.token = r.field("token")
	case askRecovery:
		r = multi("/passwords/lost_password/start", object{"email": p.email})
	case recoverByCode:
		r = multi("/passwords/lost_password/resume", object{"nonce": c.code, "email": p.email, "newPassword": word(c.next)})
		a.token = r.field("token")
	case proveReset:
		r = cis("/password/reset/email/otp/validate", object{"email": p.email, "passcode": c.code})
		a.token = r.field("result")
	case resetByToken:
		r = n.post(ctx, "/cis/v1/auth/password/reset", object{"reset_token": p.resets[c.token], "new_password": text(c.next)})
	default:
		r.err = fmt.Errorf("nobody may %s over HTTP", c.kind)
	}
	a.class, a.away = c.read(r), r.away
	if a.class != ok {
		a.detail = ": " + r.String()
	}
	return a
}

// within reports whether a call is made with a session's token of /multi.
func (c call) within() bool { return c.touches() || c.kind == logout }

// read tells what an answer means.
func (c call) read(r reply) class {
	switch {
	case r.err != nil || r.status >= 500:
		return lost
	case r.status < 300:
		return ok
	case r.status == http.StatusTooManyRequests:
		return busy
	case r.status == http.StatusLocked || r.field("ts_error_code") == "auth_locked":
		return locked
	case c.kind == refresh || c.kind == backendLogout, r.status == http.StatusUnauthorized && c.within():
		return dead
	}
	return no
}

// codes reads the codes that came to an address and were not read before, the first one first. The inbox is in the order of the nodes'
// clocks, which may differ, so it does not do to count in it.
func (n *node) codes(ctx context.Context, to string, read map[string]bool) ([]string, error) {
	r := n.send(ctx, "GET", "/sandbox/inbox?to="+url.QueryEscape(to), nil, "Accept", "application/json")
	var all []struct{ Code, At string }
	if err := json.Unmarshal(r.body, &all); r.status != http.StatusOK || err != nil {
		return nil, fmt.Errorf("inbox: %v", r)
	}
	var codes []string
	for _, m := range slices.Backward(all) {
		if key := m.At + " " + m.Code; m.Code != "" && !read[key] {
			codes = append(codes, m.Code)
			read[key] = true
		}
	}
	return codes, nil
}
