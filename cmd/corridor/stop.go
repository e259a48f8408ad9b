package main

import (
	"net/url"

	"corridor"
)

// stopFlags are those of the commands that act on one running process.
type stopFlags struct {
	nodeFlags
	ID string `arg:"" help:"Transfer, as corridor transfers shows it." complete:"transfers"`
}

// act posts one verb on a transfer and prints what became of it.
func (f stopFlags) act(a *app, verb, reason string) error {
	node, err := f.client()
	if err != nil {
		return err
	}
	var body any
	if reason != "" {
		body = map[string]string{"reason": reason}
	}
	var t transferView
	if err := node.post(a.ctx, "/api/transfers/"+url.PathEscape(f.ID)+"/"+verb, body, &t); err != nil {
		return err
	}
	if f.JSON {
		return printJSON(a.stdout, t)
	}
	return printTransfer(a, t)
}

// suspendCmd stops a stream until it is resumed.
type suspendCmd struct {
	stopFlags
	Reason string `required:"" help:"Why; the peer is told."`
}

// Help gives an example.
func (suspendCmd) Help() string {
	return "Example:\n  corridor suspend urn:uuid:... --reason 'order of the authority' --dir node"
}

// Run suspends a transfer: its stream stops at once.
func (c suspendCmd) Run(a *app) error { return c.act(a, "suspend", c.Reason) }

// resumeCmd lets a suspended stream go on.
type resumeCmd struct {
	stopFlags
}

// Help gives an example.
func (resumeCmd) Help() string { return "Example:\n  corridor resume urn:uuid:... --dir node" }

// Run resumes a transfer; the law is asked again.
func (c resumeCmd) Run(a *app) error { return c.act(a, "resume", "") }

// startCmd starts a transfer that waits for a person.
type startCmd struct {
	stopFlags
}

// Help gives an example.
func (startCmd) Help() string {
	return "Example:\n  corridor start urn:uuid:... --dir node\nThe provider starts it, where manual: [start] of the node, the peer or the dataset holds it back. The law is asked again."
}

// Run starts a transfer, as its provider.
func (c startCmd) Run(a *app) error { return c.act(a, "start", "") }

// finishCmd ends a transfer as complete by a person's word.
type finishCmd struct {
	stopFlags
}

// Help says what it is for.
func (finishCmd) Help() string {
	return "Example:\n  corridor finish urn:uuid:... --dir node\nOnce it is STARTED. For data that went another way than through this node: the receipt vouches for no bytes."
}

// Run ends the transfer as complete.
func (c finishCmd) Run(a *app) error { return c.act(a, "complete", "") }

// terminateCmd ends a transfer or a negotiation for good.
type terminateCmd struct {
	nodeFlags
	ID     string `arg:"" help:"Transfer or negotiation." complete:"transfers,negotiations"`
	Reason string `required:"" help:"Why; the peer is told."`
}

// Help gives an example.
func (terminateCmd) Help() string {
	return "Example:\n  corridor terminate urn:uuid:... --reason 'purpose has ended' --dir node"
}

// Run terminates the transfer of that id, or else the negotiation.
func (c terminateCmd) Run(a *app) error {
	err := stopFlags{nodeFlags: c.nodeFlags, ID: c.ID}.act(a, "terminate", c.Reason)
	if corridor.KindOf(err) != corridor.NotFound {
		return err
	}
	node, err := c.client()
	if err != nil {
		return err
	}
	var n negotiationView
	if err := node.post(a.ctx, "/api/negotiations/"+url.PathEscape(c.ID)+"/terminate", map[string]string{"reason": c.Reason}, &n); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, n)
	}
	return printNegotiation(a, n)
}
