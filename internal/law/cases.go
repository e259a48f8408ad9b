package law

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"go.yaml.in/yaml/v4"

	"corridor"
)

// DefaultProfile fills the facts that a case leaves out, unless the case
// names another profile.
const DefaultProfile = "shared_case_defaults"

const maxCases = 5000

// Case is one test of a pack: a flow and what the law must answer.
type Case struct {
	ID           string
	Jurisdiction string
	Side         corridor.Side
	Flow         corridor.Flow
	Assume       string
	Expect       corridor.Outcome
	Obligations  []string
	Without      []string // obligations that must not be owed
	Note         string
	Proposed     bool   // the engine's own answer, which no person has reviewed
	Where        string // file:line:column
}

// CaseResult says how a case went.
type CaseResult struct {
	Case     Case
	Passed   bool
	NoPack   bool
	Reason   string // why it failed
	Decision corridor.Decision
}

// ParseCases reads cases, YAML or JSON, in the format of a pack's cases.yaml
// or of a shared case file. jurisdiction is for cases that name none.
func ParseCases(file string, data []byte, jurisdiction string) ([]Case, error) {
	r := &reader{file: file}
	var out []Case
	if root := r.parse(data); root != nil {
		out = r.cases(root, newAtlas(), jurisdiction)
	}
	if len(r.errs) > 0 {
		return nil, r.errs[0]
	}
	return out, nil
}

// cases reads a list of cases, bare or under the key "cases".
func (r *reader) cases(root *yaml.Node, a *atlas, jurisdiction string) []Case {
	var out []Case
	list := root
	if root.Kind == yaml.MappingNode {
		list = nil
		r.object(root, "the cases", field{"cases", true, func(n *yaml.Node) { list = n }})
	}
	if list == nil {
		return nil
	}
	seen := map[string]bool{}
	r.list(list, "cases", func(n *yaml.Node) {
		c := r.oneCase(n, a, jurisdiction)
		if seen[c.ID] {
			r.fail(n, "", "case %q occurs twice", c.ID)
		}
		seen[c.ID] = true
		if out = append(out, c); len(out) == maxCases+1 {
			r.fail(n, "", "more than %d cases", maxCases)
		}
	})
	return out
}

func (r *reader) oneCase(n *yaml.Node, a *atlas, jurisdiction string) Case {
	c := Case{Jurisdiction: jurisdiction, Assume: DefaultProfile, Where: r.at(n).String()}
	side := func(key string) field {
		return field{key, false, func(n *yaml.Node) { c.Side = corridor.Side(r.choice(n, key, "export", "import", "treaty")) }}
	}
	skip := func(*yaml.Node) {}
	r.object(n, "a case",
		field{"id", true, func(n *yaml.Node) { c.ID = r.name(n, "id") }},
		field{"jurisdiction", false, func(n *yaml.Node) { c.Jurisdiction = r.str(n, "jurisdiction") }},
		side("side"), side("direction"),
		field{"facts", true, func(n *yaml.Node) { c.Flow = r.flow(n, a) }},
		field{"assume", false, func(n *yaml.Node) { c.Assume = r.str(n, "assume") }},
		field{"expect", true, func(n *yaml.Node) {
			o, err := corridor.ParseOutcome(r.str(n, "expect"))
			if err != nil {
				r.fail(n, "", "%w", err)
			}
			c.Expect = o
		}},
		field{"obligations", false, func(n *yaml.Node) { c.Obligations = r.names(n, "obligations") }},
		field{"without", false, func(n *yaml.Node) { c.Without = r.names(n, "without") }},
		field{"cite", false, skip}, field{"confidence", false, skip}, field{"text", false, skip},
		field{"proposed", false, func(n *yaml.Node) { c.Proposed = r.boolean(n, "proposed") }},
		field{"note", false, func(n *yaml.Node) { c.Note = r.str(n, "note") }})
	if c.Side == "" {
		r.fail(n, "write side: export or side: import", "case %q has no side", c.ID)
	}
	return c
}

// flow reads the facts of a case, in which date, origin and destination
// stand among the others.
func (r *reader) flow(n *yaml.Node, a *atlas) corridor.Flow {
	f := corridor.Flow{Facts: corridor.Facts{}}
	country := func(v *yaml.Node, what string) string {
		if _, err := a.check(v.Value, what); err != nil {
			r.fail(v, "", "%w", err)
		}
		return v.Value
	}
	r.entries(n, "facts", func(k, v *yaml.Node) {
		switch k.Value {
		case "date":
			f.Date = r.date(v, "date")
		case "origin":
			f.Origin = country(v, "origin")
		case "destination":
			f.Destination = country(v, "destination")
		default:
			f.Facts[k.Value] = r.value(v)
		}
	})
	return f
}

// RunCases decides each case under its own jurisdiction's pack.
func (l *Library) RunCases(cases []Case) []CaseResult {
	out := make([]CaseResult, len(cases))
	parallel(len(cases), func(i int) { out[i] = l.RunCase(cases[i]) })
	return out
}

// RunCase decides one case. It passes if the outcome is equal, every listed
// obligation is present and none of those under "without" is.
func (l *Library) RunCase(c Case) CaseResult {
	res := CaseResult{Case: c}
	own := l.byJurisdiction[c.Jurisdiction]
	if own == nil {
		res.NoPack, res.Reason = true, "no pack for "+c.Jurisdiction
		return res
	}
	f := c.Flow
	if c.Assume != "" && c.Assume != "none" {
		f.Assume = c.Assume
	}
	here := whose(f, c.Side)
	if l.byJurisdiction[here] != own {
		res.Reason = fmt.Sprintf("the %s side of %s to %s is not %s", c.Side, f.Origin, f.Destination, c.Jurisdiction)
		return res
	}
	d, err := l.decideSide(f, c.Side, own, (*prepared).plain)
	if err != nil {
		res.Reason = err.Error()
		return res
	}
	res.Decision = d
	res.Reason = l.differs(c, d)
	res.Passed = res.Reason == ""
	return res
}

func (l *Library) differs(c Case, d corridor.Decision) string {
	if d.Outcome != c.Expect {
		s := fmt.Sprintf("expected %s, got %s", c.Expect, d.Outcome)
		if d.Outcome == corridor.Undetermined {
			s += " (missing"
			for _, q := range d.Questions {
				s += " " + q.Fact
			}
			s += ")"
		}
		return s
	}
	for _, want := range c.Obligations {
		id := want
		if o, ok := l.Obligation(want); ok {
			id = o.ID
		}
		if !slices.ContainsFunc(d.Duties, func(o corridor.Obligation) bool { return o.ID == id && o.Certain }) {
			return "obligation " + want + " is missing"
		}
	}
	for _, id := range c.Without {
		o, ok := l.Obligation(id)
		switch {
		case !ok:
			return "without names the unknown obligation " + id
		case slices.ContainsFunc(d.Duties, func(d corridor.Obligation) bool { return d.ID == o.ID }):
			return "obligation " + id + " is owed and should not be"
		}
	}
	return ""
}

// Cases reads the packs' own cases, in the order of the packs' ids.
func (l *Library) Cases() ([]Case, error) {
	var out []Case
	var errs []error
	for _, info := range l.Packs() {
		p := l.byJurisdiction[info.Jurisdiction]
		if p.cases == nil {
			continue
		}
		r := &reader{file: path.Join(p.id, "cases.yaml")}
		if root := r.parse(p.cases); root != nil {
			out = append(out, r.cases(root, l.atlas, p.jurisdiction)...)
		}
		errs = append(errs, r.errs...)
	}
	return out, errors.Join(errs...)
}
