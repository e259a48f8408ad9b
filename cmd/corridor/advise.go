package main

import (
	"fmt"
	"slices"
	"strings"

	"corridor"
	"corridor/internal/law"
	"corridor/internal/plane"
	"corridor/internal/scan"
)

type adviseCmd struct {
	flowFlags
	Keep  []string `placeholder:"COLUMN" help:"A column of the data file that the purpose needs as it is; no way that touches it is shown. May be repeated."`
	Max   int      `default:"5" help:"Most ways to show."`
	Plan  int      `placeholder:"N" help:"Show way N in full, with the decision that it leads to; with --apply, carry out this one."`
	Apply string   `placeholder:"OUT" help:"Write the data file as the way transforms it, scan the result and decide again."`
	Force bool     `help:"Let --apply replace a file that is there."`
}

// Help is the long help with examples.
func (adviseCmd) Help() string {
	return `Looks for the cheapest sets of actions that make the transfer lawful on both sides, and says
of each what it costs, how long it takes, who acts and which article it satisfies. Nothing
unknown is chosen for you: a way holds whatever the open answers are, or you are told what to
answer first. Purpose, ground, parties and what was already sent this year are never changed.
Every way has been decided anew by the law engine before it is shown.

Examples:
  corridor advise --from CN --to KZ --assume ordinary_private_exporter --purpose marketing \
    --set 'data_classes=[personal]' --set subjects_ytd=250000 --set subjects_in_file=200000
  corridor advise --from CN --to KZ --file people.csv --facts facts.yaml --keep city --lang zh
  corridor advise --from CN --to KZ --file people.csv --facts facts.yaml --plan 2
  corridor advise --from CN --to KZ --file people.csv --facts facts.yaml --apply out.csv

Exit codes: 0 a way was found, or none is needed; without a way as corridor check. With --apply
as corridor check for the file that was written. Corridor informs; it does not give legal advice.`
}

// way is a plan with what the data plane does for it.
type way struct {
	law.Plan
	Transform *plane.Plan `json:"transform,omitempty"`
	Unplaced  []string    `json:"unplaced,omitempty"` // classes that must go and for which no column was recognised
	Unknown   []string    `json:"unknown,omitempty"`  // columns that may name people and that the transformation leaves as they are
	Confirm   []string    `json:"confirm,omitempty"`  // classes of which nothing was seen: a person confirms that they are not there
}

// advice is law.Advice with the ways' transforms.
type advice struct {
	Verdict  corridor.Verdict    `json:"verdict"`
	Plans    []way               `json:"plans"`
	Ask      []corridor.Question `json:"ask,omitempty"`
	Complete bool                `json:"complete"`
	Blind    []string            `json:"blind,omitempty"`
	Fixed    []law.Obstacle      `json:"fixed,omitempty"`
}

// Run advises, and carries out what it is told to.
func (c adviseCmd) Run(a *app) error {
	if err := c.valid(); err != nil {
		return err
	}
	lib, err := loadPacks(c.Packs)
	if err != nil {
		return err
	}
	g, err := c.gather(a, lib)
	if err != nil {
		return err
	}
	flow, report := g.flow, g.report
	adv, err := findWays(lib, flow, report, c.Keep, c.Max)
	if err != nil {
		return err
	}
	switch {
	case c.Apply != "":
		return c.apply(a, lib, flow, report, adv)
	case c.Plan > 0:
		return c.one(a, lib, adv)
	case c.JSON:
		err = printJSON(a.stdout, adv)
	default:
		err = newAdvisor(lib, adv, c.Lang).print(a.stdout)
	}
	if err != nil || len(adv.Plans) > 0 {
		return err
	}
	return outcomeExit(adv.Verdict.Outcome)
}

