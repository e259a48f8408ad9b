package law

import (
	"cmp"
	"math/bits"
	"slices"

	"corridor"
)

// merger holds the part of a diagram that the possible classes can reach, and
// unites parts of it that must agree wherever both are possible.
type merger struct {
	*diagram
	from     *diagram
	possible []uint64
	memo     map[[2]int32]int32
	done     []int32 // of one walk: 2 + what became of each node
}

// restrict copies the part of d under root that the possible classes can
// reach. Classes that are not possible become "impossible", which is a
// don't-care.
func (m *merger) restrict(d *diagram, root int32, possible []uint64) int32 {
	if m.diagram == nil {
		m.diagram, m.memo = &diagram{}, map[[2]int32]int32{}
	}
	m.begin(d.arity)
	clear(m.memo)
	m.from, m.possible = d, possible
	m.walk(int(root) + 1)
	return m.copyOf(root)
}

// walk begins a walk over n nodes.
func (m *merger) walk(n int) {
	m.done = cleared(m.done, n)
}

func (m *merger) copyOf(n int32) int32 {
	if n < terminals {
		return n
	}
	if m.done[n] != 0 {
		return m.done[n] - 2
	}
	level := m.from.level[n]
	kids := m.room(level)
	same, first := true, int32(-1)
	for c, k := range m.from.kids(n) {
		kids[c] = impossible
		if m.possible[level]>>c&1 != 0 {
			kids[c] = m.copyOf(k)
			same = same && (first < 0 || kids[c] == first)
			first = kids[c]
		}
	}
	r := first
	if !same {
		r = m.node(level, kids)
	}
	m.leave(kids)
	m.done[n] = r + 2
	return r
}

// conflict is what a merge gives where its halves disagree.
const conflict int32 = -1

func (m *merger) merge(a, b int32) int32 {
	switch {
	case a == b || b == impossible:
		return a
	case a == impossible:
		return b
	case a < terminals && b < terminals:
		return conflict
	}
	key := [2]int32{min(a, b), max(a, b)}
	if r, ok := m.memo[key]; ok {
		return r
	}
	top := min(m.level[a], m.level[b])
	kids := m.room(top)
	r := int32(0)
	for c := range kids {
		if kids[c] = m.merge(m.kid(a, top, c), m.kid(b, top, c)); kids[c] == conflict {
			r = conflict
			break
		}
	}
	if r != conflict {
		r = m.node(top, kids)
	}
	m.leave(kids)
	m.memo[key] = r
	return r
}

// without removes a level whose classes never disagree where both are
// possible, or gives conflict.
func (m *merger) without(root, level int32) int32 {
	m.walk(len(m.level))
	return m.remove(root, level)
}

func (m *merger) remove(root, level int32) int32 {
	if root < terminals || m.level[root] > level {
		return root
	}
	if m.done[root] != 0 {
		return m.done[root] - 2
	}
	var r int32
	if m.level[root] == level {
		r = impossible
		for _, k := range m.kids(root) {
			if r = m.merge(r, k); r == conflict {
				break
			}
		}
	} else {
		kids := m.room(m.level[root])
		for c := range kids {
			if kids[c] = m.remove(m.kid(root, m.level[root], c), level); kids[c] == conflict {
				r = conflict
				break
			}
		}
		if r != conflict {
			r = m.node(m.level[root], kids)
		}
		m.leave(kids)
	}
	m.done[root] = r + 2
	return r
}

// support marks the levels under root.
func (d *diagram) support(root int32, m *marks) []bool {
	out := make([]bool, len(d.arity))
	if root >= terminals {
		d.visit(root, m, func(n int32) { out[d.level[n]] = true })
	}
	return out
}

// essence restricts the outcome to what is possible and removes every fact
// that cannot change it; facts that only axioms mention go first.
func (x *explanation) essence() int32 {
	m := &x.merger
	root := m.restrict(x.graph.d, x.graph.outcome, x.masks)
	for _, law := range []bool{false, true} {
		used := m.support(root, &x.walked)
		for _, l := range x.g.shown {
			if used[l] && x.g.part.levels[l].law == law {
				if r := m.without(root, int32(l)); r != conflict && !m.full {
					root = r
				}
			}
		}
	}
	return root
}

