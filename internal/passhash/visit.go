package passhash

import (
	"context"
	"crypto/rand"
	"fmt"
)

// A Visit is a caller's stay behind the door, which few are let through at a
// time: all of their work that is about a password, so that nobody begins what
// cannot be finished soon. Its methods are for one goroutine.
type Visit struct {
	h      *Hasher
	inside bool
}

// Enter waits to be let in. The visit has to end with Leave.
//
// The error is a [*BusyError] if the wait is, or is likely to be, too long,
// [ErrClosed] after Close, or that of ctx if it ended first.
func (h *Hasher) Enter(ctx context.Context) (*Visit, error) {
	if err := h.gate.enter(ctx); err != nil {
		return nil, fmt.Errorf("enter: %w", err)
	}
	return &Visit{h, true}, nil
}

// Leave ends the visit. Once is enough, and more does no harm.
func (v *Visit) Leave() {
	if v.inside {
		v.inside = false
		v.h.gate.leave()
	}
}

// Outside calls wait, which waits for something that others inside may have to
// do first, and gives them the room meanwhile. The visit goes on afterwards,
// before those who wait at the door, and ends if there is an error: that of
// wait, [ErrClosed], or that of ctx.
func (v *Visit) Outside(ctx context.Context, wait func() error) error {
	v.inside = false
	v.h.gate.stepOut()
	if err := wait(); err != nil {
		return err
	}
	if err := v.h.gate.stepIn(ctx); err != nil {
		return fmt.Errorf("come back: %w", err)
	}
	v.inside = true
	return nil
}

// Hash is [Visit.Hash] of a visit of its own.
func (h *Hasher) Hash(ctx context.Context, password []byte) (string, error) {
	v, err := h.Enter(ctx)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	defer v.Leave()
	return v.Hash(ctx, password)
}

// Verify is [Visit.Verify] of a visit of its own.
func (h *Hasher) Verify(ctx context.Context, encoded string, password []byte, shapes ...string) (bool, error) {
	v, err := h.Enter(ctx)
	if err != nil {
		return false, fmt.Errorf("verify password: %w", err)
	}
	defer v.Leave()
	return v.Verify(ctx, encoded, password, shapes...)
}

// Hash returns a new hash of password in PHC string format, under a random
// salt. Its errors are those of [Visit.Verify].
func (v *Visit) Hash(ctx context.Context, password []byte) (string, error) {
	h := v.h
	salt := make([]byte, newSalt)
	rand.Read(salt)
	tag := make([]byte, newTag)

	s, err := h.gate.take(ctx)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	defer h.gate.give(s)
	if err := h.derive(s, h.work, tag, password, salt); err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	h.hashed.Add(1)
	return h.work.encode(salt, tag), nil
}

// Verify reports whether password matches the hash encoded. When it does not,
// Verify also does the work of every other shape in shapes, each once, so that
// a refusal costs the same whichever hash the account has, if shapes has the
// [Shape] of every account's hash. An account without one passes "" as encoded,
// which matches nothing; with no shapes, it costs as much as a new hash.
//
// The call takes one slot for all of its work, and keeps it to the end even if
// ctx is cancelled meanwhile, since the work cannot be interrupted.
//
// The error is [ErrClosed] after Close, or that of ctx if it ended before there
// was a slot. A malformed encoded or shape is an error too, before any work.
func (v *Visit) Verify(ctx context.Context, encoded string, password []byte, shapes ...string) (bool, error) {
	h := v.h
	todo, err := h.plan(encoded, shapes)
	if err != nil {
		return false, fmt.Errorf("verify password: %w", err)
	}
	s, err := h.gate.take(ctx)
	if err != nil {
		return false, fmt.Errorf("verify password: %w", err)
	}
	defer h.gate.give(s)
	for i, x := range todo {
		ok, err := h.match(s, x, password)
		if err != nil {
			return false, fmt.Errorf("verify password: %w", err)
		}
		if i > 0 || encoded == "" {
			h.decoys.Add(1)
			continue
		}
		h.verified.Add(1)
		if ok {
			return true, nil
		}
	}
	return false, nil
}
