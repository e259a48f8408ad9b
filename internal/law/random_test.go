package law

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"corridor"
)

// These tests generate small packs and compare the engine with a slow
// evaluation of the same rules, world by world, straight from the definition.

// world is one complete set of facts.
type world struct {
	copied, home bool
	people       int // representative values
	hours        int // -1: none
	purpose      string
	classes      [4]bool // personal, health, open, secret
	contract     string
}

var (
	wPeople   = []int{0, 1, 5, 7, 10, 11, 1000} // one of each class that a drawn pack can tell apart
	wHours    = []int{-1, 0, 7, 24}
	wPurpose  = []string{"contract", "hr", "other"}
	wClasses  = []string{"personal", "health", "open", "secret"}
	wContract = []string{"none", "signed", "filed"}
)

func (w world) facts() corridor.Facts {
	var classes []any
	for i, c := range wClasses {
		if w.classes[i] {
			classes = append(classes, c)
		}
	}
	f := corridor.Facts{"copied": w.copied, "people": w.people, "hours": nil, "purpose": w.purpose, "vehicles": map[string]any{"kz.contract": w.contract},
		"classes": map[string]any{"has": classes, "lacks": w.missing()}, "first_store": "RU"}
	if w.home {
		f["first_store"] = "KZ"
	}
	if w.hours >= 0 {
		f["hours"] = w.hours
	}
	return f
}

func (w world) missing() []any {
	var out []any
	for i, c := range wClasses {
		if !w.classes[i] {
			out = append(out, c)
		}
	}
	return append(out, "genetic")
}

// possible is the axioms of the test vocabulary.
func (w world) possible() bool {
	personal, health, open := w.classes[0], w.classes[1], w.classes[2]
	return !(health && !personal) && !(open && personal) && !(personal && w.people == 0)
}

// worlds calls f with every world in which the facts of known hold.
func (k known0) worlds(f func(world)) {
	var w world
	for _, w.copied = range k.copied {
		for _, w.home = range k.home {
			for _, w.people = range k.people {
				for _, w.hours = range k.hours {
					for _, w.purpose = range k.purpose {
						for _, w.contract = range k.contract {
							for bits := range 16 {
								ok := true
								for i := range 4 {
									w.classes[i] = bits>>i&1 == 1
									ok = ok && slices.Contains(k.classes[i], w.classes[i])
								}
								if ok && w.possible() {
									f(w)
								}
							}
						}
					}
				}
			}
		}
	}
}

// known0 is what is known: the values that remain.
type known0 struct {
	copied, home      []bool
	people, hours     []int
	purpose, contract []string
	classes           [4][]bool
}

// facts writes it in the shapes of a flow.
func (k known0) facts() corridor.Facts {
	f := corridor.Facts{}
	if len(k.copied) == 1 {
		f["copied"] = k.copied[0]
	}
	if len(k.home) == 1 {
		f["first_store"] = map[bool]string{true: "KZ", false: "RU"}[k.home[0]]
	}
	if len(k.people) < len(wPeople) {
		f["people"] = map[string]any{"min": k.people[0], "max": k.people[len(k.people)-1]}
	}
	if len(k.hours) == 1 {
		f["hours"] = nil
		if k.hours[0] >= 0 {
			f["hours"] = k.hours[0]
		}
	}
	if len(k.purpose) < len(wPurpose) {
		f["purpose"] = map[string]any{"one_of": strs(k.purpose)}
	}
	if len(k.contract) < len(wContract) {
		f["vehicles.kz.contract"] = map[string]any{"state": map[string]any{"one_of": strs(k.contract)}}
	}
	has, lacks := []any{}, []any{"genetic"}
	for i, c := range k.classes {
		if len(c) == 1 && c[0] {
			has = append(has, wClasses[i])
		} else if len(c) == 1 {
			lacks = append(lacks, wClasses[i])
		}
	}
	f["classes"] = map[string]any{"has": has, "lacks": lacks}
	return f
}

func strs(in []string) []any {
	out := make([]any, len(in))
	for i, s := range in {
		out[i] = s
	}
	return out
}

