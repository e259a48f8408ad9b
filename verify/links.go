package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"corridor"
)

// agreement checks the signatures of both sides and that the agreement, the
// bundle and the receipts speak of the same things.
func (c *checker) agreement() {
	if len(c.file.Agreement) == 0 {
		c.rep.note("agreement", "The bundle holds an agreement", "it holds none: it shows decisions and receipts only", "")
		return
	}
	a, err := corridor.DecodeAgreement(c.file.Agreement)
	c.rep.expect("agreement", "The agreement can be read strictly", err, clip(a.Body.ID), "what is not understood cannot be agreed to", "")
	if err != nil {
		return // the checks below would repeat this failure
	}
	c.agreed, c.body = &a, members(c.file.Agreement)["body"]
	c.alone(a.Body)
	signers := 0
	for _, side := range []struct{ id, did, other string }{{"provider", a.Body.Provider.DID, a.Body.Consumer.DID}, {"consumer", a.Body.Consumer.DID, a.Body.Provider.DID}} {
		if by := a.Body.DecidedBy; by != "" && by != side.did {
			continue
		}
		signers++
		var err error = mismatch("there is no signature by %q", clip(side.did))
		var how known
		for _, s := range a.Signatures {
			if didOf(s.Key) == side.did {
				how, err = c.national(National{Object: corridor.ObjectAgreement, Agreement: a.Body.ID, Signer: side.did, For: side.other, Text: c.body, Signature: s})
				if err != nil {
					break
				}
			}
		}
		c.signature("agreement."+side.id, "The "+side.id+" has signed the agreement", clip(side.did), "an agreement binds whoever signed it", how, err)
	}
	if len(a.Signatures) != signers {
		c.rep.fail("agreement.others", "Each party has signed the agreement once, and nobody else", mismatch("there are %d signatures", len(a.Signatures)), "", "")
	}
	c.agreementReceipts(corridor.Digest(c.body))
	c.agreementAnchors(a.Body)
}

// alone: where one side decided both and signed alone, the reader is told at
// once what that does and does not show.
func (c *checker) alone(a corridor.Agreement) {
	if a.DecidedBy == "" {
		return
	}
	other := a.Consumer.DID
	if a.DecidedBy == other {
		other = a.Provider.DID
	}
	var err error
	if a.DecidedBy != a.Provider.DID && a.DecidedBy != a.Consumer.DID {
		err = mismatch("%q is no party to the agreement", clip(a.DecidedBy))
	}
	c.rep.expect("agreement.alone", "Who decided both sides is a party", err, clip(a.DecidedBy), "a stranger cannot bind anybody", "")
	c.rep.note(oneSided, "Each side decided its own law and signed",
		fmt.Sprintf("%s decided both sides and signed alone: %s speaks the Dataspace Protocol only", clip(a.DecidedBy), clip(other)),
		"ask "+clip(other)+" for its own word on the agreement and on its law")
}

// agreementReceipts: both sides logged this very agreement.
func (c *checker) agreementReceipts(digest string) {
	by := map[string]bool{}
	var err error
	for _, r := range c.list {
		d, has := r.leaf.Receipt.Digests[corridor.DigestAgreement]
		if !has {
			continue
		}
		if r.leaf.Receipt.Agreement == c.agreed.Body.ID && d != digest {
			err = mismatch("%s speaks of %s, the bundle's agreement is %s", r.name, clip(d), digest)
		}
		if d == digest {
			by[r.leaf.Receipt.Issuer] = true
		}
	}
	what := "The receipts speak of this very agreement"
	if err == nil && len(by) == 0 {
		err = mismatch("no receipt holds its digest")
	}
	c.rep.expect("agreement.receipts", what, err, digest, "otherwise the text could have been exchanged later", "export the receipts of the agreement with it")
	for _, p := range []corridor.Participant{c.agreed.Body.Provider, c.agreed.Body.Consumer} {
		if err == nil && !by[p.DID] && (c.agreed.Body.DecidedBy == "" || c.agreed.Body.DecidedBy == p.DID) {
			c.rep.note("agreement.both", "Both sides have logged the agreement", "there is no such receipt by "+clip(p.DID), "ask that side for its receipt")
		}
	}
}

