package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// migrations is where the schema's changes are.
const migrations = "internal/store/migrations"

// needsHistory says why the version before is not to be had, if it is not: it is built from the commit before the latest change of the
// schema, which only a clone with its history has.
func needsHistory() string {
	if _, err := before(); err != nil {
		return "needs git and the history of the repository"
	}
	return ""
}

// before is the last commit that did not know the present schema.
func before() (string, error) {
	latest, err := git("log", "-1", "--diff-filter=A", "--format=%H", "--", migrations)
	if err != nil || latest == "" {
		return "", errors.Join(err, errors.New("no change of the schema is in the history"))
	}
	return git("rev-parse", "--verify", latest+"^")
}

func git(args ...string) (string, error) {
	out, err := exec.Command("git", args...).Output()
	return strings.TrimSpace(string(out)), err
}

// buildBefore builds a commit's program into dir.
func buildBefore(commit, dir string) (string, error) {
	source := filepath.Join(dir, "source")
	if err := os.Mkdir(source, 0o755); err != nil {
		return "", err
	}
	top, err := git("rev-parse", "--show-toplevel")
	if err != nil {
		return "", err
	}
	archive := exec.Command("git", "-C", top, "archive", "--format=tar", commit)
	extract := exec.Command("tar", "-x", "-C", source)
	if extract.Stdin, err = archive.StdoutPipe(); err != nil {
		return "", err
	}
	if err := errors.Join(extract.Start(), archive.Run(), extract.Wait()); err != nil {
		return "", fmt.Errorf("the source of %s: %w", commit, err)
	}
	program := filepath.Join(dir, "before")
	build := exec.Command("go", "build", "-o", program, "./cmd/countersign")
	build.Dir = source
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", commit, err, out)
	}
	return program, nil
}

// twoVersions has a crowd work with a node of the version before and one of this version on one database, which this one has migrated under
// the other's feet: what one has made, the other uses.
func (e *env) twoVersions(ctx context.Context) (out result, err error) {
	commit, err := before()
	if err != nil {
		return out, err
	}
	dir, err := os.MkdirTemp(e.site.dir, "before-")
	if err != nil {
		return out, err
	}
	older, err := buildBefore(commit, dir)
	if err != nil {
		return out, err
	}
	out, err = e.sideBySide(ctx, 10, func(l *lives) error {
		l.single = true // what two at once may come to is not for the older to have known
		return l.join(ctx, 10, older, e.site.program)
	})
	if err != nil {
		return out, err
	}
	out.note = "the older is " + commit[:12]
	return out, nil
}

// join starts a node of each program, one after the other, with calls between.
func (l *lives) join(ctx context.Context, calls int, programs ...string) (err error) {
	for i, program := range programs {
		l.program = program
		if l.servers[i], err = l.start(i); err != nil {
			return fmt.Errorf("start version %d of %d: %w", i+1, len(programs), err)
		}
		l.nodes = append(l.nodes, dial(l.servers[i]))
		if err := l.ready(ctx); err != nil {
			return err
		}
		l.check(ctx, calls)
	}
	return nil
}
