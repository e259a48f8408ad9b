package exchange_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/identity"
)

// A process ends, with the reason, when the peer will never take the message
// that it waits for.
func TestAMessageThatThePeerRefusesEndsTheNegotiation(t *testing.T) {
	for status, retry := range map[int]time.Duration{http.StatusBadRequest: 0, http.StatusServiceUnavailable: 300 * time.Millisecond} {
		n, r := withRogue(t, func(n *node) { n.retry = retry })
		n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
		r.answerWith(status)
		pid := r.opened(n, r.request(n, "urn:uuid:c", "shipments"))
		neg := n.until(pid, ended)
		if neg.State != dsp.Terminated || neg.Code != "unavailable" || !strings.Contains(neg.Reason[0], "ContractAgreementMessage") {
			t.Errorf("%d: %s %s %v", status, neg.State, neg.Code, neg.Reason)
		}
		a, err := n.x.Agreement(within(t, time.Second), neg.Agreement)
		if err != nil || a.State != exchange.AgreementTerminated {
			t.Errorf("%d: %v, the agreement is %s", status, err, a.State)
		}
		if types := receiptTypes(t, n, pid); types[corridor.ReceiptNegotiation] != 2 {
			t.Errorf("%d: the end has no receipt: %v", status, types)
		}
		r.wait("/termination")
	}
}

func TestATerminationIsOverEvenIfThePeerRefusesIt(t *testing.T) {
	n, r := withRogue(t)
	r.provides("shipments")
	neg, err := n.x.Negotiate(within(t, 5*time.Second), exchange.Request{Provider: r.who.DID, Dataset: "shipments", Purpose: "research"})
	if err != nil {
		t.Fatal(err)
	}
	n.until(neg.PID, func(n exchange.Negotiation) bool { return n.State == dsp.Requested })
	r.answerWith(http.StatusBadRequest)
	if _, err := n.x.Terminate(within(t, time.Second), neg.PID, "", "enough"); err != nil {
		t.Fatal(err)
	}
	r.wait("/termination") // refused, and nobody minds
	if got := n.only(); got.State != dsp.Terminated {
		t.Error(got.State)
	}
}

func TestAFinalWordThatIsRefusedLeavesTheAgreementInForce(t *testing.T) {
	n, r := withRogue(t)
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	pid := r.opened(n, r.request(n, "urn:uuid:c", "shipments"))
	n.until(pid, func(n exchange.Negotiation) bool { return n.State == dsp.Agreed })
	v := r.verification(r.wait("/agreement"))
	r.answerWith(http.StatusBadRequest)
	if a := r.say(n, dsp.Provider, v); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	neg := n.until(pid, parked)
	a, err := n.x.Agreement(within(t, time.Second), neg.Agreement)
	if neg.State != dsp.Verified || err != nil || a.State != exchange.AgreementInForce {
		t.Errorf("%s, agreement %s, %v", neg.State, a.State, err)
	}
}

