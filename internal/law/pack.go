package law

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"corridor"
)

// Limits on one pack.
const (
	maxRules       = 400
	maxResults     = 16
	maxStates      = 32
	maxRecords     = 100
	maxConditions  = 400
	maxLists       = 100
	maxInstruments = 400
	maxDeclared    = 250
)

// The kinds of rule.
const (
	kindRule      = "rule"
	kindExemption = "exemption"
	kindDuty      = "duty"
	kindSilence   = "silence"
)

// pack is pack.yaml of one jurisdiction.
type pack struct {
	place
	id           string
	jurisdiction string
	title        corridor.Text
	version      string
	digest       string
	instruments  map[string]*instrument
	lists        []*countryList
	records      []*record
	conditions   []*condition
	duties       []*declared // obligations that only this pack declares
	events       []event     // from which their deadlines run
	members      []string    // states in which the law of a union applies
	silence      map[corridor.Side]*silence
	rules        []*rule
	byID         map[string]*rule
	cases        []byte // cases.yaml, read when asked for
	kits         []byte // kits.yaml, likewise
	table        *atomTable
	sides        [3][]epoch    // as in sides; nil: not a side of this pack
	known        corridor.Date // the newest day of which the pack speaks: a source seen, or a change already adopted
}

type instrument struct {
	place
	title corridor.Text
	period
}

type countryList struct {
	place
	name     string
	title    corridor.Text
	editions []listEdition
}

type listEdition struct {
	place
	period
	codes  bitset256
	source source
}

type source struct {
	status corridor.SourceStatus
	on     corridor.Date
	ref    string
}

// record is a vehicle, a filing or an assessment of one law.
type record struct {
	place
	class     string // vehicle, filing, assessment
	id        string
	pack      *pack
	states    []string
	shorthand map[string]string
	still     *standstill
	valid     *validity
	question  corridor.Text
	lead      *lead  // how long it takes to put it in place; nil: as its class usually takes
	fixed     bool   // no participant can put it in place: a treaty, a statute
	v         int    // its variable
	nothing   string // how a profile says that it is not there
}

// standstill is a term that has to pass after a filing.
type standstill struct {
	days     int
	calendar string
	while    []string
	then     string
	before   string
}

// validity is how long a state of a vehicle lasts from the day on which it was
// issued.
type validity struct {
	years int
	while string
	event string // from which the deadlines of its renewal run
	cites []corridor.Citation
}

type condition struct {
	place
	name  string
	src   condSource
	text  corridor.Text
	cites []corridor.Citation
	f     *formula
}

type silence struct {
	place
	outcome corridor.Outcome
	source  source
	cites   []corridor.Citation
	text    corridor.Text
}

type result struct {
	place
	src         *condSource // nil for the last
	outcome     corridor.Outcome
	obligations []string
	when        *formula
}

type rule struct {
	place
	id          string
	kind        string
	sides       []corridor.Side
	src         condSource
	unless      []string
	results     []result
	obligations []string
	cites       []corridor.Citation
	source      source
	period
	text corridor.Text

	when *formula
	opts []*rule // the exemptions it names
}

func (p *rule) on(s corridor.Side) bool { return slices.Contains(p.sides, s) }

