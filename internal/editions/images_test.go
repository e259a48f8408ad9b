package editions

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestImagesAreKeptPrivateAndFew(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	d := Images(dir)
	if d.Get("a") != nil {
		t.Error("an image out of nowhere")
	}
	for i := range maxImages + 3 {
		d.Put(fmt.Sprint("k", i), []byte{byte(i)})
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != maxImages {
		t.Fatalf("%d images: %v", len(left), err)
	}
	key := fmt.Sprint("k", maxImages+2)
	if !bytes.Equal(d.Get(key), []byte{maxImages + 2}) {
		t.Error("the newest image is gone")
	}
	for _, path := range []string{d.path(key), dir} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
		if err := os.Chmod(path, info.Mode().Perm()|0o022); err != nil {
			t.Fatal(err)
		}
		if d.Get(key) != nil {
			t.Errorf("an image is taken from %s, which others can write", path)
		}
		if err := os.Chmod(path, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(d.path(key), d.path("other")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(d.path("other"), d.path(key)); err != nil {
		t.Fatal(err)
	}
	if d.Get(key) != nil {
		t.Error("an image is taken through a link")
	}
}

func TestTheCacheCanBeTurnedOff(t *testing.T) {
	t.Setenv("CORRIDOR_CACHE", "off")
	c := UserImages()
	c.Put("k", []byte("x"))
	if c.Get("k") != nil {
		t.Error("a cache that is off keeps images")
	}
	t.Setenv("CORRIDOR_CACHE", t.TempDir())
	if err := os.Chmod(os.Getenv("CORRIDOR_CACHE"), 0o700); err != nil {
		t.Fatal(err)
	}
	c = UserImages()
	c.Put("k", []byte("x"))
	if !bytes.Equal(c.Get("k"), []byte("x")) {
		t.Error("the named directory is not used")
	}
}
