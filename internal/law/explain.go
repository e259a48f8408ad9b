package law

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"

	"corridor"
)

// explain decides where facts are missing. Everything is exact: a rule is
// certain when it applies in every world that the facts leave open, and the
// outcome is settled when every such world gives the same.
func (p *prepared) explain(d *corridor.Decision) {
	key := p.key()
	e, ok := p.g.lib.explained.get(key)
	if !ok {
		e = p.explanation(d)
		p.g.lib.explained.put(key, e)
	}
	d.Outcome, d.Best, d.Worst, d.Unverified = e.Outcome, e.Best, e.Worst, e.Unverified
	d.Matched, d.Duties, d.Questions = e.Matched, e.Duties, e.Questions
}

// explanation works out what is certain and what is possible. It gives the
// parts of a decision that follow from what is known alone.
func (p *prepared) explanation(base *corridor.Decision) corridor.Decision {
	full := *base
	d := &full
	desk := p.g.lib.desk()
	defer p.g.lib.desks.Put(desk)
	x := &explanation{prepared: p, d: d, desk: desk}
	x.reached.reset(len(p.graph.d.level))
	x.owed = slices.Grow(x.owed[:0], len(p.g.duty))[:len(p.g.duty)]
	for i := range x.owed {
		x.owed[i] = x.owed[i][:0]
	}
	d.Outcome, d.Best, d.Worst = x.reach(p.graph.outcome).outcomes()
	x.matched = x.matched[:0]
	for i := p.g.lifts; i < len(p.g.rules); i++ {
		x.rule(i)
	}
	for i := range p.g.lifts {
		x.exemption(i)
	}
	if sure, maybe := x.state(p.graph.silent); maybe {
		x.add(p.g.silence, sure)
	}
	d.Matched = append(make([]corridor.Match, 0, len(x.matched)), x.matched...)
	d.Unverified = x.shaky()
	d.Duties = x.duties()
	if d.Outcome == corridor.Undetermined {
		d.Questions = x.questions()
	}
	return full
}

// key names what an explanation depends on: the law, what is known, and the
// filings of which only the date is missing.
func (p *prepared) key() string {
	b := make([]byte, 0, 8*len(p.masks)+16)
	b = binary.LittleEndian.AppendUint64(b, p.g.serial)
	for _, m := range p.masks {
		b = binary.LittleEndian.AppendUint64(b, m)
	}
	for _, rec := range p.blank {
		b = append(b, rec.id...)
		b = append(b, 0)
	}
	return string(b)
}

// recent keeps the explanations of the flows that were asked about last: an
// interview, a batch and a form ask about the same few again and again.
type recent struct {
	mu     sync.Mutex
	m      map[string]corridor.Decision
	serial atomic.Uint64 // of programs
}

// maxRecent bounds them; one takes some ten kilobytes.
const maxRecent = 512

func (r *recent) get(key string) (corridor.Decision, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.m[key]
	return d, ok
}

func (r *recent) put(key string, d corridor.Decision) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.m == nil || len(r.m) >= maxRecent {
		r.m = map[string]corridor.Decision{}
	}
	r.m[key] = d
}

type explanation struct {
	*prepared
	*desk
	d *corridor.Decision
}

// desk is what explaining one flow takes, kept for the next one.
type desk struct {
	reached marks   // of the program's diagrams
	owed    [][]int // by obligation: the rules that may ask for it
	matched []corridor.Match
	merger  merger
	walked  marks // of the merger's diagram
	sights  sights
	basis   basis
}

func (l *Library) desk() *desk {
	if d, ok := l.desks.Get().(*desk); ok {
		return d
	}
	return &desk{}
}

// basis collects rules and what they cite, each citation once.
type basis struct {
	g     *program
	rules []string
	cites []int
	have  []bool // by citation of the program
}

func (b *basis) begin(g *program) {
	b.g, b.rules, b.cites, b.have = g, b.rules[:0], b.cites[:0], cleared(b.have, len(g.cites))
}

func (b *basis) ask(u *prule) {
	b.rules = append(b.rules, u.id)
	for _, c := range u.cited {
		if !b.have[c] {
			b.have[c], b.cites = true, append(b.cites, c)
		}
	}
}

