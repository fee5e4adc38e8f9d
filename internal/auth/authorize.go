package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"countersign/internal/jose"
)

// AuthorizationRequest is what a client asks for by way of its user's browser (OIDC Core §3.1.2.1, contract/cis §1.5).
type AuthorizationRequest struct {
	Client          ClientID
	RedirectURI     string
	ResponseType    string
	ResponseMode    string
	Scopes          []string
	State           string
	Nonce           string
	Challenge       string // RFC 7636 §4.3
	ChallengeMethod string
	Prompts         []string
	MaxAge          string   // seconds, as they came; empty: any
	ACRs            []string // in order of preference
	LoginHint       string
	Locales         []string // languages of the page, in order of preference
	Resource        string
	Claims          []ClaimRequest // for the ID token
	UserInfo        []ClaimRequest // for UserInfo
	OrgID           string
	Subject         UserID // who it has to be; empty: anybody
	Key             string // the thumbprint of the key that the code is for (RFC 9449 §10)
	Hint            string // an ID token of who it has to be (id_token_hint)
	pushed          bool   // by its client, ahead of the browser
	Unclear         string // the parameter that could not be read at all; empty: none
}

// AuthorizationScopes lists the scopes of an authorization; others are ignored (OIDC Core §3.1.2.1).
func AuthorizationScopes() []string { return []string{"openid", "email", "phone", scopeOffline} }

const scopeOffline = "offline_access"

// AuthorizationACRs lists the values of acr that a client may ask for.
func AuthorizationACRs() []string { return []string{ACRPassword, ACRMFA} }

// Values of prompt that are served (OIDC Core §3.1.2.1).
const (
	promptNone    = "none"
	promptLogin   = "login"
	promptConsent = "consent"
	promptSelect  = "select_account" // one browser has one session, so to choose is to log in
)

// AuthorizationPrompts lists them.
func AuthorizationPrompts() []string {
	return []string{promptNone, promptLogin, promptConsent, promptSelect}
}

// AuthorizationStep is what the login page asks a user for.
type AuthorizationStep string

const (
	StepPassword AuthorizationStep = "password"
	StepCode     AuthorizationStep = "code"    // by SMS
	StepConsent  AuthorizationStep = "consent" // to what the client asks for
	StepDone     AuthorizationStep = "done"    // nothing: the client gets its code
)

// Authorization is where a request stands. What its page needs to know of it is here, and no more.
type Authorization struct {
	AuthorizationRequest
	Step    AuthorizationStep
	Tenant  TenantID
	Theme   Theme  // of the page, with the name to be shown
	App     string // the client's, to be shown
	Form    string // for the page's form; good for one browser
	Session string // the secret of a new session, for the tenant's cookie; empty: leave the cookie
	Sent    bool   // StepCode: a code is on its way

	ThirdParty bool          // StepConsent: the client is somebody else's
	KeepFor    time.Duration // StepConsent: how long refresh tokens go on

	Refused *Error // why what was typed last did not hold; nil: nothing was, or it did
	Code    string // StepDone
}

// Browser is what a browser brought of ours.
type Browser struct {
	Form    string                // the value of the cookie that its forms are bound to
	Session func(TenantID) string // the secret of the tenant's session cookie; empty: none
}

// authorizing is a request on its way through the login page. It goes to the browser and comes back, under a keyed hash.
type authorizing struct {
	Request   AuthorizationRequest
	BegunAt   time.Time
	Proved    SessionID // whose password was proved on this page; empty: none
	Asked     bool      // the page that was shown asks for consent
	Consented bool
}

// authorizeFor is how long a user may take on the login page.
const authorizeFor = 30 * time.Minute

// CheckRedirect reports whether a client exists and owns a redirect URI. Until it does, nothing may be sent there.
//
// Errors: CodeRedirectInvalid, CodeMaintenance.
func (s *Service) CheckRedirect(ctx context.Context, id ClientID, uri string) error {
	_, err := s.redirectClient(ctx, id, uri)
	return err
}

