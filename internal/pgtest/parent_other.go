//go:build !linux

package pgtest

import "syscall"

// endWithParent does what only Linux can do, and so here nothing: a server may stay behind tests that were killed.
func endWithParent(*syscall.SysProcAttr) {}
