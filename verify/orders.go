package verify

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"corridor"
)

// ruling is an order of the bundle as far as it could be read.
type ruling struct {
	corridor.Order
	digest string
	under  []int // the compacts with whose keys it is signed
}

// orders checks each order of an authority that stopped the agreement or a
// transfer under it, or let it go on.
func (c *checker) orders() {
	var ids []string
	seen := map[string]bool{}
	for i, doc := range c.file.Orders {
		id := fmt.Sprintf("order[%d]", i)
		raw, err := doc.Encode()
		var o corridor.Order
		if err == nil {
			doc, o, err = corridor.DecodeOrder(raw)
		}
		c.rep.expect(id+".form", "The order can be read strictly", err, clip(o.Reference), "what is not understood stops nothing", "")
		if err != nil {
			continue
		}
		digest := doc.Digest()
		if seen[digest] {
			c.rep.fail(id+".quoted", "It is the one that is quoted: "+clip(o.Name()), mismatch("it is here twice"), "an order by which nobody was stopped explains nothing", "")
			continue
		}
		seen[digest] = true
		ids, c.rulings = append(ids, id), append(c.rulings, ruling{Order: o, digest: digest})
		c.orderSigned(id, doc, &c.rulings[len(c.rulings)-1])
	}
	for i, o := range c.rulings {
		c.order(ids[i], o)
	}
	c.ordersHere()
}

func (o *ruling) name() string { return clip(o.Name()) }

// orderSigned: the authority that the order names has signed it, with a key
// that a compact gives it which is quoted together with the order, or by the
// agreement. Where the agreement's compact knows the authority, or one of its
// country, another compact must have it from there.
func (c *checker) orderSigned(id string, doc corridor.Sealed, o *ruling) {
	var err error = mismatch("no compact that is quoted here names the authority %s", clip(o.Authority))
	by := newSaid(c)
	for i, p := range c.pacts {
		if !c.names(p, *o) {
			continue
		}
		tried := newSaid(c)
		wrong := c.orderUnder(doc, p, *o, tried.check)
		if wrong == nil && len(o.under) == 0 {
			by = tried
		}
		if wrong == nil {
			o.under = append(o.under, i)
		} else {
			err = wrong
		}
	}
	if len(o.under) > 0 {
		err = nil
	}
	by.report(id+".signature", "The authority's signature on "+o.name(), err, "an authority speaks for its own country, with its own key", "ask the authority whether it signed this")
}

// orderUnder checks an order with the keys of one compact.
func (c *checker) orderUnder(doc corridor.Sealed, p pact, o ruling, check anchorCheck) error {
	if p.binds != nil {
		return mismatch("%s, which names its authority, does not bind", clip(p.Name()))
	}
	m, err := memberOf(p.Members, o.Authority, o.Jurisdiction)
	if err != nil {
		return err
	}
	first := slices.IndexFunc(c.pacts, c.ofAgreement)
	if first >= 0 && knowsAuthority(c.pacts[first].Compact, o.Order) && !slices.Contains(c.successors(first, o.Jurisdiction), p.digest) {
		return mismatch("%s has the authority of %s not from the agreement's compact: it is not signed with a key that this gives it", clip(p.Name()), clip(o.Jurisdiction))
	}
	return authoritySigned(doc, m, o.Authority, o.Jurisdiction, check)
}

// knowsAuthority says whether a compact names the authority of an order, or
// one of its country.
func knowsAuthority(p corridor.Compact, o corridor.Order) bool {
	return slices.ContainsFunc(p.Members, func(m corridor.Authority) bool { return m.ID == o.Authority || m.Jurisdiction == o.Jurisdiction })
}

