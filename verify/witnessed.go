package verify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"corridor"
)

// Placed is an entry of a log.
type Placed struct {
	Index int64
	Entry []byte
}

// Witnessed checks what the receipt of a release quotes: a proof that enough
// witnesses had cosigned the log with the start of the transfer in it. The
// receipt holds the digest of this text, so the cosignatures were there before
// it. It gives the witnesses, and the time of the last cosignature that counts.
func Witnessed(proof []byte, log note.Verifier, policy *Policy, start, release Placed) (names []string, last time.Time, err error) {
	begun, err := corridor.DecodeReceipt(start.Entry)
	if err != nil {
		return nil, last, err
	}
	let, err := corridor.DecodeReceipt(release.Entry)
	if err != nil {
		return nil, last, err
	}
	if err := startsAndLets(begun.Receipt, let.Receipt, corridor.Digest(proof)); err != nil {
		return nil, last, err
	}
	p, err := ParseProof(proof)
	if err != nil {
		return nil, last, err
	}
	c, _, err := OpenCheckpoint(p.Checkpoint, log)
	switch {
	case err != nil:
		return nil, last, err
	case len(p.Extra) > 0:
		return nil, last, mismatch("the proof carries data that nobody has signed")
	case p.Index != start.Index:
		return nil, last, mismatch("the proof is of entry %d, and the start is entry %d", p.Index, start.Index)
	case c.Size > release.Index:
		return nil, last, mismatch("its tree has %d entries, and the release is entry %d", c.Size, release.Index)
	}
	if err := p.CheckInclusion(c, tlog.RecordHash(start.Entry)); err != nil {
		return nil, last, err
	}
	names, last, err = cosignedBetween(p.Checkpoint, policy, begun.Receipt.Time, let.Receipt.Time)
	if err == nil && !policy.Satisfied(names) {
		err = mismatch("cosigned by %v; the policy wants %q", names, clip(policy.Quorum))
	}
	return names, last, err
}

// startsAndLets: one receipt is of the start of the transfer that the other
// releases, and quotes the proof.
func startsAndLets(begun, let corridor.Receipt, digest string) error {
	switch {
	case begun.Type != corridor.ReceiptTransferStarted || begun.Transfer == "" || begun.Transfer != let.Transfer || begun.Agreement != let.Agreement || begun.Issuer != let.Issuer:
		return mismatch("the entry that is proved is not the start of this transfer")
	case let.Digests[corridor.DigestWitnessed] != digest:
		return mismatch("the release quotes %s", clip(let.Digests[corridor.DigestWitnessed]))
	}
	return nil
}

// cosignedBetween lists the witnesses of a policy that have cosigned, and the
// time of the last. None may say that it did so before the start or after the
// release.
func cosignedBetween(checkpoint []byte, policy *Policy, start, release string) (names []string, last time.Time, err error) {
	from, err := utc(start)
	if err != nil {
		return nil, last, err
	}
	to, err := utc(release)
	if err != nil {
		return nil, last, err
	}
	for _, w := range policy.Witnesses {
		n, err := note.Open(checkpoint, note.VerifierList(w.Verifier()))
		if _, absent := err.(*note.UnverifiedNoteError); absent {
			continue
		}
		if err != nil {
			return nil, last, mismatch("the cosignature of %q is false", clip(w.Name))
		}
		at, err := CosignatureTime(n.Sigs[0])
		if err != nil {
			return nil, last, err
		}
		if at.Before(from.Add(-slack)) || at.After(to.Add(slack)) {
			return nil, last, mismatch("%q cosigned at %s, between the start at %s and the release at %s it cannot have been", clip(w.Name), at.Format(time.RFC3339), clip(start), clip(release))
		}
		names = append(names, w.Name)
		if at.After(last) {
			last = at
		}
	}
	return names, last, nil
}

// witnesses checks what releases quote of the witnesses.
func (c *checker) witnesses() {
	here, used := map[string]string{}, map[string]bool{}
	for _, text := range c.file.Witnessed {
		here[corridor.Digest([]byte(text))] = text
	}
	for i := range c.list {
		r := &c.list[i]
		digest := r.leaf.Receipt.Digests[corridor.DigestWitnessed]
		if digest == "" || r.leaf.Receipt.Type != corridor.ReceiptTransferReleased {
			continue
		}
		used[digest] = true
		c.witnessed(fmt.Sprintf("receipt[%d].witnessed", i), r, here[digest])
	}
	unquoted := 0
	for digest := range here {
		if !used[digest] {
			unquoted++
		}
	}
	if unquoted > 0 || len(here) < len(c.file.Witnessed) {
		c.rep.fail("witnessed.quoted", "What witnesses had cosigned by then is quoted", mismatch("%d of %d proofs are quoted by no release, or twice here", len(c.file.Witnessed)-len(here)+unquoted, len(c.file.Witnessed)),
			"a proof that no release binds says nothing of when it was there", "ask the exporter for the file again, unchanged")
	}
}

