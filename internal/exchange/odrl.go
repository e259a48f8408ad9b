package exchange

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/plane"
)

// OdrlProfile names the words that this gateway adds to ODRL. They are listed
// in docs/odrl-profile.md.
const OdrlProfile = "urn:corridor:odrl:1"

// The words of the profile. Everything else in a policy is refused by name.
const (
	actionUse        = "use"
	leftPurpose      = "purpose"
	leftCountry      = "corridor:recipientJurisdiction"
	leftSpatial      = "spatial" // ODRL's own word for the same
	leftDateTime     = "dateTime"
	leftCount        = "count"
	leftColumn       = "corridor:column"
	leftParam        = "corridor:param"
	maxTermsCount    = 1_000_000
	maxTermsListSize = 512
)

// stageOf maps the profile's duties to the stages of the data plane.
func stageOf(action string) (string, bool) {
	stage, ours := strings.CutPrefix(action, dsp.ExtensionPrefix)
	switch stage {
	case "drop", "mask", "pseudonymise", "generalise":
		return stage, ours
	}
	return "", false
}

// oneOf is a condition on a word: any of some, and none of others.
type oneOf struct {
	any  []string // nil: no limit
	none []string
}

func (o oneOf) admits(v string) bool {
	return (o.any == nil || slices.Contains(o.any, v)) && !slices.Contains(o.none, v)
}

// terms is what a policy says, understood completely or not at all.
type terms struct {
	purpose oneOf
	country oneOf
	from    time.Time // zero: no limit
	until   time.Time // zero: no limit; the last instant
	count   int64     // 0: no limit
	stages  []plane.Stage
}

// readTerms understands a policy, or refuses it with the name of the word
// that it does not know: a constraint that is skipped would widen the offer.
func readTerms(p dsp.Policy) (terms, error) {
	var t terms
	if len(p.Prohibition) > 0 {
		return t, unknownWord("prohibition", p.Prohibition[0].Action, "say what is permitted, with constraints")
	}
	if len(p.Obligation) > 0 {
		return t, unknownWord("obligation", p.Obligation[0].Action, "write it as a duty of the permission")
	}
	if len(p.Permission) != 1 {
		return t, unknownWord("permission", fmt.Sprintf("%d rules", len(p.Permission)), "write exactly one permission")
	}
	rule := p.Permission[0]
	if rule.Action != actionUse {
		return t, unknownWord("permission[0].action", rule.Action, `use "use"`)
	}
	if err := t.constrain("permission[0].constraint", rule.Constraint); err != nil {
		return t, err
	}
	for i, d := range rule.Duty {
		stage, err := readDuty(fmt.Sprintf("permission[0].duty[%d]", i), d)
		if err != nil {
			return t, err
		}
		t.stages = append(t.stages, stage)
	}
	return t, nil
}

func unknownWord(where, word, fix string) error {
	return &corridor.Error{Kind: corridor.Invalid, Where: where, Msg: fmt.Sprintf("%q is not understood by this gateway", word),
		Why: "a policy is understood completely or refused, profile " + OdrlProfile, Fix: fix}
}

func (t *terms) constrain(at string, list []dsp.Constraint) error {
	for i := range list {
		here := fmt.Sprintf("%s[%d]", at, i)
		c := &list[i]
		if op, inner := c.Logical(); op == "and" {
			if err := t.constrain(here+".and", inner); err != nil {
				return err
			}
			continue
		} else if op != "" {
			return unknownWord(here, op, `write the alternatives as one "isAnyOf"`)
		}
		right, ok := c.Right()
		if !ok || len(right) == 0 || len(right) > maxTermsListSize {
			return unknownWord(here+".rightOperand", string(c.RightOperand), "write a string, or an array of strings")
		}
		if err := t.compare(here, c, right); err != nil {
			return err
		}
	}
	return nil
}

func (t *terms) compare(at string, c *dsp.Constraint, right []string) error {
	switch c.LeftOperand {
	case leftPurpose:
		for i := range right {
			right[i] = strings.TrimPrefix(right[i], dsp.ExtensionPrefix)
		}
		return t.purpose.restrict(at, c.Operator, right)
	case leftCountry, leftSpatial:
		return t.country.restrict(at, c.Operator, right)
	case leftDateTime:
		return t.window(at, c.Operator, right)
	case leftCount:
		return t.limit(at, c.Operator, right)
	}
	return unknownWord(at+".leftOperand", c.LeftOperand, "use purpose, spatial, "+leftCountry+", dateTime or count")
}

