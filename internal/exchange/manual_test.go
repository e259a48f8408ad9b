package exchange_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/identity"
	"corridor/verify"
)

// must is an operator's act that has to succeed.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestAPersonCanTakeEveryStepOfANegotiationAndATransfer(t *testing.T) {
	cn, kz := pair(t, func(cn, kz *node) {
		cn.manual = exchange.Manual{Agree: true, Finalize: true, Start: true}
		kz.manual = exchange.Manual{Verify: true}
	})
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	pid := kz.ask(cn, "shipments", "trade_logistics")
	theirs := cn.until(cn.partner(pid), parked)
	ctx, neg := within(t, 30*time.Second), must[exchange.Negotiation](t)

	neg(cn.x.Offer(ctx, theirs.PID, nil))
	kz.until(pid, func(n exchange.Negotiation) bool { return n.State == dsp.Offered })
	cn.until(theirs.PID, came(dsp.Offered))
	neg(kz.x.Accept(ctx, pid, exchange.Acceptance{}))
	kz.until(pid, came(dsp.Accepted))
	if n := cn.until(theirs.PID, parked); n.State != dsp.Accepted {
		t.Fatalf("the acceptance was not held: %s", n.State)
	}
	neg(cn.x.Agree(ctx, theirs.PID))
	cn.until(theirs.PID, came(dsp.Agreed))
	if n := kz.until(pid, parked); n.State != dsp.Agreed {
		t.Fatalf("the agreement was not held: %s", n.State)
	}
	neg(kz.x.Verify(ctx, pid))
	kz.until(pid, came(dsp.Verified))
	if n := cn.until(theirs.PID, parked); n.State != dsp.Verified {
		t.Fatalf("the verification was not held: %s", n.State)
	}
	neg(cn.x.Finalize(ctx, theirs.PID))
	end := kz.until(pid, ended)
	cn.until(theirs.PID, came(dsp.Finalized))
	if end.State != dsp.Finalized {
		t.Fatalf("%s %v", end.State, end.Reason)
	}

	tr := must[exchange.Transfer](t)(kz.x.Transfer(ctx, end.Agreement))
	kz.untilTransfer(tr.PID, func(t exchange.Transfer) bool { return t.PeerPID != "" })
	there := must[exchange.Transfer](t)(kz.x.TransferByPID(ctx, tr.PID)).PeerPID
	if _, err := cn.x.Complete(ctx, there); corridor.KindOf(err) != corridor.Conflict || !strings.Contains(err.Error(), "transfer state machine") {
		t.Errorf("a transfer that has not started was completed: %v", err)
	}
	must[exchange.Transfer](t)(cn.x.Start(ctx, there))
	if got := kz.untilTransfer(tr.PID, over); got.State != dsp.Completed {
		t.Fatalf("%s %v", got.State, got.Reason)
	}
	if _, err := cn.x.Start(ctx, there); corridor.KindOf(err) != corridor.Conflict {
		t.Errorf("a complete transfer was started: %v", err)
	}
	raw := must[[]byte](t)(kz.x.Bundle(ctx, end.Agreement))
	if report := verify.Bundle(raw, verify.Options{}); !report.OK {
		t.Errorf("%+v", report.Failed())
	}
}

// came says that a negotiation has come to a state, on both sides.
func came(state dsp.State) func(exchange.Negotiation) bool {
	return func(n exchange.Negotiation) bool { return n.State == state && n.Pending == dsp.None || n.State.Final() }
}

// partner gives this node's pid of the one negotiation that it has.
func (n *node) partner(string) string {
	n.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if list, _, err := n.x.Negotiations(context.Background(), exchange.Page{}); err == nil && len(list) > 0 {
			return list[0].PID
		}
	}
	n.t.Fatalf("%s has no negotiation", n.name)
	return ""
}

func TestAStepIsHeldForOnePeerOrOneDataset(t *testing.T) {
	cn, kz := pair(t)
	cn.publish(exchange.Publication{ID: "held", Facts: plainFacts(), Manual: []string{exchange.StepAgree}})
	cn.publish(exchange.Publication{ID: "open", Facts: plainFacts()})
	pid := kz.ask(cn, "held", "trade_logistics")
	held := cn.until(cn.partner(pid), parked)
	if held.State != dsp.Requested || !strings.Contains(held.Parked, "of this dataset (manual: agree)") {
		t.Fatalf("%s %q", held.State, held.Parked)
	}
	must[exchange.Negotiation](t)(cn.x.Agree(within(t, 10*time.Second), held.PID))
	if end := kz.until(pid, ended); end.State != dsp.Finalized {
		t.Fatalf("%s %v", end.State, end.Reason)
	}
	if end := kz.until(kz.ask(cn, "open", "trade_logistics"), ended); end.State != dsp.Finalized {
		t.Fatalf("%s %v", end.State, end.Reason)
	}
	peers := cn.x.Peers()
	peers[0].Manual = []string{exchange.StepFinalize}
	if err := cn.peers.Replace(slices.Clone(peers)); err != nil {
		t.Fatal(err)
	}
	third := kz.ask(cn, "open", "trade_logistics")
	if n := kz.until(third, func(n exchange.Negotiation) bool { return n.State == dsp.Verified && n.Pending == dsp.None }); n.State != dsp.Verified {
		t.Errorf("%s", n.State)
	}
}

