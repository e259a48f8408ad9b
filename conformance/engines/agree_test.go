package engines

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"corridor"
	"corridor/internal/law"
	"corridor/packs"
)

// engines are all of them, with the laws that they have been given so far.
type engines struct {
	packs *Packs
	own   *law.Library
	opa   map[*Law]*opaQueries
	cedar map[*Law]*CedarLaw
}

func begin(t *testing.T) *engines {
	t.Helper()
	p, err := Read(packs.FS())
	if err != nil {
		t.Fatal(err)
	}
	own, err := law.Load(packs.FS())
	if err != nil {
		t.Fatal(err)
	}
	return &engines{p, own, map[*Law]*opaQueries{}, map[*Law]*CedarLaw{}}
}

// load gives a law to both engines once.
func (e *engines) load(ctx context.Context, l *Law) error {
	if e.opa[l] != nil {
		return nil
	}
	o, err := NewOPA(map[string]string{l.Name(): l.Rego()})
	if err != nil {
		return fmt.Errorf("%s: %w", l.Name(), err)
	}
	if e.opa[l], err = o.Prepare(ctx, []*Law{l}); err != nil {
		return err
	}
	e.cedar[l], err = NewCedar(l, l.Cedar())
	return err
}

// check asks both engines about one law and compares with an answer.
func (e *engines) check(ctx context.Context, l *Law, w *World, want Answer) error {
	if err := e.load(ctx, l); err != nil {
		return err
	}
	facts, err := ast.InterfaceToValue(w.Input())
	if err != nil {
		return err
	}
	input := rego.EvalParsedInput(facts)
	record := w.Context()
	opaAnswers, err := e.opa[l].Decide(ctx, input)
	if err != nil {
		return err
	}
	opaOutcome, err := e.opa[l].Outcome(ctx, input)
	if err != nil {
		return err
	}
	cedarAnswer, err := e.cedar[l].Decide(record)
	if err != nil {
		return err
	}
	cedarOutcome, err := e.cedar[l].Outcome(record)
	if err != nil {
		return err
	}
	var bad []string
	for _, a := range []struct {
		who string
		Answer
	}{{"rules read word by word", l.Plain(w)}, {"OPA", opaAnswers[0]}, {"cedar-go", cedarAnswer}} {
		if diff := want.Differs(a.Answer); diff != "" {
			bad = append(bad, a.who+": "+diff)
		}
	}
	if opaOutcome != want.Outcome || cedarOutcome != want.Outcome {
		bad = append(bad, fmt.Sprintf("outcome alone: OPA %s, cedar-go %s, not %s", opaOutcome, cedarOutcome, want.Outcome))
	}
	if len(bad) > 0 {
		return fmt.Errorf("%s: %s\n%s", l.Name(), strings.Join(bad, "; "), w)
	}
	return nil
}

// both compares every side's decision of this engine on a world with the
// others', and the outcome of all sides together.
func (e *engines) both(ctx context.Context, w *World) (corridor.Verdict, error) {
	var none corridor.Verdict
	p, err := e.own.Prepare(w.Flow())
	if err != nil {
		return none, fmt.Errorf("%w\n%s", err, w)
	}
	laws, err := e.packs.Sides(w)
	if err != nil {
		return none, err
	}
	v := p.Decide()
	best, worst := corridor.Allow, corridor.Allow
	for i, l := range laws {
		if err := e.check(ctx, l, w, Of(&v.Sides[i])); err != nil {
			return none, err
		}
		b, w := v.Sides[i].Span()
		best, worst = min(best, b), min(worst, w)
	}
	strictest := worst
	if best != worst { // a side does not cover the day
		strictest = corridor.Undetermined
	}
	if got := p.Outcome(); got != strictest || v.Outcome != strictest {
		return none, fmt.Errorf("the sides come to %s, the outcome alone is %s, the verdict %s\n%s", strictest, got, v.Outcome, w)
	}
	return v, nil
}

