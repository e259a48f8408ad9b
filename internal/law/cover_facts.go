package law

import (
	"cmp"
	"slices"

	"corridor"
)

// usualClasses gives the class that each fact of a program usually has: what
// the profile of cases says, else the weightiest value.
func (s *survey) usualClasses(g *program, side int) []uint8 {
	if out := s.usual[g]; out != nil {
		return out
	}
	out := make([]uint8, len(g.part.levels))
	masks := make([]uint64, len(out))
	if in := s.base(g, s.flowOf(g, side, nil)); in != nil {
		masks = g.part.masks(in.vals)
	}
	for l := range out {
		out[l] = g.usually(l, masks[l])
	}
	s.usual[g] = out
	return out
}

// flowOf is a flow of the pack's side with no facts, on a day of the program.
func (s *survey) flowOf(g *program, side int, x *states) corridor.Flow {
	if x == nil {
		s.places(g, nil, func(first *states) bool { x = first; return true })
	}
	f := corridor.Flow{Date: g.day(s.likely[side].date), Facts: corridor.Facts{}}
	if x != nil {
		f.Origin, f.Destination = s.lib.atlas.codes[x.origin], s.lib.atlas.codes[x.destination]
	}
	if s.lib.profiles[DefaultProfile] != nil {
		f.Assume = DefaultProfile
	}
	return f
}

func (s *survey) base(g *program, f corridor.Flow) *inputs {
	in, err := s.lib.read(f, s.pack)
	if err != nil {
		return nil
	}
	in.standstills()
	return in
}

// day is a day of the program: the wanted one, else its first, else its last.
func (g *program) day(want corridor.Date) corridor.Date {
	switch {
	case g.on(want):
		return want
	case g.from != 0:
		return g.from
	}
	return g.until - 1
}

// usually picks from the classes that a profile leaves: the only one, the
// weightiest member of a set alone, the lowest number, the weightiest value.
func (g *program) usually(l int, mask uint64) uint8 {
	lv := &g.part.levels[l]
	v := g.lib.vars[lv.v]
	if mask != 0 && mask&(mask-1) == 0 {
		return uint8(lowest(mask))
	}
	if v.kind == ranged {
		return lv.cells[0]
	}
	if v.member != "" {
		return lv.cells[map[bool]int{true: 1}[v.member == v.fact.weightiest()]]
	}
	best := 0
	for i, name := range v.values {
		if mask>>lv.cells[i]&1 != 0 && v.fact != nil && v.fact.weights[name] > v.fact.weights[v.values[best]] {
			best = i
		}
	}
	return lv.cells[best]
}

func lowest(mask uint64) int {
	for i := range 64 {
		if mask>>i&1 != 0 {
			return i
		}
	}
	return 0
}

// weightiest is the most usual member of a set or value of an enum.
func (f *fact) weightiest() string {
	best := ""
	for _, v := range f.Values {
		if best == "" || f.weights[v] > f.weights[best] {
			best = v
		}
	}
	return best
}

// someNumber is written where any number below the law's first line will do.
const someNumber = 1000

// wish is a point for which facts are wanted.
type wish struct {
	g     *program
	side  int
	class []uint8
	near  *spot         // keep its values where they fit
	set   map[int]int64 // variables whose value is wanted
}

// draft turns classes into a flow that has them, saying only what the profile
// does not say.
func (s *survey) draft(w wish) (corridor.Flow, bool) {
	x := s.standing(w)
	if x == nil {
		return corridor.Flow{}, false
	}
	f := s.flowOf(w.g, w.side, x)
	if w.near != nil && w.g.on(w.near.flow.Date) {
		f.Date = w.near.flow.Date
	}
	in := s.base(w.g, f)
	if in == nil {
		return f, false
	}
	masks := w.g.part.masks(in.vals)
	sets := map[*fact]bool{}
	for l := range w.g.part.levels {
		v := s.lib.vars[w.g.part.levels[l].v]
		sure := masks[l] == 1<<w.class[l]
		_, wanted := w.set[w.g.part.levels[l].v]
		needed := wanted || !sure && (w.g.part.levels[l].law || masks[l]>>w.class[l]&1 == 0)
		switch {
		case v.fact != nil && (v.fact.derive != nil || v.fact.Name == "origin" || v.fact.Name == "destination"):
		case v.member != "":
			sets[v.fact] = sets[v.fact] || needed
		case !needed:
		case v.record != nil:
			s.putState(f.Facts, w, l, v.record, f.Date)
		default:
			f.Facts[v.fact.Name] = s.pickValue(w, l, v)
		}
	}
	for i, raw := range s.raws() {
		if usual := &in.vals[raw.vars[0]]; usual.set.count() != 1 || !usual.set.has(x.raw[i]) {
			f.Facts[raw.Name] = s.lib.atlas.codes[x.raw[i]]
		}
	}
	s.putSets(f.Facts, w, in, sets)
	s.shorten(f.Facts)
	return f, true
}

