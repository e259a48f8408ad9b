package law

import (
	"reflect"
	"slices"
	"strings"

	"corridor"
)

// The ways in which a thing differs.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
)

// RuleChange is a rule that is written differently.
type RuleChange struct {
	Rule    string   `json:"rule"`
	How     string   `json:"how"`               // added, removed, changed
	Aspects []string `json:"aspects,omitempty"` // what of it: condition, results, exemptions, ...
	// Decides says that some decision changes because this rule
	// contributes differently; false for a mere change of words, and for one
	// that works through other rules.
	Decides bool      `json:"decides"`
	Before  *RuleInfo `json:"before,omitempty"`
	After   *RuleInfo `json:"after,omitempty"`
}

// ItemChange is anything else that is written differently.
type ItemChange struct {
	Kind    string   `json:"kind"` // list, condition, instrument, vehicle, filing, assessment, silence, fact, axiom, obligation, profile, calendar, pack
	ID      string   `json:"id"`
	How     string   `json:"how"`
	Aspects []string `json:"aspects,omitempty"`
	Rules   []string `json:"rules,omitempty"` // those that rest on it
}

// aspect is one part of a thing, to be held against the other edition's.
type aspect struct {
	name string
	v    any
}

// thing is one declared thing of an edition.
type thing struct {
	kind, id string
	aspects  []aspect
	rules    []string
}

// compareThings lists what was added, removed and changed, by kind and id.
func compareThings(before, after []thing) []ItemChange {
	out := []ItemChange{}
	find := func(list []thing, t thing) *thing {
		for i := range list {
			if list[i].kind == t.kind && list[i].id == t.id {
				return &list[i]
			}
		}
		return nil
	}
	for _, t := range before {
		now := find(after, t)
		if now == nil {
			out = append(out, ItemChange{t.kind, t.id, Removed, nil, t.rules})
			continue
		}
		if names := changedAspects(t.aspects, now.aspects); names != nil {
			rules := slices.Clone(t.rules)
			for _, r := range now.rules {
				if !slices.Contains(rules, r) {
					rules = append(rules, r)
				}
			}
			out = append(out, ItemChange{t.kind, t.id, Changed, names, rules})
		}
	}
	for _, t := range after {
		if find(before, t) == nil {
			out = append(out, ItemChange{t.kind, t.id, Added, nil, t.rules})
		}
	}
	return out
}

func changedAspects(before, after []aspect) []string {
	var out []string
	for i := range before {
		if !reflect.DeepEqual(before[i].v, after[i].v) {
			out = append(out, before[i].name)
		}
	}
	return out
}

// plainly is a condition without its layout.
func plainly(s string) string { return strings.Join(strings.Fields(s), " ") }

func (s source) aspects() []any { return []any{s.status, s.on, s.ref} }

// sharedChanges compares what all packs use.
func sharedChanges(a, b *Library) []ItemChange {
	return compareThings(a.sharedThings(), b.sharedThings())
}

func (l *Library) sharedThings() []thing {
	var out []thing
	for _, f := range l.vocab.facts {
		out = append(out, thing{"fact", f.Name, []aspect{{"type", f.Type}, {"values", f.Values}, {"bounds", []any{f.Min, f.Max, f.Optional}},
			{"derivation", f.Derived}, {"within", f.Within}, {"about", f.About}, {"who knows", f.Asks}, {"advice", f.Change}, {"weights", f.weights}, {"question", f.Question}}, nil})
	}
	for _, x := range l.vocab.axioms {
		out = append(out, thing{"axiom", x.id, []aspect{{"condition", plainly(x.src.text)}, {"closing", x.close}, {"text", x.text}}, nil})
	}
	for _, o := range l.obligations.all {
		out = append(out, thing{"obligation", o.ID, []aspect{{"owner", o.Owner}, {"time", o.When}, {"deadline", o.Deadline}, {"approver", o.Approver}, {"stage", o.Stage},
			{"evidence", o.Evidence}, {"other names", o.Aliases}, {"text", o.Text}}, nil})
	}
	for _, name := range keys(l.profiles) {
		p := l.profiles[name]
		out = append(out, thing{"profile", name, []aspect{{"facts", []any{p.facts, p.firstStore, p.noRecords}}, {"text", p.text}}, nil})
	}
	for _, cc := range keys(l.calendars) {
		c := l.calendars[cc]
		out = append(out, thing{"calendar", cc, []aspect{{"days", []any{c.rest, c.moves, c.years}}}, nil})
	}
	return out
}

// written compares how two editions of a pack are written.
func (e *editions) written(p [2]*pack) ([]RuleChange, []ItemChange) {
	var things [2][]thing
	var rules [2]map[string]RuleInfo
	for s := range p {
		rules[s] = map[string]RuleInfo{}
		if p[s] == nil {
			continue
		}
		things[s] = p[s].things()
		for _, r := range e.lib[s].detail(PackInfo{Jurisdiction: p[s].jurisdiction}).Rules {
			rules[s][r.ID] = r
		}
	}
	return changedRules(rules), compareThings(things[0], things[1])
}

