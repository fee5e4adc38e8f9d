package passhash

import "time"

// idleFor is how long a slot keeps its memory without being used.
const idleFor = 30 * time.Second

// A slot is the right to run a hash, and the memory to do it.
type slot struct {
	size  int // of the memory, in words
	arena *arena
	since time.Time   // when it was last taken
	idle  *time.Timer // frees the memory of the slot when it stays free
}

// begin notes that the slot is in use.
func (s *slot) begin() {
	s.since = time.Now()
	if s.idle != nil {
		s.idle.Stop()
	}
}

// rest has expire called when the slot is not used for a while.
func (s *slot) rest(expire func()) {
	if s.idle == nil {
		s.idle = time.AfterFunc(idleFor, expire)
	} else {
		s.idle.Reset(idleFor)
	}
}

// memory returns the first n words of the slot's memory, or nothing if n is 0.
// It is taken from the system at its first use.
func (s *slot) memory(n int) ([]uint64, error) {
	if n == 0 {
		return nil, nil
	}
	if s.arena == nil {
		a, err := newArena(s.size)
		if err != nil {
			return nil, err
		}
		s.arena = a
	}
	return s.arena.words[:n], nil
}

func (s *slot) release() {
	if s.idle != nil {
		s.idle.Stop()
	}
	if s.arena != nil {
		s.arena.free()
		s.arena = nil
	}
}
