package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"corridor"
	"corridor/internal/editions"
	"corridor/internal/law"
	"corridor/internal/paper"
	"corridor/internal/scan"
	"corridor/packs"
)

// flowFlags say which flow is meant and how to answer.
type flowFlags struct {
	From    string   `placeholder:"CC" help:"State that the data leaves, as a two-letter code." complete:"states"`
	To      string   `placeholder:"CC" help:"State of the recipient, as a two-letter code." complete:"states"`
	Purpose string   `placeholder:"NAME" help:"What the transfer is needed for; short for --set purpose=NAME."`
	Facts   string   `placeholder:"FILE" help:"YAML or JSON file with facts; - reads standard input."`
	File    string   `placeholder:"DATA" help:"Scan this data file and use what it shows."`
	Holds   []string `sep:"none" placeholder:"COLUMN=CLASS" help:"A class of data that a column of the data file holds, where the scan did not see it, or none. May be repeated."`
	Set     []string `sep:"none" placeholder:"FACT=VALUE" help:"One fact; the value is YAML. May be repeated." complete:"facts"`
	Assume  string   `placeholder:"PROFILE" help:"Fill what is not given from a named profile; the answer lists what was assumed." complete:"profiles"`
	Date    string   `placeholder:"YYYY-MM-DD" help:"Day of the transfer. Default: today."`
	Lang    string   `enum:"en,zh,ru" default:"en" env:"CORRIDOR_LANG" help:"Language of the answer: en, zh or ru."`
	JSON    bool     `name:"json" help:"Print one JSON object."`
	Packs   string   `placeholder:"DIR" help:"Use the rule packs of a directory instead of those built in."`
}

type checkCmd struct {
	flowFlags
	reportFlags
	batchFlags
	Ask    string `enum:"auto,always,never" default:"auto" help:"Interview: auto asks on a terminal what can still change the answer, always asks on any input."`
	Advise bool   `help:"If it may not go ahead, add the cheapest lawful ways; corridor advise tells more."`
}

// Help is the long help with examples.
func (checkCmd) Help() string {
	return `Asks the law of both sides. Nothing is assumed unless you name a profile: a fact that is
missing and could change the answer makes it "undetermined", with the questions to ask. On a
terminal you are asked them, one screen each, the most telling first; "?" says that you do not
know, "why" shows the provisions behind a question, "back" takes the last answer back, "done" stops.

Examples:
  corridor check --from CN --to KZ --purpose trade_logistics
  corridor check --from CN --to KZ --file shipments.csv --set 'exporter_traits=[]' --lang zh
  corridor check --from RU --to CN --assume ordinary_private_exporter --set 'data_classes=[personal]' \
    --set 'filings.ru.rkn_notice={state: filed, filed_on: 2026-11-20}'
  corridor check --from CN --to RU --facts facts.yaml --json
  corridor check --from CN --to KZ --facts facts.yaml --lang ru --report assessment.html --report assessment.json \
    --about 'exporter=Tianshan Logistics' --event effect=2026-12-01

  corridor check --from CN --to KZ --facts facts.yaml --date 2026-12-10 --tasks --event effect=2026-12-01 --ics duties.ics

Tasks are the duties that people carry out, with their last days; docs/deadlines.md says how they are counted.
--event agreement=DAY is the day of the agreement; the transfer is on --date.

An assessment is the decision as a paper to file: facts and where each came from, articles, duties with
their last days, what is not verified, and how to reproduce it (corridor replay assessment.json).

Many flows: --batch takes a file with one JSON object a line,
  {"date": "2026-11-24", "origin": "CN", "destination": "KZ", "assume": "nothing_in_place", "facts": {"purpose": "hr"}}
What a line leaves out comes from --date, --from, --to and --assume. With --json the answers are one
object a line, in the same order: line, outcome, obligations, and for each side its rules; otherwise
they are counted by outcome and by rule. A line that cannot be answered is listed with its number,
what is wrong and what would fix it, and the others go on; then the exit code is 2, otherwise 0,
whatever the outcomes are.
  corridor check --batch flows.jsonl
  corridor check --batch flows.jsonl --out answers.jsonl
  zcat flows.jsonl.gz | corridor check --batch - --from CN --to KZ --json | grep '"outcome":"deny"'

Values:
  true, 120000, {min: 100000}, [personal, health], {has: [personal], lacks: [important]},
  {one_of: [contract, hr]}, none, vehicles.cn.standard_contract=signed

Exit codes: 0 may go ahead (with or without duties), 3 something must happen first, 4 refused,
5 undetermined, 2 bad input. Corridor informs; it does not give legal advice.`
}

