package main

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"corridor"
)

// bundleCmd writes the proof of an agreement to one file.
type bundleCmd struct {
	nodeFlags
	Agreement string `arg:"" help:"Agreement, as corridor agreements shows it." complete:"agreements"`
	Transfer  string `help:"Show this transfer alone, not all of the agreement." placeholder:"TRANSFER"`
	From      int64  `help:"Of a transfer that goes on: the first increment to show." placeholder:"N"`
	To        int64  `help:"The last one." placeholder:"N"`
	Out       string `short:"o" type:"path" help:"File to write. It is not replaced if it is there." default:"bundle.json"`
}

// Help gives an example.
func (bundleCmd) Help() string {
	return "Example:\n  corridor bundle urn:uuid:... -o bundle.json --dir node\n  corridor verify bundle.json\n  corridor bundle urn:uuid:... --transfer urn:uuid:... --from 100 --to 200 -o part.json --dir node"
}

// Run asks the node for the bundle and keeps it whole or not at all.
func (c bundleCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	part := url.Values{}
	if c.Transfer != "" {
		part.Set("transfer", c.Transfer)
	}
	for name, n := range map[string]int64{"from": c.From, "to": c.To} {
		if n != 0 {
			part.Set(name, strconv.FormatInt(n, 10))
		}
	}
	var raw []byte
	if err := node.get(a.ctx, "/api/agreements/"+url.PathEscape(c.Agreement)+"/bundle", part, &raw); err != nil {
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
