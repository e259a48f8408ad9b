package law

import (
	"slices"
	"strings"

	"corridor"
)

// A sketch is a flow as the law sees it: its pair, its profile, the law in
// force on its day, and for every given fact the cell of the value between the
// lines that any rule of any pack, or an axiom, draws through it. Two flows
// with one sketch are the same to every rule, so they have one answer. The
// day itself is in the sketch only where a filing's date is, since a term may
// run, and where the law of a side does not cover it: nothing else counts days.
// Numbers that are part of others are in it as they are where comparing them
// changes what is known: see counts.go.
//
// Sketching gives up on everything that is not usual, right or wrong; then the
// flow is read at length, which also explains what is wrong.

// sketchBook is what sketching needs to know of a library.
type sketchBook struct {
	lib      *Library
	days     []corridor.Date      // on which any law begins or has ended
	packs    []*pack              // by country
	codes    [26][26]int16        // 1 + the number of a country, by the letters of its code
	cuts     [][]int64            // by variable: where the cells of a ranged one begin
	names    dictionary[*meaning] // every name that a flow may give
	profiles map[string]sketchedProfile
	states   dictionary[uint64] // the words for the state of any record
	counts   []countedPart
}

type sketchedProfile struct {
	number uint64
	dated  bool // it gives a filing's date
	sets   map[int]values
}

// meaning is what the name of a fact stands for.
type meaning struct {
	id   int // its number among the names
	kind meaningKind
	fact *fact
	va   *variable
	v    int // its first variable
	rec  *record
	book dictionary[uint64] // numbers of the words that it may take
	of   string             // a class of records
}

type meaningKind uint8

const (
	asBool meaningKind = iota
	asNumber
	asDate
	asWord
	asSet
	asCountries
	asRecord // a vehicle, filing or assessment
	asState  // its state alone
	asFiled  // its date alone
	asRecords
	asMechanism
	asAssessed
	asFiling
)

// The slots of a sketch beyond the variables.
const (
	slotMechanism = 0xF000 + iota
	slotAssessed
	slotFiling
	slotFilingState
	slotFilingDate
)

// What a word of a sketch says of its slot.
const (
	saysOne   = iota + 1 // the value, by number
	saysAny              // one of several values
	saysSpan             // from a cell to a cell
	saysNone             // known to be absent
	saysExact            // a set, known exactly
	saysHas
	saysLacks
	saysFiled // a date
)

// maxSketch bounds the words of one sketch.
const maxSketch = 256

// sketchbook prepares a library for sketching.
func (l *Library) sketchbook() *sketchBook {
	b := &sketchBook{lib: l, profiles: map[string]sketchedProfile{}}
	atoms := slices.Clone(l.axioms.table.atoms)
	for _, p := range l.packs {
		atoms = append(atoms, p.table.atoms...)
		b.days = append(b.days, p.farAhead()+1)
		for s := range sides {
			for _, e := range p.sides[s] {
				b.days = append(b.days, e.from)
			}
		}
	}
	slices.Sort(b.days)
	b.days = slices.Compact(b.days)
	byVar := map[int][]int{}
	for i, a := range atoms {
		byVar[a.v] = append(byVar[a.v], i)
	}
	b.cuts = make([][]int64, len(l.vars))
	for i, v := range l.vars {
		if v.kind == ranged {
			var at level
			v.cells(atoms, byVar[i], &at)
			b.cuts[i] = at.cuts
		}
	}
	for i, name := range keys(l.profiles) {
		dated := slices.ContainsFunc(l.profiles[name].fillings(), func(f filling) bool {
			_, plain := f.raw.(string)
			return len(f.on) > 0 || f.name == "filing" && !plain
		})
		sets := map[int]values{}
		for _, f := range l.profiles[name].fillings() {
			for _, set := range f.sets {
				sets[set.v] = set.x
			}
		}
		b.profiles[name] = sketchedProfile{uint64(i + 1), dated, sets}
	}
	for i, code := range l.atlas.codes {
		b.packs = append(b.packs, l.byJurisdiction[code])
		b.codes[code[0]-'A'][code[1]-'A'] = int16(i + 1)
	}
	b.nameFacts()
	b.nameRecords()
	b.nameCounts()
	return b
}