func drawKnown(t *rapid.T) known0 {
	var k known0
	both := []bool{false, true}
	pick := func(name string) []bool {
		return rapid.SampledFrom([][]bool{both, both, {false}, {true}}).Draw(t, name)
	}
	k.copied, k.home = pick("copied"), pick("home")
	for i := range k.classes {
		k.classes[i] = pick("class")
	}
	lo := rapid.IntRange(0, len(wPeople)-1).Draw(t, "lo")
	hi := rapid.IntRange(lo, len(wPeople)-1).Draw(t, "hi")
	k.people = wPeople[lo : hi+1]
	k.hours = wHours
	if rapid.Bool().Draw(t, "hours known") {
		k.hours = []int{rapid.SampledFrom(wHours).Draw(t, "hours")}
	}
	k.purpose = rapid.SampledFrom([][]string{wPurpose, {"hr"}, {"contract", "other"}}).Draw(t, "purpose")
	k.contract = rapid.SampledFrom([][]string{wContract, {"none"}, {"signed", "filed"}}).Draw(t, "contract")
	return k
}

// cond0 is a condition as text and as a function.
type cond0 struct {
	text string
	eval func(w world) bool
}

func drawAtom(t *rapid.T) cond0 {
	switch rapid.IntRange(0, 9).Draw(t, "atom") {
	case 0:
		return cond0{"copied", func(w world) bool { return w.copied }}
	case 1:
		return cond0{"at_home", func(w world) bool { return w.home }}
	case 2:
		n := rapid.SampledFrom([]int{1, 5, 11, 1000}).Draw(t, "line")
		return cond0{fmt.Sprintf("people >= %d", n), func(w world) bool { return w.people >= n }}
	case 3:
		n := rapid.SampledFrom([]int{5, 10}).Draw(t, "value")
		return cond0{fmt.Sprintf("people != %d", n), func(w world) bool { return w.people != n }}
	case 4:
		return cond0{"hours == none", func(w world) bool { return w.hours < 0 }}
	case 5:
		return cond0{"hours < 24", func(w world) bool { return w.hours >= 0 && w.hours < 24 }}
	case 6:
		p := rapid.SampledFrom(wPurpose).Draw(t, "purpose")
		return cond0{fmt.Sprintf("purpose == %q", p), func(w world) bool { return w.purpose == p }}
	case 7:
		return cond0{`vehicle("kz.contract").state in ["signed", "filed"]`, func(w world) bool { return w.contract != "none" }}
	case 8:
		return cond0{`classes.overlaps(["health", "secret"])`, func(w world) bool { return w.classes[1] || w.classes[3] }}
	}
	i := rapid.IntRange(0, 3).Draw(t, "class")
	return cond0{fmt.Sprintf("%q in classes", wClasses[i]), func(w world) bool { return w.classes[i] }}
}

func drawCond(t *rapid.T, depth int) cond0 {
	if depth == 0 {
		return drawAtom(t)
	}
	a := drawCond(t, depth-1)
	switch rapid.IntRange(0, 3).Draw(t, "op") {
	case 0:
		return a
	case 1:
		return cond0{"!(" + a.text + ")", func(w world) bool { return !a.eval(w) }}
	case 2:
		b := drawCond(t, depth-1)
		return cond0{"(" + a.text + " && " + b.text + ")", func(w world) bool { return a.eval(w) && b.eval(w) }}
	}
	b := drawCond(t, depth-1)
	return cond0{"(" + a.text + " || " + b.text + ")", func(w world) bool { return a.eval(w) || b.eval(w) }}
}

// rule0 is a rule as the definition has it.
type rule0 struct {
	id, kind string
	when     cond0
	unless   []int
	results  []result0
	duties   []string
}

type result0 struct {
	when    *cond0
	outcome corridor.Outcome
	duty    string
}

type pack0 struct {
	rules  []rule0 // exemptions first
	silent corridor.Outcome
}

