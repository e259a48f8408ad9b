package law

import (
	"math/bits"
	"slices"

	"corridor"
)

// The terminals of a diagram. A yes/no diagram uses no and yes; an outcome's
// terminal is its own number; impossible is a world that an axiom excludes.
const (
	no         int32 = 0
	yes        int32 = 1
	impossible int32 = 4
	terminals  int32 = 5
)

// Limits on one diagram. A pack that needs more is refused.
const (
	maxNodes = 50_000
	maxSteps = 500_000
)

// diagram is an ordered, reduced, hash-consed multi-valued decision diagram
// with many roots. Nodes only grow while it is built; once built it is read
// by any number of goroutines.
type diagram struct {
	arity []int // classes per level
	level []int32
	first []int32 // where a node's kids begin in arena
	arena []int32
	table []int32 // open addressing, power of two; -1 is free
	memo  map[[3]int32]int32
	steps int
	full  bool // a limit was hit; every result since is void
	stack []int32
}

// smallTable is the size with which a table of nodes begins.
const smallTable = 256

func newDiagram(arity []int) *diagram {
	d := &diagram{}
	d.begin(arity)
	return d
}

// begin empties a diagram for another use.
func (d *diagram) begin(arity []int) {
	*d = diagram{arity: arity, level: d.level[:0], first: d.first[:0], arena: d.arena[:0], table: d.table, stack: d.stack[:0]}
	for range terminals {
		d.level = append(d.level, int32(len(arity)))
		d.first = append(d.first, 0)
	}
	d.grow(smallTable)
}

// room gives space for the kids of a node at level until it is left.
func (d *diagram) room(level int32) []int32 {
	at, n := len(d.stack), d.arity[level]
	d.stack = slices.Grow(d.stack, n)[:at+n]
	return d.stack[at:]
}

func (d *diagram) leave(room []int32) { d.stack = d.stack[:len(d.stack)-len(room)] }

func (d *diagram) size() int { return len(d.level) - int(terminals) }

func (d *diagram) kids(n int32) []int32 {
	at := d.first[n]
	return d.arena[at : at+int32(d.arity[d.level[n]])]
}

func (d *diagram) grow(n int) {
	d.table = slices.Grow(d.table[:0], n)[:n]
	for i := range d.table {
		d.table[i] = -1
	}
	for i := terminals; i < int32(len(d.level)); i++ {
		d.insert(i, hashNode(d.level[i], d.kids(i)))
	}
}

func (d *diagram) insert(node int32, h uint64) {
	mask := uint64(len(d.table) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		if d.table[i] < 0 {
			d.table[i] = node
			return
		}
	}
}

func hashNode(level int32, kids []int32) uint64 {
	h := uint64(level)*0x9E3779B97F4A7C15 + 1
	for _, k := range kids {
		h = (h ^ uint64(uint32(k))) * 0xD6E8FEB86659FD93
		h ^= h >> 32
	}
	return h
}

// node gives the one node with these kids, or the kid itself if all agree.
func (d *diagram) node(level int32, kids []int32) int32 {
	same := true
	for _, k := range kids[1:] {
		same = same && k == kids[0]
	}
	if same {
		return kids[0]
	}
	h := hashNode(level, kids)
	mask := uint64(len(d.table) - 1)
	for i := h & mask; d.table[i] >= 0; i = (i + 1) & mask {
		if n := d.table[i]; d.level[n] == level && equal(d.kids(n), kids) {
			return n
		}
	}
	if d.size() >= maxNodes {
		d.full = true
		return no
	}
	n := int32(len(d.level))
	d.level = append(d.level, level)
	d.first = append(d.first, int32(len(d.arena)))
	d.arena = append(d.arena, kids...)
	if d.size()*2 > len(d.table) {
		d.grow(len(d.table) * 2)
	} else {
		d.insert(n, h)
	}
	return n
}

func equal(a, b []int32) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// literal is the yes/no diagram "the class at level is in mask".
func (d *diagram) literal(level int32, mask uint64) int32 {
	kids := d.room(level)
	defer d.leave(kids)
	for c := range kids {
		kids[c] = int32(mask >> c & 1)
	}
	return d.node(level, kids)
}

// ite is "if f then g else h"; f is a yes/no diagram.
func (d *diagram) ite(f, g, h int32) int32 {
	switch {
	case f == yes || g == h || d.full:
		return g
	case f == no:
		return h
	case g == yes && h == no:
		return f
	}
	key := [3]int32{f, g, h}
	if r, ok := d.memo[key]; ok {
		return r
	}
	if d.steps++; d.steps > maxSteps {
		d.full = true
		return no
	}
	top := min(d.level[f], d.level[g], d.level[h])
	kids := d.room(top)
	for c := range kids {
		kids[c] = d.ite(d.kid(f, top, c), d.kid(g, top, c), d.kid(h, top, c))
	}
	r := d.node(top, kids)
	d.leave(kids)
	if d.memo == nil {
		d.memo = map[[3]int32]int32{}
	}
	d.memo[key] = r
	return r
}

