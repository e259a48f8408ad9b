package law

import (
	"bytes"
	"hash/maphash"
	"math/bits"
	"sync/atomic"

	"corridor"
)

// evaluation is the working memory of one decision on known facts.
type evaluation struct {
	bits    [maxAtoms / 64]uint64
	when    [ruleWords]uint64 // the rule's condition holds
	applies [ruleWords]uint64 // and no exemption lifts it
}

// run evaluates every atom once and then every rule.
func (g *program) run(class []uint8, e *evaluation) {
	n := g.words
	for i, c := range class {
		row := g.bits[i][int(c)*n : int(c)*n+n]
		for w, b := range row {
			e.bits[w] |= b
		}
	}
	for i := range g.rules {
		r := &g.rules[i]
		if !g.holds(r.when, e) {
			continue
		}
		e.when[i>>6] |= 1 << (i & 63)
		lifted := uint64(0)
		for w := 0; w<<6 < g.lifts; w++ {
			lifted |= r.unless[w] & e.applies[w]
		}
		if lifted == 0 {
			e.applies[i>>6] |= 1 << (i & 63)
		}
	}
}

// holds runs one condition.
func (g *program) holds(at int32, e *evaluation) bool {
	for at >= 0 {
		in := &g.code[at]
		if e.bits[in.word&7]>>(in.bit&63)&1 != 0 {
			at = in.yes
		} else {
			at = in.no
		}
	}
	return at == isTrue
}

// pick finds the first result whose condition holds.
func (g *program) pick(r *prule, e *evaluation) int {
	last := len(r.results) - 1
	for k := range last {
		if g.holds(r.results[k].when, e) {
			return k
		}
	}
	return last
}

// evaluate gives the outcome alone.
func (g *program) evaluate(class []uint8, e *evaluation) corridor.Outcome {
	g.run(class, e)
	out := corridor.Undetermined
	for w := range e.applies {
		for b := e.applies[w]; b != 0; b &= b - 1 {
			r := &g.rules[w<<6+bits.TrailingZeros64(b)]
			switch {
			case r.kind == kindRule:
				out = min(out, r.results[g.pick(r, e)].outcome)
			case r.kind == kindExemption && len(r.duties) > 0:
				out = min(out, corridor.AllowWithObligations)
			}
		}
	}
	if out == corridor.Undetermined {
		return g.silent
	}
	return out
}

// owing collects obligations and who asks for them.
type owing struct {
	first [maxDuties]int16 // 1 + the first rule
	more  []int32          // further ones: duty<<16 | rule
	n     int
}

func (o *owing) add(duties []int, rule int) {
	for _, d := range duties {
		switch {
		case o.first[d] == 0:
			o.first[d] = int16(rule + 1)
			o.n++
		case int(o.first[d]) != rule+1:
			o.more = append(o.more, int32(d)<<16|int32(rule))
		}
	}
}

// composed is the explanation of one way in which rules can apply together.
// Decisions that come out the same way share it.
type composed struct {
	key        signature
	outcome    corridor.Outcome
	unverified bool
	matched    []corridor.Match
	duties     []corridor.Obligation
}

// signature is everything that an explanation depends on: which rules apply,
// which conditions hold, and which result each applying rule yields.
type signature struct {
	applies, when [ruleWords]uint64
	picks         [ruleWords * 4]uint64 // four bits per rule
}

// shared is a small cache of explanations: bounded, exact, without locks.
// What does not fit overwrites.
type shared [128]atomic.Pointer[composed]

func (g *program) sign(e *evaluation) (s signature, slot uint64) {
	h := uint64(14695981039346656037)
	words := (len(g.rules) + 63) / 64
	for w := range words {
		s.applies[w], s.when[w] = e.applies[w], e.when[w]
		h = (h ^ e.applies[w]) * 0x9E3779B97F4A7C15
		h = (h ^ h>>29 ^ e.when[w]) * 0xD6E8FEB86659FD93
		for b := e.applies[w]; b != 0; b &= b - 1 {
			i := w<<6 + bits.TrailingZeros64(b)
			r := &g.rules[i]
			if len(r.results) < 2 {
				continue
			}
			at := g.pick(r, e)
			s.picks[i>>4] |= uint64(at) << (i & 15 * 4)
			h = (h ^ uint64(i<<8|at)) * 0x9E3779B97F4A7C15
		}
	}
	return s, (h ^ h>>32) % uint64(len(g.cache))
}

