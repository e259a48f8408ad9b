package exchange

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"corridor"
	"corridor/internal/dsp"
)

// The logical operators.
const (
	opAnd  = "and"
	opOr   = "or"
	opXone = "xone" // exactly one
)

// condition is a comparison, or a logical combination of conditions.
type condition struct {
	op   string // of list; empty: a comparison
	list []condition

	left, as string // as: the word that the policy used
	values   []string
	negated  bool
	from     time.Time // dateTime: holds from here; zero: from ever
	until    time.Time // dateTime: holds before this; zero: for ever
}

func (c *condition) name() string {
	if c.op != "" {
		return c.op
	}
	return c.as
}

// truth is what a condition comes to when not everything is known.
type truth uint8

const (
	unknown truth = iota
	no
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// use is what a policy is asked about: one use of the data, as far as it is
// known.
type use struct {
	purpose   string // empty: not known
	recipient corridor.Participant
	facts     corridor.Facts
	at        time.Time // zero: any time
	used      int64     // uses before it
}

// holds says what a condition comes to. Blame, if not nil, is told of the
// comparisons that keep it from holding.
func (c *condition) holds(u use, blame func(*condition, truth)) truth {
	if c.op == "" {
		v := c.compared(u)
		if v != yes && blame != nil {
			blame(c, v)
		}
		return v
	}
	inner := blame
	if c.op != opAnd {
		inner = nil // no single alternative is to blame
	}
	count := [3]int{}
	for i := range c.list {
		count[c.list[i].holds(u, inner)]++
	}
	v := yes
	switch {
	case c.op == opAnd && count[no] > 0, c.op != opAnd && count[yes]+count[unknown] == 0, c.op == opXone && count[yes] > 1:
		v = no
	case c.op != opOr && count[unknown] > 0, c.op == opOr && count[yes] == 0:
		v = unknown
	}
	if v != yes && blame != nil && c.op != opAnd {
		blame(c, v)
	}
	return v
}

func (c *condition) compared(u use) truth {
	if c.left == leftDateTime {
		if u.at.IsZero() {
			return unknown
		}
		inside := (c.from.IsZero() || !u.at.Before(c.from)) && (c.until.IsZero() || u.at.Before(c.until))
		return truthOf(inside != c.negated)
	}
	if c.left == leftStorage {
		return c.ofAll(u.facts[factStorage])
	}
	possible, known := u.possible(c.left)
	if !known || len(possible) == 0 {
		return unknown
	}
	in := 0
	for _, v := range possible {
		if slices.Contains(c.values, v) != c.negated {
			in++
		}
	}
	switch in {
	case len(possible):
		return yes
	case 0:
		return no
	}
	return unknown
}

// ofAll compares a set of states: all of them are among the values, or none.
func (c *condition) ofAll(v any) truth {
	all, known := texts(v)
	if !known {
		part, _ := v.(map[string]any) // {has, lacks}: the rest is open
		all, _ = texts(part["has"])
	}
	for _, s := range all {
		if slices.Contains(c.values, s) == c.negated {
			return no
		}
	}
	if !known || len(all) == 0 {
		return unknown
	}
	return yes
}

// possible lists what the left side of a comparison may be.
func (u use) possible(left string) ([]string, bool) {
	switch left {
	case leftPurpose:
		return []string{u.purpose}, u.purpose != ""
	case leftSpatial:
		return []string{u.recipient.Jurisdiction}, u.recipient.Jurisdiction != ""
	case leftRecipient:
		return []string{u.recipient.DID}, u.recipient.DID != ""
	case leftRecipientType:
		return oneOrSome(u.facts[factRecipientType])
	case leftDeid:
		return oneOrSome(u.facts[factDeid])
	case leftOnward:
		return oneOrSome(u.facts[factOnward])
	}
	return nil, false
}

// oneOrSome reads a fact with one value: known, or one of several.
func oneOrSome(v any) ([]string, bool) {
	switch v := v.(type) {
	case string:
		return []string{v}, v != ""
	case map[string]any:
		return texts(v["one_of"])
	}
	return nil, false
}

func texts(v any) ([]string, bool) {
	switch v := v.(type) {
	case []string:
		return v, true
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, false
			}
			out = append(out, s)
		}
		return out, true
	}
	return nil, false
}

