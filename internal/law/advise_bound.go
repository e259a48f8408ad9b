package law

import (
	"math/bits"
	"slices"

	"corridor"
)

// unpayable is the bound of what no move can make lawful.
const unpayable int64 = 1 << 50

// choice is one way in which a fact can stand: the classes that are then
// possible, and the least that it takes.
type choice struct {
	mask  uint64
	least price
}

// price is what moves cost and how many they are, in parts of one.
type price [2]int64

const (
	byCost = iota
	byCount
)

// oneMove is a move in the parts that a price counts in: moves that write up
// to ten facts are shared out exactly.
const oneMove = 2520

// bound is the least that must still be paid under a node, or unpayable if no
// move left can make it lawful with as many actions as a plan may have.
func (s *search) bound(n node) int64 {
	room := int64(s.limits.Actions-n.set.count()) * oneMove
	var rest []int
	today := s.ready(n.set)
	days := []corridor.Date{today}
	for _, i := range s.order[n.next:] {
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
		least = min(least, s.boundOn(n.set, rest, room, d))
	}
	return least
}

// boundOn is bound for the law of one day: the dearest side decides.
func (s *search) boundOn(set bitset256, rest []int, room int64, day corridor.Date) int64 {
	c := s.at(day)
	s.stand = append(s.stand[:0], s.after(set, day)...)
	worst := int64(0)
	if len(c.sides) == 0 {
		return unpayable
	}
	for i, g := range c.sides {
		s.choices(g, rest, day)
		worst = max(worst, s.least(c.graph[i], byCost))
		if worst == unpayable {
			return worst
		}
		if s.least(c.graph[i], byCount) > room {
			s.cut = true
			return unpayable
		}
	}
	return worst
}

func (s *search) least(g *graph, by int) int64 {
	s.memo = slices.Grow(s.memo[:0], len(g.d.level))[:len(g.d.level)]
	clear(s.memo)
	return s.pay(g.d, g.outcome, by)
}

// choices lists per level of a program how the remaining moves can make it
// stand. A move that touches several levels spreads its cost over them.
func (s *search) choices(g *program, rest []int, day corridor.Date) {
	levels := g.part.levels
	s.alts = slices.Grow(s.alts[:0], len(levels))[:len(levels)]
	s.touch = slices.Grow(s.touch[:0], len(levels))[:len(levels)]
	for l := range levels {
		s.alts[l] = append(s.alts[l][:0], choice{mask: levels[l].mask(&s.stand[levels[l].v])})
		s.touch[l] = s.touch[l][:0]
	}
	s.scratch = append(s.scratch[:0], s.stand...)
	for _, i := range rest {
		m := s.list[i]
		n := int64(0)
		for _, v := range m.vars {
			if _, ok := g.part.of[v]; ok {
				n++
			}
		}
		if n == 0 {
			continue
		}
		s.apply(m, s.scratch, day)
		for _, v := range m.vars {
			if l, ok := g.part.of[v]; ok {
				s.touch[l] = append(s.touch[l], i)
				s.alts[l] = append(s.alts[l], choice{levels[l].mask(&s.scratch[v]), price{m.cost / n, oneMove / n}})
			}
		}
		for _, v := range m.vars {
			s.scratch[v] = s.stand[v]
		}
	}
	s.together(g)
}

// together allows for numbers that several moves of one plan may change one
// after another: any class may then come about, at no cost that we could name.
func (s *search) together(g *program) {
	for l, moves := range s.touch {
		if g.lib.vars[g.part.levels[l].v].kind == ranged && s.compatible(moves) {
			for c := range g.part.levels[l].n {
				s.alts[l] = append(s.alts[l], choice{mask: 1 << c})
			}
		}
	}
}

// compatible says whether two of the moves can stand in one plan.
func (s *search) compatible(moves []int) bool {
	for k, i := range moves {
		for _, j := range moves[k+1:] {
			if !s.foes[i].has(j) {
				return true
			}
		}
	}
	return false
}

// pay walks a diagram: at each fact the cheapest choice, and under it the
// dearest of the answers that stay open.
func (s *search) pay(d *diagram, n int32, by int) int64 {
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
		if alt.least[by] >= least {
			continue
		}
		worst := int64(0)
		for mask := alt.mask; mask != 0 && worst < unpayable; mask &= mask - 1 {
			worst = max(worst, s.pay(d, d.kids(n)[bits.TrailingZeros64(mask)], by))
		}
		if worst < unpayable {
			least = min(least, alt.least[by]+worst)
		}
	}
	s.memo[n] = least + 1
	return least
}