// agreementAnchors: policy, log keys and DID documents in the bundle are
// those that were in force, so that they cannot be exchanged inside it.
func (c *checker) agreementAnchors(a corridor.Agreement) {
	policy := corridor.Digest([]byte(c.file.Policy))
	var err error
	if a.Witnesses != "" && a.Witnesses != policy {
		err = mismatch("the agreement names %s, the bundle's policy is %s", clip(a.Witnesses), policy)
	}
	if a.Witnesses == "" {
		c.rep.note("anchors.policy", "The agreement fixes the witness policy", "it names none", "")
	} else {
		c.rep.expect("anchors.policy", "The witness policy is the agreed one", err, policy, "a weaker policy could be put into the bundle", "")
	}
	err = nil
	for _, p := range []corridor.Participant{a.Provider, a.Consumer} {
		want, ok := a.Logs[p.DID]
		i := slices.IndexFunc(c.file.Logs, func(l FileLog) bool { return l.DID == p.DID })
		switch {
		case !ok && i >= 0:
			err = mismatch("the agreement names no log of %q", clip(p.DID))
		case ok && i >= 0 && (c.file.Logs[i].Origin != want.Origin || c.file.Logs[i].VKey != want.VKey):
			err = mismatch("the log of %q is not the agreed one", clip(p.DID))
		}
	}
	for _, l := range c.file.Logs {
		if l.DID != a.Provider.DID && l.DID != a.Consumer.DID {
			err = mismatch("%q is no party to the agreement", clip(l.DID))
		}
	}
	c.rep.expect("anchors.logs", "The logs are the agreed ones", err, "", "another log could tell another story", "")
}

// statement is a signed decision as far as it could be read.
type statement struct {
	corridor.DecisionStatement
	digest string
	agreed bool // it stands in the agreement, which both have signed
}

func (c *checker) decisions() {
	var list []corridor.SignedDecision
	if c.agreed != nil {
		list = append(list, c.agreed.Body.Decisions...)
	}
	agreed := len(list)
	list = append(list, c.file.Decisions...)
	for i, s := range list {
		id := fmt.Sprintf("decision[%d]", i)
		d, err := s.Decode()
		name := fmt.Sprintf("the %s decision under the law of %s", clip(string(d.Decision.Side)), clip(d.Decision.Jurisdiction))
		raw, cerr := corridor.Canonicalize(s.Statement)
		if err == nil {
			err = cerr
		}
		var how known
		if err == nil {
			other := d.Consumer
			if d.Issuer == d.Consumer {
				other = d.Provider
			}
			how, err = c.national(National{Object: corridor.ObjectDecision, Signer: d.Issuer, For: other, Text: raw, Signature: s.Signature})
		}
		c.signature(id+".signature", "The signature on "+name, clip(d.Issuer), "each side answers for its own law", how, err)
		if err == nil {
			c.stated = append(c.stated, statement{d, corridor.Digest(raw), i < agreed})
		}
		if c.agreed != nil {
			c.rep.expect(id+".flow", "It is about this flow: "+name, sameFlow(d, c.agreed.Body), d.Decision.Outcome.String(), "a decision for another flow proves nothing here", "")
		}
	}
	if c.agreed != nil {
		c.bothSides()
	}
	c.decisionReceipts()
}

func sameFlow(d corridor.DecisionStatement, a corridor.Agreement) error {
	side := a.Provider
	want := corridor.Export
	if (d.Issuer == a.Consumer.DID || a.DecidedBy != "") && d.Decision.Side == corridor.Import {
		side, want = a.Consumer, corridor.Import
	}
	instead := ""
	if a.DecidedBy != "" && a.DecidedBy != side.DID {
		instead = side.DID
	}
	decider := side.DID
	if instead != "" {
		decider = a.DecidedBy
	}
	switch {
	case d.InsteadOf != instead:
		return mismatch("it says that it was decided in the place of %q, where %q belongs", clip(d.InsteadOf), clip(instead))
	case d.Provider != a.Provider.DID || d.Consumer != a.Consumer.DID || d.Dataset != a.Dataset:
		return mismatch("it is about %q from %q to %q", clip(d.Dataset), clip(d.Provider), clip(d.Consumer))
	case d.Issuer != decider || d.Decision.Side != want:
		return mismatch("the %s side is decided by %q", clip(string(d.Decision.Side)), clip(d.Issuer))
	case d.Decision.Jurisdiction != side.Jurisdiction:
		return mismatch("it is under the law of %q, the participant is established in %q", clip(d.Decision.Jurisdiction), clip(side.Jurisdiction))
	}
	return nil
}

