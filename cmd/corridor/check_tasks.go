package main

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
	"time"

	"corridor"
	"corridor/internal/law"
)

func (r reportFlags) wantsTasks() bool { return r.Tasks || r.ICS != "" }

// verdictTasks is a verdict as JSON with the tasks that it leaves.
type verdictTasks struct {
	corridor.Verdict
	Tasks []law.Task `json:"tasks"`
}

// tasks dates the duties of a verdict by the days given. The transfer is on
// the day of the flow.
func (r reportFlags) tasks(lib *law.Library, v corridor.Verdict) ([]law.Task, error) {
	if !r.wantsTasks() {
		return nil, nil
	}
	days, err := eventDays(r.Event)
	if err != nil {
		return nil, err
	}
	if _, given := days[law.AtTransfer]; given {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: "--event " + law.AtTransfer, Msg: "the transfer is on the day of the flow", Fix: "give that day as --date"}
	}
	events := []law.Event{{ID: law.AtTransfer, On: v.Flow.Date}}
	known := append(lib.Events(), law.AtAgreement)
	for _, line := range r.Event { // in the order given
		id, _, _ := strings.Cut(line, "=")
		if !slices.Contains(known, id) {
			return nil, &corridor.Error{Kind: corridor.Invalid, Where: "--event " + id, Msg: "no deadline runs from it", Fix: "use one of " + strings.Join(known, ", ")}
		}
		events = append(events, law.Event{ID: id, On: days[id]})
	}
	issued, err := lib.Issued(v.Flow)
	if err != nil {
		return nil, err
	}
	for _, x := range issued {
		if _, given := days[x.ID]; !given {
			events = append(events, x)
		}
	}
	var duties []corridor.Obligation
	for _, d := range v.Sides {
		duties = append(duties, d.Duties...)
	}
	list := lib.Tasks(duties, events)
	slices.SortStableFunc(list, bySoonest)
	return list, nil
}

// file prints the tasks of a verdict and writes its calendar.
func (r reportFlags) file(a *app, w taskBook, v corridor.Verdict, list []law.Task, quiet bool) error {
	if !quiet {
		w.out = bufio.NewWriter(a.stdout)
		w.heading(w.say("task.head"))
		for _, t := range list {
			w.line("  - ", fmt.Sprintf("%s - %s (%s) [%s]", w.when(t), t.Text.In(w.lang), w.say(t.Owner), t.Obligation))
			w.doubt(t)
		}
		if len(list) == 0 {
			w.line("  ", w.say("task.none"))
		}
		if err := w.out.Flush(); err != nil {
			return err
		}
	}
	if r.ICS == "" {
		return nil
	}
	of, err := corridor.Canonical(struct {
		Flow  corridor.Flow
		About []string
	}{v.Flow, r.About})
	if err != nil {
		return err
	}
	name := corridor.Digest(of) // of two flows in one calendar neither takes the other's days
	uid := func(i int) string { return fmt.Sprintf("%s-%s-%s", name, list[i].Obligation, list[i].Ref) }
	now := time.Now()
	return writeWhole(r.ICS, icsFile(w.days(list, uid, func(int) time.Time { return now })))
}

// doubt says what a day rests on that is not certain.
func (w taskBook) doubt(t law.Task) {
	if t.Presumed {
		w.line("    ", "! "+w.say("task.presumed", t.From, w.event(t.Event)))
	}
	if !t.Certain {
		w.line("    ", "! "+w.say("task.possible"))
	}
	for _, n := range t.Doubts {
		w.line("    ", "! "+law.NoteIn(n, w.lang))
	}
}
