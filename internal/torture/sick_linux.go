package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// sickDisk is a file system on which a write or a sync fails when it is told to, and which does then what Linux does: what could not be
// synced stays in the cache, where everybody reads it, counts as written, and is gone after a power cut. It is served by this process, so
// nothing here may touch what is below dir but through a process of its own; under holds the same files for that.
type sickDisk struct {
	dir, under string
	server     *fuse.Server
	lasting    bool // its power is never cut

	mu      sync.Mutex
	off     bool // the power is gone
	op      diskOp
	of      string // part of the names of the files that it fails on
	in      int    // the how manieth from now fails; 0: none
	failed  int
	unsaved map[string]*unsaved
}

// diskOp is what can fail.
type diskOp string

const (
	diskWrite diskOp = "write"
	diskSync  diskOp = "sync"
)

// unsaved is where a file in the cache is not what is on the disk.
type unsaved struct {
	size  int64            // on the disk
	pages map[int64][]byte // on the disk, by number; where there was none yet, it is zero
	dirty map[int64]bool   // pages that the next sync takes along; the others were given up by one that failed
}

const pageSize = 4096

// needsFuse says why this machine has no sick disk, if it has none.
func needsFuse() string {
	if missing := needsRoot(); missing != "" {
		return missing
	}
	dir, err := os.MkdirTemp("", namePrefix())
	if err != nil {
		return err.Error()
	}
	defer os.RemoveAll(dir)
	d, err := newSickDisk(dir)
	if err != nil {
		return "needs FUSE"
	}
	d.remove()
	return ""
}

// newSickDisk mounts one below dir.
func newSickDisk(dir string) (*sickDisk, error) {
	d := &sickDisk{dir: filepath.Join(dir, "sick"), under: filepath.Join(dir, "under"), unsaved: map[string]*unsaved{}}
	for _, made := range []string{d.dir, d.under} {
		if err := errors.Join(os.Mkdir(made, 0o755), os.Chmod(made, 0o755)); err != nil {
			return nil, err
		}
	}
	return d, d.mount()
}

func (d *sickDisk) mount() error {
	root, err := fs.NewLoopbackRoot(d.under)
	if err != nil {
		return err
	}
	d.server, err = fs.Mount(d.dir, &sickNode{root.(*fs.LoopbackNode), d}, &fs.Options{
		MountOptions: fuse.MountOptions{AllowOther: true, FsName: "torture", DirectMountStrict: true},
	})
	return err
}

// arm has the n-th operation from now fail, of those on files whose names have a part.
func (d *sickDisk) arm(op diskOp, n int, of string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.op, d.in, d.of = op, n, of
}

// disarm takes that back.
func (d *sickDisk) disarm() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.in, d.failed = 0, 0
}

// hit reports whether an operation has failed since it was armed.
func (d *sickDisk) hit() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed > 0
}

// flush brings all that was written to the disk.
func (d *sickDisk) flush() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.unsaved)
}

// cut is a power cut: from now on nothing is done any more.
func (d *sickDisk) cut() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = true
	return nil
}

