package engines

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"corridor"
)

// Case is a case of a pack, read by the description of the format and filled
// from its profile. Facts that neither gives stay open.
type Case struct {
	Date                corridor.Date
	Origin, Destination string
	facts               map[string]any
	own                 *pack // whose records the shorthand means
	packs               *Packs
}

// Case reads a flow as the case of a pack, filled from a profile.
func (p *Packs) Case(f corridor.Flow, jurisdiction, assume string) (*Case, error) {
	c := &Case{f.Date, f.Origin, f.Destination, map[string]any{}, p.byState[jurisdiction], p}
	c.put(f.Facts)
	if assume != "" && assume != "none" {
		prof, ok := p.profiles[assume]
		if !ok {
			return nil, fmt.Errorf("no profile %s", assume)
		}
		c.fill(f.Facts, prof)
	}
	c.close()
	return c, nil
}

// put takes what is given: facts first, then the shorthand for what nothing
// more exact was said about.
func (c *Case) put(facts map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		if shorthand[name] == "" {
			c.one(name, facts[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		if shorthand[name] != "" {
			c.short(name, facts[name])
		}
	}
}

// one takes one fact; a record by whichever of its three spellings.
func (c *Case) one(name string, v any) {
	for _, class := range []string{"vehicle", "filing", "assessment"} {
		if name == class+"s" {
			for id, state := range v.(map[string]any) {
				c.facts[class+"/"+id] = c.state(class+"/"+id, state)
			}
			return
		}
		if id, ok := strings.CutPrefix(name, class+"s."); ok {
			id = strings.TrimSuffix(id, ".state")
			c.facts[class+"/"+id] = c.state(class+"/"+id, v)
			return
		}
	}
	c.facts[name] = v
}

// state reads the state of a record, and what the day of a filing makes of it.
func (c *Case) state(name string, v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	filed, dated := m["filed_on"]
	state := m["state"]
	r := c.packs.records[name]
	if r.Standstill != nil && dated && filed != nil && slices.Contains(r.Standstill.While, fmt.Sprint(state)) {
		d, err := corridor.ParseDate(fmt.Sprint(filed))
		if err == nil && c.packs.rest[r.Standstill.Calendar].termOver(d, c.Date, r.Standstill.Days) {
			return r.Standstill.Then
		}
		return r.Standstill.Before
	}
	if m["one_of"] != nil {
		return m
	}
	return state
}

// shorthand names the class of records that a word of the cases is about.
var shorthand = map[string]string{"mechanism": "vehicle", "filing": "filing", "impact_assessment": "assessment"}

// short gives every record of the own pack's class its state by the word;
// those that the word does not mean are in their first state.
func (c *Case) short(name string, v any) {
	word, state := fmt.Sprint(v), any("none")
	if m, ok := v.(map[string]any); ok {
		word, state = fmt.Sprint(m["kind"]), m["state"]
	}
	if c.own == nil {
		return
	}
	for key, r := range c.own.records {
		if !strings.HasPrefix(key, shorthand[name]+"/") || c.facts[key] != nil {
			continue
		}
		to, meant := r.Shorthand[word]
		switch {
		case !meant:
			c.facts[key] = r.States[0]
		case to == "same":
			m, _ := v.(map[string]any)
			c.facts[key] = c.state(key, map[string]any{"state": state, "filed_on": m["filed_on"]})
		default:
			c.facts[key] = to
		}
	}
}

// fill takes from a profile what is not given.
func (c *Case) fill(given map[string]any, prof profile) {
	if prof.FirstStore != "" && c.facts["first_store"] == nil {
		c.facts["first_store"] = c.Origin
	}
	below := &Case{c.Date, c.Origin, c.Destination, map[string]any{}, c.own, c.packs}
	for name, v := range prof.Facts {
		if _, has := given[name]; !has && shorthand[name] == "" {
			below.one(name, v)
		}
	}
	for name, v := range below.facts {
		have, has := c.facts[name]
		m, part := have.(map[string]any)
		list, isList := v.([]any)
		switch {
		case !has && v == "origin" && name == "first_store":
			c.facts[name] = c.Origin
		case !has:
			c.facts[name] = v
		case part && isList: // a set that is partly given: what is open is as usual
			c.facts[name] = union(m["has"], list)
		}
	}
	for name, v := range prof.Facts {
		if _, has := given[name]; !has && shorthand[name] != "" {
			c.short(name, v)
		}
	}
	if prof.Records == "none" {
		for key, r := range c.packs.records {
			if c.facts[key] == nil {
				c.facts[key] = r.States[0]
			}
		}
	}
}

// close adds to plain lists what the axioms say must be in them by the other
// facts that are given; then a list is what it says, and no more.
func (c *Case) close() {
	w := &World{Date: c.Date, Origin: c.Origin, Destination: c.Destination, Facts: map[string]any{}, packs: c.packs}
	for name, v := range c.facts {
		switch list, isList := v.([]any); {
		case isList:
			w.Facts[name] = members(list)
		case c.packs.byName[name] != nil && c.packs.byName[name].Type == "int" && v != nil:
			w.Facts[name] = number(v)
		default:
			w.Facts[name] = v
		}
	}
	for again := true; again; {
		again = false
		for _, a := range c.packs.axioms {
			if list, isList := c.facts[a.missing.fact].([]any); isList && a.cond.holds(w) {
				c.facts[a.missing.fact] = append(slices.Clone(list), a.missing.member)
				w.Facts[a.missing.fact] = append(w.set(a.missing.fact), a.missing.member)
				again = true
			}
		}
	}
}

func union(a any, b []any) []any {
	list, _ := a.([]any)
	return append(slices.Clone(list), b...)
}

// Forget leaves out about every third fact of a world.
func (d *Draws) Forget(w *World) (corridor.Flow, *Case) {
	f := w.Flow()
	for _, name := range slices.Sorted(maps.Keys(f.Facts)) {
		if list, ok := f.Facts[name].([]string); ok {
			f.Facts[name] = anys(list)
		}
		if d.rand.IntN(3) == 0 {
			delete(f.Facts, name)
		}
	}
	c := &Case{f.Date, f.Origin, f.Destination, map[string]any{}, nil, d.Packs}
	c.put(f.Facts)
	c.close()
	return f, c
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// WorldOf draws one of the worlds that a case leaves open. Nothing: none was
// found.
func (d *Draws) WorldOf(c *Case) *World {
	w := &World{Date: c.Date, Origin: c.Origin, Destination: c.Destination, Facts: map[string]any{}, packs: d.Packs}
	for _, f := range d.facts {
		v, given := c.facts[f.Name]
		d.fact(w, f)
		if given {
			w.Facts[f.Name] = d.within(w.Facts[f.Name], f, v)
		}
	}
	for name, v := range c.facts {
		if m, open := v.(map[string]any); open && strings.Contains(name, "/") {
			v = pick(d.rand, m["one_of"].([]any))
		}
		if strings.Contains(name, "/") {
			w.Facts[name] = fmt.Sprint(v)
		}
	}
	d.fillRecords(w)
	d.settle(w)
	fixed := func(fact, member string) bool { return c.fixes(fact, member) }
	if !d.possible(w, fixed) {
		return nil
	}
	return w
}

// fixes says whether a case says enough of a fact that it may not be drawn
// anew.
func (c *Case) fixes(fact, member string) bool {
	v, given := c.facts[fact]
	m, part := v.(map[string]any)
	has, _ := m["has"].([]any)
	lacks, _ := m["lacks"].([]any)
	if part && member != "" {
		return slices.Contains(has, any(member)) || slices.Contains(lacks, any(member))
	}
	return given
}

// within brings a drawn value into what is given of a fact.
func (d *Draws) within(drawn any, f *fact, v any) any {
	m, part := v.(map[string]any)
	list, isList := v.([]any)
	switch {
	case isList:
		return members(list)
	case part && m["one_of"] != nil:
		return pick(d.rand, m["one_of"].([]any))
	case part && f.Type == "int":
		n, ok := drawn.(int64)
		if lo, has := m["min"]; has && (!ok || n < number(lo)) {
			n = number(lo)
		}
		if hi, has := m["max"]; has && n > number(hi) {
			n = number(hi)
		}
		return n
	case part:
		lacks, _ := m["lacks"].([]any)
		has, _ := m["has"].([]any)
		kept := slices.DeleteFunc(slices.Clone(drawn.([]string)), func(s string) bool { return slices.Contains(lacks, any(s)) || slices.Contains(has, any(s)) })
		return append(kept, members(has)...)
	case f.Type == "int" && v != nil:
		return number(v)
	}
	return v
}

func members(list []any) []string {
	out := []string{}
	for _, v := range list {
		if s := fmt.Sprint(v); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func number(v any) int64 {
	switch n := v.(type) {
	case int:
		return int64(n)
	case int64:
		return n
	case uint64:
		return int64(n)
	case float64:
		return int64(n)
	}
	return 0
}
