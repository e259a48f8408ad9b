package exchange_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"corridor"
	"corridor/internal/exchange"
	"corridor/internal/ledger"
	"corridor/verify"
)

// TestALogWithTwoHistoriesClosesTheCorridor: the consumer's log signs another
// tree of a size that the provider has seen. The provider finds it at its next
// look, keeps the evidence, stops, and goes on when an operator says so.
func TestALogWithTwoHistoriesClosesTheCorridor(t *testing.T) {
	cn, kz := pair(t)
	ctx := within(t, 30*time.Second)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	n := kz.until(kz.ask(cn, "shipments", "research"), ended)
	_, err := cn.x.Bundle(ctx, n.Agreement) // the peer's receipts, with a checkpoint
	ok(t, err)

	second := kz.secondHistory(t, kz.log.Checkpoint(), "another history")
	peer := ledger.PeerLog{DID: kz.who.DID, Ref: kz.log.Ref(), URL: kz.url() + "/log"}
	ok(t, cn.log.See(ctx, peer, kz.log.Checkpoint()))
	seen := cn.log.See(ctx, peer, second)
	if seen == nil {
		t.Fatal("two histories of one size were taken for one")
	}
	cn.stop()
	cn.start() // what was found and not yet acted on is acted on at the start
	a := cn.untilAgreement(n.Agreement, exchange.AgreementSuspended)
	refused(t, a.Reason, []string{"has signed two histories"})
	list, err := cn.x.Evidence(ctx)
	ok(t, err)
	if len(list) != 1 || list[0].DID != kz.who.DID {
		t.Fatalf("%+v", list)
	}
	raw, err := cn.x.EvidenceFile(ctx, list[0].Reference)
	ok(t, err)
	doc, err := corridor.Canonical(kz.keys.Document(kz.base()))
	ok(t, err)
	if rep := verify.Evidence(raw, verify.Options{Documents: map[string][]byte{kz.who.DID: doc}}); !rep.OK || rep.Kind != verify.KindEquivocation {
		t.Error(rep.Summary)
	}
	if _, err := cn.x.LiftEvidence(ctx, list[0].Reference, exchange.ByPerson{By: "Officer"}); corridor.KindOf(err) != corridor.Invalid {
		t.Errorf("lifted on nothing: %v", err)
	}
	lifted, err := cn.x.LiftEvidence(ctx, list[0].Reference, exchange.ByPerson{By: "Officer", Reference: "letter 12"})
	ok(t, err)
	if lifted.Lifted == "" {
		t.Errorf("%+v", lifted)
	}
	cn.untilAgreement(n.Agreement, exchange.AgreementInForce)
	if types := cn.receiptTypes(); !types[corridor.ReceiptCorridorSuspended] || !types[corridor.ReceiptCorridorResumed] {
		t.Error("the stop and its end are not in the log")
	}
	cn.stop()
	cn.start() // what was lifted stays lifted
	if err := cn.log.Compare(ctx, func(context.Context, *ledger.Fork) {}); err != nil {
		t.Error(err)
	}
	again, err := cn.x.Agreement(ctx, n.Agreement)
	ok(t, err)
	if again.State != exchange.AgreementInForce {
		t.Errorf("%s", again.State)
	}
}