func (d *diagram) kid(n, level int32, class int) int32 {
	if d.level[n] != level {
		return n
	}
	return d.arena[d.first[n]+int32(class)]
}

func (d *diagram) and(f, g int32) int32 { return d.ite(f, g, no) }
func (d *diagram) or(f, g int32) int32  { return d.ite(f, yes, g) }
func (d *diagram) not(f int32) int32    { return d.ite(f, no, yes) }

// build turns a formula into a yes/no diagram. literal gives an atom's.
func (d *diagram) build(f *formula, done map[*formula]int32, literal func(atom int) int32) int32 {
	switch f.op {
	case opFalse:
		return no
	case opTrue:
		return yes
	case opAtom:
		return literal(f.atom)
	}
	if r, ok := done[f]; ok {
		return r
	}
	var r int32
	switch f.op {
	case opNot:
		r = d.not(d.build(f.kids[0], done, literal))
	case opAnd:
		r = yes
		for _, k := range f.kids {
			r = d.and(r, d.build(k, done, literal))
		}
	default:
		for _, k := range f.kids {
			r = d.or(r, d.build(k, done, literal))
		}
	}
	done[f] = r
	return r
}

// marks remembers visited nodes of one walk after another without clearing.
type marks struct {
	stamp uint32
	seen  []uint32
	found []ends // of ends: by node
	todo  []int32
}

func (m *marks) reset(n int) {
	if len(m.seen) < n {
		m.seen, m.found = make([]uint32, n+n/2), make([]ends, n+n/2)
		m.stamp = 0
	}
	if m.stamp++; m.stamp == 0 {
		clear(m.seen)
		m.stamp = 1
	}
}

// ends is a set of terminals, one bit each.
type ends uint8

func end(t int32) ends { return 1 << t }

// reach finds every terminal that the possible classes can reach.
func (d *diagram) reach(root int32, possible []uint64, m *marks) ends {
	if root < terminals {
		return end(root)
	}
	m.reset(len(d.level))
	var found ends
	var stack [256]int32
	todo := append(stack[:0], root)
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		first := d.first[n]
		for mask := possible[d.level[n]]; mask != 0; mask &= mask - 1 {
			k := d.arena[first+int32(bits.TrailingZeros64(mask))]
			if k < terminals {
				found |= end(k)
				continue
			}
			if m.seen[k] != m.stamp {
				m.seen[k] = m.stamp
				todo = append(todo, k)
			}
		}
	}
	return found
}

// ends is reach for many roots under the same possible classes: what was found
// under a node is remembered until m is reset, which the caller does first.
func (d *diagram) ends(n int32, possible []uint64, m *marks) ends {
	if n < terminals {
		return end(n)
	}
	if m.seen[n] == m.stamp {
		return m.found[n]
	}
	var found ends
	first := d.first[n]
	for mask := possible[d.level[n]]; mask != 0; mask &= mask - 1 {
		found |= d.ends(d.arena[first+int32(bits.TrailingZeros64(mask))], possible, m)
	}
	m.seen[n], m.found[n] = m.stamp, found
	return found
}

// count gives the nodes under root, and marks them in m.
func (d *diagram) count(root int32, m *marks) int {
	n := 0
	if root >= terminals {
		d.visit(root, m, func(int32) { n++ })
	}
	return n
}

// visit calls see for every node under root, which is none of the terminals.
func (d *diagram) visit(root int32, m *marks, see func(n int32)) {
	m.reset(len(d.level))
	m.seen[root] = m.stamp
	todo := append(m.todo[:0], root)
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		see(at)
		for _, k := range d.kids(at) {
			if k >= terminals && m.seen[k] != m.stamp {
				m.seen[k] = m.stamp
				todo = append(todo, k)
			}
		}
	}
	m.todo = todo
}

// real drops the impossible worlds.
func (e ends) real() ends { return e &^ end(impossible) }

// outcomes reads a set of outcome terminals: the one outcome, or undetermined
// with the best and the worst. No possible world at all is a deny.
func (e ends) outcomes() (outcome, best, worst corridor.Outcome) {
	e = e.real()
	if e == 0 {
		return corridor.Deny, corridor.Deny, corridor.Deny
	}
	worst = corridor.Outcome(bits.TrailingZeros8(uint8(e)))
	best = corridor.Outcome(bits.Len8(uint8(e)) - 1)
	if best == worst {
		return best, best, best
	}
	return corridor.Undetermined, best, worst
}
