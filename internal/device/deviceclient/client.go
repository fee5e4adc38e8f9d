package deviceclient

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"countersign/internal/jose"
)

// Error is a refusal by the server: the RFC 9457 document that it answered with.
type Error struct {
	Status     int           `json:"status"`
	Code       string        `json:"code"` // for programs; http_502 where something else than the server answered
	Detail     string        `json:"detail"`
	RetryAfter time.Duration `json:"-"` // zero: it does not say
}

// Error says the code, and what there is to say of it.
func (e *Error) Error() string {
	text := e.Code
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.RetryAfter > 0 {
		text += fmt.Sprintf(" (again in %s)", e.RetryAfter)
	}
	return text
}

const (
	maxAnswer = 1 << 20          // bytes
	callLimit = 30 * time.Second // of a call that does not wait
	// MaxWait is the longest that a server lets a device wait in one call.
	MaxWait = 25 * time.Second
	// silence is when a stream that has told nothing is taken for broken; the server tells every quarter of a minute that it lives.
	silence = 45 * time.Second
)

// Client makes the calls of one device. It is safe for concurrent use.
type Client struct {
	// Passkey is what it approves with beside its key; nil: it is no browser. It is set before the first call.
	Passkey Passkey

	server string
	key    *jose.Key
	http   *http.Client
	told   atomic.Pointer[told]
}

// told is the server's configuration and when it was read.
type told struct {
	Configuration
	at time.Time
}

// New returns the device with this key at a server, of which it takes the URL without a path of the protocol. It makes no call.
func New(server string, key *jose.Key) *Client {
	return &Client{server: strings.TrimSuffix(server, "/"), key: key, http: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a token is for one server
	}}
}

// ID is the device's id: the thumbprint of its key (RFC 7638).
func (c *Client) ID() string { return c.key.ID() }

// Configuration asks for the server's configuration, and remembers its clock.
func (c *Client) Configuration(ctx context.Context) (Configuration, error) {
	var out Configuration
	if err := c.send(ctx, "GET", "/device/v1/configuration", "", nil, &out); err != nil {
		return out, err
	}
	if out.Issuer == "" {
		return out, errors.New("read configuration: it names no issuer")
	}
	c.told.Store(&told{out, time.Now()})
	return out, nil
}

// current is the configuration with the time as the server has it now.
func (c *Client) current(ctx context.Context) (Configuration, error) {
	t := c.told.Load()
	if t == nil {
		return c.Configuration(ctx)
	}
	out := t.Configuration
	out.Now += int64(time.Since(t.at) / time.Second)
	return out, nil
}

// PushAddress is where a device is woken; of a browser's subscription it has the keys, too.
type PushAddress struct {
	Service string `json:"service"` // web, fcm, apns or app
	Token   string `json:"token"`
	P256DH  string `json:"p256dh,omitzero"`
	Auth    string `json:"auth,omitzero"`
}

// Bound is a device that has been bound.
type Bound struct {
	Device      string    `json:"device"`
	Tenant      string    `json:"tenant"`
	User        string    `json:"user"`
	Name        string    `json:"name"`
	UserName    string    `json:"user_name"`
	Service     string    `json:"service"`
	Issuer      string    `json:"issuer"`
	Certificate string    `json:"certificate"` // the server's signature over whose the key is
	BoundAt     time.Time `json:"bound_at"`
}

type binding struct {
	Key     jsontext.Value `json:"key"`
	Proof   string         `json:"proof"`
	Push    *PushAddress   `json:"push,omitzero"`
	Passkey *Registration  `json:"passkey,omitzero"`
}

// Bind binds the device by a ticket of its user's.
func (c *Client) Bind(ctx context.Context, b Binding) (Bound, error) {
	told, err := c.current(ctx)
	if err != nil {
		return Bound{}, err
	}
	proof, err := told.Proof(c.key, b)
	if err != nil {
		return Bound{}, err
	}
	var out Bound
	in := binding{Key: jsontext.Value(c.key.Public().String()), Proof: proof, Push: b.Push}
	if c.Passkey != nil {
		made, err := c.Passkey.Create(told.Passkeys, Challenge(proof))
		if err != nil {
			return Bound{}, err
		}
		in.Passkey = &made
	}
	return out, c.send(ctx, "POST", "/device/v1/devices", "", in, &out)
}

