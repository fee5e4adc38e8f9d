package argon2

import "math/bits"

// A Kernel is an implementation of the compression function G (RFC 9106,
// section 3.5). All give the same tags. The zero Kernel is not usable.
type Kernel struct {
	name string

	// mix sets out to G(prev, ref); out may be ref. The block next is only
	// a hint: it will be read soon.
	mix func(out, prev, ref, next *block)
	// mixXOR xors G(prev, ref) into out, which may be neither of them.
	mixXOR func(out, prev, ref, next *block)
}

// Kernels returns the kernels that this machine can run, the fastest first.
// The last is "generic", which every machine can run.
func Kernels() []Kernel {
	return append(machineKernels(), Kernel{"generic", mixGeneric, mixXORGeneric})
}

// String returns the name of the kernel: "generic", "avx2" or "avx512".
func (k Kernel) String() string { return k.name }

func mixGeneric(out, prev, ref, _ *block) {
	x := *prev
	x.xor(ref)
	z := x
	z.permute()
	z.xor(&x)
	*out = z
}

func mixXORGeneric(out, prev, ref, _ *block) {
	x := *prev
	x.xor(ref)
	z := x
	z.permute()
	z.xor(&x)
	out.xor(&z)
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
