package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// catalogCmd shows what a peer offers.
type catalogCmd struct {
	nodeFlags
	Peer    string `arg:"" help:"DID of the peer." placeholder:"DID" complete:"peers"`
	Address string `help:"Dataspace Protocol address of the peer, if its DID document does not say." placeholder:"URL"`
}

// Help gives an example.
func (catalogCmd) Help() string {
	return "Example:\n  corridor catalog did:web:gateway.example.cn --dir node"
}

// listing is one dataset of a peer's catalogue.
type listing struct {
	ID      string   `json:"id"`
	Peer    string   `json:"peer"` // of a nested catalogue
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
	var p struct {
		page[listing]
		Unread []struct {
			Peer string `json:"peer"`
			Why  string `json:"why"`
		} `json:"unread"`
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	for _, u := range p.Unread {
		fmt.Fprint(a.stderr, a.text("not read: the catalogue of %s that it nests: %s\n", u.Peer, a.heard(u.Why)))
	}
	return columns(a.stdout, a.text("the peer offers nothing to this node"), a.listed(p.Items))
}

// listed makes the rows of a catalogue. Whose dataset it is stands there if
// another catalogue is nested.
func (a *app) listed(items []listing) [][]string {
	nested := slices.ContainsFunc(items, func(d listing) bool { return d.Peer != "" })
	rows := [][]string{{a.text("DATASET"), a.text("OFFER"), a.text("FORMATS"), a.text("TITLE")}}
	if nested {
		rows[0] = append(rows[0], a.text("PEER"))
	}
	for _, d := range items {
		offers := make([]string, len(d.Offers))
		for i, o := range d.Offers {
			offers[i] = o.ID
		}
		row := []string{d.ID, strings.Join(offers, " "), strings.Join(d.Formats, " "), d.Title}
		if nested {
			row = append(row, d.Peer)
		}
		rows = append(rows, row)
	}
	return rows
}
