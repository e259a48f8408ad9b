package law

import (
	"regexp"
)

// constants is a set of truth values: bit 0 for false, bit 1 for true.
type constants uint8

// idle warns of tests that could as well be a constant: leaving them out
// changes nothing under any law that the pack holds. A test inside a named
// condition is idle only if it is so in every rule that uses it. A dated list
// is data: that no state is on it today is no fault of the condition.
func (t *linter) idle(s *survey) {
	s.judge()
	type spot struct {
		rule *rule
		part int
		atom int
	}
	own, shared := map[spot]constants{}, map[int]constants{}
	var order []spot
	for _, g := range s.goals {
		if g.what != goalTest || !t.rules[g.rule].applies || s.pack.table.atoms[g.atom].list > 0 {
			continue
		}
		at := spot{g.rule, g.part, g.atom}
		if _, seen := own[at]; !seen {
			own[at], order = 3, append(order, at)
		}
		own[at] &= s.idleAs(g)
	}
	for _, at := range order {
		if _, seen := shared[at.atom]; !seen {
			shared[at.atom] = 3
		}
		shared[at.atom] &= own[at]
	}
	told := map[*condition]map[int]bool{}
	for _, at := range order {
		if own[at] == 0 {
			continue
		}
		named := s.namedBy(at.rule, at.part, at.atom)
		if named == nil {
			t.add(false, at.rule.spot(at.part), at.rule.id, "leave it out, or correct the condition", "a test of %s changes nothing: %s", at.rule.id, s.atomText(at.atom))
			continue
		}
		if told[named] == nil {
			told[named] = map[int]bool{}
		}
		if shared[at.atom] != 0 && !told[named][at.atom] {
			told[named][at.atom] = true
			t.add(false, named.place, "", "leave it out, or correct the condition", "a test of condition %s changes nothing: %s", named.name, s.atomText(at.atom))
		}
	}
}

func (u *rule) spot(part int) place {
	if part >= 0 {
		return u.results[part].place
	}
	return u.place
}

// idleAs gives the constants that could stand for a test that no pair shows.
func (s *survey) idleAs(g *goal) constants {
	if !g.impossible {
		return 0
	}
	out := constants(3)
	for _, at := range s.grounds(g.rule, g.side) {
		p := s.prover(at.g)
		for v := range int32(2) {
			if !p.same(g, at.i, v) {
				out &^= 1 << v
			}
		}
	}
	return out
}

// same says whether a rule does the same with one of its tests replaced by a
// constant.
func (p *prover) same(g *goal, i int, value int32) bool {
	d := p.b.d
	bare := p.b.rules[i].formulas()[g.part+1]
	other := d.xor(p.b.formula(bare), p.forced(bare, g.atom, value))
	where := d.and(p.able, other)
	if g.part >= 0 {
		later := no
		for _, r := range p.b.results[i][g.part:] {
			later = d.or(later, r)
		}
		return d.and(where, later) == no
	}
	for j := range p.b.lifts {
		if p.b.rules[i].unless[j/64]>>(j%64)&1 != 0 {
			where = d.and(where, d.not(p.b.applies[j]))
		}
	}
	return where == no
}

var used = regexp.MustCompile(`use\(\s*["']([^"']*)["']\s*\)`)

// namedBy finds the named condition through which a test comes into a
// condition, or nil if it stands there itself.
func (s *survey) namedBy(u *rule, part, atom int) *condition {
	src := u.src.text
	if part >= 0 {
		src = u.results[part].src.text
	}
	for _, m := range used.FindAllStringSubmatch(src, -1) {
		for _, c := range s.pack.conditions {
			if c.name != m[1] {
				continue
			}
			found := false
			c.f.atoms(map[*formula]bool{}, func(i int) { found = found || i == atom })
			if found {
				return c
			}
		}
	}
	return nil
}

// unreviewed warns of cases whose answer is the engine's own.
func unreviewed(cases []Case) []Finding {
	var out []Finding
	for _, c := range cases {
		if c.Proposed {
			out = append(out, Finding{Where: c.Where, Msg: "case " + c.ID + " was proposed by the engine, and nobody has reviewed it",
				Fix: "compare its answer with the article, then delete the line proposed: true"})
		}
	}
	return out
}
