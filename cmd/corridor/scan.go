package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"go.yaml.in/yaml/v4"

	"corridor"
	"corridor/internal/scan"
)

type scanCmd struct {
	File      string  `arg:"" help:"CSV, JSON Lines or Parquet; - reads CSV or JSON Lines from standard input."`
	JSON      bool    `name:"json" help:"Print the whole report as JSON."`
	Lang      string  `enum:"en,zh,ru" default:"en" env:"CORRIDOR_LANG" help:"Language of the report: en, zh or ru."`
	FactsOut  string  `placeholder:"FILE" help:"Write the proposed facts to this file, for corridor check --facts."`
	Format    string  `placeholder:"NAME" help:"csv, jsonl or parquet, if the content does not tell."`
	Delimiter string  `placeholder:"CHAR" help:"Delimiter of a CSV file, if it is not found; 'tab' for a tab."`
	Header    string  `enum:"auto,yes,no" default:"auto" help:"Whether the first row of a CSV file names the columns."`
	Encoding  string  `placeholder:"NAME" help:"utf-8, utf-16le, utf-16be, gb18030 or windows-1251, if it is not found."`
	Threshold float64 `default:"0.6" help:"Confidence from which a class of data becomes a proposed fact."`
}

// Help is the long help with examples.
func (scanCmd) Help() string {
	return `Streams the file once and says which columns hold what, with the reason, how many
people it is about, and which facts follow. No value is kept or printed.
A scan proves presence, never absence: what it did not find may still be there.

Examples:
  corridor scan shipments.csv
  corridor scan people.parquet --lang zh --facts-out facts.yaml
  corridor check --from CN --to KZ --facts facts.yaml
  gunzip -c export.jsonl.gz | corridor scan - --json

Exit codes: 0 scanned, 1 stopped by a signal, 2 bad input. A signal ends it at once, also while
it waits for a pipe.`
}

// Run scans the file and prints what was found.
func (c scanCmd) Run(a *app) error {
	o := scan.Options{Format: c.Format, Lang: c.Lang, Encoding: c.Encoding, Threshold: c.Threshold}
	if c.Header != "auto" {
		o.Header = c.Header
	}
	switch {
	case c.Delimiter == "tab" || c.Delimiter == `\t`:
		o.Delimiter = '\t'
	case len(c.Delimiter) == 1:
		o.Delimiter = c.Delimiter[0]
	case c.Delimiter != "":
		return &corridor.Error{Kind: corridor.Invalid, Where: "--delimiter", Msg: "is not one character", Fix: "for example --delimiter ';'"}
	}
	// Counts of people are large tables that hardly change: collecting more
	// often keeps the peak near what is live.
	defer debug.SetGCPercent(debug.SetGCPercent(40))
	rep, err := c.scan(a.ctx, a.stdin, o)
	if err != nil {
		return err
	}
	facts, err := factsYAML(rep, c.Lang)
	if err != nil {
		return err
	}
	if c.FactsOut != "" {
		if err := os.WriteFile(c.FactsOut, facts, 0o644); err != nil {
			return &corridor.Error{Kind: corridor.Invalid, Where: "--facts-out", Msg: "cannot write the facts", Err: err, Fix: "name a file in a folder that exists"}
		}
	}
	if c.JSON {
		return printJSON(a.stdout, rep)
	}
	return printScan(a.stdout, rep, facts, c.FactsOut, c.Lang)
}

func (c scanCmd) scan(ctx context.Context, stdin io.Reader, o scan.Options) (*scan.Report, error) {
	if c.File == "-" {
		return scan.Reader(ctx, stdin, c.Format, o)
	}
	return scan.File(ctx, c.File, o)
}

