package exchange_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

// negotiationMessages makes one of each message about a negotiation.
func negotiationMessages(r *rogue, n *node, p dsp.Pids) []dsp.Message {
	again := r.request(n, p.ConsumerPid, "shipments")
	again.ProviderPid, again.CallbackAddress = p.ProviderPid, ""
	offer := &dsp.ContractOfferMessage{ProviderPid: p.ProviderPid, ConsumerPid: p.ConsumerPid, Offer: again.Offer}
	agreement := &dsp.ContractAgreementMessage{Pids: p}
	agreement.Agreement.Policy = again.Offer.Policy
	agreement.Agreement.Assigner, agreement.Agreement.Assignee, agreement.Agreement.Timestamp = n.who.DID, r.who.DID, "2026-11-24T00:00:00Z"
	return []dsp.Message{again, offer, agreement,
		&dsp.ContractAgreementVerificationMessage{Pids: p},
		&dsp.ContractNegotiationEventMessage{Pids: p, EventType: dsp.Accepted},
		&dsp.ContractNegotiationEventMessage{Pids: p, EventType: dsp.Finalized},
		&dsp.ContractNegotiationTerminationMessage{Pids: p},
	}
}

// providerStates brings a negotiation, in which the node is the provider,
// into each state.
func providerStates() map[dsp.State]func(*testing.T, *node, *rogue) string {
	ask := func(t *testing.T, n *node, r *rogue) string {
		return r.opened(n, r.request(n, "urn:uuid:c", "shipments"))
	}
	settled := func(n *node, pid string, s dsp.State) string {
		n.until(pid, func(n exchange.Negotiation) bool { return n.State == s && n.Pending == "" })
		return pid
	}
	offered := func(t *testing.T, n *node, r *rogue) string {
		pid := ask(t, n, r)
		if _, err := n.x.Offer(within(t, time.Second), pid, nil); err != nil {
			t.Fatal(err)
		}
		return settled(n, pid, dsp.Offered)
	}
	agreed := func(t *testing.T, n *node, r *rogue) string {
		pid := ask(t, n, r)
		if _, err := n.x.Approve(within(t, time.Second), pid, exchange.Approval{By: "x", Reference: "y"}); err != nil {
			t.Fatal(err)
		}
		return settled(n, pid, dsp.Agreed)
	}
	verify := func(t *testing.T, n *node, r *rogue) string {
		pid := agreed(t, n, r)
		if a := r.say(n, dsp.Provider, r.verification(r.wait("/agreement"))); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return pid
	}
	return map[dsp.State]func(*testing.T, *node, *rogue) string{
		dsp.Requested: ask,
		dsp.Offered:   offered,
		dsp.Accepted: func(t *testing.T, n *node, r *rogue) string {
			pid := offered(t, n, r)
			m := &dsp.ContractNegotiationEventMessage{Pids: dsp.Pids{ProviderPid: pid, ConsumerPid: "urn:uuid:c"}, EventType: dsp.Accepted}
			if a := r.say(n, dsp.Provider, m); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			return settled(n, pid, dsp.Accepted)
		},
		dsp.Agreed:    agreed,
		dsp.Finalized: func(t *testing.T, n *node, r *rogue) string { return settled(n, verify(t, n, r), dsp.Finalized) },
		dsp.Verified: func(t *testing.T, n *node, r *rogue) string {
			pid := agreed(t, n, r)
			v := r.verification(r.wait("/agreement"))
			r.answerWith(http.StatusServiceUnavailable) // FINALIZED is never acknowledged
			if a := r.say(n, dsp.Provider, v); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			n.until(pid, func(n exchange.Negotiation) bool { return n.State == dsp.Verified })
			return pid
		},
		dsp.Terminated: func(t *testing.T, n *node, r *rogue) string {
			pid := ask(t, n, r)
			if _, err := n.x.Terminate(within(t, time.Second), pid, "", "enough"); err != nil {
				t.Fatal(err)
			}
			return pid
		},
	}
}

