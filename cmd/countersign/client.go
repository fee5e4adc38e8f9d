package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"countersign/internal/auth"
	"countersign/internal/jose"
	"countersign/internal/seed"
)

type clientCommand struct {
	List     clientList     `cmd:"" help:"List the clients of a tenant."`
	Create   clientCreate   `cmd:"" help:"Add a client; its secret is shown once."`
	Settings clientSettings `cmd:"" help:"Change a client by a file."`
	Rotate   clientRotate   `cmd:"" help:"Give a client a new secret; the former one stays good until the next rotation."`
	Disable  clientDisable  `cmd:"" help:"Refuse a client and its tokens from now on."`
}

type clientList struct {
	configured
	Tenant string `arg:"" help:"Tenant id."`
}

// Run lists.
func (c clientList) Run(w *world) error {
	return c.do(w, "tenant "+c.Tenant, func(_ context.Context, s *auth.Service) error {
		if !hasTenant(s, c.Tenant) {
			return auth.ErrNotFound
		}
		for _, k := range s.Clients(auth.TenantID(c.Tenant)) {
			fmt.Fprintln(w.stdout, clientLine(k))
		}
		return nil
	})
}

// clientLine tells of a client what is not as with any other.
func clientLine(k auth.Client) string {
	line := fmt.Sprintf("%s  %s  %s  %s", k.ID, k.Kind, k.AppName, k.Auth)
	if k.Auth == auth.ClientAuthKey {
		line += " " + string(k.AuthAlg)
	}
	for _, flag := range []struct {
		name string
		set  bool
	}{
		{"native", k.Native}, {"second-factor", k.SecondFactor}, {"enforce-par", k.RequirePAR}, {"dpop", k.BoundTokens}, {"third-party", k.ThirdParty}, {"pkce-optional", k.PKCE == auth.PKCEOptional},
	} {
		if flag.set {
			line += "  " + flag.name
		}
	}
	for _, list := range []struct {
		name   string
		values []string
	}{
		{"resources", k.Resources}, {"redirects", k.RedirectURIs}, {"claims", k.Claims}, {"post-logout-redirects", k.Logout.RedirectURIs},
	} {
		if len(list.values) > 0 || list.name == "resources" {
			line += fmt.Sprintf("  %s [%s]", list.name, strings.Join(list.values, " "))
		}
	}
	if k.Logout.URI != "" {
		line += "  backchannel-logout " + k.Logout.URI
	}
	return line + "  " + ended("disabled", k.DisabledAt)
}

// clientArgs name a client.
type clientArgs struct {
	configured
	Tenant string `arg:"" help:"Tenant id."`
	Client string `arg:"" help:"Client id, unique over all tenants."`
}

func (c clientArgs) what() string { return "client " + c.Client + " or tenant " + c.Tenant }

type clientCreate struct {
	clientArgs
	Kind         string   `default:"application" enum:"application,management" help:"What its tokens are good for: ${enum}."`
	Name         string   `help:"Name of the application; by default the id."`
	Resource     []string `sep:"none" help:"A resource its tokens may be for; may be given several times."`
	Redirect     []string `sep:"none" help:"A redirect URI; may be given several times."`
	Logout       string   `name:"backchannel-logout-uri" help:"Where it is told that users have logged out."`
	Bye          []string `sep:"none" name:"post-logout-redirect" help:"Where users may be sent after a logout; may be given several times."`
	Claim        []string `help:"A claim that is always in its ID tokens; may be given several times."`
	Alg          string   `default:"ES256" enum:"ES256,RS256" help:"Signature of its tokens: ${enum}."`
	AuthMethod   string   `default:"client_secret" enum:"client_secret,private_key_jwt,none" help:"How it proves itself: ${enum}."`
	JWKS         string   `name:"jwks" placeholder:"FILE" help:"JWK Set with its public keys, for private_key_jwt."`
	AuthAlg      string   `default:"" enum:",RS256,PS256,ES256" help:"What it signs with, for private_key_jwt; by default what its keys say."`
	PKCE         string   `name:"pkce" default:"required" enum:"required,optional" help:"Whether its authorizations need PKCE: ${enum}."`
	EnforcePAR   bool     `name:"enforce-par" help:"Take pushed authorization requests alone."`
	Native       bool     `help:"It runs on the user's device: the port of a loopback redirect URI is free."`
	SecondFactor bool     `help:"Its users prove two factors in the browser."`
}

