package law

import (
	"slices"

	"corridor"
)

// editions are two libraries whose variables have been matched by name. A
// fact, a member of a set or a record that only one of them knows stays a
// variable of its own: the other edition does not look at it.
type editions struct {
	lib  [2]*Library
	vars []*variable
	of   [2][]int       // library variable to common variable
	own  [2]map[int]int // and back
}

func match(a, b *Library) *editions {
	e := &editions{lib: [2]*Library{a, b}, own: [2]map[int]int{{}, {}}}
	index := map[string]int{}
	for s, l := range e.lib {
		e.of[s] = make([]int, len(l.vars))
		for i, v := range l.vars {
			key := v.name
			if at, ok := index[key]; ok && !sameShape(e.vars[at], v) {
				key += " " + v.shape() // the same name for something else
			}
			at, ok := index[key]
			if !ok {
				at = len(e.vars)
				index[key] = at
				e.vars = append(e.vars, v)
			} else {
				e.vars[at] = united(e.vars[at], v)
			}
			e.of[s][i], e.own[s][at] = at, i
		}
	}
	return e
}

func (v *variable) shape() string {
	switch {
	case v.record != nil:
		return v.record.class
	case v.member != "":
		return "member"
	}
	return v.fact.Type
}

func sameShape(a, b *variable) bool { return a.kind == b.kind && a.shape() == b.shape() }

// united is a variable that holds the values of both; what it is called is
// what the newer edition calls it.
func united(old, new *variable) *variable {
	u := *new
	u.optional = old.optional || new.optional
	u.min, u.max = min(old.min, new.min), max(old.max, new.max)
	if !slices.Equal(old.values, new.values) {
		u.values = slices.Clone(old.values)
		for _, x := range new.values {
			if !slices.Contains(u.values, x) {
				u.values = append(u.values, x)
			}
		}
	}
	return &u
}

// common rewrites a test of one edition for the common variables.
func (e *editions) common(s int, a atom) atom {
	if a.v < 0 {
		return a
	}
	own, at := e.lib[s].vars[a.v], e.of[s][a.v]
	a.v, a.list = at, 0
	if all := e.vars[at].values; own.kind == finite && !slices.Equal(all, own.values) {
		var set bitset256
		for i, x := range own.values {
			if a.set.has(i) {
				set.add(slices.Index(all, x))
			}
		}
		a.set = set
	}
	return a
}

// domain is the test "this edition can say this value", where it cannot say
// all of them.
func (e *editions) domain(s, v int) (atom, bool) {
	i, ok := e.own[s][v]
	if !ok {
		return atom{}, false
	}
	own, all := e.lib[s].vars[i], e.vars[v]
	if slices.Equal(own.values, all.values) && own.min == all.min && own.max == all.max && own.optional == all.optional {
		return atom{}, false
	}
	t := test{lo: own.min, hi: own.max, none: own.optional}
	if own.kind == finite {
		t.lo, t.hi = 1, 0
		for _, x := range own.values {
			t.set.add(slices.Index(all.values, x))
		}
	}
	return atom{v, t}, true
}

// space is the common fact space of one side's law in two editions on one
// day: one partition, one diagram, both editions built into it.
type space struct {
	*editions
	side     corridor.Side
	part     *partition
	d        *diagram
	ed       [2]*builder
	outcome  [2]int32
	possible int32 // worlds that both editions can state and neither excludes

	most     int         // cubes to list
	outcomes [2][4]int32 // where each outcome is, plus one; 0: not asked yet
	reading  []int       // levels in the vocabulary's order
	written  map[[2]uint64]FactSet
}