// hits says whether a prohibition meets a use: it holds unless it certainly
// does not.
func (b *ban) hits(u use, blame func(*condition, truth)) truth {
	if b.action == actionUse {
		return b.when.holds(u, blame)
	}
	onward, known := oneOrSome(u.facts[factOnward])
	if known && slices.Equal(onward, []string{"none"}) {
		return no
	}
	to, listed := texts(u.facts[factOnwardStates])
	if len(b.when.list) == 0 || !listed || len(to) == 0 {
		if !known || slices.Contains(onward, "none") {
			return unknown
		}
		if len(b.when.list) == 0 {
			return yes
		}
		if !slices.Equal(onward, []string{"same_state"}) {
			return unknown // where it goes is not said
		}
		to = []string{u.recipient.Jurisdiction}
	}
	for _, state := range to {
		if v := b.when.holds(use{recipient: corridor.Participant{Jurisdiction: state}}, nil); v != no {
			return v
		}
	}
	return no
}

// deletes says whether the recipient's copy is gone in time.
func (g *grant) deletes(u use) truth {
	if g.within == 0 && g.by.IsZero() {
		return yes
	}
	v, stated := u.facts[factRetention]
	if !stated {
		return unknown
	}
	s, ok := readSpan(v)
	switch {
	case v == nil: // it is never deleted
		return no
	case !ok || s.open:
		return unknown
	}
	keep := time.Duration(s.most()) * time.Hour
	if g.within > 0 && keep > g.within {
		return no
	}
	if g.by.IsZero() {
		return yes
	}
	if u.at.IsZero() {
		return unknown
	}
	return truthOf(!u.at.Add(keep).After(g.by))
}

// admit finds the permission that lets a use go ahead: the first that
// certainly does and that no prohibition meets.
func (t terms) admit(u use) (int, error) {
	if err := t.prohibited(u); err != nil {
		return 0, err
	}
	var first error
	for i := range t.permissions {
		err := t.permissions[i].admits(u)
		if err == nil {
			return i, nil
		}
		if first == nil {
			first = err
		}
	}
	if n := len(t.permissions); n > 1 {
		return 0, notAdmitted("permission", "none of the offer's %d permissions covers this use; the first: %s", n, first.(*corridor.Error).Msg)
	}
	return 0, first
}

// still says whether the permission under which data was agreed upon lets it
// be used once more.
func (t terms) still(u use, permission int) error {
	if permission < 0 || permission >= len(t.permissions) {
		return corridor.E(corridor.Internal, "the offer has no permission %d", permission)
	}
	if err := t.prohibited(u); err != nil {
		return err
	}
	return t.permissions[permission].admits(u)
}

func (t terms) prohibited(u use) error {
	for i := range t.prohibitions {
		b := &t.prohibitions[i]
		v := b.hits(u, nil)
		if v == no {
			continue
		}
		word := "prohibits"
		if v == unknown {
			word = "may prohibit"
		}
		if b.action == actionDistribute {
			e := notAdmitted(actionDistribute, "the offer %s passing the data on", word)
			e.Fix = fmt.Sprintf("state %s: none, or %s", factOnward, factOnwardStates)
			return e
		}
		return notAdmitted(fmt.Sprintf("prohibition[%d]", i), "the offer %s this use: %s", word, b.when.words())
	}
	return nil
}

func notAdmitted(where, msg string, args ...any) *corridor.Error {
	return &corridor.Error{Kind: corridor.Forbidden, Where: where, Msg: fmt.Sprintf(msg, args...), Why: "the offer's policy"}
}

func (g *grant) admits(u use) error {
	var refusal *corridor.Error
	v := g.when.holds(u, func(c *condition, v truth) {
		if refusal == nil {
			refusal = c.refuse(u, v)
		}
	})
	if v != yes {
		return refusal
	}
	if g.count > 0 && u.used >= g.count {
		return notAdmitted(leftCount, "the offer admits %d uses, and all were made", g.count)
	}
	switch g.deletes(u) {
	case yes:
		return nil
	case no:
		return notAdmitted(actionDelete, "the offer asks the recipient to delete its copy %s, and it is kept longer", g.deadline())
	}
	e := notAdmitted(actionDelete, "the offer asks the recipient to delete its copy %s, and how long it is kept is not stated", g.deadline())
	e.Fix = "state " + factRetention
	return e
}