// asked gives what was collected, or nil.
func (b *basis) asked() ([]string, []corridor.Citation) {
	if len(b.rules) == 0 {
		return nil, nil
	}
	var cites []corridor.Citation
	if len(b.cites) > 0 {
		cites = make([]corridor.Citation, len(b.cites))
	}
	for i, c := range b.cites {
		cites[i] = b.g.cites[c]
	}
	return slices.Clone(b.rules), cites
}

// reach finds what the facts leave open under a node.
func (x *explanation) reach(root int32) ends {
	return x.graph.d.ends(root, x.masks, &x.reached).real()
}

// open lists the rules of which it is open whether they apply or what they
// yield.
func (x *explanation) open() []*prule {
	var out []*prule
	undecided := func(root int32) bool { return x.reach(root) == end(yes)|end(no) }
	for i := range x.g.rules {
		gr := &x.graph.rules[i]
		if undecided(gr.applies) || slices.ContainsFunc(gr.results, undecided) {
			out = append(out, &x.g.rules[i])
		}
	}
	return out
}

// state says whether a yes/no diagram is yes in every possible world and in
// any.
func (x *explanation) state(root int32) (sure, maybe bool) {
	e := x.reach(root)
	return e == end(yes), e&end(yes) != 0
}

func (x *explanation) add(m corridor.Match, certain bool) *corridor.Match {
	m.Certain = certain
	x.matched = append(x.matched, m)
	return &x.matched[len(x.matched)-1]
}

func (x *explanation) owe(duties []int, rule int) {
	for _, d := range duties {
		if n := len(x.owed[d]); n == 0 || x.owed[d][n-1] != rule {
			x.owed[d] = append(x.owed[d], rule)
		}
	}
}

func (x *explanation) rule(i int) {
	r, gr := &x.g.rules[i], &x.graph.rules[i]
	sure, maybe := x.state(gr.applies)
	if !maybe {
		return
	}
	if r.kind == kindDuty {
		x.add(r.match, sure)
		x.owe(r.duties, i)
		return
	}
	for k := range r.results {
		if sure, maybe := x.state(gr.results[k]); maybe {
			x.add(r.results[k].match, sure)
			x.owe(r.results[k].duties, i)
		}
	}
}

func (x *explanation) exemption(i int) {
	r, gr := &x.g.rules[i], &x.graph.rules[i]
	sure, maybe := x.state(gr.applies)
	if !maybe {
		return
	}
	var lifts []string
	for k, t := range r.targets {
		if _, maybe := x.state(gr.lifts[k]); maybe {
			lifts = append(lifts, x.g.rules[t].id)
		}
	}
	if lifts == nil && len(r.duties) == 0 {
		return
	}
	x.add(r.match, sure).Lifts = lifts
	x.owe(r.duties, i)
}

// shaky says whether a provision that drives the outcome is not verified.
// While the outcome is open every possible one drives it.
func (x *explanation) shaky() bool {
	byID := map[string]bool{}
	for i := range x.g.rules {
		byID[x.g.rules[i].id] = x.g.rules[i].unverified
	}
	for _, m := range x.d.Matched {
		drives := m.Kind != kindDuty && (x.d.Outcome == corridor.Undetermined || m.Outcome == x.d.Outcome || m.Lifts != nil)
		if m.Kind == kindSilence {
			if drives && m.Source != corridor.Verified {
				return true
			}
			continue
		}
		if drives && byID[m.Rule] {
			return true
		}
	}
	return false
}

func (x *explanation) duties() []corridor.Obligation {
	n := 0
	for _, rules := range x.owed {
		if len(rules) > 0 {
			n++
		}
	}
	out := make([]corridor.Obligation, 0, n)
	for _, sure := range []bool{true, false} {
		for i, rules := range x.owed {
			if len(rules) == 0 {
				continue
			}
			if certain, _ := x.state(x.graph.duties[i]); certain != sure {
				continue
			}
			o := x.g.duty[i]
			o.Certain = sure
			x.basis.begin(x.g)
			for _, r := range rules {
				x.basis.ask(&x.g.rules[r])
			}
			o.Rules, o.Citations = x.basis.asked()
			out = append(out, o)
		}
	}
	return out
}
