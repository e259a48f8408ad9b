package law

import (
	"slices"
	"strings"

	"corridor"
)

// Limits on what one span's comparison lists. What is left out is said.
const (
	maxCubes   = 5_000
	maxRegions = 200
)

// FactSet is what a region says of one fact, or of one member of a set.
type FactSet struct {
	Fact   string   `json:"fact"`
	Member string   `json:"member,omitempty"` // of a set: In is then true or false
	In     []string `json:"in,omitempty"`     // values and spans such as 100000..199999
	NotIn  []string `json:"not_in,omitempty"` // instead of In where that is shorter
}

// Difference is one way in which decisions differ, and for which flows: the
// outcome moves from Before to After, or obligations are newly or no longer
// owed. The cubes are disjoint, and a flow that both editions can state is in
// one of them exactly if its decisions differ in this way.
type Difference struct {
	Before  string      `json:"before,omitempty"`
	After   string      `json:"after,omitempty"`
	Added   []string    `json:"added,omitempty"`
	Removed []string    `json:"removed,omitempty"`
	Cubes   [][]FactSet `json:"cubes"`
	Left    uint64      `json:"left_out,omitempty"` // cubes over the limit, not listed
	// Diagram is the whole of it where cubes are left out.
	Diagram *DecisionDiagram `json:"diagram,omitempty"`
}

// DecisionDiagram says for every flow whether a difference holds: begin at
// Start and follow the branch that the fact's value is in, to Yes or
// No. A diagram holds what would be a great many cubes in a few hundred nodes.
type DecisionDiagram struct {
	Start int           `json:"start"`
	Nodes []DiagramNode `json:"nodes"`
}

// DiagramNode asks for one fact.
type DiagramNode struct {
	Branches []Branch `json:"branches"`
}

// Branch is one set of values, and where it leads: the number of a node, or
// Yes or No.
type Branch struct {
	FactSet
	To int `json:"to"`
}

// Where a branch ends.
const (
	Yes = -1
	No  = -2
)

// share is what one rule contributes: an outcome, duties, or both.
type share struct {
	yields  bool
	outcome corridor.Outcome
	duties  []string
}

func (c share) key() string {
	if !c.yields {
		return "|" + strings.Join(c.duties, ",")
	}
	return c.outcome.String() + "|" + strings.Join(c.duties, ",")
}

// part is a share and where it is given.
type part struct {
	share
	root int32
}

