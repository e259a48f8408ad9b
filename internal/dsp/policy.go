package dsp

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"corridor"
)

// Policy is what an offer and an agreement have in common.
type Policy struct {
	ID          string  `json:"@id"`
	Profile     Strings `json:"profile,omitempty"`
	Target      string  `json:"target,omitempty"`
	Assigner    string  `json:"assigner,omitempty"`
	Assignee    string  `json:"assignee,omitempty"`
	Permission  []Rule  `json:"permission,omitempty"`
	Prohibition []Rule  `json:"prohibition,omitempty"`
	Obligation  []Rule  `json:"obligation,omitempty"`
}

// Offer is a policy under which a dataset can be had. In a catalogue it has
// no target; in a message it has one.
type Offer struct {
	Tag tag[Offer] `json:"@type"`
	Policy
	Extensions
}

// Agreement is a policy that both sides accepted.
type Agreement struct {
	Tag tag[Agreement] `json:"@type" dsp:"required"`
	Policy
	Timestamp string `json:"timestamp,omitempty"` // XSD dateTime
	Extensions
	// Raw is the agreement as it arrived, byte for byte, for checking
	// signatures; of a message that was expanded, its compact form. It is not
	// written.
	Raw json.RawMessage `json:"-" dsp:"raw"`
}

// Rule is a permission, a prohibition or a duty.
type Rule struct {
	Action     string       `json:"action"`
	Constraint []Constraint `json:"constraint,omitempty"`
	Duty       []Rule       `json:"duty,omitempty"`
}

// Constraint is either one comparison, or one logical combination.
type Constraint struct {
	LeftOperand  string          `json:"leftOperand,omitempty"`
	Operator     Operator        `json:"operator,omitempty"`
	RightOperand json.RawMessage `json:"rightOperand,omitempty"` // string, object or array: never a number

	And         []Constraint `json:"and,omitempty"`
	Or          []Constraint `json:"or,omitempty"`
	Xone        []Constraint `json:"xone,omitempty"`
	AndSequence []Constraint `json:"andSequence,omitempty"`
}

// Operator compares the operands of a constraint.
type Operator string

// The operators of the DSP profile of ODRL.
const (
	Eq       Operator = "eq"
	Neq      Operator = "neq"
	Gt       Operator = "gt"
	Gteq     Operator = "gteq"
	Lt       Operator = "lt"
	Lteq     Operator = "lteq"
	IsA      Operator = "isA"
	HasPart  Operator = "hasPart"
	IsPartOf Operator = "isPartOf"
	IsAllOf  Operator = "isAllOf"
	IsAnyOf  Operator = "isAnyOf"
	IsNoneOf Operator = "isNoneOf"
)

const operatorNames = "eq, neq, gt, gteq, lt, lteq, isA, hasPart, isPartOf, isAllOf, isAnyOf, isNoneOf"

func (o Operator) known() bool {
	switch o {
	case Eq, Neq, Gt, Gteq, Lt, Lteq, IsA, HasPart, IsPartOf, IsAllOf, IsAnyOf, IsNoneOf:
		return true
	}
	return false
}

// Compare makes a comparison with text on the right.
func Compare(left string, op Operator, right string) Constraint {
	return Constraint{LeftOperand: left, Operator: op, RightOperand: quote(right)}
}

// Logical gives the operator and the operands of a logical constraint, or
// nothing for a comparison.
func (c *Constraint) Logical() (op string, operands []Constraint) {
	switch {
	case c.And != nil:
		return "and", c.And
	case c.Or != nil:
		return "or", c.Or
	case c.Xone != nil:
		return "xone", c.Xone
	case c.AndSequence != nil:
		return "andSequence", c.AndSequence
	}
	return "", nil
}

// Right gives the right operand as a list of texts: a string, the "@value"
// or "@id" of an object, or the elements of an array of those. It says false
// for anything else, which a reader must treat as a constraint that it does
// not understand.
func (c *Constraint) Right() ([]string, bool) { return operandTexts(c.RightOperand, true) }

func operandTexts(raw json.RawMessage, list bool) ([]string, bool) {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return []string{s}, true
	}
	var o struct {
		Value *string `json:"@value"`
		ID    *string `json:"@id"`
	}
	if json.Unmarshal(raw, &o) == nil {
		switch {
		case o.Value != nil && o.ID == nil:
			return []string{*o.Value}, true
		case o.ID != nil && o.Value == nil:
			return []string{*o.ID}, true
		}
		return nil, false
	}
	var a []json.RawMessage
	if !list || json.Unmarshal(raw, &a) != nil {
		return nil, false
	}
	out := make([]string, 0, len(a))
	for _, e := range a {
		t, ok := operandTexts(e, false)
		if !ok {
			return nil, false
		}
		out = append(out, t...)
	}
	return out, true
}

// refuses names the members of a rule that change its meaning and that this
// reader does not carry: dropping them would widen what is permitted.
func (Rule) refuses() map[string]string {
	const notHere = "DSP 2025-1 has no such member in a rule; dropping it would change the rule"
	return map[string]string{
		"target": "DSP 2025-1: the target stands on the policy, never on a rule", "assigner": notHere, "assignee": notHere,
		"refinement": notHere, "consequence": notHere, "remedy": notHere, "failure": notHere,
		"permission": notHere, "prohibition": notHere, "obligation": notHere,
	}
}

