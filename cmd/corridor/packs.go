package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"corridor"
	"corridor/internal/law"
)

type packsCmd struct {
	Lint  packsLintCmd  `cmd:"" help:"Check rule packs: what is wrong, and what looks wrong."`
	Test  packsTestCmd  `cmd:"" help:"Run the cases of rule packs, or those of a file, and say how much of the law they cover."`
	Cover packsCoverCmd `cmd:"" help:"Propose the cases that rule packs lack."`
	List  packsListCmd  `cmd:"" help:"List the rule packs."`
	Show  packsShowCmd  `cmd:"" help:"Show a rule pack, or one of its rules, as a reader wants it."`

	Diff     packsDiffCmd     `cmd:"" help:"Say exactly what changes from one edition to another, and for which flows."`
	Calendar packsCalendarCmd `cmd:"" help:"List coming changes of the law."`
	Due      packsDueCmd      `cmd:"" help:"Say by which day a duty has to be done."`
	Export   packsExportCmd   `cmd:"" help:"Write the built-in rule packs to a directory."`

	Keygen    packsKeygenCmd    `cmd:"" help:"Make a key to sign rule packs with."`
	Sign      packsSignCmd      `cmd:"" help:"Make a signed edition of a rule pack."`
	Verify    packsVerifyCmd    `cmd:"" help:"Check a signed edition of a rule pack."`
	Install   packsInstallCmd   `cmd:"" help:"Put a signed edition of a rule pack in use in a node."`
	Installed packsInstalledCmd `cmd:"" help:"List the editions that were installed into a node."`
	Rollback  packsRollbackCmd  `cmd:"" help:"Put the edition before back in use."`
}

type packsLintCmd struct {
	Dir   string `arg:"" optional:"" help:"Directory with rule packs. Default: those built in."`
	Packs string `placeholder:"DIR" help:"The same as the argument."`
	JSON  bool   `name:"json" help:"Print the findings as JSON."`
}

// Help is the long help with examples.
func (packsLintCmd) Help() string {
	return `Reads every pack strictly and reports everything it finds at once, with file, line and
column. An error makes a pack unusable; a warning is something its author should look at.

Examples:
  corridor packs lint
  corridor packs lint ./packs

Exit codes: 0 no error, 1 errors.`
}

// Run lints and prints one line per finding.
func (c packsLintCmd) Run(a *app) error {
	fsys, err := packFS(oneOf(c.Dir, c.Packs))
	if err != nil {
		return err
	}
	lib, findings := law.Lint(fsys)
	failed := 0
	for _, f := range findings {
		if f.Error {
			failed++
		}
	}
	if c.JSON {
		if findings == nil {
			findings = []law.Finding{}
		}
		err = printJSON(a.stdout, findings)
	} else {
		err = printFindings(a.stdout, lib, findings, failed)
	}
	if err == nil && failed > 0 {
		err = exit(exitFailed)
	}
	return err
}

func printFindings(w io.Writer, lib *law.Library, findings []law.Finding, failed int) error {
	for _, f := range findings {
		kind := "warning"
		if f.Error {
			kind = "error"
		}
		line := fmt.Sprintf("%s: %s: %s", f.Where, kind, f.Msg)
		if f.Fix != "" {
			line += "; " + f.Fix
		}
		fmt.Fprintln(w, line)
	}
	if lib != nil {
		rules := 0
		for _, p := range lib.Packs() {
			rules += p.Rules
		}
		fmt.Fprintf(w, "%d packs, %d rules\n", len(lib.Packs()), rules)
	}
	_, err := fmt.Fprintf(w, "%d errors, %d warnings\n", failed, len(findings)-failed)
	return err
}

func oneOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

type packsListCmd struct {
	JSON  bool   `name:"json" help:"Print a JSON array, one object per pack."`
	Lang  string `enum:"en,zh,ru" default:"en" env:"CORRIDOR_LANG" help:"Language of the titles: en, zh or ru."`
	Packs string `placeholder:"DIR" help:"Use the rule packs of a directory instead of those built in."`
}

// Help is the long help with examples.
func (packsListCmd) Help() string {
	return `Examples:
  corridor packs list
  corridor packs list --lang ru
  corridor packs list --json`
}

// Run lists the packs.
func (c packsListCmd) Run(a *app) error {
	lib, err := loadPacks(c.Packs)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, lib.Packs())
	}
	for _, p := range lib.Packs() {
		fmt.Fprintf(a.stdout, "%s  %s  %s  %d rules (%d verified, %d secondary, %d memory)  %s\n  %s\n", p.ID, p.Jurisdiction, p.Version, p.Rules,
			p.Status[corridor.Verified], p.Status[corridor.Secondary], p.Status[corridor.Memory], p.Title.In(c.Lang), p.Digest)
	}
	return nil
}

type packsShowCmd struct {
	ID    string `arg:"" help:"A pack's id or its jurisdiction." complete:"packs"`
	Rule  string `placeholder:"RULE" help:"Only this rule."`
	Lang  string `enum:"en,zh,ru" default:"en" env:"CORRIDOR_LANG" help:"Language of the texts: en, zh or ru."`
	JSON  bool   `name:"json" help:"Print JSON."`
	Packs string `placeholder:"DIR" help:"Use the rule packs of a directory instead of those built in."`
}

