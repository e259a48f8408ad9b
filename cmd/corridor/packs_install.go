package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"corridor/internal/editions"
)

type packsInstallCmd struct {
	File       string `arg:"" help:"An edition."`
	Dir        string `default:"." type:"path" help:"Node directory." env:"CORRIDOR_DIR"`
	AllowOlder bool   `help:"Also install an older version than the one in use, or a version that was another edition before."`
}

// Help is the long help with examples.
func (packsInstallCmd) Help() string {
	return `Puts an edition of a rule pack in use in a node: it stands in for the pack of its own
jurisdiction and can change the law of no other. The edition must be signed by a publisher whom the
node's file of publishers lets speak for that jurisdiction, fit the packs that are there, and pass
its own cases. The one before is kept: decisions under it can be replayed, and rollback brings it back.

The node uses it from its next start, logs a receipt of the packs in use, and asks the law again
about every agreement. To see beforehand whom it affects: corridor impact --pack FILE --dir node

Example:
  corridor packs install kz-2026.12.1.corridor-pack --dir node

Exit codes: 0 installed, 1 refused, 2 bad input.`
}

// Run installs.
func (c packsInstallCmd) Run(a *app) error {
	cfg, err := loadConfig(c.Dir)
	if err != nil {
		return err
	}
	e, err := editions.ReadEdition(c.File)
	if err != nil {
		return err
	}
	got, err := cfg.packStore().Install(e, c.AllowOlder, time.Now())
	if err != nil {
		return err
	}
	if err := showAdmitted(a, e, got); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "  installed; the node uses it from its next start: corridor serve --dir %s\n", c.Dir)
	return err
}

type packsInstalledCmd struct {
	Dir  string `default:"." type:"path" help:"Node directory." env:"CORRIDOR_DIR"`
	JSON bool   `name:"json" help:"Print one JSON object."`
}

// Help is the long help with examples.
func (packsInstalledCmd) Help() string {
	return `Lists the editions that were installed into a node, by whom they are signed, since when they are
in use, and which ones were before. Packs that are not listed come with the program.

Example:
  corridor packs installed --dir node`
}

// Run lists.
func (c packsInstalledCmd) Run(a *app) error {
	cfg, err := loadConfig(c.Dir)
	if err != nil {
		return err
	}
	in, err := cfg.packStore().Read()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, in)
	}
	if len(in.Packs) == 0 {
		_, err := fmt.Fprintln(a.stdout, "nothing is installed: the packs of the program are in use")
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(in.Packs)) {
		p := in.Packs[id]
		if p.Edition == "" {
			fmt.Fprintf(a.stdout, "%s: the pack of the program, since %s\n", id, p.Since)
		} else {
			fmt.Fprintf(a.stdout, "%s %s: since %s, signed by %s\n  edition %s\n  decisions quote %s\n", id, p.Version, p.Since, strings.Join(p.Signers, ", "), p.Edition, p.Digest)
		}
		for _, old := range p.Previous {
			name := old.Version + " " + old.Edition
			if old.Edition == "" {
				name = "the pack of the program"
			}
			fmt.Fprintf(a.stdout, "  until %s: %s\n", old.Until, name)
		}
	}
	return nil
}

type packsRollbackCmd struct {
	Pack    string `arg:"" help:"Id of the pack, such as kz."`
	Dir     string `default:"." type:"path" help:"Node directory." env:"CORRIDOR_DIR"`
	Builtin bool   `help:"Go back to the pack of the program, whatever was before."`
}

// Help is the long help with examples.
func (packsRollbackCmd) Help() string {
	return `Puts the edition that was in use before back in use, or the pack of the program where there was
none. What is taken out of use is kept, and the node logs the change at its next start.

A second rollback undoes the first.

Examples:
  corridor packs rollback kz --dir node
  corridor packs rollback kz --dir node --builtin`
}

// Run rolls back.
func (c packsRollbackCmd) Run(a *app) error {
	cfg, err := loadConfig(c.Dir)
	if err != nil {
		return err
	}
	now, err := cfg.packStore().Rollback(c.Pack, c.Builtin, time.Now())
	if err != nil {
		return err
	}
	name := "the pack of the program"
	if now.Edition != "" {
		name = "version " + now.Version + ", " + now.Edition
	}
	_, err = fmt.Fprintf(a.stdout, "%s: %s from the next start of the node\n", c.Pack, name)
	return err
}
