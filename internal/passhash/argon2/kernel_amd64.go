//go:build !purego

package argon2

import "golang.org/x/sys/cpu"

//go:noescape
func runAVX2(r *run)

//go:noescape
func runAVX512(r *run)

func machineKernels() []Kernel {
	var k []Kernel
	if cpu.X86.HasAVX512F {
		k = append(k, Kernel{"avx512", runAVX512})
	}
	if cpu.X86.HasAVX2 {
		k = append(k, Kernel{"avx2", runAVX2})
	}
	return k
}
