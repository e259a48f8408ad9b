package law

import (
	"cmp"
	"slices"

	"corridor"
)

// maxNearMisses bounds the list of one side.
const maxNearMisses = 12

// nearMisses lists rules that one other value of one known fact would bring
// to bear or would lift, where that changes the side's outcome or what it
// asks for. Its Outcome is the side's outcome after that change.
func (p *prepared) nearMisses(d *corridor.Decision) []corridor.NearMiss {
	m := p.g.lib.marks()
	defer p.g.lib.scratch.Put(m)
	before := make([]ends, len(p.g.rules))
	for i := range p.g.rules {
		before[i] = p.graph.d.reach(p.graph.rules[i].applies, p.masks, m).real()
	}
	masks := slices.Clone(p.masks)
	var out []nearMiss
	for _, level := range p.g.shown {
		l := &p.g.part.levels[level]
		was := p.masks[level]
		if !l.law || was&(was-1) != 0 || p.fixed(level) || slices.Contains(p.stuck, level) {
			continue
		}
		for c := range l.n {
			if was>>c&1 != 0 {
				continue
			}
			masks[level] = 1 << c
			e := p.graph.d.reach(p.graph.outcome, masks, m).real()
			if e != 0 { // else an axiom forbids this change alone
				after, _, _ := e.outcomes()
				out = append(out, p.flipped(d, level, c, after, before, masks, m)...)
			}
		}
		masks[level] = was
	}
	return p.nearest(out)
}

// nearMiss is one with what its order depends on.
type nearMiss struct {
	corridor.NearMiss
	rank int
}

// fixed says whether a fact is not open to a "what if": the pair of states.
func (p *prepared) fixed(level int) bool {
	v := p.g.lib.vars[p.g.part.levels[level].v]
	return v.fact != nil && v.fact.Name == "origin"
}

// flipped lists the rules whose bearing one change turns over.
func (p *prepared) flipped(d *corridor.Decision, level, class int, after corridor.Outcome, before []ends, masks []uint64, m *marks) []nearMiss {
	var out []nearMiss
	v := p.g.lib.vars[p.g.part.levels[level].v]
	for i := range p.g.rules {
		r := &p.g.rules[i]
		if r.kind != kindRule || !r.uses[level] {
			continue
		}
		now := p.graph.d.reach(p.graph.rules[i].applies, masks, m).real()
		if now == before[i] || now != end(yes) && now != end(no) {
			continue
		}
		n := nearMiss{corridor.NearMiss{Rule: r.id, Fact: p.factName(level, v), Value: p.classText(level, class, v), Outcome: after, Text: r.text}, 0}
		switch {
		case v.kind == ranged:
			n.rank = 0
		case v.record != nil:
			n.rank = 1
		case v.member == "":
			n.rank = 2
		default:
			n.rank = 3
		}
		if after == d.Outcome {
			n.rank += 4
		}
		out = append(out, n)
	}
	return out
}

// nearest keeps the most telling ones: those that change the outcome, numbers
// and vehicles before purposes, and members of sets last.
func (p *prepared) nearest(list []nearMiss) []corridor.NearMiss {
	slices.SortStableFunc(list, func(a, b nearMiss) int { return cmp.Compare(a.rank, b.rank) })
	var out []corridor.NearMiss
	for _, n := range list[:min(len(list), maxNearMisses)] {
		out = append(out, n.NearMiss)
	}
	return out
}

func (p *prepared) factName(level int, v *variable) string {
	switch {
	case v.record != nil:
		return v.record.class + "s." + v.record.id
	case v.fact.derive != nil:
		return v.fact.derive.from
	}
	return v.fact.Name
}

// classText writes a class as a value that a person could give.
func (p *prepared) classText(level, class int, v *variable) string {
	l := &p.g.part.levels[level]
	if v.member != "" {
		if l.cells[1] == uint8(class) {
			return "+" + v.member
		}
		return "-" + v.member
	}
	if v.fact != nil && v.fact.derive != nil {
		of := p.pair[v.fact.derive.of]
		if l.cells[1] == uint8(class) {
			return of
		}
		return "≠ " + of
	}
	var parts []string
	for i, c := range l.cells {
		if int(c) != class {
			continue
		}
		if v.kind == ranged {
			lo, hi := l.span(i, v)
			parts = append(parts, spanText(v, lo, hi))
			continue
		}
		parts = append(parts, v.values[i])
	}
	if v.optional && int(l.none) == class {
		parts = append(parts, "none")
	}
	text := ""
	for i, s := range parts {
		if i == 6 {
			return text + ", ..."
		}
		if i > 0 {
			text += ", "
		}
		text += s
	}
	return text
}