func TestOnRandomFlowsAllEnginesAgree(t *testing.T) {
	e := begin(t)
	d, err := e.packs.NewDraws(20261126)
	if err != nil {
		t.Fatal(err)
	}
	today, err := corridor.ParseDate("2026-11-26")
	if err != nil {
		t.Fatal(err)
	}
	const flows = 6000
	outcomes, hit := map[corridor.Outcome]int{}, map[string]int{}
	for n := 0; n < flows; {
		on := today
		if n%3 == 0 {
			on = d.Day()
		}
		w, err := d.World(on)
		if err != nil {
			t.Fatal(err)
		}
		if w == nil {
			continue
		}
		n++
		v, err := e.both(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		for i := range v.Sides {
			outcomes[v.Sides[i].Outcome]++
			for _, m := range Of(&v.Sides[i]).Matched {
				hit[m]++
			}
		}
	}
	laws, err := e.packs.All(today)
	if err != nil {
		t.Fatal(err)
	}
	of, missed := 0, []string{}
	for _, l := range laws {
		for _, h := range l.Hits {
			if of++; hit[h.match()] == 0 {
				missed = append(missed, h.match())
			}
		}
	}
	t.Logf("%d flows, %d laws, %v; of the %d results of today's law these took part in none: %v", flows, len(e.opa), outcomes, of, missed)
	for o := corridor.Deny; o <= corridor.Allow; o++ {
		if outcomes[o] < flows/20 {
			t.Errorf("only %d decisions of %d were %s: the draws are too narrow to compare anything", outcomes[o], 3*flows, o)
		}
	}
	if len(missed)*20 > of {
		t.Errorf("%d results of %d took part in no decision: the draws are too narrow", len(missed), of)
	}
}

// What a case leaves open is filled at random several times: where this
// engine says one outcome, the others say it in every such world, and where it
// says that a fact is missing, they stay between its best and its worst.
func TestOnThePacksCasesAllEnginesAgree(t *testing.T) {
	e := begin(t)
	d, err := e.packs.NewDraws(1)
	if err != nil {
		t.Fatal(err)
	}
	cases, err := e.own.Cases()
	if err != nil {
		t.Fatal(err)
	}
	worlds, open := 0, 0
	for _, c := range cases {
		r := e.own.RunCase(c)
		if !r.Passed {
			t.Errorf("%s: %s", c.ID, r.Reason)
			continue
		}
		read, err := e.packs.Case(c.Flow, c.Jurisdiction, c.Assume)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for range 20 {
			if w := d.WorldOf(read); w != nil && found < 2 {
				found++
				if err := e.oneCase(t.Context(), c, &r.Decision, w); err != nil {
					t.Errorf("%s: %v", c.ID, err)
				}
			}
		}
		if worlds += found; found == 0 {
			t.Errorf("%s: no world was found in which its facts hold", c.ID)
		}
		if r.Decision.Outcome == corridor.Undetermined {
			open++
		}
	}
	t.Logf("%d cases, %d of them undetermined, %d worlds", len(cases), open, worlds)
}

func (e *engines) oneCase(ctx context.Context, c law.Case, d *corridor.Decision, w *World) error {
	l, err := e.packs.Side(w, c.Side)
	if err != nil {
		return err
	}
	p, err := e.own.Prepare(w.Flow())
	if err != nil {
		return err
	}
	for _, one := range p.Decide().Sides {
		if one.Side == c.Side {
			return errors.Join(leaves(d, l.Plain(w), w), e.check(ctx, l, w, Of(&one)))
		}
	}
	return fmt.Errorf("no decision of the %s side", c.Side)
}

// leaves says whether a decision on some facts leaves room for the answer in a
// world that has them all.
func leaves(d *corridor.Decision, a Answer, w *World) error {
	best, worst := d.Span()
	switch {
	case a.Outcome == corridor.Undetermined && d.Outcome != corridor.Undetermined:
		return fmt.Errorf("decided %s, but the day is not covered in %s", d.Outcome, w)
	case a.Outcome != corridor.Undetermined && (a.Outcome > best || a.Outcome < worst):
		return fmt.Errorf("decided between %s and %s, but it comes to %s in %s", worst, best, a.Outcome, w)
	}
	for _, o := range d.Duties {
		if o.Certain && !slices.Contains(a.Duties, o.ID) {
			return fmt.Errorf("obligation %s is certain, but not owed in %s", o.ID, w)
		}
	}
	for _, id := range a.Duties {
		if !slices.ContainsFunc(d.Duties, func(o corridor.Obligation) bool { return o.ID == id }) {
			return fmt.Errorf("obligation %s is owed, but not said to be possible, in %s", id, w)
		}
	}
	for _, m := range d.Matched {
		if name := (&Hit{Rule: m.Rule, Kind: m.Kind, Outcome: m.Outcome}).match(); m.Certain && m.Kind != "silence" && !slices.Contains(a.Matched, name) {
			return fmt.Errorf("%s certainly takes part, but does not in %s", name, w)
		}
	}
	return nil
}

// The other engines need every fact. Where facts are missing they are asked
// about worlds that have the rest, and must stay within what was said without.
func TestWithMissingFactsNoWorldContradicts(t *testing.T) {
	e := begin(t)
	d, err := e.packs.NewDraws(7)
	if err != nil {
		t.Fatal(err)
	}
	on, err := corridor.ParseDate("2026-11-26")
	if err != nil {
		t.Fatal(err)
	}
	worlds, open, reached := 0, 0, 0
	for range 300 {
		whole, err := d.World(on)
		if err != nil {
			t.Fatal(err)
		}
		if whole == nil {
			continue
		}
		some, read := d.Forget(whole)
		v, err := e.own.Decide(some)
		if err != nil {
			t.Fatalf("%v\n%v", err, some)
		}
		var span [3][2]corridor.Outcome // the best and the worst met
		for i := range span {
			span[i] = [2]corridor.Outcome{corridor.Deny, corridor.Allow}
		}
		for range 12 {
			w := d.WorldOf(read)
			if w == nil {
				continue
			}
			worlds++
			laws, err := e.packs.Sides(w)
			if err != nil {
				t.Fatal(err)
			}
			for i, l := range laws {
				a := l.Plain(w)
				span[i] = [2]corridor.Outcome{max(span[i][0], a.Outcome), min(span[i][1], a.Outcome)}
				if err := errors.Join(leaves(&v.Sides[i], a, w), e.check(t.Context(), l, w, a)); err != nil {
					t.Fatalf("%s: %v\nknown: %v", l.Name(), err, some)
				}
			}
		}
		for i := range v.Sides {
			if v.Sides[i].Outcome == corridor.Undetermined {
				if open++; span[i] == [2]corridor.Outcome{v.Sides[i].Best, v.Sides[i].Worst} {
					reached++
				}
			}
		}
	}
	t.Logf("%d worlds; of %d undetermined sides the worlds drawn reach both ends in %d", worlds, open, reached)
	if open < 100 || reached*2 < open {
		t.Errorf("%d undetermined sides, both ends reached in %d: the draws are too narrow", open, reached)
	}
}
