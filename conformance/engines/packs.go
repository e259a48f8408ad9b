// Package engines puts the rules of the packs into the languages of two
// general policy engines, Rego for Open Policy Agent and Cedar for cedar-go,
// and holds their answers against those of internal/law. It reads the packs
// itself, by the description in docs/pack-format.md and with no code of
// internal/law, so that a mistake there cannot hide here. It is a module of its
// own, so that neither engine becomes a dependency of the gateway.
package engines

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"go.yaml.in/yaml/v4"

	"corridor"
)

// pack is what decides in one pack.yaml. Texts and sources are left out.
type pack struct {
	ID           string   `yaml:"pack"`
	Layer        string   `yaml:"layer"`
	Jurisdiction string   `yaml:"jurisdiction"`
	Members      []string `yaml:"members"`
	Lists        map[string]struct {
		Editions []edition `yaml:"editions"`
	} `yaml:"lists"`
	Vehicles    map[string]record `yaml:"vehicles"`
	Filings     map[string]record `yaml:"filings"`
	Assessments map[string]record `yaml:"assessments"`
	Conditions  map[string]struct {
		When string `yaml:"when"`
	} `yaml:"conditions"`
	Obligations []duty `yaml:"obligations"`
	Silence     map[corridor.Side]struct {
		Outcome corridor.Outcome `yaml:"outcome"`
		Cite    []struct {
			Instrument string `yaml:"instrument"`
		} `yaml:"cite"`
	} `yaml:"silence"`
	Instruments map[string]struct {
		InForce period `yaml:"in_force"`
	} `yaml:"instruments"`
	Rules []rule `yaml:"rules"`

	records map[string]record // vehicles, filings and assessments, as "class/id"
	days    map[corridor.Side][]corridor.Date
}

type edition struct {
	From  string   `yaml:"from"`
	To    string   `yaml:"to"`
	Codes []string `yaml:"codes"`
}

type record struct {
	States     []string          `yaml:"states"`
	Shorthand  map[string]string `yaml:"shorthand"`
	Standstill *struct {
		Days     int      `yaml:"working_days"`
		Calendar string   `yaml:"calendar"`
		While    []string `yaml:"while"`
		Then     string   `yaml:"then"`
		Before   string   `yaml:"before"`
	} `yaml:"standstill"`
}

type duty struct {
	ID      string   `yaml:"id"`
	Aliases []string `yaml:"aliases"`
}

type rule struct {
	ID          string   `yaml:"id"`
	Kind        string   `yaml:"kind"`
	Side        string   `yaml:"side"`
	When        string   `yaml:"when"`
	Unless      []string `yaml:"unless"`
	Results     []result `yaml:"results"`
	Obligations []string `yaml:"obligations"`
	InForce     period   `yaml:"in_force"`
}

type period struct {
	From string `yaml:"from"`
	To   string `yaml:"to"`
}

type result struct {
	When        string           `yaml:"when"`
	Outcome     corridor.Outcome `yaml:"outcome"`
	Obligations []string         `yaml:"obligations"`
}

// fact is one declaration of the vocabulary.
type fact struct {
	Name     string   `yaml:"name"`
	Type     string   `yaml:"type"`
	Min      int64    `yaml:"min"`
	Max      int64    `yaml:"max"`
	Optional bool     `yaml:"optional"`
	Values   []string `yaml:"values"`
	Derived  string   `yaml:"derived"`
	Within   []string `yaml:"within"` // counts that include this one
	About    string   `yaml:"about"`  // the class of data that is about at least one of what is counted
}

// Packs is all that the packs say about when which rule applies.
type Packs struct {
	facts    []*fact
	byName   map[string]*fact
	axioms   []axiom
	packs    []*pack
	byState  map[string]*pack
	records  map[string]record // of all packs
	profiles map[string]profile
	rest     map[string]calendar
	aliases  map[string]string
	parse    *parser
	laws     map[string]*Law
}

type axiom struct {
	ID    string `yaml:"id"`
	Never string `yaml:"never"`
	cond  *cond

	missing struct{ fact, member string } // the one that a set must have, if it says so
}

type profile struct {
	Facts      map[string]any `yaml:"facts"`
	FirstStore string         `yaml:"first_store"`
	Records    string         `yaml:"records"`
}

type calendar struct {
	Rest  []int `json:"weekly_rest"`
	Years map[string]struct {
		Off     []string `json:"off"`
		Working []string `json:"makeup_workdays"`
	} `json:"years"`
}

// The treaties stand between two states and belong to neither.
const treaties = "treaty"

// Read reads the packs of a directory.
func Read(fsys fs.FS) (*Packs, error) {
	p := &Packs{byName: map[string]*fact{}, byState: map[string]*pack{}, records: map[string]record{}, aliases: map[string]string{}, laws: map[string]*Law{}}
	var vocabulary struct {
		Facts  []*fact `yaml:"facts"`
		Axioms []axiom `yaml:"axioms"`
	}
	var assumptions struct {
		Profiles map[string]profile `yaml:"profiles"`
	}
	var duties struct {
		Obligations []duty `yaml:"obligations"`
	}
	for name, into := range map[string]any{"vocabulary.yaml": &vocabulary, "assumptions.yaml": &assumptions, "obligations.yaml": &duties} {
		if err := decode(fsys, name, into); err != nil {
			return nil, err
		}
	}
	p.facts, p.axioms, p.profiles = vocabulary.Facts, vocabulary.Axioms, assumptions.Profiles
	for _, f := range p.facts {
		p.byName[f.Name] = f
	}
	p.alias(duties.Obligations)
	if err := p.calendars(fsys); err != nil {
		return nil, err
	}
	names, err := fs.Glob(fsys, "*/pack.yaml")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		one := &pack{}
		if err := decode(fsys, name, one); err != nil {
			return nil, err
		}
		p.add(one)
	}
	return p, p.compileAxioms()
}

