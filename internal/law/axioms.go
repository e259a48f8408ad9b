package law

import (
	"slices"
	"strings"

	"corridor"
)

// axioms is the whole vocabulary's "what cannot be".
type axioms struct {
	list  []*axiom
	table *atomTable
	vars  [][]int // variables of each axiom
	part  *partition
	d     *diagram
	never []int32 // each axiom's yes/no diagram
	root  int32   // yes where no axiom is broken
}

func (l *Library) compileAxioms(s *scope) {
	for _, a := range l.vocab.axioms {
		a.never = s.compile(a.src)
		if a.never != nil && a.close {
			a.shapeClose(s)
		}
	}
	if len(s.table.atoms) > maxAtoms || len(l.vocab.axioms) > maxAtoms {
		s.r.failAt(place{file: s.r.file}, "use fewer axioms", "%d axioms with %d different tests are over the limit of %d", len(l.vocab.axioms), len(s.table.atoms), maxAtoms)
	}
	l.axioms = &axioms{list: l.vocab.axioms, table: s.table}
}

// shapeClose takes  rest && !("x" in set)  apart.
func (a *axiom) shapeClose(s *scope) {
	var rest []*formula
	kids := []*formula{a.never}
	if a.never.op == opAnd {
		kids = a.never.kids
	}
	for _, k := range kids {
		if a.target < 0 && k.op == opNot && k.kids[0].op == opAtom {
			if v := s.table.atoms[k.kids[0].atom].v; s.vars[v].member != "" {
				a.target = v
				continue
			}
		}
		rest = append(rest, k)
	}
	a.rest = join(opAnd, rest...)
	if a.rest.op == opAtom {
		a.from = s.table.atoms[a.rest.atom].v
	}
	if a.target < 0 || len(rest) == 0 {
		s.r.failAt(a.src.place, `write  A && !("member" in set)`, "axiom %q cannot close an input: nothing in it is a missing member", a.id)
	}
}

// finish builds the axioms' own diagram.
func (x *axioms) finish(vars []*variable) error {
	var order []int
	seen := map[int]bool{}
	for _, a := range x.list {
		var mine []int
		a.never.atoms(map[*formula]bool{}, func(i int) {
			v := x.table.atoms[i].v
			mine = append(mine, v)
			if !seen[v] {
				seen[v] = true
				order = append(order, v)
			}
		})
		x.vars = append(x.vars, mine)
	}
	var edges [][]int
	edges = append(edges, x.vars...)
	order = arrange(order, edges)
	part, err := split(vars, x.table.atoms, order)
	if err != nil {
		return err
	}
	x.part, x.d = part, newDiagram(part.arity())
	x.root = yes
	done := map[*formula]int32{}
	for _, a := range x.list {
		n := x.d.build(a.never, done, func(i int) int32 { return x.d.literal(int32(part.at[i]), part.truth[i]) })
		x.never = append(x.never, n)
		x.root = x.d.and(x.root, x.d.not(n))
	}
	if x.d.full {
		return corridor.E(corridor.Limited, "vocabulary.yaml: the axioms need more than %d nodes", maxNodes)
	}
	if x.root == no {
		return corridor.E(corridor.Invalid, "vocabulary.yaml: the axioms contradict each other")
	}
	return nil
}

// connected lists the axioms that touch the given variables, and the
// variables that those touch, transitively.
func (x *axioms) connected(used map[int]bool) []int {
	var out []int
	taken := make([]bool, len(x.list))
	for again := true; again; {
		again = false
		for i, vars := range x.vars {
			if taken[i] {
				continue
			}
			touches := false
			for _, v := range vars {
				touches = touches || used[v]
			}
			if !touches {
				continue
			}
			taken[i], again = true, true
			out = append(out, i)
			for _, v := range vars {
				used[v] = true
			}
		}
	}
	return out
}

