//go:build !linux

package main

import "time"

// memory is what only Linux tells.
type memory struct{ total, own, peak int64 }

func cpu(...int) (time.Duration, error)  { return 0, errUnmeasured }
func fineCPU(int) (time.Duration, error) { return 0, errUnmeasured }
func family(int) ([]int, error)          { return nil, errUnmeasured }
func memoryOf(int) (memory, error)       { return memory{}, errUnmeasured }
func forgetPeak(int) error               { return errUnmeasured }
