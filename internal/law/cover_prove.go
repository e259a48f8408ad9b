package law

import "slices"

// prover asks a program's diagrams what any case at all could show.
type prover struct {
	s     *survey
	b     *builder
	frame int32 // yes where the states of the flow fit together
	able  int32 // yes where some world with these classes is possible; law levels only
	sense map[use]int32
}

// roomy is the size at which a prover's diagram is built anew.
const roomy = maxNodes / 2

func (s *survey) prover(g *program) *prover {
	p := s.provers[g]
	if p != nil && !p.b.d.full && p.b.d.size() < roomy {
		p.b.d.steps = 0
		return p
	}
	p = &prover{s: s, sense: map[use]int32{}, b: &builder{program: g, d: newDiagram(g.part.arity()), done: map[*formula]int32{}}}
	for i := range g.rules {
		p.b.rule(i)
	}
	p.frame = s.frame(p.b.d, g)
	p.able = p.project(p.b.d.and(p.b.world(), p.frame))
	s.provers[g] = p
	return p
}

// project forgets the levels that only an axiom looks at.
func (p *prover) project(n int32) int32 {
	for l := range p.b.part.levels {
		if !p.b.part.levels[l].law {
			n = p.b.d.forget(n, int32(l))
		}
	}
	return n
}

// forget is yes where some class at level makes n yes.
func (d *diagram) forget(n, level int32) int32 {
	r := no
	for c := range d.arity[level] {
		r = d.or(r, d.at(n, level, c))
	}
	return r
}

// at is n where the fact at level is in a class.
func (d *diagram) at(n, level int32, class int) int32 {
	done := map[int32]int32{}
	var walk func(n int32) int32
	walk = func(n int32) int32 {
		switch {
		case n < terminals || d.level[n] > level:
			return n
		case d.level[n] == level:
			return d.kids(n)[class]
		}
		if r, ok := done[n]; ok {
			return r
		}
		var buf [64]int32
		top := d.level[n]
		kids := buf[:d.arity[top]]
		for c := range kids {
			kids[c] = walk(d.arena[d.first[n]+int32(c)])
		}
		r := d.node(top, kids)
		done[n] = r
		return r
	}
	return walk(n)
}

func (d *diagram) xor(f, g int32) int32 { return d.ite(f, d.not(g), g) }

// can says whether a case, or a pair of cases, can reach a goal, and whether
// a pair can that stands on both sides of the very line.
func (p *prover) can(g *goal, i int) (can, edge bool) {
	if g.what != goalTest {
		return p.b.d.and(p.able, p.single(g, i)) != no, false
	}
	for _, x := range p.pairs(g.atom) {
		if edge && !x.edge {
			continue
		}
		if p.worlds(g, i, x, p.able) != no {
			can, edge = true, edge || x.edge
		}
	}
	return can, edge
}

// single is where a goal that one case can reach is reached.
func (p *prover) single(g *goal, i int) int32 {
	switch g.what {
	case goalResult:
		return p.b.results[i][g.part]
	case goalRests:
		return p.b.d.not(p.b.applies[i])
	}
	return p.b.applies[i]
}

// classPair is two classes of a fact that a test tells apart.
type classPair struct {
	level int32
	a, b  int
	line  int64
	edge  bool // they meet at a line of the test
}

// pairs lists the pairs of classes that a test tells apart, those that meet
// at its lines first.
func (p *prover) pairs(atom int) []classPair {
	at := p.b.part.at[atom]
	l := &p.b.part.levels[at]
	truth := p.b.part.truth[atom]
	var out []classPair
	for _, line := range p.b.part.atoms[atom].lines(p.s.lib.vars[l.v]) {
		if i := slices.Index(l.cuts, line); i > 0 {
			out = append(out, classPair{int32(at), int(l.cells[i-1]), int(l.cells[i]), line, true})
		}
	}
	for a := range l.n {
		for b := range a {
			if truth>>a&1 == truth>>b&1 {
				continue
			}
			if !slices.ContainsFunc(out, func(x classPair) bool { return min(x.a, x.b) == b && max(x.a, x.b) == a }) {
				out = append(out, classPair{int32(at), b, a, 0, false})
			}
		}
	}
	return out
}

