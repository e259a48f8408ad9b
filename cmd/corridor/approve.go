package main

import (
	"net/url"

	"corridor"
)

// approveCmd is a person's yes to a negotiation that waits for one.
type approveCmd struct {
	nodeFlags
	Negotiation string            `arg:"" help:"Negotiation, as corridor negotiations shows it." complete:"negotiations"`
	By          string            `required:"" help:"Who approves: a person or an authority."`
	Reference   string            `required:"" help:"File number of the permit, certificate or resolution."`
	Note        string            `help:"A remark for the record."`
	Side        string            `enum:",export,import" default:"" help:"Whose law it satisfies, for a plain peer whose side is decided here: export or import. Empty: our own."`
	Evidence    map[string]string `help:"Evidence for a duty owed before the transfer: obligation=reference." placeholder:"DUTY=REF"`
}

// Help gives an example.
func (approveCmd) Help() string {
	return `Example:
  corridor approve urn:uuid:... --by 'A. Officer' --reference 'No. 12/2026' --evidence pipia=report-17 --dir node
What the law leaves to an authority is approved by its signed document where a compact names one (setting
signed_approvals): corridor approvals request.`
}

// Run sends the approval and waits for what follows.
func (c approveCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	body := struct {
		By        string                       `json:"by"`
		Reference string                       `json:"reference"`
		Note      string                       `json:"note,omitempty"`
		Evidence  map[string]corridor.Evidence `json:"evidence,omitempty"`
		Side      string                       `json:"side,omitempty"`
	}{c.By, c.Reference, c.Note, evidence(c.Evidence, c.By), c.Side}
	var n negotiationView
	if err := node.post(a.ctx, "/api/negotiations/"+url.PathEscape(c.Negotiation)+"/approve", body, &n); err != nil {
		return err
	}
	if n, err = awaitNegotiation(a, node, n.PID); err != nil {
		return err
	}
	return showNegotiation(a, c.JSON, n)
}

// rejectCmd is a person's no.
type rejectCmd struct {
	nodeFlags
	Negotiation string `arg:"" help:"Negotiation, as corridor negotiations shows it." complete:"negotiations"`
	By          string `required:"" help:"Who rejects: a person or an authority."`
	Reason      string `required:"" help:"Why; the peer is told."`
}

// Help gives an example.
func (rejectCmd) Help() string {
	return "Example:\n  corridor reject urn:uuid:... --by 'A. Officer' --reason 'no contract with this recipient' --dir node"
}

// Run sends the rejection.
func (c rejectCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	var n negotiationView
	body := map[string]string{"by": c.By, "reason": c.Reason}
	if err := node.post(a.ctx, "/api/negotiations/"+url.PathEscape(c.Negotiation)+"/reject", body, &n); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, n)
	}
	return printNegotiation(a, n)
}
