package identity

import (
	"context"
	"sync"
	"time"

	"corridor"
)

// MemoryReplay is a ReplayStore in memory, bounded. A node that may restart
// needs one that is on disk instead. When it is full of tokens that have not
// expired it refuses new ones: never forget one to admit another.
type MemoryReplay struct {
	mu   sync.Mutex
	max  int
	now  func() time.Time
	seen map[replayKey]time.Time
	next time.Time // when the earliest entry may expire: no sweep before
}

type replayKey struct{ issuer, jti string }

// NewMemoryReplay makes a store of at most max tokens. Now may be nil.
func NewMemoryReplay(max int, now func() time.Time) *MemoryReplay {
	if now == nil {
		now = time.Now
	}
	return &MemoryReplay{max: max, now: now, seen: map[replayKey]time.Time{}}
}

// Use implements ReplayStore.
func (m *MemoryReplay) Use(_ context.Context, issuer, jti string, exp time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, k := m.now(), replayKey{issuer, jti}
	if till, ok := m.seen[k]; ok && now.Before(till) {
		return false, nil
	}
	if len(m.seen) >= m.max {
		m.sweep(now)
	}
	if len(m.seen) >= m.max {
		return false, &corridor.Error{Kind: corridor.Limited, Msg: "too many tokens in use", Fix: "try again in a few minutes"}
	}
	if len(m.seen) == 0 || exp.Before(m.next) {
		m.next = exp
	}
	m.seen[k] = exp
	return true, nil
}

func (m *MemoryReplay) sweep(now time.Time) {
	if now.Before(m.next) {
		return
	}
	m.next = time.Time{}
	for k, till := range m.seen {
		if !now.Before(till) {
			delete(m.seen, k)
		} else if m.next.IsZero() || till.Before(m.next) {
			m.next = till
		}
	}
}
