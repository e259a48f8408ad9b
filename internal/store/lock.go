package store

import (
	"fmt"
	"io"
	"os"
	"strings"

	"corridor"
)

// fileLock keeps a second process away. It is a file of its own: closing a
// descriptor of the database itself would drop the locks of SQLite. The
// operating system releases it when the process ends, however it ends.
type fileLock struct{ f *os.File }

func takeLock(path string) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, describe(path, err)
	}
	if err := lockFile(f); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(f, 32))
		f.Close()
		msg := "another process has this database open"
		if pid := strings.TrimSpace(string(holder)); pid != "" {
			msg += " (process " + pid + ")"
		}
		return nil, &corridor.Error{Kind: corridor.Conflict, Msg: msg, Where: strings.TrimSuffix(path, ".lock"),
			Fix: "stop it, or give this node a directory of its own", Err: err}
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	if err != nil {
		f.Close()
		return nil, describe(path, err)
	}
	return &fileLock{f}, nil
}

// Lock takes a lock on a file, which is made if it is missing, or says of kind
// Conflict that another process has it. It ends with release, or with the
// process.
func Lock(path string) (release func(), err error) {
	l, err := takeLock(path)
	if err != nil {
		return nil, err
	}
	return func() { _ = l.release() }, nil
}

func (l *fileLock) release() error {
	if l == nil || l.f == nil {
		return nil
	}
	err := l.f.Close()
	l.f = nil
	return err
}
