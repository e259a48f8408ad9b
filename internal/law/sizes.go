package law

import "corridor"

// Size is how large the diagrams of one side of a pack are.
type Size struct {
	Outcome int // nodes of the outcome
	All     int // with those of every rule, exemption and duty
}

// EachDiagram visits every side of every pack with a function that compiles
// the law of a day anew and builds its diagrams, so that the caller may take
// the time.
func (l *Library) EachDiagram(day corridor.Date, visit func(pack string, side corridor.Side, build func() (Size, error)) error) error {
	for _, p := range l.packs {
		for _, side := range p.own() {
			build := func() (Size, error) {
				g := l.compileProgram(p, side, day)
				graph, err := g.diagrams()
				if err != nil {
					return Size{}, err
				}
				return Size{graph.size, graph.d.size()}, nil
			}
			if err := visit(p.id, side, build); err != nil {
				return err
			}
		}
	}
	return nil
}
