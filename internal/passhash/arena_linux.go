package passhash

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An arena is memory outside the Go heap, so that hashes of many megabytes
// make no work for the garbage collector and the memory can be given back at
// once. It starts at a huge page, which saves the hash most of its TLB misses.
//
// It is not wiped between hashes, which would take a good part of the time of a
// hash: whoever can read the memory of the process sees passwords arrive.
type arena struct {
	words  []uint64
	mapped []byte
}

const hugePage = 2 << 20

func newArena(words int) (*arena, error) {
	size := (words*8 + hugePage - 1) &^ (hugePage - 1)
	mapped, err := unix.Mmap(-1, 0, size+hugePage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("map %d KiB: %w", size>>10, err)
	}
	start := uintptr(unsafe.Pointer(&mapped[0]))
	aligned := mapped[-start&(hugePage-1):][:size]
	// Best effort: without the first it is slower, without the second a core
	// dump is larger and has traces of passwords.
	_ = unix.Madvise(aligned, unix.MADV_HUGEPAGE)
	_ = unix.Madvise(aligned, unix.MADV_DONTDUMP)
	return &arena{
		words:  unsafe.Slice((*uint64)(unsafe.Pointer(&aligned[0])), words),
		mapped: mapped,
	}, nil
}

// free gives the memory back. It must not be used any more.
func (a *arena) free() {
	_ = unix.Munmap(a.mapped) // fails only for what is not a mapping
	a.words, a.mapped = nil, nil
}