func drawPack(t *rapid.T) pack0 {
	p := pack0{silent: rapid.SampledFrom([]corridor.Outcome{corridor.Allow, corridor.Deny, corridor.NeedsApproval}).Draw(t, "silence")}
	duty := func() string { return rapid.SampledFrom([]string{"", "tell", "keep", "hide"}).Draw(t, "duty") }
	exemptions := rapid.IntRange(0, 3).Draw(t, "exemptions")
	n := exemptions + rapid.IntRange(1, 4).Draw(t, "rules")
	for i := range n {
		r := rule0{id: fmt.Sprintf("kz.r%d", i), kind: kindExemption, when: drawCond(t, 2)}
		for j := range min(i, exemptions) {
			if rapid.IntRange(0, 2).Draw(t, "lifted") == 0 {
				r.unless = append(r.unless, j)
			}
		}
		switch {
		case i < exemptions:
			if d := duty(); d != "" {
				r.duties = []string{d}
			}
		case rapid.IntRange(0, 4).Draw(t, "kind") == 0:
			r.kind, r.duties = kindDuty, []string{"hide"}
		default:
			r.kind = kindRule
			for range rapid.IntRange(0, 2).Draw(t, "results") {
				c := drawCond(t, 1)
				r.results = append(r.results, result0{&c, drawOutcome(t), duty()})
			}
			r.results = append(r.results, result0{nil, drawOutcome(t), duty()})
		}
		p.rules = append(p.rules, r)
	}
	return p
}

func drawOutcome(t *rapid.T) corridor.Outcome {
	return corridor.Outcome(rapid.IntRange(0, 3).Draw(t, "outcome"))
}

// yaml writes the pack; order says in which order its rules stand.
func (p pack0) yaml(order []int) string {
	var b strings.Builder
	head := strings.Replace(testHead, "export: {outcome: allow", "export: {outcome: "+p.silent.String(), 1)
	b.WriteString(head + "rules:\n")
	for _, i := range order {
		r := p.rules[i]
		fmt.Fprintf(&b, "  - id: %s\n    kind: %s\n    side: export\n    when: '%s'\n", r.id, r.kind, r.when.text)
		if len(r.unless) > 0 {
			b.WriteString("    unless: [")
			for _, j := range r.unless {
				b.WriteString(p.rules[j].id + ", ")
			}
			b.WriteString("]\n")
		}
		if len(r.duties) > 0 {
			b.WriteString("    obligations: [" + strings.Join(r.duties, ", ") + "]\n")
		}
		if r.kind == kindRule {
			b.WriteString("    results:\n")
		}
		for _, res := range r.results {
			b.WriteString("      - {outcome: " + res.outcome.String())
			if res.when != nil {
				b.WriteString(", when: '" + res.when.text + "'")
			}
			if res.duty != "" {
				b.WriteString(", obligations: [" + res.duty + "]")
			}
			b.WriteString("}\n")
		}
		b.WriteString("    cite: [{instrument: pdl, article: a}]\n    source: &S\n    in_force: {from: 2020-01-01}\n    text: &T\n")
	}
	return b.String()
}

func (p pack0) inOrder() []int {
	out := make([]int, len(p.rules))
	for i := range out {
		out[i] = i
	}
	return out
}

// verdict0 is the definition's answer for one world.
type verdict0 struct {
	outcome corridor.Outcome
	applies []bool
	duties  map[string]bool
}

func (p pack0) decide(w world) verdict0 {
	v := verdict0{corridor.Undetermined, make([]bool, len(p.rules)), map[string]bool{}}
	for i, r := range p.rules {
		v.applies[i] = r.when.eval(w)
		for _, j := range r.unless {
			v.applies[i] = v.applies[i] && !v.applies[j]
		}
		if !v.applies[i] {
			continue
		}
		for _, d := range r.duties {
			v.duties[d] = true
		}
		if r.kind == kindExemption && len(r.duties) > 0 {
			v.outcome = min(v.outcome, corridor.AllowWithObligations)
		}
		for _, res := range r.results {
			if res.when == nil || res.when.eval(w) {
				v.outcome = min(v.outcome, res.outcome)
				if res.duty != "" {
					v.duties[res.duty] = true
				}
				break
			}
		}
	}
	if v.outcome == corridor.Undetermined {
		v.outcome = p.silent
	}
	return v
}

func loadRandom(t *rapid.T, p pack0, order []int) *Library {
	l, err := Load(tree(p.yaml(order)))
	if err != nil {
		t.Fatalf("%v\n%s", err, p.yaml(order))
	}
	return l
}

