package law

import (
	"slices"

	"go.yaml.in/yaml/v4"

	"corridor"
)

// actionsFile is the shared file that says what can be done about a refusal.
const actionsFile = "actions.yaml"

// Limits on actions.yaml.
const (
	maxActions    = 100
	maxActionCost = 1000
	maxLeadDays   = 3650
)

// actions is actions.yaml: what a participant can do to make a flow lawful.
type actions struct {
	perCost int64 // days of lead time that weigh as much as one point of cost
	groups  map[string][]string
	list    []*action
	table   *atomTable
}

// action is one thing that somebody can do. With each it stands for a family:
// one instance per member, line, record or date.
type action struct {
	place
	id, actor, stage string
	kind             string // actions of one kind are alternatives; the id, if none is named
	cost, days       int64
	each             each
	when             *condSource
	holds            *formula // must surely be true; nil: always
	effects          []effect
	text             corridor.Text
}

// each says over what an action is repeated.
type each struct {
	kind   string // "", members, line, record, date
	fact   string // members, line
	group  string // members: which; empty: all
	least  int64  // line: the smallest number that makes sense
	class  string // record: vehicle, filing, assessment
	except []string
	wait   string // date: standstill, law, year
}

// effect is what an action does to one fact.
type effect struct {
	place
	fact   string
	op     string // to, raise, remove, clear, at_most, release, restart
	from   []string
	to     any
	word   string // raise: the value; remove: "each" or a group
	counts *counts
	f      *fact // set when compiled
}

// counts ties a count over the year to the counts of the one flow.
type counts struct {
	file  string // how many of this flow
	less  string // of them, those whom the other counter counts
	group string // the classes without which there are none of those
	to    string // release: the counter that takes them over
}

// lead is how long it takes to put a record in place, and how that is done.
type lead struct {
	days int64
	text corridor.Text
}

func (r *reader) actions(root *yaml.Node) *actions {
	x := &actions{perCost: 10, groups: map[string][]string{}, table: newAtomTable()}
	r.object(root, "the actions",
		field{"days_per_cost", true, func(n *yaml.Node) { x.perCost = r.within(n, "days_per_cost", 1, 365) }},
		field{"groups", false, func(n *yaml.Node) {
			r.entries(n, "groups", func(k, v *yaml.Node) { x.groups[r.name(k, "group")] = r.names(v, "group "+k.Value) })
		}},
		field{"actions", true, func(n *yaml.Node) {
			r.list(n, "actions", func(n *yaml.Node) { x.add(r, n, r.action(n)) })
		}})
	return x
}

func (x *actions) add(r *reader, n *yaml.Node, a *action) {
	switch {
	case slices.ContainsFunc(x.list, func(b *action) bool { return b.id == a.id }):
		r.fail(n, "", "action %q is declared twice", a.id)
	case len(x.list) == maxActions:
		r.fail(n, "", "more than %d actions", maxActions)
	default:
		x.list = append(x.list, a)
	}
}

// within reads a whole number between two bounds.
func (r *reader) within(n *yaml.Node, what string, lo, hi int64) int64 {
	v := r.integer(n, what)
	if v < lo || v > hi {
		r.fail(n, "", "%s is %d; use %d to %d", what, v, lo, hi)
		return lo
	}
	return v
}

func (r *reader) action(n *yaml.Node) *action {
	a := &action{place: r.at(n)}
	r.object(n, "an action",
		field{"id", true, func(n *yaml.Node) { a.id = r.name(n, "id") }},
		field{"kind", false, func(n *yaml.Node) { a.kind = r.name(n, "kind") }},
		field{"actor", true, func(n *yaml.Node) { a.actor = r.choice(n, "actor", "exporter", "importer", "both") }},
		field{"days", true, func(n *yaml.Node) { a.days = r.within(n, "days", 0, maxLeadDays) }},
		field{"cost", true, func(n *yaml.Node) { a.cost = r.within(n, "cost", 1, maxActionCost) }},
		field{"stage", false, func(n *yaml.Node) {
			a.stage = r.choice(n, "stage", "", "drop", "mask", "pseudonymise", "generalise", "aggregate")
		}},
		field{"each", false, func(n *yaml.Node) { a.each = r.each(n) }},
		field{"when", false, func(n *yaml.Node) { c := r.cond(n, "when"); a.when = &c }},
		field{"effects", false, func(n *yaml.Node) {
			r.list(n, "effects", func(n *yaml.Node) { a.effects = append(a.effects, r.effect(n)) })
		}},
		field{"text", true, func(n *yaml.Node) { a.text = r.text(n, "text") }})
	if a.kind == "" {
		a.kind = a.id
	}
	if len(a.effects) == 0 && a.each.kind != "record" && a.each.kind != "date" {
		r.fail(n, "say under effects what it changes", "action %q changes nothing", a.id)
	}
	return a
}

