package seal

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
)

// RootSize is the size in bytes of the root a caller should generate for [NewMAC].
const RootSize = 32

const (
	macLabel    = "countersign/mac/v1/"
	deriveLabel = "countersign/derive/v1/"
)

// MAC computes HMAC-SHA256 under subkeys of a root that never changes. It is
// safe for concurrent use and does not print.
type MAC struct {
	prk hidden[[]byte] // HKDF's pseudorandom key, extracted from the root

	// subkeys is replaced, never written to, so that readers need no lock. It
	// grows by one entry for each label and purpose, of which a program has a
	// handful. What the pools hold are HMACs under the subkey, which take half
	// as long to be used again as to be made.
	subkeys atomic.Pointer[map[subkeyName]*sync.Pool]
}

type subkeyName struct{ label, purpose string }

// NewMAC returns the MAC of root, which must be at least [MinKeySize] random
// bytes. Losing the root orphans every stored value made with it.
func NewMAC(root []byte) (*MAC, error) {
	if err := checkKey(root); err != nil {
		return nil, fmt.Errorf("seal: MAC root: %w", err)
	}
	prk, err := hkdf.Extract(sha256.New, root, nil)
	if err != nil {
		return nil, fmt.Errorf("seal: MAC root: %w", err)
	}
	m := &MAC{prk: hide(prk)}
	m.subkeys.Store(&map[subkeyName]*sync.Pool{})
	return m, nil
}

// Sum returns the MAC of parts for purpose: what is stored in place of a secret
// so that the secret can be looked up but not read back. It binds the number of
// parts and their bounds: ("ab", "c") and ("a", "bc") differ.
//
// The purpose must be a constant of the program, not data.
func (m *MAC) Sum(purpose string, parts ...[]byte) [sha256.Size]byte {
	return m.compute(macLabel, purpose, parts)
}

// Derive returns a secret determined by parts for purpose, such as the token
// that succeeds another. It is computed as Sum is, under another label: what
// Sum stores says nothing about what Derive returns for the same parts.
func (m *MAC) Derive(purpose string, parts ...[]byte) [sha256.Size]byte {
	return m.compute(deriveLabel, purpose, parts)
}

func (m *MAC) compute(label, purpose string, parts [][]byte) (sum [sha256.Size]byte) {
	pool := m.subkey(subkeyName{label, purpose})
	h := pool.Get().(hash.Hash)
	defer pool.Put(h)
	h.Reset()
	var size [8]byte
	for _, part := range parts {
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write(part)
	}
	h.Sum(sum[:0])
	return sum
}

func (m *MAC) subkey(name subkeyName) *sync.Pool {
	for {
		old := m.subkeys.Load()
		if pool, ok := (*old)[name]; ok {
			return pool
		}
		grown, key := maps.Clone(*old), m.expand(name)
		grown[name] = &sync.Pool{New: func() any { return hmac.New(sha256.New, key[:]) }}
		m.subkeys.CompareAndSwap(old, &grown)
	}
}

// expand is HKDF-Expand of a single block (RFC 5869 §2.3). It is written out
// because [hkdf.Expand] can return an error, which here could only be ignored.
func (m *MAC) expand(name subkeyName) *[sha256.Size]byte {
	var key [sha256.Size]byte
	h := hmac.New(sha256.New, m.prk())
	h.Write([]byte(name.label))
	h.Write([]byte(name.purpose))
	h.Write([]byte{1})
	h.Sum(key[:0])
	return &key
}

// Format implements [fmt.Formatter]: a MAC prints as [redacted].
func (m *MAC) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue implements [slog.LogValuer]: a MAC logs as [redacted].
func (m *MAC) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler]: a MAC marshals as [redacted].
func (m *MAC) MarshalText() ([]byte, error) { return []byte(redacted), nil }