// successors lists the digests of a compact and of those that have a country's
// authority from it, each signed with a key of one before.
func (c *checker) successors(from int, jurisdiction string) []string {
	key := fmt.Sprintf("%d %s", from, jurisdiction)
	if list, done := c.handed[key]; done {
		return list
	}
	list := []string{c.pacts[from].digest}
	for next := []int{from}; len(next) > 0; next = next[1:] {
		m, _ := c.pacts[next[0]].Member(jurisdiction)
		for i, p := range c.pacts {
			if p.binds == nil && !slices.Contains(list, p.digest) && Succeeds(p.doc, p.Compact, m) {
				list, next = append(list, p.digest), append(next, i)
			}
		}
	}
	c.handed[key] = list
	return list
}

// names says whether an order may be checked with the keys of a compact.
func (c *checker) names(p pact, o ruling) bool {
	return c.ofAgreement(p) || slices.ContainsFunc(c.quoting(corridor.DigestOrder, o.digest), func(r *receipt) bool {
		return r.leaf.Receipt.Digests[corridor.DigestCompact] == p.digest
	})
}

func (c *checker) order(id string, o ruling) {
	err := c.orderQuoted(o)
	c.rep.expect(id+".quoted", "It is the one that is quoted: "+o.name(), err, o.digest, "an order by which nobody was stopped explains nothing", "")
	if c.agreed == nil {
		return
	}
	if o.Act == corridor.OrderLift {
		c.rep.expect(id+".lifts", "It lifts what stopped this: "+o.name(), c.orderLifts(o), fmt.Sprintf("order %d", o.Lifts), "only who has stopped something lifts it", "")
	} else {
		c.orderFlow(id, o)
		c.orderKept(id, o)
	}
	c.rep.expect(id+".number", "It is no old order: "+o.name(), c.orderNumber(o), fmt.Sprintf("%d", o.Number), "an order that is shown again changes nothing", "")
	c.rep.expect(id+".time", "It was in effect when it was followed: "+o.name(), c.orderTime(o), clip(o.Issued), "nobody follows an order before it is given, or after its end", "")
}

// stops says whether a receipt tells that something was stopped or refused;
// otherwise it tells that it goes on.
func stops(r *receipt) bool { return r.leaf.Receipt.Type != corridor.ReceiptAgreementResumed }

func (c *checker) orderQuoted(o ruling) error {
	list := c.quoting(corridor.DigestOrder, o.digest)
	if len(list) == 0 {
		return mismatch("no receipt about the agreement holds the digest %s", o.digest)
	}
	for _, r := range list {
		if stops(r) != (o.Act != corridor.OrderLift) {
			return mismatch("%s follows an order to %s", r.name, o.Act)
		}
	}
	return nil
}

// orderFlow: the order reaches this flow, and is about it.
func (c *checker) orderFlow(id string, o ruling) {
	x := c.crossing()
	open := x
	open.ClassesKnown = false // what it was when it was agreed on is not what it need be now
	what, name := "It is about this flow: ", o.name()
	var err error
	unknown := false
	switch {
	case x.From != o.Jurisdiction && x.To != o.Jurisdiction:
		err = mismatch("it is an order for %s, and the data goes from %s to %s", o.Jurisdiction, clip(x.From), clip(x.To))
	case !o.Target.Covers(open):
		err = mismatch("it is about %s", clip(o.Target.String()))
	case o.Compact != "":
		i := slices.IndexFunc(c.pacts, func(p pact) bool { return p.ID == o.Compact })
		unknown = i < 0
		if i >= 0 && !c.pacts[i].Governs(x) {
			err = mismatch("it is about flows under compact %s, which does not govern this one", clip(o.Compact))
		}
	}
	if err == nil && !o.Target.Covers(x) {
		c.rep.note(id+".flow", what+name, fmt.Sprintf("it is about the class %s, and the data was agreed on as: %v", clip(o.Target.Class), x.Classes), "ask the exporter whether the data was published anew")
		return
	}
	if unknown {
		c.rep.note(id+".flow", what+name, fmt.Sprintf("it is about flows under compact %s, which is not here", clip(o.Compact)), "ask the authority whether that compact governs this flow")
		return
	}
	c.rep.expect(id+".flow", what+name, err, clip(o.Target.String()), "an order about something else does not stop this", "")
}

