package law

import "math/bits"

// bitset256 holds small numbers: members of an enum, countries.
type bitset256 [4]uint64

func (b *bitset256) add(i int)      { b[i>>6] |= 1 << (i & 63) }
func (b *bitset256) remove(i int)   { b[i>>6] &^= 1 << (i & 63) }
func (b *bitset256) has(i int) bool { return b[i>>6]>>(i&63)&1 != 0 }

func (b *bitset256) count() int {
	return bits.OnesCount64(b[0]) + bits.OnesCount64(b[1]) + bits.OnesCount64(b[2]) + bits.OnesCount64(b[3])
}

// values is what is possible for one variable. For a finite variable set
// holds the numbers that are possible; for a ranged one lo..hi, empty when
// lo > hi. none says that "explicitly absent" is possible too.
type values struct {
	set    bitset256
	lo, hi int64
	none   bool
	weak   bool // a member left out of an exact list: an axiom may add it
}

func (v *variable) anything() values {
	x := values{lo: 1, none: v.optional}
	if v.kind == ranged {
		x.lo, x.hi = v.min, v.max
		return x
	}
	for i := range v.values {
		x.set.add(i)
	}
	return x
}

// either is what is possible when one of two things holds.
func either(a, b values) values {
	for w := range a.set {
		a.set[w] |= b.set[w]
	}
	switch {
	case a.lo > a.hi:
		a.lo, a.hi = b.lo, b.hi
	case b.lo <= b.hi:
		a.lo, a.hi = min(a.lo, b.lo), max(a.hi, b.hi)
	}
	a.none, a.weak = a.none || b.none, a.weak && b.weak
	return a
}

func just(i int) values {
	x := values{lo: 1}
	x.set.add(i)
	return x
}

func truth(b bool) values {
	if b {
		return just(1)
	}
	return just(0)
}

func between(lo, hi int64) values { return values{lo: lo, hi: hi} }
func absent() values              { return values{lo: 1, none: true} }

// mayEqual says whether x may be the number i, and whether it may be
// something else.
func (x values) mayEqual(i int) (yes, no bool) {
	yes = x.set.has(i)
	x.set.remove(i)
	return yes, x.set.count() > 0 || x.none
}

// test is what an atom asks of one variable's value.
type test struct {
	set    bitset256 // finite: the numbers for which it is true
	lo, hi int64     // ranged: the span for which it is true, empty when lo > hi
	none   bool      // true for "explicitly absent"
	list   int       // 1 + index of a dated list; the set is filled per epoch
}

// certain says whether t is surely true and whether it is surely false for
// what is possible in x.
func (t *test) certain(x *values) (yes, no bool) {
	in, out := t.none && x.none, !t.none && x.none
	for w := range x.set {
		in = in || x.set[w]&t.set[w] != 0
		out = out || x.set[w]&^t.set[w] != 0
	}
	if x.lo <= x.hi {
		in = in || x.lo <= t.hi && t.lo <= x.hi && t.lo <= t.hi
		out = out || x.lo < t.lo || x.hi > t.hi || t.lo > t.hi
	}
	return in && !out, out && !in
}