func TestATransferThatCannotBeStartedEnds(t *testing.T) {
	n, r := withRogue(t, func(n *node) { n.manual.Agree = true })
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	providerStates()[dsp.Finalized](t, n, r)
	r.answerWith(http.StatusBadRequest)
	m := &dsp.TransferRequestMessage{ConsumerPid: "urn:uuid:tc", AgreementID: n.only().Agreement, Format: catalog.FormatPull, CallbackAddress: r.base()}
	if a := r.say(n, dsp.Provider, m); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if tr := n.untilTransfer(n.transfer(), over); tr.State != dsp.Terminated || !strings.Contains(tr.Reason[0], "TransferStartMessage") {
		t.Errorf("%s %v", tr.State, tr.Reason)
	}
	for name, change := range map[string]func(*dsp.TransferRequestMessage){
		"another format":    func(m *dsp.TransferRequestMessage) { m.Format = "AmazonS3-PUSH" },
		"an address":        func(m *dsp.TransferRequestMessage) { m.DataAddress = dsp.BearerAddress("https://x", "y") },
		"a foreign address": func(m *dsp.TransferRequestMessage) { m.CallbackAddress = "https://example.org" },
		"no such agreement": func(m *dsp.TransferRequestMessage) { m.AgreementID = "urn:uuid:none" },
		"a pid used before": func(m *dsp.TransferRequestMessage) { m.ConsumerPid = "urn:uuid:tc" },
	} {
		bad := *m
		bad.ConsumerPid = "urn:uuid:" + strings.ReplaceAll(name, " ", "-")
		change(&bad)
		bad.Message = []byte(`"urn:uuid:` + bad.ConsumerPid + `x"`)
		if a := r.say(n, dsp.Provider, &bad); a.status != 400 && a.status != 404 || a.kind() != "TransferError" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

func TestWhatIsOnItsWayIsWaitedFor(t *testing.T) {
	n, r := withRogue(t, func(n *node) { n.manual.Agree = true })
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	pid := r.opened(n, r.request(n, "urn:uuid:c", "shipments"))
	r.answerWith(http.StatusServiceUnavailable)
	ctx := within(t, 5*time.Second)
	if _, err := n.x.Offer(ctx, pid, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := n.x.Offer(ctx, pid, nil); corridor.KindOf(err) != corridor.Conflict {
		t.Errorf("%v", err)
	}
	neg := n.only()
	if neg.State != dsp.Requested || neg.Pending != dsp.Offered || neg.Waiting.On != "peer" {
		t.Errorf("%s pending %s %+v", neg.State, neg.Pending, neg.Waiting)
	}
	s, err := n.x.Status(ctx)
	if err != nil || len(s.Waiting) != 1 || s.Waiting[0].On != "peer" || s.Negotiations["REQUESTED"] != 1 || s.Outbox["ready"] != 1 {
		t.Errorf("%v %+v", err, s)
	}
	// The peer answers our offer although it never acknowledged it.
	m := &dsp.ContractNegotiationEventMessage{Pids: dsp.Pids{ProviderPid: pid, ConsumerPid: "urn:uuid:c"}, EventType: dsp.Accepted}
	if a := r.say(n, dsp.Provider, m); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if neg := n.only(); neg.State != dsp.Accepted || neg.Pending != "" {
		t.Errorf("%s pending %s", neg.State, neg.Pending)
	}
}

func TestAnAgreementThatIsGivenUpIsNotInForce(t *testing.T) {
	cn, kz := pair(t, func(_, kz *node) { kz.manual.Verify = true })
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	pid := kz.ask(cn, "shipments", "research")
	n := kz.until(pid, parked)
	if n.State != dsp.Agreed {
		t.Fatalf("%s %v", n.State, n.Reason)
	}
	ctx := within(t, 10*time.Second)
	if _, err := kz.x.Transfer(ctx, n.Agreement); corridor.KindOf(err) != corridor.Conflict {
		t.Errorf("it is not in force yet: %v", err)
	}
	if _, err := kz.x.Terminate(ctx, pid, "", "no"); err != nil {
		t.Fatal(err)
	}
	cn.until(cn.only().PID, ended)
	for _, side := range []*node{cn, kz} {
		list, _, err := side.x.Agreements(ctx, exchange.Page{})
		if err != nil || len(list) != 1 || list[0].State != exchange.AgreementTerminated {
			t.Errorf("%s: %v %+v", side.name, err, list)
		}
	}
}

func TestAPeersAddressIsInItsDIDDocument(t *testing.T) {
	cn, kz := pair(t)
	if err := kz.peers.Replace([]identity.Peer{{Participant: cn.who}}); err != nil {
		t.Fatal(err)
	}
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	if n := kz.until(kz.ask(cn, "shipments", "research"), ended); n.State != dsp.Finalized {
		t.Errorf("%s %v", n.State, n.Reason)
	}
	_, err := kz.x.Negotiate(within(t, 5*time.Second), exchange.Request{Provider: "did:web:stranger.example", Dataset: "x", Purpose: "research"})
	if corridor.KindOf(err) != corridor.Forbidden {
		t.Errorf("a stranger's law is not known: %v", err)
	}
}

// A stream that outlives its token gets a new one, as long as the transfer is
// open.
func TestATokenThatExpiresInTheMiddleIsRenewed(t *testing.T) {
	_, kz, mine, _, tap := running(t, func(cn *node) { cn.life = 2 * time.Second }) // tokens count whole seconds: one may live for half of it
	kz.stop()                                                                       // the stream is cut, and its token is dead when it is taken up
	time.Sleep(3100 * time.Millisecond)
	close(tap)
	kz.start()
	if tr := kz.untilTransfer(mine, over); tr.State != dsp.Completed {
		t.Fatalf("%s %v", tr.State, tr.Reason)
	}
	if len(inbox(t, kz)) != 1 {
		t.Error(inbox(t, kz))
	}
}