func (c adviseCmd) valid() error {
	switch {
	case c.Max < 1 || c.Max > 100:
		return &corridor.Error{Kind: corridor.Invalid, Where: "--max", Msg: "is out of range", Fix: "use 1 to 100"}
	case c.Plan < 0 || c.Plan > c.Max:
		return &corridor.Error{Kind: corridor.Invalid, Where: "--plan", Msg: "is out of range", Fix: fmt.Sprintf("use 1 to %d, or raise --max", c.Max)}
	case c.File == "" && (c.Apply != "" || len(c.Keep) > 0):
		return &corridor.Error{Kind: corridor.Invalid, Where: "--file", Msg: "--keep and --apply need the data file", Fix: "name it with --file"}
	}
	return nil
}

// pick finds way N, or the first that the data plane can carry out.
func (c adviseCmd) pick(adv advice) (int, error) {
	if c.Plan > 0 {
		if c.Plan > len(adv.Plans) {
			return 0, &corridor.Error{Kind: corridor.NotFound, Where: "--plan", Msg: fmt.Sprintf("there are %d ways", len(adv.Plans)), Fix: "run corridor advise without --plan to see them"}
		}
		return c.Plan - 1, nil
	}
	at := slices.IndexFunc(adv.Plans, func(w way) bool { return w.Transform != nil })
	if at < 0 {
		return 0, &corridor.Error{Kind: corridor.NotFound, Where: "--apply", Msg: "none of the ways is a transformation of the file",
			Fix: "run corridor advise without --apply to see them; --max shows more"}
	}
	return at, nil
}

// one shows a single way with its decision.
func (c adviseCmd) one(a *app, lib *law.Library, adv advice) error {
	at, err := c.pick(adv)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, adv.Plans[at])
	}
	return newAdvisor(lib, adv, c.Lang).full(a.stdout, at)
}

// advised is check with the ways added.
func (c checkCmd) advised(a *app, lib *law.Library, g gathered) error {
	adv, err := findWays(lib, g.flow, g.report, nil, 5)
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(a.stdout, struct {
			corridor.Verdict
			Advice []way `json:"advice"`
		}{adv.Verdict, adv.Plans})
	} else {
		w := newAdvisor(lib, adv, c.Lang)
		w.also = true
		err = w.print(a.stdout)
	}
	if err == nil {
		err = c.write(a, lib, g.flow, g.said, c.Lang, c.JSON)
	}
	if err != nil {
		return err
	}
	return outcomeExit(adv.Verdict.Outcome)
}

// findWays asks the law for plans and names the columns that each touches. An
// action that touches a column to be kept, or leaves nothing of the file, is
// refused and the law is asked again.
func findWays(lib *law.Library, flow corridor.Flow, report *scan.Report, keep []string, most int) (advice, error) {
	if err := knownColumns(report, keep); err != nil {
		return advice{}, err
	}
	limits := law.Limits{Plans: most}
	for {
		found, err := lib.Advise(flow, limits)
		if err != nil {
			return advice{}, err
		}
		out := advice{found.Verdict, []way{}, found.Ask, found.Complete, found.Blind, found.Fixed}
		refused := ""
		for _, p := range found.Plans {
			w := way{Plan: p, Confirm: toConfirm(report, p.Actions)}
			if report != nil {
				if refused = refuses(report, p.Actions, keep); refused != "" {
					break
				}
				if w.Unplaced = unplaced(report, flow.Facts, p.Actions); w.Unplaced == nil {
					w.Transform = transformOf(report, p.Actions)
					w.Unknown = untouched(report, w.Transform)
				}
			}
			out.Plans = append(out.Plans, w)
		}
		if refused == "" {
			return out, nil
		}
		limits.Without = append(limits.Without, refused)
	}
}

// knownColumns checks that the columns to be kept are in the file.
func knownColumns(report *scan.Report, keep []string) error {
	if report == nil {
		return nil
	}
	var names []string
	for _, c := range report.Columns {
		names = append(names, c.Name)
	}
	for _, k := range keep {
		if !slices.Contains(names, k) {
			return &corridor.Error{Kind: corridor.Invalid, Where: "--keep " + k, Msg: "the file has no such column", Fix: "its columns are " + strings.Join(names[:min(len(names), 40)], ", ")}
		}
	}
	return nil
}
