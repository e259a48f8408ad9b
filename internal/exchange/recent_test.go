package exchange_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/store"
)

// TestANegotiationThatHoldsItsDecisionsGoesOn: before the decisions had a table
// of their own, the document held them.
func TestANegotiationThatHoldsItsDecisionsGoesOn(t *testing.T) {
	cn, kz := pair(t, func(_, kz *node) { kz.manual.Verify = true })
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	pid := kz.ask(cn, "shipments", "trade_logistics")
	n := kz.until(pid, parked)
	doc, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	kz.stop()
	db, err := store.Open(ctx, kz.place, migrations()...)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM negotiation_decisions`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE negotiations SET doc = ? WHERE pid = ?`, string(doc), pid)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	kz.start()
	if _, err := kz.x.Verify(ctx, pid); err != nil {
		t.Fatal(err)
	}
	after := kz.until(pid, ended)
	if after.State != dsp.Finalized || string(after.Own.Signed.Statement) != string(n.Own.Signed.Statement) || after.Theirs.Signed.Signature != n.Theirs.Signed.Signature {
		t.Errorf("%s, %+v", after.State, after.Reason)
	}
	kz.stop()
	kz.start() // nothing is remembered now
	again := kz.until(pid, ended)
	if string(again.Own.Signed.Statement) != string(n.Own.Signed.Statement) || again.Own.Flow == nil || again.Theirs.Signed.Signature != n.Theirs.Signed.Signature {
		t.Error("the decisions did not come along")
	}
}

// TestAnAgreementThatHoldsItsTextGoesOn: before the texts had a table of their
// own, the document held them.
func TestAnAgreementThatHoldsItsTextGoesOn(t *testing.T) {
	cn, kz := pair(t, func(_, kz *node) { kz.manual.Verify = true })
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	pid := kz.ask(cn, "shipments", "trade_logistics")
	n := kz.until(pid, parked)
	ctx := context.Background()
	a, err := kz.x.Agreement(ctx, n.Agreement)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	kz.stop()
	db, err := store.Open(ctx, kz.place, migrations()...)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM agreement_texts`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE agreements SET doc = ? WHERE id = ?`, string(doc), n.Agreement)
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	kz.start()
	if _, err := kz.x.Verify(ctx, pid); err != nil {
		t.Fatal(err)
	}
	if after := kz.until(pid, ended); after.State != dsp.Finalized {
		t.Fatalf("%s, %+v", after.State, after.Reason)
	}
	theirs := cn.untilAgreement(n.Agreement, exchange.AgreementInForce)
	kz.stop()
	kz.start() // nothing is remembered now
	if ours := kz.untilAgreement(n.Agreement, exchange.AgreementInForce); string(ours.Signed) != string(theirs.Signed) {
		t.Errorf("we hold\n%s\nthey hold\n%s", ours.Signed, theirs.Signed)
	}
}
