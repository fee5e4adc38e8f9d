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
	lane    int // blocks in a lane
	segment int // blocks in a slice of a lane

	segmentRun, counterRun run // for fill and fillIndependent

	// counter has the blocks that make addresses out of a counter: one of
	// zeros, the input and the output. refs is what the output becomes.
	counter [3 * blockWords]uint64
	refs    [blockWords + ahead]uint32
}

// A position names a segment.
type position struct{ pass, slice, lane int }

// at returns block i of mem.
func at(mem []uint64, i int) *block {
	return (*block)(mem[i*blockWords:])
}

// start computes the first two blocks of every lane (section 3.2, steps 3, 4).
func (f *filling) start(h0 [blake2b.Size]byte) {
	var buf [blockBytes]byte
	for lane := range int(f.Lanes) {
		for i := range 2 {
			seed := binary.LittleEndian.AppendUint32(h0[:], uint32(i))
			seed = binary.LittleEndian.AppendUint32(seed, uint32(lane))
			longHash(buf[:], seed)
			at(f.mem, lane*f.lane+i).decode(&buf)
		}
	}
}

// finish turns the last column into the tag (section 3.2, step 7).
func (f *filling) finish(tag []byte) {
	last := *at(f.mem, f.lane-1)
	for lane := 1; lane < int(f.Lanes); lane++ {
		last.xor(at(f.mem, lane*f.lane+f.lane-1))
	}
	var buf [blockBytes]byte
	last.encode(&buf)
	longHash(tag, buf[:])
}

// fill computes one segment (section 3.2, steps 5 and 6).
func (f *filling) fill(p position) {
	first := p.slice * f.segment
	r := &f.segmentRun
	*r = run{
		mem:  f.mem,
		out:  p.lane*f.lane + first,
		prev: p.lane*f.lane + first - 1,
		fold: p.pass > 0,
	}
	if first == 0 {
		r.prev += f.lane
	}
	begin := 0
	if p.pass == 0 && p.slice == 0 {
		begin = 2
		r.out, r.prev = r.out+2, r.out+1
	}
	switch {
	case f.Variant == I || p.pass == 0 && p.slice < syncPoints/2:
		f.fillIndependent(r, p, begin)
	case f.Lanes == 1:
		f.fillDependent(r, p, begin)
	default:
		f.fillAcrossLanes(r, p, begin)
	}
}

// compute runs the next count blocks of r, if any.
func (f *filling) compute(r *run, count int) {
	if count == 0 {
		return
	}
	r.count = count
	f.run(r)
	r.out += count
	r.prev = r.out - 1
}

// fillIndependent computes a segment, from its block begin on, whose references
// come from a counter (section 3.4.1.2), one block of addresses at a time.
func (f *filling) fillIndependent(r *run, p position, begin int) {
	const zero, in, out = 0, 1, 2
	input, addresses := at(f.counter[:], in), at(f.counter[:], out)
	clear(input[:])
	for i, v := range []int{p.pass, p.lane, p.slice, int(f.blocks()), int(f.Time), int(f.Variant)} {
		input[place(i)] = uint64(v)
	}
	for base := 0; base < f.segment; base += blockWords {
		input[place(6)]++
		for _, ref := range []uint32{in, out} {
			f.refs[0] = ref
			f.counterRun = run{mem: f.counter[:], out: out, prev: zero, refs: f.refs[:], count: 1}
			f.run(&f.counterRun)
		}
		end := min(f.segment-base, blockWords)
		for i := begin; i < end; i++ {
			f.refs[i] = f.reference(addresses[place(i)], p, base+i)
		}
		r.refs = f.refs[begin:]
		f.compute(r, end-begin)
		begin = 0
	}
}

// longest bounds how long a kernel runs, since nothing can interrupt it: 256
// blocks take less than 0.1 ms.
const longest = 256

// fillDependent computes a segment, from its block begin on, in which each
// block picks the reference of the next one (section 3.4.1.1).
func (f *filling) fillDependent(r *run, p position, begin int) {
	r.window = f.window(p, begin, true)
	for left := f.segment - begin; left > 0; left -= r.count {
		f.compute(r, min(left, longest))
		r.size += r.count
	}
}

// fillAcrossLanes is fillDependent for more than one lane: the reference may
// be in any of them.
func (f *filling) fillAcrossLanes(r *run, p position, begin int) {
	r.refs = f.refs[:]
	for i := begin; i < f.segment; i++ {
		f.refs[0] = f.reference(at(f.mem, r.prev)[0], p, i)
		f.compute(r, 1)
	}
}

// reference maps the random word J1 || J2 to the block that block i of a
// segment refers to (section 3.4.2).
func (f *filling) reference(random uint64, p position, i int) uint32 {
	lane := p.lane
	if f.Lanes > 1 && (p.pass > 0 || p.slice > 0) {
		lane = int(random >> 32 % uint64(f.Lanes))
	}
	return uint32(lane*f.lane + f.window(p, i, lane == p.lane).pick(random))
}

// window returns what block i of a segment may refer to in a lane, its own or
// another: the other slices that are complete, and in its own lane also this
// one, but never the block before.
func (f *filling) window(p position, i int, own bool) window {
	w := window{start: (p.slice + 1) % syncPoints * f.segment, size: (syncPoints - 1) * f.segment, lane: f.lane}
	if p.pass == 0 {
		w.start, w.size = 0, p.slice*f.segment
	}
	if own {
		w.size += i - 1
	} else if i == 0 {
		w.size--
	}
	return w
}
