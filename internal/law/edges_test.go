package law

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"corridor"
)

// badFS fails to open or to read one name.
type badFS struct {
	fs.FS
	name string
	read bool
}

type badFile struct{ fs.File }

func (badFile) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }

func (b badFS) Open(name string) (fs.File, error) {
	if name != b.name {
		return b.FS.Open(name)
	}
	if !b.read {
		return nil, fs.ErrPermission
	}
	f, err := b.FS.Open(name)
	return badFile{f}, err
}

func TestUnreadableFilesAreReported(t *testing.T) {
	fsys := tree(testHead + rich)
	fsys["kz/cases.yaml"] = &fstest.MapFile{Data: []byte("[]")}
	for _, name := range []string{"vocabulary.yaml", "assumptions.yaml", "kz/pack.yaml", "kz/cases.yaml", "."} {
		if _, err := Load(badFS{fsys, name, false}); err == nil || !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Load(badFS{fsys, name, true}); name != "." && (err == nil || !strings.Contains(err.Error(), "the disk is gone")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	many := tree(testHead + rich)
	for i := range maxPacks {
		many[fmt.Sprintf("p%d/pack.yaml", i)] = &fstest.MapFile{Data: []byte("x")}
	}
	if _, err := Load(many); err == nil || !strings.Contains(err.Error(), "more than 300 rule packs") {
		t.Error(err)
	}
}

// with replaces a part of one shared file.
func with(t *testing.T, file, from, to string) fstest.MapFS {
	t.Helper()
	fsys := tree(testHead + rich)
	text := string(fsys[file].Data)
	if !strings.Contains(text, expand(from)) {
		t.Fatalf("no %q in %s", from, file)
	}
	fsys[file] = &fstest.MapFile{Data: []byte(strings.Replace(text, expand(from), expand(to), 1))}
	return fsys
}

func TestMoreThatIsRefused(t *testing.T) {
	var members, facts, axioms, tests strings.Builder
	for i := range 260 {
		fmt.Fprintf(&members, "m%d, ", i)
		fmt.Fprintf(&facts, "  - {name: x%d, type: bool, question: &Q}\n  - {name: y%d, type: bool, question: &Q}\n", i, i)
		fmt.Fprintf(&axioms, "  - {id: a%d, never: 'people == %d || people == %d || hours == %d', text: &T}\n", i, i+10, i+5000, i+1)
	}
	tests.WriteString("rules:\n")
	for i := range 300 {
		tests.WriteString(more(fmt.Sprintf("kz.t%d", i), "rule", fmt.Sprintf("people == %d || people == %d", i*2, i*2+1), "results: [{outcome: deny}]"))
	}
	second := tree(testHead + rich)
	second["ru/pack.yaml"] = &fstest.MapFile{Data: []byte(strings.NewReplacer("pack: kz", "pack: ru", "jurisdiction: KZ", "jurisdiction: RU").Replace(expand(testHead + rich)))}
	for name, c := range map[string]struct {
		fsys fstest.MapFS
		want string
	}{
		"a set with too many members":  {with(t, "vocabulary.yaml", "values: [personal,", "values: [personal, "+members.String()), "more than 250 values"},
		"too many facts":               {with(t, "vocabulary.yaml", "facts:\n", "facts:\n"+facts.String()), "more than 400 facts"},
		"axioms that draw many lines":  {with(t, "vocabulary.yaml", "axioms:\n", "axioms:\n"+axioms.String()), "over the limit of 512"},
		"axioms that draw some lines":  {with(t, "vocabulary.yaml", "axioms:\n", "axioms:\n"+axioms.String()[:strings.Index(axioms.String(), "  - {id: a60,")]), "more than 64 lines through"},
		"a pack with too many tests":   {tree(testHead + tests.String()), "602 different tests are over the limit of 512"},
		"records in two packs":         {second, `vehicle "kz.contract" does not carry its pack's name; call it ru.kz.contract`},
		"a profile with unknown facts": {with(t, "assumptions.yaml", "copied: true", "copid: true"), `assumptions.yaml:3:3: assumption profile usual: facts.copid: unknown fact "copid"; did you mean copied?`},
		"a profile that contradicts":   {with(t, "assumptions.yaml", "classes: []", "classes: [open, personal]"), "axiom open_excludes_personal"},
		"a long text":                  {tree(strings.Replace(testHead, `version: "1"`, `version: "`+strings.Repeat("x", maxText+1)+`"`, 1) + rich), "version is longer than 8000 bytes"},
		"an empty name":                {tree(testHead + oneRule(map[string]string{"id": `"` + strings.Repeat("x", maxName) + `.y"`})), "is not a name"},
		"a word for a number":          {tree(strings.Replace(testHead, "working_days: 5", "working_days: five", 1) + rich), `working_days must be a whole number, not "five"`},
		"a mapping for a number":       {tree(strings.Replace(testHead, "working_days: 5", "working_days: {a: b}", 1) + rich), "must be a whole number, not a mapping"},
		"nothing for a name":           {tree(strings.Replace(testHead, "jurisdiction: KZ", "jurisdiction:", 1) + rich), "must be text, not nothing"},
		"a word for yes":               {with(t, "vocabulary.yaml", "optional: true", "optional: yes"), "optional must be true or false"},
		"an enormous number":           {with(t, "assumptions.yaml", "people: 5", "people: 99999999999999999999"), "is not a whole number"},
		"an alias in a list":           {tree(strings.Replace(testHead, "codes: [CN]", "codes: [&a CN, *a]", 1) + rich), "an anchor (&a)"},
		"a fact of no known name":      {tree(testHead + oneRule(map[string]string{"when": `'nothing'`})), `unknown fact "nothing"`},
		"an unknown fact in a list":    {tree(testHead + oneRule(map[string]string{"when": `'nothing in ["a"]'`})), `unknown fact "nothing"`},
		"a bad word in a list":         {tree(testHead + oneRule(map[string]string{"when": `'purpose in ["hr", "work"]'`})), `"work" is not a value of purpose`},
		"a bad word in overlaps":       {tree(testHead + oneRule(map[string]string{"when": `'classes.overlaps("open")'`})), "must be a list of constants"},
		"a list without a name":        {tree(testHead + oneRule(map[string]string{"when": `'destination in list(purpose)'`})), "must be a text constant"},
		"a date without a text":        {tree(testHead + oneRule(map[string]string{"when": `'collected > date(5)'`})), "must be a text constant"},
		"a number for a word":          {tree(testHead + oneRule(map[string]string{"when": `'purpose == 5'`})), "must be a text constant"},
		"a product":                    {tree(testHead + oneRule(map[string]string{"when": `'copied && people * 2'`})), "the operator * is outside the fragment"},
		"a double-quoted condition":    {tree(testHead + oneRule(map[string]string{"when": "\"copied &&\\n peple > 3\""})), `unknown fact "peple"`},
		"an exemption misspelt":        {tree(testHead + strings.Replace(rich, "unless: [kz.contract-purpose]", "unless: [kz.contract-pupose]", 1)), "did you mean kz.contract-purpose?"},
		"too many errors":              {tree(testHead + "rules:\n" + strings.Repeat("  - {id: kz.x}\n", 40)), "more errors follow"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(c.fsys)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %.500v, want %q", err, c.want)
			}
		})
	}
	long := make([]string, 0, maxCases+1)
	for i := range maxCases + 1 {
		long = append(long, fmt.Sprintf("{id: c%d, side: export, facts: {}, expect: allow}", i))
	}
	if _, err := ParseCases("c", []byte("["+strings.Join(long, ",\n")+"]"), "KZ"); err == nil || !strings.Contains(err.Error(), "more than 5000 cases") {
		t.Error(err)
	}
}

