package passhash

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"countersign/internal/passhash/argon2"
)

// scryptWork is the cost of scrypt (RFC 7914, section 2). It is written out
// here because x/crypto's allocates its memory anew for each hash.
type scryptWork struct{ ln, r, p uint32 }

const maxScryptR = 32

var errScryptCost = errors.New("scrypt parameters out of bounds")

func (w scryptWork) shape() string { return fmt.Sprintf("scrypt,ln=%d,r=%d,p=%d", w.ln, w.r, w.p) }

func (w scryptWork) check() error {
	if w.ln < 1 || w.ln > 30 || w.r < 1 || w.r > maxScryptR || w.p < 1 || w.p > maxLanes {
		return errScryptCost
	}
	if w.ln >= 16*w.r { // RFC 7914, section 2
		return errScryptCost
	}
	bytes := uint64(128) * uint64(w.r) << w.ln
	if bytes > maxMemory || bytes*uint64(w.p) > maxMoved {
		return errScryptCost
	}
	return nil
}

func (w scryptWork) words() int { return int(16*w.r) << w.ln }

func (w scryptWork) admits([]byte) bool { return true }

func (w scryptWork) derive(_ argon2.Kernel, mem []uint64, tag, password, salt []byte) error {
	size := int(128 * w.r)
	b, err := pbkdf2.Key(sha256.New, string(password), salt, 1, size*int(w.p))
	if err != nil {
		return err
	}
	x, y := make([]uint32, size/4), make([]uint32, size/4)
	for block := range len(b) / size {
		romix(b[block*size:][:size], mem[:w.words()], x, y)
	}
	key, err := pbkdf2.Key(sha256.New, string(password), b, 1, len(tag))
	copy(tag, key)
	return err
}

func parseScrypt(fields []string) (hash, error) {
	if len(fields) != 3 {
		return hash{}, errFormat
	}
	w, err := parseScryptParams(fields[0])
	if err != nil {
		return hash{}, err
	}
	salt, tag, err := saltAndTag(fields[1], fields[2])
	return hash{w, salt, tag}, err
}

func parseScryptParams(s string) (scryptWork, error) {
	var w scryptWork
	err := params(s, []string{"ln", "r", "p"}, &w.ln, &w.r, &w.p)
	return w, err
}

// romix is scryptROMix of RFC 7914, section 5, on b, with V in mem, two words
// of 32 bits to one of 64. The lengths of x and y, for X and T, are that of b.
func romix(b []byte, mem []uint64, x, y []uint32) {
	for i := range x {
		x[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	width := len(x) / 2
	n := len(mem) / width
	for i := range n {
		v := mem[i*width:][:width]
		for k := range v {
			v[k] = uint64(x[2*k]) | uint64(x[2*k+1])<<32
		}
		blockMix(y, x)
		x, y = y, x
	}
	for range n {
		j := int(x[len(x)-16]) & (n - 1)
		v := mem[j*width:][:width]
		for k := range v {
			x[2*k] ^= uint32(v[k])
			x[2*k+1] ^= uint32(v[k] >> 32)
		}
		blockMix(y, x)
		x, y = y, x
	}
	for i := range x {
		binary.LittleEndian.PutUint32(b[4*i:], x[i])
	}
}

// blockMix is scryptBlockMix of RFC 7914, section 4.
func blockMix(out, in []uint32) {
	var t [16]uint32
	copy(t[:], in[len(in)-16:])
	for i := 0; i < len(in); i += 16 {
		for k := range t {
			t[k] ^= in[i+k]
		}
		salsa8(&t)
		// Even results first, then the odd ones.
		copy(out[i/32*16+i/16%2*len(in)/2:], t[:])
	}
}

// salsa8 is the Salsa20/8 core of RFC 7914, section 3, with its state in
// registers as far as they go.
func salsa8(b *[16]uint32) {
	x0, x1, x2, x3 := b[0], b[1], b[2], b[3]
	x4, x5, x6, x7 := b[4], b[5], b[6], b[7]
	x8, x9, x10, x11 := b[8], b[9], b[10], b[11]
	x12, x13, x14, x15 := b[12], b[13], b[14], b[15]
	for range 4 { // columns, then rows, each from the diagonal on
		x0, x4, x8, x12 = salsaQuarter(x0, x4, x8, x12)
		x5, x9, x13, x1 = salsaQuarter(x5, x9, x13, x1)
		x10, x14, x2, x6 = salsaQuarter(x10, x14, x2, x6)
		x15, x3, x7, x11 = salsaQuarter(x15, x3, x7, x11)

		x0, x1, x2, x3 = salsaQuarter(x0, x1, x2, x3)
		x5, x6, x7, x4 = salsaQuarter(x5, x6, x7, x4)
		x10, x11, x8, x9 = salsaQuarter(x10, x11, x8, x9)
		x15, x12, x13, x14 = salsaQuarter(x15, x12, x13, x14)
	}
	for i, x := range [16]uint32{x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15} {
		b[i] += x
	}
}

func salsaQuarter(a, b, c, d uint32) (uint32, uint32, uint32, uint32) {
	b ^= bits.RotateLeft32(a+d, 7)
	c ^= bits.RotateLeft32(b+a, 9)
	d ^= bits.RotateLeft32(c+b, 13)
	a ^= bits.RotateLeft32(d+c, 18)
	return a, b, c, d
}
