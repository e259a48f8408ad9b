package paper

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"corridor"
	"corridor/internal/law"
)

// KitFormat names the shape of a filled kit as JSON.
const KitFormat = "corridor-kit/1"

// The states of a field.
const (
	Filled  = "filled"
	Missing = "missing" // nobody said it
	Partly  = "partly"  // what is known leaves more than one value
)

// The sources of a value that no fact has.
const (
	fromDecision = "decision"
	fromAnswers  = "answers"
	fromEvent    = "event"
	fromNode     = "node"
)

// KitInput is what a kit is filled from.
type KitInput struct {
	Input
	Kit         string
	Answers     law.Answers
	AnswersFrom string            // the file of answers
	Node        map[string]string // exporter.name and the like, from a node's configuration
}

// FilledKit is a kit with what is known of each field. It follows from
// KitInput, the rule packs and the kit alone.
type FilledKit struct {
	Format    string                   `json:"format"`
	Program   string                   `json:"program"`
	Engine    string                   `json:"engine"`
	Kit       law.Kit                  `json:"kit"`
	About     map[string]string        `json:"about,omitempty"`
	Asked     string                   `json:"asked"` // yes, maybe, no: does the decision ask for it; apart: no duty stands for it
	Outcome   corridor.Outcome         `json:"outcome"`
	Due       *DutyLine                `json:"due,omitempty"`
	Fields    []FilledField            `json:"fields"`
	Counts    KitCounts                `json:"counts"`
	Answers   law.Answers              `json:"answers"`
	From      string                   `json:"answers_from,omitempty"`
	Node      map[string]string        `json:"node,omitempty"`
	Events    map[string]corridor.Date `json:"events,omitempty"`
	Said      []Said                   `json:"said"`
	Flow      corridor.Flow            `json:"flow"`
	Packs     []corridor.PackRef       `json:"packs"`
	Undecided []string                 `json:"undetermined,omitempty"` // facts that can still change the outcome
}

// FilledField is one field with its value.
type FilledField struct {
	ID       string                `json:"id"`
	State    string                `json:"state"`
	Value    string                `json:"value,omitempty"`
	Values   []string              `json:"values,omitempty"`
	Texts    []corridor.Text       `json:"texts,omitempty"` // of duties
	Cites    []corridor.Citation   `json:"cites,omitempty"` // of provisions
	Sources  []FactSource          `json:"sources"`
	Hint     string                `json:"hint,omitempty"` // how to give what is missing
	Required bool                  `json:"required"`
	Source   corridor.SourceStatus `json:"source"` // of the field itself
}

// KitCounts closes a filled kit.
type KitCounts struct {
	Fields     int `json:"fields"`
	Filled     int `json:"filled"`
	Missing    int `json:"missing"`  // required and missing or known in part
	Optional   int `json:"optional"` // not required and missing
	Assumed    int `json:"assumed"`  // filled from a profile alone
	Unverified int `json:"unverified"`
}

// FillKit decides the flow and fills the kit.
func FillKit(lib *law.Library, in KitInput) (FilledKit, error) {
	kit, err := lib.Kit(in.Kit)
	if err != nil {
		return FilledKit{}, err
	}
	day := in.Flow.Date
	if day < kit.From || kit.To != 0 && day > kit.To {
		e := corridor.E(corridor.Invalid, "kit %s is not in force on %s", kit.ID, day)
		e.Where, e.Fix = "date", "corridor kit show "+kit.ID+" says from when until when it is"
		return FilledKit{}, e
	}
	a, err := Assess(lib, in.Input)
	if err != nil {
		return FilledKit{}, err
	}
	if err := checkAnswers(kit, in.Answers); err != nil {
		return FilledKit{}, err
	}
	f := FilledKit{Format: KitFormat, Program: in.Program, Engine: law.Engine, Kit: kit, About: in.About, Asked: asked(kit, a), Outcome: a.Verdict.Outcome,
		Fields: []FilledField{}, Answers: in.Answers, From: in.AnswersFrom, Node: in.Node, Events: in.Events, Said: a.Said, Flow: in.Flow, Packs: a.Verdict.Packs}
	for _, o := range a.Open {
		f.Undecided = append(f.Undecided, o.Fact)
	}
	f.Due = dueOf(lib, kit, a)
	x := &filler{in: in, a: a, lib: lib}
	for _, field := range kit.Fields {
		f.add(x.fill(field))
	}
	return f, nil
}

// checkAnswers refuses answers that no field takes, or that do not fit.
func checkAnswers(kit law.Kit, a law.Answers) error {
	for _, id := range sortedKeys(a.Fields) {
		i := slices.IndexFunc(kit.Fields, func(f law.KitField) bool { return f.ID == id })
		switch {
		case i < 0:
			e := corridor.E(corridor.Invalid, "%s has no field %q", kit.ID, id)
			e.Where, e.Fix = "answers."+id, "corridor kit show "+kit.ID+" names its fields"
			return e
		case kit.Fields[i].From.Kind != "":
			e := corridor.E(corridor.Invalid, "field %q takes its value from elsewhere", id)
			e.Where, e.Fix = "answers."+id, hint(kit.Fields[i])
			return e
		}
		if err := kit.Fields[i].CheckAnswer(a.Fields[id]); err != nil {
			return err
		}
	}
	return nil
}

