package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"countersign/internal/launch"
)

const (
	memoryLimit    = 300 << 20 // bytes
	loginsAtOnce   = 1000
	cgroupLimitV1  = "memory.limit_in_bytes"
	cgroupLimitV2  = "memory.max"
	cgroupV1Memory = "/sys/fs/cgroup/memory"
	cgroupV2       = "/sys/fs/cgroup"
)

// scarceMemory sends a crowd that no password hash of it can be refused memory for, and expects every call answered and the server alive.
func (e *env) scarceMemory(ctx context.Context) (out result, err error) {
	l, err := e.site.begin(filepath.Join(e.site.dir, "memory.db"), 1, e.seed)
	if err != nil {
		return out, err
	}
	group := newCgroup(memoryLimit)
	defer func() {
		l.fall()
		err = errors.Join(err, group.remove())
	}()
	program, args := l.program, l.arguments()
	if group != "" {
		args = append([]string{"-c", `echo $$ > "$0" && exec "$@"`, filepath.Join(string(group), "cgroup.procs"), program}, args...)
		program = "/bin/sh"
	}
	if l.servers[0], err = launch.Start(program, nil, args...); err != nil {
		return out, err
	}
	l.nodes = []*node{dial(l.servers[0])}
	if err := l.ready(ctx); err != nil {
		return out, err
	}
	waves := e.scale(2, 50)
	for range waves {
		answers, err := logInAtOnce(ctx, l.nodes[0], loginsAtOnce, people(0, usersOfServers+1))
		if err != nil {
			return out, fmt.Errorf("%w\n%s", err, l.faults())
		}
		out.runs += loginsAtOnce
		out.operations += loginsAtOnce
		if answers[ok] == 0 {
			return out, fmt.Errorf("of %d logins none was let in: %v", loginsAtOnce, answers)
		}
		out.note = fmt.Sprintf("of the last %d logins %d let in, %d told to come back", loginsAtOnce, answers[ok], answers[busy])
	}
	l.check(ctx, 4)
	peak, err := memoryOf(l.servers[0].PID(), "VmHWM")
	if err != nil {
		return out, err
	}
	out.note += fmt.Sprintf("; resident at most %d MiB, %s", peak>>20, group)
	out.add(l, 0)
	if end, ended := l.servers[0].Ended(); ended {
		out.broken = fmt.Sprintf("the server ended: %v", end)
	} else if peak > memoryLimit {
		out.broken = fmt.Sprintf("the server had %d MiB resident, above the limit of %d", peak>>20, memoryLimit>>20)
	}
	return out, nil
}

// logInAtOnce has n connections log in at the same time, each for one of the users, and counts the answers. Every one has to be one.
func logInAtOnce(ctx context.Context, n *node, logins int, users []*person) (map[class]int, error) {
	crowd := &http.Client{Transport: &http.Transport{MaxConnsPerHost: logins, MaxIdleConnsPerHost: logins}, Timeout: 3 * patience}
	defer crowd.CloseIdleConnections()
	many := &node{server: n.server, http: crowd}
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		told = map[class]int{}
		errs error
	)
	for i := range logins {
		all.Go(func() {
			p := users[i%len(users)]
			r := many.post(ctx, "/multi/login_with_password", object{"email": p.email, "password": object{"value": text(0)}}, "api-key", apiKey)
			c := (call{kind: login}).read(r)
			if r.status == http.StatusServiceUnavailable {
				c = busy
			}
			mu.Lock()
			defer mu.Unlock()
			told[c]++
			if c != ok && c != busy {
				errs = errors.Join(errs, fmt.Errorf("a right password in a crowd was answered %v", r))
			}
		})
	}
	all.Wait()
	return told, errs
}

// cgroup is a directory that bounds the memory of the processes in it; empty: this machine lets us make none.
type cgroup string

func (c cgroup) String() string {
	if c == "" {
		return "measured: no cgroup may be made here"
	}
	return "in a cgroup of that size"
}

// newCgroup makes one of either version, if that is allowed here.
func newCgroup(limit int64) cgroup {
	for _, kind := range []struct{ parent, file string }{{cgroupV1Memory, cgroupLimitV1}, {cgroupV2, cgroupLimitV2}} {
		dir := filepath.Join(kind.parent, strings.TrimSuffix(namePrefix(), "-"))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		if os.WriteFile(filepath.Join(dir, kind.file), []byte(strconv.FormatInt(limit, 10)), 0o644) == nil {
			return cgroup(dir)
		}
		_ = syscall.Rmdir(dir)
	}
	return ""
}

// remove takes the cgroup away, whose process has ended. The system takes a moment to see that.
func (c cgroup) remove() error {
	if c == "" {
		return nil
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := syscall.Rmdir(string(c))
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
