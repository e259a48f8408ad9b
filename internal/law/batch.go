package law

import (
	"slices"

	"corridor"
)

// Batch decides many flows, one after another. Flows that no rule of any pack
// can tell apart have one answer, which is worked out once and kept while
// there is room. What is kept is the caller's: the verdict, or what it makes
// of it. A Batch is for one goroutine; any number may share a Library.
type Batch[T any] struct {
	lib    *Library
	usual  corridor.Flow
	answer func(corridor.Verdict, error) T
	line   lineSketcher
	slots  []kept   // by hash, a power of two
	words  []uint64 // of all sketches: how many words each has, then the words
	kept   []T
	off    bool
}

// kept is where the answer to a sketch is.
type kept struct {
	hash   uint64
	words  uint32 // where its sketch begins
	answer uint32 // 1 + its place; 0 is free
}

// MaxBatchAnswers is how many answers a Batch keeps. When there are more it
// forgets them all and begins anew.
const MaxBatchAnswers = 1 << 15

// NewBatch prepares to decide many flows. What a line leaves out comes from
// usual. The verdict that answer gets has no flow and no near misses, since it
// is that of all flows that are alike; its slices are read-only.
func NewBatch[T any](l *Library, usual corridor.Flow, answer func(corridor.Verdict, error) T) *Batch[T] {
	book := l.sketches()
	return &Batch[T]{lib: l, usual: usual, answer: answer, line: lineSketcher{sketcher: book.sketcher()},
		slots: make([]kept, 64), off: len(l.vars) >= slotMechanism}
}

// Line answers for the flow of one line of JSON.
func (b *Batch[T]) Line(text string) T {
	if !b.off && b.line.line(text, &b.usual) {
		if at, ok := b.find(b.line.hash()); ok {
			return b.kept[at.answer-1]
		}
	}
	f, err := ParseFlow([]byte(text), b.usual)
	if err != nil {
		return b.answer(corridor.Verdict{}, err)
	}
	return b.Decide(f)
}

// Decide answers for a flow.
func (b *Batch[T]) Decide(f corridor.Flow) T {
	if b.off || !b.line.flow(&f) {
		return b.decide(f)
	}
	h := b.line.hash()
	at, ok := b.find(h)
	if !ok {
		return b.keep(h, b.decide(f))
	}
	return b.kept[at.answer-1]
}

// decide answers without memory.
func (b *Batch[T]) decide(f corridor.Flow) T {
	p, err := b.lib.Prepare(f)
	if err != nil {
		return b.answer(corridor.Verdict{}, err)
	}
	v := p.Decide()
	v.Flow = corridor.Flow{}
	return b.answer(v, nil)
}

// find looks for the answer to what was sketched last, or for room for it.
func (b *Batch[T]) find(hash uint64) (at *kept, ok bool) {
	mask := uint64(len(b.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		at = &b.slots[i]
		if at.answer == 0 {
			return at, false
		}
		if at.hash == hash && b.line.same(b.words[at.words:]) {
			return at, true
		}
	}
}

// same says whether the last sketch is the one that list begins with.
func (s *sketcher) same(list []uint64) bool {
	n := uint64(len(s.words))
	return list[0] == n && slices.Equal(list[1:n+1], s.words)
}

// keep keeps the answer to what was sketched last.
func (b *Batch[T]) keep(hash uint64, answer T) T {
	if len(b.kept) == MaxBatchAnswers {
		clear(b.slots)
		clear(b.kept)
		b.words, b.kept = b.words[:0], b.kept[:0]
	}
	if 2*len(b.kept) >= len(b.slots) {
		b.grow()
	}
	at, _ := b.find(hash)
	b.kept = append(b.kept, answer)
	*at = kept{hash, uint32(len(b.words)), uint32(len(b.kept))}
	b.words = append(append(b.words, uint64(len(b.line.words))), b.line.words...)
	return answer
}

func (b *Batch[T]) grow() {
	old := b.slots
	b.slots = make([]kept, 2*len(old))
	mask := uint64(len(b.slots) - 1)
	for _, k := range old {
		if k.answer == 0 {
			continue
		}
		i := k.hash & mask
		for b.slots[i].answer != 0 {
			i = (i + 1) & mask
		}
		b.slots[i] = k
	}
}