func (r *reader) each(n *yaml.Node) each {
	var e each
	kinds := 0
	kind := func(key string, read func(*yaml.Node)) field {
		return field{key, false, func(n *yaml.Node) { e.kind = key; kinds++; read(n) }}
	}
	r.object(n, "each",
		kind("members", func(n *yaml.Node) { e.fact = r.name(n, "members") }),
		field{"of", false, func(n *yaml.Node) { e.group = r.name(n, "of") }},
		kind("line", func(n *yaml.Node) { e.fact = r.name(n, "line") }),
		field{"least", false, func(n *yaml.Node) { e.least = r.within(n, "least", 0, intMax) }},
		kind("record", func(n *yaml.Node) { e.class = r.choice(n, "record", "vehicle", "filing", "assessment") }),
		field{"except", false, func(n *yaml.Node) { e.except = r.names(n, "except") }},
		kind("date", func(n *yaml.Node) { e.wait = r.choice(n, "date", "standstill", "law", "year") }))
	if kinds != 1 {
		r.fail(n, "write one of members, line, record and date", "each repeats over %d things", kinds)
	}
	return e
}

func (r *reader) effect(n *yaml.Node) effect {
	e := effect{place: r.at(n)}
	ops := 0
	op := func(key string, read func(*yaml.Node)) field {
		return field{key, false, func(n *yaml.Node) { e.op = key; ops++; read(n) }}
	}
	r.object(n, "an effect",
		field{"fact", true, func(n *yaml.Node) { e.fact = r.name(n, "fact") }},
		field{"from", false, func(n *yaml.Node) { e.from = r.names(n, "from") }},
		op("to", func(n *yaml.Node) { e.to = r.value(n) }),
		op("raise", func(n *yaml.Node) { e.word = r.name(n, "raise") }),
		op("remove", func(n *yaml.Node) { e.word = r.name(n, "remove") }),
		op("clear", func(n *yaml.Node) { r.choice(n, "clear", "all") }),
		op("at_most", func(n *yaml.Node) { r.choice(n, "at_most", "line") }),
		field{"counts", false, func(n *yaml.Node) { e.counts = r.counts(n) }},
		op("release", func(n *yaml.Node) { e.counts = r.counts(n) }),
		op("restart", func(n *yaml.Node) { e.counts = r.counts(n) }))
	if ops != 1 {
		r.fail(n, "write one of to, raise, remove, clear, at_most, release and restart", "an effect does %d things", ops)
	}
	return e
}

func (r *reader) counts(n *yaml.Node) *counts {
	c := &counts{}
	r.object(n, "the counts",
		field{"file", true, func(n *yaml.Node) { c.file = r.name(n, "file") }},
		field{"less", false, func(n *yaml.Node) { c.less = r.name(n, "less") }},
		field{"without", false, func(n *yaml.Node) { c.group = r.name(n, "without") }},
		field{"to", false, func(n *yaml.Node) { c.to = r.name(n, "to") }})
	return c
}

func (r *reader) lead(n *yaml.Node) *lead {
	l := &lead{}
	r.object(n, "lead",
		field{"days", true, func(n *yaml.Node) { l.days = r.within(n, "days", 0, maxLeadDays) }},
		field{"text", true, func(n *yaml.Node) { l.text = r.text(n, "text") }})
	return l
}

