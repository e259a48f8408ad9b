package law

import (
	"math/bits"

	"corridor"
)

// spot is one case as a point of one program: a class for every fact.
type spot struct {
	id     string
	g      *program
	side   int
	flow   corridor.Flow
	class  []uint8
	vals   []values // what is known, per variable
	answer corridor.Outcome
	open   bool // facts are missing that could change the answer
	duties map[string]bool
	evaluation
}

// place finds where a case stands. Where a case leaves a fact open, and
// passes, its answer holds for every value of the fact, so also for the usual
// one, and there it is put.
func (s *survey) place(c Case) *spot {
	f := c.Flow
	if c.Assume != "" && c.Assume != "none" {
		f.Assume = c.Assume
	}
	side, here := sideAt(c.Side), whose(f, c.Side)
	in, err := s.lib.read(f, s.pack)
	if err != nil {
		return nil
	}
	p := prepared{details: &details{}}
	if err := in.side(&p, here, c.Side, in.standstills()); err != nil || p.g == nil || p.g.pack != s.pack {
		return nil
	}
	var d corridor.Decision
	p.decide(&d)
	p.project(s.whole(p.g), in.vals)
	at := &spot{id: c.ID, g: p.g, side: side, flow: f, class: p.class, vals: in.vals, answer: d.Outcome, open: d.Open(), duties: map[string]bool{}}
	for _, o := range d.Duties {
		at.duties[o.ID] = at.duties[o.ID] || o.Certain
	}
	if !p.known && !s.complete(p.g, side, at.class, p.masks) {
		return nil
	}
	at.g.run(at.class, &at.evaluation)
	return at
}

// complete chooses a class where several are possible: the usual ones, or the
// first combination that no axiom excludes.
func (s *survey) complete(g *program, side int, class []uint8, masks []uint64) bool {
	usual := s.usualClasses(g, side)
	var open []int
	for l, m := range masks {
		if m == 0 {
			return false
		}
		class[l] = uint8(bits.TrailingZeros64(m))
		if m&(m-1) != 0 {
			if open = append(open, l); m>>usual[l]&1 != 0 {
				class[l] = usual[l]
			}
		}
	}
	tries := 1 << 14
	return g.settle(class, masks, open, &tries)
}

// settle changes the open levels, the last first, until no axiom is broken.
func (g *program) settle(class []uint8, masks []uint64, open []int, tries *int) bool {
	if *tries--; *tries < 0 {
		return false
	}
	if len(open) == 0 {
		return g.possible(class)
	}
	l := open[0]
	first := class[l]
	if g.settle(class, masks, open[1:], tries) {
		return true
	}
	for m := masks[l] &^ (1 << first); m != 0; m &= m - 1 {
		class[l] = uint8(bits.TrailingZeros64(m))
		if g.settle(class, masks, open[1:], tries) {
			return true
		}
	}
	class[l] = first
	return false
}

// possible says whether no connected axiom excludes the world.
func (g *program) possible(class []uint8) bool {
	base := len(g.pack.table.atoms)
	holds := func(i int) (bool, bool) {
		yes := g.part.truth[base+i]>>class[g.part.at[base+i]]&1 != 0
		return yes, !yes
	}
	for _, a := range g.axioms {
		if broken, _ := g.lib.axioms.list[a].never.kleene(holds); broken {
			return false
		}
	}
	return true
}

// add takes a spot in and notes what it covers, alone and with the others.
func (s *survey) add(at *spot) {
	s.alone(at, func(g *goal, _ *spot, _ bool) { g.covered, g.pair[0] = true, at.id })
	s.together(at, func(g *goal, other *spot, edge bool) {
		if g.loose = true; edge || g.judged && !g.edge {
			g.covered, g.pair = true, [2]string{other.id, at.id}
		}
	})
	s.spots[at.g] = append(s.spots[at.g], at)
	s.all = append(s.all, at)
}

// alone calls visit for the open goals that one spot reaches.
func (s *survey) alone(at *spot, visit func(g *goal, other *spot, edge bool)) {
	call := func(k goalKey) {
		if g := s.index[k]; g != nil && !g.covered {
			visit(g, nil, true)
		}
	}
	for i := range at.g.rules {
		r := &at.g.rules[i]
		if !at.applied(i) {
			call(goalKey{r.rule, at.side, goalRests, -1, -1})
			continue
		}
		call(goalKey{r.rule, at.side, goalApplies, -1, -1})
		if len(r.results) > 0 {
			call(goalKey{r.rule, at.side, goalResult, at.g.pick(r, &at.evaluation), -1})
		}
	}
}

