package law

import (
	"slices"

	"corridor"
)

// The events that a gateway sees itself. Packs say of their own events how
// they stand to these (at).
const (
	AtAgreement = "agreement" // the agreement has come into force
	AtTransfer  = "transfer"  // data has begun to leave, or has left
)

// What an event does to the clocks that run from it.
const (
	clockEach    = "each"    // every time it happens starts one
	clockOnce    = "once"    // the first time starts the only one
	clockRenewed = "renewed" // one at a time: it starts again when the duty is done
)

// Event is something that has happened, or is planned, from which deadlines
// run: an event of the packs, AtAgreement or AtTransfer.
type Event struct {
	ID  string        `json:"id"`
	On  corridor.Date `json:"on"`
	Ref string        `json:"ref,omitempty"` // tells it from others of its kind
}

// Task is one duty of an organisation as work with a date.
//
// A task without a date has From and Due zero: its clock has not started and
// Event says what starts it, or the law gives no deadline and Event is empty.
type Task struct {
	Obligation string `json:"obligation"`
	Ref        string `json:"ref,omitempty"` // which of several events of a kind started it
	Owner      string `json:"owner"`         // exporter, importer, both
	When       string `json:"when"`          // before, during, after the transfer
	Certain    bool   `json:"certain"`       // false: a fact still unknown decides whether it is owed
	Deadline   string `json:"deadline,omitempty"`

	Event    string        `json:"event,omitempty"`
	From     corridor.Date `json:"from,omitempty"`     // the day from which is counted
	Presumed bool          `json:"presumed,omitempty"` // nobody has named that day: it is that of the agreement or transfer, and the true one is no later
	Due      corridor.Date `json:"due,omitempty"`      // the last day
	Until    bool          `json:"until,omitempty"`    // Due is the last day of keeping or waiting, not of doing
	Each     bool          `json:"each,omitempty"`     // every further event makes a task of its own
	Renewed  bool          `json:"renewed,omitempty"`  // once done it begins anew
	Calendar string        `json:"calendar,omitempty"` // whose working days were counted
	Doubts   []string      `json:"doubts,omitempty"`   // what makes the day uncertain; NoteIn puts it into other languages

	Citations []corridor.Citation `json:"citations"`
	Text      corridor.Text       `json:"text,omitzero"`
	Evidence  corridor.Text       `json:"evidence,omitzero"` // what discharges it
}

// Tasks turns the duties of decisions into dated tasks. What a data plane does
// to the bytes is left out. Every duty has one task that stands for it, with
// an empty Ref; a duty owed anew at each event has one more for each.
//
// In doubt the day is early for what is to be done, and late for what is to be
// kept or waited for; Doubts says what the doubt is.
func (l *Library) Tasks(duties []corridor.Obligation, events []Event) []Task {
	out := []Task{}
	for _, o := range l.owed(duties) {
		out = append(out, l.tasksOf(o, events)...)
	}
	return out
}

// owed joins the duties that are the same under one name.
func (l *Library) owed(duties []corridor.Obligation) []corridor.Obligation {
	var out []corridor.Obligation
	for _, o := range duties {
		if onBytes(o.Stage) {
			continue
		}
		if info, known := l.Obligation(o.ID); known {
			o.ID = info.ID
		}
		i := slices.IndexFunc(out, func(have corridor.Obligation) bool { return have.ID == o.ID })
		if i < 0 {
			o.Citations = slices.Clone(o.Citations)
			out = append(out, o)
			continue
		}
		out[i].Certain = out[i].Certain || o.Certain
		for _, c := range o.Citations {
			if !slices.ContainsFunc(out[i].Citations, func(h corridor.Citation) bool { return h.Instrument == c.Instrument && h.Article == c.Article }) {
				out[i].Citations = append(out[i].Citations, c)
			}
		}
	}
	return out
}

// onBytes says whether a stage is carried out on data as it passes. The other
// stages need somebody to act, who can show it.
func onBytes(stage string) bool {
	return stage == "drop" || stage == "mask" || stage == "pseudonymise" || stage == "generalise"
}

func (l *Library) tasksOf(o corridor.Obligation, events []Event) []Task {
	t := Task{Obligation: o.ID, Owner: o.Owner, When: o.When, Certain: o.Certain, Deadline: o.Deadline, Citations: o.Citations, Text: o.Text}
	info, known := l.Obligation(o.ID)
	if !known { // a peer's packs may know more than ours
		if o.Deadline != "" {
			t.Doubts = []string{note(noteNoDuty, o.ID, o.Deadline)}
		}
		return []Task{l.begins(t, events)}
	}
	t.Owner, t.When, t.Text, t.Evidence, t.Deadline = info.Owner, info.When, info.Text, info.Evidence, info.Deadline.String()
	if info.Deadline == nil {
		return []Task{l.begins(t, events)}
	}
	return l.clocks(t, info.Deadline, events)
}

// begins is a task without a deadline of its own: owed before a transfer it is
// due on the day of the first, owed after it it begins there.
func (l *Library) begins(t Task, events []Event) Task {
	first := earliest(events, AtTransfer)
	switch {
	case t.When == "before":
		t.Due = first
	case t.When == "after":
		t.Event, t.From = AtTransfer, first
	}
	return t
}

