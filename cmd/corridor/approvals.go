package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

// approvalsCmd is what the operator of a node does about signed approvals.
type approvalsCmd struct {
	Request approvalsRequestCmd `cmd:"" help:"Write the request for the approval that a negotiation waits for."`
	Show    approvalsShowCmd    `cmd:"" help:"Show a request, or the answer to one."`
	Sign    approvalsSignCmd    `cmd:"" help:"Sign the approval as the firm's own officer, where the law leaves it to the firm."`
	Accept  approvalsAcceptCmd  `cmd:"" help:"Hand the node the signed answer of an authority; the negotiation goes on, or ends."`
}

type approvalsRequestCmd struct {
	nodeFlags
	Negotiation string `arg:"" help:"Negotiation, as corridor negotiations shows it." complete:"negotiations"`
	Side        string `enum:",export,import" default:"" help:"Whose law is asked about, for a plain peer whose side is decided here: export or import. Empty: our own."`
	Out         string `required:"" type:"path" help:"File to write. It must not exist yet."`
}

// Help gives an example.
func (approvalsRequestCmd) Help() string {
	return `Example:
  corridor approvals request urn:uuid:... --out request.json --dir node
It names the flow with its facts, both parties, the articles that want an approval and who gives it. Send it to the authority. Where the
law leaves it to the firm: corridor approvals sign.`
}

// Run writes the request.
func (c approvalsRequestCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	var doc corridor.Sealed
	if err := node.post(a.ctx, "/api/negotiations/"+url.PathEscape(c.Negotiation)+"/approval-request", exchange.ApprovalAsked{Side: corridor.Side(c.Side)}, &doc); err != nil {
		return err
	}
	raw, err := doc.Encode()
	if err != nil {
		return err
	}
	if err := writeWhole(c.Out, raw); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, doc)
	}
	return showApproval(a, raw)
}

type approvalsShowCmd struct {
	speech
	File string `arg:"" type:"path" help:"The request, or the answer."`
}

// Help gives an example.
func (approvalsShowCmd) Help() string {
	return "Example:\n  corridor approvals show request.json\nIt needs no node. The signature is checked by who takes the document."
}

// Run shows.
func (c approvalsShowCmd) Run(a *app) error {
	raw, err := readCanonical(c.File)
	if err != nil {
		return err
	}
	return showApproval(a, raw)
}

// readCanonical reads a document, whatever line break it ends in.
func readCanonical(path string) ([]byte, error) {
	raw, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	if raw, err = corridor.Canonicalize(raw); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return raw, nil
}

func showApproval(a *app, raw []byte) error {
	if sealed, r, err := corridor.DecodeApprovalRequest(raw); err == nil {
		return showRequest(a, sealed.Digest(), r)
	}
	sealed, x, err := corridor.DecodeApproval(raw)
	if err != nil {
		return err
	}
	says := "%s\n  %s\n  %s approves (%s)\n  request %s\n  negotiation %s of %s\n"
	if x.Answer == corridor.AnswerRefuse {
		says = "%s\n  %s\n  %s refuses (%s)\n  request %s\n  negotiation %s of %s\n"
	}
	fmt.Fprint(a.stdout, a.text(says, a.heard(x.Name()), sealed.Digest(), x.Authority, x.Jurisdiction, x.Request, x.Negotiation, x.Participant))
	for _, c := range x.Conditions {
		raw, err := corridor.Canonical(c)
		if err != nil {
			return err
		}
		fmt.Fprint(a.stdout, a.text("  condition %s\n", raw))
	}
	if x.Reason != "" {
		fmt.Fprint(a.stdout, a.text("  reason: %s\n", x.Reason))
	}
	if x.ValidUntil != "" {
		fmt.Fprint(a.stdout, a.text("  until %s\n", x.ValidUntil))
	}
	return nil
}

func showRequest(a *app, digest string, r corridor.ApprovalRequest) error {
	fmt.Fprint(a.stdout, a.text("request of %s, %s\n  %s\n  negotiation %s\n  %s (%s) to %s (%s): dataset %s, purpose %s\n", r.Participant, r.Issued, digest, r.Negotiation,
		r.Exporter.DID, r.Exporter.Jurisdiction, r.Importer.DID, r.Importer.Jurisdiction, r.Dataset, r.Purpose))
	for _, d := range r.Demands {
		who := a.text("the authority of %s", r.Jurisdiction)
		if d.By == corridor.ByFirm {
			who = a.text("the firm")
		}
		var at []string
		for _, c := range d.Articles {
			at = append(at, a.text("%s, art. %s", orText(c.Title.In(a.lang), c.Instrument), c.Article))
		}
		fmt.Fprint(a.stdout, a.text("  %s: by %s\n    %s\n    duties: %s\n", d.Rule, who, strings.Join(at, "; "), orText(strings.Join(d.Duties, ", "), a.text("none"))))
	}
	facts, err := corridor.Canonical(r.Flow.Facts)
	if err != nil {
		return err
	}
	return a.print("  facts %s\n", facts)
}

