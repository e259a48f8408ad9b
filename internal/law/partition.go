package law

import (
	"math/bits"
	"slices"

	"corridor"
)

// partition splits the values of each variable into the classes that a set of
// atoms can tell apart. Two values in one class are the same to the law.
type partition struct {
	levels []level
	of     map[int]int // library variable to level
	where  []int16     // the same by variable, -1 without a level
	atoms  []atom
	truth  []uint64 // per atom: the classes for which it holds
	at     []int    // per atom: its level
}

// level is one variable of a partition.
type level struct {
	v     int
	n     int       // classes
	whole bitset256 // finite: all values
	all   uint64    // finite: the classes of all values
	cells []uint8   // class per value (finite) or per span (ranged)
	cuts  []int64   // ranged: where each span begins
	none  uint8     // class of "explicitly absent"
	law   bool      // a rule tests it; otherwise only an axiom does
}

const maxClasses = 64

// split computes the classes of every variable that an atom tests, in the
// given order of variables.
func split(vars []*variable, atoms []atom, order []int) (*partition, error) {
	p := &partition{of: map[int]int{}, atoms: atoms, truth: make([]uint64, len(atoms)), at: make([]int, len(atoms))}
	p.where = make([]int16, len(vars))
	for i := range p.where {
		p.where[i] = -1
	}
	byVar := map[int][]int{}
	for i, a := range atoms {
		byVar[a.v] = append(byVar[a.v], i)
	}
	for i, v := range order {
		p.of[v] = i
		l := level{v: v}
		if err := p.classes(&l, vars[v], byVar[v]); err != nil {
			return nil, err
		}
		for _, a := range byVar[v] {
			p.at[a] = i
		}
		p.levels = append(p.levels, l)
		p.where[v] = int16(i)
	}
	return p, nil
}

// classes groups the cells of one variable (values, or spans between the
// constants of the law) by the atoms that hold in them.
func (p *partition) classes(l *level, v *variable, mine []int) error {
	seen := map[string]uint8{}
	sign := make([]byte, len(mine))
	class := func(x values) (uint8, bool) {
		for j, a := range mine {
			in, _ := p.atoms[a].certain(&x)
			sign[j] = '0'
			if in {
				sign[j] = '1'
			}
		}
		c, ok := seen[string(sign)]
		if !ok {
			if len(seen) == maxClasses {
				return 0, false
			}
			c = uint8(len(seen))
			seen[string(sign)] = c
			for j, a := range mine {
				if sign[j] == '1' {
					p.truth[a] |= 1 << c
				}
			}
		}
		return c, true
	}
	cells := v.cells(p.atoms, mine, l)
	for _, x := range cells {
		c, ok := class(x)
		if !ok {
			e := corridor.E(corridor.Limited, "the rules draw more than %d lines through %s", maxClasses, v.name)
			e.Fix = "split the pack"
			return e
		}
		l.cells = append(l.cells, c)
	}
	if v.optional {
		c, ok := class(absent())
		if !ok {
			return corridor.E(corridor.Limited, "the rules draw more than %d lines through %s", maxClasses, v.name)
		}
		l.none = c
	}
	l.n = len(seen)
	if l.cuts == nil {
		for i, c := range l.cells {
			l.whole.add(i)
			l.all |= 1 << c
		}
	}
	return nil
}

// cells lists the elementary values of a variable.
func (v *variable) cells(atoms []atom, mine []int, l *level) []values {
	var out []values
	if v.kind == finite {
		for i := range v.values {
			out = append(out, just(i))
		}
		return out
	}
	l.cuts = []int64{v.min}
	for _, a := range mine {
		t := &atoms[a].test
		if t.lo > v.min && t.lo <= v.max {
			l.cuts = append(l.cuts, t.lo)
		}
		if t.hi < v.max && t.hi >= v.min {
			l.cuts = append(l.cuts, t.hi+1)
		}
	}
	slices.Sort(l.cuts)
	l.cuts = slices.Compact(l.cuts)
	for i := range l.cuts {
		lo, hi := l.span(i, v)
		out = append(out, between(lo, hi))
	}
	return out
}

// span gives the ends of the i-th span.
func (l *level) span(i int, v *variable) (lo, hi int64) {
	if i+1 < len(l.cuts) {
		return l.cuts[i], l.cuts[i+1] - 1
	}
	return l.cuts[i], v.max
}

// mask gives the classes that are possible for x.
func (l *level) mask(x *values) uint64 {
	var m uint64
	if x.none {
		m |= 1 << l.none
	}
	if l.cuts == nil {
		if x.set == l.whole {
			return m | l.all
		}
		for w, set := range x.set {
			for ; set != 0; set &= set - 1 {
				m |= 1 << l.cells[w<<6+bits.TrailingZeros64(set)]
			}
		}
		return m
	}
	if x.lo > x.hi {
		return m
	}
	from := len(l.cuts) - 1
	for from > 0 && l.cuts[from] > x.lo {
		from--
	}
	for i := from; i < len(l.cuts) && l.cuts[i] <= x.hi; i++ {
		m |= 1 << l.cells[i]
	}
	return m
}

// masks projects what is possible onto the classes of every level.
func (p *partition) masks(vals []values) []uint64 {
	return p.project(make([]uint64, 0, len(p.levels)), vals)
}

func (p *partition) project(out []uint64, vals []values) []uint64 {
	for i := range p.levels {
		out = append(out, p.levels[i].mask(&vals[p.levels[i].v]))
	}
	return out
}

func (p *partition) arity() []int {
	out := make([]int, len(p.levels))
	for i := range p.levels {
		out[i] = p.levels[i].n
	}
	return out
}
