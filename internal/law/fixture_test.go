package law

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"corridor"
)

// A small world for tests: one vocabulary, one pack for Kazakhstan.

const testVocabulary = `
facts:
  - {name: first_store, type: country, question: &Q}
  - {name: at_home, type: bool, derived: first_store_is_origin}
  - {name: copied, type: bool, weights: {"true": 8, "false": 2}, question: &Q}
  - {name: people, type: int, min: 0, max: 1000000, question: &Q}
  - {name: hours, type: int, min: 0, max: 1000, optional: true, question: &Q}
  - {name: collected, type: date, question: &Q}
  - {name: purpose, type: enum, values: [contract, hr, other], weights: {other: 5}, question: &Q}
  - {name: classes, type: set, values: [personal, health, genetic, open, secret], weights: {personal: 6}, question: &Q}
  - {name: onward, type: countries, question: &Q}
axioms:
  - {id: health_is_personal, never: '"health" in classes && !("personal" in classes)', close: true, text: &T}
  - {id: open_excludes_personal, never: '"open" in classes && "personal" in classes', text: &T}
  - {id: people_if_personal, never: '"personal" in classes && people == 0', text: &T}
`

const testObligations = `
events: {effect: &T}
obligations:
  - {id: tell, owner: exporter, when: before, evidence: &T, text: &T}
  - {id: keep, owner: exporter, when: after, deadline: {days: 10, unit: working_days, from: effect, calendar: KZ}, aliases: [keep_it], evidence: &T, text: &T}
  - {id: hide, owner: importer, when: during, stage: mask, evidence: &T, text: &T}
`

const testAssumptions = `
profiles:
  usual:
    text: &T
    facts: {copied: true, hours: none, purpose: other, classes: [], mechanism: none, filing: none, impact_assessment: false, people: 5}
    first_store: origin
  given: {text: &T, facts: {classes: {lacks: [secret]}, filings: {kz.notice: {state: filed, filed_on: 2026-03-02}}}}
`

const testCalendars = `{"note": "test", "source": "test", "countries": {"KZ": {"weekly_rest": [5, 6], "years": {
 "2026": {"status": "official", "off": ["2026-03-09"], "estimated_dates": [], "makeup_workdays": ["2026-03-14"], "half_days": []},
 "2027": {"status": "estimated", "off": []}}}}}`

const testHead = `
pack: kz
jurisdiction: KZ
title: &T
version: "1"
instruments:
  pdl: {title: &T, in_force: {from: 2013-01-01}}
  old: {title: &T, in_force: {from: 2000-01-01, to: 2019-12-31}}
lists:
  friends:
    title: &T
    editions:
      - {from: 2020-01-01, to: 2025-12-31, codes: [RU, CN], source: &S}
      - {from: 2026-01-01, codes: [CN], source: {status: secondary, on: 2026-01-02, ref: note}}
vehicles:
  kz.contract: {states: [none, signed, filed], shorthand: {standard_contract: signed}, question: &T}
filings:
  kz.notice:
    states: [none, filed, waiting, cleared]
    shorthand: {kz_notice: same}
    standstill: {working_days: 5, calendar: KZ, while: [filed, waiting], then: cleared, before: waiting}
    question: &T
assessments:
  kz.assessment: {states: [none, done], shorthand: {"true": done}, question: &T}
conditions:
  sensitive: {when: 'classes.overlaps(["health", "genetic"])', text: &T, cite: [{instrument: pdl, article: "1"}]}
silence:
  export: {outcome: allow, cite: [{instrument: pdl, article: "16"}], source: &S, text: &T}
  import: {outcome: allow, cite: [{instrument: pdl, article: "17"}], source: &S, text: &T}
`