// Run decides and prints.
func (c checkCmd) Run(a *app) error {
	if err := errors.Join(c.valid(), c.checkedBatch()); err != nil {
		return err
	}
	if c.Batch == "" {
		if err := c.pair(); err != nil { // before the packs are read
			return err
		}
	}
	lib, err := loadPacks(c.Packs)
	if err != nil {
		return err
	}
	if c.Batch != "" {
		return c.batch(a, lib)
	}
	g, err := c.gather(a, lib)
	if err != nil {
		return err
	}
	if c.Advise {
		return c.advised(a, lib, g)
	}
	v, err := lib.Decide(g.flow)
	if err != nil {
		return err
	}
	if c.interviews(a) {
		if v, err = newInterview(a, lib, v, c.Lang).run(); err != nil {
			return err
		}
		g.said = append(g.said, answered(g.flow.Facts, v.Flow.Facts)...)
	}
	err = c.answer(a, lib, v)
	if err == nil {
		err = c.write(a, lib, v.Flow, g.said, c.Lang, c.JSON)
	}
	if err != nil {
		return err
	}
	return outcomeExit(v.Outcome)
}

// answer prints the verdict, with its tasks if they are wanted.
func (c checkCmd) answer(a *app, lib *law.Library, v corridor.Verdict) error {
	list, err := c.tasks(lib, v)
	switch {
	case err != nil:
	case c.JSON && c.wantsTasks():
		err = printJSON(a.stdout, verdictTasks{v, list})
	case c.JSON:
		err = printJSON(a.stdout, v)
	default:
		err = newAnswer(lib, v, c.Lang).print(a.stdout)
	}
	if err != nil || !c.wantsTasks() {
		return err
	}
	return c.file(a, newTaskBook(lib, c.Lang), v, list, c.JSON)
}

// outcomeExit is the exit code that an outcome means.
func outcomeExit(o corridor.Outcome) error {
	switch o {
	case corridor.Allow, corridor.AllowWithObligations:
		return nil
	case corridor.NeedsApproval:
		return exit(exitApproval)
	case corridor.Undetermined:
		return exit(exitUndetermined)
	}
	return exit(exitDeny)
}

// gathered is a flow, and what its facts rest on.
type gathered struct {
	flow   corridor.Flow
	report *scan.Report // what the scan of the data file found, if there is one
	said   []paper.Said
}

// pair asks for both ends of the flow.
func (c flowFlags) pair() error {
	var missing []string
	if c.From == "" {
		missing = append(missing, "--from=CC")
	}
	if c.To == "" {
		missing = append(missing, "--to=CC")
	}
	if missing == nil {
		return nil
	}
	return &corridor.Error{Kind: corridor.Invalid, Msg: "missing flags: " + strings.Join(missing, ", "), Fix: "name the state that the data leaves and that of the recipient, for example --from CN --to KZ"}
}

// gather is flow with the profile named.
func (c flowFlags) gather(a *app, lib *law.Library) (gathered, error) {
	if err := c.pair(); err != nil {
		return gathered{}, err
	}
	g, err := c.flow(a)
	if err == nil && c.Assume != "" {
		g.flow, err = lib.Assume(g.flow, c.Assume)
	}
	if err == nil {
		c.weigh(a, lib, &g)
	}
	return g, err
}

// flow gathers the facts: what a scan shows, then the file, then the flags,
// each more exact than the one before and never against it.
func (c flowFlags) flow(a *app) (gathered, error) {
	f := corridor.Flow{Origin: c.From, Destination: c.To, Date: corridor.DateOf(time.Now()), Facts: corridor.Facts{}}
	if c.Date != "" {
		d, err := corridor.ParseDate(c.Date)
		if err != nil {
			return gathered{}, err
		}
		f.Date = d
	}
	sources, report, err := c.sources(a, f.Date)
	if err != nil {
		return gathered{}, err
	}
	g := gathered{report: report}
	for _, s := range sources {
		g.said = append(g.said, s.said()...)
		for name, v := range s.facts {
			if have, ok := f.Facts[name]; ok {
				if v, err = narrow(name, have, v, s.name); err != nil {
					return gathered{}, err
				}
			}
			f.Facts[name] = v
		}
	}
	g.flow = f
	return g, nil
}

