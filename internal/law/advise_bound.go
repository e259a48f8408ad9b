package law

import (
	"math/bits"

	"corridor"
)

// unpayable is the bound of what no move can make lawful.
const unpayable int64 = 1 << 50

// choice is one way in which a fact can stand: the classes that are then
// possible, and the least that it costs.
type choice struct {
	mask uint64
	cost int64
}

// bound is the least that must still be paid under a node, or unpayable if no
// move left can make it lawful.
func (s *search) bound(n node) int64 {
	var rest []int
	today := s.ready(n.set)
	days := []corridor.Date{today}
	for i := n.next; i < len(s.list); i++ {
		with := n.set
		with.add(i)
		if !s.excluded(n.set, i) && !s.covered(with) {
			rest = append(rest, i)
			if d := s.list[i].ready; d > today {
				days = append(days, d)
			}
		}
	}
	least := unpayable
	done := map[int]bool{}
	for _, d := range days {
		class := s.classify(d)
		if done[class] {
			continue
		}
		done[class] = true
		least = min(least, s.boundOn(n.set, rest, d))
	}
	return least
}

// boundOn is bound for the law of one day: the dearest side decides.
func (s *search) boundOn(set bitset256, rest []int, day corridor.Date) int64 {
	c := s.at(day)
	vals := append([]values(nil), s.after(set, day)...)
	worst := int64(0)
	if len(c.sides) == 0 {
		return unpayable
	}
	for i, g := range c.sides {
		s.choices(g, vals, rest, day)
		s.memo = append(s.memo[:0], make([]int64, len(c.graph[i].d.level))...)
		worst = max(worst, s.pay(c.graph[i].d, c.graph[i].outcome))
		if worst == unpayable {
			break
		}
	}
	return worst
}

// choices lists per level of a program how the remaining moves can make it
// stand. A move that touches several levels spreads its cost over them.
func (s *search) choices(g *program, vals []values, rest []int, day corridor.Date) {
	s.alts = append(s.alts[:0], make([][]choice, len(g.part.levels))...)
	for l := range g.part.levels {
		s.alts[l] = append(s.alts[l], choice{g.part.levels[l].mask(&vals[g.part.levels[l].v]), 0})
	}
	touched := make([]int, len(g.part.levels))
	scratch := make([]values, len(vals))
	for _, i := range rest {
		m := s.list[i]
		var levels []int
		for _, v := range m.vars {
			if l, ok := g.part.of[v]; ok {
				levels = append(levels, l)
			}
		}
		if len(levels) == 0 {
			continue
		}
		copy(scratch, vals)
		s.apply(m, scratch, day)
		for _, l := range levels {
			touched[l]++
			s.alts[l] = append(s.alts[l], choice{g.part.levels[l].mask(&scratch[g.part.levels[l].v]), m.cost / int64(len(levels))})
		}
	}
	s.together(g, touched)
}

// together allows for numbers that several moves change one after another:
// any class may then come about, at no cost that we could name.
func (s *search) together(g *program, touched []int) {
	for l, n := range touched {
		if n > 1 && g.lib.vars[g.part.levels[l].v].kind == ranged {
			for c := range g.part.levels[l].n {
				s.alts[l] = append(s.alts[l], choice{1 << c, 0})
			}
		}
	}
}

// pay walks a diagram: at each fact the cheapest choice, and under it the
// dearest of the answers that stay open.
func (s *search) pay(d *diagram, n int32) int64 {
	if n < terminals {
		if n == impossible || permitted&end(n) != 0 {
			return 0
		}
		return unpayable
	}
	if s.memo[n] != 0 {
		return s.memo[n] - 1
	}
	level := d.level[n]
	least := unpayable
	for _, alt := range s.alts[level] {
		if alt.cost >= least {
			continue
		}
		worst := int64(0)
		for mask := alt.mask; mask != 0 && worst < unpayable; mask &= mask - 1 {
			worst = max(worst, s.pay(d, d.kids(n)[bits.TrailingZeros64(mask)]))
		}
		if worst < unpayable {
			least = min(least, alt.cost+worst)
		}
	}
	s.memo[n] = least + 1
	return least
}
