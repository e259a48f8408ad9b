package law

import (
	"cmp"
	"container/heap"
	"slices"

	"corridor"
)

// search looks for the cheapest sets of moves after which the law of every
// side permits the flow in each world that the facts leave open.
//
// It is a best-first search over sets of moves. What is still to be paid is
// bounded from below on the diagrams themselves: where a move may choose, the
// cheapest choice counts; where a fact is unknown, the dearest answer does.
// The bound is never above the truth, so that plans come in order of cost and
// a search that ends has seen everything.
type search struct {
	lib     *Library
	own     *pack
	flow    corridor.Flow
	limits  Limits
	base    []values // what is possible today, terms resolved
	terms   []corridor.Date
	epochs  []corridor.Date
	days    map[corridor.Date]*scene
	classes int // of scenes, so far
	list    []*move
	order   []int       // of moves, as nodes take them
	foes    []bitset256 // per move: those that it excludes
	cut     bool        // some moves or sets were left out: nothing is proved
	marks   marks

	queue queue
	found []bitset256 // sets that are lawful: no superset is looked at
	kinds map[string]bool
	seen  int // sets looked at

	// Room that one bound or one decision after another uses.
	vals, stand, scratch []values
	memo                 []int64
	alts                 [][]choice
	touch                [][]int // per level: the moves that touch it
}

// scene is the law and the facts of one day.
type scene struct {
	vals  []values // terms resolved for the day
	sides []*program
	graph []*graph
	class int // scenes of one class are alike to every move
}

// at gives the scene of a day.
func (s *search) at(day corridor.Date) *scene {
	if c := s.days[day]; c != nil {
		return c
	}
	f := s.flow
	f.Date = day
	c := &scene{class: -1}
	if in, err := s.lib.read(f, s.own); err == nil {
		in.standstills()
		c.vals = in.vals
	}
	if p, err := s.lib.prepare(f, s.own, sides[:]...); err == nil {
		for i := range p.sides {
			g := p.sides[i].g
			if g == nil {
				continue
			}
			if gr, err := g.diagrams(); err == nil {
				c.sides, c.graph = append(c.sides, g), append(c.graph, gr)
			}
		}
	}
	s.days[day] = c
	return c
}

// classify gives scenes in which every move does the same one number.
func (s *search) classify(day corridor.Date) int {
	c := s.at(day)
	if c.class >= 0 {
		return c.class
	}
	s.classes++
	c.class = s.classes
	for _, d := range keysOf(s.days) {
		o := s.days[d]
		if d != day && o.class >= 0 && slices.Equal(o.sides, c.sides) && slices.Equal(o.vals, c.vals) && s.sameTerms(d, day) {
			c.class = o.class
		}
	}
	return c.class
}

func keysOf(m map[corridor.Date]*scene) []corridor.Date {
	var out []corridor.Date
	for d := range m {
		out = append(out, d)
	}
	slices.Sort(out)
	return out
}

// sameTerms says whether the terms of all filings that could be made stand
// alike on two days.
func (s *search) sameTerms(a, b corridor.Date) bool {
	for _, m := range s.list {
		if m.filed != 0 && (a > m.last) != (b > m.last) {
			return false
		}
	}
	return true
}

// ready is the first day on which all moves of a set have been carried out.
func (s *search) ready(set bitset256) corridor.Date {
	day := s.flow.Date
	for i, m := range s.list {
		if set.has(i) {
			day = max(day, m.ready)
		}
	}
	return day
}

func (s *search) cost(set bitset256) (sum int64) {
	for i, m := range s.list {
		if set.has(i) {
			sum += m.cost
		}
	}
	return sum
}

// after gives what is possible once a set of moves has been carried out. The
// slice is reused.
func (s *search) after(set bitset256, day corridor.Date) []values {
	s.vals = append(s.vals[:0], s.at(day).vals...)
	for i, m := range s.list {
		if set.has(i) {
			s.apply(m, s.vals, day)
		}
	}
	return s.vals
}

