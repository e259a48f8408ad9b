package law

import (
	"encoding/json"

	"corridor"
)

// draws chooses one of n.
type draws func(n int) int

func (p draws) of(words []string) string { return words[p(len(words))] }
func (p draws) one(in int) bool          { return p(in) == 0 }

// anyFlow writes a flow about the shipped packs: mostly of the shapes that
// flows have, now and then of one that is refused.
func anyFlow(l *Library, p draws) corridor.Flow {
	code := func() string {
		switch p(12) {
		case 0:
			return p.of(keys(l.byJurisdiction)) // unions and the treaties are no states
		case 1, 2:
			return p.of(l.atlas.codes)
		}
		return p.of(l.States())
	}
	day, _ := corridor.ParseDate("2026-11-24")
	f := corridor.Flow{Date: day, Origin: code(), Destination: code(), Facts: corridor.Facts{}}
	if p.one(3) {
		f.Date -= corridor.Date(p(3000))
	}
	if !p.one(3) {
		f.Assume = p.of(keys(l.profiles))
	}
	for range p(14) {
		switch k := p(12); {
		case k < 8:
			fact := l.vocab.facts[p(len(l.vocab.facts))]
			if !p.one(40) && (fact.derive != nil || fact.Name == "origin" || fact.Name == "destination") {
				continue
			}
			f.Facts[fact.Name] = anyValue(l, fact, p)
		case k == 8:
			f.Facts["mechanism"] = p.of([]string{"none", "standard_contract", "treaty", "certification", "bcr"})
		case k == 9:
			f.Facts["impact_assessment"] = p(2) == 0
		case k == 10:
			f.Facts["filing"] = anyFiling(l, p)
		default:
			anyRecord(l, p, f.Facts)
		}
	}
	if p.one(80) {
		f.Assume = "nobody"
	}
	if p.one(40) {
		f.Facts[p.of([]string{"data_clases", "date", "origin", "vehicles.cn.nothing", "filings", ""})] = p.of([]string{"x", "2026-01-01"})
	}
	return f
}

func anyDay(p draws) string {
	day, _ := corridor.ParseDate("2026-11-26")
	return (day - corridor.Date(p(120))).String()
}

func anyFiling(l *Library, p draws) any {
	kind := p.of(l.words("filing", []string{"none"}))
	switch p(4) {
	case 0:
		return kind
	case 1:
		return map[string]any{"kind": kind, "state": p.of([]string{"none", "filed", "accepted", "passed"})}
	case 2:
		return map[string]any{"kind": kind, "state": "filed", "filed_on": anyDay(p)}
	}
	return nil
}

func anyRecord(l *Library, p draws, facts corridor.Facts) {
	rec := l.recordList[p(len(l.recordList))]
	state := func() any {
		if p.one(6) {
			return map[string]any{"one_of": []any{p.of(rec.states), p.of(rec.states)}}
		}
		return p.of(rec.states)
	}
	var v any
	switch p(4) {
	case 0:
		v = state()
	case 1:
		v = map[string]any{"state": state()}
	case 2:
		v = map[string]any{"state": state(), "filed_on": anyDay(p)}
	default:
		v = map[string]any{"filed_on": anyDay(p)}
	}
	switch p(4) {
	case 0:
		facts[rec.class+"s"] = map[string]any{rec.id: v}
	case 1:
		facts[rec.class+"s."+rec.id+".state"] = state()
	default:
		facts[rec.class+"s."+rec.id] = v
	}
}

// anyValue writes a value for a fact: exact, partial, absent or wrong.
func anyValue(l *Library, f *fact, p draws) any {
	if p.one(60) {
		return []any{nil, true, int64(-5), "no_such_word", 1.5, map[string]any{"min": int64(9), "max": int64(1)}, []any{"x"}, map[string]any{}}[p(8)]
	}
	if f.Optional && p.one(3) {
		return []any{nil, "none"}[p(2)]
	}
	number := func() any {
		n := []int64{0, 1, 9, 10, 99, 1000, 9999, 10_000, 99_999, 100_000, 1_000_000, 2_000_000}[p(12)] + int64(p(3))
		return []any{n, int(n), float64(n)}[p(3)]
	}
	switch f.Type {
	case typeBool:
		return p(2) == 0
	case typeInt:
		switch p(5) {
		case 0:
			return map[string]any{"min": number()}
		case 1:
			return map[string]any{"max": number(), "min": int64(0)}
		}
		return number()
	case typeDate:
		if p.one(3) {
			return map[string]any{"min": anyDay(p)}
		}
		return anyDay(p)
	}
	words := f.Values[:len(f.Values):len(f.Values)]
	if f.Type == typeCountry || f.Type == typeCountries {
		words = append(l.States(), "DE", "US", "JP")
	}
	list := func(most int) []any {
		out := []any{}
		for range p(most + 1) {
			out = append(out, p.of(words))
		}
		return out
	}
	if f.Type == typeEnum || f.Type == typeCountry {
		if p.one(6) {
			return map[string]any{"one_of": append(list(3), p.of(words))}
		}
		return p.of(words)
	}
	switch p(4) {
	case 0:
		return map[string]any{"has": list(2), "lacks": list(2)}
	case 1:
		return map[string]any{"has": []string{p.of(words)}}
	}
	return list(4)
}

// told is a verdict without its flow, or an error, as one text.
func told(v corridor.Verdict, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	v.Flow = corridor.Flow{}
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(data)
}
