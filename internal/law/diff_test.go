package law

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"corridor"
)

// holds says whether a cube speaks of a world.
func (w world) holds(t *rapid.T, cube []FactSet) bool {
	return !slices.ContainsFunc(cube, func(f FactSet) bool { return !w.fits(t, f) })
}

func (w world) fits(t *rapid.T, f FactSet) bool {
	value := ""
	switch f.Fact {
	case "copied":
		value = strconv.FormatBool(w.copied)
	case "at_home":
		value = strconv.FormatBool(w.home)
	case "purpose":
		value = w.purpose
	case "vehicles.kz.contract":
		value = w.contract
	case "classes":
		i := slices.Index(wClasses, f.Member)
		value = strconv.FormatBool(i >= 0 && w.classes[i])
	case "people":
		return slices.ContainsFunc(f.In, func(s string) bool { return spanHolds(t, s, w.people) })
	case "hours":
		if w.hours < 0 {
			return slices.Contains(f.In, "none")
		}
		return slices.ContainsFunc(f.In, func(s string) bool { return s != "none" && spanHolds(t, s, w.hours) })
	case "first_store":
		value = map[bool]string{true: "KZ", false: "RU"}[w.home]
	default:
		t.Fatalf("a cube names the fact %q, which no rule tests", f.Fact)
	}
	if f.NotIn != nil {
		return !slices.Contains(f.NotIn, value)
	}
	return slices.Contains(f.In, value)
}

// follow walks a diagram that was written out.
func (w world) follow(t *rapid.T, d *DecisionDiagram) bool {
	at := d.Start
	for at >= 0 {
		next := slices.IndexFunc(d.Nodes[at].Branches, func(b Branch) bool { return w.fits(t, b.FactSet) })
		if next < 0 {
			t.Fatalf("no branch of %+v fits %+v", d.Nodes[at], w)
		}
		at = d.Nodes[at].Branches[next].To
	}
	return at == Yes
}

func spanHolds(t *rapid.T, s string, n int) bool {
	lo, hi, isSpan := strings.Cut(s, "..")
	number := func(s string, otherwise int) int {
		if s == "" {
			return otherwise
		}
		v, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("span %q: %v", s, err)
		}
		return v
	}
	if !isSpan {
		return number(lo, 0) == n
	}
	return number(lo, 0) <= n && n <= number(hi, 1<<40)
}

// edit makes another edition of a pack: the same rules, some of them changed.
func (p pack0) edit(t *rapid.T) pack0 {
	q := pack0{rules: slices.Clone(p.rules), silent: p.silent}
	for range rapid.IntRange(1, 3).Draw(t, "edits") {
		i := rapid.IntRange(0, len(q.rules)-1).Draw(t, "rule")
		r := q.rules[i]
		switch rapid.IntRange(0, 3).Draw(t, "edit") {
		case 0:
			r.when = drawCond(t, 2)
		case 1:
			r.unless = nil
		case 2:
			if r.kind == kindRule {
				r.results = []result0{{nil, drawOutcome(t), rapid.SampledFrom([]string{"", "tell", "keep"}).Draw(t, "duty")}}
			}
		case 3:
			q.silent = drawOutcome(t)
		}
		q.rules[i] = r
	}
	return q
}

// difference is how two editions differ in one world, straight from the
// definition: the outcomes and the duties.
type difference struct {
	before, after  corridor.Outcome
	added, removed []string
}

func want(p, q pack0, w world) difference {
	a, b := p.decide(w), q.decide(w)
	d := difference{before: a.outcome, after: b.outcome}
	for _, id := range []string{"hide", "keep", "tell"} {
		if b.duties[id] && !a.duties[id] {
			d.added = append(d.added, id)
		}
		if a.duties[id] && !b.duties[id] {
			d.removed = append(d.removed, id)
		}
	}
	return d
}

func TestTheCoverIsExactlyWhereEditionsDiffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPack(t)
		q := p.edit(t)
		if rapid.IntRange(0, 3).Draw(t, "other") == 0 {
			q = drawPack(t)
		}
		checkEditions(t, p, q)
	})
}

