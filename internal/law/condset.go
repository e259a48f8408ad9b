package law

import (
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// in compiles  fact in [...],  country in list("name")  and  "member" in set.
func (c *compiler) in(e, left, right ast.Expr) *formula {
	if left.Kind() == ast.LiteralKind {
		return c.memberOf(e, left, right)
	}
	i, v := c.variableOf(left)
	if v == nil {
		return c.table.constant(false)
	}
	if v.kind == ranged || v.fact != nil && v.fact.Type == typeBool {
		return c.fail(e, "use a comparison", "in does not work on %s", v.name)
	}
	if right.Kind() == ast.CallKind && right.AsCall().FunctionName() == "list" {
		return c.inList(e, i, v, right)
	}
	names, ok := c.texts(right, "the right side of in")
	if !ok {
		return c.table.constant(false)
	}
	set, ok := c.members(right, v, names)
	if !ok {
		return c.table.constant(false)
	}
	return c.table.add(i, test{set: set, lo: 1})
}

func (c *compiler) inList(e ast.Expr, i int, v *variable, right ast.Expr) *formula {
	name, ok := c.arg(right)
	switch {
	case !ok:
		return c.table.constant(false)
	case c.pack == nil:
		return c.fail(e, "", "an axiom may test vocabulary facts only")
	case v.fact == nil || v.fact.Type != typeCountry:
		return c.fail(e, "", "list() holds countries, and %s is not one", v.name)
	}
	at := slices.IndexFunc(c.pack.lists, func(l *countryList) bool { return l.name == name })
	if at < 0 {
		var names []string
		for _, l := range c.pack.lists {
			names = append(names, l.name)
		}
		return c.fail(right, didYouMean(name, names), "unknown list %q", name)
	}
	return c.table.add(i, test{lo: 1, list: at + 1})
}

// setFact finds the set fact that e names.
func (c *compiler) setFact(e ast.Expr) *fact {
	if e.Kind() != ast.IdentKind {
		c.fail(e, "name a set fact", "this is not a set fact")
		return nil
	}
	f := c.factOf(e)
	if f != nil && f.Type != typeSet && f.Type != typeCountries {
		c.fail(e, "", "fact %s is of type %s, not a set", f.Name, f.Type)
		return nil
	}
	return f
}

// memberAtom is the yes/no question whether a set fact holds a member.
func (c *compiler) memberAtom(e ast.Expr, f *fact, member string) *formula {
	valid := f.Values
	if f.Type == typeCountries {
		valid = c.atlas.codes
	}
	if !slices.Contains(valid, member) {
		return c.fail(e, didYouMean(member, valid), "%q is not a member of %s", member, f.Name)
	}
	v, _ := f.memberVar(c.vars, member)
	return c.table.add(v, test{set: just(1).set, lo: 1})
}

func (c *compiler) memberOf(e, left, right ast.Expr) *formula {
	f := c.setFact(right)
	if f == nil {
		return c.table.constant(false)
	}
	s, ok := left.AsLiteral().(types.String)
	if !ok {
		return c.fail(left, "", "a member of %s is text in quotes", f.Name)
	}
	return c.memberAtom(left, f, string(s))
}

// sets compiles  set.overlaps([...])  and  set.within([...]).
func (c *compiler) sets(e ast.Expr) *formula {
	call := e.AsCall()
	if !call.IsMemberFunction() || len(call.Args()) != 1 {
		return c.fail(e, `write set.`+call.FunctionName()+`(["a", "b"])`, "%s is asked of a set, with one list", call.FunctionName())
	}
	f := c.setFact(call.Target())
	if f == nil {
		return c.table.constant(false)
	}
	names, ok := c.texts(call.Args()[0], "the argument of "+call.FunctionName())
	if !ok {
		return c.table.constant(false)
	}
	var in []*formula
	for _, s := range names {
		in = append(in, c.memberAtom(call.Args()[0], f, s))
	}
	if call.FunctionName() == "overlaps" {
		return join(opOr, in...)
	}
	var out []*formula
	for _, i := range f.vars {
		if !slices.Contains(names, c.vars[i].member) {
			out = append(out, not(c.table.add(i, test{set: just(1).set, lo: 1})))
		}
	}
	return join(opAnd, out...)
}
