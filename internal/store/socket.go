//go:build unix

package store

import "syscall"

// silentSocket reports whether nothing is to be read from a socket, not even its end. It does not wait for who reads from it already, as the
// driver does after a write that took long.
func silentSocket(c syscall.RawConn) bool {
	var none error
	err := c.Control(func(fd uintptr) {
		var b [1]byte
		_, _, none = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
	})
	return err == nil && (none == syscall.EAGAIN || none == syscall.EWOULDBLOCK)
}