// duties gives the names of a rule's obligations as the newer edition calls
// them, sorted.
func (sp *space) duties(s int, at []int) []string {
	var out []string
	for _, i := range at {
		id := sp.ed[s].duty[i].ID
		if now, ok := sp.lib[1].obligations.index[id]; ok {
			id = sp.lib[1].obligations.all[now].ID
		}
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// parts lists what rule i of an edition contributes where it applies, each
// different share once; applies and results say where.
func (sp *space) parts(s, i int, applies int32, results []int32) []part {
	r := &sp.ed[s].rules[i]
	var out []part
	add := func(c share, root int32) {
		for k := range out {
			if out[k].key() == c.key() {
				out[k].root = sp.d.or(out[k].root, root)
				return
			}
		}
		out = append(out, part{c, root})
	}
	switch {
	case r.kind == kindRule:
		for k := range r.results {
			add(share{true, r.results[k].outcome, sp.duties(s, r.results[k].duties)}, results[k])
		}
	case r.kind == kindExemption && len(r.duties) > 0:
		add(share{true, corridor.AllowWithObligations, sp.duties(s, r.duties)}, applies)
	case r.kind == kindDuty:
		add(share{duties: sp.duties(s, r.duties)}, applies)
	}
	return out
}

// owed gives, per obligation, where an edition owes it.
func (sp *space) owed(s int) map[string]int32 {
	out := map[string]int32{}
	b := sp.ed[s]
	for i := range b.rules {
		for _, p := range sp.parts(s, i, b.applies[i], b.results[i]) {
			for _, id := range p.duties {
				out[id] = sp.d.or(out[id], p.root)
			}
		}
	}
	return out
}

// delta is all that differs between the editions, as diagrams over the worlds
// that both can state.
type delta struct {
	pair    [4][4]int32 // before, after: where, for different outcomes
	moved   int32       // where the outcome differs
	added   map[string]int32
	removed map[string]int32
	any     int32
}

func (sp *space) delta() delta {
	x := delta{added: map[string]int32{}, removed: map[string]int32{}}
	d := sp.d
	for o := range int32(4) {
		for n := range int32(4) {
			if o != n {
				x.pair[o][n] = d.and(sp.possible, d.and(sp.is(0, o), sp.is(1, n)))
				x.moved = d.or(x.moved, x.pair[o][n])
			}
		}
	}
	x.any = x.moved
	before, after := sp.owed(0), sp.owed(1)
	note := func(into map[string]int32, id string, have, lack int32) {
		if n := d.and(sp.possible, d.and(have, d.not(lack))); n != no {
			into[id] = n
			x.any = d.or(x.any, n)
		}
	}
	for _, id := range keys(after) {
		note(x.added, id, after[id], before[id])
	}
	for _, id := range keys(before) {
		note(x.removed, id, before[id], after[id])
	}
	return x
}

// is says where an edition's outcome is o.
func (sp *space) is(s int, o int32) int32 {
	if sp.outcomes[s][o] != 0 {
		return sp.outcomes[s][o] - 1
	}
	memo := map[int32]int32{}
	var walk func(n int32) int32
	walk = func(n int32) int32 {
		if n < terminals {
			if n == o {
				return yes
			}
			return no
		}
		if r, ok := memo[n]; ok {
			return r
		}
		var buf [64]int32
		kids := buf[:sp.d.arity[sp.d.level[n]]]
		for c := range kids {
			kids[c] = walk(sp.d.kids(n)[c])
		}
		memo[n] = sp.d.node(sp.d.level[n], kids)
		return memo[n]
	}
	sp.outcomes[s][o] = walk(sp.outcome[s]) + 1
	return sp.outcomes[s][o] - 1
}

// cover writes out where what differs, as disjoint cubes: each pair of
// outcomes, and each set of obligations that changes for the same flows.
func (sp *space) cover(x delta) []Difference {
	var out []Difference
	room := sp.most
	for o := range x.pair {
		for n, root := range x.pair[o] {
			if root != no {
				out = append(out, sp.listed(Difference{Before: corridor.Outcome(o).String(), After: corridor.Outcome(n).String()}, root, &room))
			}
		}
	}
	var roots []int32
	of := map[int32]*Difference{}
	at := func(root int32) *Difference {
		if of[root] == nil {
			of[root] = &Difference{}
			roots = append(roots, root)
		}
		return of[root]
	}
	for _, id := range keys(x.added) {
		c := at(x.added[id])
		c.Added = append(c.Added, id)
	}
	for _, id := range keys(x.removed) {
		c := at(x.removed[id])
		c.Removed = append(c.Removed, id)
	}
	for _, root := range roots {
		out = append(out, sp.listed(*of[root], root, &room))
	}
	return out
}

// listed writes the cubes of one difference, as far as there is room.
// Impossible worlds are don't-cares: they may only take a whole fact out of a
// cube.
func (sp *space) listed(c Difference, root int32, room *int) Difference {
	slim := sp.slim(root)
	n := sp.paths(slim)
	c.Cubes = [][]FactSet{}
	sp.d.cubes(slim, func(cube []uint64) bool {
		if *room == 0 {
			return false
		}
		*room--
		c.Cubes = append(c.Cubes, sp.factSets(cube))
		return true
	})
	if have := uint64(len(c.Cubes)); n > have {
		c.Left, c.Diagram = n-have, sp.drawn(slim)
	}
	return c
}

// drawn writes a diagram out. A world that cannot be ends in No.
func (sp *space) drawn(root int32) *DecisionDiagram {
	out := &DecisionDiagram{Nodes: []DiagramNode{}}
	number := map[int32]int{}
	var walk func(n int32) int
	walk = func(n int32) int {
		if n < terminals {
			if n == yes {
				return Yes
			}
			return No
		}
		if at, ok := number[n]; ok {
			return at
		}
		at := len(out.Nodes)
		number[n] = at
		out.Nodes = append(out.Nodes, DiagramNode{})
		var list []Branch
		sp.d.branches(n, func(mask uint64, to int32) {
			list = append(list, Branch{sp.factSet(int(sp.d.level[n]), mask), walk(to)})
		})
		out.Nodes[at].Branches = list
		return at
	}
	out.Start = walk(root)
	return out
}

// branches calls f for each different kid of a node, with the classes that
// lead there.
func (d *diagram) branches(n int32, f func(mask uint64, to int32)) {
	kids := d.kids(n)
	for c, k := range kids {
		if slices.Index(kids, k) != c {
			continue
		}
		var mask uint64
		for e, other := range kids {
			if other == k {
				mask |= 1 << e
			}
		}
		f(mask, k)
	}
}

// slim is root with the impossible worlds used to take facts out.
func (sp *space) slim(root int32) int32 {
	mg := &merger{diagram: sp.d, memo: map[[2]int32]int32{}}
	root = sp.d.ite(sp.possible, root, impossible)
	for l, used := range sp.d.support(root, &marks{}) {
		if used {
			if r := mg.without(root, int32(l)); r != conflict && !sp.d.full {
				root = r
			}
		}
	}
	memo := map[int32]int32{}
	var walk func(n int32) int32
	walk = func(n int32) int32 {
		if n < terminals {
			return n
		}
		if r, ok := memo[n]; ok {
			return r
		}
		var buf [64]int32
		kids := buf[:sp.d.arity[sp.d.level[n]]]
		all := impossible
		for c := range kids {
			kids[c] = walk(sp.d.kids(n)[c])
			if all != conflict {
				all = mg.merge(all, kids[c])
			}
		}
		if all == conflict {
			all = sp.d.node(sp.d.level[n], kids)
		}
		memo[n] = all
		return all
	}
	return walk(root)
}

// paths counts the cubes that cubes would give, up to the largest number.
func (sp *space) paths(root int32) uint64 {
	memo := map[int32]uint64{}
	var walk func(n int32) uint64
	walk = func(n int32) uint64 {
		if n < terminals {
			if n == yes {
				return 1
			}
			return 0
		}
		if r, ok := memo[n]; ok {
			return r
		}
		var sum uint64
		sp.d.branches(n, func(_ uint64, to int32) {
			if more := walk(to); sum+more >= sum {
				sum += more
			} else {
				sum = ^uint64(0)
			}
		})
		memo[n] = sum
		return sum
	}
	return walk(root)
}

// cubes calls f with every path to yes, as possible classes per level (0:
// any), until f says stop. Edges to one node are taken together, so the cubes
// are disjoint.
func (d *diagram) cubes(root int32, f func(cube []uint64) bool) {
	cube := make([]uint64, len(d.arity))
	var walk func(n int32) bool
	walk = func(n int32) bool {
		if n < terminals {
			return n != yes || f(cube)
		}
		l, more := d.level[n], true
		d.branches(n, func(mask uint64, to int32) {
			cube[l] = mask
			more = more && walk(to)
		})
		cube[l] = 0
		return more
	}
	walk(root)
}

// factSets writes a cube in facts and values, in the vocabulary's order.
func (sp *space) factSets(cube []uint64) []FactSet {
	if sp.reading == nil {
		for at := range sp.part.levels {
			sp.reading = append(sp.reading, at)
		}
		slices.SortFunc(sp.reading, func(a, b int) int { return sp.part.levels[a].v - sp.part.levels[b].v })
		sp.written = map[[2]uint64]FactSet{}
	}
	out := []FactSet{}
	for _, at := range sp.reading {
		if cube[at] == 0 {
			continue
		}
		key := [2]uint64{uint64(at), cube[at]}
		f, ok := sp.written[key]
		if !ok {
			f = sp.factSet(at, cube[at])
			sp.written[key] = f
		}
		out = append(out, f)
	}
	return out
}

func (sp *space) factSet(at int, mask uint64) FactSet {
	l := &sp.part.levels[at]
	v := sp.vars[l.v]
	var f FactSet
	switch {
	case v.record != nil:
		f.Fact = v.record.class + "s." + v.record.id
	default:
		f.Fact, f.Member = v.fact.Name, v.member
	}
	if v.kind == ranged {
		f.In = sp.spans(l, v, mask)
		return f
	}
	for i, c := range l.cells {
		if mask>>c&1 != 0 {
			f.In = append(f.In, v.values[i])
		} else {
			f.NotIn = append(f.NotIn, v.values[i])
		}
	}
	none := v.optional && mask>>l.none&1 != 0
	if len(f.NotIn) < len(f.In) && len(v.values) > 2 && none == v.optional {
		f.In = nil
		return f
	}
	f.NotIn = nil
	if none {
		f.In = append(f.In, "none")
	}
	return f
}

// spans lists the numbers or dates of some classes, neighbours joined.
func (sp *space) spans(l *level, v *variable, mask uint64) []string {
	var out []string
	for i := 0; i < len(l.cells); i++ {
		if mask>>l.cells[i]&1 == 0 {
			continue
		}
		lo, hi := l.span(i, v)
		for i+1 < len(l.cells) && mask>>l.cells[i+1]&1 != 0 {
			i++
			_, hi = l.span(i, v)
		}
		out = append(out, spanText(v, lo, hi))
	}
	if v.optional && mask>>l.none&1 != 0 {
		out = append(out, "none")
	}
	return out
}