func (c *checker) orderLifts(o ruling) error {
	err := mismatch("order %d, which it lifts, is not here", o.Lifts)
	for _, other := range c.rulings {
		switch {
		case other.Number != o.Lifts:
		case other.Authority != o.Authority || other.Jurisdiction != o.Jurisdiction:
			err = mismatch("order %d is of the authority of %s, and this one of that of %s", o.Lifts, clip(other.Jurisdiction), clip(o.Jurisdiction))
		case other.Act != corridor.OrderSuspend:
			return mismatch("order %d is no suspension", o.Lifts)
		case !c.handedOn(other, o):
			return mismatch("it is signed with a key of %s, which has its authority not from the compact of order %d", clip(c.pacts[o.under[0]].Name()), o.Lifts)
		default:
			return nil
		}
	}
	return err
}

// handedOn says whether the key of a lift is of the compact of the order that
// it lifts, or of one that has the authority from there. Of an order that
// nobody has signed, its signature is found wanting already.
func (c *checker) handedOn(stop, lift ruling) bool {
	if len(stop.under) == 0 || len(lift.under) == 0 {
		return true
	}
	return slices.ContainsFunc(stop.under, func(from int) bool {
		after := c.successors(from, stop.Jurisdiction)
		return slices.ContainsFunc(lift.under, func(i int) bool { return slices.Contains(after, c.pacts[i].digest) })
	})
}

// orderNumber: an authority gives a number once, and what it has lifted stops
// nothing again.
func (c *checker) orderNumber(o ruling) error {
	for _, other := range c.rulings {
		if other.Authority == o.Authority && other.Number == o.Number && other.digest != o.digest {
			return mismatch("the authority has signed two orders with the number %d", o.Number)
		}
	}
	ends := c.liftsOf(o)
	for _, r := range c.quoting(corridor.DigestOrder, o.digest) {
		list := ends[r.Log]
		k, _ := slices.BinarySearchFunc(list, r.Index, func(e ending, index int64) int { return cmp.Compare(e.index, index) })
		if k > 0 && !onTheWay(r, list[k-1].at) {
			return mismatch("%s follows it after order %d had lifted it", r.name, list[k-1].number)
		}
	}
	return nil
}

// ending is a place in a log up to which an order was lifted, first at a time.
type ending struct {
	index  int64
	at     time.Time // zero: not known
	number int64     // of the lift
}

// liftsOf lists where an order was lifted, by log, in the order of the entries.
func (c *checker) liftsOf(o ruling) map[string][]ending {
	logs := map[string][]ending{}
	for _, lift := range c.rulings {
		if lift.Act != corridor.OrderLift || lift.Authority != o.Authority || lift.Lifts != o.Number {
			continue
		}
		for _, r := range c.quoting(corridor.DigestOrder, lift.digest) {
			at, err := utc(r.leaf.Receipt.Time)
			if err != nil {
				at = time.Time{}
			}
			logs[r.Log] = append(logs[r.Log], ending{r.Index, at, lift.Number})
		}
	}
	for _, list := range logs {
		slices.SortFunc(list, func(a, b ending) int { return cmp.Compare(a.index, b.index) })
		for i := 1; i < len(list); i++ {
			if list[i-1].at.Before(list[i].at) {
				list[i].at, list[i].number = list[i-1].at, list[i-1].number
			}
		}
	}
	return logs
}

// onTheWay: a refusal, or the stop of a transfer, may cross with a lift, where
// several nodes write one log, or one does several things at once.
func onTheWay(r *receipt, lifted time.Time) bool {
	refused, err := utc(r.leaf.Receipt.Time)
	typ := r.leaf.Receipt.Type
	return (typ == corridor.ReceiptRefusal || typ == corridor.ReceiptTransferSuspended) && err == nil && !lifted.IsZero() && !refused.After(lifted.Add(slack))
}

