package law

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"corridor"
)

// TestSparedAxiomsBindNothing holds the programs of the shipped packs against
// the same law with every connected axiom: whatever is known, each outcome and
// each rule can come out in the same ways.
func TestSparedAxiomsBindNothing(t *testing.T) {
	l := shipped(t)
	whole := map[*program]*program{}
	spared := 0
	rapid.Check(t, func(t *rapid.T) {
		p := draws(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "n") })
		in, err := l.read(anyFlow(l, p), nil)
		if err != nil {
			return
		}
		for _, side := range sides {
			p := l.byJurisdiction[whose(in.flow, side)]
			if p == nil {
				continue
			}
			g := p.program(side, in.flow.Date)
			if whole[g] == nil {
				whole[g] = l.compileWith(p, side, in.flow.Date, l.axioms.all)
				spared += len(g.spare)
			}
			same(t, g, whole[g], in.vals)
		}
	})
	if spared == 0 {
		t.Error("no axiom was spared: nothing was compared")
	}
}

func same(t *rapid.T, g, whole *program, vals []values) {
	a, err := g.diagrams()
	if err != nil {
		t.Fatal(err)
	}
	b, err := whole.diagrams()
	if err != nil {
		t.Fatal(err)
	}
	m := &marks{}
	x, y := g.part.masks(vals), whole.part.masks(vals)
	reach := func(rootA, rootB int32) {
		if got, want := a.d.reach(rootA, x, m).real(), b.d.reach(rootB, y, m).real(); got != want {
			t.Fatalf("%s %s: %b, with every axiom %b", g.pack.id, g.side, got, want)
		}
	}
	reach(a.outcome, b.outcome)
	for i := range g.rules {
		reach(a.rules[i].applies, b.rules[i].applies)
	}
}

// TestSparedAxiomsStillSpeak looks at the law of Saudi Arabia, no rule of
// which asks whether data comes from a register of the population.
func TestSparedAxiomsStillSpeak(t *testing.T) {
	l := shipped(t)
	const spared = "civil_registry_is_personal"
	g := l.byJurisdiction["SA"].program(corridor.Export, date(t, "2026-11-24"))
	if !slices.ContainsFunc(g.spare, func(a int) bool { return l.axioms.list[a].id == spared }) {
		t.Fatalf("%s is not spared: nothing is tested", spared)
	}
	_, err := l.Decide(crossing(t, "SA", "CN", `data_classes: {has: [civil_registry], lacks: [personal]}`))
	if err == nil || !strings.Contains(err.Error(), spared) {
		t.Errorf("facts that contradict it are taken: %v", err)
	}
	told := 0
	for _, state := range l.States() {
		if l.Country(state) != nil { // a union
			continue
		}
		lost := func(classes string) bool {
			d := export(t, l, crossing(t, state, "TM", `data_classes: [`+classes+`], purpose: marketing`))
			return slices.ContainsFunc(d.NearMisses, func(n corridor.NearMiss) bool { return n.Value == "-personal" })
		}
		if lost("personal") {
			told++
		}
		if lost("personal, civil_registry") {
			t.Errorf("%s: a near miss that the axiom forbids", state)
		}
	}
	if told == 0 {
		t.Error("nowhere would anything change without personal data: nothing is tested")
	}
	got := ways(advise(t, l, crossing(t, "SA", "CN", `data_classes: [civil_registry], purpose: marketing`), Limits{Plans: 20}))
	if !slices.ContainsFunc(got, func(s string) bool {
		return strings.Contains(s, "drop_people") && strings.Contains(s, "drop_class:civil_registry")
	}) {
		t.Errorf("people are only out of the data together with the register: %q", got)
	}
}

func TestAnAxiomIsKeptIfAnActionBringsAboutWhatItInfersFrom(t *testing.T) {
	for effect, spared := range map[string]bool{
		"{fact: people, to: 0}":              true,
		"{fact: people, to: 7}":              false,
		"{fact: people, at_most: line}":      false,
		"{fact: copied, to: true}":           true,
		"{fact: classes, remove: everybody}": true,
	} {
		fsys := with(t, "vocabulary.yaml", "axioms:\n", "axioms:\n  - {id: many_are_secret, never: 'people >= 7 && !(\"secret\" in classes)', close: true, text: &T}\n")
		fsys["actions.yaml"] = &fstest.MapFile{Data: []byte(expand("days_per_cost: 10\ngroups: {everybody: [personal]}\nactions:\n  - {id: a, actor: exporter, days: 1, cost: 1, each: {line: people}, effects: [" + effect + "], text: &T}\n"))}
		l := mustLoad(t, fsys)
		a := l.axioms.list[0]
		if (a.from >= 0) != spared {
			t.Errorf("an action with the effect %s: the axiom %s can be spared: %v", effect, a.id, a.from >= 0)
		}
	}
}
