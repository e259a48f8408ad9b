package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"corridor"
	"corridor/internal/identity"
	"corridor/verify"
)

// answering is what both answers to a request say.
type answering struct {
	inAuthority
	Request   string   `arg:"" type:"path" help:"The request, as corridor approvals request writes it."`
	Reference string   `required:"" help:"File number of the decision."`
	Officer   string   `help:"Who signed for the authority, if that is to be said."`
	DID       string   `name:"did" type:"existingfile" help:"DID document of the participant, got from it: its signature of the request is then checked."`
	Out       string   `type:"path" help:"File to write. Default: approvals/NONCE.json in the directory of the authority. It must not exist yet."`
	Push      []string `help:"Address of the node to send the answer to at once." placeholder:"URL" sep:"none"`
}

type authorityApproveCmd struct {
	answering
	Condition []string `help:"A condition; may be repeated: a constraint ('count lteq 12', 'purpose isAnyOf research,trade_logistics'), what is done to columns ('drop name,phone', 'mask phone keep:2,2'), 'delete P30D', or a duty of the rule packs ('task keep_authority_record')." sep:"none" placeholder:"CONDITION"`
	Until     string   `help:"First moment at which it no longer holds: a day, or RFC 3339 in UTC." placeholder:"TIME"`
	Reason    string   `help:"A remark for the record."`
}

// Help gives an example.
func (authorityApproveCmd) Help() string {
	return `Example:
  corridor authority approve request.json --reference 'No. 12/2026' --condition 'count lteq 12' --condition 'task keep_authority_record' --until 2027-06-30 --dir tda
The approval fits this one request. Its conditions bind every transfer; after --until none begins.`
}

// Run approves.
func (c authorityApproveCmd) Run(a *app) error {
	until, conditions, err := terms(c.Until, c.Condition)
	if err != nil {
		return err
	}
	return c.answer(a, corridor.ApprovalAnswer{Answer: corridor.AnswerApprove, ValidUntil: until, Conditions: conditions, Reason: c.Reason})
}

type authorityRefuseCmd struct {
	answering
	Reason string `required:"" help:"Why, for both participants."`
}

// Help gives an example.
func (authorityRefuseCmd) Help() string {
	return "Example:\n  corridor authority refuse request.json --reference 'No. 13/2026' --reason 'no need was shown' --dir tda\nThe negotiation ends with it."
}

// Run refuses.
func (c authorityRefuseCmd) Run(a *app) error {
	return c.answer(a, corridor.ApprovalAnswer{Answer: corridor.AnswerRefuse, Conditions: []corridor.Condition{}, Reason: c.Reason})
}

// answer signs an answer to a request, once: the file is its record.
func (c answering) answer(a *app, say corridor.ApprovalAnswer) error {
	d, err := openAuthority(c.Dir)
	if err != nil {
		return err
	}
	raw, err := readCanonical(c.Request)
	if err != nil {
		return err
	}
	sealed, r, err := corridor.DecodeApprovalRequest(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Request, err)
	}
	if r.Jurisdiction != d.entry.Jurisdiction {
		return &corridor.Error{Kind: corridor.Forbidden, Where: c.Request, Msg: fmt.Sprintf("it asks under the law of %s, and %s is the authority of %s", r.Jurisdiction, d.entry.ID, d.entry.Jurisdiction), Why: "an authority speaks for its own country alone"}
	}
	if err := c.asker(sealed, r); err != nil {
		return err
	}
	x := corridor.AnswerTo(sealed.Digest(), &r)
	x.By, x.Authority, x.Officer, x.Reference, x.Issued = corridor.ByAuthority, d.entry.ID, c.Officer, c.Reference, corridor.Moment(time.Now())
	x.Answer, x.Reason, x.ValidUntil, x.Conditions = say.Answer, say.Reason, say.ValidUntil, say.Conditions
	doc, err := identity.SealAndSign(a.ctx, d.key, x)
	if err != nil {
		return err
	}
	if raw, err = doc.Encode(); err != nil {
		return err
	}
	if _, x, err = corridor.DecodeApproval(raw); err == nil { // as every node will
		_, err = verify.AnswerSigned(doc, x, []corridor.Authority{d.entry})
	}
	if err != nil {
		return err
	}
	path, err := c.place(r.Nonce)
	if err != nil {
		return err
	}
	if err := writeWhole(path, raw); err != nil {
		return &corridor.Error{Kind: corridor.Conflict, Where: path, Msg: "the request has an answer already, or the file cannot be written", Fix: "look into the file", Err: err}
	}
	fmt.Fprintf(a.stdout, "%s\n", path)
	if err := showApproval(a, raw); err != nil {
		return err
	}
	var failed []error
	for _, node := range c.Push {
		err := pushSigned(a.ctx, node, raw, "the answer is signed and stands in "+path)
		if err == nil {
			err = a.print("  taken at %s\n", node)
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// asker checks the participant's signature of a request, where its DID document
// is at hand.
func (c answering) asker(sealed corridor.Sealed, r corridor.ApprovalRequest) error {
	if c.DID == "" {
		return nil
	}
	raw, err := readBounded(c.DID)
	if err != nil {
		return err
	}
	keys, err := verify.DocumentKeys(r.Participant, raw)
	if err != nil {
		return fmt.Errorf("%s: %w", c.DID, err)
	}
	for _, key := range keys {
		if len(sealed.Signatures) == 1 && sealed.Signatures[0].Key == key.ID {
			return key.VerifySignature(sealed.Body, sealed.Signatures[0])
		}
	}
	return &corridor.Error{Kind: corridor.Unauthenticated, Where: c.Request, Msg: "it is not signed with a key of " + r.Participant, Fix: "get the DID document and the request from the participant again"}
}

func (c answering) place(nonce string) (string, error) {
	if c.Out != "" {
		return c.Out, nil
	}
	dir := filepath.Join(c.Dir, "approvals")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", corridor.Unwritable(dir, err)
	}
	return filepath.Join(dir, nonce+".json"), nil
}
