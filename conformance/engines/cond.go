package engines

import (
	"fmt"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"corridor"
)

// op is the kind of a condition's node.
type op int

const (
	opTrue   op = iota
	opAnd       // all of kids; none: true
	opOr        // one of kids; none: false
	opNot       // not kids[0]
	opNamed     // kids[0], which has a name of its own
	opYes       // the yes/no fact holds
	opNone      // the optional fact is absent
	opOneOf     // the fact is one of words
	opCmp       // the fact compares with number; absent: no
	opHas       // the set holds words[0]
	opWithin    // the set holds nothing but words
)

// cond is a condition in a form that no language owns.
type cond struct {
	op     op
	kids   []*cond
	name   string // of a named part
	fact   string
	cmp    string // < <= == >= >
	words  []string
	number int64
}

func all(kids ...*cond) *cond  { return &cond{op: opAnd, kids: kids} }
func some(kids ...*cond) *cond { return &cond{op: opOr, kids: kids} }
func not(c *cond) *cond        { return &cond{op: opNot, kids: []*cond{c}} }

func named(name string, c *cond) *cond { return &cond{op: opNamed, name: name, kids: []*cond{c}} }

// parser reads conditions with cel-go's parser and nothing else of it.
type parser struct {
	env   *cel.Env
	facts map[string]*fact
}

func newParser(facts map[string]*fact) (*parser, error) {
	env, err := cel.NewCustomEnv(cel.ClearMacros())
	return &parser{env, facts}, err
}

// names gives what use("...") and list("...") stand for.
type names interface {
	use(name string) (*cond, error)
	list(name string) ([]string, error)
}

func (p *parser) condition(text string, n names) (*cond, error) {
	parsed, issues := p.env.Parse(text)
	if issues.Err() != nil {
		return nil, issues.Err()
	}
	r := reading{p, n, nil}
	c := r.cond(parsed.NativeRep().Expr())
	return c, r.err
}

// reading walks one tree and keeps the first complaint.
type reading struct {
	*parser
	names
	err error
}

func (r *reading) fail(format string, args ...any) *cond {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
	return &cond{}
}

func (r *reading) cond(e ast.Expr) *cond {
	switch e.Kind() {
	case ast.LiteralKind:
		if e.AsLiteral() == types.True {
			return &cond{op: opTrue}
		}
		return not(&cond{op: opTrue})
	case ast.IdentKind:
		return &cond{op: opYes, fact: e.AsIdent()}
	case ast.CallKind:
		return r.call(e.AsCall())
	}
	return r.fail("a condition of kind %v", e.Kind())
}

func (r *reading) call(call ast.CallExpr) *cond {
	args := call.Args()
	switch name := call.FunctionName(); name {
	case operators.LogicalNot:
		return not(r.cond(args[0]))
	case operators.LogicalAnd:
		return all(r.cond(args[0]), r.cond(args[1]))
	case operators.LogicalOr:
		return some(r.cond(args[0]), r.cond(args[1]))
	case operators.In:
		return r.in(args[0], args[1])
	case operators.NotEquals:
		return not(r.compare("==", args[0], args[1]))
	case "use":
		c, err := r.use(word(args[0]))
		if err != nil {
			return r.fail("%w", err)
		}
		return c
	case "overlaps":
		var kids []*cond
		for _, w := range r.words(args[0]) {
			kids = append(kids, &cond{op: opHas, fact: call.Target().AsIdent(), words: []string{w}})
		}
		return some(kids...)
	case "within":
		return &cond{op: opWithin, fact: call.Target().AsIdent(), words: r.words(args[0])}
	default:
		sym, ok := operators.FindReverse(name)
		if !ok || len(args) != 2 {
			return r.fail("the function %s", name)
		}
		return r.compare(sym, args[0], args[1])
	}
}

func (r *reading) in(left, right ast.Expr) *cond {
	if left.Kind() == ast.LiteralKind {
		return &cond{op: opHas, fact: right.AsIdent(), words: []string{word(left)}}
	}
	return &cond{op: opOneOf, fact: r.subject(left), words: r.words(right)}
}

// words reads ["a", "b"] or list("name").
func (r *reading) words(e ast.Expr) []string {
	if e.Kind() == ast.CallKind {
		list, err := r.list(word(e.AsCall().Args()[0]))
		if err != nil {
			r.fail("%w", err)
		}
		return list
	}
	var out []string
	for _, el := range e.AsList().Elements() {
		out = append(out, word(el))
	}
	return out
}

// subject names the fact, or the record as "class/id".
func (r *reading) subject(e ast.Expr) string {
	if e.Kind() == ast.IdentKind {
		if r.facts[e.AsIdent()] == nil {
			r.fail("the fact %s", e.AsIdent())
		}
		return e.AsIdent()
	}
	call := e.AsSelect().Operand().AsCall()
	return call.FunctionName() + "/" + word(call.Args()[0])
}

func (r *reading) compare(sym string, left, right ast.Expr) *cond {
	c := &cond{op: opCmp, fact: r.subject(left), cmp: sym}
	switch {
	case right.Kind() == ast.IdentKind && right.AsIdent() == "none":
		c.op = opNone
	case right.Kind() == ast.CallKind: // date("2026-11-24")
		d, err := corridor.ParseDate(word(right.AsCall().Args()[0]))
		if err != nil {
			return r.fail("%w", err)
		}
		c.number = int64(d)
	case right.Kind() == ast.LiteralKind:
		switch v := right.AsLiteral().(type) {
		case types.Int:
			c.number = int64(v)
		case types.String:
			c.op, c.words = opOneOf, []string{string(v)}
		case types.Bool:
			c.op = opYes
			if !v {
				return not(c)
			}
		default:
			return r.fail("a comparison with %v", v)
		}
	default:
		return r.fail("a comparison of kind %v", right.Kind())
	}
	return c
}

func word(e ast.Expr) string {
	if e.Kind() == ast.LiteralKind {
		if s, ok := e.AsLiteral().(types.String); ok {
			return string(s)
		}
	}
	return ""
}

// holds evaluates a condition on a world, word by word as it is defined.
func (c *cond) holds(w *World) bool {
	switch c.op {
	case opAnd:
		return !slices.ContainsFunc(c.kids, func(k *cond) bool { return !k.holds(w) })
	case opOr:
		return slices.ContainsFunc(c.kids, func(k *cond) bool { return k.holds(w) })
	case opNot:
		return !c.kids[0].holds(w)
	case opNamed:
		return c.kids[0].holds(w)
	case opYes:
		return w.Facts[c.fact] == true
	case opNone:
		return w.Facts[c.fact] == nil
	case opOneOf:
		s, _ := w.Facts[c.fact].(string)
		return slices.Contains(c.words, s)
	case opHas:
		return slices.Contains(w.set(c.fact), c.words[0])
	case opWithin:
		return !slices.ContainsFunc(w.set(c.fact), func(s string) bool { return !slices.Contains(c.words, s) })
	case opCmp:
		n, ok := w.Facts[c.fact].(int64)
		return ok && (n < c.number && c.cmp[0] == '<' || n > c.number && c.cmp[0] == '>' || n == c.number && c.cmp[len(c.cmp)-1] == '=')
	}
	return true
}

// numbers lists the lines that conditions draw through numbers.
func (c *cond) numbers(visit func(fact string, n int64)) {
	if c.op == opCmp {
		visit(c.fact, c.number)
	}
	for _, k := range c.kids {
		k.numbers(visit)
	}
}
