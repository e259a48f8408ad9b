package main

import (
	"fmt"
	"time"

	"corridor"
	"corridor/internal/law"
)

type packsDueCmd struct {
	Obligation string `arg:"" help:"The duty, by its id."`
	From       string `placeholder:"YYYY-MM-DD" help:"Day of the event that starts the clock. Default: today."`
	Lang       string `enum:"en,zh,ru" default:"en" env:"CORRIDOR_LANG" help:"Language of the answer: en, zh or ru."`
	JSON       bool   `name:"json" help:"Print one JSON object."`
	Packs      string `placeholder:"DIR" help:"Use the rule packs of a directory instead of those built in."`
}

// Help is the long help with examples.
func (packsDueCmd) Help() string {
	return `Says by which day a duty with a deadline has to be done. In doubt the day is early: a holiday
whose date is an estimate counts as a working day. For what is to be kept or waited for, the day
is the end of that, and in doubt it is late.

Examples:
  corridor packs due file_contract_with_provincial_cac_10_working_days --from 2026-09-28
  corridor packs due notify_kvkk_5_business_days --from 2027-03-08 --lang zh

Exit codes: 0 done, 2 no such duty, no deadline, or no calendar for its year.`
}

// dueView is the answer as JSON.
type dueView struct {
	Obligation  string        `json:"obligation"`
	From        corridor.Date `json:"from"`
	Due         corridor.Date `json:"due"`
	Provisional bool          `json:"provisional"`
	Until       bool          `json:"until,omitempty"` // it is kept or waited for until then
}

// Run prints the day.
func (c packsDueCmd) Run(a *app) error {
	e, err := openEdition(c.Packs)
	if err != nil {
		return err
	}
	from, err := dayOf("--from", c.From, corridor.DateOf(time.Now()))
	if err != nil {
		return err
	}
	if from > law.MaxDate {
		return &corridor.Error{Kind: corridor.Invalid, Where: "--from", Msg: from.String() + " is beyond " + corridor.Date(law.MaxDate).String(), Fix: "give the day of the event"}
	}
	due, err := e.lib.Due(c.Obligation, from)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, dueView{c.Obligation, from, due.Last, due.Provisional, due.Until})
	}
	say := newPhrases(c.Lang).say
	text := say("due", due.Last)
	if due.Until {
		text = say("due.until", due.Last)
	}
	if due.Provisional {
		text += " " + say("due.provisional")
	}
	_, err = fmt.Fprintln(a.stdout, text)
	return err
}
