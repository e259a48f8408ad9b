package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"corridor"
	"corridor/internal/law"
)

type packsCoverCmd struct {
	Dir   string   `arg:"" optional:"" help:"Directory with rule packs. Default: those built in."`
	Packs string   `placeholder:"DIR" help:"The same as the argument."`
	Only  []string `placeholder:"CC,..." help:"Only these jurisdictions."`
	Write bool     `help:"Append the cases to cases.yaml of each pack in the directory."`
}

// Help is the long help with examples.
func (packsCoverCmd) Help() string {
	return `Proposes the cases that are still missing for full coverage, straight from the decision
diagrams: as few as can be found, each next to a case that is there already where one can
serve, on the very line where the law draws one. The outcome and the obligations are the
engine's own. So each case is marked as proposed: compare it with the article that its note
names, correct the pack where the answer is not what the law says, then delete the mark.

Examples:
  corridor packs cover --only KZ
  corridor packs cover ./packs --only KZ --write

Exit codes: 0 done, 1 for some gap no case was found, 2 bad input.`
}

// Run prints the proposals, or appends them.
func (c packsCoverCmd) Run(a *app) error {
	dir := oneOf(c.Dir, c.Packs)
	if c.Write && dir == "" {
		return &corridor.Error{Kind: corridor.Invalid, Msg: "the rule packs that are built in cannot be written to",
			Fix: "name the directory: corridor packs cover ./packs --write"}
	}
	lib, err := loadPacks(dir)
	if err != nil {
		return err
	}
	cases, err := lib.Cases()
	if err != nil {
		return err
	}
	if _, err := onlyOf(lib, nil, c.Only); err != nil {
		return err
	}
	left := 0
	jurisdiction := map[string]string{}
	for _, p := range lib.Packs() {
		jurisdiction[p.ID] = p.Jurisdiction
	}
	for _, p := range lib.Propose(lib.RunCases(cases)) {
		if len(c.Only) > 0 && !slices.Contains(c.Only, jurisdiction[p.Pack]) {
			continue
		}
		left += len(p.Left)
		if err := c.show(a.stdout, dir, p); err != nil {
			return err
		}
	}
	if left > 0 {
		return exit(exitFailed)
	}
	return nil
}

func (c packsCoverCmd) show(w io.Writer, dir string, p law.Proposal) error {
	file := filepath.Join(p.Pack, "cases.yaml")
	if c.Write && len(p.Cases) > 0 {
		if err := appendTo(filepath.Join(dir, file), p.Cases); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(w, "# %s: %d cases to add\n", filepath.ToSlash(file), len(p.Cases)); err != nil {
		return err
	}
	if !c.Write {
		if _, err := w.Write(law.YAML(p.Cases, "  ")); err != nil {
			return err
		}
	}
	for _, g := range p.Left {
		g.Reason = "no case was found"
		listGaps(w, "# missing", []law.Gap{g})
	}
	return nil
}

// appendTo adds cases to a file and puts it back only if it still reads.
func appendTo(file string, cases []law.Case) error {
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return corridor.Unreadable(err)
	}
	text := law.AppendCases(old, cases)
	if _, err := law.ParseCases(file, text, cases[0].Jurisdiction); err != nil {
		e := corridor.E(corridor.Invalid, "the cases cannot be added: %w", err)
		e.Where, e.Fix = file, "print them without --write and put them in by hand"
		return e
	}
	if err := os.WriteFile(file+".new", text, 0o644); err != nil {
		return corridor.Unwritable(file, err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return corridor.Unwritable(file, err)
	}
	return nil
}
