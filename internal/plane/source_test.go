package plane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"corridor"
)

func TestAFileIsOpenedOnlyWithItsDigest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.csv")
	old := time.Now().Add(-time.Hour)
	put := func(s string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	put("a,b\n1,2\n")
	f := NewFiles()
	src := f.Source(path, corridor.Digest([]byte("a,b\n1,2\n")))
	c, err := src.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Version() != corridor.Digest([]byte("a,b\n1,2\n")) || c.Size() != 8 || c.Check() != nil {
		t.Error("the content is not the file's")
	}
	if _, ok := f.known[path]; !ok {
		t.Error("the digest is not remembered")
	}
	put("a,b\n1,3\n") // same length, same time: only the system's own time of change differs
	if err := c.Check(); corridor.KindOf(err) != corridor.Conflict {
		t.Errorf("a change under the stream: %v", err)
	}
	if _, err := src.Open(t.Context()); corridor.KindOf(err) != corridor.Conflict {
		t.Errorf("a changed file: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := src.Open(t.Context()); corridor.KindOf(err) != corridor.Gone {
		t.Errorf("a file that is gone: %v", err)
	}
	if _, err := f.Source(t.TempDir(), "").Open(t.Context()); err == nil {
		t.Error("a directory was opened")
	}
}

func TestAFileWithoutADigestIsNamedByItsState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.csv")
	if err := os.WriteFile(path, []byte("a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	version := func() string {
		c, err := NewFiles().Source(path, "").Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.Version()
	}
	a, b := version(), version()
	if err := os.WriteFile(path, []byte("a\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := version(); a != b || a == c {
		t.Error("the version does not follow the file")
	}
}

func TestADigestStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := digestOf(ctx, synthetic(1<<30)); err == nil {
		t.Error("it went on")
	}
}

func TestDiskErrorsSayWhatToDo(t *testing.T) {
	for _, c := range []struct {
		err  error
		kind corridor.Kind
		says string
	}{
		{fmt.Errorf("write: %w", syscall.ENOSPC), corridor.Unavailable, "free space"},
		{&os.PathError{Op: "open", Err: syscall.EROFS}, corridor.Forbidden, "cannot be written"},
		{&os.PathError{Op: "open", Err: syscall.EACCES}, corridor.Forbidden, "cannot be written"},
		{os.ErrNotExist, corridor.NotFound, "create the directory"},
		{syscall.EIO, corridor.Unavailable, "cannot write"},
	} {
		err := disk("write", c.err)
		wantError(t, err, c.says)
		if corridor.KindOf(err) != c.kind {
			t.Errorf("%v: kind %v", c.err, corridor.KindOf(err))
		}
	}
}

func TestMarksAreFewAndForgotten(t *testing.T) {
	var m marks
	for i := range int64(5000) {
		m.add("t", "e", point{output: (i + 1) * markEvery})
	}
	k := m.of["t"]
	if len(k.places) > maxMarks || len(k.places) < maxMarks/4 {
		t.Errorf("%d marks", len(k.places))
	}
	for i := 1; i < len(k.places); i++ {
		if k.places[i].output <= k.places[i-1].output {
			t.Fatal("marks are not in order")
		}
	}
	if p := m.before("t", "e", 2500*markEvery); p.output > 2500*markEvery || p.output < 2400*markEvery {
		t.Errorf("the nearest before 2500 is %d", p.output/markEvery)
	}
	if p := m.before("t", "other", 2500*markEvery); p.output != 0 {
		t.Error("a mark of another outcome was given")
	}
	for i := range 2 * maxMarked {
		m.before(fmt.Sprint(i), "e", 0)
	}
	if len(m.of) > maxMarked {
		t.Errorf("%d transfers are remembered", len(m.of))
	}
}

func TestOfManyWhoOpenAFileOneHashesItAndTheOthersWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	open := func(ctx context.Context, f *Files, digest string) <-chan error {
		done := make(chan error, 1)
		go func() {
			c, err := f.Source(path, digest).Open(ctx)
			if err == nil {
				err = c.Close()
			}
			done <- err
		}()
		return done
	}
	right := "sha256:ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
	const told = "sha256:what the first one found"
	for _, c := range []struct {
		name, wants string
		ends        func(f *Files)
	}{
		{"what the first one finds counts for all", told, func(f *Files) { f.remember(path, seen{info, told}); f.end(path) }},
		{"if the first one leaves, the next takes its place", right, func(f *Files) { f.end(path) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := NewFiles()
			if f.begin(path) != nil {
				t.Fatal("nobody hashes it yet")
			}
			gone, leave := context.WithCancel(context.Background())
			left := open(gone, f, c.wants)
			var waiting []<-chan error
			for range 5 {
				waiting = append(waiting, open(context.Background(), f, c.wants))
			}
			leave()
			if err := <-left; !errors.Is(err, context.Canceled) {
				t.Errorf("one that leaves does not wait: %v", err)
			}
			c.ends(f)
			for _, w := range waiting {
				if err := <-w; err != nil {
					t.Error(err)
				}
			}
			if have, known := f.lookup(path, info); !known || have != c.wants || len(f.under) != 0 {
				t.Errorf("%s %v, %d under way", have, known, len(f.under))
			}
		})
	}
}
