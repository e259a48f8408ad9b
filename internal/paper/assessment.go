package paper

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"corridor"
	"corridor/internal/law"
)

// AssessmentFormat names the shape of an assessment as JSON.
const AssessmentFormat = "corridor-assessment/1"

// The ways in which a fact became known.
const (
	Given    = "given"    // on the command line
	FromFile = "file"     // in a file of facts
	Scanned  = "scan"     // found in the data
	Answered = "answered" // in the interview
	Assumed  = "assumed"  // filled in from a profile
)

// Said is what one source said of one fact.
type Said struct {
	Fact  string `json:"fact"`
	By    string `json:"by"`             // given, file, scan, answered
	From  string `json:"from,omitempty"` // the file
	Value any    `json:"value"`
}

// Input is what an assessment is made of besides the law.
type Input struct {
	Flow    corridor.Flow
	Said    []Said
	About   map[string]string        // who files it, about what; keys are AboutKeys
	Events  map[string]corridor.Date // days of the events from which deadlines run
	Program string                   // the version that wrote it
}

// AboutKeys are the lines at the head of an assessment, in their order.
func AboutKeys() []string {
	return []string{"reference", "exporter", "importer", "dataset", "prepared_by"}
}

// Assessment is a transfer assessment: the verdict and what a compliance
// officer files with it. It follows from Input and the rule packs alone, so
// that it can be made again, byte for byte.
type Assessment struct {
	Format     string                   `json:"format"`
	Program    string                   `json:"program"`
	Engine     string                   `json:"engine"`
	About      map[string]string        `json:"about,omitempty"`
	Facts      []FactLine               `json:"facts"`
	Open       []OpenFact               `json:"open"` // unknown, and able to change the outcome
	Idle       []string                 `json:"idle"` // unknown, without a bearing on the outcome
	Duties     []DutyLine               `json:"duties"`
	Unverified []UnverifiedLine         `json:"unverified"`
	ValidUntil corridor.Date            `json:"valid_until,omitempty"`
	Events     map[string]corridor.Date `json:"events,omitempty"`
	Said       []Said                   `json:"said"`
	Verdict    corridor.Verdict         `json:"verdict"`
}

// FactLine is one fact as the decision took it.
type FactLine struct {
	Fact     string        `json:"fact"`
	Value    string        `json:"value"`   // as YAML
	Sources  []FactSource  `json:"sources"` // the first said it first; later ones made it more exact
	Question corridor.Text `json:"question,omitzero"`
}

// FactSource is who said a fact.
type FactSource struct {
	By   string `json:"by"`
	From string `json:"from,omitempty"` // the file or the profile
}

// OpenFact is a question whose answer can still change the outcome.
type OpenFact struct {
	Fact      string              `json:"fact"`
	Members   []string            `json:"members,omitempty"`
	Options   []string            `json:"options,omitempty"`
	Asks      string              `json:"asks,omitempty"`
	Question  corridor.Text       `json:"question"`
	Citations []corridor.Citation `json:"citations"`
}

// DutyLine is one obligation with its dates.
type DutyLine struct {
	ID        string              `json:"id"`
	For       []string            `json:"for"` // whose law asks for it
	Owner     string              `json:"owner"`
	When      string              `json:"when"`
	Stage     string              `json:"stage,omitempty"`
	Certain   bool                `json:"certain"`
	Deadline  *law.Deadline       `json:"deadline,omitempty"`
	Starts    corridor.Date       `json:"starts,omitempty"` // day of the event, where it is known
	Presumed  bool                `json:"presumed,omitempty"`
	Due       corridor.Date       `json:"due,omitempty"`   // last day
	Until     bool                `json:"until,omitempty"` // of keeping or waiting, not of doing
	Each      bool                `json:"each,omitempty"`  // every further event has a last day of its own
	Doubts    []string            `json:"doubts,omitempty"`
	NoDate    string              `json:"no_date,omitempty"` // why there is none: event, calendar
	Event     corridor.Text       `json:"event,omitzero"`
	Evidence  corridor.Text       `json:"evidence"`
	Rules     []string            `json:"rules"`
	Citations []corridor.Citation `json:"citations"`
	Text      corridor.Text       `json:"text"`
}

// The reasons for which a duty with a deadline has no date.
const (
	noDateEvent    = "event"    // the day of the event is not known
	noDateCalendar = "calendar" // the end cannot be known: working days are missing
)

// UnverifiedLine is a provision whose wording was not checked.
type UnverifiedLine struct {
	Jurisdiction string                `json:"jurisdiction"`
	Side         corridor.Side         `json:"side"`
	Rule         string                `json:"rule,omitempty"` // empty: a list that a rule rests on
	Source       corridor.SourceStatus `json:"source,omitempty"`
	On           corridor.Date         `json:"on,omitempty"`
	Ref          string                `json:"ref,omitempty"`
	Drives       bool                  `json:"drives"` // the outcome of its side
	Citations    []corridor.Citation   `json:"citations,omitempty"`
}

