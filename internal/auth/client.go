package auth

import (
	"context"
	"time"

	"countersign/internal/jose"
)

// ClientID names software that calls us with its own credentials. It is unique
// over all tenants, since a token request names nothing else.
type ClientID string

// ClientKind says what a client's tokens are good for.
type ClientKind string

const (
	ClientApplication ClientKind = "application" // an end-user application's back end (contract/cis §0.2 ClientAccessToken)
	ClientManagement  ClientKind = "management"  // administers the tenant (contract/cis §0.2 AdminAccessToken)
)

// ClientAuth is how a client proves itself. Each has one way, and no other lets it in.
type ClientAuth string

const (
	// ClientAuthSecret is a secret, by HTTP Basic or in the body, as the client likes: the vendor's documents name client_secret_basic, its
	// samples send the other (contract/cis §1.5).
	ClientAuthSecret ClientAuth = "client_secret"
	ClientAuthKey    ClientAuth = "private_key_jwt" // a JWT that it signs (RFC 7523 §2.2, OIDC Core §9)
	ClientAuthNone   ClientAuth = "none"            // nothing: a public client, which can keep no secret (RFC 6749 §2.1)
)

// PKCEMode says whether each of a client's authorizations needs a challenge (RFC 7636).
type PKCEMode string

const (
	PKCERequired PKCEMode = "required" // the default of every client (RFC 9700 §2.1.1, A-090)
	PKCEOptional PKCEMode = "optional" // for clients from before; never of a public one
)

// Client is software that calls /cis and /oidc with its own credentials.
type Client struct {
	Tenant       TenantID
	ID           ClientID
	Kind         ClientKind
	AppID        AppID
	AppName      string // its application's; a management client, which has none, brings its own
	Name         string
	Description  string
	Roles        []RoleID // of clients; none: it may do all that a client may
	Auth         ClientAuth
	Secrets      []ClientSecret // ClientAuthSecret: at most two live, so that a secret can be replaced without an outage
	JWKS         string         // ClientAuthKey: the public keys, of one algorithm (RFC 7517 §5)
	AuthAlg      jose.Alg       // ClientAuthKey: that algorithm
	PKCE         PKCEMode
	ThirdParty   bool // somebody else's: users are asked what it may have (contract/cis §1.8)
	BoundTokens  bool // it gets no token without a proof of a key (RFC 9449 §5.2)
	RequirePAR   bool // its authorizations are pushed first (RFC 9126 §6)
	RedirectURIs []string
	Resources    []string // what may be asked for as resource; RFC 8707
	Claims       []string // claims always put into the ID token
	Alg          jose.Alg // signs this client's tokens; empty: ES256
	Native       bool     // runs on the user's device: the port of a loopback redirect URI is free (RFC 8252 §7.3)
	SecondFactor bool     // its users prove two factors in the browser
	Logout       ClientLogout

	AccessTokenFor  time.Duration // zero: one hour
	RefreshTokenFor time.Duration // zero: 14 days
	RotateFor       time.Duration // absolute life of a family of refresh tokens; zero: RefreshTokenFor
	SessionFor      time.Duration // idle limit of the sessions it opens; zero: the tenant's
	CreatedAt       time.Time
	UpdatedAt       time.Time
	DisabledAt      time.Time // zero: live
}

// ClientLogout says what happens to a client when its users log out.
type ClientLogout struct {
	RedirectURIs    []string // where the browser may be sent afterwards (OIDC RP-Initiated Logout §3.1)
	URI             string   // where the client is told; empty: it is not (OIDC Back-Channel Logout §2.2)
	SessionRequired bool     // it wants sid in what it is told, where it always is
}

// ClientSecret is the keyed hash of one secret.
type ClientSecret struct {
	Hash      [32]byte // MAC of client id and secret
	CreatedAt time.Time
}

// DefaultAudience is aud of a token for nothing in particular: this server's own API (contract/cis §0.2, §2.2).
const DefaultAudience = "userid-api"

// Types of the tokens we sign, as in the header's typ.
const (
	typAccess = "at+jwt" // RFC 9068 §2.1
	typID     = "JWT"
)

// ClientToken is an access token of a client's own.
type ClientToken struct {
	AccessToken string
	ExpiresIn   time.Duration
	Scope       string
}