func (g *grant) deadline() string {
	var parts []string
	if g.within > 0 {
		parts = append(parts, fmt.Sprintf("within %d hours of its arrival", int64(g.within/time.Hour)))
	}
	if !g.by.IsZero() {
		parts = append(parts, "by "+dsp.FormatTime(g.by))
	}
	return strings.Join(parts, " and ")
}

// factOf names the fact that a comparison waits for.
var factOf = map[string]string{leftRecipientType: factRecipientType, leftDeid: factDeid, leftOnward: factOnward, leftStorage: factStorage}

func (c *condition) refuse(u use, v truth) *corridor.Error {
	if v == unknown {
		e := notAdmitted(c.name(), "the offer asks that %s, and that is not known", c.words())
		if fact := factOf[c.left]; fact != "" {
			e.Fix = "state " + fact
		}
		return e
	}
	switch c.left {
	case leftPurpose:
		return notAdmitted(c.as, "the offer does not admit the purpose %q", u.purpose)
	case leftSpatial:
		return notAdmitted(c.as, "the offer does not admit recipients in %s", u.recipient.Jurisdiction)
	case leftDateTime:
		switch {
		case !c.negated && !c.from.IsZero() && u.at.Before(c.from):
			return notAdmitted(c.as, "the offer begins at %s", dsp.FormatTime(c.from))
		case !c.negated && !c.until.IsZero():
			return notAdmitted(c.as, "the offer ended at %s", dsp.FormatTime(c.until.Add(-time.Nanosecond)))
		}
	}
	return notAdmitted(c.name(), "the offer asks that %s", c.words())
}

// words writes a condition for a person.
func (c *condition) words() string {
	if c.op == "" {
		relation := map[bool]string{false: "is", true: "is not"}[c.negated]
		if c.left == leftDateTime {
			switch {
			case c.until.IsZero():
				return "it is not before " + dsp.FormatTime(c.from)
			case c.from.IsZero():
				return "it is before " + dsp.FormatTime(c.until)
			}
			return "the time " + relation + " " + strings.Join(c.values, " ")
		}
		if len(c.values) > 1 {
			relation += " one of"
		}
		return c.as + " " + relation + " " + strings.Join(c.values, ", ")
	}
	if len(c.list) == 0 {
		return "nothing"
	}
	parts := make([]string, len(c.list))
	for i := range c.list {
		parts[i] = c.list[i].words()
		if c.list[i].op != "" && len(c.list[i].list) > 1 {
			parts[i] = "(" + parts[i] + ")"
		}
	}
	join := map[string]string{opAnd: " and ", opOr: " or ", opXone: ", or else "}[c.op]
	return strings.Join(parts, join)
}

// never says whether no use like this can ever be admitted, whatever is still
// unknown of it: what a catalogue need not show.
func (t terms) never(u use) error {
	for i := range t.prohibitions {
		if t.prohibitions[i].hits(u, nil) == yes {
			return t.prohibited(u)
		}
	}
	var first error
	for i := range t.permissions {
		var refusal *corridor.Error
		g := &t.permissions[i]
		if g.when.holds(u, func(c *condition, v truth) {
			if refusal == nil && v == no {
				refusal = c.refuse(u, v)
			}
		}) != no && g.deletes(u) != no {
			return nil
		}
		if first == nil && refusal != nil {
			first = refusal
		}
	}
	if first == nil {
		first = notAdmitted("permission", "none of the offer's permissions can cover a use by this participant")
	}
	return first
}

// window is the time around u.at in which the permission lets the same use go
// ahead: from the first instant to the one after the last; zero where it is
// open. Between two instants that the policy names nothing changes.
func (t terms) window(u use, permission int) (from, until time.Time) {
	var marks []time.Time
	for _, c := range t.conditions(permission) {
		marks = c.instants(marks)
	}
	slices.SortFunc(marks, time.Time.Compare)
	open := func(at time.Time) bool {
		then := u
		then.at = at
		for i := range t.prohibitions {
			if t.prohibitions[i].hits(then, nil) != no {
				return false
			}
		}
		return t.permissions[permission].when.holds(then, nil) == yes
	}
	for _, m := range slices.Backward(marks) {
		if !m.After(u.at) && !open(m.Add(-time.Nanosecond)) {
			from = m
			break
		}
	}
	for _, m := range marks {
		if m.After(u.at) && !open(m) {
			until = m
			break
		}
	}
	return from, until
}

