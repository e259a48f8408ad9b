package law

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"

	"corridor"
)

// The types of fact.
const (
	typeBool      = "bool"
	typeInt       = "int"
	typeDate      = "date"
	typeEnum      = "enum"
	typeSet       = "set"
	typeCountry   = "country"
	typeCountries = "countries"
)

// Limits on the vocabulary.
const (
	maxFacts  = 400
	maxValues = 250 // members of one enum or set; countries fit too
	dateMin   = 500_000
	dateMax   = 2_700_000
	intMax    = 1<<53 - 1

	MaxDate = dateMax // the last day of a flow, of an event and of a fact
)

// fact is a declaration of the vocabulary.
type fact struct {
	FactInfo
	place
	weights map[string]int64
	derive  *derivation
	vars    []int          // its variables: one, or one per member of a set
	numbers map[string]int // of its values: their places among the values of the one variable, or among the variables
}

// Change says that a fact can be changed, by what and how dearly. Advice uses
// it.
type Change struct {
	Cost int64         `json:"cost"`
	Text corridor.Text `json:"text"`
}

// axiom states what cannot be.
type axiom struct {
	id    string
	src   condSource
	close bool
	text  corridor.Text
	never *formula
	// With close, never is rest && !target: an input where rest surely holds
	// gets target added.
	rest   *formula
	target int
	from   int // the variable at which rest looks if it is one test, or -1
}

// condSource is a condition as written.
type condSource struct {
	text string
	place
	block bool // a block scalar: its text starts on the next line
}

func (r *reader) cond(n *yaml.Node, what string) condSource {
	s := r.str(n, what)
	c := condSource{text: s, place: r.at(n), block: n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0}
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		c.col++
	}
	return c
}

// derivation computes a yes/no fact in Go: whether one raw country is the
// flow's origin or its destination. Two raw facts are never compared inside a
// pack; this is the one place.
type derivation struct {
	from string
	of   int // 0: the origin, 1: the destination
}

// derived is a derivation by its variables.
type derived struct{ to, from, of int }

func derivations(name string) *derivation {
	switch name {
	case "first_store_is_origin":
		return &derivation{"first_store", 0}
	case "first_store_is_destination":
		return &derivation{"first_store", 1}
	}
	return nil
}

var derivationNames = []string{"first_store_is_origin", "first_store_is_destination"}

// vocabulary is vocabulary.yaml.
type vocabulary struct {
	facts  []*fact
	byName map[string]*fact
	axioms []*axiom
}

func (r *reader) vocabulary(root *yaml.Node) *vocabulary {
	v := &vocabulary{byName: map[string]*fact{}}
	r.object(root, "the vocabulary",
		field{"facts", true, func(n *yaml.Node) {
			r.list(n, "facts", func(n *yaml.Node) { v.add(r, n, r.fact(n)) })
		}},
		field{"axioms", false, func(n *yaml.Node) {
			r.list(n, "axioms", func(n *yaml.Node) {
				a := r.axiom(n)
				if slices.ContainsFunc(v.axioms, func(b *axiom) bool { return b.id == a.id }) {
					r.fail(n, "", "axiom %q is declared twice", a.id)
				}
				v.axioms = append(v.axioms, a)
			})
		}})
	for _, name := range []string{"origin", "destination"} {
		if f := v.byName[name]; f == nil {
			v.add(r, root, &fact{FactInfo: FactInfo{Name: name, Type: typeCountry, Asks: "exporter"}})
		} else if f.Type != typeCountry {
			r.failAt(f.place, "", "fact %q must be a country", name)
		}
	}
	for _, f := range v.facts {
		if f.derive != nil && (v.byName[f.derive.from] == nil || v.byName[f.derive.from].Type != typeCountry) {
			r.failAt(f.place, "declare it with type country", "fact %q is derived from %q, which the vocabulary lacks", f.Name, f.derive.from)
		}
		if f.About != "" && (f.Type != typeInt || f.Optional || !slices.ContainsFunc(v.facts, func(s *fact) bool { return s.Type == typeSet && slices.Contains(s.Values, f.About) })) {
			r.failAt(f.place, "name a member of a set, in a fact of type int that is not optional", "fact %q cannot be about %q", f.Name, f.About)
		}
		for _, name := range f.Within {
			if w := v.byName[name]; w == nil || w == f || w.Type != typeInt || w.Optional || f.Type != typeInt || f.Optional {
				r.failAt(f.place, "name other facts of type int; none of them, and not this one, may be optional", "fact %q cannot be within %q", f.Name, name)
			}
		}
	}
	return v
}

