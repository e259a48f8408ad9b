package law

import (
	"fmt"
	"strconv"

	"go.yaml.in/yaml/v4"

	"corridor"
)

// obligations is obligations.yaml: the declarations by id and by alias, and
// the events from which deadlines run.
type obligations struct {
	all    []*ObligationInfo
	owners []string    // the pack that declares each; "" is obligations.yaml
	shared []*declared // those of obligations.yaml
	index  map[string]int
	events map[string]event
}

// declared is an obligation with the place of its declaration.
type declared struct {
	place
	*ObligationInfo
}

func (r *reader) obligations(root *yaml.Node) *obligations {
	o := &obligations{index: map[string]int{}, events: map[string]event{}}
	r.object(root, "the obligations",
		field{"events", false, func(n *yaml.Node) { o.addEvents(r, "", r.events(n)) }},
		field{"obligations", true, func(n *yaml.Node) { o.shared = r.declarations(n) }})
	o.declare(r, "", o.shared)
	return o
}

// owner is the pack that declares an obligation, "" for obligations.yaml.
func (o *obligations) owner(at int) string {
	if at < len(o.owners) {
		return o.owners[at]
	}
	return ""
}

// event is what starts a clock, such as the signature of a contract.
type event struct {
	place
	id    string
	text  corridor.Text
	at    string // AtAgreement, AtTransfer: a gateway's own event that is this one, or that cannot come before it
	clock string // each, once, renewed: see Tasks
	owner string // the pack that declares it; "" is obligations.yaml
}

func (r *reader) events(n *yaml.Node) []event {
	var out []event
	r.entries(n, "events", func(k, v *yaml.Node) {
		e := event{place: r.at(k), id: r.name(k, "event"), clock: clockEach}
		e.text = r.text(v, k.Value,
			field{"at", false, func(n *yaml.Node) { e.at = r.choice(n, "at", AtAgreement, AtTransfer) }},
			field{"clock", false, func(n *yaml.Node) { e.clock = r.choice(n, "clock", clockEach, clockOnce, clockRenewed) }})
		if e.id == AtAgreement || e.id == AtTransfer {
			r.fail(k, "say at: "+e.id+" of an event of another name", "%q is the gateway's own event", e.id)
		}
		out = append(out, e)
	})
	return out
}

func (o *obligations) addEvents(r *reader, owner string, list []event) {
	for _, e := range list {
		e.owner = owner
		if _, dup := o.events[e.id]; dup {
			r.failAt(e.place, "use the one that is there, or share it in obligations.yaml", "event %q is declared twice", e.id)
		}
		o.events[e.id] = e
	}
}

// checkEvents refuses deadlines that run from an event without words.
// A pack's clocks are started by its own events and by those that all share.
func (o *obligations) checkEvents(r *reader, owner string, list []*declared) {
	for _, d := range list {
		if d.Deadline == nil {
			continue
		}
		if r.full() {
			return
		}
		e, ok := o.events[d.Deadline.From]
		if ok && e.owner != "" && e.owner != owner {
			r.failAt(d.place, "declare it in this pack under a name of its own", "the deadline of %s runs from event %q, which belongs to pack %s", d.ID, e.id, e.owner)
		}
		if !ok {
			r.failAt(d.place, didYouMean(d.Deadline.From, keys(o.events)), "the deadline of %s runs from the unknown event %q", d.ID, d.Deadline.From)
		}
	}
}

func (r *reader) declarations(n *yaml.Node) []*declared {
	var out []*declared
	r.list(n, "obligations", func(n *yaml.Node) { out = append(out, &declared{r.at(n), r.obligation(n)}) })
	return out
}

// declare adds obligations to those that all packs share; each id and alias
// is declared once over all files.
func (o *obligations) declare(r *reader, owner string, list []*declared) {
	for _, d := range list {
		for _, id := range append([]string{d.ID}, d.Aliases...) {
			if _, dup := o.index[id]; dup && id != "" {
				r.failAt(d.place, "use the one that is there, or share it in obligations.yaml", "obligation %q is declared twice", id)
				continue
			}
			o.index[id] = len(o.all)
		}
		o.all, o.owners = append(o.all, d.ObligationInfo), append(o.owners, owner)
	}
	o.checkEvents(r, owner, list)
}

