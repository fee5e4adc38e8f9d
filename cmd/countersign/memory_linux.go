package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
)

// giveBack gives back the memory that the start took and serving does not need: of the heap, and of the program's own file, of which the
// start has touched nearly every part. What is needed of it again comes back from the system's cache, without a read from the disk.
func giveBack() error {
	debug.FreeOSMemory()
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return err
	}
	for _, m := range fileMappings(string(smaps), program) {
		if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, m.from, m.to-m.from, syscall.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("madvise: %w", errno)
		}
	}
	return nil
}

// mapping is a part of the address space.
type mapping struct{ from, to uintptr }

// fileMappings returns the parts of the address space that hold nothing but what stands in a file, by what /proc/PID/smaps says. One with
// a page of its own, such as one that was relocated or has a breakpoint, is not among them: the file has not what it holds.
func fileMappings(smaps, file string) []mapping {
	var all []mapping
	var m mapping
	candidate := false
	for line := range strings.Lines(smaps) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		var from, to uintptr
		if n, _ := fmt.Sscanf(fields[0], "%x-%x", &from, &to); n == 2 {
			m, candidate = mapping{from, to}, len(fields) == 6 && fields[5] == file && fields[1][1] == '-'
		}
		if candidate && fields[0] == "Anonymous:" && fields[1] == "0" {
			all = append(all, m)
		}
	}
	return all
}
