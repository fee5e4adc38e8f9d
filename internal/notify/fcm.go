package notify

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"

	"countersign/internal/seal"
)

// FCM wakes apps over Firebase Cloud Messaging's HTTP v1 API
// (https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send).
type FCM struct {
	Account seal.Secret   // the JSON of a service account's key
	URL     string        // https://fcm.googleapis.com if empty
	Limit   time.Duration // of one exchange; zero: 10 s
}

const (
	fcmURL   = "https://fcm.googleapis.com"
	fcmScope = "https://www.googleapis.com/auth/firebase.messaging"
)

// serviceAccount is what is used of the JSON file that Google gives for a service account.
type serviceAccount struct {
	Type       string `json:"type"`
	Project    string `json:"project_id"`
	KeyID      string `json:"private_key_id"`
	PrivateKey string `json:"private_key"`
	Email      string `json:"client_email"`
	TokenURI   string `json:"token_uri"`
}

func (f *FCM) account() (serviceAccount, error) {
	var a serviceAccount
	if json.Unmarshal([]byte(f.Account.Reveal()), &a) != nil {
		return a, errors.New("is not the JSON of a service account")
	}
	switch {
	case a.Type != "service_account":
		return a, errors.New("is not of type service_account")
	case a.Project == "" || a.Email == "" || a.TokenURI == "":
		return a, errors.New("lacks project_id, client_email or token_uri")
	case !isRSA(a.PrivateKey):
		return a, errors.New("lacks private_key, or it is no RSA key in PEM")
	}
	if reason := problemOf(a.TokenURI); reason != "" {
		return a, fmt.Errorf("token_uri %s", reason)
	}
	return a, nil
}

// isRSA reports whether a text is a key that access tokens can be asked for with.
func isRSA(text string) bool {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return false
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	_, ok := key.(*rsa.PrivateKey)
	return err == nil && ok
}

func (f *FCM) problems(add func(setting, format string, args ...any)) {
	if f.Account.IsZero() {
		add("push.fcm.account_file", "missing; the JSON file of a service account's key")
	} else if _, err := f.account(); err != nil {
		add("push.fcm.account_file", "%v", err)
	}
	if f.URL != "" {
		if reason := problemOf(f.URL); reason != "" {
			add("push.fcm.url", "%s", reason)
		}
	}
	limitProblem("push.fcm.timeout", f.Limit, add)
}

type fcm struct {
	*client
	url    string
	source jwt.Config
	turn   chan struct{} // of the one who fetches a token

	mu    sync.Mutex
	token oauth2.TokenSource // nil: to be made
}

// newFCM takes an FCM without problems.
func newFCM(f FCM, c Config) *fcm {
	account, err := f.account()
	if err != nil {
		panic("notify: an account that was not judged: " + err.Error())
	}
	base := strings.TrimSuffix(f.URL, "/")
	if base == "" {
		base = fcmURL
	}
	return &fcm{
		client: newClient("push.fcm", f.Limit, c), url: base + "/v1/projects/" + url.PathEscape(account.Project) + "/messages:send",
		turn: make(chan struct{}, 1),
		source: jwt.Config{
			Email: account.Email, PrivateKey: []byte(account.PrivateKey), PrivateKeyID: account.KeyID, TokenURL: account.TokenURI,
			Scopes: []string{fcmScope},
		},
	}
}

// bearer returns an access token of ours at Google. It is fetched once an hour, by whoever comes first; the others wait, each no longer than its
// own try may take.
func (f *fcm) bearer(ctx context.Context) (string, error) {
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	type outcome struct {
		token *oauth2.Token
		err   error
	}
	got := make(chan outcome, 1)
	go func() { // the library knows no context; what comes after the end of ours is good for the next
		defer func() { <-f.turn }()
		t, err := f.tokens().Token()
		got <- outcome{t, err}
	}()
	select {
	case o := <-got:
		if o.err != nil {
			return "", o.err
		}
		return o.token.AccessToken, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// tokens is where access tokens come from.
func (f *fcm) tokens() oauth2.TokenSource {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.token == nil {
		limited := &http.Client{Transport: f.http.Transport, CheckRedirect: f.http.CheckRedirect, Timeout: f.limit}
		f.token = f.source.TokenSource(context.WithValue(context.Background(), oauth2.HTTPClient, limited))
	}
	return f.token
}

func (f *fcm) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.token = nil
}

func (f *fcm) carry(ctx context.Context, l letter) error {
	w := wake(l)
	body, err := json.Marshal(map[string]any{"message": map[string]any{
		"token":        l.message.Push.Token,
		"notification": map[string]string{"title": w.Title, "body": w.Body},
		"data":         map[string]string{"challenge": w.Challenge, "tenant": w.Tenant},
		"android":      map[string]any{"priority": "HIGH", "ttl": fmt.Sprintf("%ds", l.secondsLeft(f.now())), "collapse_key": topic(l)},
	}})
	if err != nil {
		return permanent("%s: the message cannot be written", f.what)
	}
	token, err := f.bearer(ctx)
	if ctx.Err() != nil {
		return broken(ctx, f.what, ctx.Err())
	}
	if err != nil { // its text may quote what the other side said
		return retryable("%s: no access token was given to the service account", f.what)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url, bytes.NewReader(body))
	if err != nil {
		return permanent("%s: the URL cannot be made", f.what)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	a, err := f.exchange(ctx, req)
	if err != nil {
		return err
	}
	if a.status == http.StatusOK {
		return nil
	}
	return f.judge(a)
}

// judge reads the code beside the status, which tells more
// (https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode).
func (f *fcm) judge(a answer) error {
	var said struct {
		Error struct {
			Details []struct {
				Code string `json:"errorCode"`
			} `json:"details"`
		} `json:"error"`
	}
	code := ""
	if json.Unmarshal(a.body, &said) == nil {
		for _, d := range said.Error.Details {
			if d.Code != "" {
				code = d.Code
			}
		}
	}
	switch {
	case code == "UNREGISTERED": // a project that is not the token's, or that there is not, may be our mistake
		return gone("%s: the device's token is not good any more (%d)", f.what, a.status)
	case a.status == http.StatusUnauthorized:
		f.forget()
	}
	return f.refusal(a)
}
