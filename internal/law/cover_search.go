package law

import (
	"cmp"
	"math"
	"slices"
)

// fromDiagram finds the most usual spots that reach a goal: one for a goal
// that one case reaches, two for a test. It gives a few attempts, the best
// first.
func (p *proposer) fromDiagram(g *goal) [][]*spot {
	var list []found
	for _, at := range p.grounds(g.rule, g.side) {
		list = append(list, p.prover(at.g).search(g, at.i, p.usualClasses(at.g, g.side))...)
		if len(list) >= 4 {
			break
		}
	}
	slices.SortStableFunc(list, func(a, b found) int {
		if a.shows != b.shows {
			return map[bool]int{true: -1, false: 1}[a.shows]
		}
		return cmp.Compare(a.cost, b.cost)
	})
	var out [][]*spot
	for _, f := range list[:min(len(list), 4)] {
		if spots := p.realiseFound(g, f); spots != nil {
			out = append(out, spots)
		}
	}
	return out
}

// found is a world, and for a test the two classes that turn it over.
type found struct {
	g     *program
	class []uint8
	pair  classPair
	shows bool
	cost  int
}

// search looks for the most usual worlds in one program.
func (p *prover) search(g *goal, i int, usual []uint8) []found {
	var out []found
	take := func(n int32, x classPair, shows bool) {
		if class, cost := p.cheapest(n, usual, x.level); class != nil {
			out = append(out, found{p.b.program, class, x, shows, cost})
		}
	}
	if g.what != goalTest {
		take(p.b.d.and(p.able, p.single(g, i)), classPair{level: -1}, true)
		return out
	}
	for _, x := range p.pairs(g.atom) {
		if g.edge && !x.edge {
			continue
		}
		n := p.worlds(g, i, x, p.able)
		if n == no {
			continue
		}
		if seen := p.b.d.and(n, p.differs(x)); seen != no {
			take(seen, x, true)
			continue
		}
		take(n, x, false)
	}
	return out
}

// differs is where a pair of classes changes the side's outcome.
func (p *prover) differs(x classPair) int32 {
	d := p.b.d
	by := p.b.by()
	some := no
	for _, n := range by {
		some = d.or(some, n)
	}
	by[p.b.silent] = d.or(by[p.b.silent], d.not(some))
	out, stricter := no, no
	for _, n := range by {
		here := d.and(n, d.not(stricter))
		out = d.or(out, d.xor(d.at(here, x.level, x.a), d.at(here, x.level, x.b)))
		stricter = d.or(stricter, n)
	}
	return out
}

// cheapest is the path to yes that leaves the fewest and most usual classes.
func (p *prover) cheapest(root int32, usual []uint8, skip int32) ([]uint8, int) {
	if root == no || p.b.d.full {
		return nil, 0
	}
	d := p.b.d
	type step struct {
		cost  int
		class int
	}
	done := map[int32]step{yes: {}, no: {cost: math.MaxInt32}}
	var walk func(n int32) int
	walk = func(n int32) int {
		if s, ok := done[n]; ok {
			return s.cost
		}
		best := step{cost: math.MaxInt32}
		l := d.level[n]
		for c, k := range d.kids(n) {
			cost := walk(k)
			if cost == math.MaxInt32 {
				continue
			}
			if c != int(usual[l]) {
				cost += 100 - int(min(50, 4*p.b.weight(int(l), c)))
			}
			if cost < best.cost {
				best = step{cost, c}
			}
		}
		done[n] = best
		return best.cost
	}
	cost := walk(root)
	class := slices.Clone(usual)
	for n := root; n >= terminals; {
		c := done[n].class
		class[d.level[n]] = uint8(c)
		n = d.kids(n)[c]
	}
	return class, cost
}

// realiseFound makes cases of a world.
func (p *proposer) realiseFound(g *goal, f found) []*spot {
	side := sideAt(f.g.side)
	if f.pair.level < 0 {
		at := &spot{g: f.g, side: side, class: f.class}
		if !p.adapt(at) {
			return nil
		}
		if one := p.realise(wish{g: f.g, side: side, class: at.class}); one != nil {
			return []*spot{one}
		}
		return nil
	}
	v := p.pack.table.atoms[g.atom].v
	var out []*spot
	for i, c := range []int{f.pair.a, f.pair.b} {
		at := &spot{g: f.g, side: side, class: slices.Clone(f.class)}
		at.class[f.pair.level] = uint8(c)
		if !p.adapt(at) {
			return nil
		}
		w := wish{g: f.g, side: side, class: at.class}
		if f.pair.edge {
			w.set = map[int]int64{v: f.pair.line - 1 + int64(i)}
		}
		if i > 0 {
			w.near = out[0]
		}
		one := p.realise(w)
		if one == nil {
			return nil
		}
		out = append(out, one)
	}
	return out
}
