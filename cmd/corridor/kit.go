package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"corridor"
	"corridor/internal/law"
	"corridor/internal/paper"
)

type kitCmd struct {
	List kitListCmd `cmd:"" help:"List the filings that there is a kit for."`
	Show kitShowCmd `cmd:"" help:"Show what one filing asks for, field by field, and where each value comes from."`
	Fill kitFillCmd `cmd:"" help:"Fill a kit from the facts of a flow, its decision and your answers."`
}

type kitListCmd struct {
	Only  []string `placeholder:"CC,..." help:"Only kits of these jurisdictions."`
	Lang  string   `enum:"en,zh,ru" default:"en" env:"CORRIDOR_LANG" help:"Language of the titles: en, zh or ru."`
	JSON  bool     `name:"json" help:"Print a JSON array."`
	Packs string   `placeholder:"DIR" help:"Use the rule packs of a directory instead of those built in."`
}

// Help is the long help with examples.
func (kitListCmd) Help() string {
	return `Examples:
  corridor kit list
  corridor kit list --only CN,RU --lang zh`
}

// Run lists the kits.
func (c kitListCmd) Run(a *app) error {
	lib, err := loadPacks(c.Packs)
	if err != nil {
		return err
	}
	for _, code := range c.Only {
		if err := lib.Jurisdiction(code); err != nil {
			return err
		}
	}
	kits, err := lib.Kits()
	if err != nil {
		return corridor.E(corridor.Invalid, "the kits cannot be used:\n%w", err)
	}
	kits = slices.DeleteFunc(kits, func(k law.Kit) bool { return len(c.Only) > 0 && !slices.Contains(c.Only, k.Jurisdiction) })
	if c.JSON {
		return printJSON(a.stdout, kits)
	}
	for _, k := range kits {
		unsure := 0
		for _, f := range k.Fields {
			if f.Source != corridor.Verified {
				unsure++
			}
		}
		fmt.Fprintf(a.stdout, "%s  %s\n  %s\n", k.ID, k.Title.In(c.Lang), kitWords(c.Lang)("kit.fields", len(k.Fields), unsure))
	}
	return nil
}

type kitShowCmd struct {
	ID    string `arg:"" help:"A kit's id." complete:"kits"`
	Lang  string `enum:"en,zh,ru" default:"en" env:"CORRIDOR_LANG" help:"Language of the texts: en, zh or ru."`
	JSON  bool   `name:"json" help:"Print JSON."`
	Packs string `placeholder:"DIR" help:"Use the rule packs of a directory instead of those built in."`
}

// Help is the long help with examples.
func (kitShowCmd) Help() string {
	return `Examples:
  corridor kit show cn.standard_contract_filing
  corridor kit show ru.rkn_transfer_notice --lang ru
  corridor kit show tr.standard_contract_notice --json`
}

// Run shows the kit.
func (c kitShowCmd) Run(a *app) error {
	lib, err := loadPacks(c.Packs)
	if err != nil {
		return err
	}
	k, err := lib.Kit(c.ID)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, k)
	}
	w := newAnswer(lib, corridor.Verdict{}, c.Lang)
	w.out = bufio.NewWriter(a.stdout)
	w.kit(k)
	return w.out.Flush()
}

type kitFillCmd struct {
	ID string `arg:"" help:"A kit's id." complete:"kits"`
	flowFlags
	Answers string   `placeholder:"FILE" help:"YAML file: exporter, importer and dataset by line, answers by field; - reads standard input."`
	Event   []string `sep:"none" placeholder:"EVENT=DAY" help:"Day of an event from which deadlines run, such as effect=2026-12-01. May be repeated."`
	About   []string `sep:"none" placeholder:"LINE=TEXT" help:"A line at the head: reference, exporter, importer, dataset or prepared_by. May be repeated."`
	Node    string   `placeholder:"DIR" help:"A node's directory: its name and DID fill the lines of its own side."`
	Out     string   `placeholder:"FILE" help:"Write the filled kit to a file: .html to print, .json to replay."`
}

