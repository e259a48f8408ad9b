package law

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// more is one more rule in flow style.
func more(id, kind, when, rest string) string {
	return "  - {id: " + id + ", kind: " + kind + ", side: export, when: '" + when + "', " + rest +
		", cite: [{instrument: pdl, article: a}], source: &S, in_force: {from: 2020-01-01}, text: &T}\n"
}

func TestLintFindsWhatLoadLetsPass(t *testing.T) {
	base := oneRule(nil)
	for name, c := range map[string]struct {
		rules, want string
		isError     bool
	}{
		"a rule that can never apply":     {base + more("kz.x", "rule", "copied && !copied", "results: [{outcome: deny}]"), "kz.x can never apply", false},
		"a rule that an axiom excludes":   {base + more("kz.x", "rule", `"open" in classes && "health" in classes`, "results: [{outcome: deny}]"), "kz.x can never apply", false},
		"a rule in a stricter one's lee":  {base + more("kz.x", "rule", "copied", "results: [{outcome: needs_approval}]"), "kz.x never shows: a stricter rule applies wherever it does", false},
		"a result behind another":         {oneRule(map[string]string{"results": "[{when: 'copied', outcome: deny}, {when: 'copied && people > 5', outcome: deny}, {outcome: allow}]"}), "a result of kz.r can never be reached", true},
		"an exemption that lifts nothing": {base + more("kz.x", "exemption", "copied", "unless: []"), "exemption kz.x lifts nothing", false},
		"an exemption that meets nothing": {oneRule(map[string]string{"when": "'copied'", "unless": "[kz.x]"}) + more("kz.x", "exemption", "!copied", "unless: []"), "exemption kz.x lifts nothing", false},
		"an exemption from ban and notice": {oneRule(map[string]string{"unless": "[kz.x]"}) + more("kz.y", "rule", "people > 5", "unless: [kz.x], results: [{outcome: needs_approval}]") +
			more("kz.x", "exemption", "copied", "unless: []"), "lifts the ban kz.r and also kz.y, which is no ban", false},
	} {
		t.Run(name, func(t *testing.T) {
			l, findings := Lint(tree(testHead + c.rules))
			if l == nil {
				t.Fatal(findings)
			}
			found := false
			for _, f := range findings {
				if strings.Contains(f.Msg, c.want) {
					found = true
					if f.Error != c.isError || !strings.HasPrefix(f.Where, "kz/pack.yaml:") || f.Rule == "" {
						t.Errorf("%+v", f)
					}
				}
			}
			if !found {
				t.Errorf("got %+v, want %q", findings, c.want)
			}
		})
	}
	if _, findings := Lint(tree(testHead + rich)); len(findings) != 0 {
		t.Errorf("the rich pack is sound: %+v", findings)
	}
}

func TestLintReportsLoadErrorsAndCases(t *testing.T) {
	l, findings := Lint(tree(testHead + oneRule(map[string]string{"when": `'peple > 3 || colected == 3'`})))
	if l != nil || len(findings) != 2 || !findings[0].Error || findings[0].Fix != "did you mean people?" || strings.Contains(findings[0].Msg, "kz/") {
		t.Errorf("%+v", findings)
	}
	fsys := tree(strings.Replace(testHead, "{from: 2026-01-01, codes", "{from: 2026-03-01, codes", 1) + rich)
	fsys["kz/cases.yaml"] = &fstest.MapFile{Data: []byte("- {id: a}\n- {id: b}\n")}
	l, findings = Lint(fsys)
	if l == nil || len(findings) != 7 || findings[0].Where != "kz/cases.yaml:1:3" || !strings.Contains(findings[6].Msg, "no edition between 2025-12-31 and 2026-03-01") {
		t.Errorf("%+v", findings)
	}
	if _, findings = Lint(fstest.MapFS{}); len(findings) != 1 {
		t.Errorf("%+v", findings)
	}
}

