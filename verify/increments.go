package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"corridor"
)

// growth is one side's story of the increments of one transfer: the receipts of
// each kind, by number.
type growth struct {
	issuer, transfer string
	kinds            map[string]map[int64]*receipt
	err              error
}

// increments checks what receipts say of data that goes on: each names the
// increment by which it is named, none was told twice in two ways, and none is
// left out between others.
func (c *checker) increments() {
	for i, p := range c.parts() {
		gap := p.gap(c.file.About.Part.first())
		if p.err == nil && c.hasAll(p.issuer) {
			p.err = gap
		}
		id := fmt.Sprintf("increments[%d]", i)
		c.rep.expect(id, "The increments of "+clip(p.transfer)+" as "+clip(p.issuer)+" tells them", p.err, p.told(), "what was sent and what arrived is told without a gap", "export the receipts of the agreement anew")
		if p.err == nil && gap != nil {
			c.rep.note(id+".whole", "All receipts of "+clip(p.issuer)+" about these increments are here", gap.Error(), "ask "+clip(p.issuer)+" for its own bundle")
		}
	}
}

// part tells the reader that the bundle does not show all, where it says so,
// and holds the exporter to what it says.
func (c *checker) part() {
	p := c.file.About.Part
	if p == nil {
		return
	}
	var err error
	for i := range c.list {
		in := c.list[i].leaf.Receipt
		if in.Issuer == c.file.About.By && !p.holds(in.Transfer, in.Increment) {
			err = firstOf(err, mismatch("%s is of %q", c.list[i].name, clip(in.Transfer)))
		}
	}
	if err == nil && p.From != 0 && !c.wholePart() {
		err = mismatch("not all of increments %d to %d have a receipt of %s here", p.From, p.To, clip(c.file.About.By))
	}
	shown := "the transfer " + clip(p.Transfer)
	if p.From != 0 || p.To != 0 {
		shown = fmt.Sprintf("increments %d to %d of %s", p.From, p.To, shown)
	}
	c.rep.expect("part", "The bundle shows the part that it says it shows", err, shown, "a part that holds other things is not what it is said to be", "export it anew")
	c.rep.note(partOnly, "All that was done under the agreement is here", "the bundle says that it shows "+shown+" alone: of others it says nothing", "ask "+clip(c.file.About.By)+" for the others, or for all")
}

// wholePart says whether the exporter has a receipt of each increment of the part.
func (c *checker) wholePart() bool {
	p, seen := c.file.About.Part, map[int64]bool{}
	for i := range c.list {
		if in := c.list[i].leaf.Receipt; in.Issuer == c.file.About.By && in.Increment != nil && in.Transfer != p.Transfer && p.holds(in.Transfer, in.Increment) {
			seen[in.Increment.Number] = true
		}
	}
	return p.From >= 1 && p.To >= p.From && p.To-p.From == int64(len(seen))-1
}

// hasAll says whether a bundle must hold all receipts of an issuer: the exporter
// has all of its own. Nothing signs who that is: where it is said to be neither
// party, both are held to it.
func (c *checker) hasAll(issuer string) bool {
	by := c.file.About.By
	if by == issuer || c.agreed == nil {
		return by == issuer
	}
	return by != c.agreed.Body.Provider.DID && by != c.agreed.Body.Consumer.DID
}

// parts gathers the receipts of increments by issuer and transfer.
func (c *checker) parts() []*growth {
	var list []*growth
	for i := range c.list {
		r := &c.list[i]
		in := r.leaf.Receipt
		at := strings.LastIndex(in.Transfer, "~")
		if in.Increment == nil || in.Transfer == "" {
			continue
		}
		of := in.Transfer[:max(at, 0)]
		k := slices.IndexFunc(list, func(p *growth) bool { return p.issuer == in.Issuer && p.transfer == of })
		if k < 0 {
			k, list = len(list), append(list, &growth{issuer: in.Issuer, transfer: of, kinds: map[string]map[int64]*receipt{}})
		}
		list[k].err = firstOf(list[k].err, list[k].add(r))
	}
	slices.SortFunc(list, func(a, b *growth) int {
		return cmp.Or(cmp.Compare(a.issuer, b.issuer), cmp.Compare(a.transfer, b.transfer))
	})
	return list
}

func (p *growth) add(r *receipt) error {
	in := r.leaf.Receipt
	if n := in.Increment.Number; n < 1 || in.Transfer != fmt.Sprintf("%s~%d", p.transfer, n) {
		return mismatch("%s is of %q and says that it is number %d", r.name, clip(in.Transfer), n)
	}
	if p.kinds[in.Type] == nil {
		p.kinds[in.Type] = map[int64]*receipt{}
	}
	before := p.kinds[in.Type][in.Increment.Number]
	p.kinds[in.Type][in.Increment.Number] = r
	if before == nil {
		return nil
	}
	if said := before.leaf.Receipt; said.Digests[corridor.DigestContent] != in.Digests[corridor.DigestContent] || *said.Increment != *in.Increment {
		return mismatch("%s and %s tell increment %d in two ways", before.name, r.name, in.Increment.Number)
	}
	return nil
}

// gap names the first increment from a number on that is left out between
// others.
func (p *growth) gap(first int64) error {
	for _, kind := range []string{corridor.ReceiptTransferStarted, corridor.ReceiptTransferReleased, corridor.ReceiptTransferReceived} {
		seen := p.kinds[kind]
		for n := first; n < first+int64(len(seen)); n++ {
			if seen[n] == nil {
				return mismatch("there is no receipt %s of increment %d, and there are of later ones", kind, n)
			}
		}
	}
	return nil
}

func (p *growth) told() string {
	var out []string
	for _, k := range []struct{ kind, does string }{{corridor.ReceiptTransferStarted, "begun"}, {corridor.ReceiptTransferReleased, "released"}, {corridor.ReceiptTransferReceived, "received"},
		{corridor.ReceiptTransferAcknowledged, "acknowledged"}, {corridor.ReceiptTransferUnconfirmed, "not confirmed in time"}, {corridor.ReceiptTransferDeleted, "deleted at the end of the term"}} {
		if n := len(p.kinds[k.kind]); n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, k.does))
		}
	}
	return strings.Join(out, ", ")
}

// sameIncrement: both ends speak of the same increment, of one length.
func sameIncrement(a, b *corridor.Increment) error {
	switch {
	case a == nil && b == nil:
		return nil
	case a == nil || b == nil || a.Number != b.Number:
		return mismatch("it answers a receipt of another increment")
	case a.Bytes != b.Bytes || a.Rows != b.Rows:
		return mismatch("increment %d had %d bytes and %d rows when it was sent, and has %d and %d here", a.Number, b.Bytes, b.Rows, a.Bytes, a.Rows)
	}
	return nil
}
