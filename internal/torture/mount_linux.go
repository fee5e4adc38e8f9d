package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// volume is a file system of its own, which can lose its power.
type volume struct {
	dir   string // where it is mounted
	image string // the file that it lies in; empty: in memory
}

// needsRoot says why this machine lets nobody mount, if it does not.
func needsRoot() string {
	if os.Geteuid() != 0 {
		return "needs root"
	}
	return ""
}

// needsLoop says why this machine has no file system to pull the power from, if it has none.
func needsLoop() string {
	if missing := needsRoot(); missing != "" {
		return missing
	}
	for _, program := range []string{"mkfs.ext4", "mount", "umount"} {
		if _, err := exec.LookPath(program); err != nil {
			return "needs " + program
		}
	}
	dir, err := os.MkdirTemp("", namePrefix())
	if err != nil {
		return err.Error()
	}
	defer os.RemoveAll(dir)
	v, err := newVolume(dir, 16)
	if err != nil {
		return "needs loop devices and ext4"
	}
	defer v.remove()
	if err := v.cut(); err != nil {
		return "needs a file system that can be shut down"
	}
	return ""
}

// needsTmpfs says why nothing can be filled here, if nothing can.
func needsTmpfs() string {
	if missing := needsRoot(); missing != "" {
		return missing
	}
	dir, err := os.MkdirTemp("", namePrefix())
	if err != nil {
		return err.Error()
	}
	defer os.RemoveAll(dir)
	v, err := newTmpfs(dir, 1)
	if err != nil {
		return "needs tmpfs"
	}
	v.remove()
	return ""
}

// newVolume makes an ext4 file system of some MiB in a file below dir and mounts it. The loop device goes when it is unmounted.
func newVolume(dir string, mib int64) (*volume, error) {
	v := &volume{dir: filepath.Join(dir, "volume"), image: filepath.Join(dir, "volume.img")}
	if err := os.Mkdir(v.dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(v.image)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Truncate(mib<<20), f.Close()); err != nil {
		return nil, err
	}
	if err := run("mkfs.ext4", "-q", "-F", v.image); err != nil {
		return nil, err
	}
	return v, v.mount()
}

// newTmpfs mounts a file system in memory, of some MiB.
func newTmpfs(dir string, mib int64) (*volume, error) {
	v := &volume{dir: filepath.Join(dir, "volume")}
	if err := os.Mkdir(v.dir, 0o755); err != nil {
		return nil, err
	}
	return v, run("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", mib), "torture", v.dir)
}

func (v *volume) mount() error { return run("mount", "-o", "loop", v.image, v.dir) }

// Of <linux/fs.h> and <linux/ext4.h>.
const (
	ioctlShutdown = 0x8004587D // FS_IOC_SHUTDOWN
	noLogFlush    = 2          // EXT4_GOING_FLAGS_NOLOGFLUSH: as when the power goes
)

// cut is a power cut: from now on nothing is written any more, and what was not synced is gone.
func (v *volume) cut() error {
	dir, err := os.Open(v.dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	return control(dir, ioctlShutdown, noLogFlush)
}

// flush brings all that was written to the disk.
func (v *volume) flush() error { return run("sync", "-f", v.dir) }

// restore mounts the file system anew after a cut.
func (v *volume) restore() error { return errors.Join(run("umount", v.dir), v.mount()) }

// remove takes the file system away, used or not.
func (v *volume) remove() {
	if syscall.Unmount(v.dir, 0) != nil {
		_ = syscall.Unmount(v.dir, syscall.MNT_DETACH)
	}
	if v.image != "" {
		_ = os.Remove(v.image)
	}
	_ = os.Remove(v.dir)
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// tidy takes away what runs that were killed have left behind: mounts, directories and cgroups that carry the number of a process which is
// no more.
func tidy() {
	mounts, _ := os.ReadFile("/proc/mounts") // without it there is nothing to unmount
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 1 && left(fields[1]) {
			_ = syscall.Unmount(fields[1], syscall.MNT_DETACH)
		}
	}
	for _, parent := range []string{os.TempDir(), memory()} {
		dirs, _ := filepath.Glob(filepath.Join(parent, "torture-*"))
		for _, dir := range dirs {
			if left(dir) {
				_ = os.RemoveAll(dir)
			}
		}
	}
	for _, parent := range []string{cgroupV1Memory, cgroupV2} {
		dirs, _ := filepath.Glob(filepath.Join(parent, "torture-*"))
		for _, dir := range dirs {
			if left(dir) {
				_ = syscall.Rmdir(dir)
			}
		}
	}
}

// left reports whether a path is that of a run whose process is gone.
func left(path string) bool {
	_, name, ours := strings.Cut(path, "/torture-")
	number, _, _ := strings.Cut(name, "-")
	number, _, _ = strings.Cut(number, "/")
	pid, err := strconv.Atoi(number)
	return ours && err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}