// Device is what the server knows of a device.
type Device struct {
	Device  string    `json:"device"`
	Tenant  string    `json:"tenant"`
	User    string    `json:"user"`
	Name    string    `json:"name"`
	Status  string    `json:"status"` // active or blocked
	Push    bool      `json:"push"`   // whether it is woken
	PIN     bool      `json:"pin"`    // whether the server keeps a PIN of it
	BoundAt time.Time `json:"bound_at"`
	UsedAt  time.Time `json:"used_at,omitzero"`
}

// Device asks what the server knows of the device.
func (c *Client) Device(ctx context.Context) (Device, error) {
	var out Device
	return out, c.call(ctx, "GET", "/device/v1/device", nil, &out)
}

// Unbind ends the device. Its key is never bound again.
func (c *Client) Unbind(ctx context.Context) error {
	return c.call(ctx, "DELETE", "/device/v1/device", nil, nil)
}

// SetPush has the device woken at an address, or, for nil, no more.
func (c *Client) SetPush(ctx context.Context, to *PushAddress) error {
	if to == nil {
		return c.call(ctx, "DELETE", "/device/v1/device/push", nil, nil)
	}
	return c.call(ctx, "PUT", "/device/v1/device/push", to, nil)
}

// SetPIN has the server keep another PIN of the device, by a ticket of its user's.
func (c *Client) SetPIN(ctx context.Context, ticket, pin string) error {
	return c.call(ctx, "PUT", "/device/v1/device/pin", map[string]string{"ticket": ticket, "pin": pin}, nil)
}

type requests struct {
	Requests []Request `json:"requests"`
}

// Requests lists what waits, oldest first. With wait, of which the server takes up to MaxWait, it returns when that is other than what is
// known, or after that time.
func (c *Client) Requests(ctx context.Context, wait time.Duration, known []Request) ([]Request, error) {
	query := url.Values{}
	if wait > 0 {
		query.Set("wait", strconv.Itoa(int((min(wait, MaxWait)+time.Second-1)/time.Second)))
		query.Set("known", strings.Join(idsOf(known), ","))
	}
	var out requests
	err := c.call(ctx, "GET", "/device/v1/requests?"+query.Encode(), nil, &out)
	return out.Requests, err
}

func idsOf(all []Request) []string {
	ids := make([]string, len(all))
	for i, r := range all {
		ids[i] = r.Challenge
	}
	return ids
}

type answering struct {
	Answer    string     `json:"answer"`
	Assertion *Assertion `json:"assertion,omitzero"`
	PIN       any        `json:"pin,omitempty"`
}

// Answer answers a request, and returns what became of it: approved or denied.
func (c *Client) Answer(ctx context.Context, r Request, a Answer) (status string, err error) {
	told, err := c.current(ctx)
	if err != nil {
		return "", err
	}
	prove := c.Passkey != nil && a.Decision == Approve
	if prove && a.Verified == "" {
		a.Verified = "webauthn"
	}
	if a.PIN != "" && a.Salt == "" {
		a.Salt = NewSalt()
	}
	signed, err := told.Sign(c.key, r, a)
	if err != nil {
		return "", err
	}
	in := answering{Answer: signed}
	if a.PIN != "" {
		in.PIN = map[string]string{"value": a.PIN, "salt": a.Salt}
	}
	if prove {
		made, err := c.Passkey.Get(told.Passkeys, Challenge(signed))
		if err != nil {
			return "", err
		}
		in.Assertion = &made
	}
	var out struct {
		Status string `json:"status"`
	}
	err = c.call(ctx, "POST", "/device/v1/requests/"+url.PathEscape(r.Challenge)+"/answer", in, &out)
	return out.Status, err
}

