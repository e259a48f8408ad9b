//go:build !unix

package plane

import (
	"errors"
	"io/fs"
	"os"
)

func inode(fs.FileInfo) string { return "" }

func lockFile(*os.File) error { return nil }

func full(error) bool { return false }

func readOnly(err error) bool { return errors.Is(err, fs.ErrPermission) }
