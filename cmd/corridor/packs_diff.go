package main

import (
	"corridor"
	"corridor/internal/law"
)

type packsDiffCmd struct {
	A    string   `arg:"" help:"The older edition: a directory of packs, one pack (directory or file), or builtin."`
	B    string   `arg:"" help:"The newer edition."`
	Only []string `placeholder:"CC,..." help:"Only these jurisdictions or packs."`
	Date string   `placeholder:"YYYY-MM-DD" help:"Only the law of this day. Default: every day."`
	Side string   `enum:"export,import,treaty," default:"" help:"Only this side: export, import, or treaty for a pack of treaties."`
	Lang string   `enum:"en,zh,ru" default:"en" env:"CORRIDOR_LANG" help:"Language of the answer: en, zh or ru."`
	JSON bool     `name:"json" help:"Print one JSON object, with the exact cover."`
}

// Help is the long help with examples.
func (packsDiffCmd) Help() string {
	return `Says what is written differently and, exactly and not by samples, for which flows the
outcome or the obligations change: from when, on which side, under which facts. Both
editions are compiled into one decision diagram over the facts that either of them uses.

Examples:
  corridor packs diff builtin ./packs
  corridor packs diff builtin ./packs/cn --date 2027-01-01
  corridor packs diff cn-2025.yaml cn-2026.yaml --side export --lang zh
  corridor packs diff old new --only CN,RU --json

A single pack is compared with its namesake, among the packs beside it or those built in.
The cover in the JSON lists disjoint regions of facts: a flow is in one of them exactly if its
decisions differ. Where there are too many regions to list, a decision diagram holds them all.
Flows that only one of the editions can state (a new member of a list of values) are not
compared; such changes of the vocabulary are listed.

Exit codes: 0 compared, 2 bad input.`
}

// Run compares and prints.
func (c packsDiffCmd) Run(a *app) error {
	old, err := openEdition(c.A)
	if err != nil {
		return err
	}
	now, err := openEdition(c.B)
	if err != nil {
		return err
	}
	o := law.DiffOptions{Side: corridor.Side(c.Side)}
	if o.Only, err = limits(c.Only, old, now); err != nil {
		return err
	}
	if o.Date, err = dayOf("--date", c.Date, 0); err != nil {
		return err
	}
	d, err := law.Compare(old.lib, now.lib, o)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, d)
	}
	return newComparison(old, now, c.Lang).print(a.stdout, d)
}