func (o *oneOf) restrict(at string, op dsp.Operator, right []string) error {
	switch {
	case op == dsp.IsNoneOf, op == dsp.Neq && len(right) == 1:
		o.none = append(o.none, right...)
	case op == dsp.IsAnyOf, op == dsp.Eq && len(right) == 1:
		if o.any == nil {
			o.any = right
			return nil
		}
		both := []string{} // two constraints hold together
		for _, v := range o.any {
			if slices.Contains(right, v) {
				both = append(both, v)
			}
		}
		o.any = both
	default:
		return unknownWord(at+".operator", string(op), "use eq, neq, isAnyOf or isNoneOf")
	}
	return nil
}

func (t *terms) window(at string, op dsp.Operator, right []string) error {
	if len(right) != 1 {
		return unknownWord(at+".rightOperand", strings.Join(right, " "), "write one instant")
	}
	when, err := dsp.ParseTime(right[0])
	if err != nil {
		d, derr := corridor.ParseDate(right[0])
		if derr != nil {
			return unknownWord(at+".rightOperand", right[0], "write it like 2026-11-24T09:30:00Z or 2026-11-24")
		}
		when = d.Time()
		if op == dsp.Lteq || op == dsp.Gt { // up to, or after, the whole day
			when = when.AddDate(0, 0, 1).Add(-time.Second)
		}
	}
	switch op {
	case dsp.Gt:
		when = when.Add(time.Second)
		fallthrough
	case dsp.Gteq:
		if when.After(t.from) {
			t.from = when
		}
	case dsp.Lt:
		when = when.Add(-time.Second)
		fallthrough
	case dsp.Lteq:
		if t.until.IsZero() || when.Before(t.until) {
			t.until = when
		}
	default:
		return unknownWord(at+".operator", string(op), "use gteq, gt, lteq or lt")
	}
	return nil
}

func (t *terms) limit(at string, op dsp.Operator, right []string) error {
	n, err := strconv.ParseInt(right[0], 10, 64)
	if err != nil || len(right) != 1 || n < 1 || n > maxTermsCount {
		return unknownWord(at+".rightOperand", strings.Join(right, " "), fmt.Sprintf(`write a whole number from "1" to "%d"`, maxTermsCount))
	}
	switch {
	case op == dsp.Lteq:
	case op == dsp.Lt && n > 1:
		n--
	default:
		return unknownWord(at+".operator", string(op), "use lteq")
	}
	if t.count == 0 || n < t.count {
		t.count = n
	}
	return nil
}

func readDuty(at string, d dsp.Rule) (plane.Stage, error) {
	do, ok := stageOf(d.Action)
	if !ok {
		return plane.Stage{}, unknownWord(at+".action", d.Action, "use corridor:drop, corridor:mask, corridor:pseudonymise or corridor:generalise")
	}
	stage := plane.Stage{Do: do}
	for i := range d.Constraint {
		here, c := fmt.Sprintf("%s.constraint[%d]", at, i), &d.Constraint[i]
		right, ok := c.Right()
		switch {
		case !ok || len(right) == 0:
			return stage, unknownWord(here+".rightOperand", string(c.RightOperand), "write a string, or an array of strings")
		case c.LeftOperand == leftColumn && (c.Operator == dsp.Eq || c.Operator == dsp.IsAnyOf):
			stage.Columns = append(stage.Columns, right...)
		case c.LeftOperand == leftParam && c.Operator == dsp.Eq && len(right) == 1 && stage.Param == "":
			stage.Param = right[0]
		default:
			return stage, unknownWord(here, c.LeftOperand+" "+string(c.Operator), "use "+leftColumn+" with isAnyOf, "+leftParam+" with eq")
		}
	}
	if len(stage.Columns) == 0 {
		return stage, unknownWord(at, d.Action+" without "+leftColumn, "name the columns")
	}
	return stage, nil
}

// check says whether the terms admit one use. Used counts the uses before it.
func (t terms) check(purpose, country string, at time.Time, used int64) error {
	refuse := func(where, msg string, args ...any) error {
		return &corridor.Error{Kind: corridor.Forbidden, Where: where, Msg: fmt.Sprintf(msg, args...), Why: "the offer's policy"}
	}
	switch {
	case !t.purpose.admits(purpose):
		return refuse(leftPurpose, "the offer does not admit the purpose %q", purpose)
	case !t.country.admits(country):
		return refuse(leftCountry, "the offer does not admit recipients in %s", country)
	case !t.from.IsZero() && at.Before(t.from):
		return refuse(leftDateTime, "the offer begins at %s", dsp.FormatTime(t.from))
	case !t.until.IsZero() && at.After(t.until):
		return refuse(leftDateTime, "the offer ended at %s", dsp.FormatTime(t.until))
	case t.count > 0 && used >= t.count:
		return refuse(leftCount, "the offer admits %d uses, and all were made", t.count)
	}
	return nil
}