// factsYAML writes the proposed facts with what they rest on as comments.
func factsYAML(rep *scan.Report, lang string) ([]byte, error) {
	var b bytes.Buffer
	w := scanWords()
	fmt.Fprintf(&b, "# "+w["facts_head"].In(lang)+"\n", oneLine(rep.File), rep.SHA256)
	for _, name := range unknownColumns(rep) {
		fmt.Fprintf(&b, "# %s: %s\n", oneLine(name), w["unknown"].In(lang))
	}
	if len(rep.Facts) == 0 {
		fmt.Fprintf(&b, "# %s\n{}\n", w["nothing"].In(lang))
		return b.Bytes(), nil
	}
	if rep.Subjects.Max > 0 {
		fmt.Fprintf(&b, "# %s: %s\n# %s\n", w["people"].In(lang), rep.Subjects.Basis, w["ytd"].In(lang))
	}
	if err := yaml.NewEncoder(&b).Encode(map[string]any(rep.Facts)); err != nil {
		return nil, fmt.Errorf("facts as YAML: %w", err)
	}
	return b.Bytes(), nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// printScan writes the report as a table that a compliance officer can read.
func printScan(out io.Writer, rep *scan.Report, facts []byte, saved, lang string) error {
	w := scanWords()
	var b bytes.Buffer
	fmt.Fprintf(&b, w["head"].In(lang)+"\n", rep.File, strings.ToUpper(rep.Format), scan.Grouped(rep.Rows, lang), len(rep.Columns), scan.Grouped(rep.Bytes, lang))
	fmt.Fprintf(&b, "sha256 %s\n\n", rep.SHA256)
	columnTable(&b, rep, lang)
	fmt.Fprintf(&b, "\n%s: %s\n", w["people"].In(lang), countText(rep.Subjects, lang))
	if rep.Sensitive.Max > 0 {
		fmt.Fprintf(&b, "%s: %s\n", w["sensitive"].In(lang), countText(rep.Sensitive, lang))
	}
	if column, kind := proposeSubject(rep, ""); column != "" {
		fmt.Fprintf(&b, w["subject"].In(lang)+"\n", column, kind, shellWord(column), kind)
	}
	for _, warning := range rep.Warnings {
		fmt.Fprintf(&b, "%s: %s\n", w["warning"].In(lang), warning)
	}
	fmt.Fprintf(&b, "%s\n\n%s\n%s\n", w["presence"].In(lang), w["facts"].In(lang), facts)
	file := saved
	if file == "" {
		file = "facts.yaml"
		fmt.Fprintf(&b, "%s\n  corridor scan %s --facts-out %s\n", w["next"].In(lang), shellWord(rep.File), file)
	} else {
		fmt.Fprintln(&b, w["next"].In(lang))
	}
	fmt.Fprintf(&b, "  corridor check --from CN --to KZ --facts %s\n", shellWord(file))
	_, err := out.Write(b.Bytes())
	return err
}

func columnTable(b *bytes.Buffer, rep *scan.Report, lang string) {
	w := scanWords()
	rows := [][]string{{w["column"].In(lang), w["type"].In(lang), w["empty"].In(lang), w["different"].In(lang), w["form"].In(lang), w["what"].In(lang)}}
	for _, c := range rep.Columns {
		lead := []string{c.Name, w["type_"+c.Type].In(lang), scan.Grouped(c.Nulls, lang), about(c) + scan.Grouped(c.Distinct, lang), c.Shape}
		texts := findingTexts(c, lang)
		if len(texts) == 0 {
			what := "-"
			if c.Unknown {
				what = "?   " + w["unknown"].In(lang)
			}
			rows = append(rows, append(lead, what))
			continue
		}
		for i, t := range texts {
			if i > 0 {
				lead = []string{"", "", "", "", ""}
			}
			rows = append(rows, append(lead, t))
		}
	}
	widths := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, v := range r {
			widths[i] = max(widths[i], cells(v))
		}
	}
	for _, r := range rows {
		var line strings.Builder
		for i, v := range r {
			pad := strings.Repeat(" ", widths[i]-cells(v))
			switch {
			case i == len(r)-1:
				line.WriteString(v)
			case i == 2 || i == 3:
				line.WriteString(pad + v + "  ")
			default:
				line.WriteString(v + pad + "  ")
			}
		}
		fmt.Fprintln(b, strings.TrimRight(line.String(), " "))
	}
}

func about(c scan.Column) string {
	if c.DistinctExact {
		return ""
	}
	return "~"
}

// findingTexts joins the classes of one identifier into one line.
func findingTexts(c scan.Column, lang string) []string {
	var out []string
	for i := 0; i < len(c.Classes); {
		f := c.Classes[i]
		var classes []string
		for ; i < len(c.Classes) && c.Classes[i].Identifier == f.Identifier; i++ {
			if c.Classes[i].Class != "" {
				classes = append(classes, scan.Label(c.Classes[i].Class, lang))
			}
		}
		text := scan.Label(f.Identifier, lang)
		if len(classes) > 0 {
			text += " [" + strings.Join(classes, ", ") + "]"
		}
		out = append(out, fmt.Sprintf("%2d %%  %s: %s", min(99, int(f.Confidence*100)), text, f.Reason))
	}
	return out
}

func countText(c scan.Count, lang string) string {
	w := scanWords()
	var n string
	switch {
	case c.Max == 0:
		return c.Basis
	case c.Exact:
		n = scan.Grouped(c.Min, lang)
	case c.Open:
		n = fmt.Sprintf(w["at_least"].In(lang), scan.Grouped(c.Min, lang), scan.Grouped(c.Estimate, lang))
	default:
		n = fmt.Sprintf(w["between"].In(lang), scan.Grouped(c.Min, lang), scan.Grouped(c.Max, lang), scan.Grouped(c.Estimate, lang))
	}
	return n + " (" + c.Basis + ")"
}

func shellWord(s string) string {
	if strings.ContainsAny(s, " \t'\"$&|;<>()*?[]#~`\\") {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}
