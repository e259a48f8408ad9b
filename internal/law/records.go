package law

import (
	"slices"
	"strings"

	"corridor"
)

// recordName recognises vehicles, filings, assessments, and
// vehicles.<kind>; the kind may be followed by .state or .filed_on.
func recordName(name string) (class, kind string, ok bool) {
	class, kind, _ = strings.Cut(name, ".")
	switch class {
	case "vehicles", "filings", "assessments":
		return class[:len(class)-1], kind, true
	}
	return "", "", false
}

// records reads {kind: {state: ..., filed_on: ...}} or {kind: state}.
func (in *inputs) records(class, name string, raw any) error {
	m, ok := object(raw)
	if !ok {
		return wrong(name, "write {kind: {state: ...}}", "%s is not a mapping", show(raw))
	}
	for _, kind := range keys(m) {
		rec, err := in.find(class, kind, name)
		if err != nil {
			return err
		}
		if err := in.record(rec, name+"."+kind, m[kind]); err != nil {
			return err
		}
	}
	return nil
}

func (in *inputs) dotted(class, kind, name string, raw any) error {
	for _, f := range []string{".state", ".filed_on"} {
		if base, ok := strings.CutSuffix(kind, f); ok && in.lib.records[class+"/"+kind] == nil {
			rec, err := in.find(class, base, name)
			if err != nil {
				return err
			}
			return in.record(rec, name, map[string]any{f[1:]: raw})
		}
	}
	rec, err := in.find(class, kind, name)
	if err != nil {
		return err
	}
	return in.record(rec, name, raw)
}

func (in *inputs) find(class, kind, name string) (*record, error) {
	if rec := in.lib.records[class+"/"+kind]; rec != nil {
		return rec, nil
	}
	var names []string
	for _, key := range keys(in.lib.records) {
		if id, ok := strings.CutPrefix(key, class+"/"); ok {
			names = append(names, id)
		}
	}
	return nil, wrong(name, didYouMean(kind, names), "unknown %s %q", class, clip(kind))
}

func (in *inputs) record(rec *record, name string, raw any) error {
	m, ok := object(raw)
	if !ok {
		m = map[string]any{"state": raw}
	}
	for _, key := range keys(m) {
		switch key {
		case "state":
			if err := in.state(rec, name, m[key]); err != nil {
				return err
			}
		case "filed_on":
			if m[key] == nil {
				continue
			}
			d, err := toDate(m[key])
			if err != nil {
				return wrong(name, "write it as YYYY-MM-DD", "filed_on: %s is not a date", show(m[key]))
			}
			if i := slices.IndexFunc(in.filed, func(f filed) bool { return f.rec == rec }); !in.filling && i >= 0 && in.filed[i].on != d {
				return wrong(name, "remove one", "the flow gives two days on which %s was filed", rec.id)
			}
			if !in.filling || in.given[rec.v] != byFlow {
				in.file(rec, d)
			}
		default:
			return wrong(name, didYouMean(key, []string{"state", "filed_on"}), "unknown field %q", clip(key))
		}
	}
	return nil
}

func (in *inputs) state(rec *record, name string, raw any) error {
	list := []any{raw}
	if m, ok := object(raw); ok {
		if list, ok = array(m["one_of"]); !ok || len(m) != 1 || len(list) == 0 {
			return wrong(name, "write one_of: [a, b]", "state is a word or {one_of: [...]}")
		}
	}
	x := values{lo: 1}
	for _, el := range list {
		s, ok := el.(string)
		i := slices.Index(rec.states, s)
		if !ok || i < 0 {
			return wrong(name, didYouMean(s, rec.states), "unknown state %s", show(el))
		}
		x.set.add(i)
	}
	if !in.filling && in.given[rec.v] == byFlow { // said under two names: both hold
		for w, said := range in.vals[rec.v].set {
			x.set[w] &= said
		}
		if x.set.count() == 0 {
			return wrong(name, "remove one", "the flow says twice in what state %s is, and not the same", rec.id)
		}
	}
	in.know(rec.v, x)
	return nil
}

