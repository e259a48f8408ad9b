package counter

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"corridor"
)

// Keys is the directory of the yearly keys: one file for each year, 32 random
// bytes in hexadecimal, mode 0600.
type Keys string

// Path is where the key of a year is.
func (d Keys) Path(year string) string { return filepath.Join(string(d), "people-"+year+".key") }

// Open reads the key of a year, and makes it on first use. A key that others
// may read is refused: with it, anybody who holds the database can try all
// numbers of a register.
func (d Keys) Open(year string) ([]byte, error) {
	path := d.Path(year)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return d.make(path)
	}
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "the key of the counts: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > 1024 {
		return nil, notAKey(path)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: fmt.Sprintf("mode %04o: others may read it", info.Mode().Perm()),
			Why: "with this key the counted people can be found by trying numbers", Fix: "run: chmod 600 " + path}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "the key of the counts: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil || len(key) != 32 {
		return nil, notAKey(path)
	}
	return key, nil
}

func notAKey(path string) error {
	return &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: "this is not a key of the counts",
		Fix: "restore it from a backup, or delete it: people of datasets published from then on are counted anew, beside those counted before"}
}

// make writes a new key so that a crash leaves the whole of it or nothing.
func (d Keys) make(path string) ([]byte, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key)                               // never fails
	f, err := os.CreateTemp(string(d), ".people-*.key") // mode 0600
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "the key of the counts cannot be made: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(hex.EncodeToString(key) + "\n")
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Link(f.Name(), path) // never over a key that is there
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil, &corridor.Error{Kind: corridor.Conflict, Where: path, Msg: "another process made this key just now", Fix: "try again"}
	case err != nil:
		return nil, corridor.E(corridor.Invalid, "the key of the counts cannot be made: %w", err)
	}
	return key, nil
}

// Forget deletes the keys of years before the given one, and says whether
// there were any.
func (d Keys) Forget(before string) (gone bool, err error) {
	found, err := filepath.Glob(filepath.Join(escape(string(d)), "people-[0-9][0-9][0-9][0-9].key"))
	if err != nil {
		return false, corridor.E(corridor.Internal, "keys of the counts: %w", err)
	}
	for _, path := range found {
		year := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "people-"), ".key")
		if year >= before {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return gone, corridor.E(corridor.Unavailable, "the key of a past year cannot be deleted: %w", err)
		}
		gone = true
	}
	return gone, nil
}

// escape keeps the characters of a directory from being read as a pattern.
func escape(dir string) string {
	if runtime.GOOS == "windows" {
		return dir
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// Hasher turns normal forms into hashes: the first 64 bits of HMAC-SHA-256
// over kind, space and value. It is for one goroutine.
type Hasher struct {
	kind   Kind
	mac    hash.Hash
	prefix []byte
	normal []byte
	sum    [sha256.Size]byte
}

// NewHasher makes a Hasher for one kind under a year's key.
func NewHasher(key []byte, k Kind) *Hasher {
	return &Hasher{kind: k, mac: hmac.New(sha256.New, key), prefix: append([]byte(k.String()), 0)}
}

// Hash gives the hash of the person that a value names; not ok if it names
// nobody.
func (h *Hasher) Hash(v []byte) (uint64, bool) {
	var ok bool
	if h.normal, ok = h.kind.Normal(append(h.normal[:0], h.prefix...), v); !ok {
		return 0, false
	}
	h.mac.Reset()
	h.mac.Write(h.normal)
	return binary.BigEndian.Uint64(h.mac.Sum(h.sum[:0])), true
}
