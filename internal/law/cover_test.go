package law

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"corridor"
)

// proposed runs the proposals for a pack as cases of it.
func proposed(t interface{ Fatalf(string, ...any) }, l *Library, given []CaseResult) ([]Case, []CaseResult) {
	var cases []Case
	for _, p := range l.Propose(given) {
		if len(p.Left) > 0 {
			t.Fatalf("no case was found for %v", p.Left)
		}
		cases = append(cases, p.Cases...)
	}
	results := l.RunCases(cases)
	for _, r := range results {
		if !r.Passed {
			t.Fatalf("%s: %s\n%s", r.Case.ID, r.Reason, YAML(cases, ""))
		}
	}
	return cases, results
}

func reached(c Coverage) int { return c.Rules.Covered + c.Results.Covered + c.Atoms.Covered }

// open counts what is missing.
func open(c Coverage) int { return len(c.Missing) }

func TestProposedCasesCloseTheGap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPack(t)
		l := loadRandom(t, p, p.inOrder())
		cases, results := proposed(t, l, nil)
		c := l.Cover(results)[0]
		if c.Percent != 100 || open(c) > 0 {
			t.Fatalf("%v are missing\n%s\n%s", c.Missing, YAML(cases, ""), p.yaml(p.inOrder()))
		}
		read, err := ParseCases("cases.yaml", AppendCases(nil, cases), "KZ")
		if err != nil {
			t.Fatal(err)
		}
		if again := l.Cover(l.RunCases(read))[0]; again.Percent != 100 || len(read) != len(cases) {
			t.Fatalf("written and read again, %v are missing", again.Missing)
		}
	})
}

func TestNoCasesCoverNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPack(t)
		c := loadRandom(t, p, p.inOrder()).Cover(nil)[0]
		if reached(c) != 0 || c.Percent != 0 || open(c) == 0 {
			t.Fatalf("%+v", c)
		}
	})
}

func TestEveryProposedCaseIsNeeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPack(t)
		l := loadRandom(t, p, p.inOrder())
		cases, results := proposed(t, l, nil)
		i := rapid.IntRange(0, len(cases)-1).Draw(t, "left out")
		c := l.Cover(slices.Delete(slices.Clone(results), i, i+1))[0]
		if c.Percent >= 100 || open(c) == 0 {
			t.Fatalf("without %s nothing is missing", cases[i].ID)
		}
		// One case may stand in pairs with several others, and the proposals are
		// greedy: more than one may take its place, but they close the gap.
		kept := slices.Delete(slices.Clone(results), i, i+1)
		_, again := proposed(t, l, kept)
		if c := l.Cover(append(kept, again...))[0]; c.Percent != 100 || open(c) > 0 {
			t.Fatalf("with what replaces %s, %v are missing", cases[i].ID, c.Missing)
		}
	})
}

// TestWhatIsImpossibleHasNoPair looks at every pair of worlds, by table, for
// those that the diagrams say are not there.
func TestWhatIsImpossibleHasNoPair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPack(t)
		l := loadRandom(t, p, p.inOrder())
		s := l.survey(l.packs[0], nil)
		s.judge()
		for _, g := range s.goals {
			if !g.impossible {
				continue
			}
			for _, at := range s.grounds(g.rule, g.side) {
				at.g.everyWorld(func(w *spot) {
					if s.shows(g, at.i, w) {
						t.Fatalf("%s %s %d %s: %v is a world\n%s", g.rule.id, g.what, g.part, s.gap(g).Test, w.class, p.yaml(p.inOrder()))
					}
				})
			}
		}
	})
}

// everyWorld calls visit with every possible combination of classes.
func (g *program) everyWorld(visit func(*spot)) {
	class := make([]uint8, len(g.part.levels))
	for {
		if g.possible(class) {
			w := &spot{g: g, class: slices.Clone(class)}
			g.run(w.class, &w.evaluation)
			visit(w)
		}
		l := 0
		for ; l < len(class); l++ {
			if class[l]++; int(class[l]) < g.part.levels[l].n {
				break
			}
			class[l] = 0
		}
		if l == len(class) {
			return
		}
	}
}

