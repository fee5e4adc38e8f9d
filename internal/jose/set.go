package jose

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Bounds of another party's key set: its keys, and its text in bytes.
const (
	maxKeys = 20
	maxJWKS = 32 << 10
)

// ParseSet reads the JWK Set (RFC 7517 §5) of another party whose tokens are all
// signed with one algorithm; empty: that of the first key. Each key is as
// [ParsePublic] wants it, and no two have one kid. Members beside the keys are
// dropped.
func ParseSet(jwks string, alg Alg) (*Set, error) {
	if len(jwks) > maxJWKS {
		return nil, errors.New("jose: parse key set: too long")
	}
	var raw struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if json.Unmarshal([]byte(jwks), &raw) != nil { // the cause may quote a private key
		return nil, errors.New("jose: parse key set: not a JWK Set")
	}
	if len(raw.Keys) == 0 || len(raw.Keys) > maxKeys {
		return nil, fmt.Errorf("jose: parse key set: found %d keys, want 1 to %d", len(raw.Keys), maxKeys)
	}
	keys := make([]PublicKey, len(raw.Keys))
	ids := make(map[string]bool, len(raw.Keys))
	for i, text := range raw.Keys {
		var err error
		if keys[i], err = parsePublic(string(text), alg); err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		if ids[keys[i].id] {
			return nil, fmt.Errorf("jose: parse key set: key %d: its kid is another key's", i+1)
		}
		alg, ids[keys[i].id] = keys[i].alg, true
	}
	return NewSet(keys...), nil
}

// Alg returns the algorithm that all keys of the set are for; empty when they
// differ, or there is none.
func (s *Set) Alg() Alg {
	var alg Alg
	for _, key := range s.keys {
		if alg != "" && key.alg != alg {
			return ""
		}
		alg = key.alg
	}
	return alg
}

// Claimed returns what a token says of itself in the claim name, unverified:
// good for nothing but finding the keys to verify it with. Empty if the token or
// the claim has another form.
func Claimed(token, name string) string {
	parts, err := split(token)
	if err != nil {
		return ""
	}
	claims, _ := parseObject(parts.payload)
	text, _ := claims.String(name)
	return text
}
