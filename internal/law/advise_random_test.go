package law

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"corridor"
)

// The properties of advice, on small random laws of two states against every
// set of actions there is.

const testActionsHead = `
days_per_cost: 10
groups: {people: [personal, health, genetic], apart: [health, secret]}
actions:
`

// testActions are drawn from, so that laws meet few and many of them.
var testActions = []string{
	`- {id: drop_class, actor: exporter, days: 1, cost: 5, stage: drop, each: {members: classes, of: apart}, effects: [{fact: classes, remove: each}], text: &T}`,
	`- {id: drop_people, actor: exporter, days: 2, cost: 9, stage: drop, when: '"personal" in classes', effects: [{fact: classes, remove: people}], text: &T}`,
	`- {id: copy, actor: exporter, days: 3, cost: 4, effects: [{fact: copied, to: true}], text: &T}`,
	`- {id: home, actor: exporter, days: 60, cost: 7, effects: [{fact: first_store, to: origin}], text: &T}`,
	`- {id: shorten, actor: importer, days: 0, cost: 3, each: {line: hours, least: 1}, effects: [{fact: hours, at_most: line}], text: &T}`,
	`- {id: fewer, actor: exporter, days: 0, cost: 6, each: {line: people, least: 1}, effects: [{fact: people, at_most: line}], text: &T}`,
	`- {id: as_hr, actor: exporter, days: 0, cost: 2, effects: [{fact: purpose, from: [other], to: hr}], text: &T}`,
	`- {id: ladder, actor: exporter, days: 1, cost: 3, effects: [{fact: purpose, raise: hr}], text: &T}`,
	`- {id: vehicle, actor: both, days: 30, cost: 8, each: {record: vehicle, except: [filed]}, text: &T}`,
	`- {id: wait, actor: exporter, days: 0, cost: 2, each: {date: law}, text: &T}`,
}

// twoLaws is a world whose export law is one random pack and whose import law
// is another. The first export rule ends on 1 May.
func twoLaws(t *rapid.T, actions []string) fstest.MapFS {
	out, in := drawPack(t), drawPack(t)
	pack := strings.Replace(out.yaml(out.inOrder()), "in_force: {from: 2020-01-01}\n    text", "in_force: {from: 2020-01-01, to: 2026-04-30}\n    text", 1)
	other := strings.NewReplacer("pack: kz", "pack: cn", "jurisdiction: KZ", "jurisdiction: CN", "kz.", "cn.", "side: export", "side: import").Replace(in.yaml(in.inOrder()))
	fsys := tree(pack)
	fsys["cn/pack.yaml"] = &fstest.MapFile{Data: []byte(expand(other))}
	fsys["actions.yaml"] = &fstest.MapFile{Data: []byte(expand(testActionsHead + "  " + strings.Join(actions, "\n  ") + "\n"))}
	return fsys
}

// everySet decides each set of moves by the engine, as a flow of its own.
func everySet(t *rapid.T, l *Library, s *search) map[bitset256]bool {
	out := map[bitset256]bool{}
	for bits := range uint64(1) << len(s.list) {
		set := bitset256{bits}
		clash := false
		for i := range s.list {
			clash = clash || set.has(i) && s.excluded(set, i)
		}
		if clash {
			continue
		}
		day := s.ready(set)
		f := s.flow
		f.Facts, f.Date = s.facts(set, s.after(set, day)), day
		p, err := l.Prepare(f) // an error: facts that cannot all be true
		out[set] = err == nil && p.Outcome().Permits()
	}
	return out
}

func setOf(t *rapid.T, s *search, p Plan) bitset256 {
	var set bitset256
	for _, a := range p.Actions {
		i := slices.IndexFunc(s.list, func(m *move) bool { return m.id == a.ID })
		if i < 0 {
			t.Fatalf("the plan has an action %s that is not offered", a.ID)
		}
		set.add(i)
	}
	return set
}

// names lists the moves of a set, for messages.
func (s *search) names(set bitset256) string {
	var out []string
	for i, m := range s.list {
		if set.has(i) {
			out = append(out, m.id)
		}
	}
	return "{" + strings.Join(out, " ") + "}"
}

