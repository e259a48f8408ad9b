package law

import (
	"fmt"
	"strings"

	"corridor"
)

// atomText writes a test the way a pack does.
func (s *survey) atomText(i int) string {
	a := &s.pack.table.atoms[i]
	v := s.lib.vars[a.v]
	name := v.name
	if v.record != nil {
		name = fmt.Sprintf("%s(%q).state", v.record.class, v.record.id)
	}
	switch {
	case a.none:
		return name + " == none"
	case a.list > 0:
		return fmt.Sprintf("%s in list(%q)", name, s.pack.lists[a.list-1].name)
	case v.member != "":
		return fmt.Sprintf("%q in %s", v.member, v.fact.Name)
	case v.kind == ranged:
		return name + a.rangeText(v)
	case v.fact != nil && v.fact.Type == typeBool && a.set.has(1):
		return name
	case v.fact != nil && v.fact.Type == typeBool:
		return "!" + name
	}
	var in []string
	for n, value := range v.values {
		if a.set.has(n) {
			in = append(in, fmt.Sprintf("%q", value))
		}
	}
	if len(in) == 1 {
		return name + " == " + in[0]
	}
	return name + " in [" + strings.Join(in, ", ") + "]"
}

// rangeText writes the span of a test. A pack may have written < or <=: of
// the two numbers the rounder one is shown.
func (t *test) rangeText(v *variable) string {
	write := func(n int64) string {
		if v.fact.Type == typeDate {
			return fmt.Sprintf("date(%q)", corridor.Date(n))
		}
		return fmt.Sprint(n)
	}
	switch {
	case t.lo == t.hi:
		return " == " + write(t.lo)
	case t.lo > v.min && zeros(t.lo-1) > zeros(t.lo):
		return " > " + write(t.lo-1)
	case t.lo > v.min:
		return " >= " + write(t.lo)
	case zeros(t.hi+1) > zeros(t.hi):
		return " < " + write(t.hi+1)
	}
	return " <= " + write(t.hi)
}

// zeros counts how round a number is.
func zeros(n int64) int {
	if n == 0 {
		return 1
	}
	k := 0
	for ; n%10 == 0; n /= 10 {
		k++
	}
	return k
}

// flips says in the case's note what it shows, and with which other case.
func (s *survey) flips(g *goal, at *spot, other string) string {
	i := 0
	for i < len(at.g.rules)-1 && at.g.rules[i].rule != g.rule {
		i++
	}
	r := &at.g.rules[i]
	does := "does not apply"
	if at.applied(i) {
		if does = "applies"; len(r.results) > 1 {
			k := at.g.pick(r, &at.evaluation)
			does = fmt.Sprintf("yields result %d, %s", k+1, r.results[k].outcome)
		}
	}
	text := g.rule.id + " " + does
	if g.what == goalTest {
		is := "false"
		if at.atom(g.atom) {
			is = "true"
		}
		text += fmt.Sprintf(": %s is %s", s.atomText(g.atom), is)
	}
	if other != "" {
		text += "; compare " + other
	}
	return text
}