// table decides on known facts, with matches and obligations. The slices in d
// are shared with other decisions and are never written to again.
func (g *program) table(class []uint8, d *corridor.Decision) {
	// The same flow is asked about again at every step of an exchange.
	at := &g.lately[maphash.Bytes(g.seed, class)%uint64(len(g.lately))]
	last := at.Load()
	if last == nil || !bytes.Equal(last.class, class) {
		last = &answered{bytes.Clone(class), g.composed(class)}
		at.Store(last)
	}
	c := last.composed
	d.Outcome, d.Best, d.Worst = c.outcome, c.outcome, c.outcome
	d.Unverified, d.Matched, d.Duties = c.unverified, c.matched, c.duties
}

// answered is a complete set of facts and its explanation.
type answered struct {
	class []uint8
	*composed
}

// composed finds or writes the explanation of a complete set of facts.
func (g *program) composed(class []uint8) *composed {
	var e evaluation
	g.run(class, &e)
	key, slot := g.sign(&e)
	c := g.cache[slot].Load()
	if c == nil || c.key != key {
		c = g.compose(&e)
		c.key = key
		g.cache[slot].Store(c)
	}
	return c
}

// compose writes the explanation of one evaluation.
func (g *program) compose(e *evaluation) *composed {
	var owe owing
	d := &composed{}
	n := 1
	for _, w := range e.applies {
		n += bits.OnesCount64(w)
	}
	d.matched = make([]corridor.Match, 0, n)
	out := corridor.Undetermined
	var shaky [5]bool // per outcome: an unverified rule contributes it
	for i := g.lifts; i < len(g.rules); i++ {
		if e.applies[i>>6]>>(i&63)&1 == 0 {
			continue
		}
		r := &g.rules[i]
		if r.kind == kindDuty {
			d.matched = append(d.matched, r.match)
			owe.add(r.duties, i)
			continue
		}
		res := &r.results[g.pick(r, e)]
		d.matched = append(d.matched, res.match)
		owe.add(res.duties, i)
		out = min(out, res.outcome)
		shaky[res.outcome] = shaky[res.outcome] || r.unverified
	}
	out, lifted := g.exempt(d, e, &owe, out, &shaky)
	if out == corridor.Undetermined {
		out = g.silent
		d.matched = append(d.matched, g.silence)
		shaky[out] = g.silence.Source != corridor.Verified
	}
	d.outcome, d.unverified, d.duties = out, shaky[out] || lifted, g.owed(&owe)
	return d
}

// exempt adds the exemptions that lifted something or carry obligations.
// unverified says that one of those that lifted is not verified.
func (g *program) exempt(d *composed, e *evaluation, owe *owing, out corridor.Outcome, shaky *[5]bool) (_ corridor.Outcome, unverified bool) {
	for i := range g.lifts {
		if e.applies[i>>6]>>(i&63)&1 == 0 {
			continue
		}
		r := &g.rules[i]
		var lifts []string
		for _, t := range r.targets {
			if e.when[t>>6]>>(t&63)&1 != 0 {
				lifts = append(lifts, g.rules[t].id)
			}
		}
		if lifts == nil && len(r.duties) == 0 {
			continue
		}
		d.matched = append(d.matched, r.match)
		d.matched[len(d.matched)-1].Lifts = lifts
		unverified = unverified || lifts != nil && r.unverified
		if len(r.duties) > 0 {
			owe.add(r.duties, i)
			out = min(out, corridor.AllowWithObligations)
			shaky[corridor.AllowWithObligations] = shaky[corridor.AllowWithObligations] || r.unverified
		}
	}
	return out, unverified
}

// owed lists the obligations with the rules that ask for them.
func (g *program) owed(o *owing) []corridor.Obligation {
	out := make([]corridor.Obligation, 0, o.n)
	for d := range g.duty {
		if o.first[d] == 0 {
			continue
		}
		r := &g.rules[o.first[d]-1]
		out = append(out, g.duty[d])
		at := &out[len(out)-1]
		at.Rules, at.Citations = r.self, r.cites
		for _, m := range o.more {
			if int(m>>16) == d {
				r := &g.rules[m&0xffff]
				at.Rules = append(at.Rules[:len(at.Rules):len(at.Rules)], r.id)
				at.Citations = addCites(at.Citations, r.cites)
			}
		}
	}
	return out
}

// addCites unites two lists without touching either.
func addCites(have, more []corridor.Citation) []corridor.Citation {
	out := have[:len(have):len(have)]
	for i := range more {
		dup := false
		for j := range out {
			dup = dup || out[j].Article == more[i].Article && out[j].Instrument == more[i].Instrument
		}
		if !dup {
			out = append(out, more[i])
		}
	}
	return out
}