func (b *sketchBook) name(name string, m meaning) {
	m.id = b.names.used
	b.names.set(name, &m)
}

func (b *sketchBook) nameFacts() {
	for _, f := range b.lib.vocab.facts {
		if f.derive != nil || f.Name == "origin" || f.Name == "destination" || len(f.vars) == 0 {
			continue
		}
		m := meaning{fact: f, v: f.vars[0], va: b.lib.vars[f.vars[0]]}
		for s, i := range f.numbers {
			if f.Type != typeCountries || s != others {
				m.book.set(s, uint64(i))
			}
		}
		switch f.Type {
		case typeBool:
			m.kind = asBool
		case typeInt:
			m.kind = asNumber
		case typeDate:
			m.kind = asDate
		case typeEnum:
			m.kind = asWord
		case typeCountry:
			m.kind = asWord
			for i, code := range b.lib.atlas.codes {
				m.book.set(code, uint64(i))
			}
		case typeSet:
			m.kind = asSet
		case typeCountries:
			m.kind = asCountries
			for _, code := range b.lib.atlas.codes {
				if _, mentioned := m.book.get(code); !mentioned {
					m.book.set(code, uint64(len(f.vars)-1))
				}
			}
		}
		b.name(f.Name, m)
	}
}

func (b *sketchBook) nameRecords() {
	words := func(list []string) (out dictionary[uint64]) {
		for i, w := range list {
			out.set(w, uint64(i))
		}
		return out
	}
	for _, class := range []string{"vehicle", "filing", "assessment"} {
		b.name(class+"s", meaning{kind: asRecords, of: class})
	}
	for _, rec := range b.lib.recordList {
		name := rec.class + "s." + rec.id
		m := meaning{kind: asRecord, rec: rec, v: rec.v, va: b.lib.vars[rec.v], book: words(rec.states)}
		b.name(name, m)
		m.kind = asState
		b.nameUnlessRecord(name+".state", m)
		m.kind = asFiled
		b.nameUnlessRecord(name+".filed_on", m)
		for _, s := range rec.states {
			if _, ok := b.states.get(s); !ok {
				b.states.set(s, uint64(b.states.used))
			}
		}
	}
	b.name("mechanism", meaning{kind: asMechanism, book: words(b.lib.mechanisms)})
	b.name("impact_assessment", meaning{kind: asAssessed})
	b.name("filing", meaning{kind: asFiling, book: words(b.lib.filings)})
}

// nameUnlessRecord names a field of a record, unless a record has that name.
func (b *sketchBook) nameUnlessRecord(name string, m meaning) {
	class, id, _ := strings.Cut(name, "s.")
	if b.lib.records[class+"/"+id] == nil {
		b.name(name, m)
	}
}

// sketcher sketches one flow after another.
type sketcher struct {
	*sketchBook
	words  []uint64
	stamp  uint32
	said   []uint32           // by name: the flow in which it was last given
	state  []uint32           // by variable: the same of a record's state
	filed  []uint32           // and of its date
	ranges []uint32           // and of a number
	given  []values           // by variable: the numbers that were given
	dated  bool               // a filing's date is among the facts
	heard  [][2]corridor.Date // by country and side: the last day that its law was seen to cover
}

func (b *sketchBook) sketcher() *sketcher {
	return &sketcher{sketchBook: b, said: make([]uint32, b.names.used), state: make([]uint32, len(b.lib.vars)), filed: make([]uint32, len(b.lib.vars)),
		given: make([]values, len(b.lib.vars)), ranges: make([]uint32, len(b.lib.vars)), heard: make([][2]corridor.Date, len(b.packs))}
}