// standing finds countries that are in the wanted classes.
func (s *survey) standing(w wish) *states {
	list := s.framed(w.g)
	var near *states
	if w.near != nil {
		o, _ := s.lib.atlas.number(w.near.flow.Origin)
		d, _ := s.lib.atlas.number(w.near.flow.Destination)
		near = &states{origin: o, destination: d}
		for _, raw := range s.raws() {
			near.raw = append(near.raw, w.near.vals[raw.vars[0]].only())
		}
	}
	want := make([]byte, len(list))
	for i, f := range list {
		want[i] = w.class[f.level]
	}
	var found *states
	s.places(w.g, near, func(x *states) bool {
		if w.g.classes(list, x) != string(want) {
			return false
		}
		found = &states{x.origin, x.destination, slices.Clone(x.raw)}
		return true
	})
	return found
}

// only gives the one number that is possible, or -1.
func (x *values) only() int {
	if x.set.count() != 1 {
		return -1
	}
	for i := range 256 {
		if x.set.has(i) {
			return i
		}
	}
	return -1
}

// pickValue gives a value of the wanted class: the wanted one, that of the
// case next to it, the weightiest, or one at a line of the law.
func (s *survey) pickValue(w wish, l int, v *variable) any {
	lv := &w.g.part.levels[l]
	if _, wanted := w.set[lv.v]; !wanted && v.optional && lv.none == w.class[l] {
		return nil
	}
	if v.kind == ranged {
		n := s.pickNumber(w, l, v)
		if v.fact.Type == typeDate {
			return corridor.Date(n).String()
		}
		return n
	}
	fits := func(i int) bool { return i >= 0 && lv.cells[i] == w.class[l] }
	best := -1
	for i, name := range v.values {
		if fits(i) && (best < 0 || v.fact.weights[name] > v.fact.weights[v.values[best]]) {
			best = i
		}
	}
	if w.near != nil && fits(w.near.vals[lv.v].only()) {
		best = w.near.vals[lv.v].only()
	}
	if v.fact.Type == typeBool {
		return best == 1
	}
	return v.values[max(best, 0)]
}

func (s *survey) pickNumber(w wish, l int, v *variable) int64 {
	lv := &w.g.part.levels[l]
	if n, ok := w.set[lv.v]; ok {
		return n
	}
	if w.near != nil {
		if x := w.near.vals[lv.v]; x.lo == x.hi && lv.mask(&x) == 1<<w.class[l] {
			return x.lo
		}
	}
	for i, c := range lv.cells {
		if c != w.class[l] {
			continue
		}
		lo, hi := lv.span(i, v)
		if lo > v.min || hi == v.max {
			return lo
		}
		return min(hi, max(lo, someNumber))
	}
	return v.min
}

// putSets writes the sets that are not as the profile has them. A set that
// would stay empty though the profile does not say so gets its most usual
// member that the law does not look at.
func (s *survey) putSets(facts corridor.Facts, w wish, in *inputs, sets map[*fact]bool) {
	for f, needed := range sets {
		if !needed {
			continue
		}
		list := []any{}
		for _, i := range f.vars {
			v := s.lib.vars[i]
			l, tested := w.g.part.of[i]
			held := !tested && in.vals[i].set.has(1) && !in.vals[i].set.has(0)
			if tested {
				held = w.g.part.levels[l].cells[1] == w.class[l] && w.g.part.levels[l].n > 1
			}
			if held {
				list = append(list, s.memberName(v))
			}
		}
		if len(list) == 0 && f.Type == typeSet && in.given[f.vars[0]] == byNobody {
			if m := s.filler(f, w); m != "" {
				list = append(list, m)
			}
		}
		facts[f.Name] = list
	}
}