// worlds is where a pair of classes reaches a goal, as a diagram over all
// other facts. able says which worlds count.
func (p *prover) worlds(g *goal, i int, x classPair, able int32) int32 {
	d := p.b.d
	both := func(n int32) int32 { return d.and(d.at(n, x.level, x.a), d.at(n, x.level, x.b)) }
	split := func(n int32) int32 { return d.xor(d.at(n, x.level, x.a), d.at(n, x.level, x.b)) }
	n := d.and(both(able), both(p.sensitive(use{i, g.part, g.atom})))
	if n == no {
		return no
	}
	if g.part < 0 {
		return d.and(n, d.and(split(p.b.applies[i]), split(p.b.when[i])))
	}
	later := no
	for _, r := range p.b.results[i][g.part+1:] {
		later = d.or(later, r)
	}
	here := p.b.results[i][g.part]
	turn := d.or(d.and(d.at(here, x.level, x.a), d.at(later, x.level, x.b)), d.and(d.at(here, x.level, x.b), d.at(later, x.level, x.a)))
	return d.and(n, turn)
}

// sensitive is where a condition rests on one of its tests.
func (p *prover) sensitive(u use) int32 {
	if n, ok := p.sense[u]; ok {
		return n
	}
	f := p.b.rules[u.rule].formulas()[u.part+1]
	n := p.b.d.xor(p.forced(f, u.atom, yes), p.forced(f, u.atom, no))
	p.sense[u] = n
	return n
}

// forced builds a condition with one of its tests replaced by a constant.
func (p *prover) forced(f *formula, atom int, value int32) int32 {
	return p.b.d.build(f, map[*formula]int32{}, func(i int) int32 {
		if i == atom {
			return value
		}
		return p.b.d.literal(int32(p.b.part.at[i]), p.b.part.truth[i])
	})
}

// why explains a goal that nothing can reach, under the pack's usual law.
func (s *survey) why(g *goal) string {
	at := s.grounds(g.rule, g.side)
	if len(at) == 0 {
		return "the rule is never in force"
	}
	p, i := s.prover(at[0].g), at[0].i
	switch {
	case p.b.d.and(p.able, p.b.applies[i]) == no && g.what != goalRests:
		return "the rule can never apply"
	case g.what == goalRests:
		return "the rule always applies"
	case g.what == goalResult:
		return "the results above it decide first"
	}
	if n := s.pack.table.atoms[g.atom].list; n > 0 && !s.pack.lists[n-1].splits() {
		return "no state is on the list " + s.pack.lists[n-1].name
	}
	if p.any(g, i, yes) {
		return p.excluded(g, i)
	}
	if r := p.lifted(g, i); r != "" {
		return r
	}
	if g.part >= 0 {
		return "the rule's condition and the results above leave it nothing to decide"
	}
	return "the other tests of the condition leave it nothing to decide"
}

func (p *prover) any(g *goal, i int, able int32) bool {
	return slices.ContainsFunc(p.pairs(g.atom), func(x classPair) bool { return p.worlds(g, i, x, able) != no })
}

// excluded names the axiom that stands in the way.
func (p *prover) excluded(g *goal, i int) string {
	for _, a := range p.b.axioms {
		if !p.any(g, i, p.project(p.b.worldOf([]int{a}))) {
			return "axiom " + p.s.lib.axioms.list[a].id + " excludes it"
		}
	}
	if !p.any(g, i, p.project(p.frame)) {
		return "the states of the flow exclude it"
	}
	return "the axioms exclude it"
}

// lifted says whether the rule's exemptions stand in the way.
func (p *prover) lifted(g *goal, i int) string {
	bare := p.b.applies[i]
	p.b.applies[i] = p.b.when[i]
	free := g.part < 0 && p.any(g, i, p.able)
	p.b.applies[i] = bare
	if !free {
		return ""
	}
	for _, e := range p.b.rules[i].opts {
		j := slices.IndexFunc(p.b.rules, func(r prule) bool { return r.rule == e })
		if j < 0 {
			continue
		}
		p.b.applies[i] = p.b.d.and(p.b.when[i], p.b.d.not(p.b.applies[j]))
		free = p.any(g, i, p.able)
		p.b.applies[i] = bare
		if !free {
			return "exemption " + e.id + " lifts the rule wherever it would decide"
		}
	}
	return "its exemptions lift the rule wherever it would decide"
}

// splits says whether any edition of a list names a state.
func (l *countryList) splits() bool {
	return slices.ContainsFunc(l.editions, func(e listEdition) bool { return e.codes.count() > 0 })
}