// Poll calls on with what waits, at once and at each change, until ctx is done, a call fails, or on returns an error.
func (c *Client) Poll(ctx context.Context, on func([]Request) error) error {
	var known []Request
	wait := time.Duration(0)
	for {
		all, err := c.Requests(ctx, wait, known)
		if err != nil {
			return err
		}
		if wait == 0 || strings.Join(idsOf(all), ",") != strings.Join(idsOf(known), ",") {
			if err := on(all); err != nil {
				return err
			}
		}
		known, wait = all, MaxWait
	}
}

// Watch is Poll on a stream, which the server ends now and then and which is opened anew.
func (c *Client) Watch(ctx context.Context, on func([]Request) error) error {
	for {
		if err := c.stream(ctx, on); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// stream reads one stream to its end.
func (c *Client) stream(ctx context.Context, on func([]Request) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	alive := time.AfterFunc(silence, cancel)
	defer alive.Stop()
	var got *http.Response
	err := c.signed(ctx, func(token string) (err error) {
		got, err = c.request(ctx, "GET", "/device/v1/requests/events", token, nil)
		return err
	})
	if err != nil {
		return err
	}
	defer got.Body.Close()
	lines := bufio.NewScanner(got.Body)
	lines.Buffer(nil, maxAnswer)
	for lines.Scan() {
		alive.Reset(silence)
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var out requests
		if err := json.Unmarshal([]byte(data), &out); err != nil {
			return fmt.Errorf("read stream: %w", err)
		}
		if err := on(out.Requests); err != nil {
			return err
		}
	}
	return nil // of a broken one the next tells why
}

// call makes a call of the device's own.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	return c.signed(ctx, func(token string) error { return c.send(ctx, method, path, token, in, out) })
}

// signed does what takes a token. One that is refused is made once more by the server's clock, which may have moved.
func (c *Client) signed(ctx context.Context, do func(token string) error) error {
	for again := false; ; again = true {
		told, err := c.current(ctx)
		if err != nil {
			return err
		}
		token, err := told.Token(c.key)
		if err != nil {
			return err
		}
		err = do(token)
		var no *Error
		if again || !errors.As(err, &no) || no.Status != http.StatusUnauthorized {
			return err
		}
		c.told.Store(nil)
	}
}

// send makes one call and reads its answer into out, unless that is nil.
func (c *Client) send(ctx context.Context, method, path, token string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit+MaxWait)
	defer cancel()
	got, err := c.request(ctx, method, path, token, in)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	if out == nil {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(got.Body, maxAnswer))
	if err == nil {
		err = json.Unmarshal(text, out)
	}
	if err != nil {
		return fmt.Errorf("read answer to %s %s: %w", method, path, err)
	}
	return nil
}

// request makes one call, with a token unless that is empty; a refusal is an *Error.
func (c *Client) request(ctx context.Context, method, path, token string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	call, err := http.NewRequestWithContext(ctx, method, c.server+path, body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		call.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		call.Header.Set("Authorization", "Bearer "+token)
	}
	got, err := c.http.Do(call)
	if err != nil || got.StatusCode/100 == 2 {
		return got, err
	}
	defer got.Body.Close()
	return nil, refusalOf(got)
}

// refusalOf reads a refusal. What is not the server's own is told by its status.
func refusalOf(got *http.Response) error {
	no := &Error{}
	text, err := io.ReadAll(io.LimitReader(got.Body, maxAnswer))
	if err != nil || json.Unmarshal(text, no) != nil || no.Code == "" {
		no = &Error{Code: fmt.Sprintf("http_%d", got.StatusCode), Detail: "not an answer of /device/v1"}
	}
	no.Status = got.StatusCode
	if seconds, err := strconv.Atoi(got.Header.Get("Retry-After")); err == nil {
		no.RetryAfter = time.Duration(seconds) * time.Second
	}
	return no
}
