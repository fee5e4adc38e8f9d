package pgtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Crash ends every process of the server at once, as the end of its machine would; none outlives the first one, as after Kill. What is at
// its data after that may be changed until Restart. Needs Linux, which tells whose child a process is.
func (s *Server) Crash() error {
	s.dismiss()
	if err := s.process.Signal(syscall.SIGSTOP); err != nil { // so that it makes no more
		return err
	}
	pids, err := s.children()
	if err := errors.Join(err, s.Kill()); err != nil {
		return err
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		left := 0
		for _, pid := range pids {
			if alive(pid) {
				left++
			}
		}
		if left == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d processes of PostgreSQL do not end", left)
		}
	}
}

// Await returns when the server takes connections, as it does again after it has recovered from a crash of its own.
func (s *Server) Await() error { return s.await() }

// Log is what the server has written about itself since it was run.
func (s *Server) Log() string {
	text, _ := os.ReadFile(s.log()) // none is as good as an empty one
	return string(text)
}

// Restart runs a server that crashed on what is left of its data.
func (s *Server) Restart() error { return s.resume() }

// Sound has PostgreSQL check the tables and indexes of a database.
func (s *Server) Sound(name string) error {
	return s.client("pg_amcheck", "--install-missing", "--heapallindexed", "--database="+name)
}

// children are the processes that the server's first one has made.
func (s *Server) children() (pids []int, err error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return nil, errors.Join(err, errors.New("the system does not tell whose child a process is"))
	}
	for _, path := range stats {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if _, parent := status(pid); parent == s.PID() {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// alive reports whether a process is there and has not ended.
func alive(pid int) bool {
	state, _ := status(pid)
	return state != "" && state != "Z"
}

// status returns the state of a process, empty when there is none, and its parent.
func status(pid int) (state string, parent int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0
	}
	_, rest, _ := strings.Cut(string(text), ") ") // what is before is its name
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return "", 0
	}
	parent, _ = strconv.Atoi(fields[1])
	return fields[0], parent
}
