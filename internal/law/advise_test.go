package law

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"corridor"
	"corridor/packs"
)

func shipped(tb testing.TB) *Library {
	tb.Helper()
	l, err := Load(packs.FS())
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// crossing is a flow of 24 November 2026 with usual values for what is not
// said.
func crossing(tb testing.TB, from, to, facts string) corridor.Flow {
	tb.Helper()
	f := flow(tb, facts)
	f.Date, f.Origin, f.Destination, f.Assume = date(tb, "2026-11-24"), from, to, DefaultProfile
	return f
}

func advise(tb testing.TB, l *Library, f corridor.Flow, limits Limits) Advice {
	tb.Helper()
	a, err := l.Advise(f, limits)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// ways tells each plan in one line: its actions, the outcome, the day.
func ways(a Advice) []string {
	var out []string
	for _, p := range a.Plans {
		var ids []string
		for _, x := range p.Actions {
			ids = append(ids, x.ID)
		}
		out = append(out, strings.Join(ids, " + ")+": "+p.Verdict.Outcome.String()+" "+p.Ready.String())
	}
	return out
}

// manyPeople is marketing data on 200,000 people from China, with 50,000 sent
// before and nothing in place.
const manyPeople = `data_classes: [personal], subjects_ytd: 250000, sensitive_subjects_ytd: 0, subjects_in_file: 200000, sensitive_subjects_in_file: 0, purpose: marketing`

func TestWaysOutOfChinaForManyPeople(t *testing.T) {
	l := shipped(t)
	a := advise(t, l, crossing(t, "CN", "KZ", manyPeople), Limits{Plans: 20})
	got := ways(a)
	for _, want := range []string{
		"reduce_people:99999: allow_with_obligations 2026-11-25",
		"anonymise: allow 2026-11-29",
		"aggregate: allow 2026-11-29",
		"compute_to_data: allow 2026-12-08",
		"vehicle:cn.standard_contract=signed: allow_with_obligations 2026-12-14",
		"vehicle:cn.certification=valid: allow_with_obligations 2027-02-22",
		"vehicle:cn.security_assessment=passed: allow_with_obligations 2027-02-22",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not among\n%s", want, strings.Join(got, "\n"))
		}
	}
	for _, w := range got {
		if strings.Contains(w, "treaty") || strings.Contains(w, "synthetic") || strings.Contains(w, "pseudonymise") {
			t.Errorf("%s helps nobody here", w)
		}
	}
	p := a.Plans[0]
	if text := p.Actions[0].Text.EN; !strings.Contains(text, "99,999") || !strings.Contains(text, "At most 50,000 have been sent, which leaves 49,999") {
		t.Errorf("the number that the law draws is not told: %s", text)
	}
	if ru := p.Actions[0].Text.RU; !strings.Contains(ru, "99\u00a0999") {
		t.Errorf("the number in Russian: %s", ru)
	}
	if len(p.Settles) != 1 || p.Settles[0].Rule != "cn.provisions.8" || p.Settles[0].Citations[0].Article != "8" {
		t.Errorf("which article is satisfied is not told: %+v", p.Settles)
	}
	if !a.Complete {
		t.Error("a search of this size gives up")
	}
}

func TestWhatWasSentThisYearIsAFloor(t *testing.T) {
	l := shipped(t)
	f := crossing(t, "CN", "KZ", strings.Replace(manyPeople, "subjects_in_file: 200000, s", "subjects_in_file: 150001, s", 1))
	if got := ways(advise(t, l, f, Limits{Plans: 20})); slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "reduce_people") }) {
		t.Errorf("99,999 people were sent, one more is over the line: %v", got)
	}
	f = crossing(t, "CN", "KZ", strings.Replace(manyPeople, "subjects_in_file: 200000, s", "subjects_in_file: 150002, s", 1))
	if got := ways(advise(t, l, f, Limits{Plans: 20}))[0]; !strings.HasPrefix(got, "reduce_people:99999:") {
		t.Errorf("99,998 people were sent, one more is below the line, but the advice is %s", got)
	}
	// How many of this flow are counted as sensitive is not known: the floor
	// cannot be told, so nothing is promised.
	f = crossing(t, "CN", "KZ", `data_classes: [personal, health], subjects_ytd: 250000, sensitive_subjects_ytd: 9000, subjects_in_file: 200000, purpose: marketing`)
	if got := ways(advise(t, l, f, Limits{Plans: 20})); slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "reduce_people") }) {
		t.Errorf("a floor that nobody knows: %v", got)
	}
}

