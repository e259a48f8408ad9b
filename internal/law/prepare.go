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
	flow  corridor.Flow
	sides [2]prepared
}

// prepared is one side of a flow, projected onto its program.
type prepared struct {
	g     *program  // nil: no rule pack
	pair  [2]string // origin, destination
	graph *graph
	base  corridor.Decision
	masks []uint64 // possible classes per level
	class []uint8  // the class per level, if all are known
	known bool
	blank []*record // filings whose date is missing
}

// Prepare reads the facts of a flow.
func (l *Library) Prepare(f corridor.Flow) (*Prepared, error) {
	return l.prepare(f, l.byJurisdiction[f.Origin], sides[:]...)
}

func (l *Library) prepare(f corridor.Flow, own *pack, which ...corridor.Side) (*Prepared, error) {
	in, err := l.read(f, own)
	if err != nil {
		return nil, err
	}
	p := &Prepared{lib: l, flow: f}
	terms := in.standstills()
	for i, side := range sides {
		if len(which) == 1 && which[0] != side {
			continue
		}
		jurisdiction := f.Origin
		if side == corridor.Import {
			jurisdiction = f.Destination
		}
		if p.sides[i], err = in.side(jurisdiction, side, terms); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// side projects the inputs onto one side's program.
func (in *inputs) side(jurisdiction string, side corridor.Side, terms []term) (prepared, error) {
	pk := in.lib.byJurisdiction[jurisdiction]
	if pk == nil {
		return prepared{base: corridor.Decision{Jurisdiction: jurisdiction, Side: side, Outcome: corridor.Undetermined,
			Best: corridor.Allow, Worst: corridor.Deny, Matched: []corridor.Match{}, Duties: []corridor.Obligation{},
			Notes: []string{note(noteNoPack, jurisdiction)}, Engine: Engine}}, nil
	}
	g := pk.program(side, in.flow.Date)
	if g.err != nil {
		return prepared{}, g.err
	}
	p := prepared{g: g, pair: [2]string{in.flow.Origin, in.flow.Destination}, base: g.base, masks: g.part.masks(in.vals), known: true}
	p.class = make([]uint8, len(p.masks))
	for i, m := range p.masks {
		p.class[i] = uint8(bits.TrailingZeros64(m))
		p.known = p.known && m&(m-1) == 0
	}
	p.base.Jurisdiction = jurisdiction // a member of a union keeps its own name
	p.base.ValidUntil = g.until
	p.base.Notes = append(p.base.Notes, in.notes...)
	for _, t := range terms {
		if _, tested := g.part.of[t.rec.v]; !tested || t.rec.pack != pk {
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
	for _, a := range in.assumed {
		if g.tests(a.vars, in.lib) {
			p.base.Assumed = append(p.base.Assumed, a.text)
		}
	}
	if !p.known {
		var err error
		if p.graph, err = g.diagrams(); err != nil {
			return prepared{}, err
		}
	}
	return p, nil
}

// tests says whether the program's rules look at one of the variables, or at
// a fact derived from one.
func (g *program) tests(vars []int, l *Library) bool {
	for _, v := range vars {
		if at, ok := g.part.of[v]; ok && g.part.levels[at].law {
			return true
		}
		for _, f := range l.vocab.facts {
			if f.derive == nil || l.vocab.byName[f.derive.from].vars[0] != v {
				continue
			}
			if _, ok := g.part.of[f.vars[0]]; ok {
				return true
			}
		}
	}
	return false
}

// Decide decides a prepared flow on both sides. It leaves out near misses,
// which Library.Decide adds. Decisions share what they have in common: treat
// the slices in the verdict as read-only.
func (p *Prepared) Decide() corridor.Verdict {
	decisions := make([]corridor.Decision, 2)
	for i := range p.sides {
		p.sides[i].decide(&decisions[i])
	}
	return corridor.Combine(p.flow, decisions...)
}

// Outcome is Decide without explanation.
func (p *Prepared) Outcome() corridor.Outcome {
	return corridor.Strictest(p.sides[0].outcome(), p.sides[1].outcome())
}

func (p *prepared) outcome() corridor.Outcome {
	switch {
	case p.g == nil:
		return corridor.Undetermined
	case p.known:
		var e evaluation
		return p.g.evaluate(p.class, &e)
	}
	m := p.g.lib.marks()
	o, _, _ := p.graph.d.reach(p.graph.outcome, p.masks, m).outcomes()
	p.g.lib.scratch.Put(m)
	return o
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
}

// Decide applies the law of both sides to a flow. The error is for bad input
// only: an unknown fact, value, country or date.
func (l *Library) Decide(f corridor.Flow) (corridor.Verdict, error) {
	p, err := l.Prepare(f)
	if err != nil {
		return corridor.Verdict{}, err
	}
	decisions := make([]corridor.Decision, 2)
	for i := range p.sides {
		if err := p.sides[i].full(&decisions[i]); err != nil {
			return corridor.Verdict{}, err
		}
	}
	return corridor.Combine(f, decisions...), nil
}

// DecideSide applies one side's own law.
func (l *Library) DecideSide(f corridor.Flow, side corridor.Side) (corridor.Decision, error) {
	return l.decideSide(f, side, l.byJurisdiction[f.Origin])
}

func (l *Library) decideSide(f corridor.Flow, side corridor.Side, own *pack) (corridor.Decision, error) {
	var d corridor.Decision
	if side != corridor.Export && side != corridor.Import {
		e := corridor.E(corridor.Invalid, "unknown side %q", string(side))
		e.Fix = "use export or import"
		return d, e
	}
	p, err := l.prepare(f, own, side)
	if err != nil {
		return d, err
	}
	at := 0
	if side == corridor.Import {
		at = 1
	}
	err = p.sides[at].full(&d)
	return d, err
}

// full is decide with near misses.
func (p *prepared) full(d *corridor.Decision) error {
	p.decide(d)
	if p.g == nil {
		return nil
	}
	d.Matched, d.Duties = slices.Clone(d.Matched), slices.Clone(d.Duties)
	graph, err := p.g.diagrams()
	if err != nil {
		return err
	}
	q := *p
	q.graph = graph
	d.NearMisses = q.nearMisses(d)
	return nil
}