// Help is the long help with examples.
func (kitFillCmd) Help() string {
	return `Decides the flow and fills the kit field by field. Every value says where it came from: given,
from a file, found by a scan, assumed by a profile, answered, or this decision. What is missing says
how to give it. A field that a fact fills is given as a fact and never as an answer.

Examples:
  corridor kit fill cn.standard_contract_filing --from CN --to KZ --facts facts.yaml --answers answers.yaml \
    --event effect=2026-12-01 --out kit.html --lang zh
  corridor kit fill ru.rkn_transfer_notice --from RU --to CN --facts facts.yaml
  corridor kit fill tr.standard_contract_notice --from TR --to KZ --facts facts.yaml --out kit.json

An answers.yaml:
  exporter: {name: Tianshan Logistics, registration: "91650100MA77XXXX1A"}
  importer: {name: Altai Freight, address: "Almaty"}
  dataset: {title: shipments 2026}
  answers: {agent_name: Wang Wei}

Exit codes: 0 everything that is required is there, 5 something is missing, 2 bad input.
Corridor informs; it does not give legal advice.`
}

// Run fills the kit.
func (c kitFillCmd) Run(a *app) error {
	if err := c.valid(); err != nil {
		return err
	}
	lib, err := loadPacks(c.Packs)
	if err != nil {
		return err
	}
	in, err := c.input(a, lib)
	if err != nil {
		return err
	}
	f, err := paper.FillKit(lib, in)
	if err != nil {
		return err
	}
	switch {
	case c.Out != "":
		err = c.write(a, f)
	case c.JSON:
		err = printJSON(a.stdout, f)
	default:
		err = printKit(a.stdout, lib, f, c.Lang)
	}
	if err == nil && !f.Complete() {
		return exit(exitUndetermined)
	}
	return err
}

func (c kitFillCmd) valid() error {
	if c.Out != "" && reportKind(c.Out) == "" {
		return &corridor.Error{Kind: corridor.Invalid, Where: "--out " + c.Out, Msg: "is neither a page nor JSON", Fix: "end the name in .html or .json"}
	}
	if c.Answers == "-" && c.Facts == "-" {
		return &corridor.Error{Kind: corridor.Invalid, Where: "--answers -", Msg: "standard input is already read by --facts", Fix: "name a file"}
	}
	if c.Out == "" {
		return nil
	}
	return free(c.Out)
}

// input gathers facts, answers, events and what the node says of itself.
func (c kitFillCmd) input(a *app, lib *law.Library) (paper.KitInput, error) {
	g, err := c.gather(a, lib)
	if err != nil {
		return paper.KitInput{}, err
	}
	in := paper.KitInput{Kit: c.ID}
	if in.Input, err = (reportFlags{About: c.About, Event: c.Event}).input(g.flow, g.said); err != nil {
		return in, err
	}
	if c.Answers != "" {
		data, err := readInput(a, c.Answers)
		if err != nil {
			return in, err
		}
		if in.Answers, err = law.ParseAnswers(c.Answers, data); err != nil {
			return in, err
		}
		in.AnswersFrom = filepath.Base(c.Answers)
	}
	if c.Node != "" {
		in.Node, err = c.ownSide()
	}
	return in, err
}

// ownSide is what a node's configuration says of its own side of the flow.
func (c kitFillCmd) ownSide() (map[string]string, error) {
	cfg, err := loadConfig(c.Node)
	if err != nil {
		return nil, err
	}
	side := map[string]string{c.From: "exporter", c.To: "importer"}[cfg.Jurisdiction]
	if side == "" {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: "--node " + c.Node, Msg: "is a node of " + cfg.Jurisdiction + ", which is on neither side of this flow", Fix: "name the node of the exporter or of the recipient"}
	}
	return map[string]string{side + ".name": cfg.Name, side + ".did": cfg.DID}, nil
}

