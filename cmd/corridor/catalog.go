package main

import (
	"encoding/json"
	"net/url"
	"strings"
)

// catalogCmd shows what a peer offers.
type catalogCmd struct {
	nodeFlags
	Peer    string `arg:"" help:"DID of the peer." placeholder:"DID"`
	Address string `help:"Dataspace Protocol address of the peer, if its DID document does not say." placeholder:"URL"`
}

// Help gives an example.
func (catalogCmd) Help() string {
	return "Example:\n  corridor catalog did:web:gateway.example.cn --dir node"
}

// listing is one dataset of a peer's catalogue.
type listing struct {
	ID      string   `json:"id"`
	Title   string   `json:"title"`
	Formats []string `json:"formats"`
	Offers  []struct {
		ID string `json:"@id"`
	} `json:"offers"`
}

// Run prints one line per dataset.
func (c catalogCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	query := url.Values{"peer": {c.Peer}}
	if c.Address != "" {
		query.Set("address", c.Address)
	}
	var raw json.RawMessage
	if err := node.get(a.ctx, "/api/catalogue", query, &raw); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, raw)
	}
	var p page[listing]
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	rows := [][]string{{"DATASET", "OFFER", "FORMATS", "TITLE"}}
	for _, d := range p.Items {
		offers := make([]string, len(d.Offers))
		for i, o := range d.Offers {
			offers[i] = o.ID
		}
		rows = append(rows, []string{d.ID, strings.Join(offers, " "), strings.Join(d.Formats, " "), d.Title})
	}
	return columns(a.stdout, "the peer offers nothing to this node", rows)
}