// ClientToken issues an access token of the client's own (RFC 6749 §4.4, contract/cis §2.3). A resource must be configured for the
// client (RFC 8707 §2).
//
// Errors: CodeInvalidTarget, CodeClientRefused for a public client, and those of the actor.
func (s *Service) ClientToken(ctx context.Context, by Actor, resource string) (ClientToken, error) {
	if err := s.Resync(ctx); err != nil {
		return ClientToken{}, err
	}
	if err := s.admitted(by); err != nil {
		return ClientToken{}, err
	}
	client, err := s.issuingClient(ctx, by)
	if err != nil {
		return ClientToken{}, err
	}
	if client.Auth == ClientAuthNone { // whose token would be anybody's
		return ClientToken{}, refuse(CodeClientRefused)
	}
	audience, err := client.audience(resource)
	if err != nil {
		return ClientToken{}, err
	}
	now := s.now()
	claims := s.baseClaims(client, string(client.ID), audience, now)
	claims["roles"] = s.appRoles(client)
	if client.Kind == ClientManagement {
		claims["role"], claims["roles"] = "Admin", []string{"Admin"}
	}
	if by.Holds != "" {
		claims[claimConfirmation] = confirmation(by.Holds)
	}
	own := s.dir.Load().roleSet(client.Tenant, "", client.Roles)
	claims["ts_roles"], claims["ts_permissions"] = own.names, own.permissions
	token, err := s.sign(client, typAccess, claims)
	if err != nil {
		return ClientToken{}, err
	}
	e := s.event(by, EventTokenIssued, now)
	e.Reason = "client"
	err = s.store.Write(ctx, func(w Writes) error { return w.AddEvents(e) })
	return ClientToken{AccessToken: token, ExpiresIn: s.lives(client, audience).Access}, err
}

// appRoles are the roles that the client's application has been given.
func (s *Service) appRoles(c *Client) []string {
	d, ids := s.dir.Load(), []string{}
	if a := d.apps[appRef{c.Tenant, c.AppID}]; a != nil {
		for _, id := range a.Roles {
			if d.roles[roleRef{c.Tenant, id}] != nil {
				ids = append(ids, string(id))
			}
		}
	}
	return ids
}

// clientOf finds the actor's own entry; it may have gone since the actor was let in.
func (s *Service) clientOf(by Actor) (*Client, error) {
	c := s.dir.Load().clients[by.Client]
	if c == nil {
		return nil, refuse(CodeUnknownClient)
	}
	return c, nil
}

// issuingClient is clientOf for what ends in tokens: it makes the key that signs them if there is none yet, since a transaction cannot.
//
// Error: CodeProofInvalid, for a client that gets no token without a proof.
func (s *Service) issuingClient(ctx context.Context, by Actor) (*Client, error) {
	c, err := s.clientOf(by)
	if err != nil {
		return nil, err
	}
	if c.BoundTokens && by.Holds == "" {
		return nil, refuse(CodeProofInvalid)
	}
	return c, s.EnsureKeys(ctx, c.alg())
}

// audience is aud for a token that asks for a resource.
func (c *Client) audience(resource string) (string, error) {
	switch {
	case resource == "":
		return DefaultAudience, nil
	case c.serves(resource):
		return resource, nil
	}
	return "", refuseField(CodeInvalidTarget, "resource")
}

// covers reports whether the client may still have tokens for what was granted: for an audience, and for an organization of the user's if
// there is one.
func (c *Client) covers(audience string, ms []Membership, org IdentityRef) bool {
	return (audience == DefaultAudience || c.serves(audience)) && (org.IsZero() || c.acts(ms, org))
}

// TokenLimits are how long tokens live.
type TokenLimits struct {
	Access  time.Duration // access and ID tokens
	Refresh time.Duration
	Rotate  time.Duration // absolute life of a family of refresh tokens
}

// Limits are those of the client's tokens (contract/cis §2.1).
func (c *Client) Limits() TokenLimits {
	return TokenLimits{c.accessTokenFor(), c.refreshTokenFor(), orElse(c.RotateFor, c.refreshTokenFor())}
}

func (c *Client) accessTokenFor() time.Duration { return orElse(c.AccessTokenFor, time.Hour) }

func (c *Client) refreshTokenFor() time.Duration { return orElse(c.RefreshTokenFor, 14*24*time.Hour) }

func orElse(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// baseClaims are what every access token of a client carries (contract/cis §2.2, §2.3).
func (s *Service) baseClaims(c *Client, subject, audience string, now time.Time) jose.Claims {
	return jose.Claims{
		"iss": s.issuer, "sub": subject, "aud": audience, "iat": now, "exp": now.Add(s.lives(c, audience).Access), "jti": randomText(16),
		"client_id": string(c.ID), "app_id": string(c.AppID), "app_name": c.AppName, "tid": string(c.Tenant), "scope": "",
	}
}

// SignWith names what signs the client's tokens.
func (c *ClientSetup) SignWith(alg string) { c.Alg = jose.Alg(alg) }

// SigningAlg is what signs the client's tokens.
func (c *Client) SigningAlg() jose.Alg { return c.alg() }

func (c *Client) alg() jose.Alg {
	if c.Alg == "" {
		return jose.ES256
	}
	return c.Alg
}

// sign signs the claims of a token; its client is issuingClient's.
func (s *Service) sign(c *Client, typ string, claims jose.Claims) (string, error) {
	key := s.dir.Load().signs(c, s.now())
	if key == nil {
		var err error
		if key, err = s.signer(c.alg()); err != nil {
			return "", err
		}
	}
	return jose.Sign(key, typ, claims)
}

// Issuer is iss of every token.
func (s *Service) Issuer() string { return s.issuer }
