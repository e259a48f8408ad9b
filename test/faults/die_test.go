package faults

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// die decides everything that chance decides in a run. Each decision is drawn
// from the seed and the name of what is decided, not from one sequence: which
// goroutine asks first changes nothing.
type die uint64

// about gives the numbers of one decision.
func (d die) about(what ...any) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintln(h, what...)
	return rand.New(rand.NewPCG(uint64(d), h.Sum64()))
}

// weighted is one of several things with how often it comes of 1000 times.
type weighted struct {
	kind  string
	often int
}

// pick draws one of several, or nothing.
func pick(r *rand.Rand, from []weighted) string {
	n := r.IntN(1000)
	for _, w := range from {
		if n -= w.often; n < 0 {
			return w.kind
		}
	}
	return ""
}

// within draws a duration.
func within(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}

// story is what happened in a run, and how often each kind of it.
type story struct {
	began time.Time

	mu     sync.Mutex
	lines  []string
	counts map[string]int
}

// note tells an event at its simulated moment.
func (s *story) note(format string, args ...any) {
	line := fmt.Sprintf("%14.6f  ", time.Since(s.began).Seconds()) + fmt.Sprintf(format, args...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, line)
}

// count counts an event that is counted.
func (s *story) count(kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[kind]++
}

// text is the whole story. What happened at the same moment has no order, and
// is put into that of its words.
func (s *story) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := slices.Clone(s.lines)
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