// needed tells the connected axioms that a program has to keep from those that
// it can spare. "A implies B" binds nothing where neither a rule nor another
// kept axiom looks at A: where A surely holds, the facts were closed over it
// and B is known; where A is open, it may as well not hold. That B cannot be
// taken back while A holds is said when facts are read.
func (x *axioms) needed(connected []int, rules map[int]bool) (kept, spare []int) {
	kept = slices.Clone(connected)
	for again := true; again; {
		again = false
		for i, a := range kept {
			v := x.list[a].from
			if v < 0 || rules[v] || slices.ContainsFunc(kept, func(o int) bool { return x.list[o].from != v && slices.Contains(x.vars[o], v) }) {
				continue
			}
			kept, spare, again = slices.Delete(kept, i, i+1), append(spare, a), true
			break
		}
	}
	return kept, spare
}

// infers says whether the A of "A implies B" surely holds.
func (x *axioms) infers(a int, vals []values) bool {
	at := &x.table.atoms[x.list[a].rest.atom]
	sure, _ := at.certain(&vals[at.v])
	return sure
}

// keepRaised marks as never to be spared each "A implies B" whose A an action
// can bring about: advice changes facts after they were closed.
func (l *Library) keepRaised() {
	for _, a := range l.axioms.list {
		if a.from >= 0 && l.raised(&l.axioms.table.atoms[a.rest.atom]) {
			a.from = -1
		}
	}
}

func (l *Library) raised(at *atom) bool {
	if l.vars[at.v].fact.derive != nil { // it follows from what an action may change
		return true
	}
	changes := func(name string) bool {
		f := l.vocab.byName[name]
		return f != nil && slices.Contains(f.vars, at.v)
	}
	for _, act := range l.actions.list {
		for i := range act.effects {
			e := &act.effects[i]
			if e.counts != nil && (changes(e.counts.file) || changes(e.counts.to)) {
				return true
			}
			if !changes(e.fact) || e.op == "remove" || e.op == "clear" { // members only go
				continue
			}
			n, number := e.to.(int64)
			x := between(n, n)
			if _, never := at.certain(&x); !number || !never {
				return true
			}
		}
	}
	return false
}

// all keeps every connected axiom.
func (x *axioms) all(connected []int, _ map[int]bool) (kept, spare []int) { return connected, nil }

// close adds to exact lists what an axiom says must be in them, until
// nothing changes.
func (x *axioms) close(vals []values) {
	holds := func(i int) (bool, bool) {
		a := &x.table.atoms[i]
		return a.certain(&vals[a.v])
	}
	for again := true; again; {
		again = false
		for _, a := range x.list {
			if a.target < 0 {
				continue
			}
			v := &vals[a.target]
			if !v.weak && !(v.set.has(0) && v.set.has(1)) {
				continue
			}
			if sure, _ := a.rest.kleene(holds); sure {
				*v = truth(true)
				again = true
			}
		}
	}
}

// contradiction explains facts that no world can have, or gives nil.
func (x *axioms) contradiction(vals []values, vars []*variable, m *marks) error {
	masks := x.part.masks(vals)
	if x.d.reach(x.root, masks, m)&end(yes) != 0 {
		return nil
	}
	// Leave out one axiom after another as long as the rest still conflicts:
	// what remains is a smallest set to name.
	keep := make([]bool, len(x.list))
	for i := range keep {
		keep[i] = true
	}
	for i := range keep {
		keep[i] = false
		d := newDiagram(x.part.arity())
		root, done := yes, map[*formula]int32{}
		for j, a := range x.list {
			if keep[j] {
				root = d.and(root, d.not(d.build(a.never, done, func(k int) int32 { return d.literal(int32(x.part.at[k]), x.part.truth[k]) })))
			}
		}
		if d.full || d.reach(root, masks, m)&end(yes) != 0 {
			keep[i] = true
		}
	}
	return x.explain(keep, vars)
}

func (x *axioms) explain(keep []bool, vars []*variable) error {
	var texts, ids, facts []string
	for i, a := range x.list {
		if !keep[i] {
			continue
		}
		texts, ids = append(texts, a.text.EN), append(ids, a.id)
		for _, v := range x.vars[i] {
			if n := vars[v].name; !slices.Contains(facts, n) {
				facts = append(facts, n)
			}
		}
	}
	e := corridor.E(corridor.Invalid, "these facts cannot all be true: %s", strings.Join(texts, " "))
	e.Why = "axiom " + strings.Join(ids, ", ")
	e.Fix = "correct " + strings.Join(facts, ", ")
	return e
}
