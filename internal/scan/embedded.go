package scan

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// search looks for identifiers inside a longer text: runs of digits that have
// the length of one, and e-mail addresses.
func (c *column) search(v []byte) {
	for i := 0; i < len(v); i++ {
		if v[i] < '0' || v[i] > '9' {
			continue
		}
		n := digitRun(v[i:])
		c.run(v, i, n)
		i += n
	}
	if at := bytes.IndexByte(v, '@'); at > 0 {
		c.inText.email.see(verdict{plausible: true, valid: emailLike(around(v, at))})
	}
}

// run tests one run of digits that begins at i.
func (c *column) run(v []byte, i, n int) {
	run := v[i : i+n]
	switch {
	case n == 17 && i+18 <= len(v) && (v[i+17] == 'X' || v[i+17] == 'x'):
		c.inText.cnID.see(cnResidentID(v[i:i+18], &c.env.regions, c.env.today))
	case n == 18:
		c.inText.cnID.see(cnResidentID(run, &c.env.regions, c.env.today))
	case n == 12:
		c.inText.iin.see(kzIIN(run, c.env.today))
	case n == 11:
		if phoneLike(run, c.env.digits[:]) == localPhone {
			c.inText.phone.see(verdict{plausible: true, valid: true})
		}
	case n >= 15 && n <= 19:
		c.inText.card.see(paymentCard(run))
	}
}

// around gives the run of non-blank bytes around position at.
func around(v []byte, at int) []byte {
	i, j := at, at
	for i > 0 && v[i-1] > ' ' && v[i-1] < 0x80 && v[i-1] != '<' && v[i-1] != '(' && v[i-1] != ':' {
		i--
	}
	for j < len(v) && v[j] > ' ' && v[j] < 0x80 && v[j] != '>' && v[j] != ')' && v[j] != ',' && v[j] != ';' {
		j++
	}
	return bytes.TrimRight(v[i:j], ".")
}

// exponent reads numbers such as -1.5e-7.
func exponent(v []byte) (float64, bool) {
	if len(v) > 32 {
		return 0, false
	}
	power := false
	for _, b := range v {
		switch {
		case b == 'e' || b == 'E':
			power = true
		case !(b >= '0' && b <= '9' || b == '.' || b == '-' || b == '+'):
			return 0, false
		}
	}
	if !power {
		return 0, false
	}
	x, err := strconv.ParseFloat(string(v), 64)
	return x, err == nil
}

// shapeOf masks a value: it shows the form and none of the content.
func shapeOf(v []byte) string {
	var out []rune
	for len(v) > 0 && len(out) < 24 {
		r, n := utf8.DecodeRune(v)
		v = v[n:]
		switch {
		case r >= '0' && r <= '9':
			r = '9'
		case r >= 'A' && r <= 'Z':
			r = 'A'
		case r >= 'a' && r <= 'z':
			r = 'a'
		case isHan(r):
			r = '字'
		case cyrillic(r):
			r = 'я'
		case r < 0x20 || r == 0x7f:
			r = ' '
		case r >= 0x80:
			r = '·'
		}
		out = append(out, r)
	}
	if len(v) > 0 {
		out = append(out, '…')
	}
	return string(out)
}

// typeName gives the narrowest type that holds every value.
func (c *column) typeName() string {
	switch v := c.values; {
	case c.binary:
		return "binary"
	case v == 0:
		return "empty"
	case c.dates == v, c.compact == v && c.birthOrRecent():
		return "date"
	case c.datetimes == v, c.datetimes+c.dates == v:
		return "datetime"
	case c.ints == v:
		return "int"
	case c.ints+c.decimals == v:
		return "decimal"
	case c.bools == v:
		return "bool"
	}
	return "text"
}

// birthOrRecent keeps eight-digit numbers that happen to be dates apart from
// days: all of them must be dates, and several.
func (c *column) birthOrRecent() bool { return c.values >= 3 }

// checked says whether any check digit agreed in a value that has little
// chance to be anything else; see rule.chance.
func (c *column) checked() bool {
	for k := range numCount {
		if c.tallies[k].pass > 0 && c.env.registry.rules[k].chance <= 0.1 && k != numKZPerson && k != numCard {
			return true
		}
	}
	return false
}
