package exchange_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

func TestAnAgreementQuotesTheCompactThatOpensItsCorridor(t *testing.T) {
	cn, kz := pair(t)
	cnBody, kzBody := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519")
	compact := treaty(t, nil, cnBody, kzBody)
	adopted := cn.adopt(compact)
	if again := kz.adopt(compact); again.Digest != adopted.Digest || !again.InForce {
		t.Fatalf("%+v", again)
	}
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	n := kz.until(kz.ask(cn, "shipments", "research"), ended)
	if n.State != dsp.Finalized {
		t.Fatalf("%s %v", n.State, n.Reason)
	}
	a, err := kz.x.Agreement(context.Background(), n.Agreement)
	ok(t, err)
	signed, err := corridor.DecodeAgreement(a.Signed)
	ok(t, err)
	want := corridor.CompactRef{ID: "steppe-trade", Version: 1, Digest: adopted.Digest, Article: "3.1"}
	if got := signed.Body.Compact; got == nil || got.Digest != want.Digest || got.Article != want.Article || got.Version != 1 {
		t.Errorf("%+v", got)
	}
	if types := cn.receiptTypes(); !types[corridor.ReceiptCompactAdopted] {
		t.Errorf("no receipt of the adoption: %v", types)
	}
}

// receiptTypes lists the kinds of receipt in a node's log.
func (n *node) receiptTypes() map[string]bool {
	n.t.Helper()
	out := map[string]bool{}
	for _, r := range n.receipts() {
		out[r.Type] = true
	}
	return out
}

func (n *node) receipts() (list []corridor.Receipt) {
	n.t.Helper()
	for i := range n.log.Size() {
		raw, err := n.log.Receipt(context.Background(), i)
		ok(n.t, err)
		leaf, err := corridor.DecodeReceipt(raw)
		ok(n.t, err)
		list = append(list, leaf.Receipt)
	}
	return list
}

func TestWhatNoCompactOpensIsRefused(t *testing.T) {
	cnBody, kzBody := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519")
	ctx := context.Background()
	for _, c := range []struct {
		name   string
		change func(*corridor.Compact)
		want   []string
	}{
		{"another class", func(c *corridor.Compact) { c.Opens[0].Classes = []string{"personal"} }, []string{"no article", "non_personal", "compact steppe-trade, version 1"}},
		{"the other direction", func(c *corridor.Compact) { c.Opens[0].From, c.Opens[0].To = "KZ", "CN" }, []string{"opens no corridor from CN to KZ"}},
		{"a compact that has ended", func(c *corridor.Compact) {
			c.Issued = "2020-01-01T00:00:00Z"
			c.ValidFrom = c.Issued
			c.ValidUntil = "2021-01-01T00:00:00Z"
		}, []string{"ended at 2021"}},
		{"a compact that is to begin", func(c *corridor.Compact) { c.ValidFrom = "2098-01-01T00:00:00Z"; c.ValidUntil = "2099-01-01T00:00:00Z" }, []string{"begins at 2098"}},
		{"another edition of the law", func(c *corridor.Compact) { c.Packs["cn"] = "sha256:" + strings.Repeat("0", 64) }, []string{"another edition", "cn"}},
		{"other witnesses", func(c *corridor.Compact) { c.Witnesses = "sha256:" + strings.Repeat("0", 64) }, []string{"witness policy"}},
		{"a participant that is not admitted", func(c *corridor.Compact) { c.Credentials = []string{corridor.TypeAdmission} }, []string{"not admitted", corridor.TypeAdmission}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cn, kz := pair(t)
			compact := treaty(t, c.change, cnBody, kzBody)
			cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
			before := kz.until(kz.ask(cn, "shipments", "research"), ended)
			cn.adopt(compact)
			kz.adopt(compact)
			_, err := kz.x.Negotiate(ctx, exchange.Request{Provider: cn.who.DID, Dataset: "shipments", Purpose: "research"})
			if corridor.KindOf(err) != corridor.NotFound && c.name != "another edition of the law" { // not shown as obtainable
				t.Errorf("%v", err)
			}
			reach, err := cn.x.Reaches(ctx, "shipments")
			ok(t, err)
			if c.name == "another edition of the law" {
				n := kz.until(kz.ask(cn, "shipments", "research"), ended)
				refused(t, n.Reason, c.want)
			} else if len(reach) != 1 || reach[0].Shown {
				t.Errorf("%+v", reach)
			} else {
				refused(t, []string{reach[0].Why}, c.want)
				// What was agreed before rests on nothing any more.
				refused(t, kz.untilAgreement(before.Agreement, exchange.AgreementSuspended).Reason, c.want)
				_, err = kz.x.Transfer(ctx, before.Agreement)
				refuses(t, err, corridor.RefusedByLaw, c.want...)
			}
		})
	}
}

func refused(t *testing.T, reason, want []string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(strings.Join(reason, "; "), w) {
			t.Errorf("%v does not say %q", reason, w)
		}
	}
}

func TestADeviationThatTheCompactLetsPassIsFlagged(t *testing.T) {
	cn, kz := pair(t)
	cnBody, kzBody := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519")
	compact := treaty(t, func(c *corridor.Compact) {
		c.Packs["kz"], c.OtherPacks = "sha256:"+strings.Repeat("0", 64), corridor.PacksFlag
	}, cnBody, kzBody)
	cn.adopt(compact)
	kz.adopt(compact)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	n := kz.until(kz.ask(cn, "shipments", "research"), ended)
	if n.State != dsp.Finalized {
		t.Fatalf("%s %v", n.State, n.Reason)
	}
	a, err := cn.x.Agreement(context.Background(), cn.only().Agreement)
	ok(t, err)
	signed, err := corridor.DecodeAgreement(a.Signed)
	ok(t, err)
	if f := signed.Body.Compact.Flags; len(f) != 1 || !strings.Contains(f[0], "the law of KZ") {
		t.Errorf("%v", f)
	}
}

