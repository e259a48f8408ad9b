package law

import (
	"encoding/binary"
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
	g, m := p.g, p.g.lib.marks()
	defer g.lib.scratch.Put(m)
	reach := func(root int32) ends { return p.graph.d.reach(root, p.masks, m).real() }
	d.Outcome, d.Best, d.Worst = reach(p.graph.outcome).outcomes()
	d.Matched = []corridor.Match{}
	x := &explanation{prepared: p, d: d, reach: reach, owed: map[int][]int{}}
	for i := g.lifts; i < len(g.rules); i++ {
		x.rule(i)
	}
	for i := range g.lifts {
		x.exemption(i)
	}
	if sure, maybe := x.state(p.graph.silent); maybe {
		s := g.silence
		s.Certain = sure
		d.Matched = append(d.Matched, s)
	}
	d.Unverified = x.shaky()
	d.Duties = x.duties()
	if d.Outcome == corridor.Undetermined {
		d.Questions = p.questions()
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
	d     *corridor.Decision
	reach func(root int32) ends
	owed  map[int][]int // obligation to the rules that may ask for it
}

// state says whether a yes/no diagram is yes in every possible world and in
// any.
func (x *explanation) state(root int32) (sure, maybe bool) {
	e := x.reach(root)
	return e == end(yes), e&end(yes) != 0
}

func (x *explanation) add(m corridor.Match, certain bool) *corridor.Match {
	m.Certain = certain
	x.d.Matched = append(x.d.Matched, m)
	return &x.d.Matched[len(x.d.Matched)-1]
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
	out := []corridor.Obligation{}
	for _, sure := range []bool{true, false} {
		for i := range x.g.duty {
			rules := x.owed[i]
			if certain, _ := x.state(x.graph.duties[i]); len(rules) == 0 || certain != sure {
				continue
			}
			o := x.g.duty[i]
			o.Certain = sure
			for _, r := range rules {
				o.Rules = append(o.Rules, x.g.rules[r].id)
				o.Citations = growCites(o.Citations, x.g.rules[r].cites)
			}
			out = append(out, o)
		}
	}
	return out
}
