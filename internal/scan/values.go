package scan

import (
	"bytes"
	"hash/maphash"
	"unicode/utf8"
)

func (c *column) at(v []byte) {
	c.letters++
	if bytes.IndexByte(v, ' ') < 0 {
		c.email.see(verdict{plausible: true, valid: emailLike(v)})
		return
	}
	c.search(v)
}

// alphanumeric handles ASCII letters and digits, spaces allowed.
func (c *column) alphanumeric(v []byte, mask uint16) (id uint64) {
	c.letters++
	c.withDigits++
	if len(v) <= 42 && (mask&isSpace != 0 || c.tests(v)) {
		id = c.lettered(v)
	}
	if len(v) >= 6 && len(v) <= 20 {
		c.documents++
	}
	if len(v) == 3 && icd10(v) {
		c.icd++
		c.icdShort++
	}
	if mask&isSpace != 0 {
		c.place(v, mask)
	}
	if c.odd.due(0) && c.oddly(c.gridCode(v) || c.body(v)) {
		return id
	}
	if parsed, ok := exponent(v); ok {
		c.letters--
		c.withDigits--
		c.decimals++
		c.measure(parsed)
	} else if mask&isSpace != 0 && len(v) > 20 {
		c.search(v)
	}
	return id
}

// tests says whether lettered does anything with letters and digits alone.
func (c *column) tests(v []byte) bool {
	n := len(v)
	return n <= longest && len(c.env.registry.letters[n]) > 0 || n == 7 || n == 11 || n >= 15 && n <= 34
}

// lettered tests numbers with letters among their digits.
func (c *column) lettered(v []byte) (id uint64) {
	var buf [48]byte
	plain := upper(buf[:0], v)
	if n := len(plain); n <= longest {
		if n == 7 && len(v) == 7 {
			c.sevens++
		}
		id = c.identify(c.env.registry.letters[n], plain)
	}
	if len(v) == 11 && digitsOnly(v[:6]) {
		id = max(id, c.identify([]num{numFI}, v))
	}
	if len(plain) >= 15 && len(plain) <= 34 && plain[0] >= 'A' && plain[1] >= 'A' {
		c.tallies[numIBAN].looked++
		c.tallies[numIBAN].see(iban(plain, c.env.ibans))
	}
	return id
}

// word handles ASCII text without digits.
func (c *column) word(v []byte) {
	c.letters++
	if len(v) <= 5 && boolWord(v) {
		c.bools++
		return
	}
	if c.zone(v) || c.odd.due(0) && c.oddly(c.body(v)) {
		return
	}
	c.place(v, isSpace)
	c.nameLike(v)
}

// oddly notes that a value was a place or a trait of a body; where such values
// never come, c.odd looks at a few only.
func (c *column) oddly(yes bool) bool { return c.odd.see(verdict{plausible: true, valid: yes}) }

// zone reads the lines of a passport for machines.
func (c *column) zone(v []byte) bool {
	if len(v) < 30 || len(v) > 95 || bytes.IndexByte(v, '<') < 0 {
		return false
	}
	return c.zones.see(machineZone(v))
}

// nameLike counts what the words of a value say about people.
func (c *column) nameLike(v []byte) {
	if len(v) > 120 || !c.named.sometimes() {
		return
	}
	s := c.env.letters.nameOf(v)
	count := func(yes bool, n *int64) {
		if yes && s.shape {
			*n++
		}
	}
	count(true, &c.names)
	count(s.father, &c.patronymics)
	count(s.family, &c.surnames)
	count(s.known, &c.given)
}

// place looks for the words of a postal address, in some of many values.
func (c *column) place(v []byte, mask uint16) {
	if len(v) < 8 || len(v) > 400 || mask&(isSpace|isHigh|isComma) == 0 || !c.addresses.sometimes() {
		return
	}
	c.addresses.see(verdict{plausible: true, valid: c.env.letters.addressLike(v, mask)})
}