// source is facts and where they came from.
type source struct {
	name     string // in an error
	by, from string // in an assessment
	facts    corridor.Facts
}

func (c flowFlags) sources(a *app, day corridor.Date) ([]source, *scan.Report, error) {
	var out []source
	var report *scan.Report
	if c.File != "" {
		var err error
		report, err = scan.File(a.ctx, c.File, scan.Options{Lang: c.Lang, Today: day})
		if err != nil {
			return nil, nil, err
		}
		out = append(out, source{c.File, paper.Scanned, scanned(report), report.Facts})
	} else if len(c.Holds) > 0 {
		return nil, nil, &corridor.Error{Kind: corridor.Invalid, Where: "--file", Msg: "--holds needs the data file", Fix: "name it with --file"}
	}
	if facts, err := stated(report, c.Holds); err != nil {
		return nil, nil, err
	} else if facts != nil {
		out = append(out, source{"--holds", paper.Given, "", facts})
	}
	if c.Facts != "" {
		data, err := readInput(a, c.Facts)
		if err != nil {
			return nil, nil, err
		}
		facts, err := law.ParseFacts(c.Facts, data)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, source{c.Facts, paper.FromFile, filepath.Base(c.Facts), facts})
	}
	set, err := c.set()
	return append(out, source{"the command line", paper.Given, "", set}), report, err
}

// maxEcho is how much of what was typed an error repeats.
const maxEcho = 200

// set reads --purpose and --set.
func (c flowFlags) set() (corridor.Facts, error) {
	set := corridor.Facts{}
	if c.Purpose != "" {
		set["purpose"] = c.Purpose
	}
	for _, s := range c.Set {
		name, text, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return nil, &corridor.Error{Kind: corridor.Invalid, Where: "--set " + shorten(s, maxEcho), Msg: "not of the form FACT=VALUE", Fix: "for example: --set 'data_classes=[personal]'"}
		}
		if _, twice := set[name]; twice {
			return nil, &corridor.Error{Kind: corridor.Invalid, Where: "--set " + shorten(s, maxEcho), Msg: name + " is given twice", Fix: "give it once"}
		}
		v, err := law.ParseValue(text)
		if err != nil {
			return nil, &corridor.Error{Kind: corridor.Invalid, Where: "--set " + shorten(s, maxEcho), Msg: "the value is not plain YAML", Fix: "put it in quotes for the shell, for example: --set 'data_classes=[personal]'", Err: err}
		}
		set[name] = v
	}
	return set, nil
}

// maxInput bounds a file of facts or cases.
const maxInput = 8 << 20

func readInput(a *app, name string) ([]byte, error) {
	if name == "-" {
		return readLimited(a.stdin, "standard input")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, corridor.Unreadable(err)
	}
	defer f.Close()
	return readLimited(f, name)
}

// loadPacks compiles the packs of a directory, or those built in.
func loadPacks(dir string) (*law.Library, error) {
	fsys, err := packFS(dir)
	if err != nil {
		return nil, err
	}
	lib, err := editions.Compile(fsys, editions.UserImages())
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "the rule packs cannot be used:\n%w", err)
	}
	return lib, nil
}

func packFS(dir string) (fs.FS, error) {
	if dir == "" {
		return packs.FS(), nil
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: dir, Msg: "is not a directory", Fix: "name a directory with rule packs, laid out as in docs/pack-format.md"}
	}
	if _, err := os.Stat(filepath.Join(dir, configFile)); err == nil { // a node, with what is installed there
		cfg, err := loadConfig(dir)
		if err != nil {
			return nil, err
		}
		fsys, _, err := cfg.packStore().InUse()
		return fsys, err
	}
	return os.DirFS(dir), nil
}

// contradicts is the error for a fact that an earlier source proves wrong.
func contradicts(name string, have, more any, by string) error {
	return &corridor.Error{Kind: corridor.Invalid, Where: "facts." + name, Msg: fmt.Sprintf("%s says %v, but %v is already known", by, more, have),
		Fix: "correct one of them"}
}