// bothSides: an agreement needs a decision of each side, and none that
// refuses.
func (c *checker) bothSides() {
	sides := map[corridor.Side]bool{}
	var err error
	for _, s := range c.stated {
		sides[s.Decision.Side] = true
		switch s.Decision.Outcome {
		case corridor.Deny, corridor.Undetermined:
			err = mismatch("the %s side says %s", clip(string(s.Decision.Side)), s.Decision.Outcome)
		case corridor.NeedsApproval:
			if !slices.ContainsFunc(c.list, func(r receipt) bool {
				return r.leaf.Receipt.Type == corridor.ReceiptApproval && r.leaf.Receipt.Issuer == s.Issuer
			}) {
				err = mismatch("the %s side needs an approval, and there is no receipt of one", clip(string(s.Decision.Side)))
			}
		}
	}
	if err == nil && (!sides[corridor.Export] || !sides[corridor.Import]) {
		err = mismatch("a signed decision of each side is needed")
	}
	c.rep.expect("decisions", "Both sides' laws permit the flow", err, "", "the strictest outcome wins", "")
}

// decisionReceipts: what the log says of a decision is what was signed.
func (c *checker) decisionReceipts() {
	var err error
	n := 0
	for _, r := range c.list {
		d := r.leaf.Receipt.Decision
		digest := r.leaf.Receipt.Digests["decision"]
		if d == nil || digest == "" {
			continue
		}
		i := slices.IndexFunc(c.stated, func(s statement) bool { return s.digest == digest })
		if i < 0 {
			continue // a decision that the bundle does not show
		}
		n++
		s := c.stated[i]
		if s.Decision.Outcome != d.Outcome || s.Decision.Jurisdiction != d.Jurisdiction || s.Decision.Side != d.Side || s.Decision.Pack != d.Pack {
			err = mismatch("%s tells the decision differently", r.name)
		}
	}
	if n > 0 {
		c.rep.expect("decisions.receipts", "The receipts tell the decisions as they were signed", err, fmt.Sprintf("%d compared", n), "", "")
	}
}

// references checks what receipts say of each other and of the bundle.
func (c *checker) references() {
	byLeaf := map[string]*receipt{}
	byPlace := map[corridor.ReceiptRef]*receipt{}
	for i := range c.list {
		r := &c.list[i]
		byLeaf[corridor.LeafHash(r.Leaf)] = r
		byPlace[corridor.ReceiptRef{Origin: r.Log, Index: r.Index}] = r
	}
	docs, vkeys := map[string]string{}, map[string]string{}
	for _, k := range c.file.Keys {
		docs[k.DID] = corridor.Digest(k.Document)
	}
	for _, l := range c.file.Logs {
		vkeys[l.DID] = corridor.Digest([]byte(l.VKey))
	}
	for i := range c.list {
		r := &c.list[i]
		id := fmt.Sprintf("receipt[%d]", i)
		in := r.leaf.Receipt
		c.bound(id, r, map[string]string{
			corridor.DigestPolicy:      corridor.Digest([]byte(c.file.Policy)),
			corridor.DigestLogKey:      vkeys[in.Issuer],
			corridor.DigestDIDDocument: docs[in.Issuer],
		})
		c.quotes(id, r, byPlace, byLeaf)
		c.seen(id, r)
		if p := byLeaf[in.Prev]; in.Prev != "" && p != nil && (p.Log != r.Log || p.Index >= r.Index) {
			c.rep.fail(id+".previous", "The order of "+r.name, mismatch("it continues an entry that comes later or is of another log"), "", "")
		}
	}
}

// seen checks the checkpoint of the peer's log that a receipt shows, and keeps
// it for histories.
func (c *checker) seen(id string, r *receipt) {
	text := r.leaf.Receipt.PeerCheckpoint
	if text == "" {
		return
	}
	var err error
	n, err := unsigned([]byte(text))
	var shown Checkpoint
	if err == nil {
		shown, err = ParseCheckpoint(n.Text)
	}
	if log, known := c.logs[shown.Origin]; err == nil && known {
		if log.DID != r.leaf.Receipt.Peer {
			err = mismatch("the log %q is not that of %q", clip(shown.Origin), clip(r.leaf.Receipt.Peer))
		} else if _, _, err = OpenCheckpoint([]byte(text), log.verifier); err == nil {
			c.shown = append(c.shown, shown)
		}
	} else if err == nil {
		err = mismatch("the bundle has no log %q", clip(shown.Origin))
	}
	c.rep.expect(id+".seen", "The checkpoint of the peer's log that "+r.name+" shows", err, fmt.Sprintf("%d entries", shown.Size), "each side binds the other's history in its own log", "")
}