// memberName names a member; for "any other country" one that no condition
// mentions.
func (s *survey) memberName(v *variable) string {
	if v.member != others {
		return v.member
	}
	for _, i := range s.preferred(nil) {
		if at, _ := v.fact.memberVar(s.lib.vars, s.lib.atlas.codes[i]); s.lib.vars[at] == v {
			return s.lib.atlas.codes[i]
		}
	}
	for _, code := range s.lib.atlas.codes {
		if at, _ := v.fact.memberVar(s.lib.vars, code); s.lib.vars[at] == v {
			return code
		}
	}
	return v.member
}

// filler is the most usual member of a set that the law does not look at and
// that contradicts nothing.
func (s *survey) filler(f *fact, w wish) string {
	order := slices.Clone(f.Values)
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(f.weights[b], f.weights[a]) })
	for _, m := range order {
		i, _ := f.memberVar(s.lib.vars, m)
		l, tested := w.g.part.of[i]
		if f.weights[m] == 0 || tested && w.g.part.levels[l].law {
			continue
		}
		class := slices.Clone(w.class)
		if tested {
			class[l] = w.g.part.levels[l].cells[1]
		}
		if w.g.possible(class) {
			return m
		}
	}
	return ""
}

// putState writes the state of a vehicle, filing or assessment. A state that
// follows from a term is written as a filing made that day.
func (s *survey) putState(facts corridor.Facts, w wish, l int, c *record, day corridor.Date) {
	class := c.class + "s"
	all, _ := facts[class].(map[string]any)
	if all == nil {
		all = map[string]any{}
		facts[class] = all
	}
	lv := &w.g.part.levels[l]
	at := -1
	if w.near != nil {
		if i := w.near.vals[lv.v].only(); i >= 0 && lv.cells[i] == w.class[l] && c.settles(c.states[i]) {
			at = i
		}
	}
	for i, name := range c.states {
		if at < 0 && lv.cells[i] == w.class[l] && c.settles(name) {
			at = i
		}
	}
	switch {
	case at < 0:
	case c.still != nil && c.states[at] == c.still.before:
		all[c.id] = map[string]any{"state": c.still.while[0], "filed_on": day.String()}
	default:
		all[c.id] = c.states[at]
	}
}

// shorten writes one vehicle, filing or assessment with the word that cases
// use for it, where it has one.
func (s *survey) shorten(facts corridor.Facts) {
	for class, short := range map[string]string{"vehicles": "mechanism", "filings": "filing", "assessments": "impact_assessment"} {
		all, _ := facts[class].(map[string]any)
		if len(all) != 1 {
			continue
		}
		for _, c := range s.pack.records {
			state, ok := all[c.id]
			if !ok || c.class+"s" != class {
				continue
			}
			if word, value := c.word(state); word != "" && s.means(c, word) {
				delete(facts, class)
				facts[short] = value
			}
		}
	}
}

// word finds the shorthand for a record's state, and what a case writes.
func (c *record) word(state any) (string, any) {
	for _, word := range keys(c.shorthand) {
		to := c.shorthand[word]
		switch {
		case c.class == "filing" && to == "same":
			if m, ok := state.(map[string]any); ok {
				return word, map[string]any{"kind": word, "state": m["state"], "filed_on": m["filed_on"]}
			}
			return word, map[string]any{"kind": word, "state": state}
		case c.class == "assessment" && word == "true" && to == state:
			return word, true
		case c.class == "vehicle" && to == state:
			return word, word
		}
	}
	return "", nil
}

// means says whether a shorthand word means one record only.
func (s *survey) means(c *record, word string) bool {
	return !slices.ContainsFunc(s.pack.records, func(o *record) bool {
		_, also := o.shorthand[word]
		return o != c && o.class == c.class && also
	})
}