func TestClosingAxiomsMayBeRich(t *testing.T) {
	fsys := with(t, "vocabulary.yaml", `'"health" in classes && !("personal" in classes)'`,
		`'!(copied == false) && (people >= 10 || !(purpose == "other") || "health" in classes && people > 2) && true && !false && !("personal" in classes)'`)
	l := mustLoad(t, fsys)
	for facts, personal := range map[string]bool{
		`people: 10`: true, `people: 9`: false, `people: 9, purpose: hr`: true, `people: 3, classes: [health]`: true, `people: 2, classes: [health]`: false,
		`people: 10, copied: false`: false, `people: {min: 9}`: false, `people: {min: 10}`: true, `people: {min: 3, max: 5}, classes: {has: [health]}`: true,
	} {
		d := export(t, l, flow(t, facts))
		got := slices.ContainsFunc(d.Matched, func(m corridor.Match) bool { return m.Rule == "kz.mask" && m.Certain })
		if got != personal {
			t.Errorf("%s: %s", facts, line(d))
		}
	}
}

func TestSilenceCanBeShaky(t *testing.T) {
	head := strings.Replace(testHead, `export: {outcome: allow, cite: [{instrument: pdl, article: "16"}], source: &S`, `export: {outcome: deny, cite: [{instrument: pdl, article: "16"}], source: {status: memory, on: 2026-01-01, ref: m}`, 1)
	l := mustLoad(t, tree(head+oneRule(map[string]string{"when": `'people > 5'`, "results": "[{outcome: allow}]"})))
	f := flow(t, `people: {max: 5}`)
	if d := export(t, l, f); d.Outcome != corridor.Deny || !d.Unverified {
		t.Errorf("%s %v", line(d), d.Unverified)
	}
	f.Facts["people"] = map[string]any{"min": 5}
	if d := export(t, l, f); d.Outcome != corridor.Undetermined || !d.Unverified {
		t.Errorf("%s %v", line(d), d.Unverified)
	}
}