func changedRules(rules [2]map[string]RuleInfo) []RuleChange {
	out := []RuleChange{}
	for _, id := range keys(rules[0]) {
		was := rules[0][id]
		now, ok := rules[1][id]
		if !ok {
			out = append(out, RuleChange{Rule: id, How: Removed, Before: &was})
			continue
		}
		if names := changedAspects(was.aspects(), now.aspects()); names != nil {
			out = append(out, RuleChange{Rule: id, How: Changed, Aspects: names, Before: &was, After: &now})
		}
	}
	for _, id := range keys(rules[1]) {
		if _, ok := rules[0][id]; !ok {
			now := rules[1][id]
			out = append(out, RuleChange{Rule: id, How: Added, After: &now})
		}
	}
	return out
}

func (r RuleInfo) aspects() []aspect {
	var results []ResultInfo
	var duties [][]string
	for _, x := range r.Results {
		results = append(results, ResultInfo{When: plainly(x.When), Outcome: x.Outcome})
		duties = append(duties, x.Obligations)
	}
	unless := slices.Clone(r.Unless)
	slices.Sort(unless)
	var cites [][2]string
	for _, c := range r.Citations {
		cites = append(cites, [2]string{c.Instrument, c.Article})
	}
	return []aspect{{"kind", r.Kind}, {"sides", r.Sides}, {"condition", plainly(r.When)}, {"exemptions", unless}, {"results", results},
		{"obligations", []any{r.Obligations, duties}}, {"dates", []corridor.Date{r.From, r.To}}, {"citations", cites},
		{"source", []any{r.Source, r.SourceOn, r.SourceRef}}, {"text", r.Text}}
}

func (p *pack) things() []thing {
	out := []thing{{"pack", p.id, []aspect{{"jurisdiction", p.jurisdiction}, {"title", p.title}, {"version", p.version}, {"members", p.members}}, nil}}
	for _, id := range keys(p.instruments) {
		in := p.instruments[id]
		out = append(out, thing{"instrument", id, []aspect{{"title", in.title}, {"dates", in.period}}, p.citing(id)})
	}
	for i, l := range p.lists {
		var members, sources []any
		for _, e := range l.editions {
			members = append(members, []any{e.period, e.codes})
			sources = append(sources, e.source.aspects())
		}
		out = append(out, thing{"list", l.name, []aspect{{"countries", members}, {"source", sources}, {"title", l.title}},
			p.resting(func(u *rule) bool { return p.usesList(u, i+1) })})
	}
	for _, c := range p.records {
		out = append(out, thing{c.class, c.id, []aspect{{"states", c.states}, {"shorthand", c.shorthand}, {"term", c.still}, {"question", c.question}},
			p.resting(func(u *rule) bool { return p.usesVar(u, c.v) })})
	}
	for _, c := range p.conditions {
		out = append(out, thing{"condition", c.name, []aspect{{"condition", plainly(c.src.text)}, {"citations", c.cites}, {"text", c.text}},
			p.resting(func(u *rule) bool { return p.rests(u, c.name) })})
	}
	for _, side := range sides {
		s := p.silence[side]
		if s == nil {
			continue
		}
		out = append(out, thing{"silence", string(side), []aspect{{"results", s.outcome}, {"citations", s.cites}, {"source", s.source.aspects()}, {"text", s.text}}, nil})
	}
	return out
}

func (p *pack) resting(on func(*rule) bool) []string {
	var out []string
	for _, u := range p.rules {
		if on(u) {
			out = append(out, u.id)
		}
	}
	return out
}

func (p *pack) citing(instrument string) []string {
	return p.resting(func(u *rule) bool {
		return slices.ContainsFunc(u.cites, func(c corridor.Citation) bool { return c.Instrument == instrument })
	})
}

func (p *pack) usesList(u *rule, list int) bool {
	return p.anyAtom(u, func(a *atom) bool { return a.list == list })
}

func (p *pack) usesVar(u *rule, v int) bool {
	return p.anyAtom(u, func(a *atom) bool { return a.v == v })
}

func (p *pack) anyAtom(u *rule, is func(*atom) bool) bool {
	found := false
	seen := map[*formula]bool{}
	for _, f := range u.formulas() {
		f.atoms(seen, func(i int) { found = found || is(&p.table.atoms[i]) })
	}
	return found
}

// rests says whether a rule uses a named condition, itself or through another.
func (p *pack) rests(u *rule, name string) bool {
	text := u.src.text
	for _, r := range u.results {
		if r.src != nil {
			text += " " + r.src.text
		}
	}
	known := map[string]bool{}
	for again := true; again; {
		again = false
		for _, c := range p.conditions {
			if !known[c.name] && uses(text, c.name) {
				known[c.name], again = true, true
				text += " " + c.src.text
			}
		}
	}
	return known[name]
}

func uses(text, name string) bool {
	text = strings.Join(strings.Fields(text), "")
	return strings.Contains(text, `use("`+name+`")`) || strings.Contains(text, `use('`+name+`')`)
}