// histories looks for two trees of one size among all checkpoints that a log
// has signed: no log may sign both. Trees of different sizes are compared by
// whoever can ask the log; evidence of it is a file of its own.
func (c *checker) histories() {
	for _, o := range c.opened {
		if o.textErr == nil && o.logErr == nil {
			c.shown = append(c.shown, o.c)
		}
	}
	slices.SortFunc(c.shown, func(a, b Checkpoint) int { return cmp.Compare(a.Size, b.Size) }) // one order, one report
	for i, l := range c.file.Logs {
		var last *Checkpoint
		var err error
		n := 0
		for k, s := range c.shown {
			if s.Origin != l.Origin {
				continue
			}
			if n++; err == nil && last != nil && last.Size == s.Size && last.Root != s.Root {
				err = mismatch("it has signed two different trees of %d entries", s.Size)
			}
			last = &c.shown[k]
		}
		if n > 1 {
			c.rep.expect(fmt.Sprintf("logs[%d].one_history", i), "No two checkpoints of the log of "+clip(l.DID)+" are of different trees of one size", err, fmt.Sprintf("%d checkpoints", n),
				"a log keeps one history: who signs two has told two parties different things", "")
		}
	}
}

// bound compares the digests that a receipt holds of keys and policy.
func (c *checker) bound(id string, r *receipt, have map[string]string) {
	var err error
	n := 0
	for _, name := range []string{corridor.DigestPolicy, corridor.DigestLogKey, corridor.DigestDIDDocument} {
		if want, ok := r.leaf.Receipt.Digests[name]; ok {
			n++
			if want != have[name] {
				err = mismatch("%s is %s there and %s in the bundle", name, clip(want), clip(have[name]))
			}
		}
	}
	if n > 0 {
		c.rep.expect(id+".anchors", "Keys and policy in force at "+r.name, err, fmt.Sprintf("%d compared", n), "they could have been exchanged inside the bundle", "")
	}
}