func TestSensitiveColumnsLeaveAndThePeopleCountElsewhere(t *testing.T) {
	l := shipped(t)
	f := crossing(t, "CN", "KZ", `data_classes: [personal, health], subjects_ytd: 99900, sensitive_subjects_ytd: 300, subjects_in_file: 300, sensitive_subjects_in_file: 300, purpose: marketing`)
	a := advise(t, l, f, Limits{Plans: 20})
	i := slices.IndexFunc(a.Plans, func(p Plan) bool { return p.Actions[0].ID == "drop_sensitive" })
	if i < 0 || len(a.Plans[i].Actions) < 2 {
		t.Fatalf("without the sensitive columns 100,200 people are over the line of 100,000: %v", ways(a))
	}
	f.Facts["subjects_ytd"] = 90000
	a = advise(t, l, f, Limits{Plans: 20})
	i = slices.IndexFunc(a.Plans, func(p Plan) bool { return len(p.Actions) == 1 && p.Actions[0].ID == "drop_sensitive" })
	if i < 0 || !slices.Equal(a.Plans[i].Actions[0].Removes, []string{"health"}) {
		t.Fatalf("without the health columns nothing is in the way: %v", ways(a))
	}
	kept := advise(t, l, f, Limits{Plans: 20, Needed: []string{"health"}})
	if slices.ContainsFunc(kept.Plans, func(p Plan) bool {
		return slices.ContainsFunc(p.Actions, func(x Action) bool { return x.Removes != nil })
	}) {
		t.Errorf("the purpose needs the health data, but a plan removes it: %v", ways(kept))
	}
	other := advise(t, l, f, Limits{Plans: 20, Without: []string{"drop_sensitive", "drop_people", "vehicle:cn.standard_contract=signed"}})
	for _, w := range ways(other) {
		if strings.Contains(w, "drop_") || strings.Contains(w, "contract=signed") {
			t.Errorf("an action that was refused is used: %s", w)
		}
	}
}

func TestWaysOutOfRussia(t *testing.T) {
	l := shipped(t)
	f := crossing(t, "RU", "CN", `data_classes: [personal], subject_link: [citizen], first_store: CN, purpose: marketing`)
	a := advise(t, l, f, Limits{Plans: 20, Needed: []string{"personal"}, Without: []string{"anonymise", "aggregate", "compute_to_data"}})
	got := ways(a)
	// 5 days to prepare, filed on Sunday 29 November, 10 working days; the
	// database takes longer.
	want := "file:ru.rkn_notice=filed + store_first_at_home: allow_with_obligations 2027-01-23"
	cleared := "file:ru.rkn_notice=cleared + store_first_at_home: allow_with_obligations 2027-01-23"
	if len(got) != 1 || got[0] != want && got[0] != cleared {
		t.Fatalf("%v\nnot %s", got, want)
	}
	for _, o := range a.Plans[0].Settles {
		if !strings.HasPrefix(o.Rule, "ru.152.") {
			t.Errorf("settles %s", o.Rule)
		}
	}
	waiting := crossing(t, "RU", "KZ", `data_classes: [personal], purpose: marketing, filing: {kind: rkn_notice, state: waiting, filed_on: "2026-11-20"}`)
	if got := ways(advise(t, l, waiting, Limits{}))[0]; got != "wait_for_term:2026-12-05: allow_with_obligations 2026-12-05" {
		t.Errorf("a term that runs needs only to pass: %s", got)
	}
}

func TestConsentOpensKazakhstan(t *testing.T) {
	l := shipped(t)
	f := crossing(t, "KZ", "RU", `data_classes: [personal], purpose: marketing, local_copy: false`)
	a := advise(t, l, f, Limits{Plans: 20})
	want := "local_copy + consent_transfer: allow_with_obligations 2026-12-24"
	if got := ways(a); !slices.Contains(got, want) {
		t.Errorf("%q is not among %v", want, got)
	}
	i := slices.IndexFunc(a.Plans, func(p Plan) bool { return p.Actions[0].ID == "local_copy" })
	if i < 0 || !slices.Contains(a.Plans[i].Actions[0].Rules, "kz.pdl.12-2") || !slices.Contains(a.Plans[i].Actions[1].Rules, "kz.pdl.16-2") {
		t.Errorf("which action satisfies which article is not told: %+v", a.Plans[i].Actions)
	}
}