// begin starts a sketch. Its first word is kept for the frame.
func (s *sketcher) begin() {
	s.words, s.dated = append(s.words[:0], 0, 0), false
	if s.stamp++; s.stamp == 0 {
		clear(s.said)
		clear(s.state)
		clear(s.filed)
		clear(s.ranges)
		s.stamp = 1
	}
}

// once notes that something was given, and says whether it is new.
func (s *sketcher) once(list []uint32, i int) bool {
	fresh := list[i] != s.stamp
	list[i] = s.stamp
	return fresh
}

func (s *sketcher) put(slot int, says uint64, value uint64) bool {
	s.words = append(s.words, uint64(slot)<<48|says<<40|value&(1<<40-1))
	return len(s.words) <= maxSketch
}

// end writes the frame and brings the facts into one order.
func (s *sketcher) end(f *corridor.Flow) bool {
	origin, ok := s.country(f.Origin)
	destination, known := s.country(f.Destination)
	if !ok || !known || f.Date == 0 {
		return false
	}
	var profile sketchedProfile
	if f.Assume != "" {
		if profile, ok = s.profiles[f.Assume]; !ok {
			return false
		}
	}
	s.words[0] = uint64(origin)<<32 | uint64(destination)<<16 | profile.number
	if s.dated || profile.dated || s.silent(origin, 0, f.Date) || s.silent(destination, 1, f.Date) {
		s.words[1] = 1<<63 | uint64(uint32(f.Date))
	} else {
		at, found := slices.BinarySearch(s.days, f.Date)
		if found {
			at++
		}
		s.words[1] = uint64(at)
	}
	return s.sort() && s.compare(&profile)
}

// country is the atlas's number of a code.
func (s *sketcher) country(code string) (int, bool) {
	if len(code) != 2 || code[0]-'A' > 'Z'-'A' || code[1]-'A' > 'Z'-'A' {
		return 0, false
	}
	n := s.codes[code[0]-'A'][code[1]-'A']
	return int(n) - 1, n > 0
}

// silent says whether a side's law does not cover a day: its answer names the
// day.
func (s *sketcher) silent(country, side int, on corridor.Date) bool {
	if s.heard[country][side] == on {
		return false
	}
	p := s.packs[country]
	if p != nil && p.program(sides[side], on).unknown {
		return true
	}
	s.heard[country][side] = on
	return false
}