func (v *vocabulary) add(r *reader, n *yaml.Node, f *fact) {
	if f.Name == "" {
		return
	}
	if v.byName[f.Name] != nil {
		r.fail(n, "", "fact %q is declared twice", f.Name)
		return
	}
	if len(v.facts) == maxFacts {
		r.fail(n, "", "more than %d facts", maxFacts)
		return
	}
	v.byName[f.Name] = f
	v.facts = append(v.facts, f)
}

func (r *reader) fact(n *yaml.Node) *fact {
	f := &fact{place: r.at(n)}
	haveMin, haveMax := false, false
	r.object(n, "a fact",
		field{"name", true, func(n *yaml.Node) { f.Name = r.factName(n) }},
		field{"type", true, func(n *yaml.Node) {
			f.Type = r.choice(n, "type", typeBool, typeInt, typeDate, typeEnum, typeSet, typeCountry, typeCountries)
		}},
		field{"min", false, func(n *yaml.Node) { f.Min, haveMin = r.integer(n, "min"), true }},
		field{"max", false, func(n *yaml.Node) { f.Max, haveMax = r.integer(n, "max"), true }},
		field{"optional", false, func(n *yaml.Node) { f.Optional = r.boolean(n, "optional") }},
		field{"values", false, func(n *yaml.Node) { f.Values = r.names(n, "values") }},
		field{"asks", false, func(n *yaml.Node) {
			f.Asks = r.choice(n, "asks", "exporter", "importer", "officer", "scan")
		}},
		field{"question", false, func(n *yaml.Node) { f.Question = r.text(n, "question") }},
		field{"changeable", false, func(n *yaml.Node) { f.Change = r.change(n) }},
		field{"weights", false, func(n *yaml.Node) { f.weights = r.weights(n) }},
		field{"derived", false, func(n *yaml.Node) {
			f.Derived = r.choice(n, "derived", derivationNames...)
			f.derive = derivations(f.Derived)
		}},
		field{"within", false, func(n *yaml.Node) { f.Within = r.names(n, "within") }},
		field{"about", false, func(n *yaml.Node) { f.About = r.name(n, "about") }})
	r.checkFact(n, f, haveMin, haveMax)
	return f
}

func (r *reader) checkFact(n *yaml.Node, f *fact, haveMin, haveMax bool) {
	finite := f.Type == typeEnum || f.Type == typeSet
	switch {
	case f.Type == "":
	case finite && len(f.Values) == 0:
		r.fail(n, "list its members under values", "fact %q has no values", f.Name)
	case !finite && f.Values != nil:
		r.fail(n, "", "fact %q of type %s takes no values", f.Name, f.Type)
	case len(f.Values) > maxValues:
		r.fail(n, "", "fact %q has more than %d values", f.Name, maxValues)
	case slices.Contains(f.Values, "none") && f.Optional:
		r.fail(n, "remove one", "fact %q is optional and also has a member none", f.Name)
	case (haveMin || haveMax) && f.Type != typeInt:
		r.fail(n, "", "fact %q of type %s takes no min or max", f.Name, f.Type)
	case f.Optional && (f.Type == typeSet || f.Type == typeCountries):
		r.fail(n, "an empty list says that nothing is in it", "fact %q: a set cannot be optional", f.Name)
	case f.derive != nil && f.Type != typeBool:
		r.fail(n, "", "fact %q: a derived fact is a bool", f.Name)
	case f.derive == nil && f.Question.EN == "" && f.Name != "origin" && f.Name != "destination":
		r.fail(n, "say in en, zh and ru what to ask", "fact %q has no question", f.Name)
	}
	switch f.Type {
	case typeInt:
		if !haveMax {
			f.Max = intMax
		}
		if f.Max < f.Min || f.Max > intMax || f.Min < -intMax {
			r.fail(n, "", "fact %q has no value between min %d and max %d", f.Name, f.Min, f.Max)
		}
	case typeDate:
		f.Min, f.Max = dateMin, dateMax
	}
}

