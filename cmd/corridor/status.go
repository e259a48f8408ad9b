package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"corridor"
)

// statusCmd asks a running node how it is.
type statusCmd struct {
	nodeFlags
}

// Help gives an example.
func (statusCmd) Help() string { return "Example:\n  corridor status --dir node" }

// Run prints each member of the node's answer on a line.
func (c statusCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	var status map[string]json.RawMessage
	if err := node.get(a.ctx, "/api/status", nil, &status); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, status)
	}
	pending := status["waiting"]
	delete(status, "waiting")
	for _, name := range slices.Sorted(maps.Keys(status)) {
		if _, err := fmt.Fprintf(a.stdout, "%-14s %s\n", name, plainJSON(status[name])); err != nil {
			return err
		}
	}
	return printPending(a, pending)
}

// printPending tells of each process that is not finished on whom it waits
// and until when, one to a line.
func printPending(a *app, raw json.RawMessage) error {
	var list []struct {
		Kind  string `json:"kind"`
		PID   string `json:"pid"`
		Peer  string `json:"peer"`
		State string `json:"state"`
		waiting
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return corridor.E(corridor.Internal, "the node's answer: %w", err)
	}
	for _, p := range list {
		if _, err := fmt.Fprintf(a.stdout, "%s %s %s  %s  %s  %s\n", padded(a.text("waiting"), 14), a.text(p.Kind), p.PID, a.stateOf(p.State), p.Peer, a.waits(&p.waiting)); err != nil {
			return err
		}
	}
	return nil
}

// plainJSON shows a string without its quotes.
func plainJSON(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