// shows says whether a world, or a pair of worlds, reaches a goal.
func (s *survey) shows(g *goal, i int, w *spot) bool {
	r := &w.g.rules[i]
	switch g.what {
	case goalApplies:
		return w.applied(i)
	case goalRests:
		return !w.applied(i)
	case goalResult:
		return w.applied(i) && w.g.pick(r, &w.evaluation) == g.part
	}
	l := w.g.part.at[g.atom]
	for c := range w.g.part.levels[l].n {
		other := &spot{g: w.g, class: slices.Clone(w.class)}
		other.class[l] = uint8(c)
		if !w.g.possible(other.class) {
			continue
		}
		w.g.run(other.class, &other.evaluation)
		if w.turns(other, use{i, g.part, g.atom}) {
			return true
		}
	}
	return false
}

// coverOf is the coverage of the small pack with some rules by some cases.
func coverOf(t *testing.T, rules, cases string) (Coverage, *Library, []CaseResult) {
	t.Helper()
	l, err := Load(withCases(tree(testHead+"rules:\n"+rules), cases))
	if err != nil {
		t.Fatal(err)
	}
	list, err := l.Cases()
	if err != nil {
		t.Fatal(err)
	}
	results := l.RunCases(list)
	for _, r := range results {
		if !r.Passed {
			t.Fatalf("%s: %s", r.Case.ID, r.Reason)
		}
	}
	return l.Cover(results)[0], l, results
}

func withCases(f fs.FS, cases string) fs.FS {
	m := f.(fstest.MapFS)
	m["kz/cases.yaml"] = &fstest.MapFile{Data: []byte("cases:\n" + cases)}
	return m
}

func simple(id, when, more string) string {
	return "  - {id: " + id + ", side: export, when: '" + when + "', results: [{outcome: deny}], cite: [{instrument: pdl, article: \"1\"}], source: &S, in_force: {from: 2020-01-01}, text: &T" + more + "}\n"
}

func at(id string, facts string, expect corridor.Outcome) string {
	return "  - {id: " + id + ", side: export, assume: usual, facts: {date: 2026-03-02, origin: KZ, destination: CN, " + facts + "}, expect: " + expect.String() + "}\n"
}

func tests(c Coverage) string {
	var out []string
	for _, g := range c.Missing {
		if g.What == goalTest {
			out = append(out, g.Test)
		}
	}
	return strings.Join(out, "; ")
}

func TestAPairMustDifferInOneFactAlone(t *testing.T) {
	rule := simple("kz.a", `copied && purpose == "hr"`, "")
	c, _, _ := coverOf(t, rule, at("a", "copied: true, purpose: hr", corridor.Deny)+at("b", "copied: false, purpose: other", corridor.Allow))
	if got := tests(c); got != `copied; purpose == "hr"` {
		t.Errorf("two facts changed at once cover something: missing %s", got)
	}
	c, _, _ = coverOf(t, rule, at("a", "copied: true, purpose: hr", corridor.Deny)+at("b", "copied: false, purpose: hr", corridor.Allow))
	if got := tests(c); got != `purpose == "hr"` {
		t.Errorf("missing %s", got)
	}
	c, _, _ = coverOf(t, rule, at("a", "copied: true, purpose: hr", corridor.Deny)+at("b", "copied: false, purpose: hr", corridor.Allow)+at("c", "copied: true, purpose: other", corridor.Allow))
	if c.Percent != 100 {
		t.Errorf("missing %v", c.Missing)
	}
}

func TestAPairMustStandOnTheLine(t *testing.T) {
	rule := simple("kz.a", "people >= 1000", "")
	c, _, _ := coverOf(t, rule, at("a", "people: 1000", corridor.Deny)+at("b", "people: 500", corridor.Allow))
	if got := tests(c); got != "people >= 1000" {
		t.Errorf("500 and 1000 say nothing of 999: missing %q", got)
	}
	c, _, _ = coverOf(t, rule, at("a", "people: 1000", corridor.Deny)+at("b", "people: 999", corridor.Allow))
	if c.Percent != 100 {
		t.Errorf("missing %v", c.Missing)
	}
}

