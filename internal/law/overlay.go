package law

import (
	"bytes"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// overlay is a file system of packs in which some packs are others: nothing
// of what they cover shows through, neither cases nor kits.
type overlay struct {
	base  fs.FS
	packs map[string]map[string][]byte // files by pack
}

// Overlay lays packs over those of base. Each is the files of one pack, by
// name; it stands in for its namesake, or beside the others.
func Overlay(base fs.FS, packs map[string]map[string][]byte) fs.FS { return overlay{base, packs} }

// Open implements fs.FS.
func (o overlay) Open(name string) (fs.File, error) {
	dir, file, below := strings.Cut(name, "/")
	files, ours := o.packs[dir]
	if !ours {
		return o.base.Open(name)
	}
	if data, ok := files[file]; ok && below {
		return &memFile{bytes.NewReader(data), memInfo{file, int64(len(data)), false}}, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// ReadDir implements fs.ReadDirFS, of the root and what base has below it.
func (o overlay) ReadDir(name string) ([]fs.DirEntry, error) {
	if files, ours := o.packs[name]; ours {
		var out []fs.DirEntry
		for _, file := range keys(files) {
			out = append(out, fs.FileInfoToDirEntry(memInfo{file, int64(len(files[file])), false}))
		}
		return out, nil
	}
	list, err := fs.ReadDir(o.base, name)
	if err != nil || name != "." {
		return list, err
	}
	for _, dir := range keys(o.packs) {
		if !slices.ContainsFunc(list, func(d fs.DirEntry) bool { return d.Name() == dir }) {
			list = append(list, fs.FileInfoToDirEntry(memInfo{dir, 0, true}))
		}
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, nil
}

type memFile struct {
	*bytes.Reader
	info memInfo
}

// Stat implements fs.File.
func (f *memFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close implements fs.File.
func (f *memFile) Close() error { return nil }

type memInfo struct {
	name string
	size int64
	dir  bool
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) ModTime() time.Time { return time.Time{} }
func (i memInfo) IsDir() bool        { return i.dir }
func (i memInfo) Sys() any           { return nil }

// Mode implements fs.FileInfo.
func (i memInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o555
	}
	return 0o444
}
