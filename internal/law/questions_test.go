package law

import (
	"testing"

	"pgregory.net/rapid"
)

// openSide is one side of a random flow about the shipped packs that leaves
// something open, ready to be explained.
func openSide(t *rapid.T, l *Library) *explanation {
	p := draws(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "n") })
	f := anyFlow(l, p)
	f.Assume = ""
	ready, err := l.Prepare(f)
	if err != nil {
		t.Skip("refused")
	}
	side := &ready.sides[p(ready.n)]
	if side.graph == nil {
		t.Skip("nothing is open")
	}
	return &explanation{prepared: side, desk: &desk{}}
}

// TestWhatIsLeftIsCountedByWalking holds the counts by sight against a walk
// for every answer to every question.
func TestWhatIsLeftIsCountedByWalking(t *testing.T) {
	l := shipped(t)
	rapid.Check(t, func(t *rapid.T) {
		x := openSide(t, l)
		root := x.essence()
		d := x.merger.diagram
		x.sights.look(d, root, &x.walked)
		for level := range x.sights.at {
			if len(x.sights.at[level]) == 0 {
				continue
			}
			for c := range d.arity[level] {
				n, real := x.sights.left(level, c)
				if want, some := d.walkLeft(root, level, c); n != want || real != some {
					t.Fatalf("level %d class %d: %d nodes, possible %v; by walking %d, %v", level, c, n, real, want, some)
				}
			}
		}
	})
}

// walkLeft counts the nodes that remain when the fact at level is in a class,
// and says whether any possible world remains.
func (d *diagram) walkLeft(root int32, level, class int) (n int, real bool) {
	seen := map[int32]bool{}
	var walk func(k int32)
	walk = func(k int32) {
		for k >= terminals && d.level[k] == int32(level) {
			k = d.kids(k)[class]
		}
		switch {
		case k < terminals:
			real = real || k != impossible
		case !seen[k]:
			seen[k] = true
			for _, kid := range d.kids(k) {
				walk(kid)
			}
		}
	}
	walk(root)
	return len(seen), real
}

// TestWhatIsRememberedIsReached holds what is found under many roots at once
// against a walk of its own from each.
func TestWhatIsRememberedIsReached(t *testing.T) {
	l := shipped(t)
	rapid.Check(t, func(t *rapid.T) {
		x := openSide(t, l)
		x.reached.reset(len(x.graph.d.level))
		m := &marks{}
		for i := range x.graph.rules {
			r := &x.graph.rules[i]
			for _, root := range append([]int32{x.graph.outcome, r.applies}, r.results...) {
				if got, want := x.reach(root), x.graph.d.reach(root, x.masks, m).real(); got != want {
					t.Fatalf("%s: %b, by walking %b", x.g.rules[i].id, got, want)
				}
			}
		}
	})
}
