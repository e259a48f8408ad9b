package store

import (
	"os"
	"syscall"
	"unsafe"
)

// lockFile takes the first byte of the file exclusively, without waiting.
func lockFile(f *os.File) error {
	const failImmediately, exclusive = 1, 2
	var o syscall.Overlapped
	r, _, err := syscall.NewLazyDLL("kernel32.dll").NewProc("LockFileEx").Call(f.Fd(), failImmediately|exclusive, 0, 1, 0, uintptr(unsafe.Pointer(&o)))
	if r == 0 {
		return err
	}
	return nil
}