func (r *reader) obligation(n *yaml.Node) *ObligationInfo {
	d := &ObligationInfo{}
	r.object(n, "an obligation",
		field{"id", true, func(n *yaml.Node) { d.ID = r.name(n, "id") }},
		field{"owner", true, func(n *yaml.Node) { d.Owner = r.choice(n, "owner", "exporter", "importer", "both") }},
		field{"when", true, func(n *yaml.Node) { d.When = r.choice(n, "when", "before", "during", "after") }},
		field{"approver", false, func(n *yaml.Node) { d.Approver = r.choice(n, "approver", corridor.ByAuthority) }},
		field{"deadline", false, func(n *yaml.Node) { d.Deadline = r.deadline(n) }},
		field{"evidence", true, func(n *yaml.Node) { d.Evidence = r.text(n, "evidence") }},
		field{"stage", false, func(n *yaml.Node) {
			d.Stage = r.choice(n, "stage", "", "drop", "mask", "pseudonymise", "generalise", "delete", "local_copy", "count_limit")
		}},
		field{"aliases", false, func(n *yaml.Node) { d.Aliases = r.names(n, "aliases") }},
		field{"text", true, func(n *yaml.Node) { d.Text = r.text(n, "text") }})
	return d
}

func (r *reader) deadline(n *yaml.Node) *Deadline {
	d := &Deadline{}
	r.object(n, "deadline",
		field{"days", true, func(n *yaml.Node) { d.Days = int(r.integer(n, "days")) }},
		field{"unit", true, func(n *yaml.Node) {
			d.Unit = r.choice(n, "unit", "days", "working_days", "hours", "months", "years", "calendar_days")
		}},
		field{"from", true, func(n *yaml.Node) { d.From = r.name(n, "from") }},
		field{"calendar", false, func(n *yaml.Node) { d.Calendar = r.name(n, "calendar") }},
		field{"ahead", false, func(n *yaml.Node) { d.Ahead = int(r.within(n, "ahead", 1, 250)) }},
		field{"until", false, func(n *yaml.Node) { d.Until = r.boolean(n, "until") }})
	if d.Days < 0 || d.Days > 100_000 {
		r.fail(n, "", "a deadline of %d is out of range", d.Days)
	}
	return d
}

// String writes the deadline in plain English.
func (d *Deadline) String() string {
	if d == nil {
		return ""
	}
	s := fmt.Sprintf("%d %s after %s", d.Days, words(d.Unit), words(d.From))
	if d.Ahead > 0 {
		s = fmt.Sprintf("%d working days before the end of %s", d.Ahead, s)
	}
	if d.Calendar != "" {
		s += " (" + d.Calendar + ")"
	}
	if d.Until {
		s = "until " + s
	}
	return s
}

func words(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c == '_' {
			b[i] = ' '
		}
	}
	return string(b)
}

// profile is a named set of usual values that may fill what is not given.
type profile struct {
	place
	text       corridor.Text
	facts      corridor.Facts
	firstStore bool // first_store is the flow's origin
	noRecords  bool // every vehicle, filing and assessment is in its first state: nothing is there
	fillings   func() []filling
}

func (r *reader) profiles(root *yaml.Node) map[string]*profile {
	out := map[string]*profile{}
	r.object(root, "the assumptions", field{"profiles", true, func(n *yaml.Node) {
		r.entries(n, "profiles", func(k, v *yaml.Node) {
			p := &profile{place: r.at(k), facts: corridor.Facts{}}
			r.object(v, "a profile",
				field{"text", true, func(n *yaml.Node) { p.text = r.text(n, "text") }},
				field{"facts", true, func(n *yaml.Node) {
					r.entries(n, "facts", func(k, v *yaml.Node) { p.facts[k.Value] = r.value(v) })
				}},
				field{"first_store", false, func(n *yaml.Node) { p.firstStore = r.choice(n, "first_store", "origin") != "" }},
				field{"records", false, func(n *yaml.Node) { p.noRecords = r.choice(n, "records", "none") != "" }})
			out[r.name(k, "profile")] = p
		})
	}})
	return out
}

// value reads any plain value: the shapes that Facts hold.
func (r *reader) value(n *yaml.Node) any {
	switch n.Kind {
	case yaml.SequenceNode:
		out := []any{}
		for _, kid := range n.Content {
			out = append(out, r.value(kid))
		}
		return out
	case yaml.MappingNode:
		out := map[string]any{}
		r.entries(n, "a value", func(k, v *yaml.Node) { out[k.Value] = r.value(v) })
		return out
	}
	switch n.ShortTag() {
	case "!!bool":
		if n.Value == "true" || n.Value == "false" {
			return n.Value == "true"
		}
	case "!!int":
		if v, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return v
		}
		r.fail(n, "write a plain whole number", "%s is not a whole number", n.Value)
	case "!!float":
		r.fail(n, "write a whole number", "%s is not a whole number", n.Value)
	case "!!null":
		return nil
	}
	if len(n.Value) > maxText {
		r.fail(n, "", "a value is longer than %d bytes", maxText)
	}
	return n.Value
}