// factName reads a name that is also a CEL identifier.
func (r *reader) factName(n *yaml.Node) string {
	s := r.str(n, "name")
	for i, c := range s {
		if c == '_' || c >= 'a' && c <= 'z' || i > 0 && c >= '0' && c <= '9' {
			continue
		}
		r.fail(n, "use small letters, digits and '_'", "%q cannot name a fact", s)
		return ""
	}
	if slices.Contains(reserved, s) || len(s) > maxName {
		r.fail(n, "choose another name", "%q is a word of the condition language", s)
		return ""
	}
	return s
}

var reserved = []string{"none", "true", "false", "null", "in", "use", "list", "date", "vehicle", "filing", "assessment", "vehicles",
	"filings", "assessments", "mechanism", "impact_assessment", "as", "break", "const", "continue", "else", "for", "function", "if",
	"import", "let", "loop", "package", "namespace", "return", "var", "void", "while"}

func (r *reader) change(n *yaml.Node) *Change {
	c := &Change{}
	r.object(n, "changeable",
		field{"cost", true, func(n *yaml.Node) { c.Cost = r.integer(n, "cost") }},
		field{"text", true, func(n *yaml.Node) { c.Text = r.text(n, "text") }})
	return c
}

func (r *reader) weights(n *yaml.Node) map[string]int64 {
	w := map[string]int64{}
	r.entries(n, "weights", func(k, v *yaml.Node) {
		w[k.Value] = r.integer(v, "weight of "+k.Value)
		if w[k.Value] < 0 || w[k.Value] > 1_000_000 {
			r.fail(v, "use 0 to 1000000", "weight of %s is out of range", k.Value)
		}
	})
	return w
}

func (r *reader) axiom(n *yaml.Node) *axiom {
	a := &axiom{target: -1, from: -1}
	r.object(n, "an axiom",
		field{"id", true, func(n *yaml.Node) { a.id = r.name(n, "id") }},
		field{"never", true, func(n *yaml.Node) { a.src = r.cond(n, "never") }},
		field{"close", false, func(n *yaml.Node) { a.close = r.boolean(n, "close") }},
		field{"text", true, func(n *yaml.Node) { a.text = r.text(n, "text") }})
	return a
}

// varKind is how the values of a variable are held.
type varKind uint8

const (
	finite varKind = iota // a value is a small number
	ranged                // a value is an int64
)

// variable is what the engine reasons about: a fact, one member of a set, or
// the state of a record.
type variable struct {
	kind     varKind
	fact     *fact   // nil for a record
	record   *record // nil for a fact
	member   string  // for a set
	optional bool
	values   []string // finite: names by number
	min, max int64    // ranged
	name     string
}

var boolNames = []string{"false", "true"}

// others is the pseudo-member of a set of countries that stands for every
// country no condition names.
const others = "*"

// variables lays out the variables of all facts. mentioned holds the country
// codes that any condition names.
func (v *vocabulary) variables(a *atlas, mentioned []string) []*variable {
	var out []*variable
	add := func(f *fact, x variable) {
		x.fact = f
		f.vars = append(f.vars, len(out))
		out = append(out, &x)
	}
	for _, f := range v.facts {
		f.vars, f.numbers = nil, map[string]int{}
		for i, s := range f.Values {
			f.numbers[s] = i
		}
		switch f.Type {
		case typeBool:
			add(f, variable{values: boolNames, optional: f.Optional, name: f.Name})
		case typeInt, typeDate:
			add(f, variable{kind: ranged, min: f.Min, max: f.Max, optional: f.Optional, name: f.Name})
		case typeEnum:
			add(f, variable{values: f.Values, optional: f.Optional, name: f.Name})
		case typeCountry:
			add(f, variable{values: a.codes, optional: f.Optional, name: f.Name})
		case typeSet, typeCountries:
			members := f.Values
			if f.Type == typeCountries {
				members = append(slices.Clone(mentioned), others)
			}
			for i, m := range members {
				f.numbers[m] = i
				add(f, variable{values: boolNames, member: m, name: fmt.Sprintf("%s[%s]", f.Name, m)})
			}
		}
	}
	return out
}

// memberVar finds the variable of a member of a set fact.
func (f *fact) memberVar(vars []*variable, member string) (int, bool) {
	if i, ok := f.numbers[member]; ok && i < len(f.vars) && vars[f.vars[i]].member != "" {
		return f.vars[i], true
	}
	if f.Type == typeCountries && len(f.vars) > 0 {
		return f.vars[len(f.vars)-1], true
	}
	return 0, false
}
