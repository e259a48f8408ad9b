package scan

import (
	"bytes"
	"hash/maphash"
	"math"

	"corridor"
)

// env is what all columns of one scan share.
type env struct {
	seed     maphash.Seed
	pool     *pool
	regions  [100]bool
	ibans    map[[2]byte]int
	registry *registry
	letters  *letters
	classes  [256]uint16
	today    int // yyyymmdd
	under14  int // born after this day: younger than 14
	exact    int
	colBits  uint8
	colExact int
	idBits   uint8 // of estimates of people
	digits   [24]byte
}

// poolSlots bounds the memory of exact counts to 48 MiB.
const poolSlots = 6 << 20

func newEnv(today corridor.Date, exact int) *env { return newEnvOf(newTables(), today, exact) }

// tables are compiled once for a scan and only read afterwards.
type tables struct {
	lex      *lexicon
	letters  *letters
	registry *registry
}

func newTables() *tables { return &tables{newLexicon(), newLetters(), newRegistry()} }

func newEnvOf(tb *tables, today corridor.Date, exact int) *env {
	e := &env{seed: maphash.MakeSeed(), pool: &pool{left: poolSlots}, regions: regionTable(), ibans: ibanTable(), registry: tb.registry, letters: tb.letters,
		classes: charClass(), today: ymd(today), exact: exact, colBits: 14, colExact: 8192, idBits: 16}
	e.under14 = e.today - 14*10000
	return e
}

func (e *env) mask(v []byte) (m uint16) {
	for _, c := range v {
		m |= e.classes[c]
	}
	return m
}

// column holds counts about one column, and no values.
type column struct {
	env    *env
	name   string
	part   part   // its share in telling people apart, once decided
	weight weight // how sensitive, once decided
	role   *group // the person it is about, once decided

	values, nulls  int64
	rowsSeen       int64
	lastRow        int64
	minLen, maxLen int
	wordy          int64 // values with letters that are no code
	distinct       distinct
	shape          string
	binary         bool
	ints, decimals int64
	bools          int64
	dates, compact int64 // compact: yyyymmdd, also counted as ints
	datetimes      int64
	low, high      float64 // of numbers
	inLat, inLon   int64
	birthLike      int64 // dates from 1900 to today
	under14        int64
	tallies        [numCount]tally
	lead           num  // the rule by which people are counted; numCount: none yet
	settled        bool // the first rows said so
	counted        int64
	joint          map[uint64]int64 // values that several rules accepted, by which
	email          tally
	lengths        [longest + 1]int64 // of values of digits alone
	sevens         int64              // seven letters and digits, both among them
	pairs          int64              // two numbers that can be a position
	gridCodes      int64
	finest         float64 // metres to which the finest position is written; 0: none
	box            *box    // around the positions
	phonePlus      int64
	phoneLocal     int64
	phoneDigits    int64
	prefixes       [4]uint64 // three-digit beginnings of local phones, to see whether they vary
	ips            int64
	documents      int64
	icd, icdShort  int64
	points         int64
	namesHan       int64 // two to four Han characters
	surnamesHan    int64 // of them with a common surname
	names          int64 // one to five capitalised words, in other alphabets
	patronymics    int64
	surnames       int64
	given          int64 // with a name that many people have
	named          tally // values looked at for names
	addresses      tally
	odd            tally // values looked at for places and traits of bodies
	withDigits     int64
	letters        int64
	inText         embedded
	traits         traits
	zones          tally     // of passports, for machines
	fraction       int       // digits behind a decimal point, at most
	people         *distinct // of valid identity numbers
	hints          []*kind
	noted          []noted // of the rows of a batch, where the column tells of a person
}

// embedded counts identifiers found inside longer texts.
type embedded struct{ cnID, phone, email, iin, card tally }

func newColumn(name string, e *env) *column {
	return &column{env: e, name: name, lead: numCount, minLen: math.MaxInt, lastRow: -1, low: math.Inf(1), high: math.Inf(-1),
		distinct: newDistinct(e.colExact, e.colBits, nil), people: newPeople(e)}
}

func newPeople(e *env) *distinct {
	d := newDistinct(e.exact, e.idBits, e.pool)
	return &d
}

// add counts one value. id is a keyed hash of the person's number, if the
// value is one; null says that there is no value.
func (c *column) add(v []byte, mask uint16) (id uint64, null bool) {
	c.measureText(v, mask)
	return c.look(v, mask)
}

