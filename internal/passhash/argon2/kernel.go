package argon2

import "math/bits"

// A Kernel is an implementation of the compression function G (RFC 9106,
// section 3.5) and of the loop around it. All give the same tags. The zero
// Kernel is not usable.
type Kernel struct {
	name string
	run  func(*run)
}

// Kernels returns the kernels that this machine can run, the fastest first.
// The last is "generic", which every machine can run.
func Kernels() []Kernel {
	return append(machineKernels(), Kernel{"generic", runGeneric})
}

// String returns the name of the kernel: "generic", "avx2" or "avx512".
func (k Kernel) String() string { return k.name }

// A run is a number of consecutive blocks to compute: each is G of the block
// before it and of a block that it refers to. The caller sees to it that the
// numbers are within bounds; kernels do not check them.
type run struct {
	mem   []uint64 // whole blocks, numbered from 0
	out   int      // the first block to compute
	prev  int      // what is before it; before the others is their neighbour
	count int      // at least 1
	fold  bool     // xor with what the blocks held

	// refs has the references of the blocks, and as many numbers more as
	// kernels look ahead. If it is nil, each block picks its reference from
	// the window, by the first word of the block before it. The window is
	// that of the first block, and grows by one with each.
	refs []uint32
	window
}

// ahead is how many blocks before its use a known reference is prefetched. The
// numbers after the last reference may be any: they are only hints.
const ahead = 3

// A window is a range of blocks of a lane, which may go on at its beginning.
type window struct{ start, size, lane int }

// pick maps J1, the lower half of a random word, to a block of the window, more
// often to the later ones (RFC 9106, section 3.4.2).
func (w window) pick(random uint64) int {
	x := random & 0xffffffff
	x = x * x >> 32
	x = x * uint64(w.size) >> 32
	z := w.start + w.size - 1 - int(x)
	if z >= w.lane {
		z -= w.lane
	}
	return z
}

func runGeneric(r *run) {
	w := r.window
	prev := at(r.mem, r.prev)
	for i := range r.count {
		var ref *block
		if r.refs != nil {
			ref = at(r.mem, int(r.refs[i]))
		} else {
			ref = at(r.mem, w.pick(prev[0]))
			w.size++
		}
		x := *prev
		x.xor(ref)
		z := x
		z.permute()
		z.xor(&x)
		out := at(r.mem, r.out+i)
		if r.fold {
			out.xor(&z)
		} else {
			*out = z
		}
		prev = out
	}
}

// permute applies P to the rows, then to the columns.
func (b *block) permute() {
	for g := 0; g < blockWords; g += 32 {
		b.permute16(g, g+1, g+2, g+3, 8)
		b.permute16(g+4, g+5, g+6, g+7, 8)
	}
	for q := 0; q < 32; q += 8 {
		b.permute16(q, q+1, q+4, q+5, 32)
		b.permute16(q+2, q+3, q+6, q+7, 32)
	}
}

// permute16 is P of RFC 9106, section 3.6, on the words i, j, k, l and those
// one, two and three steps after them.
func (b *block) permute16(i, j, k, l, step int) {
	a0, a1, a2, a3 := b[i], b[j], b[k], b[l]
	b0, b1, b2, b3 := b[i+step], b[j+step], b[k+step], b[l+step]
	c0, c1, c2, c3 := b[i+2*step], b[j+2*step], b[k+2*step], b[l+2*step]
	d0, d1, d2, d3 := b[i+3*step], b[j+3*step], b[k+3*step], b[l+3*step]

	// GB on the columns of a 4×4 matrix, then on its diagonals.
	a0, b0, c0, d0 = half(a0, b0, c0, d0, 32, 24)
	a0, b0, c0, d0 = half(a0, b0, c0, d0, 16, 63)
	a1, b1, c1, d1 = half(a1, b1, c1, d1, 32, 24)
	a1, b1, c1, d1 = half(a1, b1, c1, d1, 16, 63)
	a2, b2, c2, d2 = half(a2, b2, c2, d2, 32, 24)
	a2, b2, c2, d2 = half(a2, b2, c2, d2, 16, 63)
	a3, b3, c3, d3 = half(a3, b3, c3, d3, 32, 24)
	a3, b3, c3, d3 = half(a3, b3, c3, d3, 16, 63)

	a0, b1, c2, d3 = half(a0, b1, c2, d3, 32, 24)
	a0, b1, c2, d3 = half(a0, b1, c2, d3, 16, 63)
	a1, b2, c3, d0 = half(a1, b2, c3, d0, 32, 24)
	a1, b2, c3, d0 = half(a1, b2, c3, d0, 16, 63)
	a2, b3, c0, d1 = half(a2, b3, c0, d1, 32, 24)
	a2, b3, c0, d1 = half(a2, b3, c0, d1, 16, 63)
	a3, b0, c1, d2 = half(a3, b0, c1, d2, 32, 24)
	a3, b0, c1, d2 = half(a3, b0, c1, d2, 16, 63)

	b[i], b[j], b[k], b[l] = a0, a1, a2, a3
	b[i+step], b[j+step], b[k+step], b[l+step] = b0, b1, b2, b3
	b[i+2*step], b[j+2*step], b[k+2*step], b[l+2*step] = c0, c1, c2, c3
	b[i+3*step], b[j+3*step], b[k+3*step], b[l+3*step] = d0, d1, d2, d3
}

// half is one half of GB of RFC 9106, section 3.6, as the compiler can inline
// it; the halves differ in how far d and b are rotated to the right.
func half(a, b, c, d uint64, rd, rb int) (uint64, uint64, uint64, uint64) {
	a += b + 2*uint64(uint32(a))*uint64(uint32(b))
	d = bits.RotateLeft64(d^a, -rd)
	c += d + 2*uint64(uint32(c))*uint64(uint32(d))
	b = bits.RotateLeft64(b^c, -rb)
	return a, b, c, d
}
