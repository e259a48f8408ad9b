package main

import (
	"bufio"
	"fmt"
	"strings"
	"time"

	"corridor"
	"corridor/internal/law"
)

type packsCalendarCmd struct {
	From  string   `placeholder:"YYYY-MM-DD" help:"First day. Default: today, so that only what is coming is listed."`
	Until string   `placeholder:"YYYY-MM-DD" help:"First day that is no longer listed. Default: no end."`
	Only  []string `placeholder:"CC,..." help:"Only these jurisdictions or packs."`
	Lang  string   `enum:"en,zh,ru" default:"en" env:"CORRIDOR_LANG" help:"Language of the texts: en, zh or ru."`
	JSON  bool     `name:"json" help:"Print a JSON array, one object per change."`
	Packs string   `placeholder:"DIR" help:"Use the rule packs of a directory instead of those built in."`
}

// Help is the long help with examples.
func (packsCalendarCmd) Help() string {
	return `Lists the days on which the law changes: rules and instruments that begin or cease to
apply, and new editions of country lists. What ends is listed on the first day on which it no
longer holds. Each entry says on which sides some decision changes that day.

Examples:
  corridor packs calendar
  corridor packs calendar --from 2026-01-01 --until 2027-01-01 --only RU,IN
  corridor packs calendar --lang zh --json`
}

// Run lists the changes.
func (c packsCalendarCmd) Run(a *app) error {
	e, err := openEdition(c.Packs)
	if err != nil {
		return err
	}
	only, err := limits(c.Only, e)
	if err != nil {
		return err
	}
	from, err := dayOf("--from", c.From, corridor.DateOf(time.Now()))
	if err != nil {
		return err
	}
	until, err := dayOf("--until", c.Until, 0)
	if err != nil {
		return err
	}
	if until != 0 && until <= from {
		return &corridor.Error{Kind: corridor.Invalid, Where: "--until " + until.String(), Msg: "is not after " + from.String() + ", the first day listed", Fix: "give a later day, or an earlier one with --from"}
	}
	list, err := e.lib.Calendar(from, until, only)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, list)
	}
	w := newComparison(e, e, c.Lang)
	w.out = bufio.NewWriter(a.stdout)
	if len(list) == 0 {
		w.line("", w.say("calendar.none"))
	}
	for i, entry := range list {
		if i > 0 && entry.Date != list[i-1].Date {
			fmt.Fprintln(w.out)
		}
		w.entry(entry)
	}
	return w.out.Flush()
}

// entry writes one change of the calendar.
func (w *comparison) entry(e law.CalendarEntry) {
	head := w.say("calendar."+e.Kind) + ": " + e.ID
	var sides []string
	for _, s := range e.Sides {
		sides = append(sides, w.say("side."+string(s)))
	}
	if sides != nil {
		head += " (" + strings.Join(sides, ", ") + ")"
	}
	w.line("", fmt.Sprintf("%s  %s  %s", e.Date, w.country(e.Jurisdiction), head))
	w.line("    ", e.Text.In(w.lang))
	if len(e.Citations) > 0 {
		w.line("    ", w.cites(e.Citations))
	}
	for _, change := range []struct {
		key   string
		codes []string
	}{{"calendar.added", e.Added}, {"calendar.removed", e.Removed}} {
		if len(change.codes) > 0 {
			w.line("    ", w.say(change.key, w.named(change.codes)))
		}
	}
	if e.Source != "" {
		w.line("    ", w.say(string(e.Source), e.SourceOn))
	}
	var decides []string
	for _, s := range e.Decides {
		decides = append(decides, w.say("side."+string(s)))
	}
	if decides != nil {
		w.line("    ", w.say("calendar.decides", strings.Join(decides, ", ")))
	}
}

// named names states, or only their codes where they are many.
func (w *comparison) named(codes []string) string {
	if len(codes) > 12 {
		return strings.Join(codes, ", ")
	}
	var out []string
	for _, c := range codes {
		out = append(out, w.country(c))
	}
	return strings.Join(out, ", ")
}
