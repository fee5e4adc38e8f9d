package argon2

import (
	"bytes"
	"encoding/hex"
	"math/bits"
	"slices"
	"testing"

	"golang.org/x/crypto/argon2"
	"pgregory.net/rapid"
)

// dirty returns memory with old content, as the pool of a server would.
func dirty(p Params) []uint64 {
	mem := make([]uint64, p.Words())
	for i := range mem {
		mem[i] = 0xdeadbeefdeadbeef * uint64(i+1)
	}
	return mem
}

// oracle is Key by golang.org/x/crypto.
func oracle(p Params, password, salt []byte, tagLen int) []byte {
	if p.Variant == I {
		return argon2.Key(password, salt, p.Time, p.Memory, uint8(p.Lanes), uint32(tagLen))
	}
	return argon2.IDKey(password, salt, p.Time, p.Memory, uint8(p.Lanes), uint32(tagLen))
}

func forEachKernel(t *testing.T, f func(*testing.T, Kernel)) {
	for _, k := range Kernels() {
		t.Run(k.String(), func(t *testing.T) { f(t, k) })
	}
}

// TestRFCVectors has the test vectors of RFC 9106, sections 5.2 and 5.3.
func TestRFCVectors(t *testing.T) {
	password := bytes.Repeat([]byte{1}, 32)
	salt := bytes.Repeat([]byte{2}, 16)
	secret := bytes.Repeat([]byte{3}, 8)
	data := bytes.Repeat([]byte{4}, 12)
	forEachKernel(t, func(t *testing.T, k Kernel) {
		for _, test := range []struct {
			variant Variant
			want    string
		}{
			{I, "c814d9d1dc7f37aa13f0d77f2494bda1c8de6b016dd388d29952a4c4672b6ce8"},
			{ID, "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"},
		} {
			p := Params{Variant: test.variant, Memory: 32, Time: 3, Lanes: 4}
			tag := make([]byte, 32)
			if err := k.Key(tag, dirty(p), p, password, salt, secret, data); err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(tag); got != test.want {
				t.Errorf("variant %d: got %s, want %s", test.variant, got, test.want)
			}
		}
	})
}

func TestKeyEqualsOracle(t *testing.T) {
	sets := []Params{
		{ID, 19456, 2, 1},
		{I, 4096, 3, 1},
		{ID, 8, 1, 1},        // the least: segments of two blocks
		{ID, 9, 1, 1},        // memory that is not a multiple of four
		{ID, 1023, 3, 1},     //
		{I, 4*128 + 3, 2, 1}, // segments of exactly one block of addresses
		{ID, 4 * 129, 2, 1},  // and of one more block
		{ID, 4 * 257, 1, 1},
		{ID, 7777, 5, 1},
		{ID, 64, 4, 2},
		{ID, 1000, 3, 3},
		{I, 777, 2, 4},
		{ID, 2048, 2, 16},
	}
	forEachKernel(t, func(t *testing.T, k Kernel) {
		for _, p := range sets {
			for _, tagLen := range []int{4, 16, 32, 64, 65, 128, 200} {
				if p.Memory > 5000 && tagLen != 32 {
					continue
				}
				password, salt := []byte("correct horse"), []byte("0123456789abcdef")
				tag := make([]byte, tagLen)
				if err := k.Key(tag, dirty(p), p, password, salt, nil, nil); err != nil {
					t.Fatal(err)
				}
				if got, want := tag, oracle(p, password, salt, tagLen); !bytes.Equal(got, want) {
					t.Errorf("%+v, %d bytes: got %x, want %x", p, tagLen, got, want)
				}
			}
		}
	})
}

func TestKeyEqualsOracleForAnyInput(t *testing.T) {
	forEachKernel(t, func(t *testing.T, k Kernel) {
		rapid.Check(t, func(t *rapid.T) {
			lanes := rapid.Uint32Range(1, 6).Draw(t, "lanes")
			p := Params{
				Variant: rapid.SampledFrom([]Variant{I, ID}).Draw(t, "variant"),
				Memory:  rapid.Uint32Range(8*lanes, 1500).Draw(t, "memory"),
				Time:    rapid.Uint32Range(1, 4).Draw(t, "time"),
				Lanes:   lanes,
			}
			password := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "password")
			salt := rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "salt")
			tag := make([]byte, rapid.IntRange(4, 130).Draw(t, "tag"))
			if err := k.Key(tag, dirty(p), p, password, salt, nil, nil); err != nil {
				t.Fatal(err)
			}
			if got, want := tag, oracle(p, password, salt, len(tag)); !bytes.Equal(got, want) {
				t.Errorf("%+v: got %x, want %x", p, got, want)
			}
		})
	})
}

