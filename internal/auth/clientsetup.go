package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"countersign/internal/jose"
	"countersign/internal/seal"
)

// ClientSetup is a client with its secret in clear.
type ClientSetup struct {
	ID           ClientID
	Auth         ClientAuth // empty: ClientAuthSecret
	Secret       string     // ClientAuthSecret alone
	JWKS         string     // ClientAuthKey alone
	AuthAlg      jose.Alg   // ClientAuthKey: empty: what the keys say, RS256 for RSA keys that say nothing
	Kind         ClientKind
	AppID        AppID // empty: ID
	AppName      string
	Name         string
	Description  string
	Roles        []RoleID
	RedirectURIs []string
	Resources    []string
	Claims       []string
	Alg          jose.Alg
	Native       bool
	SecondFactor bool
	PKCE         PKCEMode // empty: PKCERequired
	RequirePAR   bool
	BoundTokens  bool
	ThirdParty   bool
	Logout       ClientLogout

	AccessTokenFor, RefreshTokenFor, RotateFor, SessionFor time.Duration // zero: as Client says
}

func (in ClientSetup) credentials() ClientCredentials {
	return ClientCredentials{ID: in.ID, Secret: seal.NewSecret(in.Secret)}
}

// clientRow refuses what would not be safe, and an id that could be taken for a user's in a token's sub.
func (s *Service) clientRow(t TenantID, in ClientSetup, now time.Time) (Client, error) {
	c := Client{
		Tenant: t, ID: in.ID, Kind: in.Kind, AppID: cmp.Or(in.AppID, AppID(in.ID)), AppName: in.AppName,
		Name: in.Name, Description: in.Description, Roles: in.Roles,
		Auth: cmp.Or(in.Auth, ClientAuthSecret), PKCE: cmp.Or(in.PKCE, PKCERequired), RequirePAR: in.RequirePAR, BoundTokens: in.BoundTokens, ThirdParty: in.ThirdParty,
		RedirectURIs: in.RedirectURIs, Resources: in.Resources, Claims: requestable(named(in.Claims)), Alg: in.Alg,
		Native: in.Native, SecondFactor: in.SecondFactor, Logout: in.Logout, AccessTokenFor: in.AccessTokenFor,
		RefreshTokenFor: in.RefreshTokenFor, RotateFor: in.RotateFor, SessionFor: in.SessionFor, CreatedAt: now, UpdatedAt: now,
	}
	if isDigits(string(in.ID)) {
		return c, fmt.Errorf("client %s: an id of digits alone could be taken for a user's", in.ID)
	}
	for _, uri := range in.RedirectURIs {
		if err := redirectable(uri); err != nil {
			return c, fmt.Errorf("client %s: redirect URI %s: %w", in.ID, uri, err)
		}
	}
	if err := in.Logout.check(); err != nil {
		return c, fmt.Errorf("client %s: %w", in.ID, err)
	}
	if in.Secret != "" {
		c.Secrets = []ClientSecret{{s.clientSecret(in.credentials()), now}}
	}
	if err := c.takeKeys(in); err != nil {
		return c, fmt.Errorf("client %s: %w", in.ID, err)
	}
	return c, nil
}

// takeKeys checks how a client is to prove itself, and gives it the keys for that.
func (c *Client) takeKeys(in ClientSetup) error {
	switch {
	case !slices.Contains([]ClientAuth{ClientAuthSecret, ClientAuthKey, ClientAuthNone}, c.Auth):
		return fmt.Errorf("it cannot prove itself by %q", c.Auth)
	case !slices.Contains([]PKCEMode{PKCERequired, PKCEOptional}, c.PKCE):
		return fmt.Errorf("there is no PKCE mode %q", c.PKCE)
	case c.Auth == ClientAuthNone && c.Kind != ClientApplication:
		return errors.New("a public client is an application; a management client has to prove itself")
	case c.Auth == ClientAuthNone && c.PKCE != PKCERequired:
		return errors.New("a public client has to use PKCE")
	case c.Auth != ClientAuthSecret && in.Secret != "":
		return fmt.Errorf("a client that proves itself by %s has no secret", c.Auth)
	case c.Auth != ClientAuthKey && (in.JWKS != "" || in.AuthAlg != ""):
		return fmt.Errorf("a client that proves itself by %s has no keys", c.Auth)
	case c.Auth != ClientAuthKey:
		return nil
	case in.JWKS == "":
		return errors.New("private_key_jwt needs the client's public keys")
	}
	set, err := jose.ParseSet(in.JWKS, in.AuthAlg)
	if err != nil {
		return err
	}
	if c.AuthAlg = set.Alg(); !slices.Contains(ClientAuthAlgs(), c.AuthAlg) {
		return fmt.Errorf("keys of algorithm %s are not served", c.AuthAlg)
	}
	c.JWKS = string(set.JWKS())
	return nil
}

// ClientAuthAlgs lists the algorithms that private_key_jwt may be signed with.
func ClientAuthAlgs() []jose.Alg { return []jose.Alg{jose.RS256, jose.PS256, jose.ES256} }

// setup is the ClientSetup that a client could be made from, but for its secret.
func (c Client) setup() ClientSetup {
	return ClientSetup{
		ID: c.ID, Auth: c.Auth, JWKS: c.JWKS, AuthAlg: c.AuthAlg, Kind: c.Kind, AppID: c.AppID, AppName: c.AppName,
		RedirectURIs: c.RedirectURIs, Resources: c.Resources, Claims: c.Claims, Alg: c.Alg, Native: c.Native, SecondFactor: c.SecondFactor,
		BoundTokens: c.BoundTokens, ThirdParty: c.ThirdParty, PKCE: c.PKCE, RequirePAR: c.RequirePAR, Logout: c.Logout, Name: c.Name, Description: c.Description, Roles: c.Roles, AccessTokenFor: c.AccessTokenFor,
		RefreshTokenFor: c.RefreshTokenFor, RotateFor: c.RotateFor, SessionFor: c.SessionFor,
	}
}

// ChangeClient changes what a client may do and how it proves itself, from the next request on every node. change gets what it is now,
// without its secrets; id, kind and secrets are not for it to change, and its error is returned and nothing is changed. A client that goes
// over to keys, or to none, loses its secrets; one that goes over to a secret gets its first by RotateClientSecret.
//
// Errors say what is not safe; ErrNotFound.
func (s *Service) ChangeClient(ctx context.Context, t TenantID, id ClientID, change func(ClientSetup) (ClientSetup, error)) error {
	return s.changeClient(ctx, t, id, EventClientChanged, func(c *Client, now time.Time) error {
		was := *c
		in, err := change(was.setup())
		if err != nil {
			return err
		}
		*c, err = s.remade(was, in, now)
		return err
	})
}

// remade is a client as another setup describes it.
func (s *Service) remade(was Client, in ClientSetup, now time.Time) (Client, error) {
	in.ID, in.Kind, in.Secret = was.ID, was.Kind, ""
	c, err := s.clientRow(was.Tenant, in, now)
	if c.Auth == ClientAuthSecret {
		c.Secrets = was.Secrets
	}
	c.CreatedAt, c.DisabledAt = was.CreatedAt, was.DisabledAt
	return c, err
}
