package main

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"corridor/internal/identity/dcp"
	"corridor/internal/server"
)

// credentialsCmd shows and asks for what this node can prove about itself, and
// keeps what it issued.
type credentialsCmd struct {
	List    credentialsListCmd    `cmd:"" default:"withargs" help:"Show the credentials that this node holds, asked for, and was offered."`
	Request credentialsRequestCmd `cmd:"" help:"Ask an issuer for credentials."`
	Issued  credentialsIssuedCmd  `cmd:"" help:"Show the credentials that this node issued."`
	Revoke  credentialsRevokeCmd  `cmd:"" help:"Take back a credential that this node issued."`
}

type credentialsListCmd struct {
	nodeFlags
}

// Help gives an example.
func (credentialsListCmd) Help() string {
	return `Example:
  corridor credentials --dir node
What a node holds it presents to the peers that it calls, where they ask for it (DCP 1.0).`
}

// Run prints three lists.
func (c credentialsListCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	var all dcp.Contents
	if err := node.call(a.ctx, http.MethodGet, "/api/credentials", nil, &all); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, all)
	}
	rows := [][]string{{a.text("HELD"), a.text("ISSUER"), a.text("UNTIL"), a.text("PROFILE")}}
	for _, h := range all.Held {
		rows = append(rows, []string{h.Type, h.Issuer, day(h.Until), string(h.Profile)})
	}
	if err := columns(a.stdout, a.text("no credentials are held"), rows); err != nil {
		return err
	}
	rows = [][]string{{a.text("ASKED FOR"), a.text("ISSUER"), a.text("STATUS"), a.text("WHY")}}
	for _, r := range all.Asked {
		rows = append(rows, []string{strings.Join(r.Types, ", "), r.Issuer, a.text(r.Status), a.heard(r.Reason)})
	}
	if err := columns(a.stdout, a.text("nothing was asked for"), rows); err != nil {
		return err
	}
	rows = [][]string{{a.text("OFFERED"), a.text("ISSUER"), a.text("ON")}}
	for _, o := range all.Offered {
		var names []string
		for _, k := range o.Credentials {
			names = append(names, shown(k.Type, k.ID))
		}
		rows = append(rows, []string{strings.Join(names, ", "), o.Issuer, day(o.At)})
	}
	return columns(a.stdout, a.text("nothing was offered"), rows)
}

func shown(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// day writes a time as a date; zero is none.
func day(seconds int64) string {
	if seconds == 0 {
		return "-"
	}
	return time.Unix(seconds, 0).UTC().Format(time.DateOnly)
}

type credentialsRequestCmd struct {
	nodeFlags
	Issuer  string   `required:"" help:"The issuer's DID." placeholder:"did:web:HOST"`
	Type    []string `required:"" help:"Type of credential; may be given several times." placeholder:"TYPE"`
	Profile string   `help:"vc20-bssl/jwt or vc11-sl2021/jwt; without it, the first that the issuer names." placeholder:"PROFILE"`
}

// Help gives an example.
func (credentialsRequestCmd) Help() string {
	return `Example:
  corridor credentials request --dir node --issuer did:web:authority.example.kz --type MembershipCredential
The issuer decides, and delivers to the running node when it has. See: corridor credentials.`
}

// Run asks.
func (c credentialsRequestCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	var asked dcp.Asked
	ask := server.CredentialRequest{Issuer: c.Issuer, Types: c.Type, Profile: dcp.Profile(c.Profile)}
	if err := node.call(a.ctx, http.MethodPost, "/api/credentials/requests", ask, &asked); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, asked)
	}
	return a.print("asked %s for %s; it delivers when it has decided\n", asked.Issuer, strings.Join(asked.Types, ", "))
}

type credentialsIssuedCmd struct {
	nodeFlags
	Holder string `help:"Only those of this participant." placeholder:"DID"`
}

// Help gives an example.
func (credentialsIssuedCmd) Help() string {
	return "Example:\n  corridor credentials issued --dir node --holder did:web:gateway.example.kz"
}

// Run prints one line per credential.
func (c credentialsIssuedCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	var page struct {
		Items []dcp.IssuedCredential `json:"items"`
	}
	if err := node.call(a.ctx, http.MethodGet, "/api/credentials/issued?holder="+url.QueryEscape(c.Holder), nil, &page); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, page.Items)
	}
	rows := [][]string{{a.text("CREDENTIAL"), a.text("TYPE"), a.text("HOLDER"), a.text("UNTIL"), a.text("REVOKED"), a.text("WHY")}}
	for _, i := range page.Items {
		rows = append(rows, []string{i.ID, i.Type, i.Holder, day(i.Until), day(i.Revoked), i.Reason})
	}
	return columns(a.stdout, a.text("nothing was issued yet"), rows)
}

type credentialsRevokeCmd struct {
	nodeFlags
	Credential string `arg:"" help:"Identifier of the credential, as corridor credentials issued shows it."`
	Reason     string `required:"" help:"Why, for the book of this node."`
}

// Help gives an example.
func (credentialsRevokeCmd) Help() string {
	return `Example:
  corridor credentials revoke urn:uuid:... --reason 'left the space' --dir node
It shows in the status list at once. Verifiers look at it again within five minutes, and let nobody in with the credential then.`
}

// Run revokes.
func (c credentialsRevokeCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	var gone dcp.IssuedCredential
	if err := node.call(a.ctx, http.MethodPost, "/api/credentials/issued/"+url.PathEscape(c.Credential)+"/revoke", server.Because{Reason: c.Reason}, &gone); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, gone)
	}
	return a.print("revoked %s of %s\n", gone.ID, gone.Holder)
}
