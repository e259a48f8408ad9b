package engines

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"corridor"
)

// World is a flow of which everything is known: every fact of the vocabulary
// (nil: known to be absent; a set as its members), and the state of every
// vehicle, filing and assessment under "class/id".
type World struct {
	Date                corridor.Date
	Origin, Destination string
	Facts               map[string]any
	packs               *Packs
}

func (w *World) set(name string) []string {
	list, _ := w.Facts[name].([]string)
	return list
}

// Flow writes the world as internal/law reads it.
func (w *World) Flow() corridor.Flow {
	f := corridor.Flow{Date: w.Date, Origin: w.Origin, Destination: w.Destination, Facts: corridor.Facts{}}
	for name, v := range w.Facts {
		class, id, isRecord := strings.Cut(name, "/")
		switch {
		case name == "origin" || name == "destination": // parts of the flow itself
		case !isRecord && w.packs.byName[name].Derived != "":
		case isRecord:
			f.Facts[class+"s."+id] = w.record(name, v)
		default:
			f.Facts[name] = v
		}
	}
	return f
}

// record writes a record's state. That a term is still running is never
// stated: it follows from the day of the filing.
func (w *World) record(name string, state any) any {
	if r := w.packs.records[name]; r.Standstill != nil && state == r.Standstill.Before {
		return map[string]any{"state": r.Standstill.While[0], "filed_on": w.Date}
	}
	return state
}

// Draws makes worlds. Half of what it fills is usual and half is anything, so
// that flows get past the first ban; numbers keep to the lines that the law
// draws through them, and their neighbours.
type Draws struct {
	*Packs
	rand  *rand.Rand
	lines map[string][]int64
	days  []corridor.Date
	codes []string

	recordNames []string
}

