package main

import (
	"encoding/json"
	"errors"
	"strconv"

	"corridor"
)

// proofCmd writes one entry of a node's log and what proves it.
type proofCmd struct {
	nodeFlags
	Index int64  `arg:"" help:"Place of the receipt in the node's log, as bundles and checkpoints count: the first is 0."`
	Leaf  string `type:"path" help:"File for the entry itself, byte for byte."`
	Proof string `type:"path" help:"File for its C2SP tlog-proof, with the cosignatures of the witnesses."`
	COSE  string `name:"cose" type:"path" help:"File for its COSE receipt (RFC 9942), for tools that know no other proof. It carries no cosignatures."`
}

// Help gives an example.
func (proofCmd) Help() string {
	return "A file that is there is not replaced.\n\n" +
		"Example:\n  corridor proof 12 --leaf receipt.json --cose receipt.cose --dir node\n  corridor verify receipt.cose --leaf receipt.json --log 'gw.example.kz/log+1a2b3c4d+AQ...'"
}

// loggedView is the answer of GET /api/receipts/{index}.
type loggedView struct {
	Log   string          `json:"log"`
	VKey  string          `json:"vkey"`
	Index int64           `json:"index"`
	Leaf  json.RawMessage `json:"leaf"`
	Proof string          `json:"proof"`
}

// Run writes the files that are asked for, or prints the entry.
func (c proofCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	path := "/api/receipts/" + strconv.FormatInt(c.Index, 10)
	var v loggedView
	if err := node.get(a.ctx, path, nil, &v); err != nil {
		return err
	}
	if v.Leaf, err = corridor.Canonicalize(v.Leaf); err != nil {
		return err
	}
	if c.Leaf == "" && c.Proof == "" && c.COSE == "" {
		return printJSON(a.stdout, v)
	}
	var cose []byte
	if c.COSE != "" {
		if err := node.get(a.ctx, path+"/cose", nil, &cose); err != nil {
			return err
		}
	}
	for _, f := range []struct {
		path    string
		content []byte
	}{{c.Leaf, v.Leaf}, {c.Proof, []byte(v.Proof)}, {c.COSE, cose}} {
		if f.path == "" {
			continue
		}
		if err := writeWhole(f.path, f.content); err != nil {
			return err
		}
		err = errors.Join(err, a.print("%s: %d bytes\n", f.path, len(f.content)))
	}
	return errors.Join(err, a.print("entry %d of %s, key %s\n", v.Index, v.Log, v.VKey))
}
