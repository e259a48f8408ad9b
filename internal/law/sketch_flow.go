package law

import "corridor"

// flow sketches a flow. It says no to what has to be read at length.
func (s *sketcher) flow(f *corridor.Flow) bool {
	s.begin()
	for name, raw := range f.Facts {
		m, known := s.names.get(name)
		if !known || !s.value(m, raw) {
			return false
		}
	}
	return s.end(f)
}

func (s *sketcher) value(m *meaning, raw any) bool {
	switch v := raw.(type) {
	case string:
		return s.word(m, v)
	case bool:
		return s.truth(m, v)
	case nil:
		return s.none(m)
	case []any:
		if !s.exactly(m) {
			return false
		}
		return s.members(m, v, true)
	case []string:
		if !s.exactly(m) {
			return false
		}
		return s.members(m, v, true)
	case map[string]any:
		return s.object(m, v)
	}
	n, ok := integer(raw)
	return ok && s.number(m, n)
}

func (s *sketcher) members(m *meaning, raw any, has bool) bool {
	if m.kind != asSet && m.kind != asCountries {
		return false
	}
	return eachWord(raw, func(w string) bool { return s.member(m, w, has) })
}

// eachWord takes a list of words.
func eachWord(raw any, take func(string) bool) bool {
	switch list := raw.(type) {
	case []string:
		for _, w := range list {
			if !take(w) {
				return false
			}
		}
		return true
	case []any:
		for _, el := range list {
			if w, ok := el.(string); !ok || !take(w) {
				return false
			}
		}
		return true
	}
	return false
}

func (s *sketcher) object(m *meaning, o map[string]any) bool {
	switch m.kind {
	case asSet, asCountries:
		for key, raw := range o {
			if key != "has" && key != "lacks" || !s.members(m, raw, key == "has") {
				return false
			}
		}
		return true
	case asNumber:
		return s.limits(m, o)
	case asWord:
		return s.oneOf(m, o)
	case asState:
		return s.once(s.state, m.v) && s.oneOf(m, o)
	case asRecord:
		return s.record(m, o)
	case asRecords:
		for id, raw := range o {
			rec, known := s.names.get(m.of + "s." + id)
			if !known || rec.kind != asRecord || !s.value(rec, raw) {
				return false
			}
		}
		return true
	case asFiling:
		return s.filingOf(m, o)
	}
	return false
}

func (s *sketcher) limits(m *meaning, o map[string]any) bool {
	lo, hi := m.va.min, m.va.max
	for key, raw := range o {
		n, ok := integer(raw)
		switch {
		case !ok || n < m.va.min || n > m.va.max:
			return false
		case key == "min":
			lo = n
		case key == "max":
			hi = n
		default:
			return false
		}
	}
	return s.span(m, lo, hi)
}

func (s *sketcher) oneOf(m *meaning, o map[string]any) bool {
	n := 0
	return len(o) == 1 && eachWord(o["one_of"], func(w string) bool { n++; return s.either(m, w) }) && n > 0
}

func (s *sketcher) record(m *meaning, o map[string]any) bool {
	for key, raw := range o {
		switch v := raw.(type) {
		case string:
			if key == "state" && s.word(m, v) || key == "filed_on" && s.made(m, v) {
				continue
			}
		case map[string]any:
			if key == "state" && s.once(s.state, m.v) && s.oneOf(m, v) {
				continue
			}
		case nil:
			if key == "filed_on" {
				continue
			}
		}
		return false
	}
	return true
}

func (s *sketcher) filingOf(m *meaning, o map[string]any) bool {
	kind := false
	for key, raw := range o {
		w, ok := raw.(string)
		switch {
		case key == "filed_on" && raw == nil:
		case !ok:
			return false
		case key == "kind":
			if kind = s.word(m, w); !kind {
				return false
			}
		case !s.filingField(key, w):
			return false
		}
	}
	return kind
}

// filingField takes the state or the date of the filing in shorthand.
func (s *sketcher) filingField(key, w string) bool {
	switch key {
	case "state":
		i, ok := s.states.get(w)
		return ok && s.put(slotFilingState, saysOne, i)
	case "filed_on":
		d, ok := day(w)
		s.dated = true
		return ok && s.put(slotFilingDate, saysFiled, uint64(uint32(d)))
	}
	return false
}
