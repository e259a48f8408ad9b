package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"corridor"
	"corridor/internal/exchange"
	"corridor/internal/identity"
	"corridor/verify"
)

// compactCmd is what authorities do with compacts.
type compactCmd struct {
	Draft compactDraftCmd `cmd:"" help:"Write a compact for its members to sign."`
	Sign  compactSignCmd  `cmd:"" help:"Sign a compact as one of its members."`
	Show  compactShowCmd  `cmd:"" help:"Show a compact, and who has signed it."`
}

type compactDraftCmd struct {
	speech
	ID         string            `required:"" name:"id" help:"Identifier, the same for all versions."`
	Version    int64             `default:"1" help:"Number of the version."`
	Title      string            `required:"" help:"Title."`
	Member     []string          `required:"" type:"path" placeholder:"ENTRY" help:"entry.json of a member; once for each."`
	Open       []string          `required:"" sep:"none" placeholder:"ART:FROM>TO=CLASS,..." help:"An article: a direction that is opened for classes of data, or for any."`
	Credential []string          `help:"Credential that each participant needs: corridor-admission/v1."`
	Pack       map[string]string `placeholder:"PACK=DIGEST" help:"Rule pack that decisions must be made with, by its digest (corridor packs list)."`
	FlagPacks  bool              `help:"A decision made with another pack is noted in the agreement instead of refused."`
	Witnesses  string            `placeholder:"FILE" type:"path" help:"Witness policy that all nodes use."`
	Liveness   string            `help:"What a log must have of a transfer before data goes: logged (its own signature, at once), or cosigned (by the witnesses of that policy). Default: logged."`
	From       string            `placeholder:"YYYY-MM-DD" help:"First day. Default: at once."`
	Until      string            `required:"" placeholder:"YYYY-MM-DD" help:"First day on which it is no longer in force."`
	Out        string            `required:"" type:"path" placeholder:"FILE" help:"File for the draft. It must not exist."`
}

// Help gives an example.
func (compactDraftCmd) Help() string {
	return `Example:
  corridor authority compact draft --id steppe-trade --title 'Trade documents' --member cn/entry.json --member kz/entry.json \
      --open '3.1:CN>KZ=non_personal,personal' --open '3.2:KZ>CN=any' --until 2028-01-01 --out compact.json
What is not opened is closed. No member stands above another: each signs with its own key, in its own suite.`
}

// Run drafts.
func (c compactDraftCmd) Run(a *app) error {
	now := time.Now()
	body := corridor.Compact{Type: corridor.TypeCompact, ID: c.ID, Version: c.Version, Title: c.Title, Issued: corridor.Moment(now), ValidFrom: corridor.Moment(now),
		Credentials: append([]string{}, c.Credential...), Packs: map[string]string{}, OtherPacks: corridor.PacksRefuse, Liveness: c.Liveness}
	for pack, digest := range c.Pack {
		body.Packs[pack] = digest
	}
	if c.FlagPacks {
		body.OtherPacks = corridor.PacksFlag
	}
	for day, into := range map[string]*string{c.From: &body.ValidFrom, c.Until: &body.ValidUntil} {
		if day == "" {
			continue
		}
		d, err := corridor.ParseDate(day)
		if err != nil {
			return err
		}
		*into = corridor.Moment(d.Time())
	}
	if c.Witnesses != "" {
		policy, err := readBounded(c.Witnesses)
		if err != nil {
			return err
		}
		body.Witnesses = corridor.Digest(policy)
	}
	if err := c.parts(&body); err != nil {
		return err
	}
	if err := body.Check(); err != nil {
		return err
	}
	doc, err := corridor.Seal(body)
	if err != nil {
		return err
	}
	raw, err := doc.Encode()
	if err != nil {
		return err
	}
	if err := writeWhole(c.Out, raw); err != nil {
		return err
	}
	return a.print("%s\n  %s\n  each member signs it: corridor authority compact sign %s --dir DIR\n", c.Out, doc.Digest(), c.Out)
}