func (r *reader) pack(root *yaml.Node, a *atlas) *pack {
	p := &pack{place: r.at(root), instruments: map[string]*instrument{}, silence: map[corridor.Side]*silence{},
		byID: map[string]*rule{}, table: newAtomTable()}
	records := func(key, class string) field {
		return field{key, false, func(n *yaml.Node) {
			r.entries(n, key, func(k, v *yaml.Node) { p.records = append(p.records, r.record(k, v, class)) })
		}}
	}
	side := func(s corridor.Side) field {
		return field{string(s), false, func(n *yaml.Node) { p.silence[s] = r.silence(n) }}
	}
	treaty := false
	r.object(root, "the pack",
		field{"pack", true, func(n *yaml.Node) { p.id = r.packID(n) }},
		field{"layer", false, func(n *yaml.Node) { treaty = r.choice(n, "layer", "national", layerTreaty) == layerTreaty }},
		field{"jurisdiction", false, func(n *yaml.Node) {
			p.jurisdiction = r.str(n, "jurisdiction")
			if _, err := a.check(p.jurisdiction, "jurisdiction"); err != nil && p.jurisdiction != "EU" {
				r.fail(n, "", "%w", err)
			}
		}},
		field{"members", false, func(n *yaml.Node) { p.members = r.members(n, a) }},
		field{"title", true, func(n *yaml.Node) { p.title = r.text(n, "title") }},
		field{"version", true, func(n *yaml.Node) { p.version = r.str(n, "version") }},
		field{"instruments", true, func(n *yaml.Node) {
			r.entries(n, "instruments", func(k, v *yaml.Node) { p.instruments[k.Value] = r.instrument(v) })
		}},
		field{"lists", false, func(n *yaml.Node) {
			r.entries(n, "lists", func(k, v *yaml.Node) { p.lists = append(p.lists, r.countryList(k, v, a)) })
		}},
		records("vehicles", "vehicle"), records("filings", "filing"), records("assessments", "assessment"),
		field{"conditions", false, func(n *yaml.Node) {
			r.entries(n, "conditions", func(k, v *yaml.Node) { p.conditions = append(p.conditions, r.condition(k, v)) })
		}},
		field{"events", false, func(n *yaml.Node) { p.events = r.events(n) }},
		field{"obligations", false, func(n *yaml.Node) { p.duties = r.declarations(n) }},
		field{"silence", true, func(n *yaml.Node) {
			r.object(n, "silence",
				side(corridor.Export), side(corridor.Import), side(corridor.Treaty))
		}},
		field{"rules", true, func(n *yaml.Node) {
			r.list(n, "rules", func(n *yaml.Node) {
				if len(p.rules) < maxRules {
					p.rules = append(p.rules, r.rule(n))
				} else if len(p.rules) == maxRules {
					r.fail(n, "", "more than %d rules", maxRules)
				}
			})
		}})
	r.layer(root, p, treaty)
	r.bounds(p)
	return p
}

// packID reads the name of a pack. It begins the names of all that the pack
// declares, so it holds no dot: no pack can then declare what is another's.
func (r *reader) packID(n *yaml.Node) string {
	s := r.name(n, "pack")
	if strings.Contains(s, ".") {
		r.fail(n, "use letters, digits, '_' and '-'", "pack %q has a dot in its name", s)
		return ""
	}
	return s
}

// bounds refuses more parts than any law has: each costs every later decision
// or every later load something.
func (r *reader) bounds(p *pack) {
	for _, x := range []struct {
		what    string
		n, most int
	}{{"vehicles, filings and assessments", len(p.records), maxRecords}, {"conditions", len(p.conditions), maxConditions},
		{"lists", len(p.lists), maxLists}, {"instruments", len(p.instruments), maxInstruments}, {"obligations", len(p.duties), maxDeclared},
		{"events", len(p.events), maxDeclared}} {
		if x.n > x.most {
			r.failAt(p.place, "split the pack", "%d %s are over the limit of %d", x.n, x.what, x.most)
		}
	}
}

// layerTreaty is the layer of a pack of treaties, and stands where a national
// pack has its jurisdiction.
const layerTreaty = "treaty"

// layer checks that a pack has the parts of its layer and no others: a state
// has an exporting and an importing side, treaties stand between two states.
func (r *reader) layer(root *yaml.Node, p *pack, treaty bool) {
	own := []corridor.Side{corridor.Export, corridor.Import}
	switch {
	case treaty && p.jurisdiction != "":
		r.fail(root, "remove jurisdiction", "a pack of treaties belongs to no jurisdiction")
	case treaty:
		p.jurisdiction, own = layerTreaty, []corridor.Side{corridor.Treaty}
	case p.jurisdiction == "":
		r.fail(root, "name the state, or write layer: treaty", `the pack has no "jurisdiction"`)
	}
	for _, s := range sides {
		switch has, wants := p.silence[s] != nil, slices.Contains(own, s); {
		case wants && !has:
			r.fail(root, "say what holds where no rule applies", "silence has no %q", string(s))
		case has && !wants:
			r.failAt(p.silence[s].place, "", "silence has %q, which is not a side of this pack", string(s))
		}
	}
	for _, u := range p.rules {
		if !slices.ContainsFunc(u.sides, func(s corridor.Side) bool { return slices.Contains(own, s) }) {
			r.failAt(u.place, "rules of treaties have side: treaty, rules of a state export, import or both", "%s stands on a side that this pack does not have", u.id)
		}
	}
}

