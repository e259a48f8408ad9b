package engines

import (
	"fmt"
	"iter"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"corridor"
)

// Cedar writes a law as policies: one permit per hit, which the annotation
// names. Facts are attributes of the context; an absent number is not there.
// Cedar has no names for parts of a condition, so they stand written out.
func (l *Law) Cedar() string {
	var out strings.Builder
	for _, h := range l.Hits {
		fmt.Fprintf(&out, "@hit(%q)\npermit (principal, action, resource)", h.ID)
		kids := []*cond{h.cond}
		if h.cond.op == opAnd {
			kids = h.cond.kids
		}
		for _, k := range kids {
			if k.op == opNot {
				fmt.Fprintf(&out, "\nunless { %s }", k.kids[0].cedar())
			} else {
				fmt.Fprintf(&out, "\nwhen { %s }", k.cedar())
			}
		}
		out.WriteString(";\n\n")
	}
	return out.String()
}

// cedar writes a condition.
func (c *cond) cedar() string {
	fact := fmt.Sprintf("context[%q]", c.fact)
	switch c.op {
	case opTrue:
		return "true"
	case opAnd, opOr:
		if len(c.kids) == 0 {
			return fmt.Sprint(c.op == opAnd)
		}
		sep := map[op]string{opAnd: " && ", opOr: " || "}[c.op]
		var parts []string
		for _, k := range c.kids {
			parts = append(parts, k.cedar())
		}
		return "(" + strings.Join(parts, sep) + ")"
	case opNot:
		return "!(" + c.kids[0].cedar() + ")"
	case opNamed:
		return c.kids[0].cedar()
	case opYes:
		return fact
	case opNone:
		return fmt.Sprintf("!(context has %q)", c.fact)
	case opCmp:
		return fmt.Sprintf("(context has %q && %s %s %d)", c.fact, fact, c.cmp, c.number)
	case opHas:
		return fmt.Sprintf("%s.contains(%q)", fact, c.words[0])
	case opWithin:
		return fmt.Sprintf("%s.containsAll(%s)", quoted("[", c.words, "]"), fact)
	}
	if len(c.words) == 1 {
		return fmt.Sprintf("%s == %q", fact, c.words[0])
	}
	return fmt.Sprintf("%s.contains(%s)", quoted("[", c.words, "]"), fact)
}

// CedarLaw is cedar-go with the policies of one law.
type CedarLaw struct {
	law      *Law
	all      policies
	byStrict [4]policies // those that contribute an outcome, by outcome
}

// policies is a list of policies. Authorize walks it in order, without the
// map that a PolicySet is.
type policies []entry

type entry struct {
	id     cedar.PolicyID
	policy *cedar.Policy
}

// All implements cedar.PolicyIterator.
func (p policies) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for i := range p {
			if !yield(p[i].id, p[i].policy) {
				return
			}
		}
	}
}

// NewCedar reads the policies of a law.
func NewCedar(l *Law, text string) (*CedarLaw, error) {
	list, err := cedar.NewPolicyListFromBytes(l.Name(), []byte(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.Name(), err)
	}
	c := &CedarLaw{law: l}
	for _, p := range list {
		e := entry{cedar.PolicyID(p.Annotations()["hit"]), p}
		c.all = append(c.all, e)
		if h := l.byID[string(e.id)]; h.Speaks {
			c.byStrict[h.Outcome] = append(c.byStrict[h.Outcome], e)
		}
	}
	return c, nil
}

// Outcome asks the strictest policies first and stops at the first that hold.
func (c *CedarLaw) Outcome(context types.Record) (corridor.Outcome, error) {
	for o := corridor.Deny; o <= corridor.Allow; o++ {
		if len(c.byStrict[o]) == 0 {
			continue
		}
		ok, d := cedar.Authorize(c.byStrict[o], nil, cedar.Request{Context: context})
		if len(d.Errors) > 0 {
			return corridor.Undetermined, fmt.Errorf("cedar: %s: %v", c.law.Name(), d.Errors[0])
		}
		if ok == cedar.Allow {
			return c.law.says(o), nil
		}
	}
	return c.law.says(c.law.Silence), nil
}

// Decide gives the side's answer.
func (c *CedarLaw) Decide(context types.Record) (Answer, error) {
	_, d := cedar.Authorize(c.all, nil, cedar.Request{Context: context})
	if len(d.Errors) > 0 {
		return Answer{}, fmt.Errorf("cedar: %s: %v", c.law.Name(), d.Errors[0])
	}
	hits := make([]*Hit, 0, len(d.Reasons))
	for _, r := range d.Reasons {
		hits = append(hits, c.law.byID[string(r.PolicyID)])
	}
	return c.law.answer(hits), nil
}

// Context writes a world as Cedar reads it.
func (w *World) Context() types.Record {
	m := types.RecordMap{}
	for name, v := range w.Facts {
		switch v := v.(type) {
		case bool:
			m[types.String(name)] = types.Boolean(v)
		case int64:
			m[types.String(name)] = types.Long(v)
		case string:
			m[types.String(name)] = types.String(v)
		case []string:
			set := make([]types.Value, 0, len(v))
			for _, s := range v {
				set = append(set, types.String(s))
			}
			m[types.String(name)] = types.NewSet(set...)
		}
	}
	return types.NewRecord(m)
}
