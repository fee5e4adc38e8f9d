package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"countersign/internal/launch"
)

// restored backs a database up, goes on for a while, restores the backup, and looks who is alive. The control is the restored database as
// it is, in which the dead are alive again; after `countersign restored` nobody is, and locks hold.
func (e *env) restored(ctx context.Context) (out result, err error) {
	r := &restoration{env: e, data: filepath.Join(e.site.dir, "restore.db"), out: &out}
	defer r.stop()
	for _, step := range []func(context.Context) error{
		r.prepare, r.rise, r.open, r.backUp, r.rise, r.goOn, r.restore, r.rise, r.control, r.restore, r.void, r.rise, r.judge,
	} {
		if err := step(ctx); err != nil || out.broken != "" {
			return out, err
		}
	}
	out.note = "a control without `restored` let the dead in"
	return out, nil
}

// restoration is a server of production whose database is restored.
type restoration struct {
	*env
	data, config string
	server       *launch.Server
	node         *node
	users        []*person
	out          *result
}

func (r *restoration) prepare(context.Context) error {
	seed, err := r.site.seed(usersOfServers, served())
	if err != nil {
		return err
	}
	r.config = filepath.Join(r.site.dir, "restore.yaml")
	if err := os.WriteFile(r.config, []byte(launch.Config("127.0.0.1:0", "sqlite:"+r.data, seed, "")), 0o600); err != nil {
		return err
	}
	return r.operate("migrate")
}

func (r *restoration) operate(command string) error {
	if out, err := exec.Command(r.site.program, command, "--config", r.config).CombinedOutput(); err != nil {
		return fmt.Errorf("countersign %s: %w\n%s", command, err, out)
	}
	return nil
}

func (r *restoration) rise(ctx context.Context) (err error) {
	if r.server, err = launch.Start(r.site.program, nil, "serve", "--config", r.config); err != nil {
		return err
	}
	r.node = dial(r.server)
	return r.node.signIn(ctx)
}

func (r *restoration) stop() {
	if r.server != nil {
		r.server.Kill()
		r.server = nil
	}
}

// do makes a call, which has to be answered so.
func (r *restoration) do(ctx context.Context, p *person, c call, want class) {
	a := r.node.do(ctx, p, c)
	r.out.operations++
	if h := (&history{person: p}); a.class == ok {
		h.keep(c, a)
	}
	if a.class != want && r.out.broken == "" {
		r.out.broken = fmt.Sprintf("user %s: %s: %s%s, want %s", p.id, c, a.class, a.detail, want)
	}
}

// open logs everybody in on both contracts, and locks the last one.
func (r *restoration) open(ctx context.Context) error {
	for n := range usersOfServers {
		p := someone(n)
		r.users = append(r.users, p)
		r.do(ctx, p, call{kind: login}, ok)
		r.do(ctx, p, call{kind: backendLogin, fresh: 1}, ok)
		r.out.runs++
	}
	for range contract().failures {
		r.do(ctx, r.last(), call{kind: login, word: -1}, no)
	}
	return nil
}

func (r *restoration) last() *person { return r.users[len(r.users)-1] }

// backUp stops the server and copies its file.
func (r *restoration) backUp(context.Context) error {
	err := r.server.Stop()
	r.server = nil
	return errors.Join(err, copyFile(r.data, r.data+".backup"))
}

// goOn ends sessions and uses up tokens that the backup knows as good.
func (r *restoration) goOn(ctx context.Context) error {
	for _, p := range r.users[:len(r.users)-1] {
		r.do(ctx, p, call{kind: logout}, ok)
		r.do(ctx, p, call{kind: refresh, in: 1}, ok)
		r.do(ctx, p, call{kind: backendLogout, in: 1}, ok)
	}
	return nil
}

// restore puts the backup in the place of the database.
func (r *restoration) restore(context.Context) error {
	r.stop()
	for _, more := range []string{"-wal", "-shm"} {
		if err := os.Remove(r.data + more); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return copyFile(r.data+".backup", r.data)
}

// control finds the dead alive: a backup cannot know.
func (r *restoration) control(ctx context.Context) error {
	r.do(ctx, r.users[0], call{kind: look}, ok)
	r.do(ctx, r.users[1], call{kind: refresh, in: 1}, ok)
	return nil
}

func (r *restoration) void(context.Context) error { return r.operate("restored") }

// judge finds nobody alive, the lock in force, and everybody else able to log in.
func (r *restoration) judge(ctx context.Context) error {
	for _, p := range r.users {
		r.do(ctx, p, call{kind: look}, dead)
		r.do(ctx, p, call{kind: refresh, in: 1}, dead)
		want := ok
		if p == r.last() {
			want = locked
		}
		r.do(ctx, p, call{kind: login, fresh: 2}, want)
	}
	return nil
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
}