// TestARegionIsTrueWhereTheRuleIsLifted: a rule that changed stands beside
// exemptions of which one lifts the other, so that where they apply silence
// is all that is left.
func TestARegionIsTrueWhereTheRuleIsLifted(t *testing.T) {
	copied := cond0{"copied", func(w world) bool { return w.copied }}
	twice := cond0{"!(!(copied))", copied.eval}
	some := cond0{"people >= 1", func(w world) bool { return w.people >= 1 }}
	nobody := cond0{"!(people >= 1)", func(w world) bool { return w.people < 1 }}
	home := cond0{"at_home", func(w world) bool { return w.home }}
	not := cond0{"!((copied && people >= 1))", func(w world) bool { return !(w.copied && w.people >= 1) }}
	p := pack0{silent: corridor.NeedsApproval, rules: []rule0{
		{id: "kz.r0", kind: kindExemption, when: copied},
		{id: "kz.r1", kind: kindExemption, when: twice, unless: []int{0}},
		{id: "kz.r2", kind: kindRule, when: some, unless: []int{0, 1}, results: []result0{{nil, corridor.Deny, ""}}},
		{id: "kz.r3", kind: kindDuty, when: copied, unless: []int{0, 1}, duties: []string{"hide"}},
		{id: "kz.r4", kind: kindRule, when: not, unless: []int{0, 1}, results: []result0{{&nobody, corridor.Deny, ""}, {&home, corridor.Deny, ""}, {nil, corridor.NeedsApproval, ""}}},
	}}
	rapid.Check(t, func(t *rapid.T) {
		q := p.edit(t)
		q.rules[2].results = []result0{{nil, corridor.AllowWithObligations, ""}}
		checkEditions(t, p, q)
	})
}

// checkEditions compares two editions and holds what is said against worlds.
func checkEditions(t *rapid.T, p, q pack0) {
	day, err := corridor.ParseDate("2026-03-02")
	if err != nil {
		t.Fatal(err)
	}
	a, b := loadRandom(t, p, p.inOrder()), loadRandom(t, q, q.inOrder())
	o := DiffOptions{Date: day, Side: corridor.Export, Cubes: rapid.SampledFrom([]int{0, 1}).Draw(t, "cubes")}
	d, err := Compare(a, b, o)
	if err != nil {
		t.Fatal(err)
	}
	var cover []Difference
	var regions []Region
	for _, pd := range d.Packs {
		for _, s := range pd.Spans {
			cover, regions = s.Cover, s.Regions
			if len(s.Cut) > 0 && !(o.Cubes > 0 && slices.Equal(s.Cut, []string{CutCubes})) {
				t.Fatal(s.Cut)
			}
		}
	}
	n := 0
	everything().worlds(func(w world) {
		if n++; n%11 == 0 {
			checkWorld(t, p, q, w, cover, regions)
		}
	})
}

func checkWorld(t *rapid.T, p, q pack0, w world, cover []Difference, regions []Region) {
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("%+v: %s\n%s\n%s", w, fmt.Sprintf(format, args...), p.yaml(p.inOrder()), q.yaml(q.inOrder()))
	}
	expect := want(p, q, w)
	got := difference{before: expect.before, after: expect.before}
	outcomes := 0
	for _, c := range cover {
		n := 0
		for _, cube := range c.Cubes {
			if w.holds(t, cube) {
				n++
			}
		}
		if c.Diagram != nil && n == 0 && w.follow(t, c.Diagram) {
			n = 1
		}
		if n > 1 {
			fail("it stands in %d cubes of one difference", n)
		}
		if n == 0 {
			continue
		}
		if c.Before != "" {
			outcomes++
			got.before, _ = corridor.ParseOutcome(c.Before)
			got.after, _ = corridor.ParseOutcome(c.After)
		}
		got.added, got.removed = append(got.added, c.Added...), append(got.removed, c.Removed...)
	}
	slices.Sort(got.added)
	slices.Sort(got.removed)
	if outcomes > 1 || got.before != expect.before || got.after != expect.after || !slices.Equal(got.added, expect.added) || !slices.Equal(got.removed, expect.removed) {
		fail("the cover says %+v, want %+v", got, expect)
	}
	checkWords(t, p, q, w, expect, regions, fail)
}

