package engines

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"corridor"
)

// Rego writes a law as a module: the set of hits for the full decision, and a
// chain from the strictest outcome down, which ends at the first that is
// reached, for the outcome alone. Conditions stand in the rules themselves, and
// not behind names, as far as they are lists of tests: OPA's index passes over
// rules by their tests. Facts stand in input by name. A set is an object with
// true for each member, so that asking for one is a look-up; an absent number
// is not there.
func (l *Law) Rego() string {
	g := &regoWriter{done: map[*cond]string{}, taken: map[string]bool{}}
	fmt.Fprintf(&g.out, "package corridor.%s\n\n", l.Name())
	byOutcome := map[corridor.Outcome][]string{}
	for _, h := range l.Hits {
		g.rule(fmt.Sprintf("hits contains %q", h.ID), h.cond)
		if h.Speaks {
			g.rule(h.Outcome.String(), h.cond)
			byOutcome[h.Outcome] = nil
		}
	}
	if len(l.Hits) == 0 {
		g.out.WriteString("hits := set()\n\n")
	}
	chain := "outcome := "
	for _, o := range slices.Sorted(maps.Keys(byOutcome)) {
		for _, n := range byOutcome[o] {
			fmt.Fprintf(&g.out, "%s if %s\n", o, n)
		}
		chain += fmt.Sprintf("%d if %s\nelse := ", l.says(o), o)
	}
	fmt.Fprintf(&g.out, "\n%s%d\n", chain, l.says(l.Silence))
	return g.out.String()
}

// regoWriter writes rules. A part of a condition that is no list of tests
// becomes a rule of its own, which OPA evaluates once per query.
type regoWriter struct {
	out   strings.Builder
	done  map[*cond]string
	taken map[string]bool
}

// rule writes name as true where the condition holds: one body per branch.
func (g *regoWriter) rule(name string, c *cond) {
	branches := []*cond{c}
	if c.op == opOr {
		branches = c.kids
	}
	if len(branches) == 0 {
		fmt.Fprintf(&g.out, "%s if false\n\n", name)
	}
	for _, b := range branches {
		lines := g.lines(b, false) // writes the rules that it needs
		if len(lines) == 0 {
			lines = []string{"true"}
		}
		fmt.Fprintf(&g.out, "%s if {\n\t%s\n}\n\n", name, strings.Join(lines, "\n\t"))
	}
}

// lines writes a condition, or its opposite, as the lines of a body.
func (g *regoWriter) lines(c *cond, negated bool) []string {
	switch {
	case c.op == opTrue && !negated:
		return nil
	case c.op == opTrue:
		return []string{"false"}
	case c.op == opNot:
		return g.lines(c.kids[0], !negated)
	case c.op == opNamed && c.kids[0].op != opAnd && c.kids[0].op != opOr,
		c.op == opNamed && negated == (c.kids[0].op == opOr):
		return g.lines(c.kids[0], negated)
	case c.op == opAnd && !negated, c.op == opOr && negated:
		var out []string
		for _, k := range c.kids {
			out = append(out, g.lines(k, negated)...)
		}
		return out
	case c.op == opAnd, c.op == opOr, c.op == opNamed:
		if negated {
			return []string{"not " + g.part(c)}
		}
		return []string{g.part(c)}
	}
	return []string{c.rego(negated)}
}

// part names the rule of a part of a condition, and writes it once.
func (g *regoWriter) part(c *cond) string {
	if name, ok := g.done[c]; ok {
		return name
	}
	name, body := fmt.Sprintf("part_%d", len(g.done)), c
	if c.op == opNamed {
		name, body = identifier(c.name), c.kids[0]
	}
	for g.taken[name] {
		name += "_"
	}
	g.done[c], g.taken[name] = name, true
	g.rule(name, body)
	return name
}

// identifier turns a name of the packs into one of a policy language.
func identifier(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, s)
}

// rego writes one test of a fact.
func (c *cond) rego(negated bool) string {
	fact := fmt.Sprintf("input[%q]", c.fact)
	not := ""
	if negated {
		not = "not "
	}
	switch c.op {
	case opYes:
		return fmt.Sprintf("%s == %t", fact, !negated)
	case opNone:
		if negated {
			return fact + " >= 0" // there is a number
		}
		return "not " + fact
	case opCmp:
		return fmt.Sprintf("%s%s %s %d", not, fact, c.cmp, c.number)
	case opHas:
		return fmt.Sprintf("%s%s[%q]", not, fact, c.words[0])
	case opWithin:
		return fmt.Sprintf("%sobject.remove(%s, %s) == {}", not, fact, quoted("[", c.words, "]"))
	}
	if len(c.words) == 1 && negated {
		return fmt.Sprintf("%s != %q", fact, c.words[0])
	} else if len(c.words) == 1 {
		return fmt.Sprintf("%s == %q", fact, c.words[0])
	} else if len(c.words) == 0 {
		return fmt.Sprint(negated) // a list without an edition in force
	}
	return fmt.Sprintf("%s%s in %s", not, fact, quoted("{", c.words, "}"))
}

