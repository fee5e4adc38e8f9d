package argon2

import (
	"encoding/binary"

	"golang.org/x/crypto/blake2b"
)

const blockWords = blockBytes / 8

// A block is 8 rows of 8 columns of 16 bytes (RFC 9106, section 3.5). In
// memory the two rows of each pair are interleaved by 32 bytes: a 64-byte line
// holds columns 2q and 2q+1 of rows 2g and 2g+1. So the wide registers that the
// compression loads serve its rows and its columns alike, without being
// shuffled in between. Blocks are otherwise only xored, so nothing but their
// first and last use needs to know.
type block [blockWords]uint64

// place returns where a block has word i of the RFC's order.
func place(i int) int {
	row, word := i/16, i%16
	return row/2*32 + word/4*8 + row%2*4 + word%4
}

func (b *block) decode(src *[blockBytes]byte) {
	for i := range b {
		b[place(i)] = binary.LittleEndian.Uint64(src[8*i:])
	}
}

func (b *block) encode(dst *[blockBytes]byte) {
	for i := range b {
		binary.LittleEndian.PutUint64(dst[8*i:], b[place(i)])
	}
}

func (b *block) xor(x *block) {
	for i := range b {
		b[i] ^= x[i]
	}
}

// A filling is one hash in the making.
type filling struct {
	Kernel
	Params
	mem     []uint64
	lane    uint32 // blocks in a lane
	segment uint32 // blocks in a slice of a lane

	zero, input, addresses block
	refs                   [blockWords + ahead]uint32
}

// A position names a segment.
type position struct{ pass, slice, lane uint32 }

// block returns block i of the memory, lane after lane.
func (f *filling) block(i uint32) *block {
	return (*block)(f.mem[int(i)*blockWords:])
}

// start computes the first two blocks of every lane (section 3.2, steps 3, 4).
func (f *filling) start(h0 [blake2b.Size]byte) {
	var buf [blockBytes]byte
	for lane := range f.Lanes {
		for i := range uint32(2) {
			seed := binary.LittleEndian.AppendUint32(h0[:], i)
			seed = binary.LittleEndian.AppendUint32(seed, lane)
			longHash(buf[:], seed)
			f.block(lane*f.lane + i).decode(&buf)
		}
	}
}

// finish turns the last column into the tag (section 3.2, step 7).
func (f *filling) finish(tag []byte) {
	last := *f.block(f.lane - 1)
	for lane := uint32(1); lane < f.Lanes; lane++ {
		last.xor(f.block(lane*f.lane + f.lane - 1))
	}
	var buf [blockBytes]byte
	last.encode(&buf)
	longHash(tag, buf[:])
}

// fill computes one segment (section 3.2, steps 5 and 6).
func (f *filling) fill(at position) {
	if f.Variant == I || at.pass == 0 && at.slice < slices/2 {
		f.fillIndependent(at)
	} else {
		f.fillDependent(at)
	}
}

// ahead is how many blocks before its use a known reference is prefetched.
const ahead = 3

// fillIndependent computes a segment whose references come from a counter
// (section 3.4.1.2), one block of addresses after the other.
func (f *filling) fillIndependent(at position) {
	clear(f.input[:])
	for i, v := range []uint32{at.pass, at.lane, at.slice, f.blocks(), f.Time, uint32(f.Variant)} {
		f.input[place(i)] = uint64(v)
	}
	for first := uint32(0); first < f.segment; first += blockWords {
		f.input[place(6)]++
		f.mix(&f.addresses, &f.zero, &f.input, &f.zero)
		f.mix(&f.addresses, &f.zero, &f.addresses, &f.zero)
		end := min(f.segment-first, blockWords)
		for i := range end {
			f.refs[i] = f.reference(f.addresses[place(int(i))], at, first+i)
		}
		for i := f.filled(at, first); i < end; i++ {
			// Past the end, refs has an older reference: as good as none.
			f.compute(at, first+i, f.refs[i], f.refs[i+ahead])
		}
	}
}

// fillDependent computes a segment in which each block picks the reference of
// the next one (section 3.4.1.1).
func (f *filling) fillDependent(at position) {
	for i := f.filled(at, 0); i < f.segment; i++ {
		ref := f.reference(f.block(f.previous(at, i))[0], at, i)
		f.compute(at, i, ref, ref)
	}
}

// filled returns how many blocks after block i of a segment start has made.
func (f *filling) filled(at position, i uint32) uint32 {
	if at == (position{lane: at.lane}) && i == 0 {
		return 2
	}
	return 0
}

// previous returns the block before block i of a segment; before the first
// block of a lane comes its last.
func (f *filling) previous(at position, i uint32) uint32 {
	i += at.slice * f.segment
	if i == 0 {
		i = f.lane
	}
	return at.lane*f.lane + i - 1
}

// compute makes block i of a segment out of the one before and the reference,
// and hints that the block next will be read soon. The first pass does not
// read what the memory held before; the later ones fold it in.
func (f *filling) compute(at position, i, ref, next uint32) {
	out := f.block(at.lane*f.lane + at.slice*f.segment + i)
	prev := f.block(f.previous(at, i))
	if at.pass == 0 {
		f.mix(out, prev, f.block(ref), f.block(next))
	} else {
		f.mixXOR(out, prev, f.block(ref), f.block(next))
	}
}

// reference maps the random word J1 || J2 to the block that block i of a
// segment refers to (section 3.4.2).
func (f *filling) reference(random uint64, at position, i uint32) uint32 {
	lane := at.lane
	if f.Lanes > 1 && (at.pass > 0 || at.slice > 0) {
		lane = uint32(random>>32) % f.Lanes
	}
	// The window has the blocks of the other slices that are complete, ...
	start, size := (at.slice+1)%slices*f.segment, (slices-1)*f.segment
	if at.pass == 0 {
		start, size = 0, at.slice*f.segment
	}
	// ... and in its own lane those of this one, without the previous block,
	// which in another lane may be the last of the slice before.
	if lane == at.lane {
		size += i - 1
	} else if i == 0 {
		size--
	}
	x := random & 0xffffffff
	x = x * x >> 32
	x = x * uint64(size) >> 32
	z := start + size - 1 - uint32(x)
	if z >= f.lane {
		z -= f.lane
	}
	return lane*f.lane + z
}