// asked says whether the decision asks for the filing; apart where no duty
// of the packs stands for it.
func asked(kit law.Kit, a Assessment) string {
	best := "no"
	if len(kit.Duties) == 0 {
		best = "apart"
	}
	for _, d := range a.Duties {
		if slices.Contains(kit.Duties, d.ID) {
			if d.Certain {
				return "yes"
			}
			best = "maybe"
		}
	}
	return best
}

// dueOf is the first duty of the kit that has a deadline: as the decision has
// it, or as it is declared.
func dueOf(lib *law.Library, kit law.Kit, a Assessment) *DutyLine {
	for _, id := range kit.Duties {
		for _, d := range a.Duties {
			if d.ID == id && d.Deadline != nil {
				return &d
			}
		}
	}
	for _, id := range kit.Duties {
		if o, ok := lib.Obligation(id); ok && o.Deadline != nil {
			d := DutyLine{ID: o.ID, Owner: o.Owner, When: o.When, Stage: o.Stage, Deadline: o.Deadline, Evidence: o.Evidence, Text: o.Text, Rules: []string{}}
			a.date(lib, &d, corridor.Obligation{ID: o.ID})
			return &d
		}
	}
	return nil
}

// add takes a field and counts it.
func (f *FilledKit) add(x FilledField) {
	f.Fields = append(f.Fields, x)
	c := &f.Counts
	c.Fields++
	switch {
	case x.State == Filled:
		c.Filled++
		if !slices.ContainsFunc(x.Sources, func(s FactSource) bool { return s.By != Assumed }) {
			c.Assumed++
		}
	case x.Required:
		c.Missing++
	default:
		c.Optional++
	}
	if x.Source != corridor.Verified {
		c.Unverified++
	}
}

// Complete says whether everything that has to be told is known.
func (f FilledKit) Complete() bool { return f.Counts.Missing == 0 }

// filler finds the values of fields.
type filler struct {
	in  KitInput
	a   Assessment
	lib *law.Library
}

func (x *filler) fill(f law.KitField) FilledField {
	out := FilledField{ID: f.ID, State: Missing, Sources: []FactSource{}, Required: f.Required, Source: f.Source}
	switch o := f.From; o.Kind {
	case law.KitFact:
		x.fact(&out, o.Name)
	case law.KitRecord:
		x.fact(&out, o.Name)
		if f.Required && x.nothing(o.Name, out.Value) {
			out.State = Missing
		}
	case law.KitFiledOn:
		x.fact(&out, o.Name+".filed_on")
	case law.KitFlow:
		flow := x.in.Flow
		out.set(map[string]string{"origin": flow.Origin, "destination": flow.Destination, "date": flow.Date.String()}[o.Name], FactSource{By: Given})
	case law.KitEvent:
		if day, ok := x.in.Events[o.Name]; ok {
			out.set(day.String(), FactSource{By: fromEvent})
		}
	case law.KitDuty:
		x.duty(&out, o.Name)
	case law.KitDecision:
		x.decision(&out, o.Name)
	case law.KitParty, law.KitDataset:
		x.line(&out, o)
	default:
		if v, ok := x.in.Answers.Fields[f.ID]; ok {
			x.answer(&out, v)
		}
	}
	if out.State != Filled {
		out.Hint = hint(f)
	}
	return out
}

// set fills a field.
func (out *FilledField) set(value string, from ...FactSource) {
	if value != "" {
		out.State, out.Value, out.Sources = Filled, value, append(out.Sources, from...)
	}
}

// fact takes a fact or a record as the decision took it.
func (x *filler) fact(out *FilledField, name string) {
	for _, f := range x.a.Facts {
		if f.Fact != name && f.Fact != name+".state" {
			continue
		}
		out.Sources = append(out.Sources, f.Sources...)
		if out.Value = f.Value; strings.HasPrefix(f.Value, "{") {
			out.State = Partly
			continue
		}
		out.State = Filled
		if list, ok := strings.CutPrefix(f.Value, "["); ok {
			out.Value = ""
			if list = strings.TrimSuffix(list, "]"); list != "" {
				out.Values = strings.Split(list, ", ")
			} else {
				out.Value = "none"
			}
		}
	}
}

// nothing says whether a state means that nothing is there: a filing that
// needs it is not complete.
func (x *filler) nothing(record, state string) bool {
	for _, r := range x.lib.Records() {
		if r.Name == record {
			return r.States[0] == state
		}
	}
	return false
}

