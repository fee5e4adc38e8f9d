package seed

import (
	"github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v3"

	"countersign/internal/auth"
	"countersign/internal/jose"
)

func (r *reader) client(n *yaml.Node) (c auth.ClientSetup) {
	given := r.object(n, "client", append([]field{
		need("id", func(n *yaml.Node) {
			text(r, "client id", &c.ID)(n)
			if c.ID != "" {
				r.unique(n, "client", string(c.ID), "the client "+quote(string(c.ID)))
			}
		}),
		may("secret", text(r, "client secret", &c.Secret)),
		need("kind", choice(r, "client kind", &c.Kind, auth.ClientApplication, auth.ClientManagement)),
	}, r.clientFields(&c)...)...)
	if given == nil {
		return c
	}
	secret, bySecret := given["secret"], c.Auth == "" || c.Auth == auth.ClientAuthSecret
	switch {
	case bySecret && secret == nil:
		r.fail(n.Line, "client: found no secret; it is needed")
	case !bySecret && secret != nil:
		r.fail(secret.Line, "client: found a secret with auth_method %s; allowed: none", c.Auth)
	}
	r.clientKeys(n, given, &c)
	return c
}

// clientFields are the keys of a client that may be changed later; each that is given stands in the place of what there was.
func (r *reader) clientFields(c *auth.ClientSetup) []field {
	return []field{
		may("auth_method", choice(r, "auth_method", &c.Auth, auth.ClientAuthSecret, auth.ClientAuthKey, auth.ClientAuthNone)),
		may("jwks", r.jwks(&c.JWKS)),
		may("auth_alg", choice(r, "auth_alg", &c.AuthAlg, auth.ClientAuthAlgs()...)),
		may("pkce", choice(r, "pkce", &c.PKCE, auth.PKCERequired, auth.PKCEOptional)),
		may("dpop_bound_access_tokens", r.flag("dpop_bound_access_tokens", &c.BoundTokens)),
		may("is_third_party", r.flag("is_third_party", &c.ThirdParty)),
		may("enforce_par", r.flag("enforce_par", &c.RequirePAR)),
		may("app_id", text(r, "app_id", &c.AppID)),
		may("app_name", text(r, "app_name", &c.AppName)),
		may("redirect_uris", anew(&c.RedirectURIs, r.uris("redirect_uris", &c.RedirectURIs))),
		may("resources", anew(&c.Resources, r.uris("resources", &c.Resources))),
		may("claims", anew(&c.Claims, texts(r, "claims", &c.Claims))),
		may("alg", choice(r, "alg", &c.Alg, "ES256", "RS256")),
		may("native", r.flag("native", &c.Native)),
		may("second_factor", r.flag("second_factor", &c.SecondFactor)),
		may("post_logout_redirect_uris", anew(&c.Logout.RedirectURIs, r.uris("post_logout_redirect_uris", &c.Logout.RedirectURIs))),
		may("backchannel_logout_uri", r.uri("backchannel_logout_uri", &c.Logout.URI, "http", "https")),
		may("backchannel_logout_session_required", r.flag("backchannel_logout_session_required", &c.Logout.SessionRequired)),
	}
}

// clientKeys says whether the keys of a client and the way it proves itself fit together.
func (r *reader) clientKeys(n *yaml.Node, given map[string]*yaml.Node, c *auth.ClientSetup) {
	if c.Auth == auth.ClientAuthKey && c.JWKS == "" && given["jwks"] == nil {
		r.fail(n.Line, "client: found no jwks; it is needed with auth_method private_key_jwt")
	}
	if at := given["jwks"]; at != nil && c.JWKS != "" && c.Auth == auth.ClientAuthKey {
		if _, err := jose.ParseSet(c.JWKS, c.AuthAlg); err != nil {
			r.fail(at.Line, "jwks: %v", err)
		}
	}
	for _, key := range []string{"jwks", "auth_alg"} {
		if at := given[key]; at != nil && c.Auth != auth.ClientAuthKey {
			r.fail(at.Line, "client: found %s without auth_method private_key_jwt; allowed: with it alone", key)
		}
	}
	if at := given["pkce"]; at != nil && c.Auth == auth.ClientAuthNone && c.PKCE != auth.PKCERequired {
		r.fail(at.Line, "client: found pkce %s with auth_method none; allowed: required", c.PKCE)
	}
}

// jwks reads a JWK Set as the text that it is elsewhere.
func (r *reader) jwks(dst *string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		var set map[string]any
		if n.Kind != yaml.MappingNode || n.Decode(&set) != nil {
			r.fail(n.Line, "jwks: found %s; allowed: a mapping with the key keys, as in a JWK Set", kindOf(n))
			return
		}
		text, err := json.Marshal(set, json.Deterministic(true))
		if err != nil {
			r.fail(n.Line, "jwks: found what JSON cannot hold; allowed: a JWK Set")
			return
		}
		*dst = string(text)
	}
}

// anew empties a list before it is read, so that it stands in the place of what there was.
func anew[T any](dst *[]T, read func(*yaml.Node)) func(*yaml.Node) {
	return func(n *yaml.Node) {
		*dst = nil
		read(n)
	}
}

// ParseClient reads what may be changed of a client, as it stands below `clients` in a seed file, over what it is. The error is as Parse's.
func ParseClient(name string, data []byte, over auth.ClientSetup) (auth.ClientSetup, error) {
	r := &reader{once: make(map[string]int)}
	if root := r.document(data); root != nil {
		given := r.object(root, "client", r.clientFields(&over)...)
		if given["auth_method"] != nil && over.Auth != auth.ClientAuthKey {
			over.JWKS, over.AuthAlg = "", ""
		}
		r.clientKeys(root, given, &over)
	}
	return over, r.err(name)
}
