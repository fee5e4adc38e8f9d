package jose

import (
	"crypto/sha256"
	"sync"
)

// memory holds tokens whose signature was good, so that it need not be computed again for each call that brings one: it stays good as long as
// its key is in the set. Whatever changes with time or with the caller is checked each time. There are at most two generations of size tokens;
// nothing gets in but by a signature of ours.
type memory struct {
	size int

	mu         sync.Mutex
	young, old map[[sha256.Size]byte]opened
}

// opened is a token with a good signature. It is shared and must not be changed.
type opened struct{ header, claims Claims }

func (m *memory) find(id [sha256.Size]byte) (opened, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o, ok := m.young[id]; ok {
		return o, true
	}
	o, ok := m.old[id]
	if ok {
		m.put(id, o)
	}
	return o, ok
}

func (m *memory) add(id [sha256.Size]byte, o opened) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(id, o)
}

func (m *memory) put(id [sha256.Size]byte, o opened) {
	if m.young == nil || len(m.young) >= m.size {
		m.old, m.young = m.young, make(map[[sha256.Size]byte]opened)
	}
	m.young[id] = o
}