// permitted are the terminals on which a flow may start.
const permitted = ends(1<<corridor.Allow | 1<<corridor.AllowWithObligations)

// lawful decides a set of moves exactly, for all that is unknown.
func (s *search) lawful(set bitset256) bool { return s.lawfulOn(set, s.ready(set)) }

func (s *search) lawfulOn(set bitset256, day corridor.Date) bool {
	s.seen++
	c := s.at(day)
	vals := s.after(set, day)
	x := s.lib.axioms
	if len(c.sides) == 0 || x.d.reach(x.root, x.part.masks(vals), &s.marks)&end(yes) == 0 {
		return false
	}
	best, worst := corridor.Allow, corridor.Allow
	for i, g := range c.sides {
		_, b, w := c.graph[i].d.reach(c.graph[i].outcome, g.part.masks(vals), &s.marks).outcomes()
		best, worst = min(best, b), min(worst, w)
	}
	return worst.Permits() && best == worst // else the open facts decide which duties there are
}

// lawfulPart finds a proper part of a lawful set that is lawful too, or gives
// the set itself.
func (s *search) lawfulPart(set bitset256) bitset256 {
	var items []int
	for i := range s.list {
		if set.has(i) {
			items = append(items, i)
		}
	}
	for bits := range uint(1)<<len(items) - 1 {
		var part bitset256
		for k, i := range items {
			if bits>>k&1 != 0 {
				part.add(i)
			}
		}
		if s.lawful(part) {
			return part
		}
	}
	return set
}

// earned says whether each action of a lawful set is needed for what it does,
// not merely for the time that it takes: waiting is an action of its own.
func (s *search) earned(set bitset256) bool {
	day := s.ready(set)
	for i, m := range s.list {
		if !set.has(i) || m.each.kind == "date" {
			continue
		}
		rest := set
		rest.remove(i)
		if s.lawfulOn(rest, day) {
			return false
		}
	}
	return true
}

// node is a set of moves in the queue; its children add moves from place
// next of the order on.
type node struct {
	set     bitset256
	next    int
	cost    int64
	bound   int64 // no plan under this node costs less
	bounded bool  // its own bound has been computed
}

type queue []node

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(node)) }
func (q *queue) Pop() any {
	old := *q
	n := old[len(old)-1]
	*q = old[:len(old)-1]
	return n
}

// Less orders by bound, then the more finished, then as actions.yaml does.
func (q queue) Less(i, j int) bool {
	a, b := &q[i], &q[j]
	if a.bound != b.bound {
		return a.bound < b.bound
	}
	if a.cost != b.cost {
		return a.cost > b.cost
	}
	for w := range a.set {
		if a.set[w] != b.set[w] {
			return a.set[w] < b.set[w]
		}
	}
	return a.bounded && !b.bounded
}

// run collects plans until there are enough, or nothing is left to look at.
// For each it looks anew: what was found decides which moves are worth taking
// first.
func (s *search) run() (plans []bitset256) {
	s.kinds = map[string]bool{}
	for len(plans) < s.limits.Plans {
		set, ok := s.cheapest()
		if !ok {
			return plans
		}
		s.note(set)
		plans = append(plans, set)
	}
	return plans
}

// cheapest finds the cheapest plan with a kind of action that none before it
// had.
func (s *search) cheapest() (bitset256, bool) {
	s.arrange()
	s.queue = append(s.queue[:0], node{})
	for s.queue.Len() > 0 {
		if s.seen >= s.limits.Sets {
			s.cut = true
			return bitset256{}, false
		}
		n := heap.Pop(&s.queue).(node)
		switch {
		case s.covered(n.set) || !s.novel(n):
		case n.bounded:
			s.expand(n)
		case s.lawful(n.set):
			// A part of it may be lawful and was passed over as nothing new.
			part := s.lawfulPart(n.set)
			s.found = append(s.found, part)
			if part == n.set && s.earned(n.set) && s.fresh(n.set) {
				return n.set, true
			}
		default:
			if h := s.bound(n); h < unpayable {
				n.bound, n.bounded = max(n.bound, n.cost+h), true
				heap.Push(&s.queue, n)
			}
		}
	}
	return bitset256{}, false
}