func TestCasesAreRun(t *testing.T) {
	fsys := tree(testHead + rich)
	fsys["kz/cases.yaml"] = &fstest.MapFile{Data: []byte(`
- {id: ok, side: export, facts: {date: 2026-03-02, origin: KZ, destination: CN, classes: [personal], people: 2000}, expect: needs_approval, obligations: [keep_it], assume: usual, note: n}
- {id: outcome, side: export, facts: {date: 2026-03-02, origin: KZ, destination: CN, classes: [personal], people: 2000}, expect: allow, assume: usual}
- {id: duty, side: export, facts: {date: 2026-03-02, origin: KZ, destination: CN, classes: [personal], people: 5}, expect: allow, obligations: [tell], assume: usual}
- {id: open, side: export, facts: {date: 2026-03-02, origin: KZ, destination: CN}, expect: allow, assume: none}
- {id: elsewhere, side: import, facts: {date: 2026-03-02, origin: KZ, destination: CN}, expect: allow, assume: usual}
- {id: bad, side: export, facts: {date: 2026-03-02, origin: KZ, destination: CN, peple: 3}, expect: allow, assume: usual}
- {id: inward, side: import, facts: {date: 2026-03-02, origin: CN, destination: KZ, mechanism: none, classes: []}, expect: allow, assume: usual}
- {id: nopack, jurisdiction: EU, direction: export, facts: {date: 2026-03-02, origin: DE, destination: KZ}, expect: allow, cite: c, confidence: high}
`)}
	l := mustLoad(t, fsys)
	cases, err := l.Cases()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"ok": "", "outcome": "expected allow, got needs_approval", "duty": "obligation tell is missing",
		"open": "expected allow, got undetermined (missing ", "elsewhere": "the import side of KZ to CN is not KZ", "bad": `did you mean people?`, "inward": "", "nopack": "no pack for EU"}
	for _, r := range l.RunCases(cases) {
		if w := want[r.Case.ID]; !strings.Contains(r.Reason, w) || r.Passed != (w == "") || r.NoPack != (r.Case.ID == "nopack") {
			t.Errorf("%s: %v %q", r.Case.ID, r.Passed, r.Reason)
		}
	}
	if l := richLibrary(t); l != nil {
		if cases, err := l.Cases(); err != nil || len(cases) != 0 {
			t.Errorf("%v %v", cases, err)
		}
	}
}