func TestBothSidesRestOnTheSameCompact(t *testing.T) {
	cn, kz := pair(t)
	cnBody, kzBody := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519")
	cn.adopt(treaty(t, nil, cnBody, kzBody)) // kz has none
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	pid := kz.ask(cn, "shipments", "research")
	mine := kz.until(pid, func(n exchange.Negotiation) bool { return n.PeerPID != "" })
	n := cn.until(mine.PeerPID, parked)
	said := strings.Join(n.Reason, " ")
	if n.Waiting != nil {
		said += n.Waiting.Why
	}
	if n.State == dsp.Finalized || !strings.Contains(said, "another compact") {
		t.Errorf("%s %q", n.State, said)
	}
	if got, err := kz.x.Negotiation(context.Background(), pid); err != nil || got.State == dsp.Finalized || got.Agreement != "" {
		t.Errorf("%s %v", got.State, err)
	}
}

func TestANodeThatWantsACompactFailsClosedWithoutOne(t *testing.T) {
	cn, kz := pair(t, func(cn, _ *node) { cn.requireCompact = true })
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	list, _, err := kz.x.PeerCatalogue(within(t, 5*time.Second), cn.who.DID, "")
	if err != nil || len(list) != 0 {
		t.Errorf("%v %v", list, err)
	}
	reach, err := cn.x.Reaches(context.Background(), "shipments")
	ok(t, err)
	refused(t, []string{reach[0].Why}, []string{"no compact", "require_compact"})
}

func TestALaterVersionOfACompactIsSignedWithTheKeysBefore(t *testing.T) {
	cn, _ := pair(t)
	ctx := context.Background()
	cnBody, kzBody := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519")
	first := treaty(t, func(c *corridor.Compact) { c.Version = 2 }, cnBody, kzBody)
	cn.adopt(first)
	_, err := cn.x.AdoptCompact(ctx, treaty(t, nil, cnBody, kzBody))
	refuses(t, err, corridor.Conflict, "version 1 does not come after version 2")
	_, err = cn.x.AdoptCompact(ctx, treaty(t, func(c *corridor.Compact) { c.Version, c.Title = 2, "another text" }, cnBody, kzBody))
	refuses(t, err, corridor.Conflict, "does not come after")
	impostor := authority(t, "KZ", "Ed25519")
	_, err = cn.x.AdoptCompact(ctx, treaty(t, func(c *corridor.Compact) { c.Version = 3 }, cnBody, impostor))
	refuses(t, err, corridor.Unauthenticated, "the authority of KZ has not signed it with a key of version 2")
	_, err = cn.x.AdoptCompact(ctx, treaty(t, func(c *corridor.Compact) { c.ID = "other" }, cnBody, impostor))
	refuses(t, err, corridor.Conflict, "other keys")
	_, err = cn.x.AdoptCompact(ctx, treaty(t, func(c *corridor.Compact) { c.Opens[0].From, c.Opens[0].To = "RU", "KZ" }, authority(t, "RU", "Ed25519"), kzBody))
	refuses(t, err, corridor.Invalid, "CN is not a member")
	_, err = cn.x.AdoptCompact(ctx, treaty(t, func(c *corridor.Compact) {
		c.ID, c.Issued = "third", "2098-01-01T00:00:00Z"
		c.ValidUntil = "2099-01-01T00:00:00Z"
	}, cnBody, kzBody))
	refuses(t, err, corridor.Invalid, "is to come")
	cn.adopt(first) // a repeat changes nothing
	third := treaty(t, func(c *corridor.Compact) { c.Version = 3 }, cnBody, kzBody)
	if got := cn.adopt(third); got.Version != 3 {
		t.Errorf("%+v", got)
	}
	if list := cn.x.Compacts(); len(list) != 1 || list[0].Version != 3 {
		t.Errorf("%+v", list)
	}
	if _, err := cn.x.WithdrawCompact(ctx, "steppe-trade"); err != nil || len(cn.x.Compacts()) != 0 {
		t.Errorf("%v", err)
	}
	cn.stop()
	cn.start()
	if list := cn.x.Compacts(); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

func TestAStopForACauseOfItsOwn(t *testing.T) {
	cn, kz := pair(t)
	ctx := within(t, 20*time.Second)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	n := kz.until(kz.ask(cn, "shipments", "research"), ended)
	stop := exchange.Stop{ID: "evidence 1", Target: corridor.Target{Participant: kz.who.DID}, Reason: "two histories of its log were shown", Digests: map[string]string{"evidence": corridor.Digest(nil)}}
	ok(t, cn.x.StopCorridor(ctx, stop))
	ok(t, cn.x.StopCorridor(ctx, stop)) // once
	a := cn.untilAgreement(n.Agreement, exchange.AgreementSuspended)
	refused(t, a.Reason, []string{"two histories"})
	cn.stop()
	cn.start() // it outlives the process
	reach, err := cn.x.Reaches(ctx, "shipments")
	ok(t, err)
	refused(t, []string{reach[0].Why}, []string{"two histories"})
	ok(t, cn.x.LiftStop(ctx, "evidence 1", "explained"))
	cn.untilAgreement(n.Agreement, exchange.AgreementInForce)
	count := 0
	for _, r := range cn.receipts() {
		if r.Type == corridor.ReceiptCorridorSuspended {
			count++
		}
	}
	if count != 1 {
		t.Errorf("%d receipts of one stop", count)
	}
}
