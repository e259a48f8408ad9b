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
	for _, f := range []string{".state", ".filed_on", ".issued_on"} {
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
		return in.state(rec, name, raw)
	}
	for _, key := range keys(m) {
		var err error
		switch key {
		case "state":
			err = in.state(rec, name, m[key])
		case "filed_on", "issued_on":
			if (key == "issued_on") != (rec.valid != nil) {
				return wrong(name, "leave it out", "%s says nothing of %s", key, rec.id)
			}
			err = in.filedOn(rec, name, m[key])
		default:
			err = wrong(name, didYouMean(key, []string{"state", "filed_on", "issued_on"}), "unknown field %q", clip(key))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (in *inputs) filedOn(rec *record, name string, raw any) error {
	if raw == nil {
		return nil
	}
	d, err := toDate(raw)
	if err != nil {
		return wrong(name, "write it as YYYY-MM-DD", "the day given for %s, %s, is not a date", rec.id, show(raw))
	}
	if i := slices.IndexFunc(in.filed, func(f filed) bool { return f.rec == rec }); !in.filling && i >= 0 && in.filed[i].on != d {
		return wrong(name, "remove one", "the flow gives two days on which %s was filed", rec.id)
	}
	if !in.filling || in.given[rec.v] != byFlow {
		in.file(rec, d)
	}
	return nil
}

func (in *inputs) state(rec *record, name string, raw any) error {
	x := values{lo: 1}
	add := func(s string, shown any) error {
		i := slices.Index(rec.states, s)
		if i < 0 {
			return wrong(name, didYouMean(s, rec.states), "unknown state %s", show(shown))
		}
		x.set.add(i)
		return nil
	}
	if m, ok := object(raw); ok {
		list, ok := array(m["one_of"])
		if !ok || len(m) != 1 || len(list) == 0 {
			return wrong(name, "write one_of: [a, b]", "state is a word or {one_of: [...]}")
		}
		for _, el := range list {
			s, _ := el.(string)
			if err := add(s, el); err != nil {
				return err
			}
		}
	} else {
		s, _ := raw.(string)
		if err := add(s, raw); err != nil {
			return err
		}
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
			if err := in.filedOn(rec, name, filedOn); err != nil {
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