// compileActions holds every action against the vocabulary.
func (l *Library) compileActions(s *scope) {
	for _, name := range keys(l.actions.groups) {
		for _, m := range l.actions.groups[name] {
			if !slices.ContainsFunc(l.vocab.facts, func(f *fact) bool { return slices.Contains(f.Values, m) }) {
				s.r.failAt(place{file: s.r.file}, "", "group %q names %q, which no fact of the vocabulary has", name, m)
			}
		}
	}
	for _, a := range l.actions.list {
		if a.when != nil {
			a.holds = s.compile(*a.when)
		}
		l.checkEach(s.r, a)
		for i := range a.effects {
			l.checkEffect(s.r, a, &a.effects[i])
		}
	}
	if len(s.table.atoms) > maxAtoms {
		s.r.failAt(place{file: s.r.file}, "use fewer conditions", "%d different tests are over the limit of %d", len(s.table.atoms), maxAtoms)
	}
}

// named finds a fact of one of the given types.
func (l *Library) named(r *reader, at place, name string, types ...string) *fact {
	f := l.vocab.byName[name]
	switch {
	case f == nil || f.derive != nil || name == "origin" || name == "destination":
		r.failAt(at, didYouMean(name, keys(l.vocab.byName)), "%q is not a fact that an action can change", name)
		return nil
	case !slices.Contains(types, f.Type):
		r.failAt(at, "", "fact %s is of type %s, which does not fit here", name, f.Type)
		return nil
	}
	return f
}

func (l *Library) group(r *reader, at place, name string) {
	if _, ok := l.actions.groups[name]; !ok {
		r.failAt(at, didYouMean(name, keys(l.actions.groups)), "unknown group %q", name)
	}
}

func (l *Library) checkEach(r *reader, a *action) {
	switch a.each.kind {
	case "members":
		l.named(r, a.place, a.each.fact, typeSet)
		if a.each.group != "" {
			l.group(r, a.place, a.each.group)
		}
	case "line":
		l.named(r, a.place, a.each.fact, typeInt)
	}
}

func (l *Library) checkEffect(r *reader, a *action, e *effect) {
	types := map[string][]string{"to": {typeBool, typeEnum, typeInt, typeCountry}, "raise": {typeEnum}, "remove": {typeSet},
		"clear": {typeCountries}, "at_most": {typeInt}, "release": {typeInt}, "restart": {typeInt}}
	if e.f = l.named(r, e.place, e.fact, types[e.op]...); e.f == nil {
		return
	}
	word := func(s string) {
		if !slices.Contains(e.f.Values, s) {
			r.failAt(e.place, didYouMean(s, e.f.Values), "unknown value %q of %s", s, e.fact)
		}
	}
	for _, s := range e.from {
		word(s)
	}
	switch e.op {
	case "to":
		l.checkTo(r, e, word)
	case "raise":
		word(e.word)
	case "remove":
		if e.word != "each" {
			l.group(r, e.place, e.word)
		} else if a.each.kind != "members" || a.each.fact != e.fact {
			r.failAt(e.place, "write each: {members: "+e.fact+"}", "the action does not repeat over the members of %s", e.fact)
		}
	case "at_most":
		if a.each.kind != "line" || a.each.fact != e.fact {
			r.failAt(e.place, "write each: {line: "+e.fact+"}", "the action does not repeat over the lines of %s", e.fact)
		}
	}
	l.checkCounts(r, e)
}

func (l *Library) checkTo(r *reader, e *effect, word func(string)) {
	s, text := e.to.(string)
	_, truth := e.to.(bool)
	n, whole := e.to.(int64)
	switch {
	case e.f.Type == typeEnum && text:
		word(s)
	case e.f.Type == typeBool && truth, e.f.Type == typeInt && whole && n >= e.f.Min && n <= e.f.Max:
	case e.f.Type == typeCountry && text && s == "origin":
	default:
		r.failAt(e.place, "", "%s cannot become %s", e.fact, show(e.to))
	}
}

func (l *Library) checkCounts(r *reader, e *effect) {
	c := e.counts
	if c == nil {
		return
	}
	for _, name := range []string{c.file, c.less, c.to} {
		if name != "" {
			l.named(r, e.place, name, typeInt)
		}
	}
	if c.group != "" {
		l.group(r, e.place, c.group)
	}
}