// Run adds a client.
func (c clientCreate) Run(w *world) error {
	var jwks []byte
	if c.JWKS != "" {
		var err error
		if jwks, err = os.ReadFile(c.JWKS); err != nil {
			return fmt.Errorf("read keys: %w", err)
		}
	}
	return c.do(w, c.what(), func(ctx context.Context, s *auth.Service) error {
		secret, err := s.CreateClient(ctx, auth.TenantID(c.Tenant), auth.ClientSetup{
			ID: auth.ClientID(c.Client), Kind: auth.ClientKind(c.Kind), AppName: firstOf(c.Name, c.Client), Resources: c.Resource,
			RedirectURIs: c.Redirect, Claims: c.Claim, Alg: jose.Alg(c.Alg), Auth: auth.ClientAuth(c.AuthMethod), JWKS: string(jwks),
			AuthAlg: jose.Alg(c.AuthAlg), PKCE: auth.PKCEMode(c.PKCE), RequirePAR: c.EnforcePAR, Native: c.Native, SecondFactor: c.SecondFactor,
			Logout: auth.ClientLogout{RedirectURIs: c.Bye, URI: c.Logout},
		})
		switch {
		case err != nil:
			return err
		case secret == "":
			return say(w.stdout, "client %s is ready; it proves itself by %s", c.Client, c.AuthMethod)
		}
		return say(w.stdout, "%s", secret)
	})
}

type clientSettings struct {
	clientArgs
	File string `arg:"" help:"YAML, as below clients in a seed file, without id, secret and kind. What it does not name stays as it is."`
}

// Run changes a client; running servers see it with their next request.
func (c clientSettings) Run(w *world) error {
	data, err := os.ReadFile(c.File)
	if err != nil {
		return fmt.Errorf("read client: %w", err)
	}
	return c.do(w, c.what(), func(ctx context.Context, s *auth.Service) error {
		gets := false
		err := s.ChangeClient(ctx, auth.TenantID(c.Tenant), auth.ClientID(c.Client), func(over auth.ClientSetup) (auth.ClientSetup, error) {
			in, err := seed.ParseClient(c.File, data, over)
			gets = in.Auth == auth.ClientAuthSecret && over.Auth != auth.ClientAuthSecret
			return in, err
		})
		switch {
		case err != nil:
			return err
		case gets:
			return say(w.stdout, "client %s is changed; next: countersign client rotate, for its first secret", c.Client)
		}
		return say(w.stdout, "client %s is changed", c.Client)
	})
}

type clientRotate struct{ clientArgs }

// Run replaces the secret.
func (c clientRotate) Run(w *world) error {
	return c.do(w, c.what(), func(ctx context.Context, s *auth.Service) error {
		secret, err := s.RotateClientSecret(ctx, auth.TenantID(c.Tenant), auth.ClientID(c.Client))
		if err != nil {
			return err
		}
		return say(w.stdout, "%s", secret)
	})
}

type clientDisable struct{ clientArgs }

// Run disables.
func (c clientDisable) Run(w *world) error {
	return c.do(w, c.what(), func(ctx context.Context, s *auth.Service) error {
		if err := s.DisableClient(ctx, auth.TenantID(c.Tenant), auth.ClientID(c.Client)); err != nil {
			return err
		}
		return say(w.stdout, "client %s is disabled", c.Client)
	})
}