func TestEveryIllegalMoveOfAConsumerIsRefusedAndMovesNothing(t *testing.T) {
	for state, bring := range providerStates() {
		t.Run(string(state), func(t *testing.T) {
			n, r := withRogue(t, func(n *node) { n.manual.Agree = true })
			n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
			pid := bring(t, n, r)
			p := dsp.Pids{ProviderPid: pid, ConsumerPid: "urn:uuid:c"}
			pending := n.only().Pending
			for _, m := range negotiationMessages(r, n, p) {
				if legal(dsp.NextNegotiation, state, pending, m.Type(), dsp.Consumer) {
					continue
				}
				body, err := dsp.Encode(m)
				if err != nil {
					t.Fatal(err)
				}
				body = append(body, ' ') // not the same bytes as one that was taken
				a := call(t, n, http.MethodPost, dsp.PathFor(m, dsp.Provider), r.token(n), body)
				if a.status != 400 || a.kind() != "ContractNegotiationError" {
					t.Errorf("%s in %s: %d %s", m.Type(), state, a.status, a.body)
				}
				if got := n.only(); got.State != state {
					t.Fatalf("%s moved it from %s to %s", m.Type(), state, got.State)
				}
			}
			if a := r.get(n, dsp.NegotiationPath(pid)); a.status != 200 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

// legal says whether a message may come now: in the state, or in the one that
// our message on its way leads to.
func legal(next func(dsp.Role, dsp.State, dsp.Type, dsp.Role) (dsp.State, error), state, pending dsp.State, m dsp.Type, from dsp.Role) bool {
	if _, err := next(from.Other(), state, m, from); err == nil {
		return true
	}
	_, err := next(from.Other(), pending, m, from)
	return pending != "" && err == nil
}

// consumerStates brings a negotiation, in which the node is the consumer,
// into each state.
func consumerStates() map[dsp.State]func(*testing.T, *node, *rogue) string {
	ask := func(t *testing.T, n *node, r *rogue) string {
		neg, err := n.x.Negotiate(within(t, 5*time.Second), exchange.Request{Provider: r.who.DID, Dataset: "shipments", Purpose: "trade_logistics"})
		if err != nil {
			t.Fatal(err)
		}
		return neg.PID
	}
	at := func(n *node, pid string, s dsp.State) string {
		n.until(pid, func(n exchange.Negotiation) bool { return n.State == s && n.Pending == "" })
		return pid
	}
	requested := func(t *testing.T, n *node, r *rogue) string { return at(n, ask(t, n, r), dsp.Requested) }
	told := func(t *testing.T, n *node, r *rogue, m dsp.Message) {
		if a := r.say(n, dsp.Consumer, m); a.status != 200 {
			t.Fatalf("%s: %d %s", m.Type(), a.status, a.body)
		}
	}
	offered := func(t *testing.T, n *node, r *rogue) string {
		pid := requested(t, n, r)
		told(t, n, r, &dsp.ContractOfferMessage{ProviderPid: "urn:uuid:p", ConsumerPid: pid, Offer: r.request(n, "x", "shipments").Offer})
		return pid
	}
	agreed := func(t *testing.T, n *node, r *rogue) string {
		pid := requested(t, n, r)
		told(t, n, r, r.agreement(n, nil, nil))
		return pid
	}
	verified := func(t *testing.T, n *node, r *rogue) string {
		pid := agreed(t, n, r)
		if _, err := n.x.Verify(within(t, time.Second), pid); err != nil {
			t.Fatal(err)
		}
		return at(n, pid, dsp.Verified)
	}
	return map[dsp.State]func(*testing.T, *node, *rogue) string{
		dsp.Requested: requested, dsp.Offered: offered, dsp.Agreed: agreed, dsp.Verified: verified,
		dsp.Accepted: func(t *testing.T, n *node, r *rogue) string {
			pid := offered(t, n, r)
			if _, err := n.x.Accept(within(t, time.Second), pid, exchange.Acceptance{}); err != nil {
				t.Fatal(err)
			}
			return at(n, pid, dsp.Accepted)
		},
		dsp.Finalized: func(t *testing.T, n *node, r *rogue) string {
			pid := verified(t, n, r)
			told(t, n, r, &dsp.ContractNegotiationEventMessage{Pids: dsp.Pids{ProviderPid: "urn:uuid:p", ConsumerPid: pid}, EventType: dsp.Finalized})
			return pid
		},
		dsp.Terminated: func(t *testing.T, n *node, r *rogue) string {
			pid := requested(t, n, r)
			told(t, n, r, &dsp.ContractNegotiationTerminationMessage{Pids: dsp.Pids{ProviderPid: "urn:uuid:p", ConsumerPid: pid}, Code: "no"})
			return pid
		},
	}
}

func TestEveryIllegalMoveOfAProviderIsRefusedAndMovesNothing(t *testing.T) {
	for state, bring := range consumerStates() {
		t.Run(string(state), func(t *testing.T) {
			n, r := withRogue(t, func(n *node) { n.manual.Verify = true })
			r.provides("shipments")
			pid := bring(t, n, r)
			if got := n.only(); got.State != state {
				t.Fatalf("it is %s, not %s: %v", got.State, state, got.Reason)
			}
			for _, m := range negotiationMessages(r, n, dsp.Pids{ProviderPid: "urn:uuid:p", ConsumerPid: pid}) {
				if legal(dsp.NextNegotiation, state, "", m.Type(), dsp.Provider) {
					continue
				}
				body, err := dsp.Encode(m)
				if err != nil {
					t.Fatal(err)
				}
				a := call(t, n, http.MethodPost, dsp.PathFor(m, dsp.Consumer), r.token(n), append(body, ' '))
				if a.status != 400 || a.kind() != "ContractNegotiationError" {
					t.Errorf("%s in %s: %d %s", m.Type(), state, a.status, a.body)
				}
				if got := n.only(); got.State != state {
					t.Fatalf("%s moved it from %s to %s", m.Type(), state, got.State)
				}
			}
		})
	}
}

// The consumer checks again all that the provider put into the agreement.
func TestAnAgreementToSomethingElseIsNotSigned(t *testing.T) {
	n, r := withRogue(t)
	r.provides("shipments")
	consumerStates()[dsp.Requested](t, n, r)
	for name, c := range map[string]struct {
		before func(*corridor.Agreement)
		after  func(*dsp.ContractAgreementMessage)
	}{
		"another dataset":        {func(a *corridor.Agreement) { a.Dataset = "other" }, nil},
		"another purpose":        {func(a *corridor.Agreement) { a.Purpose = "marketing" }, nil},
		"another consumer":       {func(a *corridor.Agreement) { a.Consumer.DID = r.who.DID }, nil},
		"another country":        {func(a *corridor.Agreement) { a.Provider.Jurisdiction = "AE" }, nil},
		"another policy":         {func(a *corridor.Agreement) { a.Policy = json.RawMessage(`{"@id":"shipments:offer"}`) }, nil},
		"another policy outside": {nil, func(m *dsp.ContractAgreementMessage) { m.Agreement.Permission = []dsp.Rule{{Action: "sell"}} }},
		"one decision":           {func(a *corridor.Agreement) { a.Decisions = a.Decisions[1:] }, nil},
		"our decision twice":     {func(a *corridor.Agreement) { a.Decisions[0] = a.Decisions[1] }, nil},
		"our decision replaced":  {func(a *corridor.Agreement) { a.Decisions[1] = a.Decisions[0] }, nil},
		"a decision that denies": {func(a *corridor.Agreement) {
			json.Unmarshal(r.decision(r.who.DID, n.who.DID, "shipments", func(s *corridor.DecisionStatement) { s.Decision.Outcome = corridor.Deny }), &a.Decisions[0])
		}, nil},
		"an approval that is missing": {func(a *corridor.Agreement) {
			json.Unmarshal(r.decision(r.who.DID, n.who.DID, "shipments", func(s *corridor.DecisionStatement) { s.Decision.Outcome = corridor.NeedsApproval }), &a.Decisions[0])
		}, nil},
		"no agreement at all": {nil, func(m *dsp.ContractAgreementMessage) { m.Agreement.Agreement = nil }},
		"changed after signing": {nil, func(m *dsp.ContractAgreementMessage) {
			m.Agreement.Agreement = bytes.Replace(m.Agreement.Agreement, []byte(`"obligations":[]`), []byte(`"obligations":["x"]`), 1)
		}},
		"a member nobody knows": {nil, func(m *dsp.ContractAgreementMessage) {
			m.Agreement.Agreement = bytes.Replace(m.Agreement.Agreement, []byte(`"obligations":[]`), []byte(`"obligations":[],"price":1`), 1)
		}},
		"another assignee": {nil, func(m *dsp.ContractAgreementMessage) { m.Agreement.Assignee = r.who.DID }},
		"another id":       {nil, func(m *dsp.ContractAgreementMessage) { m.Agreement.ID = "urn:uuid:other" }},
	} {
		t.Run(name, func(t *testing.T) {
			a := r.say(n, dsp.Consumer, r.agreement(n, c.before, c.after))
			if a.status != 400 || a.kind() != "ContractNegotiationError" {
				t.Errorf("%d %s", a.status, a.body)
			}
			if got := n.only(); got.State != dsp.Requested {
				t.Fatalf("it is %s", got.State)
			}
		})
	}
	if a := r.say(n, dsp.Consumer, r.agreement(n, nil, nil)); a.status != 200 {
		t.Errorf("the right one: %d %s", a.status, a.body)
	}
}

func TestEveryIllegalMoveOfATransferIsRefusedAndMovesNothing(t *testing.T) {
	ask := func(t *testing.T, n *node, r *rogue) string {
		pid := providerStates()[dsp.Finalized](t, n, r)
		agreement := n.only().Agreement
		a := r.say(n, dsp.Provider, &dsp.TransferRequestMessage{ConsumerPid: "urn:uuid:tc", AgreementID: agreement, Format: catalog.FormatPull, CallbackAddress: r.base()})
		if a.status != http.StatusCreated {
			t.Fatalf("%s: %d %s", pid, a.status, a.body)
		}
		view, err := dsp.Decode[dsp.TransferProcess](a.body)
		if err != nil {
			t.Fatal(err)
		}
		return view.ProviderPid
	}
	act := func(f func(n *node, pid string) error, to dsp.State) func(*testing.T, *node, *rogue) string {
		return func(t *testing.T, n *node, r *rogue) string {
			pid := ask(t, n, r)
			if err := f(n, pid); err != nil {
				t.Fatal(err)
			}
			n.untilTransfer(pid, func(tr exchange.Transfer) bool { return tr.State == to && tr.Pending == "" })
			return pid
		}
	}
	start := func(n *node, pid string) error { _, err := n.x.Resume(within(n.t, time.Second), pid); return err }
	states := map[dsp.State]func(*testing.T, *node, *rogue) string{
		dsp.Requested: ask,
		dsp.Started:   act(start, dsp.Started),
		dsp.Suspended: act(func(n *node, pid string) error {
			if err := start(n, pid); err != nil {
				return err
			}
			n.untilTransfer(pid, func(tr exchange.Transfer) bool { return tr.State == dsp.Started })
			_, err := n.x.Suspend(within(n.t, time.Second), pid, "order")
			return err
		}, dsp.Suspended),
		dsp.Terminated: act(func(n *node, pid string) error {
			_, err := n.x.TerminateTransfer(within(n.t, time.Second), pid, "enough")
			return err
		}, dsp.Terminated),
	}
	for state, bring := range states {
		t.Run(string(state), func(t *testing.T) {
			n, r := withRogue(t, func(n *node) { n.manual.Agree, n.manual.Start = true, true })
			n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
			pid := bring(t, n, r)
			p := dsp.Pids{ProviderPid: pid, ConsumerPid: "urn:uuid:tc"}
			for _, m := range []dsp.Message{&dsp.TransferStartMessage{Pids: p}, &dsp.TransferCompletionMessage{Pids: p}, &dsp.TransferSuspensionMessage{Pids: p}, &dsp.TransferTerminationMessage{Pids: p}} {
				// A consumer may ask for the resumption of what it suspended itself;
				// here the provider did.
				if legal(dsp.NextTransfer, state, "", m.Type(), dsp.Consumer) && !(state == dsp.Suspended && m.Type() == dsp.TypeTransferStart) {
					continue
				}
				a := r.say(n, dsp.Provider, m)
				if a.status != 400 || a.kind() != "TransferError" {
					t.Errorf("%s in %s: %d %s", m.Type(), state, a.status, a.body)
				}
				if tr, err := n.x.TransferByPID(within(t, time.Second), pid); err != nil || tr.State != state {
					t.Fatalf("%s moved it from %s to %s (%v)", m.Type(), state, tr.State, err)
				}
			}
		})
	}
}

func TestAnUnknownStateInAnAnswerIsNotBelieved(t *testing.T) {
	n, r := withRogue(t)
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	pid := r.opened(n, r.request(n, "urn:uuid:c", "shipments"))
	event := &dsp.ContractNegotiationEventMessage{Pids: dsp.Pids{ProviderPid: pid, ConsumerPid: "urn:uuid:c"}, EventType: dsp.Accepted}
	body, err := dsp.Encode(event)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	m["eventType"] = "PERHAPS"
	if body, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	if a := call(t, n, http.MethodPost, dsp.NegotiationPath(pid)+"/events", r.token(n), body); a.status != 400 || a.kind() != "ContractNegotiationError" {
		t.Errorf("%d %s", a.status, a.body)
	}
}