func TestWhatIsUnknownIsAskedAndNeverChosen(t *testing.T) {
	l := shipped(t)
	f := crossing(t, "CN", "KZ", `data_classes: [personal]`)
	f.Assume = ""
	a := advise(t, l, f, Limits{})
	if len(a.Plans) != 0 || len(a.Ask) == 0 || !a.Complete {
		t.Fatalf("%v, asks %d", ways(a), len(a.Ask))
	}
	// One unknown that a plan makes irrelevant does not stand in its way.
	f = crossing(t, "CN", "KZ", strings.Replace(manyPeople, "purpose: marketing", "purpose: {one_of: [marketing, contract]}", 1))
	a = advise(t, l, f, Limits{Plans: 20})
	if !slices.Contains(ways(a), "anonymise: allow 2026-11-29") || len(a.Ask) == 0 {
		t.Errorf("%v, asks %d", ways(a), len(a.Ask))
	}
	for _, p := range a.Plans {
		if _, said := p.Flow.Facts["purpose"].(map[string]any); !said {
			t.Errorf("the plan chose a purpose: %v", p.Flow.Facts["purpose"])
		}
	}
}

func TestAdviceWhereThereIsNothingToAdvise(t *testing.T) {
	l := shipped(t)
	if a := advise(t, l, crossing(t, "CN", "KZ", `data_classes: [non_personal], purpose: customs`), Limits{}); len(a.Plans) != 0 || !a.Verdict.Outcome.Permits() {
		t.Errorf("a lawful flow gets %v", ways(a))
	}
	if a := advise(t, l, crossing(t, "KZ", "AQ", `data_classes: [personal]`), Limits{}); !slices.Equal(a.Blind, []string{"AQ"}) || len(a.Plans) != 0 {
		t.Errorf("without a rule pack: %v %v", a.Blind, ways(a))
	}
	if _, err := l.Advise(corridor.Flow{}, Limits{}); corridor.KindOf(err) != corridor.Invalid {
		t.Errorf("no flow at all: %v", err)
	}
	a := advise(t, l, crossing(t, "CN", "KZ", manyPeople), Limits{Sets: 3})
	if a.Complete {
		t.Error("a search that was cut short says that it is complete")
	}
}

func TestBadActionsAreExplained(t *testing.T) {
	for name, c := range map[string]struct{ action, want string }{
		"unknown fact":       {`{id: a, actor: exporter, days: 0, cost: 1, effects: [{fact: copy, to: true}], text: &T}`, `"copy" is not a fact that an action can change`},
		"the pair of states": {`{id: a, actor: exporter, days: 0, cost: 1, effects: [{fact: destination, to: origin}], text: &T}`, "is not a fact that an action can change"},
		"a derived fact":     {`{id: a, actor: exporter, days: 0, cost: 1, effects: [{fact: at_home, to: true}], text: &T}`, "is not a fact that an action can change"},
		"unknown value":      {`{id: a, actor: exporter, days: 0, cost: 1, effects: [{fact: purpose, to: contrac}], text: &T}`, `unknown value "contrac" of purpose; did you mean contract?`},
		"wrong type":         {`{id: a, actor: exporter, days: 0, cost: 1, effects: [{fact: copied, to: 5}], text: &T}`, "copied cannot become 5"},
		"wrong operation":    {`{id: a, actor: exporter, days: 0, cost: 1, effects: [{fact: copied, raise: "true"}], text: &T}`, "is of type bool, which does not fit here"},
		"two operations":     {`{id: a, actor: exporter, days: 0, cost: 1, effects: [{fact: purpose, to: hr, raise: hr}], text: &T}`, "an effect does 2 things"},
		"nothing":            {`{id: a, actor: exporter, days: 0, cost: 1, text: &T}`, `action "a" changes nothing`},
		"no cost":            {`{id: a, actor: exporter, days: 0, cost: 0, effects: [{fact: copied, to: true}], text: &T}`, "cost is 0; use 1 to 1000"},
		"unknown group":      {`{id: a, actor: exporter, days: 0, cost: 1, effects: [{fact: classes, remove: peple}], text: &T}`, `unknown group "peple"; did you mean people?`},
		"each of another":    {`{id: a, actor: exporter, days: 0, cost: 1, each: {line: people}, effects: [{fact: hours, at_most: line}], text: &T}`, "does not repeat over the lines of hours"},
		"unknown condition":  {`{id: a, actor: exporter, days: 0, cost: 1, when: 'copid', effects: [{fact: copied, to: true}], text: &T}`, `unknown fact "copid"; did you mean copied?`},
		"unknown key":        {`{id: a, actor: exporter, days: 0, cost: 1, effect: [], effects: [{fact: copied, to: true}], text: &T}`, `unknown key "effect" in an action; did you mean effects?`},
		"one language":       {`{id: a, actor: exporter, days: 0, cost: 1, effects: [{fact: copied, to: true}], text: {en: x}}`, `has no "zh"`},
	} {
		fsys := tree(testHead + rich)
		fsys["actions.yaml"] = &fstest.MapFile{Data: []byte(expand(testActionsHead + "  - " + c.action + "\n"))}
		_, err := Load(fsys)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "actions.yaml:") {
			t.Errorf("%s: %v\nwant %s", name, err, c.want)
		}
	}
	fsys := tree(testHead + rich)
	fsys["actions.yaml"] = &fstest.MapFile{Data: []byte(expand(testActionsHead + "  " + testActions[2] + "\n  " + testActions[2] + "\n"))}
	if _, err := Load(fsys); err == nil || !strings.Contains(err.Error(), `action "copy" is declared twice`) {
		t.Errorf("declared twice: %v", err)
	}
}