// unmount ends a disk that nobody uses any more. What was never synced is gone.
func (d *sickDisk) unmount() error {
	err := d.server.Unmount()
	for deadline := time.Now().Add(patience); err != nil && time.Now().Before(deadline); err = d.server.Unmount() {
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	d.server.Wait()
	for path, u := range d.unsaved {
		if err := u.revert(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	d.unsaved, d.off = map[string]*unsaved{}, false
	return nil
}

func (d *sickDisk) remove() {
	if d.server != nil && d.server.Unmount() != nil {
		_ = syscall.Unmount(d.dir, syscall.MNT_DETACH)
	}
}

// revert makes a file what it is on the disk.
func (u *unsaved) revert(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for n, page := range u.pages {
		_, werr := f.WriteAt(page, n*pageSize)
		err = errors.Join(err, werr)
	}
	return errors.Join(err, f.Truncate(u.size), f.Close())
}

// fails reports whether an operation does. The lock is held.
func (d *sickDisk) fails(op diskOp, path string) bool {
	if d.in == 0 || op != d.op || !strings.Contains(path, d.of) {
		return false
	}
	if d.in--; d.in > 0 {
		return false
	}
	d.failed++
	if op == diskWrite && d.failed == 1 {
		d.in = 1 // the next one, too: it may be the rest of the same, which the system takes apart, and is tried again
	}
	return true
}

// keep notes what is on the disk where a file is about to be changed. The lock is held.
func (d *sickDisk) keep(path string, from, to int64) error {
	if d.lasting || strings.HasSuffix(path, "-shm") { // SQLite's shared memory need not outlast anything
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	u := d.unsaved[path]
	if u == nil {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		u = &unsaved{info.Size(), map[int64][]byte{}, map[int64]bool{}}
		d.unsaved[path] = u
	}
	for n := from / pageSize; n*pageSize < to; n++ {
		u.dirty[n] = true
		if u.pages[n] != nil {
			continue
		}
		page := make([]byte, pageSize)
		if _, err := f.ReadAt(page, n*pageSize); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		u.pages[n] = page
	}
	return nil
}

// saved notes that a file was synced, as far as anybody can tell. The lock is held.
func (d *sickDisk) saved(path string) error {
	u := d.unsaved[path]
	if u == nil {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	for n := range u.dirty {
		delete(u.pages, n)
	}
	u.size = info.Size()
	if clear(u.dirty); len(u.pages) == 0 {
		delete(d.unsaved, path)
	}
	return nil
}

// sickNode is a file or a directory.
type sickNode struct {
	*fs.LoopbackNode
	disk *sickDisk
}

func (n *sickNode) path(more ...string) string {
	return filepath.Join(slices.Concat([]string{n.disk.under, n.Path(n.Root())}, more)...)
}

// WrapChild implements fs.NodeWrapChilder.
func (n *sickNode) WrapChild(_ context.Context, child fs.InodeEmbedder) fs.InodeEmbedder {
	return &sickNode{child.(*fs.LoopbackNode), n.disk}
}

// Open implements fs.NodeOpener.
func (n *sickNode) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if flags&syscall.O_TRUNC != 0 {
		if errno := n.disk.changes(n.path(), 0, 1<<62); errno != 0 {
			return nil, 0, errno
		}
	}
	h, options, errno := n.LoopbackNode.Open(ctx, flags)
	if errno != 0 {
		return nil, 0, errno
	}
	return &sickFile{h.(*fs.LoopbackFile), n.disk, n.path()}, options, 0
}

// Create implements fs.NodeCreater.
func (n *sickNode) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (
	*fs.Inode, fs.FileHandle, uint32, syscall.Errno,
) {
	child, h, options, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	if errno != 0 {
		return nil, nil, 0, errno
	}
	return child, &sickFile{h.(*fs.LoopbackFile), n.disk, n.path(name)}, options, 0
}

// Setattr implements fs.NodeSetattrer.
func (n *sickNode) Setattr(ctx context.Context, h fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if size, ok := in.GetSize(); ok {
		if errno := n.disk.changes(n.path(), int64(size), 1<<62); errno != 0 {
			return errno
		}
	}
	return n.LoopbackNode.Setattr(ctx, h, in, out)
}

// Unlink implements fs.NodeUnlinker. Names are safe at once: SQLite syncs directories.
func (n *sickNode) Unlink(ctx context.Context, name string) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if n.disk.off {
		return syscall.EIO
	}
	delete(n.disk.unsaved, n.path(name))
	return n.LoopbackNode.Unlink(ctx, name)
}

// Rename implements fs.NodeRenamer.
func (n *sickNode) Rename(ctx context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	d, from, onto := n.disk, n.path(name), to.(*sickNode).path(newName)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return syscall.EIO
	}
	delete(d.unsaved, onto)
	if u := d.unsaved[from]; u != nil {
		d.unsaved[onto] = u
		delete(d.unsaved, from)
	}
	return n.LoopbackNode.Rename(ctx, name, to, newName, flags)
}

// changes is called before a file is cut off at a place.
func (d *sickDisk) changes(path string, from, to int64) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return syscall.EIO
	}
	info, err := os.Stat(path)
	if err != nil {
		return fs.ToErrno(err)
	}
	return fs.ToErrno(d.keep(path, from, min(to, info.Size())))
}

// sickFile is an open one.
type sickFile struct {
	*fs.LoopbackFile
	disk *sickDisk
	path string
}

// PassthroughFd implements fs.FilePassthroughFder: the kernel is not to go past us.
func (f *sickFile) PassthroughFd() (int, bool) { return 0, false }

// Write implements fs.FileWriter.
func (f *sickFile) Write(ctx context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.off || f.disk.fails(diskWrite, f.path) {
		return 0, syscall.EIO
	}
	if err := f.disk.keep(f.path, off, off+int64(len(data))); err != nil {
		return 0, fs.ToErrno(err)
	}
	return f.LoopbackFile.Write(ctx, data, off)
}

// Fsync implements fs.FileFsyncer.
func (f *sickFile) Fsync(context.Context, uint32) syscall.Errno {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.off {
		return syscall.EIO
	}
	if f.disk.fails(diskSync, f.path) {
		if u := f.disk.unsaved[f.path]; u != nil {
			clear(u.dirty)
		}
		return syscall.EIO
	}
	return fs.ToErrno(f.disk.saved(f.path))
}
