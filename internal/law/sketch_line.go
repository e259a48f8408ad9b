package law

import "corridor"

// lineSketcher sketches flows straight from lines of JSON, without making
// values of them. It knows plain JSON as programs write it: words without
// escapes, whole numbers, no key twice. Everything else is left to ParseFlow.
type lineSketcher struct {
	*sketcher
	text string
	at   int
}

// line sketches the flow of a line; what the line leaves out comes from
// usual. It says no to what has to be read at length.
func (p *lineSketcher) line(text string, usual *corridor.Flow) bool {
	p.text, p.at = text, 0
	p.begin()
	f := corridor.Flow{Date: usual.Date, Origin: usual.Origin, Destination: usual.Destination, Assume: usual.Assume}
	var seen uint8
	if !p.take('{') {
		return false
	}
	for more := !p.take('}'); more; {
		name, ok := p.key()
		if !ok {
			return false
		}
		bit := uint8(0)
		switch name {
		case "date":
			var w string
			if w, ok = p.quoted(); ok {
				f.Date, ok = day(w)
			}
			bit = 1
		case "origin":
			f.Origin, ok = p.quoted()
			bit = 2
		case "destination":
			f.Destination, ok = p.quoted()
			bit = 4
		case "assume":
			f.Assume, ok = p.quoted()
			bit = 8
		case "facts":
			ok = p.facts()
			bit = 16
		}
		if !ok || bit == 0 || seen&bit != 0 {
			return false
		}
		seen |= bit
		if more, ok = p.next('}'); !ok {
			return false
		}
	}
	return p.finished() && p.end(&f)
}

func (p *lineSketcher) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return
		}
	}
}

// finished says whether nothing follows the flow.
func (p *lineSketcher) finished() bool {
	p.space()
	return p.at == len(p.text)
}

// take takes one byte of punctuation.
func (p *lineSketcher) take(c byte) bool {
	p.space()
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

// next takes what follows an element: a comma, or the end.
func (p *lineSketcher) next(end byte) (more, ok bool) {
	if p.take(',') {
		return true, true
	}
	return false, p.take(end)
}

// quoted takes a string of plain ASCII.
func (p *lineSketcher) quoted() (string, bool) {
	if !p.take('"') {
		return "", false
	}
	from := p.at
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return p.text[from : p.at-1], true
		case c == '\\' || c < ' ' || c >= 0x7F:
			return "", false
		}
		p.at++
	}
	return "", false
}

func (p *lineSketcher) key() (string, bool) {
	w, ok := p.quoted()
	return w, ok && p.take(':')
}

// each walks an object that has begun at the cursor.
func (p *lineSketcher) each(member func(key string) bool) bool {
	if !p.take('{') {
		return false
	}
	for more := !p.take('}'); more; {
		key, ok := p.key()
		if !ok || !member(key) {
			return false
		}
		if more, ok = p.next('}'); !ok {
			return false
		}
	}
	return true
}

func (p *lineSketcher) facts() bool {
	if !p.take('{') {
		return false
	}
	for more := !p.take('}'); more; {
		name, ok := p.key()
		if !ok {
			return false
		}
		m, known := p.names.get(name)
		if !known || !p.once(p.said, m.id) || !p.fact(m) {
			return false
		}
		if more, ok = p.next('}'); !ok {
			return false
		}
	}
	return true
}

// fact takes the value of a fact.
func (p *lineSketcher) fact(m *meaning) bool {
	p.space()
	if p.at == len(p.text) {
		return false
	}
	switch c := p.text[p.at]; c {
	case '"':
		w, ok := p.quoted()
		return ok && p.word(m, w)
	case 't':
		return p.literal("true") && p.truth(m, true)
	case 'f':
		return p.literal("false") && p.truth(m, false)
	case 'n':
		return p.literal("null") && p.none(m)
	case '[':
		return p.exactly(m) && p.list(m, p.has)
	case '{':
		return p.object(m)
	}
	n, ok := p.whole()
	return ok && p.number(m, n)
}

func (p *lineSketcher) literal(w string) bool {
	p.space()
	if len(p.text)-p.at < len(w) || p.text[p.at:p.at+len(w)] != w {
		return false
	}
	p.at += len(w)
	return true
}