func (c *checker) witnessed(id string, r *receipt, proof string) {
	what := "Enough witnesses had cosigned the start before " + r.name
	if proof == "" {
		c.rep.note(id, what, "it says so, and the proof that it quotes is not here: "+clip(r.leaf.Receipt.Digests[corridor.DigestWitnessed]), "ask "+clip(r.leaf.Receipt.Issuer)+" for the proof with that digest")
		return
	}
	const why, fix = "what is cosigned cannot be taken back, and that was wanted before data goes", "ask the exporter for the file again, unchanged"
	log, known := c.logs[r.Log]
	start := c.startAt(r, proof)
	if start == nil || !known {
		c.rep.fail(id, what, mismatch("the entry that is proved is no start of its transfer, or its log has no trusted key"), why, fix)
		return
	}
	names, last, err := Witnessed([]byte(proof), log.verifier, c.policy, Placed{start.Index, start.Leaf}, Placed{r.Index, r.Leaf})
	if latest := c.lastStart(r); err == nil && latest != start {
		c.rep.note(id, what, latest.name+" let it begin again after that", "ask the witnesses for what they had cosigned by then")
		return
	}
	c.awaited[r] = err == nil
	c.rep.expect(id, what, err, fmt.Sprintf("by %v, the last at %s", names, last.Format(time.RFC3339)), why, fix)
}

// startAt finds the start of the transfer of a release that a proof is of.
func (c *checker) startAt(release *receipt, proof string) *receipt {
	p, err := ParseProof([]byte(proof))
	if err != nil {
		return c.lastStart(release) // the reading fails again, and says why
	}
	list := c.starts(release)
	i := slices.IndexFunc(list, func(r *receipt) bool { return r.Index == p.Index })
	if i < 0 {
		return nil
	}
	return list[i]
}

// lastStart finds the start of a transfer that a release follows, or nil.
func (c *checker) lastStart(release *receipt) (last *receipt) {
	for _, r := range c.starts(release) {
		if r.Index < release.Index && (last == nil || r.Index > last.Index) {
			last = r
		}
	}
	return last
}

// starts lists those of the transfer of a release, in its log.
func (c *checker) starts(release *receipt) []*receipt {
	if c.begun == nil {
		c.begun = map[string][]*receipt{}
		for i := range c.list {
			if r := &c.list[i]; r.leaf.Receipt.Type == corridor.ReceiptTransferStarted {
				key := r.Log + "\x00" + r.leaf.Receipt.Transfer
				c.begun[key] = append(c.begun[key], r)
			}
		}
	}
	return c.begun[release.Log+"\x00"+release.leaf.Receipt.Transfer]
}

// waited tells, of a compact that wants it, whether the bundle shows that data
// was released when witnesses had cosigned the start. A release of before
// receipts quoted that does not show it.
func (c *checker) waited(id, name string, p pact) {
	what := "Data went when the witnesses had cosigned the start: " + name
	var silent []string
	n, arrived := 0, ""
	for i := range c.list {
		r := &c.list[i]
		if in := r.leaf.Receipt; in.Agreement == c.agreed.Body.ID && (in.Type == corridor.ReceiptTransferReceived || in.Type == corridor.ReceiptTransferAcknowledged) {
			arrived = r.name
		}
		if in := r.leaf.Receipt; in.Type != corridor.ReceiptTransferReleased || in.Agreement != c.agreed.Body.ID || !c.under(r, p) {
			continue
		}
		if n++; !c.awaited[r] {
			silent = append(silent, r.name)
		}
	}
	switch {
	case len(silent) > 0:
		c.rep.note(id, what, "it wants that, and "+strings.Join(silent[:min(len(silent), 10)], ", ")+" does not show what they had cosigned by then: the node has waited, or it has not", "ask the witnesses for what they had cosigned by then")
	case n == 0 && arrived != "":
		c.rep.note(id, what, "no release is here, and "+arrived+" says that data came", "ask whoever sent it for its receipts")
	case n == 0:
		c.rep.pass(id, what, "nothing was released")
	default:
		c.rep.pass(id, what, "each of %d releases quotes their cosignatures; that no byte went before is the exporter's word", n)
	}
}

// under says whether a release rests on a compact: on the one that its start
// quotes, or else on that of the agreement.
func (c *checker) under(release *receipt, p pact) bool {
	if start := c.lastStart(release); start != nil && start.leaf.Receipt.Digests[corridor.DigestCompact] != "" {
		return start.leaf.Receipt.Digests[corridor.DigestCompact] == p.digest
	}
	return c.ofAgreement(p)
}

// overlong says whether a proof of a bundle is longer than any.
func overlong(proofs []string) bool {
	return slices.ContainsFunc(proofs, func(p string) bool { return len(p) > MaxProof })
}
