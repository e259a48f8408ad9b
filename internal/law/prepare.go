package law

import (
	"math/bits"
	"slices"
	"strconv"

	"corridor"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Prepared is a flow whose facts were read once, ready to be decided many
// times. It is immutable and safe for concurrent use.
type Prepared struct {
	lib   *Library
	n     int         // how many sides there are: 2 without a pack of treaties
	sides [3]prepared // as in sides
	cold  [3]details
	flow  corridor.Flow
}

// prepared is one side of a flow, projected onto its program. What an outcome
// needs stands here, the rest is kept apart.
type prepared struct {
	g     *program // nil: no rule pack
	class []uint8  // the class per level, if all are known
	known bool
	*details
}

type details struct {
	pair  [2]string // origin, destination
	graph *graph
	masks []uint64 // possible classes per level
	base  corridor.Decision
	blank []*record // filings whose date is missing
	stuck []int     // levels that a spare axiom holds as they are
}

// Prepare reads the facts of a flow.
func (l *Library) Prepare(f corridor.Flow) (*Prepared, error) {
	return l.prepare(f, l.byJurisdiction[f.Origin])
}

// whose names the law of a side: a state's, or the treaties.
func whose(f corridor.Flow, side corridor.Side) string {
	switch side {
	case corridor.Export:
		return f.Origin
	case corridor.Import:
		return f.Destination
	}
	return layerTreaty
}

func (l *Library) prepare(f corridor.Flow, own *pack, which ...corridor.Side) (*Prepared, error) {
	in := l.inputs()
	defer in.forget()
	if err := in.read(f, own); err != nil {
		return nil, err
	}
	p := &Prepared{lib: l, flow: f, n: 2}
	if l.byJurisdiction[layerTreaty] != nil {
		p.n = 3
	}
	terms := in.standstills()
	for i, side := range sides[:p.n] {
		at := &p.sides[i]
		at.details = &p.cold[i]
		if len(which) > 0 && !slices.Contains(which, side) {
			continue
		}
		at.class, at.masks = in.class[i], in.masks[i]
		err := in.side(at, whose(f, side), side, terms)
		in.class[i], in.masks[i] = at.class, at.masks
		if err != nil {
			return nil, err
		}
	}
	p.keep()
	return p, nil
}

// keep copies the classes of all sides out of the memory of the inputs into
// one piece.
func (p *Prepared) keep() {
	n := 0
	for i := range p.sides {
		n += len(p.sides[i].class)
	}
	class, masks := make([]uint8, n), make([]uint64, n)
	for i := range p.sides[:p.n] {
		at := &p.sides[i]
		n := copy(class, at.class)
		copy(masks, at.masks)
		at.class, class = class[:n:n], class[n:]
		at.masks, masks = masks[:n:n], masks[n:]
	}
}

// side projects the inputs onto one side's program.
func (in *inputs) side(p *prepared, jurisdiction string, side corridor.Side, terms []term) error {
	pk := in.lib.byJurisdiction[jurisdiction]
	p.class, p.masks = p.class[:0], p.masks[:0]
	if pk == nil {
		p.base = corridor.Decision{Jurisdiction: jurisdiction, Side: side, Outcome: corridor.Undetermined,
			Best: corridor.Allow, Worst: corridor.Deny, Matched: []corridor.Match{}, Duties: []corridor.Obligation{},
			Notes: []string{note(noteNoPack, jurisdiction)}, Engine: Engine}
		return nil
	}
	g := pk.program(side, in.flow.Date)
	if g.err != nil {
		return g.err
	}
	p.pair, p.base = [2]string{in.flow.Origin, in.flow.Destination}, g.base
	p.project(g, in.vals)
	p.base.Jurisdiction = jurisdiction // a member of a union keeps its own name
	p.base.ValidUntil = g.until
	p.base.Notes = append(p.base.Notes, in.notes...)
	if g.unknown {
		p.base.Notes = append(p.base.Notes, note(noteNotCovered, pk.id, in.flow.Date.String()))
	}
	if in.flow.Date > pk.farAhead() {
		p.base.Notes = append(p.base.Notes, note(noteFarAhead, pk.id, pk.known.String()))
	}
	for _, t := range terms {
		if g.part.where[t.rec.v] < 0 || t.rec.pack != pk {
			continue
		}
		p.base.Notes = append(p.base.Notes, t.notes...)
		if t.blank {
			p.blank = append(p.blank, t.rec)
		}
		if t.ends != 0 && (p.base.ValidUntil == 0 || t.ends < p.base.ValidUntil) {
			p.base.ValidUntil = t.ends
		}
	}
	for _, s := range g.stays {
		if in.lib.axioms.infers(s.axiom, in.vals) {
			p.stuck = append(p.stuck, s.level)
		}
	}
	for _, a := range in.assumed {
		if g.tests(a.vars) {
			if p.base.Assumed == nil {
				p.base.Assumed = make([]string, 0, len(in.assumed))
			}
			p.base.Assumed = append(p.base.Assumed, a.text)
		}
	}
	if !p.known {
		var err error
		p.graph, err = g.diagrams()
		return err
	}
	return nil
}

// project reads what is possible as classes of a program.
func (p *prepared) project(g *program, vals []values) {
	p.g, p.masks, p.known = g, g.part.project(p.masks[:0], vals), true
	p.class = slices.Grow(p.class[:0], len(p.masks))[:len(p.masks)]
	for i, m := range p.masks {
		p.class[i] = uint8(bits.TrailingZeros64(m))
		p.known = p.known && m&(m-1) == 0
	}
}

// tellsApart says whether a rule or an axiom sees a difference between two
// sets of possible values of one variable.
func (g *program) tellsApart(v int, a, b *values) bool {
	if at := g.part.where[v]; at >= 0 {
		l := &g.part.levels[at]
		return l.mask(a) != l.mask(b)
	}
	x := g.lib.axioms
	return slices.ContainsFunc(g.spare, func(i int) bool {
		at := &x.table.atoms[x.list[i].rest.atom]
		sureA, neverA := at.certain(a)
		sureB, neverB := at.certain(b)
		return at.v == v && (sureA != sureB || neverA != neverB)
	})
}

// tests says whether the program's rules look at one of the variables, or at
// a fact derived from one.
func (g *program) tests(vars []int) bool {
	return slices.ContainsFunc(vars, func(v int) bool { return g.tested[v] })
}

// markTested notes the variables at which the rules look, and those from which
// something is derived at which they look.
func (g *program) markTested() {
	g.tested = make([]bool, len(g.lib.vars))
	for _, l := range g.part.levels {
		g.tested[l.v] = l.law
	}
	for _, d := range g.lib.derived {
		g.tested[d.from] = g.tested[d.from] || g.part.where[d.to] >= 0
	}
}

// Decide decides a prepared flow on both sides and by the treaties. It leaves out near misses,
// which Library.Decide adds. Decisions share what they have in common: treat
// the slices in the verdict as read-only.
func (p *Prepared) Decide() corridor.Verdict {
	decisions := make([]corridor.Decision, p.n)
	for i := range decisions {
		p.sides[i].decide(&decisions[i])
	}
	return corridor.Combine(p.flow, decisions...)
}

// Outcome is Decide without explanation.
func (p *Prepared) Outcome() corridor.Outcome {
	best, worst := corridor.Allow, corridor.Allow
	for i := range p.sides[:p.n] {
		b, w := p.sides[i].outcome()
		best, worst = min(best, b), min(worst, w)
	}
	if best != worst {
		return corridor.Undetermined
	}
	return best
}

// outcome gives the best and the worst outcome that are possible.
func (p *prepared) outcome() (best, worst corridor.Outcome) {
	if p.g == nil {
		return corridor.Allow, corridor.Deny
	}
	best, worst = p.span()
	if p.g.unknown && best.Permits() {
		worst = corridor.Deny
	}
	return best, worst
}

func (p *prepared) span() (best, worst corridor.Outcome) {
	if p.known {
		if graph, err := p.g.diagrams(); err == nil {
			o := graph.follow(p.class)
			return o, o
		}
		var e evaluation
		o := p.g.evaluate(p.class, &e)
		return o, o
	}
	m := p.g.lib.marks()
	_, best, worst = p.graph.d.reach(p.graph.outcome, p.masks, m).outcomes()
	p.g.lib.scratch.Put(m)
	return best, worst
}

func (p *prepared) decide(d *corridor.Decision) {
	*d = p.base
	switch {
	case p.g == nil:
	case p.known:
		p.g.table(p.class, d)
	default:
		p.explain(d)
	}
	if p.g != nil && p.g.unknown && d.Best.Permits() {
		d.Outcome, d.Worst = corridor.Undetermined, corridor.Deny
		d.Matched = slices.DeleteFunc(slices.Clone(d.Matched), func(m corridor.Match) bool { return m.Kind == kindSilence })
	}
}

// Decide applies the law of both sides, and the treaties, to a flow. The error is for bad input
// only: an unknown fact, value, country or date.
func (l *Library) Decide(f corridor.Flow) (corridor.Verdict, error) {
	p, err := l.Prepare(f)
	if err != nil {
		return corridor.Verdict{}, err
	}
	decisions := make([]corridor.Decision, p.n)
	for i := range decisions {
		if err := p.sides[i].full(&decisions[i]); err != nil {
			return corridor.Verdict{}, err
		}
	}
	return corridor.Combine(f, decisions...), nil
}

// DecideSide applies one side's own law: that of the state, and the treaties
// that bind it. It leaves out near misses, which Decide adds.
func (l *Library) DecideSide(f corridor.Flow, side corridor.Side) (corridor.Decision, error) {
	return l.ownSide(f, side, (*prepared).plain)
}

func (l *Library) ownSide(f corridor.Flow, side corridor.Side, how func(*prepared, *corridor.Decision) error) (corridor.Decision, error) {
	d, err := l.decideSide(f, side, l.byJurisdiction[f.Origin], how)
	if err != nil || side == corridor.Treaty || l.byJurisdiction[layerTreaty] == nil {
		return d, err
	}
	layer, err := l.decideSide(f, corridor.Treaty, l.byJurisdiction[f.Origin], how)
	if err != nil {
		return d, err
	}
	if layer.Silent() {
		layer.Matched = nil // that no treaty speaks is no provision of this side
	}
	return d.With(layer), nil
}

func (l *Library) decideSide(f corridor.Flow, side corridor.Side, own *pack, how func(*prepared, *corridor.Decision) error) (corridor.Decision, error) {
	var d corridor.Decision
	at := sideAt(side)
	if at < 0 || side == corridor.Treaty && l.byJurisdiction[layerTreaty] == nil {
		e := corridor.E(corridor.Invalid, "unknown side %q", string(side))
		e.Fix = "use export or import"
		return d, e
	}
	p, err := l.prepare(f, own, side)
	if err != nil {
		return d, err
	}
	err = how(&p.sides[at], &d)
	return d, err
}

// plain is decide with slices of its own.
func (p *prepared) plain(d *corridor.Decision) error {
	p.decide(d)
	d.Matched, d.Duties = slices.Clone(d.Matched), slices.Clone(d.Duties)
	return nil
}

// full is decide with near misses.
func (p *prepared) full(d *corridor.Decision) error {
	if err := p.plain(d); err != nil || p.g == nil {
		return err
	}
	graph, err := p.g.diagrams()
	if err != nil {
		return err
	}
	q := *p
	q.graph = graph
	d.NearMisses = q.nearMisses(d)
	return nil
}
