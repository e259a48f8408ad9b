package law

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"corridor"
)

// Proposal is the missing cases of one pack. Their outcomes are the engine's
// own: a person has to compare each with the law.
type Proposal struct {
	Pack  string
	Cases []Case
	Left  []Gap // what no case could be found for
}

// maxProposals bounds the proposals for one pack.
const maxProposals = 1500

// candidates is how many ways to close a gap are compared in full.
const candidates = 16

// Propose finds cases that close the gaps in the coverage of every pack: each
// next to a case that is there already, where one can serve as the other half
// of a pair.
func (l *Library) Propose(results []CaseResult) []Proposal {
	out := make([]Proposal, len(l.packs))
	parallel(len(l.packs), func(i int) {
		p := &proposer{survey: l.survey(l.packs[i], results), results: results}
		out[i] = p.run()
	})
	slices.SortFunc(out, func(a, b Proposal) int { return cmp.Compare(a.Pack, b.Pack) })
	return out
}

type proposer struct {
	*survey
	results []CaseResult
	cases   []*spot // those that are there
	added   []*spot // those to propose
	next    int
}

func (p *proposer) run() Proposal {
	p.judge()
	p.next, p.cases = p.firstNumber(), slices.Clone(p.all)
	for _, g := range p.goals {
		if !g.covered && !g.impossible && len(p.added) < maxProposals {
			p.close(g)
		}
	}
	p.thin()
	out := Proposal{Pack: p.pack.id}
	for i := range p.added {
		out.Cases = append(out.Cases, p.finish(i))
	}
	for _, g := range p.goals {
		if !g.covered && !g.impossible {
			out.Left = append(out.Left, p.gap(g))
		}
	}
	return out
}

// firstNumber continues the numbers of earlier proposals.
func (p *proposer) firstNumber() int {
	n := 1
	for i := range p.results {
		rest, ok := strings.CutPrefix(p.results[i].Case.ID, p.pack.id+"-c")
		if k, err := strconv.Atoi(rest); ok && err == nil && k >= n {
			n = k + 1
		}
	}
	return n
}

// close adds one case, or two, that reach a goal.
func (p *proposer) close(g *goal) {
	if g.what == goalTest {
		if best := p.best(g, p.neighbours(g)); best != nil {
			p.take(best)
			return
		}
	}
	for _, pair := range p.fromDiagram(g) {
		taken := 0
		for _, at := range pair {
			if at != nil && !p.known(at) {
				p.take(at)
				taken++
			}
		}
		if g.covered {
			return
		}
		if taken > 0 {
			p.added = p.added[:len(p.added)-taken]
			p.rebuild()
		}
	}
}

func (p *proposer) take(at *spot) {
	at.id = fmt.Sprintf("%s-c%03d", p.pack.id, p.next)
	p.next++
	p.added = append(p.added, at)
	p.add(at)
}

// known says whether a case stands on the very spot.
func (p *proposer) known(at *spot) bool {
	return slices.ContainsFunc(p.spots[at.g], func(o *spot) bool {
		return slices.Equal(o.class, at.class) && slices.EqualFunc(o.vals, at.vals, func(a, b values) bool { return a.lo == b.lo && a.hi == b.hi })
	})
}

// neighbours lists the spots that differ from a case in the fact of a test
// alone and would, with it, show that the test decides.
func (p *proposer) neighbours(g *goal) []step {
	var out []step
	for _, at := range p.grounds(g.rule, g.side) {
		l, ok := at.g.part.of[p.pack.table.atoms[g.atom].v]
		if !ok {
			continue
		}
		u := use{at.i, g.part, g.atom}
		for _, from := range p.spots[at.g] {
			for b := range at.g.part.levels[l].n {
				if uint8(b) == from.class[l] {
					continue
				}
				if to := p.moved(from, l, uint8(b)); to != nil && to.turns(from, u) {
					out = append(out, p.steps(g, from, to, l)...)
				}
			}
		}
		if len(out) >= candidates {
			break
		}
	}
	return out
}

// step is a spot to add beside one that is there.
type step struct {
	from, to *spot
	set      map[int]int64
	shows    bool // a case can see the difference
	cost     int
}

// moved is a spot with another class at one level; levels that only an axiom
// looks at may follow.
func (p *proposer) moved(from *spot, level int, class uint8) *spot {
	to := &spot{g: from.g, side: from.side, class: slices.Clone(from.class)}
	to.class[level] = class
	if !p.adapt(to) {
		return nil
	}
	to.g.run(to.class, &to.evaluation)
	return to
}

