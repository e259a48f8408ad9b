package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"corridor"
	"corridor/internal/exchange"
	"corridor/internal/law"
)

// taskBook writes tasks for a person.
type taskBook struct {
	*answer
}

func newTaskBook(lib *law.Library, lang string) taskBook {
	w := newAnswer(lib, corridor.Verdict{}, lang)
	maps.Copy(w.texts, taskTexts())
	return taskBook{w}
}

// due says by when, or what is waited for, in a few words.
func (w taskBook) due(t law.Task) string {
	switch {
	case t.Due != 0 && t.Until:
		return w.say("task.until", t.Due)
	case t.Due != 0:
		return t.Due.String()
	case t.When == "before":
		return w.say("task.before")
	case t.Each && t.Ref == "":
		return w.say("task.each", w.event(t.Event))
	case t.Event != "" && t.From == 0:
		return w.say("task.event", w.event(t.Event))
	}
	return "-"
}

// when is due as a part of a sentence.
func (w taskBook) when(t law.Task) string {
	due := w.due(t)
	switch {
	case due == "-":
		return w.say("task.noday")
	case t.Due != 0 && !t.Until:
		return w.say("task.by", due)
	}
	return due
}

// event names what starts a clock.
func (w taskBook) event(id string) string {
	if id == law.AtAgreement || id == law.AtTransfer {
		return w.say("task." + id)
	}
	if s := w.lib.Event(id).In(w.lang); s != "" {
		return s
	}
	return id
}

// bySoonest sorts tasks: those with a day first, the earliest first, what is
// kept or waited for after what is to be done.
func bySoonest(a, b law.Task) int {
	rank := func(t law.Task) int {
		switch {
		case t.Due != 0 && !t.Until:
			return 0
		case t.Due == 0 && t.When == "before":
			return 1
		case t.Due == 0 && (t.Event == "" || t.From != 0):
			return 2
		case t.Due != 0:
			return 3
		}
		return 4
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Due, b.Due), cmp.Compare(a.Obligation, b.Obligation), cmp.Compare(a.Ref, b.Ref))
}

// list prints one line for each task of a node.
func (w taskBook) list(out io.Writer, items []exchange.Task) error {
	rows := [][]string{{w.say("task.column.due"), w.say("task.column.state"), w.say("task.column.duty"), w.say("task.column.task")}}
	for _, t := range items {
		duty := t.Obligation
		if !t.Certain {
			duty = w.say("task.maybe", duty)
		}
		rows = append(rows, []string{w.due(t.Task), w.say("task." + t.State), duty, t.ID})
	}
	return columns(out, w.say("task.none"), rows)
}

// show prints all that is known of one task of a node.
func (w taskBook) show(out io.Writer, t exchange.Task) error {
	w.out = bufio.NewWriter(out)
	w.line("", fmt.Sprintf("%s: %s", t.Obligation, w.say("task."+t.State)))
	if t.Overdue != 0 {
		w.line("  ", "! "+w.say("task.since", t.Overdue))
	}
	w.task(t.Task)
	w.line("  ", w.say("task.of", t.Agreement))
	if p := t.Proof; p != nil {
		w.line("  ", w.say("task.proof", p.By, p.On))
		w.proof(p)
	}
	return w.out.Flush()
}

func (w taskBook) proof(p *exchange.Proof) {
	if p.Ref != "" {
		w.line("  ", w.say("task.ref", p.Ref))
	}
	if p.Reason != "" {
		w.line("  ", w.say("task.reason", p.Reason))
	}
	for _, v := range []string{p.Kind, p.SHA256, p.Note} {
		if v != "" {
			w.line("  ", v)
		}
	}
}

// task prints what a task is and what its day rests on.
func (w taskBook) task(t law.Task) {
	w.line("  ", t.Text.In(w.lang))
	w.line("  ", "["+w.cites(t.Citations)+"]")
	w.line("  ", w.say(t.Owner)+", "+w.when(t))
	w.basis(t)
	if t.Renewed {
		w.line("  ", w.say("task.renewed"))
	}
	if !t.Certain {
		w.line("  ", "! "+w.say("task.possible"))
	}
	if s := t.Evidence.In(w.lang); s != "" {
		w.line("  ", w.say("task.wanted", s))
	}
}

func (w taskBook) basis(t law.Task) {
	switch {
	case t.Presumed:
		w.line("  ", "! "+w.say("task.presumed", t.From, w.event(t.Event)))
	case t.From != 0:
		w.line("  ", w.say("task.from", t.From, w.event(t.Event)))
	}
	if t.Calendar != "" && t.Due != 0 {
		w.line("  ", w.say("task.calendar", w.country(t.Calendar)))
	}
	for _, n := range t.Doubts {
		w.line("  ", "! "+law.NoteIn(n, w.lang))
	}
}

// days turns the tasks that have a day and are still to come into a calendar.
func (w taskBook) days(tasks []law.Task, uid func(int) string, changed func(int) time.Time) []calendarDay {
	var out []calendarDay
	for i, t := range tasks {
		if t.Due == 0 {
			continue
		}
		d := calendarDay{uid: uid(i), on: t.Due, warn: !t.Until, changed: changed(i), summary: t.Text.In(w.lang), description: t.Obligation}
		if d.summary == "" {
			d.summary = t.Obligation
		}
		if !t.Certain {
			d.summary = w.say("task.maybe", d.summary)
		}
		if t.Until {
			d.summary = w.say("task.until", t.Due) + ": " + d.summary
		}
		d.description += "\n" + w.cites(slices.Clone(t.Citations))
		if !t.Certain {
			d.description += "\n" + w.say("task.possible")
		}
		if s := t.Evidence.In(w.lang); s != "" {
			d.description += "\n" + w.say("task.wanted", s)
		}
		if t.Presumed {
			d.description += "\n" + w.say("task.presumed", t.From, w.event(t.Event))
		}
		for _, n := range t.Doubts {
			d.description += "\n" + law.NoteIn(n, w.lang)
		}
		out = append(out, d)
	}
	return out
}