func (p *Packs) add(one *pack) {
	if one.Layer == treaties {
		one.Jurisdiction = treaties
	}
	one.records, one.days = map[string]record{}, map[corridor.Side][]corridor.Date{}
	for class, list := range map[string]map[string]record{"vehicle": one.Vehicles, "filing": one.Filings, "assessment": one.Assessments} {
		for id, r := range list {
			one.records[class+"/"+id] = r
			p.records[class+"/"+id] = r
		}
	}
	p.alias(one.Obligations)
	p.packs = append(p.packs, one)
	for _, code := range append([]string{one.Jurisdiction}, one.Members...) {
		p.byState[code] = one
	}
}

func (p *Packs) alias(list []duty) {
	for _, d := range list {
		for _, a := range d.Aliases {
			p.aliases[a] = d.ID
		}
	}
}

func (p *Packs) compileAxioms() (err error) {
	if p.parse, err = newParser(p.byName); err != nil {
		return err
	}
	for i := range p.axioms {
		a := &p.axioms[i]
		if a.cond, err = p.parse.condition(a.Never, nil); err != nil {
			return fmt.Errorf("axiom %s: %w", a.ID, err)
		}
		for _, k := range a.cond.flat().kids {
			if k.op == opNot && k.kids[0].op == opHas {
				a.missing.fact, a.missing.member = k.kids[0].fact, k.kids[0].words[0]
			}
		}
	}
	return nil
}

func decode(fsys fs.FS, name string, into any) error {
	data, err := fs.ReadFile(fsys, name)
	if err == nil {
		err = yaml.Unmarshal(data, into)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (p *Packs) calendars(fsys fs.FS) error {
	var all struct {
		Countries map[string]calendar `json:"countries"`
	}
	data, err := fs.ReadFile(fsys, "calendars.json")
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	p.rest = all.Countries
	return err
}

// Sides names the law of each side of a flow.
func (p *Packs) Sides(w *World) ([]*Law, error) {
	var out []*Law
	for _, side := range []corridor.Side{corridor.Export, corridor.Import, corridor.Treaty} {
		l, err := p.Side(w, side)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// Side names the law of one side.
func (p *Packs) Side(w *World, side corridor.Side) (*Law, error) {
	code := map[corridor.Side]string{corridor.Export: w.Origin, corridor.Import: w.Destination, corridor.Treaty: treaties}[side]
	return p.law(p.byState[code], side, w.Date)
}

// All gives the law of every pack and side on one day.
func (p *Packs) All(day corridor.Date) ([]*Law, error) {
	var out []*Law
	for _, one := range p.packs {
		for _, side := range []corridor.Side{corridor.Export, corridor.Import, corridor.Treaty} {
			if _, has := one.Silence[side]; !has {
				continue
			}
			l, err := p.law(one, side, day)
			if err != nil {
				return nil, err
			}
			out = append(out, l)
		}
	}
	return out, nil
}

// day reads a date; an empty one is 0, which no law of the packs is from.
func day(text string) (corridor.Date, error) {
	if text == "" {
		return 0, nil
	}
	return corridor.ParseDate(text)
}

// covers says whether a period, both days included, holds a day.
func covers(from, to string, on corridor.Date) (bool, error) {
	first, err := day(from)
	if err != nil {
		return false, err
	}
	last, err := day(to)
	return first <= on && (last == 0 || on <= last), err
}

// changes lists the days from which a side's law differs from the day before.
func (one *pack) changes(side corridor.Side) ([]corridor.Date, error) {
	if out, done := one.days[side]; done {
		return out, nil
	}
	var out []corridor.Date
	add := func(from, to string) error {
		first, err := day(from)
		if err != nil {
			return err
		}
		last, err := day(to)
		if out = append(out, first); last != 0 {
			out = append(out, last+1)
		}
		return err
	}
	for _, r := range one.Rules {
		if !r.on(side) {
			continue
		}
		if err := add(r.InForce.From, r.InForce.To); err != nil {
			return nil, err
		}
	}
	for _, c := range one.Silence[side].Cite {
		in := one.Instruments[c.Instrument].InForce
		if err := add(in.From, in.To); err != nil {
			return nil, err
		}
	}
	for _, l := range one.Lists {
		for _, e := range l.Editions {
			if err := add(e.From, e.To); err != nil {
				return nil, err
			}
		}
	}
	slices.Sort(out)
	one.days[side] = slices.Compact(out)
	return one.days[side], nil
}

// covered says whether an instrument on which silence rests is in force.
// Treaties only add, so their silence is never too much.
func (one *pack) covered(side corridor.Side, on corridor.Date) (bool, error) {
	if side == corridor.Treaty {
		return true, nil
	}
	for _, c := range one.Silence[side].Cite {
		p, known := one.Instruments[c.Instrument]
		if in, err := covers(p.InForce.From, p.InForce.To, on); known && in || err != nil {
			return in, err
		}
	}
	return false, nil
}

func (r *rule) on(side corridor.Side) bool {
	return r.Side == string(side) || r.Side == "both" && side != corridor.Treaty
}

// termOver says whether n working days have fully passed since a filing.
func (c calendar) termOver(filed, on corridor.Date, n int) bool {
	for d := filed + 1; d < on; d++ {
		t := d.Time()
		year := c.Years[t.Format("2006")]
		free := slices.Contains(c.Rest, (int(t.Weekday())+6)%7) || slices.Contains(year.Off, t.Format(time.DateOnly))
		if !free || slices.Contains(year.Working, t.Format(time.DateOnly)) {
			n--
		}
	}
	return n <= 0
}
