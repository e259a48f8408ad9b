package plane

import "sync"

// Bounds of what is kept to take streams up. A mark is about 200 bytes.
const (
	maxMarked = 256 // transfers
	maxMarks  = 256 // places in one outcome
)

// marks remembers places between rows of the outcomes that were sent, so that
// a stream can be taken up without making all of it again. It may forget any
// of it at any time, and a restart forgets all.
type marks struct {
	mu  sync.Mutex
	of  map[string]*marked // by transfer
	use int64              // counts uses, to find what was not used for longest
}

type marked struct {
	etag   string
	places []point // ascending
	gap    int64   // least distance between two
	failed error   // this outcome cannot be made
	used   int64
}

// get gives the record of this outcome, or a new one in place of an older one.
// The caller holds the lock.
func (m *marks) get(transfer, etag string) *marked {
	if m.of == nil {
		m.of = map[string]*marked{}
	}
	k := m.of[transfer]
	if k == nil || k.etag != etag {
		if k == nil && len(m.of) >= maxMarked {
			m.evict()
		}
		k = &marked{etag: etag}
		m.of[transfer] = k
	}
	m.use++
	k.used = m.use
	return k
}

func (m *marks) evict() {
	oldest, used := "", m.use+1
	for t, k := range m.of {
		if k.used < used {
			oldest, used = t, k.used
		}
	}
	delete(m.of, oldest)
}

// add keeps a place. When there are too many, every second one goes, and new
// ones come half as often.
func (m *marks) add(transfer, etag string, p point) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.get(transfer, etag)
	if n := len(k.places); n > 0 && p.output < k.places[n-1].output+k.gap || p.output <= 0 {
		return
	}
	k.places = append(k.places, p)
	if len(k.places) <= maxMarks {
		return
	}
	half := k.places[:0]
	for i := 1; i < len(k.places); i += 2 {
		half = append(half, k.places[i])
	}
	clear(k.places[len(half):])
	k.places, k.gap = half, max(2*k.gap, 2*markEvery)
}

// before gives the last place that is not behind the offset.
func (m *marks) before(transfer, etag string, offset int64) point {
	m.mu.Lock()
	defer m.mu.Unlock()
	best := point{}
	for _, p := range m.get(transfer, etag).places {
		if p.output <= offset {
			best = p
		}
	}
	return best
}

func (m *marks) fail(transfer, etag string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.get(transfer, etag).failed = err
}

func (m *marks) failure(transfer, etag string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.get(transfer, etag).failed
}
