package store

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// noticeSilence lets a connection fail when what was sent on it has not been
// acknowledged for a while: the server's machine, or the way to it, is gone.
func noticeSilence(network, _ string, c syscall.RawConn) error {
	if network == "unix" {
		return nil
	}
	const longest = 10 * time.Second
	var err error
	cerr := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(longest.Milliseconds()))
	})
	if cerr != nil {
		return cerr
	}
	return err
}
