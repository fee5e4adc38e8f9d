package jose

// Remembered is how many tokens a set remembers.
func (s *Set) Remembered() int {
	s.seen.mu.Lock()
	defer s.seen.mu.Unlock()
	return len(s.seen.young) + len(s.seen.old)
}
