package exchange_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

func TestAProviderMayOfferAndAConsumerAccept(t *testing.T) {
	cn, kz := pair(t)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	ctx := within(t, 10*time.Second)
	mine, err := cn.x.OfferTo(ctx, kz.who.DID, "", "shipments")
	if err != nil {
		t.Fatal(err)
	}
	cn.until(mine.PID, func(n exchange.Negotiation) bool { return n.State == dsp.Offered })
	theirs := kz.until(kz.only().PID, parked)
	if theirs.State != dsp.Offered || theirs.Waiting.Next == "" {
		t.Fatalf("%s %+v", theirs.State, theirs.Waiting)
	}
	if _, err := kz.x.Accept(ctx, theirs.PID, exchange.Acceptance{}); corridor.KindOf(err) != corridor.Invalid {
		t.Errorf("without a purpose no law can be asked: %v", err)
	}
	if _, err := kz.x.Accept(ctx, theirs.PID, exchange.Acceptance{Purpose: "trade_logistics"}); err != nil {
		t.Fatal(err)
	}
	if n := kz.until(theirs.PID, ended); n.State != dsp.Finalized {
		t.Fatalf("%s %v", n.State, n.Reason)
	}
	if n := cn.until(mine.PID, ended); n.State != dsp.Finalized {
		t.Fatalf("%s %v", n.State, n.Reason)
	}
}

func TestOtherTermsAreAnsweredWithOurs(t *testing.T) {
	cn, kz := pair(t)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts(),
		Policy: json.RawMessage(`{"permission":[{"action":"use","constraint":[{"leftOperand":"purpose","operator":"isAnyOf","rightOperand":["trade_logistics","research"]}]}]}`)})
	ctx := within(t, 10*time.Second)
	mine, err := cn.x.OfferTo(ctx, kz.who.DID, "", "shipments")
	if err != nil {
		t.Fatal(err)
	}
	cn.until(mine.PID, func(n exchange.Negotiation) bool { return n.State == dsp.Offered })
	theirs := kz.until(kz.only().PID, parked)
	more := &dsp.Policy{ID: "shipments:offer", Permission: []dsp.Rule{{Action: "use"}}} // for any purpose
	if _, err := kz.x.CounterRequest(ctx, theirs.PID, exchange.Acceptance{Purpose: "research", Terms: more}); err != nil {
		t.Fatal(err)
	}
	// The consumer has seen our terms: a person answers.
	got := cn.until(mine.PID, func(n exchange.Negotiation) bool { return n.State == dsp.Requested && n.Parked != "" })
	if !strings.Contains(got.Waiting.Why, "other terms") {
		t.Errorf("%+v", got.Waiting)
	}
	if _, err := cn.x.Offer(ctx, mine.PID, nil); err != nil {
		t.Fatal(err)
	}
	kz.until(theirs.PID, func(n exchange.Negotiation) bool {
		return n.State == dsp.Offered && n.Pending == "" && len(n.Offer.Permission[0].Constraint) == 1
	})
	if _, err := kz.x.Accept(ctx, theirs.PID, exchange.Acceptance{}); err != nil {
		t.Fatal(err)
	}
	if n := kz.until(theirs.PID, ended); n.State != dsp.Finalized {
		t.Fatalf("%s %v", n.State, n.Reason)
	}
}

func TestEitherSideMayEndANegotiation(t *testing.T) {
	for _, who := range []string{"consumer", "provider"} {
		t.Run(who, func(t *testing.T) {
			cn, kz := pair(t, func(cn, _ *node) { cn.manual.Agree = true })
			cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
			pid := kz.ask(cn, "shipments", "research")
			kz.until(pid, func(n exchange.Negotiation) bool { return n.State == dsp.Requested && n.Pending == "" })
			one, other, id := kz, cn, pid
			if who == "provider" {
				one, other, id = cn, kz, cn.only().PID
			}
			if _, err := one.x.Terminate(within(t, time.Second), id, "changed_mind", "not needed any more"); err != nil {
				t.Fatal(err)
			}
			n := other.until(other.only().PID, ended)
			if n.State != dsp.Terminated || n.Code != "changed_mind" || len(n.Reason) != 1 {
				t.Errorf("%s %s %v", n.State, n.Code, n.Reason)
			}
			if _, err := one.x.Terminate(within(t, time.Second), id, "", ""); corridor.KindOf(err) != corridor.Conflict {
				t.Errorf("it is over: %v", err)
			}
		})
	}
}
