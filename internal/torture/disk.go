package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// diskFull fills the file system of a SQLite database under a crowd, and frees it again: what cannot be written is not answered as if it
// were, no password is judged that cannot be counted, and the server goes on without a restart.
func (e *env) diskFull(ctx context.Context) (out result, err error) {
	dir, err := os.MkdirTemp(e.site.dir, "disk-")
	if err != nil {
		return out, err
	}
	v, err := newTmpfs(dir, 24)
	if err != nil {
		return out, err
	}
	defer v.remove()
	path := filepath.Join(v.dir, "torture.db")
	l, err := e.site.begin(path, 1, e.seed)
	if err != nil {
		return out, err
	}
	defer l.fall()
	if err := l.rise(ctx); err != nil {
		return out, err
	}
	rounds := e.scale(6, 60)
	for done := range rounds {
		judged, err := l.fillOnce(ctx, v)
		if judged > contract().failures {
			l.users[0].breaks("%d wrong passwords of one user were judged while the disk was full", judged)
		}
		if err != nil || l.broken() != "" {
			out.add(l, done+1)
			return out, err
		}
	}
	l.fall()
	err = errors.Join(sound(ctx, path), l.audit(ctx, path))
	if out.add(l, rounds); out.open == 0 && err == nil {
		err = errors.New("nobody felt that the disk was full: nothing is proved")
	}
	out.note = "the server was never restarted"
	return out, err
}

// fillOnce fills the disk while the crowd works, tries what a full disk allows, and frees it. It returns how many passwords were judged
// while it was full.
func (l *lives) fillOnce(ctx context.Context, v *volume) (judged int, err error) {
	filler := filepath.Join(v.dir, "filler")
	stop, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(stop)
		time.Sleep(time.Duration(100+l.IntN(300)) * time.Millisecond)
		failed <- fill(filler)
		time.Sleep(500 * time.Millisecond)
	}()
	l.storm(ctx, stop)
	if err := <-failed; err != nil {
		return 0, err
	}
	before, err := metric(ctx, l.nodes[0], "countersign_password_verified_total")
	if err != nil {
		return 0, err
	}
	victim := someone(usersOfServers)
	for range guessesWhenFull {
		if a := l.nodes[0].do(ctx, victim, call{kind: login, word: -1}); a.class == ok {
			return 0, errors.New("a wrong password was taken while the disk was full")
		}
	}
	after, err := metric(ctx, l.nodes[0], "countersign_password_verified_total")
	if err := errors.Join(err, os.Remove(filler)); err != nil {
		return 0, err
	}
	if err := l.advance(ctx); err != nil {
		return 0, err
	}
	l.check(ctx, 6)
	return int(after - before), nil
}

// guessesWhenFull is more than may be judged.
const guessesWhenFull = 15

// fill writes a file until there is no room left, down to the last byte.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}

// metric reads a counter or gauge of a server.
func metric(ctx context.Context, n *node, name string) (float64, error) {
	r, err := http.NewRequestWithContext(ctx, "GET", n.server.Ops+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	got, err := n.http.Do(r)
	if err != nil {
		return 0, err
	}
	defer got.Body.Close()
	lines := bufio.NewScanner(got.Body)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(text, 64)
		}
	}
	return 0, fmt.Errorf("no metric %s", name)
}
