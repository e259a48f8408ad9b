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
	kept   map[uint64]*keptAnswer[T]
	n      int
	off    bool
}

type keptAnswer[T any] struct {
	sketch []uint64
	answer T
	next   *keptAnswer[T] // of another sketch with the same hash
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
		kept: map[uint64]*keptAnswer[T]{}, off: len(l.vars) >= slotMechanism}
}

// Line answers for the flow of one line of JSON.
func (b *Batch[T]) Line(text string) T {
	if !b.off && b.line.line(text, &b.usual) {
		if a := b.find(); a != nil {
			return a.answer
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
	if a := b.find(); a != nil {
		return a.answer
	}
	return b.keep(b.decide(f))
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

// find looks for the answer to what was sketched last.
func (b *Batch[T]) find() *keptAnswer[T] {
	a := b.kept[b.line.hash()]
	for a != nil && !slices.Equal(a.sketch, b.line.words) {
		a = a.next
	}
	return a
}

// keep keeps the answer to what was sketched last.
func (b *Batch[T]) keep(answer T) T {
	if b.n++; b.n > MaxBatchAnswers {
		clear(b.kept)
		b.n = 1
	}
	h := b.line.hash()
	b.kept[h] = &keptAnswer[T]{slices.Clone(b.line.words), answer, b.kept[h]}
	return answer
}
