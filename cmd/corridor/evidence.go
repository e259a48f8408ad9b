package main

import (
	"fmt"
	"net/url"

	"corridor"
)

// evidenceCmd is about evidence against logs of peers.
type evidenceCmd struct {
	List   evidenceListCmd   `cmd:"" help:"List the evidence that this node holds."`
	Export evidenceExportCmd `cmd:"" help:"Write one piece of evidence to a file that verifies offline."`
	Lift   evidenceLiftCmd   `cmd:"" help:"Let the corridor go on that evidence has stopped."`
}

// evidenceView is one piece of evidence as the node tells it.
type evidenceView struct {
	DID       string `json:"did"`
	Origin    string `json:"origin"`
	VKey      string `json:"vkey"`
	Found     string `json:"found"`
	Lifted    string `json:"lifted,omitempty"`
	Reference string `json:"reference"`
}

func (v evidenceView) state(a *app) string {
	if v.Lifted != "" {
		return a.text("lifted %s", v.Lifted)
	}
	return a.text("stopped")
}

type evidenceListCmd struct{ nodeFlags }

// Help gives an example.
func (evidenceListCmd) Help() string { return "Example:\n  corridor evidence list --dir node" }

// Run prints a table.
func (c evidenceListCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	var p page[evidenceView]
	if err := node.get(a.ctx, "/api/evidence", nil, &p); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, p.Items)
	}
	rows := [][]string{{a.text("PEER"), a.text("LOG"), a.text("FOUND"), a.text("CORRIDOR"), a.text("REFERENCE")}}
	for _, v := range p.Items {
		rows = append(rows, []string{v.DID, v.Origin, v.Found, v.state(a), v.Reference})
	}
	return columns(a.stdout, a.text("no log of a peer has been found to have two histories"), rows)
}

type evidenceExportCmd struct {
	nodeFlags
	Reference string `arg:"" help:"Reference of the evidence, as corridor evidence list shows it."`
	Out       string `short:"o" type:"path" default:"evidence.json" help:"File to write. It is not replaced if it is there."`
}

// Help gives an example.
func (evidenceExportCmd) Help() string {
	return "Example:\n  corridor evidence export sha256:... -o evidence.json --dir node\n  corridor verify evidence.json"
}

// Run keeps the file whole or not at all.
func (c evidenceExportCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	var raw []byte
	if err := node.get(a.ctx, "/api/evidence/"+url.PathEscape(c.Reference), nil, &raw); err != nil {
		return err
	}
	if err := writeWhole(c.Out, raw); err != nil {
		return err
	}
	return a.print("%s: %d bytes, %s\n", c.Out, len(raw), corridor.Digest(raw))
}

type evidenceLiftCmd struct {
	nodeFlags
	Reference string `arg:"" help:"Reference of the evidence, as corridor evidence list shows it."`
	By        string `required:"" help:"Who decided it."`
	On        string `required:"" help:"On what: the peer's explanation, an order, a file number."`
}

// Help gives an example.
func (evidenceLiftCmd) Help() string {
	return "The evidence stays; who let the corridor go on, and on what, is a receipt in the log.\n\n" +
		"Example:\n  corridor evidence lift sha256:... --by 'Officer A' --on 'letter 12/2026: new log under a new key' --dir node"
}

// Run lifts the stop.
func (c evidenceLiftCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	var v evidenceView
	if err := node.post(a.ctx, "/api/evidence/"+url.PathEscape(c.Reference)+"/lift", map[string]string{"by": c.By, "reference": c.On}, &v); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, v)
	}
	_, err = fmt.Fprintf(a.stdout, "%s: %s\n", v.DID, v.state(a))
	return err
}