// parts reads the members and the articles.
func (c compactDraftCmd) parts(body *corridor.Compact) error {
	for _, path := range c.Member {
		raw, err := readBounded(path)
		if err != nil {
			return err
		}
		var m corridor.Authority
		if err := json.Unmarshal(raw, &m); err != nil {
			return &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: "is not the entry of an authority", Fix: "ask the member for its entry.json", Err: err}
		}
		body.Members = append(body.Members, m)
	}
	for _, text := range c.Open {
		article, rest, ok1 := strings.Cut(text, ":")
		direction, classes, ok2 := strings.Cut(rest, "=")
		from, to, ok3 := strings.Cut(direction, ">")
		if !ok1 || !ok2 || !ok3 {
			return &corridor.Error{Kind: corridor.Invalid, Where: "--open " + text, Msg: "is not an article", Fix: "write it like '3.1:CN>KZ=non_personal,personal'"}
		}
		body.Opens = append(body.Opens, corridor.Opened{Article: article, From: from, To: to, Classes: strings.Split(classes, ",")})
	}
	return nil
}

type compactSignCmd struct {
	inAuthority
	File string `arg:"" type:"path" help:"The compact. It gets one signature more."`
}

// Help gives an example.
func (compactSignCmd) Help() string {
	return "Example:\n  corridor authority compact sign compact.json --dir tda\nRead it first: corridor authority compact show compact.json"
}

// Run signs.
func (c compactSignCmd) Run(a *app) error {
	d, err := openAuthority(c.Dir)
	if err != nil {
		return err
	}
	doc, body, err := readCompact(c.File)
	if err != nil {
		return err
	}
	m, ok := body.Member(d.entry.Jurisdiction)
	if !ok || m.ID != d.entry.ID {
		return &corridor.Error{Kind: corridor.Forbidden, Where: c.File, Msg: d.entry.ID + " is not a member of it"}
	}
	if doc, err = identity.SignSealed(a.ctx, d.key, doc); err != nil {
		return err
	}
	raw, err := doc.Encode()
	if err != nil {
		return err
	}
	if err := replaceFile(c.File, raw); err != nil {
		return err
	}
	return showCompact(a, doc, body)
}

func readCompact(path string) (corridor.Sealed, corridor.Compact, error) {
	raw, err := readBounded(path)
	if err != nil {
		return corridor.Sealed{}, corridor.Compact{}, err
	}
	doc, body, err := corridor.DecodeCompact(raw)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return doc, body, err
}

type compactShowCmd struct {
	speech
	File string `arg:"" type:"path" help:"The compact."`
}

// Help gives an example.
func (compactShowCmd) Help() string {
	return "Example:\n  corridor authority compact show compact.json\n\nExit codes: 0 signed by all, 1 not yet, 2 no compact."
}

// Run shows.
func (c compactShowCmd) Run(a *app) error {
	doc, body, err := readCompact(c.File)
	if err != nil {
		return err
	}
	return showCompact(a, doc, body)
}

func showCompact(a *app, doc corridor.Sealed, body corridor.Compact) error {
	fmt.Fprint(a.stdout, a.text("%s: %s\n  %s\n  in force from %s until %s\n", a.heard(body.Name()), body.Title, doc.Digest(), body.ValidFrom, body.ValidUntil))
	for _, m := range body.Members {
		state := a.text("not signed yet")
		for _, sig := range doc.Signatures {
			for _, anchor := range m.Anchors {
				if anchor.ID == sig.Key {
					state = a.text("signed with %s", sig.Suite)
				}
			}
		}
		fmt.Fprintf(a.stdout, "  %s %s (%s): %s\n", m.Jurisdiction, m.Name, m.ID, state)
	}
	for _, o := range body.Opens {
		fmt.Fprint(a.stdout, a.text("  art. %s opens %s to %s for %s\n", o.Article, o.From, o.To, strings.Join(o.Classes, ", ")))
	}
	if body.Liveness != "" {
		fmt.Fprintf(a.stdout, "  liveness: %s\n", body.Liveness)
	}
	if err := verify.CompactSigned(doc, body); err != nil {
		fmt.Fprint(a.stdout, a.text("  it does not bind yet: %s\n", a.explain(err)))
		return exit(exitFailed)
	}
	return a.print("  it binds: all members have signed it\n")
}

