package main

import (
	"fmt"
	"io"
	"slices"

	"corridor"
	"corridor/internal/law"
)

type packsTestCmd struct {
	Dir         string   `arg:"" optional:"" help:"Directory with rule packs. Default: those built in."`
	Packs       string   `placeholder:"DIR" help:"The same as the argument."`
	Cases       string   `placeholder:"FILE" help:"Run the cases of this YAML or JSON file instead of the packs' own; - reads standard input."`
	Only        []string `placeholder:"CC,..." help:"Only cases of these jurisdictions."`
	Coverage    bool     `help:"Also list what no case shows, by rule and test."`
	MinCoverage float64  `placeholder:"N" help:"Fail where the cases of a pack cover less than N percent."`
	JSON        bool     `name:"json" help:"Print one JSON object: cases, coverage, counts."`
	Verbose     bool     `short:"v" help:"Also print the provisions behind each answer."`
}

// Help is the long help with examples.
func (packsTestCmd) Help() string {
	return `A case passes if the outcome is equal and every obligation it lists is present. A case of
a jurisdiction without a pack fails as "no pack".

After the cases comes how much of each pack they cover, in the sense of MC/DC: every rule
applies in one case and rests in another, every result is yielded, and for every test of
every condition there are two cases that differ in that fact alone and turn the rule over.
What no case can show is counted apart. Of a file given with --cases this is printed only
when asked for. corridor packs cover proposes what is missing.

Examples:
  corridor packs test
  corridor packs test --only KZ --coverage
  corridor packs test ./packs --min-coverage 100
  corridor packs test --cases cases.json --only CN,RU,KZ

Exit codes: 0 all passed, 1 some failed or too little is covered, 2 bad input.`
}

// tested is what packs test prints as JSON.
type tested struct {
	Cases    []testedCase   `json:"cases"`
	Coverage []law.Coverage `json:"coverage"`
	Passed   int            `json:"passed"`
	Failed   int            `json:"failed"`
}

type testedCase struct {
	ID           string           `json:"id"`
	Jurisdiction string           `json:"jurisdiction"`
	Passed       bool             `json:"passed"`
	Outcome      corridor.Outcome `json:"outcome"`
	Reason       string           `json:"reason,omitempty"`
	Where        string           `json:"where"`
	Proposed     bool             `json:"proposed,omitempty"`
}

// Run decides every case, prints one line for each, and counts what they
// cover.
func (c packsTestCmd) Run(a *app) error {
	lib, err := loadPacks(oneOf(c.Dir, c.Packs))
	if err != nil {
		return err
	}
	cases, err := c.cases(a, lib)
	if err != nil {
		return err
	}
	if cases, err = onlyOf(lib, cases, c.Only); err != nil {
		return err
	}
	results := lib.RunCases(cases)
	out := tested{Cases: []testedCase{}, Coverage: []law.Coverage{}}
	for _, r := range results {
		out.Cases = append(out.Cases, testedCase{r.Case.ID, r.Case.Jurisdiction, r.Passed, r.Decision.Outcome, r.Reason, r.Case.Where, r.Case.Proposed})
		if r.Passed {
			out.Passed++
		}
	}
	out.Failed = len(results) - out.Passed
	if c.Cases == "" || c.Coverage || c.MinCoverage > 0 {
		out.Coverage = slices.DeleteFunc(lib.Cover(results), func(x law.Coverage) bool {
			return len(c.Only) > 0 && !slices.Contains(c.Only, x.Jurisdiction)
		})
	}
	if c.JSON {
		err = printJSON(a.stdout, out)
	} else {
		err = c.print(a.stdout, results, out)
	}
	if err == nil && (out.Failed > 0 || c.tooLittle(out.Coverage)) {
		return exit(exitFailed)
	}
	return err
}

func (c packsTestCmd) cases(a *app, lib *law.Library) ([]law.Case, error) {
	if c.Cases == "" {
		return lib.Cases()
	}
	data, err := readInput(a, c.Cases)
	if err != nil {
		return nil, err
	}
	return law.ParseCases(c.Cases, data, "")
}

// onlyOf keeps the cases of some jurisdictions.
func onlyOf(lib *law.Library, cases []law.Case, only []string) ([]law.Case, error) {
	if len(only) == 0 {
		return cases, nil
	}
	for _, code := range only {
		if err := lib.Jurisdiction(code); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(cases, func(x law.Case) bool { return !slices.Contains(only, x.Jurisdiction) }), nil
}

func (c packsTestCmd) tooLittle(list []law.Coverage) bool {
	return slices.ContainsFunc(list, func(x law.Coverage) bool { return x.Percent < c.MinCoverage })
}

// print ends with the line that counts passes and failures.
func (c packsTestCmd) print(w io.Writer, results []law.CaseResult, out tested) error {
	for _, r := range results {
		if r.Passed {
			fmt.Fprintf(w, "ok    %s  %s\n", r.Case.ID, r.Decision.Outcome)
		} else {
			fmt.Fprintf(w, "FAIL  %s  %s (%s)\n", r.Case.ID, r.Reason, r.Case.Where)
		}
		if c.Verbose {
			for _, m := range r.Decision.Matched {
				fmt.Fprintf(w, "        %s %s %s\n", m.Kind, m.Rule, m.Outcome)
			}
		}
	}
	if len(out.Coverage) > 0 {
		if err := coverageTable(w, out.Coverage, c.MinCoverage); err != nil {
			return err
		}
	}
	if c.Coverage {
		for _, x := range out.Coverage {
			listGaps(w, "missing", x.Missing)
			listGaps(w, "impossible", x.Impossible)
		}
	}
	_, err := fmt.Fprintf(w, "%d passed, %d failed\n", out.Passed, out.Failed)
	return err
}

func coverageTable(w io.Writer, list []law.Coverage, least float64) error {
	rows := [][]string{{"PACK", "CASES", "RULES", "RESULTS", "TESTS", "IMPOSSIBLE", "COVERED", ""}}
	of := func(t law.Tally) string { return fmt.Sprintf("%d/%d", t.Covered, t.Total) }
	for _, x := range list {
		remark := ""
		if x.Proposed > 0 {
			remark = fmt.Sprintf("%d cases wait for review", x.Proposed)
		}
		if x.Percent < least {
			remark = join(fmt.Sprintf("below %g%%", least), remark)
		}
		rows = append(rows, []string{x.Pack, fmt.Sprint(x.Cases), of(x.Rules), of(x.Results), of(x.Atoms),
			fmt.Sprint(x.Rules.Impossible + x.Results.Impossible + x.Atoms.Impossible), fmt.Sprintf("%g%%", x.Percent), remark})
	}
	return columns(w, "no rule packs", rows)
}

func join(a, b string) string {
	if b == "" {
		return a
	}
	return a + "; " + b
}

// listGaps prints one line per thing that no case shows.
func listGaps(w io.Writer, kind string, gaps []law.Gap) {
	for _, g := range gaps {
		line := fmt.Sprintf("%s: %s: %s, %s", g.Where, kind, g.Rule, g.Side)
		switch g.What {
		case "applies":
			line += ": a case in which it applies"
		case "rests":
			line += ": a case in which it does not apply"
		case "result":
			line += fmt.Sprintf(": a case that yields its result %d", g.Result)
		default:
			if g.Result > 0 {
				line += fmt.Sprintf(", result %d", g.Result)
			}
			line += ": a pair that only " + g.Test + " tells apart"
		}
		if g.Reason != "" {
			line += " (" + g.Reason + ")"
		}
		fmt.Fprintln(w, line)
	}
}
