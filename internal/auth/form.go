package auth

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/gob"
	"fmt"
)

// sealForm keeps the form of the login page from being taken for another's.
const sealForm = "login form"

// signState writes what a browser brings back, with a keyed hash over it and over what it is for. What is bound to a cookie is good with one
// browser's only, so that no other site can make a browser send it.
func (s *Service) signState(purpose string, state any, cookie string) (string, error) {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(state); err != nil {
		return "", fmt.Errorf("write %s: %w", purpose, err)
	}
	tag := s.mac.Sum(purpose, []byte(cookie), b.Bytes())
	return tokenText.EncodeToString(append(tag[:], b.Bytes()...)), nil
}

// openState reads it into state. Error: CodeFormInvalid, also without a cookie.
func (s *Service) openState(purpose, text, cookie string, state any) error {
	raw, err := tokenText.DecodeString(text)
	if err != nil || len(raw) < sha256.Size || cookie == "" {
		return refuse(CodeFormInvalid)
	}
	tag := s.mac.Sum(purpose, []byte(cookie), raw[sha256.Size:])
	if subtle.ConstantTimeCompare(tag[:], raw[:sha256.Size]) != 1 {
		return refuse(CodeFormInvalid)
	}
	if err := gob.NewDecoder(bytes.NewReader(raw[sha256.Size:])).Decode(state); err != nil {
		return &Error{Code: CodeFormInvalid, Cause: err} // of another version of ours
	}
	return nil
}
