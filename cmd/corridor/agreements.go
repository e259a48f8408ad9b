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
	Reason      []string `json:"reason,omitempty"` // why it is suspended
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
	rows := [][]string{{"AGREEMENT", "STATE", "ROLE", "PEER", "DATASET"}}
	for _, g := range items {
		rows = append(rows, []string{g.ID, g.State, g.Role, g.Peer, g.Dataset})
	}
	return columns(a.stdout, "no agreements yet", rows)
}
