package authtest

import (
	"sync"
	"time"

	"countersign/internal/auth"
)

// System is the clock of a machine: its time is set, also back, while time passes.
type System struct {
	mu      sync.Mutex
	wall    time.Time
	elapsed time.Duration
}

// NewSystem returns one that shows a time and stands.
func NewSystem(now time.Time) *System { return &System{wall: now} }

// Steady makes the clock of a process that is started on the machine.
func (s *System) Steady() *auth.Steady { return auth.NewSteady(s.Wall, s.sinceStart) }

// Wall is the time that the machine shows.
func (s *System) Wall() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wall
}

func (s *System) sinceStart() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.elapsed
}

// Pass lets time pass.
func (s *System) Pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wall, s.elapsed = s.wall.Add(d), s.elapsed+d
}

// Set sets the time that the machine shows forward, or back by a negative d.
func (s *System) Set(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wall = s.wall.Add(d)
}