func TestActionsArePartOfAPacksDigest(t *testing.T) {
	fsys := tree(testHead + rich)
	before := mustLoad(t, fsys).Packs()[0].Digest
	fsys["actions.yaml"] = &fstest.MapFile{Data: []byte(expand(testActionsHead + "  " + testActions[2] + "\n"))}
	if after := mustLoad(t, fsys).Packs()[0].Digest; after == before {
		t.Error("advice would change and the digest would not")
	}
}

func TestARecordThatNobodyCanPutInPlaceIsNotAdvised(t *testing.T) {
	fsys := tree(strings.Replace(testHead, "kz.contract: {states: [none, signed, filed],", "kz.contract: {states: [none, signed, filed], lead: {days: 12, text: &T}, changeable: true,", 1) + rich)
	fsys["cn/pack.yaml"] = &fstest.MapFile{Data: []byte(expand(strings.NewReplacer("pack: kz", "pack: cn", "jurisdiction: KZ", "jurisdiction: CN", "kz.", "cn.").Replace(testHead + "rules: []\n")))}
	fsys["actions.yaml"] = &fstest.MapFile{Data: []byte(expand(testActionsHead + "  " + testActions[8] + "\n"))}
	f := flow(t, `classes: [personal], people: 5000`)
	if got := ways(advise(t, mustLoad(t, fsys), f, Limits{})); !slices.Equal(got, []string{"vehicle:kz.contract=signed: allow_with_obligations 2026-03-14"}) {
		t.Errorf("the record's own lead: %v", got)
	}
	raw := string(fsys["kz/pack.yaml"].Data)
	fsys["kz/pack.yaml"] = &fstest.MapFile{Data: []byte(strings.Replace(raw, "changeable: true", "changeable: false", 1))}
	if got := ways(advise(t, mustLoad(t, fsys), f, Limits{})); len(got) != 0 {
		t.Errorf("a treaty is not made by a participant: %v", got)
	}
}

// onlyScanned are the facts that a scan of a file about people leaves, with
// the year's counts and the purpose: what was not seen may still be there.
const onlyScanned = `data_classes: {has: [personal, health, payment, financial, geospatial]}, subjects_in_file: {min: 1, max: 2000}, sensitive_subjects_in_file: {min: 1, max: 2000},
  purpose: marketing, subjects_ytd: 250000, sensitive_subjects_ytd: 20000`

func TestAFileThatWasOnlyScannedHasWays(t *testing.T) {
	l := shipped(t)
	for _, to := range []string{"KZ", "RU"} {
		f := crossing(t, "CN", to, onlyScanned)
		f.Assume = "nothing_in_place"
		a := advise(t, l, f, Limits{})
		if len(a.Plans) != 5 {
			t.Fatalf("to %s: %v", to, ways(a))
		}
		for i, p := range a.Plans {
			if i > 0 && p.Cost < a.Plans[i-1].Cost {
				t.Errorf("to %s: way %d is cheaper than the one before", to, i+1)
			}
			if v, err := l.Decide(p.Flow); err != nil || !v.Outcome.Permits() {
				t.Errorf("to %s: way %d decided anew: %v %v", to, i+1, v.Outcome, err)
			}
			needless(t, l, f, p)
		}
		first := a.Plans[0].Actions
		at := slices.IndexFunc(first, func(x Action) bool { return x.ID == "drop_class:core" })
		if at < 0 || !slices.Equal(first[at].Open, []string{"core"}) {
			t.Errorf("nothing says that core data is there, and the step does not say so: %+v", first)
		}
	}
}