func boolWord(v []byte) bool {
	switch string(v) {
	case "true", "false", "True", "False", "TRUE", "FALSE", "yes", "no", "Yes", "No", "YES", "NO",
		"да", "нет", "Да", "Нет", "ДА", "НЕТ", "是", "否":
		return true
	}
	return false
}

// text handles values with letters outside ASCII.
func (c *column) text(v []byte, mask uint16) uint64 {
	if len(v) <= 8 && boolWord(v) {
		c.bools++
		c.letters++
		return 0
	}
	if mask&isDigit != 0 {
		if d, ok := parseHanDate(v); ok {
			c.dates++
			c.birth(d)
			return 0
		}
	}
	c.letters++
	if shape, surname := c.env.letters.hanName(v); shape {
		c.namesHan++
		if surname {
			c.surnamesHan++
		}
		return 0
	}
	if mask&isDigit != 0 {
		c.withDigits++
		return c.textDigits(v, mask)
	}
	c.place(v, mask)
	c.nameLike(v)
	return 0
}

// textDigits handles text outside ASCII with digits in it.
func (c *column) textDigits(v []byte, mask uint16) uint64 {
	if c.odd.due(0) && c.oddly(c.degrees(v)) {
		return 0
	}
	c.place(v, mask)
	if len(v) <= 16 {
		if id, ok := c.twoLetters(v); ok {
			return id
		}
	}
	if len(v) > 20 {
		c.search(v)
	} else {
		c.documents++
	}
	return 0
}

// twoLetters tests two Cyrillic letters and eight digits.
func (c *column) twoLetters(v []byte) (uint64, bool) {
	a, n := utf8.DecodeRune(v)
	b, m := utf8.DecodeRune(v[n:])
	rest := bytes.TrimLeft(v[n+m:], " -")
	if !cyrillic(a) || !cyrillic(b) || len(rest) != 8 || !digitsOnly(rest) {
		return 0, false
	}
	t := &c.tallies[numMNRegister]
	t.looked++
	c.documents++
	if !t.see(mnRegister(rest, c.env)) || !c.leads(numMNRegister) {
		return 0, true
	}
	h := maphash.Bytes(c.env.seed, append(utf8.AppendRune(utf8.AppendRune(nil, lowerRune(a)), lowerRune(b)), rest...))
	c.people.later(h)
	return h, true
}

// mixed handles everything else in ASCII.
func (c *column) mixed(v []byte, mask uint16) uint64 {
	odd := c.odd.due(0)
	if c.zone(v) || odd && c.oddly(c.body(v)) {
		c.letters++
		return 0
	}
	if mask&isDigit == 0 {
		c.letters++
		c.place(v, mask)
		return 0
	}
	if c.lettersInNumber(v, mask) {
		return 0
	}
	c.letters++
	c.withDigits++
	if odd && c.oddly(c.geometry(v) || c.gridCode(v) || c.pair(v) || c.degrees(v)) {
		return 0
	}
	c.place(v, mask)
	switch {
	case len(v) >= 5 && len(v) <= 7 && icd10(v):
		c.icd++
		return 0
	case len(v) > 20:
		c.search(v)
	case len(v) >= 6:
		c.documents++
	}
	if len(v) <= 42 && mask&^(isDigit|isLetter|isSpace|isDash|isPlus|isDot|isSlash) == 0 {
		return c.lettered(v)
	}
	return 0
}

// lettersInNumber reads moments and numbers that have letters in them.
func (c *column) lettersInNumber(v []byte, mask uint16) bool {
	if mask&(isColon|isDash) != 0 && len(v) >= 16 && len(v) <= 40 {
		if d, ok := parseDateTime(v); ok {
			c.datetimes++
			c.birth(d)
			return true
		}
	}
	parsed, ok := exponent(v)
	if ok {
		c.decimals++
		c.measure(parsed)
	}
	return ok
}

// icd10 recognises a code of the International Classification of Diseases.
func icd10(v []byte) bool {
	if v[0] < 'A' || v[0] > 'Z' || !digitsOnly(v[1:3]) {
		return false
	}
	rest := v[3:]
	return len(rest) == 0 || rest[0] == '.' && len(rest) <= 4 && digitsOnly(rest[1:])
}
