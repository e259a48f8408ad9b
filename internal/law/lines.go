package law

import (
	"cmp"
	"slices"

	"corridor"
)

// Line is a number at which a provision begins or ceases to apply: below it
// the provision says one thing of a fact, from it on another.
type Line struct {
	At        int64               `json:"at"`
	Pack      string              `json:"pack"`
	Rule      string              `json:"rule"`
	Kind      string              `json:"kind"` // rule, exemption or duty
	Text      corridor.Text       `json:"text"`
	Citations []corridor.Citation `json:"citations"`
}

// Lines lists the lines that the packs draw through a numeric fact on a day,
// ascending: of one jurisdiction, or of all packs if none is named. The zero
// day stands for every day, past and coming. A fact that is not numeric has
// none.
func (l *Library) Lines(fact, jurisdiction string, day corridor.Date) []Line {
	f := l.vocab.byName[fact]
	if f == nil || len(f.vars) != 1 || l.vars[f.vars[0]].kind == finite {
		return nil
	}
	v := f.vars[0]
	var out []Line
	for _, p := range l.packs {
		if jurisdiction != "" && p.jurisdiction != jurisdiction || !p.table.tests(v) {
			continue
		}
		for _, u := range p.rules {
			if day == 0 || u.covers(day) {
				out = append(out, l.linesOf(p, u, v)...)
			}
		}
	}
	slices.SortFunc(out, func(a, b Line) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Pack, b.Pack), cmp.Compare(a.Rule, b.Rule))
	})
	return out
}

// linesOf lists the numbers at which a rule tells values of v apart.
func (l *Library) linesOf(p *pack, u *rule, v int) (out []Line) {
	seen, cuts := map[*formula]bool{}, map[int64]bool{}
	for _, f := range u.formulas() {
		f.atoms(seen, func(i int) {
			a := &p.table.atoms[i]
			if a.v != v {
				return
			}
			if a.test.lo > l.vars[v].min {
				cuts[a.test.lo] = true
			}
			if a.test.hi < l.vars[v].max {
				cuts[a.test.hi+1] = true
			}
		})
	}
	for at := range cuts {
		out = append(out, Line{At: at, Pack: p.id, Rule: u.id, Kind: u.kind, Text: u.text, Citations: u.cites})
	}
	return out
}