// FuzzKey compares every kernel with the oracle.
func FuzzKey(f *testing.F) {
	f.Add([]byte("password"), []byte("somesalt"), uint8(2), uint16(64), uint8(2), uint8(1), uint8(32))
	f.Add([]byte(""), []byte(""), uint8(1), uint16(0), uint8(0), uint8(0), uint8(0))
	f.Add(bytes.Repeat([]byte{0xff}, 129), []byte("0123456789abcdef"), uint8(2), uint16(1021), uint8(3), uint8(4), uint8(96))
	f.Fuzz(func(t *testing.T, password, salt []byte, variant uint8, memory uint16, time, lanes, tagLen uint8) {
		p := Params{Variant: I, Time: 1 + uint32(time%4), Lanes: 1 + uint32(lanes%8)}
		if variant%2 == 0 {
			p.Variant = ID
		}
		p.Memory = 8*p.Lanes + uint32(memory%2048)
		want := oracle(p, password, salt, 4+int(tagLen))
		for _, k := range Kernels() {
			tag := make([]byte, len(want))
			if err := k.Key(tag, dirty(p), p, password, salt, nil, nil); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(tag, want) {
				t.Errorf("%s, %+v: got %x, want %x", k, p, tag, want)
			}
		}
	})
}

func TestKeyRefusesBadArguments(t *testing.T) {
	good := Params{Variant: ID, Memory: 64, Time: 1, Lanes: 1}
	mem := make([]uint64, good.Words())
	for name, change := range map[string]func(p *Params, tag, mem *int){
		"variant d":    func(p *Params, tag, mem *int) { p.Variant = 0 },
		"no pass":      func(p *Params, tag, mem *int) { p.Time = 0 },
		"no lane":      func(p *Params, tag, mem *int) { p.Lanes = 0 },
		"memory":       func(p *Params, tag, mem *int) { p.Memory = 7 },
		"many lanes":   func(p *Params, tag, mem *int) { p.Lanes = 1 << 24 },
		"short memory": func(p *Params, tag, mem *int) { *mem-- },
		"short tag":    func(p *Params, tag, mem *int) { *tag = 3 },
	} {
		p, tagLen, words := good, 32, len(mem)
		change(&p, &tagLen, &words)
		err := Kernels()[0].Key(make([]byte, tagLen), mem[:words], p, nil, nil, nil, nil)
		if err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// TestKernelsEqualGeneric compares what runs leave in the whole memory.
func TestKernelsEqualGeneric(t *testing.T) {
	const blocks = 24
	forEachKernel(t, func(t *testing.T, k Kernel) {
		rapid.Check(t, func(t *rapid.T) {
			seed := rapid.Uint64().Draw(t, "seed")
			mem := make([]uint64, blocks*blockWords)
			for i := range mem {
				seed = bits.RotateLeft64(seed*0x9e3779b97f4a7c15+1, 29)
				mem[i] = seed
			}
			r := run{out: rapid.IntRange(0, blocks-1).Draw(t, "out"), fold: rapid.Bool().Draw(t, "fold")}
			r.prev = rapid.IntRange(0, blocks-1).Draw(t, "prev")
			r.count = rapid.IntRange(1, blocks-r.out).Draw(t, "count")
			if rapid.Bool().Draw(t, "known") {
				r.refs = rapid.SliceOfN(rapid.Uint32Range(0, blocks-1), r.count+ahead, r.count+ahead).Draw(t, "refs")
			} else {
				r.lane = blocks
				r.start = rapid.IntRange(0, blocks-1).Draw(t, "start")
				r.size = rapid.IntRange(1, blocks-r.count+1).Draw(t, "size")
			}
			got, want := r, r
			got.mem, want.mem = slices.Clone(mem), slices.Clone(mem)
			k.run(&got)
			runGeneric(&want)
			for i := range blocks {
				if *at(got.mem, i) != *at(want.mem, i) {
					t.Fatalf("%+v: block %d differs", r, i)
				}
			}
		})
	})
}