// exclusions notes which moves cannot stand in one plan: those that give one
// fact two values, and those of which one takes away all that the other does:
// without the other the plan does the same.
func (s *search) exclusions() {
	s.foes = make([]bitset256, len(s.list))
	for i, a := range s.list {
		for j, b := range s.list {
			if i == j {
				continue
			}
			clash := slices.ContainsFunc(a.sole, func(v int) bool { return slices.Contains(b.sole, v) })
			if clash || s.swallows(a, b) || s.swallows(b, a) {
				s.foes[i].add(j)
			}
		}
	}
}

// swallows says whether a move does nothing but take classes away that the
// other takes away as well.
func (s *search) swallows(other, m *move) bool {
	if len(m.effects) == 0 || m.rec != nil || m.each.kind == "date" {
		return false
	}
	for i := range m.effects {
		if m.effects[i].op != "remove" {
			return false
		}
	}
	gone := s.goneBy(other)
	return !slices.ContainsFunc(s.goneBy(m), func(v int) bool { return !slices.Contains(gone, v) })
}

// goneBy lists the classes that a move takes away.
func (s *search) goneBy(m *move) []int {
	var out []int
	for i := range m.effects {
		for _, class := range m.removes(s.lib) {
			if v, ok := m.effects[i].f.memberVar(s.lib.vars, class); ok && m.effects[i].op == "remove" {
				out = append(out, v)
			}
		}
	}
	return out
}

// arrange decides in which order nodes take moves. Those that write several
// facts come first: the bound has to spread what such a move costs over its
// facts, and once it is in or out, it need not. Then those of a new kind:
// without one of them there is no plan.
func (s *search) arrange() {
	s.order = s.order[:0]
	for i := range s.list {
		s.order = append(s.order, i)
	}
	place := func(i int) int {
		switch m := s.list[i]; {
		case len(m.vars) > 1:
			return -len(m.vars)
		case s.kinds[m.kind]:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(s.order, func(a, b int) int { return cmp.Compare(place(a), place(b)) })
}

// covered says whether a part of the set is already lawful.
func (s *search) covered(set bitset256) bool {
	for _, f := range s.found {
		in := true
		for w := range f {
			in = in && f[w]&^set[w] == 0
		}
		if in {
			return true
		}
	}
	return false
}

// novel says whether a node can still lead to a plan with a kind of action
// that no plan before it had.
func (s *search) novel(n node) bool {
	if len(s.kinds) == 0 {
		return true
	}
	for at, i := range s.order {
		if !s.kinds[s.list[i].kind] && (n.set.has(i) || at >= n.next && !s.excluded(n.set, i)) {
			return true
		}
	}
	return false
}

func (s *search) excluded(set bitset256, i int) bool {
	for w := range set {
		if set[w]&s.foes[i][w] != 0 {
			return true
		}
	}
	return false
}

// fresh says whether a set has a kind of action that no plan before it had.
func (s *search) fresh(set bitset256) bool {
	if len(s.kinds) == 0 {
		return true
	}
	for i, m := range s.list {
		if set.has(i) && !s.kinds[m.kind] {
			return true
		}
	}
	return false
}

// note takes the kinds of a plan.
func (s *search) note(set bitset256) {
	for i, m := range s.list {
		if set.has(i) {
			s.kinds[m.kind] = true
		}
	}
}

func (s *search) expand(n node) {
	if n.set.count() >= s.limits.Actions {
		s.cut = true
		return
	}
	for at := n.next; at < len(s.order); at++ {
		i := s.order[at]
		if s.excluded(n.set, i) {
			continue
		}
		child := node{set: n.set, next: at + 1, cost: n.cost + s.list[i].cost}
		child.set.add(i)
		child.bound = max(n.bound, child.cost)
		heap.Push(&s.queue, child)
	}
}