func (s *Service) redirectClient(ctx context.Context, id ClientID, uri string) (*Client, error) {
	var client *Client
	err := s.lookup(ctx, func(d *directory) error {
		c := d.clients[id]
		if c == nil || !c.DisabledAt.IsZero() || c.Kind != ClientApplication || !c.redirects(uri) {
			return refuseField(CodeRedirectInvalid, "redirect_uri")
		}
		client = c
		return d.open(c.Tenant)
	})
	return client, err
}

// redirects reports whether a URI is one of the client's: the same text, but for the port of a loopback address where the client is a
// native one (RFC 9700 §2.1, §4.1.3).
func (c *Client) redirects(uri string) bool {
	if slices.Contains(c.RedirectURIs, uri) {
		return true
	}
	host, rest, ok := loopback(uri)
	return c.Native && ok && slices.ContainsFunc(c.RedirectURIs, func(own string) bool {
		h, r, ok := loopback(own)
		return ok && h == host && r == rest
	})
}

// loopback takes the port out of a URI of a loopback address (RFC 8252 §7.3).
func loopback(uri string) (host, rest string, ok bool) {
	for _, host := range []string{"http://127.0.0.1", "http://[::1]"} {
		after, found := strings.CutPrefix(uri, host)
		if !found {
			continue
		}
		end := strings.IndexAny(after, "/?")
		if end < 0 {
			end = len(after)
		}
		port, colon := strings.CutPrefix(after[:end], ":")
		number, err := strconv.ParseUint(port, 10, 16)
		if after[:end] == "" || colon && isDigits(port) && err == nil && number > 0 {
			return host, after[end:], true
		}
	}
	return "", "", false
}

// redirectable says why a URI may not be registered: everything but HTTPS, HTTP on the user's own machine and a scheme of the app's own
// (RFC 8252 §7.1) would give codes away, and a pattern is no URI.
func redirectable(uri string) error {
	u, err := url.Parse(uri)
	switch {
	case err != nil || strings.ContainsAny(uri, "*#\\;,'\" ") || u.User != nil:
		return errors.New("must be a plain URI, without fragment, user or *")
	case u.Scheme == "https" && u.Host != "":
		return nil
	case u.Scheme == "http" && slices.Contains([]string{"127.0.0.1", "::1", "localhost"}, u.Hostname()):
		return nil
	case strings.Contains(u.Scheme, ".") && u.Host == "":
		return nil
	}
	return errors.New("must begin with https:, http: and a loopback address, or a scheme of your own with a dot in it")
}

// Authorize begins an authorization in a user's browser, or ends it at once when the session that the browser brings is enough.
//
// Errors: CodeRedirectInvalid and CodeMaintenance, of which only the user can be told; and then, for the client, CodeRequestInvalid,
// CodeResponseType, CodeInvalidScope, CodeInvalidTarget, CodeLoginRequired, CodeConsentRequired, CodeFactorsUnmet,
// CodeNotMember.
func (s *Service) Authorize(ctx context.Context, in AuthorizationRequest, b Browser, via Via) (Authorization, error) {
	client, err := s.redirectClient(ctx, in.Client, in.RedirectURI)
	if err != nil {
		return Authorization{}, err
	}
	if client.RequirePAR && !in.pushed {
		return Authorization{}, refuseField(CodeRequestInvalid, "request_uri")
	}
	if err := in.check(client); err != nil {
		return Authorization{}, err
	}
	p := &page{client: client, by: Actor{Tenant: client.Tenant, Client: client.ID, Via: via}, browser: b, now: s.now()}
	in.Hint, in.Subject = "", s.hinted(in, client, p.now)
	p.state = authorizing{Request: in, BegunAt: p.now}
	if err := s.arrive(ctx, p); err != nil {
		return Authorization{}, err
	}
	return s.proceed(ctx, p)
}

// hinted is who it has to be. A hint that is not a live ID token of the client's says nothing.
func (s *Service) hinted(in AuthorizationRequest, c *Client, now time.Time) UserID {
	if in.Hint == "" || in.Subject != "" {
		return in.Subject
	}
	want := jose.Want{Typ: []string{typID}, Issuer: s.issuer, Audience: string(c.ID), Now: now}
	claims, err := s.dir.Load().public.Verify(in.Hint, want)
	if err != nil {
		return ""
	}
	subject, _ := claims.String("sub")
	return UserID(subject)
}

