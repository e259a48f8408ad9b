package law

import (
	"slices"
	"strings"

	"corridor"
)

// apply carries out one move on what is possible. day is when the plan is
// ready, which decides whether a term has passed.
func (s *search) apply(m *move, vals []values, day corridor.Date) {
	if m.rec != nil {
		s.applyRecord(m, &vals[m.rec.v], day)
	}
	derive := false
	for i := range m.effects {
		e := &m.effects[i]
		s.applyEffect(m, e, vals)
		derive = derive || e.f.Type == typeCountry
	}
	if derive {
		in := inputs{lib: s.lib, flow: s.flow, vals: vals}
		_ = in.derive() // it can only refuse filings, and there are none
	}
}

// applyRecord puts a record into a state. What is already further stays.
func (s *search) applyRecord(m *move, x *values, day corridor.Date) {
	to := m.state
	if still := m.rec.still; still != nil && m.filed != 0 {
		to = slices.Index(m.rec.states, still.before)
		if day > m.last {
			to = slices.Index(m.rec.states, still.then)
		}
	}
	for i := range to {
		if x.set.has(i) {
			x.set.remove(i)
			x.set.add(to)
		}
	}
}

func (s *search) applyEffect(m *move, e *effect, vals []values) {
	x := &vals[e.f.vars[0]]
	switch e.op {
	case "to":
		s.applyTo(e, x)
	case "raise":
		to := slices.Index(e.f.Values, e.word)
		for i := range to {
			if x.set.has(i) {
				x.set.remove(i)
				x.set.add(to)
			}
		}
	case "remove":
		for _, member := range m.removes(s.lib) {
			if v, ok := e.f.memberVar(s.lib.vars, member); ok {
				vals[v] = truth(false)
			}
		}
	case "clear":
		for _, v := range e.f.vars {
			vals[v] = truth(false)
		}
	case "at_most":
		s.applyAtMost(m, e, vals)
	case "release":
		s.applyRelease(e, vals)
	case "restart":
		if file := vals[s.variable(e.counts.file)]; file.hi < x.hi {
			x.lo, x.hi = max(file.lo, s.lib.vars[e.f.vars[0]].min), file.hi
		}
	}
}

func (s *search) applyTo(e *effect, x *values) {
	to := values{lo: 1}
	switch v := e.to.(type) {
	case bool:
		to = truth(v)
	case int64:
		to = between(v, v)
	case string:
		i := slices.Index(e.f.Values, v)
		if e.f.Type == typeCountry {
			i, _ = s.lib.atlas.number(s.flow.Origin)
		}
		to = just(i)
	}
	if e.from == nil {
		*x = to
		return
	}
	for _, w := range e.from {
		if i := slices.Index(e.f.Values, w); x.set.has(i) {
			x.set.remove(i)
			for j := range to.set {
				x.set[j] |= to.set[j]
			}
		}
	}
}

// applyAtMost keeps a number at or below the move's line, and the people of
// this flow at what that leaves.
func (s *search) applyAtMost(m *move, e *effect, vals []values) {
	x := &vals[e.f.vars[0]]
	if e.counts == nil {
		least := max(e.f.Min, m.each.least)
		if x.none || x.lo > m.limit {
			*x = between(least, m.limit)
		}
		x.hi = min(x.hi, m.limit)
		return
	}
	file := &vals[s.variable(e.counts.file)]
	x.hi = min(x.hi, m.limit)
	x.lo = min(max(1, x.lo-file.hi), x.hi)
	file.hi = min(file.hi, m.rest)
	file.lo = min(1, file.hi)
}

// applyRelease takes the people of this flow out of one counter and puts them
// into another: without its sensitive data a flow counts with the others.
func (s *search) applyRelease(e *effect, vals []values) {
	x, file := &vals[e.f.vars[0]], &vals[s.variable(e.counts.file)]
	lo, hi := file.lo, min(file.hi, x.hi)
	x.lo, x.hi = max(0, x.lo-hi), max(0, x.hi-lo)
	*file = between(0, 0)
	if e.counts.to != "" {
		v := s.variable(e.counts.to)
		to := &vals[v]
		to.hi = min(to.hi+hi, s.lib.vars[v].max)
	}
}

// facts writes the flow after a set of moves: what they touch is said anew,
// everything else stays as it was given.
func (s *search) facts(set bitset256, vals []values) corridor.Facts {
	out := s.flow.Facts.Clone()
	for i := range s.list {
		if set.has(i) {
			for name, v := range s.says(s.list[i], vals) {
				if class, kind, ok := recordName(name); ok {
					forget(out, class, kind)
				}
				out[name] = v
			}
		}
	}
	return out
}

// forget drops what flat facts say of one record.
func forget(facts corridor.Facts, class, kind string) {
	base := class + "s." + kind
	for name := range facts {
		if name == base || strings.HasPrefix(name, base+".") {
			delete(facts, name)
		}
	}
}

// says lists the facts that a move touches, as they are after the whole plan.
func (s *search) says(m *move, vals []values) corridor.Facts {
	out := corridor.Facts{}
	if m.rec != nil {
		name := m.rec.class + "s." + m.rec.id
		if m.filed != 0 {
			out[name] = map[string]any{"state": m.rec.still.while[0], "filed_on": m.filed.String()}
		} else {
			out[name] = map[string]any{"state": s.words(vals[m.rec.v].set, m.rec.states)}
		}
	}
	done := map[*fact]bool{}
	for _, v := range m.vars {
		f := s.lib.vars[v].fact
		if f == nil || f.derive != nil || done[f] {
			continue
		}
		done[f] = true
		if raw, ok := s.write(f, vals); ok {
			out[f.Name] = raw
		}
	}
	return out
}

// words writes the possible words of an enum or of a record's states.
func (s *search) words(set bitset256, names []string) any {
	var list []any
	for i, n := range names {
		if set.has(i) {
			list = append(list, n)
		}
	}
	if len(list) == 1 {
		return list[0]
	}
	return map[string]any{"one_of": list}
}

// write puts what is possible for a fact into the shapes of a flow. ok is
// false where nothing is known.
func (s *search) write(f *fact, vals []values) (raw any, ok bool) {
	x := vals[f.vars[0]]
	v := s.lib.vars[f.vars[0]]
	switch f.Type {
	case typeSet:
		return s.writeSet(f, vals), true
	case typeCountries:
		return []any{}, true // only clear touches it
	case typeBool:
		if x.set.count() != 1 {
			return nil, false
		}
		return x.set.has(1), true
	case typeInt:
		switch {
		case x.none || x.lo > x.hi:
			return nil, false
		case x.lo == x.hi:
			return x.lo, true
		case x.lo == v.min && x.hi == v.max:
			return nil, false
		}
		return map[string]any{"min": x.lo, "max": x.hi}, true
	}
	if x.set.count() == len(v.values) {
		return nil, false
	}
	return s.words(x.set, v.values), true
}

func (s *search) writeSet(f *fact, vals []values) any {
	has, lacks := []any{}, []any{}
	for _, v := range f.vars {
		switch x := vals[v].set; {
		case !x.has(0):
			has = append(has, s.lib.vars[v].member)
		case !x.has(1):
			lacks = append(lacks, s.lib.vars[v].member)
		}
	}
	return map[string]any{"has": has, "lacks": lacks}
}
