//go:build unix

package plane

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"syscall"

	"corridor"
)

// inode names the file and the last change of anything about it, contents or
// attributes, which no ordinary program can set back. The field has another
// name on some systems; there the state rests on the time of modification.
func inode(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	v := reflect.ValueOf(*st)
	for _, name := range []string{"Ctim", "Ctimespec"} {
		if f := v.FieldByName(name); f.IsValid() {
			return fmt.Sprintf("%d:%d:%v", st.Dev, st.Ino, f.Interface())
		}
	}
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// lockFile takes the file for this process, or refuses if another has it.
func lockFile(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return &corridor.Error{Kind: corridor.Conflict, Msg: "the file is being received already", Fix: "wait for the other fetch to end, or choose another name"}
	}
	if errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOLCK) || errors.Is(err, syscall.ENOSYS) {
		return nil // a file system without locks
	}
	return err
}

// full says whether err is about space.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// readOnly says whether err is about permission to write.
func readOnly(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission)
}