func (Constraint) refuses() map[string]string {
	const notHere = "DSP 2025-1 has no such member in a constraint; dropping it would change the constraint"
	return map[string]string{"rightOperandReference": notHere, "unit": notHere, "dataType": notHere, "status": notHere, "constraint": notHere}
}

func (p *Policy) validate(at string) error {
	if err := firstOf(need(at+".@id", p.ID), short(at+".target", p.Target),
		short(at+".assigner", p.Assigner), short(at+".assignee", p.Assignee)); err != nil {
		return err
	}
	if len(p.Permission)+len(p.Prohibition) == 0 {
		return invalid(at, "has neither a permission nor a prohibition", `add at least "permission": [{"action": "use"}]`)
	}
	for _, l := range []struct {
		name  string
		rules []Rule
	}{{"permission", p.Permission}, {"prohibition", p.Prohibition}, {"obligation", p.Obligation}} {
		if err := validateRules(at+"."+l.name, l.rules, l.name != "obligation"); err != nil {
			return err
		}
	}
	return nil
}

func validateRules(at string, rules []Rule, duties bool) error {
	for i := range rules {
		here, r := index(at, i), &rules[i]
		if err := need(here+".action", r.Action); err != nil {
			return err
		}
		if len(r.Duty) > 0 && !duties {
			return invalid(here+".duty", "is a duty inside a duty", "list the duties side by side")
		}
		if err := firstOf(validateConstraints(here+".constraint", r.Constraint), validateRules(here+".duty", r.Duty, false)); err != nil {
			return err
		}
	}
	return nil
}

func validateConstraints(at string, list []Constraint) error {
	for i := range list {
		if err := list[i].validate(index(at, i)); err != nil {
			return err
		}
	}
	return nil
}

func (c *Constraint) validate(at string) error {
	atomic := c.LeftOperand != "" || c.Operator != "" || len(c.RightOperand) > 0
	forms := 0
	for _, l := range [][]Constraint{c.And, c.Or, c.Xone, c.AndSequence} {
		if l != nil {
			forms++
		}
	}
	if atomic {
		forms++
	}
	if forms != 1 {
		return invalid(at, "has "+strconv.Itoa(forms)+" forms where exactly one belongs",
			"give leftOperand, operator and rightOperand, or one of and, or, xone, andSequence")
	}
	if op, list := c.Logical(); op != "" {
		if len(list) == 0 {
			return invalid(at+"."+op, "is empty", "leave the constraint out, or give it operands")
		}
		return validateConstraints(at+"."+op, list)
	}
	if err := need(at+".leftOperand", c.LeftOperand); err != nil {
		return err
	}
	if !c.Operator.known() {
		return invalid(at+".operator", strconv.Quote(clip(string(c.Operator)))+" is not an operator", "use one of "+operatorNames)
	}
	return validateOperand(at+".rightOperand", c.RightOperand)
}

func validateOperand(at string, raw json.RawMessage) error {
	switch first(raw) {
	case '"', '{', '[':
		if !json.Valid(raw) {
			return invalid(at, "is not JSON", "")
		}
		return nil
	case 0:
		return invalid(at, "is missing", "")
	}
	return invalid(at, "is neither text, object nor array", `write a number as text, for example "5"`)
}

// Validate checks an offer as it stands in a catalogue.
func (o *Offer) validateListed(at string) error {
	if o.Target != "" {
		return invalid(at+".target", "stands on an offer inside a catalogue", "leave it out: the dataset is the target")
	}
	return o.validate(at)
}

func (o *Offer) validateSent(at string) error {
	return firstOf(o.validate(at), need(at+".target", o.Target))
}

func (a *Agreement) validateSent(at string) error {
	if err := firstOf(a.validate(at), need(at+".target", a.Target), need(at+".assigner", a.Assigner), need(at+".assignee", a.Assignee)); err != nil {
		return err
	}
	if a.Timestamp == "" {
		return nil
	}
	if _, err := ParseTime(a.Timestamp); err != nil {
		return invalid(at+".timestamp", strconv.Quote(clip(a.Timestamp))+" is not an XSD dateTime", "write it like 2026-11-24T09:30:00Z")
	}
	return nil
}

// ParseTime reads an XSD dateTime. Without a zone it is taken as UTC.
func ParseTime(s string) (time.Time, error) {
	// time.Parse accepts a comma before the fraction; XSD does not.
	if !strings.Contains(s, ",") {
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
			if t, err := time.Parse(layout, s); err == nil {
				return t, nil
			}
		}
	}
	return time.Time{}, corridor.E(corridor.Invalid, "%q is not an XSD dateTime", clip(s))
}

// FormatTime writes an instant as the protocol wants it, in UTC.
func FormatTime(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

// Actions lists every action that the policy's rules name, once each.
func (p *Policy) Actions() []string {
	var out []string
	for _, l := range [][]Rule{p.Permission, p.Prohibition, p.Obligation} {
		for _, r := range l {
			if !slices.Contains(out, r.Action) {
				out = append(out, r.Action)
			}
		}
	}
	return out
}
