package law

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"corridor"
)

func TestDecisionsOnKnownFacts(t *testing.T) {
	l := richLibrary(t)
	for name, c := range map[string]struct{ facts, want string }{
		"where nothing applies silence decides":            {`classes: []`, `allow [kz.silence.export]: `},
		"a duty does not end silence":                      {`classes: [personal]`, `allow [kz.mask kz.silence.export]: hide`},
		"the strictest contribution wins":                  {`classes: [personal, secret], people: 1000`, `deny [kz.secret=deny kz.many=needs_approval kz.mask]: tell keep hide`},
		"the first result that holds is taken":             {`classes: [personal], people: 1000, mechanism: standard_contract`, `allow_with_obligations [kz.many=allow_with_obligations kz.mask]: keep hide`},
		"a named condition counts as written":              {`classes: [personal, health], people: 1`, `needs_approval [kz.many=needs_approval kz.mask]: tell keep hide`},
		"an axiom adds what an exact list left out":        {`classes: [health], people: 1`, `needs_approval [kz.many=needs_approval kz.mask]: tell keep hide`},
		"an exemption lifts and brings its own duties":     {`classes: [personal], people: 1000, purpose: contract`, `allow_with_obligations [kz.mask kz.contract-purpose>kz.many]: tell hide`},
		"an exemption can itself be lifted":                {`classes: [personal, genetic], people: 9, purpose: contract`, `needs_approval [kz.many=needs_approval kz.mask kz.not-genetic>kz.contract-purpose]: tell keep hide`},
		"an exemption with duties counts without a target": {`classes: [], purpose: contract`, `allow_with_obligations [kz.contract-purpose]: tell`},
		"a derived fact follows the flow's origin":         {`classes: [personal], first_store: RU, copied: false`, `deny [kz.mask kz.home=deny]: hide`},
		"an explicit vehicle beats the shorthand":          {`classes: [personal], people: 1000, mechanism: none, vehicles: {kz.contract: filed}`, `allow_with_obligations [kz.many=allow_with_obligations kz.mask]: keep hide`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := line(export(t, l, flow(t, c.facts))); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestDecisionsOnPartialFacts(t *testing.T) {
	l := richLibrary(t)
	for name, c := range map[string]struct{ facts, want string }{
		"a fact that cannot matter is not asked":      {`classes: [open], people: {min: 0}`, `allow [kz.silence.export]: `},
		"an open interval can be decisive":            {`classes: [personal], people: {min: 5}`, `undetermined [kz.many?=needs_approval kz.mask kz.silence.export?]: hide tell? keep?`},
		"an interval above the line is as good":       {`classes: [personal], people: {min: 1000}`, `needs_approval [kz.many=needs_approval kz.mask]: tell keep hide`},
		"a deny stays whatever is open":               {`classes: {has: [secret]}, people: {max: 10}`, `deny [kz.secret=deny kz.silence.export?]: `},
		"an axiom excludes worlds without being told": {`classes: {has: [open], lacks: [secret, health, genetic]}, people: {min: 1}`, `allow [kz.silence.export]: `},
	} {
		t.Run(name, func(t *testing.T) {
			f := flow(t, c.facts)
			f.Assume = ""
			f.Facts["hours"], f.Facts["purpose"], f.Facts["copied"], f.Facts["mechanism"], f.Facts["filing"] = nil, "other", true, "none", "none"
			if strings.Contains(name, "deny") {
				delete(f.Facts, "mechanism")
				f.Facts["classes"] = map[string]any{"has": []any{"secret"}, "lacks": []any{"personal"}}
			}
			got := line(export(t, l, f))
			if strings.Contains(name, "deny") {
				if !strings.HasPrefix(got, "deny") {
					t.Error(got)
				}
				return
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestLawChangesWithItsDates(t *testing.T) {
	l := richLibrary(t)
	at := func(day, dest string) corridor.Decision {
		f := flow(t, `classes: [personal], people: 2000`)
		f.Date, f.Destination = date(t, day), dest
		return export(t, l, f)
	}
	for _, c := range []struct{ day, dest, want, until string }{
		{"2012-12-31", "CN", `undetermined []: `, "2013-01-01"}, // what silence cites is not in force yet
		{"2019-12-31", "CN", `allow [kz.silence.export]: `, "2020-01-01"},
		{"2020-01-01", "CN", `needs_approval [kz.many=needs_approval kz.mask]: tell keep hide`, "2026-01-01"},
		{"2025-12-31", "RU", `needs_approval [kz.many=needs_approval kz.mask]: tell keep hide`, "2026-01-01"},
		{"2026-01-01", "RU", `needs_approval [kz.many=needs_approval kz.mask kz.notice=needs_approval]: tell keep hide`, "2027-01-01"},
		{"2026-12-31", "CN", `needs_approval [kz.many=needs_approval kz.mask]: tell keep hide`, "2027-01-01"},
		{"2027-01-01", "CN", `needs_approval [kz.many=needs_approval]: tell keep`, ""},
	} {
		if d := at(c.day, c.dest); line(d) != c.want || d.ValidUntil.String() != c.until {
			t.Errorf("%s to %s: %s until %s, want %s until %s", c.day, c.dest, line(d), d.ValidUntil, c.want, c.until)
		}
	}
}

func TestAStandstillIsComputedFromItsDate(t *testing.T) {
	l := richLibrary(t)
	decide := func(today, facts string) corridor.Decision {
		f := flow(t, `classes: [personal], people: 1, `+facts)
		f.Date, f.Destination = date(t, today), "RU"
		return export(t, l, f)
	}
	// Filed on Monday 2 March: 3, 4, 5, 6 March count, 9 March is off, 10 March is the fifth.
	for _, c := range []struct{ today, facts, outcome, until, note string }{
		{"2026-03-10", `filing: {kind: kz_notice, state: filed, filed_on: 2026-03-02}`, "needs_approval", "2026-03-11", ""},
		{"2026-03-11", `filing: {kind: kz_notice, state: filed, filed_on: 2026-03-02}`, "allow_with_obligations", "2027-01-01", ""},
		{"2026-03-11", `filings: {kz.notice: {state: waiting, filed_on: 2026-03-02}}`, "allow_with_obligations", "2027-01-01", ""},
		{"2026-03-13", `filings.kz.notice.state: filed, filings.kz.notice.filed_on: 2026-03-09`, "needs_approval", "2026-03-15", ""}, // Saturday 14 March is worked
		{"2026-12-31", `filing: {kind: kz_notice, state: filed, filed_on: 2026-12-30}`, "needs_approval", "2027-01-01", "estimated"},
		{"2029-01-05", `filing: {kind: kz_notice, state: filed, filed_on: 2028-01-05}`, "needs_approval", "", "2028 are not known"},
		{"2026-03-10", `filing: {kind: kz_notice, state: cleared}`, "allow_with_obligations", "2027-01-01", ""},
		{"2026-03-10", `filing: {kind: kz_notice, state: filed}`, "undetermined", "2027-01-01", "no filing date"},
		{"2026-03-10", `filing: none`, "needs_approval", "2027-01-01", ""},
	} {
		d := decide(c.today, c.facts)
		notes := strings.Join(d.Notes, "; ")
		if d.Outcome.String() != c.outcome || d.ValidUntil.String() != c.until || !strings.Contains(notes, c.note) || c.note == "" && notes != "" {
			t.Errorf("%s %s: %s until %s, notes %q", c.today, c.facts, d.Outcome, d.ValidUntil, notes)
		}
	}
	if q := decide("2026-03-10", `filing: {kind: kz_notice, state: filed}`).Questions; len(q) != 1 || q[0].Fact != "filings.kz.notice.filed_on" || q[0].Type != "date" {
		t.Errorf("the missing date is the question: %+v", q)
	}
}

func TestQuestionsAreOrderedAndWorded(t *testing.T) {
	l := richLibrary(t)
	f := corridor.Flow{Date: date(t, "2026-03-02"), Origin: "KZ", Destination: "CN", Facts: corridor.Facts{}}
	d := export(t, l, f)
	var facts []string
	for _, q := range d.Questions {
		facts = append(facts, q.Fact+" "+q.Member)
		if q.Text.EN == "" || len(q.Rules) == 0 || len(q.Citations) == 0 {
			t.Errorf("question %s lacks its words: %+v", q.Fact, q)
		}
	}
	if d.Outcome != corridor.Undetermined || d.Best != corridor.Allow || d.Worst != corridor.Deny {
		t.Errorf("%s between %s and %s", d.Outcome, d.Best, d.Worst)
	}
	for _, want := range []string{"classes personal", "classes secret", "people ", "purpose ", "vehicles.kz.contract ", "first_store ", "copied "} {
		if !slices.Contains(facts, want) {
			t.Errorf("%q is not asked: %q", want, facts)
		}
	}
	for _, not := range []string{"classes open", "hours ", "filings.kz.notice "} {
		if slices.Contains(facts, not) {
			t.Errorf("%q is asked and cannot matter: %q", not, facts)
		}
	}
	at := slices.IndexFunc(d.Questions, func(q corridor.Question) bool { return q.Fact == "people" })
	if got := d.Questions[at].Options; !slices.Equal(got, []string{"0..999", "1000.."}) {
		t.Errorf("options are the lines that the law draws: %q", got)
	}
}

func TestNearMissesNameOneFact(t *testing.T) {
	l := richLibrary(t)
	near := func(facts string) []string {
		var out []string
		for _, n := range export(t, l, flow(t, facts)).NearMisses {
			out = append(out, n.Rule+" "+n.Fact+"="+n.Value+" "+n.Outcome.String())
		}
		return out
	}
	got := near(`classes: [personal], people: 5, copied: false`)
	for _, want := range []string{"kz.many people=1000.. needs_approval", "kz.home first_store=≠ KZ deny", "kz.secret classes=+secret deny"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is missing from %q", want, got)
		}
	}
	if got := near(`classes: [personal, secret], people: 5`); !slices.Contains(got, "kz.secret classes=-secret allow") {
		t.Errorf("a rule that one fact would end: %q", got)
	}
	for _, s := range near(`classes: [health], people: 5`) {
		if strings.Contains(s, "-personal") {
			t.Errorf("an axiom forbids this change alone: %q", s)
		}
	}
}

func TestBothSidesAreCombined(t *testing.T) {
	l := richLibrary(t)
	f := flow(t, `classes: [secret]`)
	v, err := l.Decide(f)
	if err != nil || v.Outcome != corridor.Deny || len(v.Sides) != 2 || len(v.Packs) != 1 {
		t.Fatalf("%+v %v", v, err)
	}
	if d := v.Sides[1]; d.Jurisdiction != "CN" || d.Outcome != corridor.Undetermined || d.Notes[0] != "no rule pack for CN" || d.Matched == nil {
		t.Errorf("a state without a pack: %+v", d)
	}
	v, err = l.Decide(flow(t, `classes: []`))
	if err != nil || v.Outcome != corridor.Undetermined {
		t.Errorf("a missing pack never allows: %s %v", v.Outcome, err)
	}
	f.Origin, f.Destination = "CN", "KZ"
	if v, err = l.Decide(f); err != nil || v.Sides[1].Outcome != corridor.Deny || v.Sides[1].Side != corridor.Import {
		t.Errorf("import side: %+v %v", v, err)
	}
}

// headed is the rich library with lines added to the pack's head.
func headed(t *testing.T, lines string) *Library {
	return mustLoad(t, tree(strings.Replace(testHead, "title: &T\nversion", lines+"title: &T\nversion", 1)+rich))
}

func TestAUnionsLawAppliesToItsMembers(t *testing.T) {
	l := headed(t, "members: [XA, XB]\n")
	f := flow(t, `classes: [secret]`)
	f.Origin, f.Destination = "XA", "XB"
	v, err := l.Decide(f)
	if err != nil || v.Outcome != corridor.Deny || len(v.Sides) != 2 {
		t.Fatalf("%+v %v", v, err)
	}
	for i, want := range []string{"XA", "XB"} {
		if d := v.Sides[i]; d.Jurisdiction != want || d.Pack.ID != "kz" || d.Outcome != corridor.Deny {
			t.Errorf("side %d: %s by %s: %s", i, d.Jurisdiction, d.Pack.ID, line(d))
		}
	}
	cases, err := ParseCases("c", []byte(`[{id: a, side: export, facts: {date: 2026-03-02, origin: XB, destination: CN, classes: [secret]}, assume: usual, expect: deny}]`), "KZ")
	if err != nil {
		t.Fatal(err)
	}
	if r := l.RunCase(cases[0]); !r.Passed {
		t.Error(r.Reason)
	}
}

// treaties is a pack of treaties beside the pack kz of tests.
const treaties = `
pack: treaty
layer: treaty
title: &T
version: "1"
instruments: {vclt: {title: &T, in_force: {from: 1980-01-01}}}
silence: {treaty: {outcome: allow, cite: [{instrument: vclt, article: "34"}], source: &S, text: &T}}
rules:
  - id: treaty.help
    side: treaty
    when: 'destination == "CN" && purpose == "hr"'
    results:
      - {when: 'people < 10', outcome: allow_with_obligations, obligations: [tell]}
      - {outcome: needs_approval, obligations: [keep]}
    cite: [{instrument: vclt, article: "26"}]
    source: {status: secondary, on: 2026-01-01, ref: firm}
    in_force: {from: 2020-01-01}
    text: &T
`

func treatyLibrary(t *testing.T) *Library {
	files := tree(testHead + rich)
	files["treaty/pack.yaml"] = &fstest.MapFile{Data: []byte(expand(treaties))}
	return mustLoad(t, files)
}

func TestTreatiesAreALayerOfTheirOwn(t *testing.T) {
	l := treatyLibrary(t)
	for name, c := range map[string]struct {
		facts   string
		verdict corridor.Outcome
		layer   string
	}{
		"silence of treaties changes nothing":      {`classes: []`, corridor.Undetermined, "allow [treaty.silence.treaty]: "},
		"a treaty adds duties":                     {`classes: [], purpose: hr, people: 5`, corridor.Undetermined, "allow_with_obligations [treaty.help=allow_with_obligations]: tell"},
		"a treaty never loosens a national rule":   {`classes: [secret], purpose: hr, people: 5`, corridor.Deny, "allow_with_obligations [treaty.help=allow_with_obligations]: tell"},
		"a treaty may be the strictest":            {`classes: [], purpose: hr, people: 50`, corridor.Undetermined, "needs_approval [treaty.help=needs_approval]: keep"},
		"what a treaty asks about is asked for it": {`classes: [], purpose: hr, people: {min: 5}`, corridor.Undetermined, "undetermined [treaty.help?=allow_with_obligations treaty.help?=needs_approval]: tell? keep?"},
	} {
		t.Run(name, func(t *testing.T) {
			f := flow(t, c.facts)
			v, err := l.Decide(f)
			if err != nil || len(v.Sides) != 3 || v.Outcome != c.verdict {
				t.Fatalf("%s of %d sides: %v", v.Outcome, len(v.Sides), err)
			}
			if d := v.Sides[2]; d.Side != corridor.Treaty || line(d) != c.layer {
				t.Errorf("got  %s %s\nwant %s", d.Side, line(d), c.layer)
			}
		})
	}
}

func TestASideIsBoundByItsTreatiesToo(t *testing.T) {
	l := treatyLibrary(t)
	for facts, want := range map[string]string{
		`classes: []`:                                `allow [kz.silence.export]: `,
		`classes: [], purpose: hr, people: 5`:        `allow_with_obligations [kz.silence.export treaty.help=allow_with_obligations]: tell`,
		`classes: [secret], purpose: hr`:             `deny [kz.secret=deny treaty.help=allow_with_obligations]: tell`,
		`classes: [], purpose: hr, people: 50`:       `needs_approval [kz.silence.export treaty.help=needs_approval]: keep`,
		`classes: [secret], people: {min: 1}`:        `deny [kz.secret=deny]: `,
		`classes: [], purpose: hr, people: {min: 5}`: `undetermined [kz.silence.export treaty.help?=allow_with_obligations treaty.help?=needs_approval]: tell? keep?`,
	} {
		d := export(t, l, flow(t, facts))
		if line(d) != want || len(d.Layers) != 1 || d.Layers[0].ID != "treaty" {
			t.Errorf("%s\ngot  %s %v\nwant %s", facts, line(d), d.Layers, want)
		}
		if d.Outcome == corridor.NeedsApproval && !d.Unverified {
			t.Errorf("%s: a treaty known at second hand drives the outcome unseen", facts)
		}
	}
}

func TestAPackMayDeclareDutiesOfItsOwn(t *testing.T) {
	own := strings.Replace(testHead, "silence:", "obligations:\n  - {id: light_a_lamp, owner: both, when: after, aliases: [lamp], evidence: &T, text: &T}\nsilence:", 1)
	l := mustLoad(t, tree(own+oneRule(map[string]string{"results": "[{outcome: allow_with_obligations, obligations: [lamp, tell]}]"})))
	if got := line(export(t, l, flow(t, `classes: []`))); got != `allow_with_obligations [kz.r=allow_with_obligations]: light_a_lamp tell` {
		t.Error(got)
	}
}

func TestAPreparedFlowDecidesTheSame(t *testing.T) {
	l := richLibrary(t)
	for _, facts := range []string{`classes: [personal], people: 2000`, `classes: {has: [personal]}, people: {min: 1}`, `classes: [secret]`} {
		f := flow(t, facts)
		f.Origin, f.Destination = "KZ", "RU"
		p, err := l.Prepare(f)
		if err != nil {
			t.Fatal(err)
		}
		v, err := l.Decide(f)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			fast := p.Decide()
			if line(fast.Sides[0]) != line(v.Sides[0]) || fast.Outcome != v.Outcome || p.Outcome() != v.Outcome {
				t.Errorf("%s: %s, %s, %s", facts, line(fast.Sides[0]), line(v.Sides[0]), p.Outcome())
			}
		}
	}
}

func TestWeakSourcesStayVisible(t *testing.T) {
	l := richLibrary(t)
	for facts, want := range map[string]bool{
		`classes: []`:                                          false,
		`classes: [personal], people: 2000`:                    false,
		`classes: [secret]`:                                    false,
		`classes: [personal, genetic], people: 9`:              false, // not-genetic lifts nothing here
		`classes: [genetic], people: 9, purpose: contract`:     true,  // from memory, it lifts an exemption
		`classes: {has: [genetic]}, purpose: contract`:         true,
		`classes: {has: [genetic], lacks: [personal, secret]}`: false,
	} {
		if d := export(t, l, flow(t, facts)); d.Unverified != want {
			t.Errorf("%s: unverified is %v: %s", facts, d.Unverified, line(d))
		}
	}
	f := flow(t, `classes: [personal], people: 9`)
	f.Destination = "RU"
	if d := export(t, l, f); !d.Unverified {
		t.Errorf("a rule with a secondary source decides: %s", line(d))
	}
}

func TestAssumptionsAreListedAndNeverOverride(t *testing.T) {
	l := richLibrary(t)
	f := flow(t, `classes: {has: [personal]}, people: 2000`)
	d := export(t, l, f)
	if d.Outcome != corridor.NeedsApproval {
		t.Errorf("%s", line(d))
	}
	for _, want := range []string{"classes = []", "purpose = other", "mechanism = none", "copied = true", "first_store = KZ"} {
		if !slices.Contains(d.Assumed, want) {
			t.Errorf("%q is not listed as assumed: %q", want, d.Assumed)
		}
	}
	for _, s := range d.Assumed {
		if strings.HasPrefix(s, "people") || strings.HasPrefix(s, "hours") {
			t.Errorf("%q was given or does not matter", s)
		}
	}
	if _, err := l.Assume(f, "usul"); fault(t, err).Fix != "did you mean usual?" {
		t.Error(err)
	}
	f, err := l.Assume(f, "given")
	if err != nil || f.Assume != "given" || len(f.Facts) != 2 {
		t.Errorf("%+v %v", f, err)
	}
	f.Destination, f.Date = "RU", date(t, "2026-03-11")
	f.Facts["purpose"] = "other"
	if d := export(t, l, f); d.Outcome != corridor.Undetermined || d.Worst == corridor.Deny && false {
		t.Errorf("%s", line(d))
	}
	f.Assume = "nobody"
	if _, err := l.Decide(f); fault(t, err).Kind != corridor.Invalid {
		t.Error(err)
	}
}

func TestNotesSpeakThreeLanguages(t *testing.T) {
	for _, n := range []string{note(noteNoPack, "DE"), note(noteNoMeaning, "mechanism", "bcr", "kz"), note(noteNoCalendar, "KZ", "2030", "kz.notice"),
		note(noteEstimated, "KZ", "kz.notice"), note(noteNoDate, "kz.notice")} {
		zh, ru := NoteIn(n, "zh"), NoteIn(n, "ru")
		if NoteIn(n, "en") != n || zh == n || ru == n || strings.Contains(zh+ru, "%!") {
			t.Errorf("%q: %q %q", n, zh, ru)
		}
	}
	if NoteIn("something else", "zh") != "something else" {
		t.Error("an unknown note changes")
	}
}
