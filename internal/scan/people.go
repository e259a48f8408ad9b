package scan

import (
	"hash/maphash"
	"math"
	"slices"
	"unicode/utf8"
)

// group is one person that every row may name: the main one, or a sender, a
// recipient, a guardian. It holds keyed hashes, never names.
type group struct {
	party string
	env   *env
	cols  []*column
	keyed bool // has a name or a number that tells people apart

	names, births, delicate distinct
	rows, delicateRows      int64
	wideRows                int64

	// The row at hand.
	touched, named, born, delicateNow, wideNow bool
	name, birth, id                            uint64
}

func newGroup(party string, e *env) *group {
	set := func() distinct { return newDistinct(e.exact, 16, e.pool) }
	return &group{party: party, env: e, names: set(), births: set(), delicate: set()}
}

// weight says how a column's class counts as sensitive: surely, or in some
// laws only.
type weight uint8

const (
	ordinary weight = iota
	wide            // sensitive in some laws: accounts, cards, children, locations
	delicate        // sensitive in every law that knows the word
)

func weightOf(class string) weight {
	switch class {
	case "sensitive", "biometric", "genetic", "health", "belief", "criminal_record":
		return delicate
	case "payment", "financial", "child", "location_track", "credential", "insurance_record":
		return wide
	}
	return ordinary
}

// key is what one value tells of its row's person: a hash of the name or the
// date of birth, or the number that the column found in it.
func (g *group) key(c *column, v []byte, id uint64) uint64 {
	switch c.part {
	case namePart:
		return g.fold(v)
	case birthPart:
		return g.day(v)
	}
	return id
}

// take adds the key of a value to the row's person.
func (g *group) take(c *column, key uint64) {
	g.touched = true
	switch c.part {
	case namePart:
		g.named = true
		g.name = mix(g.name, key)
	case birthPart:
		g.born = true
		g.birth = key
	case idPart:
		if key != 0 {
			g.id = key
		}
	}
	switch c.weight {
	case delicate:
		g.delicateNow = true
	case wide:
		g.wideNow = true
	}
}

// endRow adds the row's person to the counts.
func (g *group) endRow() {
	g.rows++
	key := g.id
	if g.named {
		g.names.later(g.name)
		if key == 0 {
			key = g.name
		}
		if g.born {
			both := mix(g.name, g.birth)
			g.births.later(both)
			if g.id == 0 {
				key = both
			}
		}
	}
	if g.delicateNow {
		g.delicateRows++
		if key != 0 {
			g.delicate.later(key)
		}
	}
	if g.delicateNow || g.wideNow {
		g.wideRows++
	}
	g.touched, g.named, g.born, g.delicateNow, g.wideNow = false, false, false, false, false
	g.name, g.birth, g.id = 0, 0, 0
}

func mix(a, b uint64) uint64 {
	a ^= b + 0x9e3779b97f4a7c15 + a<<6 + a>>2
	a *= 0xff51afd7ed558ccd
	return a ^ a>>32
}

// fold hashes a name without regard to case and spacing.
func (g *group) fold(v []byte) uint64 {
	var buf [160]byte
	out := buf[:0]
	for len(v) > 0 && len(out) < 150 {
		r, n := rune(v[0]), 1
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			out, v = append(out, byte(r)), v[1:]
			continue
		case r == 0xd0 && len(v) > 1 && v[1] >= 0xb0 || r == 0xd1 && len(v) > 1 && v[1] < 0xa0: // small Cyrillic letters
			out, v = append(out, byte(r), v[1]), v[2:]
			continue
		case r >= 0xc2 && r < 0xe0 && len(v) > 1: // two bytes; values are valid UTF-8
			r, n = r&0x1f<<6|rune(v[1]&0x3f), 2
		case r >= 0x80:
			r, n = utf8.DecodeRune(v)
		}
		v = v[n:]
		if r == '.' || r == ',' {
			r = ' '
		}
		if r <= ' ' || r == 0xa0 || r == 0x3000 {
			if len(out) > 0 && out[len(out)-1] != ' ' {
				out = append(out, ' ')
			}
			continue
		}
		out = utf8.AppendRune(out, lowerRune(r))
	}
	for len(out) > 0 && out[len(out)-1] == ' ' {
		out = out[:len(out)-1]
	}
	return maphash.Bytes(g.env.seed, out)
}

// day hashes a date of birth so that its spelling does not matter.
func (g *group) day(v []byte) uint64 {
	d, ok := parseDate(v)
	if !ok {
		if d, ok = parseDateTime(v); !ok {
			d, ok = parseHanDate(v)
		}
	}
	if ok {
		return maphash.Comparable(g.env.seed, d)
	}
	return maphash.Bytes(g.env.seed, v)
}

// assign decides from the first rows which columns tell people apart, and
// puts them into groups.
func (t *table) assign(sample []*column) {
	byParty := map[string]*group{}
	for i, c := range t.cols {
		if i < len(sample) {
			c.part, c.weight = t.partOf(sample[i])
			t.settle(c, sample[i])
		}
		if c.part == noPart && c.weight == ordinary {
			continue
		}
		party := t.lex.partyOf(c.name)
		g := byParty[party]
		if g == nil {
			g = newGroup(party, t.env)
			byParty[party] = g
			t.groups = append(t.groups, g)
		}
		g.cols = append(g.cols, c)
		g.keyed = g.keyed || c.part == namePart || c.part == idPart
	}
	t.merge()
	for _, g := range t.groups {
		for _, c := range g.cols {
			c.role = g
		}
	}
}

