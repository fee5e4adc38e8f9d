package jose

import (
	"slices"

	"github.com/go-json-experiment/json"
)

// VerifyOwn returns the claims of a token that is signed by the key in its own header, and that key under its thumbprint: the token proves
// who holds the key, and nothing else (RFC 9449 §4.2). Its type must be typ, letter for letter, and its algorithm one of algs. What the
// claims say is for the caller to check, time included. A key that is private or weak is refused, and so is any other header that brings a
// key or asks for processing unknown here. Other errors than an [*Error] there are none.
func VerifyOwn(token, typ string, algs ...Alg) (PublicKey, Claims, error) {
	var key PublicKey
	parts, err := split(token)
	if err != nil {
		return key, nil, err
	}
	header, ok := parseObject(parts.header)
	if !ok {
		return key, nil, invalid("header is not a strict JSON object")
	}
	for _, name := range []string{"jku", "x5u", "x5c", "crit", "b64", "zip", "enc"} {
		if _, ok := header[name]; ok {
			return key, nil, invalid("forbidden header parameter " + name)
		}
	}
	if got, ok := header.String("typ"); !ok || got != typ {
		return key, nil, invalid("typ is not wanted")
	}
	alg, _ := header.String("alg")
	if !slices.Contains(algs, Alg(alg)) {
		return key, nil, invalid("alg is not wanted")
	}
	if key, err = ownKey(header["jwk"], Alg(alg)); err != nil {
		return key, nil, err
	}
	if err := key.verify(token, parts.signature); err != nil {
		return key, nil, err
	}
	claims, ok := parseObject(parts.payload)
	if !ok {
		return key, nil, invalid("payload is not a strict JSON object")
	}
	return key, claims, nil
}

// ownKey reads the key of a header.
func ownKey(jwk any, alg Alg) (PublicKey, error) {
	members, ok := jwk.(map[string]any)
	if !ok {
		return PublicKey{}, invalid("jwk is no key")
	}
	text, err := json.Marshal(members)
	if err != nil {
		return PublicKey{}, invalid("jwk is no key")
	}
	key, err := parsePublic(string(text), alg)
	if err != nil {
		return PublicKey{}, invalid("jwk is no public key of the algorithm")
	}
	if key, err = key.Renamed(); err != nil {
		return PublicKey{}, invalid("jwk has no thumbprint")
	}
	return key, nil
}

// SignOwn returns claims as a token that brings the public half of its key, as [VerifyOwn] wants it.
func SignOwn(k *Key, typ string, claims Claims) (string, error) {
	return signWith(k, `{"alg":"`+string(k.public.alg)+`","jwk":`+k.public.text+`,"typ":"`+typ+`"}`, claims)
}