// TestALiftDoesNotLetTheNextForkThrough: after one fork has been answered, the
// log's address tells a third history. The node's own look at it stops the
// corridor anew, and lifting the old stop again does not open it.
func TestALiftDoesNotLetTheNextForkThrough(t *testing.T) {
	cn, kz := pair(t)
	ctx := within(t, 30*time.Second)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	n := kz.until(kz.ask(cn, "shipments", "research"), ended)
	signed := kz.log.Checkpoint()
	var told atomic.Pointer[[]byte]
	told.Store(&signed)
	address := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/checkpoint" {
			http.NotFound(w, r)
			return
		}
		w.Write(*told.Load())
	}))
	t.Cleanup(address.Close)
	ok(t, cn.log.See(ctx, ledger.PeerLog{DID: kz.who.DID, Ref: kz.log.Ref(), URL: address.URL}, signed))

	lifted := []string{}
	for _, text := range []string{"a second history", "a third history"} {
		next := kz.secondHistory(t, signed, text)
		told.Store(&next)
		cn.stop()
		cn.start() // asks the log
		a := cn.untilAgreement(n.Agreement, exchange.AgreementSuspended)
		refused(t, a.Reason, []string{"has signed two histories"})
		list, err := cn.x.Evidence(ctx)
		ok(t, err)
		if len(list) != len(lifted)+1 {
			t.Fatalf("after %s there are %d pieces of evidence", text, len(list))
		}
		for _, reference := range lifted {
			_, err := cn.x.LiftEvidence(ctx, reference, exchange.ByPerson{By: "Officer", Reference: "letter 12"})
			ok(t, err)
			if len(cn.x.Stops()) != 1 {
				t.Errorf("lifting the old evidence leaves %+v", cn.x.Stops())
			}
		}
		for _, e := range list {
			if slices.Contains(lifted, e.Reference) {
				continue
			}
			if e.Lifted != "" {
				t.Errorf("%s is covered by a lift before it", text)
			}
			_, err := cn.x.LiftEvidence(ctx, e.Reference, exchange.ByPerson{By: "Officer", Reference: "letter 13"})
			ok(t, err)
			lifted = append(lifted, e.Reference)
		}
		cn.untilAgreement(n.Agreement, exchange.AgreementInForce)
	}
	if err := cn.log.Compare(ctx, func(context.Context, *ledger.Fork) { t.Error("what was lifted is found again") }); err != nil {
		t.Error(err)
	}
}

// secondHistory is a checkpoint of another tree of the same size, under the
// node's own key.
func (n *node) secondHistory(t *testing.T, signed []byte, text string) []byte {
	t.Helper()
	v, err := verify.LogVerifier(n.log.VKey())
	ok(t, err)
	c, _, err := verify.OpenCheckpoint(signed, v)
	ok(t, err)
	c.Root = tlog.RecordHash([]byte(text))
	signer, err := n.keys.LogSigner(n.log.Origin())
	ok(t, err)
	out, err := note.Sign(&note.Note{Text: c.String()}, signer)
	ok(t, err)
	return out
}

// TestAReceiptThatQuotesThePeerShowsItsCheckpoint: and the bundle with it
// verifies.
func TestAReceiptThatQuotesThePeerShowsItsCheckpoint(t *testing.T) {
	cn, kz := pair(t)
	ctx := within(t, 30*time.Second)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts(), Source: file(t, 50)})
	n := kz.until(kz.ask(cn, "shipments", "research"), ended)
	_, err := kz.x.Bundle(ctx, n.Agreement)
	ok(t, err)
	tr, err := kz.x.Transfer(ctx, n.Agreement)
	ok(t, err)
	_, err = kz.x.AwaitTransfer(ctx, tr.PID, func(t exchange.Transfer) bool { return t.State == "COMPLETED" })
	ok(t, err)
	v, err := verify.LogVerifier(cn.log.VKey())
	ok(t, err)
	shown := 0
	for _, r := range kz.receipts() {
		if len(r.PeerRefs) == 0 || r.PeerCheckpoint == "" {
			continue
		}
		shown++
		if c, _, err := verify.OpenCheckpoint([]byte(r.PeerCheckpoint), v); err != nil || c.Origin != cn.log.Origin() {
			t.Errorf("%s: %v", r.Type, err)
		}
	}
	if shown == 0 {
		t.Error("no receipt shows the peer's checkpoint")
	}
	raw, err := kz.x.Bundle(ctx, n.Agreement)
	ok(t, err)
	if rep := verify.Bundle(raw, verify.Options{}); !rep.OK {
		t.Error(rep.Summary)
	}
}
