package main

import (
	"net/http"
	"net/url"

	"corridor/internal/exchange"
)

// withdrawCmd takes a dataset out of this node's catalogue.
type withdrawCmd struct {
	nodeFlags
	Dataset string `arg:"" help:"Identifier of the dataset." complete:"datasets"`
}

// Help says what goes on.
func (withdrawCmd) Help() string {
	return "Nobody can ask for the dataset any more. Agreements about it go on; suspend or terminate their transfers if they must stop.\n\n" +
		"Example:\n  corridor withdraw shipments --dir node"
}

// Run withdraws.
func (c withdrawCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	var gone exchange.Withdrawn
	if err := node.call(a.ctx, http.MethodDelete, "/api/datasets/"+url.PathEscape(c.Dataset), nil, &gone); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, gone)
	}
	return a.print("withdrawn %s\n", gone.ID)
}