func TestWhatNoPairCanShowSaysWhy(t *testing.T) {
	lift := "  - {id: kz.e, kind: exemption, side: export, when: copied, cite: [{instrument: pdl, article: \"2\"}], source: &S, in_force: {from: 2020-01-01}, text: &T}\n"
	for _, x := range []struct{ rules, test, reason string }{
		{simple("kz.a", `"health" in classes && "personal" in classes`, ""), `"personal" in classes`, "axiom health_is_personal"},
		{simple("kz.a", "people >= 10 || people >= 1000", ""), "people >= 1000", "other tests"},
		{lift + simple("kz.a", `copied || purpose == "hr"`, ", unless: [kz.e]"), "copied", "exemption kz.e"},
		{simple("kz.a", `destination == "KZ" || copied`, ""), `destination == "KZ"`, "states of the flow"},
		{simple("kz.a", "copied && !copied", ""), "copied", "can never apply"},
	} {
		c, _, _ := coverOf(t, x.rules, at("a", "copied: false", corridor.Allow))
		i := slices.IndexFunc(c.Impossible, func(g Gap) bool { return g.What == goalTest && g.Rule == "kz.a" && g.Test == x.test })
		if i < 0 {
			t.Errorf("%s is possible: %v", x.test, c.Impossible)
		} else if !strings.Contains(c.Impossible[i].Reason, x.reason) {
			t.Errorf("%s: %s, want %s", x.test, c.Impossible[i].Reason, x.reason)
		}
	}
}

func TestIdleTestsAreLinted(t *testing.T) {
	named := strings.Replace(testHead, "conditions:\n", "conditions:\n  both: {when: '\"health\" in classes && \"personal\" in classes'}\n  wide: {when: '\"personal\" in classes && people > 10'}\n", 1)
	for _, x := range []struct{ rules, want string }{
		{simple("kz.a", `"health" in classes && "personal" in classes`, ""), `a test of kz.a changes nothing: "personal" in classes`},
		{simple("kz.a", "people >= 10 || people >= 1000", ""), "a test of kz.a changes nothing: people >= 1000"},
		{simple("kz.a", `use("both")`, ""), `a test of condition both changes nothing: "personal" in classes`},
		{simple("kz.a", `use("wide") && "health" in classes`, "") + simple("kz.b", `use("wide")`, ""), ""},
		{simple("kz.a", `"health" in classes && copied`, ""), ""},
		{simple("kz.a", `destination in list("nobody")`, ""), ""},
	} {
		_, findings := Lint(tree(strings.Replace(named, "lists:\n", "lists:\n  nobody: {title: &T, editions: [{from: 2020-01-01, codes: [], source: &S}]}\n", 1) + "rules:\n" + x.rules))
		got := ""
		for _, f := range findings {
			if strings.Contains(f.Msg, "changes nothing") {
				got += f.Msg
			}
		}
		if got != x.want {
			t.Errorf("%s: %q, want %q", x.rules, got, x.want)
		}
	}
}

func TestACaseThatNobodyReviewedIsLinted(t *testing.T) {
	cases := strings.Replace(at("a", "copied: true", corridor.Deny), "expect:", "proposed: true, expect:", 1)
	_, findings := Lint(withCases(tree(testHead+"rules:\n"+simple("kz.a", "copied", "")), cases))
	if len(findings) != 1 || findings[0].Error || !strings.Contains(findings[0].Msg, "case a was proposed") || !strings.HasPrefix(findings[0].Where, "kz/cases.yaml:2") {
		t.Errorf("%+v", findings)
	}
}

