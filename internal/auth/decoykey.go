package auth

import (
	"crypto/subtle"

	"countersign/internal/webauthn"
)

// decoyTagBytes is how much of an id that nobody has says so to us alone.
const decoyTagBytes = 8

// decoyKeys are the passkeys of a name that has none: always the same, as many and as long as real ones are. Their ids carry a keyed tag by
// which we know them again, so that nobody finds out by registering one that it was free.
func (s *Service) decoyKeys(t TenantID, name string) []KeyHint {
	models := []struct {
		bytes      int
		transports []string
	}{
		{16, []string{"internal", "hybrid"}}, {20, []string{"internal", "hybrid"}}, {32, []string{"internal"}},
		{32, []string{"internal", "hybrid"}}, {48, []string{"usb"}}, {64, []string{"nfc", "usb"}},
	}
	sum := s.mac.Derive("passkey decoys", []byte(t), []byte(name))
	count := 1
	if sum[0] < 64 {
		count = 2
	}
	var hints []KeyHint
	for i := range count {
		m := models[int(sum[1+i])%len(models)]
		first := s.mac.Derive("passkey decoy", []byte(t), []byte(name), []byte{byte(i), 0})
		second := s.mac.Derive("passkey decoy", []byte(t), []byte(name), []byte{byte(i), 1})
		id := append(first[:], second[:]...)[:m.bytes-decoyTagBytes]
		tag := s.mac.Sum("passkey decoy", []byte(t), id)
		hints = append(hints, KeyHint{webauthn.EncodeID(append(id, tag[:decoyTagBytes]...)), m.transports})
	}
	return hints
}

// isDecoy reports whether an id is one that decoyKeys made.
func (s *Service) isDecoy(t TenantID, id []byte) bool {
	if len(id) <= decoyTagBytes {
		return false
	}
	body, tag := id[:len(id)-decoyTagBytes], id[len(id)-decoyTagBytes:]
	want := s.mac.Sum("passkey decoy", []byte(t), body)
	return subtle.ConstantTimeCompare(want[:decoyTagBytes], tag) == 1
}