// settle takes over the rule by which the first rows tell people apart.
func (t *table) settle(c, sample *column) {
	for _, f := range t.lex.findings(sample) {
		k, ok := c.env.registry.byID[f.kind.id]
		if ok && c.env.registry.rules[k].person && f.confidence >= t.opts.Threshold {
			c.lead, c.settled = k, true
			return
		}
	}
}

// partOf reads a column's role off its findings, or off its header where the
// first rows have no value.
func (t *table) partOf(c *column) (p part, w weight) {
	if c.values == 0 && len(c.hints) > 0 {
		for class := range classesOf(c.hints[0]) {
			w = max(w, weightOf(class))
		}
		return c.hints[0].part, w
	}
	for _, f := range t.lex.findings(c) {
		if f.confidence < 0.5 {
			continue
		}
		if p == noPart {
			p = f.kind.part
		}
		for class := range classesOf(f.kind) {
			w = max(w, weightOf(class))
		}
	}
	return p, w
}

// merge gives columns without a key to the main group. The main group is the
// one without a party, if it has a key, or the only one that has.
func (t *table) merge() {
	var main *group
	keyed := 0
	for _, g := range t.groups {
		if g.keyed {
			keyed++
			if main == nil || g.party == "" {
				main = g
			}
		}
	}
	if main == nil {
		if len(t.groups) > 0 {
			main = t.groups[0]
		}
	}
	var kept []*group
	for _, g := range t.groups {
		switch {
		case g == main:
		case !g.keyed && main != nil, keyed == 2 && oneHalf(main, g):
			main.cols = append(main.cols, g.cols...)
			continue
		}
		kept = append(kept, g)
	}
	t.groups = kept
}

// oneHalf recognises a person whose number stands in a plain column and whose
// name in one with a role: 收货人 beside 身份证号.
func oneHalf(a, b *group) bool {
	if a.party != "" && b.party != "" {
		return false
	}
	has := func(g *group, p part) bool {
		return slices.ContainsFunc(g.cols, func(c *column) bool { return c.part == p })
	}
	return has(a, namePart) != has(b, namePart) && has(a, idPart) != has(b, idPart)
}

// tell is how many people one group stands for.
type tell struct {
	low, high, guess int64
	cols             []string
	basis            string // key of words
}

// people counts a group's people.
func (t *table) people(g *group) tell {
	rows := g.rows
	for _, c := range g.cols {
		if c.values > c.rowsSeen { // lists: several people in a row
			rows = max(rows, g.listed())
		}
	}
	out := tell{low: 1, high: rows, guess: rows, basis: "rows"}
	if n := g.names.count(); n > 0 {
		low, _ := g.names.bounds()
		out = tell{low: low, high: rows, guess: n, cols: g.namesOf(namePart), basis: "names"}
	}
	if n := g.births.count(); n > 0 {
		low, _ := g.births.bounds()
		if low >= out.low {
			out = tell{low: low, high: rows, guess: n, cols: append(g.namesOf(namePart), g.namesOf(birthPart)...), basis: "names_births"}
		}
	}
	for _, c := range g.cols {
		t.byNumber(c, rows, &out)
	}
	if out.basis == "rows" {
		t.byReference(g, &out)
	}
	out.low = max(1, min(out.low, out.high))
	out.guess = max(out.low, min(out.guess, out.high))
	return out
}

// byNumber narrows the count by a column of identity numbers: each valid one
// is one person, and every row without one may be another.
func (t *table) byNumber(c *column, rows int64, out *tell) {
	pass, chance := t.identity(c)
	if pass == 0 {
		return
	}
	low, high := c.people.bounds()
	low = max(0, low-int64(math.Ceil(chance+3*math.Sqrt(chance)))) // chance passes, with their spread, are nobody
	without := max(0, rows-pass)
	if high += without; high < out.high {
		out.high = high
	}
	if low >= out.low || out.basis == "rows" {
		out.low = max(out.low, low)
		out.guess = c.people.count()
		out.cols, out.basis = []string{c.name}, "number"
	}
}

// identity says how many values of a column are counted as valid numbers of
// people, and how many of those may be so by chance.
func (t *table) identity(c *column) (pass int64, chance float64) {
	if c.lead == numCount {
		return 0, 0
	}
	r, ta := &c.env.registry.rules[c.lead], &c.tallies[c.lead]
	for _, f := range t.lex.findings(c) {
		if f.kind.id == r.id && f.confidence >= t.opts.Threshold {
			return c.counted, float64(ta.tested-ta.pass) * r.chance / (1 - r.chance)
		}
	}
	return 0, 0
}

// byReference guesses by a key or a contact that mostly stands for one
// person; it proves neither bound.
func (t *table) byReference(g *group, out *tell) {
	for _, p := range []part{refPart, idPart, attrPart} {
		for _, c := range g.cols {
			contact := c.hinted("email", "phone", "identity_document") || c.email.pass > 0 || c.phonePlus > 0
			if c.part == p && (p != attrPart || contact) && c.values > 0 {
				out.guess, out.cols, out.basis = c.distinct.count(), []string{c.name}, "reference"
				return
			}
		}
	}
}

// listed bounds the people of rows that hold lists.
func (g *group) listed() (n int64) {
	for _, c := range g.cols {
		n += c.values
	}
	return n
}

func (g *group) namesOf(p part) (names []string) {
	for _, c := range g.cols {
		if c.part == p && c.values > 0 {
			names = append(names, c.name)
		}
	}
	return names
}