// expected is the mean number of nodes left after the fact at level is
// answered, weighed by how usual each answer is.
func (p *prepared) expected(v *sights, level int) float64 {
	var sum, all float64
	for mask := p.masks[level]; mask != 0; mask &= mask - 1 {
		c := bits.TrailingZeros64(mask)
		n, real := v.left(level, c)
		if !real {
			continue
		}
		w := p.g.weight(level, c)
		sum += w * float64(n)
		all += w
	}
	if all == 0 {
		return 0
	}
	return sum / all
}

// sights is what can be seen from each node of a diagram: the terminals, the
// node itself and those below it, as one set of bits per node.
type sights struct {
	*diagram
	words int       // of one set
	place []int32   // by node: where it stands among those under the root
	at    [][]int32 // per level: its nodes
	above []int     // per level: how many nodes stand above it
	from  []int32   // by place: the level of the highest node that leads to it
	seen  []uint64  // by place
	past  []uint64  // per level: what is seen past it, without a look at its nodes
	sum   []uint64  // of left
}

// look sees what is under root. The nodes of a diagram come after their kids.
func (v *sights) look(d *diagram, root int32, m *marks) {
	v.begin(d, root, d.count(root, m)+int(terminals))
	place := int32(0)
	for k := range root + 1 {
		if k >= terminals && m.seen[k] != m.stamp {
			continue
		}
		v.place[k], v.from[place] = place, d.level[k]
		set := v.sight(k)
		set[place>>6] |= 1 << (place & 63)
		place++
		if k < terminals {
			continue
		}
		v.at[d.level[k]] = append(v.at[d.level[k]], k)
		for _, kid := range d.kids(k) {
			unite(set, v.sight(kid))
			v.from[v.place[kid]] = min(v.from[v.place[kid]], d.level[k])
		}
	}
	for l := 1; l < len(v.at); l++ {
		v.above[l] = v.above[l-1] + len(v.at[l-1])
	}
	for k := range root + 1 {
		if k < terminals || m.seen[k] == m.stamp {
			for l := v.from[v.place[k]] + 1; l < d.level[k]; l++ {
				unite(v.beyond(l), v.sight(k))
			}
		}
	}
}

// begin makes room for n nodes, terminals included.
func (v *sights) begin(d *diagram, root int32, n int) {
	levels := len(d.arity)
	v.diagram, v.words = d, (n+63)/64
	v.place, v.from = cleared(v.place, int(root)+1), cleared(v.from, n)
	v.seen, v.past, v.sum = cleared(v.seen, n*v.words), cleared(v.past, levels*v.words), cleared(v.sum, v.words)
	v.above = cleared(v.above, levels)
	v.at = slices.Grow(v.at[:0], levels)[:levels]
	for l := range v.at {
		v.at[l] = v.at[l][:0]
	}
}

// cleared is a slice of n zeroes, in the memory of list if that is enough.
func cleared[T any](list []T, n int) []T {
	list = slices.Grow(list[:0], n)[:n]
	clear(list)
	return list
}

func (v *sights) sight(n int32) []uint64  { return v.seen[int(v.place[n])*v.words:][:v.words] }
func (v *sights) beyond(l int32) []uint64 { return v.past[int(l)*v.words:][:v.words] }

func unite(to, from []uint64) {
	for w, bits := range from {
		to[w] |= bits
	}
}

// left counts the nodes that remain when the fact at level is in a class, and
// says whether any possible world remains.
func (v *sights) left(level, class int) (n int, real bool) {
	copy(v.sum, v.beyond(int32(level)))
	for _, k := range v.at[level] {
		unite(v.sum, v.sight(v.kids(k)[class]))
	}
	const ends = 1<<terminals - 1
	real = v.sum[0]&ends&^(1<<impossible) != 0
	n = v.above[level] - bits.OnesCount64(v.sum[0]&ends)
	for _, w := range v.sum {
		n += bits.OnesCount64(w)
	}
	return n, real
}

// questions lists the facts whose answers can still change the outcome, the
// most telling first.
func (x *explanation) questions() []corridor.Question {
	root := x.essence()
	x.sights.look(x.merger.diagram, root, &x.walked)
	type scored struct {
		level int
		cost  float64
	}
	list := make([]scored, 0, len(x.masks))
	for _, l := range x.g.shown {
		if len(x.sights.at[l]) > 0 {
			list = append(list, scored{l, x.expected(&x.sights, l)})
		}
	}
	slices.SortStableFunc(list, func(a, b scored) int { return cmp.Compare(a.cost, b.cost) })
	open := x.open()
	out := make([]corridor.Question, 0, len(list))
	for _, s := range list {
		out = append(out, x.question(s.level, open))
	}
	return out
}

