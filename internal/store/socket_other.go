//go:build !unix

package store

import "syscall"

// silentSocket cannot tell whether nothing is to be read from a socket.
func silentSocket(syscall.RawConn) bool { return false }
