//go:build !linux

package passhash

// An arena is the memory of a hash. Here it is on the Go heap.
type arena struct{ words []uint64 }

func newArena(words int) (*arena, error) {
	return &arena{make([]uint64, words)}, nil
}

// free gives the memory back. It must not be used any more.
func (a *arena) free() { a.words = nil }
