package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the grain of /proc's times, the same on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// cpu returns the processor time that processes have used, as far as they live.
func cpu(pids ...int) (time.Duration, error) {
	var sum time.Duration
	for _, p := range pids {
		f, err := stat(p)
		if err != nil {
			continue // it ended meanwhile
		}
		for _, ticks := range f[11:13] { // utime, stime
			n, err := strconv.Atoi(ticks)
			if err != nil {
				return 0, err
			}
			sum += time.Duration(n) * tick
		}
	}
	return sum, nil
}

// fineCPU returns the processor time of the threads that a process has, without the grain of a tick.
func fineCPU(pid int) (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			continue // the thread ended meanwhile
		}
		var n time.Duration
		if _, err := fmt.Sscan(string(data), &n); err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// stat returns the fields of /proc/PID/stat after the name, which may hold anything: the first is the state, the second the parent.
func stat(pid int) ([]string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	text := string(data)
	return strings.Fields(text[strings.LastIndexByte(text, ')')+1:]), nil
}

// family lists a process and its children.
func family(pid int) ([]int, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	all := []int{pid}
	for _, dir := range dirs {
		child, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if f, err := stat(child); err == nil && f[1] == strconv.Itoa(pid) {
			all = append(all, child)
		}
	}
	return all, nil
}

// memory is the resident memory of a process, in bytes.
type memory struct {
	total int64
	own   int64 // of total, what is not pages of the program's file
	peak  int64 // highest total since forgetPeak
}

func memoryOf(pid int) (memory, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return memory{}, err
	}
	var m memory
	found := 0
	for line := range strings.Lines(string(data)) {
		for name, dst := range map[string]*int64{"VmRSS:": &m.total, "RssAnon:": &m.own, "VmHWM:": &m.peak} {
			if value, ok := strings.CutPrefix(line, name); ok {
				if _, err := fmt.Sscanf(value, "%d kB", dst); err != nil {
					return memory{}, err
				}
				*dst <<= 10
				found++
			}
		}
	}
	if found != 3 {
		return memory{}, errors.New("the system does not tell the memory of processes")
	}
	return m, nil
}

// forgetPeak makes the present size of a process its highest.
func forgetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}