// checkWords holds the regions against one world: what they say of it is
// true, and they tell all that differs.
func checkWords(t *rapid.T, p, q pack0, w world, expect difference, regions []Region, fail func(string, ...any)) {
	told := difference{before: expect.before, after: expect.before}
	for _, r := range regions {
		if !w.holds(t, r.Facts) {
			continue
		}
		for _, m := range r.Outcomes {
			if slices.Contains(m.Where, OtherFacts) {
				fail("the symbols do not suffice: %+v", r)
			}
			right := m.Before == expect.before.String() && m.After == expect.after.String()
			if right {
				told.after = expect.after
			} else if symbolsHold(p, q, w, r.Rules[0], m) {
				fail("%+v %+v is not true: %+v", r, m, expect)
			}
		}
		for _, d := range r.Duties {
			in, list := &told.removed, expect.removed
			if d.Added {
				in, list = &told.added, expect.added
			}
			if slices.Contains(list, d.ID) {
				if !slices.Contains(*in, d.ID) {
					*in = append(*in, d.ID)
				}
			} else if len(d.Where) == 0 || slices.Equal(d.Where, []string{NoExemption}) && free(p, q, w, r.Rules[0]) {
				fail("%v duty %+v is not true: %+v", r.Rules, d, expect)
			}
		}
	}
	slices.Sort(told.added)
	slices.Sort(told.removed)
	if told.after != expect.after || !slices.Equal(told.added, expect.added) || !slices.Equal(told.removed, expect.removed) {
		fail("the regions tell %+v, want %+v", told, expect)
	}
}

// contributed is the outcome that each rule contributes in a world.
func (p pack0) contributed(w world) map[string]corridor.Outcome {
	out := map[string]corridor.Outcome{}
	v := p.decide(w)
	for i, r := range p.rules {
		if !v.applies[i] {
			continue
		}
		if r.kind == kindExemption && len(r.duties) > 0 {
			out[r.id] = corridor.AllowWithObligations
		}
		for _, res := range r.results {
			if res.when == nil || res.when.eval(w) {
				out[r.id] = res.outcome
				break
			}
		}
	}
	return out
}

// free says that no exemption of a rule applies, in either edition.
func free(p, q pack0, w world, id string) bool {
	for _, e := range []pack0{p, q} {
		v := e.decide(w)
		for i, r := range e.rules {
			for _, j := range r.unless {
				if e.rules[i].id == id && v.applies[j] {
					return false
				}
			}
		}
	}
	return true
}

// symbolsHold reads the symbols of a move by their definition.
func symbolsHold(p, q pack0, w world, id string, m Move) bool {
	ends := [2]corridor.Outcome{}
	ends[0], _ = corridor.ParseOutcome(m.Before)
	ends[1], _ = corridor.ParseOutcome(m.After)
	for _, s := range m.Where {
		switch s {
		case NoExemption:
			if !free(p, q, w, id) {
				return false
			}
		case NoRule:
			if len(p.contributed(w))+len(q.contributed(w)) > 0 {
				return false
			}
		case OtherFacts:
			return false
		}
		for k, e := range []pack0{p, q} {
			all := e.contributed(w)
			_, yields := all[id]
			delete(all, id)
			others := corridor.Undetermined
			for _, o := range all {
				others = min(others, o)
			}
			if others == corridor.Undetermined && !yields {
				others = e.silent
			}
			if s == NothingStricter && others < ends[k] {
				return false
			}
			if (s == OthersBefore && k == 0 || s == OthersAfter && k == 1) && others != ends[k] {
				return false
			}
		}
	}
	return true
}

// other is tree with replacements in one of its files.
func other(tb testing.TB, file string, oldnew ...string) *Library {
	tb.Helper()
	files := tree(testHead + rich)
	text := string(files[file].Data)
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(text, expand(oldnew[i])) {
			tb.Fatalf("%s does not hold %q", file, oldnew[i])
		}
		text = strings.ReplaceAll(text, expand(oldnew[i]), expand(oldnew[i+1]))
	}
	files[file].Data = []byte(text)
	return mustLoad(tb, files)
}

