//go:build !linux

package main

import "runtime/debug"

// giveBack gives back the memory that the start took and serving does not need.
func giveBack() error {
	debug.FreeOSMemory()
	return nil
}