// needless fails where a way is lawful without one of its actions.
func needless(t *testing.T, l *Library, f corridor.Flow, p Plan) {
	t.Helper()
	s, err := l.search(f, Limits{}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	var set bitset256
	for _, x := range p.Actions {
		set.add(slices.IndexFunc(s.list, func(m *move) bool { return m.id == x.ID }))
	}
	for i := range s.list {
		part := set
		if part.remove(i); part != set && s.lawful(part) {
			t.Errorf("%s is needless in %v", s.list[i].id, ways(Advice{Plans: []Plan{p}}))
		}
	}
}

func TestTheBoundKeepsASearchSmall(t *testing.T) {
	l := shipped(t)
	for name, c := range map[string]struct {
		to, facts string
		actions   int
		most      int
	}{
		"a file that was only scanned":      {"RU", onlyScanned, 12, 20_000},
		"a file that an officer has read":   {"RU", strings.NewReplacer("{has: [", "[", "]}", "]").Replace(onlyScanned), 8, 1_000},
		"more actions than a plan may have": {"KZ", onlyScanned, 4, 100},
	} {
		f := crossing(t, "CN", c.to, c.facts)
		s, err := l.search(f, Limits{Actions: c.actions}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		if s.run(); s.seen >= c.most {
			t.Errorf("%s: looks at %d sets; under %d is enough", name, s.seen, c.most)
		}
	}
}

func TestWhereThereIsNoWayTheProvisionsAreNamed(t *testing.T) {
	l := shipped(t)
	f := crossing(t, "CN", "KZ", `data_classes: [state_secret], subjects_ytd: 250000, subjects_in_file: {min: 1, max: 2000}`)
	f.Assume = "nothing_in_place"
	a := advise(t, l, f, Limits{Needed: []string{"state_secret"}})
	if len(a.Plans) != 0 || !a.Complete {
		t.Fatalf("%v, complete %t", ways(a), a.Complete)
	}
	if !slices.ContainsFunc(a.Fixed, func(o Obstacle) bool { return o.Rule == "cn.secrets.28" && len(o.Citations) > 0 }) {
		t.Errorf("what stands in the way for good: %+v", a.Fixed)
	}
}

func TestPartOfAPlanChangesNoMoreThanItsOwnActions(t *testing.T) {
	l := shipped(t)
	f := crossing(t, "CN", "RU", onlyScanned)
	p := advise(t, l, f, Limits{}).Plans[0]
	if len(p.Actions) < 3 {
		t.Fatalf("the plan has too few actions for this test: %v", p.Actions)
	}
	part, err := l.After(f, []string{"drop_sensitive"}, true)
	if err != nil {
		t.Fatal(err)
	}
	lacks, _ := part.Facts["data_classes"].(map[string]any)["lacks"].([]any)
	if slices.Contains(lacks, any("core")) || !slices.Contains(lacks, any("health")) {
		t.Errorf("after the sensitive columns went the data lacks %v", lacks)
	}
	if v, err := l.Decide(part); err != nil || v.Outcome.Permits() || part.Date != f.Date {
		t.Errorf("with the year not over and the rest not made sure of: %v %v on %s", v.Outcome, err, part.Date)
	}
	if _, err := l.After(f, []string{"nothing_of_the_kind"}, true); corridor.KindOf(err) != corridor.NotFound {
		t.Errorf("an action that there is not: %v", err)
	}
}

func TestWhatAnActionMayHaveMissedStaysOpen(t *testing.T) {
	l := shipped(t)
	f := crossing(t, "CN", "KZ", manyPeople)
	for _, c := range []struct {
		sure bool
		want corridor.Outcome
	}{{true, corridor.Allow}, {false, corridor.Undetermined}} {
		after, err := l.After(f, []string{"drop_people"}, c.sure)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := l.Decide(after); err != nil || v.Outcome != c.want {
			t.Errorf("people left out, sure %t: %v %v; want %v", c.sure, v.Outcome, err, c.want)
		}
	}
}
