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

type matrixCmd struct {
	Classes []string `placeholder:"CLASS,..." help:"What the data is; short for --set 'data_classes=[...]'."`
	Purpose string   `placeholder:"NAME" help:"What the transfer is needed for; short for --set purpose=NAME."`
	Set     []string `sep:"none" placeholder:"FACT=VALUE" help:"One fact; the value is YAML. May be repeated." complete:"facts"`
	Facts   string   `placeholder:"FILE" help:"YAML or JSON file with facts; - reads standard input."`
	Assume  string   `placeholder:"PROFILE" help:"Fill what is not given from a named profile." default:"nothing_in_place"`
	From    []string `placeholder:"CC,..." help:"Only these exporters. Default: every state with a pack."`
	To      []string `placeholder:"CC,..." help:"Only these importers. Default: every state with a pack."`
	Date    string   `placeholder:"YYYY-MM-DD" help:"Day of the transfer. Default: today."`
	Lang    string   `enum:"en,zh,ru" default:"en" env:"CORRIDOR_LANG" help:"Language: en, zh or ru."`
	JSON    bool     `name:"json" help:"Print one JSON object with the reason behind each cell."`
	Out     string   `placeholder:"FILE" help:"Write a page (.html) or a picture (.svg) instead."`
	Packs   string   `placeholder:"DIR" help:"Use the rule packs of a directory instead of those built in."`
}

// Help is the long help with examples.
func (matrixCmd) Help() string {
	return `Decides one flow from every exporter to every importer. What is not said of the flow comes
from a profile of usual values (--assume none leaves it open).

Examples:
  corridor matrix --classes personal
  corridor matrix --classes personal,health --purpose research --lang zh --out matrix.html
  corridor matrix --classes non_personal --purpose trade_logistics --from CN,RU --to KZ,UZ,IR --json

Exit codes: 0 the matrix was made, whatever it says; 2 bad input.`
}

// Run decides all pairs and prints or writes them.
func (c matrixCmd) Run(a *app) error {
	lib, err := loadPacks(c.Packs)
	if err != nil {
		return err
	}
	flow, err := c.flow(a)
	if err != nil {
		return err
	}
	if c.Assume != "" && c.Assume != "none" {
		if flow, err = lib.Assume(flow, c.Assume); err != nil {
			return err
		}
	}
	for _, code := range slices.Concat(c.From, c.To) {
		if err := lib.Jurisdiction(code); err != nil {
			return err
		}
	}
	m, err := lib.Matrix(flow, c.From, c.To)
	if err != nil {
		return err
	}
	switch {
	case c.Out != "":
		return c.write(a, m)
	case c.JSON:
		return printJSON(a.stdout, m)
	}
	return printMatrix(a.stdout, m, newPhrases(c.Lang))
}

// flow is the flow that every pair of states is asked about.
func (c matrixCmd) flow(a *app) (corridor.Flow, error) {
	set := slices.Clone(c.Set)
	if len(c.Classes) > 0 {
		set = append(set, "data_classes=["+strings.Join(c.Classes, ", ")+"]")
	}
	g, err := flowFlags{Purpose: c.Purpose, Set: set, Facts: c.Facts, Date: c.Date}.flow(a)
	return g.flow, err
}

// write makes the page or the picture.
func (c matrixCmd) write(a *app, m law.Matrix) error {
	pages := map[string]func(io.Writer, law.Matrix, []string, string) error{".html": paper.MatrixHTML, ".svg": paper.MatrixSVG}
	page := pages[strings.ToLower(filepath.Ext(c.Out))]
	if page == nil {
		return &corridor.Error{Kind: corridor.Invalid, Where: "--out " + c.Out, Msg: "is neither a page nor a picture", Fix: "end the name in .html or .svg"}
	}
	var b bytes.Buffer
	if err := page(&b, m, factLines(m.Flow.Facts), c.Lang); err != nil {
		return err
	}
	if err := writeWhole(c.Out, b.Bytes()); err != nil {
		return err
	}
	_, err := fmt.Fprintln(a.stdout, c.Out)
	return err
}

// factLines writes the given facts in the form of --set.
func factLines(f corridor.Facts) []string {
	var out []string
	for name, v := range f {
		out = append(out, fmt.Sprintf("%s=%v", name, v))
	}
	slices.Sort(out)
	return out
}

// cellSign is an outcome in two letters of the table.
func cellSign(c law.Cell) string {
	signs := map[corridor.Outcome]string{corridor.Allow: "yes", corridor.AllowWithObligations: "yes+", corridor.NeedsApproval: "wait", corridor.Deny: "NO", corridor.Undetermined: "?"}
	s := signs[c.Outcome]
	switch {
	case c.Home:
		return "·"
	case c.Unverified:
		return s + "*"
	}
	return s
}

func printMatrix(out io.Writer, m law.Matrix, words phrases) error {
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, "%s\n\n%6s", words.say("matrix", m.Flow.Date), "")
	for _, to := range m.To {
		fmt.Fprintf(w, "%-6s", to)
	}
	fmt.Fprintln(w)
	unverified := false
	for i, row := range m.Rows {
		var line strings.Builder
		fmt.Fprintf(&line, "%-6s", m.From[i])
		for _, c := range row {
			fmt.Fprintf(&line, "%-6s", cellSign(c))
			unverified = unverified || c.Unverified
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
	fmt.Fprintln(w)
	for _, o := range []corridor.Outcome{corridor.Allow, corridor.AllowWithObligations, corridor.NeedsApproval, corridor.Deny, corridor.Undetermined} {
		fmt.Fprintf(w, "%-6s%s\n", cellSign(law.Cell{Outcome: o}), words.say(o.String()))
	}
	if unverified {
		fmt.Fprintf(w, "%-6s%s\n", "*", words.say("unverified"))
	}
	if m.Flow.Assume != "" {
		fmt.Fprintf(w, "%s\n", words.say("matrix.assumed", m.Flow.Assume))
	}
	fmt.Fprintf(w, "%s\n", words.say("disclaimer"))
	return w.Flush()
}