// adapt lets the levels that only an axiom looks at follow the others.
func (p *proposer) adapt(at *spot) bool {
	if at.g.possible(at.class) {
		return true
	}
	masks := make([]uint64, len(at.class))
	var open []int
	for l := range masks {
		masks[l] = 1 << at.class[l]
		if !at.g.part.levels[l].law {
			masks[l] = 1<<at.g.part.levels[l].n - 1
			open = append(open, l)
		}
	}
	tries := 1 << 12
	return at.g.settle(at.class, masks, open, &tries)
}

// steps gives a step with the numbers that stand at the line, where the goal
// wants them.
func (p *proposer) steps(g *goal, from, to *spot, level int) []step {
	base := step{from: from, to: to, shows: from.looks() != to.looks(), cost: p.oddness(to)}
	a := &p.pack.table.atoms[g.atom]
	lines := a.lines(p.lib.vars[a.v])
	if len(lines) == 0 || !g.edge {
		return []step{base}
	}
	var out []step
	x := &from.vals[a.v]
	for _, line := range lines {
		n := line
		if x.lo == line {
			n = line - 1
		}
		here := between(n, n)
		if x.none || x.lo != x.hi || x.lo != line && x.lo != line-1 || to.g.part.levels[level].mask(&here) != 1<<to.class[level] {
			continue
		}
		s := base
		s.set = map[int]int64{a.v: n}
		out = append(out, s)
	}
	return out
}

// looks is all that a case can see of a spot: its outcome, and what is owed.
func (at *spot) looks() string {
	owed := make([]byte, len(at.g.duty))
	mark := func(duties []int) {
		for _, d := range duties {
			owed[d] = 1
		}
	}
	for i := range at.g.rules {
		r := &at.g.rules[i]
		if !at.applied(i) {
			continue
		}
		if mark(r.duties); len(r.results) > 0 {
			mark(r.results[at.g.pick(r, &at.evaluation)].duties)
		}
	}
	var e evaluation
	return at.g.evaluate(at.class, &e).String() + string(owed)
}

// oddness counts how far a spot is from the usual.
func (p *proposer) oddness(at *spot) int {
	usual := p.usualClasses(at.g, at.side)
	n := 0
	for l, c := range at.class {
		if at.g.part.levels[l].law && c != usual[l] {
			n++
		}
	}
	return n
}

// best takes the step whose case closes most gaps, among those that show
// their difference in the answer if there are any.
func (p *proposer) best(g *goal, list []step) *spot {
	slices.SortStableFunc(list, func(a, b step) int {
		if a.shows != b.shows {
			return map[bool]int{true: -1, false: 1}[a.shows]
		}
		return cmp.Compare(a.cost, b.cost)
	})
	var found *spot
	most, shown := 0, false
	for _, s := range list[:min(len(list), candidates)] {
		if found != nil && shown && !s.shows {
			break
		}
		at := p.realise(wish{s.to.g, s.to.side, s.to.class, s.from, s.set})
		if at == nil {
			continue
		}
		if n := p.gain(at); n > most && p.reaches(at, g) {
			found, most, shown = at, n, s.shows
		}
	}
	return found
}

// gain counts the goals that a spot would close.
func (p *proposer) gain(at *spot) int {
	seen := map[*goal]bool{}
	count := func(g *goal, _ *spot, edge bool) {
		if edge || g.judged && !g.edge {
			seen[g] = true
		}
	}
	p.alone(at, count)
	p.together(at, count)
	return len(seen)
}

func (p *proposer) reaches(at *spot, want *goal) bool {
	found := false
	p.together(at, func(g *goal, _ *spot, edge bool) { found = found || g == want && (edge || !g.edge) })
	return found
}

// realise drafts the facts of a spot, drops those that do not matter, and
// sees by deciding it that the case stands where it is wanted.
func (p *proposer) realise(w wish) *spot {
	f, ok := p.draft(w)
	if !ok {
		return nil
	}
	at := p.stand(w, f)
	if at == nil {
		return nil
	}
	for _, name := range keys(f.Facts) {
		if said := p.lib.vocab.byName[name]; said != nil && said.Type == typeSet {
			continue // what the data is, is said even where it does not matter
		}
		less := f
		less.Facts = maps.Clone(f.Facts)
		delete(less.Facts, name)
		if less := p.stand(w, less); less != nil && less.answer == at.answer && maps.Equal(less.duties, at.duties) && p.sameEdge(w, less) {
			f, at = less.flow, less
		}
	}
	return at
}

