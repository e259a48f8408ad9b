package exchange

import (
	"fmt"
	"regexp"
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
	actionDistribute = "distribute" // ODRL: supply to third parties
	actionDelete     = "delete"

	leftPurpose       = "purpose"
	leftCountry       = "corridor:recipientJurisdiction"
	leftSpatial       = "spatial"   // ODRL's own word for the same
	leftRecipient     = "recipient" // DID
	leftRecipientType = "corridor:recipientType"
	leftDeid          = "corridor:deidentification"
	leftOnward        = "corridor:onward"
	leftStorage       = "corridor:storagePlace"
	leftDateTime      = "dateTime"
	leftCount         = "count"
	leftElapsed       = "elapsedTime"
	leftColumn        = "corridor:column"
	leftParam         = "corridor:param"

	maxTermsCount    = 1_000_000
	maxTermsListSize = 512
	maxTermsRules    = 64
	maxTermsDepth    = 8
	maxTermsNodes    = 2048 // conditions of one policy
)

// The facts that words of the profile speak of.
const (
	factRecipientType = "recipient_type"
	factDeid          = "deid"
	factOnward        = "onward"
	factOnwardStates  = "onward_states"
	factStorage       = "storage_states"
	factRetention     = "foreign_retention_h"
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

// terms is what a policy says, understood completely or not at all: any one
// permission lets a use go ahead, unless a prohibition meets it.
type terms struct {
	permissions  []grant
	prohibitions []ban
}

// grant is one permission to use the data.
type grant struct {
	when   condition
	count  int64 // 0: no limit
	stages []plane.Stage
	// What the recipient does with the copy in the end; zero: it may keep it.
	within time.Duration // of the arrival
	by     time.Time     // the last instant
}

// ban is one prohibition.
type ban struct {
	action string // use or distribute
	when   condition
}

// policyReader carries the bounds of one policy.
type policyReader struct{ nodes int }

// readTerms understands a policy, or refuses it with the name of the word
// that it does not know: a constraint that is skipped would widen the offer.
func readTerms(p dsp.Policy) (terms, error) {
	var t terms
	var r policyReader
	if n := len(p.Permission) + len(p.Prohibition) + len(p.Obligation); n > maxTermsRules {
		return t, unknownWord("permission", fmt.Sprintf("%d rules", n), fmt.Sprintf("write at most %d", maxTermsRules))
	}
	if len(p.Permission) == 0 {
		return t, unknownWord("permission", "no permission", "say what is permitted: what no permission covers may not be done")
	}
	for i, rule := range p.Permission {
		g, err := r.permission(fmt.Sprintf("permission[%d]", i), rule)
		if err != nil {
			return t, err
		}
		t.permissions = append(t.permissions, g)
	}
	for i, rule := range p.Prohibition {
		b, err := r.prohibition(fmt.Sprintf("prohibition[%d]", i), rule)
		if err != nil {
			return t, err
		}
		t.prohibitions = append(t.prohibitions, b)
	}
	// A duty of the policy is one of every permission.
	for i, rule := range p.Obligation {
		for k := range t.permissions {
			if err := t.permissions[k].owe(fmt.Sprintf("obligation[%d]", i), rule); err != nil {
				return t, err
			}
		}
	}
	return t, nil
}

// plainWord reads a word of ODRL that is written with its prefix, or in full,
// as the word itself. Values of action and leftOperand are names ("@type":
// "@vocab"), and the protocol's context defines the prefix for good: it is
// protected. Only words that ODRL has and this profile uses are read so; the
// policy stays as it came, because it goes back to the peer.
func plainWord(s string) string {
	name, prefixed := strings.CutPrefix(s, "odrl:")
	if !prefixed {
		name, prefixed = strings.CutPrefix(s, "http://www.w3.org/ns/odrl/2/")
	}
	if !prefixed {
		return s
	}
	switch name {
	case actionUse, actionDistribute, actionDelete, leftPurpose, leftSpatial, leftRecipient, leftDateTime, leftCount, leftElapsed:
		return name
	}
	return s
}

func inPlainWords(c dsp.Constraint) *dsp.Constraint {
	c.LeftOperand = plainWord(c.LeftOperand)
	return &c
}

func unknownWord(where, word, fix string) error {
	return &corridor.Error{Kind: corridor.Invalid, Where: where, Msg: fmt.Sprintf("%q is not understood by this gateway", word),
		Why: "a policy is understood completely or refused, profile " + OdrlProfile, Fix: fix}
}

func (r *policyReader) permission(at string, rule dsp.Rule) (grant, error) {
	var g grant
	rule.Action = plainWord(rule.Action)
	if rule.Action != actionUse {
		return g, unknownWord(at+".action", rule.Action, `use "use"`)
	}
	list, err := r.conditions(at+".constraint", rule.Constraint, 0, &g)
	if err != nil {
		return g, err
	}
	g.when = condition{op: opAnd, list: list}
	for i, d := range rule.Duty {
		if err := g.owe(fmt.Sprintf("%s.duty[%d]", at, i), d); err != nil {
			return g, err
		}
	}
	return g, nil
}

func (r *policyReader) prohibition(at string, rule dsp.Rule) (ban, error) {
	rule.Action = plainWord(rule.Action)
	b := ban{action: rule.Action}
	if rule.Action != actionUse && rule.Action != actionDistribute {
		return b, unknownWord(at+".action", rule.Action, `prohibit "use" or "distribute"`)
	}
	if len(rule.Duty) > 0 {
		return b, unknownWord(at+".duty", rule.Duty[0].Action, "write duties inside a permission")
	}
	if rule.Action == actionUse && len(rule.Constraint) == 0 {
		return b, unknownWord(at, "a prohibition of every use", "leave the offer out of the catalogue")
	}
	list, err := r.conditions(at+".constraint", rule.Constraint, 0, nil)
	if err != nil {
		return b, err
	}
	if rule.Action == actionDistribute {
		for i, c := range list {
			if c.op != "" || c.left != leftSpatial {
				return b, unknownWord(fmt.Sprintf("%s.constraint[%d]", at, i), c.name(), `limit a prohibition of "distribute" by "spatial", the states it is distributed to, or not at all`)
			}
		}
	}
	b.when = condition{op: opAnd, list: list}
	return b, nil
}

// conditions reads a list of which all must hold. Into takes the limits that
// are no conditions on a single use; nil where those are not understood.
func (r *policyReader) conditions(at string, list []dsp.Constraint, depth int, into *grant) ([]condition, error) {
	var out []condition
	if depth > maxTermsDepth {
		return nil, unknownWord(at, "nesting this deep", fmt.Sprintf("nest at most %d levels", maxTermsDepth))
	}
	for i := range list {
		here, c := fmt.Sprintf("%s[%d]", at, i), inPlainWords(list[i])
		if r.nodes++; r.nodes > maxTermsNodes {
			return nil, unknownWord(here, "so many constraints", fmt.Sprintf("write at most %d", maxTermsNodes))
		}
		if op, inner := c.Logical(); op != "" {
			group, err := r.group(here+"."+op, op, inner, depth, into)
			if err != nil {
				return nil, err
			}
			out = append(out, group)
			continue
		}
		right, ok := c.Right()
		if !ok || len(right) == 0 || len(right) > maxTermsListSize {
			return nil, unknownWord(here+".rightOperand", string(c.RightOperand), "write a string, or an array of strings")
		}
		if c.LeftOperand == leftCount {
			if into == nil {
				return nil, unknownWord(here+".leftOperand", c.LeftOperand, `write "count" in a permission, outside of alternatives`)
			}
			if err := into.limit(here, c.Operator, right); err != nil {
				return nil, err
			}
			continue
		}
		one, err := compare(here, c, right)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func (r *policyReader) group(at, op string, inner []dsp.Constraint, depth int, into *grant) (condition, error) {
	switch op {
	case opAnd:
	case opOr, opXone:
		into = nil // a limit on a number of uses cannot be one of several ways
	default:
		return condition{}, unknownWord(at, op, `use "and", "or" or "xone"`)
	}
	list, err := r.conditions(at, inner, depth+1, into)
	return condition{op: op, list: list}, err
}

// wordsOf are the values of left operands that have a fixed list.
var wordsOf = map[string][]string{
	leftRecipientType: {"private", "group_affiliate", "state_body", "foreign_authority", "intl_org"},
	leftDeid:          {"none", "pseudonymised", "anonymised"},
	leftOnward:        {"none", "same_state", "third_state"},
}

var countryCode = regexp.MustCompile(`^[A-Z]{2}$`)

func compare(at string, c *dsp.Constraint, right []string) (condition, error) {
	left := c.LeftOperand
	switch left {
	case leftDateTime:
		return window(at, c.Operator, right)
	case leftPurpose, leftRecipientType, leftDeid, leftOnward:
		for i := range right {
			right[i] = strings.TrimPrefix(right[i], dsp.ExtensionPrefix)
			if words, fixed := wordsOf[left]; fixed && !slices.Contains(words, right[i]) {
				return condition{}, unknownWord(at+".rightOperand", right[i], "use one of "+strings.Join(words, ", "))
			}
		}
	case leftCountry, leftSpatial, leftStorage:
		for _, v := range right {
			if !countryCode.MatchString(v) {
				return condition{}, unknownWord(at+".rightOperand", v, "write a state as ISO 3166-1 alpha-2, for example KZ")
			}
		}
		if left == leftCountry {
			left = leftSpatial
		}
	case leftRecipient:
	default:
		return condition{}, unknownWord(at+".leftOperand", left, "use "+strings.Join([]string{leftPurpose, leftSpatial, leftRecipient, leftRecipientType, leftDeid, leftOnward, leftStorage, leftDateTime, leftCount}, ", "))
	}
	out := condition{left: left, as: c.LeftOperand, values: slices.Compact(slices.Sorted(slices.Values(right)))}
	switch {
	case c.Operator == dsp.IsAnyOf, c.Operator == dsp.Eq && len(right) == 1:
	case c.Operator == dsp.IsNoneOf, c.Operator == dsp.Neq && len(right) == 1:
		out.negated = true
	default:
		return out, unknownWord(at+".operator", string(c.Operator), "use eq or neq with one value, isAnyOf or isNoneOf with several")
	}
	return out, nil
}

// window reads a comparison with an instant, or with a day, which is meant as
// a whole: up to a day includes it, after a day begins when it is over.
func window(at string, op dsp.Operator, right []string) (condition, error) {
	c := condition{left: leftDateTime, as: leftDateTime, values: right}
	if len(right) != 1 {
		return c, unknownWord(at+".rightOperand", strings.Join(right, " "), "write one instant")
	}
	begin, err := dsp.ParseTime(right[0])
	end := begin.Add(time.Nanosecond)
	if err != nil {
		d, derr := corridor.ParseDate(right[0])
		if derr != nil {
			return c, unknownWord(at+".rightOperand", right[0], "write it like 2026-11-24T09:30:00Z or 2026-11-24")
		}
		begin = d.Time()
		end = begin.AddDate(0, 0, 1)
	}
	begin, end = begin.UTC(), end.UTC()
	if begin.Year() < 1900 { // the first instants that can be written stand for none
		return c, unknownWord(at+".rightOperand", right[0], "write a time from 1900 on")
	}
	switch op {
	case dsp.Gt:
		c.from = end
	case dsp.Gteq:
		c.from = begin
	case dsp.Lt:
		c.until = begin
	case dsp.Lteq:
		c.until = end
	case dsp.Eq, dsp.Neq:
		c.from, c.until, c.negated = begin, end, op == dsp.Neq
	default:
		return c, unknownWord(at+".operator", string(op), "use eq, neq, gteq, gt, lteq or lt")
	}
	return c, nil
}

func (g *grant) limit(at string, op dsp.Operator, right []string) error {
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
	if g.count == 0 || n < g.count {
		g.count = n
	}
	return nil
}

// owe adds a duty to the permission.
func (g *grant) owe(at string, d dsp.Rule) error {
	if len(d.Duty) > 0 {
		return unknownWord(at+".duty", d.Duty[0].Action, "list the duties side by side")
	}
	if plainWord(d.Action) == actionDelete {
		return g.oweDeletion(at, d)
	}
	stage, err := readDuty(at, d)
	if err == nil {
		g.stages = append(g.stages, stage)
	}
	return err
}

// oweDeletion reads by when the recipient deletes its copy. Of several, the
// earliest counts.
func (g *grant) oweDeletion(at string, d dsp.Rule) error {
	if len(d.Constraint) == 0 {
		return unknownWord(at, "delete without a time", `add {"leftOperand": "elapsedTime", "operator": "lteq", "rightOperand": "P30D"}`)
	}
	for i := range d.Constraint {
		here, c := fmt.Sprintf("%s.constraint[%d]", at, i), inPlainWords(d.Constraint[i])
		right, ok := c.Right()
		switch {
		case !ok || len(right) != 1:
			return unknownWord(here+".rightOperand", string(c.RightOperand), "write one string")
		case c.LeftOperand == leftElapsed && (c.Operator == dsp.Lteq || c.Operator == dsp.Eq):
			span, err := readSpanOfTime(right[0])
			if err != nil {
				return unknownWord(here+".rightOperand", right[0], "write a number of weeks, days or hours from one hour to ten years as P2W, P30D or PT36H: months and years differ in length")
			}
			if g.within == 0 || span < g.within {
				g.within = span
			}
		case c.LeftOperand == leftDateTime && (c.Operator == dsp.Lteq || c.Operator == dsp.Lt):
			w, err := window(here, c.Operator, right)
			if err != nil {
				return err
			}
			if last := w.until.Add(-time.Nanosecond); g.by.IsZero() || last.Before(g.by) {
				g.by = last
			}
		default:
			return unknownWord(here, c.LeftOperand+" "+string(c.Operator), "use elapsedTime or dateTime with lteq")
		}
	}
	return nil
}

var spanOfTime = regexp.MustCompile(`^P(?:(\d{1,4})W|(?:(\d{1,5})D)?(?:T(\d{1,6})H)?)$`)

// readSpanOfTime reads the part of ISO 8601 durations whose length does not
// depend on the calendar.
func readSpanOfTime(s string) (time.Duration, error) {
	m := spanOfTime.FindStringSubmatch(s)
	if m == nil {
		return 0, corridor.E(corridor.Invalid, "%q is not a duration", s)
	}
	var hours int64
	for i, each := range []int64{7 * 24, 24, 1} {
		if m[i+1] != "" {
			n, err := strconv.ParseInt(m[i+1], 10, 64)
			if err != nil {
				return 0, corridor.E(corridor.Invalid, "%q is not a duration", s)
			}
			hours += n * each
		}
	}
	if hours < 1 || hours > 10*366*24 {
		return 0, corridor.E(corridor.Invalid, "%q is out of bounds", s)
	}
	return time.Duration(hours) * time.Hour, nil
}

func readDuty(at string, d dsp.Rule) (plane.Stage, error) {
	do, ok := stageOf(d.Action)
	if !ok {
		return plane.Stage{}, unknownWord(at+".action", d.Action, "use corridor:drop, corridor:mask, corridor:pseudonymise, corridor:generalise or delete")
	}
	stage := plane.Stage{Do: do}
	for i := range d.Constraint {
		here, c := fmt.Sprintf("%s.constraint[%d]", at, i), inPlainWords(d.Constraint[i])
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