func (t terms) conditions(permission int) []*condition {
	out := []*condition{&t.permissions[permission].when}
	for i := range t.prohibitions {
		out = append(out, &t.prohibitions[i].when)
	}
	return out
}

func (c *condition) instants(list []time.Time) []time.Time {
	for _, m := range []time.Time{c.from, c.until} {
		if !m.IsZero() {
			list = append(list, m)
		}
	}
	for i := range c.list {
		list = c.list[i].instants(list)
	}
	return list
}

// implies gives the facts that follow from accepting the policy: what the
// recipient promises by it, exactly. Alternatives promise nothing.
func (t terms) implies() corridor.Facts {
	f := corridor.Facts{}
	for _, b := range t.prohibitions {
		if b.action == actionDistribute && len(b.when.list) == 0 {
			f[factOnward] = "none"
		}
	}
	if len(t.permissions) != 1 {
		return f
	}
	g := &t.permissions[0]
	for i := range g.when.list {
		c := &g.when.list[i]
		switch {
		case c.op != "" || c.negated:
		case c.left == leftOnward && len(c.values) == 1:
			f[factOnward] = c.values[0]
		case c.left == leftStorage && len(c.values) == 1:
			f[factStorage] = []any{c.values[0]}
		}
	}
	if g.within > 0 && g.by.IsZero() { // this node deletes in time: see Deletions
		f[factRetention] = int64(g.within / time.Hour)
	}
	return f
}

// canonical writes terms so that two policies that say the same in another
// order are the same text.
func (t terms) canonical() string {
	var parts []string
	for i := range t.permissions {
		g := &t.permissions[i]
		parts = append(parts, fmt.Sprintf("permit %s count %d stages %q within %s by %s", g.when.canonical(), g.count, fmt.Sprint(g.stages), g.within, g.by))
	}
	bans := make([]string, len(t.prohibitions))
	for i := range t.prohibitions {
		bans[i] = "forbid " + t.prohibitions[i].action + " " + t.prohibitions[i].when.canonical()
	}
	slices.Sort(bans)
	return strings.Join(append(parts, bans...), "\n") // the order of permissions says which of two that fit is meant
}

func (c *condition) canonical() string {
	if c.op == "" {
		return fmt.Sprintf("%s %q %t %s %s", c.left, c.values, c.negated, c.from, c.until)
	}
	parts := make([]string, len(c.list))
	for i := range c.list {
		parts[i] = c.list[i].canonical()
	}
	slices.Sort(parts)
	return c.op + "(" + strings.Join(parts, ";") + ")"
}

// useOf is the use that a negotiation is about, as this side knows it.
func useOf(n *Negotiation, consumer corridor.Participant, at time.Time, used int64) use {
	u := use{purpose: n.Purpose, recipient: consumer, at: at, used: used}
	if n.Own != nil && n.Own.Flow != nil {
		u.facts = n.Own.Flow.Facts
	}
	return u
}

// promised adds to what the importer states the facts that follow from the
// policy. What it states against them is its refusal of the policy.
func promised(stated corridor.Facts, t terms) corridor.Facts {
	implied := t.implies()
	if len(implied) == 0 {
		return stated
	}
	out := stated.Clone()
	for name, v := range implied {
		if _, given := out[name]; !given {
			out[name] = v
		}
	}
	return out
}

// asks is admit as the recipient knows the use: what only the provider can
// know is left to the provider.
func (t terms) asks(u use) (int, error) {
	i, err := t.admit(u)
	if err == nil {
		return i, nil
	}
	if _, known := oneOrSome(u.facts[factDeid]); !known && t.never(u) == nil {
		guess := u
		guess.facts = u.facts.Clone()
		for _, level := range wordsOf[leftDeid] {
			guess.facts[factDeid] = level
			if i, ok := t.admit(guess); ok == nil {
				return i, nil
			}
		}
	}
	return 0, err
}

// wholeSeconds writes a window as an agreement holds it: its first whole
// second, and its last.
func wholeSeconds(from, until time.Time) (first, last string) {
	if !from.IsZero() {
		first = dsp.FormatTime(from.Add(time.Second - time.Nanosecond))
	}
	if !until.IsZero() {
		last = dsp.FormatTime(until.Add(-time.Nanosecond))
	}
	return first, last
}
