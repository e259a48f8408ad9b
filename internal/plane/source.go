package plane

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"corridor"
)

// Files opens files whose digest was fixed when they were published. A file's
// digest is computed once for each state that the file is seen in (size, time
// of change, identity), so that the next stream begins at once; open a source
// before its transfer starts to have that behind you.
type Files struct {
	mu    sync.Mutex               // guards what follows
	known map[string]seen          // by path
	under map[string]chan struct{} // paths whose digest is being computed: closed when that is over
}

// seen is a state of a file, and the digest that it had then.
type seen struct {
	info   fs.FileInfo
	digest string
}

// maxKnown bounds the memory of Files; what is forgotten is computed again.
const maxKnown = 4096

// NewFiles makes an empty set of known files.
func NewFiles() *Files { return &Files{known: map[string]seen{}, under: map[string]chan struct{}{}} }

// Source names a file and the digest ("sha256:<hex>") that it must have;
// empty: any. A file with another digest is not opened.
func (f *Files) Source(path, digest string) Source {
	return fileSource{files: f, path: path, digest: digest}
}

type fileSource struct {
	files        *Files
	path, digest string
}

// Open implements Source. The messages of its errors do not tell the path,
// since a peer may see them.
func (s fileSource) Open(ctx context.Context) (Content, error) {
	file, err := os.Open(s.path)
	if err != nil {
		return nil, unreadable(err)
	}
	c, err := s.open(ctx, file)
	if err != nil {
		file.Close()
		return nil, err
	}
	return c, nil
}

func unreadable(err error) error {
	e := &corridor.Error{Kind: corridor.Unavailable, Msg: "the source cannot be read", Err: err}
	if errors.Is(err, fs.ErrNotExist) {
		e.Kind, e.Msg = corridor.Gone, "the source is no longer there"
	}
	return e
}

func (s fileSource) open(ctx context.Context, file *os.File) (Content, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, unreadable(err)
	}
	if !info.Mode().IsRegular() {
		return nil, corridor.E(corridor.Invalid, "the source is not a regular file")
	}
	c := &fileContent{file: file, info: info}
	if s.digest == "" {
		// A source whose content nobody fixed is named by its state.
		c.version = corridor.Digest(fmt.Appendf(nil, "%d %d %s", info.Size(), info.ModTime().UnixNano(), inode(info)))
		return c, nil
	}
	have, err := s.files.digest(ctx, s.path, c)
	if err != nil {
		return nil, err
	}
	if have != s.digest {
		return nil, changed()
	}
	c.version = have
	return c, nil
}

func changed() error {
	return &corridor.Error{Kind: corridor.Conflict, Msg: "the source is not what it was when it was published",
		Fix: "the provider must put the file back, or publish the dataset again and agree anew"}
}

// digest gives the digest of an opened file. Of many who want that of one file
// at a time, one computes it and the others wait; if the first one leaves, the
// next takes its place.
func (f *Files) digest(ctx context.Context, path string, c *fileContent) (string, error) {
	for {
		if have, ok := f.lookup(path, c.info); ok {
			return have, nil
		}
		if fresh(c.info) { // it will not be remembered: to wait for another helps nobody
			return c.digest(ctx)
		}
		others := f.begin(path)
		if others == nil {
			defer f.end(path)
			have, err := c.digest(ctx)
			if err == nil {
				f.remember(path, seen{c.info, have})
			}
			return have, err
		}
		select {
		case <-others:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

// begin says that the caller computes the digest of a path, or gives what to
// wait for while another does.
func (f *Files) begin(path string) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if others := f.under[path]; others != nil {
		return others
	}
	f.under[path] = make(chan struct{})
	return nil
}

func (f *Files) end(path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.under[path])
	delete(f.under, path)
}

// fresh says that a file changed within the clock's grain: it could change
// again unseen.
func fresh(info fs.FileInfo) bool { return time.Since(info.ModTime()) < 2*time.Second }

func (f *Files) lookup(path string, now fs.FileInfo) (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k, ok := f.known[path]
	return k.digest, ok && sameState(k.info, now)
}

func (f *Files) remember(path string, k seen) {
	if fresh(k.info) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.known) >= maxKnown {
		clear(f.known)
	}
	f.known[path] = k
}

func sameState(a, b fs.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b) && inode(a) == inode(b)
}

// digestOf hashes the whole content.
func digestOf(ctx context.Context, c Content) (string, error) {
	h := sha256.New()
	buf := make([]byte, 2*chunkSize)
	for at := int64(0); at < c.Size(); {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		n, err := readAt(c, buf, at)
		if err != nil {
			return "", err
		}
		h.Write(buf[:n])
		at += int64(n)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// fileContent is an opened file.
type fileContent struct {
	file    *os.File
	info    fs.FileInfo
	version string
}

func (c *fileContent) ReadAt(p []byte, off int64) (int, error) { return c.file.ReadAt(p, off) }
func (c *fileContent) Close() error                            { return c.file.Close() }
func (c *fileContent) Size() int64                             { return c.info.Size() }
func (c *fileContent) Version() string                         { return c.version }

// digest hashes the file and sees that it stayed as it was.
func (c *fileContent) digest(ctx context.Context) (string, error) {
	have, err := digestOf(ctx, c)
	if err == nil {
		err = c.Check()
	}
	return have, err
}

// Check implements Content.
func (c *fileContent) Check() error {
	now, err := c.file.Stat()
	if err != nil {
		return unreadable(err)
	}
	if !sameState(c.info, now) {
		return &corridor.Error{Kind: corridor.Conflict, Msg: "the source changed while it was read", Fix: "leave published files as they are; publish a new dataset for new data"}
	}
	return nil
}