// Help is the long help with examples.
func (packsShowCmd) Help() string {
	return `Examples:
  corridor packs show cn
  corridor packs show cn --rule cn.provisions.8 --lang zh
  corridor packs show KZ --json`
}

// Run shows the pack.
func (c packsShowCmd) Run(a *app) error {
	lib, err := loadPacks(c.Packs)
	if err != nil {
		return err
	}
	p, err := lib.Pack(c.ID)
	if err != nil {
		return err
	}
	rules := append(slices.Clone(p.Rules), p.Silence...)
	if c.Rule != "" {
		all := rules
		rules = slices.DeleteFunc(slices.Clone(rules), func(r law.RuleInfo) bool { return r.ID != c.Rule })
		if len(rules) == 0 {
			e := corridor.E(corridor.Invalid, "pack %s has no rule %q", p.ID, c.Rule)
			e.Fix = nearRules(c.Rule, all)
			return e
		}
	}
	switch {
	case c.JSON && c.Rule != "":
		return printJSON(a.stdout, rules[0])
	case c.JSON:
		return printJSON(a.stdout, p)
	}
	return showRules(a.stdout, p, rules, c.Rule == "", newPhrases(c.Lang))
}

// nearRules suggests rules that share a part of the name.
func nearRules(id string, all []law.RuleInfo) string {
	var near []string
	for _, r := range all {
		if last := id[strings.LastIndexByte(id, '.')+1:]; len(near) < 5 && strings.Contains(r.ID, last) {
			near = append(near, r.ID)
		}
	}
	if len(near) == 0 {
		return "list them with corridor packs show " + strings.SplitN(id, ".", 2)[0]
	}
	return "did you mean " + strings.Join(near, ", ") + "?"
}

func showRules(out io.Writer, p law.PackDetail, rules []law.RuleInfo, whole bool, words phrases) error {
	w := &answer{phrases: words, room: 100}
	if whole {
		fmt.Fprintf(out, "%s %s  %s\n%s\n", p.ID, p.Version, p.Title.In(words.lang), p.Digest)
		for _, in := range p.Instruments {
			fmt.Fprintf(out, "  %s  %s (%s..%s)\n", in.ID, in.Title.In(words.lang), in.From, in.To)
		}
	}
	var b strings.Builder
	for _, r := range rules {
		showRule(&b, w, r)
		if !whole {
			showConditions(&b, w, p, r)
		}
	}
	if whole {
		for _, c := range p.Conditions {
			showCondition(&b, w, c)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func showRule(b *strings.Builder, w *answer, r law.RuleInfo) {
	side := string(r.Sides[0])
	if len(r.Sides) > 1 {
		side += "+" + string(r.Sides[1])
	}
	fmt.Fprintf(b, "\n%s (%s, %s", r.ID, r.Kind, side)
	if r.From != 0 {
		fmt.Fprintf(b, ", %s..%s", r.From, r.To)
	}
	fmt.Fprintf(b, ")\n  %s\n  %s [%s]\n", r.Text.In(w.lang), w.cites(r.Citations), w.say(string(r.Source), r.SourceOn))
	if r.When != "" {
		fmt.Fprintf(b, "  when    %s\n", strings.Join(strings.Fields(r.When), " "))
	}
	if len(r.Unless) > 0 {
		fmt.Fprintf(b, "  unless  %s\n", strings.Join(r.Unless, ", "))
	}
	for _, res := range r.Results {
		line := "  then    " + res.Outcome.String()
		if len(res.Obligations) > 0 {
			line += ": " + strings.Join(res.Obligations, ", ")
		}
		if res.When != "" {
			line += "  if " + strings.Join(strings.Fields(res.When), " ")
		}
		fmt.Fprintln(b, line)
	}
	if len(r.Obligations) > 0 {
		fmt.Fprintf(b, "  duties  %s\n", strings.Join(r.Obligations, ", "))
	}
	if r.SourceRef != "" {
		fmt.Fprintf(b, "  source  %s\n", r.SourceRef)
	}
}

// showConditions writes out the named conditions that a rule rests on, and
// those that these rest on.
func showConditions(b *strings.Builder, w *answer, p law.PackDetail, r law.RuleInfo) {
	text := r.When
	for _, res := range r.Results {
		text += " " + res.When
	}
	shown := map[string]bool{}
	for again := true; again; {
		again = false
		for _, c := range p.Conditions {
			if !shown[c.Name] && strings.Contains(text, fmt.Sprintf("use(%q)", c.Name)) {
				shown[c.Name], again = true, true
				text += " " + c.When
				showCondition(b, w, c)
			}
		}
	}
}

func showCondition(b *strings.Builder, w *answer, c law.ConditionInfo) {
	fmt.Fprintf(b, "\nuse(%q)\n", c.Name)
	if c.Text.EN != "" {
		fmt.Fprintf(b, "  %s\n", c.Text.In(w.lang))
	}
	if len(c.Citations) > 0 {
		fmt.Fprintf(b, "  %s\n", w.cites(c.Citations))
	}
	fmt.Fprintf(b, "  when    %s\n", strings.Join(strings.Fields(c.When), " "))
}
