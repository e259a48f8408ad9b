package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"testing"

	"corridor/packs"
)

func TestWhatTheStartReadIsGivenBackAndStillReads(t *testing.T) {
	was := readPacks(t)
	before := residentFile(t)
	if err := dropStart(); err != nil {
		t.Fatal(err)
	}
	if after := residentFile(t); after >= before {
		t.Errorf("%d kB of files are resident, %d before", after, before)
	}
	if !bytes.Equal(readPacks(t), was) {
		t.Error("the packs read differently after their pages were given back")
	}
}

func readPacks(t *testing.T) []byte {
	t.Helper()
	var all bytes.Buffer
	err := fs.WalkDir(packs.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(packs.FS(), path)
		fmt.Fprintf(&all, "%s\n%s\n", path, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.Bytes()
}

// residentFile is how many kilobytes of mapped files this process holds.
func residentFile(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`RssFile:\s*(\d+) kB`).FindSubmatch(status)
	if m == nil {
		t.Fatal("the kernel does not say how much of files is resident")
	}
	kb, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kb
}