// stand places a flow and checks that it has the wanted classes.
func (p *proposer) stand(w wish, f corridor.Flow) *spot {
	at := p.place(Case{Side: sides[w.side], Flow: f})
	if at == nil || at.g != w.g || at.open {
		return nil
	}
	for l := range at.class {
		if at.class[l] != w.class[l] && at.g.part.levels[l].law {
			return nil
		}
	}
	return at
}

// sameEdge keeps the numbers that were wanted.
func (p *proposer) sameEdge(w wish, at *spot) bool {
	for v, n := range w.set {
		if x := at.vals[v]; x.lo != n || x.hi != n {
			return false
		}
	}
	return true
}

// rebuild counts anew what the cases and the offers cover.
func (p *proposer) rebuild() {
	for _, g := range p.goals {
		g.covered, g.loose, g.pair = false, false, [2]string{}
	}
	p.spots, p.all = map[*program][]*spot{}, nil
	for _, at := range p.cases {
		p.add(at)
	}
	for _, at := range p.added {
		p.add(at)
	}
	for _, g := range p.goals {
		if g.judged && !g.edge && g.loose {
			g.covered = true
		}
	}
}

func (p *proposer) reached() (n int) {
	for _, g := range p.goals {
		if g.covered {
			n++
		}
	}
	return n
}

// thin drops the offers that the others make needless.
func (p *proposer) thin() {
	all := p.reached()
	for i := 0; i < len(p.added); {
		saved := p.added
		p.added = slices.Delete(slices.Clone(p.added), i, i+1)
		if p.rebuild(); p.reached() < all {
			p.added = saved
			i++
		}
	}
	p.rebuild()
}

// finish numbers an offer and writes its case: the engine's answer, and what
// it shows together with which other case.
func (p *proposer) finish(i int) Case {
	at := p.added[i]
	c := Case{ID: at.id, Jurisdiction: p.pack.jurisdiction, Side: sides[at.side], Flow: at.flow, Assume: cmp.Or(at.flow.Assume, "none"),
		Expect: at.answer, Note: p.note(at), Proposed: true}
	c.Flow.Assume = ""
	for _, d := range at.g.duty {
		if at.duties[d.ID] {
			c.Obligations = append(c.Obligations, d.ID)
		}
	}
	c.Without = p.without(at)
	return c
}

// without lists what the turned rules ask for in the other half of each pair
// and nobody asks for here.
func (p *proposer) without(at *spot) []string {
	var out []string
	for _, g := range p.goals {
		i := slices.Index(g.pair[:], at.id)
		if !g.covered || g.what != goalTest || i < 0 {
			continue
		}
		other := p.named(g.pair[1-i])
		for _, id := range other.asked(g.rule) {
			if !at.owes(id) && !slices.Contains(out, id) {
				out = append(out, id)
			}
		}
	}
	slices.Sort(out)
	return out
}

func (p *proposer) named(id string) *spot {
	return p.all[slices.IndexFunc(p.all, func(o *spot) bool { return o.id == id })]
}

// owes says whether an obligation is owed, surely or possibly.
func (at *spot) owes(id string) bool { _, owed := at.duties[id]; return owed }

// asked lists the obligations that a rule asks for where the spot is.
func (at *spot) asked(u *rule) []string {
	i := slices.IndexFunc(at.g.rules, func(r prule) bool { return r.rule == u })
	if i < 0 || !at.applied(i) {
		return nil
	}
	duties := at.g.rules[i].duties
	if r := &at.g.rules[i]; len(r.results) > 0 {
		duties = r.results[at.g.pick(r, &at.evaluation)].duties
	}
	var out []string
	for _, d := range duties {
		out = append(out, at.g.duty[d].ID)
	}
	return out
}

// note names the first goal that needs the case, and how many more do.
func (p *proposer) note(at *spot) string {
	text, more := "", 0
	for _, g := range p.goals {
		if !g.covered || !slices.Contains(g.pair[:], at.id) {
			continue
		}
		if text != "" {
			more++
			continue
		}
		other := g.pair[0]
		if other == at.id {
			other = g.pair[1]
		}
		text = p.flips(g, at, other)
	}
	if more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}