// compactsCmd is what the operator of a node does with compacts.
type compactsCmd struct {
	Adopt    compactsAdoptCmd    `cmd:"" help:"Adopt a compact that all its members have signed."`
	List     compactsListCmd     `cmd:"" help:"List the compacts that the node has adopted."`
	Withdraw compactsWithdrawCmd `cmd:"" help:"Take a compact out of use."`
	Order    compactsOrderCmd    `cmd:"" help:"Hand the node an order, or a feed of orders, that came another way."`
}

type compactsAdoptCmd struct {
	nodeFlags
	File string `arg:"" type:"path" help:"The compact."`
}

// Help gives an example.
func (compactsAdoptCmd) Help() string {
	return `Example:
  corridor compacts adopt compact.json --dir node
With a first version you vouch for the keys in it: compare its digest with what your authority publishes. From then on the
node asks the feeds of the members, and closes the corridors of an authority that it cannot hear.`
}

// Run adopts.
func (c compactsAdoptCmd) Run(a *app) error {
	var got exchange.AdoptedCompact
	if err := c.send(a, "/api/compacts", c.File, &got); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, got)
	}
	return a.print("adopted: compact %s, version %d\n  %s\n  members %s\n", got.ID, got.Version, got.Digest, strings.Join(got.Members, ", "))
}

// send hands a file to the node as it is.
func (f nodeFlags) send(a *app, path, file string, out any) error {
	node, err := f.client()
	if err != nil {
		return err
	}
	raw, err := readBounded(file)
	if err != nil {
		return err
	}
	if raw, err = corridor.Canonicalize(raw); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return node.post(a.ctx, path, json.RawMessage(raw), out)
}

type compactsListCmd struct{ nodeFlags }

// Help gives an example.
func (compactsListCmd) Help() string { return "Example:\n  corridor compacts list --dir node" }

// Run lists.
func (c compactsListCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	list, err := allPages[exchange.AdoptedCompact](a.ctx, node, "/api/compacts", nil)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, list)
	}
	rows := [][]string{{a.text("COMPACT"), a.text("VERSION"), a.text("MEMBERS"), a.text("UNTIL"), a.text("STATE")}}
	for _, k := range list {
		state := a.text("in force")
		if !k.InForce {
			state = a.heard(k.Why)
		}
		rows = append(rows, []string{k.ID, fmt.Sprint(k.Version), strings.Join(k.Members, " "), k.ValidUntil, state})
	}
	return columns(a.stdout, a.text("none: the law alone decides"), rows)
}

type compactsWithdrawCmd struct {
	nodeFlags
	ID string `arg:"" help:"Identifier of the compact."`
}

// Help gives an example.
func (compactsWithdrawCmd) Help() string {
	return "Example:\n  corridor compacts withdraw steppe-trade --dir node\nWhere no other compact governs, the law alone decides then, unless require_compact is set. Orders of its\nauthorities stay in effect: only an order lifts them, once the compact is adopted again. It is a receipt."
}

// Run withdraws.
func (c compactsWithdrawCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	var got exchange.AdoptedCompact
	if err := node.call(a.ctx, "DELETE", "/api/compacts/"+url.PathEscape(c.ID), nil, &got); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, got)
	}
	return a.print("withdrawn: compact %s, version %d\n", got.ID, got.Version)
}

type compactsOrderCmd struct {
	nodeFlags
	File string `arg:"" type:"path" help:"The order, or the feed."`
}

// Help gives an example.
func (compactsOrderCmd) Help() string {
	return "Example:\n  corridor compacts order 17.json --dir node\nIt takes effect before the command returns: what it suspends no longer flows."
}

// Run hands it in.
func (c compactsOrderCmd) Run(a *app) error {
	var got exchange.Taken
	if err := c.send(a, "/api/orders", c.File, &got); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, got)
	}
	return a.print(takenSays(got), got.Number, got.Jurisdiction)
}

// takenSays is what is said of a document that came in of an authority.
func takenSays(got exchange.Taken) string {
	says := map[string][2]string{
		"order":    {"order %d of the authority of %s: known already\n", "order %d of the authority of %s: in effect\n"},
		"feed":     {"feed %d of the authority of %s: known already\n", "feed %d of the authority of %s: in effect\n"},
		"approval": {"approval %d of the authority of %s: known already\n", "approval %d of the authority of %s: in effect\n"},
	}[got.Kind]
	if got.New {
		return says[1]
	}
	return says[0]
}