// clocks starts the clocks of a deadline.
func (l *Library) clocks(t Task, d *Deadline, events []Event) []Task {
	e := l.obligations.events[d.From]
	t.Event, t.Until, t.Renewed, t.Calendar = d.From, d.Until, e.clock == clockRenewed, d.Calendar
	exact := func(x Event) bool { return x.ID == d.From || e.at == AtTransfer && x.ID == AtTransfer }
	t.Each = e.clock == clockEach && !d.Until
	stands := t
	if !t.Each {
		if stands.From = pick(events, exact, d.Until || t.Renewed); stands.From == 0 {
			stands.From = earliest(events, e.at)
			stands.Presumed = stands.From != 0
		}
		return []Task{l.dated(stands, d, events)}
	}
	out := []Task{stands}
	for _, x := range events {
		if exact(x) {
			one := t
			one.From, one.Ref = x.On, x.Ref
			if one.Ref == "" {
				one.Ref = x.On.String()
			}
			out = append(out, l.dated(one, d, events))
		}
	}
	return out
}

// dated counts a deadline whose clock may have started. What is owed before
// the transfer is due on its day at the latest.
func (l *Library) dated(t Task, d *Deadline, events []Event) Task {
	if t.From != 0 {
		t.Due, t.Doubts = l.lastDay(d, t.From)
	}
	if t.When != "before" || t.Until {
		return t
	}
	if first := earliest(events, AtTransfer); first != 0 && (t.Due == 0 || first < t.Due) {
		t.Due, t.Doubts = first, nil
	}
	return t
}

// lastDay is the last day of a deadline from a day on, with what is doubtful
// about it. Something to be done never gets a day that may be too late;
// something to be kept or waited for gets none if the end cannot be known.
func (l *Library) lastDay(d *Deadline, from corridor.Date) (corridor.Date, []string) {
	if d.Ahead > 0 {
		last, doubtful := l.calendars[d.Calendar].ahead(d.after(from), d.Ahead)
		if doubtful {
			return last, []string{note(noteAhead, d.Calendar)}
		}
		return last, nil
	}
	if d.Unit == "hours" {
		return d.after(from), []string{note(noteHours, itoa(d.Days))}
	}
	if d.Unit != "working_days" {
		return d.after(from), nil
	}
	c := l.calendars[d.Calendar]
	if !d.Until {
		last, doubts := c.earliestEnd(from, d.Days)
		return last, doubts.notes(d.Calendar)
	}
	last, estimated, missing := c.termEnd(from, d.Days, waits)
	switch {
	case missing != 0:
		return 0, []string{note(noteNoEnd, d.Calendar, itoa(missing))}
	case estimated:
		return last, []string{note(noteLater, d.Calendar)}
	}
	return last, nil
}

// doubts is what a count of working days rested on.
type doubts struct {
	missing, estimated []int           // years without a table, and with one that is not official
	days               []corridor.Date // that may be off
	moved              []corridor.Date // rest days that may be worked
}

// earliestEnd is termEnd for who owes something, and never fails: in a year
// without a table every day counts as a working day.
func (c *calendar) earliestEnd(from corridor.Date, n int) (corridor.Date, doubts) {
	var x doubts
	d := from
	for left := n; left > 0; {
		d++
		working, year, known := c.working(d, owes)
		switch {
		case !known:
			working, x.missing = true, addYear(x.missing, year)
		case c.years[year].status != "official":
			x.estimated = addYear(x.estimated, year)
		}
		if c.doubtful[d] {
			x.days = append(x.days, d)
		}
		if known && len(x.moved) < maxMoved && c.mayTurn(d, owes, working) {
			working, x.moved = true, append(x.moved, d)
		}
		if working {
			left--
		}
	}
	return d, x
}

func addYear(list []int, year int) []int {
	if slices.Contains(list, year) {
		return list
	}
	return append(list, year)
}

func (x doubts) notes(calendar string) []string {
	var out []string
	for _, y := range x.missing {
		out = append(out, note(noteNoTable, calendar, itoa(y)))
	}
	for _, y := range x.estimated {
		out = append(out, note(noteEstimatedYear, calendar, itoa(y)))
	}
	for _, d := range x.days {
		out = append(out, note(noteDoubtfulDay, d.String(), calendar))
	}
	for _, d := range x.moved {
		out = append(out, note(noteMovedDay, d.String(), calendar))
	}
	return out
}

func earliest(events []Event, id string) corridor.Date {
	if id == "" {
		return 0
	}
	return pick(events, func(x Event) bool { return x.ID == id }, false)
}

// pick gives the first or the last day of the events that count.
func pick(events []Event, counts func(Event) bool, last bool) corridor.Date {
	var out corridor.Date
	for _, x := range events {
		if counts(x) && (out == 0 || (x.On < out) != last && x.On != out) {
			out = x.On
		}
	}
	return out
}

// Starts lists the events from which the deadlines of duties run, each once
// and in order.
func (l *Library) Starts(duties []corridor.Obligation) []string {
	out := []string{}
	for _, o := range l.owed(duties) {
		if info, known := l.Obligation(o.ID); known && info.Deadline != nil && !slices.Contains(out, info.Deadline.From) {
			out = append(out, info.Deadline.From)
		}
	}
	slices.Sort(out)
	return out
}