// rich are the rules that most tests decide with.
const rich = `
rules:
  - id: kz.secret
    side: both
    when: '"secret" in classes'
    results: [{outcome: deny}]
    cite: [{instrument: pdl, article: "1"}]
    source: &S
    in_force: {from: 2013-01-01}
    text: &T
  - id: kz.many
    side: export
    when: '"personal" in classes && (people >= 1000 || use("sensitive"))'
    unless: [kz.contract-purpose]
    results:
      - {when: 'vehicle("kz.contract").state in ["signed", "filed"]', outcome: allow_with_obligations, obligations: [keep]}
      - {outcome: needs_approval, obligations: [tell, keep_it]}
    cite: [{instrument: pdl, article: "8"}]
    source: &S
    in_force: {from: 2020-01-01}
    text: &T
  - id: kz.contract-purpose
    kind: exemption
    side: export
    when: 'purpose == "contract"'
    unless: [kz.not-genetic]
    obligations: [tell]
    cite: [{instrument: pdl, article: "9"}]
    source: &S
    in_force: {from: 2020-01-01}
    text: &T
  - id: kz.not-genetic
    kind: exemption
    side: export
    when: '"genetic" in classes'
    cite: [{instrument: pdl, article: "10"}]
    source: {status: memory, on: 2026-01-01, ref: m}
    in_force: {from: 2020-01-01}
    text: &T
  - id: kz.mask
    kind: duty
    side: export
    when: '"personal" in classes'
    obligations: [hide]
    cite: [{instrument: pdl, article: "11"}]
    source: &S
    in_force: {from: 2020-01-01, to: 2026-12-31}
    text: &T
  - id: kz.notice
    side: export
    when: '"personal" in classes && !(destination in list("friends"))'
    results:
      - {when: 'filing("kz.notice").state == "cleared"', outcome: allow_with_obligations}
      - {outcome: needs_approval, obligations: [tell]}
    cite: [{instrument: pdl, article: "12"}]
    source: {status: secondary, on: 2026-01-01, ref: firm}
    in_force: {from: 2020-01-01}
    text: &T
  - id: kz.home
    side: export
    when: '"personal" in classes && !at_home && !copied'
    results: [{outcome: deny}]
    cite: [{instrument: pdl, article: "13"}]
    source: &S
    in_force: {from: 2020-01-01}
    text: &T
`

// expand writes out the test fixtures' shorthands, which are no YAML: &T a
// text, &Q a question, &S a verified source.
func expand(s string) string {
	return strings.NewReplacer("&T", "{en: text, zh: 文, ru: текст}", "&Q", "{en: ask, zh: 问, ru: вопрос}",
		"&S", "{status: verified, on: 2026-01-01, ref: seen}").Replace(s)
}

// tree is a library's files around one pack.
func tree(pack string) fstest.MapFS {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(expand(s))} }
	return fstest.MapFS{"vocabulary.yaml": file(testVocabulary), "obligations.yaml": file(testObligations),
		"assumptions.yaml": file(testAssumptions), "calendars.json": file(testCalendars), "kz/pack.yaml": file(pack)}
}

func mustLoad(tb testing.TB, fsys fstest.MapFS) *Library {
	tb.Helper()
	l, err := Load(fsys)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func richLibrary(tb testing.TB) *Library {
	tb.Helper()
	return mustLoad(tb, tree(testHead+rich))
}

func date(tb testing.TB, s string) corridor.Date {
	tb.Helper()
	d, err := corridor.ParseDate(s)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// flow is an export from Kazakhstan to a listed state with facts in YAML.
func flow(tb testing.TB, facts string) corridor.Flow {
	tb.Helper()
	f, err := ParseFacts("facts", []byte("{"+facts+"}"))
	if err != nil {
		tb.Fatal(err)
	}
	return corridor.Flow{Date: date(tb, "2026-03-02"), Origin: "KZ", Destination: "CN", Facts: f, Assume: "usual"}
}

func export(tb testing.TB, l *Library, f corridor.Flow) corridor.Decision {
	tb.Helper()
	d, err := l.ownSide(f, corridor.Export, (*prepared).full)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// line tells a decision in one line: outcome, then what matched (? when it is
// only possible), then duties.
func line(d corridor.Decision) string {
	mark := func(s string, certain bool) string {
		if !certain {
			return s + "?"
		}
		return s
	}
	var rules, duties []string
	for _, m := range d.Matched {
		s := mark(m.Rule, m.Certain)
		if m.Kind == kindRule {
			s += "=" + m.Outcome.String()
		}
		if len(m.Lifts) > 0 {
			s += ">" + strings.Join(m.Lifts, "+")
		}
		rules = append(rules, s)
	}
	for _, o := range d.Duties {
		duties = append(duties, mark(o.ID, o.Certain))
	}
	return fmt.Sprintf("%s %s: %s", d.Outcome, rules, strings.Join(duties, " "))
}

// fault finds the first complaint and checks its kind.
func fault(tb testing.TB, err error) *corridor.Error {
	tb.Helper()
	var e *corridor.Error
	if !errors.As(err, &e) {
		tb.Fatalf("no corridor error: %v", err)
	}
	return e
}