func decideRandom(t *rapid.T, l *Library, f corridor.Facts) corridor.Decision {
	day, _ := corridor.ParseDate("2026-03-02")
	d, err := l.DecideSide(corridor.Flow{Date: day, Origin: "KZ", Destination: "CN", Facts: f}, corridor.Export)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestKnownFactsAgreeWithTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPack(t)
		l := loadRandom(t, p, p.inOrder())
		n := 0
		everything().worlds(func(w world) {
			if n++; n%37 != 0 {
				return
			}
			want, got := p.decide(w), decideRandom(t, l, w.facts())
			if got.Outcome != want.outcome {
				t.Fatalf("%+v: %s, want %s\n%s", w, line(got), want.outcome, p.yaml(p.inOrder()))
			}
			for _, o := range got.Duties {
				if !want.duties[o.ID] || !o.Certain {
					t.Fatalf("%+v: %s is not owed", w, o.ID)
				}
				delete(want.duties, o.ID)
			}
			if len(want.duties) > 0 {
				t.Fatalf("%+v: missing %v", w, want.duties)
			}
		})
	})
}

func everything() known0 {
	both := []bool{false, true}
	return known0{both, both, wPeople, wHours, wPurpose, wContract, [4][]bool{both, both, both, both}}
}

// summary is what all the worlds that are left have in common.
type summary struct {
	worlds      int
	best, worst corridor.Outcome
	applies     []int
	duties      map[string]int
}

func summarise(p pack0, k known0) summary {
	s := summary{best: corridor.Deny, worst: corridor.Allow, applies: make([]int, len(p.rules)), duties: map[string]int{}}
	k.worlds(func(w world) {
		v := p.decide(w)
		s.worlds++
		s.best, s.worst = max(s.best, v.outcome), min(s.worst, v.outcome)
		for i, yes := range v.applies {
			if yes {
				s.applies[i]++
			}
		}
		for d := range v.duties {
			s.duties[d]++
		}
	})
	return s
}

func TestPartialFactsAgreeWithTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, k := drawPack(t), drawKnown(t)
		l, want := loadRandom(t, p, p.inOrder()), summarise(p, k)
		if want.worlds == 0 {
			day, _ := corridor.ParseDate("2026-03-02")
			if _, err := l.Decide(corridor.Flow{Date: day, Origin: "KZ", Destination: "CN", Facts: k.facts()}); err == nil || !strings.Contains(err.Error(), "axiom") {
				t.Fatalf("impossible facts are accepted: %v %v", k.facts(), err)
			}
			return
		}
		got := decideRandom(t, l, k.facts())
		outcome := want.best
		if want.best != want.worst {
			outcome = corridor.Undetermined
		}
		if got.Outcome != outcome || got.Best != want.best || got.Worst != want.worst {
			t.Fatalf("%s (%s to %s), want %s (%s to %s)\n%v\n%s", got.Outcome, got.Best, got.Worst, outcome, want.best, want.worst, k.facts(), p.yaml(p.inOrder()))
		}
		if got.Outcome.Permits() && !want.worst.Permits() {
			t.Fatal("unknown facts allow")
		}
		checkRules(t, p, got, want)
		if (len(got.Questions) > 0) != (outcome == corridor.Undetermined) {
			t.Fatalf("%d questions for %s", len(got.Questions), outcome)
		}
		answerAll(t, l, k, p, got)
	})
}

func checkRules(t *rapid.T, p pack0, got corridor.Decision, want summary) {
	for i, r := range p.rules {
		var certain, possible bool
		for _, m := range got.Matched {
			if m.Rule == r.id {
				possible = true
				certain = certain || m.Certain
			}
		}
		if r.kind == kindExemption && len(r.duties) == 0 {
			continue // shown only where it lifts something
		}
		if possible != (want.applies[i] > 0) || certain && want.applies[i] != want.worlds {
			t.Fatalf("%s applies in %d of %d worlds: %s", r.id, want.applies[i], want.worlds, line(got))
		}
		if len(r.results) <= 1 && certain != (want.applies[i] == want.worlds) {
			t.Fatalf("%s applies in %d of %d worlds, certain is %v", r.id, want.applies[i], want.worlds, certain)
		}
	}
	for _, o := range got.Duties {
		if o.Certain != (want.duties[o.ID] == want.worlds) || want.duties[o.ID] == 0 {
			t.Fatalf("%s is owed in %d of %d worlds: %s", o.ID, want.duties[o.ID], want.worlds, line(got))
		}
	}
	if len(got.Duties) != len(want.duties) {
		t.Fatalf("duties %v: %s", want.duties, line(got))
	}
}

