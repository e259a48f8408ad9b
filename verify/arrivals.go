package verify

import (
	"fmt"

	"corridor"
)

// arrivals checks the receipts that say that a release was not confirmed by its
// deadline, and tells the reader of each: it is no fault of the bundle.
func (c *checker) arrivals() {
	byLeaf := map[string]*receipt{}
	for i := range c.list {
		byLeaf[corridor.LeafHash(c.list[i].Leaf)] = &c.list[i]
	}
	for i := range c.list {
		r := &c.list[i]
		id := fmt.Sprintf("receipt[%d]", i)
		if r.leaf.Receipt.Type == corridor.ReceiptTransferUnconfirmed {
			release := byLeaf[r.leaf.Receipt.Digests[corridor.DigestReleased]]
			err := c.unconfirmed(r, release)
			c.rep.expect(id+".unconfirmed", "What "+r.name+" says was not confirmed", err, "due "+clip(r.leaf.Receipt.Due), "a missing confirmation is held against one release and its deadline", "")
			if err == nil {
				c.rep.note(id+".confirmed", "The arrival of "+release.name+" was confirmed by "+clip(r.leaf.Receipt.Due), c.confirmedLater(r), "ask "+clip(r.leaf.Receipt.Peer)+" what became of the data")
			}
		}
		if leaf := r.leaf.Receipt.Digests[corridor.DigestUnconfirmed]; leaf != "" {
			c.rep.expect(id+".late", "What "+r.name+" confirms late", answersLate(r, byLeaf[leaf]), clip(leaf), "a late confirmation names the entry that said that it was missing", "")
		}
	}
}

// unconfirmed says what is wrong with a receipt that says that a release was
// not confirmed.
func (c *checker) unconfirmed(r, release *receipt) error {
	in := r.leaf.Receipt
	if release == nil {
		return mismatch("the bundle lacks the release that it names")
	}
	out := release.leaf.Receipt
	if out.Type != corridor.ReceiptTransferReleased || out.Issuer != in.Issuer || out.Transfer != in.Transfer || out.Agreement != in.Agreement || release.Log != r.Log || release.Index >= r.Index {
		return mismatch("what it names is not an earlier release of the same transfer by its issuer")
	}
	if out.Digests[corridor.DigestContent] != in.Digests[corridor.DigestContent] {
		return mismatch("the release was of other bytes")
	}
	due, err := utc(in.Due)
	if err != nil {
		return err
	}
	written, err := utc(in.Time)
	if err != nil {
		return err
	}
	let, err := utc(out.Time)
	if err != nil {
		return err
	}
	if due.Before(let) || written.Before(due) {
		return mismatch("released at %s, due at %s, and written at %s is not a possible order", clip(out.Time), clip(in.Due), clip(in.Time))
	}
	for i := range c.list {
		k := &c.list[i]
		if between := k.Log == r.Log && k.Index > release.Index && k.Index < r.Index; between && k.leaf.Receipt.Type == corridor.ReceiptTransferAcknowledged && k.leaf.Receipt.Transfer == in.Transfer {
			return mismatch("%s had confirmed the arrival before it", k.name)
		}
	}
	return nil
}

// confirmedLater says what came after a receipt that a confirmation is missing.
func (c *checker) confirmedLater(r *receipt) string {
	leaf := corridor.LeafHash(r.Leaf)
	for i := range c.list {
		if k := &c.list[i]; k.leaf.Receipt.Digests[corridor.DigestUnconfirmed] == leaf {
			return "it was not; it was at " + clip(k.leaf.Receipt.Time) + " (" + k.name + ")"
		}
	}
	return "it was not, and nothing here confirms it"
}

// answersLate says what is wrong with a confirmation that names an earlier
// receipt of its missing.
func answersLate(r, missing *receipt) error {
	if missing == nil {
		return mismatch("the bundle lacks the entry that it names")
	}
	in, said := r.leaf.Receipt, missing.leaf.Receipt
	if in.Type != corridor.ReceiptTransferAcknowledged || said.Type != corridor.ReceiptTransferUnconfirmed || in.Issuer != said.Issuer || in.Transfer != said.Transfer || missing.Log != r.Log || missing.Index >= r.Index {
		return mismatch("what it names is not an earlier entry of its issuer that the arrival was not confirmed")
	}
	return nil
}
