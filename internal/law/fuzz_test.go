package law

import (
	"strings"
	"testing"

	"corridor"
)

// FuzzLoad feeds any bytes as a pack: it must be refused or compiled, and a
// compiled pack must decide.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(expand(testHead + rich)))
	f.Add([]byte(expand(testHead + oneRule(nil))))
	f.Add([]byte("[[[["))
	f.Add([]byte("a: &x [*x]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys := tree("")
		fsys["kz/pack.yaml"].Data = data
		l, err := Load(fsys)
		if err != nil {
			if fault(t, err).Msg == "" {
				t.Fatalf("an error without a message: %#v", err)
			}
			return
		}
		for _, p := range l.Packs() {
			fl := corridor.Flow{Date: 739_163, Origin: p.Jurisdiction, Destination: "CN", Facts: corridor.Facts{"classes": []any{"health"}}}
			if p.Jurisdiction == "CN" {
				fl.Destination = "KZ"
			}
			v, err := l.Decide(fl)
			if p.Jurisdiction != "EU" && err == nil && v.Sides[0].Pack.ID != p.ID {
				t.Fatal("the pack did not decide")
			}
		}
	})
}

// FuzzCondition feeds any text as a condition: what is accepted evaluates the
// same in the table and in the diagram.
func FuzzCondition(f *testing.F) {
	for _, s := range []string{`copied`, `!(people >= 5 && hours == none) || purpose in ["hr"]`, `classes.within(["open"])`, `a.b(c)[0] ? {"x": 1} : [2]`,
		`use("sensitive") && destination in list("friends")`, `"personal" in classes != copied`, `-1 < people`, "`x`", `r"\x"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, cond string) {
		if strings.ContainsAny(cond, "\n\r") {
			return
		}
		l, err := Load(tree(testHead + oneRule(map[string]string{"when": "'" + strings.ReplaceAll(cond, "'", "''") + "'"})))
		if err != nil {
			return
		}
		g := l.packs[0].program(corridor.Export, 20_000)
		graph, err := g.diagrams()
		if err != nil {
			return
		}
		class := make([]uint8, len(g.part.levels))
		for step := range uint8(8) {
			for i := range class {
				class[i] = (step*7 + uint8(i)*3) % uint8(g.part.levels[i].n)
			}
			var e evaluation
			if got := int32(graph.follow(class)); got != impossible && corridor.Outcome(got) != g.evaluate(class, &e) {
				t.Fatalf("%q in %v: the diagram says %d", cond, class, got)
			}
		}
	})
}

// FuzzFacts feeds any bytes as facts.
func FuzzFacts(f *testing.F) {
	l := mustLoad(f, tree(testHead+rich))
	f.Add([]byte(`{classes: {has: [personal]}, people: {min: 5}, filings: {kz.notice: {state: filed, filed_on: 2026-03-02}}}`))
	f.Add([]byte(`{"mechanism": "standard_contract", "filing": {"kind": "kz_notice"}, "vehicles.kz.contract.state": {"one_of": ["none"]}}`))
	f.Add([]byte(`hours: null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		facts, err := ParseFacts("f", data)
		if err != nil {
			return
		}
		v, err := l.Decide(corridor.Flow{Date: 739_677, Origin: "KZ", Destination: "RU", Facts: facts})
		if err != nil {
			if fault(t, err).Kind == corridor.Internal {
				t.Fatal(err)
			}
			return
		}
		if v.Outcome.Permits() {
			t.Fatal("a missing pack allows")
		}
	})
}