func quoted(begin string, words []string, end string) string {
	var parts []string
	for _, w := range words {
		parts = append(parts, fmt.Sprintf("%q", w))
	}
	return begin + strings.Join(parts, ", ") + end
}

// OPA is Open Policy Agent with the modules of some laws.
type OPA struct {
	compiler *ast.Compiler
	queries  map[string]*opaQueries
}

// opaQueries are the prepared questions about the sides of one flow: one
// evaluation answers all of them.
type opaQueries struct {
	laws          []*Law
	outcome, hits rego.PreparedEvalQuery
}

// NewOPA compiles modules, which stand by the names of their laws.
func NewOPA(modules map[string]string) (*OPA, error) {
	c, err := ast.CompileModules(modules)
	return &OPA{c, map[string]*opaQueries{}}, err
}

// Prepare prepares the queries for the laws of one flow.
func (o *OPA) Prepare(ctx context.Context, laws []*Law) (q *opaQueries, err error) {
	key := ""
	for _, l := range laws {
		key += l.Name() + " "
	}
	if q = o.queries[key]; q != nil {
		return q, nil
	}
	q = &opaQueries{laws: laws}
	if q.outcome, err = o.query(ctx, laws, "outcome"); err == nil {
		q.hits, err = o.query(ctx, laws, "hits")
	}
	o.queries[key] = q
	return q, err
}

func (o *OPA) query(ctx context.Context, laws []*Law, what string) (rego.PreparedEvalQuery, error) {
	var parts []string
	for _, l := range laws {
		parts = append(parts, fmt.Sprintf("data.corridor.%s.%s", l.Name(), what))
	}
	// Terms as they are: writing them out as JSON values would only cost.
	asTerm := func(t *ast.Term, _ *rego.EvalContext) (any, error) { return t, nil }
	return rego.New(rego.Compiler(o.compiler), rego.Query("["+strings.Join(parts, ", ")+"]"), rego.GenerateJSON(asTerm)).PrepareForEval(ctx)
}

// Outcome gives the strictest outcome of all sides.
func (q *opaQueries) Outcome(ctx context.Context, input rego.EvalOption) (corridor.Outcome, error) {
	terms, err := answers(q.outcome.Eval(ctx, input))
	if err != nil {
		return corridor.Undetermined, err
	}
	worst := corridor.Allow
	for i := range terms.Len() {
		n, ok := terms.Elem(i).Value.(ast.Number)
		o, whole := n.Int()
		if !ok || !whole {
			return corridor.Undetermined, fmt.Errorf("opa: outcome %v", terms.Elem(i))
		}
		worst = corridor.Strictest(worst, corridor.Outcome(o))
	}
	return worst, nil
}

// Decide gives every side's answer.
func (q *opaQueries) Decide(ctx context.Context, input rego.EvalOption) ([]Answer, error) {
	terms, err := answers(q.hits.Eval(ctx, input))
	if err != nil {
		return nil, err
	}
	out := make([]Answer, 0, len(q.laws))
	for i, l := range q.laws {
		set, ok := terms.Elem(i).Value.(ast.Set)
		if !ok {
			return nil, fmt.Errorf("opa: hits %v", terms.Elem(i))
		}
		hits := make([]*Hit, 0, set.Len())
		set.Foreach(func(t *ast.Term) {
			if s, ok := t.Value.(ast.String); ok {
				hits = append(hits, l.byID[string(s)])
			}
		})
		out = append(out, l.answer(hits))
	}
	return out, nil
}

// answers takes the one value out of a result: an array, a term per side.
func answers(rs rego.ResultSet, err error) (*ast.Array, error) {
	if err != nil {
		return nil, err
	}
	if len(rs) == 1 && len(rs[0].Expressions) == 1 {
		if t, ok := rs[0].Expressions[0].Value.(*ast.Term); ok {
			if a, ok := t.Value.(*ast.Array); ok {
				return a, nil
			}
		}
	}
	return nil, fmt.Errorf("opa: a result of %d rows", len(rs))
}

// Input writes a world as OPA reads it.
func (w *World) Input() map[string]any {
	in := map[string]any{}
	for name, v := range w.Facts {
		switch v := v.(type) {
		case nil:
		case []string:
			set := map[string]any{}
			for _, s := range v {
				set[s] = true
			}
			in[name] = set
		default:
			in[name] = v
		}
	}
	return in
}
