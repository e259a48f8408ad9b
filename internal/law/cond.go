package law

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"corridor"
)

// Limits on one condition.
const (
	maxCondition = 4096 // bytes
	maxCondDepth = 48
)

// language is the CEL environment of a vocabulary: its facts as variables,
// the functions of the fragment, and cel-go's standard operators.
func language(v *vocabulary) (*cel.Env, error) {
	str, strs := cel.StringType, cel.ListType(cel.StringType)
	fn := func(name string, out *cel.Type) cel.EnvOption {
		return cel.Function(name, cel.Overload(name+"_string", []*cel.Type{str}, out))
	}
	onSet := func(name string) cel.EnvOption {
		return cel.Function(name, cel.MemberOverload(name+"_list", []*cel.Type{strs, strs}, cel.BoolType))
	}
	rec := cel.MapType(str, str)
	opts := []cel.EnvOption{cel.StdLib(), cel.ClearMacros(),
		cel.ParserExpressionSizeLimit(maxCondition), cel.ParserRecursionLimit(maxCondDepth), cel.ParserErrorRecoveryLimit(0),
		fn("use", cel.BoolType), fn("list", strs), fn("date", cel.TimestampType), fn("vehicle", rec), fn("filing", rec), fn("assessment", rec),
		onSet("overlaps"), onSet("within"), cel.Variable("none", cel.DynType)}
	for _, f := range v.facts {
		t := str
		switch f.Type {
		case typeBool:
			t = cel.BoolType
		case typeInt:
			t = cel.IntType
		case typeDate:
			t = cel.TimestampType
		case typeSet, typeCountries:
			t = strs
		}
		opts = append(opts, cel.Variable(f.Name, t))
	}
	return cel.NewCustomEnv(opts...)
}

// scope is what a condition may refer to.
type scope struct {
	cel     *celTrees
	atlas   *atlas
	vocab   *vocabulary
	vars    []*variable
	table   *atomTable
	pack    *pack // nil for axioms: vocabulary facts only
	records map[string]*record
	r       *reader
	named   map[string]*condition
	open    map[string]bool // named conditions being compiled, against cycles
}

// compiler walks the CEL tree of one condition.
type compiler struct {
	*scope
	src  condSource
	info *ast.SourceInfo
	bad  bool
}

// compile parses, restricts and type-checks a condition. Complaints go to the
// scope's reader; a bad condition comes back as nil.
func (s *scope) compile(src condSource) *formula {
	if strings.TrimSpace(src.text) == "" {
		s.r.failAt(src.place, "write true if it always holds", "an empty condition")
		return nil
	}
	if len(src.text) > maxCondition {
		s.r.failAt(src.place, "name parts of it under conditions", "a condition of %d bytes is over the limit of %d", len(src.text), maxCondition)
		return nil
	}
	expr, parsed := s.parse(src)
	if expr == nil {
		return nil
	}
	c := &compiler{scope: s, src: src, info: ast.NewSourceInfo(nil)}
	if parsed != nil {
		c.info = parsed.NativeRep().SourceInfo()
	}
	f := c.cond(expr)
	if c.bad {
		return nil
	}
	if parsed != nil {
		if _, issues := s.cel.env.Check(parsed); issues.Err() != nil {
			s.issues(src, issues)
			return nil
		}
		s.cel.img.keepExpr(src.text, expr)
	}
	return f
}

// celTrees gives the CEL tree of a condition: from the parser, or from an
// image of trees that were parsed and checked before.
type celTrees struct {
	env *cel.Env // nil: from the image only
	img *image
}

func (t *celTrees) open(v *vocabulary) (err error) {
	if t.env, err = language(v); err != nil {
		return corridor.E(corridor.Invalid, "vocabulary.yaml: %w", err)
	}
	return nil
}

// parse gives the tree of a condition, and what the parser made if it ran.
func (s *scope) parse(src condSource) (ast.Expr, *cel.Ast) {
	if s.cel.env == nil {
		e := s.cel.img.expr(src.text)
		if e == nil {
			s.r.failAt(src.place, "", "the image of the packs lacks a condition")
		}
		return e, nil
	}
	parsed, issues := s.cel.env.Parse(src.text)
	if issues.Err() != nil {
		s.issues(src, issues)
		return nil, nil
	}
	return parsed.NativeRep().Expr(), parsed
}