// NewDraws draws the same worlds for the same seed.
func (p *Packs) NewDraws(seed uint64) (*Draws, error) {
	d := &Draws{Packs: p, rand: rand.New(rand.NewPCG(seed, 1)), lines: map[string][]int64{}, codes: slices.Collect(maps.Keys(p.byState)),
		recordNames: slices.Sorted(maps.Keys(p.records))}
	for _, one := range p.packs {
		for _, side := range []corridor.Side{corridor.Export, corridor.Import, corridor.Treaty} {
			changes, err := one.changes(side)
			if err != nil {
				return nil, err
			}
			for _, c := range changes {
				d.days = append(d.days, c, c-1)
			}
		}
		for _, l := range one.Lists {
			for _, e := range l.Editions {
				d.codes = append(d.codes, e.Codes...)
			}
		}
	}
	d.codes = slices.DeleteFunc(d.codes, func(s string) bool { return s == treaties || s == "EU" })
	slices.Sort(d.codes)
	slices.Sort(d.days)
	d.codes, d.days = slices.Compact(d.codes), slices.Compact(d.days)
	laws, err := p.All(d.days[len(d.days)-1])
	if err != nil {
		return nil, err
	}
	for _, l := range laws {
		for _, h := range l.Hits {
			h.cond.numbers(func(fact string, n int64) { d.lines[fact] = append(d.lines[fact], n-1, n, n+1) })
		}
	}
	for _, f := range p.facts {
		if list := d.lines[f.Name]; f.Type == "int" {
			list = append(list, f.Min, f.Min+1, f.Max)
			slices.Sort(list)
			d.lines[f.Name] = slices.DeleteFunc(slices.Compact(list), func(n int64) bool { return n < f.Min || n > f.Max })
		}
	}
	return d, nil
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// World draws one between two states that have packs. Nothing: what was drawn
// cannot be.
func (d *Draws) World(on corridor.Date) (*World, error) {
	w := &World{Date: on, Facts: map[string]any{}, packs: d.Packs}
	for w.Origin == w.Destination {
		w.Origin, w.Destination = d.state(), d.state()
	}
	for _, f := range d.facts {
		d.fact(w, f)
	}
	if d.rand.IntN(3) > 0 {
		w.Facts["data_classes"] = append(slices.DeleteFunc(w.set("data_classes"), func(s string) bool { return s == "personal" || s == "non_personal" }), "personal")
	}
	d.fillRecords(w)
	if err := d.aim(w); err != nil {
		return nil, err
	}
	d.settle(w)
	if !d.possible(w, nil) {
		return nil, nil
	}
	return w, nil
}

// settle lets a date have brought about what only a date can: a filing that
// waits for a term to pass is in its term, or past it.
func (d *Draws) settle(w *World) {
	for name, r := range d.records {
		state, _ := w.Facts[name].(string)
		if r.Standstill != nil && state != r.Standstill.Before && slices.Contains(r.Standstill.While, state) {
			w.Facts[name] = r.Standstill.Then
		}
	}
}

// state draws a state that has a pack; of a union one of its members.
func (d *Draws) state() string {
	for {
		one := pick(d.rand, d.packs)
		switch {
		case len(one.Members) > 0:
			return pick(d.rand, one.Members)
		case one.Layer != treaties:
			return one.Jurisdiction
		}
	}
}

// aim brings a world to where some provision of its laws takes part.
func (d *Draws) aim(w *World) error {
	laws, err := d.Sides(w)
	if err != nil {
		return err
	}
	if l := pick(d.rand, laws); len(l.Hits) > 0 {
		d.want(w, pick(d.rand, l.Hits).cond, true)
	}
	return nil
}

// want changes facts until a condition holds, or does not, as far as one pass
// gets; which packs decide it stays.
func (d *Draws) want(w *World, c *cond, yes bool) {
	w.derive()
	if c.holds(w) == yes {
		return
	}
	switch {
	case c.fact == "origin" || c.fact == "destination":
		d.move(w, c, yes)
	case c.op == opNot || c.op == opNamed:
		d.want(w, c.kids[0], yes == (c.op == opNamed))
	case len(c.kids) > 0 && yes == (c.op == opOr):
		d.want(w, pick(d.rand, c.kids), yes)
	case len(c.kids) > 0:
		for _, k := range c.kids {
			d.want(w, k, yes)
		}
	case c.op == opHas && yes:
		w.Facts[c.fact] = append(slices.Clone(w.set(c.fact)), c.words[0])
	case c.op == opHas:
		w.Facts[c.fact] = slices.DeleteFunc(slices.Clone(w.set(c.fact)), func(s string) bool { return s == c.words[0] })
	case c.op == opYes && w.packs.byName[c.fact].Derived != "":
		w.Facts["first_store"] = pick(d.rand, append(d.codes, w.Origin, w.Destination))
	case c.op == opYes:
		w.Facts[c.fact] = yes
	case c.op == opOneOf && yes && len(c.words) > 0:
		w.Facts[c.fact] = pick(d.rand, c.words)
	default:
		for n := 0; n < 20 && c.holds(w) != yes; n++ {
			d.again(w, c.fact)
		}
	}
}

// move goes to another member of the same union, if the condition wants one.
func (d *Draws) move(w *World, c *cond, yes bool) {
	end := &w.Origin
	if c.fact == "destination" {
		end = &w.Destination
	}
	from := *end
	for _, code := range d.byState[from].Members {
		if *end = code; w.Origin != w.Destination {
			if w.derive(); c.holds(w) == yes {
				return
			}
		}
	}
	*end = from
	w.derive()
}

// again draws a fact or a record anew.
func (d *Draws) again(w *World, name string) {
	if f := d.byName[name]; f != nil {
		d.fact(w, f)
		return
	}
	delete(w.Facts, name)
	d.fillRecords(w)
}

// Day draws a day on which some law begins, or the day before.
func (d *Draws) Day() corridor.Date { return pick(d.rand, d.days) }

// fact draws a value for one fact.
func (d *Draws) fact(w *World, f *fact) {
	usual := d.rand.IntN(2) == 0
	switch f.Type {
	case "bool":
		w.Facts[f.Name] = !usual && d.rand.IntN(2) == 0
	case "int":
		w.Facts[f.Name] = pick(d.rand, d.lines[f.Name])
		if f.Optional && usual {
			w.Facts[f.Name] = nil
		}
	case "enum":
		w.Facts[f.Name] = pick(d.rand, f.Values)
	case "country":
		w.Facts[f.Name] = w.Origin
		if !usual {
			w.Facts[f.Name] = pick(d.rand, d.codes)
		}
	default:
		members := f.Values
		if f.Type == "countries" {
			members = d.codes
		}
		list := []string{}
		for range d.rand.IntN(4) {
			if m := pick(d.rand, members); !usual && !slices.Contains(list, m) {
				list = append(list, m)
			}
		}
		w.Facts[f.Name] = list
	}
}

// fillRecords draws states of records, where none was given.
func (d *Draws) fillRecords(w *World) {
	for _, name := range d.recordNames {
		if _, given := w.Facts[name]; given {
			continue
		}
		states := d.records[name].States
		w.Facts[name] = states[0]
		if d.rand.IntN(2) == 0 {
			w.Facts[name] = pick(d.rand, states)
		}
	}
}

// possible brings a world into what the axioms allow: what a fact implies is
// added, and of what excludes each other something is drawn anew, unless it is
// given.
func (d *Draws) possible(w *World, given func(fact, member string) bool) bool {
	w.derive()
	for range 100 {
		broken := -1
		for i := range d.axioms {
			if d.axioms[i].cond.holds(w) {
				broken = i
				break
			}
		}
		if broken < 0 && d.counts(w, given) {
			return true
		}
		if broken < 0 {
			return false
		}
		if !d.mend(w, d.axioms[broken].cond, given) {
			return false
		}
	}
	return false
}

// counts keeps numbers within the larger ones that include them.
func (d *Draws) counts(w *World, given func(fact, member string) bool) bool {
	for _, f := range d.facts {
		if len(f.Within) == 0 {
			continue
		}
		part, room := w.Facts[f.Name].(int64), int64(0)
		for _, name := range f.Within {
			room += w.Facts[name].(int64)
		}
		whole := f.Within[d.rand.IntN(len(f.Within))]
		if f.About != "" && (part == 0 || room == 0) && w.holds(f.About) {
			if room == 0 && fixed(given, whole) || part == 0 && fixed(given, f.Name) {
				return d.without(w, f.About, given) // nobody is there: then it is not about people
			}
			if room == 0 {
				w.Facts[whole], room = int64(1), 1
			}
			part = max(part, 1)
			w.Facts[f.Name] = part
		}
		switch {
		case part <= room:
		case given == nil || !given(f.Name, ""):
			w.Facts[f.Name] = room
		case !given(whole, ""):
			w.Facts[whole] = w.Facts[whole].(int64) + part - room
		default:
			return false
		}
	}
	return true
}

func fixed(given func(fact, member string) bool, name string) bool {
	return given != nil && given(name, "")
}

// holds says whether a set of the world has a member.
func (w *World) holds(member string) bool {
	for _, f := range w.packs.facts {
		if f.Type == "set" && slices.Contains(w.set(f.Name), member) {
			return true
		}
	}
	return false
}

// without takes a member out of the sets, and says whether the world is
// possible then.
func (d *Draws) without(w *World, member string, given func(fact, member string) bool) bool {
	for _, f := range d.facts {
		if f.Type != "set" || !slices.Contains(w.set(f.Name), member) {
			continue
		}
		if given != nil && given(f.Name, member) {
			return false
		}
		w.Facts[f.Name] = slices.DeleteFunc(slices.Clone(w.set(f.Name)), func(s string) bool { return s == member })
	}
	for i := range d.axioms {
		if d.axioms[i].cond.holds(w) {
			return false // what follows from another class cannot be taken out
		}
	}
	return d.counts(w, given)
}

// mend changes one thing that a broken axiom names.
func (d *Draws) mend(w *World, c *cond, given func(fact, member string) bool) bool {
	type change struct {
		fact, member string
		add          bool
	}
	var can []change
	var visit func(c *cond, negated bool)
	visit = func(c *cond, negated bool) {
		switch {
		case c.op == opNot:
			visit(c.kids[0], !negated)
		case c.op == opHas && (given == nil || !given(c.fact, c.words[0])):
			can = append(can, change{c.fact, c.words[0], negated})
		case c.fact != "" && c.op != opHas && (given == nil || !given(c.fact, "")):
			can = append(can, change{fact: c.fact})
		}
		for _, k := range c.kids {
			if c.op != opNot {
				visit(k, negated)
			}
		}
	}
	visit(c, false)
	if len(can) == 0 {
		return false
	}
	do := pick(d.rand, can)
	for _, c := range can {
		if c.add { // what follows is added rather than the reason taken away
			do = c
		}
	}
	switch {
	case do.member == "":
		d.fact(w, d.byName[do.fact])
		w.derive()
	case do.add:
		w.Facts[do.fact] = append(slices.Clone(w.set(do.fact)), do.member)
	default:
		w.Facts[do.fact] = slices.DeleteFunc(slices.Clone(w.set(do.fact)), func(s string) bool { return s == do.member })
	}
	return true
}

// derive computes what follows from the frame of a flow.
func (w *World) derive() {
	w.Facts["origin"], w.Facts["destination"] = w.Origin, w.Destination
	for _, f := range w.packs.facts {
		switch f.Derived {
		case "first_store_is_origin":
			w.Facts[f.Name] = w.Facts["first_store"] == w.Origin
		case "first_store_is_destination":
			w.Facts[f.Name] = w.Facts["first_store"] == w.Destination
		}
	}
}

// String names a world in a message.
func (w *World) String() string {
	return fmt.Sprintf("%s to %s on %s, %v", w.Origin, w.Destination, w.Date, w.Facts)
}