// duty says whether the decision asks for an obligation.
func (x *filler) duty(out *FilledField, id string) {
	value := "no"
	for _, d := range x.a.Duties {
		if d.ID != id {
			continue
		}
		if d.Certain {
			value = "yes"
		} else {
			out.State, out.Value, out.Sources = Partly, "maybe", []FactSource{{By: fromDecision}}
			return
		}
	}
	out.set(value, FactSource{By: fromDecision})
}

// decision takes a part of the verdict.
func (x *filler) decision(out *FilledField, part string) {
	v := x.a.Verdict
	from := FactSource{By: fromDecision}
	switch part {
	case "outcome":
		out.set(v.Outcome.String(), from)
		if v.Outcome == corridor.Undetermined {
			out.State = Partly
		}
		return
	case "valid_until":
		if x.a.ValidUntil != 0 {
			out.set(x.a.ValidUntil.String(), from)
		} else {
			out.set("none", from)
		}
		return
	case "duties":
		for _, d := range x.a.Duties {
			if d.Certain {
				out.Values, out.Texts = append(out.Values, d.ID), append(out.Texts, d.Text)
			}
		}
	case "articles":
		for _, d := range v.Sides {
			for _, m := range d.Matched {
				if m.Certain && (m.Kind == "rule" || m.Kind == "exemption") {
					out.Values, out.Cites = append(out.Values, m.Rule), addCites(out.Cites, m.Citations)
				}
			}
		}
	case "unverified":
		for _, u := range x.a.Unverified {
			if u.Rule != "" {
				out.Values, out.Cites = append(out.Values, u.Rule), addCites(out.Cites, u.Citations)
			}
		}
	}
	out.State, out.Sources = Filled, append(out.Sources, from)
	if len(out.Values) == 0 {
		out.Value = "none"
	}
}

// line takes a line about a party or the dataset.
func (x *filler) line(out *FilledField, o law.KitOrigin) {
	if o.Kind == law.KitDataset {
		out.set(x.in.Answers.Dataset[o.Name], FactSource{fromAnswers, x.in.AnswersFrom})
		return
	}
	side, line, _ := strings.Cut(o.Name, ".")
	out.set(x.in.Answers.Parties[side][line], FactSource{fromAnswers, x.in.AnswersFrom})
	if out.State != Filled {
		out.set(x.in.Node[o.Name], FactSource{By: fromNode})
	}
	if about, ok := x.in.About[side]; ok && line == "name" && out.State != Filled {
		out.set(about, FactSource{By: Given})
	}
}

// answer takes what somebody answered.
func (x *filler) answer(out *FilledField, v any) {
	from := FactSource{fromAnswers, x.in.AnswersFrom}
	switch v := v.(type) {
	case []any:
		for _, el := range v {
			out.Values = append(out.Values, fmt.Sprint(el))
		}
		out.State, out.Sources = Filled, append(out.Sources, from)
	case bool:
		out.set(map[bool]string{true: "yes", false: "no"}[v], from)
	default:
		out.set(fmt.Sprint(v), from)
	}
}

// hint says how a missing value is given.
func hint(f law.KitField) string {
	switch o := f.From; o.Kind {
	case law.KitFact:
		return "--set " + o.Name + "=..."
	case law.KitRecord:
		return "--set " + o.Name + "=..."
	case law.KitFiledOn:
		return "--set " + o.Name + ".filed_on=YYYY-MM-DD"
	case law.KitEvent:
		return "--event " + o.Name + "=YYYY-MM-DD"
	case law.KitParty:
		side, line, _ := strings.Cut(o.Name, ".")
		return "--answers FILE: {" + side + ": {" + line + ": ...}}"
	case law.KitDataset:
		return "--answers FILE: {dataset: {" + o.Name + ": ...}}"
	case law.KitFlow:
		return map[string]string{"origin": "--from CC", "destination": "--to CC", "date": "--date YYYY-MM-DD"}[o.Name]
	case law.KitDecision, law.KitDuty:
		return "corridor check"
	}
	return "--answers FILE: {answers: {" + f.ID + ": ...}}"
}

// Encode writes the filled kit as JSON: the same one gives the same bytes.
func (f FilledKit) Encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(f); err != nil {
		return nil, corridor.E(corridor.Internal, "kit: %w", err)
	}
	return b.Bytes(), nil
}

// DecodeKit reads a filled kit, and nothing else.
func DecodeKit(data []byte) (FilledKit, error) {
	var f FilledKit
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return f, corridor.E(corridor.Invalid, "not a filled kit: %w", err)
	}
	if d.More() || f.Format != KitFormat {
		return f, corridor.E(corridor.Invalid, "not a filled kit of the format %s", KitFormat)
	}
	return f, nil
}

// Input is what the kit was filled from, to fill it again.
func (f FilledKit) Input() KitInput {
	return KitInput{Input: Input{Flow: f.Flow, Said: f.Said, About: f.About, Events: f.Events, Program: f.Program},
		Kit: f.Kit.ID, Answers: f.Answers, AnswersFrom: f.From, Node: f.Node}
}