func (s *scope) issues(src condSource, issues *cel.Issues) {
	if len(issues.Errors()) == 0 {
		s.r.failAt(src.place, "", "condition: %w", issues.Err())
	}
	for _, e := range issues.Errors() {
		s.r.failAt(src.at(e.Location.Line(), e.Location.Column()), "", "condition: %s", e.Message)
	}
}

// at maps a line and column inside the condition to the file.
func (c condSource) at(line, col int) place {
	p := c.place
	if c.block {
		p.line, p.col = p.line+line, 1+col
		return p
	}
	if line > 1 {
		p.line, p.col = p.line+line-1, 1+col
		return p
	}
	p.col += max(0, col)
	return p
}

func (c *compiler) fail(e ast.Expr, fix, format string, args ...any) *formula {
	c.bad = true
	loc := c.info.GetStartLocation(e.ID())
	c.r.failAt(c.src.at(loc.Line(), loc.Column()), fix, format, args...)
	return c.table.constant(false)
}

func (c *compiler) cond(e ast.Expr) *formula {
	switch e.Kind() {
	case ast.LiteralKind:
		if b, ok := e.AsLiteral().(types.Bool); ok {
			return c.table.constant(bool(b))
		}
		return c.fail(e, "compare a fact with it", "a constant is not a condition")
	case ast.IdentKind:
		return c.bareFact(e)
	case ast.CallKind:
		return c.call(e)
	case ast.SelectKind:
		return c.fail(e, `compare it: vehicle("kind").state == "signed"`, "a record's state is not a condition by itself")
	}
	return c.fail(e, "use facts, comparisons, in, &&, || and !", "this form is outside the fragment that rules may use")
}

func (c *compiler) bareFact(e ast.Expr) *formula {
	f := c.factOf(e)
	switch {
	case f == nil:
		return c.table.constant(false)
	case f.Type != typeBool:
		return c.fail(e, "compare it with a constant", "fact %s is of type %s, not a condition by itself", f.Name, f.Type)
	}
	return c.table.add(f.vars[0], test{set: just(1).set, lo: 1})
}

// factOf finds the fact that an identifier names.
func (c *compiler) factOf(e ast.Expr) *fact {
	name := e.AsIdent()
	if c.pack != nil && name == "date" {
		c.fail(e, "give the rule in_force dates", "the flow's date decides which rules are in force; a condition may not test it")
		return nil
	}
	f := c.vocab.byName[name]
	if f == nil {
		names := make([]string, 0, len(c.vocab.facts))
		for _, f := range c.vocab.facts {
			names = append(names, f.Name)
		}
		c.fail(e, didYouMean(name, names), "unknown fact %q", name)
		return nil
	}
	return f
}

func (c *compiler) call(e ast.Expr) *formula {
	call := e.AsCall()
	args := call.Args()
	switch call.FunctionName() {
	case operators.LogicalNot:
		return not(c.cond(args[0]))
	case operators.LogicalAnd:
		return c.bounded(e, join(opAnd, c.cond(args[0]), c.cond(args[1])))
	case operators.LogicalOr:
		return c.bounded(e, join(opOr, c.cond(args[0]), c.cond(args[1])))
	case operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return c.compare(e, call.FunctionName(), args[0], args[1])
	case operators.In:
		return c.in(e, args[0], args[1])
	case "use":
		return c.use(e)
	case "overlaps", "within":
		return c.sets(e)
	}
	return c.fail(e, "use facts, comparisons, in, &&, || and !", "%s is outside the fragment that rules may use", outsider(call.FunctionName()))
}

// bounded stops a condition that grows over the limit while it is put
// together: what uses named conditions that use others could otherwise double
// with every step.
func (c *compiler) bounded(e ast.Expr, f *formula) *formula {
	if f.size <= maxFormula {
		return f
	}
	return c.fail(e, "split the rule", "the condition with its named parts written out has more than %d nodes", maxFormula)
}

func outsider(name string) string {
	if name == operators.Conditional {
		return "the operator ?:"
	}
	if sym, ok := operators.FindReverse(name); ok && sym != "" {
		return "the operator " + sym
	}
	return "the function " + name + "()"
}

// text reads a literal string.
func (c *compiler) text(e ast.Expr, what string) (string, bool) {
	if e.Kind() == ast.LiteralKind {
		if s, ok := e.AsLiteral().(types.String); ok {
			return string(s), true
		}
	}
	c.fail(e, "", "%s must be a text constant in quotes", what)
	return "", false
}