// measureText counts lengths and different values. It touches no field that
// look touches, so that both can run at once over the same rows.
func (c *column) measureText(v []byte, mask uint16) {
	if mask&(isSpace|isControl) != 0 && edged(v, mask) {
		v, mask = c.trim(v, mask)
	}
	if isNull(v) {
		return
	}
	n := len(v)
	if mask&isHigh != 0 {
		n = runes(v)
	}
	c.minLen, c.maxLen = min(c.minLen, n), max(c.maxLen, n)
	if mask&(isLetter|isHigh) != 0 && (mask&isDigit == 0 || mask&isSpace != 0) {
		c.wordy++
	}
	c.distinct.add(maphash.Bytes(c.env.seed, v))
	if c.shape == "" {
		c.shape = shapeOf(v)
	}
}

// look sends a value to the recognisers.
func (c *column) look(v []byte, mask uint16) (id uint64, null bool) {
	if mask&(isSpace|isControl) != 0 && edged(v, mask) {
		v, mask = c.trim(v, mask)
	}
	if isNull(v) {
		c.nulls++
		return 0, true
	}
	c.values++
	return c.classify(v, mask), false
}

// edged says whether a value may begin or end with a blank. Those outside
// ASCII are C2 85 and C2 A0, and characters of three bytes from E1 to E3.
func edged(v []byte, mask uint16) bool {
	n := len(v)
	if n == 0 {
		return false
	}
	first, last := v[0], v[n-1]
	switch {
	case first <= ' ' || last <= ' ':
		return true
	case mask&isHigh == 0:
		return false
	case first == 0xc2 || first >= 0xe1 && first <= 0xe3:
		return true
	}
	return last >= 0x80 && last < 0xb0 && (n >= 2 && v[n-2] == 0xc2 || n >= 3 && v[n-3] >= 0xe1 && v[n-3] <= 0xe3)
}

// runes counts the characters of valid UTF-8.
func runes(v []byte) (n int) {
	for _, b := range v {
		if b&0xc0 != 0x80 {
			n++
		}
	}
	return n
}

func (c *column) trim(v []byte, mask uint16) ([]byte, uint16) {
	t := bytes.TrimSpace(v)
	if len(t) != len(v) {
		mask = c.env.mask(t)
	}
	return t, mask
}

// isNull recognises the usual spellings of "no value".
func isNull(v []byte) bool {
	switch len(v) {
	case 0:
		return true
	case 1:
		return v[0] == '-'
	case 2:
		return string(v) == `\N` || string(v) == "NA"
	case 3:
		return string(v) == "N/A" || string(v) == "NaN" || string(v) == "nil" || string(v) == "n/a"
	case 4:
		return string(v) == "NULL" || string(v) == "null" || string(v) == "None"
	}
	return false
}

// classify sends a value to the recognisers that its characters allow.
func (c *column) classify(v []byte, mask uint16) uint64 {
	switch {
	case mask == isDigit:
		return c.number(v)
	case mask&^(isDigit|isDash|isPlus|isDot|isComma|isSpace|isParen|isSlash|isColon) == 0:
		return c.marks(v, mask)
	case mask&isAt != 0:
		c.at(v)
		return 0
	case mask&isHigh != 0:
		return c.text(v, mask)
	case mask&^(isDigit|isLetter|isSpace) == 0 && mask&isDigit != 0:
		return c.alphanumeric(v, mask)
	case mask&^(isLetter|isDot|isDash|isSpace|isOther) == 0 && mask&isDigit == 0:
		c.word(v)
		return 0
	}
	return c.mixed(v, mask)
}

// number handles values of digits alone.
func (c *column) number(v []byte) (id uint64) {
	c.ints++
	c.measure(float64(longNumber(v[:min(len(v), 18)])))
	switch len(v) {
	case 7, 9:
		c.documents++
		c.phoneDigits++
	case 8:
		c.documents++
		if d, ok := parseDate(v); ok {
			c.compact++
			c.birth(d)
		}
	case 10:
		c.documents++
		c.phoneDigits++
	case 11, 13:
		c.phone(v)
	}
	if len(v) <= longest {
		c.lengths[len(v)]++
		id = c.identify(c.env.registry.digits[len(v)], v)
	}
	return id
}

