package law

import (
	"cmp"
	"slices"

	"corridor"
)

// states is who sends to whom, and the countries of other facts from which
// something is derived.
type states struct {
	origin, destination int
	raw                 []int
}

// framed is one country level of a program, or one derived from a country.
type framed struct {
	level int
	of    func(x *states) int // the value's number
}

// raws lists the country facts from which others are derived.
func (s *survey) raws() []*fact {
	var out []*fact
	for _, f := range s.lib.vocab.facts {
		if f.derive != nil && !slices.Contains(out, s.lib.vocab.byName[f.derive.from]) {
			out = append(out, s.lib.vocab.byName[f.derive.from])
		}
	}
	return out
}

// framed lists the levels of a program that the states of a flow fix.
func (s *survey) framed(g *program) []framed {
	var out []framed
	put := func(f *fact, of func(x *states) int) {
		if l, ok := g.part.of[f.vars[0]]; ok {
			out = append(out, framed{l, of})
		}
	}
	put(s.lib.vocab.byName["origin"], func(x *states) int { return x.origin })
	put(s.lib.vocab.byName["destination"], func(x *states) int { return x.destination })
	raws := s.raws()
	for i, f := range raws {
		put(f, func(x *states) int { return x.raw[i] })
	}
	for _, f := range s.lib.vocab.facts {
		if f.derive == nil {
			continue
		}
		i, of := slices.Index(raws, s.lib.vocab.byName[f.derive.from]), f.derive.of
		put(f, func(x *states) int {
			same := x.raw[i] == x.origin && of == 0 || x.raw[i] == x.destination && of == 1
			return int(map[bool]uint8{true: 1}[same])
		})
	}
	return out
}

// classes gives the classes in which the framed levels are.
func (g *program) classes(list []framed, x *states) string {
	out := make([]byte, len(list))
	for i, f := range list {
		out[i] = g.part.levels[f.level].cells[f.of(x)]
	}
	return string(out)
}

// samples gives at least three countries of each class that a program tells
// apart, those of first in front.
func (s *survey) samples(g *program, f *fact, first []int, only func(int) bool) []int {
	var out []int
	count := map[uint8]int{}
	take := func(i int) {
		class := uint8(0)
		if l, ok := g.part.of[f.vars[0]]; ok {
			class = g.part.levels[l].cells[i]
		}
		if only(i) && count[class] < 3 && !slices.Contains(out, i) {
			count[class]++
			out = append(out, i)
		}
	}
	for _, i := range first {
		take(i)
	}
	for i := range s.lib.atlas.codes {
		take(i)
	}
	return out
}

// places calls visit with states that a flow of this side can have, at least
// some for each way in which a program can tell them apart, the likeliest
// first, until visit gives true.
func (s *survey) places(g *program, near *states, visit func(x *states) bool) {
	home := func(i int) bool { return slices.Contains(s.homes, s.lib.atlas.codes[i]) }
	first := s.preferred(near)
	o, d := s.lib.vocab.byName["origin"], s.lib.vocab.byName["destination"]
	onOrigin, onDestination := home, func(int) bool { return true }
	switch g.side {
	case corridor.Import:
		onOrigin, onDestination = onDestination, onOrigin
	case corridor.Treaty:
		onOrigin = onDestination
	}
	raws := s.raws()
	for _, from := range s.samples(g, o, first, onOrigin) {
		for _, to := range s.samples(g, d, first, onDestination) {
			if from == to || home(from) && home(to) && len(s.homes) == 1 {
				continue
			}
			x := &states{origin: from, destination: to, raw: make([]int, len(raws))}
			if s.fill(g, x, raws, first, visit) {
				return
			}
		}
	}
}

// fill runs through the raw countries of a pair of states.
func (s *survey) fill(g *program, x *states, raws []*fact, first []int, visit func(x *states) bool) bool {
	var rest func(i int) bool
	rest = func(i int) bool {
		if i == len(raws) {
			return visit(x)
		}
		order := append([]int{x.origin, x.destination}, first...)
		for _, v := range s.samples(g, raws[i], order, func(int) bool { return true }) {
			if x.raw[i] = v; rest(i + 1) {
				return true
			}
		}
		return false
	}
	return rest(0)
}

