package auth

import (
	"context"
	"sync"
	"time"
)

// A turnstile lets one goroutine of this process at a time try for something
// under a key, so that a crowd on one account costs the database one asker. It
// is fairness and thrift, not safety: between processes the store's
// compare-and-swap decides.
type turnstile struct {
	mu   sync.Mutex
	keys map[string]*passage
}

type passage struct {
	users  int
	pass   chan struct{} // holds one token
	signal chan struct{} // something under the key was settled
}

func newTurnstile() *turnstile { return &turnstile{keys: make(map[string]*passage)} }

// join adds a user of a key, who waits for its pass.
func (t *turnstile) join(key string) *passage {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.keys[key]
	if p == nil {
		p = &passage{pass: make(chan struct{}, 1), signal: make(chan struct{}, 1)}
		p.pass <- struct{}{}
		t.keys[key] = p
	}
	p.users++
	return p
}

// try is enter for those who do not wait.
func (t *turnstile) try(key string) (*passage, bool) {
	p := t.join(key)
	select {
	case <-p.pass:
		return p, true
	default:
		t.drop(key, p)
		return nil, false
	}
}

// enter waits for the key's turn; leave must be called once, unless enter fails with ctx's error.
func (t *turnstile) enter(ctx context.Context, key string) (*passage, error) {
	p := t.join(key)
	select {
	case <-p.pass:
		return p, nil
	case <-ctx.Done():
		t.drop(key, p)
		return nil, ctx.Err()
	}
}

func (t *turnstile) leave(key string, p *passage) {
	p.pass <- struct{}{}
	t.drop(key, p)
}

func (t *turnstile) drop(key string, p *passage) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.users--; p.users == 0 {
		delete(t.keys, key)
	}
}

// settled wakes who waits inside the key's turn.
func (t *turnstile) settled(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.keys[key]; p != nil {
		select {
		case p.signal <- struct{}{}:
		default:
		}
	}
}

// wait returns when something was settled here, or after d, when another process may have; or with ctx's error.
func (p *passage) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.signal:
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