// write makes the paper, whole or not at all.
func (c kitFillCmd) write(a *app, f paper.FilledKit) error {
	data, err := f.Encode()
	if err == nil && reportKind(c.Out) == ".html" {
		var page bytes.Buffer
		err = paper.KitHTML(&page, f, c.Lang)
		data = page.Bytes()
	}
	if err != nil {
		return err
	}
	if err := writeWhole(c.Out, data); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s\n%s\n", c.Out, kitCount(f, c.Lang))
	return err
}

func kitCount(f paper.FilledKit, lang string) string {
	n := f.Counts
	return kitWords(lang)("kit.count", n.Filled, n.Fields, n.Missing, n.Assumed, n.Unverified)
}

// printKit writes a filled kit for a person at a terminal.
func printKit(out io.Writer, lib *law.Library, f paper.FilledKit, lang string) error {
	say := kitWords(lang)
	w := newAnswer(lib, corridor.Verdict{}, lang)
	w.out = bufio.NewWriter(out)
	w.line("", f.Kit.Title.In(lang)+" ("+f.Kit.ID+")")
	w.line("", say("kit.asked."+f.Asked))
	if f.Due != nil && f.Due.Due != 0 {
		w.line("", w.say("due", f.Due.Due))
	}
	for i, field := range f.Kit.Fields {
		if h := field.Heading.In(lang); h != "" {
			w.heading(h)
		}
		x := f.Fields[i]
		value := x.Value
		if len(x.Values) > 0 {
			value = strings.Join(x.Values, ", ")
		}
		switch {
		case x.State == paper.Filled:
			w.line("  + ", field.Label.In(lang)+": "+value+" ["+sourcesOf(x, lang)+"]")
		case x.State == paper.Partly:
			w.line("  ~ ", field.Label.In(lang)+": "+say("kit.partly", value)+" ("+x.Hint+")")
		case x.Required:
			w.line("  ! ", field.Label.In(lang)+": "+say("kit.missing")+" ("+x.Hint+")")
		default:
			w.line("  - ", field.Label.In(lang)+": "+say("kit.empty")+" ("+x.Hint+")")
		}
	}
	fmt.Fprintln(w.out)
	w.line("", kitCount(f, lang))
	w.line("", w.say("disclaimer"))
	return w.out.Flush()
}

func sourcesOf(x paper.FilledField, lang string) string {
	say := kitWords(lang)
	var parts []string
	for _, s := range x.Sources {
		parts = append(parts, strings.TrimSpace(say("by."+s.By)+" "+s.From))
	}
	return strings.Join(parts, "; ")
}

// kit writes what a filing asks for.
func (w *answer) kit(k law.Kit) {
	say := kitWords(w.lang)
	w.line("", k.Title.In(w.lang)+" ("+k.ID+")")
	if o := k.Title.Original; o != "" && o != k.Title.In(w.lang) {
		w.line("", o)
	}
	w.line("", k.Text.In(w.lang))
	w.line("  ", say("kit.authority", k.Authority.In(w.lang)))
	w.line("  ", say("kit.when", k.When.In(w.lang)))
	w.line("  ", say("kit.languages", strings.Join(k.Languages, ", ")))
	w.line("  ", w.cites(k.Citations)+" ["+w.say(string(k.Source), k.SourceOn)+"]")
	w.line("  ", say("kit.duties", strings.Join(k.Duties, ", ")))
	for _, f := range k.Fields {
		if h := f.Heading.In(w.lang); h != "" {
			w.heading(h)
		}
		mark := "  - "
		if f.Required {
			mark = "  * "
		}
		from := say("kit.answered")
		if f.From.Kind != "" {
			from = f.From.Kind + " " + f.From.Name
		}
		w.line(mark, f.Label.In(w.lang))
		line := fmt.Sprintf("%s, %s, %s [%s]", f.ID, f.Type, from, w.cites(f.Citations))
		if f.Source != corridor.Verified {
			line += " " + say("kit.unsure")
		}
		w.line("    ", line)
	}
	fmt.Fprintln(w.out)
	w.line("", say("kit.required"))
}