// whole takes a whole number; what may follow one is checked by who goes on.
func (p *lineSketcher) whole() (int64, bool) {
	p.space()
	minus := p.at < len(p.text) && p.text[p.at] == '-'
	if minus {
		p.at++
	}
	from, n := p.at, int64(0)
	for p.at < len(p.text) && p.text[p.at]-'0' <= 9 {
		n = n*10 + int64(p.text[p.at]-'0')
		if p.at++; p.at-from > 17 {
			return 0, false
		}
	}
	if p.at == from || p.text[from] == '0' && (p.at > from+1 || minus) {
		return 0, false
	}
	if minus {
		n = -n
	}
	return n, true
}

func (p *lineSketcher) has(m *meaning, w string) bool   { return p.member(m, w, true) }
func (p *lineSketcher) lacks(m *meaning, w string) bool { return p.member(m, w, false) }

// list takes a list of words.
func (p *lineSketcher) list(m *meaning, take func(*meaning, string) bool) bool {
	if !p.take('[') {
		return false
	}
	for more := !p.take(']'); more; {
		w, ok := p.quoted()
		if !ok || !take(m, w) {
			return false
		}
		if more, ok = p.next(']'); !ok {
			return false
		}
	}
	return true
}

// object takes the value of a fact that is an object.
func (p *lineSketcher) object(m *meaning) bool {
	switch m.kind {
	case asSet, asCountries:
		return p.parts(m)
	case asNumber:
		return p.limits(m)
	case asWord:
		return p.oneOf(m)
	case asState:
		return p.once(p.state, m.v) && p.oneOf(m)
	case asRecord:
		return p.record(m)
	case asRecords:
		return p.each(func(id string) bool {
			rec, known := p.names.get(m.of + "s." + id)
			return known && rec.kind == asRecord && p.once(p.said, rec.id) && p.fact(rec)
		})
	case asFiling:
		return p.filingOf(m)
	}
	return false
}

func (p *lineSketcher) parts(m *meaning) bool {
	has, lacks := false, false
	return p.each(func(key string) bool {
		switch {
		case key == "has" && !has:
			has = true
			return p.list(m, p.has)
		case key == "lacks" && !lacks:
			lacks = true
			return p.list(m, p.lacks)
		}
		return false
	})
}

func (p *lineSketcher) limits(m *meaning) bool {
	lo, hi := m.va.min, m.va.max
	min, max := false, false
	return p.each(func(key string) bool {
		n, ok := p.whole()
		switch {
		case !ok || n < m.va.min || n > m.va.max:
			return false
		case key == "min" && !min:
			lo, min = n, true
		case key == "max" && !max:
			hi, max = n, true
		default:
			return false
		}
		return true
	}) && p.span(m, lo, hi)
}

func (p *lineSketcher) oneOf(m *meaning) bool {
	before, n := len(p.words), 0
	return p.each(func(key string) bool {
		n++
		return key == "one_of" && n == 1 && p.list(m, p.either)
	}) && len(p.words) > before
}

func (p *lineSketcher) record(m *meaning) bool {
	state, filed := false, false
	return p.each(func(key string) bool {
		p.space()
		switch {
		case key == "state" && !state:
			state = true
			if p.at < len(p.text) && p.text[p.at] == '{' {
				return p.once(p.state, m.v) && p.oneOf(m)
			}
			w, ok := p.quoted()
			return ok && p.word(m, w)
		case key == "filed_on" && !filed:
			filed = true
			if p.literal("null") {
				return true
			}
			w, ok := p.quoted()
			return ok && p.made(m, w)
		}
		return false
	})
}

func (p *lineSketcher) filingOf(m *meaning) bool {
	var seen [3]bool
	once := func(i int) bool {
		fresh := !seen[i]
		seen[i] = true
		return fresh
	}
	return p.each(func(key string) bool {
		if key == "filed_on" && p.literal("null") {
			return once(2)
		}
		w, ok := p.quoted()
		switch {
		case !ok:
			return false
		case key == "kind":
			return once(0) && p.word(m, w)
		case key == "state":
			return once(1) && p.filingField(key, w)
		case key == "filed_on":
			return once(2) && p.filingField(key, w)
		}
		return false
	}) && seen[0]
}
