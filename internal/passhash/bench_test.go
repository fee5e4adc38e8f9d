package passhash_test

import (
	"fmt"
	"testing"

	xargon2 "golang.org/x/crypto/argon2"

	"countersign/internal/passhash"
	"countersign/internal/passhash/argon2"
)

// BenchmarkHash compares the kernels with golang.org/x/crypto, for each on one
// processor.
func BenchmarkHash(b *testing.B) {
	password, salt := []byte("correct horse"), []byte("0123456789abcdef")
	for _, p := range []passhash.Params{
		{Memory: 19456, Time: 2, Threads: 1},
		{Memory: 47104, Time: 1, Threads: 1},
	} {
		cost := fmt.Sprintf("m=%d,t=%d", p.Memory, p.Time)
		for _, k := range argon2.Kernels() {
			b.Run(cost+"/"+k.String(), func(b *testing.B) {
				h, err := passhash.New(passhash.Config{Params: p, Kernel: k.String()})
				if err != nil {
					b.Fatal(err)
				}
				defer h.Close()
				b.ReportAllocs()
				for b.Loop() {
					if _, err := h.Hash(b.Context(), password); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(cost+"/x-crypto", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				xargon2.IDKey(password, salt, p.Time, p.Memory, p.Threads, 32)
			}
		})
	}
}