// newSpace builds both editions of a side's law, each as of its day, over one
// partition.
func (e *editions) newSpace(p [2]*pack, side corridor.Side, days [2]corridor.Date) (*space, error) {
	x := &spaceAtoms{editions: e, pack: p, side: side}
	for s := range e.lib {
		g := p[s].program(side, days[s])
		if g.err != nil {
			return nil, g.err
		}
		x.g[s] = &program{lib: g.lib, pack: g.pack, side: side, rules: g.rules, lifts: g.lifts, duty: g.duty, silent: g.silent}
		x.take(s, g.part.atoms[:len(g.pack.table.atoms)])
	}
	x.axioms()
	x.frame()
	part, err := split(e.vars, x.atoms, arrange(firstUse(x.order(), x.edges()), x.edges()))
	if err != nil {
		return nil, err
	}
	sp := &space{editions: e, side: side, part: part, d: newDiagram(part.arity())}
	sp.build(x)
	return sp, sp.limit()
}

// limit says that the two editions are too large to be compared exactly.
func (sp *space) limit() error {
	if !sp.d.full {
		return nil
	}
	e := corridor.E(corridor.Limited, "the two editions together need more than %d diagram nodes", maxNodes)
	e.Fix = "compare smaller steps"
	return e
}

// spaceAtoms collects the tests of both editions over the common variables.
type spaceAtoms struct {
	*editions
	pack  [2]*pack
	side  corridor.Side
	g     [2]*program
	raw   [2][]atom // in the edition's own variables: the pack's, then the axioms'
	first [2]int    // where an edition's tests begin in atoms
	atoms []atom
	used  map[int]bool
	fit   [2][]int // tests that must hold for the edition to have the value
	both  []int    // tests of the frame that both share
	wide  [2]map[int][]int
}

func (x *spaceAtoms) take(s int, packAtoms []atom) {
	x.raw[s] = packAtoms
	if x.used == nil {
		x.used = map[int]bool{}
	}
	for _, a := range packAtoms {
		if a.v >= 0 {
			x.used[x.of[s][a.v]] = true
		}
	}
}

// axioms brings in what connects to a used variable in either edition, until
// nothing more does, and then lays all tests out in one table.
func (x *spaceAtoms) axioms() {
	for n := -1; n != len(x.used); {
		n = len(x.used)
		for s := range x.lib {
			local := map[int]bool{}
			for v := range x.used {
				if i, ok := x.own[s][v]; ok {
					local[i] = true
				}
			}
			x.g[s].axioms = x.lib[s].axioms.connected(local)
			for i := range local {
				x.used[x.of[s][i]] = true
			}
		}
	}
	for s := range x.lib {
		x.first[s] = len(x.atoms)
		x.raw[s] = x.g[s].withAxioms(slices.Clone(x.raw[s]))
		for _, a := range x.raw[s] {
			x.atoms = append(x.atoms, x.common(s, a))
		}
		x.widen(s)
	}
	for _, v := range x.order() {
		for s := range x.lib {
			if a, ok := x.domain(s, v); ok {
				x.fit[s] = append(x.fit[s], len(x.atoms))
				x.atoms = append(x.atoms, a)
			}
		}
	}
}

// widen lets an edition's "any other country" of a set mean also those
// countries that only the other edition names.
func (x *spaceAtoms) widen(s int) {
	x.wide[s] = map[int][]int{}
	for i, a := range x.raw[s] {
		if a.v < 0 || x.lib[s].vars[a.v].member != others {
			continue
		}
		name := x.lib[s].vars[a.v].fact.Name
		for v, u := range x.vars {
			if _, known := x.own[s][v]; known || u.member == "" || u.fact.Name != name {
				continue
			}
			x.used[v] = true
			x.wide[s][i] = append(x.wide[s][i], len(x.atoms))
			x.atoms = append(x.atoms, atom{v, test{set: just(1).set, lo: 1}})
		}
	}
}