// answerAll checks the questions: answering all of them settles the outcome,
// and none is idle - for each there are two worlds that agree on all other
// questions, differ in it, and have different outcomes.
func answerAll(t *rapid.T, l *Library, k known0, p pack0, d corridor.Decision) {
	if d.Outcome != corridor.Undetermined {
		return
	}
	day, _ := corridor.ParseDate("2026-03-02")
	in, err := l.Prepare(corridor.Flow{Date: day, Origin: "KZ", Destination: "CN", Facts: k.facts()})
	if err != nil {
		t.Fatal(err)
	}
	part := in.sides[0].g.part
	outcomes := map[string]corridor.Outcome{}
	type seen struct {
		value   string
		outcome corridor.Outcome
	}
	without := make([]map[string]seen, len(d.Questions))
	idle := make([]bool, len(d.Questions))
	for i := range without {
		without[i], idle[i] = map[string]seen{}, true
	}
	k.worlds(func(w world) {
		full, err := l.Prepare(corridor.Flow{Date: day, Origin: "KZ", Destination: "CN", Facts: w.facts()})
		if err != nil {
			t.Fatal(err)
		}
		answers := make([]string, len(d.Questions))
		for i, q := range d.Questions {
			for at := range part.levels {
				v := l.vars[part.levels[at].v]
				if in.sides[0].factName(at, v) == q.Fact && v.member == q.Member {
					answers[i] = itoa(int(full.sides[0].class[at]))
				}
			}
		}
		o := p.decide(w).outcome
		all := strings.Join(answers, ",")
		if before, ok := outcomes[all]; ok && before != o {
			t.Fatalf("all answered and still open: %v", d.Questions)
		}
		outcomes[all] = o
		for i := range answers {
			rest := slices.Clone(answers)
			rest[i] = "-"
			key := strings.Join(rest, ",")
			if before, ok := without[i][key]; ok && before.value != answers[i] && before.outcome != o {
				idle[i] = false
			} else if !ok {
				without[i][key] = seen{answers[i], o}
			}
		}
	})
	for i, x := range idle {
		if x {
			t.Fatalf("question %s %s is idle\n%v\n%s", d.Questions[i].Fact, d.Questions[i].Member, k.facts(), p.yaml(p.inOrder()))
		}
	}
}

func TestTheOrderOfRulesIsIrrelevant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, k := drawPack(t), drawKnown(t)
		if summarise(p, k).worlds == 0 {
			return
		}
		order := rapid.Permutation(p.inOrder()).Draw(t, "order")
		a := decideRandom(t, loadRandom(t, p, p.inOrder()), k.facts())
		b := decideRandom(t, loadRandom(t, p, order), k.facts())
		if a.Outcome != b.Outcome || a.Best != b.Best || a.Worst != b.Worst || len(a.Matched) != len(b.Matched) || len(a.Duties) != len(b.Duties) {
			t.Fatalf("%s\n%s", line(a), line(b))
		}
	})
}

func TestAStricterRuleNeverLoosens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, k := drawPack(t), drawKnown(t)
		if summarise(p, k).worlds == 0 {
			return
		}
		before := decideRandom(t, loadRandom(t, p, p.inOrder()), k.facts())
		q := p
		q.rules = append(slices.Clone(p.rules), rule0{id: "kz.more", kind: kindRule, when: drawCond(t, 2), results: []result0{{nil, corridor.Deny, ""}}})
		after := decideRandom(t, loadRandom(t, q, q.inOrder()), k.facts())
		if after.Best > before.Best || after.Worst > before.Worst {
			t.Fatalf("%s to %s, then %s to %s", before.Best, before.Worst, after.Best, after.Worst)
		}
	})
}

func TestLintAgreesWithTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPack(t)
		_, findings := Lint(tree(p.yaml(p.inOrder())))
		s := summarise(p, everything())
		for i, r := range p.rules {
			never := slices.ContainsFunc(findings, func(f Finding) bool { return f.Rule == r.id && strings.HasSuffix(f.Msg, "can never apply") })
			if never != (s.applies[i] == 0) {
				t.Fatalf("%s applies in %d worlds, lint says never: %v\n%s", r.id, s.applies[i], never, p.yaml(p.inOrder()))
			}
		}
	})
}
