package exchange_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/verify"
)

func TestTwoCountriesAgree(t *testing.T) {
	cn, kz := pair(t)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	pid := kz.ask(cn, "shipments", "trade_logistics")
	n := kz.until(pid, ended)
	if n.State != dsp.Finalized {
		t.Fatalf("%s: %s %v", n.State, n.Code, n.Reason)
	}
	theirs := cn.until(cn.only().PID, ended)
	if theirs.State != dsp.Finalized || theirs.Agreement != n.Agreement {
		t.Fatalf("provider: %+v", theirs)
	}
	a, err := kz.x.Agreement(context.Background(), n.Agreement)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := corridor.DecodeAgreement(a.Signed)
	if err != nil || len(signed.Signatures) != 2 || len(signed.Body.Decisions) != 2 {
		t.Fatalf("%v: %+v", err, signed)
	}
}

func TestAFileCrossesAndBothLogsProveIt(t *testing.T) {
	cn, kz := pair(t)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts(), Plan: []byte(`{"format":"csv","stages":[{"do":"drop","columns":["contact"]}]}`)})
	n := kz.until(kz.ask(cn, "shipments", "trade_logistics"), ended)
	tr, err := kz.x.Transfer(within(t, 5*time.Second), n.Agreement)
	if err != nil {
		t.Fatal(err)
	}
	tr = kz.untilTransfer(tr.PID, over)
	if tr.State != dsp.Completed || tr.Received == nil || tr.Released == nil {
		t.Fatalf("%s %v %+v", tr.State, tr.Reason, tr)
	}
	got, err := os.ReadFile(tr.File)
	if err != nil || !bytes.HasPrefix(got, []byte("awb,weight,port\n")) {
		t.Fatalf("%v %.80s", err, got)
	}
	if corridor.Digest(got) != tr.SHA256 {
		t.Error("the file is not the one of the receipt")
	}
	for _, side := range []*node{kz, cn} {
		raw, err := side.x.Bundle(within(t, 10*time.Second), n.Agreement)
		if err != nil {
			var e *corridor.Error
			errors.As(err, &e)
			t.Fatalf("%s: %v: %v", side.name, err, e.Err)
		}
		var f verify.File
		if err := json.Unmarshal(raw, &f); err != nil {
			t.Fatal(err)
		}
		types := map[string]int{}
		for _, r := range f.Receipts {
			leaf, err := corridor.DecodeReceipt(r.Leaf)
			if err != nil {
				t.Fatal(err)
			}
			types[leaf.Receipt.Type]++
		}
		for _, want := range []string{corridor.ReceiptDecision, corridor.ReceiptAgreement, corridor.ReceiptTransferReleased, corridor.ReceiptTransferReceived, corridor.ReceiptTransferAcknowledged} {
			if types[want] == 0 {
				t.Errorf("%s: the bundle lacks %s: %v", side.name, want, types)
			}
		}
		if types[corridor.ReceiptDecision] != 2 || types[corridor.ReceiptAgreement] != 2 {
			t.Errorf("%s: not of both sides: %v", side.name, types)
		}
	}
}