// members reads the states of a union whose law is one pack.
func (r *reader) members(n *yaml.Node, a *atlas) []string {
	var codes []string
	r.list(n, "members", func(n *yaml.Node) {
		if _, err := a.check(n.Value, "member"); err != nil {
			r.fail(n, "", "%w", err)
		} else if slices.Contains(codes, n.Value) {
			r.fail(n, "", "member %q occurs twice", n.Value)
		}
		codes = append(codes, n.Value)
	})
	return codes
}

func (r *reader) instrument(n *yaml.Node) *instrument {
	in := &instrument{place: r.at(n)}
	r.object(n, "an instrument",
		field{"title", true, func(n *yaml.Node) { in.title = r.text(n, "title") }},
		field{"in_force", true, func(n *yaml.Node) { in.period = r.period(n, "in_force") }})
	return in
}

func (r *reader) countryList(k, n *yaml.Node, a *atlas) *countryList {
	l := &countryList{place: r.at(k), name: r.name(k, "list")}
	r.object(n, "a list",
		field{"title", true, func(n *yaml.Node) { l.title = r.text(n, "title") }},
		field{"editions", true, func(n *yaml.Node) {
			r.list(n, "editions", func(n *yaml.Node) { l.editions = append(l.editions, r.listEdition(n, a)) })
		}})
	for i, e := range l.editions {
		if i > 0 && (l.editions[i-1].to == 0 || l.editions[i-1].to >= e.from) {
			r.failAt(e.place, "end the earlier edition the day before", "an edition of list %q begins %s, before the one above it ends", l.name, e.from)
		}
	}
	return l
}

func (r *reader) listEdition(n *yaml.Node, a *atlas) listEdition {
	e := listEdition{place: r.at(n)}
	r.object(n, "an edition",
		field{"from", true, func(n *yaml.Node) { e.from = r.date(n, "from") }},
		field{"to", false, func(n *yaml.Node) { e.to = r.date(n, "to") }},
		field{"codes", true, func(n *yaml.Node) {
			r.list(n, "codes", func(n *yaml.Node) {
				i, err := a.check(n.Value, "code")
				switch {
				case err != nil:
					r.fail(n, "", "%w", err)
				case e.codes.has(i):
					r.fail(n, "", "%q occurs twice", n.Value)
				}
				e.codes.add(i)
			})
		}},
		field{"source", true, func(n *yaml.Node) { e.source = r.source(n) }})
	r.ordered(n, "the edition", e.period)
	return e
}

func (r *reader) source(n *yaml.Node) source {
	var s source
	r.object(n, "source",
		field{"status", true, func(n *yaml.Node) {
			s.status = corridor.SourceStatus(r.choice(n, "status", string(corridor.Verified), string(corridor.Secondary), string(corridor.Memory)))
		}},
		field{"on", true, func(n *yaml.Node) { s.on = r.date(n, "on") }},
		field{"ref", true, func(n *yaml.Node) { s.ref = r.str(n, "ref") }})
	return s
}

func (r *reader) record(k, n *yaml.Node, class string) *record {
	c := &record{place: r.at(k), class: class, id: r.name(k, class), shorthand: map[string]string{}}
	fields := []field{
		{"states", true, func(n *yaml.Node) { c.states = r.names(n, "states") }},
		{"shorthand", false, func(n *yaml.Node) {
			r.entries(n, "shorthand", func(k, v *yaml.Node) { c.shorthand[k.Value] = r.name(v, "state") })
		}},
		{"question", true, func(n *yaml.Node) { c.question = r.text(n, "question") }},
		{"lead", false, func(n *yaml.Node) { c.lead = r.lead(n) }},
		{"changeable", false, func(n *yaml.Node) { c.fixed = !r.boolean(n, "changeable") }},
	}
	if class == "filing" {
		fields = append(fields, field{"standstill", false, func(n *yaml.Node) { c.still = r.standstill(n, c) }})
	}
	if class == "vehicle" {
		fields = append(fields, field{"validity", false, func(n *yaml.Node) { c.valid = r.validity(n, c) }})
	}
	r.object(n, "a "+class, fields...)
	if _, treaty := c.shorthand["treaty"]; treaty {
		c.fixed = true
	}
	if len(c.states) < 2 || len(c.states) > maxStates {
		r.fail(n, `the first is "nothing there"`, "%s %q needs 2 to %d states", class, c.id, maxStates)
	}
	for key, state := range c.shorthand {
		if state != "same" && !slices.Contains(c.states, state) {
			r.fail(n, didYouMean(state, c.states), "shorthand %q of %s names the unknown state %q", key, c.id, state)
		}
	}
	return c
}