// preferred lists the countries to try first: those at hand, the usual
// counterpart, then the states that have a pack.
func (s *survey) preferred(near *states) []int {
	var out []int
	put := func(i int) {
		if i >= 0 && !slices.Contains(out, i) {
			out = append(out, i)
		}
	}
	if near != nil {
		put(near.origin)
		put(near.destination)
		for _, i := range near.raw {
			put(i)
		}
	}
	for _, side := range s.likely {
		put(slices.Index(s.lib.atlas.codes, side.away))
	}
	for _, p := range s.lib.packs {
		put(slices.Index(s.lib.atlas.codes, p.jurisdiction))
	}
	return out
}

// frame is yes where origin, destination and what is derived from countries
// fit together, and every filing is in a state in which it can be.
func (s *survey) frame(d *diagram, g *program) int32 {
	list := s.framed(g)
	seen := map[string]bool{}
	s.places(g, nil, func(x *states) bool { seen[g.classes(list, x)] = true; return false })
	root := no
	for _, t := range keys(seen) {
		n := yes
		for i, f := range list {
			n = d.and(n, d.literal(int32(f.level), 1<<t[i]))
		}
		root = d.or(root, n)
	}
	for _, c := range g.still {
		l := g.part.of[c.v]
		var can uint64
		for i, name := range c.states {
			if c.settles(name) {
				can |= 1 << g.part.levels[l].cells[i]
			}
		}
		root = d.and(root, d.literal(int32(l), can))
	}
	return root
}

// settles says whether a filing can be in a state once its term is reckoned.
func (c *record) settles(state string) bool {
	return c.still == nil || state == c.still.then || state == c.still.before || !slices.Contains(c.still.while, state)
}

// likely is what the cases of one side usually have.
type likely struct {
	date corridor.Date
	away string // the other state
}

// habits finds the commonest date and counterpart of a pack's cases; a pack
// without cases takes the date of its version or its newest law.
func (s *survey) habits(results []CaseResult) [3]likely {
	var out [3]likely
	for side := range sides {
		dates, aways := map[corridor.Date]int{}, map[string]int{}
		for i := range results {
			c := &results[i].Case
			if s.lib.byJurisdiction[c.Jurisdiction] != s.pack {
				continue
			}
			dates[c.Flow.Date]++
			if away := []string{c.Flow.Destination, c.Flow.Origin, c.Flow.Destination}[side]; c.Side == sides[side] && !slices.Contains(s.homes, away) {
				aways[away]++
			}
		}
		out[side] = likely{commonest(dates), commonest(aways)}
		if out[side].date == 0 {
			out[side].date = s.pack.today()
		}
	}
	for side := range sides {
		if out[side].away == "" {
			out[side].away = cmp.Or(out[0].away, out[1].away)
		}
		for _, p := range s.lib.packs {
			if _, ok := s.lib.atlas.number(p.jurisdiction); out[side].away == "" && ok && p != s.pack {
				out[side].away = p.jurisdiction
			}
		}
	}
	return out
}

func commonest[K ~string | ~int32](count map[K]int) K {
	var best K
	for k, n := range count {
		if b := count[best]; n > b || n == b && k > best {
			best = k
		}
	}
	return best
}

// farAhead is the day after which what a pack knows is only what is known now.
func (p *pack) farAhead() corridor.Date {
	if p.known == 0 { // no source of it has a date
		return dateMax
	}
	return p.known + maxHorizon
}

// lastKnown is the newest day of which a pack speaks.
func (p *pack) lastKnown() corridor.Date {
	day := p.today()
	for _, u := range p.rules {
		day = max(day, u.from, u.to)
	}
	return day
}

// today is the newest date on which a source of the pack was seen: the day of
// which its author speaks.
func (p *pack) today() corridor.Date {
	var day corridor.Date
	for _, u := range p.rules {
		day = max(day, u.source.on)
	}
	return day
}
