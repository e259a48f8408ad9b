package engines

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"corridor"
	"corridor/internal/law"
)

// Engine answers questions about a fixed list of flows, each with its facts in
// the form that this engine likes best, made beforehand.
type Engine interface {
	Name() string
	Outcome(ctx context.Context, i int) (corridor.Outcome, error) // strictest of all sides, no reasons
	Decide(ctx context.Context, i int) error                      // every side with provisions and obligations
	Unread(ctx context.Context, i int) error                      // Decide, from a map of facts as JSON has it
}

// Set is the engines with the flows.
type Set struct {
	Engines       []Engine
	States, Sides int
	Rules         int
}

// The names of the engines.
const (
	nameCorridor = "Corridor"
	nameOPA      = "OPA"
	nameCedar    = "cedar-go"
)

// NewSet loads the law of a day into every engine, and draws flows.
func NewSet(ctx context.Context, fsys fs.FS, on corridor.Date, flows int) (*Set, error) {
	p, err := Read(fsys)
	if err != nil {
		return nil, err
	}
	d, err := p.NewDraws(2026)
	if err != nil {
		return nil, err
	}
	own, err := newOwn(fsys)
	if err != nil {
		return nil, err
	}
	laws, err := p.All(on)
	if err != nil {
		return nil, err
	}
	opa, err := newOPAEngine(laws, texts(laws, (*Law).Rego))
	if err != nil {
		return nil, err
	}
	cedar, err := newCedarEngine(laws, texts(laws, (*Law).Cedar))
	if err != nil {
		return nil, err
	}
	s := &Set{Engines: []Engine{own, opa, cedar}, States: len(p.packs) - 1, Sides: len(laws)}
	for _, l := range laws {
		s.Rules += l.rules
	}
	for n := 0; n < flows; {
		w, err := d.World(on)
		if err != nil {
			return nil, err
		}
		if w == nil {
			continue
		}
		n++
		w.keepOwnRecords()
		sides, err := p.Sides(w)
		if err != nil {
			return nil, err
		}
		for _, e := range []interface {
			add(ctx context.Context, w *World, sides []*Law) error
		}{own, opa, cedar} {
			if err := e.add(ctx, w, sides); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func texts(laws []*Law, write func(*Law) string) map[string]string {
	out := map[string]string{}
	for _, l := range laws {
		out[l.Name()] = write(l)
	}
	return out
}

// keepOwnRecords leaves out the records that only other states' packs ask
// about.
func (w *World) keepOwnRecords() {
	mine := map[string]bool{}
	for _, code := range []string{w.Origin, w.Destination, treaties} {
		for name := range w.packs.byState[code].records {
			mine[name] = true
		}
	}
	for name := range w.Facts {
		if strings.Contains(name, "/") && !mine[name] {
			delete(w.Facts, name)
		}
	}
}

// ownEngine is internal/law.
type ownEngine struct {
	lib   *law.Library
	flows []corridor.Flow
	ready []*law.Prepared
}

func newOwn(fsys fs.FS) (*ownEngine, error) {
	lib, err := law.Load(fsys)
	return &ownEngine{lib: lib}, err
}

func (e *ownEngine) add(_ context.Context, w *World, _ []*Law) error {
	f := w.Flow()
	p, err := e.lib.Prepare(f)
	e.flows, e.ready = append(e.flows, f), append(e.ready, p)
	return err
}

func (e *ownEngine) Name() string { return nameCorridor }

func (e *ownEngine) Outcome(_ context.Context, i int) (corridor.Outcome, error) {
	return e.ready[i].Outcome(), nil
}

func (e *ownEngine) Decide(_ context.Context, i int) error {
	if v := e.ready[i].Decide(); len(v.Sides) != 3 {
		return fmt.Errorf("corridor: %d sides", len(v.Sides))
	}
	return nil
}

func (e *ownEngine) Unread(_ context.Context, i int) error {
	p, err := e.lib.Prepare(e.flows[i])
	if err == nil {
		p.Decide()
	}
	return err
}

// opaEngine is OPA with the law of all packs in one compiler.
type opaEngine struct {
	opa     *OPA
	flows   []map[string]any
	ready   []ast.Value
	queries []*opaQueries
}

func newOPAEngine(_ []*Law, modules map[string]string) (*opaEngine, error) {
	o, err := NewOPA(modules)
	return &opaEngine{opa: o}, err
}

func (e *opaEngine) add(ctx context.Context, w *World, sides []*Law) error {
	in := w.Input()
	v, err := ast.InterfaceToValue(in)
	if err != nil {
		return err
	}
	q, err := e.opa.Prepare(ctx, sides)
	e.flows, e.ready, e.queries = append(e.flows, in), append(e.ready, v), append(e.queries, q)
	return err
}

func (e *opaEngine) Name() string { return nameOPA }

func (e *opaEngine) Outcome(ctx context.Context, i int) (corridor.Outcome, error) {
	return e.queries[i].Outcome(ctx, rego.EvalParsedInput(e.ready[i]))
}

func (e *opaEngine) Decide(ctx context.Context, i int) error {
	_, err := e.queries[i].Decide(ctx, rego.EvalParsedInput(e.ready[i]))
	return err
}

func (e *opaEngine) Unread(ctx context.Context, i int) error {
	_, err := e.queries[i].Decide(ctx, rego.EvalInput(e.flows[i]))
	return err
}

// cedarEngine is cedar-go with a list of policies for each law.
type cedarEngine struct {
	laws   map[*Law]*CedarLaw
	worlds []*World
	ready  []types.Record
	sides  [][]*CedarLaw
}

func newCedarEngine(laws []*Law, text map[string]string) (*cedarEngine, error) {
	e := &cedarEngine{laws: map[*Law]*CedarLaw{}}
	for _, l := range laws {
		c, err := NewCedar(l, text[l.Name()])
		if err != nil {
			return nil, err
		}
		e.laws[l] = c
	}
	return e, nil
}

func (e *cedarEngine) add(_ context.Context, w *World, sides []*Law) error {
	var mine []*CedarLaw
	for _, l := range sides {
		mine = append(mine, e.laws[l])
	}
	e.worlds, e.ready, e.sides = append(e.worlds, w), append(e.ready, w.Context()), append(e.sides, mine)
	return nil
}

func (e *cedarEngine) Name() string { return nameCedar }

func (e *cedarEngine) Outcome(_ context.Context, i int) (corridor.Outcome, error) {
	worst := corridor.Allow
	for _, c := range e.sides[i] {
		o, err := c.Outcome(e.ready[i])
		if err != nil {
			return corridor.Undetermined, err
		}
		if worst = corridor.Strictest(worst, o); worst == corridor.Deny {
			break // nothing is stricter
		}
	}
	return worst, nil
}

func (e *cedarEngine) Decide(_ context.Context, i int) error { return e.decide(i, e.ready[i]) }

func (e *cedarEngine) Unread(_ context.Context, i int) error {
	return e.decide(i, e.worlds[i].Context())
}

func (e *cedarEngine) decide(i int, facts types.Record) error {
	for _, c := range e.sides[i] {
		if _, err := c.Decide(facts); err != nil {
			return err
		}
	}
	return nil
}

// Loader makes what an engine loads from, and gives the loading itself: for
// Corridor from the packs, for the others from policies that are already
// written. Each ends ready to be asked about every side of every pack.
func Loader(ctx context.Context, name string, fsys fs.FS, on corridor.Date) (func() (any, error), error) {
	p, err := Read(fsys)
	if err != nil {
		return nil, err
	}
	laws, err := p.All(on)
	if err != nil {
		return nil, err
	}
	ring := p.ring()
	switch name {
	case nameCorridor:
		return func() (any, error) {
			e, err := newOwn(fsys)
			for i := range ring {
				if err == nil {
					_, err = e.lib.Decide(corridor.Flow{Date: on, Origin: ring[i], Destination: ring[(i+1)%len(ring)]})
				}
			}
			return e, err
		}, nil
	case nameOPA:
		modules := texts(laws, (*Law).Rego)
		return func() (any, error) {
			e, err := newOPAEngine(laws, modules)
			for i := range ring {
				w := &World{Date: on, Origin: ring[i], Destination: ring[(i+1)%len(ring)], packs: p}
				if err == nil {
					_, err = e.opa.ready(ctx, p, w)
				}
			}
			return e, err
		}, nil
	case nameCedar:
		policies := texts(laws, (*Law).Cedar)
		return func() (any, error) { return newCedarEngine(laws, policies) }, nil
	}
	return nil, fmt.Errorf("no engine %q", name)
}

func (o *OPA) ready(ctx context.Context, p *Packs, w *World) (*opaQueries, error) {
	sides, err := p.Sides(w)
	if err != nil {
		return nil, err
	}
	return o.Prepare(ctx, sides)
}

// ring lists one state for each pack.
func (p *Packs) ring() []string {
	var out []string
	for _, one := range p.packs {
		switch {
		case len(one.Members) > 0:
			out = append(out, one.Members[0])
		case one.Layer != treaties:
			out = append(out, one.Jurisdiction)
		}
	}
	return out
}