// quotes checks the peer's receipts that a receipt answers. A transfer's
// arrival must quote its release, and the acknowledgement its arrival.
func (c *checker) quotes(id string, r *receipt, byPlace map[corridor.ReceiptRef]*receipt, byLeaf map[string]*receipt) {
	in := r.leaf.Receipt
	answers := map[string]string{corridor.ReceiptTransferReceived: corridor.ReceiptTransferReleased, corridor.ReceiptTransferAcknowledged: corridor.ReceiptTransferReceived}[in.Type]
	if c.agreed != nil && c.agreed.Body.DecidedBy == in.Issuer {
		answers = "" // the peer writes no log that could be quoted
	}
	if len(in.PeerRefs) == 0 && answers == "" {
		return
	}
	var err error
	found, shown := answers == "", 0
	for _, ref := range in.PeerRefs {
		q := byPlace[corridor.ReceiptRef{Origin: ref.Origin, Index: ref.Index}]
		if q == nil {
			if byLeaf[ref.Leaf] != nil {
				err = mismatch("it quotes entry %d of %q, and the receipt is elsewhere", ref.Index, clip(ref.Origin))
			}
			continue
		}
		shown++
		switch {
		case corridor.LeafHash(q.Leaf) != ref.Leaf:
			err = mismatch("entry %d of %q is not the one that it quotes", ref.Index, clip(ref.Origin))
		case q.leaf.Receipt.Issuer == in.Issuer:
			err = mismatch("it quotes its own issuer")
		case answers != "" && q.leaf.Receipt.Type == answers:
			found = true
			err = firstOf(err, sameContent(r, q))
		}
	}
	if err == nil && !found {
		err = mismatch("it does not quote the %s that it answers, or the bundle lacks that one", answers)
	}
	c.rep.expect(id+".quotes", "What "+r.name+" quotes from the peer's log", err, fmt.Sprintf("%d of %d quoted receipts are here", shown, len(in.PeerRefs)), "each log binds the other: neither can change its story alone", "")
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// sameContent: both ends speak of the same bytes under the same agreement.
func sameContent(r, q *receipt) error {
	a, b := r.leaf.Receipt, q.leaf.Receipt
	if a.Agreement != b.Agreement {
		return mismatch("it answers a receipt under another agreement")
	}
	x, y := a.Digests[corridor.DigestContent], b.Digests[corridor.DigestContent]
	if x != "" && y != "" && x != y {
		return mismatch("the bytes differ: %s sent, %s received", clip(y), clip(x))
	}
	return sameIncrement(a.Increment, b.Increment)
}

// Slack is how far two honest clocks may be apart.
const Slack = 5 * time.Minute

const slack = Slack

// times: nothing is answered before it was said, and nothing is done outside
// the agreement's life.
func (c *checker) times() {
	var errs []string
	bad := func(format string, args ...any) { errs = append(errs, fmt.Sprintf(format, args...)) }
	at := map[string]time.Time{} // by leaf hash
	exported, err := utc(c.file.About.At)
	if err != nil {
		bad("the time of the export: %v", err)
	}
	for _, r := range c.list {
		t, err := utc(r.leaf.Receipt.Time)
		if err != nil {
			bad("%s: %v", r.name, err)
			continue
		}
		at[corridor.LeafHash(r.Leaf)] = t
		if !exported.IsZero() && t.After(exported.Add(slack)) {
			bad("%s is later than the export", r.name)
		}
		for _, cosi := range r.cosi {
			if cosi.Before(t.Add(-slack)) {
				bad("%s is later than the cosignature over it", r.name)
				break
			}
		}
	}
	c.timeOrder(at, bad)
	c.validity(at, bad)
	if len(errs) > 0 {
		c.rep.fail("times", "The times are in a possible order", mismatch("%s", strings.Join(errs[:min(len(errs), 10)], "; ")), "a story told later is told wrongly", "")
		return
	}
	c.rep.pass("times", "The times are in a possible order", "clocks may differ by %s", slack)
}

func utc(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || !strings.HasSuffix(s, "Z") {
		return time.Time{}, fmt.Errorf("%q is not a time in UTC", clip(s))
	}
	return t, nil
}

func (c *checker) timeOrder(at map[string]time.Time, bad func(string, ...any)) {
	order := make([]*receipt, len(c.list))
	for i := range c.list {
		order[i] = &c.list[i]
	}
	slices.SortStableFunc(order, func(a, b *receipt) int {
		return cmpOr(strings.Compare(a.Log, b.Log), a.Index, b.Index)
	})
	for i, r := range order {
		t := at[corridor.LeafHash(r.Leaf)]
		if i > 0 && order[i-1].Log == r.Log {
			if p := at[corridor.LeafHash(order[i-1].Leaf)]; !p.IsZero() && !t.IsZero() && t.Before(p.Add(-slack)) {
				bad("%s is earlier than the entry before it", r.name)
			}
		}
		for _, ref := range r.leaf.Receipt.PeerRefs {
			if q := at[ref.Leaf]; !q.IsZero() && !t.IsZero() && t.Before(q.Add(-slack)) {
				bad("%s is earlier than what it answers", r.name)
			}
		}
	}
}

func cmpOr(c int, a, b int64) int {
	switch {
	case c != 0:
		return c
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// validity: data moved only while the agreement was in force.
func (c *checker) validity(at map[string]time.Time, bad func(string, ...any)) {
	if c.agreed == nil {
		return
	}
	a := c.agreed.Body
	var from, until time.Time
	var err error
	if a.ValidFrom != "" {
		if from, err = utc(a.ValidFrom); err != nil {
			bad("agreement: %v", err)
		}
	}
	if a.ValidUntil != "" {
		if until, err = utc(a.ValidUntil); err != nil {
			bad("agreement: %v", err)
		}
	}
	if !from.IsZero() && !until.IsZero() && until.Before(from) {
		bad("the agreement ends before it begins")
	}
	for _, r := range c.list {
		t := at[corridor.LeafHash(r.Leaf)]
		if typ := r.leaf.Receipt.Type; t.IsZero() || r.leaf.Receipt.Agreement != a.ID || typ != corridor.ReceiptTransferStarted && typ != corridor.ReceiptTransferReleased {
			continue
		}
		if !from.IsZero() && t.Before(from.Add(-slack)) || !until.IsZero() && t.After(until.Add(slack)) {
			bad("%s is outside the time of the agreement", r.name)
		}
	}
}
