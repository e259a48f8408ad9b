package law

import (
	"cmp"
	"math/bits"
	"slices"

	"corridor"
)

// restrict copies the part of d that the possible classes can reach into a
// fresh diagram. Classes that are not possible become "impossible", which is
// a don't-care.
func (d *diagram) restrict(root int32, possible []uint64) (*diagram, int32) {
	out := newDiagram(d.arity)
	done := make([]int32, len(d.level)) // 1 + the copy
	var copyOf func(n int32) int32
	copyOf = func(n int32) int32 {
		if n < terminals {
			return n
		}
		if done[n] != 0 {
			return done[n] - 1
		}
		var buf [64]int32
		kids := buf[:d.arity[d.level[n]]]
		mask := possible[d.level[n]]
		same, first := true, int32(-1)
		for c, k := range d.kids(n) {
			kids[c] = impossible
			if mask>>c&1 != 0 {
				kids[c] = copyOf(k)
				same = same && (first < 0 || kids[c] == first)
				first = kids[c]
			}
		}
		r := first
		if !same {
			r = out.node(d.level[n], kids)
		}
		done[n] = r + 1
		return r
	}
	return out, copyOf(root)
}

// merger unites two diagrams that must agree wherever both are possible.
type merger struct {
	*diagram
	memo map[[2]int32]int32
	done []int32 // of one removal: 2 + what became of each node
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
	var buf [64]int32
	kids := buf[:m.arity[top]]
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
	m.memo[key] = r
	return r
}

// without removes a level whose classes never disagree where both are
// possible, or gives conflict.
func (m *merger) without(root, level int32) int32 {
	if n := len(m.level); cap(m.done) < n {
		m.done = make([]int32, n, 2*n)
	} else {
		m.done = m.done[:n]
		clear(m.done)
	}
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
		var buf [64]int32
		kids := buf[:m.arity[m.level[root]]]
		for c := range kids {
			if kids[c] = m.remove(m.kid(root, m.level[root], c), level); kids[c] == conflict {
				m.done[root] = conflict + 2
				return conflict
			}
		}
		r = m.node(m.level[root], kids)
	}
	m.done[root] = r + 2
	return r
}

// support marks the levels under root.
func (d *diagram) support(root int32, m *marks) []bool {
	out := make([]bool, len(d.arity))
	if root < terminals {
		return out
	}
	m.reset(len(d.level))
	todo := []int32{root}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		out[d.level[n]] = true
		for _, k := range d.kids(n) {
			if k >= terminals && m.seen[k] != m.stamp {
				m.seen[k] = m.stamp
				todo = append(todo, k)
			}
		}
	}
	return out
}

// essence restricts the outcome to what is possible and removes every fact
// that cannot change it; facts that only axioms mention go first.
func (p *prepared) essence(m *marks) (*diagram, int32) {
	d, root := p.graph.d.restrict(p.graph.outcome, p.masks)
	mg := &merger{diagram: d, memo: map[[2]int32]int32{}}
	for _, law := range []bool{false, true} {
		for l, used := range d.support(root, m) {
			if used && p.g.part.levels[l].law == law {
				if r := mg.without(root, int32(l)); r != conflict && !d.full {
					root = r
				}
			}
		}
	}
	return d, root
}

// expected is the mean number of nodes left after the fact at level is
// answered, weighed by how usual each answer is.
func (p *prepared) expected(d *diagram, root int32, level int, m *marks) float64 {
	possible := make([]uint64, len(d.arity))
	for i := range possible {
		possible[i] = ^uint64(0)
	}
	var sum, all float64
	for mask := p.masks[level]; mask != 0; mask &= mask - 1 {
		c := bits.TrailingZeros64(mask)
		possible[level] = 1 << c
		n, real := d.left(root, level, c, m)
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

// left counts the nodes that remain when the fact at level is in a class, and
// says whether any possible world remains.
func (d *diagram) left(root int32, level, class int, m *marks) (n int, real bool) {
	for root >= terminals && d.level[root] == int32(level) {
		root = d.kids(root)[class]
	}
	if root < terminals {
		return 0, root != impossible
	}
	m.reset(len(d.level))
	todo := []int32{root}
	m.seen[root] = m.stamp
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n++
		for _, k := range d.kids(at) {
			for k >= terminals && d.level[k] == int32(level) {
				k = d.kids(k)[class]
			}
			if k < terminals {
				real = real || k != impossible
				continue
			}
			if m.seen[k] != m.stamp {
				m.seen[k] = m.stamp
				todo = append(todo, k)
			}
		}
	}
	return n, real
}

// questions lists the facts whose answers can still change the outcome, the
// most telling first.
func (p *prepared) questions() []corridor.Question {
	m := p.g.lib.marks()
	defer p.g.lib.scratch.Put(m)
	d, root := p.essence(m)
	type scored struct {
		level int
		cost  float64
	}
	var list []scored
	for l, used := range d.support(root, m) {
		if used {
			list = append(list, scored{l, p.expected(d, root, l, m)})
		}
	}
	slices.SortStableFunc(list, func(a, b scored) int { return cmp.Compare(a.cost, b.cost) })
	open := p.openRules(m)
	var out []corridor.Question
	for _, s := range list {
		out = append(out, p.question(s.level, open))
	}
	return out
}

// openRules lists the rules of which it is open whether they apply or what
// they yield.
func (p *prepared) openRules(m *marks) []*prule {
	var out []*prule
	undecided := func(root int32) bool { return p.graph.d.reach(root, p.masks, m).real() == end(yes)|end(no) }
	for i := range p.g.rules {
		gr := &p.graph.rules[i]
		if undecided(gr.applies) || slices.ContainsFunc(gr.results, undecided) {
			out = append(out, &p.g.rules[i])
		}
	}
	return out
}

// question words the question about one level.
func (p *prepared) question(level int, open []*prule) corridor.Question {
	l := p.g.lib
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
	for _, r := range open {
		if r.uses[level] {
			q.Rules = append(q.Rules, r.id)
			q.Citations = growCites(q.Citations, r.cites)
		}
	}
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
