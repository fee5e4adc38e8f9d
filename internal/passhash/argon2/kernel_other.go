//go:build !amd64 || purego

package argon2

func machineKernels() []Kernel { return nil }
