package verify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"corridor"
)

// approvals checks each signed approval that the agreement quotes: who signed
// it, that it is about this flow, that it lifts what the decision demands, that
// it was logged, and that nothing was released after its end.
func (c *checker) approvals() {
	if c.agreed == nil {
		return
	}
	at := map[string]time.Time{} // by leaf hash
	for _, r := range c.list {
		if t, err := utc(r.leaf.Receipt.Time); err == nil {
			at[corridor.LeafHash(r.Leaf)] = t
		}
	}
	for i, shown := range c.agreed.Body.Approvals {
		if shown.Signed == nil {
			continue
		}
		id := fmt.Sprintf("approval[%d]", i)
		a, err := shown.Signed.Open()
		c.rep.expect(id+".form", "The signed approval can be read strictly", err, clip(a.ID), "what is not understood cannot be approved", "")
		if err != nil {
			continue
		}
		name := clip(a.Name())
		c.rep.expect(id+".signature", "The signature on "+name, c.approver(shown.Signed, a), shown.Signed.Digest, "who the law names decides", "ask the authority whether it signed this")
		if shown.Signed.Authority != nil {
			c.rep.note(id+".authority", "The authority's key is known", "it is the one that both parties have signed with the agreement: "+clip(shown.Signed.Document.Signatures[0].Key),
				"compare it with what the authority publishes, or with a compact that it has signed")
		}
		c.rep.expect(id+".flow", "It is about this flow: "+name, c.approvesFlow(shown, a), clip(a.Reference), "an approval of another flow allows nothing here", "")
		c.rep.expect(id+".logged", "It was logged before the agreement: "+name, c.approvalLogged(shown.Signed.Digest, a), "", "an approval that came later was made to fit", "export the receipts of the negotiation with it")
		c.rep.expect(id+".term", "Nothing was released outside its time: "+name, c.approvalTerm(a, at), clip(a.ValidUntil), "an approval allows as long as it says", "")
	}
	c.words()
}

// words notes each side whose law wants an authority's approval while the
// agreement quotes no document that was signed for it.
func (c *checker) words() {
	for _, s := range c.stated {
		wants := slices.IndexFunc(s.Decision.Demands(), func(d corridor.Demand) bool { return d.By == corridor.ByAuthority })
		if s.Decision.Outcome != corridor.NeedsApproval || wants < 0 {
			continue
		}
		who, signed := []string{}, false
		for _, a := range c.agreed.Body.Approvals {
			if a.Side == s.Decision.Side {
				who, signed = append(who, fmt.Sprintf("%s (%s)", clip(a.By), clip(a.Reference))), signed || a.Signed != nil
			}
		}
		if signed {
			continue
		}
		if len(who) == 0 {
			who = []string{clip(s.Issuer)}
		}
		demand := s.Decision.Demands()[wants]
		c.rep.note("approval.word["+clip(string(s.Decision.Side))+"]", "The authority's approval of the "+clip(string(s.Decision.Side))+" side is there as it signed it",
			fmt.Sprintf("no signed document is quoted: that an authority lifted %s (%s) rests on the word of %s alone", clip(demand.Rule), clip(strings.Join(demand.Duties, ", ")), strings.Join(who[:min(len(who), 10)], ", ")),
			"ask for the document, or compare the reference with the authority")
	}
}

// approver checks the signature by whom the document names: the authority as
// the agreement quotes it, or the participant itself.
func (c *checker) approver(q *corridor.QuotedAnswer, a corridor.ApprovalAnswer) error {
	if len(q.Document.Signatures) != 1 {
		return mismatch("it has %d signatures", len(q.Document.Signatures))
	}
	if a.By == corridor.ByFirm {
		if q.Authority != nil || a.Authority != a.Participant {
			return mismatch("an officer approves for the own firm alone")
		}
		return c.signed(a.Participant, q.Document.Body, q.Document.Signatures[0])
	}
	if q.Authority == nil {
		return mismatch("the authority is not named")
	}
	if err := q.Authority.Check(); err != nil {
		return err
	}
	_, err := AnswerSigned(q.Document, a, []corridor.Authority{*q.Authority})
	return err
}

// approvesFlow: the approval is for these parties, this dataset and offer, and
// lifts what the decision of its side demands.
func (c *checker) approvesFlow(shown corridor.Approval, a corridor.ApprovalAnswer) error {
	b := c.agreed.Body
	side := b.Provider
	if a.Side == corridor.Import {
		side = b.Consumer
	}
	asked := side.DID
	if b.DecidedBy != "" {
		asked = b.DecidedBy
	}
	for _, f := range []struct{ what, got, want string }{
		{"answer", a.Answer, corridor.AnswerApprove}, {"side", string(a.Side), string(shown.Side)}, {"law", a.Jurisdiction, side.Jurisdiction}, {"participant", a.Participant, asked},
		{"exporter", a.Exporter, b.Provider.DID}, {"importer", a.Importer, b.Consumer.DID}, {"dataset", a.Dataset, b.Dataset}, {"offer", a.Offer, corridor.Digest(b.Policy)},
		{"reference", a.Reference, shown.Reference}, {"signer", a.Authority, shown.By},
	} {
		if f.got != f.want {
			return mismatch("its %s is %q, that of the agreement %q", f.what, clip(f.got), clip(f.want))
		}
	}
	for _, s := range c.stated {
		if s.Decision.Side == a.Side && s.Decision.Outcome == corridor.NeedsApproval {
			if err := a.Lifts(&s.Decision); err != nil {
				return err
			}
		}
	}
	return nil
}

// approvalLogged: a receipt of the approval, by whom it was given to and in the
// negotiation that it was given for, names this document, and is not later than
// that of the agreement by the same participant.
func (c *checker) approvalLogged(digest string, a corridor.ApprovalAnswer) error {
	elsewhere := ""
	for _, r := range c.list {
		x := r.leaf.Receipt
		if x.Type != corridor.ReceiptApproval || x.Digests[corridor.DigestApproval] != digest {
			continue
		}
		if x.Issuer != a.Participant || x.Negotiation != a.Negotiation {
			elsewhere = r.name
			continue
		}
		later := slices.ContainsFunc(c.list, func(o receipt) bool {
			return o.leaf.Receipt.Type == corridor.ReceiptAgreement && o.leaf.Receipt.Agreement == c.agreed.Body.ID && o.Log == r.Log && o.Index < r.Index
		})
		if later {
			return mismatch("the receipt of the agreement stands before that of the approval")
		}
		return nil
	}
	if elsewhere != "" {
		return mismatch("%s is not by %s in the negotiation %q, for which it was given", elsewhere, clip(a.Participant), clip(a.Negotiation))
	}
	return mismatch("no receipt of an approval holds the digest %s", clip(digest))
}

func (c *checker) approvalTerm(a corridor.ApprovalAnswer, at map[string]time.Time) error {
	until, ends := a.Ends()
	if !ends {
		return nil
	}
	var late []string
	for _, r := range c.list {
		typ := r.leaf.Receipt.Type
		if r.leaf.Receipt.Agreement != c.agreed.Body.ID || typ != corridor.ReceiptTransferStarted && typ != corridor.ReceiptTransferReleased {
			continue
		}
		if t := at[corridor.LeafHash(r.Leaf)]; t.After(until.Add(slack)) {
			late = append(late, r.name)
		}
	}
	if len(late) > 0 {
		return mismatch("it ended at %s: %s", a.ValidUntil, strings.Join(late[:min(len(late), 10)], ", "))
	}
	return nil
}