// every lists the sets that are lawful.
func (s *search) every(all map[bitset256]bool) string {
	var out []string
	for set, lawful := range all {
		if lawful {
			out = append(out, s.names(set))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func within(a, b bitset256) bool {
	for w := range a {
		if a[w]&^b[w] != 0 {
			return false
		}
	}
	return true
}

func TestAdviceIsLawfulMinimalCheapestAndComplete(t *testing.T) {
	advised, empty := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(3, 6).Draw(t, "actions")
		actions := rapid.Permutation(testActions).Draw(t, "which")[:n]
		if !slices.Contains(actions, testActions[len(testActions)-1]) {
			actions = append(actions, testActions[len(testActions)-1])
		}
		l, err := Load(twoLaws(t, actions))
		if err != nil {
			t.Fatal(err)
		}
		day, _ := corridor.ParseDate("2026-03-02")
		f := corridor.Flow{Date: day, Origin: "KZ", Destination: "CN", Facts: drawKnown(t).facts()}
		if rapid.Bool().Draw(t, "import contract known") {
			f.Facts["vehicles.cn.contract"] = "none"
		}
		advice, err := l.Advise(f, Limits{Plans: 100})
		if err != nil {
			if corridor.KindOf(err) == corridor.Invalid {
				t.Skip("facts that cannot all be true")
			}
			t.Fatal(err)
		}
		if advice.Verdict.Outcome.Permits() {
			return
		}
		s, err := l.search(f, Limits{}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		if len(s.list) > 10 {
			t.Skip("more sets than this test wants to try")
		}
		if !advice.Complete {
			t.Fatal("a search among ten actions gives up")
		}
		all := everySet(t, l, s)
		if len(advice.Plans) > 0 {
			advised++
		} else {
			empty++
		}
		checkPlans(t, l, s, advice, all)
	})
	if advised == 0 || empty == 0 {
		t.Errorf("%d flows got advice and %d got none: the test tries too little", advised, empty)
	}
}

func checkPlans(t *rapid.T, l *Library, s *search, advice Advice, all map[bitset256]bool) {
	kinds := map[string]bool{}
	for _, p := range advice.Plans {
		set := setOf(t, s, p)
		if v, err := l.Decide(p.Flow); err != nil || !v.Outcome.Permits() || !p.Verdict.Outcome.Permits() {
			t.Fatalf("plan %v decided anew: %v %v", p.Actions, v.Outcome, err)
		}
		for other, lawful := range all {
			if lawful && other != set && within(other, set) {
				t.Fatalf("a part %s of the plan %s is lawful", s.names(other), s.names(set))
			}
		}
		pinned(t, l, s, p, set)
		for i, m := range s.list {
			kinds[m.kind] = kinds[m.kind] || set.has(i)
		}
	}
	for set, lawful := range all {
		if !lawful || !s.earned(set) {
			continue
		}
		if len(advice.Plans) == 0 {
			t.Fatalf("no advice, but %s is lawful\n%v", s.names(set), s.every(all))
		}
		if c := s.cost(set); c < advice.Plans[0].Cost {
			t.Fatalf("%s costs %d, the cheapest plan %d", s.names(set), c, advice.Plans[0].Cost)
		}
		minimal := true
		for other, also := range all {
			minimal = minimal && !(also && other != set && within(other, set))
		}
		for i, m := range s.list {
			if minimal && set.has(i) && !kinds[m.kind] {
				t.Fatalf("a way by %s is left out", m.kind)
			}
		}
	}
}

// pinned checks that a plan changes nothing but what its actions name.
func pinned(t *rapid.T, l *Library, s *search, p Plan, set bitset256) {
	before, err := l.read(s.flow, s.own)
	if err != nil {
		t.Fatal(err)
	}
	after, err := l.read(p.Flow, s.own)
	if err != nil {
		t.Fatal(err)
	}
	for v := range l.vars {
		named := false
		for i, m := range s.list {
			named = named || set.has(i) && slices.Contains(m.vars, v)
		}
		a, b := before.vals[v], after.vals[v]
		a.weak, b.weak = false, false
		if !named && a != b {
			t.Fatalf("%s changes, and no action says so", l.vars[v].name)
		}
	}
}