// check says what is wrong with a request whose client and redirect URI are good.
func (in AuthorizationRequest) check(c *Client) error {
	none := slices.Contains(in.Prompts, promptNone)
	switch {
	case in.Unclear != "":
		return refuseField(CodeRequestInvalid, in.Unclear)
	case in.ResponseType == "":
		return refuseField(CodeRequestInvalid, "response_type")
	case in.ResponseType != "code":
		return refuseField(CodeResponseType, "response_type")
	case in.ResponseMode != "" && in.ResponseMode != "query":
		return refuseField(CodeRequestInvalid, "response_mode")
	case !slices.Contains(in.Scopes, "openid"):
		return refuseField(CodeInvalidScope, "scope")
	case none && len(in.Prompts) > 1 || slices.ContainsFunc(in.Prompts, unknownPrompt):
		return refuseField(CodeRequestInvalid, "prompt")
	case in.Key != "" && !isThumbprint(in.Key):
		return refuseField(CodeRequestInvalid, "dpop_jkt")
	case len(in.Nonce) > maxNonce:
		return refuseField(CodeRequestInvalid, "nonce")
	}
	if err := in.checkPKCE(c); err != nil {
		return err
	}
	if _, err := in.maxAge(); err != nil {
		return err
	}
	_, err := c.audience(in.Resource)
	return err
}

// checkPKCE lets no request without a challenge through but those of clients that are from before PKCE. A challenge that is there
// binds such a client's code, too.
func (in AuthorizationRequest) checkPKCE(c *Client) error {
	switch {
	case in.Challenge == "" && in.ChallengeMethod == "" && c.PKCE == PKCEOptional:
		return nil
	case in.ChallengeMethod != "S256": // its absence would mean plain
		return refuseField(CodeRequestInvalid, "code_challenge_method")
	case !isChallenge(in.Challenge):
		return refuseField(CodeRequestInvalid, "code_challenge")
	}
	return nil
}

// maxNonce is the longest nonce, which every ID token repeats, in bytes.
const maxNonce = 512

func unknownPrompt(p string) bool { return !slices.Contains(AuthorizationPrompts(), p) }

// isChallenge reports whether a text is the SHA-256 of something, as RFC 7636 §4.2 writes it.
func isChallenge(text string) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil && len(raw) == 32 && !strings.ContainsAny(text, "\r\n")
}

// maxAge is how old the user's authentication may be; negative: any age.
func (in AuthorizationRequest) maxAge() (time.Duration, error) {
	if in.MaxAge == "" {
		return -1, nil
	}
	seconds, err := strconv.ParseUint(in.MaxAge, 10, 31)
	if err != nil {
		return 0, refuseField(CodeRequestInvalid, "max_age")
	}
	return time.Duration(seconds) * time.Second, nil
}

// scope is what the tokens may be used for: what is served of what was asked. A refresh token needs the user's consent (OIDC Core §11,
// contract/cis §1.5).
func (in AuthorizationRequest) scope() string {
	var granted []string
	for _, scope := range AuthorizationScopes() {
		asked := slices.Contains(in.Scopes, scope)
		if asked && (scope != scopeOffline || slices.Contains(in.Prompts, promptConsent)) {
			granted = append(granted, scope)
		}
	}
	return strings.Join(granted, " ")
}

// factors says whether a second factor is demanded, and whether one factor will do for a user who cannot prove two. acr_values is a list
// in order of preference; nothing that was demanded is silently left out (A-102, RFC 9470 §5).
func (in AuthorizationRequest) factors(c *Client) (second, must bool, err error) {
	mfa, one := slices.Index(in.ACRs, ACRMFA), slices.Index(in.ACRs, ACRPassword)
	switch {
	case c.SecondFactor:
		return true, true, nil
	case len(in.ACRs) == 0:
		return false, false, nil
	case mfa < 0 && one < 0:
		return false, false, refuseField(CodeFactorsUnmet, "acr_values")
	}
	return mfa >= 0 && (one < 0 || mfa < one), one < 0, nil
}
