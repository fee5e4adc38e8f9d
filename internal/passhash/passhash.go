// Package passhash makes and verifies password hashes, and bounds what that
// costs.
//
// New hashes are Argon2id. Hashes that other systems made, in the formats that
// [Check] lists, are verified at their own cost, so that they can be imported
// and replaced at the next login. However many callers there are, a [Hasher]
// runs few hashes at a time, in memory that it keeps for them: see [Config].
//
// The package knows no user, stores nothing and has no password policy. The
// caller limits the length of passwords, counts failures and decides what an
// account without a hash looks like; [Visit.Verify] makes that cost the same.
package passhash

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"countersign/internal/passhash/argon2"
)

// Params are the costs of an Argon2id hash (RFC 9106, section 3.1).
type Params struct {
	Memory  uint32 // KiB
	Time    uint32 // passes over the memory
	Threads uint8  // lanes; they do not run in parallel here
}

// A Config describes a [Hasher]. The zero Config is a good one.
type Config struct {
	// Params are the costs of new hashes, by default 19456 KiB, 2 passes, 1
	// lane. They may not be below every row of the list for Argon2id in OWASP
	// ASVS 5.0, appendix C.
	Params Params

	// Slots is how many hashes run at a time, by default GOMAXPROCS. Each
	// slot keeps Params.Memory while it is in use.
	Slots int

	// Beside is how many callers may be let in beyond those who hash, by
	// default 16: as many as can do whatever else they do at a time.
	Beside int

	// Queue is how many callers may wait to be let in, by default 1024.
	Queue int

	// Wait is how long a caller may wait to be let in, by default 5 s. Who is
	// likely not to be done by then is refused at once.
	Wait time.Duration

	// Kernel is the implementation of Argon2: "avx512", "avx2" or "generic".
	// By default it is the fastest that the processor can run.
	Kernel string

	// TestOnlyInsecure allows Params that protect nothing.
	TestOnlyInsecure bool
}

// Sizes of what new hashes are made of, in bytes.
const (
	newSalt = 16
	newTag  = 32
)

func (c *Config) setDefaults() {
	if c.Params == (Params{}) {
		c.Params = Params{Memory: 19456, Time: 2, Threads: 1}
	}
	if c.Slots == 0 {
		c.Slots = runtime.GOMAXPROCS(0)
	}
	if c.Beside == 0 {
		c.Beside = 16
	}
	if c.Queue == 0 {
		c.Queue = 1024
	}
	if c.Wait == 0 {
		c.Wait = 5 * time.Second
	}
}

// floor has the least costs of OWASP ASVS 5.0, appendix C: new hashes reach
// the memory and the passes of at least one row.
func floor() []Params {
	return []Params{
		{Memory: 47104, Time: 1},
		{Memory: 19456, Time: 2},
		{Memory: 12288, Time: 3},
		{Memory: 9216, Time: 4},
		{Memory: 7168, Time: 5},
	}
}

func (p Params) aboveFloor() bool {
	for _, f := range floor() {
		if p.Memory >= f.Memory && p.Time >= f.Time {
			return true
		}
	}
	return false
}

// A Hasher makes and verifies password hashes. Its methods may be called by
// many goroutines.
type Hasher struct {
	work   argon2Work // of new hashes
	gate   *gate
	kernel argon2.Kernel

	// large is held by the one hash that needs more memory than a slot has.
	large sync.Mutex

	hashed, verified, decoys atomic.Uint64
}

// New returns a Hasher, or an error that says which field of c is at fault.
// It starts no goroutine and takes no memory for hashes yet.
func New(c Config) (*Hasher, error) {
	c.setDefaults()
	w := argon2Work{argon2.ID, c.Params.Memory, c.Params.Time, uint32(c.Params.Threads)}
	if err := w.check(); err != nil {
		return nil, fmt.Errorf("configure password hashing: %w", err)
	}
	if !c.Params.aboveFloor() && !c.TestOnlyInsecure {
		return nil, fmt.Errorf("configure password hashing: %s is below the OWASP minimum", w.shape())
	}
	if c.Slots < 0 || c.Beside < 0 || c.Queue < 0 || c.Wait < 0 {
		return nil, errors.New("configure password hashing: negative slots, beside, queue or wait")
	}
	kernel, err := findKernel(c.Kernel)
	if err != nil {
		return nil, fmt.Errorf("configure password hashing: %w", err)
	}
	return &Hasher{
		work:   w,
		gate:   newGate(c.Slots, c.Slots+c.Beside, c.Queue, c.Wait, w.words()),
		kernel: kernel,
	}, nil
}

