package main

import (
	"os"
	"syscall"
	"unsafe"
)

// control is ioctl(2) with one number.
func control(f *os.File, request uintptr, value uint32) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(unsafe.Pointer(&value))); errno != 0 {
		return errno
	}
	return nil
}