func compared(tb testing.TB, b *Library, on string) Diff {
	tb.Helper()
	d, err := Compare(richLibrary(tb), b, DiffOptions{Date: date(tb, on)})
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func TestAWiderVocabularyAloneChangesNothing(t *testing.T) {
	d := compared(t, other(t, "vocabulary.yaml", "values: [contract, hr, other]", "values: [contract, hr, study, other]",
		"genetic, open, secret]", "genetic, neural, open, secret]", "max: 1000000", "max: 2000000"), "2026-03-02")
	if len(d.Packs) != 0 {
		t.Fatalf("%+v", d.Packs)
	}
	var said []string
	for _, c := range d.Shared {
		said = append(said, c.ID+" "+strings.Join(c.Aspects, "+"))
	}
	if strings.Join(said, ", ") != "people bounds, purpose values, classes values" {
		t.Error(said)
	}
}

func TestAFactThatOnlyOneEditionKnowsIsOpenToTheOther(t *testing.T) {
	files := tree(testHead + rich)
	files["vocabulary.yaml"].Data = []byte(strings.Replace(string(files["vocabulary.yaml"].Data), "genetic, open,", "genetic, neural, open,", 1))
	files["kz/pack.yaml"].Data = []byte(strings.Replace(string(files["kz/pack.yaml"].Data), `'"secret" in classes'`, `'classes.overlaps(["secret", "neural"])'`, 1))
	d := compared(t, mustLoad(t, files), "2026-03-02")
	if len(d.Packs) != 1 || len(d.Packs[0].Spans) != 2 {
		t.Fatalf("both sides change: %+v", d.Packs)
	}
	for _, s := range d.Packs[0].Spans {
		for _, c := range s.Cover {
			for _, cube := range c.Cubes {
				at := slices.IndexFunc(cube, func(f FactSet) bool { return f.Member == "neural" })
				if at < 0 || cube[at].In[0] != "true" {
					t.Errorf("%s: a flow without neural data changes: %+v", s.Side, cube)
				}
			}
		}
		if len(s.Cover) == 0 {
			t.Error("nothing is covered")
		}
	}
}

func TestAListsNewEditionChangesItsCountries(t *testing.T) {
	d := compared(t, other(t, "kz/pack.yaml", "{from: 2026-01-01, codes: [CN],", "{from: 2026-01-01, codes: [CN, UZ],"), "2026-03-02")
	if len(d.Packs) != 1 || len(d.Packs[0].Items) != 1 || len(d.Packs[0].Rules) != 0 {
		t.Fatalf("%+v", d.Packs)
	}
	if i := d.Packs[0].Items[0]; i.Kind != "list" || !slices.Equal(i.Aspects, []string{"countries"}) || !slices.Equal(i.Rules, []string{"kz.notice"}) {
		t.Errorf("%+v", i)
	}
	for _, s := range d.Packs[0].Spans {
		for _, r := range s.Regions {
			if len(r.Facts) != 3 && len(r.Facts) != 2 || !slices.ContainsFunc(r.Facts, func(f FactSet) bool { return f.Fact == "destination" && slices.Equal(f.In, []string{"UZ"}) }) {
				t.Errorf("%+v", r)
			}
		}
	}
	if len(compared(t, other(t, "kz/pack.yaml", "{from: 2026-01-01, codes: [CN],", "{from: 2026-01-01, codes: [CN, UZ],"), "2025-03-02").Packs[0].Spans) != 0 {
		t.Error("the edition before is as it was")
	}
}

func TestADutyUnderANewNameIsTheSameDuty(t *testing.T) {
	files := tree(testHead + rich)
	files["obligations.yaml"].Data = []byte(strings.Replace(string(files["obligations.yaml"].Data), "{id: tell,", "{id: inform, aliases: [tell],", 1))
	d := compared(t, mustLoad(t, files), "2026-03-02")
	for _, p := range d.Packs {
		if len(p.Spans) != 0 {
			t.Errorf("%+v", p.Spans)
		}
	}
}

func TestAPackThatIsNewOrGoneIsSaid(t *testing.T) {
	with, without := tree(testHead+rich), tree(testHead+rich)
	delete(without, "kz/pack.yaml")
	delete(with, "assumptions.yaml") // a profile there names a filing of the pack
	delete(without, "assumptions.yaml")
	a, b := mustLoad(t, with), mustLoad(t, without)
	for _, c := range []struct {
		a, b *Library
		how  string
	}{{a, b, Removed}, {b, a, Added}} {
		d, err := Compare(c.a, c.b, DiffOptions{})
		if err != nil || len(d.Packs) != 1 {
			t.Fatalf("%v %+v", err, d)
		}
		if p := d.Packs[0]; (p.Before == nil) != (c.how == Added) || (p.After == nil) != (c.how == Removed) || len(p.Rules) != 7 || p.Rules[0].How != c.how {
			t.Errorf("%s: %+v", c.how, p)
		}
	}
}
