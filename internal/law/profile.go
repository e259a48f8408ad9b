package law

import "corridor"

// filling is one fact of a profile, read once: a profile says the same
// whatever flow names it, except what depends on the flow's own pack or origin.
type filling struct {
	name string
	raw  any
	open bool // it depends on the flow: it is read anew
	text string
	sets []setting
	on   []filed
}

// setting is what a fact says of one variable.
type setting struct {
	v int
	x values
}

// fill reads the facts of a profile in the order of their names.
func (l *Library) fill(p *profile) []filling {
	facts := p.facts
	if p.firstStore {
		facts = facts.Clone()
		facts["first_store"] = "origin"
	}
	var out []filling
	var add func(name string, raw any)
	add = func(name string, raw any) {
		if list, ok := raw.(map[string]any); ok && (name == "vehicles" || name == "filings" || name == "assessments") {
			for _, id := range keys(list) {
				add(name+"."+id, list[id])
			}
			return
		}
		out = append(out, l.filling(name, raw))
	}
	for _, name := range keys(facts) {
		add(name, facts[name])
	}
	return out
}

// filling reads one fact. What cannot be read is left to the flow that names
// the profile, which says so.
func (l *Library) filling(name string, raw any) filling {
	f := filling{name: name, raw: raw, text: name + " = " + plain(raw)}
	if f.open = isShorthand(name) || name == "first_store" && raw == "origin"; f.open {
		return f
	}
	in := l.inputs()
	defer in.forget()
	in.filling = true
	if f.open = in.fact(name, raw) != nil; f.open {
		return f
	}
	for _, v := range in.filled {
		f.sets = append(f.sets, setting{v, in.vals[v]})
	}
	f.on = append(f.on, in.filed...)
	return f
}

// assume fills what is not given from the flow's profile.
func (in *inputs) assume() error {
	if in.flow.Assume == "" {
		return nil
	}
	p := in.lib.profiles[in.flow.Assume]
	if p == nil {
		return unknownProfile(in.lib, in.flow.Assume)
	}
	in.filling = true
	defer func() { in.filling = false }()
	fillings := p.fillings()
	for i := range fillings {
		if err := in.assumeOne(&fillings[i]); err != nil {
			return corridor.E(corridor.Invalid, "assumption profile %s: %w", in.flow.Assume, err)
		}
	}
	if p.noRecords {
		in.assumeNoRecords()
	}
	return nil
}

// assumeOne fills one fact. Of a set that is partly given the open members
// are filled.
func (in *inputs) assumeOne(f *filling) error {
	from, text := len(in.filled), f.text
	switch {
	case !f.open:
		for i := range f.sets {
			in.know(f.sets[i].v, f.sets[i].x)
		}
		for _, on := range f.on {
			if in.given[on.rec.v] != byFlow {
				in.file(on.rec, on.on)
			}
		}
	case isShorthand(f.name):
		if _, given := in.flow.Facts[f.name]; given {
			return nil
		}
		if err := in.short(f.name, f.raw); err != nil {
			return err
		}
	default:
		raw := f.raw
		if f.name == "first_store" && raw == "origin" {
			raw, text = in.flow.Origin, f.name+" = "+in.flow.Origin
		}
		if err := in.fact(f.name, raw); err != nil {
			return err
		}
	}
	in.assumed1(text, from)
	return nil
}

// assumed1 notes the variables that were filled since there were from.
func (in *inputs) assumed1(text string, from int) {
	if vars := in.filled[from:]; len(vars) > 0 {
		in.assumed = append(in.assumed, assumption{text, vars})
	}
}

// assumeNoRecords says of every record that nothing is there.
func (in *inputs) assumeNoRecords() {
	for _, rec := range in.lib.recordList {
		if in.given[rec.v] != byNobody {
			continue
		}
		from := len(in.filled)
		in.know(rec.v, just(0))
		in.assumed1(rec.nothing, from)
	}
}
