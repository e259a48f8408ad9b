package plane

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"corridor"
)

// part is the file that a fetch fills: dest+".part" until it is whole, with
// the outcome's entity tag beside it in dest+".part.json". Nothing about it
// need be durable before the end: what is found on disk is hashed again.
//
// A fixed part is a final file that was there before. It is compared with
// what comes, and never written.
type part struct {
	dest  string
	file  *os.File
	sum   hash.Hash
	size  int64 // bytes that sum covers
	last  byte  // the last of them
	etag  string
	fixed bool
	was   string // digest of a fixed part
	limit int64
}

// partState is the content of dest+".part.json".
type partState struct {
	Version int    `json:"v"` // 1
	ETag    string `json:"etag"`
}

// Remains lists every file that a fetch to dest may leave.
func Remains(dest string) []string {
	p := part{dest: dest}
	return []string{dest, p.path(), p.state()}
}

func (p *part) path() string  { return p.dest + ".part" }
func (p *part) state() string { return p.dest + ".part.json" }

// openPart takes up what an earlier fetch left, or begins.
func openPart(dest string, limit int64) (*part, error) {
	p := &part{dest: dest, sum: sha256.New(), limit: limit}
	if old, err := os.Open(dest); err == nil {
		p.file, p.fixed = old, true
		return p, p.load()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, disk("open", err)
	}
	f, err := create(p.path())
	if err != nil {
		return nil, disk("create", err)
	}
	p.file = f
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, err
	}
	var st partState
	if raw, err := os.ReadFile(p.state()); err == nil && json.Unmarshal(raw, &st) == nil && st.Version == 1 {
		p.etag = st.ETag
	}
	if p.etag == "" {
		err = p.begin("")
	} else {
		err = p.load()
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return p, nil
}

// create opens a part, and makes its directory again: whoever removes the last
// file beside it takes an empty directory away, also in the moment before this.
// What the directory itself stands in must be there.
func create(path string) (f *os.File, err error) {
	for range 100 {
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		if made := os.Mkdir(filepath.Dir(path), 0o700); made != nil && !errors.Is(made, fs.ErrExist) {
			return nil, made
		}
	}
	return nil, err
}

// load hashes what the file holds.
func (p *part) load() error {
	info, err := p.file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err == nil && info.Size() > p.limit {
		if p.fixed {
			return p.differs()
		}
		return p.begin("")
	}
	if err == nil {
		p.size, err = io.CopyBuffer(struct{ io.Writer }{p.sum}, struct{ io.Reader }{p.file}, make([]byte, 2*chunkSize))
	}
	if err != nil {
		return disk("read", err)
	}
	if p.fixed {
		p.limit, p.was = p.size, p.digest()
	}
	return p.noteLast()
}

func (p *part) noteLast() error {
	if p.size == 0 {
		return nil
	}
	var b [1]byte
	if _, err := p.file.ReadAt(b[:], p.size-1); err != nil {
		return disk("read", err)
	}
	p.last = b[0]
	return nil
}

// begin drops what there is and notes the outcome that follows.
func (p *part) begin(etag string) error {
	p.sum.Reset()
	p.size, p.etag = 0, etag
	if p.fixed {
		return nil
	}
	if err := p.file.Truncate(0); err != nil {
		return disk("empty", err)
	}
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return disk("empty", err)
	}
	if etag == "" { // what has no name cannot be taken up
		if err := os.Remove(p.state()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return disk("empty", err)
		}
		return nil
	}
	raw, err := json.Marshal(partState{Version: 1, ETag: etag})
	if err != nil {
		return err
	}
	if err := os.WriteFile(p.state(), raw, 0o600); err != nil {
		return disk("write", err)
	}
	return nil
}

// write appends what came.
func (p *part) write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if int64(len(b)) > p.limit-p.size {
		if p.fixed {
			return p.differs()
		}
		return &corridor.Error{Kind: corridor.Limited, Msg: fmt.Sprintf("the outcome is larger than the limit of %d bytes", p.limit)}
	}
	if !p.fixed {
		// The file's own offset is always at size: a short write is an error
		// that ends the fetch, and the next one hashes what is there.
		if _, err := p.file.Write(b); err != nil {
			return disk("write", err)
		}
	}
	p.sum.Write(b)
	p.size += int64(len(b))
	p.last = b[len(b)-1]
	return nil
}

func (p *part) digest() string { return "sha256:" + hex.EncodeToString(p.sum.Sum(nil)) }

func (p *part) differs() error {
	return &corridor.Error{Kind: corridor.Conflict, Msg: "another file of this name is there already, and it is not what the provider sends", Fix: "move the file away, or fetch under another name"}
}

// complete gives the file its final name, durably. The name appears with the
// whole content or not at all, and takes no other file's place.
func (p *part) complete() error {
	if p.fixed && p.digest() != p.was {
		return p.differs()
	}
	if p.fixed {
		p.remove() // a crash between link and remove leaves a part behind
		return nil
	}
	if err := p.file.Sync(); err != nil {
		return disk("store", err)
	}
	err := os.Link(p.path(), p.dest)
	switch {
	case errors.Is(err, fs.ErrExist):
		return p.differs()
	case err != nil: // a file system without links
		if _, err := os.Lstat(p.dest); err == nil {
			return p.differs()
		}
		if err := os.Rename(p.path(), p.dest); err != nil {
			return disk("rename", err)
		}
	}
	if err := syncDir(filepath.Dir(p.dest)); err != nil {
		return disk("store", err)
	}
	p.remove()
	return nil
}

// remove drops the part and its state. What cannot be removed now is
// overwritten by the next fetch.
func (p *part) remove() {
	_ = os.Remove(p.state())
	_ = os.Remove(p.path())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// disk says what the operator can do about a failing file system.
func disk(act string, err error) error {
	e := &corridor.Error{Kind: corridor.Unavailable, Msg: "cannot " + act + " the received file", Err: err}
	switch {
	case full(err):
		e.Msg, e.Fix = "the disk is full", "free space and fetch again: what was received stays"
	case errors.Is(err, fs.ErrNotExist):
		e.Kind, e.Fix = corridor.NotFound, "create the directory"
	case readOnly(err):
		e.Kind, e.Msg, e.Fix = corridor.Forbidden, "the directory cannot be written", "let the node's user write there"
	}
	return e
}