// Kernels names the implementations of Argon2 that this machine can run, the
// fastest first.
func Kernels() []string {
	var names []string
	for _, k := range argon2.Kernels() {
		names = append(names, k.String())
	}
	return names
}

func findKernel(name string) (argon2.Kernel, error) {
	kernels := argon2.Kernels()
	if name == "" {
		return kernels[0], nil
	}
	for _, k := range kernels {
		if k.String() == name {
			return k, nil
		}
	}
	return argon2.Kernel{}, fmt.Errorf("no hash kernel %q on this machine", name)
}

// Kernel returns the name of the implementation of Argon2 in use.
func (h *Hasher) Kernel() string { return h.kernel.String() }

// plan returns the hash encoded, if there is one, and decoys of the shapes that
// it does not have.
func (h *Hasher) plan(encoded string, shapes []string) ([]hash, error) {
	var todo []hash
	done := make(map[string]bool)
	if encoded != "" {
		x, err := parse(encoded)
		if err != nil {
			return nil, err
		}
		todo = append(todo, x)
		done[x.shape()] = true
	} else if len(shapes) == 0 {
		shapes = []string{h.Shape()}
	}
	for _, shape := range shapes {
		if done[shape] {
			continue
		}
		x, err := decoy(shape)
		if err != nil {
			return nil, err
		}
		todo = append(todo, x)
		done[shape] = true
	}
	return todo, nil
}

// match does the work of x, all of it, and reports whether password has its
// tag.
func (h *Hasher) match(s *slot, x hash, password []byte) (bool, error) {
	tag := make([]byte, len(x.tag))
	if err := h.derive(s, x.work, tag, password, x.salt); err != nil {
		return false, err
	}
	return equal(tag, x.tag) && x.admits(password), nil
}

// derive fills tag, in the memory of the slot if that is enough.
func (h *Hasher) derive(s *slot, w work, tag, password, salt []byte) error {
	n := w.words()
	if n <= h.work.words() {
		mem, err := s.memory(n)
		if err != nil {
			return err
		}
		return w.derive(h.kernel, mem, tag, password, salt)
	}
	// Whoever waits here has a slot, as has the holder: no deadlock. And no
	// deadline: the holder's work is bounded, as are the slots before us.
	h.large.Lock()
	defer h.large.Unlock()
	a, err := newArena(n)
	if err != nil {
		return err
	}
	defer a.free()
	return w.derive(h.kernel, a.words, tag, password, salt)
}

// Current reports whether encoded is a hash as Hash makes them. If not, and
// its password is at hand, it should be replaced.
func (h *Hasher) Current(encoded string) bool {
	x, err := parse(encoded)
	return err == nil && x.work == h.work && len(x.salt) == newSalt && len(x.tag) == newTag
}

// Shape returns the shape of the hashes that Hash makes.
func (h *Hasher) Shape() string { return h.work.shape() }

// Stats are counts since the Hasher was made, and its present load.
type Stats struct {
	Hashed   uint64 // new hashes made
	Verified uint64 // hashes of accounts computed to verify a password
	Decoys   uint64 // hashes computed only for their cost
	Refused  uint64 // callers that were not let in: busy, cancelled or closed

	Running int // slots in use
	Waiting int // callers waiting for one
	Inside  int // callers let in: those, and who has other work
	Queued  int // callers waiting to be let in
}

// Stats returns the counts and gauges of the Hasher.
func (h *Hasher) Stats() Stats {
	l := h.gate.load()
	return Stats{
		Hashed:   h.hashed.Load(),
		Verified: h.verified.Load(),
		Decoys:   h.decoys.Load(),
		Refused:  l.refused,
		Running:  l.running,
		Waiting:  l.waiting,
		Inside:   l.inside,
		Queued:   l.queued,
	}
}

// Close makes waiting and later calls fail with [ErrClosed] and gives the
// memory back, that of running hashes when they end. It does not wait for them
// and returns nil.
func (h *Hasher) Close() error {
	h.gate.close()
	return nil
}