// question words the question about one level.
func (x *explanation) question(level int, open []*prule) corridor.Question {
	p, l := x.prepared, x.g.lib
	v := l.vars[p.g.part.levels[level].v]
	var q corridor.Question
	switch {
	case slices.Contains(p.blank, v.record): // the state follows from the date
		q = corridor.Question{Fact: "filings." + v.record.id + ".filed_on", Type: typeDate, Asks: "exporter", Text: corridor.Text{
			EN: "On which day was it filed? " + v.record.question.EN, ZH: "于何日提交？" + v.record.question.ZH,
			RU: "В какой день это подано? " + v.record.question.RU}}
	case v.record != nil:
		q = corridor.Question{Fact: v.record.class + "s." + v.record.id, Type: typeEnum, Text: v.record.question, Asks: "exporter"}
		if p.g.side == corridor.Import {
			q.Asks = "importer"
		}
		q.Options = p.options(level, v)
	case v.fact.derive != nil:
		raw := l.vocab.byName[v.fact.derive.from]
		q = corridor.Question{Fact: raw.Name, Type: raw.Type, Text: raw.Question, Asks: raw.Asks}
	default:
		q = corridor.Question{Fact: v.fact.Name, Member: v.member, Type: v.fact.Type, Text: v.fact.Question, Asks: v.fact.Asks}
		if v.fact.Type != typeCountry && v.member == "" {
			q.Options = p.options(level, v)
		}
	}
	x.basis.begin(x.g)
	for _, r := range open {
		if r.uses[level] {
			x.basis.ask(r)
		}
	}
	q.Rules, q.Citations = x.basis.asked()
	return q
}

// options lists the answers that are still possible; for a number the spans
// that the law tells apart, whatever else the axioms tell apart.
func (p *prepared) options(level int, v *variable) []string {
	l := &p.g.part.levels[level]
	var out []string
	for i := 0; i < len(l.cells); i++ {
		if p.masks[level]>>l.cells[i]&1 == 0 {
			continue
		}
		if v.kind == finite {
			out = append(out, v.values[i])
			continue
		}
		lo, hi := l.span(i, v)
		for i+1 < len(l.cells) && p.masks[level]>>l.cells[i+1]&1 != 0 && p.g.alike(level, l.cells[i], l.cells[i+1]) {
			i++
			_, hi = l.span(i, v)
		}
		out = append(out, spanText(v, lo, hi))
	}
	if v.optional && p.masks[level]>>l.none&1 != 0 {
		out = append(out, "none")
	}
	return out
}

// alike says whether two classes are the same to every rule.
func (g *program) alike(level int, a, b uint8) bool {
	n := g.words
	return slices.Equal(g.bits[level][int(a)*n:int(a)*n+n], g.bits[level][int(b)*n:int(b)*n+n])
}

// spanText writes a span of numbers or dates: 0..99999, or 100000.. .
func spanText(v *variable, lo, hi int64) string {
	write := func(n int64) string {
		if v.fact.Type == typeDate {
			return corridor.Date(n).String()
		}
		return itoa(int(n))
	}
	switch {
	case lo == hi:
		return write(lo)
	case hi == v.max && lo == v.min:
		return ".."
	case hi == v.max:
		return write(lo) + ".."
	case lo == v.min && v.fact.Type == typeDate:
		return ".." + write(hi)
	}
	return write(lo) + ".." + write(hi)
}

// weight says how usual a class is.
func (g *program) weight(level, class int) float64 {
	l := &g.part.levels[level]
	v := g.lib.vars[l.v]
	of := func(name string, otherwise float64) float64 {
		if v.fact == nil && name == v.record.states[0] {
			return 4 // mostly nothing is in place yet
		}
		if v.fact == nil {
			return otherwise
		}
		if w, ok := v.fact.weights[name]; ok {
			return float64(w) + 0.25
		}
		return otherwise
	}
	if v.member != "" { // a member of a set: its weight against ten that it is missing
		if l.cells[1] == uint8(class) {
			return of(v.member, 1)
		}
		return 10
	}
	var sum float64
	for i, c := range l.cells {
		if int(c) != class {
			continue
		}
		if v.kind == ranged {
			sum++
			continue
		}
		sum += of(v.values[i], 1)
	}
	if v.optional && int(l.none) == class {
		sum += of("none", 1)
	}
	return sum
}