// person remembers the keyed hash of an identity number, which is given as
// letters in upper case and digits alone.
func (c *column) person(v []byte) uint64 {
	h := maphash.Bytes(c.env.seed, v)
	c.people.later(h)
	return h
}

// upper copies letters and digits, letters in upper case.
func upper(dst, v []byte) []byte {
	for _, b := range v {
		switch {
		case b >= 'a' && b <= 'z':
			dst = append(dst, b-0x20)
		case b >= 'A' && b <= 'Z' || b >= '0' && b <= '9':
			dst = append(dst, b)
		}
	}
	return dst
}

func (c *column) measure(x float64) {
	c.low, c.high = min(c.low, x), max(c.high, x)
	if x >= -90 && x <= 90 {
		c.inLat++
	}
	if x >= -180 && x <= 180 {
		c.inLon++
	}
}

func (c *column) birth(d int) {
	if d >= 19000101 && d <= c.env.today {
		c.birthLike++
		if d > c.env.under14 {
			c.under14++
		}
	}
}

// marks handles digits with signs, points and separators among them.
func (c *column) marks(v []byte, mask uint16) (id uint64) {
	if len(v) >= 128 && c.long(v) {
		return 0
	}
	if mask&^(isDigit|isDash|isPlus|isDot|isComma) == 0 && !(v[0] == '+' && len(v) > 8) && c.decimal(v) {
		return 0
	}
	if mask&isColon != 0 {
		if d, ok := parseDateTime(v); ok {
			c.datetimes++
			c.birth(d)
		}
		return 0
	}
	if d, ok := parseDate(v); ok {
		c.dates++
		c.birth(d)
		return 0
	}
	if mask == isDigit|isDot && ipv4(v) {
		c.ips++
		return 0
	}
	if mask&isDot != 0 && c.pair(v) || mask&isSlash != 0 && c.body(v) {
		return 0
	}
	runs, digits := signature(v)
	if runs != 0 && digits <= longest {
		id = c.runs(runs, v)
	}
	c.phone(v)
	if mask&isSlash == 0 && digits >= 6 {
		c.documents++
	}
	return id
}

// runs tests digits in groups.
func (c *column) runs(signature uint64, v []byte) uint64 {
	var buf [longest]byte
	digits := upper(buf[:0], v)
	if list := c.env.registry.runs[signature]; list != nil {
		return c.identify(list, digits)
	}
	if n := len(v); signature&31 == 1 && v[n-2] == '-' && n >= 3 && n <= 9 && signature < 1<<10 {
		c.identify([]num{numLOINC}, digits)
	}
	return 0
}

// decimal reads an optional sign, digits, and one point or comma.
func (c *column) decimal(v []byte) bool {
	i, neg := 0, false
	if v[0] == '-' || v[0] == '+' {
		neg, i = v[0] == '-', 1
	}
	whole, frac, scale, points, digits := 0.0, 0.0, 1.0, 0, 0
	for ; i < len(v); i++ {
		switch b := v[i]; {
		case b >= '0' && b <= '9' && points == 0:
			whole = whole*10 + float64(b-'0')
			digits++
		case b >= '0' && b <= '9':
			scale /= 10
			frac += float64(b-'0') * scale
			digits++
		case (b == '.' || b == ',') && points == 0:
			points++
		default:
			return false
		}
	}
	if digits == 0 {
		return false
	}
	if whole += frac; neg {
		whole = -whole
	}
	if points == 0 {
		c.ints++
	} else {
		c.decimals++
		c.fraction = max(c.fraction, len(v)-1-bytes.LastIndexAny(v, ".,"))
	}
	c.measure(whole)
	return true
}

func ipv4(v []byte) bool {
	parts := 0
	for len(v) > 0 {
		n := digitRun(v)
		if n < 1 || n > 3 || number(v[:n]) > 255 {
			return false
		}
		if parts++; n == len(v) {
			break
		}
		v = v[n+1:]
	}
	return parts == 4
}

func (c *column) phone(v []byte) {
	switch phoneLike(v, c.env.digits[:]) {
	case plusPhone:
		c.phonePlus++
	case localPhone:
		c.phoneLocal++
		if i := digitRun(v); i >= 3 {
			p := number(v[:3]) // spread over the network prefixes in use
			c.prefixes[p>>6&3] |= 1 << (p & 63)
		}
	case someDigits:
		c.phoneDigits++
	}
}
