package verify

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"corridor"
)

// told is a checker with receipts of two logs and two agreements in no order.
func told(n int, random *rand.Rand) *checker {
	types := []string{corridor.ReceiptAgreementSuspended, corridor.ReceiptAgreementResumed, corridor.ReceiptTransferStarted, corridor.ReceiptTransferReleased, corridor.ReceiptNegotiation}
	c := &checker{list: make([]receipt, n)}
	for i := range c.list {
		r := &c.list[i]
		r.name, r.Log, r.Index = fmt.Sprintf("receipt %d", i), fmt.Sprint("log", random.IntN(2)), random.Int64N(int64(n)) // some places occur twice
		r.leaf.Receipt.Type, r.leaf.Receipt.Agreement = types[random.IntN(len(types))], fmt.Sprint("agreement", random.IntN(2))
		r.leaf.Receipt.Time = moment.Add(time.Duration(random.IntN(n)) * time.Minute).Format(time.RFC3339)
		if random.IntN(20) == 0 {
			r.leaf.Receipt.Time = "no time"
		}
	}
	return c
}

var moment = time.Date(2026, 11, 24, 5, 0, 0, 0, time.UTC)

// looked answers by going through all receipts: when the agreement went on, and
// the first start or release between that was too late.
func (c *checker) looked(r *receipt) (end *receipt, late string) {
	same := func(k *receipt) bool {
		return k.Log == r.Log && k.leaf.Receipt.Agreement == r.leaf.Receipt.Agreement
	}
	for i := range c.list {
		k := &c.list[i]
		if same(k) && k.leaf.Receipt.Type == corridor.ReceiptAgreementResumed && k.Index > r.Index && (end == nil || k.Index < end.Index) {
			end = k
		}
	}
	stopped, err := utc(r.leaf.Receipt.Time)
	if err != nil {
		return end, r.name + " has no time"
	}
	var first *receipt
	for i := range c.list {
		k := &c.list[i]
		moved := k.leaf.Receipt.Type == corridor.ReceiptTransferStarted || k.leaf.Receipt.Type == corridor.ReceiptTransferReleased
		if !same(k) || !moved || k.Index < r.Index || end != nil && k.Index > end.Index || first != nil && first.Index <= k.Index {
			continue
		}
		if t, err := utc(k.leaf.Receipt.Time); err != nil || t.After(stopped.Add(slack)) {
			first = k
		}
	}
	if first == nil {
		return end, ""
	}
	return end, first.name
}

func TestWhatCameAfterASuspensionIsTheSameAsInASearchOfAllReceipts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	ended, kept, broken := 0, 0, 0
	for range 300 {
		c := told(1+random.IntN(40), random)
		for i := range c.list {
			r := &c.list[i]
			end, late := c.looked(r)
			if got := c.resumedAfter(r); got != end {
				t.Fatalf("%s (entry %d of %s) went on with %v, not %v", r.name, r.Index, r.Log, got, end)
			}
			if got := c.wentOn(r, end); got != late {
				t.Fatalf("%s (entry %d of %s): %q went on, not %q", r.name, r.Index, r.Log, got, late)
			}
			if end != nil {
				ended++
			}
			if late == "" {
				kept++
			} else {
				broken++
			}
		}
	}
	if ended < 1000 || kept < 1000 || broken < 1000 {
		t.Errorf("the receipts were not mixed: %d went on again, %d were kept, %d were not", ended, kept, broken)
	}
}

// looksFor counts how often receipts are looked at for as many suspensions of
// one agreement, none of them resumed, with four starts for each: all were
// under way at the moment of the stop, so none of them ends the search.
func looksFor(t *testing.T, suspensions int) int {
	t.Helper()
	const order = "sha256:order"
	c := &checker{agreed: &corridor.SignedAgreement{}, list: make([]receipt, 5*suspensions)}
	c.agreed.Body.ID = "urn:uuid:agreement"
	for i := range c.list {
		r := &c.list[i]
		r.Log, r.Index, r.name = "gw.example.kz/log", int64(i), fmt.Sprintf("receipt %d", i)
		r.leaf.Receipt = corridor.Receipt{Type: corridor.ReceiptTransferStarted, Agreement: c.agreed.Body.ID, Time: moment.Format(time.RFC3339)}
		if i%5 == 0 {
			r.leaf.Receipt.Type, r.leaf.Receipt.Digests = corridor.ReceiptAgreementSuspended, map[string]string{corridor.DigestOrder: order}
		}
	}
	c.orderKept("order[0]", ruling{digest: order})
	if len(c.rep.Checks) != 1 || !c.rep.Checks[0].OK {
		t.Fatalf("nothing went on, and the order was not kept: %+v", c.rep.Checks)
	}
	return c.looks
}

func TestWhatIsLookedAtGrowsWithTheReceiptsAndNotWithReceiptsTimesSuspensions(t *testing.T) {
	half, all := looksFor(t, 500), looksFor(t, 1000)
	if most := 5000 * 20; all > most {
		t.Errorf("1,000 suspensions among 5,000 receipts: %d looks, more than %d", all, most)
	}
	if all > half*9/4 {
		t.Errorf("twice the receipts and suspensions: %d looks after %d, which is more than 2.25 times", all, half)
	}
	if half < 2500 {
		t.Errorf("%d looks for 2,500 receipts: they are not counted", half)
	}
	t.Logf("%d looks for 500 suspensions, %d for 1,000", half, all)
}