func (e *evaluation) applied(i int) bool { return e.applies[i>>6]>>(i&63)&1 != 0 }
func (e *evaluation) wanted(i int) bool  { return e.when[i>>6]>>(i&63)&1 != 0 }
func (e *evaluation) atom(i int) bool    { return e.bits[i>>6]>>(i&63)&1 != 0 }

// together calls visit for the open goals that a spot reaches with another
// one. edge says whether the pair stands on both sides of the very line.
func (s *survey) together(at *spot, visit func(g *goal, other *spot, edge bool)) {
	uses := s.uses(at.g)
	for _, other := range s.spots[at.g] {
		l := at.apart(other)
		if l < 0 {
			continue
		}
		for _, u := range uses[l] {
			g := s.index[goalKey{at.g.rules[u.rule].rule, at.side, goalTest, u.part, u.atom}]
			if !g.covered && at.turns(other, u) {
				visit(g, other, s.onEdge(u.atom, at, other))
			}
		}
	}
}

// apart gives the one level that the law looks at in which two spots differ,
// or -1.
func (at *spot) apart(other *spot) int {
	found := -1
	for l := range at.class {
		if at.class[l] == other.class[l] || !at.g.part.levels[l].law {
			continue
		}
		if found >= 0 {
			return -1
		}
		found = l
	}
	return found
}

// uses lists the tests of a program by level.
func (s *survey) uses(g *program) [][]use {
	if out := s.tests[g]; out != nil {
		return out
	}
	out := make([][]use, len(g.part.levels))
	for i := range g.rules {
		for part, f := range g.rules[i].formulas() {
			f.atoms(map[*formula]bool{}, func(a int) { out[g.part.at[a]] = append(out[g.part.at[a]], use{i, part - 1, a}) })
		}
	}
	s.tests[g] = out
	return out
}

// turns says whether a test decides between two spots that differ in its fact
// alone: it holds in one of them, turning it over by itself would turn its
// condition over in both, and the rule applies in one only. Of a result's
// test: the rule applies in both, and yields that result in one and a later
// one in the other.
func (at *spot) turns(other *spot, u use) bool {
	if at.atom(u.atom) == other.atom(u.atom) {
		return false
	}
	r := &at.g.rules[u.rule]
	if u.part < 0 {
		return at.applied(u.rule) != other.applied(u.rule) && at.wanted(u.rule) != other.wanted(u.rule) &&
			at.rests(r.when, u.atom) && other.rests(r.when, u.atom)
	}
	if !at.applied(u.rule) || !other.applied(u.rule) {
		return false
	}
	a, b := at.g.pick(r, &at.evaluation), at.g.pick(r, &other.evaluation)
	when := r.results[u.part].when
	return a != b && min(a, b) == u.part && at.rests(when, u.atom) && other.rests(when, u.atom)
}

// rests says whether a condition rests on one of its tests where the spot is.
func (at *spot) rests(when int32, atom int) bool {
	turned := at.evaluation
	turned.bits[atom>>6] ^= 1 << (atom & 63)
	return at.g.holds(when, &turned) != at.g.holds(when, &at.evaluation)
}

// onEdge says whether two spots stand on both sides of a line that a test
// draws, with nothing between them. A test that draws no line has no edge.
func (s *survey) onEdge(atom int, a, b *spot) bool {
	t := &s.pack.table.atoms[atom]
	lines := t.lines(s.lib.vars[t.v])
	if len(lines) == 0 {
		return true
	}
	x, y := &a.vals[t.v], &b.vals[t.v]
	if x.none || y.none || x.lo != x.hi || y.lo != y.hi {
		return false
	}
	for _, line := range lines {
		if max(x.lo, y.lo) == line && min(x.lo, y.lo) == line-1 {
			return true
		}
	}
	return false
}

// lines gives the numbers with which a test changes its answer.
func (t *test) lines(v *variable) []int64 {
	var out []int64
	if v.kind != ranged || t.lo > t.hi {
		return nil
	}
	if t.lo > v.min {
		out = append(out, t.lo)
	}
	if t.hi < v.max {
		out = append(out, t.hi+1)
	}
	return out
}

func (s *survey) lined(g *goal) bool {
	if g.what != goalTest {
		return false
	}
	t := &s.pack.table.atoms[g.atom]
	return len(t.lines(s.lib.vars[t.v])) > 0
}