func (c *compiler) texts(e ast.Expr, what string) ([]string, bool) {
	if e.Kind() != ast.ListKind {
		c.fail(e, `write ["a", "b"]`, "%s must be a list of constants", what)
		return nil, false
	}
	var out []string
	for _, el := range e.AsList().Elements() {
		s, ok := c.text(el, "a member of "+what)
		if !ok {
			return nil, false
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		c.fail(e, "", "an empty list")
		return nil, false
	}
	return out, true
}

// arg reads the one text argument of use, list, date, vehicle and the like.
func (c *compiler) arg(e ast.Expr) (string, bool) {
	call := e.AsCall()
	if call.IsMemberFunction() || len(call.Args()) != 1 {
		c.fail(e, "", "%s takes one text constant", call.FunctionName())
		return "", false
	}
	return c.text(call.Args()[0], "the argument of "+call.FunctionName())
}

func (c *compiler) use(e ast.Expr) *formula {
	name, ok := c.arg(e)
	if !ok {
		return c.table.constant(false)
	}
	if c.pack == nil {
		return c.fail(e, "write the condition out", "an axiom may not use a named condition")
	}
	f := c.resolve(name)
	if f == nil {
		if c.r.full() {
			c.bad = true
			return c.table.constant(false)
		}
		if c.open[name] {
			return c.fail(e, "break the circle", "condition %q refers to itself", name)
		}
		if c.named[name] == nil {
			return c.fail(e, didYouMean(name, keys(c.named)), "unknown condition %q", name)
		}
		c.bad = true // already reported where it was declared
		return c.table.constant(false)
	}
	return f
}

// resolve compiles a named condition once.
func (s *scope) resolve(name string) *formula {
	n := s.named[name]
	if n == nil || s.open[name] {
		return nil
	}
	if done, seen := s.open[name]; seen && !done {
		return n.f
	}
	s.open[name] = true
	n.f = s.compile(n.src)
	s.open[name] = false
	return n.f
}

func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// variableOf finds the variable behind a fact or a record's state; nil means
// that it was reported.
func (c *compiler) variableOf(e ast.Expr) (int, *variable) {
	switch e.Kind() {
	case ast.IdentKind:
		f := c.factOf(e)
		if f == nil {
			return 0, nil
		}
		if f.Type == typeSet || f.Type == typeCountries {
			c.fail(e, fmt.Sprintf(`write "member" in %s, or %s.overlaps([...])`, f.Name, f.Name), "fact %s is a set and cannot be compared", f.Name)
			return 0, nil
		}
		return f.vars[0], c.vars[f.vars[0]]
	case ast.SelectKind:
		return c.recordOf(e)
	case ast.LiteralKind:
		c.fail(e, "write the fact on the left and the constant on the right", "a comparison must begin with a fact")
		return 0, nil
	}
	c.fail(e, "", "only a fact or a record's state can be compared")
	return 0, nil
}

func (c *compiler) recordOf(e ast.Expr) (int, *variable) {
	sel := e.AsSelect()
	on := sel.Operand()
	if on.Kind() != ast.CallKind || !slices.Contains([]string{"vehicle", "filing", "assessment"}, on.AsCall().FunctionName()) {
		c.fail(e, "", "only vehicle, filing and assessment have fields")
		return 0, nil
	}
	class := on.AsCall().FunctionName()
	if sel.FieldName() != "state" || sel.IsTestOnly() {
		c.fail(e, "use .state", "a %s has no field %q that a rule may test", class, sel.FieldName())
		return 0, nil
	}
	id, ok := c.arg(on)
	if !ok {
		return 0, nil
	}
	if c.pack == nil {
		c.fail(e, "", "an axiom may test vocabulary facts only")
		return 0, nil
	}
	rec := c.records[class+"/"+id]
	if rec == nil || rec.pack != c.pack {
		var names []string
		for _, r := range c.pack.records {
			if r.class == class {
				names = append(names, r.id)
			}
		}
		if rec != nil {
			c.fail(on, "declare it in this pack, under a name of its own", "%s %q belongs to pack %s, which alone may test it", class, id, rec.pack.id)
			return 0, nil
		}
		c.fail(on, didYouMean(id, names), "unknown %s %q in pack %s", class, id, c.pack.id)
		return 0, nil
	}
	return rec.v, c.vars[rec.v]
}

// isNone recognises the word none.
func isNone(e ast.Expr) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == "none" }