func (r *reader) validity(n *yaml.Node, c *record) *validity {
	v := &validity{}
	r.object(n, "validity",
		field{"years", true, func(n *yaml.Node) { v.years = int(r.within(n, "years", 1, 100)) }},
		field{"while", true, func(n *yaml.Node) { v.while = r.name(n, "while") }},
		field{"event", true, func(n *yaml.Node) { v.event = r.name(n, "event") }},
		field{"cite", true, func(n *yaml.Node) { v.cites = r.cites(n) }})
	if i := slices.Index(c.states, v.while); i < 1 {
		r.fail(n, didYouMean(v.while, c.states), "validity of %s names %q, which is no state in which it is in place", c.id, v.while)
	}
	return v
}

func (r *reader) standstill(n *yaml.Node, c *record) *standstill {
	s := &standstill{}
	r.object(n, "standstill",
		field{"working_days", true, func(n *yaml.Node) { s.days = int(r.integer(n, "working_days")) }},
		field{"calendar", true, func(n *yaml.Node) { s.calendar = r.name(n, "calendar") }},
		field{"while", true, func(n *yaml.Node) { s.while = r.names(n, "while") }},
		field{"then", true, func(n *yaml.Node) { s.then = r.name(n, "then") }},
		field{"before", true, func(n *yaml.Node) { s.before = r.name(n, "before") }})
	if s.days < 1 || s.days > 365 {
		r.fail(n, "", "a standstill takes 1 to 365 working days, not %d", s.days)
		s.days = 1
	}
	for _, state := range append(slices.Clone(s.while), s.then, s.before) {
		if !slices.Contains(c.states, state) {
			r.fail(n, didYouMean(state, c.states), "standstill of %s names the unknown state %q", c.id, state)
		}
	}
	return s
}

func (r *reader) cites(n *yaml.Node) []corridor.Citation {
	var out []corridor.Citation
	r.list(n, "cite", func(n *yaml.Node) {
		var c corridor.Citation
		r.object(n, "a citation",
			field{"instrument", true, func(n *yaml.Node) { c.Instrument = r.name(n, "instrument") }},
			field{"article", true, func(n *yaml.Node) { c.Article = r.str(n, "article") }})
		out = append(out, c)
	})
	if len(out) == 0 && n.Kind == yaml.SequenceNode {
		r.fail(n, "name the instrument and the article", "no citation")
	}
	return out
}

func (r *reader) condition(k, n *yaml.Node) *condition {
	c := &condition{place: r.at(k), name: r.name(k, "condition")}
	r.object(n, "a condition",
		field{"when", true, func(n *yaml.Node) { c.src = r.cond(n, "when") }},
		field{"text", false, func(n *yaml.Node) { c.text = r.text(n, "text") }},
		field{"cite", false, func(n *yaml.Node) { c.cites = r.cites(n) }})
	return c
}

// outcome reads an outcome that a rule may yield.
func (r *reader) outcome(n *yaml.Node) corridor.Outcome {
	s := r.str(n, "outcome")
	o, err := corridor.ParseOutcome(s)
	if err != nil || o == corridor.Undetermined {
		r.fail(n, "use allow, allow_with_obligations, needs_approval or deny", "%q is not an outcome that a rule may yield", s)
		return corridor.Deny
	}
	return o
}