func TestCaseFilesAreStrict(t *testing.T) {
	one := `{id: a, jurisdiction: KZ, direction: export, facts: {date: 2026-03-02, origin: KZ, destination: CN}, expect: allow, obligations: []}`
	for text, want := range map[string]string{
		"[" + one + "]":                                                "",
		"cases: [" + one + "]":                                         "",
		"[" + one + ", " + one + "]":                                   `case "a" occurs twice`,
		strings.Replace("["+one+"]", "export", "outward", 1):           `direction cannot be "outward"`,
		strings.Replace("["+one+"]", "direction: export, ", "", 1):     "has no side",
		strings.Replace("["+one+"]", "expect: allow", "expect: ok", 1): "is not an outcome",
		strings.Replace("["+one+"]", "origin: KZ", "origin: kz", 1):    "did you mean KZ?",
		strings.Replace("["+one+"]", "2026-03-02", "2026-3-2", 1):      "must be a date",
		strings.Replace("["+one+"]", "id: a", "id: a, x: y", 1):        `unknown key "x"`,
		"other: 3": `unknown key "other"`,
		"3":        "must be a list",
		"":         "empty",
	} {
		cases, err := ParseCases("c.json", []byte(text), "")
		if want == "" && (err != nil || len(cases) != 1 || cases[0].Assume != DefaultProfile) {
			t.Errorf("%s: %v", text, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// TestHostilePacksAreRefused feeds packs that would need exponential time or
// memory; each must be answered with an error, soon.
func TestHostilePacksAreRefused(t *testing.T) {
	// Numbers compared bit by bit: the sum of products x1 y1 + x2 y2 + ...
	// under the worst order needs 2^n nodes.
	var vocabulary, pairs strings.Builder
	vocabulary.WriteString("facts:\n")
	const n = 40
	for i := range n {
		fmt.Fprintf(&vocabulary, "  - {name: f%d, type: bool, question: &Q}\n", i)
	}
	pairs.WriteString("rules:\n")
	for i := range n {
		// Every rule ties three facts far apart, so that no order helps.
		fmt.Fprintf(&pairs, "  - {id: kz.p%d, side: export, when: 'f%d == true && f%d == false && f%d == true || f%d == false && f%d == true && f%d == false', results: [{outcome: %s}], cite: [{instrument: pdl, article: a}], source: &S, in_force: {from: 2020-01-01}, text: &T}\n",
			i, i, (i*7+13)%n, (i*11+29)%n, i, (i*17+5)%n, (i*23+31)%n, []string{"deny", "needs_approval", "allow_with_obligations"}[i%3])
	}
	head := strings.Replace(testHead, `classes.overlaps(["health", "genetic"])`, "f0", 1)
	fsys := tree(head + pairs.String())
	fsys["vocabulary.yaml"] = &fstest.MapFile{Data: []byte(expand(vocabulary.String()))}
	delete(fsys, "assumptions.yaml")
	start := time.Now()
	if _, err := Load(fsys); err == nil || !strings.Contains(err.Error(), "diagram nodes") {
		t.Errorf("%v", err)
	}
	t.Logf("refused in %s", time.Since(start))

	lines := make([]string, 0, 80)
	for i := range 80 {
		lines = append(lines, fmt.Sprintf("people == %d", i*3))
	}
	if _, err := Load(tree(testHead + oneRule(map[string]string{"when": "'" + strings.Join(lines, " || ") + "'"}))); err == nil || !strings.Contains(err.Error(), "more than 64 lines through people") {
		t.Errorf("too many lines: %v", err)
	}
	var rules strings.Builder
	rules.WriteString("rules:\n")
	for i := range maxRules + 2 {
		rules.WriteString(more(fmt.Sprintf("kz.r%d", i), "rule", fmt.Sprintf("people > %d && hours < %d", i+1, i+1), "results: [{outcome: deny}]"))
	}
	if _, err := Load(tree(testHead + rules.String())); err == nil || !strings.Contains(err.Error(), "more than 400 rules") {
		t.Errorf("too many rules: %v", err)
	}
	var duties, declared strings.Builder
	declared.WriteString("obligations:\n")
	for i := range maxDuties + 1 {
		fmt.Fprintf(&declared, "  - {id: d%d, owner: both, when: after, evidence: &T, text: &T}\n", i)
		fmt.Fprintf(&duties, "d%d, ", i)
	}
	fsys = tree(testHead + oneRule(map[string]string{"results": "[{outcome: deny, obligations: [" + duties.String() + "]}]"}))
	fsys["obligations.yaml"] = &fstest.MapFile{Data: []byte(expand(declared.String()))}
	if _, err := Load(fsys); err == nil || !strings.Contains(err.Error(), "more than 256 different obligations") {
		t.Errorf("too many duties: %v", err)
	}
	big := strings.Replace(testHead, "silence:", doubling(9)+"silence:", 1) + "rules:\n"
	for i := range 150 {
		big += more(fmt.Sprintf("kz.r%d", i), "rule", `use("c9")`, "results: [{outcome: deny}]")
	}
	if _, err := Load(tree(big)); err == nil || !strings.Contains(err.Error(), "over the limit of 200000") {
		t.Errorf("too much written out: %.300v", err)
	}
	many := make([]string, 0, 120)
	for i := range 120 {
		many = append(many, fmt.Sprintf(`classes.within(["personal"]) && people == %d`, i))
	}
	if _, err := Load(tree(testHead + oneRule(map[string]string{"when": "'" + strings.Join(many[:60], " || ") + "'"}))); err != nil {
		t.Errorf("a large pack within the limits: %v", err)
	}
}