func TestImportersAreAskedAboutTheirOwnRecords(t *testing.T) {
	rules := strings.Replace(oneRule(map[string]string{"when": `'filing("kz.notice").state == "none" && first_is_ours'`}), "export", "import", 1)
	fsys := tree(testHead + rules)
	fsys["vocabulary.yaml"].Data = []byte(strings.Replace(string(fsys["vocabulary.yaml"].Data), "facts:\n", "facts:\n  - {name: first_is_ours, type: bool, derived: first_store_is_destination}\n", 1))
	l := mustLoad(t, fsys)
	f := corridor.Flow{Date: date(t, "2026-03-02"), Origin: "CN", Destination: "KZ", Facts: corridor.Facts{}}
	d, err := l.DecideSide(f, corridor.Import)
	if err != nil || len(d.Questions) != 2 {
		t.Fatalf("%+v %v", d, err)
	}
	for _, q := range d.Questions {
		if q.Fact == "filings.kz.notice" && q.Asks != "importer" || q.Fact != "filings.kz.notice" && q.Fact != "first_store" {
			t.Errorf("%+v", q)
		}
	}
	f.Facts["first_store"] = "KZ"
	f.Facts["filings.kz.notice"] = "none"
	if d, _ = l.DecideSide(f, corridor.Import); d.Outcome != corridor.Deny {
		t.Error(line(d))
	}
	// A filing of another state's pack leaves this side's notes alone.
	f.Origin, f.Destination = "KZ", "CN"
	f.Facts["filings.kz.notice"] = "filed"
	if d, err = l.DecideSide(f, corridor.Export); err != nil || d.Notes != nil {
		t.Errorf("%+v %v", d, err)
	}
}

// TestOldLawTooLargeIsRefusedWhenAsked builds a pack whose newest law is
// small and whose older law is not.
func TestOldLawTooLargeIsRefusedWhenAsked(t *testing.T) {
	var vocabulary, rules strings.Builder
	vocabulary.WriteString("facts:\n  - {name: people, type: int, min: 0, max: 1000, question: &Q}\n")
	rules.WriteString("rules:\n")
	const n = 40
	for i := range n {
		fmt.Fprintf(&vocabulary, "  - {name: f%d, type: bool, question: &Q}\n", i)
		fmt.Fprintf(&rules, "  - {id: kz.p%d, side: export, when: 'f%d && !f%d && f%d || !f%d && f%d && !f%d', results: [{outcome: %s}], cite: [{instrument: pdl, article: a}], source: &S, in_force: {from: 2020-01-01, to: 2021-12-31}, text: &T}\n",
			i, i, (i*7+13)%n, (i*11+29)%n, i, (i*17+5)%n, (i*23+31)%n, []string{"deny", "needs_approval", "allow_with_obligations"}[i%3])
	}
	lines := make([]string, 70)
	for i := range lines {
		lines[i] = fmt.Sprintf("people == %d", i*2)
	}
	rules.WriteString("  - {id: kz.lines, side: export, when: '" + strings.Join(lines, " || ") + "', results: [{outcome: deny}], cite: [{instrument: pdl, article: a}], source: &S, in_force: {from: 2015-01-01, to: 2016-12-31}, text: &T}\n")
	head := strings.Replace(testHead, `classes.overlaps(["health", "genetic"])`, "f0", 1)
	fsys := tree(head + rules.String())
	fsys["vocabulary.yaml"] = &fstest.MapFile{Data: []byte(expand(vocabulary.String()))}
	delete(fsys, "assumptions.yaml")
	l := mustLoad(t, fsys)
	ask := func(day string, facts corridor.Facts) error {
		_, err := l.Decide(corridor.Flow{Date: date(t, day), Origin: "KZ", Destination: "CN", Facts: facts})
		return err
	}
	if err := ask("2026-01-01", nil); err != nil {
		t.Error(err)
	}
	if err := ask("2020-06-01", nil); err == nil || corridor.KindOf(err) != corridor.Limited {
		t.Errorf("%v", err)
	}
	if err := ask("2015-06-01", nil); err == nil || corridor.KindOf(err) != corridor.Limited {
		t.Errorf("%v", err)
	}
	all := corridor.Facts{}
	for i := range n {
		all[fmt.Sprintf("f%d", i)] = false
	}
	if err := ask("2020-06-01", all); err == nil {
		t.Error("near misses need the diagram")
	}
	p, err := l.Prepare(corridor.Flow{Date: date(t, "2020-06-01"), Origin: "KZ", Destination: "CN", Facts: all})
	if err != nil || p.Decide().Sides[0].Outcome != corridor.Allow {
		t.Errorf("known facts need none: %v", err)
	}
	_, findings := Lint(fsys)
	errs := 0
	for _, f := range findings {
		if f.Error {
			errs++
		}
	}
	if errs != 2 {
		t.Errorf("%+v", findings)
	}
}

func TestVisitedMarksSurviveTheirCounter(t *testing.T) {
	m := &marks{stamp: ^uint32(0) - 1, seen: make([]uint32, 8)}
	m.reset(4)
	m.seen[2] = m.stamp
	m.reset(4)
	if m.stamp != 1 || m.seen[2] != 0 {
		t.Errorf("%+v", m)
	}
	if o, _, _ := end(impossible).outcomes(); o != corridor.Deny {
		t.Error("no possible world is a deny")
	}
}
