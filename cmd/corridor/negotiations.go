package main

import (
	"net/url"
)

// negotiationsCmd lists this node's negotiations.
type negotiationsCmd struct {
	nodeFlags
	State string `enum:",REQUESTED,OFFERED,ACCEPTED,AGREED,VERIFIED,FINALIZED,TERMINATED" default:"" placeholder:"STATE" help:"Only those in this state: REQUESTED, OFFERED, ACCEPTED, AGREED, VERIFIED, FINALIZED or TERMINATED."`
}

// Help gives an example.
func (negotiationsCmd) Help() string {
	return "Example:\n  corridor negotiations --dir node\nWhat waits for a person is approved with corridor approve, refused with corridor reject, or answered with corridor answer."
}

// Run prints one line per negotiation, and on whom each waits.
func (c negotiationsCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	items, err := allPages[negotiationView](a.ctx, node, "/api/negotiations", url.Values{"state": {c.State}})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, items)
	}
	rows := [][]string{{a.text("NEGOTIATION"), a.text("STATE"), a.text("ROLE"), a.text("PEER"), a.text("DATASET"), ""}}
	for _, n := range items {
		rows = append(rows, []string{n.PID, a.stateOf(n.State), a.text(n.Role), n.Peer, n.Dataset, a.waits(n.Waiting)})
	}
	none := a.text("no negotiations yet")
	if c.State != "" {
		none = a.text("no negotiation is %s", c.State)
	}
	return columns(a.stdout, none, rows)
}
