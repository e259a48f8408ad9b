package main

// agreementsCmd lists this node's agreements.
type agreementsCmd struct {
	nodeFlags
}

// Help gives an example.
func (agreementsCmd) Help() string {
	return "Example:\n  corridor agreements --dir node\nThen: corridor transfer AGREEMENT, corridor bundle AGREEMENT."
}

type agreementView struct {
	ID          string   `json:"id"`
	Negotiation string   `json:"negotiation"`
	Role        string   `json:"role"`
	Peer        string   `json:"peer"`
	Dataset     string   `json:"dataset"`
	State       string   `json:"state"`
	Digest      string   `json:"digest"`
	DecidedBy   string   `json:"decided_by,omitempty"` // who decided both sides; empty: each its own
	Reason      []string `json:"reason,omitempty"`     // why it is suspended
}

// Run prints one line per agreement.
func (c agreementsCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	items, err := allPages[agreementView](a.ctx, node, "/api/agreements", nil)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, items)
	}
	return showAgreements(a, items)
}

// showAgreements prints one line per agreement.
func showAgreements(a *app, items []agreementView) error {
	rows := [][]string{{a.text("AGREEMENT"), a.text("STATE"), a.text("ROLE"), a.text("PEER"), a.text("DATASET"), a.text("LAW DECIDED BY")}}
	for _, g := range items {
		who := a.text("each side")
		if g.DecidedBy != "" { // the peer speaks the Dataspace Protocol only
			who = a.text("this node alone, also for the peer")
		}
		rows = append(rows, []string{g.ID, a.text(g.State), a.text(g.Role), g.Peer, g.Dataset, who})
	}
	return columns(a.stdout, a.text("no agreements yet"), rows)
}