func orText(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

type approvalsSignCmd struct {
	nodeFlags
	Negotiation string   `arg:"" help:"Negotiation, as corridor negotiations shows it." complete:"negotiations"`
	By          string   `required:"" help:"The officer who approves."`
	Reference   string   `required:"" help:"File number of the resolution."`
	Reason      string   `help:"A remark for the record."`
	Condition   []string `help:"A condition; may be repeated. See corridor authority approve." sep:"none" placeholder:"CONDITION"`
	Until       string   `help:"First moment at which it no longer holds: a day, or RFC 3339 in UTC." placeholder:"TIME"`
	Side        string   `enum:",export,import" default:"" help:"Whose law it satisfies, for a plain peer whose side is decided here: export or import. Empty: our own."`
}

// Help gives an example.
func (approvalsSignCmd) Help() string {
	return `Example:
  corridor approvals sign urn:uuid:... --by 'A. Officer' --reference 'A-7/2026' --condition 'count lteq 12' --until 2027-06-30 --dir node
It is signed with the node's key, and refused where the law names an authority.`
}

// Run signs, and waits for what follows.
func (c approvalsSignCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	until, conditions, err := terms(c.Until, c.Condition)
	if err != nil {
		return err
	}
	body := exchange.OfficerApproval{By: c.By, Reference: c.Reference, Reason: c.Reason, Until: until, Conditions: conditions, Side: corridor.Side(c.Side)}
	var n negotiationView
	if err := node.post(a.ctx, "/api/negotiations/"+url.PathEscape(c.Negotiation)+"/sign-approval", body, &n); err != nil {
		return err
	}
	if n, err = awaitNegotiation(a, node, n.PID); err != nil {
		return err
	}
	return showNegotiation(a, c.JSON, n)
}

type approvalsAcceptCmd struct {
	nodeFlags
	File string `arg:"" type:"path" help:"The signed answer."`
}

// Help gives an example.
func (approvalsAcceptCmd) Help() string {
	return "Example:\n  corridor approvals accept approval.json --dir node\nThe node checks who signed it, that it answers the request which is open here, and that it can keep each condition."
}

// Run hands it in.
func (c approvalsAcceptCmd) Run(a *app) error {
	var got exchange.Taken
	if err := c.send(a, "/api/approvals", c.File, &got); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, got)
	}
	return a.print("taken: approval of %s for negotiation %s\n  %s\n", got.Authority, got.Negotiation, got.Digest)
}

// terms reads the end and the conditions of an approval.
func terms(until string, conditions []string) (string, []corridor.Condition, error) {
	if day, err := corridor.ParseDate(until); err == nil {
		until = corridor.Moment(day.Time())
	}
	if until != "" {
		if _, err := corridor.ParseMoment(until); err != nil {
			return "", nil, fmt.Errorf("--until: %w", err)
		}
	}
	list := []corridor.Condition{}
	for _, text := range conditions {
		c, err := readCondition(text)
		if err != nil {
			return "", nil, err
		}
		list = append(list, c)
	}
	return until, list, exchange.CheckConditions(list)
}

// readCondition reads a condition as a person writes it.
func readCondition(text string) (corridor.Condition, error) {
	words := strings.Fields(text)
	bad := &corridor.Error{Kind: corridor.Invalid, Where: "--condition", Msg: fmt.Sprintf("%q cannot be read", text),
		Fix: "write it like 'count lteq 12', 'drop name,phone', 'mask phone keep:2,2', 'delete P30D' or 'task OBLIGATION'"}
	if len(words) < 2 || len(words) > 3 {
		return corridor.Condition{}, bad
	}
	operand := func(s string) json.RawMessage {
		var v any = s
		if list := strings.Split(s, ","); len(list) > 1 {
			v = list
		}
		raw, err := json.Marshal(v)
		if err != nil { // text always marshals
			return nil
		}
		return raw
	}
	duty := func(action string, list ...dsp.Constraint) (corridor.Condition, error) {
		raw, err := corridor.Canonical(dsp.Rule{Action: action, Constraint: list})
		return corridor.Condition{Duty: raw}, err
	}
	switch words[0] {
	case "task":
		if len(words) == 2 {
			return corridor.Condition{Obligation: words[1]}, nil
		}
	case "delete":
		if len(words) == 2 {
			return duty("delete", dsp.Constraint{LeftOperand: "elapsedTime", Operator: dsp.Lteq, RightOperand: operand(words[1])})
		}
	case "drop", "mask", "pseudonymise", "generalise":
		list := []dsp.Constraint{{LeftOperand: "corridor:column", Operator: dsp.IsAnyOf, RightOperand: operand(words[1])}}
		if len(words) == 3 {
			raw, err := json.Marshal(words[2])
			if err != nil {
				return corridor.Condition{}, err
			}
			list = append(list, dsp.Constraint{LeftOperand: "corridor:param", Operator: dsp.Eq, RightOperand: raw})
		}
		return duty("corridor:"+words[0], list...)
	default:
		if len(words) == 3 {
			raw, err := corridor.Canonical(dsp.Constraint{LeftOperand: words[0], Operator: dsp.Operator(words[1]), RightOperand: operand(words[2])})
			return corridor.Condition{Constraint: raw}, err
		}
	}
	return corridor.Condition{}, bad
}