func (c *compiler) compare(e ast.Expr, operator string, left, right ast.Expr) *formula {
	i, v := c.variableOf(left)
	if v == nil {
		return c.table.constant(false)
	}
	negate := func(f *formula) *formula {
		if operator == operators.NotEquals {
			return not(f)
		}
		return f
	}
	equality := operator == operators.Equals || operator == operators.NotEquals
	switch {
	case isNone(right) && !v.optional:
		return c.fail(e, "", "%s is not optional, so it is never none", v.name)
	case isNone(right) && !equality:
		return c.fail(e, "use == or !=", "none has no order")
	case isNone(right):
		return negate(c.table.add(i, test{lo: 1, none: true}))
	case right.Kind() == ast.IdentKind || right.Kind() == ast.SelectKind:
		return c.fail(right, "declare a derived fact in the vocabulary", "two facts are never compared inside a pack")
	case v.kind == ranged:
		return c.ordered(operator, i, v, right, negate)
	case !equality:
		return c.fail(e, "use ==, != or in", "%s has no order", v.name)
	case v.fact != nil && v.fact.Type == typeBool:
		return c.compareBool(i, right, negate)
	}
	s, ok := c.text(right, "the value of "+v.name)
	if !ok {
		return c.table.constant(false)
	}
	set, ok := c.members(right, v, []string{s})
	if !ok {
		return c.table.constant(false)
	}
	return negate(c.table.add(i, test{set: set, lo: 1}))
}

func (c *compiler) compareBool(i int, right ast.Expr, negate func(*formula) *formula) *formula {
	if right.Kind() == ast.LiteralKind {
		if b, ok := right.AsLiteral().(types.Bool); ok {
			t := c.table.add(i, test{set: just(1).set, lo: 1})
			if !b {
				t = c.table.add(i, test{set: just(0).set, lo: 1})
			}
			return negate(t)
		}
	}
	return c.fail(right, "compare it with true or false", "a yes/no fact cannot be compared with this")
}

// members turns names into the numbers of a finite variable's values.
func (c *compiler) members(e ast.Expr, v *variable, names []string) (bitset256, bool) {
	var set bitset256
	for _, s := range names {
		i := slices.Index(v.values, s)
		if i < 0 {
			fix := didYouMean(s, v.values)
			if v.fact != nil && v.fact.Type == typeCountry {
				fix = "write ISO 3166-1 alpha-2"
				if near := c.atlas.suggest(s); len(near) > 0 {
					fix = "did you mean " + strings.Join(near, ", ") + "?"
				}
			}
			c.fail(e, fix, "%q is not a value of %s", s, v.name)
			return set, false
		}
		set.add(i)
	}
	return set, true
}

func (c *compiler) ordered(operator string, i int, v *variable, right ast.Expr, negate func(*formula) *formula) *formula {
	k, ok := c.number(v, right)
	if !ok {
		return c.table.constant(false)
	}
	if k < v.min || k > v.max {
		return c.fail(right, "", "%d is outside the range %d to %d of %s", k, v.min, v.max, v.name)
	}
	t := test{lo: math.MinInt64, hi: math.MaxInt64}
	switch operator {
	case operators.Less:
		t.hi = k - 1
	case operators.LessEquals:
		t.hi = k
	case operators.Greater:
		t.lo = k + 1
	case operators.GreaterEquals:
		t.lo = k
	default:
		t.lo, t.hi = k, k
	}
	return negate(c.table.add(i, t))
}

// number reads an int constant, or a date("...") for a date.
func (c *compiler) number(v *variable, e ast.Expr) (int64, bool) {
	if v.fact.Type == typeDate {
		if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == "date" {
			s, ok := c.arg(e)
			if !ok {
				return 0, false
			}
			d, err := corridor.ParseDate(s)
			if err != nil {
				c.fail(e, "", "%w", err)
			}
			return int64(d), err == nil
		}
		c.fail(e, `write date("2026-11-24")`, "%s is a date and cannot be compared with this", v.name)
		return 0, false
	}
	if e.Kind() == ast.LiteralKind {
		if k, ok := e.AsLiteral().(types.Int); ok {
			return int64(k), true
		}
	}
	c.fail(e, "write a whole number", "%s is a number and cannot be compared with this", v.name)
	return 0, false
}