func (r *reader) silence(n *yaml.Node) *silence {
	s := &silence{place: r.at(n)}
	r.object(n, "silence",
		field{"outcome", true, func(n *yaml.Node) { s.outcome = r.outcome(n) }},
		field{"cite", true, func(n *yaml.Node) { s.cites = r.cites(n) }},
		field{"source", true, func(n *yaml.Node) { s.source = r.source(n) }},
		field{"text", true, func(n *yaml.Node) { s.text = r.text(n, "text") }})
	return s
}

func (r *reader) rule(n *yaml.Node) *rule {
	u := &rule{place: r.at(n), kind: kindRule}
	r.object(n, "a rule",
		field{"id", true, func(n *yaml.Node) { u.id = r.name(n, "id") }},
		field{"kind", false, func(n *yaml.Node) { u.kind = r.choice(n, "kind", kindRule, kindExemption, kindDuty) }},
		field{"side", true, func(n *yaml.Node) {
			switch r.choice(n, "side", "export", "import", "both", "treaty") {
			case "treaty":
				u.sides = []corridor.Side{corridor.Treaty}
			case "export":
				u.sides = []corridor.Side{corridor.Export}
			case "import":
				u.sides = []corridor.Side{corridor.Import}
			default:
				u.sides = []corridor.Side{corridor.Export, corridor.Import}
			}
		}},
		field{"when", true, func(n *yaml.Node) { u.src = r.cond(n, "when") }},
		field{"unless", false, func(n *yaml.Node) { u.unless = r.names(n, "unless") }},
		field{"results", false, func(n *yaml.Node) {
			r.list(n, "results", func(n *yaml.Node) { u.results = append(u.results, r.result(n)) })
		}},
		field{"obligations", false, func(n *yaml.Node) { u.obligations = r.names(n, "obligations") }},
		field{"cite", true, func(n *yaml.Node) { u.cites = r.cites(n) }},
		field{"source", true, func(n *yaml.Node) { u.source = r.source(n) }},
		field{"in_force", true, func(n *yaml.Node) { u.period = r.period(n, "in_force") }},
		field{"text", true, func(n *yaml.Node) { u.text = r.text(n, "text") }})
	r.shape(n, u)
	return u
}

func (r *reader) result(n *yaml.Node) result {
	res := result{place: r.at(n)}
	r.object(n, "a result",
		field{"when", false, func(n *yaml.Node) { c := r.cond(n, "when"); res.src = &c }},
		field{"outcome", true, func(n *yaml.Node) { res.outcome = r.outcome(n) }},
		field{"obligations", false, func(n *yaml.Node) { res.obligations = r.names(n, "obligations") }})
	return res
}

// shape checks what one rule must be by itself.
func (r *reader) shape(n *yaml.Node, u *rule) {
	opens := false
	for i, res := range u.results {
		last := i == len(u.results)-1
		switch {
		case last && res.src != nil:
			r.failAt(res.place, "add a result without when, for everything else", "the last result of %s has a condition", u.id)
		case !last && res.src == nil:
			r.failAt(u.results[i+1].place, "move the result without when to the end", "a result of %s can never be reached: the one above it has no condition", u.id)
		}
		opens = opens || res.outcome.Permits()
	}
	switch {
	case len(u.results) > maxResults:
		r.fail(n, "", "%s has more than %d results", u.id, maxResults)
	case u.kind == kindRule && len(u.results) == 0:
		r.fail(n, "say which outcome it yields", "rule %s has no results", u.id)
	case u.kind == kindRule && u.obligations != nil:
		r.fail(n, "put them under the results", "rule %s has obligations beside its results", u.id)
	case u.kind != kindRule && u.results != nil:
		r.fail(n, "use obligations", "%s %s takes no results", u.kind, u.id)
	case u.kind == kindDuty && len(u.obligations) == 0:
		r.fail(n, "", "duty %s has no obligations", u.id)
	case u.kind == kindRule && opens && u.source.status == corridor.Memory:
		r.fail(n, "see the source first, or yield needs_approval or deny", "rule %s opens, and its source is memory", u.id)
	case !strings.Contains(u.id, "."):
		r.fail(n, "begin it with the pack's id and a dot", "rule id %q does not name its pack", u.id)
	}
}
