package main

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"

	"corridor"
)

// bundleCmd writes the proof of an agreement to one file.
type bundleCmd struct {
	nodeFlags
	Agreement string `arg:"" help:"Agreement, as corridor agreements shows it." complete:"agreements"`
	Out       string `short:"o" type:"path" help:"File to write. It is not replaced if it is there." default:"bundle.json"`
}

// Help gives an example.
func (bundleCmd) Help() string {
	return "Example:\n  corridor bundle urn:uuid:... -o bundle.json --dir node\n  corridor verify bundle.json"
}

// Run asks the node for the bundle and keeps it whole or not at all.
func (c bundleCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	var raw []byte
	if err := node.get(a.ctx, "/api/agreements/"+url.PathEscape(c.Agreement)+"/bundle", nil, &raw); err != nil {
		return err
	}
	if err := writeWhole(c.Out, raw); err != nil {
		return err
	}
	return a.print("%s: %s, %s\n", c.Out, megabytes(int64(len(raw))), corridor.Digest(raw))
}

// writeWhole puts content under a name that is still free, complete or not
// at all.
func writeWhole(path string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".corridor-*")
	if err != nil {
		return corridor.Unwritable(path, err)
	}
	_, err = tmp.Write(content)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Link(tmp.Name(), path)
	}
	if err = errors.Join(err, os.Remove(tmp.Name())); err != nil {
		return corridor.E(corridor.Conflict, "%s cannot be written: %w", path, err)
	}
	return nil
}
