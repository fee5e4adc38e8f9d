// Package argon2 computes Argon2i and Argon2id (RFC 9106, version 0x13) in
// memory the caller owns.
//
// It exists beside golang.org/x/crypto/argon2, which is its oracle in the
// tests, for two reasons: that package allocates the whole memory anew for each
// hash, and its inner loop is several times slower than what AVX2 and AVX-512
// allow. The assembly for these is in run_*.s; on other processors, and with the
// build tag purego, there is only Go.
//
// The package knows no password format, no salt policy and no limit on parallel
// work; package passhash does.
package argon2

import (
	"encoding/binary"
	"errors"
	"math"
	"runtime"

	"golang.org/x/crypto/blake2b"
)

// Variant is the way memory is addressed, numbered as in RFC 9106, section 3.2.
type Variant uint32

// Argon2d has no constant: its memory accesses depend on the password.
const (
	I  Variant = 1 // addresses never depend on the password
	ID Variant = 2 // as I in the first half of the first pass, as Argon2d after
)

// Params are the costs of a hash (RFC 9106, section 3.1).
type Params struct {
	Variant Variant
	Memory  uint32 // m, in KiB, at least 8·Lanes
	Time    uint32 // t, passes over the memory, at least 1
	Lanes   uint32 // p, at least 1; lanes are computed one after the other
}

const (
	version    = 0x13
	syncPoints = 4 // of a lane in a pass; RFC 9106 calls it SL
	blockBytes = 1024
)

var errParams = errors.New("compute argon2: parameters out of range")
var errMemory = errors.New("compute argon2: memory too short")
var errTag = errors.New("compute argon2: tag shorter than 4 bytes")

func (p Params) check() error {
	switch {
	case p.Variant != I && p.Variant != ID,
		p.Lanes < 1 || p.Lanes >= 1<<24,
		p.Memory < 2*syncPoints*p.Lanes || uint64(p.Memory)*blockBytes > math.MaxInt,
		p.Time < 1:
		return errParams
	}
	return nil
}

// Words returns the length of the memory that p needs, in 64-bit words.
func (p Params) Words() int {
	return int(p.blocks()) * blockWords
}

// blocks is m′: the memory rounded down to whole segments in every lane.
func (p Params) blocks() uint32 {
	return p.Memory - p.Memory%(syncPoints*p.Lanes)
}

// Key computes the tag of password under salt, with the optional secret and
// associated data, and fills tag with it; the length of tag, at least 4 bytes,
// is an input of the function. It works in the first p.Words() of mem, whose
// content does not matter before and is not wiped after.
//
// Key lets other goroutines run a few times in each pass, so that short work
// is not stuck behind long hashes when they occupy every processor.
func (k Kernel) Key(tag []byte, mem []uint64, p Params, password, salt, secret, data []byte) error {
	if err := p.check(); err != nil {
		return err
	}
	if len(mem) < p.Words() {
		return errMemory
	}
	if len(tag) < 4 {
		return errTag
	}
	f := &filling{
		Kernel:  k,
		Params:  p,
		mem:     mem[:p.Words()],
		lane:    int(p.blocks() / p.Lanes),
		segment: int(p.blocks() / p.Lanes / syncPoints),
	}
	f.start(firstHash(uint32(len(tag)), p, password, salt, secret, data))
	for pass := range int(p.Time) {
		for slice := range syncPoints {
			for lane := range int(p.Lanes) {
				f.fill(position{pass, slice, lane})
			}
			runtime.Gosched()
		}
	}
	f.finish(tag)
	return nil
}

// firstHash is H0 of RFC 9106, section 3.2, step 1.
func firstHash(tagLen uint32, p Params, password, salt, secret, data []byte) [blake2b.Size]byte {
	var buf []byte
	for _, n := range []uint32{p.Lanes, tagLen, p.Memory, p.Time, version, uint32(p.Variant)} {
		buf = binary.LittleEndian.AppendUint32(buf, n)
	}
	for _, field := range [][]byte{password, salt, secret, data} {
		buf = binary.LittleEndian.AppendUint32(buf, uint32(len(field)))
		buf = append(buf, field...)
	}
	h := blake2b.Sum512(buf)
	clear(buf)
	return h
}

// longHash is H′ of RFC 9106, section 3.3: BLAKE2b with an output of any
// length.
func longHash(out, in []byte) {
	buf := binary.LittleEndian.AppendUint32(nil, uint32(len(out)))
	buf = append(buf, in...)
	if len(out) <= blake2b.Size {
		sum(out, buf)
		return
	}
	v := blake2b.Sum512(buf)
	for {
		n := copy(out, v[:blake2b.Size/2])
		out = out[n:]
		if len(out) <= blake2b.Size {
			sum(out, v[:])
			return
		}
		v = blake2b.Sum512(v[:])
	}
}

// sum fills out, of 1 to 64 bytes, with the BLAKE2b hash of that length.
func sum(out, in []byte) {
	h, err := blake2b.New(len(out), nil)
	if err != nil {
		panic(err) // only for a length that longHash never asks for
	}
	h.Write(in)
	h.Sum(out[:0])
}