// frame fixes what every flow of the side has: this side's own state, and the
// other side another one.
func (x *spaceAtoms) frame() {
	own := bitset256{}
	i, ok := x.lib[1].atlas.number(x.pack[1].jurisdiction)
	if !ok || x.pack[0].jurisdiction != x.pack[1].jurisdiction {
		return // a union of states: any pair
	}
	own.add(i)
	ends := []string{"origin", "destination"}
	if x.side == corridor.Import {
		slices.Reverse(ends)
	}
	for k, name := range ends {
		v := x.of[1][x.lib[1].vocab.byName[name].vars[0]]
		if !x.used[v] {
			continue
		}
		set := own
		if k == 1 {
			set = x.vars[v].anything().set
			set.remove(i)
		}
		x.both = append(x.both, len(x.atoms))
		x.atoms = append(x.atoms, atom{v, test{set: set, lo: 1}})
	}
}

func (x *spaceAtoms) order() []int {
	var out []int
	for v := range x.vars {
		if x.used[v] {
			out = append(out, v)
		}
	}
	return out
}

// edges lists which common variables stand together in a rule or an axiom.
func (x *spaceAtoms) edges() [][]int {
	var out [][]int
	for s := range x.lib {
		rules := make([]*rule, len(x.g[s].rules))
		for i := range rules {
			rules[i] = x.g[s].rules[i].rule
		}
		for _, edge := range x.g[s].edges(rules) {
			var list []int
			for _, v := range edge {
				list = append(list, x.of[s][v])
			}
			out = append(out, list)
		}
	}
	return out
}

// build puts both editions into the one diagram.
func (sp *space) build(x *spaceAtoms) {
	lit := func(i int) int32 { return sp.d.literal(int32(sp.part.at[i]), sp.part.truth[i]) }
	sp.possible = yes
	for s := range sp.lib {
		from, n := x.first[s], len(x.raw[s])
		g := x.g[s]
		g.part = &partition{levels: sp.part.levels, of: sp.part.of, atoms: sp.part.atoms[from : from+n], at: sp.part.at[from : from+n], truth: sp.part.truth[from : from+n]}
		b := &builder{program: g, d: sp.d, done: map[*formula]int32{}, also: map[int]int32{}}
		for i, more := range x.wide[s] {
			n := lit(from + i)
			for _, m := range more {
				n = sp.d.or(n, lit(m))
			}
			b.also[i] = n
		}
		for i := range b.rules {
			b.rule(i)
		}
		b.possible = b.world()
		for _, i := range x.fit[s] {
			b.possible = sp.d.and(b.possible, lit(i))
		}
		sp.ed[s], sp.outcome[s] = b, b.outcome()
		sp.possible = sp.d.and(sp.possible, b.possible)
	}
	for _, i := range x.both {
		sp.possible = sp.d.and(sp.possible, lit(i))
	}
	sp.homes()
	sp.d.steps = 0
}

// homes ties the derived "stored at home" to the country it is derived from,
// where the side's own state is that country.
func (sp *space) homes() {
	of := 0
	if sp.side == corridor.Import {
		of = 1
	}
	own, ok := sp.lib[1].atlas.number(sp.ed[1].pack.jurisdiction)
	for at := range sp.part.levels {
		f := sp.vars[sp.part.levels[at].v].fact
		if !ok || f == nil || f.derive == nil || f.derive.of != of || sp.lib[1].vocab.byName[f.derive.from] == nil {
			continue
		}
		raw, used := sp.part.of[sp.of[1][sp.lib[1].vocab.byName[f.derive.from].vars[0]]]
		if !used {
			continue
		}
		cells := sp.part.levels[raw].cells
		pure := slices.Index(cells, cells[own]) == own && !slices.Contains(cells[own+1:], cells[own])
		home := sp.d.literal(int32(at), 1<<sp.part.levels[at].cells[1])
		same := sp.d.literal(int32(raw), 1<<cells[own])
		if pure {
			sp.possible = sp.d.and(sp.possible, sp.d.ite(home, same, sp.d.not(same)))
		} else { // its class holds other countries too
			sp.possible = sp.d.and(sp.possible, sp.d.or(sp.d.not(home), same))
		}
	}
}
