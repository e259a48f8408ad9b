package editions

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"corridor/internal/law"
)

// Images is a directory of images of rule packs, which spare the parsers
// when the same text is loaded again. It implements law.Cache. What is wrong
// with it only makes loading slower.
//
// An image decides what the law is, like the program itself: it is used only
// from a directory and a file that nobody else can read or write.
type Images string

// maxImages bounds the directory; the oldest go.
const maxImages = 8

// UserImages is the cache of the person who runs the program; CORRIDOR_CACHE
// names another directory, or "off".
func UserImages() law.Cache {
	switch dir := os.Getenv("CORRIDOR_CACHE"); dir {
	case "off":
		return Images("")
	case "":
	default:
		return Images(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return Images("")
	}
	return Images(filepath.Join(dir, "corridor"))
}

func (d Images) path(key string) string { return filepath.Join(string(d), "packs-"+key+".image") }

// Get reads an image.
func (d Images) Get(key string) []byte {
	if d == "" || !Private(string(d)) || !Private(d.path(key)) {
		return nil
	}
	data, err := os.ReadFile(d.path(key))
	if err != nil {
		return nil
	}
	_ = os.Chtimes(d.path(key), time.Time{}, time.Now()) // what is used stays
	return data
}

// Put writes an image whole or not at all.
func (d Images) Put(key string, image []byte) {
	if d == "" || os.MkdirAll(string(d), 0o700) != nil || !Private(string(d)) {
		return
	}
	f, err := os.CreateTemp(string(d), ".image-*.part") // 0600
	if err != nil {
		return
	}
	_, err = f.Write(image)
	if e := f.Close(); err != nil || e != nil || os.Rename(f.Name(), d.path(key)) != nil {
		os.Remove(f.Name())
		return
	}
	d.prune()
}

func (d Images) prune() {
	names, err := filepath.Glob(filepath.Join(string(d), "packs-*.image"))
	if err != nil || len(names) <= maxImages {
		return
	}
	used := map[string]time.Time{}
	for _, n := range names {
		if info, err := os.Stat(n); err == nil {
			used[n] = info.ModTime()
		}
	}
	slices.SortFunc(names, func(a, b string) int { return used[b].Compare(used[a]) })
	for _, n := range names[maxImages:] {
		os.Remove(n)
	}
}

// Private says that nobody else can read or change what stands there.
func Private(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSymlink != 0 {
		return false
	}
	return runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0
}
