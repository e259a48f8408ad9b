package law

import (
	"testing"

	"pgregory.net/rapid"

	"corridor"
	"corridor/packs"
)

// TestTableAndDiagramAgree compares both ways to an outcome on the packs that
// are shipped, on facts that are all known, in every epoch of each side.
func TestTableAndDiagramAgree(t *testing.T) {
	l, err := Load(packs.FS())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range l.packs {
		for s := range sides {
			for _, e := range p.sides[s] {
				g := e.cell()
				graph, err := g.diagrams()
				if err != nil {
					t.Fatal(err)
				}
				rapid.Check(t, func(t *rapid.T) {
					class := make([]uint8, len(g.part.levels))
					for i := range class {
						class[i] = rapid.Uint8Range(0, uint8(g.part.levels[i].n-1)).Draw(t, "class")
					}
					var e evaluation
					end := int32(graph.follow(class))
					if got := g.evaluate(class, &e); end != impossible && got != corridor.Outcome(end) {
						t.Fatalf("%s %s: table %s, diagram %s", p.id, g.side, got, corridor.Outcome(end))
					}
					var d corridor.Decision
					g.table(class, &d)
					if end != impossible && d.Outcome != corridor.Outcome(end) {
						t.Fatalf("%s %s: with reasons %s, diagram %s", p.id, g.side, d.Outcome, corridor.Outcome(end))
					}
				})
				if graph.size > 2000 { // the most that a pack may need
					t.Errorf("%s %s from %s needs %d nodes", p.id, g.side, g.from, graph.size)
				}
			}
		}
	}
}