// sort orders the facts. A member that a set both has and lacks is left to
// the one who explains.
func (s *sketcher) sort() bool {
	list := s.words[2:]
	for i := 1; i < len(list); i++ {
		for j := i; j > 0 && list[j] < list[j-1]; j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
	for i := 1; i < len(list); i++ {
		if a, b := list[i-1], list[i]; a>>48 == b>>48 && a>>40&0xFF == saysHas && b>>40&0xFF == saysLacks {
			return false
		}
	}
	return true
}

// hash spreads a sketch over a table.
func (s *sketcher) hash() uint64 {
	h := uint64(len(s.words))
	for _, w := range s.words {
		h = (h ^ w) * 0x9E3779B97F4A7C15
		h ^= h >> 29
	}
	return h
}

// cell finds the cell of a number.
func (s *sketcher) cell(v int, n int64) uint64 {
	cuts := s.cuts[v]
	at := len(cuts) - 1
	for at > 0 && cuts[at] > n {
		at--
	}
	return uint64(at)
}

func (s *sketcher) span(m *meaning, lo, hi int64) bool {
	if lo > hi || lo < m.va.min || hi > m.va.max {
		return false
	}
	s.given[m.v], s.ranges[m.v] = between(lo, hi), s.stamp
	return s.put(m.v, saysSpan, s.cell(m.v, lo)<<20|s.cell(m.v, hi))
}

// word takes a value that is a word.
func (s *sketcher) word(m *meaning, w string) bool {
	switch m.kind {
	case asBool, asNumber:
		return w == "none" && s.none(m)
	case asDate:
		if w == "none" {
			return s.none(m)
		}
		d, ok := day(w)
		return ok && s.span(m, int64(d), int64(d))
	case asWord:
		if w == "none" && m.va.optional {
			return s.none(m)
		}
		i, ok := m.book.get(w)
		return ok && s.put(m.v, saysOne, i)
	case asRecord, asState:
		i, ok := m.book.get(w)
		return ok && s.once(s.state, m.v) && s.put(m.v, saysOne, i)
	case asFiled:
		return s.made(m, w)
	case asMechanism:
		i, ok := m.book.get(w)
		return ok && s.put(slotMechanism, saysOne, i)
	case asFiling:
		i, ok := m.book.get(w)
		return ok && s.put(slotFiling, saysOne, i)
	}
	return false
}

// made takes the day of a filing.
func (s *sketcher) made(m *meaning, w string) bool {
	d, ok := day(w)
	s.dated = true
	return ok && s.once(s.filed, m.v) && s.put(m.v, saysFiled, uint64(uint32(d)))
}

// none takes the value "known to be absent".
func (s *sketcher) none(m *meaning) bool {
	switch m.kind {
	case asBool, asNumber, asDate, asWord:
		s.given[m.v], s.ranges[m.v] = absent(), s.stamp
		return m.va.optional && s.put(m.v, saysNone, 0)
	case asFiled:
		return true // says nothing
	case asFiling:
		return s.word(m, "none")
	}
	return false
}

func (s *sketcher) truth(m *meaning, b bool) bool {
	var n uint64
	if b {
		n = 1
	}
	switch m.kind {
	case asBool:
		return s.put(m.v, saysOne, n)
	case asAssessed:
		return s.put(slotAssessed, saysOne, n)
	}
	return false
}

func (s *sketcher) number(m *meaning, n int64) bool {
	return m.kind == asNumber && s.span(m, n, n)
}

// exactly begins a set that is known exactly.
func (s *sketcher) exactly(m *meaning) bool {
	return (m.kind == asSet || m.kind == asCountries) && s.put(m.v, saysExact, 0)
}

// member takes a member that a set has or lacks.
func (s *sketcher) member(m *meaning, w string, has bool) bool {
	i, ok := m.book.get(w)
	if !ok {
		return false
	}
	v := m.fact.vars[i]
	if has {
		return s.put(v, saysHas, 0)
	}
	return s.lib.vars[v].member == others || s.put(v, saysLacks, 0)
}

// either takes one of several words that a value may be.
func (s *sketcher) either(m *meaning, w string) bool {
	i, ok := m.book.get(w)
	return ok && (m.kind == asWord || m.kind == asRecord || m.kind == asState) && s.put(m.v, saysAny, i)
}

// day reads YYYY-MM-DD, and only days that there are.
func day(w string) (corridor.Date, bool) {
	if len(w) != 10 || w[4] != '-' || w[7] != '-' {
		return 0, false
	}
	digits := func(at, n int) int {
		v := 0
		for _, c := range []byte(w[at : at+n]) {
			if c < '0' || c > '9' {
				return -1 << 20
			}
			v = v*10 + int(c-'0')
		}
		return v
	}
	y, m, d := digits(0, 4), digits(5, 2), digits(8, 2)
	if y < 0 || m < 1 || m > 12 || d < 1 || d > monthDays(y, m) {
		return 0, false
	}
	// Days of a calendar whose years begin in March, from 1 March of year 0.
	if m <= 2 {
		y, m = y-1, m+12
	}
	era := (y + 400) / 400
	of := y + 400 - era*400
	on := corridor.Date((era-1)*146097 + of*365 + of/4 - of/100 + (153*(m-3)+2)/5 + d - 1 - 305)
	return on, on > 0
}

func monthDays(y, m int) int {
	switch {
	case m == 2 && (y%4 == 0 && y%100 != 0 || y%400 == 0):
		return 29
	case m == 2:
		return 28
	case m == 4 || m == 6 || m == 9 || m == 11:
		return 30
	}
	return 31
}