// Assess decides the flow and puts together what is filed.
func Assess(lib *law.Library, in Input) (Assessment, error) {
	if err := checkInput(lib, in); err != nil {
		return Assessment{}, err
	}
	v, err := lib.Decide(in.Flow)
	if err != nil {
		return Assessment{}, err
	}
	a := Assessment{Format: AssessmentFormat, Program: in.Program, Engine: law.Engine, About: in.About, Events: in.Events, Said: in.Said, Verdict: v,
		Facts: []FactLine{}, Open: []OpenFact{}, Idle: []string{}, Duties: []DutyLine{}, Unverified: []UnverifiedLine{}}
	if a.Said == nil {
		a.Said = []Said{}
	}
	a.facts(lib)
	a.open()
	a.idle(lib)
	a.duties(lib)
	a.unverified()
	for _, d := range v.Sides {
		if d.ValidUntil != 0 && (a.ValidUntil == 0 || d.ValidUntil < a.ValidUntil) {
			a.ValidUntil = d.ValidUntil
		}
	}
	return a, nil
}

func checkInput(lib *law.Library, in Input) error {
	for key, text := range in.About {
		if !slices.Contains(AboutKeys(), key) {
			return &corridor.Error{Kind: corridor.Invalid, Where: "about." + key, Msg: "is no line of an assessment", Fix: "use " + strings.Join(AboutKeys(), ", ")}
		}
		if len(text) > 400 {
			return &corridor.Error{Kind: corridor.Limited, Where: "about." + key, Msg: "is longer than 400 bytes", Fix: "shorten it"}
		}
	}
	for name := range in.Events {
		if !slices.Contains(lib.Events(), name) && name != law.AtAgreement {
			return &corridor.Error{Kind: corridor.Invalid, Where: "events." + name, Msg: "no deadline runs from it", Fix: "use one of " + strings.Join(lib.Events(), ", ")}
		}
	}
	return nil
}

// Encode writes the assessment as JSON: the same one gives the same bytes.
func (a Assessment) Encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a); err != nil {
		return nil, corridor.E(corridor.Internal, "assessment: %w", err)
	}
	return b.Bytes(), nil
}

// Decode reads an assessment, and nothing else.
func Decode(data []byte) (Assessment, error) {
	var a Assessment
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return a, corridor.E(corridor.Invalid, "not an assessment: %w", err)
	}
	if d.More() {
		return a, corridor.E(corridor.Invalid, "not an assessment: more follows after its end")
	}
	if a.Format != AssessmentFormat {
		e := corridor.E(corridor.Invalid, "format %q is not %s", a.Format, AssessmentFormat)
		e.Where = "format"
		return a, e
	}
	return a, nil
}

// Input is what the assessment was made of, to make it again.
func (a Assessment) Input() Input {
	return Input{Flow: a.Verdict.Flow, Said: a.Said, About: a.About, Events: a.Events, Program: a.Program}
}

// facts lists what was given, as it was taken, and what a profile filled in.
func (a *Assessment) facts(lib *law.Library) {
	asks := questionsOf(lib)
	flat := flatten(a.Verdict.Flow.Facts)
	for _, name := range sortedKeys(flat) {
		line := FactLine{Fact: name, Value: Value(flat[name]), Sources: []FactSource{}, Question: asks[strings.TrimSuffix(strings.TrimSuffix(name, ".filed_on"), ".state")]}
		for _, s := range a.Said {
			from := FactSource{s.By, s.From}
			if (s.Fact == name || strings.HasPrefix(name, s.Fact+".")) && !slices.Contains(line.Sources, from) {
				line.Sources = append(line.Sources, from)
			}
		}
		if len(line.Sources) == 0 {
			line.Sources = append(line.Sources, FactSource{By: Given})
		}
		a.Facts = append(a.Facts, line)
	}
	var seen []string
	for _, d := range a.Verdict.Sides {
		for _, text := range d.Assumed {
			if slices.Contains(seen, text) {
				continue
			}
			seen = append(seen, text)
			name, value, _ := strings.Cut(text, " = ")
			a.Facts = append(a.Facts, FactLine{Fact: name, Value: value, Sources: []FactSource{{Assumed, a.Verdict.Flow.Assume}}, Question: asks[name]})
		}
	}
}

// open joins the questions of all sides, members of one set as one.
func (a *Assessment) open() {
	at := map[string]int{}
	for _, d := range a.Verdict.Open() {
		for _, q := range d.Questions {
			i, ok := at[q.Fact]
			if !ok {
				i, at[q.Fact] = len(a.Open), len(a.Open)
				a.Open = append(a.Open, OpenFact{Fact: q.Fact, Asks: q.Asks, Question: q.Text})
			}
			o := &a.Open[i]
			if q.Member != "" && !slices.Contains(o.Members, q.Member) {
				o.Members = append(o.Members, q.Member)
			} else if q.Member == "" {
				o.Options = q.Options
			}
			o.Citations = addCites(o.Citations, q.Citations)
		}
	}
}

