package counter

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"corridor"
)

// sortMemory is how many hashes are sorted at once; more are sorted in runs on
// disk.
const sortMemory = 1 << 20

// MaxPeople bounds the rows of one dataset that name people.
const MaxPeople = 200_000_000

// Sorter takes hashes in any order and gives each different one once, in
// ascending order, in flat memory. Runs lie in one temporary file that only
// the owner can read.
type Sorter struct {
	dir    string
	memory int
	buf    []uint64
	file   *os.File
	ends   []int64 // of the runs in file, in bytes
	added  int64
}

// NewSorter makes a Sorter that puts its temporary file into dir.
func NewSorter(dir string) *Sorter { return &Sorter{dir: dir, memory: sortMemory} }

// tempName is the pattern of temporary files.
const tempName = "people-*.tmp"

// Sweep removes temporary files that a crash left in dir.
func Sweep(dir string) {
	found, _ := filepath.Glob(filepath.Join(escape(dir), tempName))
	for _, path := range found {
		_ = os.Remove(path) // the next start tries again
	}
}

// Add takes a hash.
func (s *Sorter) Add(h uint64) error {
	if s.added++; s.added > MaxPeople {
		return &corridor.Error{Kind: corridor.Limited, Msg: fmt.Sprintf("more than %d rows name people", MaxPeople), Fix: "publish the file in parts"}
	}
	if len(s.buf) >= s.memory {
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.buf = append(s.buf, h)
	return nil
}

func (s *Sorter) order() {
	slices.Sort(s.buf)
	s.buf = slices.Compact(s.buf)
}

func (s *Sorter) spill() (err error) {
	s.order()
	if s.file == nil {
		if s.file, err = os.CreateTemp(s.dir, tempName); err != nil { // mode 0600
			return tempFailed(err)
		}
	}
	w := bufio.NewWriterSize(s.file, 256<<10)
	var b [8]byte
	for _, h := range s.buf {
		binary.BigEndian.PutUint64(b[:], h)
		if _, err := w.Write(b[:]); err != nil {
			return tempFailed(err)
		}
	}
	if err := w.Flush(); err != nil {
		return tempFailed(err)
	}
	end := int64(len(s.buf)) * 8
	if n := len(s.ends); n > 0 {
		end += s.ends[n-1]
	}
	s.ends, s.buf = append(s.ends, end), s.buf[:0]
	return nil
}

func tempFailed(err error) error {
	return &corridor.Error{Kind: corridor.Unavailable, Msg: "the people of the file cannot be sorted", Err: err, Fix: "make room on the disk of the database"}
}

// Each hands out every different hash, ascending. The Sorter is used up.
func (s *Sorter) Each(visit func(h uint64) error) error {
	s.order()
	if s.file == nil {
		for _, h := range s.buf {
			if err := visit(h); err != nil {
				return err
			}
		}
		return nil
	}
	runs := []*sortedRun{{rest: s.buf}}
	from := int64(0)
	for _, end := range s.ends {
		runs = append(runs, &sortedRun{r: bufio.NewReaderSize(io.NewSectionReader(s.file, from, end-from), 64<<10)})
		from = end
	}
	return merge(runs, visit)
}

// Close removes the temporary file.
func (s *Sorter) Close() {
	if s.file != nil {
		s.file.Close()
		_ = os.Remove(s.file.Name()) // Sweep finds it otherwise
		s.file = nil
	}
}

// sortedRun is one ascending run, in memory or on disk.
type sortedRun struct {
	rest []uint64
	r    *bufio.Reader
	head uint64
}

func (r *sortedRun) next() (more bool, err error) {
	if r.r == nil {
		if len(r.rest) == 0 {
			return false, nil
		}
		r.head, r.rest = r.rest[0], r.rest[1:]
		return true, nil
	}
	var b [8]byte
	if _, err := io.ReadFull(r.r, b[:]); err == io.EOF {
		return false, nil
	} else if err != nil {
		return false, tempFailed(err)
	}
	r.head = binary.BigEndian.Uint64(b[:])
	return true, nil
}

// merge walks several runs as one, through a heap of their heads.
func merge(runs []*sortedRun, visit func(uint64) error) error {
	var heap []*sortedRun
	down := func(i int) {
		for {
			k := 2*i + 1
			if k >= len(heap) {
				return
			}
			if k+1 < len(heap) && heap[k+1].head < heap[k].head {
				k++
			}
			if heap[i].head <= heap[k].head {
				return
			}
			heap[i], heap[k] = heap[k], heap[i]
			i = k
		}
	}
	for _, r := range runs {
		more, err := r.next()
		if err != nil {
			return err
		}
		if more {
			heap = append(heap, r)
		}
	}
	for i := len(heap)/2 - 1; i >= 0; i-- {
		down(i)
	}
	last, any := uint64(0), false
	for len(heap) > 0 {
		if h := heap[0].head; !any || h != last {
			last, any = h, true
			if err := visit(h); err != nil {
				return err
			}
		}
		more, err := heap[0].next()
		if err != nil {
			return err
		}
		if !more {
			heap[0] = heap[len(heap)-1]
			heap = heap[:len(heap)-1]
		}
		down(0)
	}
	return nil
}
