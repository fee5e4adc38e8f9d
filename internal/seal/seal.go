// Package seal keeps stored secrets unreadable to whoever holds only the
// database, and keeps secrets in memory out of logs.
//
// It owns three things:
//
//   - [Ring] encrypts and authenticates single database values under the
//     operator's master key, and lets that key be rotated;
//   - [MAC] turns secrets into lookup keys, and derives secrets from others,
//     under a root that outlives every rotation of the master key;
//   - [Secret] is a string that does not print.
//
// It does not read keys from files or the environment, does not generate or
// store the MAC's root, and does not hash passwords.
//
// The master key seals, the root looks up. A sealed value is opened under the
// key it names and can be sealed again at leisure, so master keys come and go.
// A MAC is compared with MACs stored long ago, so its root must stay: the caller
// generates [RootSize] random bytes at first start and stores them sealed.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
)

// Errors returned by [Ring.Open].
var (
	// ErrUnknownKey means the value was sealed under a master key that is not
	// in the ring. It is wrapped together with that key's id.
	ErrUnknownKey = errors.New("seal: sealed under an unknown master key")

	// ErrTampered means the value is not what was sealed at this place: it was
	// altered, cut short, or moved from another place.
	ErrTampered = errors.New("seal: sealed value is damaged or in the wrong place")
)

// A sealed value is
//
//	key id (4) | algorithm (1) | nonce (12) | ciphertext | tag (16)
//
// and everything before the nonce is authenticated together with the place.
const (
	idSize     = 4
	headerSize = idSize + 1
	overhead   = 12 + 16 // nonce and tag, as cipher.NewGCMWithRandomNonce counts them

	algAES256GCM = 1

	sealingLabel = "countersign/seal/v1/aes-256-gcm"
	keyIDLabel   = "countersign/seal/v1/key-id/"
)

// Ring is the current master key and the older ones that values may still be
// sealed under. It is safe for concurrent use and does not print.
type Ring struct {
	current keyID
	keys    hidden[map[keyID]cipher.AEAD]
}

// keyID names a master key. It is derived from the key, so that operators have
// no number to configure, or to configure wrongly.
type keyID [idSize]byte

// NewRing returns a ring that seals under current and opens under current and
// older. Each key must be at least [MinKeySize] random bytes; a key that is
// short, plainly not random, or given twice is refused with the reason.
//
// Nonces are random, so a master key must be replaced before it has sealed 2^32
// values (NIST SP 800-38D §8.3).
func NewRing(current []byte, older ...[]byte) (*Ring, error) {
	keys := make(map[keyID]cipher.AEAD)
	for i, key := range append([][]byte{current}, older...) {
		if err := checkKey(key); err != nil {
			return nil, fmt.Errorf("seal: %s: %w", ordinal(i), err)
		}
		id := idOf(key)
		if _, ok := keys[id]; ok {
			return nil, fmt.Errorf("seal: %s: its id %x is taken: a key is given twice, or a new one must be generated", ordinal(i), id)
		}
		aead, err := newAEAD(key)
		if err != nil {
			return nil, fmt.Errorf("seal: %s: %w", ordinal(i), err)
		}
		keys[id] = aead
	}
	return &Ring{current: idOf(current), keys: hide(keys)}, nil
}

func ordinal(i int) string {
	if i == 0 {
		return "current master key"
	}
	return fmt.Sprintf("older master key %d", i)
}

func idOf(key []byte) (id keyID) {
	sum := sha256.Sum256(append([]byte(keyIDLabel), key...))
	copy(id[:], sum[:])
	return id
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	sub, err := hkdf.Key(sha256.New, key, nil, sealingLabel, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(sub)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Seal encrypts plain under the current master key, for place alone. A place
// names one database value, as "table/column/row id"; it must not be empty, and
// two values must not share one, or they could be swapped unnoticed.
func (r *Ring) Seal(place string, plain []byte) ([]byte, error) {
	if place == "" {
		return nil, errors.New("seal: no place given")
	}
	out := make([]byte, 0, headerSize+overhead+len(plain))
	out = append(out, r.current[:]...)
	out = append(out, algAES256GCM)
	return r.keys()[r.current].Seal(out, nil, plain, additional(out, place)), nil
}

// Open returns what was sealed at place, or [ErrUnknownKey] or [ErrTampered].
func (r *Ring) Open(place string, sealed []byte) ([]byte, error) {
	if len(sealed) < headerSize+overhead || sealed[idSize] != algAES256GCM {
		return nil, ErrTampered
	}
	header, body := sealed[:headerSize], sealed[headerSize:]
	id := keyID(header[:idSize])
	aead, ok := r.keys()[id]
	if !ok {
		return nil, fmt.Errorf("%w: %x", ErrUnknownKey, id)
	}
	plain, err := aead.Open(nil, nil, body, additional(header, place))
	if err != nil {
		return nil, ErrTampered
	}
	return plain, nil
}

// additional is what GCM authenticates without encrypting. The header has a
// fixed size, so no two pairs of header and place make the same bytes.
func additional(header []byte, place string) []byte {
	out := make([]byte, 0, headerSize+len(place))
	out = append(out, header[:headerSize]...)
	return append(out, place...)
}

// Stale reports whether sealed is under any key but the current one, and so is
// work for whoever seals values again after a rotation. It looks only at the
// key's id: a stale value may turn out not to open.
func (r *Ring) Stale(sealed []byte) bool {
	return len(sealed) < idSize || keyID(sealed[:idSize]) != r.current
}

// Format implements [fmt.Formatter]: a ring prints as [redacted].
func (r Ring) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue implements [slog.LogValuer]: a ring logs as [redacted].
func (r Ring) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler]: a ring marshals as [redacted].
func (r Ring) MarshalText() ([]byte, error) { return []byte(redacted), nil }
