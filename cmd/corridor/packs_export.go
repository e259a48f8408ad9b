package main

import (
	"fmt"
	"io/fs"
	"os"

	"corridor"
	"corridor/packs"
)

type packsExportCmd struct {
	Dir string `arg:"" help:"Directory to write to; it must not exist yet."`
}

// Help is the long help with examples.
func (packsExportCmd) Help() string {
	return `Writes the rule packs that the program carries to a directory, to read, change or add to them.
See docs/adding-a-country.md.

Example:
  corridor packs export mypacks`
}

// Run copies the packs.
func (c packsExportCmd) Run(a *app) error {
	if _, err := os.Lstat(c.Dir); err == nil {
		return &corridor.Error{Kind: corridor.Conflict, Where: c.Dir, Msg: "exists already", Fix: "name a directory that does not exist"}
	}
	if err := os.CopyFS(c.Dir, withoutGo{packs.FS()}); err != nil {
		return corridor.E(corridor.Unavailable, "%s: %w", c.Dir, err)
	}
	_, err := fmt.Fprintf(a.stdout, "%s\n", c.Dir)
	return err
}

// withoutGo hides Go files at the root.
type withoutGo struct{ fs.FS }

// ReadDir implements fs.ReadDirFS.
func (w withoutGo) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(w.FS, name)
	out := list[:0]
	for _, e := range list {
		if e.Name() != "embed.go" {
			out = append(out, e)
		}
	}
	return out, err
}