func TestAnActThatTheStateDoesNotAllowNamesTheProtocol(t *testing.T) {
	cn, kz := pair(t, func(cn, kz *node) { cn.manual = exchange.Manual{Agree: true} })
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	pid := kz.ask(cn, "shipments", "trade_logistics")
	there := cn.until(cn.partner(pid), parked).PID
	kz.until(pid, came(dsp.Requested))
	ctx := within(t, 10*time.Second)
	for name, act := range map[string]func() (exchange.Negotiation, error){
		"finalize in REQUESTED":      func() (exchange.Negotiation, error) { return cn.x.Finalize(ctx, there) },
		"verify in REQUESTED":        func() (exchange.Negotiation, error) { return kz.x.Verify(ctx, pid) },
		"accept in REQUESTED":        func() (exchange.Negotiation, error) { return kz.x.Accept(ctx, pid, exchange.Acceptance{}) },
		"agree as the consumer":      func() (exchange.Negotiation, error) { return kz.x.Agree(ctx, pid) },
		"an offer as the consumer":   func() (exchange.Negotiation, error) { return kz.x.Offer(ctx, pid, nil) },
		"verify as the provider":     func() (exchange.Negotiation, error) { return cn.x.Verify(ctx, there) },
		"acceptance as the provider": func() (exchange.Negotiation, error) { return cn.x.Accept(ctx, there, exchange.Acceptance{}) },
	} {
		if n, err := act(); err == nil || !strings.Contains(err.Error(), "negotiation state machine") {
			t.Errorf("%s: %s, %v", name, n.State, err)
		}
	}
	if n := cn.until(there, parked); n.State != dsp.Requested {
		t.Errorf("an illegal act changed the state: %s", n.State)
	}
}

func TestAPersonIsNotAskedAboutWhatTheLawDenies(t *testing.T) {
	n, r := withPlain(t, func(n *node) { n.manual = exchange.Manual{Agree: true} })
	facts := plainFacts()
	facts["ai_role"], facts["ai_prohibited_use"] = "deployer", true
	n.publish(exchange.Publication{ID: "shipments", Facts: facts})
	pid := r.opened(n, r.plainRequest(n, "urn:uuid:consumer", "shipments"))
	neg := n.until(pid, ended)
	if neg.State != dsp.Terminated || neg.Code != "refused_by_law" || neg.Agreement != "" {
		t.Errorf("%s %s %v", neg.State, neg.Code, neg.Reason)
	}
	if _, err := n.x.Agree(within(t, 10*time.Second), pid); corridor.KindOf(err) != corridor.Conflict {
		t.Errorf("a person agreed to what the law denies: %v", err)
	}
}

func TestAnAgreementMadeElsewhereIsTakenInOnlyUnderBothLaws(t *testing.T) {
	n, r := withPlain(t)
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	ctx := within(t, 20*time.Second)
	good := exchange.Adoption{ID: "contract-17", Peer: r.who.DID, Role: dsp.Provider, Dataset: "shipments", By: "A. Officer", Reference: "file 17"}
	a := must[exchange.Agreement](t)(n.x.Adopt(ctx, good))
	if a.State != exchange.AgreementInForce || a.DecidedBy != n.who.DID {
		t.Fatalf("%+v", a)
	}
	raw := must[[]byte](t)(n.x.Bundle(ctx, "contract-17"))
	if report := verify.Bundle(raw, verify.Options{}); !report.OK || !strings.Contains(report.Summary, "signed alone") {
		t.Errorf("%s %+v", report.Summary, report.Failed())
	}
	denied := plainFacts()
	denied["ai_role"], denied["ai_prohibited_use"] = "deployer", true
	n.publish(exchange.Publication{ID: "denied", Facts: denied})
	for name, c := range map[string]struct {
		change func(*exchange.Adoption)
		kind   corridor.Kind
	}{
		"twice":                    {func(*exchange.Adoption) {}, corridor.Conflict},
		"the peer's law denies it": {func(a *exchange.Adoption) { a.ID, a.Dataset = "2", "denied" }, corridor.RefusedByLaw},
		"nobody brings it":         {func(a *exchange.Adoption) { a.ID, a.By = "2", "" }, corridor.Invalid},
		"of a stranger":            {func(a *exchange.Adoption) { a.ID, a.Peer = "2", "did:web:nobody.example" }, corridor.Forbidden},
		"of no role":               {func(a *exchange.Adoption) { a.ID, a.Role = "2", "" }, corridor.Invalid},
		"consumer, no terms":       {func(a *exchange.Adoption) { a.ID, a.Role, a.Purpose = "2", dsp.Consumer, "research" }, corridor.Invalid},
	} {
		a := good
		c.change(&a)
		if _, err := n.x.Adopt(ctx, a); corridor.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Run("many at once, each under its own name and two under one", func(t *testing.T) {
		var wg sync.WaitGroup
		errs := make([]error, 6)
		for i := range errs {
			a := good
			a.ID = fmt.Sprintf("at-once-%d", max(i, 1)) // 0 and 1 are the same
			wg.Go(func() { _, errs[i] = n.x.Adopt(ctx, a) })
		}
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) || corridor.KindOf(cmp.Or(errs[0], errs[1])) != corridor.Conflict || errors.Join(errs[2:]...) != nil {
			t.Error(errs)
		}
	})
	if err := n.peers.Replace([]identity.Peer{{Participant: r.who, Address: r.base()}}); err != nil {
		t.Fatal(err)
	}
	good.ID = "contract-18"
	if _, err := n.x.Adopt(ctx, good); corridor.KindOf(err) != corridor.Conflict || !strings.Contains(err.Error(), "signed by both") {
		t.Errorf("an agreement with a Corridor was taken in: %v", err)
	}
}
