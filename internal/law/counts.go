package law

import (
	"slices"
	"strings"

	"corridor"
)

// count holds numbers to the larger numbers that they are part of: what is in
// one file is in the count of the year. Without it a forgotten year's count
// would pass below a threshold that the file alone reaches.
func (in *inputs) count() error {
	for _, f := range in.lib.vocab.facts {
		if f.About != "" {
			if err := in.someone(f); err != nil {
				return err
			}
		}
		if len(f.Within) == 0 {
			continue
		}
		if in.vals[f.vars[0]].lo > in.most(f.Within) {
			in.doubt(f)
		}
		part, most := &in.vals[f.vars[0]], in.most(f.Within)
		if part.lo > most {
			e := corridor.E(corridor.Invalid, "%s is at least %d, but %s, which include it, at most %d", f.Name, part.lo, strings.Join(f.Within, " and "), most)
			if len(f.Within) == 1 {
				e = corridor.E(corridor.Invalid, "%s is at least %d, but %s, which includes it, at most %d", f.Name, part.lo, f.Within[0], most)
			}
			e.Where, e.Fix = "facts."+f.Within[0], "count this flow in; or leave out what is not known"
			return e
		}
		part.hi = min(part.hi, most)
		for _, name := range f.Within {
			whole := &in.vals[in.lib.vocab.byName[name].vars[0]]
			whole.lo = max(whole.lo, part.lo-(most-whole.hi))
		}
	}
	return nil
}

// someone holds a count of people to the class of data that is about people:
// where that is there, the count and the larger ones that it is part of are
// not zero.
func (in *inputs) someone(f *fact) error {
	x := &in.vals[f.vars[0]]
	zero := func() bool { return x.hi == 0 || len(f.Within) > 0 && in.most(f.Within) == 0 }
	if !zero() {
		return nil
	}
	in.lib.axioms.close(in.vals)
	if !in.surely(f.About) {
		return nil
	}
	if in.doubt(f); !zero() {
		return nil
	}
	names := f.Name
	if x.hi != 0 {
		names = strings.Join(f.Within, " and ")
	}
	e := corridor.E(corridor.Invalid, "the data is %q, which is about at least one person, but there is nobody by %s", f.About, names)
	e.Where, e.Fix = "facts."+f.Name, "count this flow in; leave out what is not known; or correct data_classes"
	if x.hi != 0 {
		e.Where = "facts." + f.Within[0]
	}
	return e
}

// surely says whether a flow has a member of a set for certain.
func (in *inputs) surely(member string) bool {
	for _, f := range in.lib.vocab.facts {
		if f.Type != typeSet {
			continue
		}
		if v, ok := f.memberVar(in.lib.vars, member); ok && !in.vals[v].set.has(0) {
			return true
		}
	}
	return false
}

// most is the largest sum of some numbers that is possible.
func (in *inputs) most(names []string) int64 {
	var n int64
	for _, name := range names {
		n += in.vals[in.lib.vocab.byName[name].vars[0]].hi
	}
	return n
}

// doubt takes back what the profile says where what is given contradicts it.
func (in *inputs) doubt(part *fact) {
	back := func(v int) bool {
		if in.given[v] != byProfile {
			return false
		}
		in.vals[v], in.given[v] = in.lib.vars[v].anything(), byNobody
		in.assumed = slices.DeleteFunc(in.assumed, func(a assumption) bool { return slices.Contains(a.vars, v) })
		return true
	}
	if back(part.vars[0]) {
		return
	}
	for _, name := range part.Within {
		back(in.lib.vocab.byName[name].vars[0])
	}
}