func TestACaseCanSayWhatIsNotOwed(t *testing.T) {
	duty := "  - {id: kz.d, kind: duty, side: export, when: copied, obligations: [tell], cite: [{instrument: pdl, article: \"2\"}], source: &S, in_force: {from: 2020-01-01}, text: &T}\n"
	l := mustLoad(t, tree(testHead+"rules:\n"+duty))
	for _, x := range []struct{ copied, without, reason string }{
		{"false", "tell", ""},
		{"true", "keep_it", ""},
		{"true", "tell", "obligation tell is owed and should not be"},
		{"false", "tel", "unknown obligation tel"},
	} {
		text := strings.Replace(at("a", "copied: "+x.copied, corridor.Allow), "expect:", "without: ["+x.without+"], expect:", 1)
		cases, err := ParseCases("cases.yaml", []byte("cases:\n"+text), "KZ")
		if err != nil {
			t.Fatal(err)
		}
		if r := l.RunCase(cases[0]); r.Passed != (x.reason == "") || !strings.Contains(r.Reason, x.reason) {
			t.Errorf("copied %s without %s: %q, want %q", x.copied, x.without, r.Reason, x.reason)
		}
	}
	proposals, _ := proposed(t, l, nil)
	if text := string(YAML(proposals, "")); !strings.Contains(text, "without: [tell]") {
		t.Errorf("the proposals do not see the duty fall away:\n%s", text)
	}
}

func TestAFailedCaseCoversNothing(t *testing.T) {
	l, err := Load(tree(testHead + "rules:\n" + simple("kz.a", "copied", "")))
	if err != nil {
		t.Fatal(err)
	}
	cases, err := ParseCases("cases.yaml", []byte("cases:\n"+at("a", "copied: true", corridor.Allow)), "KZ")
	if err != nil {
		t.Fatal(err)
	}
	if c := l.Cover(l.RunCases(cases))[0]; reached(c) != 0 || c.Cases != 1 {
		t.Errorf("%+v", c)
	}
}

func TestProposalsReachPastLawAndFilings(t *testing.T) {
	rules := "  - {id: kz.old, side: both, when: 'people > 10', results: [{outcome: deny}], cite: [{instrument: old, article: \"1\"}], source: &S, in_force: {from: 2005-01-01, to: 2009-12-31}, text: &T}\n" +
		simple("kz.wait", `filing("kz.notice").state == "waiting" && destination in list("friends")`, "") +
		simple("kz.home", `!at_home && hours > 24`, "")
	_, l, results := coverOf(t, rules, at("a", "copied: true", corridor.Allow))
	cases, more := proposed(t, l, results)
	c := l.Cover(append(results, more...))[0]
	if c.Percent != 100 {
		t.Errorf("missing %v", c.Missing)
	}
	text := string(YAML(cases, ""))
	for _, want := range []string{"date: 2005-01-01", "people: 10", "people: 11", "side: import", "filed_on: 2026-03-02", "hours: 24", "hours: 25", "proposed: true"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

func TestCasesAreAppendedWithoutTouchingTheRest(t *testing.T) {
	c := []Case{{ID: "kz-c001", Side: corridor.Export, Flow: corridor.Flow{Origin: "KZ", Destination: "NO", Facts: corridor.Facts{"note": "it's: 1", "x": "true"}},
		Assume: DefaultProfile, Note: "a: b"}}
	for _, x := range []struct{ old, head string }{
		{"# mine\ncases:\n    # first\n    - {id: a, side: export}", "# mine\ncases:\n    # first\n    - {id: a, side: export}\n    - id: kz-c001\n      side: export\n"},
		{"- {id: a}\n", "- {id: a}\n- id: kz-c001\n"},
		{"# none yet\ncases: []\n", "# none yet\ncases:\n  - id: kz-c001\n"},
		{"", "cases:\n  - id: kz-c001\n"},
	} {
		if got := string(AppendCases([]byte(x.old), c)); !strings.HasPrefix(got, x.head) {
			t.Errorf("%q became %q", x.old, got)
		}
	}
	text := string(YAML(c, ""))
	for _, want := range []string{"destination: 'NO'", "note: 'it''s: 1'", "x: 'true'", "note: 'a: b'"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if got := AppendCases([]byte("x"), nil); string(got) != "x" {
		t.Errorf("nothing to add, and %q", got)
	}
}
