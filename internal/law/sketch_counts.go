package law

// countedPart is a number and those that include it, by their variables.
type countedPart struct {
	part  int
	whole []int
}

// numbersCompared says in a sketch that the numbers stand at its end.
const numbersCompared = 1 << 62

func (b *sketchBook) nameCounts() {
	for _, f := range b.lib.vocab.facts {
		if len(f.Within) == 0 {
			continue
		}
		c := countedPart{part: f.vars[0]}
		for _, name := range f.Within {
			c.whole = append(c.whole, b.lib.vocab.byName[name].vars[0])
		}
		b.counts = append(b.counts, c)
	}
}

// compare adds the numbers themselves where inputs.count would refuse them,
// take one back or narrow one: there the cells do not tell everything. Where
// it would leave all as they are the cells do.
func (s *sketcher) compare(profile *sketchedProfile) bool {
	alone := true
	for i := range s.counts {
		alone = alone && s.leavesAlone(&s.counts[i], profile)
	}
	if alone {
		return true
	}
	s.words[1] |= numbersCompared
	add := func(v int) {
		lo, hi := s.known(v, profile)
		s.words = append(s.words, uint64(lo), uint64(hi))
	}
	for _, c := range s.counts {
		add(c.part)
		for _, v := range c.whole {
			add(v)
		}
	}
	return true
}

// known is what the flow, or else its profile, says of a number.
func (s *sketcher) known(v int, profile *sketchedProfile) (lo, hi int64) {
	x := &s.lib.unsaid[v]
	if s.ranges[v] == s.stamp {
		x = &s.given[v]
	} else if profile.sets != nil {
		if set, ok := profile.sets[v]; ok {
			return set.lo, set.hi
		}
	}
	return x.lo, x.hi
}

func (s *sketcher) leavesAlone(c *countedPart, profile *sketchedProfile) bool {
	var most int64
	for _, v := range c.whole {
		_, hi := s.known(v, profile)
		most += hi
	}
	from, to := s.known(c.part, profile)
	if from > most || to > most || most == 0 || to == 0 { // with none at all the class of data matters too: see inputs.someone
		return false
	}
	for _, v := range c.whole {
		if lo, hi := s.known(v, profile); lo < from-(most-hi) {
			return false
		}
	}
	return true
}
