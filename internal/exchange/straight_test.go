package exchange_test

import (
	"context"
	"testing"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
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