// idle lists what nobody said and what can change the outcome no more.
func (a *Assessment) idle(lib *law.Library) {
	known := map[string]bool{"origin": true, "destination": true}
	for _, f := range a.Facts {
		known[f.Fact] = true
	}
	for _, o := range a.Open {
		known[o.Fact] = true
	}
	for _, f := range lib.Vocabulary() {
		if !known[f.Name] && f.Derived == "" {
			a.Idle = append(a.Idle, f.Name)
		}
	}
}

// duties joins the obligations of all sides and dates them.
func (a *Assessment) duties(lib *law.Library) {
	at := map[string]int{}
	for _, d := range a.Verdict.Sides {
		for _, o := range d.Duties {
			i, ok := at[o.ID]
			if !ok {
				i, at[o.ID] = len(a.Duties), len(a.Duties)
				info, _ := lib.Obligation(o.ID)
				line := DutyLine{ID: o.ID, Owner: o.Owner, When: o.When, Stage: o.Stage, Deadline: info.Deadline, Evidence: info.Evidence, Text: o.Text}
				a.date(lib, &line, o)
				a.Duties = append(a.Duties, line)
			}
			l := &a.Duties[i]
			l.Certain = l.Certain || o.Certain
			if !slices.Contains(l.For, d.Jurisdiction) {
				l.For = append(l.For, d.Jurisdiction)
			}
			for _, r := range o.Rules {
				if !slices.Contains(l.Rules, r) {
					l.Rules = append(l.Rules, r)
				}
			}
			l.Citations = addCites(l.Citations, o.Citations)
		}
	}
	order := []string{"before", "during", "after"}
	slices.SortStableFunc(a.Duties, func(x, y DutyLine) int {
		return cmp.Or(-compareBool(x.Certain, y.Certain), cmp.Compare(slices.Index(order, x.When), slices.Index(order, y.When)))
	})
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// date counts a deadline as the engine counts tasks: from the events that are
// known, with the transfer on the day of the flow.
func (a *Assessment) date(lib *law.Library, line *DutyLine, o corridor.Obligation) {
	d := line.Deadline
	if d != nil {
		line.Event = lib.Event(d.From)
	}
	for _, t := range lib.Tasks([]corridor.Obligation{o}, a.events(o.Rules)) {
		if line.Due == 0 {
			line.Due, line.Starts, line.Until, line.Doubts = t.Due, t.From, t.Until, t.Doubts
			line.Presumed, line.Each = t.Presumed, t.Each
		}
	}
	switch {
	case d == nil:
		line.Starts = 0
	case line.Due != 0:
	case line.Starts == 0:
		line.NoDate = noDateEvent
	default:
		line.NoDate = noDateCalendar
	}
}

// events are those that somebody gave, the transfer, and the only filing
// under the law of the rules that ask.
func (a *Assessment) events(rules []string) []law.Event {
	out := []law.Event{{ID: law.AtTransfer, On: a.Verdict.Flow.Date}}
	for _, id := range sortedKeys(a.Events) {
		out = append(out, law.Event{ID: id, On: a.Events[id]})
	}
	if _, given := a.Events["filed_on"]; !given {
		if day := a.filed(rules); day != 0 {
			out = append(out, law.Event{ID: "filed_on", On: day})
		}
	}
	return out
}

func (a *Assessment) filed(rules []string) corridor.Date {
	var found []corridor.Date
	flat := flatten(a.Verdict.Flow.Facts)
	for _, name := range sortedKeys(flat) {
		id, ok := strings.CutPrefix(name, "filings.")
		if !ok || !strings.HasSuffix(id, ".filed_on") {
			continue
		}
		pack, _, _ := strings.Cut(id, ".")
		if !slices.ContainsFunc(rules, func(r string) bool { return strings.HasPrefix(r, pack+".") }) {
			continue
		}
		if text, ok := flat[name].(string); ok {
			if day, err := corridor.ParseDate(text); err == nil {
				found = append(found, day)
			}
		}
	}
	if len(found) != 1 {
		return 0
	}
	return found[0]
}

// unverified lists every provision that took part and was not checked
// against its wording.
func (a *Assessment) unverified() {
	for _, d := range a.Verdict.Sides {
		found := false
		for _, m := range d.Matched {
			if m.Source == corridor.Verified {
				continue
			}
			drives := d.Unverified && m.Kind != "duty" && (d.Outcome == corridor.Undetermined || m.Outcome == d.Outcome || m.Lifts != nil)
			found = found || drives
			line := UnverifiedLine{d.Jurisdiction, d.Side, m.Rule, m.Source, m.SourceOn, m.SourceRef, drives, m.Citations}
			if !slices.ContainsFunc(a.Unverified, func(x UnverifiedLine) bool { return x.Rule == line.Rule && x.Side == line.Side }) {
				a.Unverified = append(a.Unverified, line)
			}
		}
		if d.Unverified && !found {
			a.Unverified = append(a.Unverified, UnverifiedLine{Jurisdiction: d.Jurisdiction, Side: d.Side, Drives: true})
		}
	}
}