// The words of the shared case format for "what is in place under the
// exporter's own law".
func isShorthand(name string) bool {
	return name == "mechanism" || name == "filing" || name == "impact_assessment"
}

var mechanisms = []string{"none", "security_assessment", "standard_contract", "certification", "bcr", "written_undertaking",
	"authority_permit", "treaty", "safeguard_other"}

// short maps one shorthand fact onto the own pack's records that nothing
// more exact was said about.
func (in *inputs) short(name string, raw any) error {
	switch name {
	case "mechanism":
		s, ok := raw.(string)
		valid := in.lib.mechanisms
		if !ok || !slices.Contains(valid, s) {
			return wrong(name, didYouMean(s, valid), "unknown value %s", show(raw))
		}
		return in.put(name, "vehicle", s, "", nil)
	case "impact_assessment":
		b, ok := raw.(bool)
		if !ok {
			return wrong(name, "use true or false", "%s is not a yes or no", show(raw))
		}
		if b {
			return in.put(name, "assessment", "true", "", nil)
		}
		return in.put(name, "assessment", "none", "", nil)
	}
	if s, ok := raw.(string); ok {
		raw = map[string]any{"kind": s}
	}
	if raw == nil {
		raw = map[string]any{"kind": "none"}
	}
	m, ok := object(raw)
	if !ok {
		return wrong(name, "write {kind: ..., state: ...} or none", "%s is not a filing", show(raw))
	}
	for _, key := range keys(m) {
		if key != "kind" && key != "state" && key != "filed_on" {
			return wrong(name, didYouMean(key, []string{"kind", "state", "filed_on"}), "unknown field %q", clip(key))
		}
	}
	kind, _ := m["kind"].(string)
	valid := in.lib.filings
	if !slices.Contains(valid, kind) {
		return wrong(name, didYouMean(kind, valid), "unknown kind %s", show(m["kind"]))
	}
	state := "none"
	if s, given := m["state"]; given {
		if state, ok = s.(string); !ok {
			return wrong(name, "", "state %s is not a word", show(s))
		}
	}
	return in.put(name, "filing", kind, state, m["filed_on"])
}

// words lists the shorthand words that any pack gives a meaning.
func (l *Library) words(class string, also []string) []string {
	out := slices.Clone(also)
	for _, rec := range l.recordList {
		if rec.class != class {
			continue
		}
		for _, w := range keys(rec.shorthand) {
			if !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	return out
}

// put sets every record of a class in the own pack that nothing more exact
// was said about: those that the word means to its state, all others to
// "nothing there".
func (in *inputs) put(name, class, word, state string, filedOn any) error {
	if in.own == nil {
		return nil
	}
	meant := word == "none"
	for _, rec := range in.own.records {
		if rec.class != class {
			continue
		}
		to := rec.states[0]
		_, ok := rec.shorthand[word]
		meant = meant || ok
		if in.given[rec.v] == byFlow {
			continue
		}
		if ok {
			if to = rec.shorthand[word]; to == "same" {
				to = state
			}
			if err := in.record(rec, name, map[string]any{"filed_on": filedOn}); err != nil {
				return err
			}
		}
		if err := in.state(rec, name, to); err != nil {
			return err
		}
	}
	if !meant {
		in.notes = append(in.notes, note(noteNoMeaning, name, word, in.own.id))
	}
	return nil
}

func unknownProfile(l *Library, name string) error {
	e := corridor.E(corridor.NotFound, "unknown assumption profile %q", clip(name))
	e.Kind, e.Fix = corridor.Invalid, didYouMean(name, keys(l.profiles))
	return e
}

// plain writes a profile's value the way its file does.
func plain(raw any) string {
	if list, ok := array(raw); ok {
		var parts []string
		for _, el := range list {
			parts = append(parts, plain(el))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	if raw == nil {
		return "none"
	}
	if s, ok := raw.(string); ok {
		return s
	}
	return show(raw)
}
