package main

import (
	"net/url"
)

// negotiationsCmd lists this node's negotiations.
type negotiationsCmd struct {
	nodeFlags
	State string `help:"Only those in this state, for example REQUESTED or TERMINATED."`
}

// Help gives an example.
func (negotiationsCmd) Help() string {
	return "Example:\n  corridor negotiations --dir node\nWhat waits for a person is approved with corridor approve, or refused with corridor reject."
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
	rows := [][]string{{"NEGOTIATION", "STATE", "ROLE", "PEER", "DATASET", ""}}
	for _, n := range items {
		rows = append(rows, []string{n.PID, n.State, n.Role, n.Peer, n.Dataset, waits(n.Waiting)})
	}
	return columns(a.stdout, "no negotiations yet", rows)
}