func (c *checker) orderTime(o ruling) error {
	issued, err := corridor.ParseMoment(o.Issued)
	if err != nil {
		return err
	}
	for _, r := range c.quoting(corridor.DigestOrder, o.digest) {
		t, err := utc(r.leaf.Receipt.Time)
		switch {
		case err != nil:
			return err
		case t.Before(issued.Add(-slack)):
			return mismatch("%s follows it at %s, before it was given", r.name, clip(r.leaf.Receipt.Time))
		case o.Ended(t.Add(-slack)):
			return mismatch("%s follows it at %s, after its end at %s", r.name, clip(r.leaf.Receipt.Time), clip(o.Until))
		}
	}
	return nil
}

// orderKept: whoever suspended the agreement under an order let nothing begin
// and released nothing until the order was lifted or had come to its end.
func (c *checker) orderKept(id string, o ruling) {
	what := "Nothing went on before it was lifted: " + o.name()
	const why = "only the authority lifts what it has ordered"
	noted := ""
	for _, r := range c.quoting(corridor.DigestOrder, o.digest) {
		if r.leaf.Receipt.Type != corridor.ReceiptAgreementSuspended {
			continue
		}
		end := c.resumedAfter(r)
		if late := c.wentOn(r, end); late != "" {
			c.rep.fail(id+".kept", what, mismatch("%s, after %s", late, r.name), why, "")
			return
		}
		if end == nil || c.lifted(o, end) {
			continue
		}
		if o.Act == corridor.OrderSuspend && o.Target.Class == "" && o.Compact == "" {
			c.rep.fail(id+".kept", what, mismatch("%s quotes no order that lifts it", end.name), why, "")
			return
		}
		noted = end.name + " quotes no order that lifts it: "
	}
	if noted != "" {
		c.rep.note(id+".kept", what, noted+"it ends for this flow also with a new admission, other classes of data, or another compact", "ask the authority")
		return
	}
	c.rep.pass(id+".kept", what, "")
}

// lifted says whether the receipt of a resumption quotes the order that lifts
// one, or comes after its end.
func (c *checker) lifted(o ruling, end *receipt) bool {
	if t, err := utc(end.leaf.Receipt.Time); err == nil && o.Ended(t.Add(slack)) {
		return true
	}
	return slices.ContainsFunc(c.rulings, func(l ruling) bool {
		return l.Act == corridor.OrderLift && l.Authority == o.Authority && l.Lifts == o.Number && end.leaf.Receipt.Digests[corridor.DigestOrder] == l.digest
	})
}

// resumedAfter finds the receipt by which an agreement went on after one by
// which it was suspended, in the same log.
func (c *checker) resumedAfter(r *receipt) *receipt {
	c.looks++
	list := c.courseOf(r).resumed
	if at := behind(list, r.Index); at < len(list) {
		return list[at]
	}
	return nil
}

// wentOn names what began or was released between a suspension and its end.
func (c *checker) wentOn(stop, end *receipt) string {
	stopped, err := utc(stop.leaf.Receipt.Time)
	if err != nil {
		return stop.name + " has no time"
	}
	k := c.courseOf(stop)
	last := len(k.moved)
	if end != nil {
		last = behind(k.moved, end.Index)
	}
	at, steps := k.firstAfter(startOf(k.moved, stop.Index), last, stopped.Add(slack))
	c.looks += steps
	if at == last {
		return ""
	}
	return k.moved[at].name
}

// ordersHere: the orders that receipts about the agreement quote are in the
// bundle.
func (c *checker) ordersHere() {
	var missing []string
	quotes, here := c.about(corridor.DigestOrder), digestsOf(c.file.Orders)
	for _, r := range quotes {
		if !here[r.leaf.Receipt.Digests[corridor.DigestOrder]] {
			missing = append(missing, r.name)
		}
	}
	const what = "The orders that are quoted are here"
	switch {
	case len(missing) > 0:
		c.rep.fail("order.here", what, mismatch("not the one that is quoted by %s", some(missing)), "who stopped a flow shows by whose order", "ask the exporter for the file again, unchanged")
	case len(quotes) > 0:
		c.rep.pass("order.here", what, "%d", len(c.file.Orders))
	}
}
